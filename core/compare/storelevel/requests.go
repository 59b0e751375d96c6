package storelevel

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	enumsspb "go.temporal.io/server/api/enums/v1"
	historyspb "go.temporal.io/server/api/history/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/chasm"
	"go.temporal.io/server/common/definition"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/service/history/tasks"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
)

const (
	rangeID     = 1 // of shards and queues, which have one owner for the whole block
	version     = 1 // of the namespace's failovers
	taskQueue   = "queue-0"
	historyPage = 100
	tasksPage   = 100
)

var branches = p.NewHistoryBranchUtil(serialization.NewSerializer())

// create starts a workflow.
func (m *mix) create() *op {
	m.made++
	w := m.workflow(fmt.Sprintf("workflow-%06d", m.made))
	w.left = 2 + m.rng.IntN(2*m.o.Updates)
	request := m.creation(w)
	m.running, m.all = append(m.running, w), append(m.all, w)
	o := w.shard.write(w.follow(&op{name: createWorkflow, call: func(ctx context.Context, s *arm.Stores) error {
		_, err := s.Executions.CreateWorkflowExecution(ctx, request)
		return err
	}}))
	o.settle = m.settled(w, 1)
	w.created = o
	return o
}

// workflow draws the ids of a workflow that is not created yet.
func (m *mix) workflow(id string) *workflow {
	w := &workflow{id: id, run: text(m.uuid()), branch: text(m.uuid()), version: 1, next: 1, txn: 1}
	w.shard = m.shardOf(w.id)
	token, err := branches.NewHistoryBranch("", "", "", w.run, &w.branch, nil, 0, 0, 0)
	if err != nil {
		panic(err) // the ids are well formed
	}
	w.token = token
	return w
}

// firstEvents is how many events a creation writes.
const firstEvents = 2

