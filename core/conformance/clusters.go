package conformance

import (
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	p "go.temporal.io/server/common/persistence"
)

// clusterAreas are the metadata of clusters and their members.
func clusterAreas() []area {
	return []area{
		{"upstream-clusters", []test{{"suite", runUpstreamClusters}}},
		{"clusters", []test{
			{"members-by-all-filters", membersByFilters},
			{"expired-members-are-not-shown", expiredMembers},
		}},
	}
}

func newClusters(t testing.TB, db *database) p.ClusterMetadataStore {
	t.Helper()
	s, err := newFixture(t, db).factory.NewClusterMetadataStore()
	require.NoError(t, err)
	return s
}

// members reads all pages.
func members(t testing.TB, s p.ClusterMetadataStore, r p.GetClusterMembersRequest) map[string]*p.ClusterMember {
	t.Helper()
	found := map[string]*p.ClusterMember{}
	for {
		page, err := s.GetClusterMembers(t.Context(), &r)
		require.NoError(t, err)
		for _, m := range page.ActiveMembers {
			found[uuid.UUID(m.HostID).String()] = m
		}
		if r.NextPageToken = page.NextPageToken; r.NextPageToken == nil {
			return found
		}
	}
}

func membersByFilters(t *testing.T, db *database) {
	s := newClusters(t, db)
	early, late := time.Now().Add(-time.Hour), time.Now()
	hosts := make([]uuid.UUID, 4)
	upsert := func(i int, role p.ServiceType, address string, session time.Time) {
		t.Helper()
		hosts[i] = uuid.New()
		require.NoError(t, s.UpsertClusterMembership(t.Context(), &p.UpsertClusterMembershipRequest{
			Role: role, HostID: hosts[i][:], RPCAddress: net.ParseIP(address), RPCPort: 65535 - uint16(i),
			SessionStart: session, RecordExpiry: time.Hour,
		}))
	}
	upsert(0, p.Frontend, "127.0.0.1", early)
	upsert(1, p.History, "127.0.0.2", early)
	upsert(2, p.History, "127.0.0.2", late)
	upsert(3, p.Matching, "2001:db8::1", late)

	for bits := range 32 {
		r := p.GetClusterMembersRequest{PageSize: 1 + bits%3}
		want := map[int]bool{0: true, 1: true, 2: true, 3: true}
		keep := func(some ...int) {
			for i := range want {
				kept := false
				for _, s := range some {
					kept = kept || s == i
				}
				want[i] = want[i] && kept
			}
		}
		if bits&1 != 0 {
			r.RoleEquals = p.History
			keep(1, 2)
		}
		if bits&2 != 0 {
			r.HostIDEquals = hosts[2][:]
			keep(2)
		}
		if bits&4 != 0 {
			r.RPCAddressEquals = net.ParseIP("127.0.0.2")
			keep(1, 2)
		}
		if bits&8 != 0 {
			r.SessionStartedAfter = early.Add(time.Minute)
			keep(2, 3)
		}
		if bits&16 != 0 {
			r.LastHeartbeatWithin = time.Hour
		}
		found := members(t, s, r)
		for i, wanted := range want {
			m := found[hosts[i].String()]
			require.Equal(t, wanted, m != nil, "filters %05b, host %d", bits, i)
			if m == nil {
				continue
			}
			require.Equal(t, 65535-uint16(i), m.RPCPort)
			require.WithinDuration(t, time.Now(), m.LastHeartbeat, time.Hour)
			require.True(t, m.RecordExpiry.After(m.LastHeartbeat), "RecordExpiry %v", m.RecordExpiry)
		}
	}
	six := members(t, s, p.GetClusterMembersRequest{RPCAddressEquals: net.ParseIP("2001:db8::1"), PageSize: 10})
	require.Len(t, six, 1)
	require.True(t, net.ParseIP("2001:db8::1").Equal(six[hosts[3].String()].RPCAddress))
}

func expiredMembers(t *testing.T, db *database) {
	s := newClusters(t, db)
	short, long := uuid.New(), uuid.New()
	for host, life := range map[uuid.UUID]time.Duration{short: 2 * time.Second, long: time.Hour} {
		require.NoError(t, s.UpsertClusterMembership(t.Context(), &p.UpsertClusterMembershipRequest{
			Role: p.Worker, HostID: host[:], RPCAddress: net.ParseIP("127.0.0.9"), RPCPort: 1,
			SessionStart: time.Now(), RecordExpiry: life,
		}))
	}
	require.NoError(t, s.PruneClusterMembership(t.Context(), &p.PruneClusterMembershipRequest{MaxRecordsPruned: 1}))
	eventually(t, "a record expires", func() bool {
		found := members(t, s, p.GetClusterMembersRequest{RoleEquals: p.Worker, PageSize: 10})
		require.Contains(t, found, long.String())
		return found[short.String()] == nil
	})
}
