package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"
	persistencetests "go.temporal.io/server/common/persistence/persistence-tests"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/cql/cqltest"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// namespaceAreas are the namespaces: upstream's suite, then creations at once,
// changes cut short, and what is left of them.
func namespaceAreas() []area {
	return []area{
		{"upstream-namespaces", []test{{"suite", func(t *testing.T, db *database) {
			s := new(persistencetests.MetadataPersistenceSuiteV2)
			s.TestBase = newFixture(t, db).base()
			suite.Run(t, s)
		}}}},
		{"namespaces", []test{
			{"the-same-one-created-at-once", sameNamespaceAtOnce},
			{"different-ones-created-at-once", differentNamespacesAtOnce},
			{"one-name-and-many-ids-at-once", oneNameAtOnce},
			{"ids-left-by-earlier-creations", leftoverIDs},
			{"deletions-cut-short", deletionsCutShort},
			{"rename-cut-short", renameCutShort},
			{"updates-of-another-id", updateOfAnotherID},
		}},
	}
}

// namespaces is a metadata store and its fixture.
type namespaces struct {
	*fixture
	p.MetadataStore
}

func newNamespaces(t testing.TB, db *database) *namespaces {
	t.Helper()
	f := newFixture(t, db)
	s, err := f.factory.NewMetadataStore()
	require.NoError(t, err)
	return &namespaces{f, s}
}

func (n *namespaces) create(ctx context.Context, id, name string) error {
	_, err := n.CreateNamespace(ctx, &p.InternalCreateNamespaceRequest{ID: id, Name: name, Namespace: someText("%s", name)})
	return err
}

// persist tries again as the retry client does, and longer.
func (n *namespaces) persist(ctx context.Context, id, name string) error {
	for {
		err := n.create(ctx, id, name)
		var unavailable *serviceerror.Unavailable
		if !errors.As(err, &unavailable) {
			return err
		}
	}
}

func (n *namespaces) has(t testing.TB, r *p.GetNamespaceRequest) bool {
	t.Helper()
	_, err := n.GetNamespace(t.Context(), r)
	var absent *serviceerror.NamespaceNotFound
	if errors.As(err, &absent) {
		return false
	}
	require.NoError(t, err)
	return true
}

func (n *namespaces) version(t testing.TB) int64 {
	t.Helper()
	m, err := n.GetMetadata(t.Context())
	require.NoError(t, err)
	return m.NotificationVersion
}

func (n *namespaces) update(id, name string, version int64) *p.InternalUpdateNamespaceRequest {
	return &p.InternalUpdateNamespaceRequest{Id: id, Name: name, Namespace: someText("new %s", name), NotificationVersion: version}
}

// atOnce runs one function several times side by side.
func atOnce(n int, run func(i int) error) []error {
	failures := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { <-start; failures[i] = run(i) })
	}
	close(start)
	wg.Wait()
	return failures
}

// countExists checks that every error says that the namespace exists, and
// returns how many there are.
func countExists(t *testing.T, failures []error) int {
	t.Helper()
	n := 0
	for _, err := range failures {
		if err == nil {
			continue
		}
		var exists *serviceerror.NamespaceAlreadyExists
		require.ErrorAs(t, err, &exists)
		n++
	}
	return n
}

// sameNamespaceAtOnce is what happens when all hosts of a new cluster start at
// once: each creates the system namespace.
func sameNamespaceAtOnce(t *testing.T, db *database) {
	n := newNamespaces(t, db)
	for round := range 3 {
		id, name := uuid.NewString(), fmt.Sprintf("same-%d", round)
		was := n.version(t)
		failures := atOnce(4, func(int) error { return n.persist(t.Context(), id, name) })
		require.Equal(t, 3, countExists(t, failures))
		require.True(t, n.has(t, &p.GetNamespaceRequest{ID: id}), "the loser took the winner's ID away")
		require.True(t, n.has(t, &p.GetNamespaceRequest{Name: name}))
		require.Equal(t, was+1, n.version(t))
	}
}

func differentNamespacesAtOnce(t *testing.T, db *database) {
	n := newNamespaces(t, db)
	ids := [4]string{}
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	was := n.version(t)
	failures := atOnce(len(ids), func(i int) error { return n.persist(t.Context(), ids[i], fmt.Sprintf("different-%d", i)) })
	require.Zero(t, countExists(t, failures), "a race for the version is not the existence of the namespace")
	for i, id := range ids {
		require.True(t, n.has(t, &p.GetNamespaceRequest{ID: id}))
		require.True(t, n.has(t, &p.GetNamespaceRequest{Name: fmt.Sprintf("different-%d", i)}))
	}
	require.Equal(t, was+int64(len(ids)), n.version(t))
}

func oneNameAtOnce(t *testing.T, db *database) {
	n := newNamespaces(t, db)
	ids := [4]string{}
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	failures := atOnce(len(ids), func(i int) error { return n.persist(t.Context(), ids[i], "one-name") })
	require.Equal(t, len(ids)-1, countExists(t, failures))
	for i, id := range ids {
		require.Equal(t, failures[i] == nil, n.has(t, &p.GetNamespaceRequest{ID: id}))
	}
}

