package stats_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/compare/stats"
)

// pairs draws n log ratios around the log of ratio.
func pairs(rng *rand.Rand, n int, ratio, spread float64, draw func(*rand.Rand) float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = math.Log(ratio) + spread*draw(rng)
	}
	return x
}

func normal(rng *rand.Rand) float64 { return rng.NormFloat64() }

func skewed(rng *rand.Rand) float64 { return rng.ExpFloat64() - 1 }

func measure(t *testing.T, x []float64, seed uint64) stats.Effect {
	t.Helper()
	e, err := stats.Measure(x, seed)
	require.NoError(t, err)
	return e
}

// TestIntervalsHoldWhatTheyPromise draws many runs with a known ratio. The bounds
// are five standard errors of a count of 600 around the nominal 5 % (normal), and
// what skewed pairs cost at most.
func TestIntervalsHoldWhatTheyPromise(t *testing.T) {
	const runs = 600
	tests := []struct {
		name  string
		draw  func(*rand.Rand) float64
		pairs int
		most  float64 // share of intervals that miss the ratio
	}{
		{"four normal pairs", normal, 4, 0.095},
		{"ten normal pairs", normal, 10, 0.095},
		{"ten skewed pairs", skewed, 10, 0.115},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 7))
			misses := 0
			for run := range runs {
				e := measure(t, pairs(rng, tt.pairs, 0.8, 0.05, tt.draw), uint64(run))
				if e.CI95.Low > 0.8 || e.CI95.High < 0.8 {
					misses++
				}
				require.True(t, e.CI95.Low <= e.CI90.Low && e.CI90.High <= e.CI95.High, "%+v", e)
			}
			share := float64(misses) / runs
			require.LessOrEqual(t, share, tt.most)
			require.Greater(t, share, 0.005, "an interval that never misses is too wide to be a 95 % one")
		})
	}
}

func TestAKnownShiftIsFoundAsOftenAsStated(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	const runs, n, spread = 400, 10, 0.03
	// What runs say on average that they find is what is put in.
	stated := 0.0
	for run := range runs {
		stated += math.Log(measure(t, pairs(rng, n, 1, spread, normal), uint64(run)).Detectable) / runs
	}
	found := 0
	for run := range runs {
		e := measure(t, pairs(rng, n, math.Exp(stated), spread, normal), uint64(run))
		if e.P < 0.05 {
			found++
			require.Greater(t, e.Ratio, 1.0)
		}
	}
	require.InDelta(t, 0.80, float64(found)/runs, 0.06, "three standard deviations")
	require.InDelta(t, 0.032, stated, 0.003, "it depends on the spread alone")
}

func TestPAgreesWithTheInterval(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for run := range 300 {
		e := measure(t, pairs(rng, 8, 1.03, 0.04, normal), uint64(run))
		outside := e.CI95.Low > 1 || e.CI95.High < 1
		if math.Abs(e.P-0.05) > 0.002 { // else rounding of the quantile decides
			require.Equal(t, outside, e.P < 0.05, "%+v", e)
		}
	}
}

func TestTheSameSeedGivesTheSameEffect(t *testing.T) {
	x := pairs(rand.New(rand.NewPCG(9, 9)), 6, 1.1, 0.05, normal)
	first, second := measure(t, x, 42), measure(t, x, 42)
	require.Equal(t, first, second)
	require.NotEqual(t, first, measure(t, x, 43), "the seed counts")
}

func TestPairsThatAgreeExactlyAreNotChance(t *testing.T) {
	same := measure(t, []float64{0, 0, 0, 0}, 1)
	require.InDelta(t, 1, same.P, 0)
	require.Equal(t, []stats.Verdict{stats.Same}, stats.Judge([]stats.Effect{same}, 1.05))

	double := measure(t, []float64{math.Ln2, math.Ln2, math.Ln2, math.Ln2}, 1)
	require.InDelta(t, 2, double.CI95.Low, 1e-9)
	require.Equal(t, []stats.Verdict{stats.Different}, stats.Judge([]stats.Effect{double}, 1.05))
}

