package systables

import (
	"crypto/md5" //nolint:gosec // not for security: makes ids from names
	"encoding/binary"
	"strconv"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

const partitioner = "org.apache.cassandra.dht.Murmur3Partitioner"

// local is the row of system.local.
func (t *Tables) local(schema *catalog.Schema) []row {
	n := t.node
	r := row{
		"key": text("local"), "bootstrapped": text("COMPLETED"), "cluster_name": text(n.ClusterName),
		"data_center": text(n.DataCenter), "rack": text(n.Rack), "host_id": uuid(n.HostID), "native_protocol_version": text("4"),
		"partitioner": text(partitioner), "broadcast_address": inet(n.Address), "listen_address": inet(n.Address),
		"rpc_address": inet(n.Address), "gossip_generation": integer(0),
	}
	if t.dialect == parse.YCQL {
		r["release_version"], r["cql_version"], r["thrift_version"] = text(ycqlRelease), text(ycqlCQL), text("20.1.0")
		r["tokens"] = set("0")
		// Constant: drivers then find that all agree, always (ycql.md 3.3).
		r["schema_version"] = uuid(catalog.UUID{})
		return []row{r}
	}
	r["release_version"], r["cql_version"] = text(cassandraRelease), text(cassandraCQL)
	// One token at the very start of the ring: the node owns all of it.
	r["tokens"] = set("-9223372036854775808")
	r["schema_version"] = uuid(schema.Version)
	r["broadcast_port"], r["listen_port"], r["rpc_port"] = integer(7000), integer(7000), integer(int32(n.Port))
	return []row{r}
}

// partitions is YugabyteDB's list of tablets. Every table is listed, the server's
// own and indexes too: yugabyte/gocql asks again before each query of a table that
// it does not find here.
func (t *Tables) partitions(schema *catalog.Schema) []row {
	var rows []row
	for _, table := range t.all(schema) {
		rows = append(rows, t.tablets(table.Keyspace, table.Name, int(table.Tablets))...)
		for _, ix := range table.Indexes {
			rows = append(rows, t.tablets(table.Keyspace, ix.Name, 0)...)
		}
	}
	return rows
}

// tablets splits the 16-bit hash space evenly, as src/yb/common/partition.cc does.
// Both ends of the space are open: empty keys.
func (t *Tables) tablets(keyspace, table string, n int) []row {
	n = max(n, 1)
	bound := func(i int) []byte {
		if i == 0 || i == n {
			return []byte{}
		}
		return binary.BigEndian.AppendUint16(nil, uint16(i*(1<<16/n)))
	}
	rows := make([]row, n)
	for i := range rows {
		id := md5.Sum([]byte(keyspace + "." + table + "/" + strconv.Itoa(i))) //nolint:gosec // see the import
		rows[i] = row{
			"keyspace_name": text(keyspace), "table_name": text(table),
			"start_key": bound(i), "end_key": bound(i + 1), "id": id[:],
			"replica_addresses": cqltype.EncodeCollection(replicaOf, [][]byte{inet(t.node.Address), text("LEADER")}),
		}
	}
	return rows
}
