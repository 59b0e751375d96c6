package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	nexuspb "go.temporal.io/api/nexus/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporalnexus"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func testAsyncCompletion(t *testing.T, s *server, _ string) {
	queue := unique("async")
	work(t, s.Client, queue, worker.Options{}, func(w worker.Worker) {
		w.RegisterActivityWithOptions(func(context.Context, string) error {
			return activity.ErrResultPending
		}, activity.RegisterOptions{Name: "record"})
	})
	run := start(t, s.Client, queue, wfFanOut, queue, []task{{Name: "pending"}})
	await(t, "the activity to be under way", func(ctx context.Context) error {
		resp, err := s.Client.DescribeWorkflowExecution(ctx, run.GetID(), "")
		if err != nil {
			return err
		}
		if resp.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
			return nil // by the try before, whose answer was lost
		}
		pending := resp.GetPendingActivities()
		if len(pending) != 1 || pending[0].GetLastStartedTime() == nil {
			return fmt.Errorf("pending activities: %v", pending)
		}
		return s.Client.CompleteActivityByID(ctx, s.Namespace, run.GetID(), "", pending[0].GetActivityId(), nil, nil)
	})
	require.Equal(t, 1, result[int](t, run))
}

func testStandaloneActivity(t *testing.T, s *server, queue string) {
	// A task that got lost on its way to a worker comes again when its attempt is given
	// up: before the test is. (Matching allows history one second to note that a worker
	// gets it, newRecordTaskStartedContext in service/matching of 1.32.2; a disk may be
	// slower, and then the attempt has begun and nobody makes it.)
	opts := client.StartActivityOptions{ID: unique("act"), TaskQueue: queue, StartToCloseTimeout: patience / 3}
	outcome := func(handle client.ActivityHandle, out any) *client.ActivityExecutionDescription {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		failed := handle.Get(ctx, out)
		d, err := handle.Describe(t.Context(), client.DescribeActivityOptions{})
		require.NoError(t, err)
		require.NoError(t, failed, "%v", d.RawExecutionInfo)
		return d
	}
	handle, err := s.Client.ExecuteActivity(t.Context(), opts, actEcho, "alone")
	require.NoError(t, err)
	var out string
	outcome(handle, &out)
	require.Equal(t, "alone", out)

	opts.ID = unique("act")
	handle, err = s.Client.ExecuteActivity(t.Context(), opts, actFailTwice)
	require.NoError(t, err)
	var attempt int32
	if d := outcome(handle, &attempt); d.RawExecutionInfo.GetLastFailure().GetTimeoutFailureInfo() == nil || attempt < 3 {
		require.Equal(t, int32(3), attempt)
	}

	// It is an execution of its own kind: a workflow may have the same id.
	run, err := s.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: opts.ID, TaskQueue: queue}, wfEcho, "same id")
	require.NoError(t, err)
	require.Equal(t, "same id", result[string](t, run))
}

func testSchedule(t *testing.T, s *server, queue string) {
	id := unique("schedule")
	handle, err := s.Client.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
		ID:   id,
		Spec: client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Second}}},
		Action: &client.ScheduleWorkflowAction{
			ID: id + "-wf", Workflow: wfEcho, Args: []any{"scheduled"}, TaskQueue: queue,
		},
	})
	require.NoError(t, err)
	describe := func(ctx context.Context, ok func(*client.ScheduleDescription) bool) error {
		d, err := handle.Describe(ctx)
		if err == nil && !ok(d) {
			err = fmt.Errorf("%d actions, paused %t", d.Info.NumActions, d.Schedule.State.Paused)
		}
		return err
	}
	var taken *client.ScheduleDescription
	await(t, "two actions of the schedule", func(ctx context.Context) error {
		return describe(ctx, func(d *client.ScheduleDescription) bool {
			taken = d
			return d.Info.NumActions >= 2
		})
	})
	started := taken.Info.RecentActions[0].StartWorkflowResult
	require.Equal(t, "scheduled", result[string](t, s.Client.GetWorkflow(t.Context(), started.WorkflowID, started.FirstExecutionRunID)))

	require.NoError(t, handle.Pause(t.Context(), client.SchedulePauseOptions{Note: "rest"}))
	var paused client.ScheduleInfo
	await(t, "the schedule to pause", func(ctx context.Context) error {
		return describe(ctx, func(d *client.ScheduleDescription) bool {
			paused = d.Info
			return d.Schedule.State.Paused
		})
	})
	// An action's workflow is named by the second in which it starts, and the name of
	// the last one is taken: triggered in the same second, none would start.
	last := paused.RecentActions[len(paused.RecentActions)-1].ActualTime
	await(t, "the second of the last action to end", func(context.Context) error {
		if now := time.Now(); now.Unix() <= last.Unix() {
			return fmt.Errorf("it is %v, the action was taken at %v", now, last)
		}
		return nil
	})
	require.NoError(t, handle.Trigger(t.Context(), client.ScheduleTriggerOptions{
		// The last action may still be under way.
		Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
	}))
	await(t, "the triggered action", func(ctx context.Context) error {
		return describe(ctx, func(d *client.ScheduleDescription) bool { return d.Info.NumActions > paused.NumActions })
	})
	require.NoError(t, handle.Delete(t.Context()))
	await(t, "the schedule to go", func(ctx context.Context) error {
		if _, err := handle.Describe(ctx); !is[*serviceerror.NotFound](err) {
			return fmt.Errorf("it still answers: %w", err)
		}
		return nil
	})
}

const (
	nexusService = "greetings"
	nexusSync    = "at-once"
	nexusAsync   = "later"
)

