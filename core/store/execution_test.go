package store

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
)

// splitNodes and wholeNodes are the traits that the plans of executions depend on.
var (
	splitNodes = cql.Traits{CheapDelete: true}
	wholeNodes = cql.Traits{WholeNodes: true}
)

func storeName(traits cql.Traits) string {
	if traits.WholeNodes {
		return "memory-cassandra"
	}
	return "memory"
}

func newExecutions(t testing.TB, ex exec.Executor) *ExecutionStore {
	t.Helper()
	s, err := NewExecutionStore(ex, storeName(ex.Traits()), serialization.NewSerializer())
	require.NoError(t, err)
	return s
}

func newShards(t testing.TB, ex exec.Executor) *ShardStore {
	t.Helper()
	s, err := NewShardStore(ex, "memory", "active")
	require.NoError(t, err)
	return s
}

// ownShard makes the shard of the test requests, owned by their range.
func ownShard(t testing.TB, ex exec.Executor) {
	t.Helper()
	split.Own(t, newShards(t, ex))
}

// call is a store call on which a golden is made. before runs first, unrecorded.
type storeCall struct {
	name   string
	traits cql.Traits
	before func(t *testing.T, s *ExecutionStore)
	call   func(ctx context.Context, s *ExecutionStore) error
}

func storeCalls() []storeCall {
	current := func(t *testing.T, s *ExecutionStore) { split.CreateCurrent(t, s) }
	both := func(t *testing.T, s *ExecutionStore) { split.CreateBoth(t, s) }
	alone := func(t *testing.T, s *ExecutionStore) {
		_, err := s.CreateWorkflowExecution(t.Context(), split.Create(p.CreateWorkflowModeBypassCurrent, split.Runs[0]))
		require.NoError(t, err)
	}
	closed := func(t *testing.T, s *ExecutionStore) {
		current(t, s)
		require.NoError(t, s.UpdateWorkflowExecution(t.Context(), split.Close(split.Runs[0])))
	}
	create := func(r *p.InternalCreateWorkflowExecutionRequest) func(context.Context, *ExecutionStore) error {
		return func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.CreateWorkflowExecution(ctx, r)
			return err
		}
	}
	update := func(r *p.InternalUpdateWorkflowExecutionRequest) func(context.Context, *ExecutionStore) error {
		return func(ctx context.Context, s *ExecutionStore) error { return s.UpdateWorkflowExecution(ctx, r) }
	}
	resolve := func(r *p.InternalConflictResolveWorkflowExecutionRequest) func(context.Context, *ExecutionStore) error {
		return func(ctx context.Context, s *ExecutionStore) error { return s.ConflictResolveWorkflowExecution(ctx, r) }
	}
	cleared := split.Update(p.UpdateWorkflowModeIgnoreCurrent, split.Runs[0])
	cleared.UpdateWorkflowMutation.ClearBufferedEvents = true
	legacy := split.Update(p.UpdateWorkflowModeIgnoreCurrent, split.Runs[0])
	legacy.UpdateWorkflowMutation.DBRecordVersion = 0
	little := split.Update(p.UpdateWorkflowModeUpdateCurrent, split.Runs[0])
	little.UpdateWorkflowNewEvents = nil
	m := &little.UpdateWorkflowMutation
	*m = p.InternalWorkflowMutation{
		NamespaceID: m.NamespaceID, WorkflowID: m.WorkflowID, RunID: m.RunID,
		ExecutionInfoBlob: m.ExecutionInfoBlob, ExecutionState: m.ExecutionState, ExecutionStateBlob: m.ExecutionStateBlob,
		DBRecordVersion: 2, NextEventID: 6, Checksum: m.Checksum,
	}
	bothCategories := []tasks.Category{tasks.CategoryTransfer, tasks.CategoryTimer}

	return []storeCall{
		{"create-brand-new", splitNodes, nil, create(split.Create(p.CreateWorkflowModeBrandNew, split.Runs[0]))},
		{"create-brand-new-whole-nodes", wholeNodes, nil, create(unsplit.Create(p.CreateWorkflowModeBrandNew, unsplit.Runs[0]))},
		{"create-update-current", splitNodes, closed, create(split.TakeOver(split.Runs[2], split.Runs[0], 40))},
		{"create-bypass-current", splitNodes, nil, create(split.Create(p.CreateWorkflowModeBypassCurrent, split.Runs[0]))},
		{"update-current", splitNodes, current, update(split.Update(p.UpdateWorkflowModeUpdateCurrent, split.Runs[0]))},
		{"update-current-continue-as-new", splitNodes, current, update(split.ContinueAsNew(split.Runs[0], split.Runs[1]))},
		{"update-bypass-current-no-current", splitNodes, alone, update(split.Update(p.UpdateWorkflowModeBypassCurrent, split.Runs[0]))},
		{"update-bypass-current-other", splitNodes, both, update(split.Update(p.UpdateWorkflowModeBypassCurrent, split.Runs[1]))},
		{"update-ignore-current", splitNodes, current, update(cleared)},
		{"update-legacy-record-version", splitNodes, current, update(legacy)},
		{"update-one-thing", splitNodes, current, update(little)},
		{"conflict-resolve-reset-is-current", splitNodes, current, resolve(split.Resolve(p.ConflictResolveWorkflowModeUpdateCurrent, split.Runs[0]))},
		{"conflict-resolve-three-runs", splitNodes, both, resolve(split.ResolveThree(p.ConflictResolveWorkflowModeUpdateCurrent))},
		{"conflict-resolve-bypass-current", splitNodes, both, resolve(split.Resolve(p.ConflictResolveWorkflowModeBypassCurrent, split.Runs[1]))},
		{"set", splitNodes, current, func(ctx context.Context, s *ExecutionStore) error {
			return s.SetWorkflowExecution(ctx, split.Set(split.Runs[0], 2))
		}},
		{"delete-execution", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			return s.DeleteWorkflowExecution(ctx, split.Delete(split.Runs[0]))
		}},
		{"delete-current", splitNodes, current, func(ctx context.Context, s *ExecutionStore) error {
			return s.DeleteCurrentWorkflowExecution(ctx, split.DeleteCurrent(split.Runs[0]))
		}},
		{"get-current", splitNodes, current, func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.GetCurrentExecution(ctx, split.GetCurrent())
			return err
		}},
		{"get-execution", splitNodes, current, func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.GetWorkflowExecution(ctx, split.Get(split.Runs[0]))
			return err
		}},
		{"list-executions", splitNodes, current, func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.ListConcreteExecutions(ctx, &p.ListConcreteExecutionsRequest{ShardID: split.Shard, PageSize: 10})
			return err
		}},
		{"add-tasks", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			return s.AddHistoryTasks(ctx, split.AddTasks(100))
		}},
		{"get-tasks", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			for _, category := range bothCategories {
				if _, err := s.GetHistoryTasks(ctx, split.GetTasks(category)); err != nil {
					return err
				}
			}
			return nil
		}},
		{"complete-tasks", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			for _, category := range bothCategories {
				if err := s.CompleteHistoryTask(ctx, split.Complete(category, 100, false)); err != nil {
					return err
				}
				if err := s.RangeCompleteHistoryTasks(ctx, split.RangeComplete(category)); err != nil {
					return err
				}
			}
			return nil
		}},
		{"replication-dlq", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			if err := s.PutReplicationTaskToDLQ(ctx, split.PutDLQ(4)); err != nil {
				return err
			}
			if _, err := s.GetReplicationTasksFromDLQ(ctx, split.GetDLQ()); err != nil {
				return err
			}
			if _, err := s.IsReplicationDLQEmpty(ctx, split.GetDLQ()); err != nil {
				return err
			}
			if err := s.DeleteReplicationTaskFromDLQ(ctx, split.DeleteDLQ(4)); err != nil {
				return err
			}
			return s.RangeDeleteReplicationTaskFromDLQ(ctx, split.RangeDeleteDLQ())
		}},
	}
}

