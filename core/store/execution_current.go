package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumsspb "go.temporal.io/server/api/enums/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/primitives/timestamp"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

var (
	readCurrent = &plan.Read{
		Name: "GetCurrentExecution", Table: plan.CurrentExecutions, Eq: 4,
		Columns: []*plan.Column{plan.CurrentRunID, plan.CurrentState},
	}
	readCurrentRun = &plan.Read{
		Name: "GetCurrentRun", Table: plan.CurrentExecutions, Eq: 4,
		Columns: []*plan.Column{plan.CurrentRunID},
	}
)

// showCurrent is what a CurrentWorkflowConditionFailedError is made of.
var showCurrent = []*plan.Column{plan.CurrentRunID, plan.CurrentState, plan.CurrentLastWriteVersion}

// currentState is what the row of the current run says of it.
type currentState struct {
	run              any // [16]byte
	state            *commonpb.DataBlob
	lastWriteVersion int64
	workflowState    enumsspb.WorkflowExecutionState
}

func (c currentState) effects() []plan.Effect {
	return []plan.Effect{
		{Op: plan.Set, Column: plan.CurrentRunID, Value: c.run},
		{Op: plan.Set, Column: plan.CurrentState, Value: toBlob(c.state)},
		{Op: plan.Set, Column: plan.CurrentLastWriteVersion, Value: c.lastWriteVersion},
		{Op: plan.Set, Column: plan.CurrentWorkflowState, Value: int64(c.workflowState)},
	}
}

// insertCurrent makes a run the first current one.
func insertCurrent(key []any, next currentState) plan.Mutation {
	return plan.Mutation{
		Table: plan.CurrentExecutions, Op: plan.Insert, Key: key, Show: showCurrent,
		Conds:   []plan.Cond{{Test: plan.RowAbsent}},
		Effects: next.effects(),
	}
}

// updateCurrent makes next the current state if was is the current run, and if
// the further conditions hold.
func updateCurrent(key []any, was any, next currentState, further ...plan.Cond) plan.Mutation {
	conds := make([]plan.Cond, 1, 1+len(further))
	conds[0] = plan.Cond{Test: plan.Equal, Column: plan.CurrentRunID, Value: was}
	return plan.Mutation{
		Table: plan.CurrentExecutions, Op: plan.Update, Key: key, Show: showCurrent,
		Conds:   append(conds, further...),
		Effects: next.effects(),
	}
}

// currentConflict says which run is the current one, and what the server needs
// to know of it in order to tell a retry of the same request from a conflict
// (service/history/api/startworkflow/api.go, handleConflict).
//
// A state that cannot be decoded leaves the run ID empty, which the server reads
// as "cannot be resolved": with the ID alone it would take the caller's own run
// for a stranger's.
func (s *ExecutionStore) currentConflict(c *plan.Conflict) error {
	row := c.Row().Values
	run, hasRun := row[plan.CurrentRunID].([16]byte)
	blob, _ := row[plan.CurrentState].(plan.Blob)
	version, _ := row[plan.CurrentLastWriteVersion].(int64)
	conflict := &p.CurrentWorkflowConditionFailedError{Msg: c.Error(), LastWriteVersion: version}

	state, err := s.serializer.WorkflowExecutionStateFromBlob(fromBlob(blob))
	switch {
	case err != nil:
		conflict.Msg += "; its state cannot be decoded: " + err.Error()
		return conflict
	case !hasRun:
		conflict.Msg += "; it names no run"
		return conflict
	}
	conflict.RunID = formatUUID(run)
	conflict.RequestIDs = state.RequestIds
	conflict.FirstExecutionRunID = state.FirstExecutionRunId
	conflict.State = state.State
	conflict.Status = state.Status
	conflict.StartTime = timestamp.TimeValuePtr(state.StartTime)
	return conflict
}

// bypass is the promise of a write that its run is not the current one. No
// server can test an inequality in every dialect, so the row is read and what
// was read is asserted: in the slot that the write left free for it.
type bypass struct {
	key     []any
	run     any        // [16]byte
	started *time.Time // of the run, for the error
	slot    int        // index into the write's mutations
}

// maxBypassAttempts bounds how often a write is tried whose only fault is that
// the current run changed between the read and the write.
const maxBypassAttempts = 4

