package conformance

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	persistencetests "go.temporal.io/server/common/persistence/persistence-tests"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/resolver"

	"github.com/temporal-ycql/temporal-ycql/core/cql/cqltest"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/store"
)

// fixture is a database with stores on it, and a hand on what passes between.
type fixture struct {
	tap     *cqltest.Tap
	ex      exec.Executor
	factory *store.DataStoreFactory

	mu     sync.Mutex
	events []exec.Event
}

func newFixture(t testing.TB, db *database) *fixture {
	t.Helper()
	f := &fixture{tap: cqltest.NewTap(db.Session)}
	f.ex = named{exec.New(f.tap, db.Dialect, f)}
	var err error
	f.factory, err = store.NewDataStoreFactory(f.ex, store.FactoryOptions{
		Name: db.Name, Cluster: "active", Serializer: serialization.NewSerializer(),
	})
	require.NoError(t, err)
	t.Cleanup(f.factory.Close)
	return f
}

func (f *fixture) tasks(t testing.TB, fair bool) persistence.TaskStore {
	t.Helper()
	create := f.factory.NewTaskStore
	if fair {
		create = f.factory.NewFairTaskStore
	}
	s, err := create()
	require.NoError(t, err)
	return s
}

// named tells the tap below which plan a request belongs to.
type named struct{ exec.Executor }

func (n named) Write(ctx context.Context, w *plan.Write) error {
	return n.Executor.Write(cqltest.WithPlan(ctx, w.Name), w)
}

func (n named) Read(ctx context.Context, r *plan.Read, page plan.Page, args ...any) (*exec.Rows, error) {
	return n.Executor.Read(cqltest.WithPlan(ctx, r.Name), r, page, args...)
}

// Done implements exec.Observer.
func (f *fixture) Done(e *exec.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, *e)
}

// take returns what was run since the last take.
func (f *fixture) take() []exec.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	events := f.events
	f.events = nil
	return events
}

// base is upstream's test base over the fixture's stores.
func (f *fixture) base() *persistencetests.TestBase {
	tb := persistencetests.NewTestBaseForCluster(testCluster{}, log.NewNoopLogger())
	tb.AbstractDataStoreFactory = abstractFactory{f.factory}
	tb.Setup(nil)
	return tb
}

// testCluster is what upstream's test base asks about a database.
type testCluster struct{}

func (testCluster) SetupTestDatabase()    {}
func (testCluster) TearDownTestDatabase() {}

func (testCluster) Config() config.Persistence {
	return config.Persistence{
		DefaultStore:         "default",
		NumHistoryShards:     4,
		TransactionSizeLimit: dynamicconfig.GetIntPropertyFn(4 << 20),
		DataStores: map[string]config.DataStore{
			"default": {CustomDataStoreConfig: &config.CustomDatastoreConfig{Name: "conformance"}},
		},
	}
}

type abstractFactory struct{ factory persistence.DataStoreFactory }

func (a abstractFactory) NewFactory(
	config.CustomDatastoreConfig, resolver.ServiceResolver, string, log.Logger, metrics.Handler, serialization.Serializer,
) persistence.DataStoreFactory {
	return a.factory
}
