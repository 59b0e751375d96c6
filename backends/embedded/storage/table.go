package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// Partitioner says how partition keys become tokens.
type Partitioner uint8

// The partitioners. Both keep rows in the order in which the real server scans
// them.
const (
	Murmur3 Partitioner = iota // Cassandra
	YBHash                     // YugabyteDB: 16 bits, in the upper bits of the token
)

// Clustering describes one clustering column.
type Clustering struct {
	Type *cqltype.Type
	Desc bool
}

// Column describes a column that is not part of the key. Its ID is unique in
// the table and is never given to another column, so that cells of a dropped
// column do not come back.
type Column struct {
	ID     uint32
	Type   *cqltype.Type
	Static bool
}

// IndexTarget says what of a column an index holds.
type IndexTarget uint8

// What an index can hold.
const (
	IndexValue   IndexTarget = iota // the value of a plain column, or a whole frozen one
	IndexKeys                       // a map's keys
	IndexValues                     // a map's or list's values, a set's elements
	IndexEntries                    // a map's keys with their values
)

// IndexPart names a column of an index: of the table's Columns, or of its key.
type IndexPart struct {
	Source IndexSource
	Column int // position in Columns, Clustering or Partition
}

// IndexSource says where a part of an index comes from.
type IndexSource uint8

// Where parts of an index come from.
const (
	FromColumn IndexSource = iota
	FromClustering
	FromPartition
)

// Index describes a secondary index. The store keeps it up to date. Rows where
// a part is null have no entry.
type Index struct {
	ID     uint32
	Target IndexTarget // other than IndexValue: one part, an unfrozen collection
	Parts  []IndexPart
}

// Definition describes a table. See [NewTable].
type Definition struct {
	ID          uint32 // unique and never used again
	Partitioner Partitioner
	Partition   []*cqltype.Type // at least one
	Clustering  []Clustering
	Columns     []Column
	Indexes     []Index
	// Grace is how long tombstones of a table with timestamps are kept.
	Grace time.Duration
}

// Table is a table definition made ready for use. It is immutable: ALTER makes
// a new one with the same ID.
type Table struct {
	Definition

	order    []int // positions in Columns in order of their IDs
	multi    bool  // some regular column has elements of its own
	multiSt  bool  // some static column has
	plain    int   // regular columns without elements
	prefix   [5]byte
	grace    uint32
	regular  []bool
	statics  []bool
	hasStats bool
}

// elements reports whether rows, or static rows, can have elements.
func (t *Table) elements(static bool) bool { return t.multi && !static || t.multiSt && static }

// NewTable checks d and makes a table of it. d must not be changed afterwards.
func NewTable(d Definition) (*Table, error) {
	t := &Table{Definition: d, grace: uint32(min(d.Grace/time.Second, 1<<31))}
	if len(d.Partition) == 0 {
		return nil, errors.New("table definition: a partition key is needed")
	}
	t.prefix[0] = spaceData
	binary.BigEndian.PutUint32(t.prefix[1:], d.ID)
	t.regular, t.statics = make([]bool, len(d.Columns)), make([]bool, len(d.Columns))
	for i, c := range d.Columns {
		t.order = append(t.order, i)
		switch {
		case c.Static:
			t.statics[i], t.hasStats = true, true
			t.multiSt = t.multiSt || c.Type.IsMultiCell()
		case c.Type.IsMultiCell():
			t.regular[i], t.multi = true, true
		default:
			t.regular[i] = true
			t.plain++
		}
	}
	if t.hasStats && len(d.Clustering) == 0 {
		return nil, errors.New("table definition: static columns need a clustering key")
	}
	slices.SortFunc(t.order, func(a, b int) int { return int(int64(d.Columns[a].ID) - int64(d.Columns[b].ID)) })
	for i := 1; i < len(t.order); i++ {
		if d.Columns[t.order[i-1]].ID == d.Columns[t.order[i]].ID {
			return nil, fmt.Errorf("table definition: two columns have the ID %d", d.Columns[t.order[i]].ID)
		}
	}
	return t, nil
}

// HasStatics reports whether the table has static columns.
func (t *Table) HasStatics() bool { return t.hasStats }

// ordinal returns the position in Columns of the column with an ID, or -1 for
// one that was dropped. from is a position in t.order at which to begin; it
// makes a walk in order of IDs linear.
func (t *Table) ordinal(id uint32, from *int) int {
	for ; *from < len(t.order); *from++ {
		switch i := t.order[*from]; {
		case t.Columns[i].ID == id:
			return i
		case t.Columns[i].ID > id:
			return -1
		}
	}
	return -1
}

