package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/server/api/adminservice/v1"
	taskqueuespb "go.temporal.io/server/api/taskqueue/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// drain runs one activity at a time on queue and returns the order in which the
// tasks of a backlog came, once all have. One that was handed out again, for nobody
// heard of its first attempt in time, has no place in the order: it came when it was
// given up.
func (s *server) drain(t *testing.T, queue string, tasks []task, backlogged func()) []string {
	t.Helper()
	control := unique("control")
	work(t, s.Client, control, worker.Options{})
	run := start(t, s.Client, control, wfFanOut, queue, tasks)
	backlogged()
	s.awaitLoaded(t, queue, len(tasks))
	var mu sync.Mutex
	var order []string
	came := map[string]bool{} // by activity
	w := worker.New(s.Client, queue, worker.Options{
		DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: 1, MaxConcurrentActivityTaskPollers: 1,
		DisableEagerActivities: true,
	})
	w.RegisterActivityWithOptions(func(ctx context.Context, name string) error {
		mu.Lock()
		defer mu.Unlock()
		came[activity.GetInfo(ctx).ActivityID] = true
		if activity.GetInfo(ctx).Attempt == 1 {
			order = append(order, name)
		}
		return nil
	}, activity.RegisterOptions{Name: "record"})
	require.NoError(t, w.Start())
	defer w.Stop()
	require.Equal(t, len(tasks), result[int](t, run))
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, came, len(tasks))
	return slices.Clone(order)
}

// awaitLoaded waits until matching holds all tasks of a backlog in its memory, for
// which it reads them again and again: what it does not know yet it cannot prefer.
func (s *server) awaitLoaded(t *testing.T, queue string, tasks int) {
	t.Helper()
	conn, err := grpc.NewClient(s.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	admin := adminservice.NewAdminServiceClient(conn)
	await(t, "matching to hold the backlog", func(ctx context.Context) error {
		resp, err := admin.DescribeTaskQueuePartition(ctx, &adminservice.DescribeTaskQueuePartitionRequest{
			Namespace:          s.Namespace,
			TaskQueuePartition: &taskqueuespb.TaskQueuePartition{TaskQueue: queue, TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY},
			BuildIds:           &taskqueuepb.TaskQueueVersionSelection{Unversioned: true},
		})
		if err != nil {
			return err
		}
		loaded := 0
		for _, version := range resp.GetVersionsInfoInternal() {
			for _, status := range version.GetPhysicalTaskQueueInfo().GetInternalTaskQueueStatus() {
				loaded += int(status.GetLoadedTasks())
			}
		}
		if loaded < tasks {
			return fmt.Errorf("%d of %d tasks are loaded", loaded, tasks)
		}
		return nil
	})
}

// last returns the highest position in order of a name with prefix.
func last(order []string, prefix string) int {
	for i, name := range slices.Backward(order) {
		if strings.HasPrefix(name, prefix) {
			return i
		}
	}
	return -1
}

func repeat(n int, tk task) []task {
	tasks := make([]task, n)
	for i := range tasks {
		tasks[i] = tk
	}
	return tasks
}

// taskRows restricts tasks and tasks_v2 to the tasks of a queue for activities: rows
// of other types, 1 modulo 4, are its metadata.
const taskRows = "namespace_id = ? AND task_queue_name = ? AND task_queue_type = ?"

func testPriority(t *testing.T, s *server, _ string) {
	const queue = "urgent"
	tasks := append(
		repeat(12, task{Name: "late", Priority: temporal.Priority{PriorityKey: 5}}),
		repeat(3, task{Name: "soon", Priority: temporal.Priority{PriorityKey: 1}})...)
	order := s.drain(t, queue, tasks, func() {
		key := []any{s.namespaceID(t, s.Namespace), queue, int(enumspb.TASK_QUEUE_TYPE_ACTIVITY)}
		// A row of metadata and all tasks, in subqueues by priority.
		s.awaitRows(t, s.cql(t), atLeast(1+len(tasks)), "tasks", taskRows, key...)
	})
	require.Less(t, last(order, "soon"), len(tasks)/2, "urgent tasks came late: %v", order)
}

func testFairness(t *testing.T, s *server, _ string) {
	tenant := func(name string) task {
		return task{Name: name, Priority: temporal.Priority{FairnessKey: name, FairnessWeight: 1}}
	}
	tasks := append(repeat(20, tenant("large")), repeat(3, tenant("small"))...)
	session := s.cql(t)
	key := []any{s.namespaceID(t, s.Namespace), fairQueue, int(enumspb.TASK_QUEUE_TYPE_ACTIVITY)}
	order := s.drain(t, fairQueue, tasks, func() {
		// Each task has a pass, the row of metadata has none. A task that was added once
		// more, for the answer to the first time was lost, is a row too many.
		await(t, "the passes of all tasks", func(ctx context.Context) error {
			passes, err := s.count(ctx, session, "tasks_v2", taskRows+" AND pass > 0", key...)
			if err != nil {
				return err
			}
			rows, err := s.count(ctx, session, "tasks_v2", taskRows, key...)
			if err == nil && (passes < len(tasks) || rows != 1+passes) {
				err = fmt.Errorf("%d rows, %d of them with a pass, of %d tasks", rows, passes, len(tasks))
			}
			return err
		})
	})
	require.Less(t, last(order, "small"), len(tasks)*2/3, "the small tenant waited for the large one: %v", order)
}
