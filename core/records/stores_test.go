package records_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// prepared makes the keyspace of an opener and opens it.
func prepared(t testing.TB, o backend.Opener, set schema.Set, alone bool) (*backend.Connection, cql.Admin) {
	t.Helper()
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}
	// A busy Cassandra takes a minute and more to make the tables.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	admin, err := o.OpenAdmin(ctx, env)
	if err != nil {
		t.Fatal(err)
	}
	tool := &schema.Tool{
		Admin: admin, Set: set, Keyspace: o.Keyspace(), Out: io.Discard, Alone: alone,
		Prepare: schema.Preparing(o, env, io.Discard),
	}
	if err := tool.Create(ctx, schema.Replication{}); err != nil {
		t.Fatal(err)
	}
	if err := tool.Update(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	c, err := o.Open(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Session.Close() })
	return c, admin
}

// engine makes a keyspace in an embedded engine, in memory.
func engine(t testing.TB, dialect string) *store {
	t.Helper()
	return embeddedEngine(t, map[string]any{"ephemeral": true, "dialect": dialect})
}

func embeddedEngine(t testing.TB, options map[string]any) *store {
	t.Helper()
	dialect, _ := options["dialect"].(string)
	parsed, err := embedded.New().ParseOptions(options)
	if err != nil {
		t.Fatal(err)
	}
	o := parsed.(backend.InProcess)
	release, err := o.Hold(backend.Env{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = release() })
	set := schema.Cassandra()
	if dialect == "ycql" {
		set = schema.YCQL()
	}
	c, admin := prepared(t, o, set, true)
	ex := exec.New(c.Session, c.Dialect, nil)
	s := newStore(t, "embedded "+dialect, reading(t, ex), ex)
	s.admin, s.keyspace = admin, o.Keyspace()
	return s
}

// node makes a keyspace on a real Cassandra; it skips where there is none.
func node(t testing.TB) *store {
	t.Helper()
	n := cassandratest.Start(t)
	o, err := cassandra.New().ParseOptions(map[string]any{"hosts": n.Addr(), "keyspace": n.Keyspace(t), "timeout": "1m"})
	if err != nil {
		t.Fatal(err)
	}
	c, admin := prepared(t, o, schema.Cassandra(), false)
	ex := exec.New(c.Session, c.Dialect, nil)
	s := newStore(t, "cassandra", reading(t, ex), ex)
	s.admin, s.keyspace = admin, o.Keyspace()
	return s
}

// reading is an executor that shows what a server would be shown: of numbered
// writes those that took effect.
func reading(t testing.TB, ex exec.Executor) exec.Executor {
	t.Helper()
	x, err := sequence.NewReader(ex)
	if err != nil {
		t.Fatal(err)
	}
	return x
}
