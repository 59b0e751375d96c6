package engine

import (
	"errors"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
)

func nullInCondition(ycql bool, name string) error {
	if ycql {
		return cqlerr.QLPlain(cqlerr.InvalidArguments, "Invalid null value for column "+name)
	}
	return cqlerr.Invalid("Invalid null value in condition for column %s", name)
}

func keyError(ycql bool, err error) error {
	if errors.Is(err, storage.ErrKeyTooLong) && !ycql {
		return cqlerr.Invalid("Key length is longer than maximum of 65535")
	}
	return err
}

// keyValues evaluates an exact restriction to the values it lists, in the order
// of the type, without doubles.
func (v *env) keyValues(r *restriction) ([][]byte, error) {
	if r.eq != nil {
		b, err := r.eq.required(v)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return nil, v.nullKey(r.col)
		}
		return [][]byte{b}, nil
	}
	var list [][]byte
	if r.inBind != nil {
		b, err := r.inBind.required(v)
		if err != nil {
			return nil, err
		}
		if b == nil {
			if v.ycql {
				return nil, nil
			}
			return nil, cqlerr.Invalid("Invalid null value for column %s", r.col.Name)
		}
		if list, err = cqltype.DecodeCollection(r.inBind.typ, b); err != nil {
			return nil, cqlerr.Invalid("%s", err)
		}
	} else {
		for i := range r.in {
			b, err := r.in[i].required(v)
			if err != nil {
				return nil, err
			}
			if b == nil {
				return nil, v.nullKey(r.col)
			}
			list = append(list, b)
		}
	}
	return sortedValues(r.col.Type, list, r.col.Desc), nil
}

func (v *env) nullKey(c *catalog.Column) error {
	if v.ycql {
		return cqlerr.QLPlain(cqlerr.NullKeyArg, c.Name)
	}
	if c.Kind > catalog.Clustering {
		return nullInCondition(false, c.Name)
	}
	return cqlerr.Invalid("Invalid null value in condition for column %s", c.Name)
}

func sortedValues(t *cqltype.Type, list [][]byte, desc bool) [][]byte {
	cmp := func(a, b []byte) int {
		if desc {
			a, b = b, a
		}
		return t.Compare(a, b)
	}
	list = slices.Clone(list)
	slices.SortFunc(list, cmp)
	return slices.CompactFunc(list, func(a, b []byte) bool { return cmp(a, b) == 0 })
}

// maxKeys bounds the product of IN lists.
const maxKeys = 10_000

// keyProduct lists the combinations of the values of some columns.
func (v *env) keyProduct(cols []*catalog.Column, w *restrictions) ([][][]byte, error) {
	out := [][][]byte{make([][]byte, 0, len(cols))}
	for _, c := range cols {
		vals, err := v.keyValues(w.cols[c.Index])
		if err != nil {
			return nil, err
		}
		if len(vals) == 1 {
			for i := range out {
				out[i] = append(out[i], vals[0])
			}
			continue
		}
		if len(out)*len(vals) > maxKeys {
			return nil, cqlerr.Invalid("more than %d keys in one statement are %s", maxKeys, cqlerr.NotSupported)
		}
		next := make([][][]byte, 0, len(out)*len(vals))
		for _, prefix := range out {
			for _, x := range vals {
				row := append(make([][]byte, 0, len(cols)), prefix...)
				next = append(next, append(row, x))
			}
		}
		out = next
	}
	return out, nil
}

// partitionKeys evaluates the partition keys that a statement names.
func (q *reading) partitionKeys() ([][][]byte, error) {
	return q.env.partitionKeys(q.p.tab, q.p.where)
}

func (v *env) partitionKeys(t *table, w *restrictions) ([][][]byte, error) {
	keys, err := v.keyProduct(t.def.PartitionKey, w)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if len(k) == 1 && len(k[0]) == 0 && !v.ycql {
			return nil, cqlerr.Invalid("Key may not be empty")
		}
	}
	return keys, nil
}

