package cassandra

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// adminTimeout is the least that schema work waits for an answer.
const adminTimeout = 60 * time.Second

// renewEvery is the least time between two attempts to make a session anew.
const renewEvery = 2 * time.Second

// session implements cql.Session over gocql. gocql mends single connections by
// itself; when none is left, or its hosts have other addresses than it knows,
// the whole gocql session is made anew beside the work that goes on failing.
type session struct {
	options *Options
	make    func(context.Context) (*gocql.Session, error)
	release func() // of what the sessions share
	log     *slog.Logger
	metrics backend.Metrics

	retry       gocql.RetryPolicy
	speculation gocql.SpeculativeExecutionPolicy

	current  atomic.Pointer[gocql.Session] // nil once closed
	renewing atomic.Bool
	mu       sync.Mutex // guards renewed and closed
	renewed  time.Time
	closed   bool
	stop     context.CancelFunc
	stopped  context.Context
}

func newSession(o *Options, first *gocql.Session, remake func(context.Context) (*gocql.Session, error), release func(), log *slog.Logger, m backend.Metrics) *session {
	s := &session{options: o, make: remake, release: release, log: log, metrics: m, renewed: time.Now()}
	s.stopped, s.stop = context.WithCancel(context.Background())
	if o.Retries > 0 {
		s.retry = nextHost{attempts: o.Retries}
	}
	s.speculation = &gocql.SimpleSpeculativeExecution{NumAttempts: o.Speculation.Attempts, TimeoutDelay: o.Speculation.Delay}
	s.current.Store(first)
	s.gauge(1)
	return s
}

// nextHost tries idempotent statements again where another host may help.
type nextHost struct{ attempts int }

// Attempt implements gocql.RetryPolicy.
func (n nextHost) Attempt(q gocql.RetryableQuery) bool { return q.Attempts() <= n.attempts }

// GetRetryType implements gocql.RetryPolicy.
func (n nextHost) GetRetryType(err error) gocql.RetryType {
	var e *cql.Error
	if errors.As(convertError(err), &e) && e.Reach == cql.Replied {
		switch e.Code {
		case cql.CodeUnavailable, cql.CodeOverloaded, cql.CodeBootstrapping, cql.CodeReadTimeout,
			cql.CodeReadFailure, cql.CodeWriteTimeout, cql.CodeServer:
		default:
			return gocql.Rethrow // another host would say the same
		}
	}
	return gocql.RetryNextHost
}

// Exec implements cql.Session.
func (s *session) Exec(ctx context.Context, step *cql.Step) (cql.Result, error) {
	g := s.current.Load()
	if g == nil {
		return cql.Result{}, cql.ErrClosed
	}
	var res cql.Result
	var err error
	switch {
	case step.Mode == cql.Parallel:
		return s.parallel(ctx, step)
	case len(step.Calls) == 1 && step.Calls[0].Conditional:
		res, err = s.conditional(ctx, g, step.Calls[0])
	case len(step.Calls) == 1:
		res.Applied = true
		err = s.query(ctx, g, step.Calls[0]).Exec()
	default:
		res, err = s.batch(ctx, g, step)
	}
	if err != nil {
		return cql.Result{}, s.failed(g, err)
	}
	return res, nil
}

func (s *session) query(ctx context.Context, g *gocql.Session, c cql.Call) *gocql.Query {
	q := g.Query(c.Text, arguments(c.Args)...).WithContext(ctx)
	if c.Idempotent {
		q.Idempotent(true).SetSpeculativeExecutionPolicy(s.speculation)
		if s.retry != nil {
			q.RetryPolicy(s.retry)
		}
	}
	return q
}

// conditional runs one statement with IF. Its result has metadata of its own,
// other than what PREPARE promised, so the server must send it along.
func (s *session) conditional(ctx context.Context, g *gocql.Session, c cql.Call) (cql.Result, error) {
	iter := s.query(ctx, g, c).NoSkipMetadata().Iter()
	res := cql.Result{Applied: true}
	err := casRows(iter, &res)
	if closeErr := iter.Close(); closeErr != nil {
		err = closeErr
	}
	return res, err
}

