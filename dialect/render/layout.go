// Package render turns plans into CQL text and arguments, and rows back into
// logical values. It holds what CQL dialects share; what differs is data (a
// [Layout]) or stays with the dialect (batches, refusals, errors).
//
// Texts are made once for each shape of a mutation and kept: rendering a
// mutation whose shape was seen before looks its text up without a lock, then
// binds arguments. Everything here is pure and safe for concurrent use.
package render

import (
	"fmt"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Table says where the rows of one logical table are stored.
type Table struct {
	Logical *plan.Table
	// By, if set, is the key column whose value picks the family of a row, so
	// that rows of one logical table may have different constants and columns.
	// Reads and writes must give it.
	By       *plan.Column
	Families []Family
	// Witness is a column that is never null in a row that exists. It stands
	// for the row where the server can test columns only.
	Witness *plan.Column
	// Wide makes every UPDATE name all collections, unset where a write has
	// nothing for them: one text for nearly all writes.
	Wide bool
	// TTLZero adds USING TTL 0 to writes of rows that live for ever, so that a
	// default_time_to_live of the table does not apply to them.
	TTLZero bool
	// Scan says how rows may be read without the whole partition key.
	Scan Scan
	// NoTTL refuses writes that give rows a life: the server has no sound way
	// to let rows of this table expire.
	NoTTL bool

	style    Style
	families map[int64]int // index of a family by the value of By
	rest     int           // family of all other values; -1: none
}

// Style is what follows from the way in which a server makes writes atomic.
type Style uint8

// The styles.
const (
	// Batches are those of Apache Cassandra: markers may be left unset, and
	// elements are added to collections, and taken from them, as sets.
	Batches Style = iota
	// Blocks are YCQL's: nothing is left unset, every column that is tested is
	// also written (under snapshot isolation only writes conflict), elements are
	// assigned one by one (adding a set reads the whole collection first), and
	// every kind of statement takes every condition.
	Blocks
)

// Scan says how rows may be read without the whole partition key.
type Scan uint8

// The ways to read without the whole partition key.
const (
	NoScan    Scan = iota // not at all
	PlainScan             // all partitions, no condition
	Filtered              // with the server testing rows: ALLOW FILTERING
)

// Family is the physical form of the rows of a table, or of some of them.
type Family struct {
	// Value is that of Table.By for these rows; Any takes all others.
	Value int64
	Any   bool
	// Name of the physical table; its primary key in order, of which the first
	// Partition columns form the partition key.
	Name      string
	Partition int
	Key       []Key
	Columns   []Column
	// Marker is a physical column that is null in rows of other logical tables
	// that share the key range; "" if there are none.
	Marker string
}

// Key is a column of a physical primary key. It holds a constant, or the value
// of a logical key column.
type Key struct {
	Name  string
	Const any          // int64, string or [16]byte; used if Of is nil
	Of    *plan.Column // of the logical key
	Codec *Codec       // nil: as it is
	Bits  int          // width of an integer column; 0: 64
	// Reserved, if set, is a value that names no row of the logical table: it
	// belongs to another that shares the partition.
	Reserved any
	// And, if set, is the logical key column after Of, which is stored with it:
	// two integers as one blob that sorts as they do, for servers that cannot
	// compare tuples.
	And *plan.Column
	at  int // index of Of in the logical key
}

// Codec turns logical scalar values into physical ones and back. Both are of
// the Go type of their plan.Kind.
type Codec struct {
	Kind   plan.Kind // of the physical value
	Encode func(any) (any, error)
	// Decode returns ErrNotRow for a value of a row of another table, which
	// happens only if Shared is set.
	Decode func(any) (any, error)
	Shared bool
	// Unordered marks codecs that do not keep the order of values: rows come in
	// the order of the physical ones, and no range can be bounded.
	Unordered bool
}

// Form is the way in which a logical column is stored.
type Form uint8

// The forms of columns.
const (
	Scalar    Form = iota + 1 // one column
	Data                      // a blob and a text column with its encoding
	IntMap                    // map<bigint,blob> and a text column with the encoding of all
	TextMap                   // map<text,blob> and a text column with the encoding of all
	NodeMap                   // the same, of nodes stored whole
	UUIDSet                   // set<uuid> of texts
	BatchList                 // list<frozen<{encoding_type text, version int, data blob}>>
	CountMap                  // map<text,bigint>
	Entries                   // map<text,blob> that several columns share; keys begin with Column.Prefix
	EventMap                  // map<bigint,blob> of batches by the version of the row that appended them
)

// Collection tells whether the form has elements that are written one by one.
func (f Form) Collection() bool { return f >= IntMap }

// Column is the physical form of a logical value column.
type Column struct {
	Of       *plan.Column
	Form     Form
	Name     string
	Encoding string // name of the column with the encoding; Data and blob maps
	Codec    *Codec // Scalar only; nil: as it is
	Bits     int    // width of an integer column; 0: 64
	Prefix   string // Entries only: what keys of this column begin with
	// Version is the column whose new value names what is appended; EventMap only.
	Version *plan.Column
}

// Fixed is a key column that holds a constant.
func Fixed(name string, value any) Key { return Key{Name: name, Const: value} }

// From is a key column that holds the value of a logical key column.
func From(name string, of *plan.Column) Key { return Key{Name: name, Of: of} }

// Int32 is a key column of CQL type int that holds the value of a logical one.
func Int32(name string, of *plan.Column) Key { return Key{Name: name, Of: of, Bits: 32} }

// Coded is a key column that holds the value of a logical one in another form.
func Coded(name string, of *plan.Column, c *Codec) Key { return Key{Name: name, Of: of, Codec: c} }

// Plain is a value column that is stored as it is.
func Plain(of *plan.Column, name string) Column { return Column{Of: of, Form: Scalar, Name: name} }

// Pair is a key column that holds the values of two logical ones.
func Pair(name string, first, second *plan.Column) Key {
	return Key{Name: name, Of: first, And: second}
}

// Blob is a value column of a blob and its encoding.
func Blob(of *plan.Column, name, encoding string) Column {
	return Column{Of: of, Form: Data, Name: name, Encoding: encoding}
}

// maxColumns bounds the value columns of a table: shapes are bit sets.
const maxColumns = 32

// Layout maps all logical tables of a dialect.
type Layout struct {
	tables map[*plan.Table]*Table
	shown  map[string][]string // columns of a physical table, without collections
	style  Style
}

// NewLayout checks and indexes tables of the style [Batches]. It fails if a
// logical column is missing, mapped twice, or of a kind that its form cannot
// hold.
func NewLayout(tables []*Table) (*Layout, error) { return NewLayoutOf(Batches, tables) }

// NewLayoutOf is [NewLayout] for any style.
func NewLayoutOf(style Style, tables []*Table) (*Layout, error) {
	l := &Layout{style: style, tables: make(map[*plan.Table]*Table, len(tables)), shown: make(map[string][]string)}
	for _, t := range tables {
		t.style = style
		if err := t.prepare(); err != nil {
			return nil, fmt.Errorf("layout of %s: %w", t.Logical, err)
		}
		if l.tables[t.Logical] != nil {
			return nil, fmt.Errorf("layout of %s: mapped twice", t.Logical)
		}
		l.tables[t.Logical] = t
		for i := range t.Families {
			l.show(&t.Families[i])
		}
	}
	return l, nil
}

func (l *Layout) show(f *Family) {
	add := func(name string) {
		if name != "" && !slices.Contains(l.shown[f.Name], name) {
			l.shown[f.Name] = append(l.shown[f.Name], name)
		}
	}
	for i := range f.Key {
		add(f.Key[i].Name)
	}
	for i := range f.Columns {
		if !f.Columns[i].Form.Collection() {
			add(f.Columns[i].Name)
		}
		add(f.Columns[i].Encoding)
	}
}

// Columns lists the columns of every physical table that the layout uses.
func (l *Layout) Columns() map[string][]string {
	all := make(map[string][]string, len(l.shown))
	add := func(table, column string) {
		if column != "" && !slices.Contains(all[table], column) {
			all[table] = append(all[table], column)
		}
	}
	for _, t := range l.tables {
		for i := range t.Families {
			f := &t.Families[i]
			for j := range f.Key {
				add(f.Name, f.Key[j].Name)
			}
			for j := range f.Columns {
				add(f.Name, f.Columns[j].Name)
				add(f.Name, f.Columns[j].Encoding)
			}
		}
	}
	for table := range all {
		slices.Sort(all[table])
	}
	return all
}

// Table returns the mapping of a logical table.
func (l *Layout) Table(t *plan.Table) (*Table, error) {
	if found := l.tables[t]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("layout knows no table %s", t)
}

func (t *Table) prepare() error {
	t.families, t.rest = make(map[int64]int, len(t.Families)), -1
	if len(t.Logical.Columns) > maxColumns {
		return fmt.Errorf("has %d columns, at most %d fit a shape", len(t.Logical.Columns), maxColumns)
	}
	if t.By == nil && (len(t.Families) != 1 || !t.Families[0].Any) {
		return fmt.Errorf("has several families and no column to pick one")
	}
	for i := range t.Families {
		f := &t.Families[i]
		if f.Any {
			t.rest = i
		} else {
			t.families[f.Value] = i
		}
		if err := t.prepareFamily(f); err != nil {
			return fmt.Errorf("family %d: %w", i, err)
		}
	}
	return nil
}

func (t *Table) prepareFamily(f *Family) error {
	if f.Partition < 1 || f.Partition > len(f.Key) {
		return fmt.Errorf("partition key of %d columns", f.Partition)
	}
	keys := make(map[*plan.Column]bool)
	for i := range f.Key {
		k := &f.Key[i]
		if k.Of == nil {
			if k.Const == nil {
				return fmt.Errorf("key column %s has neither constant nor source", k.Name)
			}
			continue
		}
		k.at = index(t.Logical.Key, k.Of)
		if k.at < 0 || keys[k.Of] {
			return fmt.Errorf("key column %s: %s is no key column, or used twice", k.Name, k.Of)
		}
		keys[k.Of] = true
		if k.And != nil {
			if k.at+1 >= len(t.Logical.Key) || t.Logical.Key[k.at+1] != k.And {
				return fmt.Errorf("key column %s: %s does not follow %s", k.Name, k.And, k.Of)
			}
			keys[k.And] = true
		}
	}
	for _, c := range t.Logical.Key {
		if !keys[c] && c != t.By {
			return fmt.Errorf("key column %s is not stored", c)
		}
	}
	if len(f.Columns) != len(t.Logical.Columns) {
		return fmt.Errorf("stores %d of %d columns", len(f.Columns), len(t.Logical.Columns))
	}
	for i := range f.Columns {
		c := &f.Columns[i]
		if c.Of != t.Logical.Columns[i] {
			return fmt.Errorf("column %d is %s, want %s", i, c.Of, t.Logical.Columns[i])
		}
		if !c.Form.holds(c.Of.Kind) {
			return fmt.Errorf("column %s of kind %d has form %d", c.Of, c.Of.Kind, c.Form)
		}
	}
	return nil
}

func (f Form) holds(k plan.Kind) bool {
	switch f {
	case Scalar:
		return k < plan.Data
	case Data:
		return k == plan.Data
	case IntMap:
		return k == plan.IntData
	case TextMap:
		return k == plan.TextData
	case NodeMap:
		return k == plan.Nodes
	case UUIDSet:
		return k == plan.TextSet
	case BatchList:
		return k == plan.DataList
	case CountMap:
		return k == plan.TextInt
	case Entries:
		return k == plan.IntData || k == plan.TextData || k == plan.Nodes || k == plan.TextSet
	case EventMap:
		return k == plan.DataList
	}
	return false
}

// family picks the family of a row by its logical key (or a prefix of it).
func (t *Table) family(key []any) (*Family, int, error) {
	if t.By == nil {
		return &t.Families[0], 0, nil
	}
	at := index(t.Logical.Key, t.By)
	if at >= len(key) {
		return nil, 0, fmt.Errorf("%s needs %s", t.Logical, t.By)
	}
	v, ok := key[at].(int64)
	if !ok {
		return nil, 0, fmt.Errorf("%s is a %T, want int64", t.By, key[at])
	}
	i, ok := t.families[v]
	if !ok {
		i = t.rest
	}
	if i < 0 {
		return nil, 0, fmt.Errorf("%s has no place for %s %d", t.Logical, t.By, v)
	}
	return &t.Families[i], i, nil
}

// column returns the index of a value column; -1 if the table has no such column.
func (t *Table) column(c *plan.Column) int { return index(t.Logical.Columns, c) }

func index(columns []*plan.Column, c *plan.Column) int {
	for i := range columns {
		if columns[i] == c {
			return i
		}
	}
	return -1
}
