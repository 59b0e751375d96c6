package storetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	enumsspb "go.temporal.io/server/api/enums/v1"
	p "go.temporal.io/server/common/persistence"
)

// Conflicts checks which error each refusal of a write of executions becomes,
// that it is bare and filled from the stored rows, and that nothing but
// immutable history was stored. open returns stores and a scene of its own whose
// shard is owned.
func Conflicts(t *testing.T, open func(t *testing.T) (Stores, Scene)) {
	t.Helper()
	for _, tt := range conflicts() {
		t.Run(tt.name, func(t *testing.T) {
			st, s := open(t)
			if tt.before != nil {
				tt.before(t, st, s)
			}
			before := st.Now(t, s)
			tt.want(t, s, tt.call(t.Context(), st.Executions, s))
			require.Equal(t, before, st.Now(t, s))
		})
	}
}

type conflictCase struct {
	name   string
	before func(testing.TB, Stores, Scene)
	call   func(context.Context, p.ExecutionStore, Scene) error
	want   func(*testing.T, Scene, error)
}

const (
	running   = enumsspb.WORKFLOW_EXECUTION_STATE_RUNNING
	completed = enumsspb.WORKFLOW_EXECUTION_STATE_COMPLETED
	statusRun = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	statusEnd = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
)

// isCurrent asserts that err names the first run as current, with all that the
// server needs in order to recognise a retry of the request that made it.
func isCurrent(state enumsspb.WorkflowExecutionState, status enumspb.WorkflowExecutionStatus) func(*testing.T, Scene, error) {
	return func(t *testing.T, s Scene, err error) {
		t.Helper()
		conflict := Bare[*p.CurrentWorkflowConditionFailedError](t, err)
		require.NotEmpty(t, conflict.Msg)
		require.Len(t, conflict.RequestIDs, 1)
		require.Equal(t, int64(1), conflict.RequestIDs["req-"+s.Runs[0]].GetEventId())
		conflict.Msg, conflict.RequestIDs = "", nil
		started := Started
		require.Equal(t, &p.CurrentWorkflowConditionFailedError{
			RunID: s.Runs[0], FirstExecutionRunID: s.Runs[0], State: state, Status: status,
			LastWriteVersion: 40, StartTime: &started,
		}, conflict)
	}
}

// isRun asserts that err tells the next event ID and the record version that a
// run was stored with.
func isRun(t *testing.T, _ Scene, err error) {
	t.Helper()
	conflict := Bare[*p.WorkflowConditionFailedError](t, err)
	require.NotEmpty(t, conflict.Msg)
	require.Equal(t, [2]int64{5, 1}, [2]int64{conflict.NextEventID, conflict.DBRecordVersion})
}

func isCondition(t *testing.T, _ Scene, err error) {
	t.Helper()
	_ = Bare[*p.ConditionFailedError](t, err)
}

// isItself asserts the error of a write that may not be of the current run.
func isItself(t *testing.T, _ Scene, err error) {
	t.Helper()
	conflict := Bare[*p.CurrentWorkflowConditionFailedError](t, err)
	started := Started
	conflict.Msg = ""
	require.Equal(t, &p.CurrentWorkflowConditionFailedError{StartTime: &started}, conflict)
}

