package exec

import (
	"context"
	"errors"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// Rows are the rows of one page of a read. They are used by one goroutine:
//
//	for rows.Next() {
//		use(rows.Int(0), rows.Blob(1))
//	}
//	token := rows.Token()
//	if err := rows.Close(); err != nil { ... }
//
// An accessor of the wrong kind for its column is a bug: it returns the zero
// value and Close reports it.
type Rows struct {
	runner *Runner
	ctx    context.Context
	read   *plan.Read
	args   []any
	prog   dialect.ReadProgram
	event  Event

	part    int
	parts   int
	rows    cql.Rows
	decoder dialect.RowDecoder
	token   []byte // of the driver, for the next page of this part
	values  []any

	keep func(*Rows) (bool, error) // nil: all rows

	size      int // rows that the page may have; 0: whatever the session gives
	delivered int
	skipped   bool
	ended     bool
	closed    bool
	err       *errs.Error
}

// Read implements Executor.
func (r *Runner) Read(ctx context.Context, read *plan.Read, page plan.Page, args ...any) (*Rows, error) {
	rows := &Rows{
		runner: r, ctx: ctx, read: read, args: args, size: page.Size,
		event: Event{Ctx: ctx, Plan: read.Name, Read: read, Args: args, Start: r.now(), Attempts: 1},
	}
	if err := rows.open(page.Token); err != nil {
		rows.err = err
		rows.finish()
		return nil, err
	}
	return rows, nil
}

func (r *Rows) open(token []byte) *errs.Error {
	if len(r.args) != r.read.Args() {
		return r.fail(errs.Internal, fmt.Errorf("read takes %d arguments, got %d", r.read.Args(), len(r.args)))
	}
	prog, err := r.runner.program(r.read)
	if err != nil {
		return asError(err)
	}
	r.prog = prog
	r.parts = prog.Parts(r.args)
	columns := len(r.read.Columns)
	if r.read.Count {
		columns = 1
	}
	if r.read.TTLOf != nil {
		columns++
	}
	r.values = make([]any, columns)
	if len(token) > 0 {
		// First byte: the statement that the page belongs to; the rest is the driver's.
		r.part, r.token = int(token[0]), token[1:]
		if r.part >= r.parts {
			return r.fail(errs.Invalid, fmt.Errorf("page token is not one of this read's"))
		}
	}
	return r.ask(r.size)
}

// ask sends the current part's statement for at most size rows.
func (r *Rows) ask(size int) *errs.Error {
	call, decoder, err := r.prog.Bind(r.part, r.args)
	if err != nil {
		return r.fail(errs.Invalid, err)
	}
	r.event.RoundTrips++
	r.event.Statements++
	rows, err := r.runner.session.Query(r.ctx, call, cql.Page{Size: size, Token: r.token})
	if err != nil {
		kind, _ := r.runner.dialect.Classify(err, false)
		return r.fail(kind, err)
	}
	r.rows, r.decoder, r.token = rows, decoder, nil
	return nil
}

// Next moves to the next row and tells whether there is one in this page.
func (r *Rows) Next() bool {
	for r.err == nil && !r.ended {
		for r.rows.Scan(r.decoder.Dest()...) {
			ok, err := r.decoder.Decode(r.values)
			if err != nil {
				r.err = r.fail(errs.Corrupt, err)
				return false
			}
			if ok && r.keep != nil {
				if ok, err = r.keep(r); err != nil {
					r.err = r.failed(err)
				}
				if r.err != nil {
					return false
				}
			}
			if ok {
				r.delivered++
				return true
			}
			r.skipped = true
		}
		r.turn()
	}
	return false
}

// Keep makes Next pass over the rows for which keep, which sees r on the row,
// returns false; the page is filled up with rows behind them. An error of keep
// ends the rows: an *errs.Error as it is, any other as one of kind Internal. Keep
// is called once, before Next.
func (r *Rows) Keep(keep func(*Rows) (bool, error)) { r.keep = keep }

func (r *Rows) failed(err error) *errs.Error {
	var e *errs.Error
	if errors.As(err, &e) {
		return e
	}
	return r.fail(errs.Internal, err)
}

// turn ends one server page and decides whether this page goes on: a page that
// is short because rows were skipped, or because one of several statements is
// exhausted, is filled up.
func (r *Rows) turn() {
	next := append([]byte(nil), r.rows.Next()...)
	if err := r.rows.Close(); err != nil {
		kind, _ := r.runner.dialect.Classify(err, false)
		r.err = r.fail(kind, err)
		return
	}
	r.rows = nil
	full := r.size > 0 && r.delivered >= r.size
	switch {
	case len(next) > 0:
		r.token = next
		if full || !r.skipped {
			r.ended = true
			return
		}
	case r.part+1 < r.parts:
		r.part++
		r.token = nil
		if full {
			r.ended = true
			return
		}
	default:
		r.part = r.parts // nothing follows
		r.ended = true
		return
	}
	r.skipped = false
	size := r.size
	if size > 0 {
		size -= r.delivered
	}
	if err := r.ask(size); err != nil {
		r.err = err
	}
}

// Token names the next page. It is nil at the end, and valid once Next has
// returned false.
func (r *Rows) Token() []byte {
	if !r.ended || r.err != nil || r.part >= r.parts {
		return nil
	}
	return append([]byte{byte(r.part)}, r.token...)
}

// Close frees the rows and returns the error that ended them, an *errs.Error,
// or nil. Closing twice is harmless.
func (r *Rows) Close() error {
	if !r.closed {
		if r.rows != nil {
			if err := r.rows.Close(); err != nil && r.err == nil {
				kind, _ := r.runner.dialect.Classify(err, false)
				r.err = r.fail(kind, err)
			}
			r.rows = nil
		}
		r.finish()
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

func (r *Rows) finish() {
	r.closed = true
	r.event.Duration = r.runner.now().Sub(r.event.Start)
	r.event.Rows = r.delivered
	r.event.Err = r.err
	r.runner.observe.Done(&r.event)
}

func (r *Rows) fail(kind errs.Kind, err error) *errs.Error {
	key := r.read.Table.Name
	for i := 0; i < r.read.Eq && i < len(r.args); i++ {
		key += " " + r.read.Table.Key[i].Name + "=" + plan.FormatValue(r.args[i])
	}
	return &errs.Error{Op: r.read.Name, Key: key, Kind: kind, Outcome: errs.NotApplied, Err: err}
}

// Value returns column i by plan.Kind of the column; nil for null.
func (r *Rows) Value(i int) any { return r.values[i] }

// Null tells whether column i is null.
func (r *Rows) Null(i int) bool { return r.values[i] == nil }

// Int returns an Int or Time column; 0 for null.
func (r *Rows) Int(i int) int64 { return value[int64](r, i) }

// Text returns a Text or Inet column; "" for null.
func (r *Rows) Text(i int) string { return value[string](r, i) }

// UUID returns a UUID column; zero for null.
func (r *Rows) UUID(i int) [16]byte { return value[[16]byte](r, i) }

// Bool returns a Bool column; false for null.
func (r *Rows) Bool(i int) bool { return value[bool](r, i) }

// Blob returns a Data column; the zero Blob for null.
func (r *Rows) Blob(i int) plan.Blob { return value[plan.Blob](r, i) }

// Blobs returns a DataList column.
func (r *Rows) Blobs(i int) []plan.Blob { return value[[]plan.Blob](r, i) }

// IntData returns an IntData column.
func (r *Rows) IntData(i int) []plan.IntEntry { return value[[]plan.IntEntry](r, i) }

// TextData returns a TextData column.
func (r *Rows) TextData(i int) []plan.TextEntry { return value[[]plan.TextEntry](r, i) }

// Nodes returns a Nodes column.
func (r *Rows) Nodes(i int) []plan.NodeEntry { return value[[]plan.NodeEntry](r, i) }

// TextSet returns a TextSet column.
func (r *Rows) TextSet(i int) []string { return value[[]string](r, i) }

// TextInt returns a TextInt column.
func (r *Rows) TextInt(i int) []plan.TextIntEntry { return value[[]plan.TextIntEntry](r, i) }

func value[T any](r *Rows, i int) T {
	var zero T
	v := r.values[i]
	if v == nil {
		return zero
	}
	t, ok := v.(T)
	if !ok {
		if r.err == nil {
			r.err = r.fail(errs.Internal, fmt.Errorf("column %d holds a %T, read as %T", i, v, zero))
		}
		return zero
	}
	return t
}

// One runs a read of which at most one row is wanted. found is false if there
// is none. The Rows are positioned on the row and need no Close.
func One(ctx context.Context, ex Executor, read *plan.Read, args ...any) (rows *Rows, found bool, err error) {
	rows, err = ex.Read(ctx, read, plan.Page{Size: 1}, args...)
	if err != nil {
		return nil, false, err
	}
	found = rows.Next()
	if err := rows.Close(); err != nil {
		return nil, false, err
	}
	return rows, found, nil
}
