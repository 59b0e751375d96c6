package store

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

func newCluster(t testing.TB, ex exec.Executor) *ClusterMetadataStore {
	t.Helper()
	s, err := NewClusterMetadataStore(ex, "memory")
	require.NoError(t, err)
	return s
}

func saveCluster(name string, version int64) *p.InternalSaveClusterMetadataRequest {
	return &p.InternalSaveClusterMetadataRequest{ClusterName: name, ClusterMetadata: blob("%s %d", name, version+1), Version: version}
}

func TestClusterPlans(t *testing.T) {
	r := newRecorder(cql.Traits{TTL: true})
	s := newCluster(t, r)
	for v := range int64(2) {
		_, err := s.SaveClusterMetadata(t.Context(), saveCluster("active", v))
		require.NoError(t, err)
	}
	_, err := s.GetClusterMetadata(t.Context(), &p.InternalGetClusterMetadataRequest{ClusterName: "active"})
	require.NoError(t, err)
	_, err = s.ListClusterMetadata(t.Context(), &p.InternalListClusterMetadataRequest{PageSize: 5})
	require.NoError(t, err)
	require.NoError(t, s.DeleteClusterMetadata(t.Context(), &p.InternalDeleteClusterMetadataRequest{ClusterName: "active"}))
	require.NoError(t, s.PruneClusterMembership(t.Context(), &p.PruneClusterMembershipRequest{MaxRecordsPruned: 10}))
	r.golden(t, "cluster/metadata")
}

func TestClusterMetadataVersions(t *testing.T) {
	s := newCluster(t, memory.NewExecutor(memory.NewState(), cql.Traits{}))
	_, err := s.GetClusterMetadata(t.Context(), &p.InternalGetClusterMetadataRequest{ClusterName: "active"})
	var absent *serviceerror.NotFound
	require.ErrorAs(t, err, &absent)

	save := func(version int64) (bool, error) {
		return s.SaveClusterMetadata(t.Context(), saveCluster("active", version))
	}
	applied, err := save(0)
	require.NoError(t, err)
	require.True(t, applied)
	var unavailable *serviceerror.Unavailable
	for _, stale := range []int64{0, 2} {
		applied, err = save(stale)
		require.ErrorAs(t, err, &unavailable)
		require.False(t, applied)
	}
	_, err = save(1)
	require.NoError(t, err)
	got, err := s.GetClusterMetadata(t.Context(), &p.InternalGetClusterMetadataRequest{ClusterName: "active"})
	require.NoError(t, err)
	require.Equal(t, int64(2), got.Version)
	require.Equal(t, "active 2", string(got.ClusterMetadata.Data))

	for range 2 {
		require.NoError(t, s.DeleteClusterMetadata(t.Context(), &p.InternalDeleteClusterMetadataRequest{ClusterName: "active"}))
	}
}

type member struct {
	role    p.ServiceType
	host    byte
	address string
	session time.Time
}

func (m member) upsert() *p.UpsertClusterMembershipRequest {
	return &p.UpsertClusterMembershipRequest{
		Role: m.role, HostID: host(m.host), RPCAddress: net.ParseIP(m.address), RPCPort: 40000,
		SessionStart: m.session, RecordExpiry: time.Minute,
	}
}

func host(b byte) []byte { return []byte{15: b} }

