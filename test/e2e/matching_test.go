package e2e

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
)

// drain runs one activity at a time on queue and returns the order in which the
// tasks of a backlog came, once all have.
func (s *server) drain(t *testing.T, queue string, tasks []task, backlogged func()) []string {
	t.Helper()
	control := unique("control")
	work(t, s.Client, control, worker.Options{})
	run := start(t, s.Client, control, wfFanOut, queue, tasks)
	backlogged()
	var mu sync.Mutex
	var order []string
	w := worker.New(s.Client, queue, worker.Options{
		DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: 1, MaxConcurrentActivityTaskPollers: 1,
		DisableEagerActivities: true,
	})
	w.RegisterActivityWithOptions(func(_ context.Context, name string) error {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, name)
		return nil
	}, activity.RegisterOptions{Name: "record"})
	require.NoError(t, w.Start())
	defer w.Stop()
	require.Equal(t, len(tasks), result[int](t, run))
	mu.Lock()
	defer mu.Unlock()
	return slices.Clone(order)
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
	require.Len(t, order, len(tasks))
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
		s.awaitRows(t, session, atLeast(1+len(tasks)), "tasks_v2", taskRows, key...)
		n, err := s.count(t.Context(), session, "tasks_v2", taskRows+" AND pass > 0", key...)
		require.NoError(t, err)
		require.Equal(t, len(tasks), n, "each task has a pass")
	})
	require.Len(t, order, len(tasks))
	require.Less(t, last(order, "small"), len(tasks)*2/3, "the small tenant waited for the large one: %v", order)
}
