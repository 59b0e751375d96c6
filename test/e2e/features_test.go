package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// fairQueue is the task queue whose tasks are kept in fair order (tasks_v2).
const fairQueue = "fair"

// featureDynamic turns on what some feature needs and nothing else.
var featureDynamic = harness.Dynamic{
	"matching.enableFairness": {
		{Value: true, Constraints: map[string]any{"taskQueueName": fairQueue}},
	},
	// One partition, so that one backlog shows one order.
	"matching.numTaskqueueReadPartitions":         {{Value: 1, Constraints: map[string]any{"taskQueueName": fairQueue}}, {Value: 1, Constraints: map[string]any{"taskQueueName": "urgent"}}},
	"matching.numTaskqueueWritePartitions":        {{Value: 1, Constraints: map[string]any{"taskQueueName": fairQueue}}, {Value: 1, Constraints: map[string]any{"taskQueueName": "urgent"}}},
	"frontend.workerVersioningDataAPIs":           harness.Always(true),
	"worker.executionsScannerEnabled":             harness.Always(true),
	"worker.executionDataDurationBuffer":          harness.Always("0s"),
	"worker.executionScannerPerHostQPS":           harness.Always(1000),
	"worker.executionScannerPerShardQPS":          harness.Always(1000),
	"worker.historyScannerVerifyRetention":        harness.Always(false),
	"worker.historyScannerDataMinAge":             harness.Always(scannedAge.String()),
	"worker.buildIdScavengerEnabled":              harness.Always(true),
	"worker.removableBuildIdDurationSinceDefault": harness.Always("1ms"),
}

// feature is something that a user of Temporal does.
type feature struct {
	name string
	run  func(t *testing.T, s *server, queue string)
	rows bool // it looks at rows, for which the database must be reached from outside
}

var features = []feature{
	{"activities are retried", testRetry, false},
	{"an activity goes on from its last heartbeat", testHeartbeat, false},
	{"timers fire in order and can be cancelled", testTimers, false},
	{"signals arrive in order and queries see them", testSignals, false},
	{"a signal can start its workflow", testSignalWithStart, false},
	{"many signals between two workflow tasks are all kept", testSignalFlood, false},
	{"updates are validated, accepted and answered", testUpdate, false},
	{"children succeed, fail and end with their parent", testChildren, false},
	{"continue-as-new carries state along a chain of runs", testContinueAsNew, false},
	{"cancellation lets a workflow clean up", testCancel, false},
	{"termination ends a workflow at once", testTerminate, false},
	{"a failed workflow is retried as a new run", testWorkflowRetry, false},
	{"a workflow that runs out of time is timed out", testWorkflowTimeout, false},
	{"workflow ids are reused only as asked", testIDPolicies, false},
	{"large payloads survive", testLargePayload, false},
	{"an activity completes from outside", testAsyncCompletion, false},
	{"a standalone activity runs without a workflow", testStandaloneActivity, false},
	{"reset starts over from an earlier task", testReset, false},
	{"batch reset starts many workflows over", testBatchReset, false},
	{"schedules start, pause and are deleted", testSchedule, false},
	{"Nexus operations answer at once and later", testNexus, false},
	{"build ids are kept for a task queue and scavenged", testBuildIDs, false},
	{"worker deployments route workflows", testDeployment, false},
	{"urgent tasks overtake a backlog", testPriority, true},
	{"a small tenant is not starved by a large one", testFairness, true},
	{"workflows are listed, counted and searched", testVisibility, false},
	{"deleting a workflow removes all of it", testDeleteWorkflow, true},
	{"retention removes all of a closed workflow", testRetention, true},
	{"deleting a namespace removes its workflows", testDeleteNamespace, true},
	{"the history scavenger removes orphaned history only", testHistoryScavenger, true},
	{"the executions scavenger removes what is past its retention", testExecutionsScavenger, true},
}

// TestFeatures runs everything that a user of Temporal does on one server of one
// process with SQLite visibility, all at once as users would.
func TestFeatures(t *testing.T) {
	runFeatures(t, subject(t), features)
}

func runFeatures(t *testing.T, l harness.Launcher, all []feature) {
	t.Helper()
	s := launch(t, l, harness.Spec{Dynamic: featureDynamic})
	const queue = "features"
	work(t, s.Client, queue, worker.Options{})
	t.Run("group", func(t *testing.T) {
		for _, tt := range all {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				tt.run(t, s, queue)
			})
		}
	})
	require.NoError(t, s.Stop(), "the server stops in order after all of it")
}

func testRetry(t *testing.T, s *server, queue string) {
	run := start(t, s.Client, queue, wfRetry)
	attempt := result[int32](t, run)
	history, err := s.history(t.Context(), run.GetID(), run.GetRunID())
	require.NoError(t, err)
	if attempt == 3 || attempt > 3 && gaveUp(history) {
		return
	}
	require.Equal(t, int32(3), attempt)
}

