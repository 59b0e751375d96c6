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

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// openStores returns stores on memory and a scene whose shard they own.
func openStores(t *testing.T) (storetest.Stores, storetest.Scene) {
	t.Helper()
	ex := newRecorder(splitNodes)
	st := storetest.Stores{Shards: newShards(t, ex), Executions: newExecutions(t, ex)}
	scene := storetest.Fresh(3, false)
	scene.Own(t, st.Shards)
	return st, scene
}

func TestConflicts(t *testing.T) { storetest.Conflicts(t, openStores) }

func TestRoundTrips(t *testing.T) {
	storetest.RoundTrips(t, openStores)
	t.Run("whole nodes", func(t *testing.T) {
		storetest.RoundTrips(t, func(t *testing.T) (storetest.Stores, storetest.Scene) {
			ex := newRecorder(wholeNodes)
			st := storetest.Stores{Shards: newShards(t, ex), Executions: newExecutions(t, ex)}
			scene := storetest.Fresh(3, true)
			scene.Own(t, st.Shards)
			return st, scene
		})
	})
}

func TestDeleteCurrentOfAnotherRunDoesNothing(t *testing.T) {
	r := newRecorder(splitNodes)
	ownShard(t, r)
	s := newExecutions(t, r)
	request := split.DeleteCurrent(split.Runs[1])
	require.NoError(t, s.DeleteCurrentWorkflowExecution(t.Context(), request), "nothing is there")
	split.CreateBoth(t, s)
	require.NoError(t, s.DeleteCurrentWorkflowExecution(t.Context(), request), "another run is there")
	require.Equal(t, 1, r.State.Len(plan.CurrentExecutions))
	request.RunID = split.Runs[0]
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
		_, state := split.Running(run)
		_, err = r.State.Apply(&plan.Write{Scope: plan.Atomic, Mutations: []plan.Mutation{{
			Table: plan.CurrentExecutions, Op: plan.Insert, Key: testKey(t, split.Runs[0]).current(split.Archetype),
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.CurrentRunID, Value: id}, {Op: plan.Set, Column: plan.CurrentState, Value: toBlob(state)}},
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
				setCurrent(r, split.Runs[2])
			}
		}, nil, 2},
		{"this run became current", func(r *recorder, n int) {
			if n == 1 {
				setCurrent(r, split.Runs[1])
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
			split.CreateBoth(t, newExecutions(t, r))
			b := &between{recorder: r, then: func(n int) { tt.before(r, n) }}
			err := newExecutions(t, b).UpdateWorkflowExecution(t.Context(), split.Update(p.UpdateWorkflowModeBypassCurrent, split.Runs[1]))
			requireBare(t, tt.want, err)
			require.Equal(t, tt.writes, b.writes)
		})
	}
}

func testKey(t *testing.T, run string) runKey {
	t.Helper()
	k, err := parseRunKey("test", split.Shard, split.Namespace, split.Workflow, run)
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
		w := &plan.Write{Name: "T", Mutations: []plan.Mutation{insertCurrent(testKey(t, split.Runs[0]).current(1), currentState{})}}
		c := &plan.Conflict{Write: w, Seen: []plan.Seen{{Sight: plan.Found, Values: values}}}
		ex := failing{newRecorder(splitNodes), &errs.Error{Kind: errs.Conflict, Outcome: errs.NotApplied, Err: c}}
		_, err := newExecutions(t, ex).CreateWorkflowExecution(t.Context(), split.Create(p.CreateWorkflowModeBrandNew, split.Runs[0]))
		return err
	}
	_, blob := split.Running(split.Runs[0])
	state := toBlob(blob)
	for name, values := range map[string]map[*plan.Column]any{
		"nothing is shown":         nil,
		"the state is no protobuf": {plan.CurrentRunID: [16]byte{1}, plan.CurrentState: plan.Blob{Data: []byte("{"), Encoding: "Proto3"}},
		"the encoding is unknown":  {plan.CurrentRunID: [16]byte{1}, plan.CurrentState: plan.Blob{Data: state.Data, Encoding: "Morse"}},
		"the run is null":          {plan.CurrentRunID: nil, plan.CurrentState: state},
		"the types are wrong":      {plan.CurrentRunID: "x", plan.CurrentState: 7, plan.CurrentLastWriteVersion: "y"},
	} {
		t.Run(name, func(t *testing.T) {
			conflict := storetest.Bare[*p.CurrentWorkflowConditionFailedError](t, refuse(values))
			require.Empty(t, conflict.RunID)
			require.Empty(t, conflict.RequestIDs)
		})
	}
}

