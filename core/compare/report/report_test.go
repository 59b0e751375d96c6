package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/compare/report"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/compare/stats"
)

var update = flag.Bool("update", false, "rewrite the golden page")

// sample is a run in which everything occurs.
func sample() *result.Run {
	start := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	n := func(v int64) *int64 { return &v }
	share := 0.03
	r := &result.Run{
		Version: result.Version, Complete: true,
		Warnings: []string{"block 2 stayed contaminated after 2 repetitions", "second", "third", "fourth"},
		Header: result.Header{
			Started: start, Ended: start.Add(4*time.Minute + 31*time.Second), Level: "store", Seed: 7,
			Command: []string{"temporal-server", "compare", "--quick"},
			Program: result.Program{Name: "temporal-server", Revision: "abc1234", Server: "1.32.2", Go: "go1.26.10"},
			Machine: result.Machine{System: "linux/amd64 6.1.0", Processor: "Example 9", Processors: 2, Memory: 24 << 30, Clock: "tsc"},
			Plan:    json.RawMessage(`{"pairs":4,"rate":100}`), Pairs: 4, Shards: 4,
			Arms: []result.Arm{
				{
					Name: "a", Title: "stock sqlite, file", Stock: true, Backend: "sqlite", Server: "SQLite 3.50", SchemaVersion: "1.13",
					Durable: "journal_mode wal, synchronous 2", Configuration: "persistence:\n  defaultStore: default\n",
				},
				{
					Name: "b", Title: "embedded ycql, durable", Backend: "embedded", Dialect: "ycql", Server: "embedded", SchemaVersion: "1.0",
					Durable: "a write is synced to disk before it is answered", Digests: true, Configuration: "backend: embedded\n",
				},
			},
			Differences: []result.Difference{{Path: "backend", A: "", B: "embedded"}, {Path: "persistence.datastores.default.sql.pluginName", A: "sqlite", B: ""}},
		},
	}
	histogram := func(middle time.Duration) *load.Histogram {
		h := load.NewHistogram()
		for i := range 200 {
			h.Record(middle + time.Duration(i)*middle/100)
		}
		h.Record(40 * middle)
		return h
	}
	for i := range 8 {
		arm, factor := result.A, 1.0
		if i%4 == 1 || i%4 == 2 {
			arm, factor = result.B, 0.6
		}
		scenario := "mix 100/s"
		b := &result.Block{
			Index: i, Pair: i / 2, Arm: arm, Scenario: scenario, Seed: uint64(i / 2), From: start.Add(time.Duration(i) * 30 * time.Second),
			To: start.Add(time.Duration(i)*30*time.Second + 20*time.Second), Warmup: 3 * time.Second, Steady: i != 5,
			Offered: 100, Achieved: 99.5, Lag: histogram(40 * time.Microsecond), Others: &share,
			Calls: map[string]*result.Call{
				"UpdateWorkflowExecution": {
					Response: histogram(time.Duration(factor * float64(4*time.Millisecond))), Service: histogram(time.Duration(factor * float64(3*time.Millisecond))),
					Errors: map[string]int64{"timeout": 1}, Refusals: 3, Completed: 201,
				},
				"GetWorkflowExecution": {Response: histogram(time.Millisecond), Service: histogram(900 * time.Microsecond), Completed: 201},
			},
			Quantities: map[string]result.Quantity{
				result.GeneratorCPU: {Value: 0.8 * factor, Unit: "ms per call", Better: "less", Judged: true},
				result.Unfinished:   {Value: 0, Unit: "calls"},
			},
		}
		if arm == result.B {
			u := b.Calls["UpdateWorkflowExecution"]
			u.Statements, u.RoundTrips, u.SerialRounds, u.Texts = n(400), n(303), n(800), n(12)
		}
		rate, p99 := result.Series{Name: result.SeriesRate, Unit: "calls/s"}, result.Series{Name: result.SeriesP99, Unit: "ms"}
		for s := range 20 {
			rate.Points = append(rate.Points, [2]float64{float64(s), 100 + 5*math.Sin(float64(s+i))})
			p99.Points = append(p99.Points, [2]float64{float64(s), 12 * factor * (1 + math.Cos(float64(s*i))/4)})
		}
		b.Series = []result.Series{rate, p99}
		if i < 2 {
			for k, offered := range []float64{100, 200, 400, 800} {
				holds := k < 2 || arm == result.B && k < 3
				step := result.Step{Offered: offered, Achieved: min(offered, 350/factor), P50: 2 * time.Millisecond, P99: time.Duration(5+k*k*8) * time.Millisecond, Holds: holds}
				if !holds {
					step.Why = "p99 is over 50ms"
				}
				b.Steps = append(b.Steps, step)
			}
		}
		r.Blocks = append(r.Blocks, b)
	}
	repeats := 2
	r.Blocks[2].Contaminated = []string{"others used 41 % of the processors, at most 15 % counts as quiet"}
	again := *r.Blocks[2]
	again.Index, again.Contaminated, again.Repeats = 8, nil, &repeats
	r.Blocks = append(r.Blocks, &again)

	effect := func(ratio, low, high, p float64) *stats.Effect {
		return &stats.Effect{
			Pairs: 4, Ratio: ratio, CI95: stats.Interval{Low: low, High: high},
			CI90: stats.Interval{Low: low * 1.01, High: high / 1.01}, P: p, Detectable: 1.12,
		}
	}
	ask := func(call, quantity string, q float64, e *stats.Effect, v stats.Verdict, better, text string) {
		r.Verdicts = append(r.Verdicts, result.Verdict{
			Scenario: "mix 100/s", Call: call, Quantile: q, Quantity: quantity, Family: "latency", A: 4, B: 2.7, Unit: "ms", Better: better,
			Effect: e, CorrectedP: 0.01, Margin: 1.05, Verdict: v, Text: text,
		})
	}
	ask("UpdateWorkflowExecution", "", 0.5, effect(0.6, 0.5, 0.72, 0.001), stats.Different, "less", "B needs 40 % less time for UpdateWorkflowExecution at p50, 95 % interval 28 to 50 %.")
	ask("UpdateWorkflowExecution", "", 0.99, effect(1.3, 1.15, 1.5, 0.002), stats.Different, "less", "B needs 30 % more time for UpdateWorkflowExecution at p99, 95 % interval 15 to 50 %.")
	ask("GetWorkflowExecution", "", 0.5, effect(1.01, 0.98, 1.03, 0.4), stats.Same, "less", "No difference larger than 5 % in GetWorkflowExecution at p50.")
	ask("GetWorkflowExecution", "", 0.99, effect(1.1, 0.01, 90, 0.7), stats.Undecided, "less", "Undecided: GetWorkflowExecution at p99.")
	ask("", result.GeneratorCPU, 0, nil, stats.Undecided, "less", "Undecided: generator CPU, too few pairs.")

	r.Agreements = []result.Agreement{
		{Scenario: "mix 100/s", Pair: 0, How: result.ByStores, Equal: true, Counts: map[string][2]int64{"executions": {120, 120}}},
		{
			Scenario: "mix 100/s", Pair: 1, How: result.ByStores, Counts: map[string][2]int64{"executions": {130, 130}},
			Differences: []result.FieldDifference{{Unit: "shard/3", Record: "Execution workflow-17", Field: "next_event_id", A: "12", B: "13"}}, More: 2,
		},
	}
	return r
}

