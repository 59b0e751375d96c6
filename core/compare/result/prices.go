package result

import (
	"errors"
	"fmt"
	"time"
)

// Prices turn what a workflow uses into money. A price of 0 is none: what it is for
// costs nothing, and does not show.
type Prices struct {
	// Currency is what the prices are in.
	Currency string `koanf:"currency" json:"currency"`
	// ServerCPUHour is the price of one processor of the Temporal server for an hour,
	// with its memory.
	ServerCPUHour float64 `koanf:"serverCPUHour" json:"serverCPUHour"`
	// DatabaseCPUHour is that of the database, where it has processes of its own. One
	// inside of the server is paid for with that.
	DatabaseCPUHour float64 `koanf:"databaseCPUHour" json:"databaseCPUHour"`
	// Utilization is the share of the processors paid for that works, 0 to 1: who runs
	// them at 0.5 pays twice.
	Utilization float64 `koanf:"utilization" json:"utilization"`
	// DiskGBMonth is the price of a GB (10^9 bytes) of disk for a month of 730 hours.
	DiskGBMonth float64 `koanf:"diskGBMonth" json:"diskGBMonth"`
	// Retention is how long what a workflow leaves on disk stays there.
	Retention time.Duration `koanf:"retention" json:"retention"`
	// Copies is how many copies of the data there are on the disks paid for; measured
	// is one.
	Copies float64 `koanf:"copies" json:"copies"`
}

// DefaultPrices has no price, and as little as can be assumed about the rest.
func DefaultPrices() Prices {
	return Prices{Currency: "USD", Utilization: 1, Retention: 72 * time.Hour, Copies: 1}
}

// Any tells whether there is a price.
func (p Prices) Any() bool { return p.ServerCPUHour > 0 || p.DatabaseCPUHour > 0 || p.DiskGBMonth > 0 }

// Validate reports all faults at once.
func (p Prices) Validate() error {
	var faults []error
	for key, price := range map[string]float64{"serverCPUHour": p.ServerCPUHour, "databaseCPUHour": p.DatabaseCPUHour, "diskGBMonth": p.DiskGBMonth} {
		if !(price >= 0) { // NaN is not
			faults = append(faults, fmt.Errorf("%s: %v: give a price of 0 or more", key, price))
		}
	}
	if !(p.Utilization > 0 && p.Utilization <= 1) {
		faults = append(faults, fmt.Errorf("utilization: %v: give a share above 0, at most 1", p.Utilization))
	}
	if p.DiskGBMonth > 0 && p.Retention <= 0 {
		faults = append(faults, fmt.Errorf("retention: %s: give a time, for which disk is paid", p.Retention))
	}
	if !(p.Copies >= 1) {
		faults = append(faults, fmt.Errorf("copies: %v: give 1 or more", p.Copies))
	}
	return errors.Join(faults...)
}

// Names of quantities of money, for a million workflows.
const (
	MoneyServer   = "money, server CPU"
	MoneyDatabase = "money, database CPU"
	MoneyDisk     = "money, disk"
	MoneyAll      = "money, all together" // only where each part that has a price is known
)

// Money are the quantities above, in order.
var Money = []string{MoneyServer, MoneyDatabase, MoneyDisk, MoneyAll}

// Unit is that of money.
func (p Prices) Unit() string { return p.Currency + " per million workflows" }

// Priced lists the parts that have a price.
func (p Prices) Priced() []string {
	var parts []string
	for i, price := range []float64{p.ServerCPUHour, p.DatabaseCPUHour, p.DiskGBMonth} {
		if price > 0 {
			parts = append(parts, Money[i])
		}
	}
	return parts
}

// Price adds to a block of the cluster level what a million of its workflows cost.
// inside tells that the database is part of the server; inMemory that it keeps no
// files. What was not measured has no cost, and neither has the whole then.
func (p Prices) Price(b *Block, inside, inMemory bool) {
	const (
		million = 1e6
		msHour  = 3600 * 1000
		month   = 730 * time.Hour
	)
	if !p.Any() || b.Quantities == nil {
		return
	}
	sum, whole := 0.0, true
	part := func(name, of string, each float64, none bool) {
		used, known := b.Quantities[of]
		switch {
		case each == 0:
			return
		case none:
			used.Value = 0
		case !known:
			whole = false
			return
		}
		cost := used.Value * each * million
		sum += cost
		b.Quantities[name] = Quantity{Value: cost, Unit: p.Unit(), Better: "less"}
	}
	// Of processors in ms per workflow, of files in KiB.
	part(MoneyServer, ServerCPU, p.ServerCPUHour/msHour/p.Utilization, false)
	part(MoneyDatabase, DatabaseCPU, p.DatabaseCPUHour/msHour/p.Utilization, inside)
	part(MoneyDisk, DiskGrowth, 1024/1e9*p.DiskGBMonth*p.Copies*float64(p.Retention)/float64(month), inMemory)
	if whole {
		b.Quantities[MoneyAll] = Quantity{Value: sum, Unit: p.Unit(), Better: "less", Judged: true}
	}
}
