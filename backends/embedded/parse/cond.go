package parse

var compareOps = map[string]Op{"=": Eq, "!=": Ne, "<": Lt, "<=": Le, ">": Gt, ">=": Ge}

// where parses relations joined by AND.
func (p *parser) where() ([]*Expr, error) {
	var rels []*Expr
	for {
		r, err := p.relation()
		if err != nil {
			return nil, err
		}
		rels = append(rels, r)
		if !p.word("and") {
			return rels, nil
		}
	}
}

// relation parses one relation of WHERE, in parentheses or not.
func (p *parser) relation() (*Expr, error) {
	if p.isPunct("(") && !p.parenIsTuple() {
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer p.leave()
		p.at++
		r, err := p.relation()
		if err != nil {
			return nil, err
		}
		return r, p.expect(")")
	}
	return p.comparison()
}

// parenIsTuple tells whether the parenthesis at hand closes before an operator:
// (a, b) > (?, ?) against (a > ?).
func (p *parser) parenIsTuple() bool {
	depth := 0
	for i := p.at; i < len(p.tokens); i++ {
		t := p.tokens[i]
		if t.kind != tokPunct {
			continue
		}
		switch t.text {
		case "(":
			depth++
		case ")":
			if depth--; depth > 0 {
				continue
			}
			next := p.tokens[min(i+1, len(p.tokens)-1)]
			if next.kind == tokPunct {
				_, ok := compareOps[next.text]
				return ok
			}
			switch next.text {
			case "in", "not", "contains", "like", "is", "between":
				return next.kind == tokIdent
			}
			return false
		}
	}
	return false
}

// comparison parses left op right.
func (p *parser) comparison() (*Expr, error) {
	left, err := p.unary()
	if err != nil {
		return nil, err
	}
	e := &Expr{Kind: KindCompare}
	var right *Expr
	not := p.dialect == YCQL && p.word("not")
	switch {
	case !not && p.tok().kind == tokPunct:
		op, ok := compareOps[p.tok().text]
		if !ok {
			return nil, p.unexpected("")
		}
		p.at++
		e.Op = op
		right, err = p.term()
	case p.word("in"):
		e.Op = In
		if not {
			e.Op = NotIn
		}
		right, err = p.inList()
	case p.dialect == YCQL && p.word("between"): // Cassandra has it since 5.1
		e.Op = Between
		if not {
			e.Op = NotBetween
		}
		right, err = p.between()
	case not:
		return nil, p.unexpected("")
	case p.word("contains"):
		e.Op = Contains
		if p.word("key") {
			e.Op = ContainsKey
		}
		right, err = p.term()
	case p.dialect == YCQL && p.isWord(0, "like"):
		return nil, p.refuse(-12, p.tok())
	case p.word("like"):
		e.Op = Like
		right, err = p.term()
	case p.word("is"):
		e.Op = IsNull
		if p.word("not") {
			e.Op = IsNotNull
		} else if p.dialect == Cassandra {
			return nil, p.unexpected("K_NOT")
		}
		right = &Expr{Kind: KindNull, Span: Span{p.tok().start, p.tok().end}}
		err = p.expectWord("null")
	default:
		return nil, p.unexpected("")
	}
	if err != nil {
		return nil, err
	}
	e.Args = []*Expr{left, right}
	e.Span = Span{left.Span.Start, p.prevEnd()}
	return e, nil
}

func (p *parser) between() (*Expr, error) {
	low, err := p.term()
	if err != nil {
		return nil, err
	}
	if err := p.expectWord("and"); err != nil {
		return nil, err
	}
	high, err := p.term()
	if err != nil {
		return nil, err
	}
	return &Expr{Kind: KindTuple, Args: []*Expr{low, high}, Span: Span{low.Span.Start, high.Span.End}}, nil
}

