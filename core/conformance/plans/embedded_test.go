package plans_test

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/conformance/plans"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// openEmbedded makes an engine with Temporal's tables.
func openEmbedded(t *testing.T, speaks string) *backend.Connection {
	t.Helper()
	parsed, err := embedded.New().ParseOptions(map[string]any{"ephemeral": true, "dialect": speaks})
	if err != nil {
		t.Fatal(err)
	}
	o := parsed.(backend.InProcess) //nolint:forcetypeassert // it is one
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}
	release, err := o.Hold(env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = release() })
	admin, err := o.OpenAdmin(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	set, err := schema.For(speaks)
	if err != nil {
		t.Fatal(err)
	}
	tool := &schema.Tool{
		Admin: admin, Set: set, Keyspace: o.Keyspace(), Out: io.Discard, Alone: true,
		Prepare: schema.Preparing(o, env, io.Discard),
	}
	if err := tool.Create(t.Context(), schema.Replication{}); err != nil {
		t.Fatal(err)
	}
	if err := tool.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := o.Open(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Session.Close() })
	return c
}

func TestRandomPlansOnTheEngine(t *testing.T) {
	tests := []struct {
		name, speaks string
		dialect      dialect.Dialect // nil: the one that the servers were found to speak
	}{
		{"ycql", "ycql", nil},
		{"ycql of servers that can do least", "ycql", ycql.New(ycql.Abilities{})},
		{"cassandra", "cassandra", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := *seed
			if s == 0 {
				s = rand.Uint64()
			}
			c := openEmbedded(t, tt.speaks)
			if tt.dialect != nil {
				c.Dialect = tt.dialect
			}
			limits := plans.Limits{}
			if tt.speaks == "ycql" {
				limits.Dialect = c.Dialect
				// The writes of shards are numbered: package sequence has tests of its own.
				limits.Without = []*plan.Table{plan.Shards, plan.HistoryTasks}
			}
			plans.Run(t, exec.New(c.Session, c.Dialect, nil), s, *writes, limits)
		})
	}
}
