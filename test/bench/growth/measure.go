package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/compare/machine"
	"github.com/temporal-ycql/temporal-ycql/core/compare/storelevel"
	"github.com/temporal-ycql/temporal-ycql/test/bench/process"
)

// callTimeout is that of one store call, and attempts how often one is made until the
// run ends with its error.
const (
	callTimeout = 30 * time.Second
	attempts    = 6
)

// bench is one run.
type bench struct {
	o      options
	arm    *arm.Arm
	result *Result
	// pids are the database's processes on this machine.
	pids []int
}

// place is a database of a series' own.
type place struct {
	*bench
	database *arm.Database
	stores   *arm.Stores
	series   *Series
}

// within makes a database, uses it and drops it, whatever becomes of the context.
func (b *bench) within(ctx context.Context, s *Series, use func(ctx context.Context, at *place) error) (err error) {
	unique := make([]byte, 4)
	if _, err := rand.Read(unique); err != nil {
		return err
	}
	d, err := b.arm.Create(ctx, "growth_"+s.Name+"_"+hex.EncodeToString(unique))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Drop(context.WithoutCancel(ctx))) }()
	stores, err := d.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	return use(ctx, &place{bench: b, database: d, stores: stores, series: s})
}

// once makes a call and repeats it where it fails, unless it took effect. took and
// the error are those of the first attempt.
func (at *place) once(ctx context.Context, c *storelevel.Call) (took time.Duration, first, last error) {
	for i := range attempts {
		attempt, cancel := context.WithTimeout(ctx, callTimeout)
		began := time.Now()
		last = c.Do(attempt, at.stores)
		if i == 0 {
			took, first = time.Since(began), last
		}
		if last != nil && c.Applied != nil {
			if applied, err := c.Applied(attempt, at.stores); err == nil && applied {
				last = nil
			}
		}
		cancel()
		if last == nil || ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond << i):
		case <-ctx.Done():
		}
	}
	if last != nil {
		last = fmt.Errorf("%s: %w", c.Name, last)
	}
	return took, first, last
}

