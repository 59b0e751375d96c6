package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
)

// Load is what a block puts on a server.
type Load struct {
	// Mix holds the weights of scenarios, by which each workflow is drawn.
	Mix map[Scenario]float64
	// Rate is workflows a second in an open loop; 0: a closed loop of InFlight.
	Rate     float64
	InFlight int
	// Warmup is how long the load runs at least before it is measured, WarmupMost how
	// long at most if medians do not settle ([compare.Steady]).
	Warmup, WarmupMost time.Duration
	Duration           time.Duration // measured
	Seed               uint64
	// Limit bounds a workflow that was accepted: one that has not ended by then is
	// lost.
	Limit time.Duration
}

func (l Load) validate() error {
	var faults []error
	total := 0.0
	for name, weight := range l.Mix {
		if !slices.Contains(Scenarios(), name) {
			faults = append(faults, fmt.Errorf("scenario %q is none of %v", name, Scenarios()))
		}
		if weight < 0 {
			faults = append(faults, fmt.Errorf("scenario %q has the weight %v: give 0 or more", name, weight))
		}
		total += weight
	}
	if total <= 0 {
		faults = append(faults, errors.New("no scenario is given"))
	}
	if l.Rate < 0 || l.Rate == 0 && l.InFlight < 1 {
		faults = append(faults, errors.New("neither a rate nor a number of workflows in flight is given"))
	}
	if l.Duration <= 0 || l.Warmup < 0 || l.WarmupMost < l.Warmup || l.Limit <= 0 {
		faults = append(faults, fmt.Errorf("duration %s, warm-up %s to %s, limit %s: give positive times", l.Duration, l.Warmup, l.WarmupMost, l.Limit))
	}
	return errors.Join(faults...)
}

// draw says which scenario workflow i is, and its seed: a function of the load's.
func (l Load) draw(i int) (Scenario, uint64) {
	rng := rand.New(rand.NewPCG(l.Seed, uint64(i))) //nolint:gosec // both arms must get the same
	total := 0.0
	for _, weight := range l.Mix {
		total += weight
	}
	at := rng.Float64() * total
	var last Scenario
	for _, name := range slices.Sorted(maps.Keys(l.Mix)) {
		if l.Mix[name] == 0 {
			continue
		}
		last = name
		if at -= l.Mix[name]; at < 0 {
			break
		}
	}
	return last, rng.Uint64()
}

// Measured is what a block measured.
type Measured struct {
	// Load holds workflows by scenario: response times from the intended start to
	// the client's knowledge of the end.
	Load *load.Measured
	// Waits are schedule-to-start times by kind of task, as workers saw them.
	Waits map[string]*load.Histogram
	// From begins what was measured; it took Load.Took.
	From   time.Time
	Warmup time.Duration
	Steady bool
	// InTime workflows ended while the load was offered; the other ones were waited
	// for. A starved server of any store may tell a client of an end only when its
	// long poll runs out, after 20 s: its notifier drops what a slow subscriber has no
	// room for. Rates leave that time out, response times do not.
	InTime  int
	Offer   time.Duration // how long the load was offered
	Seconds []Second
	// What the server and its database used meanwhile. DatabaseCPU is nil where it
	// cannot be read or is the server's own; Disk is how far the files of the server's
	// own database grew, nil where it has none.
	ServerCPU   time.Duration
	Allocations int64
	Allocated   int64 // bytes
	Resident    int64 // bytes, at the end
	DatabaseCPU *time.Duration
	Disk        *int64
	// figures are those of server and database over time.
	figures []compare.Reading[figures]
	// GeneratorCPU is what this process used: client and workers.
	GeneratorCPU time.Duration
}

// Second is what ended in one second of a block.
type Second struct {
	Done     int
	P50, P99 time.Duration // of response times; 0 if none ended
}

// Kinds of tasks in [Measured.Waits].
const (
	WorkflowTasks = "workflow task"
	ActivityTasks = "activity task"
)

// waits names the SDK's timers whose values are kept.
var waits = map[string]string{
	"temporal_workflow_task_schedule_to_start_latency": WorkflowTasks,
	"temporal_activity_schedule_to_start_latency":      ActivityTasks,
}

