package corpus

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/engine"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/systables"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

func TestEngineAsCassandra(t *testing.T) {
	target{"engine", "cassandra", serve(t, parse.Cassandra)}.runAll(t)
}

func TestEngineAsYCQL(t *testing.T) {
	target{"engine", "ycql", serve(t, parse.YCQL)}.runAll(t)
}

func TestRealCassandra(t *testing.T) {
	target{"real", "cassandra", cassandratest.Start(t).Addr()}.runAll(t)
}

func TestRealYugabyteDB(t *testing.T) {
	const variable = "CQL_TEST_YUGABYTE"
	addr := os.Getenv(variable)
	if addr == "" {
		t.Skipf("%s is not set: the corpus was not run against a real server", variable)
	}
	target{"real", "ycql", addr}.runAll(t)
}

// TestABusyServerIsAskedAnew has an engine answer as a real server that is too slow
// for a write, once before and once after it did it.
func TestABusyServerIsAskedAnew(t *testing.T) {
	addr := serve(t, parse.Cassandra, sim.Fault{Kind: sim.Overloaded, Rate: 1, Skip: 3, Limit: 1}, sim.Fault{Kind: sim.TimeoutAfter, Rate: 1, Skip: 5, Limit: 1})
	target{"real", "cassandra", addr}.runFile(t, filepath.Join("testdata", "cassandra", "select.txt"))
}

// serve starts an engine in memory with its server.
func serve(t *testing.T, d parse.Dialect, faults ...sim.Fault) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	e, err := engine.Open(engine.Options{Dialect: d, Ephemeral: true, Node: systables.Node{Address: addr.IP, Port: addr.Port}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	var run server.Engine = e
	if len(faults) > 0 {
		faulty, err := sim.New(e, d, sim.Options{Faults: faults})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(faulty.Close)
		run = faulty
	}
	s, err := server.New(run, server.Options{Personality: server.Personality(d.String())})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l, nil) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		<-done
	})
	return addr.String()
}
