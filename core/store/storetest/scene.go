// Package storetest holds requests for the shard and execution stores, and cases
// about them that hold for every store, whatever is below it.
package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	enumsspb "go.temporal.io/server/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/service/history/tasks"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Scene names what the requests of one test are about: a shard with its owner's
// range, a workflow with three runs, and a history tree with two branches.
type Scene struct {
	Shard     int32
	Range     int64
	Namespace string
	Workflow  string
	Runs      [3]string
	Tree      string
	Branches  [2]string
	Archetype uint32
	// Whole makes CHASM nodes one blob each, else they are two.
	Whole bool
}

// Fixed is a scene that is always the same, for goldens.
func Fixed(whole bool) Scene {
	s := Scene{
		Shard: 3, Range: 7, Namespace: "10000000-0000-0000-0000-00000000000a", Workflow: "wf",
		Tree: "30000000-0000-0000-0000-00000000000a", Archetype: 1, Whole: whole,
	}
	for i := range s.Runs {
		s.Runs[i] = fmt.Sprintf("20000000-0000-0000-0000-%012d", i+1)
	}
	for i := range s.Branches {
		s.Branches[i] = fmt.Sprintf("40000000-0000-0000-0000-%012d", i+1)
	}
	return s
}

// Fresh is a scene of a shard that no other test uses, if the caller says so.
func Fresh(shard int32, whole bool) Scene {
	s := Scene{
		Shard: shard, Range: 7, Namespace: uuid.NewString(), Workflow: "wf " + uuid.NewString(),
		Tree: uuid.NewString(), Archetype: 1, Whole: whole,
	}
	for i := range s.Runs {
		s.Runs[i] = uuid.NewString()
	}
	for i := range s.Branches {
		s.Branches[i] = uuid.NewString()
	}
	return s
}

// Started is when every run of a scene began; finer than databases keep times.
var Started = time.Date(2026, 11, 22, 10, 11, 12, 13_999_999, time.UTC)

// Blob returns a blob of some text.
func Blob(format string, args ...any) *commonpb.DataBlob {
	return &commonpb.DataBlob{Data: fmt.Appendf(nil, format, args...), EncodingType: enumspb.ENCODING_TYPE_PROTO3}
}

// State returns the state of a run and its blob. The run's only request id is
// "req-" and the run's ID.
func (s Scene) State(
	run string, state enumsspb.WorkflowExecutionState, status enumspb.WorkflowExecutionStatus,
) (*persistencespb.WorkflowExecutionState, *commonpb.DataBlob) {
	st := &persistencespb.WorkflowExecutionState{
		RunId: run, FirstExecutionRunId: s.Runs[0], CreateRequestId: "req-" + run,
		State: state, Status: status, StartTime: timestamppb.New(Started),
		RequestIds: map[string]*persistencespb.RequestIDInfo{"req-" + run: {EventId: 1}},
	}
	blob, err := serialization.NewSerializer().WorkflowExecutionStateToBlob(st)
	if err != nil {
		panic(err) // a fixed message
	}
	return st, blob
}

// Running is State of a run that runs.
func (s Scene) Running(run string) (*persistencespb.WorkflowExecutionState, *commonpb.DataBlob) {
	return s.State(run, enumsspb.WORKFLOW_EXECUTION_STATE_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING)
}

// Tasks returns tasks of three categories, with the IDs first to first+3.
func Tasks(first int64) map[tasks.Category][]p.InternalHistoryTask {
	return map[tasks.Category][]p.InternalHistoryTask{
		tasks.CategoryTimer: {
			{Key: tasks.NewKey(Started, first+2), Blob: Blob("timer %d", first+2)},
		},
		tasks.CategoryTransfer: {
			{Key: tasks.NewImmediateKey(first + 1), Blob: Blob("transfer %d", first+1)},
			{Key: tasks.NewImmediateKey(first), Blob: Blob("transfer %d", first)},
		},
		tasks.CategoryVisibility: {
			{Key: tasks.NewImmediateKey(first + 3), Blob: Blob("visibility %d", first+3)},
		},
	}
}

