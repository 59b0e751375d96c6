package parse

import (
	"strconv"
	"strings"
)

// comma parses item { ',' item }.
func (p *parser) comma(item func() error) error {
	for {
		if err := item(); err != nil {
			return err
		}
		if !p.punct(",") {
			return nil
		}
	}
}

// term parses a value or an arithmetic expression of values and columns.
func (p *parser) term() (*Expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	left, err := p.product()
	if err != nil {
		return nil, err
	}
	for p.isPunct("+") || p.isPunct("-") {
		if left, err = p.binary(left, p.product); err != nil {
			return nil, err
		}
	}
	return left, nil
}

func (p *parser) product() (*Expr, error) {
	left, err := p.unary()
	if err != nil {
		return nil, err
	}
	for p.isPunct("*") || p.isPunct("/") || p.isPunct("%") {
		if p.dialect == YCQL {
			return nil, p.refuse(-12, p.tok())
		}
		if left, err = p.binary(left, p.unary); err != nil {
			return nil, err
		}
	}
	return left, nil
}

func (p *parser) binary(left *Expr, operand func() (*Expr, error)) (*Expr, error) {
	op := p.tok().text
	p.at++
	right, err := operand()
	if err != nil {
		return nil, err
	}
	return &Expr{Kind: KindBinary, Text: op, Args: []*Expr{left, right}, Span: Span{left.Span.Start, right.Span.End}}, nil
}

