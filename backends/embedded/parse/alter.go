package parse

func (p *parser) alter() (Statement, error) {
	start := p.tok().start
	p.at++
	switch {
	case p.word("keyspace"), p.word("schema"):
		s := &AlterKeyspace{}
		var err error
		if s.IfExists, err = p.ifExists(); err != nil {
			return nil, err
		}
		if s.Name, s.NameSpan, err = p.ident(); err != nil {
			return nil, err
		}
		if err := p.expectWord("with"); err != nil {
			return nil, err
		}
		s.With, err = p.properties(nil)
		s.Span = Span{start, p.prevEnd()}
		return s, err
	case p.word("table"), p.dialect == Cassandra && p.word("columnfamily"):
		return p.alterTable(start)
	case p.word("type"):
		return p.alterType(start)
	}
	for _, w := range []string{"role", "user", "materialized"} {
		if p.isWord(0, w) {
			return p.unsupported("alter " + w)
		}
	}
	return nil, p.unexpected("")
}

func (p *parser) alterTable(start int) (Statement, error) {
	s := &AlterTable{}
	var err error
	cassandra := p.dialect == Cassandra
	if cassandra {
		if s.IfExists, err = p.ifExists(); err != nil {
			return nil, err
		}
	}
	if s.Table, err = p.name(); err != nil {
		return nil, err
	}
	switch {
	case p.word("add"):
		s.Op = AlterAdd
		if cassandra {
			if s.IfColumn, err = p.ifNotExists(); err != nil {
				return nil, err
			}
		}
		err = p.inParens(cassandra, func() error {
			c, err := p.columnDef()
			s.Columns = append(s.Columns, c)
			return err
		})
	case p.word("drop"):
		s.Op = AlterDrop
		if cassandra {
			if s.IfColumn, err = p.ifExists(); err != nil {
				return nil, err
			}
		}
		if err = p.inParens(cassandra, func() error { return p.columnRef(&s.Drop) }); err == nil && cassandra && p.isWord(0, "using") {
			u := Using{}
			s.HasUsing = true
			err = p.using(&u)
		}
	case p.word("rename"):
		s.Op = AlterRename
		if cassandra {
			if s.IfColumn, err = p.ifExists(); err != nil {
				return nil, err
			}
		}
		s.Rename, err = p.renames()
	case p.word("alter"):
		s.Op = AlterType
		if s.TypeAltered.Name, s.TypeAltered.Span, err = p.ident(); err != nil {
			return nil, err
		}
		if err = p.expectWord("type"); err == nil {
			s.TypeAltered.Type, err = p.typeName()
		}
		if err == nil && !cassandra {
			at := s.TypeAltered.Type.Span
			err = &Error{Msg: QL(heads[-14], "", p.src, at, -14), Span: at}
		}
	case p.word("with"):
		s.Op = AlterWith
		s.With, err = p.properties(func() (bool, error) {
			// YCQL's grammar takes constants only, so that transactions = {...} is none.
			if !cassandra && p.peek(1).kind == tokPunct && p.peek(1).text == "=" && p.peek(2).kind == tokPunct && p.peek(2).text == "{" {
				return true, p.unexpectedAt(2, "")
			}
			return false, nil
		})
	default:
		return nil, p.unexpected("")
	}
	if err != nil {
		return nil, err
	}
	s.Span = Span{start, p.prevEnd()}
	return s, nil
}

// inParens parses a list with or, where allowed, without parentheses.
func (p *parser) inParens(allowed bool, item func() error) error {
	if !allowed || !p.punct("(") {
		return p.comma(item)
	}
	if err := p.comma(item); err != nil {
		return err
	}
	return p.expect(")")
}

func (p *parser) renames() ([][2]ColumnRef, error) {
	var out [][2]ColumnRef
	for {
		var pair []ColumnRef
		if err := p.columnRef(&pair); err != nil {
			return nil, err
		}
		if err := p.expectWord("to"); err != nil {
			return nil, err
		}
		if err := p.columnRef(&pair); err != nil {
			return nil, err
		}
		out = append(out, [2]ColumnRef{pair[0], pair[1]})
		if !p.word("and") && (p.dialect != YCQL || !p.punct(",")) {
			return out, nil
		}
	}
}

func (p *parser) alterType(start int) (Statement, error) {
	s := &AlterUDT{}
	var err error
	if s.IfExists, err = p.ifExists(); err != nil {
		return nil, err
	}
	if s.Name, err = p.name(); err != nil {
		return nil, err
	}
	switch {
	case p.word("add"):
		s.Op = AlterAdd
		if s.IfField, err = p.ifNotExists(); err != nil {
			return nil, err
		}
		err = p.comma(func() error {
			f := ColumnDef{}
			var err error
			if f.Name, f.Span, err = p.ident(); err != nil {
				return err
			}
			f.Type, err = p.typeName()
			s.Add = append(s.Add, f)
			return err
		})
	case p.word("rename"):
		s.Op = AlterRename
		if s.IfField, err = p.ifExists(); err != nil {
			return nil, err
		}
		s.Rename, err = p.renames()
	case p.word("alter"):
		s.Op = AlterType
		if _, _, err = p.ident(); err != nil {
			return nil, err
		}
		if err = p.expectWord("type"); err == nil {
			_, err = p.typeName()
		}
	default:
		return nil, p.unexpected("")
	}
	s.Span = Span{start, p.prevEnd()}
	return s, err
}

func (p *parser) drop() (Statement, error) {
	start := p.tok().start
	p.at++
	s := &Drop{}
	switch {
	case p.word("keyspace"), p.word("schema"):
		s.Kind = ObjKeyspace
	case p.word("table"), p.dialect == Cassandra && p.word("columnfamily"):
		s.Kind = ObjTable
	case p.word("type"):
		s.Kind = ObjType
	case p.word("index"):
		s.Kind = ObjIndex
	default:
		for _, w := range []string{"role", "user", "materialized", "function", "aggregate", "trigger"} {
			if p.isWord(0, w) {
				return p.unsupported("drop " + w)
			}
		}
		return nil, p.unexpected("")
	}
	var err error
	if s.IfExists, err = p.ifExists(); err != nil {
		return nil, err
	}
	if s.Kind == ObjKeyspace {
		s.Name.Name, s.Name.Span, err = p.ident()
	} else {
		s.Name, err = p.name()
	}
	if err != nil {
		return nil, err
	}
	if p.dialect == YCQL && p.isPunct(",") {
		at := Span{start, p.tok().end}
		return nil, &Error{
			Msg:  QL("Feature Not Supported", "Only one object name is allowed in a drop statement", p.src, at, -14),
			Span: at,
		}
	}
	s.Span = Span{start, p.prevEnd()}
	return s, nil
}

func (p *parser) truncate() (Statement, error) {
	s := &Truncate{}
	start := p.tok().start
	p.at++
	if !p.word("table") && p.dialect == Cassandra {
		p.word("columnfamily")
	}
	var err error
	if s.Table, err = p.name(); err != nil {
		return nil, err
	}
	s.Span = Span{start, p.prevEnd()}
	return s, nil
}
