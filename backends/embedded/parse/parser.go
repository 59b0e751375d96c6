// Package parse turns CQL text into statements, for two dialects: the subset of
// Apache Cassandra 5's CQL that the embedded engine runs, and YugabyteDB's YCQL.
//
// The lexer and the recursive descent parser are written by hand: CQL's unreserved
// keywords defeat table-driven parsers, and both servers' wording of errors with
// positions is part of what is copied. The parser knows no types and no schema; it
// accepts what the grammar of the server accepts and leaves meaning to package engine.
// Statements that a server knows and the engine does not come back as [Unsupported].
package parse

import (
	"strconv"
)

// maxDepth bounds the nesting of terms, so that hostile text cannot exhaust the
// stack.
const maxDepth = 100

type parser struct {
	src     string
	dialect Dialect
	tokens  []token
	at      int
	depth   int
	markers int
}

// Parse parses one text: one statement, with or without a semicolon, or, in
// YCQL, a list of them, which comes back as a [Block]. markers is the number of
// bind markers in the whole text. Errors are of type *[Error].
func Parse(src string, d Dialect) (stmt Statement, markers int, err error) {
	tokens, err := lex(src, d)
	if err != nil {
		return nil, 0, err
	}
	p := &parser{src: src, dialect: d, tokens: tokens}
	if d == YCQL {
		stmt, err = p.list()
	} else {
		stmt, err = p.single()
	}
	if err != nil {
		return nil, 0, err
	}
	return stmt, p.markers, nil
}

// single is Cassandra's query rule: a statement, any number of semicolons.
func (p *parser) single() (Statement, error) {
	stmt, err := p.statement()
	if err != nil {
		return nil, err
	}
	for p.punct(";") {
	}
	if p.tok().kind != tokEOF {
		return nil, p.unexpected("EOF")
	}
	return stmt, nil
}

// list is YCQL's stmtblock: statements between semicolons, empty ones dropped, or
// BEGIN TRANSACTION dml; ... END TRANSACTION; alone, which has no semicolon after its
// opening and needs one after everything else. A list of one is that one.
func (p *parser) list() (Statement, error) {
	if p.isWord(0, "begin") && p.isWord(1, "transaction") {
		stmts, err := p.blockForm()
		if err == nil && p.tok().kind != tokEOF {
			err = p.unexpected("END")
		}
		if err != nil {
			return nil, err
		}
		return &Block{Stmts: stmts, Span: Span{0, len(p.src)}}, nil
	}
	var stmts []Statement
	for {
		for p.punct(";") {
		}
		if p.tok().kind == tokEOF {
			break
		}
		s, err := p.statement()
		if err != nil {
			return nil, err
		}
		if p.tok().kind != tokEOF && !p.isPunct(";") {
			return nil, p.unexpected("")
		}
		stmts = append(stmts, s)
	}
	switch len(stmts) {
	case 0:
		return nil, &Error{Msg: "Invalid SQL Statement: Unexpected empty statement list (ql error -11)"}
	case 1:
		return stmts[0], nil
	}
	return &Block{Stmts: stmts, Span: Span{0, len(p.src)}}, nil
}

func (p *parser) blockForm() ([]Statement, error) {
	stmts := []Statement{&Begin{Span: Span{p.tok().start, p.tokens[p.at+1].end}}}
	p.at += 2
	for {
		var s Statement
		var err error
		switch {
		case p.isWord(0, "insert"):
			s, err = p.insert()
		case p.isWord(0, "update"):
			s, err = p.update()
		case p.isWord(0, "delete"):
			s, err = p.delete()
		case p.isWord(0, "end") && len(stmts) > 1:
			start := p.tok().start
			p.at++
			if err := p.expectWord("transaction"); err != nil {
				return nil, err
			}
			end := p.prevEnd()
			if err := p.expect(";"); err != nil {
				return nil, err
			}
			return append(stmts, &Commit{Span: Span{start, end}}), nil
		default:
			return nil, p.unexpected("")
		}
		if err != nil {
			return nil, err
		}
		if err := p.expect(";"); err != nil {
			return nil, err
		}
		stmts = append(stmts, s)
	}
}

