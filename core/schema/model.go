package schema

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.temporal.io/server/common/persistence"
)

// Model is what a keyspace holds, as far as it concerns reads and writes:
// tables with their columns and keys, the names of types, indexes. Options that
// operators tune (compaction, caching) are not part of it.
type Model struct {
	Tables  map[string]*Table
	Types   map[string]string // name -> "user type"
	Indexes map[string]string // name -> table
}

// Table is the shape of one table.
type Table struct {
	Columns map[string]Column
	// Transactions is "true" or "false"; empty where it was not said, or where
	// tables are not told apart by it.
	Transactions string
}

// Column is a column's CQL type and its place in the key.
type Column struct {
	Type string
	// Kind is partition_key, clustering, regular or static, as in system_schema.
	Kind string
	// Position is the place in its part of the key, from 0; -1 outside.
	Position int
	// Order is asc or desc for clustering columns, else none.
	Order string
}

const userType = "user type"

func newModel() *Model {
	return &Model{Tables: map[string]*Table{}, Types: map[string]string{}, Indexes: map[string]string{}}
}

// Implied is the model that the set's versions make of an empty keyspace, the
// tables that keep the version included.
func (s Set) Implied() (*Model, error) {
	m := newModel()
	for _, statement := range s.server.versionTables {
		if err := m.apply(statement); err != nil {
			return nil, err
		}
	}
	names, err := s.versions()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		statements, err := s.statements(name)
		if err != nil {
			return nil, err
		}
		for _, statement := range statements {
			if err := m.apply(statement); err != nil {
				return nil, fmt.Errorf("schema version %s: %w", name, err)
			}
		}
	}
	return m, nil
}

// statements reads the CQL of one version, in the order of its manifest.
func (s Set) statements(version string) ([]string, error) {
	dir := path.Join("versioned", version)
	raw, err := fs.ReadFile(s.files, path.Join(dir, "manifest.json"))
	if err != nil {
		return nil, fmt.Errorf("read schema manifest: %w", err)
	}
	var manifest struct{ SchemaUpdateCqlFiles []string }
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return nil, fmt.Errorf("schema manifest of %s: %w", version, err)
	}
	var out []string
	for _, name := range manifest.SchemaUpdateCqlFiles {
		f, err := s.files.Open(path.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		statements, err := persistence.LoadAndSplitQueryFromReaders([]io.Reader{f})
		_ = f.Close() // read only
		if err != nil {
			return nil, fmt.Errorf("schema file %s of %s: %w", name, version, err)
		}
		out = append(out, statements...)
	}
	return out, nil
}

// parser reads one statement.
type parser struct {
	tokens    []token
	statement string
}

func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *parser) next() token {
	t := p.peek()
	if len(p.tokens) > 0 {
		p.tokens = p.tokens[1:]
	}
	return t
}

// skip drops the words if they come next.
func (p *parser) skip(words ...token) bool {
	if len(p.tokens) < len(words) || !slices.Equal(p.tokens[:len(words)], words) {
		return false
	}
	p.tokens = p.tokens[len(words):]
	return true
}

func (p *parser) fault(what string) error {
	return fmt.Errorf("schema statement %q: %s", firstWords(p.statement), what)
}

// apply changes the model as the statement changes a keyspace.
func (m *Model) apply(statement string) error {
	tokens, err := lex(statement)
	if err != nil {
		return err
	}
	p := &parser{tokens, statement}
	switch {
	case p.skip("create", "table"):
		p.skip("if", "not", "exists")
		return m.createTable(p)
	case p.skip("create", "type"):
		p.skip("if", "not", "exists")
		m.Types[p.next().name()] = userType
	case p.skip("create", "index"), p.skip("create", "unique", "index"):
		p.skip("if", "not", "exists")
		name := p.next().name()
		if !p.skip("on") {
			return p.fault("an index needs a name and a table")
		}
		m.Indexes[name] = p.next().name()
	case p.skip("alter", "table"):
		return m.alterTable(p)
	case p.skip("drop", "table"):
		p.skip("if", "exists")
		delete(m.Tables, p.next().name())
	case p.skip("drop", "index"):
		p.skip("if", "exists")
		delete(m.Indexes, p.next().name())
	case p.skip("drop", "type"):
		p.skip("if", "exists")
		delete(m.Types, p.next().name())
	case p.skip("insert"): // data is no schema
	default:
		return p.fault("of a kind that is not known")
	}
	return nil
}

