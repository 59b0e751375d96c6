// Package ycql compiles plans to YCQL, the CQL of YugabyteDB, onto the schema of
// package schema/yugabyte.
//
// An atomic write over several rows is one text, BEGIN TRANSACTION ... END
// TRANSACTION, in which statements run one after the other, a Raft round each:
// so a mutation is one statement, whatever it changes, and rows that may be
// stored ahead are, in native batches, one for each partition. A write of one
// row is a statement by itself: one round.
//
// A session that runs these programs reports a refusal, however the server says
// it, as cql.Result with Applied false: the row "[applied]" of a single
// statement; the last row of a batch whose members return their status (the
// others are not conditional); and an error 0x2200 with the text "Condition on
// table T was not satisfied" (see [Refused]) of a block. No session sends a
// block twice.
package ycql

import (
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	"github.com/temporal-ycql/temporal-ycql/dialect/render"
)

// Abilities are what releases of YugabyteDB differ in. All hosts of a keyspace
// must have the same. Zero fields are what every release can do.
type Abilities struct {
	// NullElements: assigning null to an element of a map removes it, in the
	// statement that writes others. Without it removals take a statement more.
	NullElements bool
	// GuardLast: a native batch of one partition whose members return their
	// status is one round, and its last member tests the lease at that instant.
	// Without it tasks are stored first and the lease is tested after.
	GuardLast bool
}

// All is every ability.
var All = Abilities{NullElements: true, GuardLast: true}

// Dialect implements dialect.Dialect.
type Dialect struct {
	abilities Abilities
	layout    *render.Layout
	compiler  *render.Compiler

	whole sync.Map // string (texts of the parts) -> *cql.Statement
	mu    sync.Mutex
	texts map[string]bool
}

var _ dialect.Dialect = (*Dialect)(nil)

// layout is made once: making it fills in the tables, which all dialects share.
var layout = sync.OnceValue(func() *render.Layout {
	l, err := render.NewLayoutOf(render.Blocks,
		slices.Concat(shardTables, historyTables, matchingTables, clusterTables, queueTables))
	if err != nil {
		panic(err) // the layout is a constant; tests make it
	}
	return l
})

// New returns the dialect for servers with these abilities. It keeps the
// statements that it made: one for each keyspace is enough, more do no harm.
func New(a Abilities) *Dialect {
	d := &Dialect{abilities: a, layout: layout(), compiler: render.NewCompiler(layout()), texts: make(map[string]bool)}
	d.compiler.NoNulls, d.compiler.Fragments = !a.NullElements, true
	return d
}

// Name implements dialect.Dialect.
func (*Dialect) Name() string { return "ycql" }

// Traits implements dialect.Dialect. Rows expire in tables that are never
// written in blocks, which are those for which plans ask it.
func (*Dialect) Traits() cql.Traits {
	return cql.Traits{
		Atomic: cql.AtomicTables, TTL: true, RerunsBlocks: true, Sequenced: true,
		HashMin: 0, HashMax: math.MaxUint16, // of partition_hash()
	}
}

// Texts implements dialect.Dialect.
func (d *Dialect) Texts() []string {
	texts := d.compiler.Texts()
	d.mu.Lock()
	for text := range d.texts {
		texts = append(texts, text)
	}
	d.mu.Unlock()
	slices.Sort(texts)
	return slices.Compact(texts)
}

// Columns lists the columns of every table of the schema that the dialect knows.
func (d *Dialect) Columns() map[string][]string { return d.layout.Columns() }

// CompileRead implements dialect.Dialect.
func (d *Dialect) CompileRead(r *plan.Read) (dialect.ReadProgram, error) {
	return d.compiler.Read(r)
}

// Observe implements dialect.Dialect: a refused block shows no rows, so all of
// them are to be read.
func (*Dialect) Observe(w *plan.Write, _ cql.Result) ([]plan.Seen, error) {
	return make([]plan.Seen, len(w.Mutations)), nil
}

// statement returns the statement of a text that is made of others, once.
func (d *Dialect) statement(key string, create func() *cql.Statement) *cql.Statement {
	if s, ok := d.whole.Load(key); ok {
		return s.(*cql.Statement)
	}
	actual, loaded := d.whole.LoadOrStore(key, create())
	s := actual.(*cql.Statement)
	if !loaded {
		d.mu.Lock()
		d.texts[s.Text] = true
		d.mu.Unlock()
	}
	return s
}

// as returns a fragment as a statement of its own, with a suffix.
func (d *Dialect) as(fragment *cql.Statement, suffix string) *cql.Statement {
	return d.statement(fragment.Text+suffix, func() *cql.Statement {
		s := *fragment
		s.Text += suffix
		if suffix != "" {
			s.Idempotent = false
		}
		return &s
	})
}

// block joins calls to one, with the first one's partition key.
func (d *Dialect) block(calls []cql.Call) cql.Call {
	var b strings.Builder
	b.WriteString("BEGIN TRANSACTION\n")
	args := 0
	conditional := false
	for _, c := range calls {
		b.WriteString("  " + c.Text)
		if c.Conditional {
			b.WriteString(" ELSE ERROR")
			conditional = true
		}
		b.WriteString(";\n")
		args += len(c.Args)
	}
	b.WriteString("END TRANSACTION;")
	text := b.String()
	s := d.statement(text, func() *cql.Statement {
		return &cql.Statement{Text: text, Plan: calls[0].Plan, Conditional: conditional, KeyArgs: calls[0].KeyArgs}
	})
	all := make([]any, 0, args)
	for _, c := range calls {
		all = append(all, c.Args...)
	}
	return cql.Call{Statement: s, Args: all}
}
