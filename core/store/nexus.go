package store

import (
	"context"
	"fmt"

	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

var (
	readNexusEndpoint = &plan.Read{
		Name: "GetNexusEndpoint", Table: plan.NexusEndpoints, Eq: 2,
		Columns: []*plan.Column{plan.NexusEndpointData, plan.NexusEndpointVersion},
	}
	readNexusVersion = &plan.Read{
		Name: "GetNexusTableVersion", Table: plan.NexusEndpoints, Eq: 2,
		Columns: []*plan.Column{plan.NexusEndpointVersion},
	}
	listNexusEndpoints = &plan.Read{
		Name: "ListNexusEndpoints", Table: plan.NexusEndpoints,
		Columns: []*plan.Column{
			plan.NexusRowType, plan.NexusEndpointID, plan.NexusEndpointData, plan.NexusEndpointVersion,
		},
	}
)

// nexusVersionKey is the key of the row that holds the version of the table.
var nexusVersionKey = []any{plan.NexusVersionRow, [16]byte{}}

// NexusEndpointStore implements persistence.NexusEndpointStore: endpoints with
// a version each, and a version of all of them together. It is safe for
// concurrent use.
type NexusEndpointStore struct {
	ex   exec.Executor
	name string
}

var _ p.NexusEndpointStore = (*NexusEndpointStore)(nil)

// NewNexusEndpointStore returns a store over ex, which it does not own.
func NewNexusEndpointStore(ex exec.Executor, name string) (*NexusEndpointStore, error) {
	if err := ex.Compile(readNexusEndpoint, readNexusVersion, listNexusEndpoints); err != nil {
		return nil, err
	}
	return &NexusEndpointStore{ex: ex, name: name}, nil
}

// Close does nothing: the session belongs to the factory.
func (s *NexusEndpointStore) Close() {}

// GetName implements persistence.NexusEndpointStore.
func (s *NexusEndpointStore) GetName() string { return s.name }

// CreateOrUpdateNexusEndpoint stores an endpoint and moves on the version of the
// table. Both must have the versions of the request, 0 for what does not exist
// yet. Else it returns an error around persistence.ErrNexusTableVersionConflict,
// or, if only the endpoint's is another, persistence.ErrNexusEndpointVersionConflict.
func (s *NexusEndpointStore) CreateOrUpdateNexusEndpoint(
	ctx context.Context, request *p.InternalCreateOrUpdateNexusEndpointRequest,
) error {
	id, err := parseUUID("Nexus endpoint ID", request.Endpoint.ID)
	if err != nil {
		return invalid("CreateOrUpdateNexusEndpoint", err)
	}
	endpoint := versioned([]any{plan.NexusEndpointRow, id}, request.Endpoint.Version)
	endpoint.Effects = append(endpoint.Effects,
		plan.Effect{Op: plan.Set, Column: plan.NexusEndpointData, Value: toBlob(request.Endpoint.Data)})
	err = s.ex.Write(ctx, &plan.Write{
		Name: "CreateOrUpdateNexusEndpoint", Scope: plan.Atomic,
		Mutations: []plan.Mutation{versioned(nexusVersionKey, request.LastKnownTableVersion), endpoint},
	})
	return contested(err, func(c *plan.Conflict) error {
		if c.Mutation == 0 {
			return tableVersionConflict(request.LastKnownTableVersion, seenVersion(c))
		}
		return fmt.Errorf("%w: endpoint %s has version %d, not %d",
			p.ErrNexusEndpointVersionConflict, request.Endpoint.ID, seenVersion(c), request.Endpoint.Version)
	})
}

// versioned is the mutation that moves a row on from a version.
func versioned(key []any, version int64) plan.Mutation {
	m := plan.Mutation{
		Table: plan.NexusEndpoints, Op: plan.Update, Key: key,
		Conds:   []plan.Cond{{Test: plan.Equal, Column: plan.NexusEndpointVersion, Value: version}},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.NexusEndpointVersion, Value: version + 1}},
	}
	if version == 0 {
		m.Op = plan.Insert
		m.Conds = []plan.Cond{{Test: plan.RowAbsent}}
		m.Show = []*plan.Column{plan.NexusEndpointVersion}
	}
	return m
}

// seenVersion is the version of the row that refused a write, 0 if it has none.
func seenVersion(c *plan.Conflict) int64 {
	version, _ := c.Row().Values[plan.NexusEndpointVersion].(int64)
	return version
}

func tableVersionConflict(expected, current int64) error {
	return fmt.Errorf("%w: the table has version %d, not %d", p.ErrNexusTableVersionConflict, current, expected)
}

