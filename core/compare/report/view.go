package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/compare/stats"
)

// view is what the template shows: texts and charts, nothing to be computed.
type view struct {
	Run      *result.Run
	A, B     result.Arm
	Title    string
	Period   string
	Machine  string
	Program  string
	Command  string
	Plan     string
	Prices   []string // what money was computed with
	Summary  []count
	Warnings []string
	// MoreWarnings are those that are shown when asked for.
	MoreWarnings []string
	Broken       string // why the run is not complete; "" if it is
	Margin       string // "5 %"
	Verdicts     []verdictView
	Judged       []verdictGroup
	Forests      []titledForest
	Alarms       string // of an A/A run
	Scenarios    []scenarioView
	Agreed       []agreementView
	AllAgree     bool
	Counts       []countView
	Blocks       []blockView
	Unclean      int // contaminated blocks
}

type count struct {
	Number int
	Text   string
	Class  string
}

type verdictView struct {
	Class, Word, Text string
	Scenario          string // where a run has several
}

type verdictGroup struct {
	Title, Note, Class string
	Rows               []verdictRow
}

type verdictRow struct {
	Scenario, What, A, B, Unit, Change, Interval, P, Detectable string
	Pairs                                                       int
}

type titledForest struct {
	Title  string
	Forest *forest
}

type scenarioView struct {
	Name     string
	ID       string
	Load     []loadRow
	Knee     []*chart
	Steps    []stepRow
	Calls    []callRow
	Trips    []tripRow
	Costs    []costRow
	Money    []moneyRow
	Charts   []*chart
	HasTrips bool
	Unknown  string // which series over time are missing
}

type loadRow struct {
	Arm, Offered, Achieved, Lag string
	Blocks                      int
	Class                       string
}

type stepRow struct {
	Arm, Class, Offered, Achieved, P50, P99, Why string
	Holds                                        bool
}

type callRow struct {
	Call     string
	Arm      string
	Class    string
	First    bool
	Count    string
	Response [5]string
	Service  [5]string
	Errors   string
	Refusals string
	Unknown  string
	Attempts string
}

type tripRow struct {
	Call, Arm, Class                                                               string
	First                                                                          bool
	Statements, RoundTrips, Rounds, Commits, Rows, Out, In, Texts, Attempts, Count string
}

type costRow struct {
	Name, Unit, A, B, Change, Better string
}

// moneyRow is a part of what a million workflows cost.
type moneyRow struct{ Part, A, B, Change string }

type agreementView struct {
	Scenario, How, Verdict, Note, Class string
	Pair                                int
	Differences                         []result.FieldDifference
	More                                int
}

type countView struct {
	Family string
	A, B   string
}

type blockView struct {
	Index, Pair                                int
	Arm, Class, Scenario, From, Took           string
	Warmup, Others, Achieved, Lag, State, Note string
}

var quantiles = [4]float64{0.5, 0.9, 0.99, 0.999}

func newView(r *result.Run) *view {
	v := &view{Run: r}
	for _, a := range r.Header.Arms {
		if a.Name == result.B {
			v.B = a
		} else {
			v.A = a
		}
	}
	v.Title = fmt.Sprintf("A: %s — B: %s", or(v.A.Title, "?"), or(v.B.Title, "?"))
	h := r.Header
	v.Period = h.Started.UTC().Format("2 January 2006 15:04 UTC")
	if !h.Ended.IsZero() {
		v.Period += ", " + h.Ended.Sub(h.Started).Round(time.Second).String()
	}
	v.Machine = fmt.Sprintf("%s, %d processors", h.Machine.System, h.Machine.Processors)
	if h.Machine.Processor != "" {
		v.Machine += " (" + h.Machine.Processor + ")"
	}
	if h.Machine.Memory > 0 {
		v.Machine += ", " + bytesText(h.Machine.Memory)
	}
	if h.Machine.Clock != "" {
		v.Machine += ", clock " + h.Machine.Clock
	}
	v.Program = strings.TrimSpace(fmt.Sprintf("%s %s", h.Program.Name, h.Program.Revision))
	if h.Program.Modified {
		v.Program += ", with changes"
	}
	v.Program += fmt.Sprintf("; Temporal server %s; %s", h.Program.Server, h.Program.Go)
	v.Command = strings.Join(h.Command, " ")
	v.Plan = plain(h.Plan)
	v.Prices = assumptions(h.Prices)
	if !r.Complete {
		v.Broken = or(r.Error, "it was interrupted")
	}
	const shown = 3
	v.Warnings = r.Warnings
	if len(r.Warnings) > shown {
		v.Warnings, v.MoreWarnings = r.Warnings[:shown], r.Warnings[shown:]
	}
	v.judge()
	for i, name := range r.Scenarios() {
		v.Scenarios = append(v.Scenarios, v.scenario(i, name))
	}
	v.agree()
	v.listBlocks()
	return v
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// plain is JSON indented for reading.
func plain(raw json.RawMessage) string {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return string(raw)
	}
	return string(text)
}