func (m *Model) createTable(p *parser) error {
	t := &Table{Columns: map[string]Column{}}
	m.Tables[p.next().name()] = t
	if !p.skip("(") {
		return p.fault("a table needs columns")
	}
	var partition, clustering []string
	for p.peek() != ")" {
		if p.skip("primary", "key", "(") {
			if p.skip("(") {
				partition = p.names()
			} else {
				partition = []string{p.next().name()}
			}
			p.skip(",")
			clustering = p.names()
		} else {
			name := p.next().name()
			c := Column{Type: p.cqlType(), Kind: "regular", Position: -1, Order: "none"}
			if p.skip("static") {
				c.Kind = "static"
			}
			if p.skip("primary", "key") {
				partition = []string{name}
			}
			t.Columns[name] = c
		}
		if !p.skip(",") && p.peek() != ")" {
			return p.fault("a comma or the end of the columns is missing")
		}
	}
	p.next()
	descending := p.options(t)
	for i, name := range partition {
		t.place(name, "partition_key", i, "none")
	}
	for i, name := range clustering {
		order := "asc"
		if descending[name] {
			order = "desc"
		}
		t.place(name, "clustering", i, order)
	}
	return nil
}

func (t *Table) place(name, kind string, position int, order string) {
	c := t.Columns[name]
	c.Kind, c.Position, c.Order = kind, position, order
	t.Columns[name] = c
}

// names reads names up to the closing bracket, which it takes as well.
func (p *parser) names() []string {
	var out []string
	for p.peek() != ")" && p.peek() != "" {
		if t := p.next(); t != "," {
			out = append(out, t.name())
		}
	}
	p.next()
	return out
}

// options finds, in what follows the columns, those "CLUSTERING ORDER BY (a
// DESC, ...)" sorts downwards, and "transactions = {'enabled': b}".
func (p *parser) options(t *Table) (descending map[string]bool) {
	descending = map[string]bool{}
	for len(p.tokens) > 0 {
		switch {
		case p.skip("clustering", "order", "by", "("):
			for p.peek() != ")" && p.peek() != "" {
				name := p.next().name()
				if p.skip("desc") {
					descending[name] = true
				}
			}
		case p.skip("transactions", "=", "{", "'enabled'", ":"):
			t.Transactions = strings.Trim(string(p.next()), "'")
		default:
			p.next()
		}
	}
	return descending
}

// cqlType reads a type with its parameters, in the spelling of system_schema.
func (p *parser) cqlType() string {
	name := p.next().name()
	if name == "varchar" {
		name = "text"
	}
	if !p.skip("<") {
		return name
	}
	var params []string
	for p.peek() != ">" && p.peek() != "" {
		params = append(params, p.cqlType())
		p.skip(",")
	}
	p.next()
	return name + "<" + strings.Join(params, ", ") + ">"
}

func (m *Model) alterTable(p *parser) error {
	name := p.next().name()
	t := m.Tables[name]
	if t == nil {
		return p.fault("no such table")
	}
	switch {
	case p.skip("add"):
		bracket := p.skip("(")
		for {
			p.skip("if", "not", "exists")
			column := p.next().name()
			t.Columns[column] = Column{Type: p.cqlType(), Kind: "regular", Position: -1, Order: "none"}
			if !p.skip(",") {
				break
			}
		}
		if bracket {
			p.skip(")")
		}
	case p.skip("drop"):
		if p.skip("(") {
			for _, column := range p.names() {
				delete(t.Columns, column)
			}
			break
		}
		p.skip("if", "exists")
		delete(t.Columns, p.next().name())
	case p.skip("with"): // options are not part of the model
	default:
		return p.fault("of a kind that is not known")
	}
	return nil
}

// sorted lists the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
