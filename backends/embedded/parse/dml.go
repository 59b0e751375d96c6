package parse

import "strings"

func (p *parser) selectStmt() (Statement, error) {
	s := &Select{}
	start := p.tok().start
	p.at++
	if p.isWord(0, "json") && p.modifier() {
		p.at++
		s.JSON = true
	}
	if p.isWord(0, "distinct") && p.modifier() {
		p.at++
		s.Distinct = true
	}
	s.ListAt = Span{p.tok().start, p.tok().end}
	if p.punct("*") {
		s.Star = true
	} else if err := p.comma(func() error {
		e, err := p.term()
		if err != nil {
			return err
		}
		sel := Selector{Expr: e}
		if p.word("as") {
			if sel.Alias, _, err = p.ident(); err != nil {
				return err
			}
		}
		s.Selectors = append(s.Selectors, sel)
		return nil
	}); err != nil {
		return nil, err
	}
	if len(s.Selectors) > 0 {
		s.ListAt = s.Selectors[0].Expr.Span
	}
	if err := p.expectWord("from"); err != nil {
		return nil, err
	}
	var err error
	if s.Table, err = p.name(); err != nil {
		return nil, err
	}
	if err := p.alias(); err != nil {
		return nil, err
	}
	if p.word("where") {
		if s.Where, err = p.where(); err != nil {
			return nil, err
		}
	}
	if p.dialect == YCQL && p.word("if") {
		if s.If, err = p.or(); err != nil {
			return nil, err
		}
	}
	if err := p.selectTail(s); err != nil {
		return nil, err
	}
	s.Span = Span{start, p.prevEnd()}
	return s, nil
}

// modifier tells whether JSON or DISTINCT is the keyword and not a column.
func (p *parser) modifier() bool {
	n := p.peek(1)
	switch n.kind {
	case tokEOF:
		return false
	case tokIdent:
		return n.text != "from" && n.text != "as"
	case tokPunct:
		return !strings.Contains(",.[(;", n.text)
	default:
		return true
	}
}

func (p *parser) selectTail(s *Select) (err error) {
	if p.words("group", "by") {
		if err := p.comma(func() error {
			e, err := p.primary()
			s.GroupBy = append(s.GroupBy, e)
			return err
		}); err != nil {
			return err
		}
	}
	if p.dialect == YCQL && p.isWord(0, "having") {
		return p.refuse(-14, p.tok())
	}
	if p.words("order", "by") {
		if s.OrderBy, err = p.orderBy(); err != nil {
			return err
		}
	}
	if p.dialect == Cassandra && p.isWord(0, "per") {
		p.at++
		if err := p.expectWord("partition"); err != nil {
			return err
		}
		if err := p.expectWord("limit"); err != nil {
			return err
		}
		if s.PerPartitionLimit, err = p.limit(); err != nil {
			return err
		}
	}
	for {
		switch {
		case s.Limit == nil && p.word("limit"):
			if s.Limit, err = p.limit(); err != nil {
				return err
			}
			continue
		case s.Offset == nil && p.dialect == YCQL && p.word("offset"):
			if s.Offset, err = p.limit(); err != nil {
				return err
			}
			continue
		}
		break
	}
	if p.word("allow") {
		s.AllowFiltering = true
		return p.expectWord("filtering")
	}
	return nil
}

// followers are the words that YCQL takes for the next clause behind a table's name.
var followers = map[string]bool{
	"where": true, "if": true, "group": true, "having": true, "order": true, "limit": true, "offset": true, "allow": true,
	"using": true, "set": true, "returns": true,
}

// alias refuses another name behind a table's, as YCQL's grammar does: it has
// PostgreSQL's aliases and no use for them. An identifier is one, whatever it was
// meant for, PER of PER PARTITION LIMIT as well.
func (p *parser) alias() error {
	t := p.tok()
	if p.dialect == YCQL && p.isWord(0, "as") {
		table := p.tokens[p.at-1]
		at := Span{table.start, table.end}
		return &Error{Msg: QL(heads[-12], "Alias is not allowed", p.src, at, -12), Span: at}
	}
	if p.dialect == YCQL && (t.kind == tokQuoted || t.kind == tokIdent && !reserved[t.text] && !followers[t.text]) {
		return p.refuse(-14, t)
	}
	return nil
}

// heads are the texts of the codes that YCQL's grammar itself refuses with.
var heads = map[int]string{-12: "Invalid CQL Statement", -13: "Feature Not Yet Implemented", -14: "Feature Not Supported"}