// Partition is the address of one partition of one table.
type Partition struct {
	// Token places the partition in the table.
	Token  int64
	prefix []byte // of all its keys
}

// Latch returns the latch that covers the partition.
func (p Partition) Latch() Latch { return latchOf(p.prefix) }

// Equal reports whether p and o are the same partition of the same table.
func (p Partition) Equal(o Partition) bool { return string(p.prefix) == string(o.prefix) }

// ID returns a string that identifies the partition among all of the store.
func (p Partition) ID() string { return string(p.prefix) }

// Token returns the token of a partition key.
func (t *Table) Token(values [][]byte) int64 {
	if t.Partitioner == YBHash {
		return cqltype.YBToken(cqltype.YBHash(t.Partition, values))
	}
	return cqltype.Murmur3Token(cqltype.PartitionKey(values...))
}

// maxPartitionKey is the longest partition key, as in Cassandra, whose keys
// have a uint16 length.
const maxPartitionKey = 1<<16 - 1

// ErrKeyTooLong is returned for a partition key of 64 KiB and more.
var ErrKeyTooLong = errors.New("the partition key is longer than the maximum of 65535 bytes")

// PartitionOf returns the partition with the given key, one value per column.
// The values are copied.
func (t *Table) PartitionOf(values [][]byte) (Partition, error) {
	if len(values) != len(t.Partition) {
		return Partition{}, fmt.Errorf("the partition key has %d columns, %d values were given", len(t.Partition), len(values))
	}
	if t.Partitioner == YBHash {
		p := Partition{Token: t.Token(values)}
		p.prefix = appendToken(append(make([]byte, 0, 64), t.prefix[:]...), p.Token)
		for i, v := range values {
			p.prefix = t.Partition[i].AppendKey(p.prefix, v, false)
		}
		return p, nil
	}
	key := cqltype.PartitionKey(values...)
	if len(key) > maxPartitionKey {
		return Partition{}, ErrKeyTooLong
	}
	p := Partition{Token: cqltype.Murmur3Token(key)}
	p.prefix = make([]byte, 0, len(t.prefix)+8+3+len(key))
	p.prefix = appendToken(append(p.prefix, t.prefix[:]...), p.Token)
	p.prefix = binary.AppendUvarint(p.prefix, uint64(len(key)))
	p.prefix = append(p.prefix, key...)
	return p, nil
}

// PartitionValues returns the values of a partition's key. They may alias p.
func (t *Table) PartitionValues(p Partition) ([][]byte, error) {
	values, rest, err := t.splitPartition(p.prefix)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes too many", len(rest))
	}
	if err != nil {
		return nil, fmt.Errorf("partition key of table %d: %w", t.ID, err)
	}
	return values, nil
}

var errKeyForm = errors.New("a key has not the form of its table")

// splitPartition takes the partition prefix off a data key.
func (t *Table) splitPartition(key []byte) (values [][]byte, rest []byte, err error) {
	rest, err = t.skipPartition(key)
	if err != nil {
		return nil, nil, err
	}
	values = make([][]byte, len(t.Partition))
	body := key[len(t.prefix)+8 : len(key)-len(rest)]
	if t.Partitioner == YBHash {
		for i, typ := range t.Partition {
			if values[i], body, err = typ.DecodeKey(nil, body, false); err != nil {
				return nil, nil, err
			}
		}
		return values, rest, nil
	}
	_, n := binary.Uvarint(body)
	body = body[n:]
	if len(values) == 1 {
		values[0] = body[:len(body):len(body)]
		return values, rest, nil
	}
	for i := range values {
		if len(body) < 3 {
			return nil, nil, errKeyForm
		}
		n := int(binary.BigEndian.Uint16(body))
		if len(body) < n+3 {
			return nil, nil, errKeyForm
		}
		values[i] = body[2 : 2+n : 2+n]
		body = body[n+3:]
	}
	return values, rest, nil
}

// skipPartition returns what follows the partition prefix in a data key.
func (t *Table) skipPartition(key []byte) (rest []byte, err error) {
	if len(key) < len(t.prefix)+8 {
		return nil, errKeyForm
	}
	rest = key[len(t.prefix)+8:]
	if t.Partitioner == YBHash {
		for _, typ := range t.Partition {
			if rest, err = typ.SkipKey(rest, false); err != nil {
				return nil, err
			}
		}
		return rest, nil
	}
	size, n := binary.Uvarint(rest)
	if n <= 0 || size > uint64(len(rest)-n) {
		return nil, errKeyForm
	}
	return rest[n+int(size):], nil
}

func appendToken(dst []byte, token int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(token)^1<<63)
}

func tokenOf(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[5:13]) ^ 1<<63) }
