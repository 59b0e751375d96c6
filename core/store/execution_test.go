package store

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	enumsspb "go.temporal.io/server/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
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
	_, err := newShards(t, ex).GetOrCreateShard(t.Context(), &p.InternalGetOrCreateShardRequest{
		ShardID: testShard, CreateShardInfo: shardInfo(testRange),
	})
	require.NoError(t, err)
}

// call is a store call on which a golden is made. before runs first, unrecorded.
type storeCall struct {
	name   string
	traits cql.Traits
	before func(t *testing.T, s *ExecutionStore)
	call   func(ctx context.Context, s *ExecutionStore) error
}

func create(mode p.CreateWorkflowMode) func(*testing.T, *ExecutionStore) {
	return func(t *testing.T, s *ExecutionStore) {
		_, err := s.CreateWorkflowExecution(t.Context(), testCreate(mode, s.ex.Traits().WholeNodes))
		require.NoError(t, err)
	}
}

// createOther makes testRun current and inserts testRun2 beside it.
func createOther(t *testing.T, s *ExecutionStore) {
	create(p.CreateWorkflowModeBrandNew)(t, s)
	request := testCreate(p.CreateWorkflowModeBypassCurrent, s.ex.Traits().WholeNodes)
	request.NewWorkflowSnapshot = *testSnapshot(testRun2, 1, s.ex.Traits().WholeNodes)
	_, err := s.CreateWorkflowExecution(t.Context(), request)
	require.NoError(t, err)
}

func updateRequest(mode p.UpdateWorkflowMode, run string, whole bool) *p.InternalUpdateWorkflowExecutionRequest {
	return &p.InternalUpdateWorkflowExecutionRequest{
		ShardID: testShard, RangeID: testRange, Mode: mode, ArchetypeID: testArchetype,
		UpdateWorkflowMutation:  *testMutation(run, 2, whole),
		UpdateWorkflowNewEvents: []*p.InternalAppendHistoryNodesRequest{testAppend(testBranch, 5, 60, false), testAppend(testBranch, 6, 61, false)},
	}
}

func withNew(r *p.InternalUpdateWorkflowExecutionRequest, run string, whole bool) *p.InternalUpdateWorkflowExecutionRequest {
	r.NewWorkflowSnapshot = testSnapshot(run, 1, whole)
	r.NewWorkflowSnapshot.Tasks = testTasks(500)
	r.NewWorkflowNewEvents = []*p.InternalAppendHistoryNodesRequest{testAppend(testBranch2, 1, 62, true)}
	return r
}