// Snapshot returns all of a run at a record version, every collection filled.
func (s Scene) Snapshot(run string, version int64) *p.InternalWorkflowSnapshot {
	state, blob := s.Running(run)
	return &p.InternalWorkflowSnapshot{
		NamespaceID: s.Namespace, WorkflowID: s.Workflow, RunID: run,
		ExecutionInfoBlob: Blob("info %d", version), ExecutionState: state, ExecutionStateBlob: blob,
		LastWriteVersion: 40, NextEventID: 5, DBRecordVersion: version, Condition: 4,
		ActivityInfos:       map[int64]*commonpb.DataBlob{9: Blob("activity 9"), 8: Blob("activity 8")},
		TimerInfos:          map[string]*commonpb.DataBlob{"t2": Blob("timer t2"), "t1": Blob("timer t1")},
		ChildExecutionInfos: map[int64]*commonpb.DataBlob{11: Blob("child 11")},
		RequestCancelInfos:  map[int64]*commonpb.DataBlob{12: Blob("cancel 12")},
		SignalInfos:         map[int64]*commonpb.DataBlob{13: Blob("signal 13")},
		ChasmNodes:          map[string]p.InternalChasmNode{"b": s.Node("b"), "": s.Node("")},
		SignalRequestedIDs:  map[string]struct{}{s.Runs[2]: {}, s.Runs[1]: {}},
		Tasks:               Tasks(100 * version),
		Checksum:            Blob("sum"),
	}
}

// Node returns a CHASM node in the scene's form.
func (s Scene) Node(path string) p.InternalChasmNode {
	if s.Whole {
		return p.InternalChasmNode{CassandraBlob: Blob("node %q", path)}
	}
	return p.InternalChasmNode{Metadata: Blob("meta %q", path), Data: Blob("body %q", path)}
}

// Mutation returns a change to a record version that puts and deletes elements
// of every collection of Snapshot.
func (s Scene) Mutation(run string, version int64) *p.InternalWorkflowMutation {
	state, blob := s.Running(run)
	return &p.InternalWorkflowMutation{
		NamespaceID: s.Namespace, WorkflowID: s.Workflow, RunID: run,
		ExecutionInfoBlob: Blob("info %d", version), ExecutionState: state, ExecutionStateBlob: blob,
		LastWriteVersion: 41, NextEventID: 6, DBRecordVersion: version, Condition: 5,
		UpsertActivityInfos:       map[int64]*commonpb.DataBlob{10: Blob("activity 10")},
		DeleteActivityInfos:       map[int64]struct{}{9: {}, 8: {}},
		UpsertTimerInfos:          map[string]*commonpb.DataBlob{"t3": Blob("timer t3")},
		DeleteTimerInfos:          map[string]struct{}{"t1": {}},
		UpsertChildExecutionInfos: map[int64]*commonpb.DataBlob{14: Blob("child 14")},
		DeleteChildExecutionInfos: map[int64]struct{}{11: {}},
		UpsertRequestCancelInfos:  map[int64]*commonpb.DataBlob{15: Blob("cancel 15")},
		DeleteRequestCancelInfos:  map[int64]struct{}{12: {}},
		UpsertSignalInfos:         map[int64]*commonpb.DataBlob{16: Blob("signal 16")},
		DeleteSignalInfos:         map[int64]struct{}{13: {}},
		UpsertChasmNodes:          map[string]p.InternalChasmNode{"c": s.Node("c")},
		DeleteChasmNodes:          map[string]struct{}{"b": {}},
		UpsertSignalRequestedIDs:  map[string]struct{}{s.Runs[0]: {}},
		DeleteSignalRequestedIDs:  map[string]struct{}{s.Runs[2]: {}},
		NewBufferedEvents:         Blob("buffered"),
		Tasks:                     Tasks(100 * version),
		Checksum:                  Blob("sum"),
	}
}

// Append returns the append of a node, to a new branch if fresh.
func (s Scene) Append(branch string, node, txn int64, fresh bool) *p.InternalAppendHistoryNodesRequest {
	request := &p.InternalAppendHistoryNodesRequest{
		IsNewBranch: fresh, ShardID: s.Shard,
		BranchInfo: &persistencespb.HistoryBranch{TreeId: s.Tree, BranchId: branch},
		Node:       p.InternalHistoryNode{NodeID: node, TransactionID: txn, PrevTransactionID: txn - 1, Events: Blob("events %d", node)},
	}
	if fresh {
		request.TreeInfo = Blob("tree")
	}
	return request
}

