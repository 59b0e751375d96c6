package cassandra_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
	"github.com/temporal-ycql/temporal-ycql/dialect/samples"
)

func sample(t *testing.T, name string) samples.Sample {
	t.Helper()
	for _, s := range samples.Of(cassandra.New()) {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no sample %s", name)
	return samples.Sample{}
}

// rare are the calls that a cluster without replication to others does not make
// in a normal day, beyond what its start takes.
var rare = []string{
	"records-",
	"dlq-", "execution-resolve", "execution-update-bypass", "execution-update-legacy", "execution-create-archetype",
	"execution-list", "execution-set", "history-fork", "namespace-create", "namespace-rename", "namespace-delete", "namespace-update",
	"cluster-delete", "cluster-create", "user-data-update", "build-id", "fair-", "queue-list", "nexus-create", "nexus-update",
	"nexus-delete", "message-", "queue-v2-", "history-read-reverse", "tasks-get-replication", "member-list-filtered",
}

// Each text is one PREPARE on every server.
func TestFewTexts(t *testing.T) {
	everyday, all := cassandra.New(), cassandra.New()
	for _, s := range samples.Of(cassandra.New()) {
		if strings.HasPrefix(s.Name, "records-") {
			continue // of tools, not of stores
		}
		dialects := []dialect.Dialect{all}
		if !slices.ContainsFunc(rare, func(prefix string) bool { return strings.HasPrefix(s.Name, prefix) }) {
			dialects = append(dialects, everyday)
		}
		for _, d := range dialects {
			if _, err := samples.CQL(d, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(everyday.Texts()); n >= 64 {
		t.Errorf("%d texts in a normal day, want fewer than 64:\n%s", n, strings.Join(everyday.Texts(), "\n"))
	}
	if n := len(all.Texts()); n >= 128 {
		t.Errorf("%d texts for every call of every store, want fewer than 128", n)
	}
}

// No sample takes more rounds than upstream's store, which sends each batch of
// events by itself and then one conditional batch: history ahead and one more.
func TestRounds(t *testing.T) {
	d := cassandra.New()
	for _, s := range samples.Of(cassandra.New()) {
		want := 1
		if s.Write != nil && slices.ContainsFunc(s.Write.Mutations, func(m plan.Mutation) bool {
			return m.Ahead && (m.Table == plan.HistoryTree || m.Table == plan.HistoryNodes)
		}) {
			want = 2
		}
		if rounds, _, err := samples.Cost(d, s); err != nil || rounds != want {
			t.Errorf("%s takes %d rounds, %v, want %d", s.Name, rounds, err, want)
		}
	}
}

func TestEqualShapesShareStatements(t *testing.T) {
	d := cassandra.New()
	compile := func() []*cql.Statement {
		p, err := d.CompileWrite(sample(t, "execution-update-current").Write)
		if err != nil {
			t.Error(err)
			return nil
		}
		var all []*cql.Statement
		for _, s := range p.Steps {
			for _, c := range s.Calls {
				all = append(all, c.Statement)
			}
		}
		return all
	}
	var wg sync.WaitGroup
	got := make([][]*cql.Statement, 8)
	for i := range got {
		wg.Go(func() { got[i] = compile() })
	}
	wg.Wait()
	for _, g := range got[1:] {
		for i := range g {
			if g[i] != got[0][i] {
				t.Fatalf("two statements with text %s", g[i].Text)
			}
		}
	}
}

func TestUpdatesOfAnyElementsShareAText(t *testing.T) {
	d := cassandra.New()
	w := sample(t, "execution-update-current").Write
	texts := map[string]bool{}
	for n := 5; n <= len(w.Mutations[2].Effects); n++ {
		one := *w
		one.Mutations = append([]plan.Mutation{}, w.Mutations...)
		one.Mutations[2].Effects = w.Mutations[2].Effects[:n]
		p, err := d.CompileWrite(&one)
		if err != nil {
			t.Fatal(err)
		}
		texts[p.Steps[1].Calls[2].Text] = true
	}
	if len(texts) != 1 {
		t.Errorf("%d texts, want 1", len(texts))
	}
}

func TestWritesThatCannotBeStored(t *testing.T) {
	shard := []any{int64(1)}
	run := []any{int64(1), [16]byte{1}, "w", [16]byte{2}}
	blob := func(encoding string) plan.Blob { return plan.Blob{Data: []byte{1}, Encoding: encoding} }
	lease := plan.Mutation{
		Table: plan.Shards, Op: plan.Assert, Key: shard,
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: int64(1)}},
	}
	effects := func(e ...plan.Effect) plan.Mutation {
		return plan.Mutation{Table: plan.Executions, Op: plan.Update, Key: run, Effects: e}
	}
	tests := []struct {
		name  string
		give  []plan.Mutation
		scope bool
		want  string
	}{
		{
			"conditions in two partitions",
			[]plan.Mutation{lease, {Table: plan.Shards, Op: plan.Assert, Key: []any{int64(2)}, Conds: lease.Conds}},
			true, "shards(shard_id=2) is not in the partition of shards(shard_id=1)",
		},
		{
			"a plain row elsewhere beside a condition",
			[]plan.Mutation{lease, {Table: plan.HistoryTree, Op: plan.Delete, Key: []any{[16]byte{1}, [16]byte{2}}}},
			true, "history_tree(",
		},
		{
			"two encodings in one map",
			[]plan.Mutation{effects(plan.Effect{Op: plan.Merge, Column: plan.Activities, Value: []plan.IntEntry{
				{Key: 4, Value: blob("Proto3")}, {Key: 7, Value: blob("Json")},
			}})},
			false, "activities: key 7 is encoded as Json and another as Proto3",
		},
		{
			"one key twice",
			[]plan.Mutation{effects(plan.Effect{Op: plan.Merge, Column: plan.Timers, Value: []plan.TextEntry{{Key: "t"}, {Key: "s"}, {Key: "t"}}})},
			false, `timers: key "t" is given twice`,
		},
		{
			"a signal id that is no UUID",
			[]plan.Mutation{effects(plan.Effect{Op: plan.Merge, Column: plan.SignalRequested, Value: []string{"not-a-uuid"}})},
			false, `signal_requested: "not-a-uuid" is not a UUID`,
		},
		{
			"a node in two parts",
			[]plan.Mutation{effects(plan.Effect{Op: plan.Merge, Column: plan.ChasmNodes, Value: []plan.NodeEntry{{Key: "a/b", Value: plan.Node{Body: blob("Proto3")}}}})},
			false, `node "a/b" comes in two parts`,
		},
		{"a shard number beyond int", []plan.Mutation{{Table: plan.Shards, Op: plan.Delete, Key: []any{int64(math.MaxInt32) + 1}}}, false, "shard_id: 2147483648 does not fit 32 bits"},
		{"a key of the wrong type", []plan.Mutation{{Table: plan.Shards, Op: plan.Delete, Key: []any{int32(1)}}}, false, "shard_id: is a int32, want int64"},
		{"a key that is cut short", []plan.Mutation{{Table: plan.Executions, Op: plan.Delete, Key: run[:3]}}, false, "key has 3 values, want 4"},
		{"a subqueue below zero", []plan.Mutation{{Table: plan.Tasks, Op: plan.Delete, Key: []any{[16]byte{}, "q", int64(1), int64(-1), int64(1)}}}, false, "subqueue: -1 is no subqueue"},
		{"an archetype that is none", []plan.Mutation{{Table: plan.CurrentExecutions, Op: plan.Delete, Key: []any{int64(1), [16]byte{}, "w", int64(0)}}}, false, "archetype_id: 0 is no archetype id"},
		{"the name of the version row", []plan.Mutation{{Table: plan.Namespaces, Op: plan.Delete, Key: []any{"temporal-namespace-metadata"}}}, false, `name: "temporal-namespace-metadata" is reserved`},
		{"a build id without a name", []plan.Mutation{{Table: plan.BuildIDs, Op: plan.Insert, Key: []any{[16]byte{}, "", "q"}}}, false, `build_id: "" is reserved`},
		{"a value of the wrong type", []plan.Mutation{effects(plan.Effect{Op: plan.Set, Column: plan.NextEventID, Value: "7"})}, false, "next_event_id: is a string, want int64"},
		{"a column of another table", []plan.Mutation{effects(plan.Effect{Op: plan.Set, Column: plan.ShardInfo, Value: blob("Json")})}, false, "executions has no column shard"},
		{"set and merge of one column", []plan.Mutation{effects(
			plan.Effect{Op: plan.Set, Column: plan.Signals, Value: []plan.IntEntry{}},
			plan.Effect{Op: plan.Merge, Column: plan.Signals, Value: []plan.IntEntry{}})}, false, "signals has effects that exclude each other"},
		{"elements of a scalar", []plan.Mutation{effects(plan.Effect{Op: plan.Merge, Column: plan.NextEventID, Value: int64(1)})}, false, "next_event_id cannot take effect 2"},
		{"nothing to do", []plan.Mutation{effects()}, false, "update has no effects"},
		{"absence of a row without columns", []plan.Mutation{{Table: plan.BuildIDs, Op: plan.Assert, Key: []any{[16]byte{}, "b", "q"}, Conds: []plan.Cond{{Test: plan.RowAbsent}}}}, false, "no column that stands for them"},
		{"a condition on a row ahead", []plan.Mutation{lease, {Table: plan.HistoryTree, Op: plan.Delete, Ahead: true, Key: []any{[16]byte{1}, [16]byte{2}}, Conds: []plan.Cond{{Test: plan.RowPresent}}}}, false, "a row ahead has a condition"},
		{"a range that crosses the category", []plan.Mutation{{Table: plan.HistoryTasks, Op: plan.DeleteRange, Key: shard}}, false, "history_tasks needs category_id"},
		{"a life below zero", []plan.Mutation{{Table: plan.Shards, Op: plan.Insert, Key: shard, TTL: -1}}, false, "TTL is -1 s"},
		{"no mutations", nil, false, "write has no mutations"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := cassandra.New().CompileWrite(&plan.Write{Name: "Test", Scope: plan.Atomic, Mutations: tt.give})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "Test: ") || errors.Is(err, dialect.ErrScope) != tt.scope {
				t.Errorf("CompileWrite() = %v, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestReadsThatCannotBeSaid(t *testing.T) {
	tests := []struct {
		name string
		give plan.Read
		want string
	}{
		{"tasks of all categories", plan.Read{Table: plan.HistoryTasks, Eq: 1}, "read without category_id"},
		{"all shards", plan.Read{Table: plan.Shards, Columns: []*plan.Column{plan.ShardRangeID}}, "not read without the whole partition key"},
		{"a count among rows of others", plan.Read{Table: plan.Executions, Eq: 1, Count: true}, "rows of other tables would be counted"},
		{"a limit among rows of others", plan.Read{Table: plan.Tasks, Eq: 3, Limit: 1, Columns: []*plan.Column{plan.TaskID}}, "rows of other tables would be counted"},
		{"nodes and transactions compared together", plan.Read{Table: plan.HistoryNodes, Eq: 2, From: plan.RangeEnd{Compare: plan.Less, Width: 2}}, "txn_id runs the other way"},
		{"a filter where the server would walk over many rows", plan.Read{Table: plan.Executions, Eq: 1, Filters: []plan.Filter{{Column: plan.NextEventID, Relation: plan.Is}}}, "executions is not filtered by next_event_id"},
		{"a range of archetypes, which are stored in another order", plan.Read{Table: plan.CurrentExecutions, Eq: 3, From: plan.RangeEnd{Compare: plan.Less, Width: 1}}, "archetype_id is not stored in its order"},
		{"a column of another table", plan.Read{Table: plan.Shards, Eq: 1, Columns: []*plan.Column{plan.TaskID}}, "shards has no column task_id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.give.Name = "Test"
			if _, err := cassandra.New().CompileRead(&tt.give); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("CompileRead() = %v, want it to say %q", err, tt.want)
			}
		})
	}
}
