package differential

import (
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// conditions puts an IF. static allows static columns only.
func (w *writer) conditions(static bool) {
	// More refusals than applications so far: conditions that most rows meet.
	easy := w.misses > w.hits
	if w.whole || w.r.IntN(3) == 0 && (!easy || w.r.IntN(4) == 0) {
		w.put(" IF EXISTS")
		return
	}
	w.put(" IF ")
	n := 0
	for _, i := range w.r.Perm(len(w.s.others)) {
		c := w.s.others[i]
		if static && !c.static || w.readsList && c.static || n > 0 && (easy || w.r.IntN(3) > 0) {
			continue
		}
		if n > 0 {
			w.put(" AND ")
		}
		n++
		if easy && w.r.IntN(8) > 0 {
			// True of every other value and of none.
			w.put("%s != ", c.name).value(c.typ, w.pick(c))
			continue
		}
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
	// Cassandra compares the values of a map in the order of its keys, so that all
	// values other than timeuuids are equal in a map by timeuuid (corpus: lwt).
	case c.typ.Kind == cqltype.Map && !c.typ.Frozen && c.typ.Elems[0].Kind != cqltype.Timeuuid && w.r.IntN(2) == 0:
		w.put("%s[", c.name).value(c.typ.Elems[0], w.element(c, 0)).put("] = ").value(c.typ.Elems[1], w.element(c, 1))
	case c.typ.Kind == cqltype.List && !c.typ.Frozen && w.r.IntN(2) == 0:
		w.put("%s[%d] = ", c.name, w.r.IntN(2)).value(c.typ.Elems[0], w.element(c, 0))
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
