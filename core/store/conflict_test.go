package store

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	enumsspb "go.temporal.io/server/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// currentIs asserts that err names testRun as current, with all that the server
// needs in order to recognise a retry of the request that made it.
func currentIs(t *testing.T, err error, state enumsspb.WorkflowExecutionState, status enumspb.WorkflowExecutionStatus, version int64) {
	t.Helper()
	conflict, ok := err.(*p.CurrentWorkflowConditionFailedError)
	require.True(t, ok, "%T: %v", err, err)
	require.NotEmpty(t, conflict.Msg)
	conflict.Msg = ""
	require.Len(t, conflict.RequestIDs, 1)
	require.Equal(t, int64(1), conflict.RequestIDs["req-1"].GetEventId())
	conflict.RequestIDs = nil
	require.Equal(t, &p.CurrentWorkflowConditionFailedError{
		RunID: testRun, FirstExecutionRunID: testRun, State: state, Status: status,
		LastWriteVersion: version, StartTime: &testTime,
	}, conflict)
}

func TestConflictsOfExecutions(t *testing.T) {
	const (
		running   = enumsspb.WORKFLOW_EXECUTION_STATE_RUNNING
		completed = enumsspb.WORKFLOW_EXECUTION_STATE_COMPLETED
		statusRun = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
		statusEnd = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	)
	brandNew := create(p.CreateWorkflowModeBrandNew)
	closed := func(t *testing.T, s *ExecutionStore) {
		brandNew(t, s)
		closeRun(t, s)
	}
	takeOver := func(ctx context.Context, s *ExecutionStore, previous string, version int64) error {
		request := testCreate(p.CreateWorkflowModeUpdateCurrent, false)
		request.PreviousRunID, request.PreviousLastWriteVersion = previous, version
		request.NewWorkflowSnapshot = *testSnapshot(testRun2, 1, false)
		_, err := s.CreateWorkflowExecution(ctx, request)
		return err
	}
	isCurrent := func(state enumsspb.WorkflowExecutionState, status enumspb.WorkflowExecutionStatus, version int64) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			t.Helper()
			currentIs(t, err, state, status, version)
		}
	}
	isRun := func(next, version int64) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			t.Helper()
			conflict, ok := err.(*p.WorkflowConditionFailedError)
			require.True(t, ok, "%T: %v", err, err)
			require.NotEmpty(t, conflict.Msg)
			require.Equal(t, [2]int64{next, version}, [2]int64{conflict.NextEventID, conflict.DBRecordVersion})
		}
	}
	isCondition := func(t *testing.T, err error) {
		t.Helper()
		require.IsType(t, &p.ConditionFailedError{}, err)
	}

	tests := []struct {
		name   string
		before func(*testing.T, *ExecutionStore)
		call   func(context.Context, *ExecutionStore) error
		want   func(*testing.T, error)
	}{
		{"a first run meets a current one", brandNew, func(ctx context.Context, s *ExecutionStore) error {
			request := testCreate(p.CreateWorkflowModeBrandNew, false)
			request.NewWorkflowSnapshot = *testSnapshot(testRun2, 1, false)
			_, err := s.CreateWorkflowExecution(ctx, request)
			return err
		}, isCurrent(running, statusRun, 40)},
		{"the current run outranks the run itself", brandNew, func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.CreateWorkflowExecution(ctx, testCreate(p.CreateWorkflowModeBrandNew, false))
			return err
		}, isCurrent(running, statusRun, 40)},
		{"a run that bypasses the current one exists", brandNew, func(ctx context.Context, s *ExecutionStore) error {
			_, err := s.CreateWorkflowExecution(ctx, testCreate(p.CreateWorkflowModeBypassCurrent, false))
			return err
		}, isRun(5, 1)},
		{"a run takes over from another than the current one", closed, func(ctx context.Context, s *ExecutionStore) error {
			return takeOver(ctx, s, testRun3, 40)
		}, isCurrent(completed, statusEnd, 40)},
		{"a run takes over from a version that is gone", closed, func(ctx context.Context, s *ExecutionStore) error {
			return takeOver(ctx, s, testRun, 39)
		}, isCurrent(completed, statusEnd, 40)},
		{"a run takes over from one that still runs", brandNew, func(ctx context.Context, s *ExecutionStore) error {
			return takeOver(ctx, s, testRun, 40)
		}, isCurrent(running, statusRun, 40)},
		{"a run takes over from nothing", nil, func(ctx context.Context, s *ExecutionStore) error {
			return takeOver(ctx, s, testRun, 40)
		}, isCondition},
		{"an update of a run that is not current", createOther, func(ctx context.Context, s *ExecutionStore) error {
			return s.UpdateWorkflowExecution(ctx, updateRequest(p.UpdateWorkflowModeUpdateCurrent, testRun2, false))
		}, isCurrent(running, statusRun, 40)},
		{"an update of a version that is gone", brandNew, func(ctx context.Context, s *ExecutionStore) error {
			request := updateRequest(p.UpdateWorkflowModeUpdateCurrent, testRun, false)
			request.UpdateWorkflowMutation.DBRecordVersion = 9
			return s.UpdateWorkflowExecution(ctx, request)
		}, isRun(5, 1)},
		{"an update of an event that is gone, by rows without versions", brandNew, func(ctx context.Context, s *ExecutionStore) error {
			request := updateRequest(p.UpdateWorkflowModeIgnoreCurrent, testRun, false)
			request.UpdateWorkflowMutation.DBRecordVersion, request.UpdateWorkflowMutation.Condition = 0, 6
			return s.UpdateWorkflowExecution(ctx, request)
		}, isRun(5, 1)},
		{"an update of a run that does not exist", brandNew, func(ctx context.Context, s *ExecutionStore) error {
			return s.UpdateWorkflowExecution(ctx, updateRequest(p.UpdateWorkflowModeIgnoreCurrent, testRun2, false))
		}, isCondition},
		{"an update whose new run exists", createOther, func(ctx context.Context, s *ExecutionStore) error {
			return s.UpdateWorkflowExecution(ctx, withNew(updateRequest(p.UpdateWorkflowModeUpdateCurrent, testRun, false), testRun2, false))
		}, isRun(5, 1)},
		{"an update that bypasses its own run", brandNew, func(ctx context.Context, s *ExecutionStore) error {
			return s.UpdateWorkflowExecution(ctx, updateRequest(p.UpdateWorkflowModeBypassCurrent, testRun, false))
		}, func(t *testing.T, err error) {
			conflict, ok := err.(*p.CurrentWorkflowConditionFailedError)
			require.True(t, ok, "%T: %v", err, err)
			conflict.Msg = ""
			require.Equal(t, &p.CurrentWorkflowConditionFailedError{StartTime: &testTime}, conflict)
		}},
		{"a set of a run that does not exist", nil, func(ctx context.Context, s *ExecutionStore) error {
			return s.SetWorkflowExecution(ctx, &p.InternalSetWorkflowExecutionRequest{ShardID: testShard, RangeID: testRange, SetWorkflowSnapshot: *testSnapshot(testRun, 2, false)})
		}, isCondition},
		{"a set of a version that is gone", brandNew, func(ctx context.Context, s *ExecutionStore) error {
			return s.SetWorkflowExecution(ctx, &p.InternalSetWorkflowExecutionRequest{ShardID: testShard, RangeID: testRange, SetWorkflowSnapshot: *testSnapshot(testRun, 4, false)})
		}, isRun(5, 1)},
		{"a conflict resolution whose current run has changed", createOther, func(ctx context.Context, s *ExecutionStore) error {
			request := threeRuns(p.ConflictResolveWorkflowModeUpdateCurrent)
			request.CurrentWorkflowMutation = nil // the reset run would have to be current
			return s.ConflictResolveWorkflowExecution(ctx, request)
		}, isCurrent(running, statusRun, 40)},
		{"a conflict resolution whose reset run has changed", createOther, func(ctx context.Context, s *ExecutionStore) error {
			request := threeRuns(p.ConflictResolveWorkflowModeUpdateCurrent)
			request.ResetWorkflowSnapshot.DBRecordVersion = 8
			return s.ConflictResolveWorkflowExecution(ctx, request)
		}, isRun(5, 1)},
		{"a conflict resolution that bypasses the run that it resets", brandNew, func(ctx context.Context, s *ExecutionStore) error {
			request := threeRuns(p.ConflictResolveWorkflowModeBypassCurrent)
			request.ResetWorkflowSnapshot.RunID = testRun
			return s.ConflictResolveWorkflowExecution(ctx, request)
		}, func(t *testing.T, err error) { require.IsType(t, &p.CurrentWorkflowConditionFailedError{}, err) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder(splitNodes)
			ownShard(t, r)
			s := newExecutions(t, r)
			if tt.before != nil {
				tt.before(t, s)
			}
			before := state(r)
			tt.want(t, tt.call(t.Context(), s))
			require.Equal(t, before, state(r), "a refused write changes nothing but immutable history")
		})
	}
}

