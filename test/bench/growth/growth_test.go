package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	inMemory = "../compare/embedded-ycql-memory.yaml"
	onDisk   = "../compare/embedded-ycql-durable.yaml"
)

// TestTheWholeRuns in small: every call finds what it is to find at every size, or it
// fails.
func TestTheWholeRuns(t *testing.T) {
	dir := t.TempDir()
	o, err := parse([]string{"-arm", inMemory, "-in-flight", "1,4", "-calls", "30", "-fill", "8", "-shards", "3", "-workflows", "40", "-settle", "0s", "-dir", dir})
	require.NoError(t, err)
	o.sizes = map[string][]int{open: {50, 200}, backlog: {6500, 9000}, history: {100, 600}, shards: {1, 40}}
	o.out = filepath.Join(dir, "out.json")
	table := &bytes.Buffer{}
	require.NoError(t, measureAll(t.Context(), o, table))

	text, err := os.ReadFile(o.out)
	require.NoError(t, err)
	var r Result
	require.NoError(t, json.Unmarshal(text, &r))
	require.True(t, r.Complete)
	require.Equal(t, "embedded ycql, in memory", r.Arm.Title)
	kinds := map[string]int{}
	for _, s := range r.Series {
		for _, p := range s.Points {
			require.Positive(t, p.Fill.Calls, "%s, %d", s.Name, p.Size)
			for _, f := range p.Calls {
				kinds[s.Name]++
				require.Positive(t, f.Count, "%+v", f)
				require.Positive(t, f.P50, "%+v", f)
				require.Positive(t, *f.Statements, "%+v", f)
				require.Positive(t, *f.Rounds, "%+v", f)
				require.Zero(t, f.Errors, "%+v", f)
			}
		}
	}
	// Ten calls on workflows; four reads of a queue and two writes; four reads of a
	// history and one write; shards made and taken over beside the ten.
	require.Equal(t, map[string]int{open: 2 * 2 * 10, backlog: 2 * (2*4 + 2), history: 2 * (2*4 + 1), shards: 2 * (2*10 + 2)}, kinds)
	for _, part := range []string{"open: open workflows\n", "UpdateWorkflowExecution", "CompleteTasksLessThan", "ReadHistoryBranchReverse, last page", "flat"} {
		require.Contains(t, table.String(), part)
	}
	// Neither rounds nor trips of any call depend on the size.
	for _, v := range r.Verdicts {
		require.LessOrEqual(t, *v.Trips, flatCounts, "%+v", v)
		require.LessOrEqual(t, *v.Rounds, flatCounts, "%+v", v)
	}
	left, err := filepath.Glob(filepath.Join(dir, "bench-growth-*"))
	require.NoError(t, err)
	require.Empty(t, left, "databases are dropped")
}

