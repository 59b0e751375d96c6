package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// Plan is the part of a comparison's plan that concerns this level.
type Plan struct {
	// Scenarios are the loads that are measured. By default: workflows of one activity,
	// one at a time and sixteen, and a mix of everything.
	Scenarios []PlanScenario `koanf:"scenarios" json:"scenarios"`
	// Warmup is the least time that the load runs before it is measured.
	Warmup time.Duration `koanf:"warmup" json:"warmup"`
	// WarmupMost is the time after which it is measured, steady or not.
	WarmupMost time.Duration `koanf:"warmupMost" json:"warmupMost"`
	// Block is how long each block measures.
	Block time.Duration `koanf:"block" json:"block"`
	// Limit bounds a workflow: one that was accepted and has not ended by then is
	// lost, which ends the run.
	Limit time.Duration `koanf:"limit" json:"limit"`
	// Metrics has servers show their metrics, from which lags of queues over time are
	// read. It costs some of their processor time, in both arms.
	Metrics bool `koanf:"metrics" json:"metrics"`
	// Dynamic is the dynamic configuration of both arms, in place of the files that
	// their configurations name. Empty: those.
	Dynamic map[string]any `koanf:"dynamic" json:"dynamic,omitempty"`
}

// PlanScenario is a load of workflows.
type PlanScenario struct {
	// Name is unique; empty: made of the rest.
	Name string `koanf:"name" json:"name"`
	// Mix holds the weights of kinds of workflow.
	Mix map[string]float64 `koanf:"mix" json:"mix"`
	// Rate is workflows a second, offered whatever becomes of them; or InFlight is how
	// many are under way at any time, each followed by the next. One of them is set.
	Rate float64 `koanf:"rate" json:"rate,omitempty"`
	// InFlight is how many workflows are under way at any time.
	InFlight int `koanf:"inFlight" json:"inFlight,omitempty"`
}

// DefaultPlan measures workflows of one activity, one at a time and sixteen, and a
// mix of everything.
func DefaultPlan() Plan {
	return Plan{
		Scenarios: []PlanScenario{
			{Mix: map[string]float64{string(Activity): 1}, InFlight: 1},
			{Mix: map[string]float64{string(Activity): 1}, InFlight: 16},
			{Name: "mix, 4 in flight", InFlight: 4, Mix: map[string]float64{
				string(Activity): 8, string(FanOut): 1, string(Signals): 4, string(Children): 2, string(Timers): 2,
				string(LongHistory): 0.5, string(ContinueAsNew): 2, string(ManyQueues): 4,
			}},
		},
		Warmup: 5 * time.Second, WarmupMost: 20 * time.Second, Block: time.Minute, Limit: 2 * time.Minute,
		Metrics: true,
	}
}

// name is what a scenario is called if it has no name.
func (s PlanScenario) name() string {
	if s.Name != "" {
		return s.Name
	}
	kinds := slices.Sorted(maps.Keys(s.Mix))
	what := "mix"
	if len(kinds) == 1 {
		what = kinds[0]
	}
	if s.Rate > 0 {
		return fmt.Sprintf("%s, %g/s", what, s.Rate)
	}
	return fmt.Sprintf("%s, %d in flight", what, s.InFlight)
}

func (p Plan) load(s PlanScenario, seed uint64) Load {
	l := Load{
		Mix: map[Scenario]float64{}, Rate: s.Rate, InFlight: s.InFlight, Seed: seed,
		Warmup: p.Warmup, WarmupMost: p.WarmupMost, Duration: p.Block, Limit: p.Limit,
	}
	for kind, weight := range s.Mix {
		l.Mix[Scenario(kind)] = weight
	}
	return l
}

// Complete fills in names and reports all faults at once.
func (p *Plan) Complete() error {
	var faults []error
	seen := map[string]bool{}
	for i := range p.Scenarios {
		s := &p.Scenarios[i]
		s.Name = s.name()
		if seen[s.Name] {
			faults = append(faults, fmt.Errorf("scenario %q is there twice: give names that differ", s.Name))
		}
		seen[s.Name] = true
		if s.Rate > 0 && s.InFlight > 0 {
			faults = append(faults, fmt.Errorf("scenario %q has a rate and a number in flight: give one of them", s.Name))
		}
		if err := p.load(*s, 0).validate(); err != nil {
			faults = append(faults, fmt.Errorf("scenario %q: %w", s.Name, err))
		}
	}
	if len(p.Scenarios) == 0 {
		faults = append(faults, errors.New("scenarios: give at least one"))
	}
	return errors.Join(faults...)
}