// state is everything but history, which a refused write may leave behind.
func state(r *recorder) [3]int {
	return [3]int{r.State.Len(plan.Executions), r.State.Len(plan.CurrentExecutions), r.State.Len(plan.HistoryTasks)}
}

func TestDeleteCurrentOfAnotherRunDoesNothing(t *testing.T) {
	r := newRecorder(splitNodes)
	ownShard(t, r)
	s := newExecutions(t, r)
	request := &p.DeleteCurrentWorkflowExecutionRequest{
		ShardID: testShard, NamespaceID: testNamespace, WorkflowID: testWorkflow, RunID: testRun2, ArchetypeID: testArchetype,
	}
	require.NoError(t, s.DeleteCurrentWorkflowExecution(t.Context(), request), "nothing is there")
	createOther(t, s)
	require.NoError(t, s.DeleteCurrentWorkflowExecution(t.Context(), request), "another run is there")
	require.Equal(t, 1, r.State.Len(plan.CurrentExecutions))
	request.RunID = testRun
	require.NoError(t, s.DeleteCurrentWorkflowExecution(t.Context(), request))
	require.Zero(t, r.State.Len(plan.CurrentExecutions))
}

// between runs a function once before the n-th write.
type between struct {
	*recorder
	writes int
	then   func(n int)
}

