package conformance_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/conformance"
	cqlexec "github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
	"github.com/temporal-ycql/temporal-ycql/internal/cqlproxy"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

var (
	killSample = flag.Int("kill-sample", 40, "of all cases of TestKills every so manieth is run; 1 runs them all")
	ownSample  = flag.Int("kill-cassandra", 0, "kill a Cassandra of this test's own as well, which takes some 20 s each time, in every so manieth case; 0 kills none")
)

// childEnv makes this binary a process with stores, for TestKills.
const childEnv = "TEMPORAL_YCQL_CONFORMANCE_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := obey(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// place is a keyspace and how to get there.
type place struct {
	Backend, Host string
	Port          int
	Keyspace      string
}

func (at place) opener() (backend.Opener, error) {
	var b backend.Backend = cassandra.New()
	if at.Backend == yugabyte.Name {
		b = yugabyte.New()
	}
	return b.ParseOptions(map[string]any{"hosts": at.Host, "port": at.Port, "keyspace": at.Keyspace, "maxConns": 1, "timeout": "30s"})
}

func obey(text string) error {
	var at place
	if err := json.Unmarshal([]byte(text), &at); err != nil {
		return err
	}
	o, err := at.opener()
	if err != nil {
		return err
	}
	conn, err := o.Open(context.Background(), quiet())
	if err != nil {
		return err
	}
	f, err := store.NewDataStoreFactory(cqlexec.New(conn.Session, conn.Dialect, nil), store.FactoryOptions{
		Name: at.Backend, Cluster: "active", Serializer: serialization.NewSerializer(),
	})
	if err != nil {
		return err
	}
	var st storetest.Stores
	if st.Shards, err = f.NewShardStore(); err != nil {
		return err
	}
	if st.Executions, err = f.NewExecutionStore(); err != nil {
		return err
	}
	return childproc.Obey(func(o conformance.Order) conformance.Answer { return conformance.Obey(st, o) })
}

// talker makes a child what package conformance wants.
type talker struct{ *childproc.Talker }

func (c talker) Tell(o conformance.Order) error { return c.Talker.Tell(o) }

func (c talker) Hear() (a conformance.Answer, alive bool) {
	text, alive := <-c.Answers()
	return a, alive && json.Unmarshal(text, &a) == nil
}

// mortal is a Mortal at a place, behind a proxy.
func mortal(t *testing.T, at place) *conformance.Mortal {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	o, err := at.opener()
	require.NoError(t, err)
	admin, err := o.OpenAdmin(ctx, quiet())
	require.NoError(t, err)
	tool := &schema.Tool{Admin: admin, Set: schema.Cassandra(), Keyspace: at.Keyspace, Out: io.Discard, Alone: true}
	if at.Backend == yugabyte.Name {
		tool.Set, tool.Prepare = schema.YCQL(), schema.Preparing(o, quiet(), io.Discard)
	}
	require.NoError(t, tool.Create(ctx, schema.Replication{}))
	require.NoError(t, tool.Update(ctx))
	require.NoError(t, admin.Close())

	x, err := cqlproxy.Start(t.Context(), net.JoinHostPort(at.Host, strconv.Itoa(at.Port)))
	require.NoError(t, err)
	t.Cleanup(x.Close)
	held := at
	held.Host, held.Port = "127.0.0.1", x.Port()
	self, err := os.Executable()
	require.NoError(t, err)
	text, err := json.Marshal(held)
	require.NoError(t, err)
	// Each case reports how long it takes until calls succeed again. What is asserted is
	// that they do, of a machine of which others take most; of one that has nothing else
	// to do, what docs/reliability.md promises.
	recovery := 2 * time.Minute
	if *killSample == 1 {
		recovery = 15 * time.Second
	}
	return &conformance.Mortal{
		Connect: func(t *testing.T) (conformance.Database, conformance.Database, func()) {
			t.Helper()
			direct, closeDirect := connect(t, at)
			through, closeThrough := connect(t, held)
			return direct, through, func() { closeDirect(); closeThrough() }
		},
		Hold: func(at int, after bool) conformance.HeldRequest { return x.Hold(at, after) }, Pass: x.Pass,
		Process: func(t *testing.T) conformance.Obedient {
			t.Helper()
			cmd := exec.Command(self, "-test.run", "^$")
			cmd.Env, cmd.Stderr = append(os.Environ(), childEnv+"="+string(text)), os.Stderr
			c, err := childproc.StartTalker(cmd)
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Kill() })
			return talker{c}
		},
		Sample: *killSample, Recovery: recovery,
	}
}

func connect(t *testing.T, at place) (conformance.Database, func()) {
	t.Helper()
	o, err := at.opener()
	require.NoError(t, err)
	c, err := o.Open(t.Context(), quiet())
	require.NoError(t, err)
	return conformance.Database{Session: c.Session, Dialect: c.Dialect, Name: at.Backend}, func() { _ = c.Session.Close() }
}

// TestKills kills processes, and databases, in the middle of every store call: the
// engine as a process of its own, with both dialects, and Apache Cassandra.
func TestKills(t *testing.T) {
	for _, dialect := range []string{"ycql", "cassandra"} {
		t.Run("engine "+dialect, func(t *testing.T) {
			d, err := harness.StartCQL(t.Context(), dialect, t.TempDir())
			require.NoError(t, err)
			t.Cleanup(func() { _ = d.Kill() })
			at := place{cassandra.Name, d.Host, d.Port, "kills"}
			if dialect == "ycql" {
				at.Backend = yugabyte.Name
			}
			m := mortal(t, at)
			m.Kill = func(t *testing.T) { require.NoError(t, d.Kill()) }
			m.Start = func(t *testing.T) { require.NoError(t, d.Start(t.Context())) }
			conformance.RunKills(t, m)
		})
	}
	t.Run("Apache Cassandra", func(t *testing.T) {
		if *ownSample == 0 {
			n := cassandratest.Start(t)
			conformance.RunKills(t, mortal(t, place{cassandra.Name, n.Host, n.Port, n.Keyspace(t)}))
			return
		}
		n := cassandratest.StartOwn(t, cassandratest.WithDurableCommitlog())
		m := mortal(t, place{cassandra.Name, n.Host, n.Port, n.Keyspace(t)})
		m.Sample = *ownSample
		m.Kill = func(t *testing.T) { require.NoError(t, n.Kill()) }
		m.Start = func(t *testing.T) { require.NoError(t, n.Restart(t.Context())) }
		conformance.RunKills(t, m)
	})
}