func (p *parser) unary() (*Expr, error) {
	if !p.isPunct("-") {
		return p.primary()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	start := p.tok().start
	p.at++
	t := p.tok()
	switch {
	case t.kind == tokInt || t.kind == tokFloat || t.kind == tokDuration:
		e, err := p.primary()
		if err == nil {
			e.Text, e.Span.Start = "-"+e.Text, start
		}
		return e, err
	case p.isWord(0, "infinity"), p.isWord(0, "nan"):
		e, err := p.primary()
		if err == nil {
			e.Text, e.Span.Start = "-"+e.Text, start
		}
		return e, err
	}
	e, err := p.unary()
	if err != nil {
		return nil, err
	}
	return &Expr{Kind: KindNeg, Args: []*Expr{e}, Span: Span{start, e.Span.End}}, nil
}

var literalKinds = map[tokenKind]Kind{
	tokString: KindString, tokInt: KindInt, tokFloat: KindFloat, tokBlob: KindBlob, tokUUID: KindUUID, tokDuration: KindDur,
}

func (p *parser) primary() (*Expr, error) {
	t := p.tok()
	span := Span{t.start, t.end}
	if k, ok := literalKinds[t.kind]; ok {
		p.at++
		return &Expr{Kind: k, Text: t.text, Span: span}, nil
	}
	switch {
	case t.kind == tokMarker, t.kind == tokPunct && t.text == ":":
		return p.marker()
	case t.kind == tokPunct && t.text == "(":
		return p.paren()
	case t.kind == tokPunct && t.text == "[":
		p.at++
		e := &Expr{Kind: KindList}
		err := p.elements(e, "]")
		e.Span = Span{span.Start, p.prevEnd()}
		return e, err
	case t.kind == tokPunct && t.text == "{":
		return p.braces()
	case t.kind == tokIdent:
		switch t.text {
		case "null":
			p.at++
			return &Expr{Kind: KindNull, Span: span}, nil
		case "true", "false":
			p.at++
			return &Expr{Kind: KindBool, Text: t.text, Span: span}, nil
		case "nan", "infinity":
			p.at++
			return &Expr{Kind: KindFloat, Text: t.text, Span: span}, nil
		}
	}
	return p.reference()
}

// reference parses a column, a function call, an element or a field.
func (p *parser) reference() (*Expr, error) {
	t := p.tok()
	span := Span{t.start, t.end}
	var name string
	if t.kind == tokIdent && t.text == "token" && p.peek(1).kind == tokPunct && p.peek(1).text == "(" {
		p.at++
		name = t.text
	} else {
		var err error
		if name, span, err = p.ident(); err != nil {
			return nil, err
		}
	}
	if p.isPunct("(") {
		return p.call("", name, span)
	}
	e := &Expr{Kind: KindColumn, Text: name, Span: span}
	if p.isPunct(".") {
		p.at++
		field, fieldSpan, err := p.ident()
		if err != nil {
			return nil, err
		}
		if p.isPunct("(") {
			return p.call(name, field, Span{span.Start, fieldSpan.End})
		}
		e = &Expr{Kind: KindField, Text: field, Args: []*Expr{e}, Span: Span{span.Start, fieldSpan.End}}
	}
	for p.isPunct("[") {
		p.at++
		key, err := p.term()
		if err != nil {
			return nil, err
		}
		if err := p.expect("]"); err != nil {
			return nil, err
		}
		e = &Expr{Kind: KindElement, Args: []*Expr{e, key}, Span: Span{span.Start, p.prevEnd()}}
	}
	if p.isPunct("->") || p.isPunct("->>") {
		return nil, &Error{Msg: "JSON operators are not supported by the embedded engine", Span: e.Span}
	}
	return e, nil
}

func (p *parser) call(schema, name string, span Span) (*Expr, error) {
	e := &Expr{Kind: KindCall, Schema: schema, Text: fold(name)}
	p.at++
	switch {
	case p.punct(")"):
	case p.isPunct("*"):
		p.at++
		e.Star = true
		if err := p.expect(")"); err != nil {
			return nil, err
		}
	case e.Text == "cast":
		arg, err := p.term()
		if err != nil {
			return nil, err
		}
		if err := p.expectWord("as"); err != nil {
			return nil, err
		}
		if e.Type, err = p.typeName(); err != nil {
			return nil, err
		}
		if err := p.expect(")"); err != nil {
			return nil, err
		}
		e.Kind, e.Cast, e.Args = KindCast, true, []*Expr{arg}
	default:
		if err := p.elements(e, ")"); err != nil {
			return nil, err
		}
	}
	e.Span = Span{span.Start, p.prevEnd()}
	return e, nil
}

// elements parses terms up to a closing character; it takes none only for
// brackets, since "()" is no term.
func (p *parser) elements(e *Expr, end string) error {
	if end != ")" && p.punct(end) {
		return nil
	}
	if err := p.comma(func() error {
		x, err := p.term()
		e.Args = append(e.Args, x)
		return err
	}); err != nil {
		return err
	}
	return p.expect(end)
}

// marker parses ? and :name, and YCQL's :1.
func (p *parser) marker() (*Expr, error) {
	t := p.tok()
	p.at++
	e := &Expr{Kind: KindMarker, Index: p.markers}
	if t.kind == tokPunct {
		n := p.tok()
		switch {
		case n.kind == tokInt && p.dialect == YCQL:
			i, err := strconv.Atoi(n.text)
			if err != nil || i < 1 || i > 65535 {
				return nil, p.unexpected("")
			}
			p.at++
			e.Text = n.text
		default:
			name, _, err := p.ident()
			if err != nil {
				return nil, err
			}
			e.Text = name
		}
	}
	p.markers++
	e.Span = Span{t.start, p.prevEnd()}
	return e, nil
}

// paren parses a tuple, a type hint or a term in parentheses.
func (p *parser) paren() (*Expr, error) {
	start := p.tok().start
	// (int)1: a type hint is a type in parentheses before a term.
	save, markers := p.at, p.markers
	p.at++
	if p.tok().kind == tokIdent && !reserved[p.tok().text] {
		if typ, err := p.typeName(); err == nil && p.punct(")") && p.startsTerm() {
			arg, err := p.unary()
			if err != nil {
				return nil, err
			}
			return &Expr{Kind: KindCast, Type: typ, Args: []*Expr{arg}, Span: Span{start, arg.Span.End}}, nil
		}
		p.at, p.markers = save+1, markers
	}
	e := &Expr{Kind: KindTuple}
	if err := p.elements(e, ")"); err != nil {
		return nil, err
	}
	e.Span = Span{start, p.prevEnd()}
	return e, nil
}

func (p *parser) startsTerm() bool {
	t := p.tok()
	switch t.kind {
	case tokEOF:
		return false
	case tokPunct:
		return strings.Contains("([{:", t.text)
	case tokIdent:
		return t.text == "null" || t.text == "true" || t.text == "false" || t.text == "nan" || t.text == "infinity" ||
			!reserved[t.text] && p.peek(1).kind == tokPunct && p.peek(1).text == "("
	default:
	}
	return true
}

// braces parses a set, a map or a user-defined literal {field: value}.
func (p *parser) braces() (*Expr, error) {
	e := &Expr{Kind: KindSet}
	start := p.tok().start
	p.at++
	done := func() (*Expr, error) {
		e.Span = Span{start, p.prevEnd()}
		return e, nil
	}
	if p.punct("}") {
		return done()
	}
	if t := p.tok(); (t.kind == tokIdent && !reserved[t.text] || t.kind == tokQuoted) &&
		p.peek(1).kind == tokPunct && p.peek(1).text == ":" && t.text != "true" && t.text != "false" {
		e.Kind = KindUDT
		err := p.comma(func() error {
			name, _, err := p.ident()
			if err != nil {
				return err
			}
			if err := p.expect(":"); err != nil {
				return err
			}
			x, err := p.term()
			e.Names, e.Args = append(e.Names, name), append(e.Args, x)
			return err
		})
		if err != nil {
			return nil, err
		}
		if err := p.expect("}"); err != nil {
			return nil, err
		}
		return done()
	}
	err := p.comma(func() error {
		x, err := p.term()
		if err != nil {
			return err
		}
		if len(e.Args) == 0 && p.isPunct(":") {
			e.Kind = KindMap
		}
		e.Args = append(e.Args, x)
		if e.Kind != KindMap {
			return nil
		}
		if err := p.expect(":"); err != nil {
			return err
		}
		v, err := p.term()
		e.Args = append(e.Args, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := p.expect("}"); err != nil {
		return nil, err
	}
	return done()
}

// typeName parses a type.
func (p *parser) typeName() (*Type, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	t := p.tok()
	if t.kind == tokString && p.dialect == Cassandra {
		p.at++
		return &Type{Custom: t.text, Span: Span{t.start, t.end}}, nil
	}
	var name Name
	var err error
	if t.kind == tokIdent && t.text == "set" { // reserved, yet the name of a type
		p.at++
		name.Name = t.text
	} else if name, err = p.name(); err != nil {
		return nil, err
	}
	typ := &Type{Name: name.Name, Schema: name.Keyspace, Quoted: t.kind == tokQuoted, Span: Span{t.start, p.prevEnd()}}
	if typ.Name == "double" && p.dialect == YCQL {
		p.word("precision")
	}
	if typ.Quoted || typ.Schema != "" || !p.isPunct("<") {
		return typ, nil
	}
	p.at++
	err = p.comma(func() error {
		if n := p.tok(); typ.Name == "vector" && len(typ.Args) == 1 && n.kind == tokInt {
			p.at++
			typ.Dim, _ = strconv.Atoi(n.text)
			return nil
		}
		a, err := p.typeName()
		typ.Args = append(typ.Args, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := p.expect(">"); err != nil {
		return nil, err
	}
	typ.Span.End = p.prevEnd()
	return typ, nil
}