func (b *between) Write(ctx context.Context, w *plan.Write) error {
	b.writes++
	b.then(b.writes)
	return b.recorder.Write(ctx, w)
}

func TestABypassThatLosesARaceReadsAgain(t *testing.T) {
	setCurrent := func(r *recorder, run string) {
		id, err := parseUUID("run", run)
		require.NoError(t, err)
		_, err = r.State.Apply(&plan.Write{Scope: plan.Atomic, Mutations: []plan.Mutation{{
			Table: plan.CurrentExecutions, Op: plan.Insert, Key: testKey(t, testRun).current(testArchetype),
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.CurrentRunID, Value: id}, {Op: plan.Set, Column: plan.CurrentState, Value: toBlob(stateBlob(testState(run, 2, 1)))}},
		}}})
		require.NoError(t, err)
	}
	tests := []struct {
		name   string
		before func(r *recorder, n int) // before the n-th write of the call
		want   error
		writes int
	}{
		{"another run became current once", func(r *recorder, n int) {
			if n == 1 {
				setCurrent(r, testRun3)
			}
		}, nil, 2},
		{"this run became current", func(r *recorder, n int) {
			if n == 1 {
				setCurrent(r, testRun2)
			}
		}, &p.CurrentWorkflowConditionFailedError{}, 1},
		{"the current run never stands still", func(r *recorder, n int) {
			setCurrent(r, formatUUID([16]byte{15: byte(n)}))
		}, &p.CurrentWorkflowConditionFailedError{}, maxBypassAttempts},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder(splitNodes)
			ownShard(t, r)
			createOther(t, newExecutions(t, r))
			b := &between{recorder: r, then: func(n int) { tt.before(r, n) }}
			err := newExecutions(t, b).UpdateWorkflowExecution(t.Context(), updateRequest(p.UpdateWorkflowModeBypassCurrent, testRun2, false))
			require.IsType(t, tt.want, err)
			require.Equal(t, tt.writes, b.writes)
		})
	}
}

func testKey(t *testing.T, run string) runKey {
	t.Helper()
	k, err := parseRunKey("test", testShard, testNamespace, testWorkflow, run)
	require.NoError(t, err)
	return k
}

// failing is an Executor whose writes fail.
type failing struct {
	exec.Executor
	err error
}

func (f failing) Write(context.Context, *plan.Write) error { return f.err }