// TestFilesAreMeasuredAndDropped when the run has ended.
func TestFilesAreMeasuredAndDropped(t *testing.T) {
	dir := t.TempDir()
	o, err := parse([]string{"-arm", onDisk, "-series", "open", "-in-flight", "4", "-calls", "2", "-settle", "0s", "-dir", dir})
	require.NoError(t, err)
	o.sizes = map[string][]int{open: {20}}
	o.out = filepath.Join(dir, "out.json")
	require.NoError(t, measureAll(t.Context(), o, &bytes.Buffer{}))
	text, err := os.ReadFile(o.out)
	require.NoError(t, err)
	var r Result
	require.NoError(t, json.Unmarshal(text, &r))
	require.Positive(t, *r.Series[0].Points[0].DiskBytes)
	require.Positive(t, *r.Series[0].Points[0].DiskPerWorkflow)
	left, err := filepath.Glob(filepath.Join(dir, "bench-growth-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestAnInterruptedRunDropsWhatItMade, whatever it was doing.
func TestAnInterruptedRunDropsWhatItMade(t *testing.T) {
	dir := t.TempDir()
	o, err := parse([]string{"-arm", onDisk, "-series", "open", "-dir", dir})
	require.NoError(t, err)
	o.out = filepath.Join(dir, "out.json")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := make(chan error, 1)
	go func() { ended <- measureAll(ctx, o, &bytes.Buffer{}) }()
	require.Eventually(t, func() bool {
		made, err := filepath.Glob(filepath.Join(dir, "bench-growth-*", "growth_open_*", "*"))
		return err == nil && len(made) > 0
	}, 5*time.Minute, 10*time.Millisecond)
	interrupt()
	require.EqualError(t, <-ended, "series open: interrupted")
	left, err := filepath.Glob(filepath.Join(dir, "bench-growth-*"))
	require.NoError(t, err)
	require.Empty(t, left)
	text, err := os.ReadFile(o.out)
	require.NoError(t, err)
	require.Contains(t, string(text), `"error": "series open: interrupted"`)
}

func TestBadFlagsAreOneLine(t *testing.T) {
	for _, tt := range []struct {
		name string
		give []string
		want string
	}{
		{"no arm", nil, "-arm: give the configuration of a server, e.g. test/bench/compare/embedded-ycql-durable.yaml"},
		{"an unknown series", []string{"-arm", "x", "-series", "open,tables"}, "-series open,tables: give some of open, backlog, history, shards"},
		{"a series twice", []string{"-arm", "x", "-series", "open,open"}, "-series open,open: open is there twice"},
		{"too small", []string{"-arm", "x", "-max", "200"}, "-max 200: the smallest size of open is 1000"},
		{"none in flight", []string{"-arm", "x", "-in-flight", "1,0"}, "-in-flight 1,0: give numbers above 0, e.g. 1,8"},
		{"no calls", []string{"-arm", "x", "-calls", "0"}, "-calls 0: give 1 or more"},
		{"words", []string{"-arm", "x", "more"}, `"more": there are flags alone`},
		{"an unknown flag", []string{"-what"}, "flag provided but not defined: -what"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.give)
			require.EqualError(t, err, tt.want)
		})
	}
	o, err := parse([]string{"-arm", "x", "-max", "5000"})
	require.NoError(t, err)
	require.Equal(t, []int{1000}, o.sizes[open])
	require.Equal(t, []int{100, 1000}, o.sizes[history])
}

func TestVerdicts(t *testing.T) {
	f := func(call string, count int, cpu, rounds float64) Figures {
		return Figures{Call: call, InFlight: 1, Per: "call", Count: count, P50: 1, CPU: 7, CPUMedian: cpu, Objects: 10, Rounds: &rounds}
	}
	r := &Result{Series: []*Series{{Name: open, Of: "open workflows", Points: []*Point{
		{Size: 1000, Calls: []Figures{f("get", 300, 100, 2), f("update", 300, 100, 4), f("read", 300, 100, 1), f("drain", 5, 9000, 1)}},
		{Size: 10_000, Calls: []Figures{f("get", 300, 900, 2), f("update", 300, 100, 4), f("read", 300, 100, 1), f("drain", 50, 100, 1)}},
		{Size: 100_000, Calls: []Figures{f("get", 300, 149, 2), f("update", 300, 160, 4), f("read", 300, 100, 2), f("drain", 500, 120, 1)}},
	}}}}
	r.judge()
	got := map[string]bool{}
	for _, v := range r.Verdicts {
		got[v.Call] = v.Flat
	}
	require.Equal(t, map[string]bool{"get": true, "update": false, "read": false, "drain": true}, got)
	require.Equal(t, 10_000, r.Verdicts[3].From, "five calls are too few")
	require.InDelta(t, 1.2, r.Verdicts[3].CPU, 1e-9)

	table := &bytes.Buffer{}
	require.NoError(t, r.print(table))
	require.Contains(t, table.String(), "NOT FLAT: CPU times 1.60\n")
	require.Contains(t, table.String(), "NOT FLAT: rounds times 2.00\n")
	require.Regexp(t, `get +1 +1k to 100k +100 to 149 +10 +2 +- +- +1 +flat`, table.String())
}

func TestPickedNumbersAreDifferentWhileThereAreAny(t *testing.T) {
	first := pick(1, 0, 100, 100)
	require.Len(t, first, 100)
	seen := map[int64]bool{}
	for _, n := range first {
		seen[n] = true
	}
	require.Len(t, seen, 100)
	require.Equal(t, first, pick(1, 0, 100, 100))
	require.NotEqual(t, first, pick(1, 1, 100, 100))
	require.Len(t, pick(1, 0, 3, 10), 10)
}