// commitBypassing runs w once it holds the assertion of b.
func (s *ExecutionStore) commitBypassing(ctx context.Context, w *plan.Write, b bypass) error {
	for attempt := 1; ; attempt++ {
		assertion, err := s.assertOther(ctx, w.Name, b)
		if err != nil {
			return err
		}
		if attempt > 1 {
			// An observer may still look at the write of the last attempt.
			again := *w
			again.Mutations = slices.Clone(w.Mutations)
			w = &again
		}
		w.Mutations[b.slot] = assertion
		err = s.ex.Write(ctx, w)
		if c := refusedBy(err); c != nil && c.Mutation == b.slot && attempt < maxBypassAttempts {
			continue
		}
		if err == nil {
			return nil
		}
		return outward(err, owning, s.refusedByState)
	}
}

// assertOther reads the current run and returns the assertion that it is still
// the one, or still none.
func (s *ExecutionStore) assertOther(ctx context.Context, op string, b bypass) (plan.Mutation, error) {
	row, found, err := exec.One(ctx, s.ex, readCurrentRun, b.key...)
	if err != nil {
		return plan.Mutation{}, outward(err, owning, nil) // nothing was written
	}
	assertion := plan.Mutation{Table: plan.CurrentExecutions, Op: plan.Assert, Key: b.key, Show: showCurrent}
	switch {
	case !found:
		assertion.Conds = []plan.Cond{{Test: plan.RowAbsent}}
	case row.Null(0):
		return plan.Mutation{}, malformed(op, assertion.KeyString(), "names no run")
	case row.Value(0) == b.run:
		return plan.Mutation{}, &p.CurrentWorkflowConditionFailedError{
			Msg:       fmt.Sprintf("%s refused: run %s is the current one", op, plan.FormatValue(b.run)),
			StartTime: b.started,
		}
	default:
		assertion.Conds = []plan.Cond{{Test: plan.Equal, Column: plan.CurrentRunID, Value: row.Value(0)}}
	}
	return assertion, nil
}

// GetCurrentExecution returns the current run of a workflow ID and its state; a
// *serviceerror.NotFound if it has none.
func (s *ExecutionStore) GetCurrentExecution(
	ctx context.Context, request *p.GetCurrentExecutionRequest,
) (*p.InternalGetCurrentExecutionResponse, error) {
	const op = "GetCurrentExecution"
	namespace, err := parseUUID("namespace ID", request.NamespaceID)
	if err != nil {
		return nil, invalid(op, err)
	}
	k := runKey{shard: int64(request.ShardID), namespace: namespace, workflow: request.WorkflowID}
	row, found, err := exec.One(ctx, s.ex, readCurrent, k.current(request.ArchetypeID)...)
	if err != nil {
		return nil, readError(err)
	}
	id := fmt.Sprintf("workflow ID %q, archetype %d", request.WorkflowID, request.ArchetypeID)
	if !found {
		return nil, notFound(op, "current run of "+id)
	}
	if row.Null(0) || row.Null(1) {
		return nil, malformed(op, id, "lacks the run ID or the state")
	}
	state, err := s.serializer.WorkflowExecutionStateFromBlob(fromBlob(row.Blob(1)))
	if err != nil {
		return nil, malformed(op, id, "has a state that cannot be decoded: "+err.Error())
	}
	return &p.InternalGetCurrentExecutionResponse{RunID: formatUUID(row.UUID(0)), ExecutionState: state}, nil
}

// DeleteCurrentWorkflowExecution deletes the row of the current run if it is the
// given one, else it does nothing. It is not fenced by the shard's lease, as in
// the server's own stores.
func (s *ExecutionStore) DeleteCurrentWorkflowExecution(
	ctx context.Context, request *p.DeleteCurrentWorkflowExecutionRequest,
) error {
	const op = "DeleteCurrentWorkflowExecution"
	k, err := parseRunKey(op, request.ShardID, request.NamespaceID, request.WorkflowID, request.RunID)
	if err != nil {
		return err
	}
	err = s.ex.Write(ctx, &plan.Write{
		Name: op, Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.CurrentExecutions, Op: plan.Delete, Key: k.current(request.ArchetypeID),
			Conds: []plan.Cond{{Test: plan.Equal, Column: plan.CurrentRunID, Value: k.run}},
		}},
	})
	if wasRefused(err) {
		return nil
	}
	return writeError(err, nil)
}
