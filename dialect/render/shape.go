package render

import (
	"fmt"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// part is the kind of statement that carries a mutation, or a part of it.
type part uint8

const (
	partInsert part = iota + 1
	partUpdate
	partDelete
	partDeleteRange
)

// rowTest is the form in which a statement tests the row as a whole.
type rowTest uint8

const (
	noRowTest      rowTest = iota
	testNotExists          // IF NOT EXISTS; of INSERT only, but for style Blocks
	testExists             // IF EXISTS
	testNoWitness          // IF witness = null
	testHasWitness         // IF witness != null
)

type ttlForm uint8

const (
	noTTL ttlForm = iota
	zeroTTL
	argTTL
)

// shape is what the text of a statement depends on, beside the family. Bits
// number the table's value columns.
type shape struct {
	part    part
	ttl     ttlForm
	row     rowTest
	sets    uint32 // scalars and blobs that are assigned
	whole   uint32 // collections that are assigned
	deltas  uint32 // collections whose elements change
	appends uint32 // lists that grow
	equal   uint32 // columns tested for a value
	absent  uint32 // columns tested for a value or null
	eq      uint8  // DeleteRange: logical key columns given
	from    edge
	to      edge
	elems   uint8 // elements of a shared map: see elemsFor
}

type edge struct {
	compare plan.Compare
	width   uint8
}

// slotOp says where an argument comes from.
type slotOp uint8

const (
	slotConst     slotOp = iota + 1 // constant of key column at
	slotKey                         // logical key value of key column at
	slotFrom                        // value col of the From bound, encoded as key column at
	slotTo                          // the same of the To bound
	slotTTL                         //
	slotSet                         // scalar or data of column at
	slotSetEnc                      // its encoding
	slotWhole                       // whole collection of column at
	slotMerge                       // new elements of column at
	slotDrop                        // keys of elements of column at
	slotAppend                      // new end of list at
	slotElemEnc                     // encoding of the whole or merged elements before
	slotIf                          // value in the condition on column at
	slotIfEnc                       // its encoding
	slotFilter                      // argument of filter at (reads)
	slotLimit                       // the last argument (reads)
	slotSpan                        // end at of the span (reads)
	slotAppendKey                   // name of the new batch of column at
	slotElemKey                     // key of element at of the shared map
	slotElem                        // its value
	slotPlus                        // all elements that are added
	slotMinus                       // keys of all elements that are taken away
)

type slot struct {
	op  slotOp
	at  uint8 // key or value column
	col uint8 // of bounds: index of the value
}

// stmt is a text with the source of each of its arguments.
type stmt struct {
	cql.Statement
	slots []slot
}

// shapes keeps the statements of one family. Reading takes no lock.
type shapes struct {
	known atomic.Pointer[map[shape]*stmt]
	grow  sync.Mutex
}

func (s *shapes) get(key shape) *stmt {
	if known := s.known.Load(); known != nil {
		return (*known)[key]
	}
	return nil
}

func (s *shapes) put(key shape, st *stmt) *stmt {
	s.grow.Lock()
	defer s.grow.Unlock()
	next := make(map[shape]*stmt)
	if known := s.known.Load(); known != nil {
		if found := (*known)[key]; found != nil {
			return found
		}
		for k, v := range *known {
			next[k] = v
		}
	}
	next[key] = st
	s.known.Store(&next)
	return st
}

// Compiler renders the mutations of one layout.
type Compiler struct {
	layout *Layout
	// NoNulls takes elements of shared maps away by a statement of their own,
	// not by assigning null to them.
	NoNulls bool
	// Fragments says that texts of writes are parts of others, so that Texts
	// lists those of reads only.
	Fragments bool
	caches    map[*plan.Table][]*shapes // by family

	mu    sync.Mutex
	texts map[string]*cql.Statement // every text ever made, by text
}

// NewCompiler returns a compiler for a layout.
func NewCompiler(l *Layout) *Compiler {
	c := &Compiler{
		layout: l,
		caches: make(map[*plan.Table][]*shapes, len(l.tables)),
		texts:  make(map[string]*cql.Statement),
	}
	for logical, t := range l.tables {
		for range t.Families {
			c.caches[logical] = append(c.caches[logical], new(shapes))
		}
	}
	return c
}

// Texts lists every distinct text made so far, sorted.
func (c *Compiler) Texts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	texts := make([]string, 0, len(c.texts))
	for text := range c.texts {
		texts = append(texts, text)
	}
	sort.Strings(texts)
	return texts
}