func (m *mix) creation(w *workflow) *p.CreateWorkflowExecutionRequest {
	events := m.events(w, firstEvents, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
	state, info := m.state(w, false), m.info(w)
	return &p.CreateWorkflowExecutionRequest{
		ShardID: w.shard.id, RangeID: rangeID, Mode: p.CreateWorkflowModeBrandNew, ArchetypeID: chasm.WorkflowArchetypeID,
		NewWorkflowSnapshot: p.WorkflowSnapshot{
			ExecutionInfo: info, ExecutionState: state, NextEventID: w.next, DBRecordVersion: 1,
			Tasks: map[tasks.Category][]tasks.Task{
				tasks.CategoryTransfer: {m.transfer(w, false)},
				tasks.CategoryTimer:    {m.timer(w)},
				tasks.CategoryVisibility: {&tasks.StartExecutionVisibilityTask{
					WorkflowKey: m.key(w), VisibilityTimestamp: m.now(), TaskID: w.shard.id64(), Version: version,
				}},
			},
		},
		NewWorkflowEvents: []*p.WorkflowEvents{events},
	}
}

// step updates a workflow, or closes it if that is its last update.
func (m *mix) step(w *workflow) *op {
	w.left--
	closes := w.left <= 0
	request := m.update(w, closes)
	name := updateWorkflow
	if closes {
		name = closeWorkflow
		for i, x := range m.running {
			if x == w {
				m.running = append(m.running[:i], m.running[i+1:]...)
				break
			}
		}
		m.ended = append(m.ended, w)
	}
	o := w.shard.write(w.follow(&op{name: name, call: func(ctx context.Context, s *arm.Stores) error {
		_, err := s.Executions.UpdateWorkflowExecution(ctx, request)
		return err
	}}))
	o.settle = m.settled(w, w.version)
	return o
}

func (m *mix) update(w *workflow, closes bool) *p.UpdateWorkflowExecutionRequest {
	before := w.next
	w.version++
	mutation := p.WorkflowMutation{Condition: before, DBRecordVersion: w.version}
	m.change(w, &mutation, closes)
	events := m.events(w, 1+m.rng.IntN(4), enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
	mutation.ExecutionInfo, mutation.ExecutionState, mutation.NextEventID = m.info(w), m.state(w, closes), w.next
	return &p.UpdateWorkflowExecutionRequest{
		ShardID: w.shard.id, RangeID: rangeID, Mode: p.UpdateWorkflowModeUpdateCurrent, ArchetypeID: chasm.WorkflowArchetypeID,
		UpdateWorkflowMutation: mutation, UpdateWorkflowEvents: []*p.WorkflowEvents{events},
	}
}

// change draws what an update does to the maps and task queues of a workflow.
func (m *mix) change(w *workflow, mu *p.WorkflowMutation, closes bool) {
	mu.DeleteActivityInfos, mu.UpsertActivityInfos = map[int64]struct{}{}, map[int64]*persistencespb.ActivityInfo{}
	mu.DeleteTimerInfos, mu.UpsertTimerInfos = map[string]struct{}{}, map[string]*persistencespb.TimerInfo{}
	mu.Tasks = map[tasks.Category][]tasks.Task{}
	gone := m.rng.IntN(len(w.activities) + 1)
	if closes {
		gone = len(w.activities)
	}
	for _, id := range w.activities[:gone] {
		mu.DeleteActivityInfos[id] = struct{}{}
	}
	w.activities = append([]int64(nil), w.activities[gone:]...)
	if closes {
		for _, id := range w.timers {
			mu.DeleteTimerInfos[id] = struct{}{}
		}
		w.timers = nil
		mu.Tasks[tasks.CategoryTransfer] = []tasks.Task{&tasks.CloseExecutionTask{
			WorkflowKey: m.key(w), VisibilityTimestamp: m.now(), TaskID: w.shard.id64(), Version: version,
		}}
		mu.Tasks[tasks.CategoryVisibility] = []tasks.Task{&tasks.CloseExecutionVisibilityTask{
			WorkflowKey: m.key(w), VisibilityTimestamp: m.now(), TaskID: w.shard.id64(), Version: version,
		}}
		mu.Tasks[tasks.CategoryTimer] = []tasks.Task{&tasks.DeleteHistoryEventTask{
			WorkflowKey: m.key(w), VisibilityTimestamp: m.now().Add(time.Hour), TaskID: w.shard.id64(), Version: version,
			BranchToken: w.token, ArchetypeID: chasm.WorkflowArchetypeID,
		}}
		return
	}
	for range m.some(m.o.Entries) {
		id := w.next + int64(len(mu.UpsertActivityInfos))
		w.activities = append(w.activities, id)
		mu.UpsertActivityInfos[id] = &persistencespb.ActivityInfo{
			Version: version, ScheduledEventId: id, ScheduledEventBatchId: w.next, ActivityId: fmt.Sprint(id),
			ScheduledTime: timestamppb.New(m.now()), TaskQueue: taskQueue, Attempt: 1,
			StartToCloseTimeout: durationpb.New(time.Minute), ScheduleToCloseTimeout: durationpb.New(time.Hour),
		}
		mu.Tasks[tasks.CategoryTransfer] = append(mu.Tasks[tasks.CategoryTransfer], m.transfer(w, true))
	}
	if m.rng.IntN(5) == 0 {
		id := fmt.Sprintf("timer-%d", w.next)
		w.timers = append(w.timers, id)
		mu.UpsertTimerInfos[id] = &persistencespb.TimerInfo{
			Version: version, TimerId: id, StartedEventId: w.next, ExpiryTime: timestamppb.New(m.now().Add(time.Minute)),
		}
	}
	if m.rng.IntN(10) == 0 {
		mu.UpsertSignalRequestedIDs = map[string]struct{}{text(m.uuid()): {}}
	}
	if m.rng.IntN(2) == 0 {
		mu.Tasks[tasks.CategoryTransfer] = append(mu.Tasks[tasks.CategoryTransfer], m.transfer(w, false))
	}
	for range m.some(2) {
		mu.Tasks[tasks.CategoryTimer] = append(mu.Tasks[tasks.CategoryTimer], m.timer(w))
	}
}

// id64 is the next task id of a shard.
func (s *shard) id64() int64 { s.task++; return s.task }

func (m *mix) key(w *workflow) definition.WorkflowKey {
	return definition.NewWorkflowKey(text(m.namespace), w.id, w.run)
}

func (m *mix) transfer(w *workflow, activity bool) tasks.Task {
	if activity {
		return &tasks.ActivityTask{
			WorkflowKey: m.key(w), VisibilityTimestamp: m.now(), TaskID: w.shard.id64(), TaskQueue: taskQueue, ScheduledEventID: w.next, Version: version,
		}
	}
	return &tasks.WorkflowTask{
		WorkflowKey: m.key(w), VisibilityTimestamp: m.now(), TaskID: w.shard.id64(), TaskQueue: taskQueue, ScheduledEventID: w.next, Version: version,
	}
}

// timer fires some time after now, never before one that was completed.
func (m *mix) timer(w *workflow) tasks.Task {
	return &tasks.UserTimerTask{
		WorkflowKey: m.key(w), VisibilityTimestamp: m.now().Add(time.Duration(m.rng.IntN(60_000)) * time.Millisecond),
		TaskID: w.shard.id64(), EventID: w.next,
	}
}

// events makes a batch of events and moves the workflow past it.
func (m *mix) events(w *workflow, n int, first enumspb.EventType) *p.WorkflowEvents {
	batch := &p.WorkflowEvents{
		NamespaceID: text(m.namespace), WorkflowID: w.id, RunID: w.run, BranchToken: w.token, PrevTxnID: w.txn - 1, TxnID: w.txn,
	}
	for i := range n {
		e := &historypb.HistoryEvent{
			EventId: w.next, EventTime: timestamppb.New(m.now()), EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, Version: version, TaskId: w.shard.task,
			Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
				ActivityId: fmt.Sprint(w.next), ActivityType: &commonpb.ActivityType{Name: "activity"},
				Input: &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: m.blob()}}},
			}},
		}
		if i == 0 {
			e.EventType = first
		}
		w.next++
		batch.Events = append(batch.Events, e)
	}
	w.txn++
	return batch
}

