package conformance

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/tests"
)

// nexusAreas are the Nexus endpoints: upstream's suite, then changes at once and
// while somebody turns pages.
func nexusAreas() []area {
	return []area{
		{"upstream-nexus", []test{{"suite", func(t *testing.T, db *database) {
			tests.RunNexusEndpointTestSuite(t, unhurried{newNexus(t, db).NexusEndpointStore}, &atomic.Int64{})
		}}}},
		{"nexus", []test{
			{"an-empty-table", emptyNexus},
			{"created-at-once", nexusCreatedAtOnce},
			{"updated-at-once", nexusUpdatedAtOnce},
			{"created-and-updated-at-once", nexusCreatedAndUpdated},
			{"updated-and-deleted-at-once", nexusUpdatedAndDeleted},
			{"deleted-while-paging", nexusDeletedWhilePaging},
			{"the-table-outranks-the-endpoint", nexusPriority},
		}},
	}
}

// unhurried is a store that knows no deadline: each of upstream's tests has 5 s for
// up to 15 calls (common/persistence/tests/nexus_endpoint_suite.go).
type unhurried struct{ p.NexusEndpointStore }

func (u unhurried) GetNexusEndpoint(ctx context.Context, r *p.GetNexusEndpointRequest) (*p.InternalNexusEndpoint, error) {
	return u.NexusEndpointStore.GetNexusEndpoint(context.WithoutCancel(ctx), r)
}

func (u unhurried) ListNexusEndpoints(ctx context.Context, r *p.ListNexusEndpointsRequest) (*p.InternalListNexusEndpointsResponse, error) {
	return u.NexusEndpointStore.ListNexusEndpoints(context.WithoutCancel(ctx), r)
}

func (u unhurried) CreateOrUpdateNexusEndpoint(ctx context.Context, r *p.InternalCreateOrUpdateNexusEndpointRequest) error {
	return u.NexusEndpointStore.CreateOrUpdateNexusEndpoint(context.WithoutCancel(ctx), r)
}

func (u unhurried) DeleteNexusEndpoint(ctx context.Context, r *p.DeleteNexusEndpointRequest) error {
	return u.NexusEndpointStore.DeleteNexusEndpoint(context.WithoutCancel(ctx), r)
}

type nexus struct {
	*fixture
	p.NexusEndpointStore
}

func newNexus(t testing.TB, db *database) *nexus {
	t.Helper()
	f := newFixture(t, db)
	s, err := f.factory.NewNexusEndpointStore()
	require.NoError(t, err)
	return &nexus{f, s}
}

// table is the version of the table as a listing shows it.
func (n *nexus) table(t testing.TB) int64 {
	t.Helper()
	page, err := n.ListNexusEndpoints(t.Context(), &p.ListNexusEndpointsRequest{PageSize: 1})
	require.NoError(t, err)
	return page.TableVersion
}

// distinct tells writes apart: of two that are equal in every byte nobody can
// say which one took effect where a server may run one twice.
var distinct atomic.Int64

func (n *nexus) save(t testing.TB, table int64, id string, version int64) error {
	t.Helper()
	return n.CreateOrUpdateNexusEndpoint(t.Context(), &p.InternalCreateOrUpdateNexusEndpointRequest{
		LastKnownTableVersion: table,
		Endpoint:              p.InternalNexusEndpoint{ID: id, Version: version, Data: someText("%s %d, write %d", id, version+1, distinct.Add(1))},
	})
}

func (n *nexus) remove(t testing.TB, table int64, id string) error {
	t.Helper()
	return n.DeleteNexusEndpoint(t.Context(), &p.DeleteNexusEndpointRequest{LastKnownTableVersion: table, ID: id})
}

// created makes an endpoint of version 1.
func (n *nexus) created(t testing.TB) string {
	t.Helper()
	id := uuid.NewString()
	require.NoError(t, n.save(t, n.table(t), id, 0))
	return id
}

// oneWins checks that all but one were refused for the table's version, and that
// it moved by one.
func (n *nexus) oneWins(t *testing.T, was int64, failures []error) {
	t.Helper()
	refused := 0
	for _, err := range failures {
		if err != nil {
			require.ErrorIs(t, err, p.ErrNexusTableVersionConflict)
			refused++
		}
	}
	require.Equal(t, len(failures)-1, refused)
	require.Equal(t, was+1, n.table(t))
}