// scenario collects what was measured in one scenario.
func (v *view) scenario(i int, name string) scenarioView {
	s := scenarioView{Name: name, ID: fmt.Sprintf("s%d", i)}
	var calls []string
	byArm := map[string][]*result.Block{}
	for _, b := range v.Run.Used() {
		if b.Scenario != name {
			continue
		}
		byArm[b.Arm] = append(byArm[b.Arm], b)
		for call := range b.Calls {
			if !slices.Contains(calls, call) {
				calls = append(calls, call)
			}
		}
	}
	slices.Sort(calls)
	for _, arm := range []string{result.A, result.B} {
		if blocks := byArm[arm]; len(blocks) > 0 {
			s.Load = append(s.Load, loadOf(arm, blocks))
			s.Steps = append(s.Steps, stepsOf(arm, blocks)...)
		}
	}
	s.Knee = kneeCharts(byArm)
	for _, call := range calls {
		first, counted := true, false
		for _, arm := range []string{result.A, result.B} {
			c := v.Run.Merged(name, arm, call)
			if c == nil {
				continue
			}
			s.Calls = append(s.Calls, callOf(call, arm, first, c))
			if t, ok := tripOf(call, arm, c); ok {
				t.First = !counted
				counted = true
				s.Trips = append(s.Trips, t)
				s.HasTrips = true
			}
			first = false
		}
	}
	s.Costs = v.costs(name, byArm)
	s.Money = v.money(byArm)
	s.Charts = seriesCharts(byArm)
	s.Unknown = unknownSeries(v.Run.Header.Level, byArm)
	return s
}

func loadOf(arm string, blocks []*result.Block) loadRow {
	row := loadRow{Arm: strings.ToUpper(arm), Class: arm, Blocks: len(blocks), Offered: missing}
	var offered, achieved float64
	lag := load.NewHistogram()
	for _, b := range blocks {
		offered += b.Offered
		achieved += b.Achieved
		if b.Lag != nil {
			lag.Merge(b.Lag)
		}
	}
	n := float64(len(blocks))
	if offered > 0 {
		row.Offered = figure(offered / n)
	}
	row.Achieved = figure(achieved / n)
	row.Lag = missing
	if lag.Count() > 0 && offered > 0 {
		row.Lag = millis(lag.Quantile(0.999))
	}
	return row
}

func stepsOf(arm string, blocks []*result.Block) []stepRow {
	var out []stepRow
	for _, b := range blocks {
		for _, s := range b.Steps {
			out = append(out, stepRow{
				Arm: strings.ToUpper(arm), Class: arm, Offered: figure(s.Offered), Achieved: figure(s.Achieved),
				P50: millis(s.P50), P99: millis(s.P99), Holds: s.Holds, Why: s.Why,
			})
		}
	}
	return out
}

