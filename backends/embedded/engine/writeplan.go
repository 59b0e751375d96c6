package engine

import (
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

type writeKind uint8

const (
	writeInsert writeKind = iota
	writeUpdate
	writeDelete
)

// effect is what one assignment or delete target does to its column.
type effect uint8

const (
	effSet     effect = iota // plain column = value; null deletes
	effReplace               // whole collection or UDT
	effAppend                // l = l + v
	effPrepend               // l = v + l
	effAdd                   // m = m + v, s = s + v
	effRemove                // m = m - v, s = s - v
	effWithout               // l = l - v: reads the list
	effElement               // m[k] = v; l[i] = v reads the list
	effDrop                  // DELETE m[k], s[k], l[i]
	effField                 // u.f = v
	effClear                 // DELETE c
)

// assign is one effect. It is immutable.
type assign struct {
	col   *catalog.Column
	eff   effect
	key   term
	val   term
	field int
}

// writePlan is an INSERT, UPDATE or DELETE made ready. It is immutable.
type writePlan struct {
	tab   *table
	kind  writeKind
	where *restrictions // key values; those of an INSERT as equalities
	// ck says how many clustering columns are given by = or IN; all of them,
	// none for statics or a whole partition, or some for a range.
	ck        int
	ranged    bool // DELETE of a range of rows, or of a whole partition
	statics   bool // it writes static columns
	regulars  bool // it writes regular columns or makes a row
	staticRow bool // it names no row: statics only
	manyKeys  bool // IN on some key column

	assigns   []assign
	ttl       *term
	timestamp *term
	cond      *condition
	condCols  []*catalog.Column // columns tested, regulars first
	// staticsOnly: the key is whole, but the effects are on statics alone.
	staticsOnly bool
	existence   bool // IF EXISTS or IF NOT EXISTS

	elseError, returnsStatus bool

	reads    bool            // some effect looks at the stored row
	ycqlRead bool            // YugabyteDB would read the row for it (the round counter's matter)
	want     storage.Columns // what conditions and effects look at
	at       parse.Span      // the word that YCQL's errors point at
	nameAt   parse.Span      // the table's name
	src      cqlerr.Source
	casCols  []wire.Column // columns of a refusal of this statement alone
	showCols []*catalog.Column
}

func (b *binder) planInsert(st *parse.Insert) (*writePlan, error) {
	if st.JSON != nil {
		return nil, b.src.Refuse("INSERT JSON", st.Span)
	}
	p := &writePlan{tab: b.tab, kind: writeInsert, at: st.Into, nameAt: st.Table.Span, src: b.src}
	if len(st.Columns) != len(st.Values) {
		if b.ycql {
			code := cqlerr.TooFewArguments
			if len(st.Columns) < len(st.Values) {
				code = cqlerr.TooManyArguments
			}
			return nil, b.src.QL(code, st.ValuesAt, "")
		}
		return nil, cqlerr.Invalid("Unmatched column names/values")
	}
	p.where = &restrictions{cols: make([]*restriction, len(b.table.Columns))}
	seen := map[string]bool{}
	for i, ce := range st.Columns {
		c, err := b.column(ce)
		if err != nil {
			return nil, err
		}
		if seen[c.Name] && !b.ycql {
			return nil, cqlerr.Invalid("The column names contains duplicates")
		}
		if err := b.insertValue(p, c, st.Values[i]); err != nil {
			return nil, err
		}
		if seen[c.Name] {
			return nil, b.src.QL(cqlerr.DuplicateColumn, at(st.Values[i]), "")
		}
		seen[c.Name] = true
	}
	if err := b.insertKey(p, st); err != nil {
		return nil, err
	}
	if b.ycql && slices.ContainsFunc(p.where.cols, func(r *restriction) bool {
		return r != nil && r.eq.kind == termConst && r.eq.value == nil
	}) {
		return nil, b.src.QL(cqlerr.NullKeyArg, st.ValuesAt, "")
	}
	if err := b.finishWrite(p, &st.Tail, &st.Using); err != nil {
		return nil, err
	}
	return p, nil
}

func (b *binder) insertValue(p *writePlan, c *catalog.Column, e *parse.Expr) error {
	x, err := b.term(e, columnSpec(c))
	if err != nil {
		return err
	}
	if !x.typ.SameValues(c.Type) && !assignable(x.typ, c.Type) {
		return b.mismatch(e, cqlerr.Invalid("Type error: cannot assign result of function to %s (type %s)", c.Name, c.Type))
	}
	if c.Position >= 0 {
		p.where.cols[c.Index] = &restriction{col: c, eq: &x}
		return nil
	}
	eff := effSet
	if c.Type.IsMultiCell() {
		eff = effReplace
	}
	p.assigns = append(p.assigns, assign{col: c, eff: eff, val: x})
	return nil
}

// insertKey checks that the key is given, as far as it must.
func (b *binder) insertKey(p *writePlan, st *parse.Insert) error {
	missing := func(cols []*catalog.Column) []*catalog.Column {
		return slices.DeleteFunc(slices.Clone(cols), func(c *catalog.Column) bool { return p.where.cols[c.Index] != nil })
	}
	if m := missing(b.table.PartitionKey); len(m) > 0 {
		if b.ycql {
			return b.src.QL(cqlerr.MissingKeyArg, st.ValuesAt, "")
		}
		return cqlerr.Invalid("Some partition key parts are missing: %s", columnNames(m))
	}
	staticOnly := len(p.assigns) > 0
	for i := range p.assigns {
		staticOnly = staticOnly && p.assigns[i].col.Kind == catalog.Static
	}
	m := missing(b.table.ClusteringKey)
	switch {
	case len(m) == 0:
		p.ck = len(b.table.ClusteringKey)
		p.regulars = true
	case len(m) == len(b.table.ClusteringKey) && staticOnly:
		p.staticRow = true
	case b.ycql:
		return b.src.QL(cqlerr.MissingKeyArg, st.ValuesAt, "")
	default:
		return cqlerr.Invalid("Some clustering keys are missing: %s", columnNames(m))
	}
	return nil
}

func (b *binder) planUpdate(st *parse.Update) (*writePlan, error) {
	p := &writePlan{tab: b.tab, kind: writeUpdate, at: st.Word, nameAt: st.Table.Span, src: b.src}
	// Markers must be met in the order of the text: it does not matter here, for
	// they carry their numbers.
	if b.ycql {
		// Before SET, which asks whether there is a timestamp.
		if err := b.using(p, &st.Using); err != nil {
			return nil, err
		}
	}
	setsKey := false
	for i := range st.Set {
		if err := b.assignment(p, &st.Set[i], &setsKey); err != nil {
			return nil, err
		}
	}
	if setsKey {
		return nil, b.src.QL(cqlerr.InvalidArguments, st.Set[0].Span, "")
	}
	if err := b.writeRows(p, "UPDATE", st.Where); err != nil {
		return nil, err
	}
	if err := b.finishWrite(p, &st.Tail, &st.Using); err != nil {
		return nil, err
	}
	return p, nil
}

func (b *binder) planDelete(st *parse.Delete) (*writePlan, error) {
	p := &writePlan{tab: b.tab, kind: writeDelete, at: st.Word, nameAt: st.Table.Span, src: b.src}
	for _, e := range st.Targets {
		if err := b.deleteTarget(p, e); err != nil {
			return nil, err
		}
	}
	if err := b.writeRows(p, "DELETE", st.Where); err != nil {
		return nil, err
	}
	if err := b.finishWrite(p, &st.Tail, &st.Using); err != nil {
		return nil, err
	}
	if st.Using.TTL != nil { // Cassandra's grammar has none
		return nil, b.src.QL(cqlerr.InvalidCQL, st.Word, "DELETE statement cannot have TTL")
	}
	return p, nil
}

// writeRows plans which rows an UPDATE or DELETE is about.
func (b *binder) writeRows(p *writePlan, what string, rels []*parse.Expr) error {
	if b.ycql && len(rels) == 0 {
		return b.src.QL(cqlerr.InvalidCQL, p.at, "Missing partition key")
	}
	var err error
	if p.where, err = b.where(rels, true); err != nil {
		return err
	}
	at := p.at
	if b.ycql {
		at = whereAt(rels)
	}
	return b.writeKey(p, what, at)
}

// whereAt is where YCQL's errors about a whole WHERE point: a node of its grammar
// stands where its first operand does, so that of a AND b AND c is a AND b, and that
// of a single relation is its left side.
func whereAt(rels []*parse.Expr) parse.Span {
	if len(rels) == 1 {
		return rels[0].Args[0].Span
	}
	return parse.Span{Start: rels[0].Span.Start, End: rels[len(rels)-2].Span.End}
}

// writeKey checks the WHERE of an UPDATE or DELETE.
func (b *binder) writeKey(p *writePlan, what string, at parse.Span) error {
	t, r := b.table, p.where
	for _, x := range r.cols {
		if x != nil && x.col.Position < 0 {
			return cqlerr.Invalid("Non PRIMARY KEY columns found in where clause: %s ", x.col.Name)
		}
	}
	var missing []*catalog.Column
	for _, c := range t.PartitionKey {
		x := r.cols[c.Index]
		switch {
		case x == nil:
			missing = append(missing, c)
		case !x.exact():
			return cqlerr.Invalid("Only EQ and IN relation are supported on the partition key (unless you use the token() function) for %s statements", what)
		case x.isIn():
			p.manyKeys = true
		}
	}
	if len(missing) > 0 {
		if b.ycql {
			return b.src.QL(cqlerr.InvalidCQL, at, "Missing condition on key columns in WHERE clause")
		}
		return cqlerr.Invalid("Some partition key parts are missing: %s", columnNames(missing))
	}
	for p.ck < len(t.ClusteringKey) && r.cols[t.ClusteringKey[p.ck].Index].exact() {
		p.manyKeys = p.manyKeys || r.cols[t.ClusteringKey[p.ck].Index].isIn()
		p.ck++
	}
	if r.tuples != nil {
		return b.writeTuples(p, what)
	}
	statics, regulars := 0, 0
	for i := range p.assigns {
		if p.assigns[i].col.Kind == catalog.Static {
			statics++
		} else {
			regulars++
		}
	}
	more := false // relations behind the run of equalities
	for i, c := range t.ClusteringKey[p.ck:] {
		x := r.cols[c.Index]
		if x == nil {
			continue
		}
		more = true
		if i > 0 && (!b.ycql || r.cols[t.ClusteringKey[p.ck+i-1].Index] == nil) {
			if b.ycql {
				return b.src.QL(cqlerr.InvalidCQL, at, "Missing condition on key columns in WHERE clause")
			}
			return cqlerr.Invalid("PRIMARY KEY column \"%s\" cannot be restricted as preceding column \"%s\" is not restricted", c.Name, t.ClusteringKey[p.ck+i-1].Name)
		}
		if i > 0 {
			return b.src.Refuse("a relation behind a range", at)
		}
	}
	full := p.ck == len(t.ClusteringKey)
	switch {
	case full:
		p.regulars = regulars > 0 || p.kind == writeDelete && len(p.assigns) == 0
		p.staticsOnly = p.kind != writeInsert && regulars == 0 && statics > 0 && len(t.ClusteringKey) > 0
	case statics > 0 && regulars == 0 && p.ck == 0 && !more:
		p.staticRow = true
	case p.kind == writeDelete && len(p.assigns) == 0:
		p.ranged = true
	case b.ycql && p.kind == writeDelete && regulars > 0:
		return b.src.QL(cqlerr.InvalidCQL, p.at, "DELETE statement must give the entire primary key if specifying non-static columns")
	case b.ycql && p.kind == writeDelete && p.ck == 0:
		return b.src.QL(cqlerr.InvalidCQL, p.at, "DELETE statement cannot specify both target columns and range condition")
	case b.ycql:
		return b.src.QL(cqlerr.InvalidCQL, at, "Missing condition on key columns in WHERE clause")
	case p.kind == writeDelete:
		return cqlerr.Invalid("Range deletions are not supported for specific columns")
	case more:
		return cqlerr.Invalid("Slice restrictions are not supported on the clustering columns in %s statements", what)
	default:
		return cqlerr.Invalid("Some clustering keys are missing: %s", columnNames(t.ClusteringKey[p.ck:]))
	}
	return nil
}

// writeTuples takes multi-column relations of a DELETE as a range.
func (b *binder) writeTuples(p *writePlan, what string) error {
	x := p.where.tuples
	if x.first != p.ck {
		return b.src.Refuse("a multi-column relation that does not follow the restricted columns", x.at)
	}
	if p.kind != writeDelete || len(p.assigns) > 0 {
		if x.lo == nil && x.hi == nil {
			return b.src.Refuse("a multi-column relation in "+what, x.at)
		}
		return cqlerr.Invalid("Slice restrictions are not supported on the clustering columns in %s statements", what)
	}
	p.ranged = true
	return nil
}

// finishWrite compiles conditions and USING, and works out what must be read.
func (b *binder) finishWrite(p *writePlan, tail *parse.Tail, using *parse.Using) error {
	for i := range p.assigns {
		if p.assigns[i].col.Kind == catalog.Static {
			p.statics = true
		} else {
			p.regulars = true
		}
	}
	p.elseError, p.returnsStatus = tail.ElseError, tail.ReturnsStatus
	read := make([]bool, len(b.table.Columns))
	if tail.If != nil {
		saved := b.used
		b.columns, b.used = true, nil
		var err error
		p.cond, err = b.condition(tail.If)
		b.columns, b.used = false, saved
		if err != nil {
			return err
		}
		if err := b.checkIf(p); err != nil {
			return err
		}
		p.cond.walk(func(c *condition) {
			switch c.kind {
			case parse.KindExists, parse.KindNotExists:
				p.existence = true
			case parse.KindCompare:
				read[c.f.col.Index] = true
				if !slices.Contains(p.condCols, c.f.col) {
					p.condCols = append(p.condCols, c.f.col)
				}
			default:
			}
		})
		slices.SortStableFunc(p.condCols, func(x, y *catalog.Column) int { return int(y.Kind) - int(x.Kind) })
	}
	if p.staticsOnly && !b.ycql && !slices.ContainsFunc(p.condCols, func(c *catalog.Column) bool { return c.Kind == catalog.Regular }) {
		what := map[writeKind]string{writeUpdate: "UPDATE", writeDelete: "DELETE"}[p.kind]
		return cqlerr.Invalid("Invalid restrictions on clustering columns since the %s statement modifies only static columns", what)
	}
	for i := range p.assigns {
		a := &p.assigns[i]
		switch {
		case a.eff == effWithout, (a.eff == effElement || a.eff == effDrop) && a.col.Type.Kind == cqltype.List:
			p.reads, read[a.col.Index] = true, true
		case a.eff == effSet && a.val.kind == termArith:
			p.reads = true
			a.val.walkColumns(func(i int) { read[i] = true })
		}
		switch a.eff {
		case effAppend, effPrepend, effAdd, effRemove:
			p.ycqlRead = true // ycql-statics.md 8
		default:
		}
	}
	p.ycqlRead = p.ycqlRead || p.reads || p.cond != nil || p.returnsStatus
	if !b.ycql || p.kind != writeUpdate { // else done
		if err := b.using(p, using); err != nil {
			return err
		}
	}
	p.wantColumns(read)
	p.refusalColumns()
	return nil
}

// walkColumns calls f for the columns that a term refers to.
func (t *term) walkColumns(f func(index int)) {
	if t.kind == termColumn {
		f(t.index)
	}
	for i := range t.args {
		t.args[i].walkColumns(f)
	}
}

// wantColumns: a refusal of IF [NOT] EXISTS, and RETURNS STATUS, show all.
func (p *writePlan) wantColumns(read []bool) {
	if p.existence || p.returnsStatus {
		return // nil: all
	}
	p.want = make(storage.Columns, len(read)-p.tab.keys)
	copy(p.want, read[p.tab.keys:])
}

func (b *binder) checkIf(p *writePlan) error {
	if b.ycql {
		if p.ranged {
			return b.src.QL(cqlerr.InvalidCQL, p.at, "DELETE statement must specify the entire primary key to use an IF clause")
		}
		return nil
	}
	switch {
	case p.manyKeys:
		what := map[writeKind]string{writeUpdate: "updates", writeDelete: "deletions"}[p.kind]
		for _, c := range b.table.PartitionKey {
			if p.where.cols[c.Index].isIn() {
				return cqlerr.Invalid("IN on the partition key is not supported with conditional %s", what)
			}
		}
		return cqlerr.Invalid("IN on the clustering key columns is not supported with conditional %s", what)
	case p.ranged:
		if p.where.tuples == nil && p.ck < len(p.tab.def.ClusteringKey) {
			return cqlerr.Invalid("DELETE statements must restrict all PRIMARY KEY columns with equality relations in order to delete non static columns")
		}
		return cqlerr.Invalid("DELETE statements must restrict all PRIMARY KEY columns with equality relations in order to use IF condition")
	}
	return nil
}

// using compiles USING TTL and TIMESTAMP.
func (b *binder) using(p *writePlan, u *parse.Using) error {
	if u.TTL != nil {
		t, err := b.rightHand(u.TTL, spec{"[ttl]", tInt})
		if err != nil {
			return err
		}
		p.ttl = &t
	}
	if u.Timestamp == nil {
		return nil
	}
	t, err := b.rightHand(u.Timestamp, spec{"[timestamp]", tBigint})
	if err != nil {
		return err
	}
	if p.cond != nil && !b.ycql {
		return cqlerr.Invalid("Cannot provide custom timestamp for conditional updates")
	}
	p.timestamp = &t
	return nil
}
