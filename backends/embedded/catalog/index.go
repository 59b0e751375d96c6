package catalog

import (
	"slices"
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

func (c *change) createIndex(st *parse.CreateIndex) (*Change, error) {
	ks, old, err := c.table(st.Table)
	if err != nil {
		return nil, err
	}
	ix := &Index{Name: st.Name.Name, ID: NewUUID(), Kind: "COMPOSITES", Unique: st.Unique, Hash: st.Hash}
	if err := c.indexTargets(ix, old, st); err != nil {
		return nil, err
	}
	if ix.Name == "" {
		ix.Name = old.Name + "_" + strings.Join(ix.Columns, "_") + "_idx"
		if !c.ycql {
			ix.Name = freeIndexName(ks, ix.Name)
		}
	}
	if _, other := ks.FindIndex(ix.Name); other != nil {
		if st.IfNotExists {
			return &Change{}, nil
		}
		if c.ycql {
			return nil, c.src.QL(cqlerr.DuplicateObject, indexAt(st), "Object '%s.%s' already exists", ks.Name, ix.Name)
		}
		return nil, cqlerr.Invalid("Index '%s' already exists", ix.Name)
	}
	for _, other := range old.Indexes {
		if other.Target == ix.Target && !c.ycql {
			if st.IfNotExists {
				return &Change{}, nil
			}
			return nil, cqlerr.Invalid("Index %s is a duplicate of existing index %s", ix.Name, other.Name)
		}
	}
	if c.ycql {
		err = c.ycqlIndex(ix, old, st)
	} else {
		err = c.cassandraIndex(ix, st)
	}
	if err != nil {
		return nil, err
	}
	t := old.clone()
	n := c.old.clone()
	ix.Num = n.next
	n.next++
	t.Indexes = append(t.Indexes, ix)
	n.touch(ks.Name).Tables[t.Name] = t.finish(n.Dialect)
	return &Change{Schema: n, Event: event(wire.Updated, wire.TargetTable, ks.Name, t.Name), Build: ix, BuildTable: t}, nil
}

// indexAt is the name of an index, or the table's where it has none.
func indexAt(st *parse.CreateIndex) parse.Span {
	if st.Name.Name == "" {
		return st.Table.Span
	}
	return st.Name.Span
}

func freeIndexName(ks *Keyspace, base string) string {
	name := base
	for i := 1; ; i++ {
		if _, other := ks.FindIndex(name); other == nil {
			return name
		}
		name = base + "_" + strconv.Itoa(i)
	}
}

func (c *change) indexTargets(ix *Index, t *Table, st *parse.CreateIndex) error {
	var shown []string
	for _, target := range st.Targets {
		col := t.Column(target.Column.Name)
		if col == nil {
			if c.ycql {
				return c.src.QL(cqlerr.UndefinedColumn, target.Column.Span, "Column does not exist")
			}
			return cqlerr.Invalid("Undefined column name %s in table %s.%s", target.Column.Name, t.Keyspace, t.Name)
		}
		if target.Mode != "" || col.Type.IsMultiCell() {
			if c.ycql {
				return c.src.QL(cqlerr.InvalidTable, target.Column.Span, "Invalid index column: collections and UDTs cannot be indexed")
			}
			return c.src.Refuse("an index on a collection", target.Column.Span)
		}
		if len(t.PartitionKey) == 1 && col == t.PartitionKey[0] && !c.ycql {
			return cqlerr.Invalid("Cannot create secondary index on the only partition key column %s", col.Name)
		}
		if col.Kind == Static {
			return c.src.Refuse("an index on a static column", target.Column.Span)
		}
		if slices.Contains(ix.Columns, col.Name) {
			if c.ycql {
				return c.src.QL(cqlerr.DuplicateColumn, target.Column.Span, "")
			}
			return cqlerr.Invalid("Duplicate column '%s' in index target list", col.Name)
		}
		ix.Columns = append(ix.Columns, col.Name)
		shown = append(shown, col.Name)
	}
	ix.Target = strings.Join(shown, ", ")
	return nil
}

func (c *change) cassandraIndex(ix *Index, st *parse.CreateIndex) error {
	if len(ix.Columns) > 1 {
		return cqlerr.Invalid("Only CUSTOM indexes support multiple columns")
	}
	if st.Custom && st.Class == "" {
		return cqlerr.Invalid("CUSTOM index requires specifying the index class")
	}
	switch strings.ToLower(st.Class) {
	case "", "legacy_local_table":
	default:
		return c.src.Refuse("an index of class '"+st.Class+"'", st.Span)
	}
	if len(st.With) > 0 {
		return cqlerr.Invalid("Cannot specify options for a non-CUSTOM index")
	}
	return nil
}

// ycqlIndex checks what YCQL allows: ycql.md 2.5. Indexes are transactional
// unless they say otherwise, and a transactional one needs such a table.
func (c *change) ycqlIndex(ix *Index, t *Table, st *parse.CreateIndex) error {
	if st.Unique {
		return c.src.Refuse("a unique index", st.Span)
	}
	if len(st.Where) > 0 {
		return c.src.Refuse("a partial index", st.Span)
	}
	if st.Class != "" || st.Custom || st.Deferred {
		return c.src.Refuse("an index of this kind", st.Span)
	}
	ix.Transactional = true
	scratch := &Table{Transactional: true}
	if err := c.tableOptions(scratch, st.With, false); err != nil {
		return err
	}
	ix.Transactional = scratch.Transactional
	switch {
	case ix.Transactional && !t.Transactional:
		return c.src.QL(cqlerr.InvalidTable, st.Table.Span, "Transactions cannot be enabled in an index of a table without transactions enabled.")
	case !ix.Transactional && scratch.Options["transactions"].Map["consistency_level"] == "":
		return c.src.QL(cqlerr.InvalidTable, st.Table.Span, "Transactions must be enabled in an index unless its consistency level is user_enforced.")
	case !ix.Transactional && t.Transactional:
		return c.src.QL(cqlerr.InvalidTable, st.Table.Span, "Transactions must be enabled in an index of a table with transactions enabled.")
	}
	if ix.Hash == 0 {
		ix.Hash = 1
	}
	for _, inc := range st.Include {
		if t.Column(inc.Name) == nil {
			return c.src.QL(cqlerr.UndefinedColumn, inc.Span, "Column does not exist")
		}
		ix.Include = append(ix.Include, inc.Name)
	}
	return nil
}

func (c *change) dropIndex(st *parse.Drop) (*Change, error) {
	ks, err := c.space(st.Name)
	if err != nil {
		return nil, err
	}
	old, ix := ks.FindIndex(st.Name.Name)
	if ix == nil {
		switch {
		case st.IfExists:
			return c.droppedNothing(wire.TargetTable, ks.Name, ""), nil
		case c.ycql:
			return nil, c.src.QL(cqlerr.ObjectNotFound, st.Name.Span, "")
		}
		return nil, cqlerr.Invalid("Index '%s.%s' doesn't exist'", ks.Name, st.Name.Name)
	}
	t := old.clone()
	t.Indexes = slices.DeleteFunc(t.Indexes, func(o *Index) bool { return o.Name == ix.Name })
	return &Change{
		Schema: c.old.replaceTable(t), Event: event(wire.Updated, wire.TargetTable, ks.Name, t.Name), Drop: []uint32{ix.Num},
	}, nil
}
