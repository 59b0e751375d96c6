package compare

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/compare/stats"
)

// quantiles are those of response time that are judged for each call.
var quantiles = []float64{0.5, 0.99}

// leastCalls is how many calls of a kind a block must hold for a quantile to be
// more than one call's luck: ten beyond it.
func leastCalls(quantile float64) int64 { return int64(math.Ceil(10 / (1 - quantile))) }

// Judge answers the questions of a run: for each scenario and call, do the arms
// differ at p50 and at p99 of response time; for each judged quantity, do they
// differ. Calls are corrected together for each quantile, quantities together. A
// quantile is judged where every block holds enough calls for it; a ramp is judged by
// its knee alone.
func Judge(r *result.Run, margin float64) []result.Verdict {
	var all []result.Verdict
	for _, scenario := range r.Scenarios() {
		pairs := r.Pairs(scenario)
		if len(pairs) == 0 {
			continue
		}
		for _, q := range quantiles {
			if len(pairs[0].A.Steps) > 0 {
				break // a ramp offers each arm other rates: times at them are no answer
			}
			all = append(all, family(r, margin, fmt.Sprintf("%s, p%g of response time", scenario, 100*q), latencies(scenario, pairs, q))...)
		}
		all = append(all, family(r, margin, scenario+", quantities", figures(scenario, pairs))...)
	}
	return all
}

// question is one verdict to be, with the log ratios of its pairs.
type question struct {
	verdict result.Verdict
	logs    []float64
}

// allCalls is the question about whatever was called.
const allCalls = "all calls"

// response is the histogram of a call in a block, nil if there is none.
func response(b *result.Block, name string) *load.Histogram {
	if name != allCalls {
		if c := b.Calls[name]; c != nil {
			return c.Response
		}
		return nil
	}
	all := load.NewHistogram()
	for _, c := range b.Calls {
		all.Merge(c.Response)
	}
	return all
}

func latencies(scenario string, pairs []result.Pair, q float64) []question {
	names := map[string]bool{allCalls: true}
	for _, p := range pairs {
		for name := range p.A.Calls {
			names[name] = true
		}
	}
	var all []question
next:
	for _, name := range sorted(names) {
		var logs []float64
		sumA, sumB := load.NewHistogram(), load.NewHistogram()
		for _, p := range pairs {
			a, b := response(p.A, name), response(p.B, name)
			if a == nil || b == nil || a.Count() < leastCalls(q) || b.Count() < leastCalls(q) {
				continue next
			}
			sumA.Merge(a)
			sumB.Merge(b)
			logs = append(logs, math.Log(float64(b.Quantile(q))/float64(a.Quantile(q))))
		}
		ms := func(h *load.Histogram) float64 { return float64(h.Quantile(q).Microseconds()) / 1000 }
		all = append(all, question{result.Verdict{
			Scenario: scenario, Call: name, Quantile: q, A: ms(sumA), B: ms(sumB), Unit: "ms", Better: "less",
		}, logs})
	}
	return all
}

func figures(scenario string, pairs []result.Pair) []question {
	names := map[string]bool{}
	for _, p := range pairs {
		for name, q := range p.A.Quantities {
			if q.Judged {
				names[name] = true
			}
		}
	}
	var all []question
next:
	for _, name := range sorted(names) {
		v := result.Verdict{Scenario: scenario, Quantity: name}
		var logs []float64
		for _, p := range pairs {
			a, inA := p.A.Quantities[name]
			b, inB := p.B.Quantities[name]
			if !inA || !inB || a.Value <= 0 || b.Value <= 0 {
				continue next // there is no ratio
			}
			v.Unit, v.Better = a.Unit, a.Better
			v.A += a.Value / float64(len(pairs))
			v.B += b.Value / float64(len(pairs))
			logs = append(logs, math.Log(b.Value/a.Value))
		}
		all = append(all, question{v, logs})
	}
	return all
}

func sorted(names map[string]bool) []string {
	var all []string
	for n := range names {
		all = append(all, n)
	}
	sort.Strings(all)
	return all
}

// family judges questions together.
func family(r *result.Run, margin float64, name string, questions []question) []result.Verdict {
	verdicts := make([]result.Verdict, len(questions))
	var effects []stats.Effect
	var of []int
	for i, q := range questions {
		verdicts[i] = q.verdict
		v := &verdicts[i]
		v.Family, v.Margin, v.Verdict = name, margin, stats.Undecided
		effect, err := stats.Measure(q.logs, r.Header.Seed)
		if err != nil {
			v.Text = undecidedText(v, err)
			continue
		}
		v.Effect = &effect
		effects, of = append(effects, effect), append(of, i)
	}
	corrected := stats.Holm(ps(effects))
	for i, verdict := range stats.Judge(effects, stats.Margin(margin)) {
		v := &verdicts[of[i]]
		v.Verdict, v.CorrectedP = verdict, corrected[i]
		v.Text = Text(v)
	}
	return verdicts
}

func ps(effects []stats.Effect) []float64 {
	all := make([]float64, len(effects))
	for i := range effects {
		all[i] = effects[i].P
	}
	return all
}

