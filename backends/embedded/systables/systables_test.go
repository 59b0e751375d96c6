package systables_test

import (
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/systables"
)

func apply(t *testing.T, d parse.Dialect, texts ...string) *catalog.Schema {
	t.Helper()
	s := catalog.New(d)
	for _, text := range texts {
		stmt, _, err := parse.Parse(text, d)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Apply(cqlerr.Source{Text: text, Dialect: d}, "", stmt, func(string) bool { return false })
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		s = c.Schema
	}
	return s
}

func tables(t *testing.T, d parse.Dialect) *systables.Tables {
	t.Helper()
	st, err := systables.New(d, systables.Node{Address: net.IPv4(127, 0, 0, 1), Port: 9042, HostID: catalog.UUID{1}})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// show prints the rows of a table whose first column is in keys (all if none),
// with the columns asked for.
func show(t *testing.T, st *systables.Tables, schema *catalog.Schema, name string, columns string, keys ...string) []string {
	t.Helper()
	ks, tn, _ := strings.Cut(name, ".")
	table := st.Table(ks, tn)
	if table == nil {
		t.Fatalf("no table %s", name)
	}
	var out []string
	for _, r := range st.Rows(table, schema) {
		if len(r) != len(table.Columns) {
			t.Fatalf("%s: a row of %d values for %d columns", name, len(r), len(table.Columns))
		}
		for i, c := range table.Columns {
			if r[i] == nil {
				continue
			}
			if err := c.Type.Validate(r[i]); err != nil {
				t.Fatalf("%s.%s: %v", name, c.Name, err)
			}
		}
		if len(keys) > 0 && !slices.Contains(keys, string(r[0])) {
			continue
		}
		var line []string
		for _, c := range strings.Fields(columns) {
			col := table.Column(c)
			line = append(line, format(col.Type, r[col.Index]))
		}
		out = append(out, strings.Join(line, " "))
	}
	return out
}

func format(t *cqltype.Type, v []byte) string {
	if v == nil {
		return "null"
	}
	if t.Kind == cqltype.Blob {
		return "0x" + hex.EncodeToString(v)
	}
	return t.Format(v)
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestCassandraDescribesItselfAndItsSchema(t *testing.T) {
	st := tables(t, parse.Cassandra)
	schema := apply(
		t, parse.Cassandra,
		"CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TYPE app.addr (street text, no int)",
		"CREATE TABLE app.t (b text, a int, d text, c int, s int static, m map<text, frozen<addr>>, PRIMARY KEY ((b, a), d, c)) WITH CLUSTERING ORDER BY (d ASC, c DESC) AND compaction = {'class': 'LeveledCompactionStrategy'} AND comment = 'hi' AND gc_grace_seconds = 60",
		"CREATE INDEX t_m ON app.t (c)",
	)
	equal(t, show(t, st, schema, "system.local", "key cluster_name release_version cql_version rpc_address rpc_port native_protocol_version tokens"),
		"'local' 'embedded' '5.0.6' '3.4.7' '127.0.0.1' 9042 '4' {'-9223372036854775808'}")
	equal(t, show(t, st, schema, "system.peers", "peer"))
	equal(t, show(t, st, schema, "system.peers_v2", "peer"))
	version := show(t, st, schema, "system.local", "schema_version")
	changed := apply(t, parse.Cassandra)
	if slices.Equal(version, show(t, st, changed, "system.local", "schema_version")) {
		t.Fatal("the schema version did not change with the schema")
	}
	equal(t, show(t, st, schema, "system_schema.keyspaces", "keyspace_name durable_writes replication", "app", "system"),
		"'system' true {'class': 'org.apache.cassandra.locator.LocalStrategy'}",
		"'app' true {'class': 'org.apache.cassandra.locator.SimpleStrategy', 'replication_factor': '1'}")
	equal(t, show(t, st, schema, "system_schema.tables", "table_name flags comment bloom_filter_fp_chance gc_grace_seconds compaction cdc", "app"),
		"'t' {'compound'} 'hi' 0.1 60 {'class': 'org.apache.cassandra.db.compaction.LeveledCompactionStrategy'} null")
	equal(t, show(t, st, schema, "system_schema.columns", "column_name kind position clustering_order type column_name_bytes", "app"),
		"'a' 'partition_key' 1 'none' 'int' 0x61",
		"'b' 'partition_key' 0 'none' 'text' 0x62",
		"'c' 'clustering' 1 'desc' 'int' 0x63",
		"'d' 'clustering' 0 'asc' 'text' 0x64",
		"'m' 'regular' -1 'none' 'map<text, frozen<addr>>' 0x6d",
		"'s' 'static' -1 'none' 'int' 0x73")
	equal(t, show(t, st, schema, "system_schema.types", "type_name field_names field_types"), "'addr' ['street', 'no'] ['text', 'int']")
	equal(t, show(t, st, schema, "system_schema.indexes", "table_name index_name kind options"), "'t' 't_m' 'COMPOSITES' {'target': 'c'}")
	for _, empty := range []string{"views", "functions", "aggregates", "triggers", "dropped_columns", "column_masks"} {
		equal(t, show(t, st, schema, "system_schema."+empty, "keyspace_name"))
	}
	equal(t, show(t, st, schema, "system_virtual_schema.keyspaces", "keyspace_name"), "'system_virtual_schema'")
	equal(t, show(t, st, schema, "system_virtual_schema.tables", "table_name"), "'columns'", "'keyspaces'", "'tables'")
}

func TestYCQLDescribesItselfAndItsSchema(t *testing.T) {
	st := tables(t, parse.YCQL)
	schema := apply(
		t, parse.YCQL,
		"CREATE KEYSPACE app",
		"CREATE TYPE app.addr (street text, no int)",
		"CREATE TABLE app.t (b text, a int, c int, v text, s int static, PRIMARY KEY ((b), c)) WITH transactions = {'enabled': true} AND tablets = 3 AND default_time_to_live = 7",
		"CREATE TABLE app.plain (k int PRIMARY KEY)",
		"CREATE INDEX by_v ON app.t (v) INCLUDE (a)",
	)
	equal(t, show(t, st, schema, "system.local", "key cluster_name release_version cql_version rpc_address thrift_version schema_version tokens"),
		"'local' 'local cluster' '3.9-SNAPSHOT' '3.4.2' '127.0.0.1' '20.1.0' 00000000-0000-0000-0000-000000000000 {'0'}")
	equal(t, show(t, st, schema, "system.partitions", "table_name start_key end_key replica_addresses", "app"),
		"'by_v' 0x 0x {'127.0.0.1': 'LEADER'}",
		"'plain' 0x 0x {'127.0.0.1': 'LEADER'}",
		"'t' 0x 0x5555 {'127.0.0.1': 'LEADER'}",
		"'t' 0x5555 0xaaaa {'127.0.0.1': 'LEADER'}",
		"'t' 0xaaaa 0x {'127.0.0.1': 'LEADER'}")
	equal(t, show(t, st, schema, "system_schema.tables", "table_name flags default_time_to_live transactions caching", "app"),
		"'plain' {'compound'} 0 {'enabled': 'false'} null",
		"'t' {'compound'} 7 {'enabled': 'true'} null")
	equal(t, show(t, st, schema, "system_schema.columns", "column_name kind position clustering_order type column_name_bytes", "app")[1:],
		"'a' 'regular' -1 'none' 'int' null",
		"'b' 'partition_key' 0 'none' 'text' null",
		"'c' 'clustering' 0 'asc' 'int' null",
		"'s' 'static' -1 'none' 'int' null",
		"'v' 'regular' -1 'none' 'text' null")
	equal(t, show(t, st, schema, "system_schema.types", "type_name field_names field_types"), "'addr' ['street', 'no'] ['text', 'int']")
	equal(t, show(t, st, schema, "system_schema.indexes", "table_name index_name options is_unique transactions"),
		"'t' 'by_v' {'include': 'a', 'target': 'v'} false {'enabled': 'true'}")
	if st.Table("system", "peers_v2") != nil {
		t.Fatal("YugabyteDB has no system.peers_v2; drivers tell servers apart by it")
	}
}

func TestSystemTablesListThemselves(t *testing.T) {
	for _, d := range []parse.Dialect{parse.Cassandra, parse.YCQL} {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			st := tables(t, d)
			schema := catalog.New(d)
			listed := show(t, st, schema, "system_schema.tables", "keyspace_name table_name")
			for _, ks := range st.Schema().Keyspaces {
				if !st.IsSystem(ks.Name) {
					t.Errorf("%s is not a system keyspace", ks.Name)
				}
				for name := range ks.Tables {
					want := "'" + ks.Name + "' '" + name + "'"
					if ks.Name != "system_virtual_schema" && !slices.Contains(listed, want) {
						t.Errorf("%s is not listed", want)
					}
				}
			}
			if st.IsSystem("app") {
				t.Error("app is a system keyspace")
			}
			// Every row of every table has values of the right type (show checks it).
			for _, ks := range st.Schema().Keyspaces {
				for _, table := range ks.Tables {
					show(t, st, schema, ks.Name+"."+table.Name, "")
				}
			}
		})
	}
}

