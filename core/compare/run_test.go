package compare_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/compare/stats"
	"github.com/temporal-ycql/temporal-ycql/core/config"
)

// recording is a level that notes what it is asked for.
type recording struct {
	scenarios []string
	asked     []compare.Spec
	agreed    int
	dropped   map[string]int
	block     func(spec compare.Spec, n int) (*result.Block, error)
}

func (*recording) Name() string          { return "recording" }
func (l *recording) Scenarios() []string { return l.scenarios }
func (*recording) Processes() []int      { return nil }

func (*recording) Prepare(_ context.Context, a *arm.Arm, _ string) (result.Arm, error) {
	return a.Describe(), nil
}

func (l *recording) Block(_ context.Context, spec compare.Spec) (*result.Block, error) {
	l.asked = append(l.asked, spec)
	if l.block == nil {
		return block(time.Millisecond, 0), nil
	}
	return l.block(spec, len(l.asked)-1)
}

func (l *recording) Agree(_ context.Context, a, b compare.Spec) (*result.Agreement, error) {
	if a.Arm.Name() != result.A || b.Arm.Name() != result.B || a.Seed != b.Seed {
		return nil, errors.New("the arms are mixed up")
	}
	l.agreed++
	return &result.Agreement{How: result.ByRecords, Equal: true}, nil
}

func (l *recording) Drop(_ context.Context, spec compare.Spec, _ bool) error {
	if l.dropped == nil {
		l.dropped = map[string]int{}
	}
	l.dropped[spec.Database]++
	return nil
}

// block is one whose calls all took so long, on a generator that was late by lag.
func block(took, lag time.Duration) *result.Block {
	c, late := result.NewCall(), load.NewHistogram()
	for range 2000 {
		c.Response.Record(took)
		c.Service.Record(took)
		late.Record(lag)
	}
	return &result.Block{Calls: map[string]*result.Call{"get": c}, Lag: late, Steady: true, From: time.Now(), To: time.Now()}
}

func options(t *testing.T, l compare.Level, dir string) compare.Options {
	t.Helper()
	return compare.Options{
		Level: l, A: anArm(t, result.A), B: anArm(t, result.B), Pairs: 4, Seed: 3, Dir: dir, Margin: 1.05,
		Header:        result.Header{Plan: json.RawMessage(`{"pairs": 4}`)},
		Contamination: compare.Contamination{Others: 1, Lag: 10 * time.Millisecond, Repeats: 2}, Progress: func(string) {},
	}
}

func TestPairsTakeTurnsAndScenariosToo(t *testing.T) {
	l := &recording{scenarios: []string{"x", "y"}}
	run, err := compare.Run(t.Context(), options(t, l, t.TempDir()))
	require.NoError(t, err)
	require.True(t, run.Complete)
	var order string
	names, seeds := map[string]bool{}, map[uint64]map[int]bool{}
	for _, s := range l.asked {
		order += s.Scenario + s.Arm.Name() + " "
		require.False(t, names[s.Database], "%s was there before", s.Database)
		names[s.Database] = true
		require.LessOrEqual(t, len(s.Database), 40)
		require.Regexp(t, `^[a-z][a-z0-9_]*$`, s.Database)
		if seeds[s.Seed] == nil {
			seeds[s.Seed] = map[int]bool{}
		}
		seeds[s.Seed][s.Pair] = true
	}
	require.Equal(t, "xa xb ya yb xb xa yb ya xa xb ya yb xb xa yb ya ", order)
	require.Len(t, seeds, 4, "each pair has a seed of its own, both arms the same")
	require.Equal(t, 8, l.agreed)
	for name := range names {
		require.Equal(t, 1, l.dropped[name], name)
	}
	require.Len(t, run.Agreements, 8)
	require.NotEmpty(t, run.Verdicts)
	for _, v := range run.Verdicts {
		require.Equal(t, stats.Same, v.Verdict, v.Text)
	}
}