func conflicts() []conflictCase {
	current := func(t testing.TB, st Stores, s Scene) { s.CreateCurrent(t, st.Executions) }
	both := func(t testing.TB, st Stores, s Scene) { s.CreateBoth(t, st.Executions) }
	closed := func(t testing.TB, st Stores, s Scene) {
		s.CreateCurrent(t, st.Executions)
		require.NoError(t, st.Executions.UpdateWorkflowExecution(t.Context(), s.Close(s.Runs[0])))
	}
	create := func(request func(Scene) *p.InternalCreateWorkflowExecutionRequest) func(context.Context, p.ExecutionStore, Scene) error {
		return func(ctx context.Context, e p.ExecutionStore, s Scene) error {
			_, err := e.CreateWorkflowExecution(ctx, request(s))
			return err
		}
	}
	return []conflictCase{
		{
			"a first run meets a current one", current,
			create(func(s Scene) *p.InternalCreateWorkflowExecutionRequest {
				return s.Create(p.CreateWorkflowModeBrandNew, s.Runs[1])
			}), isCurrent(running, statusRun),
		},
		{
			"the current run outranks the run itself", current,
			create(func(s Scene) *p.InternalCreateWorkflowExecutionRequest {
				return s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0])
			}), isCurrent(running, statusRun),
		},
		{
			"a run that bypasses the current one exists", current,
			create(func(s Scene) *p.InternalCreateWorkflowExecutionRequest {
				return s.Create(p.CreateWorkflowModeBypassCurrent, s.Runs[0])
			}), isRun,
		},
		{
			"a run takes over from another than the current one", closed,
			create(func(s Scene) *p.InternalCreateWorkflowExecutionRequest {
				return s.TakeOver(s.Runs[1], s.Runs[2], 40)
			}), isCurrent(completed, statusEnd),
		},
		{
			"a run takes over from a version that is gone", closed,
			create(func(s Scene) *p.InternalCreateWorkflowExecutionRequest {
				return s.TakeOver(s.Runs[1], s.Runs[0], 39)
			}), isCurrent(completed, statusEnd),
		},
		{
			"a run takes over from one that still runs", current,
			create(func(s Scene) *p.InternalCreateWorkflowExecutionRequest {
				return s.TakeOver(s.Runs[1], s.Runs[0], 40)
			}), isCurrent(running, statusRun),
		},
		{
			"a run takes over from nothing", nil,
			create(func(s Scene) *p.InternalCreateWorkflowExecutionRequest {
				return s.TakeOver(s.Runs[1], s.Runs[0], 40)
			}), isCondition,
		},
		{
			"an update of a run that is not current", both,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				return e.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[1]))
			}, isCurrent(running, statusRun),
		},
		{
			"an update of a workflow without a current run", nil,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				return e.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[1]))
			}, isCondition,
		},
		{
			"an update of a version that is gone", current,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				request := s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0])
				request.UpdateWorkflowMutation.DBRecordVersion = 9
				return e.UpdateWorkflowExecution(ctx, request)
			}, isRun,
		},
		{
			"an update by next event ID, for rows without versions", current,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				request := s.Update(p.UpdateWorkflowModeIgnoreCurrent, s.Runs[0])
				request.UpdateWorkflowMutation.DBRecordVersion, request.UpdateWorkflowMutation.Condition = 0, 6
				// There are dialects whose buffered events need a version to be told apart by.
				request.UpdateWorkflowMutation.NewBufferedEvents = nil
				return e.UpdateWorkflowExecution(ctx, request)
			}, isRun,
		},
		{
			"an update of a run that does not exist", current,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				return e.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeIgnoreCurrent, s.Runs[1]))
			}, isCondition,
		},
		{
			"an update whose new run exists", both,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				return e.UpdateWorkflowExecution(ctx, s.ContinueAsNew(s.Runs[0], s.Runs[1]))
			}, isRun,
		},
		{
			"an update that bypasses its own run", current,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				return e.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeBypassCurrent, s.Runs[0]))
			}, isItself,
		},
		{
			"a set of a run that does not exist", nil,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				return e.SetWorkflowExecution(ctx, s.Set(s.Runs[0], 2))
			}, isCondition,
		},
		{
			"a set of a version that is gone", current,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				return e.SetWorkflowExecution(ctx, s.Set(s.Runs[0], 4))
			}, isRun,
		},
		{
			"a conflict resolution whose current run has changed", both,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				return e.ConflictResolveWorkflowExecution(ctx, s.Resolve(p.ConflictResolveWorkflowModeUpdateCurrent, s.Runs[1]))
			}, isCurrent(running, statusRun),
		},
		{
			"a conflict resolution whose reset run has changed", both,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				request := s.ResolveThree(p.ConflictResolveWorkflowModeUpdateCurrent)
				request.ResetWorkflowSnapshot.DBRecordVersion = 8
				return e.ConflictResolveWorkflowExecution(ctx, request)
			}, isRun,
		},
		{
			"a conflict resolution whose current run was changed under it", both,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				request := s.ResolveThree(p.ConflictResolveWorkflowModeUpdateCurrent)
				request.CurrentWorkflowMutation.DBRecordVersion = 8
				return e.ConflictResolveWorkflowExecution(ctx, request)
			}, isRun,
		},
		{
			"a conflict resolution that bypasses the run that it resets", current,
			func(ctx context.Context, e p.ExecutionStore, s Scene) error {
				request := s.ResolveThree(p.ConflictResolveWorkflowModeBypassCurrent)
				request.ResetWorkflowSnapshot.RunID = s.Runs[0]
				request.CurrentWorkflowMutation.RunID = s.Runs[1]
				return e.ConflictResolveWorkflowExecution(ctx, request)
			}, isItself,
		},
	}
}

