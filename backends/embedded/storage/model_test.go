package storage

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of random tests; 0 takes one from the clock")
	stepsFlag = flag.Int("steps", 0, "steps of the model test; 0 is the default")
)

func testRand(t testing.TB) (*rand.Rand, uint64) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1)), seed
}

// testClock is a wall clock that tests move.
type testClock struct{ us atomic.Int64 }

func newTestClock() *testClock {
	c := &testClock{}
	c.us.Store(1_700_000_000_000_000)
	return c
}

func (c *testClock) now() time.Time          { return time.UnixMicro(c.us.Load()) }
func (c *testClock) advance(d time.Duration) { c.us.Add(d.Microseconds()) }

func i32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(int32(v))) }

func toInt(b []byte) int { return int(int32(binary.BigEndian.Uint32(b))) }

func native(k cqltype.Kind) *cqltype.Type { return cqltype.Native(k) }

// The model's table: p int, a int asc, b text desc; columns of all sorts.
const (
	colV1 = iota
	colV2
	colMap
	colSet
	colList
	colUDT
	colStatic
	colStaticMap
)

func modelTable(t testing.TB, partitioner Partitioner, indexes bool) *Table {
	integer, text := native(cqltype.Int), native(cqltype.Text)
	d := Definition{
		ID: 7, Partitioner: partitioner, Partition: []*cqltype.Type{integer},
		Clustering: []Clustering{{Type: integer}, {Type: text, Desc: true}},
		Columns: []Column{
			{ID: 11, Type: integer},
			{ID: 3, Type: text},
			{ID: 5, Type: cqltype.MapOf(integer, text, false)},
			{ID: 4, Type: cqltype.SetOf(text, false)},
			{ID: 9, Type: cqltype.ListOf(integer, false)},
			{ID: 10, Type: cqltype.UDTOf("k", "u", []string{"f", "g"}, []*cqltype.Type{integer, text}, false)},
			{ID: 2, Type: integer, Static: true},
			{ID: 1, Type: cqltype.MapOf(text, integer, false), Static: true},
		},
		Grace: 240 * time.Hour,
	}
	if indexes {
		d.Indexes = []Index{
			{ID: 100, Parts: []IndexPart{{Source: FromColumn, Column: colV1}}},
			{ID: 101, Target: IndexValues, Parts: []IndexPart{{Source: FromColumn, Column: colMap}}},
			{ID: 102, Target: IndexKeys, Parts: []IndexPart{{Source: FromColumn, Column: colMap}}},
			{ID: 103, Target: IndexValues, Parts: []IndexPart{{Source: FromColumn, Column: colSet}}},
			{ID: 104, Parts: []IndexPart{{Source: FromColumn, Column: colStatic}}},
			{ID: 105, Parts: []IndexPart{{Source: FromClustering, Column: 0}, {Source: FromColumn, Column: colV2}}},
		}
	}
	tab, err := NewTable(d)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func renderRow(t *Table, p int, r *Row) string {
	k := okey{static: r.Static}
	if !r.Static {
		k.a, k.b = toInt(r.Clustering[0]), string(r.Clustering[1])
	}
	var s strings.Builder
	if r.Inserted {
		s.WriteString(" inserted")
	}
	for i := range t.Columns {
		if c := r.Cells[i]; c.Value != nil {
			fmt.Fprintf(&s, " %d[]=%x@%d/%d/%d", i, c.Value, c.Timestamp, c.TTL, c.Expiry)
		}
		for _, e := range r.Elements[i] {
			key := e.Key
			if i == colList {
				key = nil
			}
			fmt.Fprintf(&s, " %d[%x]=%x@%d/%d/%d", i, key, e.Value, e.Timestamp, e.TTL, e.Expiry)
		}
	}
	return fmt.Sprintf("%d %v:%s", p, k, s.String())
}

// model drives a store and the oracle with the same random transactions.
type model struct {
	t       *testing.T
	r       *rand.Rand
	s       *Store
	tab     *Table
	o       *oracle
	clock   *testClock
	stamped bool
	pos     int
}

func TestStoreAgreesWithModel(t *testing.T) {
	for _, tt := range []struct {
		name                         string
		partitioner                  Partitioner
		sequential, stamped, indexes bool
	}{
		{name: "batches reconcile"},
		{name: "batches reconcile, with indexes", indexes: true},
		{name: "blocks run in order", partitioner: YBHash, sequential: true},
		{name: "blocks run in order, with indexes", partitioner: YBHash, sequential: true, indexes: true},
		{name: "explicit timestamps", stamped: true},
		{name: "explicit timestamps, with indexes", stamped: true, indexes: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := testRand(t)
			clock := newTestClock()
			s, err := Open(Options{Ephemeral: true, Now: clock.now, Sweep: -1, MemtableBytes: 256 << 10})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			m := &model{
				t: t, r: r, s: s, clock: clock, stamped: tt.stamped,
				tab: modelTable(t, tt.partitioner, tt.indexes),
				o:   &oracle{sequential: tt.sequential, parts: map[int]*opart{}},
			}
			if tt.stamped {
				if _, err := s.EnableTimestamps(m.tab.ID); err != nil {
					t.Fatal(err)
				}
			}
			steps := 1200
			if *stepsFlag > 0 {
				steps = *stepsFlag
			}
			for i := 0; i < steps && !t.Failed(); i++ {
				m.step()
				if i%8 == 0 {
					m.check(i)
				}
			}
		})
	}
}

