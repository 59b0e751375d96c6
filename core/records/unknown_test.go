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
	expect := func(found []records.Unknown, want string) {
		t.Helper()
		if len(found) != 1 || !strings.Contains(found[0].String(), want) {
			t.Errorf("found %v, want %q", found, want)
		}
	}
	for _, strange := range corpus.Rows() {
		for _, text := range strange.Plant {
			run(text)
		}
		expect(rows(1), strange.Report)
		if found := rows(2); len(found) > 0 {
			t.Errorf("%s: another shard has %v", strange.Name, found)
		}
		if _, err := src.ShardCounts(t.Context(), 1); (err != nil) != strings.Contains(strange.Report, "type") {
			t.Errorf("%s: counting ends with %v", strange.Name, err)
		}
		// Tasks of an unknown family end the reading; they are never read over.
		err := src.All(t.Context(), records.Part{Stage: records.ShardStage, Shard: 1}, func(*records.Record) error { return nil })
		if family := strings.Contains(strange.Report, "type"); family != (err != nil && strings.Contains(err.Error(), "does not know")) {
			t.Errorf("%s: reading ends with %v", strange.Name, err)
		}
		for _, text := range strange.Remove {
			run(text)
		}
	}
	run("ALTER TABLE $ks.queues ADD \"Shape\" set<int>")
	if found := columns(); len(found) > 0 {
		t.Errorf("columns without values are reported: %v", found)
	}
	for _, strange := range corpus.Columns() {
		for _, text := range strange.Plant {
			run(text)
		}
		expect(columns(), strange.Report)
		for _, text := range strange.Remove {
			run(text)
		}
	}
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
