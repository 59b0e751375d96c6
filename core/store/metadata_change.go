package store

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// namespaceChanges is how the changes that touch both a namespace and its id are
// made, which depends on how far an atomic write can reach.
type namespaceChanges interface {
	create(ctx context.Context, id [16]byte, request *p.InternalCreateNamespaceRequest) error
	rename(ctx context.Context, id [16]byte, request *p.InternalRenameNamespaceRequest) error
}

// namesWithIDs is for databases whose atomic writes reach all tables: each
// change is one write.
type namesWithIDs struct{ ex exec.Executor }

func (n namesWithIDs) create(ctx context.Context, id [16]byte, request *p.InternalCreateNamespaceRequest) error {
	version, err := namespaceVersion(ctx, n.ex)
	if err != nil {
		return err
	}
	err = n.ex.Write(ctx, &plan.Write{
		Name: "CreateNamespace", Scope: plan.Atomic,
		Mutations: []plan.Mutation{
			insertNamespaceID(id, request.Name),
			insertNamespace(id, request, version),
			moveNamespaceVersion(version),
		},
	})
	if errors.Is(err, exec.ErrAsLeft) {
		// The very namespace is there. Who made it makes no difference to the hosts
		// of a new cluster, each of which creates the system namespace and asks for
		// this error; to others it says what a second request would hear.
		return serviceerror.NewNamespaceAlreadyExists(fmt.Sprintf(
			"a namespace with name %q and ID %s exists", request.Name, plan.FormatValue(id)))
	}
	return contested(err, namespaceExists)
}

func (n namesWithIDs) rename(ctx context.Context, id [16]byte, request *p.InternalRenameNamespaceRequest) error {
	w := renameNamespace(id, request)
	w.Mutations = append(w.Mutations, pointNamespaceID(id, request.Name))
	return contested(n.ex.Write(ctx, w), nil)
}

// namesAfterIDs is for databases whose atomic writes reach one partition only:
// the row of the id is written first, then name and version together.
//
// A row of an id alone does no harm. Nobody was told the id, and reads by id
// look at the namespace that has the name. The same request again finds the row
// and goes on.
type namesAfterIDs struct{ ex exec.Executor }

func (n namesAfterIDs) create(ctx context.Context, id [16]byte, request *p.InternalCreateNamespaceRequest) error {
	err := n.ex.Write(ctx, &plan.Write{
		Name: "CreateNamespaceID", Scope: plan.Atomic,
		Mutations: []plan.Mutation{insertNamespaceID(id, request.Name)},
	})
	mine := err == nil
	if c := refusedBy(err); c != nil && c.Row().Values[plan.NamespaceIDName] == request.Name {
		err = nil // of an earlier attempt, or of somebody who is at it
	}
	if err != nil {
		return contested(err, namespaceExists)
	}
	version, err := namespaceVersion(ctx, n.ex)
	if err != nil {
		return err
	}
	err = n.ex.Write(ctx, &plan.Write{
		Name: "CreateNamespace", Scope: plan.Atomic,
		Mutations: []plan.Mutation{
			insertNamespace(id, request, version),
			moveNamespaceVersion(version),
		},
	})
	if c := refusedBy(err); mine && c != nil && takenByOther(c, id) {
		n.removeID(ctx, id, request.Name)
	}
	// After a lost race for the version the row of the id stays. Whoever tries
	// again needs it, and somebody else may be creating the same namespace right
	// now (every host creates the system namespace at its first start) and rely
	// on having seen it.
	return contested(err, namespaceExists)
}

// takenByOther tells whether a creation was refused because the name belongs to
// a namespace with another id.
func takenByOther(c *plan.Conflict, id [16]byte) bool {
	if c.Write.Mutations[c.Mutation].Table != plan.Namespaces {
		return false
	}
	owner, shown := c.Row().Values[plan.NamespaceID]
	return shown && owner != id
}

// removeID takes back the row of an id that got no namespace. If that fails, the
// row stays, harmless as it is; the caller has an error to report already.
func (n namesAfterIDs) removeID(ctx context.Context, id [16]byte, name string) {
	_ = n.ex.Write(ctx, &plan.Write{
		Name: "DeleteNamespaceID", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.NamespaceIDs, Op: plan.Delete, Key: []any{id},
			Conds: []plan.Cond{{Test: plan.Equal, Column: plan.NamespaceIDName, Value: name}},
		}},
	})
}

