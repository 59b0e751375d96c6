package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// generator makes the statements of one case.
type generator struct {
	r *rand.Rand
	s *schema
	// seen are keys that were written, for statements that should find a row.
	seen [][][]byte
	// shortTTL makes the cells of the next statement live for a second, if any TTL.
	shortTTL bool
	// hits and misses of conditions so far, to keep both frequent.
	hits, misses int
}

// writer collects one statement's text and values.
type writer struct {
	*generator
	b       strings.Builder
	st      stmt
	literal bool // values are written into the text
}

func (g *generator) writer() *writer { return &writer{generator: g, literal: g.r.IntN(6) == 0} }

func (w *writer) put(format string, a ...any) *writer {
	fmt.Fprintf(&w.b, format, a...)
	return w
}

// value puts a value as a marker or as a literal.
func (w *writer) value(t *cqltype.Type, v []byte) *writer {
	// gocql cannot bind a tuple as one value: it counts its fields.
	if t.Kind == cqltype.Tuple || w.literal && literalOK(t, v) {
		w.b.WriteString(t.Format(v))
		return w
	}
	w.b.WriteString("?")
	w.st.args = append(w.st.args, arg{value: v})
	return w
}

// literalOK: the value can be spelled in CQL. The empty value of a fixed-size
// type cannot, nor a UDT inside of something whose parser needs to know it.
func literalOK(t *cqltype.Type, v []byte) bool {
	return v == nil || !strings.Contains(t.Format(v), "0x") || t.Kind == cqltype.Blob && len(v) >= 0
}

func (w *writer) done() stmt {
	w.st.text = w.b.String()
	return w.st
}

func (g *generator) pick(c column) []byte { return c.pool[g.r.IntN(len(c.pool))] }

// key returns values for partition and clustering columns; an old key if asked.
func (g *generator) key(old bool) [][]byte {
	if old && len(g.seen) > 0 {
		return g.seen[g.r.IntN(len(g.seen))]
	}
	var k [][]byte
	for _, c := range append(append([]column{}, g.s.partition...), g.s.clustering...) {
		v := g.pick(c)
		if c.typ.Kind == cqltype.Blob || c.typ.Kind == cqltype.Text {
			// An empty partition key is an error; keep it rare.
			for len(v) == 0 && len(g.s.partition) == 1 && c.name == "p0" && g.r.IntN(20) > 0 {
				v = []byte("k")
			}
		}
		k = append(k, v)
	}
	if len(g.seen) < 24 {
		g.seen = append(g.seen, k)
	} else {
		g.seen[g.r.IntN(len(g.seen))] = k
	}
	return k
}

func (w *writer) where(k [][]byte, cols []column) *writer {
	w.put(" WHERE ")
	for i, c := range cols {
		if i > 0 {
			w.put(" AND ")
		}
		w.put("%s = ", c.name).value(c.typ, k[i])
	}
	return w
}

func (g *generator) fullKey() []column {
	return append(append([]column{}, g.s.partition...), g.s.clustering...)
}

func (w *writer) using(ttl, ts bool) *writer {
	var parts []string
	if ttl {
		v := 1000 + w.r.IntN(1000)*1000
		if w.shortTTL && w.r.IntN(2) == 0 {
			v = 1
		}
		if w.r.IntN(10) == 0 {
			v = 0
		}
		w.st.ttl = true
		parts = append(parts, fmt.Sprintf("TTL %d", v))
	}
	if ts {
		parts = append(parts, fmt.Sprintf("TIMESTAMP %d", 1+w.r.IntN(60)))
	}
	if len(parts) > 0 {
		w.put(" USING %s", strings.Join(parts, " AND "))
	}
	return w
}

// write makes a random write. same, if not nil, is the partition it must be in.
func (g *generator) write(conditional bool, same [][]byte, inBatch bool) stmt {
	old := g.r.IntN(3) > 0
	k := g.key(old)
	if same != nil {
		k = append(append([][]byte{}, same...), k[len(g.s.partition):]...)
	}
	switch n := g.r.IntN(10); {
	case n < 4:
		return g.insert(k, conditional)
	case n < 8:
		return g.update(k, conditional)
	default:
		return g.delete(k, conditional, inBatch)
	}
}

func (g *generator) stamp(conditional bool) bool { return g.s.stamped && !conditional }

