// Package cql is the port between dialects, which compile plans to CQL, and
// sessions, which send it. It knows no driver and no plan.
package cql

import (
	"context"
	"errors"
	"fmt"
)

// UnsetValue is the type of [Unset].
type UnsetValue struct{}

// Unset is the argument that leaves its column untouched (protocol v4, 4.1.4,
// value length -2). Only programs of dialects with Traits.Unset hold it.
var Unset UnsetValue

// Raw is an argument that is serialized already, in the server's format for
// the type of its marker. A nil Raw is null.
type Raw []byte

// Statement is one CQL text. Statements are made once and shared; a session
// may key its own data on the pointer.
type Statement struct {
	Text string
	// Plan is the plan that a read belongs to. Plans of equal shape share the
	// statements of writes, which carry the name of the logical table.
	Plan string
	// Idempotent marks statements that may be sent again after an unknown
	// outcome, and to several servers at once: reads and plain upserts.
	Idempotent bool
	// Conditional marks statements with IF: their result has rows that say
	// whether they were applied.
	Conditional bool
	// KeyArgs are the positions of the arguments that form the partition key,
	// in its order; nil if the driver must find them by itself.
	KeyArgs []int
}

// Call is a statement with its arguments. Arguments are int64, string, []byte,
// [16]byte, bool, nil, Raw, UnsetValue; times are int64 milliseconds.
type Call struct {
	*Statement
	Args []any
}

// Mode says how the calls of a step are sent.
type Mode uint8

// The modes of a step.
const (
	Single   Mode = iota + 1 // one call
	Logged                   // one native logged batch
	Unlogged                 // one native unlogged batch
	Parallel                 // each call by itself, side by side
)

// Step is one round of a program.
type Step struct {
	Mode  Mode
	Calls []Call
	// Ahead marks a step that comes before the atomic one. All ahead steps may
	// run side by side, but for those with different Waves.
	Ahead bool
	// Wave orders ahead steps: one is sent when those of lower waves, which come
	// before it, have been answered without an error.
	Wave int
	// Shown names the physical columns with which the server may answer a
	// refusal, collections left out: a driver that reads such rows into a map
	// must know them to tell null from zero. Needed for conditional batches.
	Shown []string
}

// Program is a compiled write: its steps in order. No step is sent before the
// one before it has been answered, except Ahead ones among themselves.
type Program struct {
	Plan  string
	Steps []Step
	// Undo, if set, is sent after a refusal, once and whatever comes of it: it
	// removes what the refused step left behind, which readers may see twice
	// but is never missed.
	Undo *Step
}

// Row is a row that a server showed with the answer to a conditional
// statement, by physical column name. Values are int64, string, []byte,
// [16]byte, bool, map[string]string for map<text, text> (as which system tables
// show options), or nil for null; times are int64 milliseconds; other
// collections are left out.
type Row map[string]any

// Result is the answer to a step.
type Result struct {
	// Applied is false if a condition was refused, however the server says it.
	Applied bool
	// Rows are those that the server showed; their meaning is the dialect's.
	Rows []Row
}

// Page asks for one page of a query.
type Page struct {
	Size  int    // rows; 0: the session's default
	Token []byte // nil: from the start
}

// Rows is the result of a query: one page, read once.
type Rows interface {
	// Scan copies the next row into dest, pointers to the Go types of Row and
	// to Raw (the column's bytes as sent), and returns false at the end of the
	// page or on an error, which Close returns. Null becomes the zero value;
	// a **T destination becomes nil.
	Scan(dest ...any) bool
	// Next returns the token of the next page; empty at the end. It is valid
	// after Scan returned false and before Close.
	Next() []byte
	// Close frees the rows and returns the error that ended them, if any.
	// Closing twice is harmless.
	Close() error
}

// Session runs programs against one keyspace and is safe for concurrent use. A
// call returns when the server has answered or ctx is done, never later. Errors
// are *Error. A session never sends a step again by itself unless it is sure
// that the server has not begun it, or every call in it is Idempotent. After
// Close, calls fail with ErrClosed.
type Session interface {
	// Exec runs one step. A logged or single-statement step takes effect as a
	// whole or not at all. Parallel steps return the first error in call order
	// after all calls have ended.
	Exec(ctx context.Context, s *Step) (Result, error)
	// Query returns one page. The caller closes the Rows.
	Query(ctx context.Context, c Call, page Page) (Rows, error)
	Close() error
}

// Admin is what the schema tool and doctor need beside a Session. It may be
// open without a keyspace.
type Admin interface {
	// Exec runs one statement as it stands, schema changes included, and waits
	// until the servers agree on the schema.
	Exec(ctx context.Context, text string, args ...any) error
	// Query returns all rows of a statement, by column name.
	Query(ctx context.Context, text string, args ...any) ([]Row, error)
	// CAS runs one conditional statement and tells whether it was applied.
	CAS(ctx context.Context, text string, args ...any) (bool, error)
	Close() error
}

// Reach says how far a request got before an error.
type Reach uint8

// How far a request got.
const (
	Sent    Reach = iota // perhaps to the server
	Unsent               // certainly not
	Replied              // the server answered with an error
)

// Error is a failure of a driver or server, stripped of the driver's types.
// Dialects classify it.
type Error struct {
	Reach Reach
	// Code is the native protocol's error code (protocol v4, section 9) if the
	// server replied.
	Code int
	// WriteType is that of a write timeout (0x1100) or write failure (0x1500),
	// e.g. "CAS", "BATCH_LOG", "SIMPLE".
	WriteType string
	// Received is the number of replicas that answered, of a timeout.
	Received int
	Message  string
	Err      error // the driver's own error
}

func (e *Error) Error() string {
	if e.Reach == Replied {
		return fmt.Sprintf("server error 0x%04x: %s", e.Code, e.Message)
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// ErrClosed is returned by calls on a closed session.
var ErrClosed = errors.New("session is closed")
