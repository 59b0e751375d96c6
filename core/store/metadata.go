package store

import (
	"context"
	"fmt"

	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

var (
	readNamespace = &plan.Read{
		Name: "GetNamespace", Table: plan.Namespaces, Eq: 1,
		Columns: []*plan.Column{
			plan.NamespaceID, plan.NamespaceDetail, plan.NamespaceIsGlobal, plan.NamespaceNotificationVersion,
		},
	}
	readNamespaceName = &plan.Read{
		Name: "GetNamespaceName", Table: plan.NamespaceIDs, Eq: 1,
		Columns: []*plan.Column{plan.NamespaceIDName},
	}
	listNamespaces = &plan.Read{
		Name: "ListNamespaces", Table: plan.Namespaces,
		Columns: []*plan.Column{
			plan.NamespaceName, plan.NamespaceDetail, plan.NamespaceIsGlobal, plan.NamespaceNotificationVersion,
		},
	}
	readNamespaceVersion = &plan.Read{
		Name: "GetMetadata", Table: plan.NamespaceVersion,
		Columns: []*plan.Column{plan.GlobalNotificationVersion},
	}
)

// MetadataStore implements persistence.MetadataStore: namespaces by name, the
// names of namespaces by id, and one version that every change of a namespace
// moves on. It is safe for concurrent use.
type MetadataStore struct {
	ex     exec.Executor
	name   string
	change namespaceChanges
}

var _ p.MetadataStore = (*MetadataStore)(nil)

// NewMetadataStore returns a store over ex, which it does not own.
func NewMetadataStore(ex exec.Executor, name string) (*MetadataStore, error) {
	err := ex.Compile(readNamespace, readNamespaceName, listNamespaces, readNamespaceVersion)
	if err != nil {
		return nil, err
	}
	s := &MetadataStore{ex: ex, name: name, change: namesAfterIDs{ex: ex}}
	if ex.Traits().Atomic == cql.AtomicTables {
		s.change = namesWithIDs{ex: ex}
	}
	return s, nil
}

// Close does nothing: the session belongs to the factory.
func (s *MetadataStore) Close() {}

// GetName implements persistence.MetadataStore.
func (s *MetadataStore) GetName() string { return s.name }

// CreateNamespace stores a namespace whose id and name are both new, else it
// returns *serviceerror.NamespaceAlreadyExists. If another namespace was changed
// in the meantime it returns *serviceerror.Unavailable: worth another attempt.
func (s *MetadataStore) CreateNamespace(
	ctx context.Context, request *p.InternalCreateNamespaceRequest,
) (*p.CreateNamespaceResponse, error) {
	id, err := parseUUID("namespace ID", request.ID)
	if err != nil {
		return nil, invalid("CreateNamespace", err)
	}
	if err := s.change.create(ctx, id, request); err != nil {
		return nil, err
	}
	return &p.CreateNamespaceResponse{ID: request.ID}, nil
}

// GetNamespace returns a namespace by its id or by its name, or
// *serviceerror.NamespaceNotFound.
func (s *MetadataStore) GetNamespace(
	ctx context.Context, request *p.GetNamespaceRequest,
) (*p.InternalGetNamespaceResponse, error) {
	switch {
	case request.ID != "" && request.Name != "":
		return nil, serviceerror.NewInvalidArgument("GetNamespace: give an ID or a name, not both")
	case request.ID == "" && request.Name == "":
		return nil, serviceerror.NewInvalidArgument("GetNamespace: give an ID or a name")
	case request.Name != "":
		_, response, err := s.byName(ctx, request.Name)
		if err == nil && response == nil {
			err = serviceerror.NewNamespaceNotFound(request.Name)
		}
		return response, err
	}
	id, err := parseUUID("namespace ID", request.ID)
	if err != nil {
		return nil, serviceerror.NewNamespaceNotFound(request.ID)
	}
	name, found, err := s.nameOf(ctx, id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, serviceerror.NewNamespaceNotFound(request.ID)
	}
	owner, response, err := s.byName(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case response == nil:
		return nil, serviceerror.NewUnavailablef(
			"GetNamespace: %s has the name %q, under which nothing is stored: it is being created, renamed or deleted", request.ID, name)
	case owner != id:
		// What is left of a creation that lost the name to another namespace.
		return nil, serviceerror.NewNamespaceNotFound(request.ID)
	}
	return response, nil
}

// byName returns nil if there is no namespace of that name.
func (s *MetadataStore) byName(ctx context.Context, name string) (id [16]byte, _ *p.InternalGetNamespaceResponse, _ error) {
	row, found, err := exec.One(ctx, s.ex, readNamespace, name)
	switch {
	case err != nil:
		return id, nil, readError(err)
	case !found:
		return id, nil, nil
	case row.Null(0) || row.Null(1):
		return id, nil, malformed("GetNamespace", rowKey(plan.Namespaces, []any{name}), "has no ID or no detail")
	}
	return row.UUID(0), &p.InternalGetNamespaceResponse{
		Namespace: fromBlob(row.Blob(1)), IsGlobal: row.Bool(2), NotificationVersion: row.Int(3),
	}, nil
}

func (s *MetadataStore) nameOf(ctx context.Context, id [16]byte) (name string, found bool, _ error) {
	row, found, err := exec.One(ctx, s.ex, readNamespaceName, id)
	switch {
	case err != nil:
		return "", false, readError(err)
	case !found:
		return "", false, nil
	case row.Null(0):
		return "", false, malformed("GetNamespace", rowKey(plan.NamespaceIDs, []any{id}), "has no name")
	}
	return row.Text(0), true, nil
}

// UpdateNamespace replaces a namespace if nothing changed any namespace since
// NotificationVersion was read, else it returns *serviceerror.Unavailable. The
// namespace must exist and have the id of the request.
func (s *MetadataStore) UpdateNamespace(ctx context.Context, request *p.InternalUpdateNamespaceRequest) error {
	id, err := parseUUID("namespace ID", request.Id)
	if err != nil {
		return invalid("UpdateNamespace", err)
	}
	err = s.ex.Write(ctx, &plan.Write{
		Name: "UpdateNamespace", Scope: plan.Atomic,
		Mutations: []plan.Mutation{
			moveNamespaceVersion(request.NotificationVersion),
			{
				Table: plan.Namespaces, Op: plan.Update, Key: []any{request.Name},
				Conds: []plan.Cond{hasID(id)},
				Effects: []plan.Effect{
					{Op: plan.Set, Column: plan.NamespaceDetail, Value: toBlob(request.Namespace)},
					{Op: plan.Set, Column: plan.NamespaceIsGlobal, Value: request.IsGlobal},
					{Op: plan.Set, Column: plan.NamespaceNotificationVersion, Value: request.NotificationVersion},
				},
			},
		},
	})
	return contested(err, func(c *plan.Conflict) error {
		if c.Write.Mutations[c.Mutation].Table == plan.Namespaces {
			return serviceerror.NewNamespaceNotFound(request.Name)
		}
		return nil
	})
}

// RenameNamespace moves a namespace to a name that nobody has, under the same
// condition as UpdateNamespace. Cut short, it may leave the namespace under its
// old name only; the same call again finishes it.
func (s *MetadataStore) RenameNamespace(ctx context.Context, request *p.InternalRenameNamespaceRequest) error {
	id, err := parseUUID("namespace ID", request.Id)
	if err != nil {
		return invalid("RenameNamespace", err)
	}
	if request.Name == request.PreviousName {
		return serviceerror.NewUnavailablef("RenameNamespace: namespace %q has that name already", request.Name)
	}
	return s.change.rename(ctx, id, request)
}

// DeleteNamespace deletes a namespace by its id, and does nothing if there is
// none. The row that is found by id goes last: cut short, the same call again
// finds what is left.
func (s *MetadataStore) DeleteNamespace(ctx context.Context, request *p.DeleteNamespaceRequest) error {
	id, err := parseUUID("namespace ID", request.ID)
	if err != nil {
		return invalid("DeleteNamespace", err)
	}
	name, found, err := s.nameOf(ctx, id)
	if err != nil || !found {
		return err
	}
	if err := s.deleteName(ctx, name, hasID(id)); err != nil {
		return err
	}
	return s.deleteID(ctx, id)
}

// DeleteNamespaceByName deletes a namespace by its name, and does nothing if
// there is none. The row that is found by name goes last.
func (s *MetadataStore) DeleteNamespaceByName(ctx context.Context, request *p.DeleteNamespaceByNameRequest) error {
	row, found, err := exec.One(ctx, s.ex, readNamespace, request.Name)
	if err != nil {
		return readError(err)
	}
	if !found {
		return nil
	}
	if row.Null(0) {
		// Left by an update that came after a deletion, of a server that does
		// not look: there is no id to care for.
		return s.deleteName(ctx, request.Name, plan.Cond{Test: plan.RowPresent})
	}
	id := row.UUID(0)
	if err := s.deleteID(ctx, id); err != nil {
		return err
	}
	return s.deleteName(ctx, request.Name, hasID(id))
}

func hasID(id [16]byte) plan.Cond {
	return plan.Cond{Test: plan.Equal, Column: plan.NamespaceID, Value: id}
}

// deleteName deletes the row of a name if the condition holds.
func (s *MetadataStore) deleteName(ctx context.Context, name string, cond plan.Cond) error {
	err := s.ex.Write(ctx, &plan.Write{
		Name: "DeleteNamespace", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.Namespaces, Op: plan.Delete, Key: []any{name}, Conds: []plan.Cond{cond},
		}},
	})
	return unlessRefused(err)
}

