package interchange

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/google/uuid"
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
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// keyspace is one of the two that are compared.
type keyspace struct {
	name    string
	raw     *gocql.Session
	factory p.DataStoreFactory
	ex      exec.Executor // below factory; of ours only
}

// create makes a keyspace with Temporal's schema, on which nothing is open yet
// but a raw session.
func create(t *testing.T, n *cassandratest.Node) (keyspace, backend.Opener, backend.Env) {
	t.Helper()
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}
	k := keyspace{name: n.Keyspace(t)}
	o, err := cassandra.New().ParseOptions(map[string]any{"hosts": n.Addr(), "keyspace": k.name, "timeout": "1m", "connectTimeout": "1m"})
	require.NoError(t, err)
	admin, err := o.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	tool := &schema.Tool{Admin: admin, Set: schema.Cassandra(), Keyspace: k.name, Out: &bytes.Buffer{}}
	require.NoError(t, tool.Create(t.Context(), schema.Replication{}))
	require.NoError(t, tool.Update(t.Context()))
	require.NoError(t, admin.Close())
	k.raw = n.Session(t, k.name)
	t.Cleanup(k.raw.Close)
	return k, o, env
}

func createOurs(t *testing.T, n *cassandratest.Node) keyspace {
	t.Helper()
	k, o, env := create(t, n)
	c, err := o.Open(t.Context(), env)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Session.Close() })
	k.ex = exec.New(c.Session, c.Dialect, nil)
	k.factory, err = store.NewDataStoreFactory(k.ex, store.FactoryOptions{
		Name: "cassandra", Cluster: "active", Serializer: serialization.NewSerializer(),
	})
	require.NoError(t, err)
	return k
}

func createStock(t *testing.T, n *cassandratest.Node) keyspace {
	t.Helper()
	k, _, _ := create(t, n)
	cfg := config.Cassandra{Hosts: n.Host, Port: n.Port, Keyspace: k.name, ConnectTimeout: time.Minute, Timeout: time.Minute}
	k.factory = upstream.NewFactory(cfg, resolver.NewNoopResolver(), "active", log.NewNoopLogger(),
		metrics.NoopMetricsHandler, serialization.NewSerializer())
	t.Cleanup(k.factory.Close)
	return k
}

// unused are tables of the schema that no store of this release writes to.
var unused = map[string]bool{"cluster_metadata": true}

func TestSameCallsLeaveTheSameRows(t *testing.T) {
	n := cassandratest.Start(t)
	stock, ours := createStock(t, n), createOurs(t, n)
	now := time.Now()
	for _, k := range []keyspace{stock, ours} {
		(&calls{t: t, ctx: t.Context(), f: k.factory, now: now}).all()
	}
	want, got := dump(t, stock.raw, stock.name), dump(t, ours.raw, ours.name)
	require.Len(t, got, len(want), "tables")
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

// Whoever asserts that a row does not exist must not make it exist, nor leave a
// tombstone for every reader of the shard to walk over.
func TestAssertionsLeaveNothing(t *testing.T) {
	k := createOurs(t, cassandratest.Start(t))
	id := [16]byte(uuid.MustParse(run1))
	absent := []plan.Cond{{Test: plan.RowAbsent}}
	mutations := []plan.Mutation{
		{Table: plan.CurrentExecutions, Op: plan.Assert, Key: []any{int64(3), id, workflow, int64(7)}, Conds: absent},
		{Table: plan.Executions, Op: plan.Assert, Key: []any{int64(3), id, workflow, id}, Conds: absent},
		{
			Table: plan.Shards, Op: plan.Assert, Key: []any{int64(3)},
			Conds: []plan.Cond{{Test: plan.EqualOrAbsent, Column: plan.ShardRangeID, Value: int64(9)}},
		},
	}
	require.NoError(t, k.ex.Write(t.Context(), &plan.Write{Name: "Assert", Scope: plan.Atomic, Mutations: mutations}))
	require.Empty(t, dump(t, k.raw, k.name)["executions"])
	require.Zero(t, tombstones(t, k.raw, "executions"))
}

// A sticky queue's row expires as a whole: what an UPDATE alone would leave
// behind refuses every later insert.
func TestStickyQueueExpiresWhole(t *testing.T) {
	k := createOurs(t, cassandratest.Start(t))
	key := []any{[16]byte(uuid.MustParse(run1)), "sticky", int64(1)}
	blob := plan.Effect{Op: plan.Set, Column: plan.QueueInfo, Value: plan.Blob{Data: []byte("queue"), Encoding: "Proto3"}}
	lease := plan.Effect{Op: plan.Set, Column: plan.QueueRangeID, Value: int64(1)}
	create := &plan.Write{Name: "CreateTaskQueue", Scope: plan.Atomic, Mutations: []plan.Mutation{{
		Table: plan.TaskQueues, Op: plan.Insert, Key: key, Conds: []plan.Cond{{Test: plan.RowAbsent}}, Effects: []plan.Effect{blob, lease},
	}}}
	sticky := &plan.Write{Name: "UpdateStickyTaskQueue", Scope: plan.Atomic, Mutations: []plan.Mutation{{
		Table: plan.TaskQueues, Op: plan.Update, Live: true, Key: key, Effects: []plan.Effect{blob, lease},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.QueueRangeID, Value: int64(1)}},
	}}}
	require.NoError(t, k.ex.Write(t.Context(), create))
	sticky.Mutations[0].TTL = 3600 // it does not expire while it is looked at
	require.NoError(t, k.ex.Write(t.Context(), sticky))
	require.Error(t, k.ex.Write(t.Context(), create), "the row lives")
	sticky.Mutations[0].TTL = 1
	require.NoError(t, k.ex.Write(t.Context(), sticky))
	require.Eventually(t, func() bool { return k.ex.Write(t.Context(), create) == nil }, 2*time.Minute, 200*time.Millisecond,
		"the row is still there")
}