func (g *generator) insert(k [][]byte, conditional bool) stmt {
	w := g.writer()
	cols := g.fullKey()
	vals := append([][]byte{}, k...)
	onlyStatic := len(g.s.clustering) > 0 && g.r.IntN(12) == 0 && g.hasStatic()
	if onlyStatic {
		cols, vals = append([]column{}, g.s.partition...), vals[:len(g.s.partition)]
	}
	keys := len(cols)
	for _, c := range g.s.others {
		if onlyStatic != c.static && (onlyStatic || g.r.IntN(2) == 0) || g.r.IntN(3) == 0 {
			continue
		}
		cols = append(cols, c)
		v := g.pick(c)
		if g.r.IntN(8) == 0 {
			v = nil
		}
		if v != nil && c.typ.IsMultiCell() {
			w.st.collection = true
		}
		vals = append(vals, v)
	}
	if onlyStatic && len(cols) == keys {
		return g.insert(k, conditional)
	}
	w.put("INSERT INTO %%T (%s) VALUES (", names(cols))
	for i, c := range cols {
		if i > 0 {
			w.put(", ")
		}
		if i >= keys && !w.literal && c.typ.Kind != cqltype.Tuple && g.r.IntN(15) == 0 {
			w.put("?")
			w.st.args = append(w.st.args, arg{unset: true})
			continue
		}
		w.value(c.typ, vals[i])
	}
	w.put(")")
	if conditional {
		w.put(" IF NOT EXISTS")
	}
	return w.using(g.r.IntN(5) < 2, g.stamp(conditional)).done()
}

func (g *generator) hasStatic() bool {
	for _, c := range g.s.others {
		if c.static {
			return true
		}
	}
	return false
}

func (g *generator) update(k [][]byte, conditional bool) stmt {
	w := g.writer()
	static := g.hasStatic() && g.r.IntN(8) == 0
	w.put("UPDATE %%T").using(g.r.IntN(5) < 2, g.stamp(conditional)).put(" SET ")
	n := 0
	for _, i := range g.r.Perm(len(g.s.others)) {
		c := g.s.others[i]
		if static && !c.static || n > 2 || n > 0 && g.r.IntN(2) == 0 {
			continue
		}
		if n > 0 {
			w.put(", ")
		}
		n++
		w.assign(c)
	}
	cols := g.fullKey()
	if static {
		cols = g.s.partition
	}
	w.where(k, cols)
	if conditional {
		w.conditions(static)
	}
	return w.done()
}

// assign puts one assignment.
func (w *writer) assign(c column) {
	if !c.typ.IsMultiCell() || w.r.IntN(5) == 0 {
		v := w.pick(c)
		if w.r.IntN(6) == 0 {
			v = nil
		}
		w.st.collection = w.st.collection || c.typ.IsMultiCell()
		w.put("%s = ", c.name).value(c.typ, v)
		return
	}
	w.st.collection = true
	whole := w.pick(c)
	elem := func(i int) []byte { return randValue(w.r, c.typ.Elems[i]) }
	orNull := func(v []byte) []byte {
		if w.r.IntN(4) == 0 {
			return nil
		}
		return v
	}
	switch c.typ.Kind {
	case cqltype.UDT:
		f := w.r.IntN(2)
		w.put("%s.%s = ", c.name, c.typ.Fields[f]).value(c.typ.Elems[f], orNull(elem(f)))
	case cqltype.Map:
		switch w.r.IntN(4) {
		case 0, 1:
			w.put("%s[", c.name).value(c.typ.Elems[0], elem(0)).put("] = ").value(c.typ.Elems[1], orNull(elem(1)))
		case 2:
			w.put("%s = %s + ", c.name, c.name).value(c.typ, whole)
		default:
			set := cqltype.SetOf(c.typ.Elems[0], false)
			w.put("%s = %s - ", c.name, c.name).value(set, randValue(w.r, set))
		}
	case cqltype.Set:
		w.put("%s = %s %s ", c.name, c.name, []string{"+", "-"}[w.r.IntN(2)]).value(c.typ, whole)
	default:
		switch w.r.IntN(5) {
		case 0:
			w.put("%s[%d] = ", c.name, w.r.IntN(3)).value(c.typ.Elems[0], orNull(elem(0)))
		case 1:
			w.put("%s = ", c.name).value(c.typ, whole).put(" + %s", c.name)
		case 2:
			w.put("%s = %s - ", c.name, c.name).value(c.typ, whole)
		default:
			w.put("%s = %s + ", c.name, c.name).value(c.typ, whole)
		}
	}
}

