package report

import (
	"fmt"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

const notKnown = "not known"

// money is what a million workflows cost, part by part: a part that has a price and
// was not measured is shown as not known.
func (v *view) money(byArm map[string][]*result.Block) []moneyRow {
	p := v.Run.Header.Prices
	if p == nil {
		return nil
	}
	mean := func(arm, name string) (float64, bool) {
		sum, n := 0.0, 0
		for _, b := range byArm[arm] {
			if q, ok := b.Quantities[name]; ok {
				sum += q.Value
				n++
			}
		}
		return sum / float64(max(1, n)), n > 0
	}
	var rows []moneyRow
	for _, name := range append(p.Priced(), result.MoneyAll) {
		_, part, _ := strings.Cut(name, ", ")
		row := moneyRow{Part: part, A: notKnown, B: notKnown, Change: missing}
		a, inA := mean(result.A, name)
		b, inB := mean(result.B, name)
		if inA {
			row.A = figure(a)
		}
		if inB {
			row.B = figure(b)
		}
		if inA && inB && a > 0 && b > 0 {
			row.Change = change(b / a)
		}
		rows = append(rows, row)
	}
	return rows
}

// assumptions are the sentences under which sums of money hold.
func assumptions(p *result.Prices) []string {
	if p == nil {
		return nil
	}
	all := []string{}
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if p.ServerCPUHour > 0 {
		say("An hour of a processor of the server costs %s %s.", figure(p.ServerCPUHour), p.Currency)
	}
	if p.DatabaseCPUHour > 0 {
		say("An hour of a processor of the database costs %s %s; one that is inside of the server is paid for with the server.", figure(p.DatabaseCPUHour), p.Currency)
	}
	if p.ServerCPUHour > 0 || p.DatabaseCPUHour > 0 {
		say("Of the processors that are paid for, %s work.", percent(p.Utilization))
	}
	if p.DiskGBMonth > 0 {
		say("A GB of disk costs %s %s a month. What files grew by during a block stays for %s, in %s times the measured size.",
			figure(p.DiskGBMonth), p.Currency, p.Retention, figure(p.Copies))
	}
	say("Workers, network, memory beyond what comes with processors, and people are left out; so is what compaction will free later.")
	return all
}