// DeleteNexusEndpoint deletes an endpoint and moves on the version of the table,
// which must be the one of the request: else it returns an error around
// persistence.ErrNexusTableVersionConflict. An endpoint that does not exist is
// *serviceerror.NotFound.
func (s *NexusEndpointStore) DeleteNexusEndpoint(ctx context.Context, request *p.DeleteNexusEndpointRequest) error {
	id, err := parseUUID("Nexus endpoint ID", request.ID)
	if err != nil {
		return invalid("DeleteNexusEndpoint", err)
	}
	table := plan.Mutation{
		Table: plan.NexusEndpoints, Op: plan.Update, Key: nexusVersionKey,
		Conds:   []plan.Cond{{Test: plan.Equal, Column: plan.NexusEndpointVersion, Value: request.LastKnownTableVersion}},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.NexusEndpointVersion, Value: request.LastKnownTableVersion + 1}},
	}
	endpoint := plan.Mutation{
		Table: plan.NexusEndpoints, Op: plan.Delete, Key: []any{plan.NexusEndpointRow, id},
		Conds: []plan.Cond{{Test: plan.RowPresent}},
	}
	err = s.ex.Write(ctx, &plan.Write{
		Name: "DeleteNexusEndpoint", Scope: plan.Atomic, Mutations: []plan.Mutation{table, endpoint},
	})
	return contested(err, func(c *plan.Conflict) error {
		if current := seenVersion(c); c.Mutation == 0 && current != request.LastKnownTableVersion {
			return tableVersionConflict(request.LastKnownTableVersion, current)
		}
		// A table without a version has no endpoints either.
		return nexusNotFound(request.ID)
	})
}

func nexusNotFound(id string) error {
	return serviceerror.NewNotFoundf("nexus endpoint not found for ID: %v", id)
}

// GetNexusEndpoint returns one endpoint, or *serviceerror.NotFound.
func (s *NexusEndpointStore) GetNexusEndpoint(
	ctx context.Context, request *p.GetNexusEndpointRequest,
) (*p.InternalNexusEndpoint, error) {
	id, err := parseUUID("Nexus endpoint ID", request.ID)
	if err != nil {
		return nil, invalid("GetNexusEndpoint", err)
	}
	key := []any{plan.NexusEndpointRow, id}
	row, found, err := exec.One(ctx, s.ex, readNexusEndpoint, key...)
	switch {
	case err != nil:
		return nil, readError(err)
	case !found:
		return nil, nexusNotFound(request.ID)
	case row.Null(0) || row.Null(1):
		return nil, malformed("GetNexusEndpoint", rowKey(plan.NexusEndpoints, key), "has no data or no version")
	}
	return &p.InternalNexusEndpoint{ID: request.ID, Data: fromBlob(row.Blob(0)), Version: row.Int(1)}, nil
}

// ListNexusEndpoints returns one page of the endpoints and the version of the
// table, 0 if there never was an endpoint. With LastKnownTableVersion it returns
// an error around persistence.ErrNexusTableVersionConflict if the table has
// another: the pages that were read before do not belong to it.
//
// The version is the first row of the first page, so both are of one instant. A
// later page is followed by a read of the version.
func (s *NexusEndpointStore) ListNexusEndpoints(
	ctx context.Context, request *p.ListNexusEndpointsRequest,
) (*p.InternalListNexusEndpointsResponse, error) {
	page := plan.Page{Size: request.PageSize, Token: request.NextPageToken}
	first := len(page.Token) == 0
	if first && page.Size > 0 {
		page.Size++ // the version's row
	}
	response, err := s.list(ctx, page)
	if err != nil {
		return nil, err
	}
	if !first {
		row, found, err := exec.One(ctx, s.ex, readNexusVersion, nexusVersionKey...)
		if err != nil {
			return nil, readError(err)
		}
		if found {
			response.TableVersion = row.Int(0)
		}
	}
	if known := request.LastKnownTableVersion; known != 0 && known != response.TableVersion {
		return nil, tableVersionConflict(known, response.TableVersion)
	}
	return response, nil
}

func (s *NexusEndpointStore) list(ctx context.Context, page plan.Page) (*p.InternalListNexusEndpointsResponse, error) {
	rows, err := s.ex.Read(ctx, listNexusEndpoints, page)
	if err != nil {
		return nil, readError(err)
	}
	defer func() { _ = rows.Close() }()
	response := &p.InternalListNexusEndpointsResponse{}
	for rows.Next() {
		id := rows.UUID(1)
		switch rows.Int(0) {
		case plan.NexusVersionRow:
			response.TableVersion = rows.Int(3)
		case plan.NexusEndpointRow:
			if rows.Null(2) || rows.Null(3) {
				key := rowKey(plan.NexusEndpoints, []any{plan.NexusEndpointRow, id})
				return nil, malformed("ListNexusEndpoints", key, "has no data or no version")
			}
			response.Endpoints = append(response.Endpoints, p.InternalNexusEndpoint{
				ID: formatUUID(id), Data: fromBlob(rows.Blob(2)), Version: rows.Int(3),
			})
		default:
			return nil, malformed("ListNexusEndpoints", rowKey(plan.NexusEndpoints, []any{rows.Int(0), id}), "is of no known type")
		}
	}
	response.NextPageToken = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, readError(err)
	}
	return response, nil
}
