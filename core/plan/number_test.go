package plan_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

func numbered(mutations ...plan.Mutation) *plan.Write {
	return &plan.Write{Name: "W", Scope: plan.Atomic, Owner: &plan.Owner{Shard: 3, RangeID: 7}, Mutations: mutations}
}

var (
	holds = plan.Mutation{
		Table: plan.Shards, Op: plan.Assert, Key: []any{int64(3)},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: int64(7)}},
	}
	oneTask = plan.Mutation{
		Table: plan.HistoryTasks, Op: plan.Insert, Ahead: true, Key: []any{int64(3), int64(1), plan.Immediate, int64(8)},
	}
)

func TestNumbered(t *testing.T) {
	w := numbered(holds, oneTask)
	got, err := w.Numbered(40, 42)
	if err != nil {
		t.Fatal(err)
	}
	lease, task := got.Mutations[0], got.Mutations[1]
	if lease.Table != plan.NumberedShards || lease.Op != plan.Update || len(lease.Show) != 5 ||
		!reflect.DeepEqual(lease.Conds[1], plan.Cond{Test: plan.Equal, Column: plan.ShardWriteSeq, Value: int64(40)}) ||
		!reflect.DeepEqual(lease.Effects, []plan.Effect{{Op: plan.Set, Column: plan.ShardWriteSeq, Value: int64(42)}}) {
		t.Errorf("lease %+v", lease)
	}
	if task.Table != plan.NumberedTasks || !reflect.DeepEqual(task.Key, []any{int64(3), int64(1), plan.Immediate, int64(8), int64(7), int64(42)}) {
		t.Errorf("task %+v", task)
	}
	if got.Lease() != 0 || w.Mutations[0].Op != plan.Assert || len(w.Mutations[0].Conds) != 1 || len(w.Mutations[1].Key) != 4 {
		t.Errorf("the write itself has changed: %+v", w)
	}
}

func TestWritesWithoutAnOwnerTakeAllAttempts(t *testing.T) {
	one, many := oneTask, oneTask
	one.Op, one.Ahead = plan.Delete, false
	many.Op, many.Ahead, many.Key = plan.DeleteRange, false, one.Key[:3]
	w := numbered(one, many)
	w.Owner = nil
	got, err := w.Numbered(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range got.Mutations {
		if m.Table != plan.NumberedTasks || m.Op != plan.DeleteRange || len(m.Key) != 4-i {
			t.Errorf("mutation %d is %+v", i, m)
		}
	}
	other := &plan.Write{Name: "W", Mutations: []plan.Mutation{{Table: plan.Tasks}}}
	if got, err := other.Numbered(0, 0); got != other || err != nil {
		t.Errorf("a write of other tables became %v, %v", got, err)
	}
}

func TestWritesThatCannotBeNumbered(t *testing.T) {
	late, removed, created := oneTask, oneTask, holds
	late.Ahead = false
	removed.Conds = []plan.Cond{{Test: plan.RowAbsent}}
	created.Op = plan.Insert
	unowned := numbered(oneTask)
	unowned.Owner = nil
	changed := numbered(holds)
	changed.Owner = nil
	tests := map[string]struct {
		give *plan.Write
		want string
	}{
		"no lease":                  {numbered(oneTask), "does not test the lease"},
		"nothing of the shard":      {numbered(plan.Mutation{Table: plan.Tasks}), "does not test the lease"},
		"an owner inserts a shard":  {numbered(created), "only tests and updates"},
		"a task in the atomic part": {numbered(holds, late), "inserted ahead"},
		"a task with a condition":   {numbered(holds, removed), "no conditions"},
		"a task of nobody":          {unowned, "inserted ahead"},
		"a lease of nobody":         {changed, "only an owner"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := tt.give.Numbered(1, 2); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Numbered() = %v, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestNumberedReads(t *testing.T) {
	r := &plan.Read{Table: plan.HistoryTasks, Eq: 3, Columns: []*plan.Column{plan.HistoryTask}}
	got, err := r.Numbered()
	want := []*plan.Column{plan.HistoryTask, plan.HistoryTaskID, plan.TaskWriteRange, plan.TaskWriteSeq}
	if err != nil || got.Table != plan.NumberedTasks || !reflect.DeepEqual(got.Columns, want) || len(r.Columns) != 1 {
		t.Errorf("Numbered() = %+v, %v", got, err)
	}
	r = &plan.Read{Table: plan.Shards, Eq: 1, Columns: []*plan.Column{plan.ShardInfo}}
	if got, err = r.Numbered(); err != nil || got.Table != plan.NumberedShards || len(got.Columns) != 6 {
		t.Errorf("Numbered() = %+v, %v", got, err)
	}
	r = &plan.Read{Table: plan.Tasks}
	if got, err = r.Numbered(); err != nil || got != r {
		t.Errorf("Numbered() = %+v, %v", got, err)
	}
	if _, err = (&plan.Read{Table: plan.HistoryTasks, Eq: 3, Count: true}).Numbered(); err == nil {
		t.Error("rows that are skipped would be counted")
	}
}