func callOf(name, arm string, first bool, c *result.Call) callRow {
	row := callRow{
		Call: name, Arm: strings.ToUpper(arm), Class: arm, First: first, Count: thousands(c.Response.Count()),
		Response: latencies(c.Response), Service: latencies(c.Service),
		Refusals: thousands(c.Refusals), Unknown: thousands(c.Unknown), Attempts: missing,
	}
	var errs []string
	for _, kind := range slices.Sorted(maps.Keys(c.Errors)) {
		if c.Errors[kind] > 0 {
			errs = append(errs, fmt.Sprintf("%s %s", thousands(c.Errors[kind]), kind))
		}
	}
	row.Errors = or(strings.Join(errs, ", "), "0")
	if c.Attempts != nil {
		row.Attempts = thousands(*c.Attempts)
	}
	return row
}

func latencies(h *load.Histogram) (out [5]string) {
	if h.Count() == 0 {
		return [5]string{missing, missing, missing, missing, missing}
	}
	for i, q := range quantiles {
		out[i] = millis(h.Quantile(q))
	}
	out[4] = millis(h.Max())
	return out
}

// tripOf shows a call's costs, each per call; false if none was counted.
func tripOf(name, arm string, c *result.Call) (tripRow, bool) {
	count := c.Response.Count()
	for _, n := range c.Errors {
		count += n
	}
	known := false
	per := func(sum *int64) string {
		if sum == nil || count == 0 {
			return missing
		}
		known = true
		return figure(float64(*sum) / float64(count))
	}
	row := tripRow{
		Call: name, Arm: strings.ToUpper(arm), Class: arm, Count: thousands(count), Texts: missing,
		Statements: per(c.Statements), RoundTrips: per(c.RoundTrips), Rounds: per(c.SerialRounds), Commits: per(c.Commits),
		Rows: per(c.Rows), Out: per(c.BytesOut), In: per(c.BytesIn), Attempts: per(c.Attempts),
	}
	if c.Texts != nil {
		known = true
		row.Texts = thousands(*c.Texts)
	}
	return row, known
}

// costs are the quantities of a scenario, mean over its used blocks.
func (v *view) costs(scenario string, byArm map[string][]*result.Block) []costRow {
	type sum struct {
		total [2]float64
		n     [2]int
		unit  string
		more  bool
	}
	sums := map[string]*sum{}
	for i, arm := range []string{result.A, result.B} {
		for _, b := range byArm[arm] {
			for name, q := range b.Quantities {
				s := sums[name]
				if s == nil {
					s = &sum{unit: q.Unit, more: q.Better == "more"}
					sums[name] = s
				}
				s.total[i] += q.Value
				s.n[i]++
			}
		}
	}
	var rows []costRow
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		if slices.Contains(result.Money, name) {
			continue // it has a table of its own
		}
		s := sums[name]
		row := costRow{Name: name, Unit: s.unit, A: missing, B: missing, Change: missing}
		var mean [2]float64
		for i, to := range []*string{&row.A, &row.B} {
			if s.n[i] > 0 {
				mean[i] = s.total[i] / float64(s.n[i])
				*to = figure(mean[i])
			}
		}
		if s.n[0] > 0 && s.n[1] > 0 && mean[0] > 0 && mean[1] > 0 {
			row.Change = change(mean[1] / mean[0])
		}
		for _, verdict := range v.Run.Verdicts {
			if verdict.Scenario == scenario && verdict.Quantity == name {
				row.Better = classOf(verdict)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// classOf says what a verdict means for B.
func classOf(v result.Verdict) string {
	switch {
	case v.Verdict == stats.Same:
		return "same"
	case v.Verdict != stats.Different || v.Effect == nil:
		return "undecided"
	case v.Better == "less" && v.Effect.Ratio < 1, v.Better == "more" && v.Effect.Ratio > 1:
		return "better"
	case v.Better == "less", v.Better == "more":
		return "worse"
	default:
		return "other"
	}
}

// subject is what a verdict is about.
func subject(v result.Verdict) string {
	if v.Call == "" {
		return v.Quantity
	}
	return v.Call + " p" + strconv.FormatFloat(v.Quantile*100, 'g', 4, 64)
}
