package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/server/common/log"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/tests"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// matchingAreas are matching's queues, tasks and user data: upstream's suites,
// then what they leave out.
func matchingAreas() []area {
	upstream := func(fair bool, run func(*testing.T, p.TaskStore, log.Logger) suite.TestingSuite) func(*testing.T, *database) {
		return func(t *testing.T, db *database) {
			suite.Run(t, run(t, newFixture(t, db).tasks(t, fair), log.NewNoopLogger()))
		}
	}
	queues := func(t *testing.T, s p.TaskStore, l log.Logger) suite.TestingSuite {
		return tests.NewTaskQueueSuite(t, s, l)
	}
	suites := area{"upstream-matching", []test{
		{"task-queues", upstream(false, queues)},
		{"fair-task-queues", upstream(true, queues)},
		{"tasks", upstream(false, func(t *testing.T, s p.TaskStore, l log.Logger) suite.TestingSuite {
			return tests.NewTaskQueueTaskSuite(t, s, l)
		})},
		{"fair-tasks", upstream(true, func(t *testing.T, s p.TaskStore, l log.Logger) suite.TestingSuite {
			return tests.NewTaskQueueFairTaskSuite(t, s, l)
		})},
		{"user-data", upstream(false, func(t *testing.T, s p.TaskStore, l log.Logger) suite.TestingSuite {
			return tests.NewTaskQueueUserDataSuite(t, s, l)
		})},
	}}

	ours := area{name: "matching"}
	add := func(name string, fair bool, run func(t *testing.T, s p.TaskStore, fair bool)) {
		ours.tests = append(ours.tests, test{name, func(t *testing.T, db *database) { run(t, newFixture(t, db).tasks(t, fair), fair) }})
	}
	for _, fair := range []bool{false, true} {
		kind := map[bool]string{false: "classic", true: "fair"}[fair]
		add(kind+"/two-owners", fair, twoOwners)
		add(kind+"/subqueues-are-apart", fair, subqueues)
		add(kind+"/every-queue-is-listed", fair, listQueues)
	}
	add("classic/sticky-queue-expires-whole", false, stickyQueue)
	add("classic/expired-task-vanishes", false, expiredTasks)
	add("fair/fenced-range-delete", true, fencedDelete)
	add("fair/pages-and-limits", true, fairPages)
	add("user-data/flags-the-guilty-alone", false, userDataConflicts)
	add("user-data/raced-for", false, userDataRace)
	ours.tests = append(ours.tests, test{"user-data/shared-by-both-kinds", func(t *testing.T, db *database) {
		f := newFixture(t, db)
		sharedUserData(t, f.tasks(t, false), f.tasks(t, true))
	}})
	return []area{suites, ours}
}

// taskQueue is a queue that a test has for itself.
type taskQueue struct {
	store     p.TaskStore
	fair      bool
	namespace string
	name      string
}

func newTaskQueue(t testing.TB, s p.TaskStore, fair bool, rangeID int64) *taskQueue {
	t.Helper()
	q := &taskQueue{store: s, fair: fair, namespace: uuid.NewString(), name: "queue of " + t.Name()}
	require.NoError(t, q.create(t.Context(), rangeID))
	return q
}

func someText(format string, args ...any) *commonpb.DataBlob {
	return &commonpb.DataBlob{Data: fmt.Appendf(nil, format, args...), EncodingType: enumspb.ENCODING_TYPE_PROTO3}
}

const workflowQueue = enumspb.TASK_QUEUE_TYPE_WORKFLOW

func (q *taskQueue) create(ctx context.Context, rangeID int64) error {
	return q.store.CreateTaskQueue(ctx, &p.InternalCreateTaskQueueRequest{
		NamespaceID: q.namespace, TaskQueue: q.name, TaskType: workflowQueue, RangeID: rangeID,
		TaskQueueInfo: someText("queue %d", rangeID),
	})
}

func (q *taskQueue) get(ctx context.Context) (*p.InternalGetTaskQueueResponse, error) {
	return q.store.GetTaskQueue(ctx, &p.InternalGetTaskQueueRequest{
		NamespaceID: q.namespace, TaskQueue: q.name, TaskType: workflowQueue,
	})
}

func (q *taskQueue) take(ctx context.Context, from, to int64) error {
	_, err := q.store.UpdateTaskQueue(ctx, &p.InternalUpdateTaskQueueRequest{
		NamespaceID: q.namespace, TaskQueue: q.name, TaskType: workflowQueue,
		PrevRangeID: from, RangeID: to, TaskQueueInfo: someText("queue %d", to),
	})
	return err
}

