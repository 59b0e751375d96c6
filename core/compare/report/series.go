package report

import (
	"slices"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// kneeCharts show what was achieved, and how long it took, over what was offered.
func kneeCharts(byArm map[string][]*result.Block) []*chart {
	var achieved, p99 []line
	for _, arm := range []string{result.A, result.B} {
		for i, b := range byArm[arm] {
			if len(b.Steps) == 0 {
				continue
			}
			name := ""
			if i == 0 {
				name = strings.ToUpper(arm)
			}
			a, p := line{class: arm, name: name, marks: true}, line{class: arm, name: name, marks: true}
			for _, s := range slices.SortedFunc(slices.Values(b.Steps), func(x, y result.Step) int {
				switch {
				case x.Offered < y.Offered:
					return -1
				case x.Offered > y.Offered:
					return 1
				}
				return 0
			}) {
				a.points = append(a.points, point{s.Offered, s.Achieved})
				p.points = append(p.points, point{s.Offered, float64(s.P99) / float64(time.Millisecond)})
			}
			achieved, p99 = append(achieved, a), append(p99, p)
		}
	}
	var out []*chart
	for _, c := range []*chart{
		newChart("Achieved over offered, a second", "offered a second", achieved),
		newChart("p99 of response time over offered, ms", "offered a second", p99),
	} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

// seriesCharts lay all blocks of a scenario over each other, in seconds from each
// one's beginning.
func seriesCharts(byArm map[string][]*result.Block) []*chart {
	type key struct{ name, unit string }
	lines := map[key][]line{}
	var order []key
	for _, arm := range []string{result.A, result.B} {
		named := map[key]bool{}
		for _, b := range byArm[arm] {
			for _, s := range b.Series {
				k := key{s.Name, s.Unit}
				l := line{class: arm}
				if !named[k] {
					l.name, named[k] = strings.ToUpper(arm), true
				}
				for _, p := range s.Points {
					l.points = append(l.points, point{p[0], p[1]})
				}
				if len(lines[k]) == 0 {
					order = append(order, k)
				}
				lines[k] = append(lines[k], l)
			}
		}
	}
	var out []*chart
	for _, k := range order {
		if c := newChart(k.name+", "+k.unit, "seconds", lines[k]); c != nil {
			out = append(out, c)
		}
	}
	return out
}

// unknownSeries says which figures over time nobody told.
func unknownSeries(level string, byArm map[string][]*result.Block) string {
	type group struct {
		what string
		any  []string
	}
	groups := []group{{"compactions", []string{result.SeriesCompactions}}}
	if level == "cluster" { // else there are no queues
		groups = append(groups, group{"lags of queues", []string{result.SeriesTransferLag, result.SeriesTimerLag, result.SeriesVisibilityLag}},
			group{"backlog of task queues", []string{result.SeriesBacklog}})
	}
	var all []string
	for _, g := range groups {
		var arms []string
		for _, arm := range []string{result.A, result.B} {
			known := slices.ContainsFunc(byArm[arm], func(b *result.Block) bool {
				return slices.ContainsFunc(b.Series, func(s result.Series) bool { return slices.Contains(g.any, s.Name) })
			})
			if len(byArm[arm]) > 0 && !known {
				arms = append(arms, strings.ToUpper(arm))
			}
		}
		if len(arms) > 0 {
			all = append(all, g.what+" of "+strings.Join(arms, " and "))
		}
	}
	return strings.Join(all, ", ")
}