// inList parses a marker or a list of terms, which may be empty.
func (p *parser) inList() (*Expr, error) {
	if t := p.tok(); t.kind == tokMarker || t.kind == tokPunct && t.text == ":" {
		return p.marker()
	}
	e := &Expr{Kind: KindTuple, Span: Span{p.tok().start, 0}}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if !p.punct(")") {
		if err := p.elements(e, ")"); err != nil {
			return nil, err
		}
	}
	e.Span.End = p.prevEnd()
	return e, nil
}

// tail parses IF ..., and YCQL's ELSE ERROR and RETURNS STATUS AS ROW. In
// Cassandra, INSERT knows only IF NOT EXISTS, and the others all but that.
func (p *parser) cond(insert bool) (t Tail, err error) {
	if p.word("if") {
		switch {
		case p.dialect == YCQL:
			t.If, err = p.or()
		case insert:
			t.If, err = p.notExists()
		default:
			t.If, err = p.cassandraIf()
		}
		if err != nil {
			return t, err
		}
		if p.dialect == YCQL && p.word("else") {
			t.ElseError = true
			if err := p.expectWord("error"); err != nil {
				return t, err
			}
		}
	}
	return t, nil
}

func (p *parser) notExists() (*Expr, error) {
	start := p.tok().start
	if err := p.expectWord("not"); err != nil {
		return nil, err
	}
	if err := p.expectWord("exists"); err != nil {
		return nil, err
	}
	return &Expr{Kind: KindNotExists, Span: Span{start, p.prevEnd()}}, nil
}

func (p *parser) returns(t *Tail) error {
	if p.dialect != YCQL || !p.word("returns") {
		return nil
	}
	for _, w := range []string{"status", "as", "row"} {
		if err := p.expectWord(w); err != nil {
			return err
		}
	}
	t.ReturnsStatus = true
	return nil
}

func (p *parser) cassandraIf() (*Expr, error) {
	t := p.tok()
	if p.isWord(0, "exists") && (p.peek(1).kind != tokPunct || p.peek(1).text == ";") && !p.isWord(1, "in") {
		p.at++
		return &Expr{Kind: KindExists, Span: Span{t.start, t.end}}, nil
	}
	and := &Expr{Kind: KindAnd}
	for {
		c, err := p.comparison()
		if err != nil {
			return nil, err
		}
		and.Args = append(and.Args, c)
		if !p.word("and") {
			break
		}
	}
	and.Span = Span{t.start, p.prevEnd()}
	return and, nil
}

// or, and, not: YCQL's conditions.
func (p *parser) or() (*Expr, error) {
	return p.chain("or", KindOr, func() (*Expr, error) { return p.chain("and", KindAnd, p.not) })
}

func (p *parser) chain(word string, k Kind, operand func() (*Expr, error)) (*Expr, error) {
	first, err := operand()
	if err != nil || !p.isWord(0, word) {
		return first, err
	}
	e := &Expr{Kind: k, Args: []*Expr{first}}
	for p.word(word) {
		x, err := operand()
		if err != nil {
			return nil, err
		}
		e.Args = append(e.Args, x)
	}
	e.Span = Span{first.Span.Start, p.prevEnd()}
	return e, nil
}

func (p *parser) not() (*Expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	t := p.tok()
	switch {
	case p.words("not", "exists"):
		return &Expr{Kind: KindNotExists, Span: Span{t.start, p.prevEnd()}}, nil
	case p.word("exists"):
		return &Expr{Kind: KindExists, Span: Span{t.start, t.end}}, nil
	case p.word("not"):
		x, err := p.not()
		if err != nil {
			return nil, err
		}
		return &Expr{Kind: KindNot, Args: []*Expr{x}, Span: Span{t.start, p.prevEnd()}}, nil
	case p.isPunct("(") && !p.parenIsTuple():
		p.at++
		x, err := p.or()
		if err != nil {
			return nil, err
		}
		return x, p.expect(")")
	}
	return p.comparison()
}
