package render

import (
	"fmt"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// writer builds a text and the slots of its markers.
type writer struct {
	strings.Builder
	slots []slot
	key   []int // markers of the partition key
}

func (w *writer) marker(s slot) {
	w.WriteByte('?')
	w.slots = append(w.slots, s)
}

// list writes a separator before every element but the first.
type list struct {
	sep  string
	more bool
}

func (l *list) next(w *writer) {
	if l.more {
		w.WriteString(l.sep)
	}
	l.more = true
}

// render makes the statement of a shape.
func (t *Table) render(f *Family, s shape) *stmt {
	w := &writer{}
	switch s.part {
	case partInsert:
		t.insert(w, f, s)
	case partUpdate:
		t.update(w, f, s)
	case partDelete:
		w.WriteString("DELETE FROM " + f.Name)
		f.where(w)
		t.conditionText(w, f, s)
	case partDeleteRange:
		w.WriteString("DELETE FROM " + f.Name)
		f.whereRange(w, int(s.eq), s.from, s.to)
	}
	st := &stmt{slots: w.slots}
	st.Text = w.String()
	st.Plan = t.Logical.Name
	st.KeyArgs = w.key
	st.Conditional = s.row != noRowTest || s.equal|s.absent != 0
	st.Idempotent = !st.Conditional && (s.appends == 0 || t.style == Blocks)
	return st
}

func (t *Table) insert(w *writer, f *Family, s shape) {
	w.WriteString("INSERT INTO " + f.Name + " (")
	names := list{sep: ", "}
	for i := range f.Key {
		names.next(w)
		w.WriteString(f.Key[i].Name)
	}
	for i := range f.Columns {
		if (s.sets|s.whole)&(1<<i) == 0 {
			continue
		}
		names.next(w)
		w.WriteString(f.Columns[i].Name)
		if f.Columns[i].Encoding != "" {
			names.next(w)
			w.WriteString(f.Columns[i].Encoding)
		}
	}
	w.WriteString(") VALUES (")
	values := list{sep: ", "}
	for i := range f.Key {
		values.next(w)
		f.keyValue(w, i)
	}
	for i := range f.Columns {
		if (s.sets|s.whole)&(1<<i) == 0 {
			continue
		}
		value, encoding := slotSet, slotSetEnc
		if s.whole&(1<<i) != 0 {
			value, encoding = slotWhole, slotElemEnc
		}
		values.next(w)
		w.marker(slot{op: value, at: uint8(i)})
		if f.Columns[i].Encoding != "" {
			values.next(w)
			w.marker(slot{op: encoding, at: uint8(i)})
		}
	}
	w.WriteByte(')')
	switch {
	case t.style == Blocks:
		t.tests(w, f, s)
	case s.row == testNotExists:
		w.WriteString(" IF NOT EXISTS")
	}
	w.ttl(s.ttl)
}

func (w *writer) ttl(f ttlForm) {
	switch f {
	case zeroTTL:
		w.WriteString(" USING TTL 0")
	case argTTL:
		w.WriteString(" USING TTL ")
		w.marker(slot{op: slotTTL})
	case noTTL:
	}
}

func (t *Table) update(w *writer, f *Family, s shape) {
	w.WriteString("UPDATE " + f.Name)
	w.ttl(s.ttl)
	w.WriteString(" SET ")
	sets := list{sep: ", "}
	for i := range f.Columns {
		c, at, bit := &f.Columns[i], uint8(i), uint32(1)<<i
		assign := func(operator string, op slotOp) {
			sets.next(w)
			w.WriteString(c.Name + " = ")
			if operator != "" {
				w.WriteString(c.Name + operator)
			}
			w.marker(slot{op: op, at: at})
		}
		encoding := slotElemEnc
		switch {
		case s.sets&bit != 0:
			assign("", slotSet)
			encoding = slotSetEnc
		case s.whole&bit != 0:
			assign("", slotWhole)
		case s.appends&bit != 0 && c.Form == EventMap:
			sets.next(w)
			w.WriteString(c.Name + "[")
			w.marker(slot{op: slotAppendKey, at: at})
			w.WriteString("] = ")
			w.marker(slot{op: slotAppend, at: at})
		case s.appends&bit != 0:
			assign(" + ", slotAppend)
		case s.deltas&bit != 0:
			assign(" + ", slotMerge)
			assign(" - ", slotDrop)
		default:
			continue
		}
		if c.Encoding != "" {
			sets.next(w)
			w.WriteString(c.Encoding + " = ")
			w.marker(slot{op: encoding, at: at})
		}
	}
	t.entries(w, &sets, f, s)
	f.where(w)
	t.conditionText(w, f, s)
}

// where names one row.
func (f *Family) where(w *writer) {
	and := list{sep: " AND "}
	w.WriteString(" WHERE ")
	for i := range f.Key {
		and.next(w)
		w.WriteString(f.Key[i].Name + " = ")
		f.keyValue(w, i)
	}
}

// keyValue writes the value of a key column: constants as literals, but bound
// in the partition key, from which drivers find the server to ask.
func (f *Family) keyValue(w *writer, i int) {
	k := &f.Key[i]
	if i < f.Partition {
		w.key = append(w.key, len(w.slots))
	}
	switch {
	case k.Of != nil:
		w.marker(slot{op: slotKey, at: uint8(i)})
	case i < f.Partition:
		w.marker(slot{op: slotConst, at: uint8(i)})
	default:
		w.WriteString(literal(k.Const))
	}
}

func (t *Table) conditionText(w *writer, f *Family, s shape) {
	if t.style == Blocks {
		t.tests(w, f, s)
		return
	}
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
	case testNoWitness:
		begin()
		w.WriteString(f.Columns[t.column(t.Witness)].Name + " = null")
	case testHasWitness:
		begin()
		w.WriteString(f.Columns[t.column(t.Witness)].Name + " != null")
	case noRowTest, testNotExists: // the latter is of INSERT
	}
	for i := range f.Columns {
		c, bit := &f.Columns[i], uint32(1)<<i
		if (s.equal|s.absent)&bit == 0 {
			continue
		}
		test := func(name string, op slotOp) {
			begin()
			w.WriteString(name)
			if s.equal&bit != 0 {
				w.WriteString(" = ")
				w.marker(slot{op: op, at: uint8(i)})
				return
			}
			w.WriteString(" IN (")
			w.marker(slot{op: op, at: uint8(i)})
			w.WriteString(", null)")
		}
		test(c.Name, slotIf)
		if c.Encoding != "" {
			test(c.Encoding, slotIfEnc)
		}
	}
}

