package compare_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/compare/report"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/compare/stats"
	"github.com/temporal-ycql/temporal-ycql/core/config"
)

// The instrument is proved on backends whose latencies are written down: what is
// found must be what was put in.

// scripted is a level without databases.
type scripted struct {
	block func(spec compare.Spec) (*result.Block, error)
}

func (*scripted) Name() string        { return "scripted" }
func (*scripted) Scenarios() []string { return []string{"script"} }
func (*scripted) Processes() []int    { return nil }

func (*scripted) Prepare(_ context.Context, a *arm.Arm, _ string) (result.Arm, error) {
	return a.Describe(), nil
}

func (s *scripted) Block(_ context.Context, spec compare.Spec) (*result.Block, error) {
	return s.block(spec)
}

func (*scripted) Agree(context.Context, compare.Spec, compare.Spec) (*result.Agreement, error) {
	return nil, nil //nolint:nilnil // the contract of Level
}
func (*scripted) Drop(context.Context, compare.Spec, bool) error { return nil }

func anArm(t *testing.T, name string) *arm.Arm {
	t.Helper()
	a, err := arm.Load(arm.Options{
		Name: name,
		Source: config.Source{
			File: filepath.Join("..", "..", "config", "embedded.yaml"),
			Set:  []string{"backends.embedded.dataDir=", "backends.embedded.ephemeral=true"},
		},
		Registry: func() (*backend.Registry, error) { return backend.NewRegistry([]backend.Backend{embedded.New()}) },
		Scratch:  t.TempDir(),
	})
	require.NoError(t, err)
	return a
}

// compared runs a whole comparison of a script and reads its page.
func compared(t *testing.T, pairs int, margin float64, block func(compare.Spec) (*result.Block, error)) (run *result.Run, page string, err error) {
	t.Helper()
	dir := t.TempDir()
	run, err = compare.Run(t.Context(), compare.Options{
		Level: &scripted{block}, A: anArm(t, result.A), B: anArm(t, result.B), Pairs: pairs, Seed: 7, Dir: dir, Margin: margin,
		// Whoever else uses the machine does not slow a script down.
		Contamination: compare.Contamination{Others: 1}, Progress: func(string) {},
	})
	require.NotNil(t, run)
	kept, readErr := result.Read(compare.Path(dir))
	require.NoError(t, readErr)
	require.Equal(t, run.Complete, kept.Complete)
	require.Len(t, kept.Blocks, len(run.Blocks))
	var text strings.Builder
	require.NoError(t, report.Write(&text, kept))
	return run, text.String(), err
}

func verdictOn(t *testing.T, run *result.Run, call string, quantile float64) result.Verdict {
	t.Helper()
	for _, v := range run.Verdicts {
		if v.Call == call && v.Quantile == quantile {
			return v
		}
	}
	t.Fatalf("no verdict on %s at p%g", call, 100*quantile)
	return result.Verdict{}
}

// TestAStallOfTenSecondsShows has arm B stand still for ten seconds of a minute, in
// simulated time. One request in six is hit; a closed loop would have sent none of
// them.
func TestAStallOfTenSecondsShows(t *testing.T) {
	const stallFrom, stallTo = 20 * time.Second, 30 * time.Second
	block := func(spec compare.Spec) (b *result.Block, err error) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			work := func(context.Context, int) (string, error) {
				if at := time.Since(start); spec.Arm.Name() == result.B && at >= stallFrom && at < stallTo {
					time.Sleep(stallTo - at) // of simulated time
				}
				time.Sleep(2 * time.Millisecond)
				return "get", nil
			}
			var m *load.Measured
			m, err = load.Open(t.Context(), load.Poisson(100, time.Minute, spec.Seed), work, load.Options{})
			if err != nil {
				return
			}
			get := m.Kinds["get"]
			b = &result.Block{
				From: start, To: start.Add(m.Took), Steady: true, Offered: 100, Achieved: float64(m.Done) / m.Took.Seconds(), Lag: m.Lag,
				Calls: map[string]*result.Call{"get": {Response: get.Response, Service: get.Service, Completed: get.Response.Count()}},
			}
		})
		return b, err
	}
	run, page, err := compared(t, stats.MinPairs, 1.05, block)
	require.NoError(t, err)
	require.Less(t, run.Merged("script", result.A, "get").Response.Quantile(0.99), 10*time.Millisecond)
	require.Greater(t, run.Merged("script", result.B, "get").Response.Quantile(0.99), 9*time.Second)

	require.Equal(t, stats.Same, verdictOn(t, run, "get", 0.5).Verdict, "five of six were not hit")
	p99 := verdictOn(t, run, "get", 0.99)
	require.Equal(t, stats.Different, p99.Verdict)
	require.Greater(t, p99.B, 9000.0, "ms")
	require.Contains(t, page, p99.Text)
}