// Create returns the creation of a run with a new branch of history.
func (s Scene) Create(mode p.CreateWorkflowMode, run string) *p.InternalCreateWorkflowExecutionRequest {
	return &p.InternalCreateWorkflowExecutionRequest{
		ShardID: s.Shard, RangeID: s.Range, Mode: mode, ArchetypeID: s.Archetype,
		NewWorkflowSnapshot:  *s.Snapshot(run, 1),
		NewWorkflowNewEvents: []*p.InternalAppendHistoryNodesRequest{s.Append(s.Branches[0], 1, 50, true), s.Append(s.Branches[0], 4, 51, false)},
	}
}

// TakeOver returns the creation of a run that follows a closed one.
func (s Scene) TakeOver(run, previous string, version int64) *p.InternalCreateWorkflowExecutionRequest {
	request := s.Create(p.CreateWorkflowModeUpdateCurrent, run)
	request.PreviousRunID, request.PreviousLastWriteVersion = previous, version
	return request
}

// Update returns the update of a run from record version 1 to 2.
func (s Scene) Update(mode p.UpdateWorkflowMode, run string) *p.InternalUpdateWorkflowExecutionRequest {
	return &p.InternalUpdateWorkflowExecutionRequest{
		ShardID: s.Shard, RangeID: s.Range, Mode: mode, ArchetypeID: s.Archetype,
		UpdateWorkflowMutation:  *s.Mutation(run, 2),
		UpdateWorkflowNewEvents: []*p.InternalAppendHistoryNodesRequest{s.Append(s.Branches[0], 5, 60, false), s.Append(s.Branches[0], 6, 61, false)},
	}
}

