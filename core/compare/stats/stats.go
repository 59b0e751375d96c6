// Package stats says what paired measurements allow to be said about two arms.
//
// The unit of replication is a block, never a request: requests of one block share
// its luck. Two blocks that ran side by side in time, one for each arm, form a pair,
// and what is judged is the logarithm of the ratio of one quantity (a quantile of a
// call's latency, CPU time of a workflow) in both: B over A. Differences that hold
// for all pairs add up there, whatever the machine did meanwhile.
//
// Everything is a pure function of its arguments and a seed.
package stats

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// MinPairs is the number of pairs below which no interval is computed: resamples
// of fewer are too often all alike.
const MinPairs = 4

// resamples of the bootstrap: enough for the 2.5 % tails to stand still in the
// second digit.
const resamples = 4000

// ErrFewPairs is returned for fewer than MinPairs pairs.
var ErrFewPairs = errors.New("too few pairs of blocks for an interval")

// Interval is a confidence interval of a ratio.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Effect is what pairs say of one quantity. Ratios are B over A: 0.7 means that B
// needs 30 % less.
type Effect struct {
	Pairs int     `json:"pairs"`
	Ratio float64 `json:"ratio"` // geometric mean over pairs
	// CI95 is the interval that Ratio is reported with. CI90 lies within the
	// margins of equivalence if and only if both one-sided tests at 5 % reject.
	CI95 Interval `json:"ci95"`
	CI90 Interval `json:"ci90"`
	// P is the two-sided probability of a difference at least this clear between
	// arms that do not differ. It is not yet corrected for the number of questions.
	P float64 `json:"p"`
	// Detectable is the smallest ratio above 1 that a run like this one finds in
	// four of five cases at the 5 % level.
	Detectable float64 `json:"detectable"`
}

// Measure computes the effect of log ratios, one for each pair, by the studentized
// bootstrap (bootstrap-t: Efron and Tibshirani, An Introduction to the Bootstrap,
// section 12.5) and by Student's t, and says what both allow: the wider end of each
// interval, the larger p. With the ten pairs or so of a run the bootstrap's intervals
// hold what they promise, which plain percentile and BCa intervals do not; but four
// pairs have only 35 different resamples, of which none is as rare as a correction
// for fifteen questions asks for, and there Student's t must agree (ADR 0040).
func Measure(logRatios []float64, seed uint64) (Effect, error) {
	n := len(logRatios)
	if n < MinPairs {
		return Effect{}, fmt.Errorf("%w: %d, at least %d are needed", ErrFewPairs, n, MinPairs)
	}
	for i, x := range logRatios {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return Effect{}, fmt.Errorf("pair %d has the log ratio %v: one of its blocks measured nothing", i, x)
		}
	}
	mean, se := meanAndError(logRatios)
	e := Effect{Pairs: n, Ratio: ratio(mean)}
	if se == 0 {
		// All pairs agree to the last bit: counts, not times. There is no chance
		// in them to be estimated.
		e.CI95, e.CI90 = Interval{e.Ratio, e.Ratio}, Interval{e.Ratio, e.Ratio}
		e.Detectable = 1
		if mean == 0 {
			e.P = 1
		}
		return e, nil
	}
	t := studentized(logRatios, mean, seed)
	student := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}
	quantile := func(q float64) float64 { return stat.Quantile(q, stat.LinInterp, t, nil) }
	interval := func(alpha float64) Interval {
		half := student.Quantile(1 - alpha/2)
		return Interval{
			Low:  ratio(mean - se*max(quantile(1-alpha/2), half)),
			High: ratio(mean - se*min(quantile(alpha/2), -half)),
		}
	}
	e.CI95, e.CI90 = interval(0.05), interval(0.10)
	e.P = max(twoSided(t, mean/se), 2*student.Survival(math.Abs(mean)/se))
	half := math.Log(e.CI95.High/e.CI95.Low) / 2
	e.Detectable = ratio(half + se*student.Quantile(0.80))
	return e, nil
}

// widest is the ratio beyond which none is told from another: few pairs of which one
// was hit by a stall have bounds that no float holds, and JSON has no infinity.
const widest = 1e9

func ratio(log float64) float64 { return min(widest, max(1/widest, math.Exp(log))) }

// meanAndError returns the mean and its standard error.
func meanAndError(x []float64) (mean, se float64) {
	mean, sd := stat.MeanStdDev(x, nil)
	return mean, sd / math.Sqrt(float64(len(x)))
}

// studentized returns sorted (mean* - mean) / se* of resamples.
func studentized(x []float64, mean float64, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, uint64(len(x)))) //nolint:gosec // a bootstrap must be repeatable
	again := make([]float64, len(x))
	t := make([]float64, 0, resamples)
	for len(t) < resamples {
		for i := range again {
			again[i] = x[rng.IntN(len(x))]
		}
		// A resample of one value repeated says nothing of its error: draw again.
		if m, se := meanAndError(again); se > 0 {
			t = append(t, (m-mean)/se)
		}
	}
	slices.Sort(t)
	return t
}

// twoSided is the share of resamples at least as far from zero, on the side that
// would make observed a false alarm, counted twice. It agrees with the interval:
// it is below alpha where the interval of level 1-alpha leaves out a ratio of 1.
func twoSided(t []float64, observed float64) float64 {
	below, _ := slices.BinarySearch(t, observed)
	share := min(float64(below), float64(len(t)-below)) / float64(len(t))
	// Nothing rarer than one resample has been seen.
	return min(1, max(2*share, 1/float64(len(t))))
}

// Verdict answers the question whether two arms differ in one quantity.
type Verdict string

// The verdicts.
const (
	Undecided Verdict = "undecided" // neither can be said with this run
	Different Verdict = "different" // the interval leaves out a ratio of 1
	Same      Verdict = "same"      // no difference larger than the margin
)

// Margin is a ratio above 1 within which arms count as the same: 1.05 for 5 %.
type Margin float64

// Holds tells whether an interval lies within the margin.
func (m Margin) Holds(i Interval) bool {
	return i.Low > 1/float64(m) && i.High < float64(m)
}

// Judge answers a family of questions that were asked of one run. Differences
// must survive Holm's correction at 5 %, so that the chance of a single false
// alarm among all of them is 5 %. Same needs both one-sided tests of the margin.
// A difference within the margin is the same for every use: Same wins.
func Judge(family []Effect, margin Margin) []Verdict {
	verdicts := make([]Verdict, len(family))
	corrected := Holm(pValues(family))
	for i := range family {
		switch {
		case margin.Holds(family[i].CI90):
			verdicts[i] = Same
		case corrected[i] < 0.05:
			verdicts[i] = Different
		default:
			verdicts[i] = Undecided
		}
	}
	return verdicts
}

func pValues(family []Effect) []float64 {
	p := make([]float64, len(family))
	for i := range family {
		p[i] = family[i].P
	}
	return p
}

// Holm returns p-values corrected for their number by Holm's step-down method, in
// the order given. Each may be compared with the level of the whole family.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	corrected := make([]float64, len(p))
	least := 0.0
	for rank, i := range order {
		least = max(least, min(1, p[i]*float64(len(p)-rank)))
		corrected[i] = least
	}
	return corrected
}
