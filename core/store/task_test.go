package store

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

const testQueue = "tq"

var (
	longGone  = timestamppb.New(time.Unix(1, 0))
	farFuture = timestamppb.New(time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC))
)

func newTasks(t testing.TB, ex exec.Executor, kind *taskKind) *TaskStore {
	t.Helper()
	s, err := newTaskStore(ex, "memory", kind)
	require.NoError(t, err)
	return s
}

func createQueue(t testing.TB, s *TaskStore, rangeID int64) {
	t.Helper()
	require.NoError(t, s.CreateTaskQueue(t.Context(), &p.InternalCreateTaskQueueRequest{
		NamespaceID: testNamespace, TaskQueue: testQueue, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		RangeID: rangeID, TaskQueueInfo: blob("queue %d", rangeID),
	}))
}

func createTasks(rangeID int64, metadata bool, tasks ...*p.InternalCreateTask) *p.InternalCreateTasksRequest {
	r := &p.InternalCreateTasksRequest{
		NamespaceID: testNamespace, TaskQueue: testQueue, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		RangeID: rangeID, UpdateMetadata: metadata, Tasks: tasks,
	}
	if metadata {
		r.TaskQueueInfo = blob("backlog")
	}
	return r
}

func task(subqueue int, pass, id int64) *p.InternalCreateTask {
	return &p.InternalCreateTask{Subqueue: subqueue, TaskPass: pass, TaskId: id, Task: blob("task %d/%d/%d", subqueue, pass, id)}
}

func getTasks(subqueue int, from, to int64, size int) *p.GetTasksRequest {
	return &p.GetTasksRequest{
		NamespaceID: testNamespace, TaskQueue: testQueue, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		Subqueue: subqueue, InclusiveMinTaskID: from, ExclusiveMaxTaskID: to, PageSize: size,
	}
}

func getFairTasks(subqueue int, pass, from int64, size int) *p.GetTasksRequest {
	r := getTasks(subqueue, from, math.MaxInt64, size)
	r.InclusiveMinPass = pass
	return r
}

func completeTasks(subqueue int, pass, id, condition int64) *p.CompleteTasksLessThanRequest {
	return &p.CompleteTasksLessThanRequest{
		NamespaceID: testNamespace, TaskQueueName: testQueue, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		Subqueue: subqueue, ExclusiveMaxPass: pass, ExclusiveMaxTaskID: id, ConditionRangeID: condition,
	}
}

func updateQueue(kind enumspb.TaskQueueKind, prev, next int64, expiry *timestamppb.Timestamp) *p.InternalUpdateTaskQueueRequest {
	return &p.InternalUpdateTaskQueueRequest{
		NamespaceID: testNamespace, TaskQueue: testQueue, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		PrevRangeID: prev, RangeID: next, TaskQueueInfo: blob("queue %d", next), TaskQueueKind: kind, ExpiryTime: expiry,
	}
}

func queueRequest() *p.InternalGetTaskQueueRequest {
	return &p.InternalGetTaskQueueRequest{
		NamespaceID: testNamespace, TaskQueue: testQueue, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
	}
}

func deleteQueue(rangeID int64) *p.DeleteTaskQueueRequest {
	return &p.DeleteTaskQueueRequest{
		TaskQueue: &p.TaskQueueKey{
			NamespaceID: testNamespace, TaskQueueName: testQueue, TaskQueueType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		},
		RangeID: rangeID,
	}
}

// texts are the payloads of what GetTasks returned.
func texts(t testing.TB, s *TaskStore, r *p.GetTasksRequest) []string {
	t.Helper()
	got, err := s.GetTasks(t.Context(), r)
	require.NoError(t, err)
	all := make([]string, 0, len(got.Tasks))
	for _, b := range got.Tasks {
		all = append(all, string(b.Data))
	}
	return all
}