// emptyNexus is the first of its area: the table has no row yet.
func emptyNexus(t *testing.T, db *database) {
	n := newNexus(t, db)
	require.Zero(t, n.table(t))
	require.ErrorAs(t, n.remove(t, 0, uuid.NewString()), new(*serviceerror.NotFound))
	require.ErrorIs(t, n.remove(t, 3, uuid.NewString()), p.ErrNexusTableVersionConflict)
	require.ErrorIs(t, n.save(t, 3, uuid.NewString(), 0), p.ErrNexusTableVersionConflict)
	require.ErrorIs(t, n.save(t, 0, uuid.NewString(), 3), p.ErrNexusEndpointVersionConflict)
	require.Zero(t, n.table(t))
	id := uuid.NewString()
	n.oneWins(t, 0, atOnce(4, func(int) error { return n.save(t, 0, id, 0) }))
}

func nexusCreatedAtOnce(t *testing.T, db *database) {
	n := newNexus(t, db)
	table, id := n.table(t), uuid.NewString()
	n.oneWins(t, table, atOnce(4, func(int) error { return n.save(t, table, id, 0) }))
}

func nexusUpdatedAtOnce(t *testing.T, db *database) {
	n := newNexus(t, db)
	id := n.created(t)
	table := n.table(t)
	n.oneWins(t, table, atOnce(4, func(int) error { return n.save(t, table, id, 1) }))
	got, err := n.GetNexusEndpoint(t.Context(), &p.GetNexusEndpointRequest{ID: id})
	require.NoError(t, err)
	require.Equal(t, int64(2), got.Version)
}

func nexusCreatedAndUpdated(t *testing.T, db *database) {
	n := newNexus(t, db)
	id, another := n.created(t), uuid.NewString()
	table := n.table(t)
	n.oneWins(t, table, atOnce(2, func(i int) error {
		if i == 0 {
			return n.save(t, table, another, 0)
		}
		return n.save(t, table, id, 1)
	}))
}

func nexusUpdatedAndDeleted(t *testing.T, db *database) {
	n := newNexus(t, db)
	id := n.created(t)
	table := n.table(t)
	failures := atOnce(2, func(i int) error {
		if i == 0 {
			return n.remove(t, table, id)
		}
		return n.save(t, table, id, 1)
	})
	n.oneWins(t, table, failures)
	_, err := n.GetNexusEndpoint(t.Context(), &p.GetNexusEndpointRequest{ID: id})
	if failures[0] == nil {
		require.ErrorAs(t, err, new(*serviceerror.NotFound))
	} else {
		require.NoError(t, err)
	}
}

func nexusDeletedWhilePaging(t *testing.T, db *database) {
	n := newNexus(t, db)
	for range 3 {
		n.created(t)
	}
	first, err := n.ListNexusEndpoints(t.Context(), &p.ListNexusEndpointsRequest{PageSize: 2})
	require.NoError(t, err)
	require.Len(t, first.Endpoints, 2, "the version takes no place in the page")
	require.NotNil(t, first.NextPageToken)
	require.Equal(t, n.table(t), first.TableVersion)
	require.NoError(t, n.remove(t, first.TableVersion, first.Endpoints[1].ID))

	_, err = n.ListNexusEndpoints(t.Context(), &p.ListNexusEndpointsRequest{
		PageSize: 2, NextPageToken: first.NextPageToken, LastKnownTableVersion: first.TableVersion,
	})
	require.ErrorIs(t, err, p.ErrNexusTableVersionConflict)
	next, err := n.ListNexusEndpoints(t.Context(), &p.ListNexusEndpointsRequest{PageSize: 2, NextPageToken: first.NextPageToken})
	require.NoError(t, err)
	require.Equal(t, first.TableVersion+1, next.TableVersion)
	require.NotEmpty(t, next.Endpoints)
	require.NotContains(t, next.Endpoints, first.Endpoints[0])
}

func nexusPriority(t *testing.T, db *database) {
	n := newNexus(t, db)
	id := n.created(t)
	table := n.table(t)
	require.ErrorIs(t, n.save(t, table+1, id, 7), p.ErrNexusTableVersionConflict, "both versions are others")
	require.ErrorIs(t, n.save(t, table, id, 7), p.ErrNexusEndpointVersionConflict)
	require.ErrorIs(t, n.save(t, table, id, 0), p.ErrNexusEndpointVersionConflict)
	require.ErrorIs(t, n.remove(t, table+1, uuid.NewString()), p.ErrNexusTableVersionConflict, "the endpoint does not exist either")
	require.ErrorAs(t, n.remove(t, table, uuid.NewString()), new(*serviceerror.NotFound))
	require.Equal(t, table, n.table(t))
}
