package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	batchpb "go.temporal.io/api/batch/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// firstTaskDone returns the id of the event that completed the first workflow
// task, and waits for it.
func firstTaskDone(t *testing.T, c client.Client, run client.WorkflowRun) int64 {
	t.Helper()
	var id int64
	await(t, "the first workflow task", func(ctx context.Context) error {
		events := c.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			if err != nil {
				return err
			}
			if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
				id = e.GetEventId()
				return nil
			}
		}
		return errors.New("no completed task in the history")
	})
	return id
}

func testReset(t *testing.T, s *server, queue string) {
	tests := []struct {
		name    string
		give    enumspb.ResetReapplyType
		running bool // reset while the base run is open
		want    []string
	}{
		{"a closed run, its signals taken along", enumspb.RESET_REAPPLY_TYPE_SIGNAL, false, []string{"a", "b"}},
		{"an open run, its signals left out", enumspb.RESET_REAPPLY_TYPE_NONE, true, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := start(t, s.Client, queue, wfCollect)
			done := firstTaskDone(t, s.Client, base)
			for _, v := range []string{"a", "b"} {
				require.NoError(t, s.Client.SignalWorkflow(t.Context(), base.GetID(), "", "add", v))
			}
			if !tt.running {
				require.NoError(t, s.Client.SignalWorkflow(t.Context(), base.GetID(), "", "done", nil))
				require.Equal(t, []string{"a", "b"}, result[[]string](t, base))
			}
			resp, err := s.Client.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
				Namespace:                 s.Namespace,
				WorkflowExecution:         &commonpb.WorkflowExecution{WorkflowId: base.GetID(), RunId: base.GetRunID()},
				Reason:                    "test",
				WorkflowTaskFinishEventId: done,
				RequestId:                 unique("reset"),
				ResetReapplyType:          tt.give,
			})
			require.NoError(t, err)
			require.NotEqual(t, base.GetRunID(), resp.GetRunId())
			if tt.running {
				require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, status(t, s.Client, base.GetID(), base.GetRunID()))
			}
			if tt.give == enumspb.RESET_REAPPLY_TYPE_NONE {
				require.NoError(t, s.Client.SignalWorkflow(t.Context(), base.GetID(), resp.GetRunId(), "done", nil))
			}
			again := s.Client.GetWorkflow(t.Context(), base.GetID(), resp.GetRunId())
			require.Equal(t, tt.want, result[[]string](t, again))
		})
	}
}

func testBatchReset(t *testing.T, s *server, queue string) {
	var executions []*commonpb.WorkflowExecution
	for i := range 3 {
		run := start(t, s.Client, queue, wfEcho, fmt.Sprint(i))
		require.Equal(t, fmt.Sprint(i), result[string](t, run))
		executions = append(executions, &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()})
	}
	job := unique("batch")
	_, err := s.Client.WorkflowService().StartBatchOperation(t.Context(), &workflowservice.StartBatchOperationRequest{
		Namespace: s.Namespace, JobId: job, Reason: "test", Executions: executions,
		Operation: &workflowservice.StartBatchOperationRequest_ResetOperation{ResetOperation: &batchpb.BatchOperationReset{
			Options: &commonpb.ResetOptions{Target: &commonpb.ResetOptions_FirstWorkflowTask{}},
		}},
	})
	require.NoError(t, err)
	await(t, "the batch to end", func(ctx context.Context) error {
		resp, err := s.Client.WorkflowService().DescribeBatchOperation(ctx, &workflowservice.DescribeBatchOperationRequest{
			Namespace: s.Namespace, JobId: job,
		})
		if err == nil && resp.GetState() != enumspb.BATCH_OPERATION_STATE_COMPLETED {
			err = fmt.Errorf("the batch is %v: %d of %d done, %d failed", resp.GetState(),
				resp.GetCompleteOperationCount(), resp.GetTotalOperationCount(), resp.GetFailureOperationCount())
		}
		return err
	})
	for i, e := range executions {
		latest := s.Client.GetWorkflow(t.Context(), e.GetWorkflowId(), "")
		require.Equal(t, fmt.Sprint(i), result[string](t, latest))
		require.NotEqual(t, e.GetRunId(), latest.GetRunID(), "workflow %d was not reset", i)
	}
}
