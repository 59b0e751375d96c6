// Package exec runs plans: it has a dialect compile them, sends the programs
// through a session, explains refusals, and reports every failure as an
// *errs.Error that says first whether the write was applied.
package exec

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// Executor is what stores run their plans on. It is safe for concurrent use.
// All errors are *errs.Error.
type Executor interface {
	// Compile compiles reads ahead of their use; a store calls it when it is
	// made, so that a dialect that cannot carry a read is refused at start.
	Compile(reads ...*plan.Read) error
	// Write runs one write. A refusal is an *errs.Error of kind Conflict whose
	// Err is a *plan.Conflict with the cause.
	Write(ctx context.Context, w *plan.Write) error
	// Read starts a read; the caller closes the Rows.
	Read(ctx context.Context, r *plan.Read, page plan.Page, args ...any) (*Rows, error)
	// Traits are those of the dialect.
	Traits() cql.Traits
}

// Event tells what one operation cost and how it ended.
type Event struct {
	// Ctx is the operation's: whoever counts by store call finds the call in it.
	Ctx        context.Context
	Plan       string
	Write      *plan.Write // nil for reads
	Read       *plan.Read  // nil for writes
	Args       []any       // of a read
	Start      time.Time
	Duration   time.Duration
	RoundTrips int  // requests that were waited for one after the other, explanations included
	Statements int  // statements sent
	Rows       int  // rows that a read returned
	Attempts   int  // how often the write was sent; 1 unless a refusal had no cause
	Refused    bool // a condition did not hold
	Err        *errs.Error
}

// Observer is told of every operation. It must not block.
type Observer interface {
	Done(e *Event)
}

// maxAttempts bounds how often a write is sent again whose refusal nothing
// explains any more: its cause has gone by the time the rows were read.
const maxAttempts = 3

// Runner is the Executor of one session and dialect.
type Runner struct {
	session cql.Session
	dialect dialect.Dialect
	observe Observer
	now     func() time.Time

	reads sync.Map // *plan.Read -> dialect.ReadProgram
	shows sync.Map // string (table and columns) -> *plan.Read
}

// New returns an Executor that sends d's programs through s and tells o, which
// may be nil. It does not own s.
func New(s cql.Session, d dialect.Dialect, o Observer) *Runner {
	if o == nil {
		o = silent{}
	}
	return &Runner{session: s, dialect: d, observe: o, now: time.Now}
}

type silent struct{}

func (silent) Done(*Event) {}

// Traits implements Executor.
func (r *Runner) Traits() cql.Traits { return r.dialect.Traits() }