func (m *mix) info(w *workflow) *persistencespb.WorkflowExecutionInfo {
	return &persistencespb.WorkflowExecutionInfo{
		NamespaceId: text(m.namespace), WorkflowId: w.id, TaskQueue: taskQueue, WorkflowTypeName: "workflow",
		WorkflowExecutionTimeout: durationpb.New(24 * time.Hour), WorkflowRunTimeout: durationpb.New(24 * time.Hour),
		DefaultWorkflowTaskTimeout: durationpb.New(10 * time.Second), LastUpdateTime: timestamppb.New(m.now()),
		WorkflowTaskStartedEventId: w.next - 1, StateTransitionCount: w.version, FirstExecutionRunId: w.run,
		ExecutionStats:    &persistencespb.ExecutionStats{HistorySize: 1000 * w.version},
		TransitionHistory: []*persistencespb.VersionedTransition{{NamespaceFailoverVersion: version, TransitionCount: w.version}},
		VersionHistories: &historyspb.VersionHistories{Histories: []*historyspb.VersionHistory{{
			BranchToken: w.token, Items: []*historyspb.VersionHistoryItem{{EventId: w.next - 1, Version: version}},
		}}},
	}
}

func (m *mix) state(w *workflow, closed bool) *persistencespb.WorkflowExecutionState {
	s := &persistencespb.WorkflowExecutionState{
		CreateRequestId: "request-" + w.run, RunId: w.run, FirstExecutionRunId: w.run,
		State: enumsspb.WORKFLOW_EXECUTION_STATE_RUNNING, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		StartTime: timestamppb.New(base),
		// One entry: a map's order on the wire is not determined.
		RequestIds: map[string]*persistencespb.RequestIDInfo{"request-" + w.run: {EventId: 1, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED}},
	}
	if closed {
		s.State, s.Status = enumsspb.WORKFLOW_EXECUTION_STATE_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}
	return s
}

