package corpus

// Strange is something in a keyspace that nobody knows who reads it by this
// program's schema: what a later server, a plugin or a human left.
type Strange struct {
	// Name is for people.
	Name string
	// Plant puts it there, Remove takes it away: CQL, where $ks is the keyspace.
	Plant, Remove []string
	// Report is part of what is to be said of it.
	Report string
}

// Rows are strange rows in the partition of shard 1, of Apache Cassandra's schema.
func Rows() []Strange {
	row := func(name, rowType, namespace, column, value, report string) Strange {
		return Strange{
			Name: name,
			Plant: []string{
				"INSERT INTO $ks.executions (shard_id, type, namespace_id, workflow_id, run_id, visibility_ts, task_id, " + column + ") " +
					"VALUES (1, " + rowType + ", " + namespace + ", 'w', 30000000-9000-f000-f000-000000000000, 0, 1, " + value + ")",
			},
			Remove: []string{"DELETE FROM $ks.executions WHERE shard_id = 1 AND type = " + rowType + " AND namespace_id = " + namespace},
			Report: report,
		}
	}
	return []Strange{
		row("a family of tasks in a type of its own", "4", "10000000-9000-f000-f000-000000000000", "replication", "0x01",
			"shard 1, type 4, namespace id 10000000-9000-f000-f000-000000000000"),
		row("a family beside the replication DLQ and archival", "5", "10000000-7000-f000-f000-000000000000", "replication", "0x01",
			"shard 1, type 5, namespace id 10000000-7000-f000-f000-000000000000"),
		row("what a write leaves of a run that was deleted", "1", "10000000-7000-4000-b000-000000000000", "next_event_id", "5",
			"no execution and no current one"),
	}
}

// Columns are strange columns and tables that have values, of Apache Cassandra's
// schema.
func Columns() []Strange {
	return []Strange{
		{
			Name: "a column of queues' tasks",
			Plant: []string{
				"ALTER TABLE $ks.tasks ADD color text",
				"INSERT INTO $ks.tasks (namespace_id, task_queue_name, task_queue_type, type, task_id, color) VALUES (10000000-7000-4000-b000-000000000000, 'q', 1, 0, 5, 'red')",
			},
			Remove: []string{"ALTER TABLE $ks.tasks DROP color"},
			Report: "column tasks.color: 1 rows",
		},
		{
			Name: "a table",
			Plant: []string{
				"CREATE TABLE $ks.colors (a int, b int, c text, PRIMARY KEY ((a, b), c))",
				"INSERT INTO $ks.colors (a, b, c) VALUES (1, 2, 'x')",
			},
			Remove: []string{"DROP TABLE $ks.colors"},
			Report: "table colors: 1 rows",
		},
	}
}
