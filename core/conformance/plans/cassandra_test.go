package plans_test

import (
	"bytes"
	"flag"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/conformance/plans"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

var (
	seed   = flag.Uint64("seed", 0, "seed of the random plans; 0 picks one")
	writes = flag.Int("writes", 200, "number of random writes")
)

// open makes a keyspace with Temporal's schema and opens it.
func open(t *testing.T) exec.Executor {
	t.Helper()
	n := cassandratest.Start(t)
	keyspace := n.Keyspace(t)
	o, err := cassandra.New().ParseOptions(map[string]any{"hosts": n.Addr(), "keyspace": keyspace, "timeout": "1m", "connectTimeout": "1m"})
	if err != nil {
		t.Fatal(err)
	}
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}
	admin, err := o.OpenAdmin(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	tool := &schema.Tool{Admin: admin, Set: schema.Cassandra(), Keyspace: keyspace, Out: &bytes.Buffer{}}
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
	return exec.New(c.Session, c.Dialect, nil)
}

func TestRandomPlansOnCassandra(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	plans.Run(t, open(t), s, *writes, plans.Limits{})
}
