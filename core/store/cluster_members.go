package store

import (
	"context"
	"fmt"
	"math"
	"net"
	"time"

	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// memberFilter says by which columns members are selected, beside the two times
// that always are. Given a role, the host is part of the key.
type memberFilter struct{ role, host, address bool }

// readMembers has a read for every filter.
var readMembers = func() map[memberFilter]*plan.Read {
	reads := make(map[memberFilter]*plan.Read, 8)
	for bits := range 8 {
		f := memberFilter{role: bits&1 != 0, host: bits&2 != 0, address: bits&4 != 0}
		reads[f] = memberRead(f)
	}
	return reads
}()

func memberRead(f memberFilter) *plan.Read {
	read := &plan.Read{
		Name: "GetClusterMembers", Table: plan.ClusterMembers,
		Columns: []*plan.Column{
			plan.MemberRole, plan.MemberHostID, plan.MemberAddress, plan.MemberPort,
			plan.MemberSessionStart, plan.MemberLastHeartbeat,
		},
		TTLOf: plan.MemberSessionStart,
	}
	switch {
	case f.role && f.host:
		read.Eq = 2
	case f.role:
		read.Eq = 1
	case f.host:
		read.Filters = append(read.Filters, plan.Filter{Column: plan.MemberHostID, Relation: plan.Is})
	}
	if f.address {
		read.Filters = append(read.Filters, plan.Filter{Column: plan.MemberAddress, Relation: plan.Is})
	}
	read.Filters = append(read.Filters,
		plan.Filter{Column: plan.MemberSessionStart, Relation: plan.After},
		plan.Filter{Column: plan.MemberLastHeartbeat, Relation: plan.After},
	)
	return read
}

func memberReads() []*plan.Read {
	reads := make([]*plan.Read, 0, len(readMembers))
	for _, read := range readMembers {
		reads = append(reads, read)
	}
	return reads
}

// GetClusterMembers returns one page of the hosts that match all given filters.
// Hosts whose record has expired are never among them.
func (s *ClusterMetadataStore) GetClusterMembers(
	ctx context.Context, request *p.GetClusterMembersRequest,
) (*p.GetClusterMembersResponse, error) {
	now := time.Now().UTC()
	f := memberFilter{
		role: request.RoleEquals != p.All, host: len(request.HostIDEquals) != 0, address: request.RPCAddressEquals != nil,
	}
	args := make([]any, 0, 5)
	if f.role {
		args = append(args, int64(request.RoleEquals))
	}
	if f.host {
		id, err := hostID(request.HostIDEquals)
		if err != nil {
			return nil, invalid("GetClusterMembers", err)
		}
		args = append(args, id)
	}
	if f.address {
		args = append(args, request.RPCAddressEquals.String())
	}
	// The zero time is before every time that anybody stores.
	since := time.Time{}
	if request.LastHeartbeatWithin > 0 {
		since = now.Add(-request.LastHeartbeatWithin)
	}
	args = append(args, toMillis(request.SessionStartedAfter), toMillis(since))

	rows, err := s.ex.Read(ctx, readMembers[f], plan.Page{Size: request.PageSize, Token: request.NextPageToken}, args...)
	if err != nil {
		return nil, readError(err)
	}
	defer func() { _ = rows.Close() }()
	response := &p.GetClusterMembersResponse{}
	for rows.Next() {
		role, id := rows.Int(0), rows.UUID(1)
		key := rowKey(plan.ClusterMembers, []any{role, id})
		address := net.ParseIP(rows.Text(2))
		port := rows.Int(3)
		switch {
		case address == nil:
			return nil, malformed("GetClusterMembers", key, fmt.Sprintf("has the address %q", rows.Text(2)))
		case port < 0 || port > math.MaxUint16:
			return nil, malformed("GetClusterMembers", key, fmt.Sprintf("has the port %d", port))
		}
		response.ActiveMembers = append(response.ActiveMembers, &p.ClusterMember{
			Role: p.ServiceType(role), HostID: id[:], RPCAddress: address, RPCPort: uint16(port),
			SessionStart: fromMillis(rows.Int(4)), LastHeartbeat: fromMillis(rows.Int(5)),
			RecordExpiry: now.Add(time.Duration(rows.Int(6)) * time.Second),
		})
	}
	response.NextPageToken = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, readError(err)
	}
	return response, nil
}

// UpsertClusterMembership says that a host lives. The record expires after
// RecordExpiry, which is cut to whole seconds, one at least.
func (s *ClusterMetadataStore) UpsertClusterMembership(
	ctx context.Context, request *p.UpsertClusterMembershipRequest,
) error {
	id, err := hostID(request.HostID)
	if err != nil {
		return invalid("UpsertClusterMembership", err)
	}
	err = s.ex.Write(ctx, &plan.Write{
		Name: "UpsertClusterMembership", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.ClusterMembers, Op: plan.Insert, Key: []any{int64(request.Role), id},
			TTL: max(int64(request.RecordExpiry/time.Second), 1),
			Effects: []plan.Effect{
				{Op: plan.Set, Column: plan.MemberAddress, Value: request.RPCAddress.String()},
				{Op: plan.Set, Column: plan.MemberPort, Value: int64(request.RPCPort)},
				{Op: plan.Set, Column: plan.MemberSessionStart, Value: toMillis(request.SessionStart)},
				{Op: plan.Set, Column: plan.MemberLastHeartbeat, Value: toMillis(time.Now())},
			},
		}},
	})
	return writeError(err, nil)
}

// PruneClusterMembership does nothing: the records expire by themselves. (A
// factory refuses databases that cannot do that.)
func (s *ClusterMetadataStore) PruneClusterMembership(context.Context, *p.PruneClusterMembershipRequest) error {
	return nil
}

func hostID(b []byte) ([16]byte, error) {
	if len(b) != 16 {
		return [16]byte{}, fmt.Errorf("host ID %x is not 16 bytes", b)
	}
	return [16]byte(b), nil
}