// conditions puts an IF. static allows static columns only.
func (w *writer) conditions(static bool) {
	if w.hits >= w.misses || w.r.IntN(4) > 0 {
		if w.r.IntN(3) == 0 || static && !w.hasStatic() {
			w.put(" IF EXISTS")
			return
		}
	} else {
		w.put(" IF EXISTS")
		return
	}
	w.put(" IF ")
	n := 0
	for _, i := range w.r.Perm(len(w.s.others)) {
		c := w.s.others[i]
		if static && !c.static || n > 0 && w.r.IntN(3) > 0 {
			continue
		}
		if n > 0 {
			w.put(" AND ")
		}
		n++
		w.condition(c)
	}
}

func (w *writer) condition(c column) {
	v := w.pick(c)
	if w.r.IntN(4) == 0 {
		v = nil
	}
	if c.typ.Kind == cqltype.Duration || c.typ.Contains(cqltype.Duration) {
		w.put("%s %s ", c.name, []string{"=", "!="}[w.r.IntN(2)]).value(c.typ, v)
		return
	}
	switch {
	case c.typ.Kind == cqltype.Map && !c.typ.Frozen && w.r.IntN(2) == 0:
		w.put("%s[", c.name).value(c.typ.Elems[0], randValue(w.r, c.typ.Elems[0])).put("] = ").value(c.typ.Elems[1], randValue(w.r, c.typ.Elems[1]))
	case c.typ.Kind == cqltype.List && !c.typ.Frozen && w.r.IntN(2) == 0:
		w.put("%s[%d] = ", c.name, w.r.IntN(2)).value(c.typ.Elems[0], randValue(w.r, c.typ.Elems[0]))
	case c.typ.Kind == cqltype.UDT && !c.typ.Frozen && w.r.IntN(2) == 0:
		f := w.r.IntN(2)
		w.put("%s.%s = ", c.name, c.typ.Fields[f]).value(c.typ.Elems[f], randValue(w.r, c.typ.Elems[f]))
	case w.r.IntN(8) == 0:
		w.put("%s IN (", c.name).value(c.typ, w.pick(c)).put(", ").value(c.typ, w.pick(c)).put(")")
	default:
		op := []string{"=", "=", "=", "!=", "<", "<=", ">", ">="}[w.r.IntN(8)]
		if v == nil || c.typ.IsMultiCell() && emptyCollection(c.typ, v) {
			// Others are errors if they are reached, and Cassandra tests the
			// conditions in the order of a hash table.
			op = []string{"=", "!="}[w.r.IntN(2)]
		}
		w.put("%s %s ", c.name, op).value(c.typ, v)
	}
}

func emptyCollection(t *cqltype.Type, v []byte) bool {
	elems, err := cqltype.DecodeCollection(t, v)
	return !t.IsCollection() || err != nil || len(elems) == 0
}

func (g *generator) delete(k [][]byte, conditional, inBatch bool) stmt {
	w := g.writer()
	w.put("DELETE ")
	cols := g.fullKey()
	static := false
	if g.r.IntN(3) == 0 {
		// Some columns or elements.
		static = g.hasStatic() && g.r.IntN(5) == 0
		n := 0
		for _, i := range g.r.Perm(len(g.s.others)) {
			c := g.s.others[i]
			if c.static != static || n > 1 {
				continue
			}
			if n > 0 {
				w.put(", ")
			}
			n++
			w.put("%s", c.name)
			switch {
			case c.typ.Kind == cqltype.UDT && !c.typ.Frozen && g.r.IntN(2) == 0:
				w.put(".f")
			case c.typ.Kind == cqltype.List && !c.typ.Frozen && g.r.IntN(2) == 0:
				w.put("[%d]", g.r.IntN(2))
			case c.typ.Kind == cqltype.Map && !c.typ.Frozen && g.r.IntN(2) == 0, c.typ.Kind == cqltype.Set && !c.typ.Frozen && g.r.IntN(2) == 0:
				w.put("[").value(c.typ.Elems[0], randValue(g.r, c.typ.Elems[0])).put("]")
			}
			w.st.collection = w.st.collection || c.typ.IsMultiCell()
		}
		if n == 0 {
			static = false
		}
		w.put(" FROM %%T").using(false, g.stamp(conditional))
		if static {
			cols = g.s.partition
		}
		w.where(k, cols)
	} else {
		w.put("FROM %%T").using(false, g.stamp(conditional))
		switch n := g.r.IntN(6); {
		case conditional || n < 3 || len(g.s.clustering) == 0:
			w.where(k, cols)
		case n == 3:
			w.where(k, g.s.partition)
		default:
			w.slice(k)
		}
	}
	if conditional {
		w.conditions(static)
	}
	return w.done()
}