func render(t *testing.T, r *result.Run) string {
	t.Helper()
	var page bytes.Buffer
	require.NoError(t, report.Write(&page, r))
	return page.String()
}

// TestThePageOfAFixedRun holds the whole page; after a change look at it in a
// browser, in both colour schemes and at the width of a phone.
func TestThePageOfAFixedRun(t *testing.T) {
	page := render(t, sample())
	path := filepath.Join("testdata", "page.html")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(page), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), page, "run the test with -update and look at the page")
}

// TestVerdictsNameTheirScenario where there are several: the same sentence may be said
// of each.
func TestVerdictsNameTheirScenario(t *testing.T) {
	r := sample()
	require.NotContains(t, text(t, render(t, r)), r.Verdicts[0].Scenario+": B needs 40 % less time")
	other := r.Blocks[0]
	other.Scenario = "mix 500/s"
	r.Blocks = append(r.Blocks, other)
	require.Contains(t, text(t, render(t, r)), r.Verdicts[0].Scenario+": B needs 40 % less time")
}

// TestThePageShowsWhatARunFound looks for each kind of content, in words.
func TestThePageShowsWhatARunFound(t *testing.T) {
	page := text(t, render(t, sample()))
	head := page[:strings.Index(page, "Verdicts")]
	require.Less(t, strings.Index(head, "pluginName"), 700, "the difference of the configurations is in the first lines")
	for _, want := range []string{
		"B needs 40 % less time for UpdateWorkflowExecution at p50, 95 % interval 28 to 50 %.", // a line per hypothesis
		"Regressions: B is worse", "Equivalences: no difference larger than the margin", "Undecided",
		"p99 of response time over offered, ms", "p99 is over 50ms", // the knee
		"4 timeout", "p99.9", // calls
		"UpdateWorkflowExecution B 808 1.98 1.50 3.96", "generator CPU", // costs
		"achieved rate, calls/s",                      // time series
		"workflow-17", "next_event_id", "And 2 more.", // correctness
		"others used 41 % of the processors", "repeated by 8", // contaminated
		"block 2 stayed contaminated", "and 1 more fourth", "was not steady after its warm-up",
		"abc1234", "temporal-server compare --quick", `"rate": 100`,
	} {
		require.Contains(t, page, want)
	}
}