// slices evaluates the clustering restrictions to ranges of rows, in the order in
// which rows are stored.
func (q *reading) slices() ([]storage.Slice, error) {
	return q.env.slices(q.p.tab, q.p.where, q.p.ckPrefix)
}

func (v *env) slices(t *table, w *restrictions, prefix int) ([]storage.Slice, error) {
	cks := t.def.ClusteringKey
	prefixes, err := v.keyProduct(cks[:prefix], w)
	if err != nil {
		return nil, err
	}
	if w.tuples != nil {
		return v.tupleSlices(t, w.tuples, prefixes)
	}
	out := make([]storage.Slice, 0, len(prefixes))
	var lo, hi []byte
	var next *restriction
	if prefix < len(cks) {
		next = w.cols[cks[prefix].Index]
	}
	if next != nil && !next.other {
		if lo, err = v.limitValue(next.lo, next.col); err != nil {
			return nil, err
		}
		if hi, err = v.limitValue(next.hi, next.col); err != nil {
			return nil, err
		}
	}
	for _, p := range prefixes {
		s := storage.Slice{Start: storage.Bound{Values: p, Inclusive: true}, End: storage.Bound{Values: p, Inclusive: true}}
		start, end, startLimit, endLimit := lo, hi, (*limit)(nil), (*limit)(nil)
		if next != nil {
			startLimit, endLimit = next.lo, next.hi
			if next.col.Desc {
				start, end, startLimit, endLimit = hi, lo, next.hi, next.lo
			}
		}
		if start != nil {
			s.Start = storage.Bound{Values: appendValue(p, start), Inclusive: startLimit.inclusive}
		}
		if end != nil {
			s.End = storage.Bound{Values: appendValue(p, end), Inclusive: endLimit.inclusive}
		}
		out = append(out, s)
	}
	return out, nil
}

func appendValue(p [][]byte, more ...[]byte) [][]byte {
	return append(append(make([][]byte, 0, len(p)+len(more)), p...), more...)
}

func (v *env) limitValue(l *limit, c *catalog.Column) ([]byte, error) {
	if l == nil {
		return nil, nil
	}
	b, err := l.t.required(v)
	if err == nil && b == nil {
		if !v.ycql {
			return []byte{}, nil // Cassandra takes null for the least value of all
		}
		err = nullInCondition(true, c.Name)
	}
	return b, err
}

// tupleValues evaluates the right side of a multi-column relation.
func (v *env) tupleValues(terms []term, bind *term, cols []*catalog.Column) ([][]byte, error) {
	if bind == nil {
		out := make([][]byte, len(terms))
		for i := range terms {
			b, err := terms[i].required(v)
			if err != nil {
				return nil, err
			}
			if b == nil {
				return nil, nullInCondition(v.ycql, cols[i].Name)
			}
			out[i] = b
		}
		return out, nil
	}
	b, err := bind.required(v)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, cqlerr.Invalid("Invalid null value for (%s)", columnNames(cols))
	}
	return v.splitTuple(bind.typ, b, cols)
}

func (v *env) splitTuple(typ *cqltype.Type, b []byte, cols []*catalog.Column) ([][]byte, error) {
	out, err := cqltype.DecodeTuple(typ, b)
	if err != nil {
		return nil, cqlerr.Invalid("%s", err)
	}
	for i := range out {
		if out[i] == nil {
			return nil, nullInCondition(v.ycql, cols[i].Name)
		}
	}
	return out, nil
}

func (v *env) tupleSlices(t *table, x *tuples, prefixes [][][]byte) ([]storage.Slice, error) {
	cols := t.def.ClusteringKey[x.first : x.first+x.n]
	exact, ranged, err := v.tupleOperands(x, cols)
	if err != nil {
		return nil, err
	}
	var out []storage.Slice
	for _, p := range prefixes {
		if ranged == nil {
			for _, vals := range exact {
				b := storage.Bound{Values: appendValue(p, vals...), Inclusive: true}
				out = append(out, storage.Slice{Start: b, End: b})
			}
			continue
		}
		out = append(out, ranged.slices(p, cols)...)
	}
	return out, nil
}

