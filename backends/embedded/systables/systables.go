// Package systables makes the system keyspaces of both personalities: what
// system.local, system.peers, system_schema and their like hold, so that drivers
// connect, find the schema and route.
//
// The tables are virtual. Their definitions are [catalog.Table] values like those
// of any table, made from CQL, and their rows are computed from a [catalog.Schema]
// when somebody asks. Nothing of them is stored.
//
// Sources: SystemKeyspace.java and SchemaKeyspace.java of Apache Cassandra 5.0;
// src/yb/master/yql_*_vtable.cc of YugabyteDB (ycql.md 3.3).
package systables

import (
	"crypto/md5" //nolint:gosec // not for security: ids of system tables are MD5 of their names
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// Node is what the only node of the cluster says about itself.
type Node struct {
	// Address is where clients reach it. Drivers compare it with the address they
	// connected to, and yugabyte/gocql routes by it.
	Address     net.IP
	Port        int
	HostID      catalog.UUID
	ClusterName string // default "embedded"; YugabyteDB always says "local cluster"
	DataCenter  string // default "datacenter1"
	Rack        string // default "rack1"
}

// Versions that the personalities claim to be.
const (
	cassandraRelease = "5.0.6"
	cassandraCQL     = "3.4.7"
	ycqlRelease      = "3.9-SNAPSHOT"
	ycqlCQL          = "3.4.2"
)

// Tables are the system tables of one server. They are safe for concurrent use.
type Tables struct {
	dialect parse.Dialect
	node    Node
	schema  *catalog.Schema // of the system keyspaces

	mu   sync.Mutex
	rows map[*catalog.Table]cached
}

type cached struct {
	schema *catalog.Schema
	rows   [][][]byte
}

// New makes the system tables of a personality.
func New(d parse.Dialect, node Node) (*Tables, error) {
	if node.Address == nil {
		node.Address = net.IPv4(127, 0, 0, 1)
	}
	for _, dflt := range []struct {
		field *string
		value string
	}{{&node.ClusterName, "embedded"}, {&node.DataCenter, "datacenter1"}, {&node.Rack, "rack1"}} {
		if *dflt.field == "" {
			*dflt.field = dflt.value
		}
	}
	defs := cassandraTables
	if d == parse.YCQL {
		defs = ycqlTables
		node.ClusterName = "local cluster"
	}
	schema, err := define(d, defs)
	if err != nil {
		return nil, err
	}
	return &Tables{dialect: d, node: node, schema: schema, rows: map[*catalog.Table]cached{}}, nil
}

func define(d parse.Dialect, defs []string) (*catalog.Schema, error) {
	schema := catalog.New(d)
	for _, name := range systemKeyspaces(d) {
		schema.Keyspaces[name] = &catalog.Keyspace{
			Name: name, DurableWrites: true, Replication: map[string]string{"class": localStrategy},
			Tables: map[string]*catalog.Table{}, Types: map[string]*cqltype.Type{},
		}
	}
	for _, text := range defs {
		stmt, _, err := parse.Parse(text, d)
		if err != nil {
			return nil, fmt.Errorf("define system table: %w\n%s", err, text)
		}
		change, err := schema.Apply(cqlerr.Source{Text: text, Dialect: d}, "", stmt, func(string) bool { return false })
		if err != nil {
			return nil, fmt.Errorf("define system table: %w\n%s", err, text)
		}
		schema = change.Schema
	}
	for _, ks := range schema.Keyspaces {
		for _, t := range ks.Tables {
			t.ID = tableID(t.Keyspace, t.Name)
		}
	}
	return schema, nil
}

// tableID is the id of a system table: UUID version 3 of its names, as Cassandra
// makes it (TableId.forSystemTable).
func tableID(keyspace, table string) catalog.UUID {
	id := catalog.UUID(md5.Sum([]byte(keyspace + table))) //nolint:gosec // see the import
	id[6] = id[6]&0x0f | 0x30
	id[8] = id[8]&0x3f | 0x80
	return id
}

// IsSystem tells whether a keyspace belongs to the server and cannot be changed.
func (t *Tables) IsSystem(keyspace string) bool { return t.schema.Keyspaces[keyspace] != nil }

// ClusterName is what system.local calls the cluster.
func (t *Tables) ClusterName() string { return t.node.ClusterName }

// Schema holds the definitions of the system keyspaces and their tables.
func (t *Tables) Schema() *catalog.Schema { return t.schema }

// Table returns a system table, or nil.
func (t *Tables) Table(keyspace, name string) *catalog.Table { return t.schema.Table(keyspace, name) }

// Rows computes the rows of a system table for a schema: for each row the values of
// table.Columns, in that order, nil for null. Rows of one partition follow each
// other in clustering order. The caller must not change them; they are shared.
func (t *Tables) Rows(table *catalog.Table, schema *catalog.Schema) [][][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c, ok := t.rows[table]; ok && c.schema == schema {
		return c.rows
	}
	rows := t.compute(table, schema)
	t.rows[table] = cached{schema, rows}
	return rows
}

func (t *Tables) compute(table *catalog.Table, schema *catalog.Schema) [][][]byte {
	var list []row
	switch table.Keyspace + "." + table.Name {
	case "system.local":
		list = t.local(schema)
	case "system.partitions":
		list = t.partitions(schema)
	case "system_schema.keyspaces", "system_virtual_schema.keyspaces":
		list = t.keyspaces(table, schema)
	case "system_schema.tables", "system_virtual_schema.tables":
		list = t.tables(table, schema)
	case "system_schema.columns", "system_virtual_schema.columns":
		list = t.columns(table, schema)
	case "system_schema.types":
		list = t.types(schema)
	case "system_schema.indexes":
		list = t.indexes(schema)
	}
	rows := make([][][]byte, len(list))
	for i, r := range list {
		rows[i] = make([][]byte, len(table.Columns))
		for _, c := range table.Columns {
			rows[i][c.Index] = r[c.Name]
		}
	}
	t.sort(table, rows)
	return rows
}

// sort puts rows into the order in which a scan brings them.
func (t *Tables) sort(table *catalog.Table, rows [][][]byte) {
	key := table.PartitionKey[0] // all system tables have one
	slices.SortStableFunc(rows, func(a, b [][]byte) int {
		ka, kb := a[key.Index], b[key.Index]
		if t.dialect == parse.Cassandra {
			if ta, tb := cqltype.Murmur3Token(ka), cqltype.Murmur3Token(kb); ta != tb {
				if ta < tb {
					return -1
				}
				return 1
			}
		}
		for _, c := range append([]*catalog.Column{key}, table.ClusteringKey...) {
			if n := c.Type.Compare(a[c.Index], b[c.Index]); n != 0 {
				return n
			}
		}
		return 0
	})
}
