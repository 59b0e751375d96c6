package store

import (
	"context"

	"go.temporal.io/api/serviceerror"
	enumsspb "go.temporal.io/server/api/enums/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/primitives/timestamp"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// A write of executions is one plan, its mutations in the order in which
// conflicts are reported: the shard's lease, the current run, the runs (the one
// that is reset, the current one, the new one), then what is stored ahead of
// them and counts only with them: history nodes and the shard's tasks.

// newWrite starts the write of an owner with room for so many mutations.
func newWrite(name string, shard int32, rangeID int64, room int) *plan.Write {
	w := &struct {
		plan.Write
		owner plan.Owner
	}{owner: plan.Owner{Shard: int64(shard), RangeID: rangeID}}
	w.Name, w.Scope, w.Owner = name, plan.Atomic, &w.owner
	w.Mutations = make([]plan.Mutation, 1, 1+room)
	w.Mutations[0] = holdLease(shard, rangeID)
	return &w.Write
}

// room is an upper bound of the mutations that events and tasks become.
func room(events []*p.InternalAppendHistoryNodesRequest, tasks taskMap) int {
	n := 2 * len(events)
	for _, list := range tasks {
		n += len(list)
	}
	return n
}

// CreateWorkflowExecution inserts a run. The row of the current run is inserted
// (BrandNew), taken over from a closed run (UpdateCurrent) or left alone
// (BypassCurrent).
func (s *ExecutionStore) CreateWorkflowExecution(
	ctx context.Context, request *p.InternalCreateWorkflowExecutionRequest,
) (*p.InternalCreateWorkflowExecutionResponse, error) {
	const op = "CreateWorkflowExecution"
	run := &request.NewWorkflowSnapshot
	key, err := parseRunKey(op, request.ShardID, run.NamespaceID, run.WorkflowID, run.RunID)
	if err != nil {
		return nil, err
	}
	w := newWrite(op, request.ShardID, request.RangeID, 2+room(request.NewWorkflowNewEvents, run.Tasks))

	switch request.Mode {
	case p.CreateWorkflowModeBypassCurrent:
	case p.CreateWorkflowModeBrandNew:
		w.Mutations = append(w.Mutations, insertCurrent(key.current(request.ArchetypeID), snapshotAsCurrent(key, run)))
	case p.CreateWorkflowModeUpdateCurrent:
		previous, err := parseUUID("previous run ID", request.PreviousRunID)
		if err != nil {
			return nil, invalid(op, err)
		}
		w.Mutations = append(w.Mutations, updateCurrent(
			key.current(request.ArchetypeID), previous, snapshotAsCurrent(key, run),
			plan.Cond{Test: plan.Equal, Column: plan.CurrentLastWriteVersion, Value: request.PreviousLastWriteVersion},
			plan.Cond{Test: plan.Equal, Column: plan.CurrentWorkflowState, Value: int64(enumsspb.WORKFLOW_EXECUTION_STATE_COMPLETED)},
		))
	default:
		return nil, serviceerror.NewInternalf("%s: unknown mode %v", op, request.Mode)
	}
	if err := s.insertRun(w, key, run); err != nil {
		return nil, err
	}
	if err := addEvents(w, request.NewWorkflowNewEvents); err != nil {
		return nil, err
	}
	addTasks(w, request.ShardID, run.Tasks)
	if err := s.commit(ctx, w); err != nil {
		return nil, err
	}
	return &p.InternalCreateWorkflowExecutionResponse{}, nil
}

// UpdateWorkflowExecution changes a run and may insert the run that continues
// it. The row of the current run is moved on (UpdateCurrent), must name another
// run (BypassCurrent), or is not looked at (IgnoreCurrent).
func (s *ExecutionStore) UpdateWorkflowExecution(ctx context.Context, request *p.InternalUpdateWorkflowExecutionRequest) error {
	const op = "UpdateWorkflowExecution"
	run, next := &request.UpdateWorkflowMutation, request.NewWorkflowSnapshot
	key, err := parseRunKey(op, request.ShardID, run.NamespaceID, run.WorkflowID, run.RunID)
	if err != nil {
		return err
	}
	var nextKey runKey
	space := 3 + room(request.UpdateWorkflowNewEvents, run.Tasks) + room(request.NewWorkflowNewEvents, nil)
	if next != nil {
		if nextKey, err = parseRunKey(op, request.ShardID, next.NamespaceID, next.WorkflowID, next.RunID); err != nil {
			return err
		}
		space += room(nil, next.Tasks)
	}
	w := newWrite(op, request.ShardID, request.RangeID, space)

	var around *bypass
	switch request.Mode {
	case p.UpdateWorkflowModeIgnoreCurrent:
	case p.UpdateWorkflowModeBypassCurrent:
		around = leaveRoom(w, key, request.ArchetypeID)
		around.started = timestamp.TimeValuePtr(run.ExecutionState.GetStartTime())
	case p.UpdateWorkflowModeUpdateCurrent:
		current := mutationAsCurrent(key, run)
		if next != nil {
			if nextKey.namespace != key.namespace {
				return serviceerror.NewInternalf("%s: run %s cannot continue in another namespace", op, run.RunID)
			}
			current = snapshotAsCurrent(nextKey, next)
		}
		w.Mutations = append(w.Mutations, updateCurrent(key.current(request.ArchetypeID), key.run, current))
	default:
		return serviceerror.NewInternalf("%s: unknown mode %v", op, request.Mode)
	}

	if err := s.updateRun(w, key, run); err != nil {
		return err
	}
	if next != nil {
		if err := s.insertRun(w, nextKey, next); err != nil {
			return err
		}
	}
	if err := addEvents(w, request.UpdateWorkflowNewEvents, request.NewWorkflowNewEvents); err != nil {
		return err
	}
	addTasks(w, request.ShardID, run.Tasks)
	if next != nil {
		addTasks(w, request.ShardID, next.Tasks)
	}
	return s.commitAround(ctx, w, around)
}

// ConflictResolveWorkflowExecution replaces a run by a snapshot, and may change
// the current run and insert a new one in the same write. The row of the current
// run goes to the new run, else to the one that is reset (UpdateCurrent), or must
// name another run than that (BypassCurrent).
func (s *ExecutionStore) ConflictResolveWorkflowExecution(
	ctx context.Context, request *p.InternalConflictResolveWorkflowExecutionRequest,
) error {
	const op = "ConflictResolveWorkflowExecution"
	reset, current, next := &request.ResetWorkflowSnapshot, request.CurrentWorkflowMutation, request.NewWorkflowSnapshot
	resetKey, err := parseRunKey(op, request.ShardID, reset.NamespaceID, reset.WorkflowID, reset.RunID)
	if err != nil {
		return err
	}
	space := 4 + room(request.ResetWorkflowEventsNewEvents, reset.Tasks) +
		room(request.CurrentWorkflowEventsNewEvents, nil) + room(request.NewWorkflowEventsNewEvents, nil)
	var currentKey, nextKey runKey
	if current != nil {
		if currentKey, err = parseRunKey(op, request.ShardID, current.NamespaceID, current.WorkflowID, current.RunID); err != nil {
			return err
		}
		space += room(nil, current.Tasks)
	}
	if next != nil {
		if nextKey, err = parseRunKey(op, request.ShardID, next.NamespaceID, next.WorkflowID, next.RunID); err != nil {
			return err
		}
		space += room(nil, next.Tasks)
	}
	w := newWrite(op, request.ShardID, request.RangeID, space)

	var around *bypass
	switch request.Mode {
	case p.ConflictResolveWorkflowModeBypassCurrent:
		around = leaveRoom(w, resetKey, request.ArchetypeID)
		if current != nil {
			around.started = timestamp.TimeValuePtr(current.ExecutionState.GetStartTime())
		}
	case p.ConflictResolveWorkflowModeUpdateCurrent:
		was, becomes := resetKey.run, snapshotAsCurrent(resetKey, reset)
		if current != nil {
			was = currentKey.run
		}
		if next != nil {
			becomes = snapshotAsCurrent(nextKey, next)
		}
		w.Mutations = append(w.Mutations, updateCurrent(resetKey.current(request.ArchetypeID), was, becomes))
	default:
		return serviceerror.NewInternalf("%s: unknown mode %v", op, request.Mode)
	}

	if err := s.replaceRun(w, resetKey, reset); err != nil {
		return err
	}
	if current != nil {
		if err := s.updateRun(w, currentKey, current); err != nil {
			return err
		}
	}
	if next != nil {
		if err := s.insertRun(w, nextKey, next); err != nil {
			return err
		}
	}
	err = addEvents(w, request.ResetWorkflowEventsNewEvents, request.CurrentWorkflowEventsNewEvents, request.NewWorkflowEventsNewEvents)
	if err != nil {
		return err
	}
	addTasks(w, request.ShardID, reset.Tasks)
	if current != nil {
		addTasks(w, request.ShardID, current.Tasks)
	}
	if next != nil {
		addTasks(w, request.ShardID, next.Tasks)
	}
	return s.commitAround(ctx, w, around)
}

// SetWorkflowExecution replaces a run by a snapshot and leaves the row of the
// current run alone. A missing run is a *persistence.ConditionFailedError.
func (s *ExecutionStore) SetWorkflowExecution(ctx context.Context, request *p.InternalSetWorkflowExecutionRequest) error {
	const op = "SetWorkflowExecution"
	run := &request.SetWorkflowSnapshot
	key, err := parseRunKey(op, request.ShardID, run.NamespaceID, run.WorkflowID, run.RunID)
	if err != nil {
		return err
	}
	w := newWrite(op, request.ShardID, request.RangeID, 1+room(nil, run.Tasks))
	if err := s.replaceRun(w, key, run); err != nil {
		return err
	}
	addTasks(w, request.ShardID, run.Tasks)
	return s.commit(ctx, w)
}

// DeleteWorkflowExecution deletes the mutable state of a run with all that hangs
// on it. It is not fenced by the shard's lease, as in the server's own stores,
// and deleting what does not exist is no error.
func (s *ExecutionStore) DeleteWorkflowExecution(ctx context.Context, request *p.DeleteWorkflowExecutionRequest) error {
	const op = "DeleteWorkflowExecution"
	key, err := parseRunKey(op, request.ShardID, request.NamespaceID, request.WorkflowID, request.RunID)
	if err != nil {
		return err
	}
	err = s.ex.Write(ctx, &plan.Write{
		Name: op, Scope: plan.Atomic,
		Mutations: []plan.Mutation{{Table: plan.Executions, Op: plan.Delete, Key: key.execution()}},
	})
	return writeError(err, nil)
}

func (s *ExecutionStore) commit(ctx context.Context, w *plan.Write) error {
	if err := s.ex.Write(ctx, w); err != nil {
		return outward(err, owning, s.refusedByState)
	}
	return nil
}

func (s *ExecutionStore) commitAround(ctx context.Context, w *plan.Write, around *bypass) error {
	if around == nil {
		return s.commit(ctx, w)
	}
	return s.commitBypassing(ctx, w, *around)
}

// leaveRoom leaves the place of the current run's row free for the assertion
// that it names another run than k's.
func leaveRoom(w *plan.Write, k runKey, archetype uint32) *bypass {
	w.Mutations = append(w.Mutations, plan.Mutation{})
	return &bypass{key: k.current(archetype), run: k.run, slot: len(w.Mutations) - 1}
}

func snapshotAsCurrent(k runKey, run *p.InternalWorkflowSnapshot) currentState {
	return currentState{
		run: k.run, state: run.ExecutionStateBlob, lastWriteVersion: run.LastWriteVersion,
		workflowState: run.ExecutionState.GetState(),
	}
}

func mutationAsCurrent(k runKey, run *p.InternalWorkflowMutation) currentState {
	return currentState{
		run: k.run, state: run.ExecutionStateBlob, lastWriteVersion: run.LastWriteVersion,
		workflowState: run.ExecutionState.GetState(),
	}
}
