package storelevel

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
)

// recorded keeps the requests that are made of it.
type recorded struct {
	p.ExecutionManager
	created []*p.CreateWorkflowExecutionRequest
	updated []*p.UpdateWorkflowExecutionRequest
	got     []*p.GetWorkflowExecutionRequest
}

func (r *recorded) CreateWorkflowExecution(_ context.Context, q *p.CreateWorkflowExecutionRequest) (*p.CreateWorkflowExecutionResponse, error) {
	r.created = append(r.created, q)
	return &p.CreateWorkflowExecutionResponse{}, nil
}

func (r *recorded) UpdateWorkflowExecution(_ context.Context, q *p.UpdateWorkflowExecutionRequest) (*p.UpdateWorkflowExecutionResponse, error) {
	r.updated = append(r.updated, q)
	return &p.UpdateWorkflowExecutionResponse{}, nil
}

func (r *recorded) GetWorkflowExecution(_ context.Context, q *p.GetWorkflowExecutionRequest) (*p.GetWorkflowExecutionResponse, error) {
	r.got = append(r.got, q)
	return &p.GetWorkflowExecutionResponse{}, nil
}

// TestAPopulationKnowsWorkflowsByTheirNumbers: what it makes again is what was created,
// and a change is remembered.
func TestAPopulationKnowsWorkflowsByTheirNumbers(t *testing.T) {
	r := &recorded{}
	stores := &arm.Stores{Executions: r}
	pop := NewPopulation(7, 4)
	for range 20 {
		require.NoError(t, pop.Create().Do(t.Context(), stores))
	}
	require.EqualValues(t, 20, pop.Len())
	require.Empty(t, pop.changed)
	for n := range int64(20) {
		require.NoError(t, pop.Get(n).Do(t.Context(), stores))
		require.NoError(t, pop.Update(n, 1).Do(t.Context(), stores))
		require.NoError(t, pop.Update(n, 2).Do(t.Context(), stores))
		made, got := r.created[n], r.got[n]
		state := made.NewWorkflowSnapshot.ExecutionState
		require.Equal(t, []any{made.ShardID, made.NewWorkflowSnapshot.ExecutionInfo.WorkflowId, state.RunId}, []any{got.ShardID, got.WorkflowID, got.RunID})
		first, second := r.updated[2*n], r.updated[2*n+1]
		require.Equal(t, state.RunId, first.UpdateWorkflowMutation.ExecutionState.RunId)
		require.Equal(t, made.NewWorkflowEvents[0].BranchToken, first.UpdateWorkflowEvents[0].BranchToken)
		require.EqualValues(t, 2, first.UpdateWorkflowMutation.DBRecordVersion)
		require.EqualValues(t, 3, second.UpdateWorkflowMutation.DBRecordVersion)
		require.Equal(t, first.UpdateWorkflowMutation.NextEventID, second.UpdateWorkflowEvents[0].Events[0].EventId)
		require.Len(t, first.UpdateWorkflowEvents[0].Events, len(r.updated[0].UpdateWorkflowEvents[0].Events), "equal draws, equal sizes")
	}
}

// TestReadsThatFindTooLittleFail: what is measured did what it claims.
func TestReadsThatFindTooLittleFail(t *testing.T) {
	require.EqualError(t, exactly(9, 10, "tasks"), "9 tasks were read where there are 10")
	empty := &arm.Stores{Tasks: emptyQueue{}}
	b := NewPopulation(7, 1).Backlog("queue")
	b.Append(3)
	require.EqualError(t, b.Read(1).Do(t.Context(), empty), "0 tasks were read where there are 3")
	require.EqualError(t, b.Read(3).Do(t.Context(), empty), "0 tasks were read where there are 1")
	b.Acknowledge(3)
	require.NoError(t, b.Read(1).Do(t.Context(), empty))
	require.ErrorIs(t, b.Append(1).Do(t.Context(), empty), errNoQueue)
}

var errNoQueue = errors.New("there is no queue")

type emptyQueue struct{ p.TaskManager }

func (emptyQueue) GetTasks(context.Context, *p.GetTasksRequest) (*p.GetTasksResponse, error) {
	return &p.GetTasksResponse{}, nil
}

func (emptyQueue) CreateTasks(context.Context, *p.CreateTasksRequest) (*p.CreateTasksResponse, error) {
	return nil, errNoQueue
}
