package storage

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Bound is one end of a range of rows in a partition. Values are those of the
// first clustering columns, any number; none is the end of the partition.
// Inclusive says whether rows that begin with these values are in the range.
type Bound struct {
	Values    [][]byte
	Inclusive bool
}

// Slice is a range of rows of one partition, in the order in which they are
// stored: for a descending column the greater value is the start. The zero
// Slice is all rows, without the static one.
type Slice struct{ Start, End Bound }

// bounds returns the keys between which the rows of s lie.
func (t *Table) bounds(p Partition, s Slice) (lo, hi []byte) {
	lo = t.appendRow(make([]byte, 0, len(p.prefix)+64), p, s.Start.Values)
	if len(s.Start.Values) > 0 && !s.Start.Inclusive {
		lo = successor(lo)
	}
	hi = t.appendRow(make([]byte, 0, len(p.prefix)+64), p, s.End.Values)
	if len(s.End.Values) == 0 || s.End.Inclusive {
		hi = successor(hi)
	}
	return lo, hi
}

// RowIter walks over rows. It is for one goroutine.
type RowIter struct {
	v        *View
	t        *Table
	it       kvIter
	want     Columns
	err      error
	row      Row
	part     Partition
	partBuf  []byte
	prefix   []byte // of the row at hand
	values   [][]byte
	keyBuf   []byte
	reverse  bool
	whole    bool // over many partitions
	started  bool
	stepped  bool // the walk stands behind the row at hand
	elements bool // some wanted column has elements
}

// Rows walks over the rows of a partition that are in s, backwards if reverse.
// Rows that do not exist are left out. The static row is not among them.
func (v *View) Rows(t *Table, p Partition, s Slice, reverse bool, want Columns) *RowIter {
	ri := &RowIter{v: v, t: t, want: want, reverse: reverse, part: p}
	lo, hi := t.bounds(p, s)
	ri.open(lo, hi)
	return ri
}

// Range is a range of whole partitions, by token, both ends included. After, if
// set, begins the range behind a place that was reached before.
type Range struct {
	First, Last int64 // tokens
	After       *Place
}

// Place is where a scan was. With a nil Clustering it is before all rows of the
// partition but behind its static row; a table without clustering columns has
// an empty one, not nil. Done places it behind the whole partition.
type Place struct {
	Partition  Partition
	Clustering [][]byte
	Done       bool
}

// Scan walks over the rows of all partitions in r, in order of tokens. Static
// rows come first in their partitions, if the table has static columns.
func (v *View) Scan(t *Table, r Range, want Columns) *RowIter {
	ri := &RowIter{v: v, t: t, want: want, whole: true}
	lo := appendToken(clone(t.prefix[:]), r.First)
	if a := r.After; a != nil {
		switch {
		case a.Done:
			lo = append(clone(a.Partition.prefix), kindEnd)
		case a.Clustering == nil:
			lo = append(clone(a.Partition.prefix), kindRow)
		default:
			lo = successor(t.appendRow(nil, a.Partition, a.Clustering))
		}
	}
	hi := successor(appendToken(clone(t.prefix[:]), r.Last))
	if bytes.Compare(lo, hi) >= 0 {
		return ri // nothing is left
	}
	ri.open(lo, hi)
	return ri
}

func (ri *RowIter) open(lo, hi []byte) {
	if bytes.Compare(lo, hi) >= 0 {
		return
	}
	for i := range ri.t.Columns {
		if ri.t.Columns[i].Type.IsMultiCell() && ri.want.has(i) {
			ri.elements = true
		}
	}
	ri.it, ri.err = ri.v.r.iter(lo, hi)
}

// Row returns the row at hand; valid until the next call of Next or Close.
func (ri *RowIter) Row() *Row { return &ri.row }

// Partition returns the partition of the row at hand; it stays valid. Use
// [Table.PartitionValues] for its key.
func (ri *RowIter) Partition() Partition {
	if ri.whole {
		return Partition{Token: ri.part.Token, prefix: clone(ri.part.prefix)}
	}
	return ri.part
}

// PartitionKey returns the values of the partition key of the row at hand,
// valid as long as the row.
func (ri *RowIter) PartitionKey() [][]byte { return ri.values }

// SkipPartition makes Next go on behind the partition at hand.
func (ri *RowIter) SkipPartition() {
	if ri.it == nil || !ri.started || ri.err != nil {
		return
	}
	ri.it.SeekGE(append(clone(ri.part.prefix), kindEnd))
	ri.stepped = true
}

// Next moves to the next row that exists and reports whether there is one. When
// it returns false, Close says whether that was the end or an error.
func (ri *RowIter) Next() bool {
	if ri.it == nil || ri.err != nil {
		return false
	}
	if !ri.started {
		ri.started = true
		if ri.reverse {
			ri.it.Last()
		} else {
			ri.it.First()
		}
	} else if !ri.stepped {
		ri.step()
	}
	for ri.it.Valid() {
		if ri.err = ri.read(); ri.err != nil {
			return false
		}
		if ri.row.exists {
			return true
		}
		if !ri.stepped {
			ri.step()
		}
	}
	return false
}

func (ri *RowIter) step() {
	if ri.reverse {
		ri.it.Prev()
	} else {
		ri.it.Next()
	}
}

