package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
)

func newNexus(t testing.TB, ex exec.Executor) *NexusEndpointStore {
	t.Helper()
	s, err := NewNexusEndpointStore(ex, "memory")
	require.NoError(t, err)
	return s
}

func endpointID(n int) string { return fmt.Sprintf("60000000-0000-0000-0000-%012d", n) }

func saveEndpoint(s *NexusEndpointStore, t testing.TB, table int64, n int, version int64) error {
	t.Helper()
	return s.CreateOrUpdateNexusEndpoint(t.Context(), &p.InternalCreateOrUpdateNexusEndpointRequest{
		LastKnownTableVersion: table,
		Endpoint:              p.InternalNexusEndpoint{ID: endpointID(n), Version: version, Data: blob("endpoint %d.%d", n, version+1)},
	})
}

func deleteEndpoint(s *NexusEndpointStore, t testing.TB, table int64, n int) error {
	t.Helper()
	return s.DeleteNexusEndpoint(t.Context(), &p.DeleteNexusEndpointRequest{LastKnownTableVersion: table, ID: endpointID(n)})
}

func TestNexusPlans(t *testing.T) {
	r := newRecorder(cql.Traits{})
	s := newNexus(t, r)
	require.NoError(t, saveEndpoint(s, t, 0, 1, 0))
	require.NoError(t, saveEndpoint(s, t, 1, 2, 0))
	require.NoError(t, saveEndpoint(s, t, 2, 1, 1))
	_, err := s.GetNexusEndpoint(t.Context(), &p.GetNexusEndpointRequest{ID: endpointID(1)})
	require.NoError(t, err)
	page, err := s.ListNexusEndpoints(t.Context(), &p.ListNexusEndpointsRequest{PageSize: 1})
	require.NoError(t, err)
	_, err = s.ListNexusEndpoints(t.Context(), &p.ListNexusEndpointsRequest{
		PageSize: 1, LastKnownTableVersion: page.TableVersion, NextPageToken: page.NextPageToken,
	})
	require.NoError(t, err)
	require.NoError(t, deleteEndpoint(s, t, 3, 2))
	r.golden(t, "nexus/calls")
}

func TestNexusVersions(t *testing.T) {
	state := memory.NewState()
	s := newNexus(t, memory.NewExecutor(state, cql.Traits{}))
	var absent *serviceerror.NotFound
	require.ErrorAs(t, deleteEndpoint(s, t, 0, 1), &absent, "an empty table")
	require.ErrorIs(t, deleteEndpoint(s, t, 4, 1), p.ErrNexusTableVersionConflict)
	require.ErrorIs(t, saveEndpoint(s, t, 4, 1, 0), p.ErrNexusTableVersionConflict)

	require.NoError(t, saveEndpoint(s, t, 0, 1, 0))
	was := state.Dump()
	for name, err := range map[string]error{
		"creation by somebody who saw an empty table": saveEndpoint(s, t, 0, 2, 0),
		"both versions are others":                    saveEndpoint(s, t, 5, 1, 7),
		"a deletion":                                  deleteEndpoint(s, t, 5, 1),
		"a deletion of what does not exist":           deleteEndpoint(s, t, 5, 9),
	} {
		require.ErrorIs(t, err, p.ErrNexusTableVersionConflict, name)
	}
	for name, err := range map[string]error{
		"an endpoint that exists":         saveEndpoint(s, t, 1, 1, 0),
		"another version of the endpoint": saveEndpoint(s, t, 1, 1, 7),
		"one that does not exist":         saveEndpoint(s, t, 1, 2, 7),
	} {
		require.ErrorIs(t, err, p.ErrNexusEndpointVersionConflict, name)
	}
	require.ErrorAs(t, deleteEndpoint(s, t, 1, 2), &absent)
	_, err := s.GetNexusEndpoint(t.Context(), &p.GetNexusEndpointRequest{ID: endpointID(2)})
	require.ErrorAs(t, err, &absent)
	require.Equal(t, was, state.Dump(), "a refused call changed something")

	require.NoError(t, saveEndpoint(s, t, 1, 1, 1))
	got, err := s.GetNexusEndpoint(t.Context(), &p.GetNexusEndpointRequest{ID: endpointID(1)})
	require.NoError(t, err)
	require.Equal(t, int64(2), got.Version)
	require.Equal(t, "endpoint 1.2", string(got.Data.Data))
}

func TestNexusPages(t *testing.T) {
	s := newNexus(t, memory.NewExecutor(memory.NewState(), cql.Traits{}))
	list := func(r *p.ListNexusEndpointsRequest) *p.InternalListNexusEndpointsResponse {
		t.Helper()
		page, err := s.ListNexusEndpoints(t.Context(), r)
		require.NoError(t, err)
		return page
	}
	page := list(&p.ListNexusEndpointsRequest{PageSize: 2})
	require.Zero(t, page.TableVersion)
	for n := range 5 {
		require.NoError(t, saveEndpoint(s, t, int64(n), n, 0))
	}
	require.Len(t, list(&p.ListNexusEndpointsRequest{}).Endpoints, 5, "no page size")

	var ids []string
	r := &p.ListNexusEndpointsRequest{PageSize: 2}
	for pages := 1; ; pages++ {
		page := list(r)
		require.Equal(t, int64(5), page.TableVersion)
		for _, e := range page.Endpoints {
			ids = append(ids, e.ID)
		}
		if page.NextPageToken == nil {
			require.Equal(t, 3, pages)
			break
		}
		require.Len(t, page.Endpoints, 2, "the version's row takes no place")
		r.NextPageToken, r.LastKnownTableVersion = page.NextPageToken, page.TableVersion
	}
	require.Equal(t, []string{endpointID(0), endpointID(1), endpointID(2), endpointID(3), endpointID(4)}, ids)

	require.NoError(t, deleteEndpoint(s, t, 5, 0))
	_, err := s.ListNexusEndpoints(t.Context(), r)
	require.ErrorIs(t, err, p.ErrNexusTableVersionConflict, "deleted while paging")
	r.LastKnownTableVersion = 0
	require.Equal(t, int64(6), list(r).TableVersion, "whoever does not care gets the next page")
	_, err = s.ListNexusEndpoints(t.Context(), &p.ListNexusEndpointsRequest{PageSize: 2, LastKnownTableVersion: 5})
	require.ErrorIs(t, err, p.ErrNexusTableVersionConflict, "on the first page")
}