// deleteID deletes the row of an id. Rows that are inserted with a condition
// are deleted with one: a plain delete has its client's time, an insert that of
// the servers' agreement, and the later of the two would win.
func (s *MetadataStore) deleteID(ctx context.Context, id [16]byte) error {
	err := s.ex.Write(ctx, &plan.Write{
		Name: "DeleteNamespaceID", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.NamespaceIDs, Op: plan.Delete, Key: []any{id},
			Conds: []plan.Cond{{Test: plan.RowPresent}},
		}},
	})
	return unlessRefused(err)
}

// ListNamespaces returns one page of all namespaces.
func (s *MetadataStore) ListNamespaces(
	ctx context.Context, request *p.InternalListNamespacesRequest,
) (*p.InternalListNamespacesResponse, error) {
	rows, err := s.ex.Read(ctx, listNamespaces, plan.Page{Size: request.PageSize, Token: request.NextPageToken})
	if err != nil {
		return nil, readError(err)
	}
	defer func() { _ = rows.Close() }()
	response := &p.InternalListNamespacesResponse{}
	for rows.Next() {
		if rows.Null(1) {
			return nil, malformed("ListNamespaces", rowKey(plan.Namespaces, []any{rows.Text(0)}), "has no detail")
		}
		response.Namespaces = append(response.Namespaces, &p.InternalGetNamespaceResponse{
			Namespace: fromBlob(rows.Blob(1)), IsGlobal: rows.Bool(2), NotificationVersion: rows.Int(3),
		})
	}
	response.NextPageToken = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, readError(err)
	}
	return response, nil
}

