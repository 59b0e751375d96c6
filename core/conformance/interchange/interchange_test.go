package interchange

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	p "go.temporal.io/server/common/persistence"
	upstream "go.temporal.io/server/common/persistence/cassandra"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/resolver"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// keyspace is one of the two that are compared.
type keyspace struct {
	name    string
	factory p.DataStoreFactory
	raw     *gocql.Session
}

func setUp(t *testing.T, n *cassandratest.Node) (stock, ours keyspace) {
	t.Helper()
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}
	for _, k := range []*keyspace{&stock, &ours} {
		k.name = n.Keyspace(t)
		o, err := cassandra.New().ParseOptions(map[string]any{"hosts": n.Addr(), "keyspace": k.name})
		require.NoError(t, err)
		admin, err := o.OpenAdmin(t.Context(), env)
		require.NoError(t, err)
		tool := &schema.Tool{Admin: admin, Set: schema.Cassandra(), Keyspace: k.name, Out: &bytes.Buffer{}}
		require.NoError(t, tool.Create(t.Context(), schema.Replication{}))
		require.NoError(t, tool.Update(t.Context()))
		require.NoError(t, admin.Close())
		k.raw = n.Session(t, k.name)
		t.Cleanup(k.raw.Close)
		if k == &ours {
			c, err := o.Open(t.Context(), env)
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Session.Close() })
			k.factory, err = store.NewDataStoreFactory(exec.New(c.Session, c.Dialect, nil), store.FactoryOptions{
				Name: "cassandra", Cluster: "active", Serializer: serialization.NewSerializer(),
			})
			require.NoError(t, err)
			continue
		}
		cfg := config.Cassandra{Hosts: n.Host, Port: n.Port, Keyspace: k.name, ConnectTimeout: 10 * time.Second, Timeout: 20 * time.Second}
		k.factory = upstream.NewFactory(cfg, resolver.NewNoopResolver(), "active", log.NewNoopLogger(), metrics.NoopMetricsHandler, serialization.NewSerializer())
	}
	t.Cleanup(stock.factory.Close)
	return stock, ours
}

// unused are tables of the schema that no store of this release writes to.
var unused = map[string]bool{"cluster_metadata": true}

func TestSameCallsLeaveTheSameRows(t *testing.T) {
	stock, ours := setUp(t, cassandratest.Start(t))
	now := time.Now()
	for _, k := range []keyspace{stock, ours} {
		(&calls{t: t, ctx: t.Context(), f: k.factory, now: now}).all()
	}
	want, got := dump(t, stock.raw, stock.name), dump(t, ours.raw, ours.name)
	require.Equal(t, len(want), len(got), "tables")
	for table, rows := range want {
		if len(rows) == 0 && !unused[table] {
			t.Errorf("%s: no call writes to it", table)
		}
		require.Equal(t, rows, got[table], table)
		if w, g := tombstones(t, stock.raw, table), tombstones(t, ours.raw, table); g > w {
			t.Errorf("%s: readers come upon %d tombstones, of stock's rows upon %d", table, g, w)
		}
	}
}
