package store

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/cql/cqltest"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

const (
	namespaceA = "50000000-0000-0000-0000-00000000000a"
	namespaceB = "50000000-0000-0000-0000-00000000000b"
)

// reaches are the two ways in which a namespace and its id are changed together.
var reaches = map[string]cql.Traits{
	"one write":            {Atomic: cql.AtomicTables},
	"a write for each row": {Atomic: cql.AtomicPartition},
}

func newNamespaces(t testing.TB, ex exec.Executor) *MetadataStore {
	t.Helper()
	s, err := NewMetadataStore(ex, "memory")
	require.NoError(t, err)
	return s
}

func createNamespace(id, name string) *p.InternalCreateNamespaceRequest {
	return &p.InternalCreateNamespaceRequest{ID: id, Name: name, Namespace: blob("detail of %s", name), IsGlobal: true}
}

func updateNamespace(id, name string, version int64) *p.InternalUpdateNamespaceRequest {
	return &p.InternalUpdateNamespaceRequest{
		Id: id, Name: name, Namespace: blob("new detail of %s", name), NotificationVersion: version, IsGlobal: true,
	}
}

func mustCreate(t testing.TB, s *MetadataStore, id, name string) {
	t.Helper()
	response, err := s.CreateNamespace(t.Context(), createNamespace(id, name))
	require.NoError(t, err)
	require.Equal(t, id, response.ID)
}

func byName(name string) *p.GetNamespaceRequest { return &p.GetNamespaceRequest{Name: name} }
func byID(id string) *p.GetNamespaceRequest     { return &p.GetNamespaceRequest{ID: id} }

func requireNoNamespace(t testing.TB, s *MetadataStore, r *p.GetNamespaceRequest) {
	t.Helper()
	_, err := s.GetNamespace(t.Context(), r)
	var absent *serviceerror.NamespaceNotFound
	require.ErrorAs(t, err, &absent)
}

func version(t testing.TB, s *MetadataStore) int64 {
	t.Helper()
	m, err := s.GetMetadata(t.Context())
	require.NoError(t, err)
	return m.NotificationVersion
}

func TestNamespacePlans(t *testing.T) {
	for name, traits := range map[string]cql.Traits{"tables": reaches["one write"], "partition": reaches["a write for each row"]} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder(traits)
			s := newNamespaces(t, r)
			step := func(what string, err error) {
				t.Helper()
				require.NoError(t, err)
				r.text.WriteString("== " + what + "\n")
			}
			mustCreate(t, s, namespaceA, "a")
			step("CreateNamespace, the first", nil)
			mustCreate(t, s, namespaceB, "b")
			step("CreateNamespace, a later one", nil)
			_, err := s.CreateNamespace(t.Context(), createNamespace(testNamespace, "b"))
			require.Error(t, err)
			step("CreateNamespace, of a name that is taken", nil)
			_, err = s.GetNamespace(t.Context(), byName("a"))
			step("GetNamespace by name", err)
			_, err = s.GetNamespace(t.Context(), byID(namespaceA))
			step("GetNamespace by ID", err)
			step("UpdateNamespace", s.UpdateNamespace(t.Context(), updateNamespace(namespaceA, "a", 2)))
			step("RenameNamespace", s.RenameNamespace(t.Context(), &p.InternalRenameNamespaceRequest{
				InternalUpdateNamespaceRequest: updateNamespace(namespaceA, "c", 3), PreviousName: "a",
			}))
			_, err = s.ListNamespaces(t.Context(), &p.InternalListNamespacesRequest{PageSize: 10})
			step("ListNamespaces", err)
			_, err = s.GetMetadata(t.Context())
			step("GetMetadata", err)
			step("DeleteNamespace", s.DeleteNamespace(t.Context(), &p.DeleteNamespaceRequest{ID: namespaceA}))
			step("DeleteNamespaceByName", s.DeleteNamespaceByName(t.Context(), &p.DeleteNamespaceByNameRequest{Name: "b"}))
			r.golden(t, "namespaces/"+name)
		})
	}
}

