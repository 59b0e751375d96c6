package systables

import "github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"

const localStrategy = "org.apache.cassandra.locator.LocalStrategy"

func systemKeyspaces(d parse.Dialect) []string {
	if d == parse.YCQL {
		return []string{"system", "system_schema", "system_auth"}
	}
	return []string{"system", "system_schema", "system_virtual_schema"}
}

// tableOptions are the columns about options that system_schema.tables and .views
// of Cassandra have in common.
const tableOptions = `additional_write_policy text, allow_auto_snapshot boolean, bloom_filter_fp_chance double,
	caching frozen<map<text, text>>, cdc boolean, comment text, compaction frozen<map<text, text>>,
	compression frozen<map<text, text>>, crc_check_chance double, dclocal_read_repair_chance double,
	default_time_to_live int, extensions frozen<map<text, blob>>, gc_grace_seconds int, id uuid,
	incremental_backups boolean, max_index_interval int, memtable text, memtable_flush_period_in_ms int,
	min_index_interval int, read_repair text, read_repair_chance double, speculative_retry text`

const columnsOfColumns = `keyspace_name text, table_name text, column_name text, clustering_order text,
	column_name_bytes blob, kind text, position int, type text`

var cassandraTables = []string{
	`CREATE TABLE system.local (key text, bootstrapped text, broadcast_address inet, broadcast_port int, cluster_name text,
		cql_version text, data_center text, gossip_generation int, host_id uuid, listen_address inet, listen_port int,
		native_protocol_version text, partitioner text, rack text, release_version text, rpc_address inet, rpc_port int,
		schema_version uuid, tokens set<text>, truncated_at map<uuid, blob>, PRIMARY KEY ((key)))`,
	`CREATE TABLE system.peers (peer inet, data_center text, host_id uuid, preferred_ip inet, rack text,
		release_version text, rpc_address inet, schema_version uuid, tokens set<text>, PRIMARY KEY ((peer)))`,
	`CREATE TABLE system.peers_v2 (peer inet, peer_port int, data_center text, host_id uuid, native_address inet,
		native_port int, preferred_ip inet, preferred_port int, rack text, release_version text, schema_version uuid,
		tokens set<text>, PRIMARY KEY ((peer), peer_port))`,
	`CREATE TABLE system_schema.keyspaces (keyspace_name text, durable_writes boolean, replication frozen<map<text, text>>,
		PRIMARY KEY ((keyspace_name)))`,
	`CREATE TABLE system_schema.tables (keyspace_name text, table_name text, flags frozen<set<text>>, ` + tableOptions + `,
		PRIMARY KEY ((keyspace_name), table_name))`,
	`CREATE TABLE system_schema.views (keyspace_name text, view_name text, base_table_id uuid, base_table_name text,
		include_all_columns boolean, where_clause text, ` + tableOptions + `, PRIMARY KEY ((keyspace_name), view_name))`,
	`CREATE TABLE system_schema.columns (` + columnsOfColumns + `, PRIMARY KEY ((keyspace_name), table_name, column_name))`,
	`CREATE TABLE system_schema.column_masks (keyspace_name text, table_name text, column_name text,
		function_argument_nulls frozen<list<boolean>>, function_argument_types frozen<list<text>>,
		function_argument_values frozen<list<text>>, function_keyspace text, function_name text,
		PRIMARY KEY ((keyspace_name), table_name, column_name))`,
	`CREATE TABLE system_schema.dropped_columns (keyspace_name text, table_name text, column_name text,
		dropped_time timestamp, kind text, type text, PRIMARY KEY ((keyspace_name), table_name, column_name))`,
	`CREATE TABLE system_schema.triggers (keyspace_name text, table_name text, trigger_name text,
		options frozen<map<text, text>>, PRIMARY KEY ((keyspace_name), table_name, trigger_name))`,
	`CREATE TABLE system_schema.types (keyspace_name text, type_name text, field_names frozen<list<text>>,
		field_types frozen<list<text>>, PRIMARY KEY ((keyspace_name), type_name))`,
	`CREATE TABLE system_schema.functions (keyspace_name text, function_name text, argument_types frozen<list<text>>,
		argument_names frozen<list<text>>, body text, called_on_null_input boolean, language text, return_type text,
		PRIMARY KEY ((keyspace_name), function_name, argument_types))`,
	`CREATE TABLE system_schema.aggregates (keyspace_name text, aggregate_name text, argument_types frozen<list<text>>,
		final_func text, initcond text, return_type text, state_func text, state_type text,
		PRIMARY KEY ((keyspace_name), aggregate_name, argument_types))`,
	`CREATE TABLE system_schema.indexes (keyspace_name text, table_name text, index_name text, kind text,
		options frozen<map<text, text>>, PRIMARY KEY ((keyspace_name), table_name, index_name))`,
	`CREATE TABLE system_virtual_schema.keyspaces (keyspace_name text, PRIMARY KEY ((keyspace_name)))`,
	`CREATE TABLE system_virtual_schema.tables (keyspace_name text, table_name text, comment text,
		PRIMARY KEY ((keyspace_name), table_name))`,
	`CREATE TABLE system_virtual_schema.columns (` + columnsOfColumns + `,
		PRIMARY KEY ((keyspace_name), table_name, column_name))`,
}