// Close returns the update that completes a run, from record version 1 to 2.
func (s Scene) Close(run string) *p.InternalUpdateWorkflowExecutionRequest {
	request := s.Update(p.UpdateWorkflowModeUpdateCurrent, run)
	m := &request.UpdateWorkflowMutation
	m.LastWriteVersion = 40
	m.ExecutionState, m.ExecutionStateBlob = s.State(run,
		enumsspb.WORKFLOW_EXECUTION_STATE_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	return request
}

// ContinueAsNew returns the update of a run that inserts the next.
func (s Scene) ContinueAsNew(run, next string) *p.InternalUpdateWorkflowExecutionRequest {
	request := s.Update(p.UpdateWorkflowModeUpdateCurrent, run)
	request.NewWorkflowSnapshot = s.Snapshot(next, 1)
	request.NewWorkflowSnapshot.Tasks = Tasks(500)
	request.NewWorkflowNewEvents = []*p.InternalAppendHistoryNodesRequest{s.Append(s.Branches[1], 1, 62, true)}
	return request
}

// Resolve returns a conflict resolution of one run.
func (s Scene) Resolve(mode p.ConflictResolveWorkflowMode, reset string) *p.InternalConflictResolveWorkflowExecutionRequest {
	return &p.InternalConflictResolveWorkflowExecutionRequest{
		ShardID: s.Shard, RangeID: s.Range, Mode: mode, ArchetypeID: s.Archetype,
		ResetWorkflowSnapshot: *s.Snapshot(reset, 2),
	}
}

// ResolveThree returns a conflict resolution that resets the second run, changes
// the first and inserts the third.
func (s Scene) ResolveThree(mode p.ConflictResolveWorkflowMode) *p.InternalConflictResolveWorkflowExecutionRequest {
	r := s.Resolve(mode, s.Runs[1])
	r.CurrentWorkflowMutation = s.Mutation(s.Runs[0], 2)
	r.NewWorkflowSnapshot = s.Snapshot(s.Runs[2], 1)
	r.ResetWorkflowEventsNewEvents = []*p.InternalAppendHistoryNodesRequest{s.Append(s.Branches[0], 5, 60, false)}
	r.CurrentWorkflowEventsNewEvents = []*p.InternalAppendHistoryNodesRequest{s.Append(s.Branches[0], 6, 61, false)}
	r.NewWorkflowEventsNewEvents = []*p.InternalAppendHistoryNodesRequest{s.Append(s.Branches[1], 1, 62, true)}
	r.ResetWorkflowSnapshot.Tasks = Tasks(500)
	r.CurrentWorkflowMutation.Tasks = Tasks(600)
	r.NewWorkflowSnapshot.Tasks = Tasks(700)
	return r
}

// Set returns the replacement of a run by a snapshot.
func (s Scene) Set(run string, version int64) *p.InternalSetWorkflowExecutionRequest {
	return &p.InternalSetWorkflowExecutionRequest{
		ShardID: s.Shard, RangeID: s.Range, ArchetypeID: s.Archetype, SetWorkflowSnapshot: *s.Snapshot(run, version),
	}
}

// AddTasks returns the addition of tasks.
func (s Scene) AddTasks(first int64) *p.InternalAddHistoryTasksRequest {
	return &p.InternalAddHistoryTasksRequest{
		ShardID: s.Shard, RangeID: s.Range, NamespaceID: s.Namespace, WorkflowID: s.Workflow,
		ArchetypeID: s.Archetype, Tasks: Tasks(first),
	}
}

// Get asks for a run.
func (s Scene) Get(run string) *p.GetWorkflowExecutionRequest {
	return &p.GetWorkflowExecutionRequest{ShardID: s.Shard, NamespaceID: s.Namespace, WorkflowID: s.Workflow, RunID: run, ArchetypeID: s.Archetype}
}

// GetCurrent asks for the current run.
func (s Scene) GetCurrent() *p.GetCurrentExecutionRequest {
	return &p.GetCurrentExecutionRequest{ShardID: s.Shard, NamespaceID: s.Namespace, WorkflowID: s.Workflow, ArchetypeID: s.Archetype}
}

// Delete deletes a run.
func (s Scene) Delete(run string) *p.DeleteWorkflowExecutionRequest {
	return &p.DeleteWorkflowExecutionRequest{ShardID: s.Shard, NamespaceID: s.Namespace, WorkflowID: s.Workflow, RunID: run, ArchetypeID: s.Archetype}
}

// DeleteCurrent deletes the row of the current run if it is this one.
func (s Scene) DeleteCurrent(run string) *p.DeleteCurrentWorkflowExecutionRequest {
	return &p.DeleteCurrentWorkflowExecutionRequest{ShardID: s.Shard, NamespaceID: s.Namespace, WorkflowID: s.Workflow, RunID: run, ArchetypeID: s.Archetype}
}

// GetTasks asks for the tasks that Tasks makes with IDs below 1,000,000.
func (s Scene) GetTasks(category tasks.Category) *p.GetHistoryTasksRequest {
	return &p.GetHistoryTasksRequest{
		ShardID: s.Shard, TaskCategory: category, BatchSize: 1000,
		InclusiveMinTaskKey: tasks.NewKey(Started.Add(-time.Hour), 1), ExclusiveMaxTaskKey: tasks.NewKey(Started.Add(time.Hour), 1_000_000),
	}
}

// BranchToken returns the token of one of the scene's branches.
func (s Scene) BranchToken(t testing.TB, util p.HistoryBranchUtil, branch string) []byte {
	t.Helper()
	token, err := util.NewHistoryBranch(s.Namespace, s.Workflow, s.Runs[0], s.Tree, &branch, nil, 0, 0, 0)
	require.NoError(t, err)
	return token
}

// ShardInfo makes the blob of a new shard.
func ShardInfo(rangeID int64) func() (int64, *commonpb.DataBlob, error) {
	return func() (int64, *commonpb.DataBlob, error) { return rangeID, Blob("shard, range %d", rangeID), nil }
}

// Own makes the scene's shard, owned by its range.
func (s Scene) Own(t testing.TB, shards p.ShardStore) {
	t.Helper()
	_, err := shards.GetOrCreateShard(t.Context(), &p.InternalGetOrCreateShardRequest{ShardID: s.Shard, CreateShardInfo: ShardInfo(s.Range)})
	require.NoError(t, err)
}

// Renew returns the move of the shard to the next range.
func (s Scene) Renew() *p.InternalUpdateShardRequest {
	return &p.InternalUpdateShardRequest{
		ShardID: s.Shard, PreviousRangeID: s.Range, RangeID: s.Range + 1, ShardInfo: Blob("shard, range %d", s.Range+1),
	}
}

// CreateCurrent makes the first run current.
func (s Scene) CreateCurrent(t testing.TB, executions p.ExecutionStore) {
	t.Helper()
	_, err := executions.CreateWorkflowExecution(t.Context(), s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0]))
	require.NoError(t, err)
}

// CreateBoth makes the first run current and inserts the second beside it.
func (s Scene) CreateBoth(t testing.TB, executions p.ExecutionStore) {
	t.Helper()
	s.CreateCurrent(t, executions)
	_, err := executions.CreateWorkflowExecution(t.Context(), s.Create(p.CreateWorkflowModeBypassCurrent, s.Runs[1]))
	require.NoError(t, err)
}