// Options are what a level needs beside the plan.
type Options struct {
	Plan Plan
	// Binary is the program whose server is run; empty: this one.
	Binary   string
	Registry func() (*backend.Registry, error)
	// Scratch is a directory for logs and files. It exists.
	Scratch string
}

// Level runs whole servers; see [compare.Level].
type Level struct {
	options   Options
	processes []int // of databases
	// answered are the workflows of each block's database that answered as they must,
	// by kind.
	answered map[string]map[string]int64
}

// New returns the level of a plan.
func New(o Options) (*Level, error) {
	if err := o.Plan.Complete(); err != nil {
		return nil, fmt.Errorf("plan of the cluster level: %w", err)
	}
	scratch, err := filepath.Abs(o.Scratch)
	if err != nil {
		return nil, fmt.Errorf("find the directory %s: %w", o.Scratch, err)
	}
	o.Scratch = scratch
	return &Level{options: o, answered: map[string]map[string]int64{}}, nil
}

// Name implements [compare.Level].
func (*Level) Name() string { return "cluster" }

// Scenarios implements [compare.Level].
func (l *Level) Scenarios() []string {
	var names []string
	for _, s := range l.options.Plan.Scenarios {
		names = append(names, s.Name)
	}
	return names
}

// Prepare implements [compare.Level]: it refuses what no server could be run with.
func (l *Level) Prepare(ctx context.Context, a *arm.Arm, database string) (result.Arm, error) {
	if err := check(a.Config()); err != nil {
		return result.Arm{}, fmt.Errorf("arm %s: %w", a.Name(), err)
	}
	found, err := a.Look(ctx, database)
	if err != nil {
		return found, err
	}
	pids, unknown := a.Processes()
	found.SetUnknown(unknown)
	for _, pid := range pids {
		if !slices.Contains(l.processes, pid) {
			l.processes = append(l.processes, pid)
		}
	}
	return found, nil
}

// Processes implements [compare.Level].
func (l *Level) Processes() []int { return l.processes }

// ByAnswers is how this level compares, in [result.Agreement].
const ByAnswers = "answers"

// Agree implements [compare.Level]. Two servers number, time and distribute their
// work each in its own way, so that their states never are the same: what counts is
// that every workflow gave the one right answer, without which Block fails.
func (l *Level) Agree(_ context.Context, a, b compare.Spec) (*result.Agreement, error) {
	counts := map[string][2]int64{}
	for i, spec := range []compare.Spec{a, b} {
		for kind, n := range l.answered[spec.Database] {
			c := counts[kind]
			c[i] = n
			counts[kind] = c
		}
	}
	return &result.Agreement{
		Scenario: a.Scenario, Pair: a.Pair, How: ByAnswers, Equal: true, Counts: counts,
		Note: "every workflow gave the one right answer; states of servers are not compared",
	}, nil
}

// Block implements [compare.Level].
func (l *Level) Block(ctx context.Context, spec compare.Spec) (b *result.Block, err error) {
	i := slices.IndexFunc(l.options.Plan.Scenarios, func(s PlanScenario) bool { return s.Name == spec.Scenario })
	if i < 0 {
		return nil, fmt.Errorf("scenario %q is not in the plan", spec.Scenario)
	}
	spec.Progress("makes its database")
	database, err := spec.Arm.Create(ctx, spec.Database)
	if err != nil {
		return nil, err
	}
	dir := l.dir(spec)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a directory for the server of arm %s: %w", spec.Arm.Name(), err)
	}
	src := spec.Arm.Source()
	src.Set = append(slices.Clone(src.Set), database.Settings()...)
	o := ServerOptions{
		Arm: spec.Arm.Name(), Binary: l.options.Binary, Source: src, Registry: l.options.Registry,
		Dir: dir, Dynamic: l.options.Plan.Dynamic, Metrics: l.options.Plan.Metrics,
	}
	if spec.Arm.Inside() {
		o.Files = database.Files
	} else if pids, unknown := spec.Arm.Processes(); unknown == nil { // a sum of some nodes would look like the whole
		o.Databases = pids
	}
	if !spec.Arm.Inside() { // else the server counts them
		var done func()
		o.Compactions, done = database.Compactions(ctx)
		defer done()
	}
	spec.Progress("starts its server")
	s, err := Start(ctx, o)
	if err != nil {
		return nil, err
	}
	spec.Progress("runs workflows")
	m, err := Drive(ctx, s, l.options.Plan.load(l.options.Plan.Scenarios[i], spec.Seed))
	if err != nil {
		// What is wrong is known; how the server takes its end is of no interest.
		return nil, errors.Join(err, s.Kill())
	}
	if err := s.Stop(); err != nil {
		return nil, err
	}
	b = m.block(l.options.Plan.Scenarios[i])
	l.answered[spec.Database] = map[string]int64{}
	for kind, call := range b.Calls {
		l.answered[spec.Database][kind] = call.Completed
	}
	return b, nil
}

