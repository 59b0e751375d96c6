// Package catalog holds the schema of the embedded engine: keyspaces, tables,
// user-defined types and indexes, the statements that change them, and the form in
// which they are stored.
//
// A [Schema] never changes; every change makes a new one with a new version. So
// readers need no lock, a plan can hold the *Table it was made for, and "was the
// table altered since?" is a comparison of pointers.
package catalog

import (
	"crypto/rand"
	"maps"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// UUID is a random (version 4) UUID in binary form.
type UUID [16]byte

// NewUUID makes one.
func NewUUID() UUID {
	var u UUID
	_, _ = rand.Read(u[:]) // never fails (crypto/rand)
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// Schema is one state of the schema. Treat it as immutable.
type Schema struct {
	Dialect   parse.Dialect
	Version   UUID
	Keyspaces map[string]*Keyspace
	next      uint32 // number of the next table or index
}

// Keyspace is a set of tables and types.
type Keyspace struct {
	Name          string
	Replication   map[string]string
	DurableWrites bool
	Tables        map[string]*Table
	Types         map[string]*cqltype.Type // unfrozen
}

// ColumnKind says what a column is for.
type ColumnKind uint8

// Kinds of columns, in the order in which a row's columns are listed.
const (
	Partition ColumnKind = iota
	Clustering
	Static
	Regular
)

// String is the kind as system_schema.columns calls it.
func (k ColumnKind) String() string {
	return [...]string{"partition_key", "clustering", "static", "regular"}[k]
}

// Column is a column of a table.
type Column struct {
	Name string
	Type *cqltype.Type
	Kind ColumnKind
	// ID is the column's number in storage. It is never used again in this table,
	// so that a column that is dropped and added again does not show old data.
	ID uint32
	// Position is the place among the columns of its kind for key columns, -1 for
	// the others, as in system_schema.columns.
	Position int
	// Index is the place in Table.Columns.
	Index int
	Desc  bool // clustering columns only
}

// Table is a table. Columns is the order of SELECT *: keys, then, in Cassandra,
// statics and regulars by name, in YCQL the rest as declared.
type Table struct {
	Keyspace, Name string
	ID             UUID
	Num            uint32 // storage's number of the table; TRUNCATE gives a new one
	Columns        []*Column
	PartitionKey   []*Column
	ClusteringKey  []*Column
	Statics        []*Column
	Regulars       []*Column
	Indexes        []*Index
	Options        map[string]Option // as written, validated
	DefaultTTL     int32             // seconds, 0: none
	CompactStorage bool
	// Transactional and Tablets are YCQL's.
	Transactional bool
	Tablets       int32

	nextColumn uint32
	byName     map[string]*Column
}

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column { return t.byName[name] }

// Index is a secondary index. Columns are what it is searched by.
type Index struct {
	Name    string
	Num     uint32
	ID      UUID
	Target  string // as system_schema.indexes shows it
	Kind    string // COMPOSITES or CUSTOM
	Class   string
	Mode    string // keys, values, entries, full or empty
	Columns []string
	Include []string
	Unique  bool
	// Transactional is YCQL's.
	Transactional bool
	Hash          int // how many of Columns are hash columns (YCQL)
}

// Option is the value of a table option: a text or a map.
type Option struct {
	Text string            `json:"text,omitempty"`
	Map  map[string]string `json:"map,omitempty"`
}

// Table returns the table, or nil.
func (s *Schema) Table(keyspace, name string) *Table {
	if ks := s.Keyspaces[keyspace]; ks != nil {
		return ks.Tables[name]
	}
	return nil
}

// finish orders the columns of a table and fills in what is derived.
func (t *Table) finish(d parse.Dialect) *Table {
	t.PartitionKey, t.ClusteringKey, t.Statics, t.Regulars = nil, nil, nil, nil
	t.byName = make(map[string]*Column, len(t.Columns))
	for _, c := range t.Columns {
		t.byName[c.Name] = c
		switch c.Kind {
		case Partition:
			t.PartitionKey = append(t.PartitionKey, c)
		case Clustering:
			t.ClusteringKey = append(t.ClusteringKey, c)
		case Static:
			t.Statics = append(t.Statics, c)
		case Regular:
			t.Regulars = append(t.Regulars, c)
		}
	}
	byPosition := func(a, b *Column) int { return a.Position - b.Position }
	slices.SortFunc(t.PartitionKey, byPosition)
	slices.SortFunc(t.ClusteringKey, byPosition)
	rest := func(cols []*Column) {
		slices.SortFunc(cols, func(a, b *Column) int {
			if d == parse.YCQL {
				return int(a.ID) - int(b.ID)
			}
			switch {
			case a.Name < b.Name:
				return -1
			case a.Name > b.Name:
				return 1
			}
			return 0
		})
	}
	rest(t.Statics)
	rest(t.Regulars)
	cols := slices.Concat(t.PartitionKey, t.ClusteringKey)
	if d == parse.YCQL {
		both := slices.Concat(t.Statics, t.Regulars)
		rest(both)
		cols = append(cols, both...)
	} else {
		cols = slices.Concat(cols, t.Statics, t.Regulars)
	}
	t.Columns = cols
	for i, c := range cols {
		c.Index = i
	}
	return t
}

// clone copies a table with its columns, so that both can be changed.
func (t *Table) clone() *Table {
	c := *t
	c.Columns = make([]*Column, len(t.Columns))
	for i, col := range t.Columns {
		cc := *col
		c.Columns[i] = &cc
	}
	c.Indexes = slices.Clone(t.Indexes)
	c.Options = maps.Clone(t.Options)
	return &c
}

// clone copies a schema with a new version; keyspaces are shared until touched.
func (s *Schema) clone() *Schema {
	c := *s
	c.Version = NewUUID()
	c.Keyspaces = maps.Clone(s.Keyspaces)
	return &c
}

// touch copies a keyspace of a cloned schema before it is changed.
func (s *Schema) touch(name string) *Keyspace {
	ks := *s.Keyspaces[name]
	ks.Tables = maps.Clone(ks.Tables)
	ks.Types = maps.Clone(ks.Types)
	s.Keyspaces[name] = &ks
	return &ks
}

// FindIndex returns the index of that name in a keyspace, and its table.
func (k *Keyspace) FindIndex(name string) (*Table, *Index) {
	for _, t := range k.Tables {
		for _, i := range t.Indexes {
			if i.Name == name {
				return t, i
			}
		}
	}
	return nil, nil
}
