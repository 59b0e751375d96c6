package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// ReconnectEvery is how often a driver is to try hosts that are down. Their own
// default is a minute, which a restarted database would have to wait for.
const ReconnectEvery = 5 * time.Second

// AdminTimeout is the least that schema work waits for an answer.
const AdminTimeout = 60 * time.Second

// renewEvery is the least time between two attempts to make a session anew.
const renewEvery = 2 * time.Second

// openLimit bounds the making of a session, whatever the timeouts and the
// number of hosts: a start with a wrong address must fail while people watch.
const openLimit = 12 * time.Second

// Driver is a driver's session.
type Driver interface {
	comparable
	Close()
}

// Create makes a driver's session or gives up when ctx is done; drivers know no
// context here, so a late session is closed when it comes.
func Create[S Driver](ctx context.Context, create func() (S, error)) (S, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	type result struct {
		s   S
		err error
	}
	done := make(chan result, 1)
	go func() {
		s, err := create()
		done <- result{s, err}
	}()
	var none S
	select {
	case r := <-done:
		return r.s, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.s != none {
				r.s.Close()
			}
		}()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return none, fmt.Errorf("no answer within %s", openLimit)
		}
		return none, ctx.Err()
	}
}

// Link holds a driver's session. A driver mends single connections by itself;
// when none is left, or its hosts have other addresses than it knows, the whole
// session is made anew beside the work that goes on failing. It is safe for
// concurrent use.
type Link[S Driver] struct {
	product string
	hosts   []string
	make    func(context.Context) (S, error)
	release func() // of what the sessions share
	log     *slog.Logger
	metrics backend.Metrics

	current  atomic.Pointer[S] // nil once closed
	renewing atomic.Bool
	mu       sync.Mutex // guards renewed and closed
	renewed  time.Time
	closed   bool
	stop     context.CancelFunc
	stopped  context.Context
	work     sync.WaitGroup
}

// NewLink holds first, which remake replaces when it is lost. Close calls
// release, once. product and hosts are for messages.
func NewLink[S Driver](product string, hosts []string, first S, remake func(context.Context) (S, error), release func(), env backend.Env) *Link[S] {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:gosec // G118: Close calls it
	l := &Link[S]{
		stopped: ctx, stop: cancel,
		product: product, hosts: hosts, make: remake, release: release,
		log: Logger(env), metrics: env.Metrics, renewed: time.Now(),
	}
	l.current.Store(&first)
	l.gauge(1)
	return l
}

// Current returns the session, false once the link is closed.
func (l *Link[S]) Current() (S, bool) {
	p := l.current.Load()
	if p == nil {
		var none S
		return none, false
	}
	return *p, true
}

// Stopped is done once the link is closed.
func (l *Link[S]) Stopped() context.Context { return l.stopped }

// Close closes the session. Work under way fails with an unknown outcome.
func (l *Link[S]) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	l.stop()
	if p := l.current.Swap(nil); p != nil {
		(*p).Close()
	}
	l.release()
	l.mu.Unlock()
	l.work.Wait()
	l.gauge(0)
}

// Renew makes the session anew if it still is old, beside the caller.
func (l *Link[S]) Renew(old S) {
	if p := l.current.Load(); p == nil || *p != old || !l.renewing.CompareAndSwap(false, true) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.renewing.Store(false)
		return
	}
	wait := renewEvery - time.Since(l.renewed)
	l.work.Go(func() {
		defer l.renewing.Store(false)
		l.renew(old, wait)
	})
}

func (l *Link[S]) renew(old S, wait time.Duration) {
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.stopped.Done():
			return
		}
	}
	fresh, err := l.make(l.stopped)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed = time.Now()
	switch {
	case l.closed:
		if err == nil {
			fresh.Close()
		}
	case err != nil:
		l.gauge(0)
		l.Count("session_renewal_failed")
		l.log.Warn("connecting to "+l.product+" again", "hosts", l.hosts, "error", err)
	default:
		l.current.Store(&fresh)
		l.gauge(1)
		l.Count("session_renewed")
		l.log.Info("connected to "+l.product+" again", "hosts", l.hosts)
		old.Close()
	}
}

// Count adds one to a counter.
func (l *Link[S]) Count(name string, labels ...string) {
	if l.metrics != nil {
		l.metrics.Count(name, 1, labels...)
	}
}

func (l *Link[S]) gauge(v float64) {
	if l.metrics != nil {
		l.metrics.Gauge("session_up", v)
	}
}
