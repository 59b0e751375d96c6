package cluster

import (
	"bufio"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

func TestDrawFollowsTheWeightsAndTheSeed(t *testing.T) {
	l := Load{Mix: map[Scenario]float64{Activity: 3, Signals: 1, Timers: 0}, Seed: 5}
	counts := map[Scenario]int{}
	seeds := map[uint64]bool{}
	for i := range 4000 {
		s, seed := l.draw(i)
		counts[s]++
		seeds[seed] = true
		again, _ := l.draw(i)
		require.Equal(t, s, again)
	}
	require.InDelta(t, 3000, counts[Activity], 150, "five standard deviations")
	require.Equal(t, 4000, counts[Activity]+counts[Signals], "weight 0 is never drawn")
	require.Len(t, seeds, 4000)
	l.Seed = 6
	_, other := l.draw(0)
	require.NotContains(t, seeds, other)
}

func TestPlanReportsAllFaultsAtOnce(t *testing.T) {
	p := DefaultPlan()
	p.Scenarios = append(p.Scenarios, p.Scenarios[0],
		PlanScenario{Name: "x", Mix: map[string]float64{"actvity": 1}, Rate: 5, InFlight: 1},
		PlanScenario{Name: "y", Mix: map[string]float64{"activity": -1}})
	err := p.Complete()
	for _, want := range []string{
		`"activity, 1 in flight" is there twice`, `"actvity" is none of [activity fan-out`, `"x" has a rate and a number in flight`,
		`weight -1`, `neither a rate nor a number`,
	} {
		require.ErrorContains(t, err, want)
	}
	p = DefaultPlan()
	require.NoError(t, p.Complete())
}

func TestABlockHoldsCostsPerWorkflow(t *testing.T) {
	h := load.NewHistogram()
	for range 10 {
		h.Record(20 * time.Millisecond)
	}
	cpu := 50 * time.Millisecond
	m := &Measured{
		Load: &load.Measured{
			Kinds: map[string]*load.Kind{"activity": {Response: h, Service: h, Errors: map[string]int{"not accepted": 2}}},
			Lag:   load.NewHistogram(), Offered: 12, Done: 10, Took: 20 * time.Second,
		},
		InTime: 9, Offer: 1500 * time.Millisecond,
		Waits:   map[string]*load.Histogram{WorkflowTasks: h, ActivityTasks: load.NewHistogram()},
		Seconds: []Second{{Done: 6, P50: time.Millisecond, P99: 2 * time.Millisecond}, {Done: 4}},
		From:    time.Unix(100, 0), ServerCPU: 100 * time.Millisecond, Allocations: 1000, Allocated: 10 << 10, DatabaseCPU: &cpu,
	}
	b := m.block(PlanScenario{Rate: 6})
	require.InDelta(t, 6, b.Achieved, 1e-9, "of those that ended while the load was offered")
	require.InDelta(t, 3, b.Quantities[result.Unfinished].Value, 1e-9)
	require.EqualValues(t, 10, b.Calls["activity"].Completed)
	require.EqualValues(t, 2, b.Calls["activity"].Errors["not accepted"])
	require.InDelta(t, 10, b.Quantities[result.ServerCPU].Value, 1e-9, "ms")
	require.InDelta(t, 5, b.Quantities[result.DatabaseCPU].Value, 1e-9)
	require.InDelta(t, 1, b.Quantities[result.Allocated].Value, 1e-9, "KiB")
	require.NotContains(t, b.Quantities, result.DiskGrowth, "not measured is absent")
	require.NotContains(t, b.Quantities, ActivityWait, "nobody waited")
	require.NotContains(t, b.Quantities, result.Throughput, "what is offered is no question")
	require.Equal(t, [][2]float64{{0, 6}}, b.Series[0].Points)
	require.Equal(t, [][2]float64{{0, 2}}, b.Series[2].Points)
}

func TestAllocationsAreReadFromTheProfile(t *testing.T) {
	a, err := parseAllocations(bufio.NewScanner(strings.NewReader("heap profile: 1: 2 [3: 4] @ heap/1\n\n# runtime.MemStats\n# Alloc = 5\n# TotalAlloc = 77\n# Mallocs = 8\n")))
	require.NoError(t, err)
	require.Equal(t, allocated{objects: 8, bytes: 77}, a)
	_, err = parseAllocations(bufio.NewScanner(strings.NewReader("<html>")))
	require.ErrorContains(t, err, "lacks its counters")
}