// slice puts a partition and a range of clustering columns.
func (w *writer) slice(k [][]byte) {
	np := len(w.s.partition)
	at := w.r.IntN(len(w.s.clustering))
	w.where(k, w.fullKey()[:np+at])
	c := w.s.clustering[at]
	if n := len(w.s.clustering) - at; n > 1 && w.r.IntN(5) == 0 {
		// A relation on several columns; Cassandra wants one direction of them.
		cols := w.s.clustering[at : at+2]
		w.put(" AND (%s) %s (", names(cols), []string{">", ">=", "<", "<="}[w.r.IntN(4)]).
			value(cols[0].typ, w.pick(cols[0])).put(", ").value(cols[1].typ, w.pick(cols[1])).put(")")
		return
	}
	switch w.r.IntN(4) {
	case 0:
		w.put(" AND %s %s ", c.name, []string{">", ">="}[w.r.IntN(2)]).value(c.typ, w.pick(c))
	case 1:
		w.put(" AND %s %s ", c.name, []string{"<", "<="}[w.r.IntN(2)]).value(c.typ, w.pick(c))
	default:
		w.put(" AND %s %s ", c.name, []string{">", ">="}[w.r.IntN(2)]).value(c.typ, w.pick(c))
		w.put(" AND %s %s ", c.name, []string{"<", "<="}[w.r.IntN(2)]).value(c.typ, w.pick(c))
	}
}

// read makes a random SELECT.
func (g *generator) read() stmt {
	w := g.writer()
	w.st.read = true
	k := g.key(true)
	for len(g.s.partition) == 1 && len(k[0]) == 0 {
		// An error, but not if the clustering bounds contradict each other, which
		// Cassandra looks at first and the engine last.
		k = g.key(false)
	}
	w.put("SELECT %s FROM %%T", w.selection())
	filter := false
	order := false
	switch n := g.r.IntN(20); {
	case n < 3:
		w.where(k, g.fullKey())
	case n < 6 || len(g.s.clustering) == 0 && n < 12:
		w.where(k, g.s.partition)
		order = len(g.s.clustering) > 0
	case n < 12:
		w.slice(k)
		order = true
	case n == 12 && len(g.s.clustering) > 0:
		w.where(k, g.s.partition)
		c := g.s.clustering[0]
		w.put(" AND %s IN (", c.name).value(c.typ, w.pick(c)).put(", ").value(c.typ, w.pick(c)).put(")")
		order = g.r.IntN(2) == 0
	case n == 13 && len(g.s.partition) == 1:
		c := g.s.partition[0]
		w.put(" WHERE %s IN (", c.name).value(c.typ, k[0]).put(", ").value(c.typ, w.pick(c)).put(")")
	case n == 14:
		w.put(" WHERE token(%s) %s token(", names(g.s.partition), []string{">", ">=", "<", "<="}[g.r.IntN(4)])
		for i, c := range g.s.partition {
			if i > 0 {
				w.put(", ")
			}
			w.value(c.typ, k[i])
		}
		w.put(")")
	case n == 15:
		c := g.s.others[g.r.IntN(len(g.s.others))]
		if !c.typ.IsMultiCell() && c.typ.Kind != cqltype.Duration {
			w.put(" WHERE %s %s ", c.name, []string{"=", ">", "<="}[g.r.IntN(3)]).value(c.typ, w.pick(c))
			filter = true
		} else if c.typ.Kind == cqltype.Set || c.typ.Kind == cqltype.List {
			w.put(" WHERE %s CONTAINS ", c.name).value(c.typ.Elems[0], randValue(g.r, c.typ.Elems[0]))
			filter = true
		}
	}
	if order && g.r.IntN(2) == 0 {
		w.orderBy()
	}
	if g.r.IntN(10) == 0 && len(g.s.clustering) > 0 {
		w.put(" PER PARTITION LIMIT %d", 1+g.r.IntN(3))
	}
	if g.r.IntN(6) == 0 {
		w.put(" LIMIT %d", 1+g.r.IntN(6))
	}
	if filter {
		w.put(" ALLOW FILTERING")
	}
	if g.r.IntN(4) > 0 {
		w.st.page = 1 + g.r.IntN(4)
	}
	return w.done()
}

func (w *writer) orderBy() {
	desc := w.r.IntN(3) > 0 // backwards mostly
	var parts []string
	for i, c := range w.s.clustering {
		dir := "ASC"
		if c.desc != desc {
			dir = "DESC"
		}
		parts = append(parts, c.name+" "+dir)
		if i == 0 && w.r.IntN(3) == 0 {
			break
		}
	}
	w.put(" ORDER BY %s", strings.Join(parts, ", "))
}