// LostLease checks that every write of an owner whose shard has gone to another
// range, or is not there, says so and changes nothing.
func LostLease(t *testing.T, open func(t *testing.T) (Stores, Scene)) {
	t.Helper()
	calls := []struct {
		name string
		call func(ctx context.Context, st Stores, s Scene) error
	}{
		{"UpdateShard", func(ctx context.Context, st Stores, s Scene) error { return st.Shards.UpdateShard(ctx, s.Renew()) }},
		{"AssertShardOwnership", func(ctx context.Context, st Stores, s Scene) error {
			return st.Shards.AssertShardOwnership(ctx, &p.AssertShardOwnershipRequest{ShardID: s.Shard, RangeID: s.Range})
		}},
		{"AddHistoryTasks", func(ctx context.Context, st Stores, s Scene) error {
			return st.Executions.AddHistoryTasks(ctx, s.AddTasks(900))
		}},
		{"AddHistoryTasks without tasks", func(ctx context.Context, st Stores, s Scene) error {
			request := s.AddTasks(900)
			request.Tasks = nil
			return st.Executions.AddHistoryTasks(ctx, request)
		}},
		{"Create", func(ctx context.Context, st Stores, s Scene) error {
			_, err := st.Executions.CreateWorkflowExecution(ctx, s.Create(p.CreateWorkflowModeBrandNew, s.Runs[2]))
			return err
		}},
		{"Create bypassing the current run", func(ctx context.Context, st Stores, s Scene) error {
			_, err := st.Executions.CreateWorkflowExecution(ctx, s.Create(p.CreateWorkflowModeBypassCurrent, s.Runs[2]))
			return err
		}},
		{"Update", func(ctx context.Context, st Stores, s Scene) error {
			return st.Executions.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0]))
		}},
		{"Update bypassing the current run", func(ctx context.Context, st Stores, s Scene) error {
			return st.Executions.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeBypassCurrent, s.Runs[1]))
		}},
		{"Update with everything else wrong too", func(ctx context.Context, st Stores, s Scene) error {
			request := s.ContinueAsNew(s.Runs[1], s.Runs[0])
			request.UpdateWorkflowMutation.DBRecordVersion = 9
			return st.Executions.UpdateWorkflowExecution(ctx, request)
		}},
		{"ConflictResolve", func(ctx context.Context, st Stores, s Scene) error {
			return st.Executions.ConflictResolveWorkflowExecution(ctx, s.ResolveThree(p.ConflictResolveWorkflowModeUpdateCurrent))
		}},
		{"Set", func(ctx context.Context, st Stores, s Scene) error {
			return st.Executions.SetWorkflowExecution(ctx, s.Set(s.Runs[0], 2))
		}},
	}
	for _, tt := range calls {
		t.Run(tt.name, func(t *testing.T) {
			st, s := open(t)
			s.CreateBoth(t, st.Executions)
			require.NoError(t, st.Shards.UpdateShard(t.Context(), s.Renew()))
			before := st.Now(t, s)
			lost := Bare[*p.ShardOwnershipLostError](t, tt.call(t.Context(), st, s))
			require.Equal(t, s.Shard, lost.ShardID)
			require.NotEmpty(t, lost.Msg)
			require.Equal(t, before, st.Now(t, s))
		})
		t.Run(tt.name+" of a shard that is not there", func(t *testing.T) {
			st, s := open(t)
			s.Shard = -s.Shard // nobody's
			_ = Bare[*p.ShardOwnershipLostError](t, tt.call(t.Context(), st, s))
		})
	}
}
