package conformance

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

func (f *fixture) stores(t testing.TB) storetest.Stores {
	t.Helper()
	shards, err := f.factory.NewShardStore()
	require.NoError(t, err)
	executions, err := f.factory.NewExecutionStore()
	require.NoError(t, err)
	return storetest.Stores{Shards: shards, Executions: executions}
}

func shardCosts(t *testing.T, f *fixture, db *database) []costed {
	st, s := f.stores(t), db.scene()
	get := func(ctx context.Context) error {
		return only(st.Shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{
			ShardID: s.Shard, CreateShardInfo: storetest.ShardInfo(s.Range),
		}))
	}
	return []costed{
		{"GetOrCreateShard, a new one", 2, false, get},
		{"GetOrCreateShard", 1, false, get},
		// Stock answers without looking.
		{"AssertShardOwnership", 1, false, func(ctx context.Context) error {
			return st.Shards.AssertShardOwnership(ctx, &p.AssertShardOwnershipRequest{ShardID: s.Shard, RangeID: s.Range})
		}},
		{"UpdateShard", 1, false, func(ctx context.Context) error { return st.Shards.UpdateShard(ctx, s.Renew()) }},
	}
}

// executionCosts writes histories of two batches with each run, which stock
// sends one after the other before the write that counts.
func executionCosts(t *testing.T, f *fixture, db *database) []costed {
	st := f.stores(t)
	e := st.Executions
	// Each call has a shard of its own, where what it changes exists.
	prepared := func(prepare func(storetest.Scene), run func(context.Context, storetest.Scene) error) func(context.Context) error {
		s := db.scene()
		s.Own(t, st.Shards)
		if prepare != nil {
			prepare(s)
		}
		return func(ctx context.Context) error { return run(ctx, s) }
	}
	current := func(s storetest.Scene) { s.CreateCurrent(t, e) }
	both := func(s storetest.Scene) { s.CreateBoth(t, e) }
	withTasks := func(s storetest.Scene) { require.NoError(t, e.AddHistoryTasks(t.Context(), s.AddTasks(10))) }
	withDLQ := func(s storetest.Scene) { require.NoError(t, e.PutReplicationTaskToDLQ(t.Context(), s.PutDLQ(7))) }

	return []costed{
		{"CreateWorkflowExecution", 3, true, prepared(nil, func(ctx context.Context, s storetest.Scene) error {
			return only(e.CreateWorkflowExecution(ctx, s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0])))
		})},
		{"UpdateWorkflowExecution", 3, true, prepared(current, func(ctx context.Context, s storetest.Scene) error {
			return e.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0]))
		})},
		{"UpdateWorkflowExecution, continued as new", 4, true, prepared(current, func(ctx context.Context, s storetest.Scene) error {
			return e.UpdateWorkflowExecution(ctx, s.ContinueAsNew(s.Runs[0], s.Runs[1]))
		})},
		{"UpdateWorkflowExecution, bypass current", 4, true, prepared(both, func(ctx context.Context, s storetest.Scene) error {
			return e.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeBypassCurrent, s.Runs[1]))
		})},
		{"ConflictResolveWorkflowExecution, three runs", 4, true, prepared(both, func(ctx context.Context, s storetest.Scene) error {
			return e.ConflictResolveWorkflowExecution(ctx, s.ResolveThree(p.ConflictResolveWorkflowModeUpdateCurrent))
		})},
		{"SetWorkflowExecution", 1, true, prepared(current, func(ctx context.Context, s storetest.Scene) error {
			return e.SetWorkflowExecution(ctx, s.Set(s.Runs[0], 2))
		})},
		{"AddHistoryTasks", 1, true, prepared(nil, func(ctx context.Context, s storetest.Scene) error {
			return e.AddHistoryTasks(ctx, s.AddTasks(10))
		})},
		{"GetWorkflowExecution", 1, false, prepared(current, func(ctx context.Context, s storetest.Scene) error {
			return only(e.GetWorkflowExecution(ctx, s.Get(s.Runs[0])))
		})},
		{"GetCurrentExecution", 1, false, prepared(current, func(ctx context.Context, s storetest.Scene) error {
			return only(e.GetCurrentExecution(ctx, s.GetCurrent()))
		})},
		{"DeleteWorkflowExecution", 1, false, prepared(current, func(ctx context.Context, s storetest.Scene) error {
			return e.DeleteWorkflowExecution(ctx, s.Delete(s.Runs[0]))
		})},
		{"DeleteCurrentWorkflowExecution", 1, false, prepared(current, func(ctx context.Context, s storetest.Scene) error {
			return e.DeleteCurrentWorkflowExecution(ctx, s.DeleteCurrent(s.Runs[0]))
		})},
		{"GetHistoryTasks", 1, false, prepared(withTasks, func(ctx context.Context, s storetest.Scene) error {
			return only(e.GetHistoryTasks(ctx, s.GetTasks(tasks.CategoryTimer)))
		})},
		{"CompleteHistoryTask", 1, false, prepared(withTasks, func(ctx context.Context, s storetest.Scene) error {
			return e.CompleteHistoryTask(ctx, s.Complete(tasks.CategoryTransfer, 10, false))
		})},
		{"RangeCompleteHistoryTasks", 1, false, prepared(withTasks, func(ctx context.Context, s storetest.Scene) error {
			return e.RangeCompleteHistoryTasks(ctx, s.RangeComplete(tasks.CategoryTransfer))
		})},
		{"PutReplicationTaskToDLQ", 1, false, prepared(nil, func(ctx context.Context, s storetest.Scene) error {
			return e.PutReplicationTaskToDLQ(ctx, s.PutDLQ(7))
		})},
		{"GetReplicationTasksFromDLQ", 1, false, prepared(withDLQ, func(ctx context.Context, s storetest.Scene) error {
			return only(e.GetReplicationTasksFromDLQ(ctx, s.GetDLQ()))
		})},
		{"DeleteReplicationTaskFromDLQ", 1, false, prepared(withDLQ, func(ctx context.Context, s storetest.Scene) error {
			return e.DeleteReplicationTaskFromDLQ(ctx, s.DeleteDLQ(7))
		})},
		{"RangeDeleteReplicationTaskFromDLQ", 1, false, prepared(withDLQ, func(ctx context.Context, s storetest.Scene) error {
			return e.RangeDeleteReplicationTaskFromDLQ(ctx, s.RangeDeleteDLQ())
		})},
	}
}