// Drive puts a load on a server and measures. The first workflow that does what it
// must not, or the server's own end, ends it with that error.
func Drive(ctx context.Context, s *Server, l Load) (*Measured, error) {
	if err := l.validate(); err != nil {
		return nil, fmt.Errorf("load of the cluster level: %w", err)
	}
	ctx, done := s.guard(ctx)
	defer done()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	d := &driver{load: l, fail: fail}
	m, err := d.run(ctx, s)
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause // what went wrong first, not what followed
	}
	if err != nil { // its clients may know of a server's death before its parent does
		select {
		case <-s.child.Done():
			return nil, s.dead()
		case <-time.After(deathNotice):
		}
	}
	return m, err
}

// deathNotice is how long after a client's error a server may turn out to have died.
const deathNotice = 15 * time.Second

type driver struct {
	load     Load
	fail     context.CancelCauseFunc
	client   client.Client
	schedule load.Schedule // nil in a closed loop
	start    time.Time
	measured bool // else it is the warm-up

	mu        sync.Mutex
	waits     map[string]*load.Histogram
	ended     []int             // by second of the end
	responses []*load.Histogram // by second of the intended start
	inTime    int
}

func (d *driver) run(ctx context.Context, s *Server) (*Measured, error) {
	c, err := client.DialContext(ctx, client.Options{
		HostPort: s.frontend, Namespace: namespace, Logger: quiet{}, MetricsHandler: meter{d},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the server of arm %s: %w", s.arm, err)
	}
	defer c.Close()
	d.client = c
	stop, err := d.startWorkers()
	if err != nil {
		return nil, err
	}
	defer stop()

	m := &Measured{}
	if m.Warmup, m.Steady, err = compare.Steady(ctx, d.load.Warmup, d.load.WarmupMost, d.window); err != nil {
		return nil, err
	}
	before, beforeMine, err := s.usages(ctx)
	if err != nil {
		return nil, err
	}
	d.reset(true)
	watched := compare.Watch(ctx, s.watchable())
	m.Load, err = d.offer(ctx, d.load.Duration, d.load.Seed)
	m.figures = watched()
	if err != nil {
		return nil, err
	}
	after, afterMine, err := s.usages(ctx)
	if err != nil {
		return nil, err
	}
	if m.Load.Done == 0 {
		return nil, fmt.Errorf("arm %s: none of %d workflows ended within %s", s.arm, m.Load.Offered, m.Load.Took)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.measured = false // what workers still report belongs to nobody
	m.From, m.Waits, m.Seconds = d.start, d.waits, d.seconds()
	m.InTime, m.Offer = d.inTime, d.load.Duration
	m.ServerCPU, m.GeneratorCPU = after.serverCPU-before.serverCPU, afterMine-beforeMine
	m.Allocations, m.Allocated = after.allocated.objects-before.allocated.objects, after.allocated.bytes-before.allocated.bytes
	m.Resident = after.resident
	if before.databaseCPU != nil && after.databaseCPU != nil {
		cpu := *after.databaseCPU - *before.databaseCPU
		m.DatabaseCPU = &cpu
	}
	if before.disk != nil && after.disk != nil {
		grown := *after.disk - *before.disk
		m.Disk = &grown
	}
	return m, nil
}

// reset begins a window or the measurement itself.
func (d *driver) reset(measured bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.start, d.measured = time.Now(), measured
	d.ended, d.responses, d.inTime = nil, nil, 0
	d.waits = map[string]*load.Histogram{WorkflowTasks: load.NewHistogram(), ActivityTasks: load.NewHistogram()}
}

// offer runs the load for a time and waits for its end.
func (d *driver) offer(ctx context.Context, duration time.Duration, seed uint64) (*load.Measured, error) {
	options := load.Options{Class: func(error) string { return "not accepted" }}
	if d.load.Rate > 0 {
		d.schedule = load.Poisson(d.load.Rate, duration, seed)
		return load.Open(ctx, d.schedule, d.work, options)
	}
	return load.Closed(ctx, d.load.InFlight, duration, d.work, options)
}

// window is a second of warm-up; it returns the median response time.
func (d *driver) window(ctx context.Context) (time.Duration, error) {
	d.reset(false)
	m, err := d.offer(ctx, time.Second, d.load.Seed+uint64(d.start.UnixNano())) // none that will be measured
	if err != nil {
		return 0, err
	}
	all := load.NewHistogram()
	for _, k := range m.Kinds {
		all.Merge(k.Response)
	}
	return all.Quantile(0.5), nil
}

// work is a [load.Work]: workflow i from its start to its judged answer.
func (d *driver) work(ctx context.Context, i int) (string, error) {
	intended := time.Since(d.start)
	if d.schedule != nil {
		intended = d.schedule[i]
	}
	scenario, seed := d.load.draw(i)
	// Numbers repeat between the windows of a block, ids must not.
	p := piece{scenario: scenario, id: fmt.Sprintf("%s-%x-%d", scenario, d.start.UnixNano(), i), number: i, seed: seed}
	err := p.run(ctx, d.client, d.load.Limit)
	var wrong *WrongError
	if errors.As(err, &wrong) {
		d.fail(err)
	}
	if err == nil {
		d.note(intended)
	}
	return string(scenario), err
}

// note counts a workflow that ended well.
func (d *driver) note(intended time.Duration) {
	at := time.Since(d.start)
	d.mu.Lock()
	defer d.mu.Unlock()
	begun, end := int(intended/time.Second), int(at/time.Second)
	for len(d.ended) <= end {
		d.ended = append(d.ended, 0)
		d.responses = append(d.responses, nil)
	}
	d.ended[end]++
	if at <= d.load.Duration {
		d.inTime++
	}
	if d.responses[begun] == nil {
		d.responses[begun] = load.NewHistogram()
	}
	d.responses[begun].Record(at - intended)
}

// seconds is called with the lock held.
func (d *driver) seconds() []Second {
	out := make([]Second, len(d.ended))
	for i, n := range d.ended {
		out[i].Done = n
		if h := d.responses[i]; h != nil {
			out[i].P50, out[i].P99 = h.Quantile(0.5), h.Quantile(0.99)
		}
	}
	return out
}

// pollers of each kind of the main queue's worker: more than the queue has
// partitions, so that no task waits for a poller to come round.
const pollers = 8

// startWorkers starts the workers that the mix needs.
func (d *driver) startWorkers() (stop func(), err error) {
	var started []worker.Worker
	stop = func() {
		for _, w := range started {
			w.Stop()
		}
	}
	start := func(queue string, pollers int) error {
		w := worker.New(d.client, queue, worker.Options{
			MaxConcurrentWorkflowTaskPollers: pollers, MaxConcurrentActivityTaskPollers: pollers,
		})
		register(w)
		w.RegisterActivityWithOptions(func(_ context.Context, text string) (string, error) { return digest(text), nil },
			activity.RegisterOptions{Name: activityName})
		if err := w.Start(); err != nil {
			return fmt.Errorf("start the workers of queue %s: %w", queue, err)
		}
		started = append(started, w)
		return nil
	}
	err = start(mainQueue, pollers)
	if d.load.Mix[ManyQueues] > 0 {
		for i := range queues {
			err = errors.Join(err, start(queueOf(i), 2))
		}
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// meter keeps the SDK's schedule-to-start times.
type meter struct{ d *driver }

func (m meter) WithTags(map[string]string) client.MetricsHandler { return m }
func (m meter) Counter(string) client.MetricsCounter             { return nowhere{} }
func (m meter) Gauge(string) client.MetricsGauge                 { return nowhere{} }

func (m meter) Timer(name string) client.MetricsTimer {
	kind, ok := waits[name]
	if !ok {
		return nowhere{}
	}
	return timer{m.d, kind}
}

type timer struct {
	d    *driver
	kind string
}

func (t timer) Record(took time.Duration) {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	if t.d.measured {
		t.d.waits[t.kind].Record(took)
	}
}

type nowhere struct{}

func (nowhere) Inc(int64)            {}
func (nowhere) Update(float64)       {}
func (nowhere) Record(time.Duration) {}
