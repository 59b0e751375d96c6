package command

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite" // the stock arm

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

func registry() (*backend.Registry, error) {
	return backend.NewRegistry([]backend.Backend{embedded.New(), cassandra.New()})
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestPlans(t *testing.T) {
	p, err := readPlan(write(t, "pairs: 6\nstore: {rates: [100, 200], duration: 5s, ramp: {from: 10}}\n"))
	require.NoError(t, err)
	want := DefaultPlan()
	want.Pairs, want.Store.Rates, want.Store.Duration, want.Store.Ramp.From = 6, []float64{100, 200}, 5*time.Second, 10
	require.Equal(t, want, p)
	p, err = readPlan(write(t, "level: cluster\ncluster: {block: 30s, scenarios: [{mix: {activity: 1}, inFlight: 4}]}\n"))
	require.NoError(t, err)
	require.Len(t, p.Cluster.Scenarios, 1)
	require.Equal(t, 4, p.Cluster.Scenarios[0].InFlight)

	tests := []struct{ name, give, want string }{
		{"a misspelt key", "pair: 3\n", `pair: unknown key, did you mean "pairs"?`},
		{"a misspelt key below", "store: {rate: [3]}\n", `store.rate: unknown key, did you mean "rates"?`},
		{"a misspelt key of a scenario", "level: cluster\ncluster: {scenarios: [{mix: {activity: 1}, in-flight: 4}]}\n", `cluster.scenarios[0]: in-flight: unknown key, did you mean "inFlight"?`},
		{"a price that is none", "level: cluster\nprices: {serverCPUHour: -1}\n", "prices: serverCPUHour: -1: give a price of 0 or more"},
		{"prices of what there is not", "prices: {diskGBMonth: 0.1}\n", "prices: they are for workflows, and the store level runs none"},
		{"a level that nobody knows", "level: disk\n", `level: "disk" is neither store nor cluster`},
		{"no pairs", "pairs: 0\n", "pairs: 0: give 1 or more; below 4 there are no intervals"},
		{"a duration without a unit", "store: {duration: 5}\n", "must be a duration with a unit"},
		{"a block that is too short", "store: {duration: 5ms}\n", "store.duration: 5ms is too short"},
		{"scenarios that are no list", "cluster: {scenarios: 3}\n", "cluster.scenarios: must be a list"},
		{"no YAML", "a: [", "did not find expected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readPlan(write(t, tt.give))
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestShare(t *testing.T) {
	for give, want := range map[string]float64{"10%": 0.1, "0.1": 0.1, " 5 % ": 0.05, "0": 0} {
		got, err := Share(give)
		require.NoError(t, err)
		require.InDelta(t, want, got, 1e-12)
	}
	for _, give := range []string{"", "x%", "-1%", "NaN"} {
		_, err := Share(give)
		require.Error(t, err, give)
	}
}

func TestCommandLinesThatCannotBe(t *testing.T) {
	for want, q := range map[string]Request{
		"give both configurations":         {A: "a.yaml"},
		"--aa compares A with itself":      {A: "a.yaml", B: "b.yaml", Same: true},
		"read the plan: open nowhere.yaml": {Quick: true, Plan: "nowhere.yaml"},
		"read a comparison: open none":     {Quick: true, Check: "none"},
	} {
		q.Out, q.Registry, q.Stdout, q.Stderr = t.TempDir(), registry, new(bytes.Buffer), new(bytes.Buffer)
		require.ErrorContains(t, Run(t.Context(), q), want)
	}
}

// TestAWholeComparison measures the embedded engine beside stock SQLite, both in
// memory, and holds the run to itself and to a baseline that nothing can reach.
func TestAWholeComparison(t *testing.T) {
	const arms = "../../../test/bench/compare/"
	plan := write(t, "pairs: 4\ncontamination: {others: 1, lag: 0s, repeats: 0}\nstore: {rates: [100], duration: 1s, warmupMost: 0s, warmupLeast: 0s, open: 10, timeout: 1m, deadAfter: 2m}\n")
	var stdout, stderr bytes.Buffer
	out := t.TempDir()
	q := Request{
		A: arms + "stock-sqlite-memory.yaml", B: arms + "embedded-ycql-memory.yaml", Plan: plan, Out: out,
		Registry: registry, Stdout: &stdout, Stderr: &stderr,
	}
	require.NoError(t, Run(t.Context(), q), stderr.String())
	require.Contains(t, stdout.String(), "A: stock sqlite, in memory")
	require.Contains(t, stdout.String(), "B: embedded ycql, in memory (embedded CQL engine, dialect ycql)")
	require.Contains(t, stdout.String(), "States after a pair: 4 times equal, 0 times different.")
	require.Contains(t, stderr.String(), "pair 4 of 4, mix 100/s, arm a: measuring (about ")
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), "embedded ycql, in memory")
	left, err := os.ReadDir(filepath.Join(out, "scratch"))
	require.NoError(t, err)
	require.Empty(t, left)

	run, err := result.Read(compare.Path(out))
	require.NoError(t, err)
	require.True(t, run.Complete)
	require.Len(t, run.Blocks, 8)
	require.NotEmpty(t, run.Header.Differences)
	for _, b := range run.Blocks {
		counted := b.Calls["UpdateWorkflowExecution"]
		if b.Arm == result.A {
			require.Nil(t, counted.Statements, "stock SQL stores offer no place to count")
			continue
		}
		require.Greater(t, *counted.Statements, counted.Completed)
		require.GreaterOrEqual(t, *counted.RoundTrips, counted.Completed)
		require.GreaterOrEqual(t, *counted.SerialRounds, 2*counted.Completed)
		require.Equal(t, *counted.Commits, counted.Completed, "one block each")
		require.Positive(t, *counted.BytesOut)
	}

	// The same run again measures nothing and holds itself; a better past does not.
	q.Check, q.MaxRegression = compare.Path(out), 0.1
	require.NoError(t, Run(t.Context(), q))
	require.Contains(t, stdout.String(), "No regression against ")
	// One of which each figure is far below the interval that was measured, however wide
	// that is where the machine was busy.
	var figures []string
	for i := range run.Verdicts {
		if e := run.Verdicts[i].Effect; e != nil && e.CI95.Low > 0 && run.Verdicts[i].Better == "less" {
			e.Ratio = min(e.Ratio, e.CI95.Low) / 1000
			figures = append(figures, fmt.Sprintf("B to A was %.3g, is ", e.Ratio))
		}
	}
	require.NotEmpty(t, figures)
	q.Check = filepath.Join(t.TempDir(), "baseline.json")
	require.NoError(t, run.Write(q.Check))
	err = Run(t.Context(), q)
	require.ErrorIs(t, err, ErrWorse)
	for _, figure := range figures {
		require.Contains(t, err.Error(), figure)
	}
}