func (p *parser) statement() (Statement, error) {
	if p.tok().kind != tokIdent {
		return nil, p.unexpected("")
	}
	switch p.tok().text {
	case "select":
		return p.selectStmt()
	case "insert":
		return p.insert()
	case "update":
		return p.update()
	case "delete":
		return p.delete()
	case "begin":
		if p.dialect == Cassandra {
			return p.batch()
		}
		return nil, p.unexpectedAt(1, "")
	case "create":
		return p.create()
	case "alter":
		return p.alter()
	case "drop":
		return p.drop()
	case "truncate":
		return p.truncate()
	case "use":
		start := p.tok().start
		p.at++
		name, span, err := p.ident()
		if err != nil {
			return nil, err
		}
		return &Use{Keyspace: name, NameSpan: span, Span: Span{start, p.prevEnd()}}, nil
	case "start", "commit", "rollback", "abort", "savepoint", "explain", "prepare":
		if p.dialect == YCQL && (p.tok().text != "prepare" || p.isWord(1, "transaction")) {
			return p.transaction()
		}
	case "grant", "revoke", "list", "describe", "desc", "add":
		if p.dialect == Cassandra || p.tok().text != "add" && p.tok().text != "desc" && p.tok().text != "describe" {
			return p.unsupported(p.tok().text)
		}
	}
	return nil, p.unexpected("")
}

// transaction parses START TRANSACTION and COMMIT. The forms of PostgreSQL's
// grammar that YCQL kept and refuses are refused with its text.
func (p *parser) transaction() (Statement, error) {
	t := p.tok()
	p.at++
	refuse := func() error {
		at := Span{t.start, p.tok().end}
		return &Error{Msg: QL("Feature Not Supported", "", p.src, at, -14), Span: at}
	}
	switch t.text {
	case "start":
		if err := p.expectWord("transaction"); err != nil {
			return nil, err
		}
		if p.isWord(0, "isolation") || p.isWord(0, "read") {
			return nil, refuse()
		}
		return &Begin{Span: Span{t.start, p.prevEnd()}}, nil
	case "commit":
		if p.isWord(0, "work") {
			return nil, refuse()
		}
		p.word("transaction")
		return &Commit{Span: Span{t.start, p.prevEnd()}}, nil
	case "explain":
		return p.unsupported("explain")
	}
	return nil, refuse()
}

// unsupported swallows the rest of a statement that the server knows and the
// engine does not.
func (p *parser) unsupported(what string) (Statement, error) {
	start := p.tok().start
	for p.tok().kind != tokEOF && !p.isPunct(";") {
		p.at++
	}
	return &Unsupported{What: what, Span: Span{start, p.prevEnd()}}, nil
}

// Token helpers.

func (p *parser) tok() token { return p.tokens[p.at] }

// peek returns the token n behind the present one, or the end.
func (p *parser) peek(n int) token {
	if p.at+n < len(p.tokens) {
		return p.tokens[p.at+n]
	}
	return p.tokens[len(p.tokens)-1]
}

func (p *parser) prevEnd() int {
	if p.at == 0 {
		return 0
	}
	return p.tokens[p.at-1].end
}

func (p *parser) isWord(n int, w string) bool {
	t := p.peek(n)
	return t.kind == tokIdent && t.text == w
}

func (p *parser) isPunct(s string) bool {
	t := p.tok()
	return t.kind == tokPunct && t.text == s
}

// word, words and punct take what they name if it is there.
func (p *parser) word(w string) bool {
	if p.isWord(0, w) {
		p.at++
		return true
	}
	return false
}

func (p *parser) words(ws ...string) bool {
	for i, w := range ws {
		if !p.isWord(i, w) {
			return false
		}
	}
	p.at += len(ws)
	return true
}

func (p *parser) punct(s string) bool {
	if p.isPunct(s) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(s string) error {
	if p.punct(s) {
		return nil
	}
	return p.unexpected("'" + s + "'")
}

func (p *parser) expectWord(w string) error {
	if p.word(w) {
		return nil
	}
	return p.unexpected("K_" + upper(w))
}

func (p *parser) unexpectedAt(n int, expected string) error {
	p.at = min(p.at+n, len(p.tokens)-1)
	return p.unexpected(expected)
}

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 32
		}
	}
	return string(b)
}

// ident takes a name: unreserved, or quoted.
func (p *parser) ident() (string, Span, error) {
	t := p.tok()
	if t.kind == tokQuoted && (t.text != "" || p.dialect == YCQL) || t.kind == tokIdent && !reserved[t.text] {
		p.at++
		return t.text, Span{t.start, t.end}, nil
	}
	return "", Span{}, p.unexpected("")
}

// name takes keyspace.name or name.
func (p *parser) name() (Name, error) {
	first, span, err := p.ident()
	if err != nil {
		return Name{}, err
	}
	if !p.punct(".") {
		return Name{Name: first, Span: span}, nil
	}
	second, span, err := p.ident()
	if err != nil {
		return Name{}, err
	}
	return Name{Keyspace: first, Name: second, Span: span}, nil
}

// enter and leave guard recursion.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return &Error{Msg: "line 1:0 statement is nested too deeply: more than " + strconv.Itoa(maxDepth) +
			" levels are not supported by the embedded engine", Span: Span{p.tok().start, p.tok().end}}
	}
	return nil
}

func (p *parser) leave() { p.depth-- }
