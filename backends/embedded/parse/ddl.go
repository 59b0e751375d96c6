package parse

func (p *parser) create() (Statement, error) {
	start := p.tok().start
	p.at++
	switch {
	case p.word("keyspace"), p.word("schema"):
		return p.createKeyspace(start)
	case p.word("table"), p.dialect == Cassandra && p.word("columnfamily"):
		return p.createTable(start)
	case p.word("type"):
		return p.createType(start)
	case p.isWord(0, "index"), p.isWord(0, "custom"), p.isWord(0, "unique") && p.dialect == YCQL,
		p.isWord(0, "deferred") && p.dialect == YCQL:
		return p.createIndex(start)
	}
	for _, w := range []string{"role", "user", "materialized", "function", "aggregate", "trigger", "or"} {
		if p.isWord(0, w) {
			return p.unsupported("create " + w)
		}
	}
	return nil, p.unexpected("")
}

func (p *parser) ifNotExists() (bool, error) {
	if !p.isWord(0, "if") {
		return false, nil
	}
	p.at++
	if err := p.expectWord("not"); err != nil {
		return false, err
	}
	return true, p.expectWord("exists")
}

func (p *parser) ifExists() (bool, error) {
	if !p.isWord(0, "if") {
		return false, nil
	}
	p.at++
	return true, p.expectWord("exists")
}

func (p *parser) createKeyspace(start int) (Statement, error) {
	s := &CreateKeyspace{}
	var err error
	if s.IfNotExists, err = p.ifNotExists(); err != nil {
		return nil, err
	}
	if s.Name, s.NameSpan, err = p.ident(); err != nil {
		return nil, err
	}
	if p.dialect == YCQL && !p.isWord(0, "with") {
		s.Span = Span{start, p.prevEnd()}
		return s, nil
	}
	if err := p.expectWord("with"); err != nil {
		return nil, err
	}
	s.With, err = p.properties(nil)
	s.Span = Span{start, p.prevEnd()}
	return s, err
}

// properties parses name = value AND ...; special takes what is not of that
// form and tells whether it did.
func (p *parser) properties(special func() (bool, error)) ([]Property, error) {
	var out []Property
	for {
		took := false
		var err error
		if special != nil {
			if took, err = special(); err != nil {
				return nil, err
			}
		}
		if !took {
			name, span, err := p.ident()
			if err != nil {
				return nil, err
			}
			if err := p.expect("="); err != nil {
				return nil, err
			}
			value, err := p.propertyValue()
			if err != nil {
				return nil, err
			}
			out = append(out, Property{Name: fold(name), Value: value, Span: span})
		}
		if !p.word("and") {
			return out, nil
		}
	}
}

func (p *parser) propertyValue() (*Expr, error) {
	t := p.tok()
	if t.kind == tokIdent && !reserved[t.text] && p.peek(1).text != "(" && t.text != "true" && t.text != "false" {
		p.at++
		return &Expr{Kind: KindColumn, Text: t.text, Span: Span{t.start, t.end}}, nil
	}
	return p.unary()
}