func TestMalformedRowsAreErrorsThatNameTheirKey(t *testing.T) {
	insert := func(table *plan.Table, key ...any) plan.Mutation {
		return plan.Mutation{Table: table, Op: plan.Insert, Key: key}
	}
	k := testKey(t, split.Runs[0])
	tree := branchKey{[16]byte{1}, [16]byte{2}}
	tests := []struct {
		name string
		row  plan.Mutation
		call func(ctx context.Context, s *ExecutionStore, shards *ShardStore) error
		want string
	}{
		{"a shard without state", insert(plan.Shards, shardKey(split.Shard)...), func(ctx context.Context, _ *ExecutionStore, shards *ShardStore) error {
			_, err := shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{ShardID: split.Shard})
			return err
		}, "shard 3"},
		{"an execution without info", insert(plan.Executions, k.execution()...), func(ctx context.Context, s *ExecutionStore, _ *ShardStore) error {
			_, err := s.GetWorkflowExecution(ctx, split.Get(split.Runs[0]))
			return err
		}, split.Runs[0]},
		{"a current row without a run", insert(plan.CurrentExecutions, k.current(split.Archetype)...), func(ctx context.Context, s *ExecutionStore, _ *ShardStore) error {
			_, err := s.GetCurrentExecution(ctx, split.GetCurrent())
			return err
		}, split.Workflow},
		{"a current row without a run, bypassed", insert(plan.CurrentExecutions, k.current(split.Archetype)...), func(ctx context.Context, s *ExecutionStore, _ *ShardStore) error {
			return s.UpdateWorkflowExecution(ctx, split.Update(p.UpdateWorkflowModeBypassCurrent, split.Runs[0]))
		}, split.Workflow},
		{"a task without a blob", insert(plan.HistoryTasks, int64(split.Shard), int64(2), int64(5), int64(77)), func(ctx context.Context, s *ExecutionStore, _ *ShardStore) error {
			_, err := s.readTasks(ctx, readScheduledTasks, plan.Page{}, int64(split.Shard), int64(2), int64(0), int64(9))
			return err
		}, "77"},
		{"a task of the DLQ without a blob", insert(plan.ReplicationDLQ, dlqKey(split.Shard, "west", 77)...), func(ctx context.Context, s *ExecutionStore, _ *ShardStore) error {
			_, err := s.readTasks(ctx, readDLQ, plan.Page{}, int64(split.Shard), "west", int64(0), int64(99))
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
			requireBare(t, &serviceerror.DataLoss{}, err)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestAListPassesOverWhatIsLeftOfADeletedRun(t *testing.T) {
	r := newRecorder(splitNodes)
	ownShard(t, r)
	s := newExecutions(t, r)
	split.CreateCurrent(t, s)
	_, err := r.State.Apply(&plan.Write{Scope: plan.Atomic, Mutations: []plan.Mutation{{
		Table: plan.Executions, Op: plan.Update, Key: testKey(t, split.Runs[1]).execution(),
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.NextEventID, Value: int64(4)}},
	}}})
	require.NoError(t, err)
	response, err := s.ListConcreteExecutions(t.Context(), &p.ListConcreteExecutionsRequest{ShardID: split.Shard, PageSize: 9})
	require.NoError(t, err)
	require.Len(t, response.States, 1)
}

func TestRequestsAreLeftAsTheyWere(t *testing.T) {
	printed := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return string(b)
	}
	r := newRecorder(splitNodes)
	ownShard(t, r)
	s := newExecutions(t, r)
	request := split.Create(p.CreateWorkflowModeBrandNew, split.Runs[0])
	before := printed(request)
	_, err := s.CreateWorkflowExecution(t.Context(), request)
	require.NoError(t, err)
	_, err = s.CreateWorkflowExecution(t.Context(), request)
	require.Error(t, err)
	require.Equal(t, before, printed(request))
}

func TestStatesThatDoNotExistAreRefusedBeforeAnythingIsSent(t *testing.T) {
	s := newExecutions(t, failing{newRecorder(splitNodes), errors.New("sent")})
	bad := &persistencespb.WorkflowExecutionState{State: enumsspb.WORKFLOW_EXECUTION_STATE_COMPLETED, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}
	request := split.Create(p.CreateWorkflowModeBrandNew, split.Runs[0])
	request.NewWorkflowSnapshot.ExecutionState = bad
	_, err := s.CreateWorkflowExecution(t.Context(), request)
	requireBare(t, &serviceerror.Internal{}, err)

	update := split.Update(p.UpdateWorkflowModeUpdateCurrent, split.Runs[0])
	update.UpdateWorkflowMutation.ExecutionState = bad
	requireBare(t, &serviceerror.Internal{}, s.UpdateWorkflowExecution(t.Context(), update))

	reset := split.ResolveThree(p.ConflictResolveWorkflowModeUpdateCurrent)
	reset.ResetWorkflowSnapshot.ExecutionState = bad
	requireBare(t, &serviceerror.Internal{}, s.ConflictResolveWorkflowExecution(t.Context(), reset))
}
