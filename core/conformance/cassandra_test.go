package conformance_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/conformance"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// realCassandra makes a keyspace for each area on a real Apache Cassandra; see
// package cassandratest for when it skips.
type realCassandra struct{ node *cassandratest.Node }

func (realCassandra) Excused() map[string]string { return nil }

func (h realCassandra) Open(t *testing.T) conformance.Database {
	keyspace := h.node.Keyspace(t)
	o, err := cassandra.New().ParseOptions(map[string]any{"hosts": h.node.Addr(), "keyspace": keyspace, "timeout": "1m", "connectTimeout": "1m"})
	require.NoError(t, err)
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}

	admin, err := o.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	tool := &schema.Tool{Admin: admin, Set: schema.Cassandra(), Keyspace: keyspace, Out: io.Discard}
	require.NoError(t, tool.Create(ctx, schema.Replication{}))
	require.NoError(t, tool.Update(ctx))
	require.NoError(t, admin.Close())

	c, err := o.Open(t.Context(), env)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Session.Close() })
	return conformance.Database{Session: c.Session, Dialect: c.Dialect, Name: "cassandra", RoundTrips: "../../docs/roundtrips.md"}
}

func TestCassandra(t *testing.T) {
	conformance.Run(t, realCassandra{cassandratest.Start(t)})
}