func (q *taskQueue) task(subqueue int, pass, id int64) *p.InternalCreateTask {
	if !q.fair {
		pass = 0
	}
	return &p.InternalCreateTask{Subqueue: subqueue, TaskPass: pass, TaskId: id, Task: someText("%d/%d/%d", subqueue, pass, id)}
}

func (q *taskQueue) append(ctx context.Context, rangeID int64, metadata bool, tasks ...*p.InternalCreateTask) error {
	r := &p.InternalCreateTasksRequest{
		NamespaceID: q.namespace, TaskQueue: q.name, TaskType: workflowQueue,
		RangeID: rangeID, Tasks: tasks, UpdateMetadata: metadata,
	}
	if metadata {
		r.TaskQueueInfo = someText("backlog of %d", rangeID)
	}
	response, err := q.store.CreateTasks(ctx, r)
	if err == nil && response.UpdatedMetadata != metadata {
		return fmt.Errorf("UpdatedMetadata is %v, asked for %v", response.UpdatedMetadata, metadata)
	}
	return err
}

func (q *taskQueue) read(subqueue int) *p.GetTasksRequest {
	r := &p.GetTasksRequest{
		NamespaceID: q.namespace, TaskQueue: q.name, TaskType: workflowQueue,
		Subqueue: subqueue, ExclusiveMaxTaskID: math.MaxInt64, PageSize: 1000,
	}
	if q.fair {
		r.InclusiveMinPass = 1
	}
	return r
}

func (q *taskQueue) texts(t testing.TB, r *p.GetTasksRequest) []string {
	t.Helper()
	response, err := q.store.GetTasks(t.Context(), r)
	require.NoError(t, err)
	texts := []string{}
	for _, b := range response.Tasks {
		texts = append(texts, string(b.Data))
	}
	return texts
}

func (q *taskQueue) complete(ctx context.Context, subqueue int, pass, id, condition int64) error {
	r := &p.CompleteTasksLessThanRequest{
		NamespaceID: q.namespace, TaskQueueName: q.name, TaskType: workflowQueue,
		Subqueue: subqueue, ExclusiveMaxTaskID: id, ConditionRangeID: condition,
	}
	if q.fair {
		r.ExclusiveMaxPass = pass
	}
	_, err := q.store.CompleteTasksLessThan(ctx, r)
	return err
}

// contest is a fight for a queue, and what its fighters were told.
type contest struct {
	*taskQueue

	mu              sync.Mutex
	stored, refused map[string]bool // texts of tasks
	losses          int
	failures        []error
}

