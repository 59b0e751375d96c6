package store

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/cql/cqltest"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

func userDataRequest() *p.GetTaskQueueUserDataRequest {
	return &p.GetTaskQueueUserDataRequest{NamespaceID: testNamespace, TaskQueue: testQueue}
}

// flags are the results that an update of user data reports by pointer. They
// begin with what they must not stay.
type flags struct{ applied, conflicting bool }

func userDataUpdate(version int64, f *flags, added, removed []string) *p.InternalSingleTaskQueueUserDataUpdate {
	return &p.InternalSingleTaskQueueUserDataUpdate{
		Version: version, UserData: blob("data %d", version+1), BuildIdsAdded: added, BuildIdsRemoved: removed,
		Applied: &f.applied, Conflicting: &f.conflicting,
	}
}

func userDataUpdates(of map[string]*p.InternalSingleTaskQueueUserDataUpdate) *p.InternalUpdateTaskQueueUserDataRequest {
	return &p.InternalUpdateTaskQueueUserDataRequest{NamespaceID: testNamespace, Updates: of}
}

type userDataUpdateMap = map[string]*p.InternalSingleTaskQueueUserDataUpdate

func TestUserDataPlans(t *testing.T) {
	r := newRecorder(cql.Traits{})
	s := newTasks(t, r, classicTasks)
	var f flags
	require.NoError(t, s.UpdateTaskQueueUserData(t.Context(), userDataUpdates(userDataUpdateMap{
		"b": userDataUpdate(0, &f, []string{"2.0", "1.0", "2.0"}, nil),
		"a": userDataUpdate(0, &f, nil, nil),
	})))
	require.NoError(t, s.UpdateTaskQueueUserData(t.Context(), userDataUpdates(userDataUpdateMap{
		"b": userDataUpdate(1, &f, []string{"3.0", "4.0"}, []string{"1.0", "4.0"}),
	})))
	_, err := s.GetTaskQueueUserData(t.Context(), &p.GetTaskQueueUserDataRequest{NamespaceID: testNamespace, TaskQueue: "b"})
	require.NoError(t, err)
	_, err = s.ListTaskQueueUserDataEntries(t.Context(), &p.ListTaskQueueUserDataEntriesRequest{NamespaceID: testNamespace, PageSize: 5})
	require.NoError(t, err)
	queues, err := s.GetTaskQueuesByBuildId(t.Context(), &p.GetTaskQueuesByBuildIdRequest{NamespaceID: testNamespace, BuildID: "2.0"})
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, queues)
	r.golden(t, "userdata/calls")
	for id, want := range map[string]int{"1.0": 0, "2.0": 1, "3.0": 1, "4.0": 0} {
		n, err := s.CountTaskQueuesByBuildId(t.Context(), &p.CountTaskQueuesByBuildIdRequest{NamespaceID: testNamespace, BuildID: id})
		require.NoError(t, err)
		require.Equal(t, want, n, "queues that know %s", id)
	}
}

func TestUserDataIsAllOrNothingAndFlagsTheGuilty(t *testing.T) {
	state := memory.NewState()
	s := newTasks(t, memory.NewExecutor(state, cql.Traits{}), classicTasks)
	var a, b flags
	require.NoError(t, s.UpdateTaskQueueUserData(t.Context(), userDataUpdates(userDataUpdateMap{
		"a": userDataUpdate(0, &a, []string{"1.0"}, nil), "b": userDataUpdate(0, &b, nil, nil),
	})))
	require.Equal(t, []flags{{applied: true}, {applied: true}}, []flags{a, b})

	tests := []struct {
		name    string
		a, b, c int64
		want    []flags
	}{
		{"one with another version", 1, 5, 0, []flags{{}, {conflicting: true}, {}}},
		{"one that exists already", 0, 1, 0, []flags{{conflicting: true}, {}, {}}},
		{"one that does not exist", 1, 1, 3, []flags{{}, {}, {conflicting: true}}},
		{"two of three", 7, 1, 3, []flags{{conflicting: true}, {}, {conflicting: true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			was := state.Dump()
			a, b, c := flags{applied: true}, flags{applied: true}, flags{applied: true}
			err := s.UpdateTaskQueueUserData(t.Context(), userDataUpdates(userDataUpdateMap{
				"a": userDataUpdate(tt.a, &a, []string{"2.0"}, []string{"1.0"}),
				"b": userDataUpdate(tt.b, &b, nil, nil), "c": userDataUpdate(tt.c, &c, nil, nil),
			}))
			_ = storetest.Bare[*p.ConditionFailedError](t, err)
			require.Equal(t, tt.want, []flags{a, b, c})
			require.Equal(t, was, state.Dump(), "something was stored")
		})
	}
}

func TestUserDataOfUnknownOutcomeIsNotApplied(t *testing.T) {
	tap := cqltest.NewTap(memory.NewSession(memory.NewState()))
	s := newTasks(t, exec.New(tap, memory.NewDialect(cql.Traits{}), nil), classicTasks)
	tap.Before(cqltest.FailPlan("UpdateTaskQueueUserData", &cql.Error{Reach: cql.Sent, Err: errors.New("lost")}))
	f := flags{applied: true}
	err := s.UpdateTaskQueueUserData(t.Context(), userDataUpdates(userDataUpdateMap{"a": userDataUpdate(0, &f, nil, nil)}))
	_ = storetest.Bare[*p.TimeoutError](t, err)
	require.Equal(t, flags{}, f)
}

func TestUserDataThatDoesNotExist(t *testing.T) {
	s := newTasks(t, memory.NewExecutor(memory.NewState(), cql.Traits{}), fairTasks)
	_, err := s.GetTaskQueueUserData(t.Context(), userDataRequest())
	var absent *serviceerror.NotFound
	require.ErrorAs(t, err, &absent)
}
