// Package cassandra compiles plans to the CQL of Apache Cassandra 4.1 and 5.0,
// onto the schema of stock Temporal (version 1.13): after the same calls every
// SELECT over every table returns the same as from a keyspace that stock wrote.
//
// What makes that possible in one round is Cassandra's partition: a shard, its
// executions and its tasks share one, so a write is one conditional logged
// batch. ScyllaDB's answers to refused batches are understood too.
package cassandra

import (
	"math"
	"slices"
	"sync"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	"github.com/temporal-ycql/temporal-ycql/dialect/render"
)

// Dialect implements dialect.Dialect.
type Dialect struct {
	layout   *render.Layout
	compiler *render.Compiler
}

var _ dialect.Dialect = (*Dialect)(nil)

// layout is made once: making it fills in the tables, which all dialects share.
var layout = sync.OnceValue(func() *render.Layout {
	l, err := render.NewLayout(slices.Concat(shardTables, shardRows, historyTables, matchingTables, clusterTables, queueTables))
	if err != nil {
		panic(err) // the layout is a constant; tests make it
	}
	return l
})

// New returns the dialect. It keeps the statements that it made: one for each
// keyspace is enough, more do no harm.
func New() *Dialect {
	return &Dialect{layout: layout(), compiler: render.NewCompiler(layout())}
}

// Name implements dialect.Dialect.
func (*Dialect) Name() string { return "cassandra" }

// Traits implements dialect.Dialect.
func (*Dialect) Traits() cql.Traits {
	return cql.Traits{
		Atomic:         cql.AtomicPartition,
		TTL:            true,
		Unset:          true,
		AheadInAtomic:  true,
		WholeNodes:     true,
		ShardPartition: true,
		// Of the Murmur3Partitioner: token() is a bigint. The smallest value is
		// no token of a row.
		HashMin: math.MinInt64, HashMax: math.MaxInt64,
	}
}

// Texts implements dialect.Dialect.
func (d *Dialect) Texts() []string { return d.compiler.Texts() }

// Columns lists the columns of every table of the schema that the dialect knows.
func (d *Dialect) Columns() map[string][]string { return d.layout.Columns() }

// CompileRead implements dialect.Dialect.
func (d *Dialect) CompileRead(r *plan.Read) (dialect.ReadProgram, error) {
	return d.compiler.Read(r)
}

// Observe implements dialect.Dialect.
func (d *Dialect) Observe(w *plan.Write, res cql.Result) ([]plan.Seen, error) {
	return d.compiler.Observe(w, res)
}
