package yugabyte

import (
	"context"
	"errors"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	variant "github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// session implements cql.Session over gocql.
type session struct {
	options *Options
	link    *client.Link[*gocql.Session]

	retry       gocql.RetryPolicy // of idempotent statements
	speculation gocql.SpeculativeExecutionPolicy
}

func newSession(o *Options, link *client.Link[*gocql.Session]) *session {
	return &session{
		options: o, link: link,
		retry:       idempotent{attempts: o.Retries},
		speculation: &gocql.SimpleSpeculativeExecution{NumAttempts: o.Speculation.Attempts, TimeoutDelay: o.Speculation.Delay},
	}
}

// idempotent tries statements again where another host may help.
type idempotent struct{ attempts int }

// Attempt implements gocql.RetryPolicy.
func (p idempotent) Attempt(q gocql.RetryableQuery) bool { return q.Attempts() <= p.attempts }

// GetRetryType implements gocql.RetryPolicy.
func (p idempotent) GetRetryType(err error) gocql.RetryType {
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
	case len(step.Calls) == 1:
		res, err = s.single(ctx, g, step.Calls[0])
	default:
		res, err = s.batch(ctx, g, step)
	}
	if err != nil {
		return s.failed(g, err)
	}
	return res, nil
}

func (s *session) query(ctx context.Context, g *gocql.Session, c cql.Call) *gocql.Query {
	q := g.Query(c.Text, arguments(c.Args)...).WithContext(ctx)
	if c.Idempotent {
		q.Idempotent(true).SetSpeculativeExecutionPolicy(s.speculation).RetryPolicy(s.retry)
	}
	return q
}

func (s *session) single(ctx context.Context, g *gocql.Session, c cql.Call) (cql.Result, error) {
	res := cql.Result{Applied: true}
	iter := s.query(ctx, g, c).Iter()
	if !c.Conditional {
		return res, iter.Close()
	}
	return res, casRows(iter, &res)
}

func (s *session) batch(ctx context.Context, g *gocql.Session, step *cql.Step) (cql.Result, error) {
	kind := gocql.LoggedBatch // the server makes no difference
	if step.Mode == cql.Unlogged {
		kind = gocql.UnloggedBatch
	}
	b := g.NewBatch(kind).WithContext(ctx)
	b.Entries = make([]gocql.BatchEntry, len(step.Calls))
	status := false
	for i, c := range step.Calls {
		b.Entries[i] = gocql.BatchEntry{Stmt: c.Text, Args: arguments(c.Args), Idempotent: c.Idempotent}
		status = status || c.Conditional
	}
	if b.IsIdempotent() {
		b.RetryPolicy(s.retry)
	}
	res := cql.Result{Applied: true}
	if !status {
		return res, g.ExecuteBatch(b)
	}
	return res, statusBatch(g, b, &res)
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
	return &rows{iter: iter, failed: func(err error) error {
		_, err = s.failed(g, err)
		return err
	}}, nil
}

// Close implements cql.Session. Work under way fails with an unknown outcome.
func (s *session) Close() error {
	s.link.Close()
	return nil
}

// failed converts an error and, if it says that the way to the database is
// lost, has the session made anew. The refusal of a block is no error.
func (s *session) failed(g *gocql.Session, err error) (cql.Result, error) {
	if client.Lost(err, noWay) {
		s.link.Renew(g)
	}
	converted := convertError(err)
	var e *cql.Error
	if errors.As(converted, &e) && variant.Refused(e) {
		return cql.Result{}, nil
	}
	return cql.Result{}, converted
}
