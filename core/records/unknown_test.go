package records_test

import (
	"context"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

func testUnknown(t *testing.T, s *store) {
	o := corpus.Small(5)
	o.Whole = true
	s.put(t, o.Shards, corpus.Make(o))
	src := s.source(t, records.Options{Shards: o.Shards, PageRows: 10})
	rows := func(shard int64) []records.Unknown {
		t.Helper()
		found, err := src.UnknownRows(t.Context(), shard)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	columns := func() []records.Unknown {
		t.Helper()
		found, err := records.UnknownColumns(t.Context(), s.admin, s.keyspace, cassandra.New().Columns(), cassandra.New().Traits())
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := rows(1); len(found) > 0 {
		t.Errorf("a known keyspace has %v", found)
	}
	if found := columns(); len(found) > 0 {
		t.Errorf("a known keyspace has %v", found)
	}

	run := func(text string) {
		t.Helper()
		if err := s.admin.Exec(t.Context(), strings.ReplaceAll(text, "$ks", `"`+s.keyspace+`"`)); err != nil {
			t.Fatal(err)
		}
	}
	insert := func(rowType, namespace, columns, values string) {
		run("INSERT INTO $ks.executions (shard_id, type, namespace_id, workflow_id, run_id, visibility_ts, task_id" + columns +
			") VALUES (1, " + rowType + ", " + namespace + ", 'w', 30000000-9000-f000-f000-000000000000, 0, 1" + values + ")")
	}
	expect := func(found []records.Unknown, want string) {
		t.Helper()
		if len(found) != 1 || !strings.Contains(found[0].String(), want) {
			t.Errorf("found %v, want %q", found, want)
		}
	}
	// A family of a type of its own; one in the type of the DLQ and archival.
	insert("4", "10000000-9000-f000-f000-000000000000", ", replication", ", 0x01")
	expect(rows(1), "shard 1, type 4, namespace id 10000000-9000-f000-f000-000000000000")
	if _, err := src.Page(t.Context(), records.Part{Stage: records.ShardStage, Shard: 1}, nil); err == nil {
		err = src.All(t.Context(), records.Part{Stage: records.ShardStage, Shard: 1}, func(*records.Record) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "does not know") {
			t.Errorf("an unknown family was read over: %v", err)
		}
	}
	run("DELETE FROM $ks.executions WHERE shard_id = 1 AND type = 4 AND namespace_id = 10000000-9000-f000-f000-000000000000")
	insert("5", "10000000-7000-f000-f000-000000000000", ", replication", ", 0x01")
	expect(rows(1), "shard 1, type 5, namespace id 10000000-7000-f000-f000-000000000000")
	run("DELETE FROM $ks.executions WHERE shard_id = 1 AND type = 5 AND namespace_id = 10000000-7000-f000-f000-000000000000")
	// What a write leaves of a run that was deleted.
	insert("1", "10000000-7000-4000-b000-000000000000", ", next_event_id", ", 5")
	expect(rows(1), "no execution and no current one")
	if found := rows(2); len(found) > 0 {
		t.Errorf("another shard has %v", found)
	}

	run("ALTER TABLE $ks.tasks ADD color text")
	run("ALTER TABLE $ks.queues ADD \"Shape\" set<int>")
	if found := columns(); len(found) > 0 {
		t.Errorf("columns without values are reported: %v", found)
	}
	run("INSERT INTO $ks.tasks (namespace_id, task_queue_name, task_queue_type, type, task_id, color) VALUES (10000000-7000-4000-b000-000000000000, 'q', 1, 0, 5, 'red')")
	expect(columns(), "column tasks.color: 1 rows")
	run("ALTER TABLE $ks.tasks DROP color")
	run("CREATE TABLE $ks.colors (a int, b int, c text, PRIMARY KEY ((a, b), c))")
	run("INSERT INTO $ks.colors (a, b, c) VALUES (1, 2, 'x')")
	expect(columns(), "table colors: 1 rows")
}

func TestUnknown(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { testUnknown(t, engine(t, "cassandra")) })
	t.Run("cassandra", func(t *testing.T) { testUnknown(t, node(t)) })
	t.Run("ycql", func(t *testing.T) {
		s := engine(t, "ycql")
		columns := func() []records.Unknown {
			found, err := records.UnknownColumns(t.Context(), s.admin, s.keyspace, ycql.New(ycql.All).Columns(), ycql.New(ycql.All).Traits())
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		if found := columns(); len(found) > 0 {
			t.Errorf("a known keyspace has %v", found)
		}
		for _, text := range []string{
			"ALTER TABLE $ks.queue ADD color text",
			"INSERT INTO $ks.queue (queue_type, message_id, color) VALUES (1, 2, 'red')",
		} {
			if err := s.admin.Exec(t.Context(), strings.ReplaceAll(text, "$ks", s.keyspace)); err != nil {
				t.Fatal(err)
			}
		}
		if found := columns(); len(found) != 1 || found[0].String() != "column queue.color: 1 rows or more" {
			t.Errorf("found %v", found)
		}
	})
}

// A count that a server cannot make at once is made in pieces.
func TestCountsAreSplit(t *testing.T) {
	admin := &refusing{}
	found, err := records.UnknownColumns(t.Context(), admin, "ks", map[string][]string{"t": {"k"}}, cql.Traits{HashMax: 1023, ShardPartition: true})
	if err != nil || len(found) != 1 || found[0].Rows != 1024 {
		t.Errorf("found %v, %v", found, err)
	}
}

// refusing is a table with a row under each hash, of which it counts 100 at most.
type refusing struct{ cql.Admin }

func (*refusing) Query(_ context.Context, text string, _ ...any) ([]cql.Row, error) {
	if strings.Contains(text, "system_schema") {
		return []cql.Row{
			{"table_name": "t", "column_name": "k", "kind": "partition_key", "position": int64(0)},
			{"table_name": "t", "column_name": "color", "kind": "regular", "position": int64(-1)},
		}, nil
	}
	var first, last int64
	words := strings.Fields(text)
	for i, w := range words {
		switch w {
		case ">=":
			first = number(words[i+1])
		case "<=":
			last = number(words[i+1])
		}
	}
	if last-first >= 100 {
		return nil, &cql.Error{Reach: cql.Replied, Code: cql.CodeReadTimeout, Message: "timed out"}
	}
	return []cql.Row{{"n": last - first + 1}}, nil
}

func number(s string) (n int64) {
	for _, c := range s {
		n = 10*n + int64(c-'0')
	}
	return n
}