func (s *session) batch(ctx context.Context, g *gocql.Session, step *cql.Step) (cql.Result, error) {
	kind := gocql.LoggedBatch
	if step.Mode == cql.Unlogged {
		kind = gocql.UnloggedBatch
	}
	b := g.NewBatch(kind).WithContext(ctx)
	b.Entries = make([]gocql.BatchEntry, len(step.Calls))
	conditional, idempotent := false, true
	for i, c := range step.Calls {
		b.Entries[i] = gocql.BatchEntry{Stmt: c.Text, Args: arguments(c.Args), Idempotent: c.Idempotent}
		conditional = conditional || c.Conditional
		idempotent = idempotent && c.Idempotent
	}
	if !conditional {
		if idempotent && s.retry != nil {
			b.RetryPolicy(s.retry)
		}
		return cql.Result{Applied: true}, g.ExecuteBatch(b)
	}
	return casBatch(g, b, step.Shown)
}

func (s *session) parallel(ctx context.Context, step *cql.Step) (cql.Result, error) {
	failures := make([]error, len(step.Calls))
	var wg sync.WaitGroup
	for i := range step.Calls {
		wg.Go(func() {
			_, failures[i] = s.Exec(ctx, &cql.Step{Mode: cql.Single, Calls: step.Calls[i : i+1]})
		})
	}
	wg.Wait()
	for _, err := range failures {
		if err != nil {
			return cql.Result{}, err
		}
	}
	return cql.Result{Applied: true}, nil
}

// Query implements cql.Session.
func (s *session) Query(ctx context.Context, c cql.Call, page cql.Page) (cql.Rows, error) {
	g := s.current.Load()
	if g == nil {
		return nil, cql.ErrClosed
	}
	size := page.Size
	if size <= 0 {
		size = s.options.PageSize
	}
	// PageState, nil included, keeps gocql from fetching further pages by itself.
	iter := s.query(ctx, g, c).PageSize(size).PageState(page.Token).Iter()
	return &rows{iter: iter, failed: func(err error) error { return s.failed(g, err) }}, nil
}

// Close implements cql.Session. Work under way fails with an unknown outcome.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.stop()
	if g := s.current.Swap(nil); g != nil {
		g.Close()
	}
	s.release()
	s.gauge(0)
	return nil
}

// failed converts an error and, if it says that the way to the database is
// lost, has the session made anew.
func (s *session) failed(g *gocql.Session, err error) error {
	if lost(err) && s.current.Load() == g {
		s.renew(g)
	}
	return convertError(err)
}

func (s *session) renew(old *gocql.Session) {
	if !s.renewing.CompareAndSwap(false, true) {
		return
	}
	s.mu.Lock()
	wait := renewEvery - time.Since(s.renewed)
	s.mu.Unlock()
	go func() {
		defer s.renewing.Store(false)
		if wait > 0 {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-s.stopped.Done():
				return
			}
		}
		fresh, err := s.make(s.stopped)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.renewed = time.Now()
		switch {
		case err != nil:
			s.gauge(0)
			s.count("session_renewal_failed")
			s.log.Warn("connecting to Cassandra again", "hosts", s.options.Hosts, "error", err)
		case s.closed || !s.current.CompareAndSwap(old, fresh):
			fresh.Close()
		default:
			s.gauge(1)
			s.count("session_renewed")
			s.log.Info("connected to Cassandra again", "hosts", s.options.Hosts)
			old.Close()
		}
	}()
}

func (s *session) count(name string) {
	if s.metrics != nil {
		s.metrics.Count(name, 1)
	}
}

func (s *session) gauge(v float64) {
	if s.metrics != nil {
		s.metrics.Gauge("session_up", v)
	}
}