func TestNamespaces(t *testing.T) {
	for name, traits := range reaches {
		t.Run(name, func(t *testing.T) {
			state := memory.NewState()
			s := newNamespaces(t, memory.NewExecutor(state, traits))
			require.Zero(t, version(t, s))
			mustCreate(t, s, namespaceA, "a")
			require.Equal(t, int64(1), version(t, s))

			got, err := s.GetNamespace(t.Context(), byID(namespaceA))
			require.NoError(t, err)
			require.Equal(t, "detail of a", string(got.Namespace.Data))
			require.True(t, got.IsGlobal)

			var exists *serviceerror.NamespaceAlreadyExists
			for what, request := range map[string]*p.InternalCreateNamespaceRequest{
				"same":       createNamespace(namespaceA, "a"),
				"other id":   createNamespace(namespaceB, "a"),
				"other name": createNamespace(namespaceA, "b"),
			} {
				was := state.Dump()
				_, err := s.CreateNamespace(t.Context(), request)
				require.ErrorAs(t, err, &exists, what)
				require.Equal(t, was, state.Dump(), "%s: something was left behind", what)
			}

			var unavailable *serviceerror.Unavailable
			require.ErrorAs(t, s.UpdateNamespace(t.Context(), updateNamespace(namespaceA, "a", 0)), &unavailable)
			require.ErrorAs(t, s.UpdateNamespace(t.Context(), updateNamespace(namespaceA, "a", 5)), &unavailable)
			var absent *serviceerror.NamespaceNotFound
			require.ErrorAs(t, s.UpdateNamespace(t.Context(), updateNamespace(namespaceB, "a", 1)), &absent, "another namespace's id")
			require.ErrorAs(t, s.UpdateNamespace(t.Context(), updateNamespace(namespaceB, "b", 1)), &absent)
			require.Equal(t, 1, state.Len(plan.Namespaces), "an update made a namespace")
			require.NoError(t, s.UpdateNamespace(t.Context(), updateNamespace(namespaceA, "a", 1)))
			require.Equal(t, int64(2), version(t, s))

			rename := func(to, from string, version int64) error {
				return s.RenameNamespace(t.Context(), &p.InternalRenameNamespaceRequest{
					InternalUpdateNamespaceRequest: updateNamespace(namespaceA, to, version), PreviousName: from,
				})
			}
			mustCreate(t, s, namespaceB, "b")
			require.ErrorAs(t, rename("a", "a", 3), &unavailable)
			was := state.Dump()
			require.ErrorAs(t, rename("b", "a", 3), &unavailable, "a name that another has")
			require.ErrorAs(t, rename("c", "a", 2), &unavailable, "a version that has moved on")
			require.Equal(t, was, state.Dump(), "a refused rename left something behind")
			require.NoError(t, rename("c", "a", 3))
			requireNoNamespace(t, s, byName("a"))
			got, err = s.GetNamespace(t.Context(), byID(namespaceA))
			require.NoError(t, err)
			require.Equal(t, "new detail of c", string(got.Namespace.Data))

			list, err := s.ListNamespaces(t.Context(), &p.InternalListNamespacesRequest{PageSize: 10})
			require.NoError(t, err)
			require.Len(t, list.Namespaces, 2)

			for range 2 { // deleting is idempotent
				require.NoError(t, s.DeleteNamespace(t.Context(), &p.DeleteNamespaceRequest{ID: namespaceA}))
				require.NoError(t, s.DeleteNamespaceByName(t.Context(), &p.DeleteNamespaceByNameRequest{Name: "b"}))
			}
			require.Zero(t, state.Len(plan.Namespaces)+state.Len(plan.NamespaceIDs))
		})
	}
}

// raceFor lets somebody else change a namespace right before the named write.
func raceFor(plan string, tap *cqltest.Tap, change func()) {
	tap.Before(func(_ context.Context, r cqltest.Request) error {
		if r.Plan == plan {
			tap.Before(nil)
			change()
		}
		return nil
	})
}

func TestCreateNamespaceLosesTheRaceForTheVersion(t *testing.T) {
	for name, traits := range reaches {
		t.Run(name, func(t *testing.T) {
			state := memory.NewState()
			tap := cqltest.NewTap(memory.NewSession(state))
			s := newNamespaces(t, exec.New(tap, memory.NewDialect(traits), nil))
			raceFor("CreateNamespace", tap, func() {
				mustCreate(t, newNamespaces(t, memory.NewExecutor(state, traits)), namespaceB, "b")
			})
			_, err := s.CreateNamespace(t.Context(), createNamespace(namespaceA, "a"))
			var unavailable *serviceerror.Unavailable
			require.ErrorAs(t, err, &unavailable, "another namespace's creation is not this one's existence")
			requireNoNamespace(t, s, byName("a"))
			mustCreate(t, s, namespaceA, "a") // what the retry client does
		})
	}
}

func TestCreateNamespaceTwiceAtOnce(t *testing.T) {
	for name, traits := range reaches {
		t.Run(name, func(t *testing.T) {
			state := memory.NewState()
			tap := cqltest.NewTap(memory.NewSession(state))
			s := newNamespaces(t, exec.New(tap, memory.NewDialect(traits), nil))
			other := newNamespaces(t, memory.NewExecutor(state, traits))
			raceFor("CreateNamespace", tap, func() { mustCreate(t, other, namespaceA, "a") })
			_, err := s.CreateNamespace(t.Context(), createNamespace(namespaceA, "a"))
			var exists *serviceerror.NamespaceAlreadyExists
			require.ErrorAs(t, err, &exists)
			_, err = s.GetNamespace(t.Context(), byID(namespaceA))
			require.NoError(t, err, "the winner's row of the ID is gone")
		})
	}
}