func storeCalls() []storeCall {
	return []storeCall{
		{"create-brand-new", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.CreateWorkflowExecution(ctx, testCreate(p.CreateWorkflowModeBrandNew, false))
			return err
		}},
		{"create-brand-new-whole-nodes", wholeNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.CreateWorkflowExecution(ctx, testCreate(p.CreateWorkflowModeBrandNew, true))
			return err
		}},
		{"create-update-current", splitNodes, createOther, func(ctx context.Context, s *ExecutionStore) error {
			r := testCreate(p.CreateWorkflowModeUpdateCurrent, false)
			r.PreviousRunID, r.PreviousLastWriteVersion = testRun, 40
			r.NewWorkflowSnapshot = *testSnapshot(testRun3, 1, false)
			_, err := s.CreateWorkflowExecution(ctx, r)
			return err
		}},
		{"create-bypass-current", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.CreateWorkflowExecution(ctx, testCreate(p.CreateWorkflowModeBypassCurrent, false))
			return err
		}},
		{"update-current", splitNodes, create(p.CreateWorkflowModeBrandNew), func(ctx context.Context, s *ExecutionStore) error {
			return s.UpdateWorkflowExecution(ctx, updateRequest(p.UpdateWorkflowModeUpdateCurrent, testRun, false))
		}},
		{"update-current-continue-as-new", splitNodes, create(p.CreateWorkflowModeBrandNew), func(ctx context.Context, s *ExecutionStore) error {
			return s.UpdateWorkflowExecution(ctx, withNew(updateRequest(p.UpdateWorkflowModeUpdateCurrent, testRun, false), testRun2, false))
		}},
		{"update-bypass-current-no-current", splitNodes, create(p.CreateWorkflowModeBypassCurrent), func(ctx context.Context, s *ExecutionStore) error {
			return s.UpdateWorkflowExecution(ctx, updateRequest(p.UpdateWorkflowModeBypassCurrent, testRun, false))
		}},
		{"update-bypass-current-other", splitNodes, createOther, func(ctx context.Context, s *ExecutionStore) error {
			return s.UpdateWorkflowExecution(ctx, updateRequest(p.UpdateWorkflowModeBypassCurrent, testRun2, false))
		}},
		{"update-ignore-current", splitNodes, create(p.CreateWorkflowModeBrandNew), func(ctx context.Context, s *ExecutionStore) error {
			r := updateRequest(p.UpdateWorkflowModeIgnoreCurrent, testRun, false)
			r.UpdateWorkflowMutation.ClearBufferedEvents = true
			return s.UpdateWorkflowExecution(ctx, r)
		}},
		{"update-legacy-record-version", splitNodes, create(p.CreateWorkflowModeBrandNew), func(ctx context.Context, s *ExecutionStore) error {
			r := updateRequest(p.UpdateWorkflowModeIgnoreCurrent, testRun, false)
			r.UpdateWorkflowMutation.DBRecordVersion = 0
			return s.UpdateWorkflowExecution(ctx, r)
		}},
		{"update-one-thing", splitNodes, create(p.CreateWorkflowModeBrandNew), func(ctx context.Context, s *ExecutionStore) error {
			m := testMutation(testRun, 2, false)
			return s.UpdateWorkflowExecution(ctx, &p.InternalUpdateWorkflowExecutionRequest{
				ShardID: testShard, RangeID: testRange, Mode: p.UpdateWorkflowModeUpdateCurrent, ArchetypeID: testArchetype,
				UpdateWorkflowMutation: p.InternalWorkflowMutation{
					NamespaceID: m.NamespaceID, WorkflowID: m.WorkflowID, RunID: m.RunID,
					ExecutionInfoBlob: m.ExecutionInfoBlob, ExecutionState: m.ExecutionState, ExecutionStateBlob: m.ExecutionStateBlob,
					DBRecordVersion: 2, NextEventID: 6, Checksum: m.Checksum,
				},
			})
		}},
		{"conflict-resolve-reset-is-current", splitNodes, create(p.CreateWorkflowModeBrandNew), func(ctx context.Context, s *ExecutionStore) error {
			return s.ConflictResolveWorkflowExecution(ctx, &p.InternalConflictResolveWorkflowExecutionRequest{
				ShardID: testShard, RangeID: testRange, Mode: p.ConflictResolveWorkflowModeUpdateCurrent, ArchetypeID: testArchetype,
				ResetWorkflowSnapshot: *testSnapshot(testRun, 2, false),
			})
		}},
		{"conflict-resolve-three-runs", splitNodes, createOther, func(ctx context.Context, s *ExecutionStore) error {
			return s.ConflictResolveWorkflowExecution(ctx, threeRuns(p.ConflictResolveWorkflowModeUpdateCurrent))
		}},
		{"conflict-resolve-bypass-current", splitNodes, createOther, func(ctx context.Context, s *ExecutionStore) error {
			return s.ConflictResolveWorkflowExecution(ctx, &p.InternalConflictResolveWorkflowExecutionRequest{
				ShardID: testShard, RangeID: testRange, Mode: p.ConflictResolveWorkflowModeBypassCurrent, ArchetypeID: testArchetype,
				ResetWorkflowSnapshot: *testSnapshot(testRun2, 2, false),
			})
		}},
		{"set", splitNodes, create(p.CreateWorkflowModeBrandNew), func(ctx context.Context, s *ExecutionStore) error {
			return s.SetWorkflowExecution(ctx, &p.InternalSetWorkflowExecutionRequest{
				ShardID: testShard, RangeID: testRange, ArchetypeID: testArchetype,
				SetWorkflowSnapshot: *testSnapshot(testRun, 2, false),
			})
		}},
		{"delete-execution", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			return s.DeleteWorkflowExecution(ctx, &p.DeleteWorkflowExecutionRequest{
				ShardID: testShard, NamespaceID: testNamespace, WorkflowID: testWorkflow, RunID: testRun, ArchetypeID: testArchetype,
			})
		}},
		{"delete-current", splitNodes, create(p.CreateWorkflowModeBrandNew), func(ctx context.Context, s *ExecutionStore) error {
			return s.DeleteCurrentWorkflowExecution(ctx, &p.DeleteCurrentWorkflowExecutionRequest{
				ShardID: testShard, NamespaceID: testNamespace, WorkflowID: testWorkflow, RunID: testRun, ArchetypeID: testArchetype,
			})
		}},
		{"get-current", splitNodes, create(p.CreateWorkflowModeBrandNew), func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.GetCurrentExecution(ctx, &p.GetCurrentExecutionRequest{
				ShardID: testShard, NamespaceID: testNamespace, WorkflowID: testWorkflow, ArchetypeID: testArchetype,
			})
			return err
		}},
		{"get-execution", splitNodes, create(p.CreateWorkflowModeBrandNew), func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.GetWorkflowExecution(ctx, getRequest(testRun))
			return err
		}},
		{"list-executions", splitNodes, create(p.CreateWorkflowModeBrandNew), func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.ListConcreteExecutions(ctx, &p.ListConcreteExecutionsRequest{ShardID: testShard, PageSize: 10})
			return err
		}},
		{"add-tasks", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			return s.AddHistoryTasks(ctx, &p.InternalAddHistoryTasksRequest{
				ShardID: testShard, RangeID: testRange, NamespaceID: testNamespace, WorkflowID: testWorkflow,
				ArchetypeID: testArchetype, Tasks: testTasks(100),
			})
		}},
		{"get-tasks", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			for _, category := range []tasks.Category{tasks.CategoryTransfer, tasks.CategoryTimer} {
				if _, err := s.GetHistoryTasks(ctx, &p.GetHistoryTasksRequest{
					ShardID: testShard, TaskCategory: category, BatchSize: 10,
					InclusiveMinTaskKey: tasks.NewKey(testTime, 100), ExclusiveMaxTaskKey: tasks.NewKey(testTime.Add(time.Hour), 200),
				}); err != nil {
					return err
				}
			}
			return nil
		}},
		{"complete-tasks", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			for _, category := range []tasks.Category{tasks.CategoryTransfer, tasks.CategoryTimer} {
				if err := s.CompleteHistoryTask(ctx, &p.CompleteHistoryTaskRequest{
					ShardID: testShard, TaskCategory: category, TaskKey: tasks.NewKey(testTime, 100),
				}); err != nil {
					return err
				}
				if err := s.RangeCompleteHistoryTasks(ctx, &p.RangeCompleteHistoryTasksRequest{
					ShardID: testShard, TaskCategory: category,
					InclusiveMinTaskKey: tasks.NewKey(testTime, 100), ExclusiveMaxTaskKey: tasks.NewKey(testTime.Add(time.Hour), 200),
				}); err != nil {
					return err
				}
			}
			return nil
		}},
		{"replication-dlq", splitNodes, nil, func(ctx context.Context, s *ExecutionStore) error {
			get := &p.GetReplicationTasksFromDLQRequest{
				SourceClusterName: "west", GetHistoryTasksRequest: p.GetHistoryTasksRequest{
					ShardID: testShard, TaskCategory: tasks.CategoryReplication, BatchSize: 5,
					InclusiveMinTaskKey: tasks.NewImmediateKey(1), ExclusiveMaxTaskKey: tasks.NewImmediateKey(9),
				},
			}
			if err := s.PutReplicationTaskToDLQ(ctx, &p.PutReplicationTaskToDLQRequest{
				ShardID: testShard, SourceClusterName: "west", TaskInfo: &persistencespb.ReplicationTaskInfo{TaskId: 4},
			}); err != nil {
				return err
			}
			if _, err := s.GetReplicationTasksFromDLQ(ctx, get); err != nil {
				return err
			}
			if _, err := s.IsReplicationDLQEmpty(ctx, get); err != nil {
				return err
			}
			if err := s.DeleteReplicationTaskFromDLQ(ctx, &p.DeleteReplicationTaskFromDLQRequest{
				SourceClusterName: "west", CompleteHistoryTaskRequest: p.CompleteHistoryTaskRequest{
					ShardID: testShard, TaskCategory: tasks.CategoryReplication, TaskKey: tasks.NewImmediateKey(4),
				},
			}); err != nil {
				return err
			}
			return s.RangeDeleteReplicationTaskFromDLQ(ctx, &p.RangeDeleteReplicationTaskFromDLQRequest{
				SourceClusterName: "west", RangeCompleteHistoryTasksRequest: p.RangeCompleteHistoryTasksRequest{
					ShardID: testShard, TaskCategory: tasks.CategoryReplication,
					InclusiveMinTaskKey: tasks.NewImmediateKey(1), ExclusiveMaxTaskKey: tasks.NewImmediateKey(9),
				},
			})
		}},
	}
}

