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
	// whole makes every read and condition look at all columns of a row, or at none.
	// Cases with short TTLs need it: Cassandra leaves cells that are not asked for
	// out of what it reads if they are older than the row's mark, as that shows the
	// row as well (SerializationHelper.includes), even where the mark has expired
	// and only those cells keep the row. Then SELECT * and SELECT c show a row that
	// SELECT c, v does not.
	whole bool
	// inCAS says that the next writes are members of a conditional batch.
	inCAS bool
	// hits and misses of conditions so far, to keep both frequent.
	hits, misses int
}

// writer collects one statement's text and values.
type writer struct {
	*generator
	b       strings.Builder
	st      stmt
	literal bool // values are written into the text
	// What the statement is: one with conditions, one of static columns alone.
	conditional, static bool
	// readsList says that it changes a list in a way that reads it first, as by index.
	readsList bool
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

// element returns a part of a collection or UDT: a key (0) or value (1) of a map, an
// element (0), a field. Mostly it is one of a value that the column takes.
func (g *generator) element(c column, i int) []byte {
	if c.typ.IsCollection() && g.r.IntN(4) > 0 {
		elems, err := cqltype.DecodeCollection(c.typ, g.pick(c))
		if n := len(c.typ.Elems); err == nil && len(elems) > 0 {
			return elems[g.r.IntN(len(elems)/n)*n+i]
		}
	}
	return randValue(g.r, c.typ.Elems[i])
}

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

// wrong makes a statement that should be refused, or nearly.
func (g *generator) wrong() stmt {
	k := g.key(true)
	w := g.writer()
	v := g.s.others[g.r.IntN(len(g.s.others))]
	switch g.r.IntN(12) {
	case 0:
		if len(g.s.clustering) == 0 || v.static {
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
	g.inCAS = conditional
	defer func() { g.inCAS = false }()
	for i := range n {
		cond := conditional && (i == 0 || g.r.IntN(3) == 0)
		part := same
		if !conditional && g.r.IntN(2) == 0 {
			part = nil
		}
		members = append(members, g.write(cond, part))
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
	conditional := func() bool { return !g.s.stamped && g.r.IntN(10) < 9 }
	switch n := g.r.IntN(100); {
	case n < 35:
		return g.read()
	case n < 37:
		return g.wrong()
	case n < 46:
		return g.batch(conditional())
	default:
		return g.write(conditional(), nil)
	}
}