func TestAContaminatedBlockIsRepeatedAndKept(t *testing.T) {
	l := &recording{scenarios: []string{"x"}, block: func(_ compare.Spec, n int) (*result.Block, error) {
		if n == 1 { // B's first
			return block(time.Hour, 20*time.Millisecond), nil
		}
		return block(time.Millisecond, 0), nil
	}}
	run, err := compare.Run(t.Context(), options(t, l, t.TempDir()))
	require.NoError(t, err)
	require.Len(t, run.Blocks, 9)
	require.Len(t, run.Blocks[1].Contaminated, 1)
	require.Contains(t, run.Blocks[1].Contaminated[0], "the generator lagged: 20.0")
	require.Equal(t, 1, *run.Blocks[2].Repeats)
	require.Equal(t, 1, l.asked[2].Attempt)
	require.Equal(t, l.asked[1].Seed, l.asked[2].Seed)
	require.Len(t, run.Used(), 8)
	require.Empty(t, run.Warnings)
	for _, p := range run.Pairs("x") {
		require.Empty(t, p.B.Contaminated)
	}
}

func TestABlockThatStaysContaminatedCountsAndIsWarnedOf(t *testing.T) {
	l := &recording{scenarios: []string{"x"}, block: func(spec compare.Spec, _ int) (*result.Block, error) {
		if spec.Pair == 1 && spec.Arm.Name() == result.A {
			return block(time.Millisecond, 20*time.Millisecond), nil
		}
		return block(time.Millisecond, 0), nil
	}}
	run, err := compare.Run(t.Context(), options(t, l, t.TempDir()))
	require.NoError(t, err)
	require.Len(t, run.Blocks, 10, "two repetitions")
	require.Len(t, run.Used(), 8)
	require.Len(t, run.Pairs("x"), 4)
	require.Len(t, run.Warnings, 1)
	require.Contains(t, run.Warnings[0], "is contaminated, and was repeated 2 times")
}

// TestAnInterruptedRunGoesOn breaks off in the middle of the third pair and is
// started again in the same directory.
func TestAnInterruptedRunGoesOn(t *testing.T) {
	dir := t.TempDir()
	l := &recording{scenarios: []string{"x"}, block: func(_ compare.Spec, n int) (*result.Block, error) {
		if n == 5 {
			return nil, context.Canceled
		}
		return block(time.Millisecond, 0), nil
	}}
	broken, err := compare.Run(t.Context(), options(t, l, dir))
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, broken.Complete)
	require.Len(t, broken.Blocks, 5)
	for _, s := range l.asked {
		require.Equal(t, 1, l.dropped[s.Database], "also of blocks that broke off")
	}

	again := &recording{scenarios: []string{"x"}}
	run, err := compare.Run(t.Context(), options(t, again, dir))
	require.NoError(t, err)
	require.True(t, run.Complete)
	require.Empty(t, run.Error)
	require.Len(t, again.asked, 4, "the half pair and the last one")
	require.Equal(t, l.asked[4].Seed, again.asked[0].Seed, "the third pair has its seed again")
	require.Len(t, run.Blocks, 8)
	require.Len(t, run.Agreements, 4)
	require.Len(t, run.Pairs("x"), 4)
	indices := map[int]bool{}
	for _, b := range run.Blocks {
		indices[b.Index] = true
	}
	require.Len(t, indices, 8, "no two blocks share an index")

	third := &recording{scenarios: []string{"x"}}
	run, err = compare.Run(t.Context(), options(t, third, dir))
	require.NoError(t, err)
	require.Empty(t, third.asked, "nothing is left to do")
	require.Len(t, run.Blocks, 8)
}

func TestARunGoesOnOnlyAsItBegan(t *testing.T) {
	dir := t.TempDir()
	_, err := compare.Run(t.Context(), options(t, &recording{scenarios: []string{"x"}}, dir))
	require.NoError(t, err)
	for want, change := range map[string]func(*compare.Options){
		"plan":       func(o *compare.Options) { o.Header.Plan = json.RawMessage(`{"pairs": 5}`) },
		"seed":       func(o *compare.Options) { o.Seed++ },
		"second arm": func(o *compare.Options) { o.Same = true },
	} {
		o := options(t, &recording{scenarios: []string{"x"}}, dir)
		change(&o)
		before, err := os.ReadFile(compare.Path(dir))
		require.NoError(t, err)
		_, err = compare.Run(t.Context(), o)
		require.EqualError(t, err, fmt.Sprintf("%s holds a comparison with another %s: give another directory with --out", dir, want))
		after, err := os.ReadFile(compare.Path(dir))
		require.NoError(t, err)
		require.Equal(t, before, after, "what is there stays as it is")
	}
}

