package storelevel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// errSkipped is the error of a call whose predecessor failed for good.
var errSkipped = errors.New("skipped: a call that it follows failed for good")

// player makes the calls of sequences and measures them.
type player struct {
	o      Options
	stores *arm.Stores

	locks    sync.Map // shard -> chan struct{}
	inFlight atomic.Int64

	mu          sync.Mutex
	measuring   bool
	calls       map[string]*meter
	texts       map[string]struct{}
	statements  int64
	failures    int // since the last success
	lastSuccess time.Time
	lastError   error
	dead        context.CancelCauseFunc
}

// meter is what is known of one kind of call.
type meter struct {
	call  *result.Call
	texts map[string]struct{}
}

func newPlayer(o Options, stores *arm.Stores) *player {
	return &player{o: o, stores: stores, calls: map[string]*meter{}, texts: map[string]struct{}{}, lastSuccess: time.Now(), dead: func(error) {}}
}

// lock takes the right to write a shard; the returned function gives it back.
func (pl *player) lock(ctx context.Context, shard int32) (func(), error) {
	if shard == 0 {
		return func() {}, nil
	}
	v, _ := pl.locks.LoadOrStore(shard, make(chan struct{}, 1))
	turn := v.(chan struct{}) //nolint:forcetypeassert // only these are stored
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// play makes one call when those before it have ended.
func (pl *player) play(ctx context.Context, o *op) error {
	defer close(o.done)
	for _, before := range o.after {
		select {
		case <-before.done:
			if before.failed {
				o.failed = true
				return errSkipped
			}
		case <-ctx.Done():
			o.failed = true
			return ctx.Err()
		}
	}
	unlock, err := pl.lock(ctx, o.shard)
	if err != nil {
		o.failed = true
		return err
	}
	defer unlock()
	err = pl.once(ctx, o)
	if err != nil && o.writes() {
		pl.recover(ctx, o)
	}
	return err
}

// writes tells whether the state depends on the call.
func (o *op) writes() bool {
	switch o.name {
	case getWorkflow, getCurrent, readHistory, getTransfer, getTimer, getTasks:
		return false
	}
	return true
}

// once makes the call and measures it.
func (pl *player) once(ctx context.Context, o *op) error {
	ctx, cancel := context.WithTimeout(ctx, pl.o.Timeout)
	defer cancel()
	ctx, usage := arm.Metered(ctx)
	pl.inFlight.Add(1)
	began := time.Now()
	err := o.call(ctx, pl.stores)
	took := time.Since(began)
	pl.inFlight.Add(-1)
	pl.note(o.name, took, usage, err)
	return err
}

func (pl *player) note(name string, took time.Duration, usage *arm.Usage, err error) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if err == nil {
		pl.failures, pl.lastSuccess = 0, time.Now()
	} else {
		pl.failures++
		pl.lastError = fmt.Errorf("%s: %w", name, err)
		if quiet := time.Since(pl.lastSuccess); pl.failures >= 10 && quiet >= pl.o.DeadAfter {
			pl.dead(fmt.Errorf("no call has succeeded for %s; the last error is %w: see whether the database is up", quiet.Round(time.Second), pl.lastError))
		}
	}
	if !pl.measuring {
		return
	}
	m := pl.calls[name]
	if m == nil {
		m = &meter{call: result.NewCall(), texts: map[string]struct{}{}}
		pl.calls[name] = m
	}
	if err == nil {
		m.call.Service.Record(took)
		m.call.Completed++
	} else {
		kind, refused, unknown := class(err)
		m.call.Errors[kind]++
		if refused {
			m.call.Refusals++
		}
		if unknown {
			m.call.Unknown++
		}
	}
	if !pl.stores.Counted {
		return
	}
	add := func(to **int64, n int64) {
		if *to == nil {
			*to = new(int64)
		}
		**to += n
	}
	add(&m.call.Statements, usage.Statements.Load())
	add(&m.call.RoundTrips, usage.Trips.Load())
	add(&m.call.Attempts, usage.Attempts.Load())
	add(&m.call.Rows, usage.Rows.Load())
	add(&m.call.BytesOut, usage.BytesOut.Load())
	if in := usage.BytesIn.Load(); in > 0 || m.call.BytesIn != nil {
		add(&m.call.BytesIn, in)
	}
	pl.statements += usage.Statements.Load()
	usage.Texts(func(t string) {
		m.texts[t] = struct{}{}
		pl.texts[t] = struct{}{}
	})
	n := int64(len(m.texts))
	m.call.Texts = &n
}