func TestAConflictWithACurrentRunThatCannotBeReadNamesNone(t *testing.T) {
	refuse := func(values map[*plan.Column]any) error {
		w := &plan.Write{Name: "T", Mutations: []plan.Mutation{insertCurrent(testKey(t, testRun).current(1), currentState{})}}
		c := &plan.Conflict{Write: w, Seen: []plan.Seen{{Sight: plan.Found, Values: values}}}
		ex := failing{newRecorder(splitNodes), &errs.Error{Kind: errs.Conflict, Outcome: errs.NotApplied, Err: c}}
		_, err := newExecutions(t, ex).CreateWorkflowExecution(t.Context(), testCreate(p.CreateWorkflowModeBrandNew, false))
		return err
	}
	state := toBlob(stateBlob(testState(testRun, 2, 1)))
	for name, values := range map[string]map[*plan.Column]any{
		"nothing is shown":         nil,
		"the state is no protobuf": {plan.CurrentRunID: [16]byte{1}, plan.CurrentState: plan.Blob{Data: []byte("{"), Encoding: "Proto3"}},
		"the encoding is unknown":  {plan.CurrentRunID: [16]byte{1}, plan.CurrentState: plan.Blob{Data: state.Data, Encoding: "Morse"}},
		"the run is null":          {plan.CurrentRunID: nil, plan.CurrentState: state},
		"the types are wrong":      {plan.CurrentRunID: "x", plan.CurrentState: 7, plan.CurrentLastWriteVersion: "y"},
	} {
		t.Run(name, func(t *testing.T) {
			conflict, ok := refuse(values).(*p.CurrentWorkflowConditionFailedError)
			require.True(t, ok)
			require.Empty(t, conflict.RunID)
			require.Empty(t, conflict.RequestIDs)
		})
	}
}

func TestMalformedRowsAreErrorsThatNameTheirKey(t *testing.T) {
	insert := func(table *plan.Table, key ...any) plan.Mutation {
		return plan.Mutation{Table: table, Op: plan.Insert, Key: key}
	}
	k := testKey(t, testRun)
	tree := branchKey{[16]byte{1}, [16]byte{2}}
	tests := []struct {
		name string
		row  plan.Mutation
		call func(ctx context.Context, s *ExecutionStore, shards *ShardStore) error
		want string
	}{
		{"a shard without state", insert(plan.Shards, shardKey(testShard)...), func(ctx context.Context, _ *ExecutionStore, shards *ShardStore) error {
			_, err := shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{ShardID: testShard})
			return err
		}, "shard 3"},
		{"an execution without info", insert(plan.Executions, k.execution()...), func(ctx context.Context, s *ExecutionStore, _ *ShardStore) error {
			_, err := s.GetWorkflowExecution(ctx, getRequest(testRun))
			return err
		}, testRun},
		{"a current row without a run", insert(plan.CurrentExecutions, k.current(testArchetype)...), func(ctx context.Context, s *ExecutionStore, _ *ShardStore) error {
			_, err := s.GetCurrentExecution(ctx, &p.GetCurrentExecutionRequest{ShardID: testShard, NamespaceID: testNamespace, WorkflowID: testWorkflow, ArchetypeID: testArchetype})
			return err
		}, testWorkflow},
		{"a current row without a run, bypassed", insert(plan.CurrentExecutions, k.current(testArchetype)...), func(ctx context.Context, s *ExecutionStore, _ *ShardStore) error {
			return s.UpdateWorkflowExecution(ctx, updateRequest(p.UpdateWorkflowModeBypassCurrent, testRun, false))
		}, testWorkflow},
		{"a task without a blob", insert(plan.HistoryTasks, int64(testShard), int64(2), int64(5), int64(77)), func(ctx context.Context, s *ExecutionStore, _ *ShardStore) error {
			_, err := s.readTasks(ctx, readScheduledTasks, plan.Page{}, int64(testShard), int64(2), int64(0), int64(9))
			return err
		}, "77"},
		{"a task of the DLQ without a blob", insert(plan.ReplicationDLQ, dlqKey(testShard, "west", 77)...), func(ctx context.Context, s *ExecutionStore, _ *ShardStore) error {
			_, err := s.readTasks(ctx, readDLQ, plan.Page{}, int64(testShard), "west", int64(0), int64(99))
			return err
		}, "77"},
		{"a branch without info", insert(plan.HistoryTree, tree.row()...), func(ctx context.Context, s *ExecutionStore, _ *ShardStore) error {
			_, err := s.GetAllHistoryTreeBranches(ctx, &p.GetAllHistoryTreeBranchesRequest{PageSize: 5})
			return err
		}, formatUUID(tree.branch)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder(splitNodes)
			_, err := r.State.Apply(&plan.Write{Scope: plan.Atomic, Mutations: []plan.Mutation{tt.row}})
			require.NoError(t, err)
			err = tt.call(t.Context(), newExecutions(t, r), newShards(t, r))
			require.IsType(t, &serviceerror.DataLoss{}, err)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestAListPassesOverWhatIsLeftOfADeletedRun(t *testing.T) {
	r := newRecorder(splitNodes)
	ownShard(t, r)
	s := newExecutions(t, r)
	create(p.CreateWorkflowModeBrandNew)(t, s)
	_, err := r.State.Apply(&plan.Write{Scope: plan.Atomic, Mutations: []plan.Mutation{{
		Table: plan.Executions, Op: plan.Update, Key: testKey(t, testRun2).execution(),
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.NextEventID, Value: int64(4)}},
	}}})
	require.NoError(t, err)
	response, err := s.ListConcreteExecutions(t.Context(), &p.ListConcreteExecutionsRequest{ShardID: testShard, PageSize: 9})
	require.NoError(t, err)
	require.Len(t, response.States, 1)
}

