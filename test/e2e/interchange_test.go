package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// allowed lets actFailUntilAllowed succeed.
var allowed atomic.Bool

func actFailUntilAllowed(context.Context) (string, error) {
	if !allowed.Load() {
		return "", errors.New("not yet")
	}
	return "activity", nil
}

// wfMixed has everything pending at once: a timer, an activity that is retried, a
// child, and signals to come. Its result names all that arrived.
func wfMixed(ctx workflow.Context, timer time.Duration) ([]string, error) {
	actx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 1},
	})
	act := workflow.ExecuteActivity(actx, actFailUntilAllowed)
	fired := workflow.NewTimer(ctx, timer)
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-child",
	}), wfChild, "child")
	var got []string
	for range 2 {
		var v string
		workflow.GetSignalChannel(ctx, "add").Receive(ctx, &v)
		got = append(got, v)
	}
	for _, f := range []workflow.Future{act, child} {
		var v string
		if err := f.Get(ctx, &v); err != nil {
			return nil, err
		}
		got = append(got, v)
	}
	if err := fired.Get(ctx, nil); err != nil {
		return nil, err
	}
	return append(got, "timer"), nil
}

// legacy is what one server leaves for another.
type legacy struct {
	mixed    client.WorkflowRun
	backlog  []client.WorkflowRun // started, no task of theirs handed out: rows in tasks and tasks_v2
	queue    string
	closed   client.WorkflowRun
	schedule string
	endpoint string
	versions string // a task queue with build ids
}

// backlogQueue is a queue that nobody polls before the keyspace changes hands.
func (l legacy) backlogQueue() string { return l.queue + "-backlog" }

// leave sets up one of everything on s. What it returns is unfinished when s ends.
func (s *server) leave(t *testing.T, tag string) legacy {
	t.Helper()
	allowed.Store(false)
	l := legacy{queue: tag, versions: tag + "-versions"}
	stop := work(t, s.Client, l.queue, worker.Options{})

	l.closed = start(t, s.Client, l.queue, wfEcho, "closed by "+tag)
	require.Equal(t, "closed by "+tag, result[string](t, l.closed))

	var err error
	l.mixed, err = s.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: unique(tag), TaskQueue: l.queue, WorkflowTaskTimeout: 6 * time.Second,
	}, wfMixed, 10*time.Second)
	require.NoError(t, err)
	await(t, "the activity to fail and the child to run", func(ctx context.Context) error {
		resp, err := s.Client.DescribeWorkflowExecution(ctx, l.mixed.GetID(), "")
		if err != nil {
			return err
		}
		acts, children := resp.GetPendingActivities(), resp.GetPendingChildren()
		if len(acts) != 1 || acts[0].GetAttempt() < 2 || len(children) != 1 || resp.GetPendingWorkflowTask() != nil {
			return fmt.Errorf("activities %v, children %v", acts, children)
		}
		return nil
	})
	stop()

	require.NoError(t, s.Client.UpdateWorkerBuildIdCompatibility(t.Context(), &client.UpdateWorkerBuildIdCompatibilityOptions{
		TaskQueue: l.versions, Operation: &client.BuildIDOpAddNewIDInNewDefaultSet{BuildID: "1.0"},
	}))
	l.endpoint = s.serveNexus(t, l.queue)
	l.schedule = unique("schedule")
	_, err = s.Client.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
		ID: l.schedule, Paused: true,
		Spec: client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Hour}}},
		Action: &client.ScheduleWorkflowAction{
			ID: l.schedule + "-wf", Workflow: wfEcho, Args: []any{"scheduled"}, TaskQueue: l.queue,
		},
	})
	require.NoError(t, err)
	for _, queue := range []string{l.backlogQueue(), fairQueue} {
		for i := range 3 {
			run, err := s.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
				ID: unique(tag), TaskQueue: queue, Priority: temporal.Priority{PriorityKey: 1 + i, FairnessKey: fmt.Sprint(i)},
			}, wfEcho, "backlog")
			require.NoError(t, err)
			l.backlog = append(l.backlog, run)
		}
	}
	session, id := s.cql(t), s.namespaceID(t, s.Namespace)
	s.awaitRows(t, session, atLeast(4), "tasks_v2", taskRows, id, fairQueue, int(enumspb.TASK_QUEUE_TYPE_WORKFLOW))
	// Last: the buffer is emptied when the task that holds it up times out.
	s.bufferSignal(t, l)
	return l
}

