package catalog

import (
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// Change is what a schema statement did.
type Change struct {
	// Schema is the new one, or nil if nothing changed.
	Schema *Schema
	// Event is the answer's SCHEMA_CHANGE; nil makes the answer VOID.
	Event *wire.SchemaChange
	// Drop lists numbers of tables and indexes whose data is to be deleted.
	Drop []uint32
	// Build is the index that must be filled from its table, or nil.
	Build      *Index
	BuildTable *Table
}

// change is one schema statement at work.
type change struct {
	src      cqlerr.Source
	old      *Schema
	keyspace string // the connection's
	ycql     bool
}

// Apply runs a schema statement on s, in a connection's keyspace. s is not
// changed. isSystem tells which keyspaces belong to the server.
func (s *Schema) Apply(src cqlerr.Source, keyspace string, stmt parse.Statement, isSystem func(string) bool) (*Change, error) {
	c := &change{src: src, old: s, keyspace: keyspace, ycql: src.Dialect == parse.YCQL}
	guard := func(name string, at parse.Span) error {
		if name == "" {
			name = keyspace
		}
		if !isSystem(name) {
			return nil
		}
		if c.ycql {
			return src.QL(cqlerr.SystemReadOnly, at, "")
		}
		return wire.Errorf(wire.CodeUnauthorized, "system keyspace is not user-modifiable.")
	}
	switch st := stmt.(type) {
	case *parse.CreateKeyspace:
		if err := guard(st.Name, st.NameSpan); err != nil {
			return nil, err
		}
		return c.createKeyspace(st)
	case *parse.AlterKeyspace:
		if err := guard(st.Name, st.NameSpan); err != nil {
			return nil, err
		}
		return c.alterKeyspace(st)
	case *parse.CreateTable:
		if err := guard(st.Table.Keyspace, st.Table.Span); err != nil {
			return nil, err
		}
		return c.createTable(st)
	case *parse.AlterTable:
		if err := guard(st.Table.Keyspace, st.Table.Span); err != nil {
			return nil, err
		}
		return c.alterTable(st)
	case *parse.CreateType:
		if err := guard(st.Name.Keyspace, st.Name.Span); err != nil {
			return nil, err
		}
		return c.createType(st)
	case *parse.AlterUDT:
		if err := guard(st.Name.Keyspace, st.Name.Span); err != nil {
			return nil, err
		}
		return c.alterUDT(st)
	case *parse.CreateIndex:
		if err := guard(st.Table.Keyspace, st.Table.Span); err != nil {
			return nil, err
		}
		return c.createIndex(st)
	case *parse.Drop:
		ks := st.Name.Keyspace
		if st.Kind == parse.ObjKeyspace {
			ks = st.Name.Name
		}
		if err := guard(ks, st.Name.Span); err != nil {
			return nil, err
		}
		return c.drop(st)
	case *parse.Truncate:
		if err := guard(st.Table.Keyspace, st.Table.Span); err != nil {
			return nil, err
		}
		return c.truncate(st)
	}
	return nil, src.Refuse("this statement", stmt.Pos())
}

// space finds the keyspace a name is in.
func (c *change) space(n parse.Name) (*Keyspace, error) {
	name := n.Keyspace
	if name == "" {
		name = c.keyspace
	}
	if name == "" {
		if c.ycql {
			return nil, c.src.QL(cqlerr.NoNamespace, n.Span, "")
		}
		return nil, cqlerr.Invalid("No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename")
	}
	ks := c.old.Keyspaces[name]
	if ks == nil {
		if c.ycql {
			return nil, c.src.QL(cqlerr.KeyspaceNotFound, n.Span, "")
		}
		return nil, cqlerr.Invalid("Keyspace '%s' doesn't exist", name)
	}
	return ks, nil
}

func event(kind wire.ChangeKind, target wire.ChangeTarget, keyspace, name string) *wire.SchemaChange {
	return &wire.SchemaChange{Kind: kind, Target: target, Keyspace: keyspace, Name: name}
}

// replaceTable is the schema with t in place of the table of that name.
func (s *Schema) replaceTable(t *Table) *Schema {
	n := s.clone()
	n.touch(t.Keyspace).Tables[t.Name] = t.finish(s.Dialect)
	return n
}

func (c *change) createType(st *parse.CreateType) (*Change, error) {
	ks, err := c.space(st.Name)
	if err != nil {
		return nil, err
	}
	name := st.Name.Name
	if _, ok := ks.Types[name]; ok {
		if st.IfNotExists {
			return &Change{}, nil
		}
		if c.ycql {
			return nil, c.src.QL(cqlerr.DuplicateType, st.Name.Span, "")
		}
		return nil, cqlerr.Invalid("A user type with name '%s' already exists", name)
	}
	var names []string
	var types []*cqltype.Type
	seen := map[string]bool{}
	for _, f := range st.Fields {
		if seen[f.Name] {
			if c.ycql {
				return nil, c.src.QL(cqlerr.DuplicateField, f.Span, "")
			}
			return nil, cqlerr.Invalid("Duplicate field name '%s' in type '%s'", f.Name, name)
		}
		seen[f.Name] = true
		t, err := c.fieldType(ks, f)
		if err != nil {
			return nil, err
		}
		names, types = append(names, f.Name), append(types, t)
	}
	n := c.old.clone()
	n.touch(ks.Name).Types[name] = cqltype.UDTOf(ks.Name, name, names, types, false)
	return &Change{Schema: n, Event: event(wire.Created, wire.TargetType, ks.Name, name)}, nil
}

func (c *change) fieldType(ks *Keyspace, f parse.ColumnDef) (*cqltype.Type, error) {
	t, err := c.old.ResolveType(c.src, ks.Name, f.Type)
	if err != nil {
		return nil, err
	}
	switch {
	case t.Kind == cqltype.Counter:
		if c.ycql {
			return nil, c.src.QL(cqlerr.InvalidType, f.Span, "UDT field types cannot be counters")
		}
		return nil, cqlerr.Invalid("A user type cannot contain counters")
	case c.ycql && t.IsMultiCell():
		return nil, c.src.QL(cqlerr.InvalidType, f.Span, "UDT field types cannot be (un-frozen) collections")
	case t.Kind == cqltype.UDT && !t.Frozen:
		return nil, cqlerr.Invalid("A user type cannot contain non-frozen UDTs")
	}
	return t, nil
}

func (c *change) alterUDT(st *parse.AlterUDT) (*Change, error) {
	if c.ycql {
		return nil, c.src.QL(cqlerr.FeatureUnsupport, st.Span, "")
	}
	ks, err := c.space(st.Name)
	if err != nil {
		return nil, err
	}
	if ks.Types[st.Name.Name] == nil {
		if st.IfExists {
			return &Change{}, nil
		}
		return nil, cqlerr.Invalid("Type %s.%s doesn't exist", ks.Name, st.Name.Name) // DROP TYPE quotes the name
	}
	return nil, c.src.Refuse("ALTER TYPE", st.Span)
}

// usesType names the tables and types of a keyspace that use a type.
func usesType(ks *Keyspace, name string) (tables, types []string) {
	var uses func(t *cqltype.Type) bool
	uses = func(t *cqltype.Type) bool {
		if t.Kind == cqltype.UDT && t.Name == name {
			return true
		}
		for _, e := range t.Elems {
			if uses(e) {
				return true
			}
		}
		return false
	}
	for _, n := range sortedKeys(ks.Tables) {
		for _, col := range ks.Tables[n].Columns {
			if uses(col.Type) {
				tables = append(tables, n)
				break
			}
		}
	}
	for _, n := range sortedKeys(ks.Types) {
		if n == name {
			continue
		}
		for _, e := range ks.Types[n].Elems {
			if uses(e) {
				types = append(types, n)
				break
			}
		}
	}
	return tables, types
}