// settled asks which record version a workflow is at.
func (m *mix) settled(w *workflow, want int64) func(context.Context, *arm.Stores) (bool, error) {
	request := m.get(w)
	return func(ctx context.Context, s *arm.Stores) (bool, error) {
		found, err := s.Executions.GetWorkflowExecution(ctx, request)
		var none *serviceerror.NotFound
		if errors.As(err, &none) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return found.DBRecordVersion >= want, nil
	}
}

func (m *mix) get(w *workflow) *p.GetWorkflowExecutionRequest {
	return &p.GetWorkflowExecutionRequest{
		ShardID: w.shard.id, NamespaceID: text(m.namespace), WorkflowID: w.id, RunID: w.run, ArchetypeID: chasm.WorkflowArchetypeID,
	}
}

// read reads something of a workflow, after what was done to it before.
func (m *mix) read(w *workflow, name string) *op {
	o := &op{name: name}
	if w.last != nil {
		o.after = []*op{w.last}
	}
	switch name {
	case getWorkflow:
		request := m.get(w)
		o.call = func(ctx context.Context, s *arm.Stores) error {
			_, err := s.Executions.GetWorkflowExecution(ctx, request)
			return err
		}
	case getCurrent:
		request := &p.GetCurrentExecutionRequest{ShardID: w.shard.id, NamespaceID: text(m.namespace), WorkflowID: w.id, ArchetypeID: chasm.WorkflowArchetypeID}
		o.call = func(ctx context.Context, s *arm.Stores) error {
			_, err := s.Executions.GetCurrentExecution(ctx, request)
			return err
		}
	default:
		request := &p.ReadHistoryBranchRequest{ShardID: w.shard.id, BranchToken: w.token, MinEventID: 1, MaxEventID: w.next, PageSize: historyPage}
		o.call = func(ctx context.Context, s *arm.Stores) error {
			_, err := s.Executions.ReadHistoryBranch(ctx, request)
			return err
		}
	}
	return o
}

// deleteEnded deletes a closed workflow piece by piece, as retention does, but
// always leaves some. Until there are enough, something else is done.
func (m *mix) deleteEnded() *op {
	if len(m.ended) < 4 {
		return m.step(m.pick())
	}
	w := m.ended[0]
	switch {
	case w.left > -1:
		w.left = -1
		request := &p.DeleteCurrentWorkflowExecutionRequest{
			ShardID: w.shard.id, NamespaceID: text(m.namespace), WorkflowID: w.id, RunID: w.run, ArchetypeID: chasm.WorkflowArchetypeID,
		}
		return w.follow(&op{name: deleteCurrent, shard: w.shard.id, call: func(ctx context.Context, s *arm.Stores) error {
			return s.Executions.DeleteCurrentWorkflowExecution(ctx, request)
		}})
	case w.left == -1:
		w.left = -2
		request := &p.DeleteWorkflowExecutionRequest{
			ShardID: w.shard.id, NamespaceID: text(m.namespace), WorkflowID: w.id, RunID: w.run, ArchetypeID: chasm.WorkflowArchetypeID,
		}
		return w.follow(&op{name: deleteWorkflow, shard: w.shard.id, call: func(ctx context.Context, s *arm.Stores) error {
			return s.Executions.DeleteWorkflowExecution(ctx, request)
		}})
	default:
		m.ended = m.ended[1:]
		request := &p.DeleteHistoryBranchRequest{ShardID: w.shard.id, BranchToken: w.token}
		return w.follow(&op{name: deleteHistory, call: func(ctx context.Context, s *arm.Stores) error {
			return s.Executions.DeleteHistoryBranch(ctx, request)
		}})
	}
}