// read takes in the row at which the walk stands.
func (ri *RowIter) read() error {
	ri.stepped = false
	key := ri.it.Key()
	ri.row.reset(ri.t)
	rest, err := ri.enter(key)
	if err != nil {
		return err
	}
	if len(rest) < 1 {
		return errKeyForm
	}
	kind := rest[0]
	rest = rest[1:]
	switch kind {
	case kindTombstone:
		return nil // not for readers
	case kindStatic:
		ri.row.Static = true
		ri.row.Clustering = nil
	case kindRow:
		ri.row.Clustering, ri.keyBuf, rest, err = ri.t.decodeClustering(ri.row.Clustering[:0], ri.keyBuf[:0], rest)
		if err != nil {
			return err
		}
	default:
		return errKeyForm
	}
	n := len(key) - len(rest)
	if !ri.t.elements(kind == kindStatic) {
		return ri.plainRow(rest)
	}
	ri.prefix = append(ri.prefix[:0], key[:n]...)
	ri.stepped = true
	if ri.reverse {
		return ri.backwards(n)
	}
	return ri.forwards(n)
}

// enter looks at the partition part of a key and returns the rest.
func (ri *RowIter) enter(key []byte) (rest []byte, err error) {
	if bytes.HasPrefix(key, ri.part.prefix) && len(ri.part.prefix) > 0 {
		return key[len(ri.part.prefix):], nil
	}
	if rest, err = ri.t.skipPartition(key); err != nil {
		return nil, err
	}
	ri.partBuf = append(ri.partBuf[:0], key[:len(key)-len(rest)]...)
	ri.part = Partition{Token: tokenOf(key), prefix: ri.partBuf}
	ri.values, _, err = ri.t.splitPartition(ri.partBuf)
	return rest, err
}

// plainRow reads a row that has no elements; the walk stays on it, so that
// values need no copy.
func (ri *RowIter) plainRow(rest []byte) error {
	if len(rest) != 1 || rest[0] != partPlain {
		return nil // elements of dropped columns
	}
	value, err := ri.it.ValueAndErr()
	if err != nil {
		return err
	}
	return ri.row.fill(ri.t, value, ri.want, ri.v.now)
}

func (ri *RowIter) forwards(n int) error {
	if key := ri.it.Key(); len(key) == n+1 && key[n] == partPlain {
		if err := ri.copyPlain(); err != nil {
			return err
		}
		ri.it.Next()
	}
	if ri.row.exists && !ri.elements {
		// The row's elements are of no use: pass over them, unless there are
		// none.
		if ri.it.Valid() && bytes.HasPrefix(ri.it.Key(), ri.prefix) {
			ri.it.SeekGE(append(clone(ri.prefix), partEnd))
		}
		return ri.it.Error()
	}
	from, lastID, at := 0, uint32(0), -1
	first := true
	for ri.it.Valid() {
		key := ri.it.Key()
		if !bytes.HasPrefix(key, ri.prefix) {
			break
		}
		if len(key) < n+5 || key[n] != partElement {
			return errKeyForm
		}
		id := binary.BigEndian.Uint32(key[n+1:])
		if first || id != lastID {
			first, lastID = false, id
			at = ri.columnOf(id, &from)
		}
		if at < 0 || ri.row.exists && !ri.want.has(at) {
			if id == ^uint32(0) {
				ri.it.SeekGE(append(clone(ri.prefix), partEnd))
				break
			}
			ri.it.SeekGE(binary.BigEndian.AppendUint32(append(clone(ri.prefix), partElement), id+1))
			continue
		}
		if err := ri.takeElement(at, key[n+5:]); err != nil {
			return err
		}
		ri.it.Next()
	}
	return ri.it.Error()
}

// backwards reads a row from its last element to its plain cells.
func (ri *RowIter) backwards(n int) error {
	for ri.it.Valid() {
		key := ri.it.Key()
		if !bytes.HasPrefix(key, ri.prefix) {
			break
		}
		if len(key) == n+1 && key[n] == partPlain {
			if err := ri.copyPlain(); err != nil {
				return err
			}
			ri.it.Prev()
			break
		}
		if len(key) < n+5 || key[n] != partElement {
			return errKeyForm
		}
		from := 0
		id := binary.BigEndian.Uint32(key[n+1:])
		at := ri.columnOf(id, &from)
		if at < 0 || ri.row.exists && !ri.want.has(at) {
			ri.it.SeekLT(binary.BigEndian.AppendUint32(append(clone(ri.prefix), partElement), id))
			continue
		}
		if err := ri.takeElement(at, key[n+5:]); err != nil {
			return err
		}
		ri.it.Prev()
	}
	for i := range ri.row.Elements {
		slices.Reverse(ri.row.Elements[i])
	}
	return ri.it.Error()
}

func (ri *RowIter) columnOf(id uint32, from *int) int {
	at := ri.t.ordinal(id, from)
	if at >= 0 && ri.t.Columns[at].Static != ri.row.Static {
		return -1
	}
	return at
}

func (ri *RowIter) takeElement(at int, rest []byte) error {
	value, err := ri.it.ValueAndErr()
	if err != nil {
		return err
	}
	return ri.row.addElement(ri.t, at, rest, value, ri.want, ri.v.now)
}

func (ri *RowIter) copyPlain() error {
	value, err := ri.it.ValueAndErr()
	if err != nil {
		return err
	}
	ri.row.buf = append(ri.row.buf[:0], value...)
	return ri.row.fill(ri.t, ri.row.buf, ri.want, ri.v.now)
}

// Close ends the walk and returns the first error of it. Closing twice is
// harmless.
func (ri *RowIter) Close() error {
	if ri.it != nil {
		if e := ri.it.Error(); ri.err == nil {
			ri.err = e
		}
		if e := ri.it.Close(); ri.err == nil {
			ri.err = e
		}
		ri.it = nil
	}
	return ri.v.s.readError(ri.err)
}
