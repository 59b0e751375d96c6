// Package conformance is the suite that every backend passes: Temporal's own
// persistence suites, and what they do not ask (the errors of each refusal, two
// owners of one shard, replies that never came, every driver error at every
// position of every call).
//
// A backend runs it from a test whose name begins with TestCassandra: upstream's
// suite of executions skips a test under every other name
// (common/persistence/tests/execution_mutable_state.go, TestListConcreteExecutions).
//
//	func TestCassandraConformance(t *testing.T) { conformance.Run(t, harness{}) }
package conformance

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// Harness makes databases of one backend.
type Harness interface {
	// Open returns an empty database with all tables that nobody else uses. It
	// goes away with the test.
	Open(t *testing.T) Database
	// Excused are the tests that this harness cannot carry, by name, with the
	// reason: a backend is never excused, the environment may be.
	Excused() map[string]string
}

// Database is what stores run on.
type Database struct {
	Session cql.Session
	Dialect dialect.Dialect
	// Name is what stores call themselves.
	Name string
	// RoundTrips is a document that shows the table of round trips on this
	// dialect; empty: none does.
	RoundTrips string
}

// area is a group of tests that share a database.
type area struct {
	name  string
	tests []test
}

type test struct {
	name string
	run  func(t *testing.T, db *database)
}

// areas lists the whole suite.
func areas() []area {
	return slices.Concat(
		upstreamExecutions(), executionAreas(),
		matchingAreas(), namespaceAreas(), clusterAreas(), queueAreas(), nexusAreas(), roundTripAreas(), otherFaultAreas(),
	)
}

// Run checks that a backend keeps the contract of Temporal's stores.
func Run(t *testing.T, h Harness) { run(t, h, areas()) }

// RunAreas is Run of some areas, for a second setting of a backend that passes
// all of them: those that the setting is about.
func RunAreas(t *testing.T, h Harness, names ...string) {
	all := areas()
	chosen := make([]area, len(names))
	for i, name := range names {
		at := slices.IndexFunc(all, func(a area) bool { return a.name == name })
		require.NotEqual(t, -1, at, "there is no area %q", name)
		chosen[i] = all[at]
	}
	run(t, h, chosen)
}

func run(t *testing.T, h Harness, areas []area) {
	excused := h.Excused()
	for _, a := range areas {
		t.Run(a.name, func(t *testing.T) {
			db := &database{Database: h.Open(t)}
			for _, tt := range a.tests {
				t.Run(tt.name, func(t *testing.T) {
					if why, ok := excused[a.name+"/"+tt.name]; ok {
						t.Skipf("excused: %s", why)
					}
					tt.run(t, db)
				})
			}
		})
	}
}

// database is an open Database with shards that no two tests share.
type database struct {
	Database
	shards atomic.Int32
}

// whole tells the form in which the server hands over tree nodes.
func (d *database) whole() bool { return d.Dialect.Traits().WholeNodes }

// sequenced tells whether owners settle writes whose answers they lost.
func (d *database) sequenced() bool { return d.Dialect.Traits().Sequenced }

// scene returns requests about a shard of its own, which does not exist yet.
func (d *database) scene() storetest.Scene {
	return storetest.Fresh(1000+d.shards.Add(1), d.whole())
}

// factory returns the stores of one owner: a process of its own as far as
// the database can tell. wrap, if not nil, stands between it and the session.
func (d *database) factory(t *testing.T, wrap func(cql.Session) cql.Session) *store.DataStoreFactory {
	t.Helper()
	session := d.Session
	if wrap != nil {
		session = wrap(session)
	}
	f, err := store.NewDataStoreFactory(exec.New(session, d.Dialect, nil), store.FactoryOptions{
		Name: d.Name, Cluster: "active", Serializer: serialization.NewSerializer(),
	})
	require.NoError(t, err)
	t.Cleanup(f.Close)
	return f
}

// stores returns the shard and execution stores of a new owner.
func (d *database) stores(t *testing.T, wrap func(cql.Session) cql.Session) storetest.Stores {
	t.Helper()
	f := d.factory(t, wrap)
	shards, err := f.NewShardStore()
	require.NoError(t, err)
	executions, err := f.NewExecutionStore()
	require.NoError(t, err)
	return storetest.Stores{Shards: shards, Executions: executions}
}

// owned returns stores and a scene whose shard they own.
func (d *database) owned(t *testing.T) (storetest.Stores, storetest.Scene) {
	t.Helper()
	st, s := d.stores(t, nil), d.scene()
	s.Own(t, st.Shards)
	return st, s
}