func TestTaskPlans(t *testing.T) {
	expiring := task(0, 0, 12)
	expiring.ExpiryTime = longGone
	lasting := task(2, 0, 13)
	lasting.ExpiryTime = farFuture
	fairExpiring := task(1, 3, 14)
	fairExpiring.ExpiryTime = longGone

	calls := []struct {
		kind *taskKind
		name string
		call func(ctx context.Context, s *TaskStore) error
	}{
		{classicTasks, "create-tasks", func(ctx context.Context, s *TaskStore) error {
			_, err := s.CreateTasks(ctx, createTasks(7, true, task(0, 0, 11), expiring, lasting))
			return err
		}},
		{classicTasks, "create-tasks-range-only", func(ctx context.Context, s *TaskStore) error {
			_, err := s.CreateTasks(ctx, createTasks(7, false, task(1, 0, 11)))
			return err
		}},
		{classicTasks, "get-tasks", func(ctx context.Context, s *TaskStore) error {
			_, err := s.GetTasks(ctx, getTasks(2, 5, 15, 10))
			return err
		}},
		{classicTasks, "complete-tasks", func(ctx context.Context, s *TaskStore) error {
			_, err := s.CompleteTasksLessThan(ctx, completeTasks(2, 0, 13, 0))
			return err
		}},
		{classicTasks, "update-queue", func(ctx context.Context, s *TaskStore) error {
			_, err := s.UpdateTaskQueue(ctx, updateQueue(enumspb.TASK_QUEUE_KIND_NORMAL, 7, 8, nil))
			return err
		}},
		{classicTasks, "update-queue-sticky", func(ctx context.Context, s *TaskStore) error {
			_, err := s.UpdateTaskQueue(ctx, updateQueue(enumspb.TASK_QUEUE_KIND_STICKY, 7, 8, farFuture))
			return err
		}},
		{classicTasks, "queue", queueCalls},
		{fairTasks, "fair-create-tasks", func(ctx context.Context, s *TaskStore) error {
			_, err := s.CreateTasks(ctx, createTasks(7, true, task(0, 1, 11), fairExpiring))
			return err
		}},
		{fairTasks, "fair-create-tasks-range-only", func(ctx context.Context, s *TaskStore) error {
			_, err := s.CreateTasks(ctx, createTasks(7, false, task(1, 2, 11)))
			return err
		}},
		{fairTasks, "fair-get-tasks", func(ctx context.Context, s *TaskStore) error {
			limited := getFairTasks(1, 3, 7, 10)
			limited.UseLimit = true
			if _, err := s.GetTasks(ctx, limited); err != nil {
				return err
			}
			_, err := s.GetTasks(ctx, getFairTasks(1, 3, 7, 10))
			return err
		}},
		{fairTasks, "fair-complete-tasks", func(ctx context.Context, s *TaskStore) error {
			_, err := s.CompleteTasksLessThan(ctx, completeTasks(1, 3, 13, 0))
			return err
		}},
		{fairTasks, "fair-complete-tasks-fenced", func(ctx context.Context, s *TaskStore) error {
			_, err := s.CompleteTasksLessThan(ctx, completeTasks(1, 3, 13, 7))
			return err
		}},
		{fairTasks, "fair-update-queue-sticky", func(ctx context.Context, s *TaskStore) error {
			_, err := s.UpdateTaskQueue(ctx, updateQueue(enumspb.TASK_QUEUE_KIND_STICKY, 7, 8, farFuture))
			return err
		}},
		{fairTasks, "fair-queue", queueCalls},
	}
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			r := newRecorder(cql.Traits{TTL: true, AheadInAtomic: true})
			s := newTasks(t, r, c.kind)
			createQueue(t, s, 7)
			r.text.Reset()
			require.NoError(t, c.call(t.Context(), s))
			r.golden(t, "tasks/"+c.name)
		})
	}
}

// queueCalls are the calls on a queue's row that have one form only.
func queueCalls(ctx context.Context, s *TaskStore) error {
	if _, err := s.GetTaskQueue(ctx, queueRequest()); err != nil {
		return err
	}
	if _, err := s.ListTaskQueue(ctx, &p.ListTaskQueueRequest{PageSize: 3}); err != nil {
		return err
	}
	if err := s.DeleteTaskQueue(ctx, deleteQueue(7)); err != nil {
		return err
	}
	return s.CreateTaskQueue(ctx, &p.InternalCreateTaskQueueRequest{
		NamespaceID: testNamespace, TaskQueue: testQueue, TaskType: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
		RangeID: 1, TaskQueueInfo: blob("queue"),
	})
}

