package server

import (
	"context"
	"errors"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// Engine runs CQL. It is all that the server needs to know of the query engine;
// package engine implements it, package sim wraps it.
//
// All methods are called concurrently, also for one connection. The server owns
// what belongs to a connection (current keyspace, prepared ids, user); an Engine
// has no state of its own per connection.
//
// Errors: a [*wire.Error], or one that wraps it, is sent as it is. Any other error
// goes out as 0x0000 with its text. The sentinels at the end of this file tell the
// server not to answer at all. A result beside an error tells by its Cost what the
// statement has spent before it failed; nothing else of it is looked at.
//
// Memory: everything in the arguments (texts excepted, they are ordinary strings)
// aliases a buffer that is used again once the method returned. Who keeps a value
// copies it. Slices in a returned value belong to the server until it has encoded
// them, and must not change under it; they may be shared between results.
type Engine interface {
	// Prepare parses and analyses one text in keyspace ("" if none was chosen). A
	// text may be any statement, DDL and system tables included. The server keeps
	// what it gets in its cache and hands it to later calls of Execute and Batch.
	Prepare(ctx context.Context, keyspace, text string) (*Prepared, error)

	// Execute runs a prepared statement. If the statement does not fit the schema
	// any more (table gone or altered), it fails with code [wire.CodeUnprepared]
	// and a message; the server then forgets the statement, adds its id to the
	// error, and the driver prepares anew.
	Execute(ctx context.Context, p *Prepared, params *Params) (*Result, error)

	// Query runs an unprepared text, with or without values.
	Query(ctx context.Context, keyspace, text string, params *Params) (*Result, error)

	// Batch runs a BATCH message.
	Batch(ctx context.Context, b *Batch) (*Result, error)
}

// Prepared is an analysed statement.
type Prepared struct {
	// Keyspace and Text are those that it was prepared with. The server fills
	// them in, along with ID.
	Keyspace, Text string
	// ID is MD5(keyspace + text), as both servers compute it.
	ID [16]byte

	// Binds are the markers in the order of the text, over the whole text.
	Binds []wire.Column
	// PKIndices says for each partition key column, in key order, which of Binds
	// holds it; nil if not every one is bound. (YCQL blocks: those of the first DML
	// all of whose hash columns are bound.)
	PKIndices []uint16
	// Columns are the result's columns; nil if there are none or they cannot be
	// known before execution (conditional statements, blocks).
	Columns []wire.Column
	// NoGlobalSpec makes each of Binds carry its own keyspace and table on the wire
	// even if all are of one table, as YugabyteDB does for blocks.
	NoGlobalSpec bool

	// Plan is the engine's own; the server does not look at it.
	Plan any
	// Size is what the engine's part weighs in bytes, for the cache's limit.
	Size int
}

// Params are the values and options that came with a request.
type Params struct {
	// Values are in marker order, or in the order of Names if Names is not nil.
	// Their number is as the client sent it: the engine checks it against the
	// markers, with its personality's error.
	Values []wire.Value
	Names  []string

	Consistency       wire.Consistency
	SerialConsistency wire.Consistency // 0 if not sent
	// PageSize is in rows; 0 means "not sent": everything, or the engine's limit.
	PageSize    int32
	PagingState []byte // nil for the first page
	// Timestamp is the client's default timestamp in microseconds.
	Timestamp    int64
	HasTimestamp bool

	// Pinned is a state from [Pinner] that reads are to be answered from, nil for
	// the present one. Only package sim sets it.
	Pinned any
}

// Batch is a BATCH message.
type Batch struct {
	Keyspace string
	Type     wire.BatchType
	Members  []BatchMember
	// Params has no Values, Names, PageSize or PagingState.
	Params Params
}

// BatchMember is one statement of a batch: prepared (Prepared not nil) or a text.
type BatchMember struct {
	Prepared *Prepared
	Text     string
	Values   []wire.Value
}

// ResultKind says what a result holds.
type ResultKind uint8

// The kinds of results.
const (
	Void ResultKind = iota
	Rows
	SetKeyspace
	SchemaChanged
)

// Result is a successful answer. The zero value is Void.
type Result struct {
	Kind ResultKind

	// Columns and Cells are set for Rows. Cells holds the rows one after the other,
	// len(Columns) cells each, in the encoding of the column's type; nil is null.
	// A result that has the very Columns of its Prepared (the same slice, not an
	// equal one) is encoded faster and may leave the metadata out.
	Columns []wire.Column
	Cells   [][]byte
	// PagingState is set if there are more pages; it is opaque to the client and
	// must be checked when it comes back, for it may have been forged.
	PagingState []byte

	Keyspace string             // SetKeyspace: the connection's new keyspace
	Change   *wire.SchemaChange // SchemaChanged

	Warnings []string

	// Cost is what the statement would have cost on YugabyteDB (ycql personality),
	// or on one coordinator (cassandra): see [Cost].
	Cost Cost
}

// Row returns the cells of row i.
func (r *Result) Row(i int) [][]byte {
	n := len(r.Columns)
	return r.Cells[i*n : (i+1)*n : (i+1)*n]
}

// RowCount is the number of rows.
func (r *Result) RowCount() int {
	if len(r.Columns) == 0 {
		return 0
	}
	return len(r.Cells) / len(r.Columns)
}

// Cost counts what a statement spends on a cluster, one after the other. The
// engine fills it in; the server adds it to the counters of the connection.
//
// ycql: a single read, or a single write without an index, is 1 round and no
// commit. A batch is 1 round (all tablets in parallel) plus one for each flush
// that a read of an earlier member's row forces. A block of n statements is n
// rounds and 1 commit, and a write to a table with indexes is a transaction of its
// own: 1 round for the row, 1 for its index entries together, 1 commit.
// DDL and reads of system tables count nothing.
//
// cassandra: a read or a write or an unconditional batch is 1 round; a logged batch
// over several partitions 2 (batch log first); a conditional statement or batch 4
// (prepare, read, propose, commit of Paxos).
type Cost struct {
	Rounds     int // serial rounds, commits not counted
	Commits    int // transaction commits
	Statements int // DML statements and SELECTs run, members of blocks and batches each
}

// Pinner is implemented by engines that can answer reads from an earlier state.
// Package sim uses it to serve stale reads at consistency ONE.
type Pinner interface {
	// Pin freezes the present state for use as [Params.Pinned]. The caller must call
	// release once no call that uses the state is running any more.
	Pin() (state any, release func())
}

// What an engine (package sim, when asked for faults) returns in place of an answer.
var (
	// ErrCut makes the server close the connection without an answer.
	ErrCut = errors.New("cut the connection")
	// ErrNoAnswer makes the server send nothing for this request, ever.
	ErrNoAnswer = errors.New("leave the request unanswered")
)
