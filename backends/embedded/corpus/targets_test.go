package corpus

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/engine"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
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

// serve starts an engine in memory with its server.
func serve(t *testing.T, d parse.Dialect) string {
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
	s, err := server.New(e, server.Options{Personality: server.Personality(d.String())})
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
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return addr.String()
}