func TestRequestsThatAKindOfTaskStoreRefuses(t *testing.T) {
	limitedMax := getFairTasks(0, 1, 0, 10)
	limitedMax.ExclusiveMaxTaskID = 100
	withPass := getTasks(0, 0, 10, 10)
	withPass.InclusiveMinPass = 1
	tests := []struct {
		name string
		kind *taskKind
		call func(ctx context.Context, s *TaskStore) error
	}{
		{"a classic task has no pass", classicTasks, func(ctx context.Context, s *TaskStore) error {
			_, err := s.CreateTasks(ctx, createTasks(7, true, task(0, 1, 11)))
			return err
		}},
		{"a fair task has a pass", fairTasks, func(ctx context.Context, s *TaskStore) error {
			_, err := s.CreateTasks(ctx, createTasks(7, true, task(0, 0, 11)))
			return err
		}},
		{"subqueues are not negative", classicTasks, func(ctx context.Context, s *TaskStore) error {
			_, err := s.CreateTasks(ctx, createTasks(7, true, task(-1, 0, 11)))
			return err
		}},
		{"classic tasks are not read by pass", classicTasks, func(ctx context.Context, s *TaskStore) error {
			_, err := s.GetTasks(ctx, withPass)
			return err
		}},
		{"fair tasks are read from a pass on", fairTasks, func(ctx context.Context, s *TaskStore) error {
			_, err := s.GetTasks(ctx, getFairTasks(0, 0, 0, 10))
			return err
		}},
		{"fair tasks are read to the end", fairTasks, func(ctx context.Context, s *TaskStore) error {
			_, err := s.GetTasks(ctx, limitedMax)
			return err
		}},
		{"classic tasks are not completed by pass", classicTasks, func(ctx context.Context, s *TaskStore) error {
			_, err := s.CompleteTasksLessThan(ctx, completeTasks(0, 1, 10, 0))
			return err
		}},
		{"completion of classic tasks is not fenced", classicTasks, func(ctx context.Context, s *TaskStore) error {
			_, err := s.CompleteTasksLessThan(ctx, completeTasks(0, 0, 10, 7))
			return err
		}},
		{"fair tasks are completed below a pass", fairTasks, func(ctx context.Context, s *TaskStore) error {
			_, err := s.CompleteTasksLessThan(ctx, completeTasks(0, 0, 10, 0))
			return err
		}},
		{"a sticky queue says when it expires", classicTasks, func(ctx context.Context, s *TaskStore) error {
			_, err := s.UpdateTaskQueue(ctx, updateQueue(enumspb.TASK_QUEUE_KIND_STICKY, 7, 8, nil))
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state := memory.NewState()
			s := newTasks(t, memory.NewExecutor(state, cql.Traits{}), tt.kind)
			createQueue(t, s, 7)
			was := state.Dump()
			var internal *serviceerror.Internal
			require.ErrorAs(t, tt.call(t.Context(), s), &internal)
			require.Equal(t, was, state.Dump(), "something was written")
		})
	}
}