// drawn is a block of calls whose latencies are drawn around 4 ms. luck is what all
// of the block's calls share: blocks differ, which requests alone do not show.
func drawn(rng *rand.Rand, n int, factor, luck float64, calls ...string) *result.Block {
	b := &result.Block{Steady: true, Calls: map[string]*result.Call{}, Quantities: map[string]result.Quantity{
		result.ServerCPU: {Value: factor * math.Exp(luck*rng.NormFloat64()), Unit: "ms", Better: "less", Judged: true},
	}}
	shared := factor * math.Exp(luck*rng.NormFloat64())
	for _, call := range calls {
		h := load.NewHistogram()
		for range n {
			h.Record(time.Duration(4e6 * shared * math.Exp(0.3*rng.NormFloat64())))
		}
		b.Calls[call] = &result.Call{Response: h, Service: h, Completed: int64(n)}
	}
	return b
}

// leastCalls are enough for p99 to be judged.
const leastCalls = 1000

// judged is a run of so many pairs, without the disk.
func judged(pairs int, margin float64, seed uint64, block func(arm string) *result.Block) *result.Run {
	run := &result.Run{Header: result.Header{Seed: seed}}
	for pair := range pairs {
		for _, name := range []string{result.A, result.B} {
			b := block(name)
			b.Index, b.Pair, b.Arm, b.Scenario = len(run.Blocks), pair, name, "script"
			run.Blocks = append(run.Blocks, b)
		}
	}
	run.Verdicts = compare.Judge(run, margin)
	return run
}

// TestAShiftOfThreePercentIsFound has B take 3 % longer for everything.
func TestAShiftOfThreePercentIsFound(t *testing.T) {
	shifted := func(rng *rand.Rand, n int, luck float64) func(string) *result.Block {
		return func(name string) *result.Block {
			factor := 1.0
			if name == result.B {
				factor = 1.03
			}
			return drawn(rng, n, factor, luck, "get")
		}
	}
	t.Run("by a whole comparison on a quiet machine", func(t *testing.T) {
		for margin, want := range map[float64]stats.Verdict{1.01: stats.Different, 1.05: stats.Same} {
			script := shifted(rand.New(rand.NewPCG(3, 3)), 20_000, 0.004)
			run, page, err := compared(t, 10, margin, func(spec compare.Spec) (*result.Block, error) { return script(spec.Arm.Name()), nil })
			require.NoError(t, err)
			v := verdictOn(t, run, "get", 0.5)
			require.Equal(t, want, v.Verdict, "margin %g: 3 %% is less than 5 %%, and more than 1 %%", margin)
			require.InDelta(t, 1.03, v.Effect.Ratio, 0.01)
			require.Less(t, v.Effect.Detectable, 1.03)
			require.Contains(t, page, v.Text)
		}
	})
	t.Run("with the power that runs state", func(t *testing.T) {
		// Ten pairs whose blocks scatter so that 3 % is just what a run of them says it
		// finds in four of five cases.
		const runs, luck = 200, 0.017
		found, stated := 0, 0.0
		rng := rand.New(rand.NewPCG(11, 3))
		for seed := range uint64(runs) {
			v := verdictOn(t, judged(10, 1.001, seed, shifted(rng, leastCalls, luck)), "get", 0.5)
			if v.Effect.CI95.Low > 1 {
				found++
			}
			stated += math.Log(v.Effect.Detectable) / runs
		}
		t.Logf("found in %d of %d runs, which said on average that they find %.1f %%", found, runs, 100*(math.Exp(stated)-1))
		require.InDelta(t, 0.03, math.Exp(stated)-1, 0.003)
		require.InDelta(t, 0.8, float64(found)/runs, 0.09, "three standard deviations, and what the noise of requests adds")
	})
}

