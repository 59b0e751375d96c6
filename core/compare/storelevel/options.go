package storelevel

import (
	"errors"
	"fmt"
	"time"
)

// Options are the keys under "store" in a plan.
type Options struct {
	// Rates are store calls a second, each a scenario of its own.
	Rates []float64 `koanf:"rates" json:"rates"`
	// Ramp adds a scenario that finds the highest rate that each arm holds.
	Ramp RampOptions `koanf:"ramp" json:"ramp"`
	// Duration is how long a block is measured.
	Duration time.Duration `koanf:"duration" json:"duration"`
	// Arrivals are "poisson", as of independent users, or "constant".
	Arrivals string `koanf:"arrivals" json:"arrivals"`
	// WarmupLeast is the least time of calls that are not measured.
	WarmupLeast time.Duration `koanf:"warmupLeast" json:"warmupLeast"`
	// WarmupMost is the time after which it is measured, steady or not; 0: at once.
	WarmupMost time.Duration `koanf:"warmupMost" json:"warmupMost"`
	// Shards is the number of history shards over which workflows are spread.
	Shards int `koanf:"shards" json:"shards"`
	// Queues is the number of task queue partitions.
	Queues int `koanf:"queues" json:"queues"`
	// Open is how many workflows run at a time.
	Open int `koanf:"open" json:"open"`
	// Updates is the mean number of updates of a workflow.
	Updates int `koanf:"updates" json:"updates"`
	// Entries is the most activities that one update schedules; it is mostly three or
	// fewer.
	Entries int `koanf:"entries" json:"entries"`
	// Payload is the most bytes of an event's input.
	Payload int `koanf:"payload" json:"payload"`
	// InFlight bounds the calls that are under way; others wait, which counts.
	InFlight int `koanf:"inFlight" json:"inFlight"`
	// Timeout is that of one call.
	Timeout time.Duration `koanf:"timeout" json:"timeout"`
	// DeadAfter is for how long calls may fail and none succeed before the arm is
	// taken for dead.
	DeadAfter time.Duration `koanf:"deadAfter" json:"deadAfter"`
}

// RampOptions describe a ramp.
type RampOptions struct {
	// From is the first rate; 0: no ramp.
	From float64 `koanf:"from" json:"from"`
	// Factor is from one rate to the next.
	Factor float64 `koanf:"factor" json:"factor"`
	// Most is the last rate that is tried.
	Most float64 `koanf:"most" json:"most"`
	// Step is how long each rate is offered.
	Step time.Duration `koanf:"step" json:"step"`
	// Objective is the p99 of response time that a rate must hold.
	Objective time.Duration `koanf:"objective" json:"objective"`
}

// DefaultOptions returns the options that hold where a plan says nothing: a full
// run.
func DefaultOptions() Options {
	return Options{
		Rates: []float64{200}, Duration: time.Minute, Arrivals: "poisson", WarmupLeast: 5 * time.Second, WarmupMost: 30 * time.Second,
		Ramp:   RampOptions{Factor: 1.5, Most: 100_000, Step: 5 * time.Second, Objective: 50 * time.Millisecond},
		Shards: 4, Queues: 4, Open: 50, Updates: 8, Entries: 20, Payload: 1000, InFlight: 256,
		Timeout: 10 * time.Second, DeadAfter: 15 * time.Second,
	}
}

// Validate reports every fault at once.
func (o *Options) Validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("store."+format, args...))
		}
	}
	for _, r := range o.Rates {
		fault(r <= 0, "rates: %v is not a rate: give calls a second", r)
	}
	fault(len(o.Rates) == 0 && o.Ramp.From == 0, "rates: give a rate, or ramp.from")
	fault(o.Duration < time.Second, "duration: %s is too short: give 1s or more", o.Duration)
	fault(o.Arrivals != "poisson" && o.Arrivals != "constant", "arrivals: %q is neither poisson nor constant", o.Arrivals)
	fault(o.WarmupLeast < 0 || o.WarmupMost < o.WarmupLeast, "warmupMost: %s is less than warmupLeast (%s)", o.WarmupMost, o.WarmupLeast)
	for _, n := range []struct {
		key   string
		value int
	}{
		{"shards", o.Shards}, {"queues", o.Queues}, {"open", o.Open}, {"updates", o.Updates}, {"inFlight", o.InFlight},
	} {
		fault(n.value < 1, "%s: %d is too small: give 1 or more", n.key, n.value)
	}
	fault(o.Shards > 1<<14, "shards: %d are too many: give at most %d", o.Shards, 1<<14)
	fault(o.Entries < 0 || o.Entries > 1000, "entries: %d: give 0 to 1000", o.Entries)
	fault(o.Payload < 0 || o.Payload > 3000, "payload: %d: give 0 to 3000 bytes", o.Payload)
	fault(o.Timeout <= 0, "timeout: %s: give more than 0", o.Timeout)
	fault(o.DeadAfter < time.Second, "deadAfter: %s is too short: give 1s or more", o.DeadAfter)
	if r := o.Ramp; r.From != 0 {
		fault(r.From < 0, "ramp.from: %v is not a rate", r.From)
		fault(r.Factor < 1.05, "ramp.factor: %v: give 1.05 or more", r.Factor)
		fault(r.Most < r.From, "ramp.most: %v is less than ramp.from", r.Most)
		fault(r.Step < time.Second, "ramp.step: %s is too short: give 1s or more", r.Step)
		fault(r.Objective <= 0, "ramp.objective: %s: give more than 0", r.Objective)
	}
	return errors.Join(faults...)
}

// warmShards is how many shards a warm-up has.
func (o *Options) warmShards() int { return min(o.Shards, 4) }