func TestOwnersOfATaskQueue(t *testing.T) {
	for _, kind := range []*taskKind{classicTasks, fairTasks} {
		t.Run(map[bool]string{true: "fair", false: "classic"}[kind.fair], func(t *testing.T) {
			// Memory stores rows ahead before it tests anything.
			state := memory.NewState()
			s := newTasks(t, memory.NewExecutor(state, cql.Traits{}), kind)
			pass := int64(0)
			read := getTasks(0, 0, 100, 10)
			if kind.fair {
				pass = 1
				read = getFairTasks(0, 1, 0, 10)
			}
			createQueue(t, s, 7)
			_, err := s.UpdateTaskQueue(t.Context(), updateQueue(enumspb.TASK_QUEUE_KIND_NORMAL, 7, 8, nil))
			require.NoError(t, err)
			got, err := s.CreateTasks(t.Context(), createTasks(8, false, task(0, pass, 20)))
			require.NoError(t, err)
			require.False(t, got.UpdatedMetadata)
			was := state.Dump()

			deposed := map[string]func() error{
				"append": func() error {
					_, err := s.CreateTasks(t.Context(), createTasks(7, true, task(0, pass, 10), task(1, pass, 11)))
					return err
				},
				"append without metadata": func() error {
					_, err := s.CreateTasks(t.Context(), createTasks(7, false, task(0, pass, 10)))
					return err
				},
				"update": func() error {
					_, err := s.UpdateTaskQueue(t.Context(), updateQueue(enumspb.TASK_QUEUE_KIND_NORMAL, 7, 9, nil))
					return err
				},
				"create": func() error {
					return s.CreateTaskQueue(t.Context(), &p.InternalCreateTaskQueueRequest{
						NamespaceID: testNamespace, TaskQueue: testQueue, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
						RangeID: 1, TaskQueueInfo: blob("queue"),
					})
				},
				"delete": func() error { return s.DeleteTaskQueue(t.Context(), deleteQueue(7)) },
			}
			if kind.fair {
				deposed["complete"] = func() error {
					_, err := s.CompleteTasksLessThan(t.Context(), completeTasks(0, 9, 0, 7))
					return err
				}
			}
			for name, call := range deposed {
				err := call()
				_ = storetest.Bare[*p.ConditionFailedError](t, err)
				require.Equal(t, was, state.Dump(), "%s changed something", name)
			}

			require.Equal(t, []string{string(task(0, pass, 20).Task.Data)}, texts(t, s, read))
			got, err = s.CreateTasks(t.Context(), createTasks(8, true, task(0, pass, 21)))
			require.NoError(t, err)
			require.True(t, got.UpdatedMetadata)
			row, err := s.GetTaskQueue(t.Context(), queueRequest())
			require.NoError(t, err)
			require.Equal(t, int64(8), row.RangeID)
			require.Equal(t, "backlog", string(row.TaskQueueInfo.Data))
		})
	}
}

func TestSubqueuesAreApart(t *testing.T) {
	s := newTasks(t, memory.NewExecutor(memory.NewState(), cql.Traits{}), classicTasks)
	fair := newTasks(t, s.ex, fairTasks)
	createQueue(t, s, 7)
	createQueue(t, fair, 9)
	_, err := s.CreateTasks(t.Context(), createTasks(7, true, task(0, 0, 1), task(1, 0, 1), task(1, 0, 2), task(2, 0, 3)))
	require.NoError(t, err)
	_, err = fair.CreateTasks(t.Context(), createTasks(9, true, task(0, 2, 1), task(0, 1, 5), task(1, 1, 1)))
	require.NoError(t, err)

	require.Equal(t, []string{"task 1/0/1", "task 1/0/2"}, texts(t, s, getTasks(1, 0, 100, 10)))
	require.Equal(t, []string{"task 0/1/5", "task 0/2/1"}, texts(t, fair, getFairTasks(0, 1, 0, 10)), "by pass, then id")
	_, err = s.CompleteTasksLessThan(t.Context(), completeTasks(1, 0, 2, 0))
	require.NoError(t, err)
	n, err := fair.CompleteTasksLessThan(t.Context(), completeTasks(0, 2, 1, 9))
	require.NoError(t, err)
	require.Equal(t, p.UnknownNumRowsAffected, n)

	require.Equal(t, []string{"task 0/0/1"}, texts(t, s, getTasks(0, 0, 100, 10)))
	require.Equal(t, []string{"task 1/0/2"}, texts(t, s, getTasks(1, 0, 100, 10)))
	require.Equal(t, []string{"task 2/0/3"}, texts(t, s, getTasks(2, 0, 100, 10)))
	require.Equal(t, []string{"task 0/2/1"}, texts(t, fair, getFairTasks(0, 1, 0, 10)))
	require.Equal(t, []string{"task 1/1/1"}, texts(t, fair, getFairTasks(1, 1, 0, 10)))
}

func TestPagesOfTasks(t *testing.T) {
	s := newTasks(t, memory.NewExecutor(memory.NewState(), cql.Traits{}), fairTasks)
	createQueue(t, s, 7)
	_, err := s.CreateTasks(t.Context(), createTasks(7, true, task(0, 1, 1), task(0, 1, 2), task(0, 2, 1)))
	require.NoError(t, err)

	r := getFairTasks(0, 1, 0, 2)
	first, err := s.GetTasks(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, first.Tasks, 2)
	r.NextPageToken = first.NextPageToken
	require.Equal(t, []string{"task 0/2/1"}, texts(t, s, r))

	r = getFairTasks(0, 1, 0, 2)
	r.UseLimit = true
	limited, err := s.GetTasks(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, limited.Tasks, 2)
	require.Nil(t, limited.NextPageToken, "a limit has no further pages")
}