func (m *model) step() {
	switch m.r.IntN(10) {
	case 0:
		m.clock.advance(time.Duration(m.r.IntN(4)) * time.Second)
	case 1:
		if _, err := m.s.Sweep(); err != nil {
			m.t.Fatal(err)
		}
	default:
		m.txn()
	}
}

func (m *model) txn() {
	n := 1
	if m.r.IntN(2) == 0 {
		n = 1 + m.r.IntN(5)
	}
	var latches []Latch
	for p := range 4 {
		latches = append(latches, m.partition(p).Latch())
	}
	tx, err := m.s.Begin(TxnOptions{Sequential: m.o.sequential}, latches...)
	if err != nil {
		m.t.Fatal(err)
	}
	defer tx.Abort()
	if m.r.IntN(12) == 0 {
		// A dropped transaction must leave nothing.
		saved := m.o
		m.o = &oracle{sequential: saved.sequential, parts: map[int]*opart{}}
		for range n {
			m.write(tx)
		}
		m.o = saved
		return
	}
	for range n {
		m.write(tx)
	}
	ticket, err := tx.Commit()
	if err == nil {
		err = ticket.Wait()
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) partition(p int) Partition {
	part, err := m.tab.PartitionOf([][]byte{i32(p)})
	if err != nil {
		m.t.Fatal(err)
	}
	return part
}

func (m *model) text() []byte { return []byte([]string{"", "a", "b\x00", "\x00", "ab"}[m.r.IntN(5)]) }

func (m *model) write(tx *Txn) {
	p := m.r.IntN(4)
	part := m.partition(p)
	ts, explicit := tx.Timestamp(), (*int64)(nil)
	if m.stamped && m.r.IntN(3) > 0 {
		v := int64(m.r.IntN(40))
		ts, explicit = v, &v
	}
	k := okey{a: m.r.IntN(3) - 1, b: string(m.text())}
	ck := [][]byte{i32(k.a), []byte(k.b)}
	var err error
	switch m.r.IntN(20) {
	case 0:
		err = tx.DeletePartition(m.tab, part, explicit)
		m.o.bury(p, ts, func(okey, *ocell) bool { return true })
	case 1, 2:
		s, in := m.slice()
		err = tx.DeleteRange(m.tab, part, s, explicit)
		m.o.bury(p, ts, func(k okey, _ *ocell) bool { return !k.static && in(k) })
	case 3, 4:
		err = tx.DeleteRow(m.tab, part, ck, explicit)
		m.o.bury(p, ts, func(x okey, _ *ocell) bool { return x == k })
	default:
		w := &Write{Table: m.tab, Partition: part, Clustering: ck, Timestamp: explicit}
		if m.r.IntN(5) == 0 {
			w.Static, w.Clustering = true, nil
			k = okey{static: true}
		}
		if m.r.IntN(3) == 0 {
			w.TTL = int32(1 + m.r.IntN(5))
		}
		cell := ocell{ts: ts, ttl: w.TTL}
		if w.TTL > 0 {
			cell.expiry = tx.Now() + int64(w.TTL)
		}
		if !w.Static && m.r.IntN(2) == 0 {
			w.Insert = true
			c := cell
			m.o.mark(p, k, &c)
		}
		cols := []int{colV1, colV2, colMap, colSet, colList, colUDT}
		if w.Static {
			cols = []int{colStatic, colStaticMap}
		}
		m.r.Shuffle(len(cols), func(i, j int) { cols[i], cols[j] = cols[j], cols[i] })
		for _, col := range cols[:1+m.r.IntN(len(cols))] {
			op := m.op(p, k, col, cell)
			w.Ops = append(w.Ops, op)
		}
		err = tx.Apply(w)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// op makes a random effect on a column and tells the oracle.
func (m *model) op(p int, k okey, col int, cell ocell) Op {
	cell.col = col
	put := func(key, value []byte, pos int) {
		c := cell
		c.key, c.value, c.pos = key, value, pos
		if value == nil {
			c.dead, c.ttl, c.expiry = true, 0, 0
		}
		m.o.put(p, k, &c)
	}
	clearTo := func(ts int64) {
		m.o.bury(p, ts, func(x okey, c *ocell) bool { return x == k && c.col == col })
	}
	replaceTo := cell.ts
	if !m.o.sequential {
		replaceTo--
	}
	typ := m.tab.Columns[col].Type
	if !typ.IsMultiCell() {
		op := Op{Kind: Set, Column: col}
		if m.r.IntN(4) > 0 {
			op.Value = i32(m.r.IntN(3))
			if typ.Kind == cqltype.Text {
				op.Value = m.text()
			}
		}
		put(nil, op.Value, 0)
		return op
	}
	key := func() []byte {
		switch {
		case typ.Kind == cqltype.UDT:
			return FieldKey(m.r.IntN(2))
		case typ.Elems[0].Kind == cqltype.Int:
			return i32(m.r.IntN(3) - 1)
		default:
			return m.text()
		}
	}
	value := func() []byte {
		switch {
		case typ.Kind == cqltype.Set:
			return []byte{}
		case typ.Kind == cqltype.Map && typ.Elems[1].Kind == cqltype.Text:
			return m.text()
		default:
			return i32(m.r.IntN(3))
		}
	}
	op := Op{Column: col}
	switch m.r.IntN(5) {
	case 0:
		op.Kind = Clear
		clearTo(cell.ts)
	case 1:
		op.Kind = Replace
		clearTo(replaceTo)
		for range m.r.IntN(3) {
			switch typ.Kind {
			case cqltype.Map:
				kk, v := key(), value()
				op.Elems = append(op.Elems, kk, v)
			case cqltype.Set:
				op.Elems = append(op.Elems, key())
			default:
				op.Elems = append(op.Elems, i32(m.r.IntN(3)))
			}
		}
		op.Elems = typ.Normalize(op.Elems)
		if typ.Kind == cqltype.UDT {
			op.Elems = [][]byte{i32(1), nil}
		}
		m.putAll(typ, op.Elems, put)
	case 2:
		op.Kind = DropElement
		if typ.Kind == cqltype.List {
			op.Kind = Prepend
			for range 1 + m.r.IntN(2) {
				op.Elems = append(op.Elems, i32(m.r.IntN(3)))
			}
			for i := len(op.Elems) - 1; i >= 0; i-- {
				m.pos++
				put(nil, op.Elems[i], -m.pos)
			}
			return op
		}
		op.Key = key()
		put(op.Key, nil, 0)
	default:
		op.Kind = SetElement
		if typ.Kind == cqltype.List {
			op.Kind = Append
			for range 1 + m.r.IntN(2) {
				op.Elems = append(op.Elems, i32(m.r.IntN(3)))
			}
			m.putAll(typ, op.Elems, put)
			return op
		}
		op.Key, op.Value = key(), value()
		put(op.Key, op.Value, 0)
	}
	return op
}

func (m *model) putAll(typ *cqltype.Type, elems [][]byte, put func(key, value []byte, pos int)) {
	switch typ.Kind {
	case cqltype.Map:
		for i := 0; i < len(elems); i += 2 {
			put(elems[i], elems[i+1], 0)
		}
	case cqltype.Set:
		for _, e := range elems {
			put(e, []byte{}, 0)
		}
	case cqltype.List:
		for _, e := range elems {
			m.pos++
			put(nil, e, m.pos)
		}
	default:
		for i, e := range elems {
			if e != nil {
				put(FieldKey(i), e, 0)
			}
		}
	}
}

// slice makes a random range with a test for it.
func (m *model) slice() (Slice, func(okey) bool) {
	bound := func() (Bound, func(okey) int) {
		switch m.r.IntN(3) {
		case 0:
			return Bound{}, nil
		case 1:
			a := m.r.IntN(4) - 1
			return Bound{Values: [][]byte{i32(a)}, Inclusive: m.r.IntN(2) == 0}, func(k okey) int { return k.a - a }
		default:
			a, b := m.r.IntN(4)-1, string(m.text())
			return Bound{Values: [][]byte{i32(a), []byte(b)}, Inclusive: m.r.IntN(2) == 0},
				func(k okey) int { return compareKeys(k, okey{a: a, b: b}) }
		}
	}
	start, after := bound()
	end, before := bound()
	return Slice{start, end}, func(k okey) bool {
		if after != nil {
			if c := after(k); c < 0 || c == 0 && !start.Inclusive {
				return false
			}
		}
		if before != nil {
			if c := before(k); c > 0 || c == 0 && !end.Inclusive {
				return false
			}
		}
		return true
	}
}

func (m *model) check(step int) {
	m.t.Helper()
	v := m.s.Snapshot()
	defer v.Close()
	now := v.Now()
	// A full scan, in order of tokens, then of keys.
	parts := []int{0, 1, 2, 3}
	slices.SortFunc(parts, func(a, b int) int {
		x, y := m.partition(a).Token, m.partition(b).Token
		if x < y {
			return -1
		}
		return 1
	})
	var want []string
	for _, p := range parts {
		for _, k := range m.o.keys(p) {
			if s := m.o.render(p, k, now); s != "" {
				want = append(want, s)
			}
		}
	}
	m.compare(step, "scan", want, m.scan(v, nil))
	m.paged(step, v, want)
	for _, p := range parts {
		m.checkPartition(step, v, p)
	}
	m.checkIndexes(step, v, want)
}

func (m *model) compare(step int, what string, want, got []string) {
	m.t.Helper()
	if !slices.Equal(want, got) {
		m.t.Fatalf("step %d, %s:\n got %s\nwant %s", step, what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func (m *model) scan(v *View, after *Place) []string {
	it := v.Scan(m.tab, Range{First: minToken, Last: maxToken, After: after}, nil)
	var got []string
	for it.Next() {
		got = append(got, renderRow(m.tab, toInt(it.PartitionKey()[0]), it.Row()))
	}
	if err := it.Close(); err != nil {
		m.t.Fatal(err)
	}
	return got
}

// paged scans in pages of random sizes.
func (m *model) paged(step int, v *View, want []string) {
	var got []string
	var place *Place
	for {
		it := v.Scan(m.tab, Range{First: minToken, Last: maxToken, After: place}, nil)
		n, size := 0, 1+m.r.IntN(5)
		for n < size && it.Next() {
			n++
			got = append(got, renderRow(m.tab, toInt(it.PartitionKey()[0]), it.Row()))
			place = &Place{Partition: it.Partition()}
			if !it.Row().Static {
				for _, c := range it.Row().Clustering {
					place.Clustering = append(place.Clustering, clone(c))
				}
			}
		}
		if err := it.Close(); err != nil {
			m.t.Fatal(err)
		}
		if n < size {
			break
		}
	}
	m.compare(step, "paged scan", want, got)
}

func (m *model) checkPartition(step int, v *View, p int) {
	part := m.partition(p)
	s, in := m.slice()
	var want []string
	for _, k := range m.o.keys(p) {
		if !k.static && in(k) {
			if s := m.o.render(p, k, v.Now()); s != "" {
				want = append(want, s)
			}
		}
	}
	read := func(reverse bool, cols Columns) []string {
		it := v.Rows(m.tab, part, s, reverse, cols)
		var got []string
		for it.Next() {
			got = append(got, renderRow(m.tab, p, it.Row()))
		}
		if err := it.Close(); err != nil {
			m.t.Fatal(err)
		}
		if reverse {
			slices.Reverse(got)
		}
		return got
	}
	m.compare(step, "slice", want, read(false, nil))
	m.compare(step, "slice backwards", want, read(true, nil))
	// Columns that are not asked for change nothing but themselves.
	cols := make(Columns, len(m.tab.Columns))
	for i := range cols {
		cols[i] = m.r.IntN(3) == 0
	}
	short := make([]string, len(want))
	for i, s := range want {
		short[i] = project(s, cols)
	}
	m.compare(step, "columns", short, read(false, cols))
	m.compare(step, "columns backwards", short, read(true, cols))
	var row Row
	for _, k := range m.o.keys(p) {
		want := m.o.render(p, k, v.Now())
		row.Clustering = nil
		var ok bool
		var err error
		if k.static {
			ok, err = v.GetStatic(m.tab, part, cols, &row)
		} else {
			row.Clustering = [][]byte{i32(k.a), []byte(k.b)}
			ok, err = v.Get(m.tab, part, row.Clustering, cols, &row)
		}
		if err != nil {
			m.t.Fatal(err)
		}
		got := ""
		if ok {
			got = renderRow(m.tab, p, &row)
		}
		m.compare(step, "get", []string{project(want, cols)}, []string{got})
	}
}

// project removes the columns that were not asked for from a rendered row.
func project(s string, cols Columns) string {
	head, body, ok := strings.Cut(s, ": ")
	if !ok {
		return s
	}
	out := head + ":"
	for _, f := range strings.Split(body, " ") {
		var col int
		if n, _ := fmt.Sscanf(f, "%d[", &col); n == 1 && !cols[col] {
			continue
		}
		out += " " + f
	}
	return out
}

func (m *model) checkIndexes(step int, v *View, rows []string) {
	for i := range m.tab.Indexes {
		ix := &m.tab.Indexes[i]
		var values [][]byte
		var field string
		col := ix.Parts[len(ix.Parts)-1].Column
		x := i32(m.r.IntN(3) - 1)
		txt := m.text()
		switch ix.ID {
		case 100, 104:
			values, field = [][]byte{x}, fmt.Sprintf(" %d[]=%x@", col, x)
		case 101:
			values, field = [][]byte{txt}, fmt.Sprintf("]=%x@", txt)
		case 102:
			values, field = [][]byte{x}, fmt.Sprintf(" %d[%x]=", col, x)
		case 103:
			values, field = [][]byte{txt}, fmt.Sprintf(" %d[%x]=", col, txt)
		case 105:
			values, field = [][]byte{x, txt}, fmt.Sprintf(" %d[]=%x@", col, txt)
		}
		want := map[string]bool{}
		for _, r := range rows {
			head, body, _ := strings.Cut(r, ":")
			for _, f := range strings.Split(body, " ") {
				if !strings.HasPrefix(f, fmt.Sprintf("%d[", col)) || !strings.Contains(" "+f, field) {
					continue
				}
				if ix.ID == 105 && !strings.Contains(head, fmt.Sprintf(" {false %d ", toInt(x))) {
					continue
				}
				want[head] = true
			}
		}
		got := map[string]bool{}
		err := v.Lookup(m.tab, ix, values, nil, func(h Hit) bool {
			pk, err := m.tab.PartitionValues(h.Partition)
			if err != nil {
				m.t.Fatal(err)
			}
			k := okey{static: h.Static}
			if !h.Static {
				k.a, k.b = toInt(h.Clustering[0]), string(h.Clustering[1])
			}
			got[fmt.Sprintf("%d %v", toInt(pk[0]), k)] = true
			return true
		})
		if err != nil {
			m.t.Fatal(err)
		}
		m.compare(step, fmt.Sprintf("index %d value %x", ix.ID, values), sorted(want), sorted(got))
	}
}

func sorted(set map[string]bool) []string {
	var out []string
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