func TestRequestsAreLeftAsTheyWere(t *testing.T) {
	print := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return string(b)
	}
	r := newRecorder(splitNodes)
	ownShard(t, r)
	s := newExecutions(t, r)
	request := testCreate(p.CreateWorkflowModeBrandNew, false)
	before := print(request)
	_, err := s.CreateWorkflowExecution(t.Context(), request)
	require.NoError(t, err)
	_, err = s.CreateWorkflowExecution(t.Context(), request)
	require.Error(t, err)
	require.Equal(t, before, print(request))
}

func TestExecutionsComeBackAsTheyWereWritten(t *testing.T) {
	for _, traits := range []cql.Traits{splitNodes, wholeNodes} {
		r := newRecorder(traits)
		ownShard(t, r)
		s := newExecutions(t, r)
		want := testSnapshot(testRun, 1, traits.WholeNodes)
		create(p.CreateWorkflowModeBrandNew)(t, s)
		response, err := s.GetWorkflowExecution(t.Context(), getRequest(testRun))
		require.NoError(t, err)
		got := response.State
		require.Equal(t, int64(1), response.DBRecordVersion)
		require.Equal(t, want.ExecutionInfoBlob, got.ExecutionInfo)
		require.Equal(t, want.ExecutionStateBlob, got.ExecutionState)
		require.Equal(t, want.NextEventID, got.NextEventID)
		require.Equal(t, want.ActivityInfos, got.ActivityInfos)
		require.Equal(t, want.TimerInfos, got.TimerInfos)
		require.Equal(t, want.ChildExecutionInfos, got.ChildExecutionInfos)
		require.Equal(t, want.RequestCancelInfos, got.RequestCancelInfos)
		require.Equal(t, want.SignalInfos, got.SignalInfos)
		require.Equal(t, want.ChasmNodes, got.ChasmNodes)
		require.ElementsMatch(t, []string{testRun2, testRun3}, got.SignalRequestedIDs)
		require.Equal(t, want.Checksum, got.Checksum)
		require.Empty(t, got.BufferedEvents)

		_, err = s.GetWorkflowExecution(t.Context(), getRequest(testRun3))
		require.IsType(t, &serviceerror.NotFound{}, err)
	}
}

func TestStatesThatDoNotExistAreRefusedBeforeAnythingIsSent(t *testing.T) {
	s := newExecutions(t, failing{newRecorder(splitNodes), errors.New("sent")})
	bad := &persistencespb.WorkflowExecutionState{State: enumsspb.WORKFLOW_EXECUTION_STATE_COMPLETED, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}
	request := testCreate(p.CreateWorkflowModeBrandNew, false)
	request.NewWorkflowSnapshot.ExecutionState = bad
	_, err := s.CreateWorkflowExecution(t.Context(), request)
	require.IsType(t, &serviceerror.Internal{}, err)

	update := updateRequest(p.UpdateWorkflowModeUpdateCurrent, testRun, false)
	update.UpdateWorkflowMutation.ExecutionState = bad
	require.IsType(t, &serviceerror.Internal{}, s.UpdateWorkflowExecution(t.Context(), update))

	reset := threeRuns(p.ConflictResolveWorkflowModeUpdateCurrent)
	reset.ResetWorkflowSnapshot.ExecutionState = bad
	require.IsType(t, &serviceerror.Internal{}, s.ConflictResolveWorkflowExecution(t.Context(), reset))
}