func TestPlansOfExecutionCalls(t *testing.T) {
	for _, tt := range storeCalls() {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder(tt.traits)
			ownShard(t, r)
			s := newExecutions(t, r)
			if tt.before != nil {
				tt.before(t, s)
			}
			r.text.Reset()
			require.NoError(t, tt.call(t.Context(), s))
			r.golden(t, "executions/"+tt.name)
		})
	}
}

func TestExecutionStoreRefusesANameThatDoesNotFitTheNodes(t *testing.T) {
	for _, traits := range []cql.Traits{splitNodes, wholeNodes} {
		other := cql.Traits{WholeNodes: !traits.WholeNodes}
		_, err := NewExecutionStore(newRecorder(traits), storeName(other), serialization.NewSerializer())
		require.ErrorContains(t, err, "rename the store")
	}
}

func TestExecutionCallsRefuseMalformedIDs(t *testing.T) {
	r := newRecorder(splitNodes)
	ownShard(t, r)
	s := newExecutions(t, r)
	r.text.Reset()
	bad := "not-a-uuid"
	calls := map[string]func() error{
		"create": func() error {
			request := split.Create(p.CreateWorkflowModeBrandNew, split.Runs[0])
			request.NewWorkflowSnapshot.RunID = bad
			_, err := s.CreateWorkflowExecution(t.Context(), request)
			return err
		},
		"create, previous run": func() error {
			request := split.Create(p.CreateWorkflowModeUpdateCurrent, split.Runs[0])
			request.PreviousRunID = bad
			_, err := s.CreateWorkflowExecution(t.Context(), request)
			return err
		},
		"update": func() error {
			request := split.Update(p.UpdateWorkflowModeUpdateCurrent, bad)
			return s.UpdateWorkflowExecution(t.Context(), request)
		},
		"update, history": func() error {
			request := split.Update(p.UpdateWorkflowModeUpdateCurrent, split.Runs[0])
			request.UpdateWorkflowNewEvents[0].BranchInfo.TreeId = bad
			return s.UpdateWorkflowExecution(t.Context(), request)
		},
		"get": func() error {
			_, err := s.GetWorkflowExecution(t.Context(), split.Get(bad))
			return err
		},
		"get current": func() error {
			_, err := s.GetCurrentExecution(t.Context(), &p.GetCurrentExecutionRequest{NamespaceID: bad})
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			err := call()
			requireBare(t, &p.InvalidPersistenceRequestError{}, err)
			require.ErrorContains(t, err, bad)
		})
	}
	require.Empty(t, r.text.String(), "nothing may be sent")
}