// gaveUp reports whether the last attempt of a workflow's last activity was made
// because nobody heard of the one before in time. That one may have succeeded where
// it ran.
func gaveUp(history *historypb.History) bool {
	for _, event := range slices.Backward(history.GetEvents()) {
		if a := event.GetActivityTaskStartedEventAttributes(); a != nil {
			return a.GetLastFailure().GetTimeoutFailureInfo() != nil
		}
	}
	return false
}

func testHeartbeat(t *testing.T, s *server, queue string) {
	require.Equal(t, 7, result[int](t, start(t, s.Client, queue, wfHeartbeat)))
}

func testTimers(t *testing.T, s *server, queue string) {
	run := start(t, s.Client, queue, wfTimers)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, run.Get(ctx, nil))
	after := map[string]time.Duration{} // by timer
	var fired []time.Duration
	cancelled := 0
	events := s.Client.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(t, err)
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_TIMER_STARTED:
			a := e.GetTimerStartedEventAttributes()
			after[a.GetTimerId()] = a.GetStartToFireTimeout().AsDuration()
		case enumspb.EVENT_TYPE_TIMER_FIRED:
			fired = append(fired, after[e.GetTimerFiredEventAttributes().GetTimerId()])
		case enumspb.EVENT_TYPE_TIMER_CANCELED:
			cancelled++
		default:
		}
	}
	require.Equal(t, []time.Duration{300 * time.Millisecond, 600 * time.Millisecond, 900 * time.Millisecond}, fired)
	require.Equal(t, 1, cancelled)
}

func testSignals(t *testing.T, s *server, queue string) {
	run := start(t, s.Client, queue, wfCollect)
	want := []string{}
	for i := range 5 {
		want = append(want, fmt.Sprint(i))
		require.NoError(t, s.Client.SignalWorkflow(t.Context(), run.GetID(), "", "add", want[i]))
	}
	await(t, "the query to show all signals", func(ctx context.Context) error {
		answer, err := s.Client.QueryWorkflow(ctx, run.GetID(), "", "seen")
		if err != nil {
			return err
		}
		var seen []string
		if err := answer.Get(&seen); err != nil || len(seen) == len(want) {
			return err
		}
		return fmt.Errorf("seen %v", seen)
	})
	require.NoError(t, s.Client.SignalWorkflow(t.Context(), run.GetID(), "", "done", nil))
	require.Equal(t, want, result[[]string](t, run))
	answer, err := s.Client.QueryWorkflow(t.Context(), run.GetID(), "", "seen")
	require.NoError(t, err, "a closed workflow answers queries")
	var seen []string
	require.NoError(t, answer.Get(&seen))
	require.Equal(t, want, seen)
}

func testSignalWithStart(t *testing.T, s *server, queue string) {
	opts := client.StartWorkflowOptions{ID: unique("wf"), TaskQueue: queue}
	first, err := s.Client.SignalWithStartWorkflow(t.Context(), opts.ID, "add", "a", opts, wfCollect)
	require.NoError(t, err)
	second, err := s.Client.SignalWithStartWorkflow(t.Context(), opts.ID, "add", "b", opts, wfCollect)
	require.NoError(t, err)
	require.Equal(t, first.GetRunID(), second.GetRunID(), "the second signal goes to the running workflow")
	require.NoError(t, s.Client.SignalWorkflow(t.Context(), opts.ID, "", "done", nil))
	require.Equal(t, []string{"a", "b"}, result[[]string](t, first))
}

func testSignalFlood(t *testing.T, s *server, queue string) {
	run := start(t, s.Client, queue, wfCollect)
	const n = 100
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- s.Client.SignalWorkflow(t.Context(), run.GetID(), "", "add", fmt.Sprint(i)) }()
	}
	for range n {
		require.NoError(t, <-errs)
	}
	require.NoError(t, s.Client.SignalWorkflow(t.Context(), run.GetID(), "", "done", nil))
	seen := map[string]bool{}
	for _, v := range result[[]string](t, run) {
		require.False(t, seen[v], "signal %s arrived twice", v)
		seen[v] = true
	}
	require.Len(t, seen, n)
}

func testUpdate(t *testing.T, s *server, queue string) {
	run := start(t, s.Client, queue, wfAccount, 10)
	withdraw := func(amount int) (int, error) {
		handle, err := s.Client.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
			WorkflowID: run.GetID(), UpdateName: "withdraw", Args: []any{amount},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err != nil {
			return 0, err
		}
		var left int
		return left, handle.Get(t.Context(), &left)
	}
	left, err := withdraw(3)
	require.NoError(t, err)
	require.Equal(t, 7, left)
	_, err = withdraw(8)
	require.ErrorContains(t, err, "balance is only 7")
	left, err = withdraw(7)
	require.NoError(t, err)
	require.Equal(t, 0, left)
	require.NoError(t, s.Client.SignalWorkflow(t.Context(), run.GetID(), "", "close", nil))
	require.Equal(t, 0, result[int](t, run))

	// An update that starts its workflow.
	op := s.Client.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: unique("wf"), TaskQueue: queue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
	}, wfAccount, 5)
	handle, err := s.Client.UpdateWithStartWorkflow(t.Context(), client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: op,
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateName: "withdraw", Args: []any{5}, WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	require.NoError(t, err)
	require.NoError(t, handle.Get(t.Context(), &left))
	require.Equal(t, 0, left)
	started, err := op.Get(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Client.TerminateWorkflow(t.Context(), started.GetID(), "", "end of test"))
}