func TestRowsAreComputedOncePerSchema(t *testing.T) {
	st := tables(t, parse.Cassandra)
	table := st.Table("system_schema", "columns")
	schema := catalog.New(parse.Cassandra)
	a, b := st.Rows(table, schema), st.Rows(table, schema)
	if &a[0] != &b[0] {
		t.Fatal("computed twice for one schema")
	}
}

// What an Apache Cassandra 5.0.6 shows of itself.
func TestFactsSeenOnARealCassandra(t *testing.T) {
	st := tables(t, parse.Cassandra)
	schema := catalog.New(parse.Cassandra)
	equal(t, show(t, st, schema, "system_schema.keyspaces", "keyspace_name"), "'system_schema'", "'system'")
	ids := show(t, st, schema, "system_schema.tables", "table_name id", "system")
	if want := "'local' 7ad54392-bcdd-35a6-8417-4e047860b377"; !slices.Contains(ids, want) {
		t.Fatalf("ids %v, want %s", ids, want)
	}
	var local []string
	for _, c := range st.Table("system", "local").Columns {
		local = append(local, c.Name)
	}
	want := "key bootstrapped broadcast_address broadcast_port cluster_name cql_version data_center gossip_generation host_id " +
		"listen_address listen_port native_protocol_version partitioner rack release_version rpc_address rpc_port schema_version " +
		"tokens truncated_at"
	equal(t, local, strings.Fields(want)...)
}
