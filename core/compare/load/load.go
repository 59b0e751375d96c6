// Package load offers work at times that were set beforehand and measures how long
// each piece took from its intended time on.
//
// A client that waits for an answer before it asks again (a closed loop) stops
// asking while the server stands still, so that a stall of ten seconds is one slow
// request among thousands. In an open loop the requests that users would have sent
// meanwhile are late as well, and count as late. [Measured] keeps both times apart:
// response time, from the intended start, and service time, from the actual one.
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Schedule holds the intended start of each piece of work, counted from the start
// of the run, ascending.
type Schedule []time.Duration

// Poisson returns the arrivals of independent users: rate a second, for d. Equal
// seeds give equal schedules.
func Poisson(rate float64, d time.Duration, seed uint64) Schedule {
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)) //nolint:gosec // both arms must get the same schedule
	var s Schedule
	for at := rng.ExpFloat64() / rate; ; at += rng.ExpFloat64() / rate {
		intended := time.Duration(at * float64(time.Second))
		if intended >= d {
			return s
		}
		s = append(s, intended)
	}
}

// Constant returns arrivals at equal distances: rate a second, for d.
func Constant(rate float64, d time.Duration) Schedule {
	n := int(rate * d.Seconds())
	s := make(Schedule, n)
	for i := range s {
		s[i] = time.Duration(float64(i) / rate * float64(time.Second))
	}
	return s
}

// Work does piece i and says what kind of work it was. The context ends with the
// run's.
type Work func(ctx context.Context, i int) (kind string, err error)

// Options say how to run a schedule.
type Options struct {
	// InFlight bounds how many pieces are under way; the others wait, which is
	// part of their response time. 0: no bound but memory's.
	InFlight int
	// Class names an error for the counts. Nil counts all of them as "error".
	Class func(error) string
	// Warmup leaves out of the measurement whatever was intended before this time.
	Warmup time.Duration
}

// Kind is what was measured of one kind of work.
type Kind struct {
	Response *Histogram     `json:"response"` // of pieces that ended without an error
	Service  *Histogram     `json:"service"`
	Errors   map[string]int `json:"errors,omitempty"` // by class
}

// Measured is the outcome of a run.
type Measured struct {
	Kinds map[string]*Kind `json:"kinds"`
	// Lag is how late the generator itself was: from the intended start to the
	// moment that it turned to the piece. A generator that lags has not offered
	// the load that it claims.
	Lag *Histogram `json:"lag"`
	// Offered pieces were intended within Took, after the warm-up; Done ended
	// without an error.
	Offered int           `json:"offered"`
	Done    int           `json:"done"`
	Took    time.Duration `json:"took"` // from the end of the warm-up to the last answer
}

func newMeasured() *Measured {
	return &Measured{Kinds: map[string]*Kind{}, Lag: NewHistogram()}
}

// Kind returns what was measured of a kind, empty if there was none.
func (m *Measured) Kind(name string) *Kind {
	k, ok := m.Kinds[name]
	if !ok {
		k = &Kind{Response: NewHistogram(), Service: NewHistogram(), Errors: map[string]int{}}
		m.Kinds[name] = k
	}
	return k
}

// Merge adds what another run measured.
func (m *Measured) Merge(other *Measured) {
	for name, k := range other.Kinds {
		mine := m.Kind(name)
		mine.Response.Merge(k.Response)
		mine.Service.Merge(k.Service)
		for class, n := range k.Errors {
			mine.Errors[class] += n
		}
	}
	m.Lag.Merge(other.Lag)
	m.Offered += other.Offered
	m.Done += other.Done
	m.Took += other.Took
}

// recorder collects from many goroutines.
type recorder struct {
	mu       sync.Mutex
	measured *Measured
	class    func(error) string
}

func (r *recorder) lag(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.measured.Offered++
	r.measured.Lag.Record(d)
}

func (r *recorder) done(kind string, err error, response, service time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.measured.Kind(kind)
	if err != nil {
		k.Errors[r.class(err)]++
		return
	}
	r.measured.Done++
	k.Response.Record(response)
	k.Service.Record(service)
}

// Open runs a schedule and returns when its last piece has ended. A piece is
// started at its time whatever became of those before it. If ctx ends first, the
// rest is not started, what is under way is waited for, and the error is ctx's
// beside what was measured.
func Open(ctx context.Context, schedule Schedule, work Work, o Options) (*Measured, error) {
	r := newRecorder(o)
	var slots chan struct{}
	if o.InFlight > 0 {
		slots = make(chan struct{}, o.InFlight)
	}
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var all sync.WaitGroup
	for i, intended := range schedule {
		if err := sleepUntil(ctx, timer, start.Add(intended)); err != nil {
			break
		}
		counts := intended >= o.Warmup
		if counts {
			r.lag(time.Since(start) - intended)
		}
		all.Go(func() {
			if slots != nil {
				slots <- struct{}{}
				defer func() { <-slots }()
			}
			began := time.Since(start)
			kind, err := work(ctx, i)
			if ended := time.Since(start); counts {
				r.done(kind, err, ended-intended, ended-began)
			}
		})
	}
	all.Wait()
	r.measured.Took = max(0, time.Since(start)-o.Warmup)
	return r.measured, ctx.Err()
}

// Closed has n clients do one piece after the other for d; response and service
// time are the same. Pieces are numbered over all clients. It serves the questions
// "how many a second with n in flight"; for latencies ask [Open].
func Closed(ctx context.Context, n int, d time.Duration, work Work, o Options) (*Measured, error) {
	if n < 1 {
		return nil, fmt.Errorf("closed loop of %d clients: give at least 1", n)
	}
	r := newRecorder(o)
	start := time.Now()
	var (
		next sync.Mutex
		i    int
		all  sync.WaitGroup
	)
	take := func() (piece int, counts, ok bool) {
		next.Lock()
		defer next.Unlock()
		elapsed := time.Since(start)
		if ctx.Err() != nil || elapsed >= o.Warmup+d {
			return 0, false, false
		}
		i++
		return i - 1, elapsed >= o.Warmup, true
	}
	for range n {
		all.Go(func() {
			for {
				piece, counts, ok := take()
				if !ok {
					return
				}
				began := time.Now()
				kind, err := work(ctx, piece)
				if took := time.Since(began); counts {
					r.lag(0)
					r.done(kind, err, took, took)
				}
			}
		})
	}
	all.Wait()
	r.measured.Took = max(0, time.Since(start)-o.Warmup)
	return r.measured, ctx.Err()
}

func newRecorder(o Options) *recorder {
	r := &recorder{measured: newMeasured(), class: o.Class}
	if r.class == nil {
		r.class = func(error) string { return "error" }
	}
	return r
}

// sleepUntil returns at the given time, or with ctx's error before it.
func sleepUntil(ctx context.Context, timer *time.Timer, at time.Time) error {
	if wait := time.Until(at); wait > 0 {
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// ErrLagged is returned by [Measured.Check].
var ErrLagged = errors.New("the load generator lagged")

// Check tells whether the generator offered what it claims: nine hundred and
// ninety-nine of a thousand pieces were turned to within limit.
func (m *Measured) Check(limit time.Duration) error {
	if lag := m.Lag.Quantile(0.999); lag > limit {
		return fmt.Errorf("%w: %s at the 99.9th percentile, at most %s counts as in time", ErrLagged, lag, limit)
	}
	return nil
}
