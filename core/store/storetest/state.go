package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/service/history/tasks"
)

// Stores are the two stores of one shard's owner.
type Stores struct {
	Shards     p.ShardStore
	Executions p.ExecutionStore
}

// Now returns all that the stores show of a scene, as text, but for its
// history: what a refused or failed write must not have changed, and what an
// applied one must have changed wholly.
func (st Stores) Now(t testing.TB, s Scene) string {
	t.Helper()
	// Not the test's own context: it may be over by now, on purpose.
	ctx := context.WithoutCancel(t.Context())
	var b strings.Builder
	shard, err := st.Shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{ShardID: s.Shard})
	require.NoError(t, err)
	fmt.Fprintf(&b, "shard %s\n", shard.ShardInfo.Data)
	current, err := st.Executions.GetCurrentExecution(ctx, s.GetCurrent())
	if found(t, err) {
		fmt.Fprintf(&b, "current %s %v\n", current.RunID, current.ExecutionState.State)
	}
	for _, run := range s.Runs {
		if execution, err := st.Executions.GetWorkflowExecution(ctx, s.Get(run)); found(t, err) {
			fmt.Fprintf(&b, "run %s %s\n", run, ExecutionText(execution.State))
		}
	}
	for _, category := range []tasks.Category{tasks.CategoryTransfer, tasks.CategoryTimer, tasks.CategoryVisibility} {
		page, err := st.Executions.GetHistoryTasks(ctx, s.GetTasks(category))
		require.NoError(t, err)
		for _, task := range page.Tasks {
			fmt.Fprintf(&b, "%s %d %s\n", category.Name(), task.Key.TaskID, task.Blob.Data)
		}
	}
	dlq, err := st.Executions.GetReplicationTasksFromDLQ(ctx, s.GetDLQ())
	require.NoError(t, err)
	for _, task := range dlq.Tasks {
		fmt.Fprintf(&b, "dlq %d\n", task.Key.TaskID)
	}
	return b.String()
}

// History returns what the stores show of the histories of a scene, as text.
func (st Stores) History(t testing.TB, s Scene) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var b strings.Builder
	util := st.Executions.GetHistoryBranchUtil()
	token := s.BranchToken(t, util, s.Branches[0])
	tree, err := st.Executions.GetHistoryTreeContainingBranch(ctx, &p.InternalGetHistoryTreeContainingBranchRequest{BranchToken: token})
	require.NoError(t, err)
	fmt.Fprintf(&b, "branches %d\n", len(tree.TreeInfos))
	for _, branch := range s.Branches {
		page, err := st.Executions.ReadHistoryBranch(ctx, &p.InternalReadHistoryBranchRequest{
			BranchToken: token, BranchID: branch, MinNodeID: 1, MaxNodeID: 1000, PageSize: 100,
		})
		require.NoError(t, err)
		for _, n := range page.Nodes {
			fmt.Fprintf(&b, "%s %d %d %d %s\n", branch, n.NodeID, n.TransactionID, n.PrevTransactionID, n.Events.Data)
		}
	}
	return b.String()
}

func found(t testing.TB, err error) bool {
	t.Helper()
	if _, missing := any(err).(*serviceerror.NotFound); missing {
		return false
	}
	require.NoError(t, err)
	return true
}

// ExecutionText renders a mutable state, its maps in order.
func ExecutionText(m *p.InternalWorkflowMutableState) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version %d next %d info %s state %s sum %s", m.DBRecordVersion, m.NextEventID,
		blobText(m.ExecutionInfo), blobText(m.ExecutionState), blobText(m.Checksum))
	mapText(&b, "activities", m.ActivityInfos)
	mapText(&b, "timers", m.TimerInfos)
	mapText(&b, "children", m.ChildExecutionInfos)
	mapText(&b, "cancels", m.RequestCancelInfos)
	mapText(&b, "signals", m.SignalInfos)
	b.WriteString(" nodes")
	for _, path := range slices.Sorted(maps.Keys(m.ChasmNodes)) {
		n := m.ChasmNodes[path]
		fmt.Fprintf(&b, " %q=%s%s%s", path, blobText(n.CassandraBlob), blobText(n.Metadata), blobText(n.Data))
	}
	fmt.Fprintf(&b, " requested %v buffered", slices.Sorted(slices.Values(m.SignalRequestedIDs)))
	for _, batch := range m.BufferedEvents {
		b.WriteString(" " + blobText(batch))
	}
	return b.String()
}

func mapText[K cmp.Ordered](b *strings.Builder, name string, m map[K]*commonpb.DataBlob) {
	b.WriteString(" " + name)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(b, " %v=%s", k, blobText(m[k]))
	}
}

func blobText(b *commonpb.DataBlob) string {
	if b == nil {
		return ""
	}
	return fmt.Sprintf("%s:%q", b.EncodingType, b.Data)
}