func (p *parser) createTable(start int) (Statement, error) {
	s := &CreateTable{}
	var err error
	if s.IfNotExists, err = p.ifNotExists(); err != nil {
		return nil, err
	}
	if s.Table, err = p.name(); err != nil {
		return nil, err
	}
	if p.word("like") {
		return p.unsupported("create table like")
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if err := p.comma(func() error { return p.tableItem(s) }); err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	if p.word("with") {
		s.With, err = p.properties(func() (bool, error) {
			switch {
			case p.words("compact", "storage"):
				s.CompactStorage = true
				return true, nil
			case p.words("clustering", "order", "by"):
				if err := p.expect("("); err != nil {
					return true, err
				}
				if s.OrderBy, err = p.orderBy(); err != nil {
					return true, err
				}
				return true, p.expect(")")
			}
			return false, nil
		})
		if err != nil {
			return nil, err
		}
	}
	s.Span = Span{start, p.prevEnd()}
	return s, nil
}

// tableItem parses a column or PRIMARY KEY (...).
func (p *parser) tableItem(s *CreateTable) error {
	primary := Span{p.tok().start, p.tok().end}
	if p.words("primary", "key") {
		s.PrimaryKeys++
		s.PrimaryAt = primary
		if err := p.expect("("); err != nil {
			return err
		}
		if p.punct("(") {
			if err := p.comma(func() error { return p.columnRef(&s.Partition) }); err != nil {
				return err
			}
			if err := p.expect(")"); err != nil {
				return err
			}
		} else if err := p.columnRef(&s.Partition); err != nil {
			return err
		}
		if p.punct(",") {
			if err := p.comma(func() error { return p.columnRef(&s.Clustering) }); err != nil {
				return err
			}
		}
		return p.expect(")")
	}
	c, err := p.columnDef()
	if err != nil {
		return err
	}
	primary = Span{p.tok().start, p.tok().end}
	if p.words("primary", "key") {
		c.Primary = true
		s.PrimaryAt = primary
	}
	c.End = p.prevEnd()
	s.Columns = append(s.Columns, c)
	return nil
}

func (p *parser) columnDef() (c ColumnDef, err error) {
	if c.Name, c.Span, err = p.ident(); err != nil {
		return c, err
	}
	if c.Type, err = p.typeName(); err != nil {
		return c, err
	}
	c.Static = p.word("static")
	if p.isWord(0, "masked") {
		c.Masked = true
		return c, &Error{Msg: "dynamic data masking is not supported by the embedded engine", Span: c.Span}
	}
	return c, nil
}

func (p *parser) columnRef(into *[]ColumnRef) error {
	name, span, err := p.ident()
	*into = append(*into, ColumnRef{Name: name, Span: span})
	return err
}

func (p *parser) createType(start int) (Statement, error) {
	s := &CreateType{}
	var err error
	if s.IfNotExists, err = p.ifNotExists(); err != nil {
		return nil, err
	}
	if s.Name, err = p.name(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if err := p.comma(func() error {
		if p.dialect == Cassandra && p.isPunct(")") && len(s.Fields) > 0 {
			return nil // Cassandra takes a trailing comma, YCQL does not
		}
		f := ColumnDef{}
		var err error
		if f.Name, f.Span, err = p.ident(); err != nil {
			return err
		}
		f.Type, err = p.typeName()
		s.Fields = append(s.Fields, f)
		return err
	}); err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	s.Span = Span{start, p.prevEnd()}
	return s, nil
}

func (p *parser) createIndex(start int) (Statement, error) {
	s := &CreateIndex{}
	var err error
	s.Unique = p.word("unique")
	s.Deferred = p.word("deferred")
	s.Custom = p.word("custom")
	if err := p.expectWord("index"); err != nil {
		return nil, err
	}
	if s.IfNotExists, err = p.ifNotExists(); err != nil {
		return nil, err
	}
	if !p.isWord(0, "on") {
		if s.Name, err = p.name(); err != nil {
			return nil, err
		}
	}
	if err := p.expectWord("on"); err != nil {
		return nil, err
	}
	if s.Table, err = p.name(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.dialect == YCQL && p.punct("(") {
		if err := p.comma(func() error { return p.indexTarget(s) }); err != nil {
			return nil, err
		}
		s.Hash = len(s.Targets)
		if err := p.expect(")"); err != nil {
			return nil, err
		}
		if p.punct(",") {
			if err := p.comma(func() error { return p.indexTarget(s) }); err != nil {
				return nil, err
			}
		}
	} else if err := p.comma(func() error { return p.indexTarget(s) }); err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	if p.dialect == YCQL && (p.word("include") || p.word("covering")) {
		if err := p.expect("("); err != nil {
			return nil, err
		}
		if err := p.comma(func() error { return p.columnRef(&s.Include) }); err != nil {
			return nil, err
		}
		if err := p.expect(")"); err != nil {
			return nil, err
		}
	}
	if p.word("using") {
		if t := p.tok(); t.kind == tokString {
			s.Class = t.text
			p.at++
		} else if s.Class, _, err = p.ident(); err != nil {
			return nil, err
		}
	}
	if p.word("with") {
		s.With, err = p.properties(func() (bool, error) {
			if p.dialect != YCQL || !p.words("clustering", "order", "by") {
				return false, nil
			}
			if err := p.expect("("); err != nil {
				return true, err
			}
			if s.OrderBy, err = p.orderBy(); err != nil {
				return true, err
			}
			return true, p.expect(")")
		})
		if err != nil {
			return nil, err
		}
	}
	if p.dialect == YCQL && p.word("where") {
		if s.Where, err = p.where(); err != nil {
			return nil, err
		}
	}
	s.Span = Span{start, p.prevEnd()}
	return s, nil
}

func (p *parser) indexTarget(s *CreateIndex) error {
	var t IndexTarget
	if p.peek(1).kind == tokPunct && p.peek(1).text == "(" {
		switch p.tok().text {
		case "keys", "values", "entries", "full":
			t.Mode = p.tok().text
			p.at += 2
			refs := []ColumnRef{}
			if err := p.columnRef(&refs); err != nil {
				return err
			}
			t.Column = refs[0]
			s.Targets = append(s.Targets, t)
			return p.expect(")")
		}
	}
	refs := []ColumnRef{}
	if err := p.columnRef(&refs); err != nil {
		return err
	}
	t.Column = refs[0]
	s.Targets = append(s.Targets, t)
	return nil
}
