package catalog

import (
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// table finds a table for ALTER, DROP, TRUNCATE and CREATE INDEX.
func (c *change) table(n parse.Name) (*Keyspace, *Table, error) {
	ks, err := c.space(n)
	if err != nil {
		return nil, nil, err
	}
	if t := ks.Tables[n.Name]; t != nil {
		return ks, t, nil
	}
	if c.ycql {
		return ks, nil, c.src.QL(cqlerr.ObjectNotFound, n.Span, "")
	}
	return ks, nil, cqlerr.Invalid("Table '%s.%s' doesn't exist", ks.Name, n.Name)
}

func (c *change) alterTable(st *parse.AlterTable) (*Change, error) {
	ks, old, err := c.table(st.Table)
	if err != nil {
		if ks != nil && st.IfExists {
			return &Change{}, nil
		}
		return nil, err
	}
	t := old.clone()
	done := &Change{Event: event(wire.Updated, wire.TargetTable, ks.Name, t.Name)}
	switch st.Op {
	case parse.AlterAdd:
		err = c.addTo(t, st)
	case parse.AlterDrop:
		err = c.dropFrom(t, st)
	case parse.AlterRename:
		err = c.rename(t, st)
	case parse.AlterWith:
		err = c.tableOptions(t, st.With, true)
	case parse.AlterType: // YCQL's grammar refuses it
		err = cqlerr.Invalid("Altering column types is no longer supported")
	}
	if err != nil {
		return nil, err
	}
	if st.IfColumn && slices.EqualFunc(t.Columns, old.Columns, func(a, b *Column) bool { return a.Name == b.Name }) {
		return &Change{}, nil // nothing to add, drop or rename
	}
	done.Schema = c.old.replaceTable(t)
	return done, nil
}

// alterAt is where YCQL's errors about an ALTER TABLE point: PTAlterTable stands at
// its first word.
func alterAt(st *parse.AlterTable) parse.Span {
	return parse.Span{Start: st.Span.Start, End: st.Span.Start + len("ALTER")}
}

func (c *change) addTo(t *Table, st *parse.AlterTable) error {
	for _, d := range st.Columns {
		if t.hasColumn(d.Name) {
			if st.IfColumn {
				continue
			}
			if c.ycql {
				return c.src.QL(cqlerr.DuplicateColumn, alterAt(st), "Invalid column name because it conflicts with the existing column: %s", d.Name)
			}
			return cqlerr.Invalid("Column with name '%s' already exists", d.Name)
		}
		typ, err := c.old.ResolveType(c.src, t.Keyspace, d.Type)
		if err != nil {
			return err
		}
		if typ.Kind == cqltype.Counter {
			return c.src.Refuse("the type counter", d.Span)
		}
		col := &Column{Name: d.Name, Type: typ, Kind: Regular, Position: -1, ID: t.nextColumn}
		if d.Static {
			if c.ycql {
				return c.src.QL(cqlerr.InvalidSQL, d.Span, "syntax error, unexpected STATIC")
			}
			if len(t.ClusteringKey) == 0 {
				return cqlerr.Invalid("Static columns are only useful (and thus allowed) if the table has at least one clustering column")
			}
			col.Kind = Static
		}
		t.nextColumn++
		t.Columns = append(t.Columns, col)
	}
	return nil
}

// hasColumn looks in Columns, which an ALTER may have changed since finish.
func (t *Table) hasColumn(name string) bool {
	return slices.ContainsFunc(t.Columns, func(c *Column) bool { return c.Name == name })
}

func (c *change) dropFrom(t *Table, st *parse.AlterTable) error {
	if st.HasUsing {
		return c.src.Refuse("ALTER TABLE DROP USING TIMESTAMP", st.Span)
	}
	for _, d := range st.Drop {
		i := slices.IndexFunc(t.Columns, func(c *Column) bool { return c.Name == d.Name })
		if i < 0 {
			if st.IfColumn {
				continue
			}
			if c.ycql {
				return c.src.QL(cqlerr.UndefinedColumn, alterAt(st), "Column doesn't exist")
			}
			return cqlerr.Invalid("Column %s was not found in table '%s.%s'", d.Name, t.Keyspace, t.Name)
		}
		if t.Columns[i].Kind <= Clustering {
			if c.ycql {
				return c.src.QL(cqlerr.AlterKeyColumn, alterAt(st), "Can't alter key column")
			}
			return cqlerr.Invalid("Cannot drop PRIMARY KEY column %s", d.Name)
		}
		for _, ix := range t.Indexes {
			if !slices.Contains(ix.Columns, d.Name) && !slices.Contains(ix.Include, d.Name) {
				continue
			}
			if c.ycql {
				return c.src.QL(cqlerr.NotYetImplemented, alterAt(st), "Can't drop column used in an index. Remove '%s' index first and try again", ix.Name)
			}
			return cqlerr.Invalid("Cannot drop column %s because it has dependent secondary indexes (%s)", d.Name, ix.Name)
		}
		t.Columns = slices.Delete(t.Columns, i, i+1)
	}
	return nil
}

func (c *change) rename(t *Table, st *parse.AlterTable) error {
	for _, r := range st.Rename {
		from, to := r[0], r[1]
		i := slices.IndexFunc(t.Columns, func(c *Column) bool { return c.Name == from.Name })
		switch {
		case i < 0 && st.IfColumn:
			continue
		case i < 0 && c.ycql:
			return c.src.QL(cqlerr.UndefinedColumn, alterAt(st), "Column doesn't exist")
		case i < 0:
			return cqlerr.Invalid("Column %s was not found in table %s.%s", from.Name, t.Keyspace, t.Name)
		case !c.ycql && t.Columns[i].Kind > Clustering:
			return cqlerr.Invalid("Cannot rename non PRIMARY KEY column %s", from.Name)
		case t.hasColumn(to.Name) && c.ycql:
			return c.src.QL(cqlerr.DuplicateColumn, alterAt(st), "Invalid column name because it conflicts with the existing column: %s", to.Name)
		case t.hasColumn(to.Name):
			return cqlerr.Invalid("Cannot rename column %s to %s in table '%s.%s'; another column with that name already exists", from.Name, to.Name, t.Keyspace, t.Name)
		}
		for _, ix := range t.Indexes {
			if slices.Contains(ix.Columns, from.Name) && !c.ycql {
				return cqlerr.Invalid("Can't rename column %s because it has dependent secondary indexes (%s)", from.Name, ix.Name)
			}
		}
		t.Columns[i].Name = to.Name
		t.Indexes = renameInIndexes(t.Indexes, from.Name, to.Name)
	}
	return nil
}

func renameInIndexes(in []*Index, from, to string) []*Index {
	out := make([]*Index, len(in))
	for i, ix := range in {
		n := *ix
		n.Columns, n.Include = slices.Clone(ix.Columns), slices.Clone(ix.Include)
		for _, list := range [][]string{n.Columns, n.Include} {
			for j, name := range list {
				if name == from {
					list[j] = to
				}
			}
		}
		n.Target = strings.Join(n.Columns, ", ")
		out[i] = &n
	}
	return out
}

func (c *change) truncate(st *parse.Truncate) (*Change, error) {
	_, old, err := c.table(st.Table)
	if err != nil {
		if !c.ycql && old == nil {
			ks, kerr := c.space(st.Table)
			if kerr == nil {
				_ = ks
				return nil, cqlerr.Invalid("table %s does not exist", st.Table.Name)
			}
		}
		return nil, err
	}
	// New storage numbers make the old rows and index entries unreachable at once;
	// deleting them is then no matter of correctness. The schema version stays: a
	// truncated table has the same definition.
	t := old.clone()
	done := &Change{Drop: []uint32{old.Num}}
	n := c.old.clone()
	n.Version = c.old.Version
	t.Num = n.next
	n.next++
	for i, ix := range t.Indexes {
		cp := *ix
		done.Drop = append(done.Drop, ix.Num)
		cp.Num = n.next
		n.next++
		t.Indexes[i] = &cp
	}
	n.touch(t.Keyspace).Tables[t.Name] = t.finish(n.Dialect)
	done.Schema = n
	return done, nil
}

func (c *change) drop(st *parse.Drop) (*Change, error) {
	switch st.Kind {
	case parse.ObjKeyspace:
		return c.dropKeyspace(st)
	case parse.ObjTable:
		ks, t, err := c.table(st.Name)
		if err != nil {
			if ks != nil && st.IfExists {
				return c.droppedNothing(wire.TargetTable, ks.Name, st.Name.Name), nil
			}
			return nil, err
		}
		n := c.old.clone()
		delete(n.touch(ks.Name).Tables, t.Name)
		done := &Change{Schema: n, Event: event(wire.Dropped, wire.TargetTable, ks.Name, t.Name), Drop: []uint32{t.Num}}
		for _, ix := range t.Indexes {
			done.Drop = append(done.Drop, ix.Num)
		}
		return done, nil
	case parse.ObjType:
		return c.dropType(st)
	default:
	}
	return c.dropIndex(st)
}

// droppedNothing: YCQL answers SCHEMA_CHANGE even if IF EXISTS found nothing, for
// its result is made before the call (ycql.md 2.5).
func (c *change) droppedNothing(target wire.ChangeTarget, keyspace, name string) *Change {
	if !c.ycql {
		return &Change{}
	}
	return &Change{Event: event(wire.Dropped, target, keyspace, name)}
}

func (c *change) dropKeyspace(st *parse.Drop) (*Change, error) {
	name := st.Name.Name
	ks := c.old.Keyspaces[name]
	if ks == nil {
		switch {
		case st.IfExists:
			return c.droppedNothing(wire.TargetKeyspace, name, ""), nil
		case c.ycql:
			return nil, c.src.QL(cqlerr.KeyspaceNotFound, st.Name.Span, "")
		}
		return nil, cqlerr.Invalid("Keyspace '%s' doesn't exist", name)
	}
	if c.ycql {
		if tables := sortedKeys(ks.Tables); len(tables) > 0 {
			return nil, c.src.QL(cqlerr.ServerError, st.Name.Span, "Cannot delete keyspace which has table: %s", tables[0])
		}
		if types := sortedKeys(ks.Types); len(types) > 0 {
			return nil, c.src.QL(cqlerr.ServerError, st.Name.Span, "Cannot delete keyspace which has type: %s", types[0])
		}
	}
	n := c.old.clone()
	delete(n.Keyspaces, name)
	done := &Change{Schema: n, Event: event(wire.Dropped, wire.TargetKeyspace, name, "")}
	for _, t := range ks.Tables {
		done.Drop = append(done.Drop, t.Num)
		for _, ix := range t.Indexes {
			done.Drop = append(done.Drop, ix.Num)
		}
	}
	return done, nil
}

func (c *change) dropType(st *parse.Drop) (*Change, error) {
	ks, err := c.space(st.Name)
	if err != nil {
		return nil, err
	}
	name := st.Name.Name
	if ks.Types[name] == nil {
		switch {
		case st.IfExists:
			return c.droppedNothing(wire.TargetType, ks.Name, name), nil
		case c.ycql:
			return nil, c.src.QL(cqlerr.TypeNotFound, st.Name.Span, "")
		}
		return nil, cqlerr.Invalid("Type '%s.%s' doesn't exist", ks.Name, name)
	}
	tables, types := usesType(ks, name)
	if len(tables)+len(types) > 0 {
		used := slices.Concat(tables, types)
		switch {
		case c.ycql:
			return nil, c.src.QL(cqlerr.InvalidRequest, st.Name.Span, "Cannot delete type '%s.%s'. It is used in table %s", ks.Name, name, used[0])
		case len(types) > 0:
			return nil, cqlerr.Invalid("Cannot drop user type '%s.%s' as it is still used by user types %s", ks.Name, name, strings.Join(types, ", "))
		}
		return nil, cqlerr.Invalid("Cannot drop user type '%s.%s' as it is still used by tables %s", ks.Name, name, strings.Join(tables, ", "))
	}
	n := c.old.clone()
	delete(n.touch(ks.Name).Types, name)
	return &Change{Schema: n, Event: event(wire.Dropped, wire.TargetType, ks.Name, name)}, nil
}