func (l *Level) dir(spec compare.Spec) string {
	return filepath.Join(l.options.Scratch, spec.Database+"_server")
}

// Drop implements [compare.Level]. With keep, the server's log stays too.
func (l *Level) Drop(ctx context.Context, spec compare.Spec, keep bool) error {
	if keep {
		return nil // the server has ended with its block
	}
	err := spec.Arm.Drop(ctx, spec.Database)
	return errors.Join(err, os.RemoveAll(l.dir(spec)))
}

// Names of quantities beside those of package result.
const (
	// WorkflowWait and ActivityWait are 99th percentiles of schedule-to-start times.
	WorkflowWait = "schedule-to-start of workflow tasks, p99"
	ActivityWait = "schedule-to-start of activities, p99"
	// Resident is memory at the end of a block.
	Resident = "resident memory"
)

const less = "less" // of which quantities less is better

// block puts what was measured into the form of a result.
func (m *Measured) block(s PlanScenario) *result.Block {
	done := float64(m.Load.Done)
	b := &result.Block{
		From: m.From, To: m.From.Add(m.Load.Took), Warmup: m.Warmup, Steady: m.Steady,
		Offered: s.Rate, Achieved: float64(m.InTime) / m.Offer.Seconds(), Lag: m.Load.Lag,
		Calls: map[string]*result.Call{}, Quantities: map[string]result.Quantity{},
	}
	for kind, k := range m.Load.Kinds {
		call := &result.Call{Response: k.Response, Service: k.Service, Completed: k.Response.Count()}
		for class, n := range k.Errors {
			if call.Errors == nil {
				call.Errors = map[string]int64{}
			}
			call.Errors[class] = int64(n)
		}
		b.Calls[kind] = call
	}
	each := func(name string, sum float64, unit string) {
		b.Quantities[name] = result.Quantity{Value: sum / done, Unit: unit, Better: less, Judged: true}
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	each(result.ServerCPU, ms(m.ServerCPU), "ms per workflow")
	each(result.Allocations, float64(m.Allocations), "objects per workflow")
	each(result.Allocated, float64(m.Allocated)/1024, "KiB per workflow")
	if m.DatabaseCPU != nil {
		each(result.DatabaseCPU, ms(*m.DatabaseCPU), "ms per workflow")
	}
	if m.Disk != nil {
		each(result.DiskGrowth, float64(*m.Disk)/1024, "KiB per workflow")
	}
	// What follows explains, and is no question of its own.
	tell := func(name string, value float64, unit string) {
		b.Quantities[name] = result.Quantity{Value: value, Unit: unit, Better: less}
	}
	tell(result.GeneratorCPU, ms(m.GeneratorCPU)/done, "ms per workflow")
	tell(Resident, float64(m.Resident)/(1<<20), "MiB")
	for kind, name := range map[string]string{WorkflowTasks: WorkflowWait, ActivityTasks: ActivityWait} {
		if h := m.Waits[kind]; h.Count() > 0 {
			tell(name, ms(h.Quantile(0.99)), "ms")
		}
	}
	if s.Rate > 0 {
		tell(result.Unfinished, float64(m.Load.Offered-m.InTime), "workflows")
	} else {
		// With a number in flight, how many end a second is the question.
		b.Quantities[result.Throughput] = result.Quantity{Value: b.Achieved, Unit: "workflows/s", Better: "more", Judged: true}
	}
	b.Series = append(m.series(), figureSeries(m.figures)...)
	return b
}

func (m *Measured) series() []result.Series {
	rate := result.Series{Name: result.SeriesRate, Unit: "workflows/s"}
	p50 := result.Series{Name: result.SeriesP50, Unit: "ms"}
	p99 := result.Series{Name: result.SeriesP99, Unit: "ms"}
	for i, second := range m.Seconds {
		at := float64(i)
		if time.Duration(i+1)*time.Second <= m.Offer {
			rate.Points = append(rate.Points, [2]float64{at, float64(second.Done)})
		}
		if second.P99 > 0 {
			p50.Points = append(p50.Points, [2]float64{at, float64(second.P50) / float64(time.Millisecond)})
			p99.Points = append(p99.Points, [2]float64{at, float64(second.P99) / float64(time.Millisecond)})
		}
	}
	return []result.Series{rate, p50, p99}
}

var _ compare.Level = (*Level)(nil)
