package differential

import (
	"fmt"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

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
func (g *generator) write(conditional bool, same [][]byte) stmt {
	old := g.r.IntN(3) > 0
	k := g.key(old)
	if same != nil {
		k = append(append([][]byte{}, same...), k[len(g.s.partition):]...)
	}
	n := g.r.IntN(10)
	if n < 4 && conditional && g.misses > g.hits && g.r.IntN(2) == 0 {
		n += 4 // most rows exist, so IF NOT EXISTS is refused often
	}
	switch {
	case n < 4:
		return g.insert(k, conditional)
	case n < 8:
		return g.update(k, conditional)
	default:
		return g.delete(k, conditional)
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
	return w.using(g.r.IntN(2) == 0, g.stamp(conditional)).done()
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
	w.conditional, w.static = conditional, static
	w.put("UPDATE %%T").using(g.r.IntN(2) == 0, g.stamp(conditional)).put(" SET ")
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
	elem := func(i int) []byte { return w.element(c, i) }
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
		op := w.r.IntN(5)
		if (op == 0 || op == 2) && !w.readable(c) {
			op = 3
		}
		switch op {
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

// readable tells whether a statement may change a list in a way that reads it first.
// For a conditional statement Cassandra reads only what its conditions ask for, and
// takes a list that it has not read for an empty one: where they are on statics
// alone it reads the partition's first row, and where the rows that they name do not
// exist it has no statics (corpus: lwt). Then it refuses, or applies and leaves the
// list as it is.
func (w *writer) readable(c column) bool {
	if w.inCAS && w.hasStatic() || w.conditional && c.static && !w.static {
		return false
	}
	w.readsList = w.readsList || !c.static
	return true
}

func (g *generator) delete(k [][]byte, conditional bool) stmt {
	w := g.writer()
	w.put("DELETE ")
	cols := g.fullKey()
	static := false
	if g.r.IntN(2) == 0 {
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
			w.conditional, w.static = conditional, static
			switch {
			case c.typ.Kind == cqltype.UDT && !c.typ.Frozen && g.r.IntN(2) == 0:
				w.put(".f")
			case c.typ.Kind == cqltype.List && !c.typ.Frozen && g.r.IntN(2) == 0 && w.readable(c):
				w.put("[%d]", g.r.IntN(2))
			case c.typ.Kind == cqltype.Map && !c.typ.Frozen && g.r.IntN(2) == 0, c.typ.Kind == cqltype.Set && !c.typ.Frozen && g.r.IntN(2) == 0:
				w.put("[").value(c.typ.Elems[0], g.element(c, 0)).put("]")
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
