package render

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// MaxElements is the largest number of elements that one statement of style
// [Blocks] assigns one by one. More are added as one map and taken away as one
// set, for which the server reads the collection first.
const MaxElements = 64

// The values of shape.elems that are not a count: 1<<(elems-1) elements are
// assigned one by one.
const (
	elemsPlus  uint8 = 254 // added as one map
	elemsMinus uint8 = 255 // taken away as one set
)

// elemsFor is the class of a number of elements: the next power of two.
func elemsFor(n int) uint8 {
	switch {
	case n == 0:
		return 0
	case n > MaxElements:
		return elemsPlus
	}
	return uint8(bits.Len(uint(n-1))) + 1
}

// blockShapes is shapesOf for style Blocks: one statement carries a mutation,
// and a second one the elements that the first cannot take away.
func (t *Table) blockShapes(m *plan.Mutation, e *entrySet) (first, second shape, n int, err error) {
	row, equal, absent, err := t.conditions(m)
	if err != nil {
		return first, second, 0, err
	}
	ttl := noTTL
	switch {
	case m.TTL < 0:
		return first, second, 0, fmt.Errorf("TTL is %d s", m.TTL)
	case m.TTL > 0 && t.NoTTL:
		return first, second, 0, fmt.Errorf("rows of %s cannot be given a life: they are written in transactions", t.Logical)
	case m.TTL > 0:
		ttl = argTTL
	}
	switch row {
	case testNoWitness:
		row = testNotExists
	case testHasWitness:
		row = testExists
	default: // said as it is
	}
	switch m.Op {
	case plan.Delete:
		if len(m.Effects) > 0 || m.Live {
			return first, second, 0, errors.New("delete has effects")
		}
		if row == testNotExists {
			return first, second, 0, errors.New("delete of a row that must not exist")
		}
		return shape{part: partDelete, row: row, equal: equal, absent: absent}, second, 1, nil
	case plan.DeleteRange:
		if len(m.Effects) > 0 || len(m.Conds) > 0 || m.Live {
			return first, second, 0, errors.New("range has effects or conditions")
		}
		return shape{part: partDeleteRange, eq: uint8(len(m.Key)), from: edgeOf(&m.From), to: edgeOf(&m.To)}, second, 1, nil
	case plan.Assert:
		s, err := t.assertion(m, row, equal, absent)
		s.ttl = ttl
		return s, second, 1, err
	case plan.Insert, plan.Update:
	default:
		return first, second, 0, fmt.Errorf("operation %d is unknown", m.Op)
	}
	s, err := t.blockEffects(m, e)
	if err != nil {
		return first, second, 0, err
	}
	s.ttl, s.row, s.equal, s.absent = ttl, row, equal, absent
	// What is tested is written, if need be with its own value: two
	// transactions that write different columns of a row do not conflict.
	if open := absent &^ s.sets; open != 0 {
		return first, second, 0, errors.New("a column that may be absent is tested and not written: nothing would hold it")
	}
	s.sets |= equal
	if m.Op == plan.Insert || m.Live {
		s.part = partInsert
		return t.blockInsert(m, s)
	}
	s.part = partUpdate
	if s.sets|s.whole|s.appends == 0 && s.elems == 0 && !e.minus() {
		return first, second, 0, errors.New("update has no effects")
	}
	if e.minus() {
		return s, shape{part: partUpdate, elems: elemsMinus}, 2, nil
	}
	return s, second, 1, nil
}

func (t *Table) assertion(m *plan.Mutation, row rowTest, equal, absent uint32) (shape, error) {
	if len(m.Effects) > 0 || m.Live {
		return shape{}, errors.New("assertion has effects")
	}
	sets := equal
	switch {
	case absent != 0 || row == testExists:
		return shape{}, errors.New("nothing can be written that leaves the row as it is, so nothing would hold the assertion")
	case row == testNotExists:
		// Null leaves no row, and conflicts with whoever makes one.
		w := t.column(t.Witness)
		if w < 0 {
			return shape{}, fmt.Errorf("rows of %s have no column that stands for them", t.Logical)
		}
		sets = 1 << w
	}
	return shape{part: partUpdate, row: row, sets: sets, equal: equal}, nil
}

