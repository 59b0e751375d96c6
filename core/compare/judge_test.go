package compare_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/compare/stats"
)

func TestVerdictsInWords(t *testing.T) {
	effect := func(ratio, low, high float64) *stats.Effect {
		return &stats.Effect{Pairs: 10, Ratio: ratio, CI95: stats.Interval{Low: low, High: high}, Detectable: 1.08}
	}
	tests := []struct {
		name string
		give result.Verdict
		want string
	}{
		{
			"less time",
			result.Verdict{Call: "update", Quantile: 0.99, Verdict: stats.Different, Better: "less", Effect: effect(0.69, 0.63, 0.76)},
			"B needs 31 % less time for update at p99, 95 % interval 24 to 37 %",
		},
		{
			"more time",
			result.Verdict{Call: "update", Quantile: 0.5, Verdict: stats.Different, Better: "less", Effect: effect(1.2, 1.1, 1.3)},
			"B needs 20 % more time for update at p50, 95 % interval 10 to 30 %",
		},
		{
			"a multiple",
			result.Verdict{Call: "update", Quantile: 0.5, Verdict: stats.Different, Better: "less", Effect: effect(3, 2.5, 3.6)},
			"B needs 3 times the time for update at p50, 95 % interval 2.5 to 3.6 times",
		},
		{
			"a quantity",
			result.Verdict{Quantity: result.DiskGrowth, Verdict: stats.Different, Better: "less", Effect: effect(0.5, 0.4, 0.6)},
			"B needs 50 % less disk growth, 95 % interval 40 to 60 %",
		},
		{
			"a knee",
			result.Verdict{Quantity: result.Knee, Verdict: stats.Different, Better: "more", Effect: effect(1.5, 1.2, 1.9)},
			"B reaches 1.5 times of A's knee, 95 % interval 1.2 times to 1.9 times",
		},
		{
			"the same",
			result.Verdict{Call: "get", Quantile: 0.5, Verdict: stats.Same, Margin: 1.05, Effect: effect(1.01, 0.99, 1.02)},
			"no difference larger than 5 % for get at p50",
		},
		{
			"undecided",
			result.Verdict{Call: "get", Quantile: 0.5, Verdict: stats.Undecided, Effect: effect(1.1, 0.9, 1.4)},
			"undecided for get at p50: B's is 110 % of A's, 95 % interval 90 % to 140 %; a run like this one finds differences from 8 % on",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, compare.Text(&tt.give)) })
	}
}

func TestRegressions(t *testing.T) {
	with := func(ratio, low, high float64, better string) *result.Run {
		return &result.Run{Verdicts: []result.Verdict{{
			Scenario: "mix", Call: "update", Quantile: 0.99, Better: better,
			Effect: &stats.Effect{Ratio: ratio, CI95: stats.Interval{Low: low, High: high}},
		}}}
	}
	baseline := with(0.7, 0.6, 0.8, "less")
	require.Empty(t, compare.Regressions(baseline, baseline, 0.1), "itself")
	require.Empty(t, compare.Regressions(with(0.74, 0.72, 0.76, "less"), baseline, 0.1), "within what is allowed")
	require.Empty(t, compare.Regressions(with(0.9, 0.65, 1.3, "less"), baseline, 0.1), "nobody knows")
	require.Empty(t, compare.Regressions(with(0.3, 0.2, 0.4, "less"), baseline, 0.1), "better")
	require.Equal(t, []string{"mix, update at p99: B to A was 0.7, is 0.9 (95 % interval 0.85 to 0.95): 29 % worse, 10 % are allowed"},
		compare.Regressions(with(0.9, 0.85, 0.95, "less"), baseline, 0.1))
	require.Len(t, compare.Regressions(with(0.5, 0.4, 0.6, "more"), with(0.7, 0.6, 0.8, "more"), 0.1), 1, "a knee that sank")
	require.Equal(t, []string{"mix, update at p99: the baseline has it, this run has not measured it"}, compare.Regressions(&result.Run{}, baseline, 0.1))
}

func TestDifferentStatesAreNamed(t *testing.T) {
	run := &result.Run{Agreements: []result.Agreement{
		{Scenario: "mix", Pair: 1, Equal: true},
		{Scenario: "mix", Pair: 2, Differences: []result.FieldDifference{{Unit: "shard/7", Record: "Execution(wf)", Field: "next_event_id", A: "4", B: "5"}}},
	}}
	require.Equal(t, []string{`mix, pair 2: the arms were left in different states: shard/7 Execution(wf) next_event_id: A "4", B "5"`}, compare.Different(run))
}

// TestARampIsJudgedByItsKnee and not by times at rates that differ.
func TestARampIsJudgedByItsKnee(t *testing.T) {
	run := new(result.Run)
	for i := range 8 {
		b := block(time.Duration(1+i%2)*time.Millisecond, 0)
		b.Index, b.Pair, b.Scenario, b.Arm = i, i/2, "ramp", []string{result.A, result.B}[i%2]
		b.Steps = []result.Step{{Offered: 100, Holds: true}}
		b.Quantities = map[string]result.Quantity{result.Knee: {Value: float64(100 * (1 + i%2)), Better: "more", Judged: true}}
		run.Blocks = append(run.Blocks, b)
	}
	verdicts := compare.Judge(run, 1.05)
	require.Len(t, verdicts, 1)
	require.Equal(t, "B reaches 2 times of A's knee, 95 % interval 2 times to 2 times", verdicts[0].Text)
	for _, b := range run.Blocks {
		b.Steps = nil
	}
	require.Greater(t, len(compare.Judge(run, 1.05)), 2)
}
