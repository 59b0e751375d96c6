package yugabyte

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/yugabyte/gocql"
)

// tablet is a range of the hashes of a table's partition keys, which ends where
// the next one starts, with the addresses of its replicas, the leader first.
type tablet struct {
	start    uint16
	replicas []string
	copies   int // replicas that vote
}

// partitions is where the tablets of one keyspace's tables are, sorted by their
// starts. It is immutable.
//
// The driver has such a map, too: one for all sessions of the process, so that
// sessions to two clusters overwrite each other's, and with a query before each
// statement of a table that it does not hold. Nothing here reads that one.
type partitions map[string][]tablet

// replicas returns who holds the rows of a table with a hash; nil if the table
// is not known.
func (p partitions) replicas(table string, hash uint16) []string {
	tablets := p[table]
	i := sort.Search(len(tablets), func(i int) bool { return tablets[i].start > hash })
	if i == 0 {
		return nil
	}
	return tablets[i-1].replicas
}

// roles are the values in system.partitions.replica_addresses, by how good they
// are for a read or a write.
var roles = map[string]int{"LEADER": 0, "FOLLOWER": 1, "READ_REPLICA": 2}

const selectPartitions = `SELECT table_name, start_key, end_key, replica_addresses FROM system.partitions WHERE keyspace_name = ?`

// loadPartitions asks a server where the tablets of a keyspace are.
func loadPartitions(ctx context.Context, g *gocql.Session, keyspace string) (partitions, error) {
	iter := g.Query(selectPartitions, keyspace).WithContext(ctx).Iter()
	p := partitions{}
	var (
		table      string
		start, end []byte
		addresses  map[string]string
	)
	for iter.Scan(&table, &start, &end, &addresses) {
		p[table] = append(p[table], newTablet(start, addresses))
		addresses = nil
	}
	if err := iter.Close(); err != nil {
		return nil, fmt.Errorf("read system.partitions: %w", err)
	}
	for _, tablets := range p {
		slices.SortFunc(tablets, func(a, b tablet) int { return int(a.start) - int(b.start) })
	}
	return p, nil
}

// fewest returns the table whose tablets have the fewest copies, and how many.
func (p partitions) fewest() (table string, copies int) {
	for name, tablets := range p {
		for _, t := range tablets {
			if table == "" || t.copies < copies || t.copies == copies && name < table {
				table, copies = name, t.copies
			}
		}
	}
	return table, copies
}

func newTablet(start []byte, addresses map[string]string) tablet {
	t := tablet{start: bound(start), replicas: ordered(addresses)}
	for _, role := range addresses {
		if role != "READ_REPLICA" {
			t.copies++
		}
	}
	return t
}

// bound is a key of two bytes; an empty one is the open end of all keys.
func bound(key []byte) uint16 {
	if len(key) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(key)
}

// ordered sorts replicas by their roles, then by address.
func ordered(addresses map[string]string) []string {
	replicas := make([]string, 0, len(addresses))
	for address := range addresses {
		replicas = append(replicas, address)
	}
	rank := func(address string) int {
		if r, ok := roles[addresses[address]]; ok {
			return r
		}
		return len(roles)
	}
	slices.SortFunc(replicas, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		if a < b {
			return -1
		}
		return 1
	})
	return replicas
}
