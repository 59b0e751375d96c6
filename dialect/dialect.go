// Package dialect defines what a CQL variant is to this project: a pure
// compiler from plans to CQL, with the knowledge of how its server answers.
package dialect

import (
	"errors"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// ErrScope is returned for a write that needs more atomicity than the variant has.
var ErrScope = errors.New("write needs more atomicity than this dialect has")

// Dialect knows one CQL variant. It is pure (no I/O, no clock) and safe for
// concurrent use. A type that wraps a Dialect forwards every method.
type Dialect interface {
	// Name is its key in config, metrics and golden files, e.g. "ycql".
	Name() string
	// Traits states what the variant can do.
	Traits() cql.Traits
	// CompileWrite renders w as steps with their arguments bound. Writes of
	// equal shape give equal texts (the same *cql.Statement), and the set of
	// texts is finite. It fails with ErrScope if w needs more atomicity than
	// Traits().Atomic, and with a plain error that names the key if a value
	// cannot be stored.
	CompileWrite(w *plan.Write) (*cql.Program, error)
	// CompileRead renders r; package exec calls it once per read, when a store
	// is made.
	CompileRead(r *plan.Read) (ReadProgram, error)
	// Observe tells for each mutation of a refused write what res shows of its
	// row. Rows that res says nothing of are plan.Unseen: exec reads them.
	Observe(w *plan.Write, res cql.Result) ([]plan.Seen, error)
	// Classify places a session's error (usually a *cql.Error) in the
	// taxonomy. write tells whether it came from a step that writes: the
	// outcome of a read is always NotApplied.
	Classify(err error, write bool) (errs.Kind, errs.Outcome)
	// Texts lists every distinct statement text compiled so far, sorted: the
	// set must stay small (a PREPARE per server each).
	Texts() []string
}

// ReadProgram is a compiled read. It may take several statements, which are
// asked one after the other and together give the rows in the read's order.
type ReadProgram interface {
	// Parts returns how many statements answer the read with these arguments.
	Parts(args []any) int
	// Bind makes the call of one part and the decoder of its rows. It fails
	// if an argument cannot be what it should (e.g. a malformed UUID).
	Bind(part int, args []any) (cql.Call, RowDecoder, error)
}

// RowDecoder turns physical rows of one statement into logical values. It is
// used for one result, by one goroutine.
type RowDecoder interface {
	// Dest returns the scan destinations for the next row, emptied.
	Dest() []any
	// Decode turns what was scanned into out, one value for each column of the
	// read (by plan.Kind; nil for null). It returns false for a physical row
	// that is not a row of the logical table. An error names the column.
	Decode(out []any) (ok bool, err error)
}