// GetMetadata returns the version of all namespaces, 0 before the first one.
func (s *MetadataStore) GetMetadata(ctx context.Context) (*p.GetMetadataResponse, error) {
	version, err := namespaceVersion(ctx, s.ex)
	if err != nil {
		return nil, err
	}
	return &p.GetMetadataResponse{NotificationVersion: version}, nil
}

func namespaceVersion(ctx context.Context, ex exec.Executor) (int64, error) {
	row, found, err := exec.One(ctx, ex, readNamespaceVersion)
	if err != nil {
		return 0, readError(err)
	}
	if !found {
		return 0, nil
	}
	return row.Int(0), nil
}

// moveNamespaceVersion is the mutation by which a change of a namespace takes
// its turn: it refuses the write if another change was made since the version
// was read. Version 0 means that there was none yet.
func moveNamespaceVersion(version int64) plan.Mutation {
	if version == 0 {
		return plan.Mutation{
			Table: plan.NamespaceVersion, Op: plan.Insert, Key: []any{},
			Conds:   []plan.Cond{{Test: plan.RowAbsent}},
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.GlobalNotificationVersion, Value: int64(1)}},
		}
	}
	return plan.Mutation{
		Table: plan.NamespaceVersion, Op: plan.Update, Key: []any{},
		Conds:   []plan.Cond{{Test: plan.Equal, Column: plan.GlobalNotificationVersion, Value: version}},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.GlobalNotificationVersion, Value: version + 1}},
	}
}

// contested is the error of a write that others may get in the way of, and that
// is worth another attempt then: a refusal for which refused has no error is
// *serviceerror.Unavailable.
func contested(err error, refused refusal) error {
	return orUnavailable(writeError(err, refused))
}

// unlessRefused is the error of a deletion: what does not exist any more is deleted.
func unlessRefused(err error) error {
	if wasRefused(err) {
		return nil
	}
	return contested(err, nil)
}

func orUnavailable(err error) error {
	if c, ok := err.(*p.ConditionFailedError); ok { //nolint:errorlint // errors of this package are never wrapped
		return serviceerror.NewUnavailable(fmt.Sprintf("%s: changed by somebody else, try again", c.Msg))
	}
	return err
}
