package records_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// Every read that a source may make compiles in every dialect.
func TestReadsCompile(t *testing.T) {
	for _, d := range []dialect.Dialect{cassandra.New(), ycql.New(ycql.All)} {
		t.Run(d.Name(), func(t *testing.T) {
			if _, err := records.NewSource(reading(t, exec.New(nil, d, nil)), records.Options{Shards: 4}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func id(b byte) (u [16]byte) {
	u[0], u[15] = b, b
	return u
}

func put(t *testing.T, ex exec.Executor, table *plan.Table, key []any, values ...any) {
	t.Helper()
	m := plan.Mutation{Table: table, Op: plan.Insert, Key: key}
	for i, v := range values {
		if v != nil {
			m.Effects = append(m.Effects, plan.Effect{Op: plan.Set, Column: table.Columns[i], Value: v})
		}
	}
	if err := ex.Write(t.Context(), &plan.Write{Name: "put", Scope: plan.Atomic, Mutations: []plan.Mutation{m}}); err != nil {
		t.Fatal(err)
	}
}

func blob(s string) plan.Blob { return plan.Blob{Data: []byte(s), Encoding: "Proto3"} }

// fill stores a few rows of many tables.
func fill(t *testing.T, ex exec.Executor) (rows int) {
	t.Helper()
	add := func(table *plan.Table, key []any, values ...any) {
		put(t, ex, table, key, values...)
		rows++
	}
	for shard := int64(1); shard <= 4; shard++ {
		add(plan.Shards, []any{shard}, int64(7), blob(""))
		for i := range 10 {
			workflow := fmt.Sprintf("w-%d", i)
			add(plan.CurrentExecutions, []any{shard, id(1), workflow, int64(2918170192)}, id(byte(i)), blob("state"), int64(3), int64(1))
			add(plan.Executions, []any{shard, id(1), workflow, id(byte(i))}, blob("info"), blob("state"), int64(9), int64(4))
			add(plan.HistoryTasks, []any{shard, int64(1), plan.Immediate, int64(i)}, blob("transfer"))
			add(plan.HistoryTasks, []any{shard, int64(2), int64(1000 * i), int64(i)}, blob("timer"))
			add(plan.ReplicationDLQ, []any{shard, "other", int64(i)}, blob("dlq"))
		}
	}
	for i := range byte(20) {
		add(plan.HistoryTree, []any{id(i), id(1)}, blob("no branch"))
		for n := range int64(7) {
			add(plan.HistoryNodes, []any{id(i), id(1), n, 100 - n}, n, blob("events"))
		}
		name := fmt.Sprintf("queue/%d", i)
		add(plan.TaskQueues, []any{id(1), name, int64(1)}, int64(5), blob("queue"))
		for n := range int64(i) {
			add(plan.Tasks, []any{id(1), name, int64(1), int64(0), n}, blob("task"))
			add(plan.FairTasks, []any{id(1), name, int64(1), int64(1), int64(1), n}, blob("task"))
		}
		add(plan.UserData, []any{id(i), name}, blob("data"), int64(1))
		add(plan.BuildIDs, []any{id(i), "build", name})
		add(plan.NamespaceIDs, []any{id(i)}, name)
		add(plan.QueueMessages, []any{int64(1), int64(i)}, blob("message"))
		add(plan.QueueV2Messages, []any{int64(2), name, int64(0), int64(i)}, blob("message"))
	}
	add(plan.Namespaces, []any{"default"}, id(1), blob("detail"), true, int64(2))
	add(plan.NamespaceVersion, []any{}, int64(3))
	add(plan.ClusterMetadata, []any{"active"}, blob("metadata"), int64(1))
	add(plan.QueueMetadata, []any{int64(1)}, []plan.TextIntEntry{{Key: "b", Value: 1}, {Key: "a", Value: 2}}, blob("metadata"), int64(1))
	add(plan.NexusEndpoints, []any{plan.NexusVersionRow, id(0)}, nil, int64(1))
	add(plan.NexusEndpoints, []any{plan.NexusEndpointRow, id(9)}, blob("endpoint"), int64(1))
	return rows
}

func digest(t testing.TB, s *records.Source, parts []records.Part) (*records.Digest, []records.Record) {
	t.Helper()
	d := records.NewDigest(records.Content)
	var all []records.Record
	for _, p := range parts {
		if err := s.All(t.Context(), p, func(r *records.Record) error {
			d.Add(r)
			all = append(all, *r)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return d, all
}

// However the reading is cut up, the records are the same, each once.
func TestCuts(t *testing.T) {
	ex := memory.NewExecutor(memory.NewState(), cql.Traits{TTL: true})
	rows := fill(t, ex)
	source := func(o records.Options) *records.Source {
		o.Shards = 4
		s, err := records.NewSource(ex, o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := source(records.Options{})
	want, all := digest(t, s, s.Parts(1))
	if len(all) != rows {
		t.Fatalf("%d records of %d rows: %v", len(all), rows, want.Totals())
	}
	for _, o := range []records.Options{{PageRows: 1, Concurrency: 1}, {PageRows: 3, Concurrency: 4}, {PageBytes: 1}} {
		for _, n := range []int{1, 7, 100} {
			s := source(o)
			got, _ := digest(t, s, s.Parts(n))
			if diff, err := want.Diff(got); err != nil || len(diff) > 0 {
				t.Errorf("%+v in %d parts: %v, %v", o, n, diff, err)
			}
		}
	}
	for i := range all {
		got, rest, err := records.Decode(all[i].Append(nil))
		if err != nil || len(rest) > 0 || !reflect.DeepEqual(*got, all[i]) {
			t.Fatalf("decoded %+v, %v, want %+v", got, err, all[i])
		}
	}
}
