package engine

import (
	"errors"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// termKind says how a term gets its value.
type termKind uint8

const (
	termConst      termKind = iota
	termMarker              // a bound value
	termCollection          // a literal with markers or calls in it
	termTuple               // the same for a tuple or UDT
	termCall
	termColumn    // a column of the present row
	termElement   // args[0][args[1]]
	termField     // a field of a UDT
	termWritetime // of a column
	termTTL
	termCast
	termArith // op, args[0], args[1]
)

// term is an expression made ready for execution. It is immutable.
type term struct {
	kind   termKind
	op     byte
	typ    *cqltype.Type
	value  []byte // termConst; nil is null
	marker int
	index  int // column or field
	args   []term
	call   *function
	name   string // what errors call it
}

// spec is what a term is for: the name and type that a marker gets.
type spec struct {
	name string
	typ  *cqltype.Type
}

func columnSpec(c *catalog.Column) spec { return spec{c.Name, c.Type} }

// binder compiles the terms of one statement and collects its markers.
type binder struct {
	src   cqlerr.Source
	ycql  bool
	tab   *table
	table *catalog.Table // tab's definition
	binds []wire.Column  // by marker number over the whole text
	// columns says that terms may refer to the row (select lists, conditions).
	columns bool
	used    []bool // columns that terms refer to, by Index
}

func (b *binder) bind(e *parse.Expr, s spec) term {
	name := s.name
	if e.Text != "" && (e.Text[0] < '0' || e.Text[0] > '9') {
		name = e.Text
	}
	b.binds[e.Index] = wire.Column{Keyspace: b.table.Keyspace, Table: b.table.Name, Name: name, Type: s.typ}
	return term{kind: termMarker, marker: e.Index, typ: s.typ, name: s.name}
}

// mismatch reports a term that does not suit its receiver.
func (b *binder) mismatch(e *parse.Expr, cassandra error) error {
	if b.ycql {
		return b.src.QL(cqlerr.DatatypeMismatch, at(e), "")
	}
	return cassandra
}

// at is where YCQL's errors about an expression point: a collection stands where
// its first element does.
func at(e *parse.Expr) parse.Span {
	switch e.Kind {
	case parse.KindList, parse.KindSet, parse.KindMap:
		if len(e.Args) > 0 {
			return at(e.Args[0])
		}
		return parse.Span{Start: e.Span.Start, End: e.Span.Start + 1}
	default:
	}
	return e.Span
}

// nullWithin finds a null in a collection's literal.
func nullWithin(e *parse.Expr) *parse.Expr {
	for _, a := range e.Args {
		if a.Kind == parse.KindNull {
			return a
		}
		if n := nullWithin(a); n != nil {
			return n
		}
	}
	return e
}

// term compiles e for a receiver.
func (b *binder) term(e *parse.Expr, s spec) (term, error) {
	switch e.Kind {
	case parse.KindMarker:
		return b.bind(e, s), nil
	case parse.KindCall:
		return b.call(e, &s)
	case parse.KindCast:
		return b.cast(e, s)
	case parse.KindNull:
		return term{kind: termConst, typ: s.typ, name: s.name}, nil
	case parse.KindColumn, parse.KindElement, parse.KindField:
		if b.columns {
			return b.reference(e)
		}
		if b.ycql {
			return term{}, b.src.QL(cqlerr.InvalidArguments, e.Span, "Column reference is not allowed here")
		}
		return term{}, cqlerr.Syntax("line 1:%d no viable alternative at input '%s'", e.Span.Start, e.Text)
	case parse.KindBinary, parse.KindNeg:
		return b.arith(e, s)
	case parse.KindTuple:
		if s.typ.Kind != cqltype.Tuple && len(e.Args) == 1 {
			return b.term(e.Args[0], s)
		}
	default:
	}
	if !constant(e) {
		return b.composite(e, s)
	}
	return b.literal(e, s)
}

// constant tells whether a literal has no markers and calls in it.
func constant(e *parse.Expr) bool {
	switch e.Kind {
	case parse.KindMarker, parse.KindCall, parse.KindCast, parse.KindBinary, parse.KindColumn, parse.KindNeg:
		return false
	default:
	}
	for _, a := range e.Args {
		if !constant(a) {
			return false
		}
	}
	return true
}

var literalKinds = map[parse.Kind]cqltype.LiteralKind{
	parse.KindNull: cqltype.NullLiteral, parse.KindString: cqltype.StringLiteral, parse.KindInt: cqltype.IntegerLiteral,
	parse.KindFloat: cqltype.FloatLiteral, parse.KindBool: cqltype.BooleanLiteral, parse.KindUUID: cqltype.UUIDLiteral,
	parse.KindBlob: cqltype.HexLiteral, parse.KindDur: cqltype.DurationLiteral, parse.KindList: cqltype.ListLiteral,
	parse.KindSet: cqltype.SetLiteral, parse.KindMap: cqltype.MapLiteral, parse.KindTuple: cqltype.TupleLiteral,
	parse.KindUDT: cqltype.UDTLiteral,
}

func toLiteral(e *parse.Expr) cqltype.Literal {
	l := cqltype.Literal{Kind: literalKinds[e.Kind], Text: e.Text, Names: e.Names}
	for _, a := range e.Args {
		l.Items = append(l.Items, toLiteral(a))
	}
	return l
}

func (b *binder) literal(e *parse.Expr, s spec) (term, error) {
	if err := b.checkShape(e, s); err != nil {
		return term{}, err
	}
	if !b.ycql {
		if err := b.checkElements(e, s); err != nil {
			return term{}, err
		}
	}
	kind := literalKinds[e.Kind]
	if kind <= cqltype.DurationLiteral && !b.accepts(s.typ, e.Kind) {
		return term{}, b.mismatch(e, cqlerr.Invalid("Invalid %s constant (%s) for \"%s\" of type %s", kind, constantText(e), s.name, s.typ))
	}
	v, err := s.typ.FromLiteral(toLiteral(e))
	if err != nil {
		if b.ycql {
			if strings.Contains(err.Error(), "null is not supported") {
				return term{}, b.src.QL(cqlerr.NullInCollection, nullWithin(e).Span, "")
			}
			if errors.Is(err, cqltype.ErrLiteralKind) {
				return term{}, b.src.QL(cqlerr.DatatypeMismatch, at(e), "")
			}
			return term{}, b.src.QL(cqlerr.InvalidArguments, e.Span, "%s", err.Error())
		}
		return term{}, cqlerr.Invalid("%s", err)
	}
	if v != nil && s.typ.IsMultiCell() && emptyCollection(s.typ, v) {
		v = nil // an empty collection is no collection
	}
	return term{kind: termConst, typ: s.typ, value: v, name: s.name}, nil
}

// accepts: YCQL takes integers for floats as Cassandra does, and strings for
// uuids and blobs not.
func (b *binder) accepts(t *cqltype.Type, k parse.Kind) bool {
	return t.AcceptsLiteral(literalKinds[k])
}

// constantText is how Cassandra shows a constant.
func constantText(e *parse.Expr) string { return e.Text }

// checkElements words Cassandra's errors about what is in a literal.
func (b *binder) checkElements(e *parse.Expr, s spec) error {
	switch e.Kind {
	case parse.KindUDT:
		for _, n := range e.Names {
			if !slices.Contains(s.typ.Fields, n) {
				return cqlerr.Invalid("Unknown field '%s' in value of user defined type %s", n, s.typ.Name)
			}
		}
		return nil
	case parse.KindTuple:
		if len(e.Args) > len(s.typ.Elems) {
			return cqlerr.Invalid("Invalid tuple literal for %s: too many elements. Type %s expects %d but got %d", s.name, s.typ, len(s.typ.Elems), len(e.Args))
		}
		return nil
	case parse.KindList, parse.KindSet, parse.KindMap:
	default:
		return nil
	}
	if !s.typ.IsCollection() {
		return nil
	}
	for i, a := range e.Args {
		t, what := s.typ.Elems[i%len(s.typ.Elems)], "value"
		if e.Kind == parse.KindMap && i%2 == 0 {
			what = "key"
		}
		if literalKinds[a.Kind] <= cqltype.DurationLiteral && !b.accepts(t, a.Kind) {
			kind := map[parse.Kind]string{parse.KindList: "list", parse.KindSet: "set", parse.KindMap: "map"}[e.Kind]
			return cqlerr.Invalid("Invalid %s literal for %s: %s %s is not of type %s", kind, s.name, what, b.text(a), t)
		}
	}
	return nil
}

func emptyCollection(t *cqltype.Type, v []byte) bool {
	return t.IsCollection() && len(v) >= 4 && v[0]|v[1]|v[2]|v[3] == 0
}

// checkShape tells whether a composite literal can stand for a type at all.
func (b *binder) checkShape(e *parse.Expr, s spec) error {
	ok, what := true, ""
	switch e.Kind {
	case parse.KindList:
		ok, what = s.typ.Kind == cqltype.List, "list"
	case parse.KindSet:
		ok, what = s.typ.Kind == cqltype.Set || s.typ.Kind == cqltype.Map && len(e.Args) == 0, "set"
		if s.typ.Kind == cqltype.UDT && len(e.Args) == 0 {
			ok = true
		}
	case parse.KindMap:
		ok, what = s.typ.Kind == cqltype.Map, "map"
	case parse.KindUDT:
		ok, what = s.typ.Kind == cqltype.UDT, "user type"
	case parse.KindTuple:
		ok, what = s.typ.Kind == cqltype.Tuple, "tuple"
	default:
	}
	if ok {
		return nil
	}
	if e.Kind == parse.KindList && s.typ.IsCollection() && !b.ycql {
		return cqlerr.Invalid("Unexpected receiver type '%s'; only list and vector are expected", s.typ)
	}
	return b.mismatch(e, cqlerr.Invalid("Invalid %s literal for %s of type %s", what, s.name, s.typ))
}

// composite compiles a collection, tuple or UDT literal with markers in it.
func (b *binder) composite(e *parse.Expr, s spec) (term, error) {
	if err := b.checkShape(e, s); err != nil {
		return term{}, err
	}
	if s.typ.IsCollection() && !b.ycql && hasMarker(e) {
		kind := map[parse.Kind]string{parse.KindList: "list", parse.KindSet: "set", parse.KindMap: "map"}[e.Kind]
		return term{}, cqlerr.Invalid("Invalid %s literal for %s: bind variables are not supported inside collection literals", kind, s.name)
	}
	t := term{kind: termCollection, typ: s.typ, name: s.name}
	elems := s.typ.Elems
	if s.typ.Kind == cqltype.Tuple || s.typ.Kind == cqltype.UDT {
		t.kind = termTuple
		t.args = make([]term, len(elems))
		for i := range t.args {
			t.args[i] = term{kind: termConst, typ: elems[i]}
		}
	}
	for i, a := range e.Args {
		at := i
		var es spec
		switch s.typ.Kind {
		case cqltype.Map:
			es = spec{[]string{"key(" + s.name + ")", "value(" + s.name + ")"}[i%2], elems[i%2]}
		case cqltype.Tuple:
			if i >= len(elems) {
				return term{}, b.mismatch(e, cqlerr.Invalid("Invalid tuple literal for %s: too many elements. Type %s expects %d but got %d", s.name, s.typ, len(elems), len(e.Args)))
			}
			es = spec{s.name + "[" + itoa(i) + "]", elems[i]}
		case cqltype.UDT:
			at = -1
			for j, f := range s.typ.Fields {
				if f == e.Names[i] {
					at = j
				}
			}
			if at < 0 {
				return term{}, b.mismatch(e, cqlerr.Invalid("Unknown field '%s' in value of user defined type %s", e.Names[i], s.typ.Name))
			}
			es = spec{s.name + "." + e.Names[i], elems[at]}
		default:
			es = spec{"value(" + s.name + ")", elems[0]}
		}
		x, err := b.term(a, es)
		if err != nil {
			return term{}, err
		}
		if t.kind == termTuple {
			t.args[at] = x
		} else {
			t.args = append(t.args, x)
		}
	}
	return t, nil
}

func hasMarker(e *parse.Expr) bool {
	return e.Kind == parse.KindMarker || slices.ContainsFunc(e.Args, hasMarker)
}

// cast compiles (type)term and CAST(term AS type).
func (b *binder) cast(e *parse.Expr, s spec) (term, error) {
	if e.Type.Name == "" {
		return term{}, b.src.Refuse("a cast to a custom type", e.Span)
	}
	typ, ok := cqltype.ByName(e.Type.Name)
	if !ok || len(e.Type.Args) > 0 {
		return term{}, b.src.Refuse("a cast to "+e.Type.Name, e.Span)
	}
	if e.Cast {
		return b.castCall(e, typ)
	}
	t, err := b.term(e.Args[0], spec{s.name, typ})
	if err != nil {
		return term{}, err
	}
	if s.typ != nil && !assignable(typ, s.typ) {
		return term{}, b.mismatch(e, cqlerr.Invalid("Cannot assign value %s to %s of type %s", b.text(e), s.name, s.typ))
	}
	return t, nil
}

// assignable tells whether a value of one type can be used for another without
// conversion.
func assignable(from, to *cqltype.Type) bool {
	if from.SameValues(to) {
		return true
	}
	switch to.Kind {
	case cqltype.Blob:
		return false
	case cqltype.Text:
		return from.Kind == cqltype.ASCII
	case cqltype.UUID:
		return from.Kind == cqltype.Timeuuid
	default:
	}
	return false
}

// text is the statement's text of an expression.
func (b *binder) text(e *parse.Expr) string { return b.src.Text[e.Span.Start:e.Span.End] }

// reference compiles a column, an element of one or a field of one.
func (b *binder) reference(e *parse.Expr) (term, error) {
	switch e.Kind {
	case parse.KindColumn:
		c, err := b.existing(e)
		if err != nil {
			return term{}, err
		}
		return term{kind: termColumn, typ: c.Type, index: c.Index, name: c.Name}, nil
	case parse.KindElement:
		base, err := b.reference(e.Args[0])
		if err != nil {
			return term{}, err
		}
		key, val, err := b.elementSpec(e, base.typ, base.name)
		if err != nil {
			return term{}, err
		}
		k, err := b.term(e.Args[1], key)
		if err != nil {
			return term{}, err
		}
		return term{kind: termElement, typ: val.typ, args: []term{base, k}, name: b.text(e)}, nil
	case parse.KindField:
		base, err := b.reference(e.Args[0])
		if err != nil {
			return term{}, err
		}
		if base.typ.Kind != cqltype.UDT {
			return term{}, b.mismatch(e, cqlerr.Invalid("Invalid field selection: %s of type %s is not a user type", base.name, base.typ))
		}
		for i, f := range base.typ.Fields {
			if f == e.Text {
				return term{kind: termField, typ: base.typ.Elems[i], index: i, args: []term{base}, name: base.name + "." + f}, nil
			}
		}
		return term{}, b.mismatch(e, cqlerr.Invalid("%s of type %s has no field %s", base.name, base.typ, e.Text))
	default:
	}
	return term{}, b.src.Refuse("this expression", e.Span)
}

// elementSpec is what the brackets and the element behind a collection take.
func (b *binder) elementSpec(e *parse.Expr, t *cqltype.Type, name string) (key, value spec, err error) {
	switch t.Kind {
	case cqltype.List:
		return spec{"idx(" + name + ")", cqltype.Native(cqltype.Int)}, spec{"value(" + name + ")", t.Elems[0]}, nil
	case cqltype.Map:
		return spec{"key(" + name + ")", t.Elems[0]}, spec{"value(" + name + ")", t.Elems[1]}, nil
	case cqltype.Set:
		return spec{"key(" + name + ")", t.Elems[0]}, spec{"value(" + name + ")", t.Elems[0]}, nil
	default:
	}
	if b.ycql {
		return key, value, b.src.QL(cqlerr.InvalidArguments, e.Span, "Columns with elementary types cannot take arguments")
	}
	return key, value, cqlerr.Invalid("Invalid operation (%s) for non collection column %s", b.text(e), name)
}

// existing is column for a reference: YCQL says more of a missing one there than in
// the list of an INSERT.
func (b *binder) existing(e *parse.Expr) (*catalog.Column, error) {
	if b.ycql && b.table.Column(e.Text) == nil {
		return nil, b.src.QL(cqlerr.UndefinedColumn, e.Span, "Column doesn't exist")
	}
	return b.column(e)
}

// column finds a column by name and notes that it is used.
func (b *binder) column(e *parse.Expr) (*catalog.Column, error) {
	c := b.table.Column(e.Text)
	if c == nil {
		if b.ycql {
			return nil, b.src.QL(cqlerr.UndefinedColumn, e.Span, "")
		}
		return nil, cqlerr.Invalid("Undefined column name %s in table %s.%s", e.Text, b.table.Keyspace, b.table.Name)
	}
	if b.used == nil {
		b.used = make([]bool, len(b.table.Columns))
	}
	b.used[c.Index] = true
	return c, nil
}

// arith compiles arithmetic: whole numbers and floats of one type.
func (b *binder) arith(e *parse.Expr, s spec) (term, error) {
	if !b.ycql {
		return term{}, b.src.Refuse("arithmetic in terms", e.Span)
	}
	if e.Kind == parse.KindNeg || e.Text != "+" && e.Text != "-" {
		return term{}, b.src.Refuse("this arithmetic", e.Span)
	}
	t := term{kind: termArith, op: e.Text[0], typ: s.typ, name: s.name}
	for _, a := range e.Args {
		x, err := b.term(a, s)
		if err != nil {
			return term{}, err
		}
		if !x.typ.SameValues(s.typ) {
			return term{}, b.src.QL(cqlerr.DatatypeMismatch, a.Span, "")
		}
		t.args = append(t.args, x)
	}
	return t, nil
}