// tupleRange is the operands of < <= > >=.
type tupleRange struct {
	lo, hi       [][]byte
	loInc, hiInc bool
}

func (v *env) tupleOperands(x *tuples, cols []*catalog.Column) (exact [][][]byte, r *tupleRange, err error) {
	switch {
	case x.inBind != nil && x.single:
		vals, err := v.tupleValues(nil, x.inBind, cols)
		return [][][]byte{vals}, nil, err
	case x.inBind != nil:
		b, err := x.inBind.required(v)
		if err != nil {
			return nil, nil, err
		}
		list, err := cqltype.DecodeCollection(x.inBind.typ, b)
		if err != nil {
			return nil, nil, cqlerr.Invalid("%s", err)
		}
		for _, b := range list {
			vals, err := v.splitTuple(x.inBind.typ.Elems[0], b, cols)
			if err != nil {
				return nil, nil, err
			}
			exact = append(exact, vals)
		}
	case x.in != nil:
		for _, terms := range x.in {
			vals, err := v.tupleValues(terms, nil, cols)
			if err != nil {
				return nil, nil, err
			}
			exact = append(exact, vals)
		}
	default:
		r = &tupleRange{}
		if x.lo != nil {
			r.loInc = x.lo.inclusive
			if r.lo, err = v.tupleValues(x.lo.terms, x.lo.bind, x.lo.cols); err != nil {
				return nil, nil, err
			}
		}
		if x.hi != nil {
			r.hiInc = x.hi.inclusive
			if r.hi, err = v.tupleValues(x.hi.terms, x.hi.bind, x.hi.cols); err != nil {
				return nil, nil, err
			}
		}
		return nil, r, nil
	}
	cmp := func(a, b [][]byte) int { return compareClustering(cols, a, b) }
	slices.SortFunc(exact, cmp)
	return slices.CompactFunc(exact, func(a, b [][]byte) bool { return cmp(a, b) == 0 }), nil, nil
}

// slices turns a range of tuples into ranges of rows. If the columns are all
// ascending, or all descending, it is one. Else the range is cut by the first
// column in which the ends differ, each piece going one way.
func (r *tupleRange) slices(p [][]byte, cols []*catalog.Column) []storage.Slice {
	mixed := false
	for _, c := range cols {
		mixed = mixed || c.Desc != cols[0].Desc
	}
	all := storage.Bound{Values: p, Inclusive: true}
	if !mixed {
		s := storage.Slice{Start: all, End: all}
		lo, hi := &s.Start, &s.End
		if cols[0].Desc {
			lo, hi = hi, lo
		}
		if r.lo != nil {
			*lo = storage.Bound{Values: appendValue(p, r.lo...), Inclusive: r.loInc}
		}
		if r.hi != nil {
			*hi = storage.Bound{Values: appendValue(p, r.hi...), Inclusive: r.hiInc}
		}
		return []storage.Slice{s}
	}
	return r.pieces(p, cols)
}

