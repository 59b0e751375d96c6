package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// kinds of verdicts, in the order in which they are shown.
var kinds = []struct{ class, word, title, note string }{
	{"worse", "B worse", "Regressions: B is worse", "The interval leaves out a ratio of 1, and survives the correction for the number of questions."},
	{"better", "B better", "Improvements: B is better", "The interval leaves out a ratio of 1, and survives the correction for the number of questions."},
	{"other", "differs", "Differences that are neither better nor worse", ""},
	{"same", "same", "Equivalences: no difference larger than the margin", "Both one-sided tests of the margin reject: that is a finding and not the lack of one."},
	{"undecided", "undecided", "Undecided", "Neither a difference nor equality can be said with this run. The last column is the smallest difference that a run like this one finds in four of five cases: more pairs, or longer blocks, see smaller ones."},
}

func (v *view) judge() {
	v.Margin = missing
	groups := map[string]*verdictGroup{}
	counts := map[string]int{}
	forests := map[string][]forestItem{}
	margin := 1.05
	for _, verdict := range v.Run.Verdicts {
		class := classOf(verdict)
		counts[class]++
		if verdict.Margin > 1 {
			margin = verdict.Margin
			v.Margin = percent(margin - 1)
		}
		g := groups[class]
		if g == nil {
			g = &verdictGroup{Class: class}
			groups[class] = g
		}
		g.Rows = append(g.Rows, rowOf(verdict))
		if verdict.Effect != nil {
			forests[verdict.Scenario] = append(forests[verdict.Scenario], forestItem{subject(verdict), class, *verdict.Effect})
		}
	}
	for _, kind := range kinds {
		if n := counts[kind.class]; n > 0 {
			v.Summary = append(v.Summary, count{n, kind.word, kind.class})
			g := groups[kind.class]
			g.Title, g.Note = kind.title, kind.note
			v.Judged = append(v.Judged, *g)
		}
		for _, verdict := range v.Run.Verdicts {
			if classOf(verdict) == kind.class {
				line := verdictView{Class: kind.class, Word: kind.word, Text: strings.TrimPrefix(verdict.Text, kind.word+" ")}
				if len(v.Run.Scenarios()) > 1 {
					line.Scenario = verdict.Scenario
				}
				v.Verdicts = append(v.Verdicts, line)
			}
		}
	}
	for _, name := range v.Run.Scenarios() {
		if f := newForest(forests[name], margin); f != nil {
			v.Forests = append(v.Forests, titledForest{name, f})
		}
	}
	if v.Run.Header.Same {
		alarms := counts["worse"] + counts["better"] + counts["other"]
		v.Alarms = fmt.Sprintf("Both arms are A. What is found here is the instrument's own noise: %d of %d questions were answered with a difference.", alarms, len(v.Run.Verdicts))
	}
}

func rowOf(v result.Verdict) verdictRow {
	row := verdictRow{
		Scenario: v.Scenario, What: subject(v), A: figure(v.A), B: figure(v.B), Unit: v.Unit,
		Change: missing, Interval: missing, P: missing, Detectable: missing,
	}
	if e := v.Effect; e != nil {
		row.Pairs = e.Pairs
		row.Change = change(e.Ratio)
		row.Interval = change(e.CI95.Low) + " to " + change(e.CI95.High)
		row.P = strconv.FormatFloat(v.CorrectedP, 'g', 2, 64)
		row.Detectable = change(e.Detectable)
	}
	return row
}

func (v *view) agree() {
	v.AllAgree = true
	counts := map[string][2]int64{}
	for _, a := range v.Run.Agreements {
		row := agreementView{
			Scenario: a.Scenario, Pair: a.Pair + 1, How: a.How, Verdict: "equal", Class: "same",
			Note: a.Note, Differences: a.Differences, More: a.More,
		}
		if !a.Equal {
			row.Verdict, row.Class, v.AllAgree = "different", "worse", false
		}
		v.Agreed = append(v.Agreed, row)
		for family, n := range a.Counts {
			sum := counts[family]
			counts[family] = [2]int64{sum[0] + n[0], sum[1] + n[1]}
		}
	}
	for _, family := range slices.Sorted(maps.Keys(counts)) {
		v.Counts = append(v.Counts, countView{family, thousands(counts[family][0]), thousands(counts[family][1])})
	}
}

func (v *view) listBlocks() {
	repeatedBy := map[int]int{}
	for _, b := range v.Run.Blocks {
		if b.Repeats != nil {
			repeatedBy[*b.Repeats] = b.Index
		}
	}
	for _, b := range v.Run.Blocks {
		row := blockView{
			Index: b.Index, Pair: b.Pair + 1, Arm: strings.ToUpper(b.Arm), Class: b.Arm, Scenario: b.Scenario,
			From: b.From.UTC().Format(time.TimeOnly), Took: b.To.Sub(b.From).Round(100 * time.Millisecond).String(),
			Warmup: b.Warmup.Round(100 * time.Millisecond).String(), Others: missing, Lag: missing, Achieved: figure(b.Achieved), State: "used",
		}
		if b.Others != nil {
			row.Others = percent(*b.Others)
		}
		if b.Lag != nil && b.Lag.Count() > 0 {
			row.Lag = millis(b.Lag.Quantile(0.999))
		}
		var notes []string
		if len(b.Contaminated) > 0 {
			v.Unclean++
			row.State = "contaminated, used"
			notes = append(notes, b.Contaminated...)
		}
		if by, ok := repeatedBy[b.Index]; ok {
			row.State = fmt.Sprintf("repeated by %d", by)
		}
		if b.Repeats != nil {
			notes = append(notes, fmt.Sprintf("repeats %d", *b.Repeats))
		}
		if !b.Steady {
			notes = append(notes, "was not steady after its warm-up")
		}
		row.Note = strings.Join(notes, "; ")
		v.Blocks = append(v.Blocks, row)
	}
}