// refuse is the error of YCQL's grammar for what it knows and does not take.
func (p *parser) refuse(code int, t token) error {
	at := Span{t.start, t.end}
	return &Error{Msg: QL(heads[code], "", p.src, at, code), Span: at}
}

// limit parses an integer or a marker. Cassandra's grammar has a sign as well.
func (p *parser) limit() (*Expr, error) {
	t := p.tok()
	if t.kind == tokInt || t.kind == tokMarker || t.kind == tokPunct && (t.text == ":" || t.text == "-" && p.dialect == Cassandra) {
		return p.unary()
	}
	return nil, p.unexpected("")
}

// usingTerm parses what follows TTL or TIMESTAMP: in YCQL any term, but no sign
// behind TTL.
func (p *parser) usingTerm(ttl bool) (*Expr, error) {
	if p.dialect == Cassandra {
		return p.limit()
	}
	if ttl && p.isPunct("-") {
		return nil, p.unexpected("")
	}
	return p.unary()
}

func (p *parser) orderBy() ([]Order, error) {
	var out []Order
	err := p.comma(func() error {
		e, err := p.primary()
		if err != nil {
			return err
		}
		o := Order{Expr: e}
		if p.word("desc") {
			o.Desc = true
		} else {
			p.word("asc")
		}
		o.Span = Span{e.Span.Start, p.prevEnd()}
		out = append(out, o)
		return nil
	})
	return out, err
}

// using parses USING TTL t AND TIMESTAMP t, in any order.
func (p *parser) using(u *Using) error {
	start := p.tok().start
	if !p.word("using") {
		return nil
	}
	for {
		var into **Expr
		ttl := p.isWord(0, "ttl")
		switch {
		case ttl:
			into = &u.TTL
		case p.isWord(0, "timestamp"):
			into = &u.Timestamp
		default:
			return p.unexpected("")
		}
		p.at++
		e, err := p.usingTerm(ttl)
		if err != nil {
			return err
		}
		*into = e
		if !p.word("and") {
			u.Span = Span{start, p.prevEnd()}
			return nil
		}
	}
}

func (p *parser) insert() (Statement, error) {
	s := &Insert{}
	start := p.tok().start
	p.at++
	s.Into = Span{p.tok().start, p.tok().end}
	if err := p.expectWord("into"); err != nil {
		return nil, err
	}
	var err error
	if s.Table, err = p.name(); err != nil {
		return nil, err
	}
	if p.word("json") {
		if s.JSON, err = p.primary(); err != nil {
			return nil, err
		}
		if p.word("default") && !p.word("null") {
			if err := p.expectWord("unset"); err != nil {
				return nil, err
			}
		}
	} else if err := p.insertColumns(s); err != nil {
		return nil, err
	}
	if s.Tail, err = p.cond(true); err != nil {
		return nil, err
	}
	if err := p.using(&s.Using); err != nil {
		return nil, err
	}
	if err := p.returns(&s.Tail); err != nil {
		return nil, err
	}
	s.Span = Span{start, p.prevEnd()}
	return s, nil
}

func (p *parser) insertColumns(s *Insert) error {
	if p.dialect == YCQL && p.isWord(0, "values") {
		start := p.tok().start
		p.at++
		if err := p.expect("("); err != nil {
			return err
		}
		if err := p.elements(&Expr{}, ")"); err != nil {
			return err
		}
		at := Span{start, p.prevEnd()}
		return &Error{Msg: QL("Invalid CQL Statement", "Missing list of target columns", p.src, at, -12), Span: at}
	}
	if err := p.expect("("); err != nil {
		return err
	}
	if err := p.comma(func() error {
		name, span, err := p.ident()
		s.Columns = append(s.Columns, &Expr{Kind: KindColumn, Text: name, Span: span})
		return err
	}); err != nil {
		return err
	}
	if err := p.expect(")"); err != nil {
		return err
	}
	s.ValuesAt = Span{p.tok().start, p.tok().end}
	if err := p.expectWord("values"); err != nil {
		return err
	}
	if err := p.expect("("); err != nil {
		return err
	}
	values := &Expr{}
	if err := p.elements(values, ")"); err != nil {
		return err
	}
	s.Values = values.Args
	if p.dialect == YCQL && p.isPunct(",") {
		return p.refuse(-13, p.tok()) // a second row
	}
	return nil
}

