package conformance

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// executionAreas are our own tests of shards, executions and histories.
func executionAreas() []area {
	return []area{
		{"executions", []test{
			{"conflicts", func(t *testing.T, db *database) { storetest.Conflicts(t, db.owned) }},
			{"lost leases", func(t *testing.T, db *database) { storetest.LostLease(t, db.owned) }},
			{"round trips", func(t *testing.T, db *database) { storetest.RoundTrips(t, db.owned) }},
			{"best-effort deletes", bestEffort},
			{"signal IDs that are no UUIDs", strangeSignals},
			{"two encodings in one map", mixedEncodings},
			{"deletes of what is not there", deleteNothing},
			{"histories page both ways", historyPages},
			{"few texts for many shapes", fewTexts},
		}},
		{"ownership", ownershipTests()},
		{"faults", faultTests()},
	}
}

// bestEffort: such a delete is made exactly where the dialect says that it is cheap.
func bestEffort(t *testing.T, db *database) {
	st, s := db.owned(t)
	require.NoError(t, st.Executions.AddHistoryTasks(t.Context(), s.AddTasks(10)))
	require.NoError(t, st.Executions.CompleteHistoryTask(t.Context(), s.Complete(tasks.CategoryTransfer, 10, true)))
	page, err := st.Executions.GetHistoryTasks(t.Context(), s.GetTasks(tasks.CategoryTransfer))
	require.NoError(t, err)
	require.Equal(t, db.Dialect.Traits().CheapDelete, len(page.Tasks) == 1)
}

// strangeSignals: IDs of signals are UUIDs by convention only. A dialect stores
// others as they are, or refuses them by name before anything is sent.
func strangeSignals(t *testing.T, db *database) {
	st, s := db.owned(t)
	s.CreateCurrent(t, st.Executions)
	before := st.Now(t, s)
	const id = "signal-17, said twice"
	request := s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0])
	request.UpdateWorkflowMutation.UpsertSignalRequestedIDs = map[string]struct{}{id: {}}
	switch refusal := any(st.Executions.UpdateWorkflowExecution(t.Context(), request)).(type) {
	case nil:
		got, err := st.Executions.GetWorkflowExecution(t.Context(), s.Get(s.Runs[0]))
		require.NoError(t, err)
		require.Contains(t, got.State.SignalRequestedIDs, id)
	case *p.InvalidPersistenceRequestError:
		require.ErrorContains(t, refusal, id)
		require.Equal(t, before, st.Now(t, s))
	default:
		t.Fatalf("%T: %v", refusal, refusal)
	}
}

// mixedEncodings: a server whose encoding was switched
// (serialization.SerializerDataEncodingEnvVar) writes both into one map. A
// dialect keeps them apart or refuses the write; it never stores one under the
// name of the other.
func mixedEncodings(t *testing.T, db *database) {
	st, s := db.owned(t)
	request := s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0])
	run := &request.NewWorkflowSnapshot
	run.ActivityInfos[8] = &commonpb.DataBlob{Data: []byte("{}"), EncodingType: enumspb.ENCODING_TYPE_JSON}
	_, err := st.Executions.CreateWorkflowExecution(t.Context(), request)
	if _, refused := any(err).(*p.InvalidPersistenceRequestError); refused {
		require.ErrorContains(t, err, "activities")
		return
	}
	require.NoError(t, err)
	got, err := st.Executions.GetWorkflowExecution(t.Context(), s.Get(s.Runs[0]))
	require.NoError(t, err)
	for id, blob := range run.ActivityInfos {
		require.Equal(t, blob.EncodingType, got.State.ActivityInfos[id].EncodingType)
	}
}

// deleteNothing: deleting what is not there is no error.
func deleteNothing(t *testing.T, db *database) {
	st, s := db.owned(t)
	ctx := t.Context()
	require.NoError(t, st.Executions.DeleteWorkflowExecution(ctx, s.Delete(s.Runs[0])))
	require.NoError(t, st.Executions.DeleteCurrentWorkflowExecution(ctx, s.DeleteCurrent(s.Runs[0])))
	require.NoError(t, st.Executions.CompleteHistoryTask(ctx, s.Complete(tasks.CategoryTimer, 1, false)))
	require.NoError(t, st.Executions.RangeCompleteHistoryTasks(ctx, s.RangeComplete(tasks.CategoryTimer)))
	require.NoError(t, st.Executions.DeleteReplicationTaskFromDLQ(ctx, s.DeleteDLQ(1)))
	require.NoError(t, st.Executions.RangeDeleteReplicationTaskFromDLQ(ctx, s.RangeDeleteDLQ()))
	require.NoError(t, st.Executions.DeleteHistoryBranch(ctx, s.DeleteBranch(s.Branches[0])))
	require.NoError(t, st.Executions.DeleteHistoryNodes(ctx, s.DeleteNode(s.Branches[0], 1, 1)))

	// The row of another run is left alone.
	s.CreateCurrent(t, st.Executions)
	require.NoError(t, st.Executions.DeleteCurrentWorkflowExecution(ctx, s.DeleteCurrent(s.Runs[1])))
	current, err := st.Executions.GetCurrentExecution(ctx, s.GetCurrent())
	require.NoError(t, err)
	require.Equal(t, s.Runs[0], current.RunID)
}

