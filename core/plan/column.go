package plan

// Kind is the type of a logical column. The comment names the Go type of its
// values in keys, conditions, effects and rows.
type Kind uint8

// The kinds of columns.
const (
	Int      Kind = iota + 1 // int64
	Text                     // string
	UUID                     // [16]byte
	Time                     // int64, milliseconds since 1970 UTC
	Bool                     // bool
	Inet                     // string, an IP address
	Data                     // Blob
	DataList                 // []Blob, in order of appending
	IntData                  // []IntEntry, a map with int64 keys
	TextData                 // []TextEntry, a map with string keys
	Nodes                    // []NodeEntry, a map with string keys
	TextSet                  // []string
	TextInt                  // []TextIntEntry, a map from string to int64
)

// Collection tells whether values of the kind have elements that can be
// written one by one (Merge, Drop, Append).
func (k Kind) Collection() bool { return k >= DataList }

// Blob is a serialized value with the name of its encoding ("Proto3", "Json").
// The zero Blob stands for an absent value.
type Blob struct {
	Data     []byte
	Encoding string
}

// IntEntry is one element of an [IntData] column.
type IntEntry struct {
	Key   int64
	Value Blob
}

// TextEntry is one element of a [TextData] column.
type TextEntry struct {
	Key   string
	Value Blob
}

// Node is a tree node that is stored either as one blob (Whole) or as two.
// A writer's form may differ from the one in which older rows were written: a
// reader must be ready for both.
type Node struct {
	Whole    Blob
	Metadata Blob
	Body     Blob
}

// NodeEntry is one element of a [Nodes] column; Key is the node's path.
type NodeEntry struct {
	Key   string
	Value Node
}

// TextIntEntry is one element of a [TextInt] column.
type TextIntEntry struct {
	Key   string
	Value int64
}

// Column is a column of a logical table. Columns are compared by address.
type Column struct {
	Name string
	Kind Kind
	// Desc marks a key column whose rows are read from high to low (and the
	// other way round by a read with Desc set).
	Desc bool
}

// Table is a logical table. Key lists the columns that name a row, from the
// unit of locality to the finest. Tables are compared by address.
type Table struct {
	Name    string
	Key     []*Column
	Columns []*Column
	// Sequenced marks rows that may be stored ahead of the atomic part of a
	// write and must not be seen without it (a shard's tasks).
	Sequenced bool
	// Numbered is the form of the table in databases that cannot put sequenced
	// rows into the atomic part: there the writes of a shard have numbers, and
	// the rows say to which of them they belong. Such a database has this table
	// in place of the other; see [Write.Numbered].
	Numbered *Table
}

// Column returns the key or value column of that name, or nil.
func (t *Table) Column(name string) *Column {
	for _, c := range t.Key {
		if c.Name == name {
			return c
		}
	}
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (t *Table) String() string  { return t.Name }
func (c *Column) String() string { return c.Name }
