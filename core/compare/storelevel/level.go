package storelevel

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/compare/machine"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// ramp is the scenario that looks for the knee.
const ramp = "ramp"

// Level is the store level. Its methods are called one at a time.
type Level struct {
	o      Options
	blocks map[string]*block // by database
	pids   []int             // of databases on this machine
}

var _ compare.Level = (*Level)(nil)

// block is a database that has been played on.
type block struct {
	database *arm.Database
	stores   *arm.Stores
	mix      *mix
}

// New returns the level; the options are valid.
func New(o Options) (*Level, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Level{o: o, blocks: map[string]*block{}}, nil
}

// Name implements compare.Level.
func (l *Level) Name() string { return "store" }

// Scenarios implements compare.Level.
func (l *Level) Scenarios() []string {
	var all []string
	for _, r := range l.o.Rates {
		all = append(all, rateName(r))
	}
	if l.o.Ramp.From > 0 {
		all = append(all, ramp)
	}
	return all
}

func rateName(r float64) string { return fmt.Sprintf("mix %g/s", r) }

// Processes implements compare.Level.
func (l *Level) Processes() []int { return l.pids }

// Prepare implements compare.Level.
func (l *Level) Prepare(ctx context.Context, a *arm.Arm, name string) (result.Arm, error) {
	found, err := a.Look(ctx, name)
	if err != nil {
		return found, err
	}
	pids, unknown := a.Processes()
	found.SetUnknown(unknown)
	for _, pid := range pids {
		if !slices.Contains(l.pids, pid) {
			l.pids = append(l.pids, pid)
		}
	}
	return found, nil
}

// Block implements compare.Level.
func (l *Level) Block(ctx context.Context, spec compare.Spec) (*result.Block, error) {
	spec.Progress("making the database")
	d, err := spec.Arm.Create(ctx, spec.Database)
	if err != nil {
		return nil, err
	}
	b := &block{database: d}
	l.blocks[spec.Database] = b
	if b.stores, err = d.Open(ctx); err != nil {
		return nil, err
	}
	b.mix = newMix(l.o, spec.Seed, false)
	warm := newMix(l.o, spec.Seed, true)
	for _, m := range []*mix{b.mix, warm} {
		if err := m.setUp(ctx, b.stores); err != nil {
			return nil, fmt.Errorf("arm %s: %w", spec.Arm.Name(), err)
		}
	}
	pl := newPlayer(l.o, b.stores)
	r := &result.Block{Quantities: map[string]result.Quantity{}, Calls: map[string]*result.Call{}}
	spec.Progress("warming up")
	rate := l.o.Ramp.From
	if spec.Scenario != ramp {
		if rate, err = l.rate(spec.Scenario); err != nil {
			return nil, err
		}
	}
	r.Warmup, r.Steady, err = l.warmUp(ctx, pl, warm, rate, spec.Seed)
	if err == nil {
		if spec.Scenario == ramp {
			err = l.climb(ctx, spec, pl, b, r)
		} else {
			err = l.hold(ctx, spec, pl, b, rate, r)
		}
	}
	if err != nil {
		return r, fmt.Errorf("arm %s, %s: %w", spec.Arm.Name(), spec.Scenario, err)
	}
	if b.stores.Rounds != nil {
		if err := l.countRounds(ctx, warm, b.stores, r); err != nil {
			return r, fmt.Errorf("arm %s, count rounds: %w", spec.Arm.Name(), err)
		}
	}
	return r, nil
}

func (l *Level) rate(scenario string) (float64, error) {
	for _, r := range l.o.Rates {
		if rateName(r) == scenario {
			return r, nil
		}
	}
	return 0, fmt.Errorf("there is no scenario %q", scenario)
}

// warmUp offers windows of a second until the arm is steady.
func (l *Level) warmUp(ctx context.Context, pl *player, m *mix, rate float64, seed uint64) (time.Duration, bool, error) {
	if l.o.WarmupMost == 0 {
		return 0, false, nil
	}
	return compare.Steady(ctx, l.o.WarmupLeast, l.o.WarmupMost, func(ctx context.Context) (time.Duration, error) {
		seed++
		schedule := load.Poisson(rate, time.Second, seed)
		measured, _, err := pl.offer(ctx, m.next(len(schedule)), schedule, nil)
		if err != nil {
			return 0, err
		}
		all := load.NewHistogram()
		for _, k := range measured.Kinds {
			all.Merge(k.Service)
		}
		return all.Quantile(0.5), nil
	})
}