// leftoverIDs puts the row of an id alone, as a creation leaves it that was cut
// short, before every kind of creation.
func leftoverIDs(t *testing.T, db *database) {
	if db.Dialect.Traits().Atomic == cql.AtomicTables {
		t.Skip("creations of this dialect are one write: they leave nothing")
	}
	n := newNamespaces(t, db)
	leave := func(id, name string) {
		t.Helper()
		require.NoError(t, n.ex.Write(t.Context(), &plan.Write{Name: "leave", Scope: plan.Atomic, Mutations: []plan.Mutation{{
			Table: plan.NamespaceIDs, Op: plan.Insert, Key: []any{[16]byte(uuid.MustParse(id))},
			Conds:   []plan.Cond{{Test: plan.RowAbsent}},
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.NamespaceIDName, Value: name}},
		}}}))
	}
	same, other := uuid.NewString(), uuid.NewString()
	leave(same, "left-same")
	require.NoError(t, n.create(t.Context(), same, "left-same"), "the same creation again")
	require.True(t, n.has(t, &p.GetNamespaceRequest{ID: same}))

	leave(other, "left-other")
	var exists *serviceerror.NamespaceAlreadyExists
	require.ErrorAs(t, n.create(t.Context(), other, "other-name"), &exists, "the ID under another name")
	winner := uuid.NewString()
	require.NoError(t, n.create(t.Context(), winner, "left-other"), "the name under another ID")
	require.False(t, n.has(t, &p.GetNamespaceRequest{ID: other}), "an ID shows another's namespace")
	require.NoError(t, n.DeleteNamespace(t.Context(), &p.DeleteNamespaceRequest{ID: other}))
	require.True(t, n.has(t, &p.GetNamespaceRequest{ID: winner}), "deleting an ID deleted another's namespace")
}

// cutShort makes the session refuse every request after the first n.
func (n *namespaces) cutShort(requests int) {
	seen := 0
	n.tap.Before(func(context.Context, cqltest.Request) error {
		if seen++; seen > requests {
			return &cql.Error{Reach: cql.Unsent, Message: "cut short", Err: errors.New("cut short")}
		}
		return nil
	})
}

func deletionsCutShort(t *testing.T, db *database) {
	n := newNamespaces(t, db)
	for what, remove := range map[string]func(id, name string) error{
		"by-id": func(id, _ string) error {
			return n.DeleteNamespace(t.Context(), &p.DeleteNamespaceRequest{ID: id})
		},
		"by-name": func(_, name string) error {
			return n.DeleteNamespaceByName(t.Context(), &p.DeleteNamespaceByNameRequest{Name: name})
		},
	} {
		for requests := 0; ; requests++ {
			id, name := uuid.NewString(), fmt.Sprintf("cut-%s-%d", what, requests)
			require.NoError(t, n.persist(t.Context(), id, name))
			n.cutShort(requests)
			err := remove(id, name)
			n.tap.Before(nil)
			finished := err == nil
			require.NoError(t, remove(id, name), "the same deletion again, after %d requests", requests)
			require.False(t, n.has(t, &p.GetNamespaceRequest{Name: name}))
			require.False(t, n.has(t, &p.GetNamespaceRequest{ID: id}), "%s after %d requests left the ID", what, requests)
			if finished {
				require.Positive(t, requests)
				break
			}
		}
	}
}

func renameCutShort(t *testing.T, db *database) {
	n := newNamespaces(t, db)
	for requests := 0; ; requests++ {
		id, from, to := uuid.NewString(), fmt.Sprintf("rename-%d", requests), fmt.Sprintf("renamed-%d", requests)
		require.NoError(t, n.persist(t.Context(), id, from))
		request := &p.InternalRenameNamespaceRequest{
			InternalUpdateNamespaceRequest: n.update(id, to, n.version(t)), PreviousName: from,
		}
		n.cutShort(requests)
		err := n.RenameNamespace(t.Context(), request)
		n.tap.Before(nil)
		if err == nil {
			require.Positive(t, requests)
			require.True(t, n.has(t, &p.GetNamespaceRequest{ID: id}))
			break
		}
		require.True(t, n.has(t, &p.GetNamespaceRequest{Name: from}), "neither name is there")
		require.NoError(t, n.RenameNamespace(t.Context(), request), "the same rename again")
		require.False(t, n.has(t, &p.GetNamespaceRequest{Name: from}))
		require.True(t, n.has(t, &p.GetNamespaceRequest{ID: id}))
	}
}

func updateOfAnotherID(t *testing.T, db *database) {
	n := newNamespaces(t, db)
	id := uuid.NewString()
	require.NoError(t, n.persist(t.Context(), id, "updated"))
	var absent *serviceerror.NamespaceNotFound
	require.ErrorAs(t, n.UpdateNamespace(t.Context(), n.update(uuid.NewString(), "updated", n.version(t))), &absent)
	require.ErrorAs(t, n.UpdateNamespace(t.Context(), n.update(id, "never-created", n.version(t))), &absent)
	require.False(t, n.has(t, &p.GetNamespaceRequest{Name: "never-created"}), "an update made a namespace")
	var unavailable *serviceerror.Unavailable
	require.ErrorAs(t, n.UpdateNamespace(t.Context(), n.update(id, "updated", n.version(t)+1)), &unavailable)
	require.NoError(t, n.UpdateNamespace(t.Context(), n.update(id, "updated", n.version(t))))
}