var compareText = map[plan.Compare]string{
	plan.GreaterOrEqual: ">=",
	plan.Greater:        ">",
	plan.LessOrEqual:    "<=",
	plan.Less:           "<",
}

// whereRange names the rows under the first eq logical key columns, between
// two edges of the columns after them.
func (f *Family) whereRange(w *writer, eq int, from, to edge) {
	and := list{sep: " AND "}
	w.WriteString(" WHERE ")
	for i := range f.Partition {
		and.next(w)
		w.WriteString(f.Key[i].Name + " = ")
		f.keyValue(w, i)
	}
	fixed := f.fixed(eq)
	if from.width <= 1 && to.width <= 1 || f.Key[fixed].And != nil {
		for i := f.Partition; i < fixed; i++ {
			and.next(w)
			w.WriteString(f.Key[i].Name + " = ")
			f.keyValue(w, i)
		}
		for _, side := range []struct {
			edge
			op slotOp
		}{{from, slotFrom}, {to, slotTo}} {
			if side.compare == plan.Unbounded {
				continue
			}
			and.next(w)
			w.WriteString(f.Key[fixed].Name + " " + compareText[side.compare] + " ")
			w.marker(slot{op: side.op, at: uint8(fixed)})
		}
		return
	}
	// Columns compared like a tuple: the fixed ones are part of it (as upstream
	// has it: not every server lets single columns and tuples be mixed), so the
	// open side must be closed at their values.
	if from.compare == plan.Unbounded {
		from = edge{compare: plan.GreaterOrEqual}
	}
	if to.compare == plan.Unbounded {
		to = edge{compare: plan.LessOrEqual}
	}
	f.tuple(w, &and, fixed, from, slotFrom)
	f.tuple(w, &and, fixed, to, slotTo)
}

func (f *Family) tuple(w *writer, and *list, fixed int, e edge, op slotOp) {
	end := fixed + int(e.width)
	if end == f.Partition {
		return // nothing to compare
	}
	and.next(w)
	w.WriteByte('(')
	names := list{sep: ", "}
	for i := f.Partition; i < end; i++ {
		names.next(w)
		w.WriteString(f.Key[i].Name)
	}
	w.WriteString(") " + compareText[e.compare] + " (")
	values := list{sep: ", "}
	for i := f.Partition; i < end; i++ {
		values.next(w)
		if i < fixed {
			f.keyValue(w, i)
			continue
		}
		w.marker(slot{op: op, at: uint8(i), col: uint8(i - fixed)})
	}
	w.WriteByte(')')
}

// fixed returns how many columns of the physical key, from its start, have a
// value when the first eq logical key columns are given.
func (f *Family) fixed(eq int) int {
	n := 0
	for n < len(f.Key) && (f.Key[n].Of == nil || f.Key[n].last() < eq) {
		n++
	}
	return n
}

// checkRange tells whether a range can be said in one statement: the columns
// of both edges must follow the fixed ones, in the logical order.
func (t *Table) checkRange(f *Family, eq int, from, to edge) error {
	fixed := f.fixed(eq)
	if fixed < f.Partition {
		return fmt.Errorf("rows of %s are looked up by %d key columns, got %d", t.Logical, f.Partition, eq)
	}
	pair := fixed < len(f.Key) && f.Key[fixed].And != nil
	if pair && eq > f.Key[fixed].at {
		return fmt.Errorf("%s is stored with %s: both are given or neither", f.Key[fixed].Of, f.Key[fixed].And)
	}
	for _, e := range []edge{from, to} {
		if (e.compare == plan.Unbounded) != (e.width == 0) {
			return fmt.Errorf("bound of %d columns with relation %d", e.width, e.compare)
		}
		if eq+int(e.width) > len(t.Logical.Key) {
			return fmt.Errorf("bound of %d columns after %d of %s", e.width, eq, t.Logical)
		}
		for i := range int(e.width) {
			k := fixed + i
			if pair && i == 1 {
				continue
			}
			if k >= len(f.Key) || f.Key[k].Of != t.Logical.Key[eq+i] {
				return fmt.Errorf("%s is not stored in the order of %s", t.Logical, t.Logical.Key[eq+i])
			}
			if c := f.Key[k].Codec; c != nil && c.Unordered {
				return fmt.Errorf("%s is not stored in its order and cannot be bounded", t.Logical.Key[eq+i])
			}
			if e.width > 1 && t.Logical.Key[eq+i].Desc {
				return fmt.Errorf("%s runs the other way and cannot be compared with others", t.Logical.Key[eq+i])
			}
		}
	}
	return nil
}
