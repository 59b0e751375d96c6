package differential

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/engine"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/pipe"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/systables"
)

type pipeHosts struct{ l *pipe.Listener }

func (d pipeHosts) DialHost(ctx context.Context, _ *gocql.HostInfo) (*gocql.DialedHost, error) {
	c, err := d.l.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &gocql.DialedHost{Conn: c, DisableCoalesce: true}, nil
}

// engineSession starts an engine in memory and connects to it as to a server.
func engineSession(t testing.TB, keyspace string) *gocql.Session {
	t.Helper()
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9042}
	e, err := engine.Open(engine.Options{
		Dialect: parse.Cassandra, Ephemeral: true, Log: slog.New(slog.DiscardHandler),
		Node: systables.Node{Address: addr.IP, Port: addr.Port},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(e, server.Options{Personality: server.Cassandra})
	if err != nil {
		t.Fatal(err)
	}
	l := pipe.Listen(addr)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l, nil) })
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("closing the server: %v", err)
		}
		serving.Wait()
		if err := e.Close(); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	})
	cluster := gocql.NewCluster("127.0.0.1")
	cluster.HostDialer = pipeHosts{l}
	cluster.ProtoVersion, cluster.Timeout, cluster.ConnectTimeout = 4, 2*time.Minute, 2*time.Minute
	cluster.WriteCoalesceWaitTime = 0
	cluster.ReconnectInterval = 0
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Query(`CREATE KEYSPACE ` + keyspace + ` WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`).Exec(); err != nil {
		t.Fatal(err)
	}
	session.Close()
	cluster.Keyspace = keyspace
	if session, err = cluster.CreateSession(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}