// wfNexusCaller calls both operations of the service at endpoint.
func wfNexusCaller(ctx workflow.Context, endpoint string) ([]string, error) {
	c := workflow.NewNexusClient(endpoint, nexusService)
	var answers []string
	for _, operation := range []string{nexusSync, nexusAsync} {
		var answer string
		future := c.ExecuteOperation(ctx, operation, "hello", workflow.NexusOperationOptions{ScheduleToCloseTimeout: patience})
		if err := future.Get(ctx, &answer); err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

func wfNexusHandler(ctx workflow.Context, greeting string) (string, error) {
	return greeting + " later", workflow.Sleep(ctx, 300*time.Millisecond)
}

// serveNexus makes an endpoint whose operations are handled on queue.
func (s *server) serveNexus(t *testing.T, queue string) (endpoint string) {
	t.Helper()
	endpoint = unique("endpoint")
	_, err := s.Client.OperatorService().CreateNexusEndpoint(t.Context(), &operatorservice.CreateNexusEndpointRequest{
		Spec: &nexuspb.EndpointSpec{Name: endpoint, Target: &nexuspb.EndpointTarget{
			Variant: &nexuspb.EndpointTarget_Worker_{Worker: &nexuspb.EndpointTarget_Worker{
				Namespace: s.Namespace, TaskQueue: queue,
			}},
		}},
	})
	require.NoError(t, err)
	return endpoint
}

func registerNexus(t *testing.T) func(worker.Worker) {
	t.Helper()
	service := nexus.NewService(nexusService)
	require.NoError(t, service.Register(
		nexus.NewSyncOperation(nexusSync, func(_ context.Context, greeting string, _ nexus.StartOperationOptions) (string, error) {
			return greeting + " at once", nil
		}),
		temporalnexus.NewWorkflowRunOperation(nexusAsync, wfNexusHandler,
			func(_ context.Context, _ string, o nexus.StartOperationOptions) (client.StartWorkflowOptions, error) {
				return client.StartWorkflowOptions{ID: o.RequestID}, nil
			}),
	))
	return func(w worker.Worker) { w.RegisterNexusService(service) }
}

func testNexus(t *testing.T, s *server, _ string) {
	queue := unique("nexus")
	endpoint := s.serveNexus(t, queue)
	work(t, s.Client, queue, worker.Options{}, registerNexus(t))
	require.Equal(t, []string{"hello at once", "hello later"}, result[[]string](t, start(t, s.Client, queue, wfNexusCaller, endpoint)))

	operator := s.Client.OperatorService()
	list, err := operator.ListNexusEndpoints(t.Context(), &operatorservice.ListNexusEndpointsRequest{Name: endpoint})
	require.NoError(t, err)
	require.Len(t, list.GetEndpoints(), 1)
	found := list.GetEndpoints()[0]
	update := &operatorservice.UpdateNexusEndpointRequest{Id: found.GetId(), Version: found.GetVersion(), Spec: found.GetSpec()}
	_, err = operator.UpdateNexusEndpoint(t.Context(), update)
	require.NoError(t, err)
	_, err = operator.UpdateNexusEndpoint(t.Context(), update)
	require.Error(t, err, "an update of an old version is refused")
	_, err = operator.DeleteNexusEndpoint(t.Context(),
		&operatorservice.DeleteNexusEndpointRequest{Id: found.GetId(), Version: found.GetVersion() + 1})
	require.NoError(t, err)
}

func testBuildIDs(t *testing.T, s *server, _ string) {
	queue := unique("versions")
	for _, id := range []string{"1.0", "2.0"} {
		require.NoError(t, s.Client.UpdateWorkerBuildIdCompatibility(t.Context(), &client.UpdateWorkerBuildIdCompatibilityOptions{
			TaskQueue: queue, Operation: &client.BuildIDOpAddNewIDInNewDefaultSet{BuildID: id},
		}))
	}
	sets := func(ctx context.Context) ([]string, error) {
		resp, err := s.Client.GetWorkerBuildIdCompatibility(ctx, &client.GetWorkerBuildIdCompatibilityOptions{TaskQueue: queue})
		if err != nil {
			return nil, err
		}
		var ids []string
		for _, set := range resp.Sets {
			ids = append(ids, set.BuildIDs...)
		}
		return ids, nil
	}
	before, err := sets(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"1.0", "2.0"}, before)

	// No workflow and no worker uses 1.0, so that a pass of the scavenger removes it.
	s.scan(t, "temporal-sys-build-id-scavenger-taskqueue-0", "build-id-scavenger", map[string]any{"IgnoreRetentionTime": true})
	await(t, "the unused build id to go", func(ctx context.Context) error {
		ids, err := sets(ctx)
		if err == nil && (len(ids) != 1 || ids[0] != "2.0") {
			err = fmt.Errorf("build ids %v", ids)
		}
		return err
	})
}

func testDeployment(t *testing.T, s *server, _ string) {
	queue, name := unique("deployed"), unique("deployment")
	version := worker.WorkerDeploymentVersion{DeploymentName: name, BuildID: "build-1"}
	work(t, s.Client, queue, worker.Options{DeploymentOptions: worker.DeploymentOptions{
		UseVersioning: true, Version: version, DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	}})
	handle := s.Client.WorkerDeploymentClient().GetHandle(name)
	await(t, "the version to become current", func(ctx context.Context) error {
		_, err := handle.SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: version.BuildID})
		return err
	})
	run := start(t, s.Client, queue, wfEcho, "pinned")
	require.Equal(t, "pinned", result[string](t, run))
	resp, err := s.Client.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
	require.NoError(t, err)
	ran := resp.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion()
	if ran.GetDeploymentName() != name || ran.GetBuildId() != version.BuildID {
		require.NoError(t, errors.New("the workflow ran outside its deployment: "+ran.String()))
	}
}