func (c *Compiler) record(s *cql.Statement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.texts[s.Text] == nil {
		c.texts[s.Text] = s
	}
}

// statement returns the statement of a shape, made once.
func (c *Compiler) statement(t *Table, family int, key shape) *stmt {
	cache := c.caches[t.Logical][family]
	if st := cache.get(key); st != nil {
		return st
	}
	st := cache.put(key, t.render(&t.Families[family], key))
	if !c.Fragments {
		c.record(&st.Statement)
	}
	return st
}

// shapesOf analyses a mutation. It returns the shapes of the one or two
// statements that carry it.
func (t *Table) shapesOf(m *plan.Mutation) (first, second shape, n int, err error) {
	row, equal, absent, err := t.conditions(m)
	if err != nil {
		return first, second, 0, err
	}
	ttl := noTTL
	switch {
	case m.TTL < 0:
		return first, second, 0, fmt.Errorf("TTL is %d s", m.TTL)
	case m.TTL > 0:
		ttl = argTTL
	case t.TTLZero:
		ttl = zeroTTL
	}
	switch m.Op {
	case plan.Delete:
		if len(m.Effects) > 0 || m.Live {
			return first, second, 0, fmt.Errorf("delete has effects")
		}
		if row == testNoWitness {
			return first, second, 0, fmt.Errorf("delete of a row that must not exist")
		}
		return shape{part: partDelete, row: row, equal: equal, absent: absent}, second, 1, nil
	case plan.DeleteRange:
		if len(m.Effects) > 0 || len(m.Conds) > 0 || m.Live {
			return first, second, 0, fmt.Errorf("range has effects or conditions")
		}
		first = shape{part: partDeleteRange, eq: uint8(len(m.Key)), from: edgeOf(&m.From), to: edgeOf(&m.To)}
		return first, second, 1, nil
	case plan.Assert:
		if len(m.Effects) > 0 || m.Live {
			return first, second, 0, fmt.Errorf("assertion has effects")
		}
		sets := equal | absent
		if sets == 0 {
			w := t.column(t.Witness)
			if w < 0 {
				return first, second, 0, fmt.Errorf("rows of %s have no column that stands for them", t.Logical)
			}
			sets = 1 << w
		}
		return shape{part: partUpdate, ttl: ttl, row: row, sets: sets, equal: equal, absent: absent}, second, 1, nil
	case plan.Insert, plan.Update:
	default:
		return first, second, 0, fmt.Errorf("operation %d is unknown", m.Op)
	}
	sets, whole, deltas, appends, filled, err := t.effects(m)
	if err != nil {
		return first, second, 0, err
	}
	update := shape{
		part: partUpdate, ttl: ttl, row: row, sets: sets, whole: whole, deltas: deltas, appends: appends,
		equal: equal, absent: absent,
	}
	plainInsert := m.Op == plan.Insert || m.Live
	if !plainInsert {
		if sets|whole|deltas|appends == 0 {
			return first, second, 0, fmt.Errorf("update has no effects")
		}
		t.widen(&update)
		return update, second, 1, nil
	}
	if m.Op == plan.Insert && row == testNoWitness {
		row, update.row = testNotExists, noRowTest
	}
	if update.row != noRowTest || equal|absent != 0 {
		// The condition goes with the UPDATE: INSERT can test absence only.
		insert := shape{part: partInsert, ttl: ttl}
		if sets|whole|deltas|appends == 0 {
			return first, second, 0, fmt.Errorf("conditional insert of a row that exists has no effects")
		}
		t.widen(&update)
		return insert, update, 2, nil
	}
	if row == testNotExists {
		// The row is new, so its collections are empty: writing their elements
		// does without the range tombstone that a whole collection brings.
		// Lists have no such form.
		whole &= filled
		lists := whole & t.lists()
		deltas |= whole &^ lists
		whole = lists
	}
	insert := shape{part: partInsert, ttl: ttl, row: row, sets: sets, whole: whole}
	if deltas&filled|appends == 0 {
		return insert, second, 1, nil
	}
	// The UPDATE carries all collections: a list that both carried would double.
	insert.whole = 0
	update.sets, update.whole, update.deltas = 0, whole, deltas
	t.widen(&update)
	return insert, update, 2, nil
}

// widen names all collections of a wide table, so that its updates share a text.
func (t *Table) widen(s *shape) {
	if !t.Wide {
		return
	}
	for i := range t.Families[0].Columns {
		bit := uint32(1) << i
		switch f := t.Families[0].Columns[i].Form; {
		case !f.Collection() || (s.whole|s.appends)&bit != 0:
		case f == BatchList:
			s.whole |= bit // a list takes no unset elements (CASSANDRA: list + UNSET is a server error)
		default:
			s.deltas |= bit
		}
	}
}