// PutDLQ stores a task in the replication DLQ.
func (s Scene) PutDLQ(id int64) *p.PutReplicationTaskToDLQRequest {
	return &p.PutReplicationTaskToDLQRequest{
		ShardID: s.Shard, SourceClusterName: "west", TaskInfo: &persistencespb.ReplicationTaskInfo{TaskId: id},
	}
}

// GetDLQ asks for the tasks of the replication DLQ from 1 to 99.
func (s Scene) GetDLQ() *p.GetReplicationTasksFromDLQRequest {
	return &p.GetReplicationTasksFromDLQRequest{
		SourceClusterName: "west", GetHistoryTasksRequest: p.GetHistoryTasksRequest{
			ShardID: s.Shard, TaskCategory: tasks.CategoryReplication, BatchSize: 100,
			InclusiveMinTaskKey: tasks.NewImmediateKey(1), ExclusiveMaxTaskKey: tasks.NewImmediateKey(100),
		},
	}
}

// DeleteDLQ deletes one task of the replication DLQ.
func (s Scene) DeleteDLQ(id int64) *p.DeleteReplicationTaskFromDLQRequest {
	return &p.DeleteReplicationTaskFromDLQRequest{
		SourceClusterName: "west", CompleteHistoryTaskRequest: p.CompleteHistoryTaskRequest{
			ShardID: s.Shard, TaskCategory: tasks.CategoryReplication, TaskKey: tasks.NewImmediateKey(id),
		},
	}
}

// RangeDeleteDLQ deletes the tasks that GetDLQ asks for.
func (s Scene) RangeDeleteDLQ() *p.RangeDeleteReplicationTaskFromDLQRequest {
	return &p.RangeDeleteReplicationTaskFromDLQRequest{
		SourceClusterName: "west", RangeCompleteHistoryTasksRequest: p.RangeCompleteHistoryTasksRequest{
			ShardID: s.Shard, TaskCategory: tasks.CategoryReplication,
			InclusiveMinTaskKey: tasks.NewImmediateKey(1), ExclusiveMaxTaskKey: tasks.NewImmediateKey(100),
		},
	}
}

// RangeComplete deletes the tasks that GetTasks asks for.
func (s Scene) RangeComplete(category tasks.Category) *p.RangeCompleteHistoryTasksRequest {
	get := s.GetTasks(category)
	return &p.RangeCompleteHistoryTasksRequest{
		ShardID: s.Shard, TaskCategory: category,
		InclusiveMinTaskKey: get.InclusiveMinTaskKey, ExclusiveMaxTaskKey: get.ExclusiveMaxTaskKey,
	}
}

// Complete deletes one task of Tasks.
func (s Scene) Complete(category tasks.Category, id int64, bestEffort bool) *p.CompleteHistoryTaskRequest {
	return &p.CompleteHistoryTaskRequest{
		ShardID: s.Shard, TaskCategory: category, TaskKey: tasks.NewKey(Started, id), BestEffort: bestEffort,
	}
}

// DeleteBranch deletes the whole second branch.
func (s Scene) DeleteBranch(branch string) *p.InternalDeleteHistoryBranchRequest {
	return &p.InternalDeleteHistoryBranchRequest{
		BranchInfo:   &persistencespb.HistoryBranch{TreeId: s.Tree, BranchId: branch},
		BranchRanges: []p.InternalDeleteHistoryBranchRange{{BranchId: branch, BeginNodeId: 1}},
	}
}

// Fork makes the second branch start from the first.
func (s Scene) Fork() *p.InternalForkHistoryBranchRequest {
	return &p.InternalForkHistoryBranchRequest{
		ForkBranchInfo: &persistencespb.HistoryBranch{TreeId: s.Tree, BranchId: s.Branches[0]},
		NewBranchID:    s.Branches[1], TreeInfo: Blob("tree"), ForkNodeID: 5,
	}
}

// DeleteNode deletes one node of a branch.
func (s Scene) DeleteNode(branch string, node, txn int64) *p.InternalDeleteHistoryNodesRequest {
	return &p.InternalDeleteHistoryNodesRequest{
		BranchInfo: &persistencespb.HistoryBranch{TreeId: s.Tree, BranchId: branch}, NodeID: node, TransactionID: txn,
	}
}