// TestMoneyIsShownWithItsAssumptions, and what is not known as that.
func TestMoneyIsShownWithItsAssumptions(t *testing.T) {
	r := sample()
	require.NotContains(t, render(t, r), "Money for a million workflows")
	r.Header.Prices = &result.Prices{Currency: "EUR", ServerCPUHour: 0.04, DiskGBMonth: 0.1, Utilization: 0.5, Retention: 72 * time.Hour, Copies: 3}
	for _, b := range r.Blocks {
		b.Quantities[result.ServerCPU] = result.Quantity{Value: 14, Unit: "ms per workflow"}
		if b.Arm == result.A {
			b.Quantities[result.DiskGrowth] = result.Quantity{Value: 10, Unit: "KiB per workflow"}
		}
		r.Header.Prices.Price(b, false, false)
	}
	page := text(t, render(t, r))
	for _, want := range []string{
		"An hour of a processor of the server costs 0.04 EUR. Of the processors that are paid for, 50 % work.",
		"A GB of disk costs 0.1 EUR a month. What files grew by during a block stays for 72h0m0s, in 3.00 times the measured size.",
		"server CPU 0.311 0.311 EUR +0 %", "disk 0.303 not known EUR –", "all together 0.614 not known EUR –",
	} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "An hour of a processor of the database", "it has no price")
}

// TestWhatIsKnownOverTimeIsDrawn and what is not is named.
func TestWhatIsKnownOverTimeIsDrawn(t *testing.T) {
	r := sample()
	r.Header.Level = "cluster"
	for _, b := range r.Blocks {
		points := [][2]float64{{1, 0}, {2, 3}}
		b.Series = append(b.Series, result.Series{Name: result.SeriesTransferLag, Unit: "ms", Points: points}, result.Series{Name: result.SeriesBacklog, Unit: "tasks", Points: points})
		if b.Arm == result.B {
			b.Series = append(b.Series, result.Series{Name: result.SeriesCompactions, Unit: result.CompactionUnit, Points: points})
		}
	}
	page := text(t, render(t, r))
	require.Contains(t, page, "Not known: compactions of A.")
	for _, want := range []string{"lag of transfer tasks, mean, ms", "backlog of task queues, tasks", "compactions, ended a second"} {
		require.Contains(t, page, want)
	}
	for _, b := range r.Blocks {
		b.Series = b.Series[:2]
	}
	require.Contains(t, text(t, render(t, r)), "Not known: compactions of A and B, lags of queues of A and B, backlog of task queues of A and B.")
}

func TestBlocksThatWereRepeatedDoNotCount(t *testing.T) {
	r := sample()
	before := text(t, render(t, r))
	require.Contains(t, before, "UpdateWorkflowExecution A 804", "four blocks of 201")
	require.Contains(t, before, "B 804", "four blocks and one that was repeated")
}

func TestARunThatBrokeOffSaysSoFirst(t *testing.T) {
	r := sample()
	r.Complete, r.Error, r.Blocks, r.Verdicts, r.Agreements = false, "the server of arm b ended by itself", r.Blocks[:1], nil, nil
	page := text(t, render(t, r))
	require.Contains(t, page[:600], "This run is not complete: the server of arm b ended by itself.")
	require.Contains(t, page, "None: no pair of blocks was complete.")
	require.Contains(t, page, "Nothing was compared in this run.")
	render(t, &result.Run{}) // nor does nothing at all break it
}

