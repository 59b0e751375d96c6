package yugabyte

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// mostTargets bounds what is remembered of statements. A dialect has some 200;
// who makes more has them sent in turn to all servers, which forward them.
const mostTargets = 4096

// target is where the rows of a statement are found: the table whose partition
// key its arguments give.
type target struct {
	table string
	args  []int // positions of the key's arguments
	types []gocql.TypeInfo
}

// targets are those of statements, learned when they are prepared. They stay
// right when the session is made anew, and are safe for concurrent use.
type targets struct {
	known sync.Map // *cql.Statement -> *target, nil if it names no partition
	count atomic.Int64
}

// learn remembers what the server said of a statement's markers.
func (t *targets) learn(s *cql.Statement, keyspace string, info *gocql.QueryInfo) {
	if _, known := t.known.Load(s); known || t.count.Load() >= mostTargets {
		return
	}
	if _, known := t.known.LoadOrStore(s, newTarget(s, keyspace, info)); !known {
		t.count.Add(1)
	}
}

func newTarget(s *cql.Statement, keyspace string, info *gocql.QueryInfo) *target {
	positions := s.KeyArgs
	if positions == nil {
		positions = info.PKeyColumns
	}
	if len(positions) == 0 {
		return nil
	}
	t := &target{args: positions}
	for _, at := range positions {
		if at >= len(info.Args) {
			return nil
		}
		column := info.Args[at]
		if column.Keyspace != keyspace || t.table != "" && t.table != column.Table || !hashable(column.TypeInfo) {
			return nil
		}
		t.table = column.Table
		t.types = append(t.types, column.TypeInfo)
	}
	return t
}

// of returns the table and the hash of the partition that a call is about.
func (t *targets) of(c cql.Call) (table string, hash uint16, ok bool) {
	known, ok := t.known.Load(c.Statement)
	if !ok {
		return "", 0, false
	}
	to, _ := known.(*target)
	if to == nil {
		return "", 0, false
	}
	if hash, ok = to.hash(c.Args); !ok {
		return "", 0, false
	}
	return to.table, hash, true
}

// hash is the server's: 16 bits of the encoded key columns one after the other.
func (t *target) hash(args []any) (uint16, bool) {
	var key []byte
	for i, at := range t.args {
		if at >= len(args) || args[at] == nil {
			return 0, false
		}
		b, err := encoded(t.types[i], args[at])
		if err != nil {
			return 0, false // sending it will fail as well
		}
		key = append(key, b...)
	}
	return uint16(gocql.GetKey(key)), true
}

// encoded is a key column as the server hashes it: as in the protocol, but for
// timestamps, which are in microseconds there. (The driver's MarshalYb leaves
// those alone that arrive as int64.)
func encoded(info gocql.TypeInfo, arg any) ([]byte, error) {
	if r, ok := arg.(cql.Raw); ok {
		arg = raw(r)
	}
	b, err := gocql.Marshal(info, arg)
	if err != nil || info.Type() != gocql.TypeTimestamp || len(b) != 8 {
		return b, err
	}
	return binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(b)*1000), nil
}

// hashable are the types whose hash was compared with the server's function
// partition_hash.
func hashable(info gocql.TypeInfo) bool {
	switch info.Type() {
	case gocql.TypeInt, gocql.TypeBigInt, gocql.TypeSmallInt, gocql.TypeTinyInt, gocql.TypeVarchar, gocql.TypeText,
		gocql.TypeBlob, gocql.TypeUUID, gocql.TypeTimeUUID, gocql.TypeBoolean, gocql.TypeTimestamp, gocql.TypeInet:
		return true
	default:
		return false
	}
}
