package describe

import (
	"regexp"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
)

type what uint8

const (
	whatAny what = iota // a name of something
	whatCluster
	whatSchema
	whatKeyspaces
	whatKeyspace
	whatTables
	whatTable
	whatTypes
	whatType
	whatIndexes
	whatIndex
	whatView
	whatFunction
	whatAggregate
	whatNothing // a list of what there is none of: functions, aggregates
)

type statement struct {
	what                  what
	full, only, internals bool
	keyspace, name        string
}

// tokens are words, quoted names, points and semicolons; comments and white space
// stand between them.
var tokens = regexp.MustCompile(`(?s)\s+|--[^\n]*|//[^\n]*|/\*.*?\*/|[A-Za-z][A-Za-z0-9_]*|"(?:[^"]|"")*"|[.;]`)

type scanner struct {
	text string
	list []string
}

func scan(text string) (*scanner, error) {
	s := &scanner{text: text}
	at := 0
	for _, m := range tokens.FindAllStringIndex(text, -1) {
		if m[0] != at {
			break
		}
		at = m[1]
		t := text[m[0]:m[1]]
		switch c := t[0]; {
		case c == '"' || c == '.' || c == ';' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
			s.list = append(s.list, t)
		}
	}
	if at != len(text) {
		return nil, cqlerr.Syntax("line 1:%d no viable alternative at input '%s'", at, text[at:min(len(text), at+1)])
	}
	if n := len(s.list); n > 0 && s.list[n-1] == ";" {
		s.list = s.list[:n-1]
	}
	return s, nil
}

func (s *scanner) peek(word string) bool {
	return len(s.list) > 0 && strings.EqualFold(s.list[0], word)
}

func (s *scanner) take(word string) bool {
	if !s.peek(word) {
		return false
	}
	s.list = s.list[1:]
	return true
}

func (s *scanner) unexpected() error {
	if len(s.list) == 0 {
		return cqlerr.Syntax("line 0:-1 no viable alternative at input '<EOF>'")
	}
	at := max(strings.LastIndex(s.text, s.list[0]), 0)
	return cqlerr.Syntax("line 1:%d no viable alternative at input '%s'", at, s.list[0])
}

// name takes one name, folded unless it is quoted.
func (s *scanner) name() (string, error) {
	if len(s.list) == 0 || s.list[0] == "." || s.list[0] == ";" {
		return "", s.unexpected()
	}
	t := s.list[0]
	s.list = s.list[1:]
	if t[0] == '"' {
		return strings.ReplaceAll(t[1:len(t)-1], `""`, `"`), nil
	}
	return strings.ToLower(t), nil
}

// qualified takes [keyspace.]name.
func (s *scanner) qualified(st *statement) (err error) {
	if st.name, err = s.name(); err != nil || !s.take(".") {
		return err
	}
	st.keyspace = st.name
	st.name, err = s.name()
	return err
}

var lists = map[string]what{
	"keyspaces": whatKeyspaces, "tables": whatTables, "types": whatTypes, "functions": whatNothing, "aggregates": whatNothing,
}

var elements = map[string]what{
	"table": whatTable, "columnfamily": whatTable, "type": whatType, "index": whatIndex, "function": whatFunction, "aggregate": whatAggregate,
}

func parse(text string) (statement, error) {
	var st statement
	s, err := scan(text)
	if err != nil {
		return st, err
	}
	if !s.take("describe") && !s.take("desc") {
		return st, s.unexpected()
	}
	if err := s.target(&st); err != nil {
		return st, err
	}
	if s.take("with") {
		if !s.take("internals") {
			return st, s.unexpected()
		}
		st.internals = true
	}
	if len(s.list) > 0 {
		return st, s.unexpected()
	}
	return st, nil
}

func (s *scanner) target(st *statement) (err error) {
	for word, w := range lists {
		if s.take(word) {
			st.what = w
			return nil
		}
	}
	for word, w := range elements {
		// A word alone may also be somebody's name: DESCRIBE type.
		if s.peek(word) && len(s.list) > 1 && s.list[1] != "." {
			s.take(word)
			st.what = w
			return s.qualified(st)
		}
	}
	switch {
	case s.take("cluster"):
		st.what = whatCluster
	case s.peek("full") || s.peek("schema"):
		st.full = s.take("full")
		if !s.take("schema") {
			return s.unexpected()
		}
		st.what = whatSchema
	case s.peek("only") || s.peek("keyspace"):
		st.only = s.take("only")
		if !s.take("keyspace") {
			return s.unexpected()
		}
		st.what = whatKeyspace
		if len(s.list) > 0 && !s.peek("with") {
			st.name, err = s.name()
		}
	case s.take("materialized"):
		if !s.take("view") {
			return s.unexpected()
		}
		st.what = whatView
		return s.qualified(st)
	case len(s.list) > 0 && slices.ContainsFunc([]string{"table", "with"}, s.peek):
		s.list = s.list[1:] // reserved: no name follows
		return s.unexpected()
	default:
		return s.qualified(st)
	}
	return err
}