func TestAnAAComparisonCountsItsFalseAlarms(t *testing.T) {
	r := sample()
	r.Header.Same = true
	require.Contains(t, text(t, render(t, r)), "2 of 5 questions were answered with a difference")
}

// TestHostileNamesStayText puts markup wherever a name comes from outside.
func TestHostileNamesStayText(t *testing.T) {
	for _, evil := range []string{
		`</title><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'-->]]><svg onload=alert(1)>`, "</style><style>*{display:none}", "javascript:alert(1)",
	} {
		r := sample()
		r.Header.Arms[0].Title, r.Header.Arms[1].Server, r.Header.Arms[0].Configuration = evil, evil, evil
		r.Header.Differences[0] = result.Difference{Path: evil, A: evil, B: evil}
		r.Header.Command, r.Header.Machine.System, r.Header.Program.Revision = []string{evil}, evil, evil
		plan, err := json.Marshal(map[string]string{evil: evil})
		require.NoError(t, err)
		r.Header.Plan = plan
		r.Warnings, r.Complete, r.Error = []string{evil}, false, evil
		for i := range r.Verdicts {
			r.Verdicts[i].Scenario, r.Verdicts[i].Text, r.Verdicts[i].Unit = evil, evil, evil
			r.Verdicts[i].Better = evil
		}
		r.Verdicts[0].Call, r.Verdicts[4].Quantity = evil, evil
		r.Agreements[1].Differences[0] = result.FieldDifference{Unit: evil, Record: evil, Field: evil, A: evil, B: evil}
		for _, b := range r.Blocks {
			b.Scenario, b.Contaminated = evil, []string{evil}
			b.Calls[evil] = b.Calls["GetWorkflowExecution"]
			b.Calls[evil].Errors = map[string]int64{evil: 1}
			b.Series[0].Name, b.Series[0].Unit = evil, evil
			b.Quantities[evil] = result.Quantity{Value: 1, Unit: evil}
		}
		page := render(t, r)
		shown := 0
		walk(t, page, func(n *html.Node) {
			if n.Type == html.TextNode && strings.Contains(n.Data, evil) {
				shown++
			}
			if n.Type != html.ElementNode {
				return
			}
			require.NotContains(t, []string{"script", "img", "iframe", "object", "embed", "link", "base", "form"}, n.Data, evil)
			if n.Data == "style" {
				require.Equal(t, "head", n.Parent.Data)
			}
			for _, a := range n.Attr {
				require.False(t, strings.HasPrefix(a.Key, "on"), "%s has %s", n.Data, a.Key)
			}
		})
		require.Greater(t, shown, 20, "the name itself is to be read")
	}
}

// TestThePageRefersToNothingOutside looks at all that could make a browser ask.
func TestThePageRefersToNothingOutside(t *testing.T) {
	page := render(t, sample())
	require.NotContains(t, page, "url(")
	require.NotContains(t, page, "@import")
	policy := false
	walk(t, page, func(n *html.Node) {
		for _, a := range n.Attr {
			switch a.Key {
			case "href", "src", "xlink:href", "srcset", "action", "poster", "background", "style":
				require.True(t, strings.HasPrefix(a.Val, "#"), "%s=%q", a.Key, a.Val)
				require.Contains(t, page, fmt.Sprintf("id=%q", a.Val[1:]), "the link leads somewhere")
			case "content":
				policy = policy || strings.HasPrefix(a.Val, "default-src 'none'")
			}
		}
	})
	require.True(t, policy, "the page forbids itself the network")
}

func TestWriteFileReplacesAFileAsAWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	require.NoError(t, report.WriteFile(path, sample()))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, render(t, sample()), string(text))
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{path}, left)
	require.ErrorContains(t, report.WriteFile(filepath.Join(path, "below"), sample()), "not a directory")
}

func walk(t *testing.T, page string, visit func(*html.Node)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	for n := range root.Descendants() {
		visit(n)
	}
}

// text is what a reader sees, words apart.
func text(t *testing.T, page string) string {
	t.Helper()
	var words []string
	walk(t, page, func(n *html.Node) {
		if n.Type == html.TextNode && !slices.Contains([]string{"style", "title"}, n.Parent.Data) {
			words = append(words, strings.Fields(n.Data)...)
		}
	})
	return strings.Join(words, " ")
}