func threeRuns(mode p.ConflictResolveWorkflowMode) *p.InternalConflictResolveWorkflowExecutionRequest {
	r := &p.InternalConflictResolveWorkflowExecutionRequest{
		ShardID: testShard, RangeID: testRange, Mode: mode, ArchetypeID: testArchetype,
		ResetWorkflowSnapshot:          *testSnapshot(testRun2, 2, false),
		CurrentWorkflowMutation:        testMutation(testRun, 2, false),
		NewWorkflowSnapshot:            testSnapshot(testRun3, 1, false),
		ResetWorkflowEventsNewEvents:   []*p.InternalAppendHistoryNodesRequest{testAppend(testBranch, 5, 60, false)},
		CurrentWorkflowEventsNewEvents: []*p.InternalAppendHistoryNodesRequest{testAppend(testBranch, 6, 61, false)},
		NewWorkflowEventsNewEvents:     []*p.InternalAppendHistoryNodesRequest{testAppend(testBranch2, 1, 62, true)},
	}
	r.ResetWorkflowSnapshot.Tasks = testTasks(500)
	r.CurrentWorkflowMutation.Tasks = testTasks(600)
	r.NewWorkflowSnapshot.Tasks = testTasks(700)
	return r
}

func getRequest(run string) *p.GetWorkflowExecutionRequest {
	return &p.GetWorkflowExecutionRequest{
		ShardID: testShard, NamespaceID: testNamespace, WorkflowID: testWorkflow, RunID: run, ArchetypeID: testArchetype,
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
			if tt.name == "create-update-current" {
				closeRun(t, s)
			}
			r.text.Reset()
			require.NoError(t, tt.call(t.Context(), s))
			r.golden(t, "executions/"+tt.name)
		})
	}
}

