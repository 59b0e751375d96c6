package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/internal/postgrestest"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// TestPostgreSQLVisibility keeps visibility in a real PostgreSQL, its schema made by
// upstream's tool, as a user would.
func TestPostgreSQLVisibility(t *testing.T) {
	db := postgrestest.Start(t)
	visibility, err := harness.PostgreSQL(t.Context(), db.Host, db.Port, db.User, "visibility")
	require.NoError(t, err)
	s := launch(t, subject(t), harness.Spec{Visibility: visibility})
	const queue = "postgresql"
	work(t, s.Client, queue, worker.Options{})
	testVisibility(t, s, queue)
}

func testVisibility(t *testing.T, s *server, queue string) {
	const attribute = "Colour"
	key := temporal.NewSearchAttributeKeyKeyword(attribute)
	name, c := s.newNamespace(t, day)
	_, err := c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace:        name,
		SearchAttributes: map[string]enumspb.IndexedValueType{attribute: enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	})
	require.NoError(t, err)
	work(t, c, queue, worker.Options{})
	var runs []client.WorkflowRun
	for i, colour := range []string{"red", "red", "blue"} {
		workflow, args := any(wfEcho), []any{colour}
		if i == 1 {
			workflow, args = wfForever, nil
		}
		await(t, "the search attribute to be known", func(ctx context.Context) error {
			run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: unique(colour), TaskQueue: queue, Memo: map[string]any{"position": i},
				TypedSearchAttributes: temporal.NewSearchAttributes(key.ValueSet(colour)),
			}, workflow, args...)
			if err == nil {
				runs = append(runs, run)
			}
			return err
		})
	}
	result[string](t, runs[0])
	result[string](t, runs[2])

	tests := []struct {
		query string
		want  []client.WorkflowRun
	}{
		{`Colour = 'red'`, runs[:2]},
		{`Colour = 'red' AND ExecutionStatus = 'Running'`, runs[1:2]},
		{`ExecutionStatus = 'Completed'`, []client.WorkflowRun{runs[0], runs[2]}},
		{`WorkflowType = 'wfForever'`, runs[1:2]},
		{fmt.Sprintf(`WorkflowId = '%s'`, runs[2].GetID()), runs[2:]},
		{`WorkflowId STARTS_WITH 'red-' AND CloseTime IS NOT NULL`, runs[:1]},
	}
	for _, tt := range tests {
		var want []string
		for _, run := range tt.want {
			want = append(want, run.GetRunID())
		}
		await(t, "the answer to "+tt.query, func(ctx context.Context) error {
			resp, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: tt.query})
			if err != nil {
				return err
			}
			var got []string
			for _, e := range resp.GetExecutions() {
				got = append(got, e.GetExecution().GetRunId())
			}
			if !sameElements(got, want) {
				return fmt.Errorf("runs %v, want %v", got, want)
			}
			return nil
		})
	}
	groups, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: `GROUP BY ExecutionStatus`})
	require.NoError(t, err)
	require.Equal(t, int64(3), groups.GetCount())
	require.Len(t, groups.GetGroups(), 2)
}

func sameElements(a, b []string) bool {
	left := map[string]int{}
	for _, v := range a {
		left[v]++
	}
	for _, v := range b {
		left[v]--
	}
	for _, n := range left {
		if n != 0 {
			return false
		}
	}
	return true
}