// pieces handles columns of mixed order: rows with lo < row < hi are those that
// share the first i values with an end and lie beyond its value in column i.
func (r *tupleRange) pieces(p [][]byte, cols []*catalog.Column) []storage.Slice {
	// An end that has no more values lies before, or behind, all that is left.
	if r.lo != nil && len(r.lo) == 0 {
		if !r.loInc {
			return nil
		}
		r = &tupleRange{hi: r.hi, hiInc: r.hiInc}
	}
	if r.hi != nil && len(r.hi) == 0 {
		if !r.hiInc {
			return nil
		}
		r = &tupleRange{lo: r.lo, loInc: r.loInc}
	}
	if r.lo == nil && r.hi == nil {
		b := storage.Bound{Values: p, Inclusive: true}
		return []storage.Slice{{Start: b, End: b}}
	}
	c := cols[0]
	between := func(lo, hi []byte) []storage.Slice {
		s := storage.Slice{Start: storage.Bound{Values: p, Inclusive: true}, End: storage.Bound{Values: p, Inclusive: true}}
		first, last := &s.Start, &s.End
		if c.Desc {
			first, last = last, first
		}
		if lo != nil {
			*first = storage.Bound{Values: appendValue(p, lo)}
		}
		if hi != nil {
			*last = storage.Bound{Values: appendValue(p, hi)}
		}
		return []storage.Slice{s}
	}
	var low, mid, high []storage.Slice
	switch {
	case r.lo != nil && r.hi != nil && c.Type.Compare(r.lo[0], r.hi[0]) > 0:
		return nil
	case r.lo != nil && r.hi != nil && c.Type.Compare(r.lo[0], r.hi[0]) == 0:
		rest := &tupleRange{r.lo[1:], r.hi[1:], r.loInc, r.hiInc}
		return rest.pieces(appendValue(p, r.lo[0]), cols[1:])
	}
	var lo, hi []byte
	if r.lo != nil {
		lo = r.lo[0]
		low = (&tupleRange{lo: r.lo[1:], loInc: r.loInc}).pieces(appendValue(p, lo), cols[1:])
	}
	if r.hi != nil {
		hi = r.hi[0]
		high = (&tupleRange{hi: r.hi[1:], hiInc: r.hiInc}).pieces(appendValue(p, hi), cols[1:])
	}
	mid = between(lo, hi)
	if c.Desc {
		low, high = high, low
	}
	return slices.Concat(low, mid, high)
}

// tupleMatches tests a multi-column relation on a row, where it is no bound.
func (q *reading) tupleMatches() (bool, error) {
	x := q.p.where.tuples
	cols := q.p.tab.def.ClusteringKey[x.first : x.first+x.n]
	exact, r, err := q.tupleOperands(x, cols)
	if err != nil || q.row.ck == nil {
		return false, err
	}
	row := q.row.ck[x.first : x.first+x.n]
	plain := func(a, b [][]byte) int {
		for i, c := range cols[:min(len(a), len(b))] {
			if d := c.Type.Compare(a[i], b[i]); d != 0 {
				return d
			}
		}
		return 0
	}
	if r == nil {
		return slices.ContainsFunc(exact, func(e [][]byte) bool { return plain(row, e) == 0 }), nil
	}
	if r.lo != nil {
		if d := plain(row, r.lo); d < 0 || d == 0 && !r.loInc {
			return false, nil
		}
	}
	if r.hi != nil {
		if d := plain(row, r.hi); d > 0 || d == 0 && !r.hiInc {
			return false, nil
		}
	}
	return true, nil
}

// compareKeys orders partition keys by their values.
func compareKeys(cols []*catalog.Column, a, b [][]byte) int {
	for i, c := range cols {
		if d := c.Type.Compare(a[i], b[i]); d != 0 {
			return d
		}
	}
	return 0
}

// compareClustering orders clustering keys, or as much of them as both have, as
// they are stored.
func compareClustering(cols []*catalog.Column, a, b [][]byte) int {
	for i := range min(len(a), len(b)) {
		d := cols[i].Type.Compare(a[i], b[i])
		if cols[i].Desc {
			d = -d
		}
		if d != 0 {
			return d
		}
	}
	return 0
}

// clip cuts off the part of s up to and with the row ck, in the direction of
// reading. empty says that nothing is left.
func clip(cols []*catalog.Column, s storage.Slice, ck [][]byte, reverse bool) (out storage.Slice, empty bool) {
	near, far := s.Start, s.End
	sign := 1
	if reverse {
		near, far, sign = far, near, -1
	}
	// The far end: does it lie before or on the row?
	if d := compareClustering(cols, far.Values, ck) * sign; d < 0 || d == 0 && len(far.Values) > 0 && (!far.Inclusive || len(far.Values) == len(ck)) {
		return s, true
	}
	if d := compareClustering(cols, near.Values, ck) * sign; d < 0 || d == 0 && (near.Inclusive || len(near.Values) == 0) {
		near = storage.Bound{Values: ck}
	}
	if reverse {
		return storage.Slice{Start: far, End: near}, false
	}
	return storage.Slice{Start: near, End: far}, false
}
