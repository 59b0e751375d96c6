package conformance

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/suite"
	p "go.temporal.io/server/common/persistence"
	persistencetests "go.temporal.io/server/common/persistence/persistence-tests"
)

// upstreamClusters is upstream's suite of clusters. Its tests of members give them
// lives of 1 to 4 s and expect them to be there still after up to 112 requests, or
// to be gone within a second (common/persistence/persistence-tests,
// cluster_metadata_manager.go); and a life of 1 s ends on Cassandra with the second
// in which it began. Those ask the same here, of lives that no stopped machine
// outlives. All others are upstream's.
type upstreamClusters struct {
	*persistencetests.ClusterMetadataManagerSuite
}

func runUpstreamClusters(t *testing.T, db *database) {
	s := &upstreamClusters{new(persistencetests.ClusterMetadataManagerSuite)}
	s.TestBase = newFixture(t, db).base()
	suite.Run(t, s)
}

// TearDownTest takes the place of one that waits until all members have expired. The
// test that wants none, TestClusterMembershipEmptyInitially, is the first.
func (*upstreamClusters) TearDownTest() {}

// upsert adds a member that lives for an hour, and returns what was asked for.
func (s *upstreamClusters) upsert() *p.UpsertClusterMembershipRequest {
	s.T().Helper()
	id := uuid.New()
	r := &p.UpsertClusterMembershipRequest{
		HostID: id[:], RPCAddress: net.ParseIP("127.0.0.2"), RPCPort: 123, Role: p.Frontend,
		SessionStart: time.Now().UTC(), RecordExpiry: time.Hour,
	}
	s.Require().NoError(s.ClusterMetadataManager.UpsertClusterMembership(s.ctx(), r))
	return r
}

func (s *upstreamClusters) ctx() context.Context { return s.T().Context() }

// found returns the members that a request finds, on all pages, by host.
func (s *upstreamClusters) found(r p.GetClusterMembersRequest) map[string]*p.ClusterMember {
	all := map[string]*p.ClusterMember{}
	for {
		page, err := s.ClusterMetadataManager.GetClusterMembers(s.ctx(), &r)
		s.Require().NoError(err)
		for _, m := range page.ActiveMembers {
			s.Require().NotContains(all, string(m.HostID))
			all[string(m.HostID)] = m
		}
		if r.NextPageToken = page.NextPageToken; r.NextPageToken == nil {
			return all
		}
	}
}

// shows checks that a request finds one member, as it was added.
func (s *upstreamClusters) shows(want *p.UpsertClusterMembershipRequest, r p.GetClusterMembersRequest) {
	s.T().Helper()
	all := s.found(r)
	s.Require().Len(all, 1)
	m := all[string(want.HostID)]
	s.Require().NotNil(m)
	s.Require().WithinDuration(want.SessionStart, m.SessionStart, time.Millisecond)
	s.Require().Equal(want.RPCAddress.String(), m.RPCAddress.String())
	s.Require().Equal(want.RPCPort, m.RPCPort)
	s.Require().Equal(want.Role, m.Role)
	s.Require().True(m.RecordExpiry.After(time.Now()))
}

func (s *upstreamClusters) TestClusterMembershipUpsertCanReadAny() {
	r := s.upsert()
	s.Require().Contains(s.found(p.GetClusterMembersRequest{}), string(r.HostID))
}

func (s *upstreamClusters) TestClusterMembershipUpsertCanPageRead() {
	hosts := make([]string, 100)
	for i := range hosts {
		hosts[i] = string(s.upsert().HostID)
	}
	found := s.found(p.GetClusterMembersRequest{PageSize: 9})
	for _, host := range hosts {
		s.Require().Contains(found, host)
	}
}

func (s *upstreamClusters) TestClusterMembershipReadFiltersCorrectly() {
	r := s.upsert()
	s.shows(r, p.GetClusterMembersRequest{LastHeartbeatWithin: time.Hour, HostIDEquals: r.HostID})
	s.shows(r, p.GetClusterMembersRequest{
		SessionStartedAfter: r.SessionStart.Add(-time.Minute), RPCAddressEquals: r.RPCAddress, HostIDEquals: r.HostID,
	})
	s.Require().Empty(s.found(p.GetClusterMembersRequest{RoleEquals: p.Matching}))
	s.Require().Empty(s.found(p.GetClusterMembersRequest{SessionStartedAfter: time.Now().UTC()}))
	eventually(s.T(), "a heartbeat is older than a millisecond", func() bool {
		return len(s.found(p.GetClusterMembersRequest{LastHeartbeatWithin: time.Millisecond, HostIDEquals: r.HostID})) == 0
	})
}

func (s *upstreamClusters) TestClusterMembershipUpsertExpiresCorrectly() {
	r := s.upsert()
	prune := &p.PruneClusterMembershipRequest{MaxRecordsPruned: 100}
	s.Require().NoError(s.ClusterMetadataManager.PruneClusterMembership(s.ctx(), prune))
	s.shows(r, p.GetClusterMembersRequest{LastHeartbeatWithin: time.Hour, HostIDEquals: r.HostID})

	r.RecordExpiry = time.Second
	s.Require().NoError(s.ClusterMetadataManager.UpsertClusterMembership(s.ctx(), r))
	eventually(s.T(), "a member expires", func() bool {
		s.Require().NoError(s.ClusterMetadataManager.PruneClusterMembership(s.ctx(), prune))
		return len(s.found(p.GetClusterMembersRequest{HostIDEquals: r.HostID})) == 0
	})
}