// Collections are not frozen here: YugabyteDB's are not either.
const ycqlTableOptions = `bloom_filter_fp_chance double, caching map<text, text>, cdc boolean, comment text,
	compaction map<text, text>, compression map<text, text>, crc_check_chance double, dclocal_read_repair_chance double,
	default_time_to_live int, extensions map<text, blob>, `

const ycqlMoreOptions = `max_index_interval int, memtable_flush_period_in_ms int, min_index_interval int,
	read_repair_chance double, speculative_retry text, `

var ycqlTables = []string{
	`CREATE TABLE system.local (key text, bootstrapped text, broadcast_address inet, cluster_name text, cql_version text,
		data_center text, gossip_generation int, host_id uuid, listen_address inet, native_protocol_version text,
		partitioner text, rack text, release_version text, rpc_address inet, schema_version uuid, thrift_version text,
		tokens set<text>, truncated_at map<uuid, blob>, PRIMARY KEY ((key)))`,
	`CREATE TABLE system.peers (peer inet, data_center text, host_id uuid, preferred_ip inet, rack text,
		release_version text, rpc_address inet, schema_version uuid, tokens set<text>, PRIMARY KEY ((peer)))`,
	`CREATE TABLE system.partitions (keyspace_name text, table_name text, start_key blob, end_key blob, id uuid,
		replica_addresses map<inet, text>, PRIMARY KEY ((keyspace_name), table_name, start_key))`,
	`CREATE TABLE system_schema.keyspaces (keyspace_name text, durable_writes boolean, replication map<text, text>,
		PRIMARY KEY ((keyspace_name)))`,
	`CREATE TABLE system_schema.tables (keyspace_name text, table_name text, ` + ycqlTableOptions + `flags set<text>,
		gc_grace_seconds int, id uuid, ` + ycqlMoreOptions + `transactions map<text, text>,
		PRIMARY KEY ((keyspace_name), table_name))`,
	`CREATE TABLE system_schema.views (keyspace_name text, view_name text, base_table_id uuid, base_table_name text, ` +
		ycqlTableOptions + `gc_grace_seconds int, id uuid, include_all_columns boolean, ` + ycqlMoreOptions + `where_clause text,
		PRIMARY KEY ((keyspace_name), view_name))`,
	`CREATE TABLE system_schema.columns (` + columnsOfColumns + `, PRIMARY KEY ((keyspace_name), table_name, column_name))`,
	`CREATE TABLE system_schema.triggers (keyspace_name text, table_name text, trigger_name text, options map<text, text>,
		PRIMARY KEY ((keyspace_name), table_name, trigger_name))`,
	`CREATE TABLE system_schema.types (keyspace_name text, type_name text, field_names list<text>, field_types list<text>,
		PRIMARY KEY ((keyspace_name), type_name))`,
	`CREATE TABLE system_schema.functions (keyspace_name text, function_name text, argument_types list<text>,
		argument_names list<text>, called_on_null_input boolean, language text, return_type text,
		PRIMARY KEY ((keyspace_name), function_name))`,
	`CREATE TABLE system_schema.aggregates (keyspace_name text, aggregate_name text, argument_types list<text>,
		final_func text, initcond text, return_type text, state_func text, state_type text,
		PRIMARY KEY ((keyspace_name), aggregate_name))`,
	`CREATE TABLE system_schema.indexes (keyspace_name text, table_name text, index_name text, kind text,
		options map<text, text>, table_id uuid, index_id uuid, transactions map<text, text>, is_unique boolean,
		PRIMARY KEY ((keyspace_name), table_name, index_name))`,
}