func undecidedText(v *result.Verdict, err error) string {
	if errors.Is(err, stats.ErrFewPairs) {
		return fmt.Sprintf("undecided for %s: there are fewer than %d pairs of blocks", subject(v), stats.MinPairs)
	}
	return fmt.Sprintf("undecided for %s: %v", subject(v), err)
}

// Text says a verdict in one sentence.
func Text(v *result.Verdict) string {
	e := v.Effect
	switch v.Verdict {
	case stats.Same:
		return fmt.Sprintf("no difference larger than %s for %s", percent(v.Margin-1), subject(v))
	case stats.Undecided:
		finds := "finds differences from " + percent(e.Detectable-1) + " on"
		if e.Detectable > 10 {
			finds = "finds nothing less than tenfold"
		}
		return fmt.Sprintf("undecided for %s: B's is %s of A's, 95 %% interval %s to %s; a run like this one %s",
			subject(v), percent(e.Ratio), bounded(e.CI95.Low), bounded(e.CI95.High), finds)
	default:
	}
	what := "time for "
	if v.Call == "" {
		what = ""
	}
	more := "more "
	if v.Quantity == result.Knee || v.Better == "more" {
		return fmt.Sprintf("B reaches %s of A's %s, 95 %% interval %s to %s", times(e.Ratio), subject(v), times(e.CI95.Low), times(e.CI95.High))
	}
	if e.Ratio < 1 {
		return fmt.Sprintf("B needs %s less %s%s, 95 %% interval %s to %s", percent(1-e.Ratio), what, subject(v),
			number(100*(1-e.CI95.High)), percent(1-e.CI95.Low))
	}
	if e.Ratio >= 2 {
		return fmt.Sprintf("B needs %s the %s%s, 95 %% interval %s to %s", times(e.Ratio), what, subject(v),
			number(e.CI95.Low), times(e.CI95.High))
	}
	return fmt.Sprintf("B needs %s %s%s%s, 95 %% interval %s to %s", percent(e.Ratio-1), more, what, subject(v),
		number(100*(e.CI95.Low-1)), percent(e.CI95.High-1))
}

func subject(v *result.Verdict) string {
	if v.Call == "" {
		return v.Quantity
	}
	return fmt.Sprintf("%s at p%g", v.Call, 100*v.Quantile)
}

func percent(share float64) string { return number(100*share) + " %" }

// bounded is a bound of an interval, in words where its digits say nothing.
func bounded(ratio float64) string {
	switch {
	case ratio < 0.01:
		return "less than 1 %"
	case ratio > 100:
		return "more than 100 times"
	}
	return percent(ratio)
}

func times(ratio float64) string { return number(ratio) + " times" }

// number shows two or three digits.
func number(x float64) string {
	switch a := math.Abs(x); {
	case a >= 10:
		return fmt.Sprintf("%.0f", x)
	case a >= 1:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
	default:
		return fmt.Sprintf("%.2g", x)
	}
}

// Regressions compares a run with an earlier one, a baseline, by what they have in
// common: the ratio B to A of each figure. A figure whose ratio got worse by more
// than the share allowed is a regression, if the run itself is sure that it did: its
// 95 % interval lies beyond the limit's side of the baseline. Missing figures are
// reported too.
func Regressions(r, baseline *result.Run, allowed float64) []string {
	var lines []string
	for i := range baseline.Verdicts {
		old := &baseline.Verdicts[i]
		if old.Effect == nil {
			continue
		}
		at := slices.IndexFunc(r.Verdicts, func(v result.Verdict) bool {
			return v.Scenario == old.Scenario && v.Call == old.Call && v.Quantile == old.Quantile && v.Quantity == old.Quantity
		})
		where := old.Scenario + ", " + subject(old)
		if at < 0 || r.Verdicts[at].Effect == nil {
			lines = append(lines, where+": the baseline has it, this run has not measured it")
			continue
		}
		now := r.Verdicts[at].Effect
		worse := now.Ratio / old.Effect.Ratio
		sure := now.CI95.Low > old.Effect.Ratio
		if old.Better == "more" {
			worse = 1 / worse
			sure = now.CI95.High < old.Effect.Ratio
		}
		if worse > 1+allowed && sure {
			lines = append(lines, fmt.Sprintf("%s: B to A was %.3g, is %.3g (95 %% interval %.3g to %.3g): %s worse, %s are allowed",
				where, old.Effect.Ratio, now.Ratio, now.CI95.Low, now.CI95.High, percent(worse-1), percent(allowed)))
		}
	}
	return lines
}

// Different names the pairs whose arms were left in different states, with the first
// field that differs.
func Different(r *result.Run) []string {
	var lines []string
	for _, a := range r.Agreements {
		if a.Equal {
			continue
		}
		line := fmt.Sprintf("%s, pair %d: the arms were left in different states", a.Scenario, a.Pair)
		if len(a.Differences) > 0 {
			d := a.Differences[0]
			line += fmt.Sprintf(": %s %s %s: A %q, B %q", d.Unit, d.Record, d.Field, d.A, d.B)
		}
		lines = append(lines, line)
	}
	return lines
}
