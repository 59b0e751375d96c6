package storage

// OpKind is what a write does to a column.
type OpKind uint8

// What can be done to a column. The first two are for all columns, the others
// for columns with elements.
const (
	// Set stores Value in a plain column; nil deletes it.
	Set OpKind = iota
	// Clear deletes the column with all its elements.
	Clear
	// SetElement stores Value under Key; a nil Value deletes the element. A
	// set's elements have Key and an empty Value.
	SetElement
	// DropElement deletes the element Key.
	DropElement
	// Replace stores exactly Elems: a map's keys and values alternating, a
	// set's or list's elements, a UDT's fields (nil for null).
	Replace
	// Append and Prepend put Elems at the end or the beginning of a list; both
	// keep their order.
	Append
	Prepend
)

// Op is one effect on one column.
type Op struct {
	Kind   OpKind
	Column int // position in the table's Columns
	Key    []byte
	Value  []byte
	Elems  [][]byte
}

// Write is what one statement does to one row. The values are copied.
type Write struct {
	Table     *Table
	Partition Partition
	// Clustering is the row's key; with Static set it is not used.
	Clustering [][]byte
	Static     bool
	// Insert makes the row's liveness mark.
	Insert bool
	// Timestamp is the write time in microseconds; nil is the transaction's.
	// See [Store.EnableTimestamps].
	Timestamp *int64
	// TTL is the time to live in seconds of everything written; 0 is forever.
	TTL int32
	Ops []Op
}

// coversAll reports whether the write sets every plain cell of the row.
func (w *Write) coversAll() bool {
	if w.Static {
		return false
	}
	n := 0
	for i := range w.Ops {
		if op := &w.Ops[i]; (op.Kind == Set || op.Kind == Clear) && !w.Table.Columns[op.Column].Type.IsMultiCell() {
			n++
		}
	}
	return n >= w.Table.plain
}

// clears reports whether the write takes whole columns of elements away.
func (w *Write) clears() bool {
	for i := range w.Ops {
		if op := &w.Ops[i]; op.Kind == Replace || op.Kind == Clear && w.Table.Columns[op.Column].Type.IsMultiCell() {
			return true
		}
	}
	return false
}

// repeats reports whether the write does several things to a column.
func (w *Write) repeats(c *Column) bool {
	n := 0
	for i := range w.Ops {
		if w.Table.Columns[w.Ops[i].Column].ID == c.ID {
			n++
		}
	}
	return n > 1
}
