package store

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
)

// typicalUpdate is what a workflow task leaves behind: three map entries, four
// tasks, one batch of events.
func typicalUpdate() *p.InternalUpdateWorkflowExecutionRequest {
	request := unsplit.Update(p.UpdateWorkflowModeUpdateCurrent, unsplit.Runs[0])
	m := &request.UpdateWorkflowMutation
	*m = p.InternalWorkflowMutation{
		NamespaceID: m.NamespaceID, WorkflowID: m.WorkflowID, RunID: m.RunID,
		ExecutionInfoBlob: m.ExecutionInfoBlob, ExecutionState: m.ExecutionState, ExecutionStateBlob: m.ExecutionStateBlob,
		NextEventID: 6, DBRecordVersion: 2, LastWriteVersion: 40, Checksum: m.Checksum, Tasks: m.Tasks,
		UpsertActivityInfos: map[int64]*commonpb.DataBlob{10: blob("activity 10"), 11: blob("activity 11")},
		UpsertTimerInfos:    map[string]*commonpb.DataBlob{"t3": blob("timer t3")},
	}
	request.UpdateWorkflowNewEvents = request.UpdateWorkflowNewEvents[:1]
	return request
}

// swallow is an Executor that takes every write.
type swallow struct{ exec.Executor }

func (swallow) Traits() cql.Traits { return wholeNodes }

func (swallow) Compile(...*plan.Read) error { return nil }

func (swallow) Write(context.Context, *plan.Write) error { return nil }

// BenchmarkUpdateWorkflowExecution measures what a store adds to a call: the plan
// alone, and the plan compiled and bound for a session that answers at once.
func BenchmarkUpdateWorkflowExecution(b *testing.B) {
	request := typicalUpdate()
	run := func(b *testing.B, ex exec.Executor) {
		s, err := NewExecutionStore(ex, "cassandra", nil)
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if err := s.UpdateWorkflowExecution(b.Context(), request); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("plan", func(b *testing.B) { run(b, Serialise(swallow{})) })
	b.Run("compile", func(b *testing.B) { run(b, Serialise(exec.New(prompt{}, cassandra.New(), nil))) })
}

// prompt is a session that applies everything at once.
type prompt struct{ cql.Session }

func (prompt) Exec(context.Context, *cql.Step) (cql.Result, error) {
	return cql.Result{Applied: true}, nil
}