func (w *writer) selection() string {
	all := w.s.all()
	switch w.r.IntN(8) {
	case 0:
		return "COUNT(*)"
	case 1:
		c := w.s.others[w.r.IntN(len(w.s.others))]
		if !c.typ.IsMultiCell() {
			return names(w.s.partition) + ", ttl(" + c.name + ")"
		}
		return c.name
	case 2:
		c := w.s.others[w.r.IntN(len(w.s.others))]
		if w.s.stamped && !c.typ.IsMultiCell() {
			return c.name + ", writetime(" + c.name + ")"
		}
		return "*"
	case 3:
		var some []column
		for _, i := range w.r.Perm(len(all)) {
			if len(some) == 0 || w.r.IntN(2) == 0 {
				some = append(some, all[i])
			}
		}
		return names(some)
	case 4:
		return "token(" + names(w.s.partition) + "), " + names(w.s.all())
	default:
		return "*"
	}
}

// wrong makes a statement that should be refused, or nearly.
func (g *generator) wrong() stmt {
	k := g.key(true)
	w := g.writer()
	v := g.s.others[g.r.IntN(len(g.s.others))]
	switch g.r.IntN(12) {
	case 0:
		if len(g.s.clustering) == 0 {
			return g.wrong() // would be right
		}
		w.put("UPDATE %%T SET %s = ", v.name).value(v.typ, g.pick(v)).where(k, g.s.partition)
	case 1:
		w.put("INSERT INTO %%T (%s) VALUES (", g.s.partition[0].name).value(g.s.partition[0].typ, k[0]).put(")")
	case 2:
		w.put("SELECT nothing FROM %%T")
	case 3:
		w.put("SELECT * FROM %%T WHERE %s = ", v.name).value(v.typ, g.pick(v))
	case 4:
		w.put("UPDATE %%T USING TTL -1 SET %s = ", v.name).value(v.typ, g.pick(v)).where(k, g.fullKey())
	case 5:
		w.put("SELECT * FROM %%T LIMIT 0")
	case 6:
		w.put("SELECT * FROM %%T ORDER BY %s", v.name)
	case 7:
		w.put("UPDATE %%T USING TIMESTAMP 5 SET %s = ", v.name).value(v.typ, g.pick(v)).where(k, g.fullKey()).put(" IF EXISTS")
	case 8:
		// A null in the key.
		k = append([][]byte{}, k...)
		k[g.r.IntN(len(k))] = nil
		w.literal = false
		w.put("DELETE FROM %%T").where(k, g.fullKey())
	case 9:
		w.put("INSERT INTO %%T (%s, %s) VALUES (1, 2)", v.name, v.name)
	case 10:
		w.put("SELECT * FROM %%T WHERE token(%s) > 5 AND %s = ", names(g.s.partition), v.name).value(v.typ, g.pick(v))
	default:
		w.put("DELETE %s FROM %%T", g.s.partition[0].name).where(k, g.fullKey())
	}
	return w.done()
}

// batch makes a batch: conditional in one partition, else anywhere.
func (g *generator) batch(conditional bool) stmt {
	k := g.key(true)
	same := k[:len(g.s.partition)]
	n := 2 + g.r.IntN(3)
	var members []stmt
	for i := range n {
		cond := conditional && (i == 0 || g.r.IntN(3) == 0)
		part := same
		if !conditional && g.r.IntN(2) == 0 {
			part = nil
		}
		members = append(members, g.write(cond, part, true))
	}
	out := stmt{}
	for _, m := range members {
		out.collection = out.collection || m.collection
		out.ttl = out.ttl || m.ttl
	}
	if !conditional && g.r.IntN(2) == 0 {
		out.batch = members
		return out
	}
	var b strings.Builder
	b.WriteString("BEGIN ")
	if g.r.IntN(3) == 0 {
		b.WriteString("UNLOGGED ")
	}
	b.WriteString("BATCH ")
	for _, m := range members {
		b.WriteString(m.text)
		b.WriteString("; ")
		out.args = append(out.args, m.args...)
	}
	b.WriteString("APPLY BATCH")
	out.text = b.String()
	return out
}

// next makes the next statement of a case.
func (g *generator) next() stmt {
	conditional := func() bool { return !g.s.stamped && g.r.IntN(5) < 4 }
	switch n := g.r.IntN(100); {
	case n < 30:
		return g.read()
	case n < 33:
		return g.wrong()
	case n < 43:
		return g.batch(conditional())
	default:
		return g.write(conditional(), nil, false)
	}
}
