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
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// prepared makes the keyspace of an opener and opens it.
func prepared(t testing.TB, o backend.Opener, set schema.Set, alone bool) *backend.Connection {
	t.Helper()
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
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
	if err := admin.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := o.Open(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Session.Close() })
	return c
}

// engine makes a keyspace in an embedded engine, in memory.
func engine(t testing.TB, dialect string) *store {
	t.Helper()
	parsed, err := embedded.New().ParseOptions(map[string]any{"ephemeral": true, "dialect": dialect})
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
	c := prepared(t, o, set, true)
	ex := exec.New(c.Session, c.Dialect, nil)
	return newStore(t, "embedded "+dialect, reading(ex), ex)
}

// node makes a keyspace on a real Cassandra; it skips where there is none.
func node(t testing.TB) *store {
	t.Helper()
	n := cassandratest.Start(t)
	o, err := cassandra.New().ParseOptions(map[string]any{"hosts": n.Addr(), "keyspace": n.Keyspace(t)})
	if err != nil {
		t.Fatal(err)
	}
	c := prepared(t, o, schema.Cassandra(), false)
	ex := exec.New(c.Session, c.Dialect, nil)
	return newStore(t, "cassandra", ex, ex)
}

// reading is an executor that may read what writes with numbers have stored.
func reading(ex exec.Executor) exec.Executor {
	if ex.Traits().Sequenced {
		return numbered{ex}
	}
	return ex
}

// numbered reads the rows of all writes.
type numbered struct{ exec.Executor }

func (n numbered) Compile(reads ...*plan.Read) error {
	all := make([]*plan.Read, len(reads))
	for i, r := range reads {
		var err error
		if all[i], err = r.Numbered(); err != nil {
			return err
		}
	}
	return n.Executor.Compile(all...)
}

func (n numbered) Read(ctx context.Context, r *plan.Read, page plan.Page, args ...any) (*exec.Rows, error) {
	r, err := r.Numbered()
	if err != nil {
		return nil, err
	}
	return n.Executor.Read(ctx, r, page, args...)
}