// blockInsert makes the row exist. All columns of a new row's collections are
// named, so that inserts of any elements share a text.
func (t *Table) blockInsert(m *plan.Mutation, s shape) (first, second shape, n int, err error) {
	if s.row != testNotExists && (s.elems != 0 || s.appends != 0) {
		return first, second, 0, errors.New("elements are added to a row that may be there, with an insert: update it")
	}
	if s.row == testNotExists {
		s.elems, s.appends = 0, 0
		for i := range t.Families[0].Columns {
			c := &t.Families[0].Columns[i]
			if c.Form == EventMap || c.Form == Entries && t.firstEntry(i) {
				s.whole |= 1 << i
			}
		}
	}
	if m.Op == plan.Update && s.sets|s.whole == 0 {
		return first, second, 0, errors.New("update has no effects")
	}
	return s, second, 1, nil
}

// firstEntry tells whether column i is the first of those that share its map.
func (t *Table) firstEntry(i int) bool {
	columns := t.Families[0].Columns
	for j := range i {
		if columns[j].Form == Entries {
			return false
		}
	}
	return true
}

// blockEffects sorts a mutation's effects.
func (t *Table) blockEffects(m *plan.Mutation, e *entrySet) (s shape, err error) {
	var seen uint32
	for i := range m.Effects {
		x := &m.Effects[i]
		at := t.column(x.Column)
		if at < 0 {
			return s, fmt.Errorf("%s has no column %s", t.Logical, x.Column)
		}
		bit := uint32(1) << at
		c := &t.Families[0].Columns[at]
		whole := x.Op == plan.Set || x.Op == plan.Clear
		switch {
		case c.Form == Entries:
			if err := e.add(c, x); err != nil {
				return s, fmt.Errorf("%s: %w", x.Column, err)
			}
			continue
		case seen&bit != 0:
			return s, fmt.Errorf("%s has effects that exclude each other", x.Column)
		case !c.Form.Collection() && whole:
			s.sets |= bit
		case (c.Form == CountMap || c.Form == EventMap) && whole:
			s.whole |= bit
		case c.Form == EventMap && x.Op == plan.Append:
			s.appends |= bit
		default:
			return s, fmt.Errorf("%s cannot take effect %d", x.Column, x.Op)
		}
		seen |= bit
	}
	fresh := (m.Op == plan.Insert || m.Live) && len(m.Conds) == 1 && m.Conds[0].Test == plan.RowAbsent
	if err := e.finish(t, fresh); err != nil {
		return s, err
	}
	switch {
	case e.whole:
		for i := range t.Families[0].Columns {
			if t.Families[0].Columns[i].Form == Entries && t.firstEntry(i) {
				s.whole |= 1 << i
			}
		}
	case e.plus:
		s.elems = elemsPlus
	default:
		s.elems = elemsFor(len(e.list))
	}
	return s, nil
}

// entries writes the assignments of single elements of the map that columns share.
func (t *Table) entries(w *writer, sets *list, f *Family, s shape) {
	if s.elems == 0 {
		return
	}
	at := 0
	for f.Columns[at].Form != Entries {
		at++
	}
	name := f.Columns[at].Name
	switch s.elems {
	case elemsPlus, elemsMinus:
		sets.next(w)
		if s.elems == elemsPlus {
			w.WriteString(name + " = " + name + " + ")
			w.marker(slot{op: slotPlus, at: uint8(at)})
			return
		}
		w.WriteString(name + " = " + name + " - ")
		w.marker(slot{op: slotMinus, at: uint8(at)})
	default:
		for i := range 1 << (s.elems - 1) {
			sets.next(w)
			w.WriteString(name + "[")
			w.marker(slot{op: slotElemKey, at: uint8(i)})
			w.WriteString("] = ")
			w.marker(slot{op: slotElem, at: uint8(i)})
		}
	}
}

// tests writes the conditions of style Blocks.
func (t *Table) tests(w *writer, f *Family, s shape) {
	and := list{sep: " AND "}
	begin := func() {
		if !and.more {
			w.WriteString(" IF ")
		}
		and.next(w)
	}
	switch s.row {
	case testExists:
		begin()
		w.WriteString("EXISTS")
	case testNotExists:
		begin()
		w.WriteString("NOT EXISTS")
	default: // no test of the row as a whole
	}
	for i := range f.Columns {
		c, bit := &f.Columns[i], uint32(1)<<i
		if (s.equal|s.absent)&bit == 0 {
			continue
		}
		test := func(name string, op slotOp) {
			begin()
			if s.absent&bit != 0 {
				w.WriteString("(" + name + " = null OR " + name + " = ")
				w.marker(slot{op: op, at: uint8(i)})
				w.WriteByte(')')
				return
			}
			w.WriteString(name + " = ")
			w.marker(slot{op: op, at: uint8(i)})
		}
		test(c.Name, slotIf)
		if c.Encoding != "" {
			test(c.Encoding, slotIfEnc)
		}
	}
}