// getRange reads a page of the tasks that a queue processor would read next.
func (m *mix) getRange(s *shard, name string) *op {
	request := &p.GetHistoryTasksRequest{ShardID: s.id, BatchSize: tasksPage}
	if name == getTransfer {
		request.TaskCategory = tasks.CategoryTransfer
		request.InclusiveMinTaskKey, request.ExclusiveMaxTaskKey = tasks.NewImmediateKey(s.ack), tasks.NewImmediateKey(s.task+1)
	} else {
		request.TaskCategory = tasks.CategoryTimer
		request.InclusiveMinTaskKey, request.ExclusiveMaxTaskKey = tasks.NewKey(base, 0), tasks.NewKey(m.now().Add(10*time.Second), 0)
	}
	return &op{name: name, call: func(ctx context.Context, st *arm.Stores) error {
		_, err := st.Executions.GetHistoryTasks(ctx, request)
		return err
	}}
}

// completeRange deletes all transfer tasks so far, once they are written.
func (m *mix) completeRange(s *shard) *op {
	request := &p.RangeCompleteHistoryTasksRequest{
		ShardID: s.id, TaskCategory: tasks.CategoryTransfer,
		InclusiveMinTaskKey: tasks.NewImmediateKey(s.ack), ExclusiveMaxTaskKey: tasks.NewImmediateKey(s.task + 1),
	}
	s.ack = s.task + 1
	o := &op{name: completeTasks, after: s.since, call: func(ctx context.Context, st *arm.Stores) error {
		return st.Executions.RangeCompleteHistoryTasks(ctx, request)
	}}
	s.since = []*op{o}
	return o
}

func (m *mix) addTask(w *workflow) *op {
	request := &p.AddHistoryTasksRequest{
		ShardID: w.shard.id, RangeID: rangeID, NamespaceID: text(m.namespace), WorkflowID: w.id, ArchetypeID: chasm.WorkflowArchetypeID,
		Tasks: map[tasks.Category][]tasks.Task{tasks.CategoryTransfer: {m.transfer(w, false)}},
	}
	return w.shard.write(&op{name: addTasks, call: func(ctx context.Context, s *arm.Stores) error {
		return s.Executions.AddHistoryTasks(ctx, request)
	}})
}

func shardInfo(id int32) *persistencespb.ShardInfo {
	return &persistencespb.ShardInfo{ShardId: id, RangeId: rangeID, Owner: "compare"}
}

func (m *mix) renewShard(s *shard) *op {
	request := &p.UpdateShardRequest{ShardInfo: shardInfo(s.id), PreviousRangeID: rangeID}
	return &op{name: updateShard, shard: s.id, call: func(ctx context.Context, st *arm.Stores) error {
		return st.Shards.UpdateShard(ctx, request)
	}}
}

// setUp makes the shards and queues of a mix.
func (m *mix) setUp(ctx context.Context, s *arm.Stores) error {
	n := m.o.Shards
	if m.warm {
		n = m.o.warmShards()
	}
	for i := range int32(n) {
		if err := m.makeShard(m.firstID+i).call(ctx, s); err != nil {
			return fmt.Errorf("make shard %d: %w", m.firstID+i, err)
		}
	}
	for _, q := range m.queues {
		if err := m.makeQueue(q).call(ctx, s); err != nil {
			return fmt.Errorf("make task queue %s: %w", q.name, err)
		}
	}
	return nil
}

func (m *mix) makeShard(id int32) *op {
	return &op{name: makeShard, call: func(ctx context.Context, s *arm.Stores) error {
		_, err := s.Shards.GetOrCreateShard(ctx, &p.GetOrCreateShardRequest{
			ShardID: id, InitialShardInfo: shardInfo(id), LifecycleContext: context.WithoutCancel(ctx),
		})
		return err
	}}
}