// together makes n calls, so many at a time. next gives the call of a number; it is
// called by one goroutine at a time, in order.
func (at *place) together(ctx context.Context, n, inFlight int, next func(i int) storelevel.Call, done func(took time.Duration, err error)) error {
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for i := 0; i < n && running.Err() == nil; i++ {
		c := next(i)
		g.Go(func() error {
			took, first, last := at.once(running, &c)
			if last == nil && done != nil {
				done(took, first)
			}
			return last
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx) // it may have ended before all were made
}

// fill makes what a point has; what it cost is in the point.
func (at *place) fill(ctx context.Context, point *Point, n, inFlight int, next func(i int) storelevel.Call) error {
	began, used, last := time.Now(), process.CPU(), time.Now()
	made := 0
	var mu sync.Mutex
	err := at.together(ctx, n, inFlight, next, func(time.Duration, error) {
		mu.Lock()
		defer mu.Unlock()
		made++
		if time.Since(last) > 10*time.Second {
			last = time.Now()
			at.say(point, "%d of %d calls to fill it, %.0f a second", made, n, float64(made)/time.Since(began).Seconds())
		}
	})
	point.Fill.Calls += n
	point.Fill.Seconds += time.Since(began).Seconds()
	point.Fill.CPUSeconds += (process.CPU() - used).Seconds()
	return err
}

// settle waits until what filling left behind is done, and reads sizes. workflows is
// how many there are; 0: the database is of other things.
func (at *place) settle(ctx context.Context, point *Point, workflows int64) {
	at.say(point, "filled in %.1f s; waiting until the database is idle", point.Fill.Seconds)
	point.Settled = at.idle(ctx).Seconds()
	if size, ok := at.database.Files(); ok {
		point.DiskBytes = &size
		if workflows > 0 {
			each := float64(size) / float64(workflows)
			point.DiskPerWorkflow = &each
		}
	}
	point.Heap, point.Memory = heap(), process.Memory()
	at.say(point, "measuring")
}

// idle waits until neither this process nor the database does anything.
func (at *place) idle(ctx context.Context) time.Duration {
	return process.Settle(ctx, at.o.settle, func() time.Duration {
		if len(at.pids) == 0 {
			return process.CPU()
		}
		return process.CPU() + machine.CPU(at.pids...)
	})
}

// heap is what of this process's heap is in use, engine included.
func heap() int64 {
	runtime.GC()
	runtime.GC() // pools keep what they hold over one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// batch is one kind of call that is measured.
type batch struct {
	name     string // empty: that of the calls
	inFlight int
	// warm are as many of the calls, the first ones, as are made before.
	warm  int
	calls []storelevel.Call
	// units are how many of unit each call is for; 0: it is for itself.
	unit  string
	units float64
}

// measure makes the calls of a batch and adds what they cost to the point.
func (at *place) measure(ctx context.Context, point *Point, b batch) error {
	if b.name == "" {
		b.name = b.calls[0].Name
	}
	if b.unit == "" {
		b.unit, b.units = "call", 1
	}
	warm, calls := b.calls[:b.warm], b.calls[b.warm:]
	if err := at.together(ctx, len(warm), 1, func(i int) storelevel.Call { return warm[i] }, nil); err != nil {
		return fmt.Errorf("%d %s: %w", point.Size, at.series.Of, err)
	}
	m := &meter{service: load.NewHistogram()}
	runtime.GC() // what was made before is nobody's work
	before, each, own := at.reading(), []float64{}, time.Duration(0)
	for slice := range slices.Chunk(calls, max(1, (len(calls)+cpuSlices-1)/cpuSlices)) {
		used := process.CPU()
		if err := at.together(ctx, len(slice), b.inFlight, func(i int) storelevel.Call { return m.metered(slice[i]) }, m.done); err != nil {
			return fmt.Errorf("%d %s: %w", point.Size, at.series.Of, err)
		}
		used = process.CPU() - used
		own += used
		each = append(each, us(used)/(float64(len(slice))*b.units))
	}
	f := at.reading().since(before, len(calls), b.units)
	f.CPU = us(own) / (float64(len(calls)) * b.units)
	slices.Sort(each)
	f.CPUMedian = (each[(len(each)-1)/2] + each[len(each)/2]) / 2
	f.Call, f.InFlight, f.Per, f.Count, f.Errors = b.name, b.inFlight, b.unit, len(calls), m.errors
	f.P50, f.P90, f.P99 = ms(m.service.Quantile(0.5)), ms(m.service.Quantile(0.9)), ms(m.service.Quantile(0.99))
	if at.stores.Counted {
		each := func(n *atomic.Int64) *float64 { return per(n.Load(), len(calls), b.units) }
		f.Statements, f.Trips, f.Rows = each(&m.statements), each(&m.trips), each(&m.rows)
	}
	point.Calls = append(point.Calls, f)
	return nil
}

// cpuSlices is into how many parts the calls of a batch are cut, of which the median
// of processor time is less touched by what else the machine or the engine did.
const cpuSlices = 10

// meter collects from the goroutines of a measurement.
type meter struct {
	mu                      sync.Mutex
	service                 *load.Histogram
	errors                  int
	statements, trips, rows atomic.Int64
}

// metered counts what a call sends.
func (m *meter) metered(c storelevel.Call) storelevel.Call {
	do := c.Do
	c.Do = func(ctx context.Context, s *arm.Stores) error {
		ctx, usage := arm.Metered(ctx)
		err := do(ctx, s)
		m.statements.Add(usage.Statements.Load())
		m.trips.Add(usage.Trips.Load())
		m.rows.Add(usage.Rows.Load())
		return err
	}
	return c
}

func (m *meter) done(took time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.errors++
		return
	}
	m.service.Record(took)
}

// reading is what was spent so far, processor time of this process left out, for
// reading takes some itself.
type reading struct {
	database        time.Duration
	objects, bytes  uint64
	rounds, commits *int64
	remote          bool
}

func (at *place) reading() reading {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r := reading{objects: m.Mallocs, bytes: m.TotalAlloc, remote: len(at.pids) > 0}
	if at.stores.Rounds != nil {
		rounds, commits := at.stores.Rounds()
		r.rounds, r.commits = &rounds, &commits
	}
	if r.remote {
		r.database = machine.CPU(at.pids...)
	}
	return r
}

// since divides what was spent by calls of so many units.
func (r reading) since(before reading, calls int, units float64) Figures {
	n := float64(calls) * units
	f := Figures{Objects: float64(r.objects-before.objects) / n, Bytes: float64(r.bytes-before.bytes) / n}
	if r.remote {
		used := us(r.database-before.database) / n
		f.DatabaseCPU = &used
	}
	if r.rounds != nil && before.rounds != nil {
		f.Rounds, f.Commits = per(*r.rounds-*before.rounds, calls, units), per(*r.commits-*before.commits, calls, units)
	}
	return f
}

func per(n int64, calls int, units float64) *float64 {
	each := float64(n) / (float64(calls) * units)
	return &each
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// say tells what is being done.
func (at *place) say(point *Point, format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s, %d %s: %s\n", at.series.Name, point.Size, at.series.Of, fmt.Sprintf(format, args...))
}
