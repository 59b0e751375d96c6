package store

import (
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	enumsspb "go.temporal.io/server/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/service/history/tasks"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Requests that name everything a request can hold, always the same.

const (
	testNamespace = "10000000-0000-0000-0000-00000000000a"
	testWorkflow  = "wf"
	testRun       = "20000000-0000-0000-0000-000000000001"
	testRun2      = "20000000-0000-0000-0000-000000000002"
	testRun3      = "20000000-0000-0000-0000-000000000003"
	testTree      = "30000000-0000-0000-0000-00000000000a"
	testBranch    = "40000000-0000-0000-0000-000000000001"
	testBranch2   = "40000000-0000-0000-0000-000000000002"
	testShard     = int32(3)
	testRange     = int64(7)
	testArchetype = uint32(1)
)

var testTime = time.Date(2026, 11, 22, 10, 11, 12, 13_999_999, time.UTC)

func blob(format string, args ...any) *commonpb.DataBlob {
	return &commonpb.DataBlob{Data: fmt.Appendf(nil, format, args...), EncodingType: enumspb.ENCODING_TYPE_PROTO3}
}

func testState(run string, state enumsspb.WorkflowExecutionState, status enumspb.WorkflowExecutionStatus) *persistencespb.WorkflowExecutionState {
	return &persistencespb.WorkflowExecutionState{
		RunId: run, FirstExecutionRunId: testRun, CreateRequestId: "req-" + run[len(run)-1:],
		State: state, Status: status, StartTime: timestamppb.New(testTime),
		RequestIds: map[string]*persistencespb.RequestIDInfo{"req-" + run[len(run)-1:]: {EventId: 1}},
	}
}

func stateBlob(state *persistencespb.WorkflowExecutionState) *commonpb.DataBlob {
	b, err := serialization.NewSerializer().WorkflowExecutionStateToBlob(state)
	if err != nil {
		panic(err)
	}
	return b
}

func testTasks(first int64) map[tasks.Category][]p.InternalHistoryTask {
	return map[tasks.Category][]p.InternalHistoryTask{
		tasks.CategoryTimer: {
			{Key: tasks.NewKey(testTime, first+2), Blob: blob("timer %d", first+2)},
		},
		tasks.CategoryTransfer: {
			{Key: tasks.NewImmediateKey(first + 1), Blob: blob("transfer %d", first+1)},
			{Key: tasks.NewImmediateKey(first), Blob: blob("transfer %d", first)},
		},
		tasks.CategoryVisibility: {
			{Key: tasks.NewImmediateKey(first + 3), Blob: blob("visibility %d", first+3)},
		},
	}
}

func testSnapshot(run string, version int64, whole bool) *p.InternalWorkflowSnapshot {
	state := testState(run, enumsspb.WORKFLOW_EXECUTION_STATE_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING)
	return &p.InternalWorkflowSnapshot{
		NamespaceID: testNamespace, WorkflowID: testWorkflow, RunID: run,
		ExecutionInfoBlob: blob("info %d", version), ExecutionState: state, ExecutionStateBlob: stateBlob(state),
		LastWriteVersion: 40, NextEventID: 5, DBRecordVersion: version, Condition: 4,
		ActivityInfos:       map[int64]*commonpb.DataBlob{9: blob("activity 9"), 8: blob("activity 8")},
		TimerInfos:          map[string]*commonpb.DataBlob{"t2": blob("timer t2"), "t1": blob("timer t1")},
		ChildExecutionInfos: map[int64]*commonpb.DataBlob{11: blob("child 11")},
		RequestCancelInfos:  map[int64]*commonpb.DataBlob{12: blob("cancel 12")},
		SignalInfos:         map[int64]*commonpb.DataBlob{13: blob("signal 13")},
		ChasmNodes:          map[string]p.InternalChasmNode{"b": testNode("b", whole), "": testNode("", whole)},
		SignalRequestedIDs:  map[string]struct{}{testRun3: {}, testRun2: {}},
		Tasks:               testTasks(100 * version),
		Checksum:            blob("sum"),
	}
}

func testNode(path string, whole bool) p.InternalChasmNode {
	if whole {
		return p.InternalChasmNode{CassandraBlob: blob("node %q", path)}
	}
	return p.InternalChasmNode{Metadata: blob("meta %q", path), Data: blob("body %q", path)}
}

func testMutation(run string, version int64, whole bool) *p.InternalWorkflowMutation {
	state := testState(run, enumsspb.WORKFLOW_EXECUTION_STATE_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING)
	return &p.InternalWorkflowMutation{
		NamespaceID: testNamespace, WorkflowID: testWorkflow, RunID: run,
		ExecutionInfoBlob: blob("info %d", version), ExecutionState: state, ExecutionStateBlob: stateBlob(state),
		LastWriteVersion: 41, NextEventID: 6, DBRecordVersion: version, Condition: 5,
		UpsertActivityInfos:       map[int64]*commonpb.DataBlob{10: blob("activity 10")},
		DeleteActivityInfos:       map[int64]struct{}{9: {}, 8: {}},
		UpsertTimerInfos:          map[string]*commonpb.DataBlob{"t3": blob("timer t3")},
		DeleteTimerInfos:          map[string]struct{}{"t1": {}},
		UpsertChildExecutionInfos: map[int64]*commonpb.DataBlob{14: blob("child 14")},
		DeleteChildExecutionInfos: map[int64]struct{}{11: {}},
		UpsertRequestCancelInfos:  map[int64]*commonpb.DataBlob{15: blob("cancel 15")},
		DeleteRequestCancelInfos:  map[int64]struct{}{12: {}},
		UpsertSignalInfos:         map[int64]*commonpb.DataBlob{16: blob("signal 16")},
		DeleteSignalInfos:         map[int64]struct{}{13: {}},
		UpsertChasmNodes:          map[string]p.InternalChasmNode{"c": testNode("c", whole)},
		DeleteChasmNodes:          map[string]struct{}{"b": {}},
		UpsertSignalRequestedIDs:  map[string]struct{}{testRun: {}},
		DeleteSignalRequestedIDs:  map[string]struct{}{testRun3: {}},
		NewBufferedEvents:         blob("buffered"),
		Tasks:                     testTasks(100 * version),
		Checksum:                  blob("sum"),
	}
}

func testAppend(branch string, node, txn int64, fresh bool) *p.InternalAppendHistoryNodesRequest {
	request := &p.InternalAppendHistoryNodesRequest{
		IsNewBranch: fresh, ShardID: testShard,
		BranchInfo: &persistencespb.HistoryBranch{TreeId: testTree, BranchId: branch},
		Node:       p.InternalHistoryNode{NodeID: node, TransactionID: txn, PrevTransactionID: txn - 1, Events: blob("events %d", node)},
	}
	if fresh {
		request.TreeInfo = blob("tree")
	}
	return request
}

func testCreate(mode p.CreateWorkflowMode, whole bool) *p.InternalCreateWorkflowExecutionRequest {
	return &p.InternalCreateWorkflowExecutionRequest{
		ShardID: testShard, RangeID: testRange, Mode: mode, ArchetypeID: testArchetype,
		NewWorkflowSnapshot:  *testSnapshot(testRun, 1, whole),
		NewWorkflowNewEvents: []*p.InternalAppendHistoryNodesRequest{testAppend(testBranch, 1, 50, true), testAppend(testBranch, 4, 51, false)},
	}
}