// usage is what the machine spent so far.
type usage struct {
	own       time.Duration
	databases *time.Duration // nil: not known, or the database is in this process
	memory    runtime.MemStats
	disk      int64
	onDisk    bool
}

func (l *Level) spent(a *arm.Arm, d *arm.Database) usage {
	u := usage{own: machine.CPU(machine.Self())}
	if pids, unknown := a.Processes(); unknown == nil && len(pids) > 0 { // a sum of some nodes would look like the whole
		cpu := machine.CPU(pids...)
		u.databases = &cpu
	}
	runtime.ReadMemStats(&u.memory)
	u.disk, u.onDisk = d.Files()
	return u
}

// quantities are the differences of two usages for each of n calls.
func quantities(before, after usage, n int64) map[string]result.Quantity {
	all := map[string]result.Quantity{}
	if n == 0 {
		return all
	}
	each := float64(n)
	put := func(name string, value float64, unit string, judged bool) {
		all[name] = result.Quantity{Value: value / each, Unit: unit, Better: "less", Judged: judged}
	}
	if after.own > 0 {
		put(result.GeneratorCPU, ms(after.own-before.own), "ms/call", true)
	}
	if before.databases != nil && after.databases != nil {
		put(result.DatabaseCPU, ms(*after.databases-*before.databases), "ms/call", true)
	}
	put(result.Allocations, float64(after.memory.Mallocs-before.memory.Mallocs), "objects/call", false)
	put(result.Allocated, float64(after.memory.TotalAlloc-before.memory.TotalAlloc), "bytes/call", false)
	if after.onDisk {
		put(result.DiskGrowth, float64(after.disk-before.disk), "bytes/call", true)
	}
	return all
}

// hold offers one rate for the whole block.
func (l *Level) hold(ctx context.Context, spec compare.Spec, pl *player, b *block, rate float64, r *result.Block) error {
	spec.Progress("measuring")
	schedule := l.schedule(rate, l.o.Duration, spec.Seed)
	ops := b.mix.next(len(schedule))
	runtime.GC() // what was made before is nobody's work
	count, done := b.database.Compactions(ctx)
	defer done()
	before := l.spent(spec.Arm, b.database)
	t := &timeline{}
	pl.measuring = true
	r.From = time.Now().UTC()
	watched := compare.Watch(ctx, count)
	measured, unfinished, err := pl.offer(ctx, ops, schedule, t)
	r.To = time.Now().UTC()
	compactions := compare.Increases(result.SeriesCompactions, result.CompactionUnit, watched())
	pl.measuring = false
	r.Offered = rate
	if err == nil || measured.Done > 0 {
		l.fill(r, pl, measured)
		r.Series = append(t.series(), compactions...)
		for name, q := range quantities(before, l.spent(spec.Arm, b.database), int64(measured.Done)) {
			r.Quantities[name] = q
		}
		r.Quantities[result.Unfinished] = result.Quantity{Value: float64(unfinished), Unit: "calls", Better: "less"}
	}
	return err
}

func (l *Level) schedule(rate float64, d time.Duration, seed uint64) load.Schedule {
	if l.o.Arrivals == "constant" {
		return load.Constant(rate, d)
	}
	return load.Poisson(rate, d, seed)
}

// fill puts what was measured into a block.
func (l *Level) fill(r *result.Block, pl *player, measured *load.Measured) {
	r.Achieved = float64(measured.Done) / measured.Took.Seconds()
	if r.Lag == nil {
		r.Lag = load.NewHistogram()
	}
	r.Lag.Merge(measured.Lag)
	for name, k := range measured.Kinds {
		c := r.Calls[name]
		if m := pl.calls[name]; m != nil {
			c = m.call
		} else if c == nil {
			c = result.NewCall()
		}
		c.Response.Merge(k.Response)
		// Skipped calls were never made: the player has not counted them.
		if n := k.Errors["skipped"]; n > 0 {
			c.Errors["skipped"] += int64(n)
		}
		r.Calls[name] = c
	}
	if pl.stores.Counted {
		r.Quantities[result.Texts] = result.Quantity{Value: float64(len(pl.texts)), Unit: "texts"}
		if measured.Done > 0 {
			r.Quantities[result.Statements] = result.Quantity{Value: float64(pl.statements) / float64(measured.Done), Unit: "statements/call", Better: "less"}
		}
	}
}