func testChildren(t *testing.T, s *server, queue string) {
	id := unique("family")
	require.Equal(t, "good signalled", result[string](t, start(t, s.Client, queue, wfParent, id)))
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, status(t, s.Client, id+"-good", ""))
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, status(t, s.Client, id+"-bad", ""))
	await(t, "the parent close policy", func(context.Context) error {
		if got := status(t, s.Client, id+"-left", ""); got != enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED {
			return fmt.Errorf("the third child is %v", got)
		}
		return nil
	})
}

func testContinueAsNew(t *testing.T, s *server, queue string) {
	run := start(t, s.Client, queue, wfCountdown, 4, 0)
	first := run.GetRunID()
	require.Equal(t, 10, result[int](t, run))
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, status(t, s.Client, run.GetID(), first))
	latest, err := s.Client.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
	require.NoError(t, err)
	info := latest.GetWorkflowExecutionInfo()
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, info.GetStatus())
	require.Equal(t, first, info.GetFirstRunId())
	require.NotEqual(t, first, info.GetExecution().GetRunId())
}

func testCancel(t *testing.T, s *server, queue string) {
	run := start(t, s.Client, queue, wfCancellable)
	require.NoError(t, s.Client.CancelWorkflow(t.Context(), run.GetID(), ""))
	require.True(t, temporal.IsCanceledError(failure(t, run)))
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, status(t, s.Client, run.GetID(), ""))
}

func testTerminate(t *testing.T, s *server, queue string) {
	run := start(t, s.Client, queue, wfForever)
	require.NoError(t, s.Client.TerminateWorkflow(t.Context(), run.GetID(), "", "no longer wanted"))
	require.True(t, is[*temporal.TerminatedError](failure(t, run)))
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, status(t, s.Client, run.GetID(), ""))
	require.True(t, is[*serviceerror.NotFound](s.Client.SignalWorkflow(t.Context(), run.GetID(), "", "add", "x")))
}

func testWorkflowRetry(t *testing.T, s *server, queue string) {
	run, err := s.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: unique("wf"), TaskQueue: queue,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, MaximumAttempts: 5},
	}, wfFlaky)
	require.NoError(t, err)
	require.Equal(t, int32(3), result[int32](t, run))
}

func testWorkflowTimeout(t *testing.T, s *server, queue string) {
	run, err := s.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: unique("wf"), TaskQueue: queue, WorkflowRunTimeout: time.Second,
	}, wfForever)
	require.NoError(t, err)
	require.True(t, temporal.IsTimeoutError(failure(t, run)))
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, status(t, s.Client, run.GetID(), ""))
}

func testIDPolicies(t *testing.T, s *server, queue string) {
	id := unique("wf")
	execute := func(opts client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
		opts.ID, opts.TaskQueue = id, queue
		opts.WorkflowExecutionErrorWhenAlreadyStarted = true
		return s.Client.ExecuteWorkflow(t.Context(), opts, workflow, args...)
	}
	first, err := execute(client.StartWorkflowOptions{}, wfForever)
	require.NoError(t, err)

	_, err = execute(client.StartWorkflowOptions{}, wfForever)
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	require.ErrorAs(t, err, &started)
	require.Equal(t, first.GetRunID(), started.RunId, "the error names the run that is in the way")

	same, err := execute(client.StartWorkflowOptions{
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, wfForever)
	require.NoError(t, err)
	require.Equal(t, first.GetRunID(), same.GetRunID())

	second, err := execute(client.StartWorkflowOptions{
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}, wfEcho, "second")
	require.NoError(t, err)
	require.NotEqual(t, first.GetRunID(), second.GetRunID())
	require.Equal(t, "second", result[string](t, second))
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, status(t, s.Client, id, first.GetRunID()))

	for _, policy := range []enumspb.WorkflowIdReusePolicy{
		enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
	} {
		_, err = execute(client.StartWorkflowOptions{WorkflowIDReusePolicy: policy}, wfEcho, "refused")
		require.ErrorAs(t, err, &started, "%v", policy)
		require.Equal(t, second.GetRunID(), started.RunId)
	}
	third, err := execute(client.StartWorkflowOptions{
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, wfEcho, "third")
	require.NoError(t, err)
	require.Equal(t, "third", result[string](t, third))
}

func testLargePayload(t *testing.T, s *server, queue string) {
	large := make([]byte, 300_000)
	for i := range large {
		large[i] = 'a' + byte(i%26)
	}
	require.Equal(t, string(large), result[string](t, start(t, s.Client, queue, wfEcho, string(large))))
}
