package migrate

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/time/rate"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
)

// Limits bound what is asked of one side. Zero is no limit, but for Concurrency,
// which has a default.
type Limits struct {
	RowsPerSecond      float64 `json:"rowsPerSecond,omitempty" yaml:"rowsPerSecond"`
	MegabytesPerSecond float64 `json:"megabytesPerSecond,omitempty" yaml:"megabytesPerSecond"`
	// Concurrency is the most requests for pages, or the most batches of records,
	// that are on their way at a time.
	Concurrency int `json:"concurrency,omitempty" yaml:"concurrency"`
	// P99Milliseconds is the 99th percentile of a request's time above which fewer
	// are sent side by side; default 250.
	P99Milliseconds float64 `json:"p99Milliseconds,omitempty" yaml:"p99Milliseconds"`
}

const (
	defaultConcurrency = 8
	defaultP99         = 250
	// adjustEvery is how often concurrency follows what was measured.
	adjustEvery = 2 * time.Second
	// fewest requests in a period from which a percentile is taken.
	fewestRequests = 50
)

// flow holds a side to its limits, which may be changed while it is in use, and
// lowers its concurrency while requests are slow. It is safe for concurrent use.
type flow struct {
	rows, bytes *rate.Limiter

	mu      sync.Mutex
	limits  Limits
	allowed int // requests at a time, at most limits.Concurrency
	running int
	wake    chan struct{} // closed when a slot may be free
	times   *hdrhistogram.Histogram
	last    time.Time
	p99     time.Duration // of the last period
}

func newFlow(l Limits) *flow {
	f := &flow{
		rows: rate.NewLimiter(rate.Inf, 1), bytes: rate.NewLimiter(rate.Inf, 1), wake: make(chan struct{}),
		times: hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 2), last: time.Now(),
	}
	f.set(l)
	return f
}

// set changes the limits.
func (f *flow) set(l Limits) {
	if l.Concurrency <= 0 {
		l.Concurrency = defaultConcurrency
	}
	if l.P99Milliseconds <= 0 {
		l.P99Milliseconds = defaultP99
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.allowed == 0 || f.allowed == f.limits.Concurrency || f.allowed > l.Concurrency {
		f.allowed = l.Concurrency
	}
	f.limits = l
	limit(f.rows, l.RowsPerSecond)
	limit(f.bytes, l.MegabytesPerSecond*1e6)
	f.free()
}

func limit(l *rate.Limiter, perSecond float64) {
	if perSecond <= 0 {
		l.SetLimit(rate.Inf)
		return
	}
	l.SetBurst(max(1, int(math.Ceil(perSecond))))
	l.SetLimit(rate.Limit(perSecond))
}

// free wakes those who wait for a slot. It is called with mu held.
func (f *flow) free() {
	close(f.wake)
	f.wake = make(chan struct{})
}

// acquire waits for a slot; release gives it back.
func (f *flow) acquire(ctx context.Context) error {
	for {
		f.mu.Lock()
		if f.running < f.allowed {
			f.running++
			f.mu.Unlock()
			return nil
		}
		wake := f.wake
		f.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (f *flow) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running--
	f.free()
}

// spend waits until the limits allow for so many rows and bytes. Of a page it is
// called afterwards: the next one waits.
func (f *flow) spend(ctx context.Context, rows, bytes int) error {
	for _, x := range []struct {
		of *rate.Limiter
		n  int
	}{{f.rows, rows}, {f.bytes, bytes}} {
		// A limiter gives out no more than its burst at once.
		for n := x.n; n > 0 && x.of.Limit() != rate.Inf; {
			some := min(n, x.of.Burst())
			if err := x.of.WaitN(ctx, some); err != nil {
				if cause := context.Cause(ctx); cause != nil {
					return cause
				}
				return err
			}
			n -= some
		}
	}
	return nil
}

// Done implements exec.Observer.
func (f *flow) Done(e *exec.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Err != nil && (e.Err.Kind == errs.Timeout || e.Err.Kind == errs.Overloaded) {
		f.allowed = max(1, f.allowed/2)
	}
	_ = f.times.RecordValue(max(1, e.Duration.Microseconds())) // an hour is more than any request takes
	if time.Since(f.last) < adjustEvery {
		return
	}
	f.last = time.Now()
	if f.times.TotalCount() >= fewestRequests {
		f.p99 = time.Duration(f.times.ValueAtQuantile(99)) * time.Microsecond
		if f.p99 > time.Duration(f.limits.P99Milliseconds*float64(time.Millisecond)) {
			f.allowed = max(1, f.allowed*3/4)
		} else if f.allowed < f.limits.Concurrency {
			f.allowed++
			f.free()
		}
	}
	f.times.Reset()
}

// state tells what is in force.
func (f *flow) state() (allowed int, p99 time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.allowed, f.p99
}