func (t *Table) lists() (bits uint32) {
	for i := range t.Families[0].Columns {
		if t.Families[0].Columns[i].Form == BatchList {
			bits |= 1 << i
		}
	}
	return bits
}

// effects sorts a mutation's effects by what they do. filled has the
// collections for which there are elements to write or to remove.
func (t *Table) effects(m *plan.Mutation) (sets, whole, deltas, appends, filled uint32, err error) {
	var drops uint32
	for i := range m.Effects {
		e := &m.Effects[i]
		at := t.column(e.Column)
		if at < 0 {
			return 0, 0, 0, 0, 0, fmt.Errorf("%s has no column %s", t.Logical, e.Column)
		}
		bit := uint32(1) << at
		form := t.Families[0].Columns[at].Form
		switch {
		case (sets|whole|appends)&bit != 0, e.Op != plan.Drop && deltas&bit != 0,
			e.Op != plan.Merge && drops&bit != 0:
			return 0, 0, 0, 0, 0, fmt.Errorf("%s has effects that exclude each other", e.Column)
		case !form.Collection() && (e.Op == plan.Set || e.Op == plan.Clear):
			sets |= bit
		case form.Collection() && (e.Op == plan.Set || e.Op == plan.Clear):
			whole |= bit
		case e.Op == plan.Append && form == BatchList:
			appends |= bit
			filled |= bit
		case e.Op == plan.Merge && form.Collection() && form != BatchList:
			deltas |= bit
		case e.Op == plan.Drop && form.Collection() && form != BatchList:
			drops |= bit
		default:
			return 0, 0, 0, 0, 0, fmt.Errorf("%s cannot take effect %d", e.Column, e.Op)
		}
		if e.Op != plan.Clear && elements(e.Value) {
			filled |= bit
		}
	}
	return sets, whole, deltas | drops, appends, filled, nil
}

// elements tells whether the value of an effect on a collection has any.
func elements(v any) bool {
	switch v := v.(type) {
	case []plan.IntEntry:
		return len(v) > 0
	case []plan.TextEntry:
		return len(v) > 0
	case []plan.NodeEntry:
		return len(v) > 0
	case []plan.TextIntEntry:
		return len(v) > 0
	case []plan.Blob:
		return len(v) > 0
	case []string:
		return len(v) > 0
	case []int64:
		return len(v) > 0
	}
	return v != nil
}

func (t *Table) conditions(m *plan.Mutation) (row rowTest, equal, absent uint32, err error) {
	var present, missing bool
	for i := range m.Conds {
		c := &m.Conds[i]
		switch c.Test {
		case plan.RowAbsent:
			missing = true
			continue
		case plan.RowPresent:
			present = true
			continue
		default: // of a column
		}
		at := t.column(c.Column)
		if at < 0 || t.Families[0].Columns[at].Form.Collection() {
			return 0, 0, 0, fmt.Errorf("%s has no column %s that can be tested", t.Logical, c.Column)
		}
		bit := uint32(1) << at
		switch {
		case (equal|absent)&bit != 0:
			return 0, 0, 0, fmt.Errorf("%s is tested twice", c.Column)
		case c.Value == nil:
			return 0, 0, 0, fmt.Errorf("%s is compared with nothing", c.Column)
		case c.Test == plan.Equal:
			equal |= bit
		case c.Test == plan.EqualOrAbsent:
			absent |= bit
		default:
			return 0, 0, 0, fmt.Errorf("test %d is unknown", c.Test)
		}
	}
	switch {
	case missing && (present || equal|absent != 0):
		return 0, 0, 0, fmt.Errorf("row must be absent and more is asked of it")
	case missing:
		if m.Op != plan.Insert && t.column(t.Witness) < 0 {
			return 0, 0, 0, fmt.Errorf("rows of %s have no column that stands for them", t.Logical)
		}
		row = testNoWitness
	case present && equal != 0: // the value proves the row
	case present && absent != 0:
		if t.column(t.Witness) < 0 {
			return 0, 0, 0, fmt.Errorf("rows of %s have no column that stands for them", t.Logical)
		}
		row = testHasWitness
	case present:
		row = testExists
	}
	return row, equal, absent, nil
}

func edgeOf(b *plan.Bound) edge {
	if b.Compare == plan.Unbounded {
		return edge{}
	}
	return edge{b.Compare, uint8(len(b.Values))}
}
