package conformance_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/conformance"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
)

// embeddedEngine makes an engine for each area: in memory, or in a directory.
type embeddedEngine struct {
	options func(t *testing.T) map[string]any
}

func (embeddedEngine) Excused() map[string]string { return nil }

func (h embeddedEngine) Open(t *testing.T) conformance.Database {
	parsed, err := embedded.New().ParseOptions(h.options(t))
	require.NoError(t, err)
	o := parsed.(backend.InProcess) //nolint:forcetypeassert // it is one
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}
	release, err := o.Hold(env)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, release()) })

	admin, err := o.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	set, err := schema.For(o.Dialect().Name())
	require.NoError(t, err)
	tool := &schema.Tool{
		Admin: admin, Set: set, Keyspace: o.Keyspace(), Out: io.Discard, Alone: true,
		Prepare: schema.Preparing(o, env, io.Discard),
	}
	require.NoError(t, tool.Create(ctx, schema.Replication{}))
	require.NoError(t, tool.Update(ctx))
	require.NoError(t, admin.Close())

	c, err := o.Open(t.Context(), env)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Session.Close()) })
	database := conformance.Database{Session: c.Session, Dialect: c.Dialect, Name: "embedded-" + o.Dialect().Name()}
	if o.Dialect().Name() == "cassandra" {
		database.RoundTrips = "../../docs/roundtrips.md"
	}
	return database
}

func TestCassandraEmbeddedDurable(t *testing.T) {
	conformance.Run(t, embeddedEngine{func(t *testing.T) map[string]any {
		return map[string]any{"dialect": "cassandra", "dataDir": t.TempDir()}
	}})
}

func TestCassandraEmbeddedEphemeral(t *testing.T) {
	conformance.Run(t, embeddedEngine{func(*testing.T) map[string]any {
		return map[string]any{"dialect": "cassandra", "ephemeral": true}
	}})
}

// The names begin as all do that run upstream's suites, see package conformance.

func TestCassandraSuiteOnYCQLDurable(t *testing.T) {
	conformance.Run(t, embeddedEngine{func(t *testing.T) map[string]any {
		return map[string]any{"dialect": "ycql", "dataDir": t.TempDir()}
	}})
}

func TestCassandraSuiteOnYCQLEphemeral(t *testing.T) {
	conformance.Run(t, embeddedEngine{func(*testing.T) map[string]any {
		return map[string]any{"dialect": "ycql", "ephemeral": true}
	}})
}