// recover repeats a write that failed until it is done, so that both arms end in
// the same state. It is not measured: the error was.
func (pl *player) recover(ctx context.Context, o *op) {
	for wait := 50 * time.Millisecond; wait < 5*time.Second; wait *= 2 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			o.failed = true
			return
		}
		attempt, cancel := context.WithTimeout(ctx, pl.o.Timeout)
		applied, err := false, error(nil)
		if o.settle != nil {
			applied, err = o.settle(attempt, pl.stores)
		}
		if err == nil && !applied {
			err = o.call(attempt, pl.stores)
		}
		cancel()
		if err == nil {
			return
		}
	}
	o.failed = true
}

// class names an error and says what it means for a write.
func class(err error) (kind string, refused, unknown bool) {
	var (
		lost        *p.ShardOwnershipLostError
		current     *p.CurrentWorkflowConditionFailedError
		workflow    *p.WorkflowConditionFailedError
		condition   *p.ConditionFailedError
		timeout     *p.TimeoutError
		unavailable *serviceerror.Unavailable
		exhausted   *serviceerror.ResourceExhausted
		notFound    *serviceerror.NotFound
	)
	switch {
	case errors.Is(err, errSkipped):
		return "skipped", false, false
	case errors.As(err, &lost):
		return "shard ownership lost", true, false
	case errors.As(err, &current), errors.As(err, &workflow), errors.As(err, &condition):
		return "condition refused", true, false
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded):
		return "timeout", false, true
	case errors.Is(err, context.Canceled):
		return "cancelled", false, true
	case errors.As(err, &exhausted):
		return "overloaded", false, false
	case errors.As(err, &unavailable):
		return "unavailable", false, true
	case errors.As(err, &notFound):
		return "not found", false, false
	default:
		return fmt.Sprintf("%T", err), false, true
	}
}

// offer plays a sequence at its times.
func (pl *player) offer(ctx context.Context, ops []*op, schedule load.Schedule, t *timeline) (*load.Measured, int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pl.mu.Lock()
	pl.dead = cancel
	pl.lastSuccess, pl.failures = time.Now(), 0
	pl.mu.Unlock()
	var unfinished atomic.Int64
	began := time.Now()
	var ended atomic.Int64
	measured, err := load.Open(ctx, schedule, func(ctx context.Context, i int) (string, error) {
		if i == len(ops)-1 {
			unfinished.Store(int64(i) - ended.Load())
		}
		err := pl.play(ctx, ops[i])
		ended.Add(1)
		if t != nil && err == nil {
			t.add(schedule[i], time.Since(began)-schedule[i])
		}
		return ops[i].name, err
	}, load.Options{InFlight: pl.o.InFlight, Class: func(err error) string { kind, _, _ := class(err); return kind }})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
	}
	return measured, unfinished.Load(), err
}

// timeline collects response times by the second in which they were intended.
type timeline struct {
	mu      sync.Mutex
	seconds [][]time.Duration
}

func (t *timeline) add(intended, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := int(intended / time.Second)
	for len(t.seconds) <= i {
		t.seconds = append(t.seconds, nil)
	}
	t.seconds[i] = append(t.seconds[i], took)
}

// series renders the timeline.
func (t *timeline) series() []result.Series {
	rate := result.Series{Name: result.SeriesRate, Unit: "calls/s"}
	p50 := result.Series{Name: result.SeriesP50, Unit: "ms"}
	p99 := result.Series{Name: result.SeriesP99, Unit: "ms"}
	for i, all := range t.seconds {
		at := float64(i)
		rate.Points = append(rate.Points, [2]float64{at, float64(len(all))})
		if len(all) == 0 {
			continue
		}
		slices.Sort(all)
		q := func(share float64) float64 { return ms(all[min(len(all)-1, int(share*float64(len(all))))]) }
		p50.Points = append(p50.Points, [2]float64{at, q(0.5)})
		p99.Points = append(p99.Points, [2]float64{at, q(0.99)})
	}
	return []result.Series{rate, p50, p99}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