// bufferSignal makes the mixed workflow hold a buffered event: it signals once, takes
// the workflow task without ever answering it, and signals again. A task that timed
// out before that was seen has the buffer emptied; then the next is taken, with a
// signal more, for which the workflow does not wait.
func (s *server) bufferSignal(t *testing.T, l legacy) {
	t.Helper()
	require.NoError(t, s.Client.SignalWorkflow(t.Context(), l.mixed.GetID(), "", "add", "first"))
	session := s.cql(t)
	await(t, "an event buffered in the row of the workflow", func(ctx context.Context) error {
		poll, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		resp, err := s.Client.WorkflowService().PollWorkflowTaskQueue(poll, &workflowservice.PollWorkflowTaskQueueRequest{
			Namespace: s.Namespace, Identity: "e2e", TaskQueue: &taskqueuepb.TaskQueue{Name: l.queue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		})
		if err != nil {
			return err
		}
		if got := resp.GetWorkflowExecution().GetWorkflowId(); got != l.mixed.GetID() {
			return fmt.Errorf("got a task of %q", got)
		}
		if err := s.Client.SignalWorkflow(ctx, l.mixed.GetID(), "", "add", "buffered"); err != nil {
			return err
		}
		var buffered []map[string]any
		err = session.Query(fmt.Sprintf(
			`SELECT buffered_events_list FROM %s.executions WHERE type = 1 AND workflow_id = ? AND run_id = ? ALLOW FILTERING`, s.Keyspace),
			l.mixed.GetID(), l.mixed.GetRunID()).WithContext(ctx).Scan(&buffered)
		if err == nil && len(buffered) == 0 {
			err = errors.New("none")
		}
		return err
	})
}

// take finishes on s what another server left, and reads all of it.
func (s *server) take(t *testing.T, tag string, l legacy) {
	t.Helper()
	require.Equal(t, "closed by "+tag, result[string](t, s.Client.GetWorkflow(t.Context(), l.closed.GetID(), "")))
	resp, err := s.Client.DescribeWorkflowExecution(t.Context(), l.mixed.GetID(), "")
	require.NoError(t, err)
	require.Len(t, resp.GetPendingActivities(), 1)
	require.Len(t, resp.GetPendingChildren(), 1)

	allowed.Store(true)
	work(t, s.Client, l.queue, worker.Options{}, registerNexus(t))
	work(t, s.Client, l.backlogQueue(), worker.Options{})
	work(t, s.Client, fairQueue, worker.Options{})
	require.NoError(t, s.Client.SignalWorkflow(t.Context(), l.mixed.GetID()+"-child", "", "go", "done"))
	mixed := s.Client.GetWorkflow(t.Context(), l.mixed.GetID(), l.mixed.GetRunID())
	require.Equal(t, []string{"first", "buffered", "activity", "child done", "timer"}, result[[]string](t, mixed))
	for _, run := range l.backlog {
		require.Equal(t, "backlog", result[string](t, s.Client.GetWorkflow(t.Context(), run.GetID(), run.GetRunID())))
	}

	schedule := s.Client.ScheduleClient().GetHandle(t.Context(), l.schedule)
	require.NoError(t, schedule.Trigger(t.Context(), client.ScheduleTriggerOptions{}))
	await(t, "the schedule to act", func(ctx context.Context) error {
		d, err := schedule.Describe(ctx)
		if err == nil && d.Info.NumActions != 1 {
			err = fmt.Errorf("%d actions", d.Info.NumActions)
		}
		return err
	})
	caller := start(t, s.Client, l.queue, wfNexusCaller, l.endpoint)
	require.Equal(t, []string{"hello at once", "hello later"}, result[[]string](t, caller))
	sets, err := s.Client.GetWorkerBuildIdCompatibility(t.Context(), &client.GetWorkerBuildIdCompatibilityOptions{TaskQueue: l.versions})
	require.NoError(t, err)
	require.Len(t, sets.Sets, 1)
	require.Equal(t, []string{"1.0"}, sets.Sets[0].BuildIDs)
}

// TestInterchange hands one keyspace from stock Temporal to this server and back.
// What the one left unfinished the other finishes.
func TestInterchange(t *testing.T) {
	stock, err := harness.Stock(t.Context())
	require.NoError(t, err)
	node := cassandratest.Start(t)
	spec := harness.Spec{Node: node, Visibility: harness.SQLite(t.TempDir()), Dynamic: featureDynamic}
	first := launch(t, stock, spec)
	left := first.leave(t, "stock")
	require.NoError(t, first.Stop())

	spec.After = first.Server
	second := launch(t, subject(t), spec)
	second.take(t, "stock", left)
	left = second.leave(t, "subject")
	require.NoError(t, second.Stop())

	third := launch(t, stock, spec)
	third.take(t, "subject", left)
}
