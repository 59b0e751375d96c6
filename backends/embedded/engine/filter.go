package engine

import (
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// matches tests a relation of WHERE on the row at hand. In Cassandra a null
// operand is an error and a null column never matches; YCQL compares nulls as in
// IF (ycql-statics.md 1).
func (f *filter) matches(v *env) (bool, error) {
	left, err := f.left.eval(v)
	if err != nil {
		return false, err
	}
	if v.ycql {
		return f.compare(v, left.Data)
	}
	operands, err := f.operands(v)
	if err != nil {
		return false, err
	}
	for _, o := range operands {
		if o == nil {
			return false, cqlerr.Invalid("Unsupported null value for column %s", f.col.Name)
		}
	}
	if left.Data == nil {
		return false, nil
	}
	return f.test(left.Data, operands)
}

// operands evaluates the right side.
func (f *filter) operands(v *env) ([][]byte, error) {
	if f.list != nil {
		b, err := f.list.required(v)
		if err != nil {
			return nil, err
		}
		if b == nil {
			if v.ycql {
				return nil, nil
			}
			return nil, cqlerr.Invalid("Invalid null value for column %s", f.col.Name)
		}
		return cqltype.DecodeCollection(f.list.typ, b)
	}
	out := make([][]byte, len(f.right))
	for i := range f.right {
		b, err := f.right[i].required(v)
		if err != nil {
			return nil, err
		}
		out[i] = b
	}
	return out, nil
}

// test compares values that are not null.
func (f *filter) test(left []byte, operands [][]byte) (bool, error) {
	t := f.left.typ
	switch f.op {
	case parse.Eq:
		return t.Compare(left, operands[0]) == 0, nil
	case parse.Ne:
		return t.Compare(left, operands[0]) != 0, nil
	case parse.Lt:
		return t.Compare(left, operands[0]) < 0, nil
	case parse.Le:
		return t.Compare(left, operands[0]) <= 0, nil
	case parse.Gt:
		return t.Compare(left, operands[0]) > 0, nil
	case parse.Ge:
		return t.Compare(left, operands[0]) >= 0, nil
	case parse.In, parse.NotIn:
		for _, o := range operands {
			if t.Compare(left, o) == 0 {
				return f.op == parse.In, nil
			}
		}
		return f.op == parse.NotIn, nil
	case parse.Between, parse.NotBetween:
		in := t.Compare(left, operands[0]) >= 0 && t.Compare(left, operands[1]) <= 0
		return in == (f.op == parse.Between), nil
	case parse.IsNull, parse.IsNotNull:
		return f.op == parse.IsNotNull, nil
	default:
	}
	elems, err := cqltype.DecodeCollection(t, left)
	if err != nil {
		return false, err
	}
	step, first := len(t.Elems), len(t.Elems)-1 // CONTAINS looks at values
	if f.op == parse.ContainsKey {
		first = 0
	}
	for i := first; i < len(elems); i += step {
		if t.Elems[first].Compare(elems[i], operands[0]) == 0 {
			return true, nil
		}
	}
	return false, nil
}

// compare tests a relation of an IF, where nulls can be compared.
func (f *filter) compare(v *env, left []byte) (bool, error) {
	if !v.ycql {
		for i := range f.right {
			if t := &f.right[i]; t.kind == termMarker && v.values[t.marker].Unset {
				return false, cqlerr.Invalid("Invalid 'unset' value in condition")
			}
		}
	}
	operands, err := f.operands(v)
	if err != nil {
		return false, err
	}
	anyNull := left == nil
	for _, o := range operands {
		anyNull = anyNull || o == nil
	}
	if !anyNull {
		return f.test(left, operands)
	}
	both := func(o []byte) bool { return left == nil && o == nil }
	switch f.op {
	case parse.IsNull:
		return left == nil, nil
	case parse.IsNotNull:
		return left != nil, nil
	case parse.Eq:
		return both(operands[0]), nil
	case parse.Ne:
		return !both(operands[0]), nil
	case parse.In, parse.NotIn:
		found := false
		for _, o := range operands {
			found = found || both(o) || left != nil && o != nil && f.left.typ.Compare(left, o) == 0
		}
		return found == (f.op == parse.In), nil
	case parse.Lt, parse.Le, parse.Gt, parse.Ge:
		if v.ycql {
			return both(operands[0]) && (f.op == parse.Le || f.op == parse.Ge), nil
		}
		if operands[0] == nil {
			return false, cqlerr.Invalid("Invalid comparison with null for operator \"%s\"", f.op)
		}
		return false, nil
	case parse.NotBetween:
		return true, nil
	default:
	}
	return false, nil
}

// condition is an IF made ready.
type condition struct {
	kind parse.Kind // And, Or, Not, Exists, NotExists, Compare
	kids []condition
	f    filter
}

// condition compiles an IF; b.columns must be set, so that its columns are noted.
func (b *binder) condition(e *parse.Expr) (*condition, error) {
	c := &condition{kind: e.Kind}
	switch e.Kind {
	case parse.KindAnd, parse.KindOr, parse.KindNot:
		for _, a := range e.Args {
			k, err := b.condition(a)
			if err != nil {
				return nil, err
			}
			c.kids = append(c.kids, *k)
		}
	case parse.KindCompare:
		f, err := b.comparison(e)
		if err != nil {
			return nil, err
		}
		c.f = *f
	default:
	}
	return c, nil
}

func (b *binder) comparison(e *parse.Expr) (*filter, error) {
	left := e.Args[0]
	switch left.Kind {
	case parse.KindColumn, parse.KindElement, parse.KindField:
	default:
		return nil, b.src.Refuse("this condition", e.Span)
	}
	x, err := b.reference(left)
	if err != nil {
		return nil, err
	}
	if b.ycql && (e.Op == parse.IsNull || e.Op == parse.IsNotNull) {
		return nil, b.src.QL(cqlerr.InvalidCQL, left.Span, "Operator not supported yet")
	}
	base := x
	for len(base.args) > 0 {
		base = base.args[0]
	}
	col := b.table.Columns[base.index]
	if col.Position >= 0 && b.ycql {
		return nil, b.src.QL(cqlerr.InvalidCQL, left.Span, "Primary key column reference is not allowed in if clause")
	}
	if err := b.checkCondition(x, e); err != nil {
		return nil, err
	}
	if col.Position >= 0 {
		return nil, cqlerr.Invalid("PRIMARY KEY column '%s' cannot have IF conditions", col.Name)
	}
	f := &filter{op: e.Op, left: x, col: col}
	name := x.name
	if left.Kind == parse.KindElement {
		name = "value(" + col.Name + ")"
	}
	s := spec{name, x.typ}
	switch e.Op {
	case parse.In, parse.NotIn:
		f.list, f.right, err = b.inList(e.Args[1], s)
	case parse.Between, parse.NotBetween:
		for _, a := range e.Args[1].Args {
			t, err := b.rightHand(a, s)
			if err != nil {
				return nil, err
			}
			f.right = append(f.right, t)
		}
	case parse.IsNull, parse.IsNotNull:
	default:
		var t term
		t, err = b.rightHand(e.Args[1], s)
		f.right = []term{t}
	}
	return f, err
}

func (b *binder) checkCondition(x term, e *parse.Expr) error {
	switch e.Op {
	case parse.Contains, parse.ContainsKey, parse.Like:
		if b.ycql {
			return b.src.QL(cqlerr.FeatureUnsupport, e.Span, "This operator is %s here", cqlerr.NotSupported)
		}
		return b.src.Refuse("the operator "+e.Op.String()+" in a condition", e.Span)
	default:
	}
	if b.ycql && x.kind == termColumn && x.typ.IsCollection() && e.Args[1].Kind != parse.KindNull {
		return b.src.QL(cqlerr.IncomparableTypes, e.Args[0].Span, "Cannot compare values of these datatypes")
	}
	if x.kind == termElement && x.args[0].typ.Kind == cqltype.Set {
		return cqlerr.Invalid("Invalid element access syntax for set column %s", x.args[0].name)
	}
	return nil
}

// holds evaluates the condition on the row at hand; a missing row has no v.row.reg
// and only nulls.
func (c *condition) holds(v *env) (bool, error) {
	switch c.kind {
	case parse.KindExists, parse.KindNotExists:
		return v.row.exists == (c.kind == parse.KindExists), nil
	case parse.KindCompare:
		left, err := c.f.left.eval(v)
		if err != nil {
			return false, err
		}
		return c.f.compare(v, left.Data)
	case parse.KindNot:
		ok, err := c.kids[0].holds(v)
		return !ok, err
	default:
	}
	for i := range c.kids {
		ok, err := c.kids[i].holds(v)
		if err != nil {
			return false, err
		}
		if ok == (c.kind == parse.KindOr) {
			return ok, nil
		}
	}
	return c.kind == parse.KindAnd, nil
}

// walk calls f for all comparisons.
func (c *condition) walk(f func(*condition)) {
	f(c)
	for i := range c.kids {
		c.kids[i].walk(f)
	}
}