// climb offers rising rates until one does not hold, then looks in between.
func (l *Level) climb(ctx context.Context, spec compare.Spec, pl *player, b *block, r *result.Block) error {
	const halvings, least = 2, 2.0 // calls a second
	o := l.o.Ramp
	runtime.GC()
	pl.measuring = true
	defer func() { pl.measuring = false }()
	r.From = time.Now().UTC()
	defer func() { r.To = time.Now().UTC() }()
	holds, fails := 0.0, 0.0
	halved := 0
	for rate, n := o.From, uint64(1); rate <= o.Most; n++ {
		spec.Progress(fmt.Sprintf("%.0f calls/s", rate))
		schedule := l.schedule(rate, o.Step, spec.Seed+n)
		measured, unfinished, err := pl.offer(ctx, b.mix.next(len(schedule)), schedule, nil)
		if err != nil {
			return err
		}
		l.fill(r, pl, measured)
		step := judgeStep(o, rate, measured, unfinished)
		r.Steps = append(r.Steps, step)
		if step.Holds {
			holds = rate
		} else {
			fails = rate
		}
		switch {
		case fails == 0:
			rate *= o.Factor
			continue
		case holds == 0 && rate > least:
			rate /= 2 // the first rate was too high already
			continue
		case holds == 0:
			return fmt.Errorf("not even %.3g calls a second hold the objective: %s", rate, step.Why)
		}
		if halved++; halved > halvings {
			break
		}
		rate = (holds + fails) / 2
	}
	r.Achieved = holds
	r.Quantities[result.Knee] = result.Quantity{Value: holds, Unit: "calls/s", Better: "more", Judged: true}
	return nil
}

// judgeStep says whether a rate held.
func judgeStep(o RampOptions, rate float64, measured *load.Measured, unfinished int64) result.Step {
	all := load.NewHistogram()
	errorCount := 0
	for _, k := range measured.Kinds {
		all.Merge(k.Response)
		for _, n := range k.Errors {
			errorCount += n
		}
	}
	s := result.Step{Offered: rate, Achieved: float64(measured.Done) / measured.Took.Seconds(), P50: all.Quantile(0.5), P99: all.Quantile(0.99)}
	// What one p99 of offered work holds is under way at any time; more is a backlog.
	backlog := int64(rate*o.Objective.Seconds()) + 5
	switch {
	case errorCount*1000 > measured.Offered:
		s.Why = fmt.Sprintf("%d of %d calls failed", errorCount, measured.Offered)
	case s.P99 > o.Objective:
		s.Why = fmt.Sprintf("p99 is %s, the objective %s", s.P99.Round(100*time.Microsecond), o.Objective)
	case unfinished > backlog:
		s.Why = fmt.Sprintf("%d calls were under way at the end: a backlog grew", unfinished)
	default:
		s.Holds = true
	}
	return s
}

// countRounds makes each kind of call some times alone, when nothing else runs, and
// so learns what it costs in serial rounds of a cluster.
func (l *Level) countRounds(ctx context.Context, m *mix, stores *arm.Stores, r *result.Block) error {
	type sum struct{ n, rounds, commits int64 }
	sums := map[string]sum{}
	pl := newPlayer(l.o, stores)
	for _, o := range m.next(400) {
		rounds, commits := stores.Rounds()
		if err := pl.play(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		afterRounds, afterCommits := stores.Rounds()
		s := sums[o.name]
		sums[o.name] = sum{s.n + 1, s.rounds + afterRounds - rounds, s.commits + afterCommits - commits}
	}
	for name, c := range r.Calls {
		if s := sums[name]; s.n > 0 {
			rounds, commits := c.Completed*s.rounds/s.n, c.Completed*s.commits/s.n
			c.SerialRounds, c.Commits = &rounds, &commits
		}
	}
	return nil
}

// Drop implements compare.Level.
func (l *Level) Drop(ctx context.Context, spec compare.Spec, keep bool) error {
	b := l.blocks[spec.Database]
	delete(l.blocks, spec.Database)
	var err error
	if b != nil && b.stores != nil {
		err = b.stores.Close()
	}
	switch {
	case b == nil: // it was not made, or its maker has removed it
		return nil
	case keep:
		return errors.Join(err, b.database.Release())
	default:
		return errors.Join(err, b.database.Drop(ctx))
	}
}