// own takes the queue over and appends until somebody else does so, or twenty
// times.
func (c *contest) own(ctx context.Context) error {
	row, err := c.get(ctx)
	if err != nil {
		return err
	}
	mine := row.RangeID + 1
	if err := c.take(ctx, row.RangeID, mine); err != nil {
		return err
	}
	for n := range int64(20) {
		// Ids are of the owner's range, as matching's are.
		tasks := []*p.InternalCreateTask{c.task(0, 1, mine*1000+2*n), c.task(1, 1, mine*1000+2*n+1)}
		err := c.append(ctx, mine, n%2 == 0, tasks...)
		c.mu.Lock()
		for _, task := range tasks {
			if err == nil {
				c.stored[string(task.Task.Data)] = true
			} else {
				c.refused[string(task.Task.Data)] = true
			}
		}
		c.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// twoOwners has several hosts fight for one queue. What was acknowledged must be
// there; what was refused must not.
func twoOwners(t *testing.T, s p.TaskStore, fair bool) {
	q := newTaskQueue(t, s, fair, 1)
	c := &contest{taskQueue: q, stored: map[string]bool{}, refused: map[string]bool{}}
	const owners, rounds = 3, 6
	atOnce(owners, func(int) error {
		for range rounds {
			err := c.own(t.Context())
			var lost *p.ConditionFailedError
			c.mu.Lock()
			switch {
			case errors.As(err, &lost):
				c.losses++
			case err != nil:
				c.failures = append(c.failures, err)
			}
			c.mu.Unlock()
		}
		return nil
	})
	require.Empty(t, c.failures)
	t.Logf("%d losses, %d tasks stored, %d refused", c.losses, len(c.stored), len(c.refused))
	found := map[string]bool{}
	for subqueue := range 2 {
		for _, text := range q.texts(t, q.read(subqueue)) {
			found[text] = true
		}
	}
	require.Equal(t, c.stored, found)

	// And without a race: the one who is deposed for certain.
	row, err := q.get(t.Context())
	require.NoError(t, err)
	var lost *p.ConditionFailedError
	for _, metadata := range []bool{true, false} {
		require.ErrorAs(t, q.append(t.Context(), row.RangeID-1, metadata, q.task(0, 1, 1)), &lost)
	}
	require.NotContains(t, q.texts(t, q.read(0)), string(q.task(0, 1, 1).Task.Data))
	require.ErrorAs(t, q.take(t.Context(), row.RangeID-1, row.RangeID+5), &lost)
	require.ErrorAs(t, q.create(t.Context(), 1), &lost)
	key := &p.TaskQueueKey{NamespaceID: q.namespace, TaskQueueName: q.name, TaskQueueType: workflowQueue}
	require.ErrorAs(t, s.DeleteTaskQueue(t.Context(), &p.DeleteTaskQueueRequest{TaskQueue: key, RangeID: row.RangeID - 1}), &lost)
	require.NoError(t, s.DeleteTaskQueue(t.Context(), &p.DeleteTaskQueueRequest{TaskQueue: key, RangeID: row.RangeID}))
	_, err = q.get(t.Context())
	var absent *serviceerror.NotFound
	require.ErrorAs(t, err, &absent)
}

func subqueues(t *testing.T, s p.TaskStore, fair bool) {
	q := newTaskQueue(t, s, fair, 1)
	const most = 40 // beyond one byte of subqueue and kind
	var tasks []*p.InternalCreateTask
	for _, subqueue := range []int{0, 1, 2, most} {
		tasks = append(tasks, q.task(subqueue, 1, 5), q.task(subqueue, 1, 6))
	}
	require.NoError(t, q.append(t.Context(), 1, true, tasks...))
	require.NoError(t, q.complete(t.Context(), 1, 1, 6, 0))
	require.NoError(t, q.complete(t.Context(), most, 1, 7, 0))
	text := func(subqueue int, id int64) string { return string(q.task(subqueue, 1, id).Task.Data) }
	require.Equal(t, []string{text(0, 5), text(0, 6)}, q.texts(t, q.read(0)))
	require.Equal(t, []string{text(1, 6)}, q.texts(t, q.read(1)))
	require.Equal(t, []string{text(2, 5), text(2, 6)}, q.texts(t, q.read(2)))
	require.Empty(t, q.texts(t, q.read(most)))
	row, err := q.get(t.Context())
	require.NoError(t, err, "a deletion of tasks took the queue with it")
	require.Equal(t, "backlog of 1", string(row.TaskQueueInfo.Data))
}

func listQueues(t *testing.T, s p.TaskStore, fair bool) {
	want := map[string]int64{}
	for i := range 7 {
		q := newTaskQueue(t, s, fair, int64(1000+i))
		for id := range int64(5) {
			require.NoError(t, q.append(t.Context(), int64(1000+i), false, q.task(0, 1, id+1)))
		}
		require.NoError(t, q.take(t.Context(), int64(1000+i), int64(2000+i)))
		want[fmt.Sprintf("queue %d", 2000+i)] = int64(2000 + i)
	}
	got := map[string]int64{}
	var token []byte
	for pages := 0; ; pages++ {
		page, err := s.ListTaskQueue(t.Context(), &p.ListTaskQueueRequest{PageSize: 3, PageToken: token})
		require.NoError(t, err)
		for _, item := range page.Items {
			require.NotEmpty(t, item.TaskQueue.Data, "something that is no queue was listed")
			got[string(item.TaskQueue.Data)] = item.RangeID
		}
		if token = page.NextPageToken; token == nil {
			require.Positive(t, pages)
			break
		}
		require.Less(t, pages, 1000, "paging does not end")
	}
	for info, rangeID := range want {
		require.Equal(t, rangeID, got[info], "%s", info)
	}
}

// eventually polls until check holds.
func eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !check() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within two minutes", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// stickyQueue checks that nothing of an expired row is left: what is left of it
// would refuse every later creation.
func stickyQueue(t *testing.T, s p.TaskStore, _ bool) {
	q := newTaskQueue(t, s, false, 1)
	keep := func(from, to int64, life time.Duration) error {
		_, err := s.UpdateTaskQueue(t.Context(), &p.InternalUpdateTaskQueueRequest{
			NamespaceID: q.namespace, TaskQueue: q.name, TaskType: workflowQueue, TaskQueueKind: enumspb.TASK_QUEUE_KIND_STICKY,
			PrevRangeID: from, RangeID: to, TaskQueueInfo: someText("sticky"), ExpiryTime: timestamppb.New(time.Now().Add(life)),
		})
		return err
	}
	require.NoError(t, keep(1, 2, time.Hour))
	var lost *p.ConditionFailedError
	require.ErrorAs(t, keep(1, 3, time.Second), &lost)
	row, err := q.get(t.Context())
	require.NoError(t, err, "a refused update shortened the row's life")
	require.Equal(t, int64(2), row.RangeID)
	require.NoError(t, keep(2, 3, 2*time.Second))
	eventually(t, "the queue's row expires", func() bool {
		_, err := q.get(t.Context())
		var absent *serviceerror.NotFound
		return errors.As(err, &absent)
	})
	require.NoError(t, q.create(t.Context(), 1))
}

func expiredTasks(t *testing.T, s p.TaskStore, _ bool) {
	q := newTaskQueue(t, s, false, 1)
	short, past, long := q.task(0, 0, 1), q.task(0, 0, 2), q.task(0, 0, 3)
	short.ExpiryTime = timestamppb.New(time.Now().Add(2 * time.Second))
	past.ExpiryTime = timestamppb.New(time.Now().Add(-time.Hour))
	long.ExpiryTime = timestamppb.New(time.Now().AddDate(100, 0, 0)) // beyond the longest life
	forEver := q.task(0, 0, 4)
	require.NoError(t, q.append(t.Context(), 1, true, short, past, long, forEver))
	want := []string{string(long.Task.Data), string(forEver.Task.Data)}
	eventually(t, "tasks expire", func() bool { return len(q.texts(t, q.read(0))) == len(want) })
	require.Equal(t, want, q.texts(t, q.read(0)))
	_, err := q.get(t.Context())
	require.NoError(t, err, "the queue expired with its tasks")
}

func fencedDelete(t *testing.T, s p.TaskStore, fair bool) {
	q := newTaskQueue(t, s, fair, 1)
	require.NoError(t, q.append(t.Context(), 1, true, q.task(0, 1, 9), q.task(0, 2, 1), q.task(0, 2, 2), q.task(0, 3, 1)))
	require.NoError(t, q.take(t.Context(), 1, 2))
	var lost *p.ConditionFailedError
	require.ErrorAs(t, q.complete(t.Context(), 0, 9, 0, 1), &lost)
	require.Len(t, q.texts(t, q.read(0)), 4)
	require.NoError(t, q.complete(t.Context(), 0, 2, 2, 2))
	require.Equal(t, []string{"0/2/2", "0/3/1"}, q.texts(t, q.read(0)), "below the pass and id, as a pair")
	row, err := q.get(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(2), row.RangeID)
	require.Equal(t, "queue 2", string(row.TaskQueueInfo.Data), "the fence changed the queue")
}

func fairPages(t *testing.T, s p.TaskStore, fair bool) {
	q := newTaskQueue(t, s, fair, 1)
	var tasks []*p.InternalCreateTask
	var want []string
	for pass := int64(1); pass <= 3; pass++ {
		for id := int64(1); id <= 4; id++ {
			task := q.task(0, pass, id)
			tasks = append(tasks, task)
			want = append(want, string(task.Task.Data))
		}
	}
	require.NoError(t, q.append(t.Context(), 1, true, tasks...))
	var got []string
	r := q.read(0)
	r.PageSize = 5
	for {
		page, err := s.GetTasks(t.Context(), r)
		require.NoError(t, err)
		for _, b := range page.Tasks {
			got = append(got, string(b.Data))
		}
		if r.NextPageToken = page.NextPageToken; r.NextPageToken == nil {
			break
		}
	}
	require.Equal(t, want, got)

	r = q.read(0)
	r.PageSize, r.UseLimit = 5, true
	r.InclusiveMinPass, r.InclusiveMinTaskID = 2, 3
	limited, err := s.GetTasks(t.Context(), r)
	require.NoError(t, err)
	require.Nil(t, limited.NextPageToken)
	require.Equal(t, want[6:11], q.texts(t, r))
	r.PageSize = 50
	require.Equal(t, want[6:], q.texts(t, r))
}