// Compile implements Executor.
func (r *Runner) Compile(reads ...*plan.Read) error {
	var all []error
	for _, read := range reads {
		if _, err := r.program(read); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

func (r *Runner) program(read *plan.Read) (dialect.ReadProgram, error) {
	if p, ok := r.reads.Load(read); ok {
		return p.(dialect.ReadProgram), nil
	}
	p, err := r.dialect.CompileRead(read)
	if err != nil {
		return nil, &errs.Error{
			Op: read.Name, Key: read.Table.Name, Kind: errs.Internal, Outcome: errs.NotApplied,
			Err: fmt.Errorf("dialect %s cannot carry this read: %w", r.dialect.Name(), err),
		}
	}
	actual, _ := r.reads.LoadOrStore(read, p)
	return actual.(dialect.ReadProgram), nil
}

// Check tells whether a write can be carried, without sending it: the dialect has
// a form for it, and its values fit the columns.
func (r *Runner) Check(w *plan.Write) error {
	if _, err := r.dialect.CompileWrite(w); err != nil {
		return &errs.Error{Op: w.Name, Key: firstKey(w), Kind: errs.Invalid, Outcome: errs.NotApplied, Err: err}
	}
	return nil
}

// Write implements Executor.
func (r *Runner) Write(ctx context.Context, w *plan.Write) error {
	e := Event{Ctx: ctx, Plan: w.Name, Write: w, Start: r.now()}
	err := r.write(ctx, w, &e)
	e.Duration = r.now().Sub(e.Start)
	e.Err = err
	r.observe.Done(&e)
	if err != nil {
		return err
	}
	return nil
}

func (r *Runner) write(ctx context.Context, w *plan.Write, e *Event) *errs.Error {
	if err := ctx.Err(); err != nil {
		kind, _ := r.dialect.Classify(err, true)
		return &errs.Error{Op: w.Name, Kind: kind, Outcome: errs.NotApplied, Err: err}
	}
	prog, err := r.dialect.CompileWrite(w)
	if err != nil {
		kind := errs.Invalid
		if errors.Is(err, dialect.ErrScope) {
			kind = errs.Internal
		}
		return &errs.Error{Op: w.Name, Kind: kind, Outcome: errs.NotApplied, Err: err}
	}
	for {
		e.Attempts++
		res, sendErr := r.send(ctx, w, prog, e)
		if sendErr != nil {
			return sendErr
		}
		if res.Applied {
			return nil
		}
		e.Refused = true
		refusal, again := r.explain(ctx, w, res, e)
		if !again || e.Attempts >= maxAttempts {
			return refusal
		}
	}
}

// send runs the steps of a program: ahead ones side by side, then the others
// in order, until one is refused or fails.
func (r *Runner) send(ctx context.Context, w *plan.Write, prog *cql.Program, e *Event) (cql.Result, *errs.Error) {
	ahead := 0
	for ahead < len(prog.Steps) && prog.Steps[ahead].Ahead {
		e.Statements += len(prog.Steps[ahead].Calls)
		ahead++
	}
	if ahead > 0 {
		if err := r.sendWaves(ctx, prog.Steps[:ahead], e); err != nil {
			kind, _ := r.dialect.Classify(err, true)
			// The part that counts was never sent: what is stored ahead of it
			// is harmless or invisible by the meaning of plan.Atomic.
			return cql.Result{}, &errs.Error{Op: w.Name, Kind: kind, Outcome: errs.NotApplied, Stage: errs.Ahead, Err: err}
		}
	}
	res := cql.Result{Applied: true}
	for i := ahead; i < len(prog.Steps); i++ {
		e.RoundTrips++
		e.Statements += len(prog.Steps[i].Calls)
		var err error
		if res, err = r.session.Exec(ctx, &prog.Steps[i]); err != nil {
			kind, outcome := r.dialect.Classify(err, true)
			if i > ahead {
				outcome = errs.Unknown // the steps before this one took effect
			}
			return cql.Result{}, &errs.Error{Op: w.Name, Key: firstKey(w), Kind: kind, Outcome: outcome, Err: err}
		}
		if !res.Applied {
			if prog.Undo != nil {
				e.RoundTrips++
				e.Statements += len(prog.Undo.Calls)
				// What stays behind if this fails is harmless (cql.Program).
				_, _ = r.session.Exec(ctx, prog.Undo)
			}
			return res, nil
		}
	}
	return res, nil
}

// sendWaves sends ahead steps, which are ordered by wave, one wave after the other.
func (r *Runner) sendWaves(ctx context.Context, steps []cql.Step, e *Event) error {
	for len(steps) > 0 {
		n := 1
		for n < len(steps) && steps[n].Wave == steps[0].Wave {
			n++
		}
		e.RoundTrips++
		if err := r.sendAhead(ctx, steps[:n]); err != nil {
			return err
		}
		steps = steps[n:]
	}
	return nil
}

func (r *Runner) sendAhead(ctx context.Context, steps []cql.Step) error {
	if len(steps) == 1 {
		_, err := r.session.Exec(ctx, &steps[0])
		return err
	}
	failures := make([]error, len(steps))
	var wg sync.WaitGroup
	for i := range steps {
		wg.Go(func() { _, failures[i] = r.session.Exec(ctx, &steps[i]) })
	}
	wg.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// explain turns a refusal into a conflict with its cause. again asks for
// another attempt: every condition holds by now.
func (r *Runner) explain(ctx context.Context, w *plan.Write, res cql.Result, e *Event) (err *errs.Error, again bool) {
	seen, observeErr := r.dialect.Observe(w, res)
	if observeErr != nil {
		return &errs.Error{Op: w.Name, Key: firstKey(w), Kind: errs.Corrupt, Outcome: errs.NotApplied, Err: observeErr}, false
	}
	read := make([]bool, len(w.Mutations))
	for {
		explained, conflict, at := w.Explain(seen)
		switch {
		case explained == plan.NoCause && r.dialect.Traits().RerunsBlocks:
			return &errs.Error{
				Op: w.Name, Key: firstKey(w), Kind: errs.Conflict, Outcome: errs.Unknown,
				Err: errors.New("refused, but every condition holds: the server may have run the write again after its own commit"),
			}, false
		case explained == plan.NoCause:
			return &errs.Error{
				Op: w.Name, Key: firstKey(w), Kind: errs.Conflict, Outcome: errs.NotApplied,
				Err: errors.New("refused, and by the time the rows were read every condition held again"),
			}, true
		case explained == plan.Explained && (read[at] || shown(&w.Mutations[at], seen[at])):
			if r.dialect.Traits().RerunsBlocks {
				own, readErr := r.ownDoing(ctx, w, seen, at, e)
				switch {
				case readErr != nil:
					readErr.Op, readErr.Outcome = w.Name, errs.Unknown
					return readErr, false
				case own:
					return &errs.Error{
						Op: w.Name, Key: w.Mutations[at].KeyString(), Kind: errs.Conflict, Outcome: errs.Unknown,
						Err: ErrAsLeft,
					}, false
				}
			}
			return &errs.Error{
				Op: w.Name, Key: w.Mutations[at].KeyString(), Kind: errs.Conflict, Outcome: errs.NotApplied, Err: conflict,
			}, false
		case read[at]:
			return &errs.Error{
				Op: w.Name, Key: w.Mutations[at].KeyString(), Kind: errs.Internal, Outcome: errs.NotApplied,
				Err: errors.New("refused, and the row that was read lacks a column of the condition"),
			}, false
		}
		// The row was not shown, or not with all the columns that the caller
		// wants: read it as it is now.
		s, readErr := r.readRow(ctx, w, &w.Mutations[at], e)
		if readErr != nil {
			if r.dialect.Traits().RerunsBlocks {
				// What was not read might have shown that the refusal was the
				// write's own doing.
				readErr.Op, readErr.Outcome = w.Name, errs.Unknown
			}
			return readErr, false
		}
		seen[at], read[at] = s, true
	}
}

// shown tells whether an observation has all that the store wants to see.
func shown(m *plan.Mutation, s plan.Seen) bool {
	if s.Sight != plan.Found {
		return true
	}
	for _, c := range m.Show {
		if _, ok := s.Values[c]; !ok {
			return false
		}
	}
	return true
}

// readRow reads the columns of a mutation's row that its conditions and Show name.
func (r *Runner) readRow(ctx context.Context, w *plan.Write, m *plan.Mutation, e *Event) (plan.Seen, *errs.Error) {
	read := r.showRead(w.Name, m)
	rows, err := r.Read(ctx, read, plan.Page{}, m.Key...)
	e.RoundTrips++
	e.Statements++
	if err != nil {
		return plan.Seen{}, asError(err)
	}
	s := plan.Seen{Sight: plan.Missing}
	if rows.Next() {
		s.Sight = plan.Found
		s.Values = make(map[*plan.Column]any, len(read.Columns))
		for i, c := range read.Columns {
			s.Values[c] = rows.Value(i)
		}
	}
	if err := rows.Close(); err != nil {
		return plan.Seen{}, asError(err)
	}
	return s, nil
}

func (r *Runner) showRead(op string, m *plan.Mutation) *plan.Read {
	columns := make([]*plan.Column, 0, len(m.Conds)+len(m.Show))
	add := func(c *plan.Column) {
		if c == nil {
			return
		}
		for _, have := range columns {
			if have == c {
				return
			}
		}
		columns = append(columns, c)
	}
	for i := range m.Conds {
		add(m.Conds[i].Column)
	}
	for _, c := range m.Show {
		add(c)
	}
	if len(columns) == 0 {
		columns = m.Table.Key
	}
	id := m.Table.Name
	for _, c := range columns {
		id += " " + c.Name
	}
	if read, ok := r.shows.Load(id); ok {
		return read.(*plan.Read)
	}
	read, _ := r.shows.LoadOrStore(id, &plan.Read{
		Name: op + "/explain", Table: m.Table, Columns: columns, Eq: len(m.Table.Key),
	})
	return read.(*plan.Read)
}

func firstKey(w *plan.Write) string {
	if len(w.Mutations) == 0 {
		return ""
	}
	return w.Mutations[0].KeyString()
}

func asError(err error) *errs.Error {
	var e *errs.Error
	if errors.As(err, &e) {
		return e
	}
	return &errs.Error{Kind: errs.Internal, Outcome: errs.NotApplied, Err: err}
}