func (n namesAfterIDs) rename(ctx context.Context, id [16]byte, request *p.InternalRenameNamespaceRequest) error {
	if err := n.point(ctx, id, request.Name); err != nil {
		return contested(err, func(*plan.Conflict) error {
			return serviceerror.NewNamespaceNotFound(request.PreviousName)
		})
	}
	err := n.ex.Write(ctx, renameNamespace(id, request))
	if refusedBy(err) != nil {
		// Until the id has its old name again the namespace is not found by it.
		// If this fails, too, only another rename helps; the caller has an error
		// to report already.
		_ = n.point(ctx, id, request.PreviousName)
	}
	return contested(err, nil)
}

func (n namesAfterIDs) point(ctx context.Context, id [16]byte, name string) error {
	return n.ex.Write(ctx, &plan.Write{
		Name: "RenameNamespaceID", Scope: plan.Atomic,
		Mutations: []plan.Mutation{pointNamespaceID(id, name)},
	})
}

func insertNamespaceID(id [16]byte, name string) plan.Mutation {
	return plan.Mutation{
		Table: plan.NamespaceIDs, Op: plan.Insert, Key: []any{id},
		Conds:   []plan.Cond{{Test: plan.RowAbsent}},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.NamespaceIDName, Value: name}},
		Show:    []*plan.Column{plan.NamespaceIDName},
	}
}

// pointNamespaceID gives an id its new name.
func pointNamespaceID(id [16]byte, name string) plan.Mutation {
	return plan.Mutation{
		Table: plan.NamespaceIDs, Op: plan.Update, Key: []any{id},
		Conds:   []plan.Cond{{Test: plan.RowPresent}},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.NamespaceIDName, Value: name}},
	}
}

func insertNamespace(id [16]byte, request *p.InternalCreateNamespaceRequest, version int64) plan.Mutation {
	return plan.Mutation{
		Table: plan.Namespaces, Op: plan.Insert, Key: []any{request.Name},
		Conds: []plan.Cond{{Test: plan.RowAbsent}},
		Effects: []plan.Effect{
			{Op: plan.Set, Column: plan.NamespaceID, Value: id},
			{Op: plan.Set, Column: plan.NamespaceDetail, Value: toBlob(request.Namespace)},
			{Op: plan.Set, Column: plan.NamespaceIsGlobal, Value: request.IsGlobal},
			{Op: plan.Set, Column: plan.NamespaceNotificationVersion, Value: version},
		},
		Show: []*plan.Column{plan.NamespaceID},
	}
}

// renameNamespace moves a namespace to its new name.
func renameNamespace(id [16]byte, request *p.InternalRenameNamespaceRequest) *plan.Write {
	create := &p.InternalCreateNamespaceRequest{
		ID: request.Id, Name: request.Name, Namespace: request.Namespace, IsGlobal: request.IsGlobal,
	}
	return &plan.Write{
		Name: "RenameNamespace", Scope: plan.Atomic,
		Mutations: []plan.Mutation{
			insertNamespace(id, create, request.NotificationVersion),
			{
				Table: plan.Namespaces, Op: plan.Delete, Key: []any{request.PreviousName},
				Conds: []plan.Cond{hasID(id)},
			},
			moveNamespaceVersion(request.NotificationVersion),
		},
	}
}

// namespaceExists is the refusal of a creation by a row that is there. A version
// that has moved on is no such row.
func namespaceExists(c *plan.Conflict) error {
	switch row := c.Row(); c.Write.Mutations[c.Mutation].Table {
	case plan.NamespaceIDs:
		return serviceerror.NewNamespaceAlreadyExists(fmt.Sprintf(
			"a namespace with ID %s exists, its name is %s",
			plan.FormatValue(c.Write.Mutations[c.Mutation].Key[0]), plan.FormatValue(row.Values[plan.NamespaceIDName])))
	case plan.Namespaces:
		return serviceerror.NewNamespaceAlreadyExists(fmt.Sprintf(
			"a namespace with name %s exists, its ID is %s",
			plan.FormatValue(c.Write.Mutations[c.Mutation].Key[0]), plan.FormatValue(row.Values[plan.NamespaceID])))
	default:
		return nil
	}
}