func TestWhatCannotBeMeasuredIsRefused(t *testing.T) {
	_, err := stats.Measure([]float64{1, 2, 3}, 1)
	require.ErrorIs(t, err, stats.ErrFewPairs)
	_, err = stats.Measure([]float64{1, 2, math.Inf(-1), 3}, 1)
	require.ErrorContains(t, err, "pair 2 has the log ratio -Inf")
}

func TestHolm(t *testing.T) {
	// The example of Holm's method with four hypotheses: 4 x 0.005, 3 x 0.01,
	// 2 x 0.03, and 0.04, which may not fall below the one before it.
	got := stats.Holm([]float64{0.01, 0.04, 0.03, 0.005})
	want := []float64{0.03, 0.06, 0.06, 0.02}
	for i := range want {
		require.InDelta(t, want[i], got[i], 1e-12)
	}
	require.Equal(t, []float64{1, 1}, stats.Holm([]float64{0.9, 0.6}))
}

func TestJudge(t *testing.T) {
	effect := func(low, high, p float64) stats.Effect {
		return stats.Effect{CI90: stats.Interval{Low: low, High: high}, P: p}
	}
	tests := []struct {
		name string
		give []stats.Effect
		want []stats.Verdict
	}{
		{"a clear difference", []stats.Effect{effect(0.6, 0.7, 0.001)}, []stats.Verdict{stats.Different}},
		{"no larger than the margin", []stats.Effect{effect(0.97, 1.03, 0.9)}, []stats.Verdict{stats.Same}},
		{"clear, but smaller than the margin", []stats.Effect{effect(1.01, 1.03, 0.001)}, []stats.Verdict{stats.Same}},
		{"too wide to say", []stats.Effect{effect(0.9, 1.1, 0.9)}, []stats.Verdict{stats.Undecided}},
		{"a single question", []stats.Effect{effect(1.1, 1.9, 0.03)}, []stats.Verdict{stats.Different}},
		{
			"one of two questions needs more",
			[]stats.Effect{effect(1.1, 1.9, 0.03), effect(0.9, 1.1, 0.9)},
			[]stats.Verdict{stats.Undecided, stats.Undecided},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, stats.Judge(tt.give, 1.05)) })
	}
}

// TestFalseAlarmsOfWholeRuns judges families of ten questions between arms that do
// not differ: in at most one run of twenty may anything be called different.
func TestFalseAlarmsOfWholeRuns(t *testing.T) {
	const runs, questions = 200, 10
	for _, n := range []int{stats.MinPairs, 10} {
		rng := rand.New(rand.NewPCG(11, 11))
		alarms := 0
		for run := range runs {
			family := make([]stats.Effect, questions)
			for i := range family {
				family[i] = measure(t, pairs(rng, n, 1, 0.1, normal), uint64(run*questions+i))
			}
			for _, v := range stats.Judge(family, 1.05) {
				if v == stats.Different {
					alarms++
					break
				}
			}
		}
		// Of 200 runs with a chance of 5 %, more than 18 happen once in 100 times.
		require.LessOrEqual(t, alarms, 18, "%d pairs", n)
	}
}

// TestWildPairsHaveFiniteBounds has one pair of which the machine made nonsense.
func TestWildPairsHaveFiniteBounds(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		e, err := stats.Measure([]float64{0.01 * rng.NormFloat64(), 0.01 * rng.NormFloat64(), 0.01 * rng.NormFloat64(), 300}, seed)
		require.NoError(t, err)
		for _, x := range []float64{e.Ratio, e.CI95.Low, e.CI95.High, e.CI90.Low, e.CI90.High, e.P, e.Detectable} {
			require.False(t, math.IsInf(x, 0) || math.IsNaN(x), "%+v", e)
			require.Positive(t, x)
		}
		require.Less(t, e.CI95.Low, 1.0)
		require.Greater(t, e.CI95.High, e.Ratio/2)
		_, err = json.Marshal(e)
		require.NoError(t, err)
	}
}