// historyPages: node IDs upwards come with the transaction that counts first,
// downwards in exactly the opposite order, whatever the size of pages.
func historyPages(t *testing.T, db *database) {
	st, s := db.owned(t)
	want := [][2]int64{{1, 10}, {3, 15}, {3, 13}, {3, 11}, {6, 12}}
	for _, n := range want {
		require.NoError(t, st.Executions.AppendHistoryNodes(t.Context(), s.Append(s.Branches[0], n[0], n[1], n[0] == 1)))
	}
	require.NoError(t, st.Executions.AppendHistoryNodes(t.Context(), s.Append(s.Branches[0], 9, 16, false))) // beyond the range
	for _, metadata := range []bool{false, true} {
		for _, reverse := range []bool{false, true} {
			for size := 1; size <= 6; size++ {
				var got [][2]int64
				request := &p.InternalReadHistoryBranchRequest{
					BranchToken: s.BranchToken(t, st.Executions.GetHistoryBranchUtil(), s.Branches[0]), BranchID: s.Branches[0],
					MinNodeID: 1, MaxNodeID: 9, PageSize: size, MetadataOnly: metadata, ReverseOrder: reverse,
				}
				for {
					page, err := st.Executions.ReadHistoryBranch(t.Context(), request)
					require.NoError(t, err)
					require.LessOrEqual(t, len(page.Nodes), size)
					for _, n := range page.Nodes {
						got = append(got, [2]int64{n.NodeID, n.TransactionID})
						require.Equal(t, metadata, len(n.Events.GetData()) == 0)
					}
					if request.NextPageToken = page.NextPageToken; len(page.NextPageToken) == 0 {
						require.Nil(t, page.NextPageToken, "the end is a nil token")
						break
					}
				}
				if reverse {
					for i, j := 0, len(got)-1; i < j; i, j = i+1, j-1 {
						got[i], got[j] = got[j], got[i]
					}
				}
				require.Equal(t, want, got, "metadata %t, reverse %t, pages of %d", metadata, reverse, size)
			}
		}
	}
}

// fewTexts: every distinct text is prepared on every server, so the texts must
// not grow with the shapes of writes.
func fewTexts(t *testing.T, db *database) {
	st, s := db.owned(t)
	s.CreateCurrent(t, st.Executions)
	version := int64(1)
	write := func(activities, timers, drops, taskCount int) {
		version++
		request := s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0])
		request.UpdateWorkflowNewEvents = nil
		m := s.Mutation(s.Runs[0], version)
		m.UpsertActivityInfos, m.UpsertTimerInfos = map[int64]*commonpb.DataBlob{}, map[string]*commonpb.DataBlob{}
		m.DeleteActivityInfos, m.Tasks = map[int64]struct{}{}, map[tasks.Category][]p.InternalHistoryTask{}
		for i := range activities {
			m.UpsertActivityInfos[int64(100+i)] = storetest.Blob("a")
		}
		for i := range timers {
			m.UpsertTimerInfos[fmt.Sprint("t", i)] = storetest.Blob("t")
		}
		for i := range drops {
			m.DeleteActivityInfos[int64(500+i)] = struct{}{}
		}
		for i := range taskCount {
			m.Tasks[tasks.CategoryTransfer] = append(m.Tasks[tasks.CategoryTransfer], p.InternalHistoryTask{
				Key: tasks.NewImmediateKey(version*1000 + int64(i)), Blob: storetest.Blob("x"),
			})
		}
		request.UpdateWorkflowMutation = *m
		require.NoError(t, st.Executions.UpdateWorkflowExecution(t.Context(), request))
	}
	for n := range 33 {
		write(n, 32-n, n/2, n)
		write(0, n, 0, 0)
	}
	require.Less(t, len(db.Dialect.Texts()), 64, "%q", db.Dialect.Texts())
}