// TestWhatAKilledRunLeftIsDropped has a ledger and files of a run that had no time
// to clean up, and files that it did not make.
func TestWhatAKilledRunLeftIsDropped(t *testing.T) {
	dir, scratch := t.TempDir(), t.TempDir()
	_, err := compare.Run(t.Context(), options(t, &recording{scenarios: []string{"x"}}, dir))
	require.NoError(t, err)
	left, foreign := filepath.Join(scratch, "compare_a_p9_0_0badcafe"), filepath.Join(scratch, "temporal")
	for _, path := range []string{left, foreign} {
		require.NoError(t, os.MkdirAll(path, 0o700))
	}
	ledger := filepath.Join(dir, "databases.txt")
	require.NoError(t, os.WriteFile(ledger, []byte("a compare_a_p9_0_0badcafe\na temporal\n"), 0o600))
	o := options(t, &recording{scenarios: []string{"x"}}, dir)
	o.A, err = arm.Load(arm.Options{
		Name: result.A, Scratch: scratch, Source: config.Source{File: filepath.Join("..", "..", "config", "embedded.yaml")},
		Registry: func() (*backend.Registry, error) { return backend.NewRegistry([]backend.Backend{embedded.New()}) },
	})
	require.NoError(t, err)
	_, err = compare.Run(t.Context(), o)
	require.ErrorContains(t, err, "holds a comparison with another configuration of arm a")
	require.DirExists(t, left, "it is another comparison's")

	require.NoError(t, os.Remove(compare.Path(dir)))
	require.NoError(t, os.Rename(ledger, ledger+".kept"))
	_, err = compare.Run(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, os.Rename(ledger+".kept", ledger))
	o.Level = &recording{scenarios: []string{"x"}}
	_, err = compare.Run(t.Context(), o)
	require.NoError(t, err)
	require.NoDirExists(t, left)
	require.DirExists(t, foreign, "the ledger names it, but no run ever makes such a name")
	lines, err := os.ReadFile(ledger)
	require.NoError(t, err)
	require.NotContains(t, string(lines), "0badcafe", "the ledger begins anew")
}

func TestFilesOfOtherVersionsAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"version": 99}`), 0o600))
	_, err := result.Read(path)
	require.ErrorContains(t, err, "it has version 99, this program reads 1")
}

func TestSteady(t *testing.T) {
	medians := func(list ...time.Duration) func(context.Context) (time.Duration, error) {
		i := 0
		return func(context.Context) (time.Duration, error) {
			time.Sleep(time.Second) // of simulated time
			m := list[min(i, len(list)-1)]
			i++
			return m, nil
		}
	}
	tests := []struct {
		name        string
		least, most time.Duration
		medians     func(context.Context) (time.Duration, error)
		took        time.Duration
		steady      bool
	}{
		{"falls, then stands", 0, time.Minute, medians(9, 7, 5, 100, 101, 100), 6 * time.Second, true},
		{"stands from the start, but for long enough", 10 * time.Second, time.Minute, medians(100), 10 * time.Second, true},
		{"never stands", 0, 8 * time.Second, func() func(context.Context) (time.Duration, error) {
			n := time.Duration(1)
			return func(context.Context) (time.Duration, error) { time.Sleep(time.Second); n *= 2; return n, nil }
		}(), 8 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took, steady, err := compare.Steady(t.Context(), tt.least, tt.most, tt.medians)
				require.NoError(t, err)
				require.Equal(t, tt.took, took)
				require.Equal(t, tt.steady, steady)
			})
		})
	}
}
