package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// NewExecutor returns an Executor over s that has these traits.
func NewExecutor(s *State, traits cql.Traits) exec.Executor {
	return exec.New(NewSession(s), NewDialect(traits), nil)
}

// Dialect compiles plans to themselves. It goes with a [Session] of this
// package, and lets package exec, or a session that injects faults, run as with
// any other.
type Dialect struct{ traits cql.Traits }

var _ dialect.Dialect = (*Dialect)(nil)

// NewDialect returns a dialect with these traits. Atomic defaults to
// AtomicTables; the space of hashes is the interpreter's own, and executions are
// not listed by shard but by hash.
func NewDialect(traits cql.Traits) *Dialect {
	if traits.Atomic == 0 {
		traits.Atomic = cql.AtomicTables
	}
	traits.HashMin, traits.HashMax, traits.ShardPartition = hashMin, hashMax, false
	return &Dialect{traits: traits}
}

// Name implements dialect.Dialect.
func (*Dialect) Name() string { return "memory" }

// Traits implements dialect.Dialect.
func (d *Dialect) Traits() cql.Traits { return d.traits }

// Texts implements dialect.Dialect.
func (*Dialect) Texts() []string { return nil }

// CompileWrite implements dialect.Dialect: one step that holds the write.
func (*Dialect) CompileWrite(w *plan.Write) (*cql.Program, error) {
	if err := check(w); err != nil {
		return nil, err
	}
	call := cql.Call{
		Statement: &cql.Statement{Text: w.Name, Plan: w.Name, Conditional: w.Conditional()},
		Args:      []any{w},
	}
	return &cql.Program{Plan: w.Name, Steps: []cql.Step{{Mode: cql.Single, Calls: []cql.Call{call}}}}, nil
}

// Observe implements dialect.Dialect: the session shows every row that the
// write touches.
func (*Dialect) Observe(w *plan.Write, res cql.Result) ([]plan.Seen, error) {
	if len(res.Rows) == 1 {
		if seen, ok := res.Rows[0][seenKey].([]plan.Seen); ok {
			return seen, nil
		}
	}
	return make([]plan.Seen, len(w.Mutations)), nil
}

// Classify implements dialect.Dialect, for the errors of sessions of this
// package and of those around them.
func (*Dialect) Classify(err error, write bool) (errs.Kind, errs.Outcome) {
	outcome := errs.NotApplied
	if write {
		outcome = errs.Unknown
	}
	var e *cql.Error
	switch {
	case errors.Is(err, context.Canceled):
		return errs.Canceled, outcome
	case errors.Is(err, context.DeadlineExceeded):
		return errs.Timeout, outcome
	case errors.Is(err, cql.ErrClosed):
		return errs.Closed, errs.NotApplied
	case !errors.As(err, &e):
		return errs.Internal, outcome
	case e.Reach == cql.Unsent:
		return errs.Unavailable, errs.NotApplied
	case e.Reach == cql.Sent:
		return errs.Timeout, outcome
	}
	switch e.Code {
	case cql.CodeWriteTimeout, cql.CodeReadTimeout, cql.CodeCASUnknown:
		return errs.Timeout, outcome
	case cql.CodeOverloaded:
		return errs.Overloaded, errs.NotApplied
	case cql.CodeInvalid, cql.CodeSyntax:
		return errs.Invalid, errs.NotApplied
	case cql.CodeUnauthorized, cql.CodeCredentials:
		return errs.Unauthorized, errs.NotApplied
	case cql.CodeBootstrapping:
		return errs.Unavailable, errs.NotApplied
	}
	return errs.Unavailable, outcome
}

// CompileRead implements dialect.Dialect.
func (*Dialect) CompileRead(r *plan.Read) (dialect.ReadProgram, error) {
	if r.Eq > len(r.Table.Key) || r.Eq+max(r.From.Width, r.To.Width) > len(r.Table.Key) {
		return nil, fmt.Errorf("%s: table %s has %d key columns", r.Name, r.Table, len(r.Table.Key))
	}
	return &readProgram{read: r, statement: &cql.Statement{Text: r.Name, Plan: r.Name, Idempotent: true}}, nil
}

type readProgram struct {
	read      *plan.Read
	statement *cql.Statement
}

func (*readProgram) Parts([]any) int { return 1 }

func (p *readProgram) Bind(_ int, args []any) (cql.Call, dialect.RowDecoder, error) {
	return cql.Call{Statement: p.statement, Args: []any{p.read, args}}, &rowDecoder{}, nil
}

type rowDecoder struct{ values []any }

func (d *rowDecoder) Dest() []any { return []any{&d.values} }

func (d *rowDecoder) Decode(out []any) (bool, error) {
	copy(out, d.values)
	return true, nil
}

// seenKey is the column under which a refusal carries its observations.
const seenKey = "[seen]"

// Session runs the programs of this package's dialect.
type Session struct{ state *State }

var _ cql.Session = (*Session)(nil)

// NewSession returns a session over s.
func NewSession(s *State) *Session { return &Session{state: s} }

// Exec implements cql.Session.
func (s *Session) Exec(ctx context.Context, step *cql.Step) (cql.Result, error) {
	if err := ctx.Err(); err != nil {
		return cql.Result{}, err
	}
	w, ok := step.Calls[0].Args[0].(*plan.Write)
	if !ok {
		return cql.Result{}, errors.New("step is not one of the memory dialect")
	}
	seen, err := s.state.Apply(w)
	if err != nil {
		return cql.Result{}, &cql.Error{Reach: cql.Replied, Code: cql.CodeInvalid, Message: err.Error()}
	}
	if seen != nil {
		return cql.Result{Rows: []cql.Row{{seenKey: seen}}}, nil
	}
	return cql.Result{Applied: true}, nil
}

// Query implements cql.Session.
func (s *Session) Query(ctx context.Context, c cql.Call, page cql.Page) (cql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, ok := c.Args[0].(*plan.Read)
	if !ok {
		return nil, errors.New("call is not one of the memory dialect")
	}
	args, _ := c.Args[1].([]any)
	values, token, err := s.state.Read(r, plan.Page(page), args...)
	if err != nil {
		return nil, &cql.Error{Reach: cql.Replied, Code: cql.CodeInvalid, Message: err.Error()}
	}
	return &rows{values: values, token: token}, nil
}

// Close implements cql.Session.
func (*Session) Close() error { return nil }

type rows struct {
	values [][]any
	token  []byte
}

func (r *rows) Scan(dest ...any) bool {
	if len(r.values) == 0 {
		return false
	}
	if into, ok := dest[0].(*[]any); ok {
		*into = slices.Clone(r.values[0])
	}
	r.values = r.values[1:]
	return true
}

func (r *rows) Next() []byte { return r.token }

func (*rows) Close() error { return nil }