// TestTwoHundredComparisonsOfAnArmWithItself stay within the promised rate of false
// alarms: of each family of questions, 5 % of the runs.
func TestTwoHundredComparisonsOfAnArmWithItself(t *testing.T) {
	for _, pairs := range []int{stats.MinPairs, 10} {
		t.Run(fmt.Sprintf("%d pairs", pairs), func(t *testing.T) {
			const runs = 200
			rng := rand.New(rand.NewPCG(uint64(pairs), 200))
			families, alarms := map[string]int{}, map[string]int{}
			for seed := range uint64(runs) {
				run := judged(pairs, 1.05, seed, func(string) *result.Block { return drawn(rng, leastCalls, 1, 0.08, "create", "get", "update") })
				alarmed := map[string]bool{}
				for _, v := range run.Verdicts {
					alarmed[v.Family] = alarmed[v.Family] || v.Verdict == stats.Different
				}
				for family, alarm := range alarmed {
					families[family]++
					if alarm {
						alarms[family]++
					}
				}
			}
			require.Len(t, families, 3, "p50, p99 and quantities")
			limit := int(0.05*runs + 3*math.Sqrt(0.05*0.95*runs)) // three standard deviations
			for family, n := range families {
				require.Equal(t, runs, n)
				t.Logf("%s: %d false alarms in %d runs", family, alarms[family], n)
				require.LessOrEqual(t, alarms[family], limit, family)
			}
		})
	}
}

// TestADeadArmEndsTheRun has B die in the third pair: the run says so in one line,
// and what was measured until then is there, in the file and on the page.
func TestADeadArmEndsTheRun(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	dead := errors.New("arm b: the server at 127.0.0.1:9042 does not answer: is it running?")
	run, page, err := compared(t, 6, 1.05, func(spec compare.Spec) (*result.Block, error) {
		if spec.Pair == 2 && spec.Arm.Name() == result.B {
			return nil, dead
		}
		return drawn(rng, leastCalls, 1, 0.01, "get"), nil
	})
	require.ErrorIs(t, err, dead)
	require.NotContains(t, err.Error(), "\n", "one line")
	require.False(t, run.Complete)
	require.Contains(t, run.Error, dead.Error())
	require.Len(t, run.Pairs("script"), 2)
	require.Len(t, run.Blocks, 5, "A's half of the third pair too")
	require.Contains(t, page, "This run is not complete:")
	require.Contains(t, page, dead.Error())
	require.Contains(t, page, "for get at p50: there are fewer than 4 pairs of blocks")
}

// TestVerdictsAreSentences holds what people read first.
func TestVerdictsAreSentences(t *testing.T) {
	say := func(v stats.Verdict, better string, ratio, low, high float64) string {
		return compare.Text(&result.Verdict{
			Call: "get", Quantile: 0.99, Margin: 1.05, Verdict: v, Better: better,
			Effect: &stats.Effect{Ratio: ratio, CI95: stats.Interval{Low: low, High: high}, Detectable: 1.12},
		})
	}
	require.Equal(t, "B needs 31 % less time for get at p99, 95 % interval 24 to 37 %", say(stats.Different, "less", 0.69, 0.63, 0.76))
	require.Equal(t, "no difference larger than 5 % for get at p99", say(stats.Same, "less", 1, 0.98, 1.02))
	require.Contains(t, say(stats.Undecided, "less", 2.7, 1e-80, 5.9e18), "interval less than 1 % to more than 100 times; a run like this one finds differences from 12 % on")
}
