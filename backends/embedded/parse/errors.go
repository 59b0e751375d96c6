package parse

import (
	"fmt"
	"strings"
)

// Dialect selects a grammar and the wording of errors.
type Dialect uint8

// Dialects.
const (
	Cassandra Dialect = iota
	YCQL
)

// String is the name that options and file names use.
func (d Dialect) String() string {
	if d == YCQL {
		return "ycql"
	}
	return "cassandra"
}

// Error is a statement that the grammar does not know. Both servers send it as
// native code 0x2000. Msg is the whole text, as the server words it.
type Error struct {
	Msg  string
	Span Span // what it points at
}

func (e *Error) Error() string { return e.Msg }

// QL renders an error of YCQL in the shape of its ProcessContext::Error
// (ql/ptree/process_context.cc): the text, every line of the statement, below
// each line that the span touches a line of carets, and the code.
func QL(head, detail, src string, at Span, code int) string {
	var b strings.Builder
	b.WriteString(head)
	if detail != "" {
		b.WriteString(". ")
		b.WriteString(detail)
	}
	b.WriteByte('\n')
	if at.End <= at.Start && at.Start < len(src) {
		at.End = at.Start + 1
	}
	offset, marked := 0, false
	for _, line := range strings.Split(strings.TrimSuffix(src, "\n"), "\n") {
		b.WriteString(line)
		b.WriteByte('\n')
		from, to := max(at.Start-offset, 0), min(at.End-offset, len(line))
		if from < to {
			b.WriteString(strings.Repeat(" ", from))
			b.WriteString(strings.Repeat("^", to-from))
			b.WriteByte('\n')
			marked = true
		}
		offset += len(line) + 1
	}
	if !marked {
		line, col := lineCol(src, at.Start)
		fmt.Fprintf(&b, "At location: (%d:%d)\n", line, col+1)
	}
	fmt.Fprintf(&b, " (ql error %d)", code)
	return b.String()
}

// lineCol gives the line, from 1, and the column, from 0, of an offset.
func lineCol(src string, offset int) (line, col int) {
	before := src[:min(offset, len(src))]
	line = strings.Count(before, "\n") + 1
	return line, offset - (strings.LastIndexByte(before, '\n') + 1)
}

// lexError reports a character or a quote that starts no token.
func lexError(src string, d Dialect, start, end int, why string) error {
	at := Span{start, end}
	if d == YCQL {
		detail := why
		if detail == "" {
			detail = "invalid character"
		}
		return &Error{Msg: QL("Lexical Error", detail, src, at, -50), Span: at}
	}
	line, col := lineCol(src, start)
	if why == "" {
		return &Error{Msg: fmt.Sprintf("line %d:%d no viable alternative at character '%s'", line, col, src[start:end]), Span: at}
	}
	line, col = lineCol(src, len(src))
	return &Error{Msg: fmt.Sprintf("line %d:%d mismatched character '<EOF>' expecting '%c'", line, col, src[start]), Span: at}
}

// unexpected reports the token at hand. expected is a token name of
// Cassandra's grammar (K_FROM, IDENT, ')') where only one would do; then ANTLR
// says "mismatched input", else "no viable alternative".
func (p *parser) unexpected(expected string) error {
	t := p.tok()
	at := Span{t.start, t.end}
	if p.dialect == YCQL {
		detail := "syntax error, unexpected " + bisonName(t, p.src)
		if expected != "" {
			detail += ", expecting " + strings.TrimPrefix(expected, "K_")
		}
		return &Error{Msg: QL("Invalid SQL Statement", detail, p.src, at, -11), Span: at}
	}
	line, col := lineCol(p.src, t.start)
	text := p.src[t.start:t.end]
	if t.kind == tokEOF {
		line, col, text = 0, -1, "<EOF>" // ANTLR's end has no place
	}
	msg := fmt.Sprintf("line %d:%d ", line, col)
	if expected == "" {
		msg += "no viable alternative at input '" + text + "'"
	} else {
		msg += "mismatched input '" + text + "' expecting " + expected
	}
	return &Error{Msg: msg + p.snippet(), Span: at}
}

// snippet is the excerpt that Cassandra's ErrorCollector appends: up to ten
// tokens before the offending one, blanks counted, and that one in brackets.
func (p *parser) snippet() string {
	t := p.tok()
	if t.kind == tokEOF {
		return ""
	}
	from, budget := p.at, 10
	for from > 0 && budget > 0 {
		budget--
		if p.tokens[from].start > p.tokens[from-1].end {
			if budget == 0 {
				break
			}
			budget--
		}
		from--
	}
	start := p.tokens[from].start
	head, tail := " (", "...)"
	if start > 0 {
		head = " (..."
	}
	if t.end == len(p.src) {
		tail = ")"
	}
	return head + p.src[start:t.start] + "[" + p.src[t.start:t.end] + "]" + tail
}

// bisonName is what YCQL's grammar calls a token in its messages.
func bisonName(t token, src string) string {
	switch t.kind {
	case tokEOF:
		return "end of file"
	case tokIdent:
		if reserved[t.text] || ycqlWords[t.text] {
			return strings.ToUpper(t.text)
		}
		return "IDENT"
	case tokQuoted:
		return "IDENT"
	case tokString:
		return "SCONST"
	case tokInt:
		return "ICONST"
	case tokFloat:
		return "FCONST"
	case tokUUID:
		return "UUID"
	case tokBlob:
		return "BCONST"
	default:
		return "'" + src[t.start:t.end] + "'"
	}
}

// ycqlWords are unreserved words that YCQL's messages print in capitals.
var ycqlWords = map[string]bool{
	"values": true, "ttl": true, "timestamp": true, "transaction": true, "commit": true, "start": true, "end": true,
	"exists": true, "key": true, "filtering": true, "distinct": true, "count": true, "as": true, "else": true,
	"error": true, "returns": true, "status": true, "row": true, "contains": true, "type": true, "static": true,
	"clustering": true, "logged": true, "int": true, "text": true,
}

// reserved words cannot be used as names without quotes: Cassandra's
// ReservedKeywords, which YCQL's grammar shares but for few words.
var reserved = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`add allow alter and apply asc authorize batch begin by columnfamily create
		default delete desc describe drop entries execute from full grant if in index infinity insert into is
		keyspace limit materialized mbean mbeans modify nan norecursive not null of on or order primary rename
		replace revoke schema select set table to token truncate unlogged unset update use using view where with`) {
		m[w] = true
	}
	return m
}()
