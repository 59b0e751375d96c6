package render

import (
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// readProgram implements dialect.ReadProgram: one statement for each family.
type readProgram struct {
	compiler *Compiler
	read     *plan.Read
	table    *Table
	families []readStatement
}

// readStatement reads the rows of one family.
type readStatement struct {
	stmt
	family *Family
	fields []field // what is selected, in order
	out    []source
	used   atomic.Bool
}

// source is where a column of a read comes from.
type source struct {
	field  int // -1-n: argument n
	key    *plan.Column
	column *Column
}

// Read compiles a read.
func (c *Compiler) Read(r *plan.Read) (dialect.ReadProgram, error) {
	p, err := c.compileRead(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	return p, nil
}

func (c *Compiler) compileRead(r *plan.Read) (*readProgram, error) {
	t, err := c.layout.Table(r.Table)
	if err != nil {
		return nil, err
	}
	if r.Eq < 0 || r.Eq > len(r.Table.Key) {
		return nil, fmt.Errorf("%d key columns of %s are given", r.Eq, r.Table)
	}
	if t.By != nil && index(r.Table.Key, t.By) >= r.Eq {
		return nil, fmt.Errorf("%s is read without %s", r.Table, t.By)
	}
	p := &readProgram{compiler: c, read: r, table: t, families: make([]readStatement, len(t.Families))}
	for i := range t.Families {
		if err := t.compileRead(&t.Families[i], r, &p.families[i]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (t *Table) compileRead(f *Family, r *plan.Read, st *readStatement) error {
	st.family = f
	skips, err := st.selection(t, f, r)
	if err != nil {
		return err
	}
	if skips && (r.Count || r.Limit != plan.NoLimit) {
		return fmt.Errorf("rows of other tables would be counted among those of %s", t.Logical)
	}
	w := &writer{}
	w.WriteString("SELECT ")
	if r.Distinct {
		if err := f.distinct(r, st); err != nil {
			return err
		}
		w.WriteString("DISTINCT ")
	}
	names := list{sep: ", "}
	for i := range st.fields {
		names.next(w)
		w.WriteString(st.fields[i].name)
	}
	w.WriteString(" FROM " + f.Name)
	rows := t.readRows
	if r.Span {
		rows = t.readSpan
	}
	filtering, err := rows(w, f, r)
	if err != nil {
		return err
	}
	if err := t.order(w, f, r); err != nil {
		return err
	}
	switch {
	case r.Limit == plan.LimitArg:
		w.WriteString(" LIMIT ")
		w.marker(slot{op: slotLimit})
	case r.Limit > 0:
		w.WriteString(" LIMIT " + strconv.Itoa(int(r.Limit)))
	case r.Limit < 0:
		return fmt.Errorf("limit %d is unknown", r.Limit)
	}
	if filtering {
		w.WriteString(" ALLOW FILTERING")
	}
	st.slots = w.slots
	st.Statement = cql.Statement{Text: w.String(), Plan: r.Name, Idempotent: true, KeyArgs: w.key}
	return nil
}

// readRows writes the WHERE clause.
func (t *Table) readRows(w *writer, f *Family, r *plan.Read) (filtering bool, err error) {
	from, to := edgeOfRead(r.From), edgeOfRead(r.To)
	and := list{sep: " AND ", more: true}
	if f.partitionGiven(r.Eq) {
		if err := t.checkRange(f, r.Eq, from, to); err != nil {
			return false, err
		}
		f.whereRange(w, r.Eq, from, to)
	} else {
		if r.From.Compare != plan.Unbounded || r.To.Compare != plan.Unbounded || r.Desc {
			return false, fmt.Errorf("a scan of %s has no range or order", t.Logical)
		}
		tests := list{sep: " AND "}
		for i := range f.Key {
			if k := &f.Key[i]; k.Of == nil || k.last() < r.Eq {
				if !tests.more {
					w.WriteString(" WHERE ")
				}
				tests.next(w)
				w.WriteString(k.Name + " = ")
				f.keyValue(w, i)
			}
		}
		w.key = nil
		and.more, filtering = tests.more, tests.more
		if t.Scan == NoScan || t.Scan == PlainScan && filtering {
			return false, fmt.Errorf("%s is not read without the whole partition key", t.Logical)
		}
	}
	for i, filter := range r.Filters {
		name := t.filtered(f, filter.Column)
		if name == "" || t.Scan != Filtered {
			return false, fmt.Errorf("%s is not filtered by %s", t.Logical, filter.Column)
		}
		operator := " = "
		if filter.Relation == plan.After {
			operator = " > "
		}
		if !and.more {
			w.WriteString(" WHERE ")
		}
		and.next(w)
		w.WriteString(name + operator)
		w.marker(slot{op: slotFilter, at: uint8(i)})
		filtering = true
	}
	return filtering, nil
}

// readSpan writes the WHERE clause of a read of partitions by their hash.
func (t *Table) readSpan(w *writer, f *Family, r *plan.Read) (filtering bool, err error) {
	if r.Eq > 0 || r.From.Width+r.To.Width > 0 || r.Desc || len(r.Filters) > 0 || r.Limit != plan.NoLimit {
		return false, fmt.Errorf("a span of %s has no key, range, order, filter or limit", t.Logical)
	}
	names := list{sep: ", "}
	hash := &writer{}
	hash.WriteString(t.style.hash() + "(")
	for i := range f.Key {
		k := &f.Key[i]
		if i < f.Partition {
			names.next(hash)
			hash.WriteString(k.Name)
		}
		if k.Of == nil && !r.Distinct {
			return false, fmt.Errorf("a span of %s has rows of other tables in it", t.Logical)
		}
	}
	hash.WriteString(")")
	w.WriteString(" WHERE " + hash.String() + " >= ")
	w.marker(slot{op: slotSpan, at: 0})
	w.WriteString(" AND " + hash.String() + " <= ")
	w.marker(slot{op: slotSpan, at: 1})
	return false, nil
}

// hash is the function of a partition key by which partitions are placed.
func (s Style) hash() string {
	if s == Blocks {
		return "partition_hash"
	}
	return "token"
}

// distinct checks that the columns of a read of partitions are those of the
// partition key.
func (f *Family) distinct(r *plan.Read, st *readStatement) error {
	if !r.Span || r.Count || r.TTLOf != nil {
		return fmt.Errorf("partitions of %s are read by their span, and nothing is read of them", r.Table)
	}
	named := 0
	for i := range st.fields {
		if k := st.fields[i].key; k == nil || f.keyAt(k) >= f.Partition {
			return fmt.Errorf("%s does not name partitions of %s", st.fields[i].name, r.Table)
		}
		named++
	}
	if named != f.Partition {
		return fmt.Errorf("partitions of %s are named by %d columns, %d are read", r.Table, f.Partition, named)
	}
	return nil
}

// keyAt returns the place of k in the physical key.
func (f *Family) keyAt(k *Key) int {
	for i := range f.Key {
		if &f.Key[i] == k {
			return i
		}
	}
	return len(f.Key)
}

// partitionGiven tells whether the first eq logical key columns name a partition.
func (f *Family) partitionGiven(eq int) bool {
	for i := range f.Partition {
		if f.Key[i].Of != nil && f.Key[i].at >= eq {
			return false
		}
	}
	return true
}

// filtered returns the physical name of a column that reads may filter by.
func (t *Table) filtered(f *Family, c *plan.Column) string {
	if at := t.column(c); at >= 0 && f.Columns[at].Form == Scalar {
		return f.Columns[at].Name
	}
	for i := range f.Key {
		if f.Key[i].holds(c) && f.Key[i].And == nil {
			return f.Key[i].Name
		}
	}
	return ""
}

// order turns the natural order round. All clustering columns are named, up to
// the first that the read leaves open.
func (t *Table) order(w *writer, f *Family, r *plan.Read) error {
	if !r.Desc {
		return nil
	}
	last := f.fixed(r.Eq)
	if last < f.Partition || last >= len(f.Key) {
		return fmt.Errorf("nothing to order %s by", t.Logical)
	}
	w.WriteString(" ORDER BY ")
	names := list{sep: ", "}
	for i := f.Partition; i <= last; i++ {
		names.next(w)
		w.WriteString(f.Key[i].Name)
		if of := f.Key[i].Of; of != nil && of.Desc {
			w.WriteString(" ASC")
		} else {
			w.WriteString(" DESC")
		}
	}
	return nil
}

func edgeOfRead(e plan.RangeEnd) edge { return edge{e.Compare, uint8(e.Width)} }

// Parts implements dialect.ReadProgram.
func (*readProgram) Parts([]any) int { return 1 }

// Bind implements dialect.ReadProgram.
func (p *readProgram) Bind(part int, args []any) (cql.Call, dialect.RowDecoder, error) {
	r := p.read
	if part != 0 {
		return cql.Call{}, nil, fmt.Errorf("%s has one statement, no number %d", r.Name, part)
	}
	if want := r.Args(); len(args) != want {
		return cql.Call{}, nil, fmt.Errorf("%s takes %d arguments, got %d", r.Name, want, len(args))
	}
	_, at, err := p.table.family(args[:r.Eq])
	if err != nil {
		return cql.Call{}, nil, err
	}
	st := &p.families[at]
	if !st.used.Load() && !st.used.Swap(true) {
		p.compiler.record(&st.Statement)
	}
	bound := make([]any, len(st.slots))
	for i, s := range st.slots {
		k := &Key{}
		if s.op != slotFilter && s.op != slotLimit && s.op != slotSpan {
			k = &st.family.Key[s.at]
		}
		switch s.op {
		case slotConst:
			bound[i] = k.Const
		case slotKey:
			if k.And != nil {
				bound[i], err = k.encodeAt(args)
			} else {
				bound[i], err = k.argument(args[k.at])
			}
		case slotFrom:
			bound[i], err = k.edgeArgument(r.From, args[r.Eq:], int(s.col))
		case slotTo:
			bound[i], err = k.edgeArgument(r.To, args[r.Eq+r.From.Width:], int(s.col))
		case slotSpan:
			bound[i] = args[s.at] // no key column comes before it
			err = checkKind(plan.Int, bound[i])
		case slotFilter:
			bound[i], err = p.filter(st.family, int(s.at), args[r.Eq+r.From.Width+r.To.Width+int(s.at)])
		case slotLimit:
			bound[i] = args[len(args)-1]
			err = checkKind(plan.Int, bound[i])
		default:
			err = fmt.Errorf("marker %d of %s has no source in a read", s.op, st.Text)
		}
		if err != nil {
			return cql.Call{}, nil, err
		}
	}
	return cql.Call{Statement: &st.Statement, Args: bound}, newDecoder(p, st, args), nil
}

func (p *readProgram) filter(f *Family, i int, v any) (any, error) {
	c := p.read.Filters[i].Column
	if at := p.table.column(c); at >= 0 {
		return f.Columns[at].physical(v, false)
	}
	return f.Key[f.keyOf(c)].argument(v)
}

// keyOf returns the index of the physical key column that holds a logical one.
func (f *Family) keyOf(c *plan.Column) int {
	for i := range f.Key {
		if f.Key[i].holds(c) {
			return i
		}
	}
	return -1
}

// argument is encode for reads, which may ask for reserved values: they find nothing.
func (k *Key) argument(v any) (any, error) {
	if err := checkKind(k.Of.Kind, v); err != nil {
		return nil, fmt.Errorf("%s: %w", k.Of, err)
	}
	return encodeScalar(k.Of, k.Codec, k.Bits, v)
}

func (k *Key) edgeArgument(e plan.RangeEnd, args []any, i int) (any, error) {
	if k.And != nil {
		return k.edge(e.Compare, args[:e.Width])
	}
	return k.argument(args[i])
}
