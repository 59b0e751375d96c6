package interchange

import (
	"context"
	"math"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	enumsspb "go.temporal.io/server/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/chasm"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/service/history/tasks"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// calls makes the same calls on any store.
type calls struct {
	t   *testing.T
	ctx context.Context
	f   p.DataStoreFactory
	now time.Time
}

const (
	shardID   = 3
	rangeID   = 1
	namespace = "11111111-1111-4111-8111-111111111111"
	workflow  = "order-17"
	run1      = "22222222-2222-4222-8222-222222222221"
	run2      = "22222222-2222-4222-8222-222222222222"
	run3      = "22222222-2222-4222-8222-222222222223"
	run4      = "22222222-2222-4222-8222-222222222224"
	tree      = "55555555-5555-4555-8555-555555555555"
	branch    = "66666666-6666-4666-8666-666666666666"
	branch2   = "66666666-6666-4666-8666-666666666667"
)

func blob(s string) *commonpb.DataBlob {
	return &commonpb.DataBlob{Data: []byte(s), EncodingType: enumspb.ENCODING_TYPE_PROTO3}
}

func (c *calls) ok(err error) {
	c.t.Helper()
	require.NoError(c.t, err)
}

func (c *calls) all() {
	c.shards()
	c.executions()
	c.history()
	c.tasks(false)
	c.tasks(true)
	c.userData()
	c.namespaces()
	c.cluster()
	c.queues()
	c.nexus()
}

func (c *calls) shards() {
	s, err := c.f.NewShardStore()
	c.ok(err)
	_, err = s.GetOrCreateShard(c.ctx, &p.InternalGetOrCreateShardRequest{
		ShardID:         shardID,
		CreateShardInfo: func() (int64, *commonpb.DataBlob, error) { return 0, blob("new"), nil },
	})
	c.ok(err)
	c.ok(s.UpdateShard(c.ctx, &p.InternalUpdateShardRequest{ShardID: shardID, RangeID: rangeID, ShardInfo: blob("shard"), PreviousRangeID: 0}))
}

func state(run string, s enumsspb.WorkflowExecutionState) *persistencespb.WorkflowExecutionState {
	status := enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	if s == enumsspb.WORKFLOW_EXECUTION_STATE_COMPLETED {
		status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}
	return &persistencespb.WorkflowExecutionState{RunId: run, CreateRequestId: "request", State: s, Status: status}
}

func stateBlob(t *testing.T, s *persistencespb.WorkflowExecutionState) *commonpb.DataBlob {
	b, err := serialization.NewSerializer().WorkflowExecutionStateToBlob(s)
	require.NoError(t, err)
	return b
}

func (c *calls) snapshot(run string, version int64, full bool) p.InternalWorkflowSnapshot {
	st := state(run, enumsspb.WORKFLOW_EXECUTION_STATE_RUNNING)
	s := p.InternalWorkflowSnapshot{
		NamespaceID: namespace, WorkflowID: workflow, RunID: run, ExecutionInfoBlob: blob("info " + run),
		ExecutionState: st, ExecutionStateBlob: stateBlob(c.t, st), LastWriteVersion: 5, NextEventID: 4, DBRecordVersion: version,
		Checksum: &commonpb.DataBlob{}, Tasks: taskMap(version),
	}
	if full {
		s.Checksum = blob("sum")
		s.ActivityInfos = map[int64]*commonpb.DataBlob{5: blob("a5"), 7: blob("a7")}
		s.TimerInfos = map[string]*commonpb.DataBlob{"t1": blob("t1"), "t2": blob("t2")}
		s.ChildExecutionInfos = map[int64]*commonpb.DataBlob{8: blob("c8")}
		s.RequestCancelInfos = map[int64]*commonpb.DataBlob{9: blob("r9")}
		s.SignalInfos = map[int64]*commonpb.DataBlob{10: blob("s10")}
		s.ChasmNodes = map[string]p.InternalChasmNode{"a": {CassandraBlob: blob("node a")}, "a/b": {CassandraBlob: blob("node b")}}
		s.SignalRequestedIDs = map[string]struct{}{run4: {}, tree: {}}
	}
	return s
}

func taskMap(n int64) map[tasks.Category][]p.InternalHistoryTask {
	at := time.UnixMilli(1700000000123 + n).UTC()
	m := map[tasks.Category][]p.InternalHistoryTask{}
	for _, category := range []tasks.Category{
		tasks.CategoryTransfer, tasks.CategoryTimer, tasks.CategoryReplication, tasks.CategoryVisibility,
		tasks.CategoryArchival, tasks.CategoryOutbound,
	} {
		key := tasks.NewImmediateKey(100*n + int64(category.ID()))
		if category.Type() == tasks.CategoryTypeScheduled {
			key = tasks.NewKey(at, 100*n+int64(category.ID()))
		}
		m[category] = []p.InternalHistoryTask{{Key: key, Blob: blob("task " + category.Name())}}
	}
	return m
}

func (c *calls) mutation(run string, version int64) p.InternalWorkflowMutation {
	st := state(run, enumsspb.WORKFLOW_EXECUTION_STATE_RUNNING)
	return p.InternalWorkflowMutation{
		NamespaceID: namespace, WorkflowID: workflow, RunID: run, ExecutionInfoBlob: blob("changed " + run),
		ExecutionState: st, ExecutionStateBlob: stateBlob(c.t, st), LastWriteVersion: 6, NextEventID: 9, DBRecordVersion: version,
		Checksum: &commonpb.DataBlob{}, Tasks: taskMap(10 + version),
	}
}

func (c *calls) events(branchID string, node int64, fresh bool) []*p.InternalAppendHistoryNodesRequest {
	return []*p.InternalAppendHistoryNodesRequest{{
		ShardID: shardID, IsNewBranch: fresh, BranchInfo: &persistencespb.HistoryBranch{TreeId: tree, BranchId: branchID},
		TreeInfo: blob("tree"), Node: p.InternalHistoryNode{NodeID: node, TransactionID: 10 + node, PrevTransactionID: node, Events: blob("events")},
	}}
}

func (c *calls) executions() {
	s, err := c.f.NewExecutionStore()
	c.ok(err)
	create := &p.InternalCreateWorkflowExecutionRequest{
		ShardID: shardID, RangeID: rangeID, Mode: p.CreateWorkflowModeBrandNew, ArchetypeID: chasm.WorkflowArchetypeID,
		NewWorkflowSnapshot: c.snapshot(run1, 1, true), NewWorkflowNewEvents: c.events(branch, 1, true),
	}
	_, err = s.CreateWorkflowExecution(c.ctx, create)
	c.ok(err)
	other := *create
	other.ArchetypeID, other.NewWorkflowSnapshot, other.NewWorkflowNewEvents = 305419896, c.snapshot(run4, 1, false), nil
	_, err = s.CreateWorkflowExecution(c.ctx, &other)
	c.ok(err)

	change := c.mutation(run1, 2)
	change.UpsertActivityInfos = map[int64]*commonpb.DataBlob{6: blob("a6")}
	change.DeleteActivityInfos = map[int64]struct{}{5: {}, 99: {}}
	change.UpsertTimerInfos, change.DeleteTimerInfos = map[string]*commonpb.DataBlob{"t3": blob("t3")}, map[string]struct{}{"t1": {}}
	change.DeleteChildExecutionInfos = map[int64]struct{}{8: {}}
	change.UpsertSignalInfos = map[int64]*commonpb.DataBlob{11: blob("s11")}
	change.UpsertChasmNodes, change.DeleteChasmNodes = map[string]p.InternalChasmNode{"c": {CassandraBlob: blob("node c")}}, map[string]struct{}{"a": {}}
	change.UpsertSignalRequestedIDs, change.DeleteSignalRequestedIDs = map[string]struct{}{run2: {}}, map[string]struct{}{tree: {}}
	change.NewBufferedEvents = blob("buffered 1")
	c.update(s, p.UpdateWorkflowModeUpdateCurrent, change, nil, c.events(branch, 3, false))
	again := c.mutation(run1, 3)
	again.NewBufferedEvents = blob("buffered 2")
	c.update(s, p.UpdateWorkflowModeIgnoreCurrent, again, nil, nil)

	next := c.snapshot(run2, 1, true)
	clearing := c.mutation(run1, 4)
	clearing.ClearBufferedEvents = true
	c.update(s, p.UpdateWorkflowModeUpdateCurrent, clearing, &next, c.events(branch2, 1, true))

	third := c.snapshot(run3, 1, false)
	current := c.mutation(run2, 2)
	current.NewBufferedEvents = blob("buffered 3")
	c.ok(s.ConflictResolveWorkflowExecution(c.ctx, &p.InternalConflictResolveWorkflowExecutionRequest{
		ShardID: shardID, RangeID: rangeID, Mode: p.ConflictResolveWorkflowModeUpdateCurrent, ArchetypeID: chasm.WorkflowArchetypeID,
		ResetWorkflowSnapshot: c.snapshot(run1, 5, true), CurrentWorkflowMutation: &current, NewWorkflowSnapshot: &third,
	}))
	c.ok(s.SetWorkflowExecution(c.ctx, &p.InternalSetWorkflowExecutionRequest{
		ShardID: shardID, RangeID: rangeID, ArchetypeID: chasm.WorkflowArchetypeID, SetWorkflowSnapshot: c.snapshot(run2, 3, false),
	}))
	bypassing := c.mutation(run1, 6)
	c.update(s, p.UpdateWorkflowModeBypassCurrent, bypassing, nil, nil)
	c.ok(s.AddHistoryTasks(c.ctx, &p.InternalAddHistoryTasksRequest{ShardID: shardID, RangeID: rangeID, Tasks: taskMap(50)}))
	c.ok(s.CompleteHistoryTask(c.ctx, &p.CompleteHistoryTaskRequest{
		ShardID: shardID, TaskCategory: tasks.CategoryTransfer, TaskKey: tasks.NewImmediateKey(101),
	}))
	c.ok(s.RangeCompleteHistoryTasks(c.ctx, &p.RangeCompleteHistoryTasksRequest{
		ShardID: shardID, TaskCategory: tasks.CategoryOutbound,
		InclusiveMinTaskKey: tasks.NewImmediateKey(0), ExclusiveMaxTaskKey: tasks.NewImmediateKey(1200),
	}))
	c.ok(s.RangeCompleteHistoryTasks(c.ctx, &p.RangeCompleteHistoryTasksRequest{
		ShardID: shardID, TaskCategory: tasks.CategoryTimer,
		InclusiveMinTaskKey: tasks.NewKey(time.UnixMilli(0), 0), ExclusiveMaxTaskKey: tasks.NewKey(time.UnixMilli(1700000000130), 0),
	}))
	for id := int64(1); id < 4; id++ {
		c.ok(s.PutReplicationTaskToDLQ(c.ctx, &p.PutReplicationTaskToDLQRequest{
			ShardID: shardID, SourceClusterName: "b", TaskInfo: &persistencespb.ReplicationTaskInfo{TaskId: id, WorkflowId: workflow},
		}))
	}
	c.ok(s.DeleteReplicationTaskFromDLQ(c.ctx, &p.DeleteReplicationTaskFromDLQRequest{
		CompleteHistoryTaskRequest: p.CompleteHistoryTaskRequest{ShardID: shardID, TaskCategory: tasks.CategoryReplication, TaskKey: tasks.NewImmediateKey(2)},
		SourceClusterName:          "b",
	}))
	c.ok(s.DeleteCurrentWorkflowExecution(c.ctx, &p.DeleteCurrentWorkflowExecutionRequest{
		ShardID: shardID, NamespaceID: namespace, WorkflowID: workflow, RunID: run4, ArchetypeID: 305419896,
	}))
	c.ok(s.DeleteWorkflowExecution(c.ctx, &p.DeleteWorkflowExecutionRequest{
		ShardID: shardID, NamespaceID: namespace, WorkflowID: workflow, RunID: run4, ArchetypeID: 305419896,
	}))
}

func (c *calls) update(s p.ExecutionStore, mode p.UpdateWorkflowMode, m p.InternalWorkflowMutation, next *p.InternalWorkflowSnapshot, events []*p.InternalAppendHistoryNodesRequest) {
	c.t.Helper()
	c.ok(s.UpdateWorkflowExecution(c.ctx, &p.InternalUpdateWorkflowExecutionRequest{
		ShardID: shardID, RangeID: rangeID, Mode: mode, ArchetypeID: chasm.WorkflowArchetypeID,
		UpdateWorkflowMutation: m, UpdateWorkflowNewEvents: events, NewWorkflowSnapshot: next,
	}))
}

func (c *calls) history() {
	s, err := c.f.NewExecutionStore()
	c.ok(err)
	info := &persistencespb.HistoryBranch{TreeId: tree, BranchId: branch}
	for node := int64(5); node < 9; node++ {
		c.ok(s.AppendHistoryNodes(c.ctx, c.events(branch, node, false)[0]))
	}
	c.ok(s.ForkHistoryBranch(c.ctx, &p.InternalForkHistoryBranchRequest{
		ShardID: shardID, ForkBranchInfo: info, TreeInfo: blob("fork"), ForkNodeID: 5, NewBranchID: run3,
	}))
	c.ok(s.DeleteHistoryNodes(c.ctx, &p.InternalDeleteHistoryNodesRequest{ShardID: shardID, BranchInfo: info, NodeID: 6, TransactionID: 16}))
	c.ok(s.DeleteHistoryBranch(c.ctx, &p.InternalDeleteHistoryBranchRequest{
		ShardID: shardID, BranchInfo: &persistencespb.HistoryBranch{TreeId: tree, BranchId: branch2},
		BranchRanges: []p.InternalDeleteHistoryBranchRange{{BranchId: branch2, BeginNodeId: 1}, {BranchId: branch, BeginNodeId: 8}},
	}))
}

func (c *calls) tasks(fair bool) {
	create := c.f.NewTaskStore
	if fair {
		create = c.f.NewFairTaskStore
	}
	s, err := create()
	c.ok(err)
	kind := enumspb.TASK_QUEUE_TYPE_ACTIVITY
	soon := timestamppb.New(c.now.Add(3 * time.Hour))
	for _, queue := range []string{"jobs", "sticky", "gone"} {
		c.ok(s.CreateTaskQueue(c.ctx, &p.InternalCreateTaskQueueRequest{
			NamespaceID: namespace, TaskQueue: queue, TaskType: kind, RangeID: 1, TaskQueueInfo: blob("queue"),
		}))
	}
	update := &p.InternalUpdateTaskQueueRequest{
		NamespaceID: namespace, TaskQueue: "jobs", TaskType: kind, RangeID: 2, PrevRangeID: 1, TaskQueueInfo: blob("queue 2"),
		TaskQueueKind: enumspb.TASK_QUEUE_KIND_NORMAL,
	}
	_, err = s.UpdateTaskQueue(c.ctx, update)
	c.ok(err)
	sticky := *update
	sticky.TaskQueue, sticky.TaskQueueKind, sticky.ExpiryTime = "sticky", enumspb.TASK_QUEUE_KIND_STICKY, soon
	_, err = s.UpdateTaskQueue(c.ctx, &sticky)
	c.ok(err)
	c.ok(s.DeleteTaskQueue(c.ctx, &p.DeleteTaskQueueRequest{
		TaskQueue: &p.TaskQueueKey{NamespaceID: namespace, TaskQueueName: "gone", TaskQueueType: kind}, RangeID: 1,
	}))
	pass := int64(0)
	if fair {
		pass = 3
	}
	add := &p.InternalCreateTasksRequest{
		NamespaceID: namespace, TaskQueue: "jobs", TaskType: kind, RangeID: 2, TaskQueueInfo: blob("queue 3"), UpdateMetadata: true,
	}
	for id := int64(1); id < 5; id++ {
		task := &p.InternalCreateTask{TaskPass: pass, TaskId: id, Task: blob("task"), Subqueue: int(id % 3)}
		if id%2 == 0 {
			task.ExpiryTime = soon
		}
		add.Tasks = append(add.Tasks, task)
	}
	_, err = s.CreateTasks(c.ctx, add)
	c.ok(err)
	add.UpdateMetadata, add.TaskQueueInfo = false, nil
	add.Tasks = []*p.InternalCreateTask{{TaskPass: pass, TaskId: 9, Task: blob("more")}}
	_, err = s.CreateTasks(c.ctx, add)
	c.ok(err)
	done := &p.CompleteTasksLessThanRequest{NamespaceID: namespace, TaskQueueName: "jobs", TaskType: kind, ExclusiveMaxTaskID: 4, Subqueue: 0}
	if fair {
		done.ExclusiveMaxPass, done.ExclusiveMaxTaskID = 3, math.MaxInt64
	}
	_, err = s.CompleteTasksLessThan(c.ctx, done)
	c.ok(err)
	if fair {
		done.ConditionRangeID, done.ExclusiveMaxTaskID = 2, 2
		_, err = s.CompleteTasksLessThan(c.ctx, done)
		c.ok(err)
	}
}

func (c *calls) userData() {
	s, err := c.f.NewTaskStore()
	c.ok(err)
	update := func(version int64, added, removed []string, queues ...string) {
		updates := map[string]*p.InternalSingleTaskQueueUserDataUpdate{}
		for _, q := range queues {
			updates[q] = &p.InternalSingleTaskQueueUserDataUpdate{Version: version, UserData: blob("data"), BuildIdsAdded: added, BuildIdsRemoved: removed}
		}
		c.ok(s.UpdateTaskQueueUserData(c.ctx, &p.InternalUpdateTaskQueueUserDataRequest{NamespaceID: namespace, Updates: updates}))
	}
	update(0, []string{"b1", "b2"}, nil, "jobs", "more")
	update(1, []string{"b3"}, []string{"b1"}, "jobs")
}

func (c *calls) namespaces() {
	s, err := c.f.NewMetadataStore()
	c.ok(err)
	ids := []string{run1, run2, run3}
	for i, name := range []string{"shop", "other", "gone"} {
		_, err := s.CreateNamespace(c.ctx, &p.InternalCreateNamespaceRequest{ID: ids[i], Name: name, Namespace: blob("detail"), IsGlobal: i == 1})
		c.ok(err)
	}
	m, err := s.GetMetadata(c.ctx)
	c.ok(err)
	c.ok(s.UpdateNamespace(c.ctx, &p.InternalUpdateNamespaceRequest{
		Id: run1, Name: "shop", Namespace: blob("changed"), NotificationVersion: m.NotificationVersion, IsGlobal: true,
	}))
	c.ok(s.RenameNamespace(c.ctx, &p.InternalRenameNamespaceRequest{
		InternalUpdateNamespaceRequest: &p.InternalUpdateNamespaceRequest{
			Id: run2, Name: "renamed", Namespace: blob("renamed"), NotificationVersion: m.NotificationVersion + 1,
		},
		PreviousName: "other",
	}))
	c.ok(s.DeleteNamespace(c.ctx, &p.DeleteNamespaceRequest{ID: run3}))
}

func (c *calls) cluster() {
	s, err := c.f.NewClusterMetadataStore()
	c.ok(err)
	for version := range int64(2) {
		_, err = s.SaveClusterMetadata(c.ctx, &p.InternalSaveClusterMetadataRequest{ClusterName: "active", ClusterMetadata: blob("cluster"), Version: version})
		c.ok(err)
	}
	for i, port := range []uint16{7233, 45000} {
		host := uuid.MustParse([]string{run1, run2}[i])
		c.ok(s.UpsertClusterMembership(c.ctx, &p.UpsertClusterMembershipRequest{
			Role: p.History, HostID: host[:], RPCAddress: net.ParseIP([]string{"127.0.0.1", "2001:db8::1"}[i]), RPCPort: port,
			SessionStart: time.UnixMilli(1700000000000).UTC(), RecordExpiry: 48 * time.Hour,
		}))
	}
}

func (c *calls) queues() {
	s, err := c.f.NewQueue(p.NamespaceReplicationQueueType)
	c.ok(err)
	first, err := serialization.NewSerializer().QueueMetadataToBlob(&persistencespb.QueueMetadata{})
	c.ok(err)
	c.ok(s.Init(c.ctx, first))
	for range 4 {
		c.ok(s.EnqueueMessage(c.ctx, blob("message")))
		_, err = s.EnqueueMessageToDLQ(c.ctx, blob("dead"))
		c.ok(err)
	}
	levels, err := serialization.NewSerializer().QueueMetadataToBlob(&persistencespb.QueueMetadata{ClusterAckLevels: map[string]int64{"b": 2}})
	c.ok(err)
	c.ok(s.UpdateAckLevel(c.ctx, &p.InternalQueueMetadata{Blob: levels, Version: 0}))
	c.ok(s.DeleteMessagesBefore(c.ctx, 2))
	c.ok(s.DeleteMessageFromDLQ(c.ctx, 3))
	c.ok(s.RangeDeleteMessagesFromDLQ(c.ctx, 0, 1))

	v2, err := c.f.NewQueueV2()
	c.ok(err)
	kind := p.QueueTypeHistoryDLQ
	_, err = v2.CreateQueue(c.ctx, &p.InternalCreateQueueRequest{QueueType: kind, QueueName: "dlq"})
	c.ok(err)
	for range 4 {
		_, err = v2.EnqueueMessage(c.ctx, &p.InternalEnqueueMessageRequest{QueueType: kind, QueueName: "dlq", Blob: blob("message")})
		c.ok(err)
	}
	_, err = v2.RangeDeleteMessages(c.ctx, &p.InternalRangeDeleteMessagesRequest{
		QueueType: kind, QueueName: "dlq", InclusiveMaxMessageMetadata: p.MessageMetadata{ID: 2},
	})
	c.ok(err)
}

func (c *calls) nexus() {
	s, err := c.f.NewNexusEndpointStore()
	c.ok(err)
	put := func(id string, version, table int64) {
		c.ok(s.CreateOrUpdateNexusEndpoint(c.ctx, &p.InternalCreateOrUpdateNexusEndpointRequest{
			LastKnownTableVersion: table, Endpoint: p.InternalNexusEndpoint{ID: id, Version: version, Data: blob("endpoint")},
		}))
	}
	put(run1, 0, 0)
	put(run2, 0, 1)
	put(run1, 1, 2)
	c.ok(s.DeleteNexusEndpoint(c.ctx, &p.DeleteNexusEndpointRequest{LastKnownTableVersion: 3, ID: run2}))
}