// TestNamespaceChangesCutShort stops every change after each of its requests and
// looks at what is left: it must be reachable, and the same call must finish.
func TestNamespaceChangesCutShort(t *testing.T) {
	lost := &cql.Error{Reach: cql.Unsent, Err: errors.New("cut short")}
	changes := map[string]func(ctx context.Context, s *MetadataStore) error{
		"create": func(ctx context.Context, s *MetadataStore) error {
			_, err := s.CreateNamespace(ctx, createNamespace(namespaceB, "b"))
			return err
		},
		"rename": func(ctx context.Context, s *MetadataStore) error {
			return s.RenameNamespace(ctx, &p.InternalRenameNamespaceRequest{
				InternalUpdateNamespaceRequest: updateNamespace(namespaceA, "c", 1), PreviousName: "a",
			})
		},
		"delete by id": func(ctx context.Context, s *MetadataStore) error {
			return s.DeleteNamespace(ctx, &p.DeleteNamespaceRequest{ID: namespaceA})
		},
		"delete by name": func(ctx context.Context, s *MetadataStore) error {
			return s.DeleteNamespaceByName(ctx, &p.DeleteNamespaceByNameRequest{Name: "a"})
		},
	}
	for name, traits := range reaches {
		for what, change := range changes {
			t.Run(what+", "+name, func(t *testing.T) {
				finished := whole(t, traits, change)
				for after := 0; ; after++ {
					state := memory.NewState()
					tap := cqltest.NewTap(memory.NewSession(state))
					s := newNamespaces(t, exec.New(tap, memory.NewDialect(traits), nil))
					mustCreate(t, s, namespaceA, "a")
					n := 0
					tap.Before(func(context.Context, cqltest.Request) error {
						if n++; n > after {
							return lost
						}
						return nil
					})
					err := change(t.Context(), s)
					tap.Before(nil)
					if err == nil {
						require.Positive(t, after, "the change made no request")
						return
					}
					if state.Len(plan.Namespaces) > 0 {
						list, err := s.ListNamespaces(t.Context(), &p.InternalListNamespacesRequest{PageSize: 10})
						require.NoError(t, err)
						require.NotEmpty(t, list.Namespaces)
					}
					require.NoError(t, change(t.Context(), s), "the same call after request %d failed", after)
					require.Equal(t, finished, state.Dump(), "cut short at request %d", after)
				}
			})
		}
	}
}

func whole(t *testing.T, traits cql.Traits, change func(ctx context.Context, s *MetadataStore) error) string {
	t.Helper()
	state := memory.NewState()
	s := newNamespaces(t, memory.NewExecutor(state, traits))
	mustCreate(t, s, namespaceA, "a")
	require.NoError(t, change(t.Context(), s))
	return state.Dump()
}

func TestIDsWithoutTheirNamespace(t *testing.T) {
	state := memory.NewState()
	ex := memory.NewExecutor(state, reaches["a write for each row"])
	s := newNamespaces(t, ex)
	mustCreate(t, s, namespaceA, "a")
	orphan, err := parseUUID("", namespaceB)
	require.NoError(t, err)
	require.NoError(t, ex.Write(t.Context(), &plan.Write{
		Name: "orphan", Scope: plan.Atomic, Mutations: []plan.Mutation{insertNamespaceID(orphan, "a")},
	}))
	requireNoNamespace(t, s, byID(namespaceB))
	require.NoError(t, s.DeleteNamespace(t.Context(), &p.DeleteNamespaceRequest{ID: namespaceB}))
	_, err = s.GetNamespace(t.Context(), byID(namespaceA))
	require.NoError(t, err, "deleting what is left of one namespace deleted another")

	require.NoError(t, ex.Write(t.Context(), &plan.Write{
		Name: "orphan", Scope: plan.Atomic, Mutations: []plan.Mutation{insertNamespaceID(orphan, "b")},
	}))
	_, err = s.GetNamespace(t.Context(), byID(namespaceB))
	var unavailable *serviceerror.Unavailable
	require.ErrorAs(t, err, &unavailable, "it may be under way")
}

func TestGetNamespaceRequests(t *testing.T) {
	s := newNamespaces(t, memory.NewExecutor(memory.NewState(), cql.Traits{}))
	var invalid *serviceerror.InvalidArgument
	_, err := s.GetNamespace(t.Context(), &p.GetNamespaceRequest{})
	require.ErrorAs(t, err, &invalid)
	_, err = s.GetNamespace(t.Context(), &p.GetNamespaceRequest{ID: namespaceA, Name: "a"})
	require.ErrorAs(t, err, &invalid)
	requireNoNamespace(t, s, byID("not a UUID"))
	requireNoNamespace(t, s, byName("a"))
}
