package store

import (
	"context"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

var (
	readExecution = &plan.Read{
		Name: "GetWorkflowExecution", Table: plan.Executions, Eq: 4,
		Columns: []*plan.Column{
			plan.ExecutionInfo, plan.ExecutionState, plan.NextEventID, plan.RecordVersion, plan.Checksum,
			plan.Activities, plan.Timers, plan.ChildExecutions, plan.RequestCancels, plan.Signals,
			plan.ChasmNodes, plan.SignalRequested, plan.BufferedEvents,
		},
	}
	listExecutions = &plan.Read{
		Name: "ListConcreteExecutions", Table: plan.Executions, Eq: 1,
		Columns: []*plan.Column{
			plan.ExecutionInfo, plan.ExecutionState, plan.NextEventID,
			plan.ExecutionWorkflowID, plan.ExecutionRunID,
		},
	}
)

// GetWorkflowExecution returns the mutable state of a run; a
// *serviceerror.NotFound if it does not exist.
func (s *ExecutionStore) GetWorkflowExecution(
	ctx context.Context, request *p.GetWorkflowExecutionRequest,
) (*p.InternalGetWorkflowExecutionResponse, error) {
	const op = "GetWorkflowExecution"
	key, err := parseRunKey(op, request.ShardID, request.NamespaceID, request.WorkflowID, request.RunID)
	if err != nil {
		return nil, err
	}
	row, found, err := exec.One(ctx, s.ex, readExecution, key.execution()...)
	if err != nil {
		return nil, readError(err)
	}
	id := fmt.Sprintf("workflow ID %q, run ID %q", request.WorkflowID, request.RunID)
	if !found {
		return nil, notFound(op, id)
	}
	if row.Null(0) || row.Null(1) {
		return nil, malformed(op, id, "lacks the execution's info or state")
	}
	state := &p.InternalWorkflowMutableState{
		ExecutionInfo:       fromBlob(row.Blob(0)),
		ExecutionState:      fromBlob(row.Blob(1)),
		NextEventID:         row.Int(2),
		DBRecordVersion:     row.Int(3),
		Checksum:            fromBlob(row.Blob(4)),
		ActivityInfos:       intBlobs(row.IntData(5)),
		TimerInfos:          textBlobs(row.TextData(6)),
		ChildExecutionInfos: intBlobs(row.IntData(7)),
		RequestCancelInfos:  intBlobs(row.IntData(8)),
		SignalInfos:         intBlobs(row.IntData(9)),
		ChasmNodes:          nodeBlobs(row.Nodes(10)),
		SignalRequestedIDs:  row.TextSet(11),
		BufferedEvents:      []*commonpb.DataBlob{},
	}
	for _, batch := range row.Blobs(12) {
		state.BufferedEvents = append(state.BufferedEvents, fromBlob(batch))
	}
	// An accessor of the wrong kind reports only now.
	if err := row.Close(); err != nil {
		return nil, readError(err)
	}
	return &p.InternalGetWorkflowExecutionResponse{State: state, DBRecordVersion: state.DBRecordVersion}, nil
}

// ListConcreteExecutions returns a page of the runs of a shard, in no particular
// order, with info, state and next event ID only: that is what the executions
// scanner asks for. What is left of a run whose deletion met a later write (the
// server's own Cassandra store deletes without a condition) has no info: it is
// no execution and is passed over, as the scanner does not know what to do with it.
func (s *ExecutionStore) ListConcreteExecutions(
	ctx context.Context, request *p.ListConcreteExecutionsRequest,
) (*p.InternalListConcreteExecutionsResponse, error) {
	const op = "ListConcreteExecutions"
	rows, err := s.ex.Read(ctx, listExecutions,
		plan.Page{Size: request.PageSize, Token: request.PageToken}, int64(request.ShardID))
	if err != nil {
		return nil, readError(err)
	}
	response := &p.InternalListConcreteExecutionsResponse{}
	var bad error
	for rows.Next() {
		if rows.Null(0) {
			continue
		}
		if rows.Null(1) {
			id := fmt.Sprintf("shard %d, workflow ID %q, run ID %s", request.ShardID, rows.Text(3), formatUUID(rows.UUID(4)))
			bad = malformed(op, id, "lacks the execution's state")
			break
		}
		response.States = append(response.States, &p.InternalWorkflowMutableState{
			ExecutionInfo:  fromBlob(rows.Blob(0)),
			ExecutionState: fromBlob(rows.Blob(1)),
			NextEventID:    rows.Int(2),
		})
	}
	response.NextPageToken = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, readError(err)
	}
	if bad != nil {
		return nil, bad
	}
	return response, nil
}
