package differential

import (
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

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
	filter, limits := false, true
	order := false
	switch n := g.r.IntN(20); {
	case n < 2:
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
			w.put(" WHERE %s CONTAINS ", c.name).value(c.typ.Elems[0], g.element(c, 0))
			filter = true
			// Cassandra tests a static column for an element before it takes deleted
			// elements out: they count as found, though their partition is then left
			// out. With a limit or in pages rows are missing (corpus: statics).
			limits = !c.static
		}
	}
	if order && g.r.IntN(2) == 0 {
		w.orderBy()
	}
	if limits && g.r.IntN(10) == 0 && len(g.s.clustering) > 0 {
		w.put(" PER PARTITION LIMIT %d", 1+g.r.IntN(3))
	}
	if limits && g.r.IntN(8) == 0 {
		w.put(" LIMIT %d", 1+g.r.IntN(6))
	}
	if filter {
		w.put(" ALLOW FILTERING")
	}
	if limits && g.r.IntN(8) > 0 {
		w.st.page = 1 + g.r.IntN(6)/3 + g.r.IntN(4)/3
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
	n := w.r.IntN(12)
	if w.whole && n > 0 && n < 4 {
		n = 4
	}
	switch n {
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