func historyCosts(t *testing.T, f *fixture, db *database) []costed {
	e, s := f.stores(t).Executions, db.scene()
	read := &p.InternalReadHistoryBranchRequest{
		BranchToken: s.BranchToken(t, e.GetHistoryBranchUtil(), s.Branches[0]), ShardID: s.Shard,
		BranchID: s.Branches[0], MinNodeID: 1, MaxNodeID: 100, PageSize: 100,
	}
	return []costed{
		{"AppendHistoryNodes, a new branch", 1, true, func(ctx context.Context) error {
			return e.AppendHistoryNodes(ctx, s.Append(s.Branches[0], 1, 50, true))
		}},
		{"AppendHistoryNodes", 1, false, func(ctx context.Context) error {
			return e.AppendHistoryNodes(ctx, s.Append(s.Branches[0], 4, 51, false))
		}},
		{"ReadHistoryBranch", 1, false, func(ctx context.Context) error { return only(e.ReadHistoryBranch(ctx, read)) }},
		{"ForkHistoryBranch", 1, false, func(ctx context.Context) error { return e.ForkHistoryBranch(ctx, s.Fork()) }},
		{"GetHistoryTreeContainingBranch", 1, false, func(ctx context.Context) error {
			return only(e.GetHistoryTreeContainingBranch(ctx, &p.InternalGetHistoryTreeContainingBranchRequest{
				BranchToken: read.BranchToken, ShardID: s.Shard,
			}))
		}},
		{"DeleteHistoryNodes", 1, false, func(ctx context.Context) error { return e.DeleteHistoryNodes(ctx, s.DeleteNode(s.Branches[0], 4, 51)) }},
		{"DeleteHistoryBranch", 1, true, func(ctx context.Context) error { return e.DeleteHistoryBranch(ctx, s.DeleteBranch(s.Branches[0])) }},
	}
}
