package cassandra

import (
	"context"
	"errors"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// session implements cql.Session over gocql.
type session struct {
	options *Options
	link    *client.Link[*gocql.Session]

	retry       gocql.RetryPolicy
	speculation gocql.SpeculativeExecutionPolicy
}

func newSession(o *Options, link *client.Link[*gocql.Session]) *session {
	s := &session{options: o, link: link}
	if o.Retries > 0 {
		s.retry = nextHost{attempts: o.Retries}
	}
	s.speculation = &gocql.SimpleSpeculativeExecution{NumAttempts: o.Speculation.Attempts, TimeoutDelay: o.Speculation.Delay}
	return s
}

// nextHost tries idempotent statements again where another host may help.
type nextHost struct{ attempts int }

// Attempt implements gocql.RetryPolicy.
func (n nextHost) Attempt(q gocql.RetryableQuery) bool { return q.Attempts() <= n.attempts }

// GetRetryType implements gocql.RetryPolicy.
func (n nextHost) GetRetryType(err error) gocql.RetryType {
	var e *cql.Error
	if errors.As(convertError(err), &e) && !client.OtherHostHelps(e) {
		return gocql.Rethrow
	}
	return gocql.RetryNextHost
}

// Exec implements cql.Session.
func (s *session) Exec(ctx context.Context, step *cql.Step) (cql.Result, error) {
	g, ok := s.link.Current()
	if !ok {
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
	err := client.Parallel(len(step.Calls), func(i int) error {
		_, err := s.Exec(ctx, &cql.Step{Mode: cql.Single, Calls: step.Calls[i : i+1]})
		return err
	})
	return cql.Result{Applied: err == nil}, err
}

// Query implements cql.Session.
func (s *session) Query(ctx context.Context, c cql.Call, page cql.Page) (cql.Rows, error) {
	g, ok := s.link.Current()
	if !ok {
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
	s.link.Close()
	return nil
}

// failed converts an error and, if it says that the way to the database is
// lost, has the session made anew.
func (s *session) failed(g *gocql.Session, err error) error {
	if client.Lost(err, noWay) {
		s.link.Renew(g)
	}
	return convertError(err)
}
