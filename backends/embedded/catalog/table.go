package catalog

import (
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

func (c *change) createTable(st *parse.CreateTable) (*Change, error) {
	ks, err := c.space(st.Table)
	if err != nil {
		return nil, err
	}
	name := st.Table.Name
	if ks.Tables[name] != nil {
		if st.IfNotExists {
			return &Change{}, nil
		}
		if c.ycql {
			return nil, c.src.QL(cqlerr.DuplicateObject, st.Table.Span, "Object '%s.%s' already exists", ks.Name, name)
		}
		return nil, &wire.Error{
			Code:     wire.CodeAlreadyExists,
			Message:  `Cannot add already existing table "` + name + `" to keyspace "` + ks.Name + `"`,
			Keyspace: ks.Name, Table: name,
		}
	}
	if !c.ycql && (len(name) > 48 || strings.IndexFunc(name, notWord) >= 0) {
		return nil, cqlerr.Invalid("Table name must not be empty, more than 48 characters long, or contain non-alphanumeric-underscore characters (got \"%s\")", name)
	}
	if st.CompactStorage && !c.ycql {
		return nil, cqlerr.Invalid("COMPACT STORAGE is %s", cqlerr.NotSupported)
	}
	t := &Table{Keyspace: ks.Name, Name: name, ID: NewUUID(), CompactStorage: st.CompactStorage, nextColumn: 1}
	if err := c.addColumns(t, st); err != nil {
		return nil, err
	}
	if err := c.setKey(t, st); err != nil {
		return nil, err
	}
	if err := c.checkColumns(t, st); err != nil {
		return nil, err
	}
	if err := c.clusteringOrder(t, st.OrderBy, st.Table.Span); err != nil {
		return nil, err
	}
	if err := c.tableOptions(t, st.With, false); err != nil {
		return nil, err
	}
	n := c.old.clone()
	t.Num = n.next
	n.next++
	n.touch(ks.Name).Tables[name] = t.finish(n.Dialect)
	return &Change{Schema: n, Event: event(wire.Created, wire.TargetTable, ks.Name, name)}, nil
}

func (c *change) addColumns(t *Table, st *parse.CreateTable) error {
	for _, d := range st.Columns {
		if slices.ContainsFunc(t.Columns, func(o *Column) bool { return o.Name == d.Name }) {
			if c.ycql {
				return c.src.QL(cqlerr.DuplicateColumn, d.Span, "")
			}
			return cqlerr.Invalid("Duplicate column '%s' declaration for table '%s'", d.Name, t.Name)
		}
		typ, err := c.old.ResolveType(c.src, t.Keyspace, d.Type)
		if err != nil {
			return err
		}
		col := &Column{Name: d.Name, Type: typ, Kind: Regular, Position: -1, ID: t.nextColumn}
		if d.Static {
			col.Kind = Static
		}
		t.nextColumn++
		t.Columns = append(t.Columns, col)
	}
	return nil
}

// setKey marks the columns of the primary key.
func (c *change) setKey(t *Table, st *parse.CreateTable) error {
	partition, clustering := st.Partition, st.Clustering
	clauses := st.PrimaryKeys
	for _, d := range st.Columns {
		if d.Primary {
			clauses++
			partition = []parse.ColumnRef{{Name: d.Name, Span: d.Span}}
		}
	}
	if clauses != 1 {
		if c.ycql {
			if clauses == 0 {
				first := st.Columns[0]
				return c.src.QL(cqlerr.MissingPrimaryKey, parse.Span{Start: first.Span.Start, End: first.End}, "")
			}
			return c.src.QL(cqlerr.InvalidTable, st.PrimaryAt, "Too many primary key")
		}
		if clauses == 0 {
			return cqlerr.Invalid("No PRIMARY KEY specifed for table '%s' (exactly one required)", t.Name) //nolint:misspell // the server spells it so
		}
		return cqlerr.Invalid("Multiple PRIMARY KEY specified for table '%s' (exactly one required)", t.Name)
	}
	seen := map[string]bool{}
	mark := func(refs []parse.ColumnRef, kind ColumnKind) error {
		for i, r := range refs {
			var col *Column
			for _, o := range t.Columns {
				if o.Name == r.Name {
					col = o
				}
			}
			switch {
			case col == nil && c.ycql:
				return c.src.QL(cqlerr.UndefinedColumn, r.Span, "Column does not exist")
			case col == nil:
				return cqlerr.Invalid("Unknown column '%s' referenced in PRIMARY KEY for table '%s'", r.Name, t.Name)
			case seen[r.Name] && c.ycql:
				return c.src.QL(cqlerr.DuplicateColumn, r.Span, "")
			case seen[r.Name]:
				return cqlerr.Invalid("Duplicate column '%s' in PRIMARY KEY clause for table '%s'", r.Name, t.Name)
			}
			seen[r.Name] = true
			if err := c.keyColumn(col, kind, definedAt(st, r.Name)); err != nil {
				return err
			}
			col.Kind, col.Position = kind, i
			// Key columns are frozen tuples at most; nothing else changes.
		}
		return nil
	}
	if err := mark(partition, Partition); err != nil {
		return err
	}
	return mark(clustering, Clustering)
}

// definedAt is where a column was defined.
func definedAt(st *parse.CreateTable, name string) parse.Span {
	for _, d := range st.Columns {
		if d.Name == name {
			return d.Span
		}
	}
	return st.Table.Span
}

func (c *change) keyColumn(col *Column, kind ColumnKind, defined parse.Span) error {
	if c.ycql {
		if col.Type.IsMultiCell() || col.Type.Kind == cqltype.Counter || col.Type.Kind == cqltype.Tuple {
			return c.src.QL(cqlerr.InvalidKeyType, defined, "")
		}
		if col.Kind == Static {
			what := "Primary key column cannot be static"
			if kind == Partition {
				what = "Hash column cannot be static"
			}
			return c.src.QL(cqlerr.InvalidTable, defined, "%s", what)
		}
		return nil
	}
	switch {
	case col.Kind == Static:
		return cqlerr.Invalid("Static column '%s' cannot be part of the PRIMARY KEY", col.Name)
	case col.Type.Kind == cqltype.UDT && !col.Type.Frozen:
		return cqlerr.Invalid("Invalid non-frozen user-defined type '%s' for PRIMARY KEY column '%s'", col.Type, col.Name)
	case col.Type.IsMultiCell():
		return cqlerr.Invalid("Invalid non-frozen collection type %s for PRIMARY KEY column '%s'", col.Type, col.Name)
	case col.Type.Kind == cqltype.Counter:
		return cqlerr.Invalid("counter type is not supported for PRIMARY KEY column '%s'", col.Name)
	case col.Type.Contains(cqltype.Duration):
		return cqlerr.Invalid("duration type is not supported for PRIMARY KEY column '%s'", col.Name)
	}
	return nil
}

// checkColumns checks statics and counters, once kinds are known.
func (c *change) checkColumns(t *Table, st *parse.CreateTable) error {
	clustering := false
	for _, col := range t.Columns {
		clustering = clustering || col.Kind == Clustering
	}
	for _, col := range t.Columns {
		if col.Kind == Static && !clustering {
			if c.ycql {
				return c.src.QL(cqlerr.InvalidTable, definedAt(st, col.Name), "Static column not allowed in a table without a range column")
			}
			return cqlerr.Invalid("Static columns are only useful (and thus allowed) if the table has at least one clustering column")
		}
		if col.Type.Kind == cqltype.Counter {
			return c.src.Refuse("the type counter", definedAt(st, col.Name))
		}
	}
	return nil
}

func (c *change) clusteringOrder(t *Table, order []parse.Order, at parse.Span) error {
	if len(order) == 0 {
		return nil
	}
	var keys []*Column
	for _, col := range t.Columns {
		if col.Kind == Clustering {
			keys = append(keys, col)
		}
	}
	slices.SortFunc(keys, func(a, b *Column) int { return a.Position - b.Position })
	for i, o := range order {
		if !slices.ContainsFunc(keys, func(k *Column) bool { return k.Name == o.Expr.Text }) {
			if c.ycql {
				return c.src.QL(cqlerr.InvalidProperty, o.Span, "Not a clustering key column")
			}
			return cqlerr.Invalid("Only clustering key columns can be defined in CLUSTERING ORDER directive: [%s] are not clustering columns", o.Expr.Text)
		}
		if i >= len(keys) || keys[i].Name != o.Expr.Text {
			if c.ycql {
				return c.src.QL(cqlerr.InvalidProperty, o.Span, "Columns in the CLUSTERING ORDER directive must be in same order as the clustering key columns order (%s must appear before %s)", keys[min(i, len(keys)-1)].Name, o.Expr.Text)
			}
			return cqlerr.Invalid("Missing CLUSTERING ORDER for column %s", keys[min(i, len(keys)-1)].Name)
		}
		keys[i].Desc = o.Desc
	}
	if len(order) < len(keys) && c.ycql { // Cassandra 5 takes the first ones alone
		return c.src.QL(cqlerr.InvalidProperty, at, "Missing CLUSTERING ORDER for column %s", keys[len(order)].Name)
	}
	return nil
}