func (p *parser) update() (Statement, error) {
	s := &Update{Word: Span{p.tok().start, p.tok().end}}
	p.at++
	var err error
	if s.Table, err = p.name(); err != nil {
		return nil, err
	}
	if err := p.alias(); err != nil {
		return nil, err
	}
	if err := p.using(&s.Using); err != nil {
		return nil, err
	}
	if err := p.expectWord("set"); err != nil {
		return nil, err
	}
	if err := p.comma(func() error {
		a, err := p.assignment()
		s.Set = append(s.Set, a)
		return err
	}); err != nil {
		return nil, err
	}
	if err := p.whereAndTail(&s.Where, &s.Tail); err != nil {
		return nil, err
	}
	s.Span = Span{s.Word.Start, p.prevEnd()}
	return s, nil
}

func (p *parser) assignment() (a Assignment, err error) {
	if a.Target, err = p.target(); err != nil {
		return a, err
	}
	switch {
	case p.dialect == Cassandra && p.isPunct("+="), p.dialect == Cassandra && p.isPunct("-="):
		a.Op = p.tok().text[0]
		p.at++
	default:
		if err := p.expect("="); err != nil {
			return a, err
		}
	}
	a.Value, err = p.term()
	a.Span = Span{a.Target.Span.Start, p.prevEnd()}
	return a, err
}

// target parses column, column[term] or column.field.
func (p *parser) target() (*Expr, error) {
	name, span, err := p.ident()
	if err != nil {
		return nil, err
	}
	e := &Expr{Kind: KindColumn, Text: name, Span: span}
	for {
		switch {
		case p.punct("["):
			key, err := p.term()
			if err != nil {
				return nil, err
			}
			if err := p.expect("]"); err != nil {
				return nil, err
			}
			e = &Expr{Kind: KindElement, Args: []*Expr{e, key}, Span: Span{span.Start, p.prevEnd()}}
			if p.dialect == Cassandra {
				return e, nil
			}
		case p.dialect == Cassandra && p.punct("."):
			field, fieldSpan, err := p.ident()
			if err != nil {
				return nil, err
			}
			return &Expr{Kind: KindField, Text: field, Args: []*Expr{e}, Span: Span{span.Start, fieldSpan.End}}, nil
		default:
			return e, nil
		}
	}
}

func (p *parser) delete() (Statement, error) {
	s := &Delete{Word: Span{p.tok().start, p.tok().end}}
	p.at++
	if !p.isWord(0, "from") {
		if err := p.comma(func() error {
			t, err := p.target()
			s.Targets = append(s.Targets, t)
			return err
		}); err != nil {
			return nil, err
		}
	}
	if err := p.expectWord("from"); err != nil {
		return nil, err
	}
	var err error
	if s.Table, err = p.name(); err != nil {
		return nil, err
	}
	if p.dialect == Cassandra && p.isWord(0, "using") && !p.isWord(1, "timestamp") {
		return nil, p.unexpectedAt(1, "K_TIMESTAMP") // its grammar has no TTL here
	}
	if err := p.using(&s.Using); err != nil {
		return nil, err
	}
	if err := p.whereAndTail(&s.Where, &s.Tail); err != nil {
		return nil, err
	}
	s.Span = Span{s.Word.Start, p.prevEnd()}
	return s, nil
}

// whereAndTail is how UPDATE and DELETE end: which rows, on what condition, and
// in what form the answer.
func (p *parser) whereAndTail(where *[]*Expr, tail *Tail) (err error) {
	if p.dialect == Cassandra || p.isWord(0, "where") {
		if err := p.expectWord("where"); err != nil {
			return err
		}
		if *where, err = p.where(); err != nil {
			return err
		}
	}
	if *tail, err = p.cond(false); err != nil {
		return err
	}
	return p.returns(tail)
}

// batch is Cassandra's BEGIN BATCH; YCQL has no such statement.
func (p *parser) batch() (Statement, error) {
	s := &Batch{}
	start := p.tok().start
	p.at++
	switch {
	case p.word("unlogged"):
		s.Type = Unlogged
	case p.word("counter"):
		s.Type = Counter
	}
	if err := p.expectWord("batch"); err != nil {
		return nil, err
	}
	if err := p.using(&s.Using); err != nil {
		return nil, err
	}
	for {
		var m Statement
		var err error
		switch {
		case p.isWord(0, "insert"):
			m, err = p.insert()
		case p.isWord(0, "update"):
			m, err = p.update()
		case p.isWord(0, "delete"):
			m, err = p.delete()
		default:
			if err := p.expectWord("apply"); err != nil {
				return nil, err
			}
			if err := p.expectWord("batch"); err != nil {
				return nil, err
			}
			s.Span = Span{start, p.prevEnd()}
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		p.punct(";")
		s.Stmts = append(s.Stmts, m)
	}
}