// closeRun completes testRun, which is current.
func closeRun(t *testing.T, s *ExecutionStore) {
	r := updateRequest(p.UpdateWorkflowModeUpdateCurrent, testRun, false)
	r.UpdateWorkflowMutation.LastWriteVersion = 40
	r.UpdateWorkflowMutation.ExecutionState = testState(testRun, enumsspb.WORKFLOW_EXECUTION_STATE_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	r.UpdateWorkflowMutation.ExecutionStateBlob = stateBlob(r.UpdateWorkflowMutation.ExecutionState)
	require.NoError(t, s.UpdateWorkflowExecution(t.Context(), r))
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
			request := testCreate(p.CreateWorkflowModeBrandNew, false)
			request.NewWorkflowSnapshot.RunID = bad
			_, err := s.CreateWorkflowExecution(t.Context(), request)
			return err
		},
		"create, previous run": func() error {
			request := testCreate(p.CreateWorkflowModeUpdateCurrent, false)
			request.PreviousRunID = bad
			_, err := s.CreateWorkflowExecution(t.Context(), request)
			return err
		},
		"update": func() error {
			request := updateRequest(p.UpdateWorkflowModeUpdateCurrent, bad, false)
			return s.UpdateWorkflowExecution(t.Context(), request)
		},
		"update, history": func() error {
			request := updateRequest(p.UpdateWorkflowModeUpdateCurrent, testRun, false)
			request.UpdateWorkflowNewEvents[0].BranchInfo.TreeId = bad
			return s.UpdateWorkflowExecution(t.Context(), request)
		},
		"get": func() error {
			_, err := s.GetWorkflowExecution(t.Context(), getRequest(bad))
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
			require.IsType(t, &p.InvalidPersistenceRequestError{}, err)
			require.ErrorContains(t, err, bad)
		})
	}
	require.Empty(t, r.text.String(), "nothing may be sent")
}

func TestExecutionCallsRefuseUnknownModes(t *testing.T) {
	s := newExecutions(t, newRecorder(splitNodes))
	_, err := s.CreateWorkflowExecution(t.Context(), testCreate(99, false))
	require.IsType(t, &serviceerror.Internal{}, err)
	require.IsType(t, &serviceerror.Internal{}, s.UpdateWorkflowExecution(t.Context(), updateRequest(99, testRun, false)))
	require.IsType(t, &serviceerror.Internal{}, s.ConflictResolveWorkflowExecution(t.Context(), threeRuns(99)))
}

func TestExecutionCallsRefuseNodesOfTheOtherForm(t *testing.T) {
	s := newExecutions(t, newRecorder(splitNodes))
	_, err := s.CreateWorkflowExecution(t.Context(), testCreate(p.CreateWorkflowModeBrandNew, true))
	require.IsType(t, &p.InvalidPersistenceRequestError{}, err)
	require.ErrorContains(t, err, `CHASM node`)
}

func TestBestEffortDeletesAreMadeOnlyWhereTheyAreCheap(t *testing.T) {
	for _, traits := range []cql.Traits{{}, {CheapDelete: true}} {
		r := newRecorder(traits)
		s := newExecutions(t, r)
		require.NoError(t, s.CompleteHistoryTask(t.Context(), &p.CompleteHistoryTaskRequest{
			ShardID: testShard, TaskCategory: tasks.CategoryTransfer, TaskKey: tasks.NewImmediateKey(1), BestEffort: true,
		}))
		require.Equal(t, traits.CheapDelete, r.text.Len() > 0)
	}
}