func TestExecutionCallsRefuseUnknownModes(t *testing.T) {
	s := newExecutions(t, newRecorder(splitNodes))
	_, err := s.CreateWorkflowExecution(t.Context(), split.Create(99, split.Runs[0]))
	requireBare(t, &serviceerror.Internal{}, err)
	requireBare(t, &serviceerror.Internal{}, s.UpdateWorkflowExecution(t.Context(), split.Update(99, split.Runs[0])))
	requireBare(t, &serviceerror.Internal{}, s.ConflictResolveWorkflowExecution(t.Context(), split.ResolveThree(99)))
}

func TestExecutionCallsRefuseNodesOfTheOtherForm(t *testing.T) {
	s := newExecutions(t, newRecorder(splitNodes))
	_, err := s.CreateWorkflowExecution(t.Context(), unsplit.Create(p.CreateWorkflowModeBrandNew, unsplit.Runs[0]))
	requireBare(t, &p.InvalidPersistenceRequestError{}, err)
	require.ErrorContains(t, err, `CHASM node`)
}

func TestBestEffortDeletesAreMadeOnlyWhereTheyAreCheap(t *testing.T) {
	for _, traits := range []cql.Traits{{}, {CheapDelete: true}} {
		r := newRecorder(traits)
		s := newExecutions(t, r)
		require.NoError(t, s.CompleteHistoryTask(t.Context(), split.Complete(tasks.CategoryTransfer, 1, true)))
		require.Equal(t, traits.CheapDelete, r.text.Len() > 0)
	}
}
