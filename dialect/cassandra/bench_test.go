package cassandra_test

import (
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
)

// updateWrite builds the plan of an UpdateWorkflowExecution with three map
// entries and four tasks, as package store does.
func updateWrite(blob []byte) *plan.Write {
	data := plan.Blob{Data: blob, Encoding: "Proto3"}
	const shard, rangeID = int64(1234), int64(5678)
	var (
		id  any = shard
		ns  any = [16]byte{1}
		wf  any = "order-17"
		run any = [16]byte{2}
	)
	w := &plan.Write{
		Name: "UpdateWorkflowExecution", Scope: plan.Atomic, Owner: &plan.Owner{Shard: shard, RangeID: rangeID},
		Mutations: make([]plan.Mutation, 0, 7),
	}
	w.Mutations = append(w.Mutations, plan.Mutation{
		Table: plan.Shards, Op: plan.Assert, Key: []any{id},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: rangeID}},
	}, plan.Mutation{
		Table: plan.CurrentExecutions, Op: plan.Update, Key: []any{id, ns, wf, cassandra.WorkflowArchetype},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.CurrentRunID, Value: run}},
		Effects: []plan.Effect{
			{Op: plan.Set, Column: plan.CurrentRunID, Value: run},
			{Op: plan.Set, Column: plan.CurrentState, Value: data},
			{Op: plan.Set, Column: plan.CurrentLastWriteVersion, Value: int64(-24)},
			{Op: plan.Set, Column: plan.CurrentWorkflowState, Value: int64(2)},
		},
	}, plan.Mutation{
		Table: plan.Executions, Op: plan.Update, Key: []any{id, ns, wf, run},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.RecordVersion, Value: int64(800)}},
		Effects: []plan.Effect{
			{Op: plan.Set, Column: plan.ExecutionInfo, Value: data},
			{Op: plan.Set, Column: plan.ExecutionState, Value: data},
			{Op: plan.Set, Column: plan.NextEventID, Value: int64(1200)},
			{Op: plan.Set, Column: plan.RecordVersion, Value: int64(801)},
			{Op: plan.Set, Column: plan.Checksum, Value: data},
			{Op: plan.Merge, Column: plan.Activities, Value: []plan.IntEntry{{Key: 5, Value: data}, {Key: 9, Value: data}}},
			{Op: plan.Merge, Column: plan.Timers, Value: []plan.TextEntry{{Key: "timer", Value: data}}},
		},
	})
	for i := range int64(4) {
		w.Mutations = append(w.Mutations, plan.Mutation{
			Table: plan.HistoryTasks, Op: plan.Insert, Ahead: true, Key: []any{id, 1 + i, plan.Immediate, 1000000 + i},
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.HistoryTask, Value: data}},
		})
	}
	return w
}

// BenchmarkUpdateWorkflowExecution builds, compiles and binds. Target on one
// core: 10 us and 60 allocations.
func BenchmarkUpdateWorkflowExecution(b *testing.B) {
	d := cassandra.New()
	blob := make([]byte, 512)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.CompileWrite(updateWrite(blob)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpdatePlanOnly is the part of the plan in the benchmark above.
func BenchmarkUpdatePlanOnly(b *testing.B) {
	blob := make([]byte, 512)
	b.ReportAllocs()
	for b.Loop() {
		if w := updateWrite(blob); len(w.Mutations) != 7 {
			b.Fatal(w)
		}
	}
}
