// Package cqltest gives tests a hand on what passes between stores and a
// database: requests can be recorded, held back, refused, and their answers
// lost.
package cqltest

import (
	"context"
	"sync"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// Request is one request to a database.
type Request struct {
	// Plan is the name that [WithPlan] put into the context; without one, that of
	// the first statement, which for writes may be shared by many plans.
	Plan  string
	Write bool
	Calls []cql.Call
}

type planKey struct{}

// WithPlan tells a [Tap] which plan the requests made with ctx belong to.
func WithPlan(ctx context.Context, plan string) context.Context {
	return context.WithValue(ctx, planKey{}, plan)
}

// Tap is a session around another. Its hooks may be nil, and may be changed at
// any time; they are called by the goroutine that makes the request and may
// block. It is safe for concurrent use.
type Tap struct {
	session cql.Session

	mu     sync.Mutex
	before func(context.Context, Request) error
	after  func(context.Context, Request, error) error
	seen   []Request
}

var _ cql.Session = (*Tap)(nil)

// NewTap returns a tap on s, which it closes when it is closed.
func NewTap(s cql.Session) *Tap { return &Tap{session: s} }

// Before sets the hook that is called before a request is sent. An error is the
// request's answer: it is not sent.
func (t *Tap) Before(hook func(context.Context, Request) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.before = hook
}

// After sets the hook that is called when a request was answered, with its error
// if it had one. What the hook returns takes the place of that: an error means
// that the answer is lost. It must not make an error go away.
func (t *Tap) After(hook func(ctx context.Context, r Request, err error) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.after = hook
}

// Take returns the requests since the last Take, in the order in which they
// were made. Those that Before refused are among them.
func (t *Tap) Take() []Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := t.seen
	t.seen = nil
	return seen
}

func request(ctx context.Context, write bool, calls []cql.Call) Request {
	r := Request{Write: write, Calls: calls}
	if len(calls) > 0 {
		r.Plan = calls[0].Plan
	}
	if plan, ok := ctx.Value(planKey{}).(string); ok {
		r.Plan = plan
	}
	return r
}

func (t *Tap) begin(ctx context.Context, r Request) (func(context.Context, Request, error) error, error) {
	t.mu.Lock()
	t.seen = append(t.seen, r)
	before, after := t.before, t.after
	t.mu.Unlock()
	if before != nil {
		if err := before(ctx, r); err != nil {
			return nil, err
		}
	}
	return after, nil
}

// Exec implements cql.Session.
func (t *Tap) Exec(ctx context.Context, s *cql.Step) (cql.Result, error) {
	r := request(ctx, true, s.Calls)
	after, err := t.begin(ctx, r)
	if err != nil {
		return cql.Result{}, err
	}
	res, err := t.session.Exec(ctx, s)
	if after != nil {
		err = after(ctx, r, err)
	}
	if err != nil {
		return cql.Result{}, err
	}
	return res, nil
}

// Query implements cql.Session.
func (t *Tap) Query(ctx context.Context, c cql.Call, page cql.Page) (cql.Rows, error) {
	r := request(ctx, false, []cql.Call{c})
	after, err := t.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	rows, err := t.session.Query(ctx, c, page)
	if after != nil {
		err = after(ctx, r, err)
	}
	if err != nil {
		if rows != nil {
			_ = rows.Close()
		}
		return nil, err
	}
	return rows, nil
}

// Close implements cql.Session.
func (t *Tap) Close() error { return t.session.Close() }

// FailPlan returns a Before hook that answers every request of a plan with err
// and does not send it.
func FailPlan(plan string, err error) func(context.Context, Request) error {
	return func(_ context.Context, r Request) error {
		if r.Plan == plan {
			return err
		}
		return nil
	}
}
