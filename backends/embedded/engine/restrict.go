package engine

import (
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// restriction is what WHERE says of one column.
type restriction struct {
	col    *catalog.Column
	eq     *term
	in     []term // IN (a, b)
	inBind *term  // IN ?: a list
	lo, hi *limit
	other  bool // it also has, or only has, relations that bound nothing (CONTAINS, !=)
}

// exact tells whether the restriction lists values.
func (r *restriction) exact() bool {
	return r != nil && (r.eq != nil || r.in != nil || r.inBind != nil)
}

func (r *restriction) isIn() bool { return r != nil && (r.in != nil || r.inBind != nil) }

type limit struct {
	t         term
	inclusive bool
}

// tuples is a relation over several clustering columns, from col first on.
type tuples struct {
	first, n int
	at       parse.Span
	in       [][]term // (a, b) IN ((1, 2), (3, 4)), and = as one
	inBind   *term    // IN ?, or = ? if single
	single   bool
	lo, hi   *tupleLimit
}

type tupleLimit struct {
	cols      []*catalog.Column
	terms     []term
	bind      *term // a marker for the whole tuple
	inclusive bool
}

// restrictions is a WHERE made ready.
type restrictions struct {
	cols   []*restriction // by column Index
	tuples *tuples
	token  *tokenRange
	// filters are all relations as predicates on a row, for those that do not
	// become keys or bounds.
	filters []filter
}

// tokenRange is token(pk) or partition_hash(pk) between two values.
type tokenRange struct {
	hash   bool
	eq     *term
	lo, hi *limit
}

// filter is a relation as a predicate.
type filter struct {
	op    parse.Op
	left  term
	right []term // one, or the members of a list
	list  *term  // IN ?
	col   *catalog.Column
}

// where analyses the relations of a SELECT, UPDATE or DELETE.
func (b *binder) where(rels []*parse.Expr, write bool) (*restrictions, error) {
	r := &restrictions{cols: make([]*restriction, len(b.table.Columns))}
	for _, e := range rels {
		if err := b.relation(r, e, write); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (b *binder) relation(r *restrictions, e *parse.Expr, write bool) error {
	left := e.Args[0]
	switch left.Kind {
	case parse.KindTuple:
		return b.tupleRelation(r, e, write)
	case parse.KindCall:
		if left.Text == "token" || b.ycql && left.Text == "partition_hash" {
			return b.tokenRelation(r, e, write)
		}
	case parse.KindColumn:
		return b.columnRelation(r, e, write)
	case parse.KindElement:
		if e.Op == parse.Eq && !write {
			return b.elementRelation(r, e)
		}
	default:
	}
	if b.ycql {
		return b.src.QL(cqlerr.FeatureUnsupport, e.Span, "This expression is %s", cqlerr.NotSupported)
	}
	return b.src.Refuse("this relation", e.Span)
}

// rightHand compiles the right side of a relation.
func (b *binder) rightHand(e *parse.Expr, s spec) (term, error) {
	was := b.columns
	b.columns = false
	defer func() { b.columns = was }()
	return b.term(e, s)
}

func (b *binder) columnRelation(r *restrictions, e *parse.Expr, write bool) error {
	wasUsed := b.columns
	b.columns = true
	c, err := b.existing(e.Args[0])
	b.columns = wasUsed
	if err != nil {
		return err
	}
	if err := b.checkOperator(c, e, write); err != nil {
		return err
	}
	x := r.cols[c.Index]
	if x == nil {
		x = &restriction{col: c}
		r.cols[c.Index] = x
	}
	s := columnSpec(c)
	f := filter{op: e.Op, col: c, left: term{kind: termColumn, typ: c.Type, index: c.Index, name: c.Name}}
	switch e.Op {
	case parse.In, parse.NotIn:
		list, terms, err := b.inList(e.Args[1], s)
		if err != nil {
			return err
		}
		f.list, f.right = list, terms
		if e.Op == parse.NotIn {
			x.other = true
			break
		}
		if x.exact() || x.lo != nil || x.hi != nil {
			return b.repeated(e, c, "a IN")
		}
		x.in, x.inBind = terms, list
	case parse.Between, parse.NotBetween:
		for _, a := range e.Args[1].Args {
			t, err := b.rightHand(a, s)
			if err != nil {
				return err
			}
			f.right = append(f.right, t)
		}
		if e.Op == parse.Between && x.lo == nil && x.hi == nil && !x.exact() {
			x.lo, x.hi = &limit{f.right[0], true}, &limit{f.right[1], true}
		} else {
			x.other = true
		}
	case parse.Contains, parse.ContainsKey:
		name, typ := "value("+c.Name+")", c.Type.Elems[len(c.Type.Elems)-1]
		if e.Op == parse.ContainsKey {
			name, typ = "key("+c.Name+")", c.Type.Elems[0]
		}
		t, err := b.rightHand(e.Args[1], spec{name, typ})
		if err != nil {
			return err
		}
		f.right, x.other = []term{t}, true
	default:
		t, err := b.rightHand(e.Args[1], s)
		if err != nil {
			return err
		}
		f.right = []term{t}
		if err := b.bound(x, e, t); err != nil {
			return err
		}
	}
	r.filters = append(r.filters, f)
	return nil
}

// bound adds = < <= > >= != to a column's restriction.
func (b *binder) bound(x *restriction, e *parse.Expr, t term) error {
	l := &limit{t, e.Op == parse.Le || e.Op == parse.Ge}
	switch e.Op {
	case parse.Eq:
		if x.exact() || x.lo != nil || x.hi != nil {
			return b.repeated(e, x.col, "an Equal")
		}
		x.eq = &t
	case parse.Lt, parse.Le:
		if x.exact() {
			return b.repeated(e, x.col, "an Equal")
		}
		if x.hi != nil {
			return b.repeatedBound(e, x.col, "end")
		}
		x.hi = l
	case parse.Gt, parse.Ge:
		if x.exact() {
			return b.repeated(e, x.col, "an Equal")
		}
		if x.lo != nil {
			return b.repeatedBound(e, x.col, "start")
		}
		x.lo = l
	default:
		x.other = true
	}
	return nil
}

func (b *binder) repeated(e *parse.Expr, c *catalog.Column, what string) error {
	if b.ycql {
		return b.src.QL(cqlerr.InvalidCQL, e.Args[0].Span, "Illogical condition for where clause")
	}
	return cqlerr.Invalid("%s cannot be restricted by more than one relation if it includes %s", c.Name, what)
}

func (b *binder) repeatedBound(e *parse.Expr, c *catalog.Column, which string) error {
	if b.ycql {
		return b.src.QL(cqlerr.InvalidCQL, e.Args[0].Span, "Illogical condition for where clause")
	}
	return cqlerr.Invalid("More than one restriction was found for the %s bound on %s", which, c.Name)
}

// checkYCQLOperator: WhereExprState::AnalyzeColumnOp (ql/ptree/pt_dml.cc) and
// PTRelationExpr::AnalyzeOperator (pt_expr.cc), whose errors point at the left side.
func (b *binder) checkYCQLOperator(c *catalog.Column, e *parse.Expr, write bool) error {
	at := e.Args[0].Span
	inequality := e.Op == parse.Lt || e.Op == parse.Le || e.Op == parse.Gt || e.Op == parse.Ge
	switch {
	case e.Op == parse.IsNull, e.Op == parse.IsNotNull:
		return b.src.QL(cqlerr.InvalidCQL, at, "Operator not supported yet")
	case e.Op == parse.Between, e.Op == parse.NotBetween:
		// Its grammar has them, and its analysis of WHERE passes them over.
		return b.src.Refuse("BETWEEN in WHERE", e.Span)
	case e.Op == parse.Contains && !c.Type.IsCollection(), e.Op == parse.ContainsKey && c.Type.Kind != cqltype.Map:
		return b.src.QL(cqlerr.FeatureUnsupport, e.Span, "This operator is %s here", cqlerr.NotSupported)
	case c.Type.IsMultiCell() && e.Op != parse.Contains && e.Op != parse.ContainsKey:
		return b.src.QL(cqlerr.IncomparableTypes, at, "Cannot compare values of these datatypes")
	case c.Kind == catalog.Partition && inequality:
		return b.src.QL(cqlerr.InvalidCQL, at, "Partition column cannot be used in this expression")
	case write && (e.Op == parse.In || e.Op == parse.NotIn || e.Op == parse.Ne):
		return b.src.QL(cqlerr.NotYetImplemented, at, "Operator not supported for write operations")
	case write && c.Kind > catalog.Clustering:
		return b.src.QL(cqlerr.InvalidCQL, at, "Non primary key cannot be used in where clause for write requests")
	}
	return nil
}

// checkOperator refuses operators that a column cannot have.
func (b *binder) checkOperator(c *catalog.Column, e *parse.Expr, write bool) error {
	at := e.Span
	if b.ycql {
		if err := b.checkYCQLOperator(c, e, write); err != nil {
			return err
		}
		return nil
	}
	switch e.Op {
	case parse.Like, parse.Between, parse.NotBetween:
		return b.src.Refuse("the operator "+e.Op.String(), at)
	case parse.Ne:
		return cqlerr.Invalid("Unsupported \"!=\" relation: %s", b.text(e))
	case parse.IsNotNull:
		return cqlerr.Invalid("Unsupported restriction: %s", b.text(e))
	case parse.Contains, parse.ContainsKey:
		if !c.Type.IsCollection() {
			return cqlerr.Invalid("Cannot use %s on non-collection column %s", e.Op, c.Name)
		}
		if e.Op == parse.ContainsKey && c.Type.Kind != cqltype.Map {
			return cqlerr.Invalid("Cannot use CONTAINS KEY on non-map column %s", c.Name)
		}
		return nil
	default:
	}
	if c.Type.IsMultiCell() {
		kind := map[cqltype.Kind]string{cqltype.List: "Collection column '%s' (%s) cannot be restricted by a '%s' relation"}[cqltype.List]
		if c.Type.Kind == cqltype.UDT {
			kind = "Non-frozen UDT column '%s' (%s) cannot be restricted by any relation"
			return cqlerr.Invalid(kind, c.Name, c.Type)
		}
		return cqlerr.Invalid(kind, c.Name, c.Type, e.Op)
	}
	if c.Type.Kind == cqltype.Duration && e.Op != parse.Eq && e.Op != parse.In {
		return cqlerr.Invalid("Slice restrictions are not supported on duration columns")
	}
	return nil
}

// inList compiles the right side of IN: a marker for a list, or terms.
func (b *binder) inList(e *parse.Expr, s spec) (list *term, terms []term, err error) {
	if e.Kind == parse.KindMarker {
		t := b.bind(e, spec{"in(" + s.name + ")", cqltype.ListOf(s.typ, false)})
		return &t, nil, nil
	}
	terms = make([]term, 0, len(e.Args))
	for _, a := range e.Args {
		t, err := b.rightHand(a, s)
		if err != nil {
			return nil, nil, err
		}
		terms = append(terms, t)
	}
	return nil, terms, nil
}

// elementRelation is m[k] = v, which is always a filter.
func (b *binder) elementRelation(r *restrictions, e *parse.Expr) error {
	was := b.columns
	b.columns = true
	left, err := b.reference(e.Args[0])
	b.columns = was
	if err != nil {
		return err
	}
	right, err := b.rightHand(e.Args[1], spec{"value(" + left.args[0].name + ")", left.typ})
	if err != nil {
		return err
	}
	c := b.table.Columns[left.args[0].index]
	if r.cols[c.Index] == nil {
		r.cols[c.Index] = &restriction{col: c}
	}
	r.cols[c.Index].other = true
	r.filters = append(r.filters, filter{op: e.Op, left: left, right: []term{right}, col: c})
	return nil
}

func (b *binder) tokenRelation(r *restrictions, e *parse.Expr, write bool) error {
	call := e.Args[0]
	hash := call.Text == "partition_hash"
	if write {
		if b.ycql {
			return b.src.Refuse("token() in a write", e.Span)
		}
		return cqlerr.Invalid("The token function cannot be used in WHERE clauses for %s statements", "UPDATE")
	}
	for i, a := range call.Args {
		if a.Kind != parse.KindColumn || len(call.Args) != len(b.table.PartitionKey) || b.table.PartitionKey[i].Name != a.Text {
			if b.ycql {
				return b.src.QL(cqlerr.FeatureUnsupport, call.Span, "token/partition_hash calls need to reference partition key")
			}
			if len(call.Args) != len(b.table.PartitionKey) {
				return cqlerr.Invalid("The token() function must be applied to all partition key components or none of them")
			}
			return cqlerr.Invalid("The token function arguments must be in the partition key order: %s", columnNames(b.table.PartitionKey))
		}
	}
	s := spec{"partition key token", tBigint}
	if hash {
		s = spec{"[partition_hash]", tInt}
	}
	t, err := b.rightHand(e.Args[1], s)
	if err != nil {
		return err
	}
	if r.token == nil {
		r.token = &tokenRange{hash: hash}
	} else if r.token.hash != hash {
		return b.src.Refuse("token() and partition_hash() in one statement", e.Span)
	}
	l := &limit{t, e.Op == parse.Le || e.Op == parse.Ge}
	switch {
	case e.Op == parse.Eq && r.token.eq == nil:
		r.token.eq = &t
	case (e.Op == parse.Lt || e.Op == parse.Le) && r.token.hi == nil:
		r.token.hi = l
	case (e.Op == parse.Gt || e.Op == parse.Ge) && r.token.lo == nil:
		r.token.lo = l
	default:
		if b.ycql {
			return b.src.QL(cqlerr.InvalidCQL, call.Span, "Illogical where condition for token in where clause")
		}
		return cqlerr.Invalid("More than one restriction was found for the %s bound on %s", map[bool]string{true: "start", false: "end"}[e.Op == parse.Gt || e.Op == parse.Ge], columnNames(b.table.PartitionKey))
	}
	return nil
}

func columnNames(cols []*catalog.Column) string {
	s := ""
	for i, c := range cols {
		if i > 0 {
			s += ", "
		}
		s += c.Name
	}
	return s
}