func TestAStickyQueueExpiresWhole(t *testing.T) {
	state := memory.NewState()
	now := time.Now()
	state.Now = func() time.Time { return now }
	s := newTasks(t, memory.NewExecutor(state, cql.Traits{TTL: true}), classicTasks)
	createQueue(t, s, 7)
	expiry := timestamppb.New(time.Now().Add(time.Hour))
	_, err := s.UpdateTaskQueue(t.Context(), updateQueue(enumspb.TASK_QUEUE_KIND_STICKY, 7, 8, expiry))
	require.NoError(t, err)
	_, err = s.GetTaskQueue(t.Context(), queueRequest())
	require.NoError(t, err)

	now = now.Add(2 * time.Hour)
	_, err = s.GetTaskQueue(t.Context(), queueRequest())
	var absent *serviceerror.NotFound
	require.ErrorAs(t, err, &absent)
	require.Zero(t, state.Len(plan.TaskQueues))
	createQueue(t, s, 1)
}

func TestListTaskQueueShowsEveryQueueOfItsKind(t *testing.T) {
	s := newTasks(t, memory.NewExecutor(memory.NewState(), cql.Traits{}), classicTasks)
	createQueue(t, newTasks(t, s.ex, fairTasks), 100)
	for i := range 5 {
		require.NoError(t, s.CreateTaskQueue(t.Context(), &p.InternalCreateTaskQueueRequest{
			NamespaceID: testNamespace, TaskQueue: testQueue, TaskType: enumspb.TaskQueueType(i),
			RangeID: int64(i + 1), TaskQueueInfo: blob("queue %d", i),
		}))
	}
	seen := map[int64]string{}
	var token []byte
	for {
		page, err := s.ListTaskQueue(t.Context(), &p.ListTaskQueueRequest{PageSize: 2, PageToken: token})
		require.NoError(t, err)
		for _, item := range page.Items {
			seen[item.RangeID] = string(item.TaskQueue.Data)
		}
		if token = page.NextPageToken; token == nil {
			break
		}
	}
	require.Equal(t, map[int64]string{1: "queue 0", 2: "queue 1", 3: "queue 2", 4: "queue 3", 5: "queue 4"}, seen)
}

func TestTaskTTL(t *testing.T) {
	tests := []struct {
		name string
		give *timestamppb.Timestamp
		want int64
	}{
		{"no expiry lives for ever", nil, 0},
		{"one that has passed lives for a second", longGone, 1},
		{"one beyond the longest life lives for ever", farFuture, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, taskTTL(tt.give)) })
	}
}

func TestMalformedRowsOfTaskQueues(t *testing.T) {
	ex := memory.NewExecutor(memory.NewState(), cql.Traits{})
	s := newTasks(t, ex, classicTasks)
	queue, err := queueKey(testNamespace, testQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	require.NoError(t, err)
	require.NoError(t, ex.Write(t.Context(), &plan.Write{Name: "break", Scope: plan.Atomic, Mutations: []plan.Mutation{
		{Table: plan.TaskQueues, Op: plan.Insert, Key: queue},
		{Table: plan.Tasks, Op: plan.Insert, Key: append(queue[:3:3], int64(0), int64(5))},
		{Table: plan.UserData, Op: plan.Insert, Key: []any{queue[0], testQueue}},
	}}))
	calls := map[string]func() error{
		"GetTaskQueue":         func() error { _, err := s.GetTaskQueue(t.Context(), queueRequest()); return err },
		"ListTaskQueue":        func() error { _, err := s.ListTaskQueue(t.Context(), &p.ListTaskQueueRequest{}); return err },
		"GetTasks":             func() error { _, err := s.GetTasks(t.Context(), getTasks(0, 0, 9, 9)); return err },
		"GetTaskQueueUserData": func() error { _, err := s.GetTaskQueueUserData(t.Context(), userDataRequest()); return err },
		"ListTaskQueueUserDataEntries": func() error {
			_, err := s.ListTaskQueueUserDataEntries(t.Context(), &p.ListTaskQueueUserDataEntriesRequest{NamespaceID: testNamespace})
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			err := call()
			var loss *serviceerror.DataLoss
			require.ErrorAs(t, err, &loss)
			require.ErrorContains(t, err, testQueue)
		})
	}
}
