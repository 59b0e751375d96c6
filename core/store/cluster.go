package store

import (
	"context"

	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

var (
	readClusterMetadata = &plan.Read{
		Name: "GetClusterMetadata", Table: plan.ClusterMetadata, Eq: 1,
		Columns: []*plan.Column{plan.ClusterMetadataBlob, plan.ClusterMetadataVersion},
	}
	listClusterMetadata = &plan.Read{
		Name: "ListClusterMetadata", Table: plan.ClusterMetadata,
		Columns: []*plan.Column{plan.ClusterName, plan.ClusterMetadataBlob, plan.ClusterMetadataVersion},
	}
)

// ClusterMetadataStore implements persistence.ClusterMetadataStore: what a
// cluster knows of itself and of others, and which of its hosts live. It is safe
// for concurrent use.
type ClusterMetadataStore struct {
	ex   exec.Executor
	name string
}

var _ p.ClusterMetadataStore = (*ClusterMetadataStore)(nil)

// NewClusterMetadataStore returns a store over ex, which it does not own.
func NewClusterMetadataStore(ex exec.Executor, name string) (*ClusterMetadataStore, error) {
	if err := ex.Compile(append(memberReads(), readClusterMetadata, listClusterMetadata)...); err != nil {
		return nil, err
	}
	return &ClusterMetadataStore{ex: ex, name: name}, nil
}

// Close does nothing: the session belongs to the factory.
func (s *ClusterMetadataStore) Close() {}

// GetName implements persistence.ClusterMetadataStore.
func (s *ClusterMetadataStore) GetName() string { return s.name }

// ListClusterMetadata returns one page of all clusters.
func (s *ClusterMetadataStore) ListClusterMetadata(
	ctx context.Context, request *p.InternalListClusterMetadataRequest,
) (*p.InternalListClusterMetadataResponse, error) {
	rows, err := s.ex.Read(ctx, listClusterMetadata, plan.Page{Size: request.PageSize, Token: request.NextPageToken})
	if err != nil {
		return nil, readError(err)
	}
	defer func() { _ = rows.Close() }()
	response := &p.InternalListClusterMetadataResponse{}
	for rows.Next() {
		if rows.Null(1) || rows.Null(2) {
			key := rowKey(plan.ClusterMetadata, []any{rows.Text(0)})
			return nil, malformed("ListClusterMetadata", key, "has no data or no version")
		}
		response.ClusterMetadata = append(response.ClusterMetadata, &p.InternalGetClusterMetadataResponse{
			ClusterMetadata: fromBlob(rows.Blob(1)), Version: rows.Int(2),
		})
	}
	response.NextPageToken = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, readError(err)
	}
	return response, nil
}

// GetClusterMetadata returns what is stored of one cluster, or
// *serviceerror.NotFound, by which a server knows that it is the first to start
// (temporal/fx.go, ApplyClusterMetadataConfigProvider).
func (s *ClusterMetadataStore) GetClusterMetadata(
	ctx context.Context, request *p.InternalGetClusterMetadataRequest,
) (*p.InternalGetClusterMetadataResponse, error) {
	row, found, err := exec.One(ctx, s.ex, readClusterMetadata, request.ClusterName)
	key := rowKey(plan.ClusterMetadata, []any{request.ClusterName})
	switch {
	case err != nil:
		return nil, readError(err)
	case !found:
		return nil, notFound("GetClusterMetadata", key)
	case row.Null(0) || row.Null(1):
		return nil, malformed("GetClusterMetadata", key, "has no data or no version")
	}
	return &p.InternalGetClusterMetadataResponse{ClusterMetadata: fromBlob(row.Blob(0)), Version: row.Int(1)}, nil
}

// SaveClusterMetadata stores what is known of a cluster if the stored version
// is that of the request (0: nothing is stored yet), and returns true; else it
// returns *serviceerror.Unavailable.
func (s *ClusterMetadataStore) SaveClusterMetadata(
	ctx context.Context, request *p.InternalSaveClusterMetadataRequest,
) (bool, error) {
	m := plan.Mutation{
		Table: plan.ClusterMetadata, Op: plan.Update, Key: []any{request.ClusterName},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ClusterMetadataVersion, Value: request.Version}},
		Effects: []plan.Effect{
			{Op: plan.Set, Column: plan.ClusterMetadataBlob, Value: toBlob(request.ClusterMetadata)},
			{Op: plan.Set, Column: plan.ClusterMetadataVersion, Value: request.Version + 1},
		},
	}
	if request.Version == 0 {
		m.Op = plan.Insert
		m.Conds = []plan.Cond{{Test: plan.RowAbsent}}
	}
	err := s.ex.Write(ctx, &plan.Write{Name: "SaveClusterMetadata", Scope: plan.Atomic, Mutations: []plan.Mutation{m}})
	if err != nil {
		return false, contested(err, nil)
	}
	return true, nil
}

// DeleteClusterMetadata deletes what is stored of a cluster, if anything is. The
// delete has a condition because the inserts and updates of the row have one.
func (s *ClusterMetadataStore) DeleteClusterMetadata(
	ctx context.Context, request *p.InternalDeleteClusterMetadataRequest,
) error {
	err := s.ex.Write(ctx, &plan.Write{
		Name: "DeleteClusterMetadata", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.ClusterMetadata, Op: plan.Delete, Key: []any{request.ClusterName},
			Conds: []plan.Cond{{Test: plan.RowPresent}},
		}},
	})
	return unlessRefused(err)
}
