package plan

import (
	"fmt"
	"strings"
)

// Scope says how the mutations of a write hang together.
type Scope uint8

// The scopes of a write.
const (
	// Atomic: all mutations take effect or none. Mutations marked Ahead may be
	// stored before the others but must not be seen without them, or be
	// harmless alone (immutable history nodes).
	Atomic Scope = iota + 1
	// Ordered: each mutation only after the one before; every prefix is
	// harmless. A dialect may do better, never worse.
	Ordered
)

// Op is what a mutation does to its row, or to a range of rows.
type Op uint8

// The operations. The set is closed: a new one needs an ADR.
const (
	// Assert tests the row and changes nothing.
	Assert Op = iota + 1
	// Insert makes the row exist and sets columns. Without a condition it is an upsert.
	Insert
	// Update sets columns and leaves alone whether the row exists without them.
	Update
	// Delete removes one row.
	Delete
	// DeleteRange removes all rows under a key prefix between From and To.
	DeleteRange
)

// EffectOp is what an effect does to one column.
type EffectOp uint8

// The effects. The set is closed: a new one needs an ADR.
const (
	Set    EffectOp = iota + 1 // replace the value, whole collections included
	Merge                      // insert or replace the given elements
	Drop                       // remove the elements with the given keys: []int64 or []string
	Append                     // append to a DataList: Blob
	Clear                      // make the column null
)

// Test is the form of a condition.
type Test uint8

// The tests. Inequality is missing on purpose: not every server can test it. A
// store that needs it reads first and asserts what it read.
const (
	Equal         Test = iota + 1 // the column has this value
	EqualOrAbsent                 // the column has this value, or is null (as on a missing row)
	RowAbsent                     // the row does not exist
	RowPresent                    // the row exists
)

// Cond is a condition on the mutation's own row.
type Cond struct {
	Test   Test
	Column *Column // nil for RowAbsent and RowPresent
	Value  any     // by Kind of the column
}

// Effect changes one column.
type Effect struct {
	Op     EffectOp
	Column *Column
	Value  any // Set, Merge: by Kind; Drop: []int64 or []string; Append: Blob; Clear: nil
}

// Compare is the relation of a bound.
type Compare uint8

// The relations of a bound.
const (
	Unbounded Compare = iota
	GreaterOrEqual
	Greater
	LessOrEqual
	Less
)

// Bound limits the key columns that follow a key prefix. Several values are
// compared in order, like a tuple.
type Bound struct {
	Compare Compare
	Values  []any
}

// Mutation is one change to one logical row (or range). A write has at most
// one for each row.
type Mutation struct {
	Table   *Table
	Op      Op
	Key     []any // values of Table.Key, all of them; for DeleteRange a prefix
	Conds   []Cond
	Effects []Effect

	// Ahead marks rows that may be stored before the atomic part (see Scope).
	// Ahead mutations with the same Group are stored in order, or together.
	Ahead bool
	Group int

	// Live makes an Update also keep the row in existence (an Insert always does).
	Live bool
	// TTL is the life of what is written, in seconds; 0 means for ever.
	TTL int64

	From, To Bound // DeleteRange only

	// Show names the columns that the store wants to see of the row if the
	// write is refused because of it, beside those in Conds.
	Show []*Column
}

// Owner names the lease that fences a write: the shard and the range under
// which its owner writes. It repeats what one of the mutations (the first of
// [Shards]) asserts, for those who sequence the writes of a shard.
type Owner struct {
	Shard   int64
	RangeID int64
}

// Write is one unit of change. Name is the store call, as metrics and goldens
// show it.
type Write struct {
	Name      string
	Scope     Scope
	Mutations []Mutation
	Owner     *Owner // nil: not fenced by a shard's lease
}

// Conditional tells whether any mutation has a condition.
func (w *Write) Conditional() bool {
	for i := range w.Mutations {
		if len(w.Mutations[i].Conds) > 0 {
			return true
		}
	}
	return false
}

// KeyString renders the key of a mutation for logs and errors: table and key
// values, never payloads.
func (m *Mutation) KeyString() string {
	var b strings.Builder
	b.WriteString(m.Table.Name)
	b.WriteByte('(')
	for i, v := range m.Key {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(m.Table.Key[i].Name)
		b.WriteByte('=')
		b.WriteString(FormatValue(v))
	}
	b.WriteByte(')')
	return b.String()
}

// FormatValue renders a key value for people.
func FormatValue(v any) string {
	switch v := v.(type) {
	case [16]byte:
		return fmt.Sprintf("%x-%x-%x-%x-%x", v[0:4], v[4:6], v[6:8], v[8:10], v[10:16])
	case string:
		return fmt.Sprintf("%q", v)
	default:
		return fmt.Sprint(v)
	}
}
