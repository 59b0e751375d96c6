package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// update expects range 7 of the shard, run "r1" to be current and record
// version 4, and inserts a row that must be absent.
func update() *plan.Write {
	ns := [16]byte{1}
	return &plan.Write{
		Name: "UpdateWorkflowExecution", Scope: plan.Atomic,
		Mutations: []plan.Mutation{
			{
				Table: plan.Shards, Op: plan.Assert, Key: []any{int64(3)},
				Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: int64(7)}},
			},
			{
				Table: plan.Executions, Op: plan.Update, Key: []any{int64(3), ns, "w", [16]byte{2}},
				Conds: []plan.Cond{{Test: plan.Equal, Column: plan.RecordVersion, Value: int64(4)}},
			},
			{
				Table: plan.Executions, Op: plan.Insert, Key: []any{int64(3), ns, "w", [16]byte{9}},
				Conds: []plan.Cond{{Test: plan.RowAbsent}},
			},
			{Table: plan.HistoryTasks, Op: plan.Insert, Key: []any{int64(3), int64(1), plan.Immediate, int64(8)}, Ahead: true},
		},
	}
}

func found(values map[*plan.Column]any) plan.Seen {
	return plan.Seen{Sight: plan.Found, Values: values}
}

func TestExplain(t *testing.T) {
	lease := func(v any) plan.Seen { return found(map[*plan.Column]any{plan.ShardRangeID: v}) }
	version := func(v any) plan.Seen { return found(map[*plan.Column]any{plan.RecordVersion: v}) }
	missing, unseen := plan.Seen{Sight: plan.Missing}, plan.Seen{}
	tests := []struct {
		name string
		give []plan.Seen
		want plan.Explanation
		at   int
		text string
	}{
		{"a lost shard outranks a stale execution", []plan.Seen{lease(int64(8)), version(int64(9)), missing, unseen}, plan.Explained, 0, "has range_id 8, not 7"},
		{"a stale execution comes next", []plan.Seen{lease(int64(7)), version(int64(9)), found(nil), unseen}, plan.Explained, 1, "has db_record_version 9, not 4"},
		{"a missing row breaks an equality", []plan.Seen{lease(int64(7)), missing, missing, unseen}, plan.Explained, 1, "does not exist"},
		{"null breaks an equality", []plan.Seen{lease(int64(7)), version(nil), missing, unseen}, plan.Explained, 1, "has db_record_version <nil>"},
		{"a row that is there breaks an absence", []plan.Seen{lease(int64(7)), version(int64(4)), found(nil), unseen}, plan.Explained, 2, "exists"},
		{"an unseen row is asked for before later causes count", []plan.Seen{unseen, version(int64(9)), missing, unseen}, plan.NeedRow, 0, ""},
		{"a row without the column is asked for", []plan.Seen{lease(int64(7)), found(nil), found(nil), unseen}, plan.NeedRow, 1, ""},
		{"rows without conditions are never asked for", []plan.Seen{lease(int64(7)), version(int64(4)), missing, unseen}, plan.NoCause, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, conflict, at := update().Explain(tt.give)
			if got != tt.want || got != plan.NoCause && at != tt.at {
				t.Fatalf("Explain() = %v at %d, want %v at %d", got, at, tt.want, tt.at)
			}
			if (conflict != nil) != (tt.want == plan.Explained) {
				t.Fatalf("conflict %v", conflict)
			}
			if conflict != nil && !strings.Contains(conflict.Error(), tt.text) {
				t.Fatalf("conflict %q does not say %q", conflict, tt.text)
			}
		})
	}
}

func TestEqualOrAbsentHoldsForNullAndForMissingRows(t *testing.T) {
	w := &plan.Write{Mutations: []plan.Mutation{{
		Table: plan.CurrentExecutions, Op: plan.Assert, Key: []any{int64(1), [16]byte{}, "w", int64(0)},
		Conds: []plan.Cond{{Test: plan.EqualOrAbsent, Column: plan.CurrentRunID, Value: [16]byte{5}}},
	}}}
	tests := []struct {
		name string
		give plan.Seen
		want plan.Explanation
	}{
		{"missing row", plan.Seen{Sight: plan.Missing}, plan.NoCause},
		{"null", found(map[*plan.Column]any{plan.CurrentRunID: nil}), plan.NoCause},
		{"the value", found(map[*plan.Column]any{plan.CurrentRunID: [16]byte{5}}), plan.NoCause},
		{"another value", found(map[*plan.Column]any{plan.CurrentRunID: [16]byte{6}}), plan.Explained},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, _, _ := w.Explain([]plan.Seen{tt.give}); got != tt.want {
				t.Fatalf("Explain() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestKeysAreNamedForPeopleAndPayloadsAreNot(t *testing.T) {
	m := &update().Mutations[1]
	m.Effects = []plan.Effect{{Op: plan.Set, Column: plan.ExecutionInfo, Value: plan.Blob{Data: []byte("payload")}}}
	got := m.KeyString()
	want := `executions(shard_id=3 namespace_id=01000000-0000-0000-0000-000000000000 workflow_id="w" run_id=02000000-0000-0000-0000-000000000000)`
	if got != want {
		t.Fatalf("KeyString() = %s\nwant         %s", got, want)
	}
}

func TestTablesAreWellFormed(t *testing.T) {
	names := map[string]bool{}
	for _, table := range plan.AllTables {
		if names[table.Name] {
			t.Errorf("two tables are called %s", table.Name)
		}
		names[table.Name] = true
		columns := map[string]bool{}
		for _, c := range slices.Concat(table.Key, table.Columns) {
			if c.Kind == 0 || columns[c.Name] {
				t.Errorf("%s.%s has no kind or is there twice", table, c)
			}
			columns[c.Name] = true
			if table.Column(c.Name) != c {
				t.Errorf("%s.Column(%q) is another column", table, c.Name)
			}
		}
		for _, c := range table.Key {
			if c.Kind.Collection() || c.Kind == plan.Data {
				t.Errorf("%s.%s is no key", table, c)
			}
		}
	}
}
