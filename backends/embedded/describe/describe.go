// Package describe answers DESCRIBE of the cassandra personality, which is a
// statement of the server since Cassandra 4 (DescribeStatement.java): cqlsh sends it.
// YugabyteDB does not know it; its shell reads system_schema.
//
// Texts and shapes are those of an Apache Cassandra 5.0.6.
package describe

import (
	"cmp"
	"maps"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// Schemas are what there is to describe.
type Schemas struct {
	System, User *catalog.Schema
	Cluster      string // the cluster's name
	IsSystem     func(keyspace string) bool
}

// Run runs one DESCRIBE statement in a connection's keyspace.
func Run(s Schemas, keyspace, text string) (*server.Result, error) {
	st, err := parse(text)
	if err != nil {
		return nil, err
	}
	d := &describer{Schemas: s, current: keyspace, internals: st.internals}
	return d.run(st)
}

type describer struct {
	Schemas
	current   string
	internals bool
	cells     [][]byte
}

func columns(names ...string) []wire.Column {
	cols := make([]wire.Column, len(names))
	for i, n := range names {
		cols[i] = wire.Column{Keyspace: "system", Table: "describe", Name: n, Type: cqltype.Native(cqltype.Text)}
	}
	return cols
}

var (
	listColumns    = columns("keyspace_name", "type", "name")
	elementColumns = columns("keyspace_name", "type", "name", "create_statement")
	clusterColumns = columns("cluster", "partitioner", "snitch")
)

func (d *describer) add(cells ...string) {
	for _, c := range cells {
		d.cells = append(d.cells, []byte(c))
	}
}

func (d *describer) run(st statement) (*server.Result, error) {
	cols := elementColumns
	var err error
	switch st.what {
	case whatCluster:
		cols = clusterColumns
		d.add(d.Cluster, "Murmur3Partitioner", "SimpleSnitch")
	case whatKeyspaces, whatTables, whatTypes, whatIndexes, whatNothing:
		cols = listColumns
		d.list(st.what)
	case whatSchema:
		for _, ks := range d.keyspaces() {
			if st.full || !d.IsSystem(ks.Name) {
				d.keyspace(ks, false)
			}
		}
	default:
		err = d.element(st)
	}
	if err != nil {
		return nil, err
	}
	return &server.Result{Kind: server.Rows, Columns: cols, Cells: d.cells}, nil
}

// keyspaces are all, by name.
func (d *describer) keyspaces() []*catalog.Keyspace {
	list := slices.Collect(maps.Values(d.System.Keyspaces))
	list = slices.AppendSeq(list, maps.Values(d.User.Keyspaces))
	slices.SortFunc(list, func(a, b *catalog.Keyspace) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (d *describer) find(name string) *catalog.Keyspace {
	if ks := d.User.Keyspaces[name]; ks != nil {
		return ks
	}
	return d.System.Keyspaces[name]
}

// list lists names: of the current keyspace if there is one, else of all.
func (d *describer) list(what what) {
	for _, ks := range d.keyspaces() {
		if what == whatKeyspaces {
			d.add(ks.Name, "keyspace", cqltype.QuoteIdent(ks.Name))
			continue
		}
		if d.current != "" && ks.Name != d.current {
			continue
		}
		switch what {
		case whatTables:
			for _, name := range slices.Sorted(maps.Keys(ks.Tables)) {
				d.add(ks.Name, "table", cqltype.QuoteIdent(name))
			}
		case whatTypes:
			for _, name := range slices.Sorted(maps.Keys(ks.Types)) {
				d.add(ks.Name, "type", cqltype.QuoteIdent(name))
			}
		default: // keyspaces, listed above, or what there is none of
		}
	}
}

// element describes what is named.
func (d *describer) element(st statement) error {
	name := st.keyspace
	if st.what == whatKeyspace && st.name != "" {
		name = st.name
	}
	if name == "" && st.what == whatAny {
		// A keyspace of that name comes first, then something in the current one.
		if ks := d.find(st.name); ks != nil {
			d.keyspace(ks, false)
			return nil
		}
		if d.current == "" {
			return cqlerr.Invalid("'%s' not found in keyspaces", st.name)
		}
	}
	if name == "" {
		name = d.current
	}
	if name == "" {
		return cqlerr.Invalid("No keyspace specified and no current keyspace")
	}
	ks := d.find(name)
	if ks == nil {
		return cqlerr.Invalid("'%s' not found in keyspaces", name)
	}
	switch st.what {
	case whatKeyspace:
		d.keyspace(ks, st.only)
		return nil
	case whatTable:
		if t := ks.Tables[st.name]; t != nil {
			d.table(t)
			return nil
		}
		return cqlerr.Invalid("Table '%s' not found in keyspace '%s'", st.name, ks.Name)
	case whatType:
		if t := ks.Types[st.name]; t != nil {
			d.udt(ks, t)
			return nil
		}
		return cqlerr.Invalid("User defined type '%s' not found in '%s'", st.name, ks.Name)
	case whatIndex:
		if t, ix := ks.FindIndex(st.name); ix != nil {
			d.index(t, ix)
			return nil
		}
		return cqlerr.Invalid("Table for existing index '%s' not found in '%s'", st.name, ks.Name)
	case whatView:
		return cqlerr.Invalid("Materialized view '%s' not found in '%s'", st.name, ks.Name)
	case whatFunction:
		return cqlerr.Invalid("User defined function '%s' not found in '%s'", st.name, ks.Name)
	case whatAggregate:
		return cqlerr.Invalid("User defined aggregate '%s' not found in '%s'", st.name, ks.Name)
	default: // whatAny: the first of that name
	}
	if t := ks.Tables[st.name]; t != nil {
		d.table(t)
		return nil
	}
	if t, ix := ks.FindIndex(st.name); ix != nil {
		d.index(t, ix)
		return nil
	}
	return cqlerr.Invalid("'%s' not found in keyspace '%s'", st.name, ks.Name)
}

// keyspace describes a keyspace and, unless only it is asked for, what it holds.
func (d *describer) keyspace(ks *catalog.Keyspace, only bool) {
	d.add(ks.Name, "keyspace", cqltype.QuoteIdent(ks.Name), createKeyspace(ks))
	if only {
		return
	}
	for _, t := range typesInOrder(ks) {
		d.udt(ks, t)
	}
	for _, name := range slices.Sorted(maps.Keys(ks.Tables)) {
		d.table(ks.Tables[name])
	}
}

func (d *describer) udt(ks *catalog.Keyspace, t *cqltype.Type) {
	d.add(ks.Name, "type", cqltype.QuoteIdent(t.Name), createType(ks.Name, t))
}

func (d *describer) table(t *catalog.Table) {
	d.add(t.Keyspace, "table", cqltype.QuoteIdent(t.Name), createTable(t, d.internals))
	list := slices.Clone(t.Indexes)
	slices.SortFunc(list, func(a, b *catalog.Index) int { return cmp.Compare(a.Name, b.Name) })
	for _, ix := range list {
		d.index(t, ix)
	}
}

func (d *describer) index(t *catalog.Table, ix *catalog.Index) {
	d.add(t.Keyspace, "index", cqltype.QuoteIdent(ix.Name), createIndex(t, ix))
}

// typesInOrder puts types after those they are made of, else by name.
func typesInOrder(ks *catalog.Keyspace) []*cqltype.Type {
	var list []*cqltype.Type
	done := map[string]bool{}
	var visit func(t *cqltype.Type)
	visit = func(t *cqltype.Type) {
		for _, e := range t.Elems {
			visit(e)
		}
		if t.Kind == cqltype.UDT && !done[t.Name] && ks.Types[t.Name] != nil {
			done[t.Name] = true
			list = append(list, ks.Types[t.Name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ks.Types)) {
		visit(ks.Types[name])
	}
	return list
}