func TestMembersByAllFilters(t *testing.T) {
	state := memory.NewState()
	s := newCluster(t, memory.NewExecutor(state, cql.Traits{TTL: true}))
	early, late := time.Now().Add(-time.Hour), time.Now()
	for _, m := range []member{
		{p.Frontend, 1, "127.0.0.1", early},
		{p.History, 2, "127.0.0.2", early},
		{p.History, 3, "127.0.0.2", late},
		{p.Matching, 3, "::1", late},
	} {
		require.NoError(t, s.UpsertClusterMembership(t.Context(), m.upsert()))
	}
	type found struct {
		role p.ServiceType
		host byte
	}
	tests := []struct {
		name string
		give p.GetClusterMembersRequest
		want []found
	}{
		{"all", p.GetClusterMembersRequest{}, []found{{p.Frontend, 1}, {p.History, 2}, {p.History, 3}, {p.Matching, 3}}},
		{"role", p.GetClusterMembersRequest{RoleEquals: p.History}, []found{{p.History, 2}, {p.History, 3}}},
		{"host", p.GetClusterMembersRequest{HostIDEquals: host(3)}, []found{{p.History, 3}, {p.Matching, 3}}},
		{"role and host", p.GetClusterMembersRequest{RoleEquals: p.History, HostIDEquals: host(3)}, []found{{p.History, 3}}},
		{"address", p.GetClusterMembersRequest{RPCAddressEquals: net.ParseIP("127.0.0.2")}, []found{{p.History, 2}, {p.History, 3}}},
		{"session", p.GetClusterMembersRequest{SessionStartedAfter: early.Add(time.Minute)}, []found{{p.History, 3}, {p.Matching, 3}}},
		{"heartbeat", p.GetClusterMembersRequest{LastHeartbeatWithin: time.Minute}, []found{{p.Frontend, 1}, {p.History, 2}, {p.History, 3}, {p.Matching, 3}}},
		{"everything", p.GetClusterMembersRequest{
			RoleEquals: p.History, HostIDEquals: host(3), RPCAddressEquals: net.ParseIP("127.0.0.2"),
			SessionStartedAfter: early.Add(time.Minute), LastHeartbeatWithin: time.Minute,
		}, []found{{p.History, 3}}},
		{"everything, but one host", p.GetClusterMembersRequest{
			RoleEquals: p.History, HostIDEquals: host(2), RPCAddressEquals: net.ParseIP("127.0.0.2"),
			SessionStartedAfter: early.Add(time.Minute), LastHeartbeatWithin: time.Minute,
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []found
			request := tt.give
			request.PageSize = 2
			for {
				page, err := s.GetClusterMembers(t.Context(), &request)
				require.NoError(t, err)
				for _, m := range page.ActiveMembers {
					got = append(got, found{m.Role, m.HostID[15]})
					require.Equal(t, uint16(40000), m.RPCPort)
					require.WithinRange(t, m.RecordExpiry, m.LastHeartbeat, time.Now().Add(time.Minute))
				}
				if request.NextPageToken = page.NextPageToken; request.NextPageToken == nil {
					break
				}
			}
			require.Equal(t, tt.want, got)
		})
	}
	t.Run("an expired record is never returned", func(t *testing.T) {
		now := time.Now().Add(2 * time.Minute)
		state.Now = func() time.Time { return now }
		page, err := s.GetClusterMembers(t.Context(), &p.GetClusterMembersRequest{})
		require.NoError(t, err)
		require.Empty(t, page.ActiveMembers)
		require.Zero(t, state.Len(plan.ClusterMembers))
	})
}

func TestMembersThatMakeNoSense(t *testing.T) {
	ex := memory.NewExecutor(memory.NewState(), cql.Traits{})
	s := newCluster(t, ex)
	bad := member{p.History, 1, "127.0.0.1", time.Now()}.upsert()
	bad.HostID = []byte{1, 2, 3}
	_ = storetest.Bare[*p.InvalidPersistenceRequestError](t, s.UpsertClusterMembership(t.Context(), bad))
	_, err := s.GetClusterMembers(t.Context(), &p.GetClusterMembersRequest{HostIDEquals: []byte{1}})
	_ = storetest.Bare[*p.InvalidPersistenceRequestError](t, err)

	require.NoError(t, ex.Write(t.Context(), &plan.Write{Name: "break", Scope: plan.Atomic, Mutations: []plan.Mutation{{
		Table: plan.ClusterMembers, Op: plan.Insert, Key: []any{int64(2), [16]byte{15: 9}},
		Effects: []plan.Effect{
			{Op: plan.Set, Column: plan.MemberAddress, Value: "nowhere"},
			{Op: plan.Set, Column: plan.MemberSessionStart, Value: int64(1)},
			{Op: plan.Set, Column: plan.MemberLastHeartbeat, Value: int64(1)},
		},
	}}}))
	_, err = s.GetClusterMembers(t.Context(), &p.GetClusterMembersRequest{})
	var loss *serviceerror.DataLoss
	require.ErrorAs(t, err, &loss)
	require.ErrorContains(t, err, "nowhere")
}
