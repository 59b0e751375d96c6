package cassandratest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/internal/needs"
)

// shared is the node of this process. It ends with the process.
var shared struct {
	sync.Mutex
	node *Node
	err  error
}

// Start returns a running node: the one that [SharedEnv] names, else one that all
// tests of this process use. Tests keep apart by keyspace ([Keyspace]). Where no
// Cassandra can run the test is skipped or, in CI, fails (package needs).
func Start(t testing.TB) *Node {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.node == nil && shared.err == nil {
		if addr := os.Getenv(SharedEnv); addr != "" {
			shared.node, shared.err = External(addr)
		} else {
			shared.node, shared.err = Launch(context.Background())
		}
	}
	check(t, shared.err)
	return shared.node
}

// StartOwn starts a node for this test alone, which may stop, kill and restart it;
// it ends with the test.
func StartOwn(t testing.TB, opts ...Option) *Node {
	t.Helper()
	n, err := Launch(t.Context(), opts...)
	check(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of Cassandra's log:\n%s", n.LogTail(30))
		}
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// External describes a node that another process runs, without passwords or TLS.
func External(addr string) (*Node, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%s=%q is not host:port: %w", SharedEnv, addr, err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("%s=%q has no numeric port: %w", SharedEnv, addr, err)
	}
	n := &Node{Host: host, Port: number, external: true}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := n.ping(ctx); err != nil {
		return nil, fmt.Errorf("reach the Cassandra that %s names, %s: %w", SharedEnv, addr, err)
	}
	return n, nil
}

func check(t testing.TB, err error) {
	t.Helper()
	switch {
	case errors.Is(err, ErrNotInstalled):
		needs.Missing(t, fmt.Sprintf("a real Cassandra (%v)", err),
			"install Java 17 and Maven, or name a running Cassandra in "+SharedEnv)
	case err != nil:
		t.Fatal(err)
	}
}

// Keyspace makes an empty keyspace on the node of [Start] and returns its name. It
// is dropped when the test ends.
func Keyspace(t testing.TB) string {
	t.Helper()
	return Start(t).Keyspace(t)
}

// Keyspace makes an empty keyspace with one replica on n and returns its name,
// which is unique among all test processes. It is dropped when the test ends.
func (n *Node) Keyspace(t testing.TB) string {
	t.Helper()
	name := UniqueName()
	n.exec(t, fmt.Sprintf(
		`CREATE KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`, name))
	t.Cleanup(func() {
		if n.process != nil && !n.process.Running() {
			return // the test ended the node
		}
		n.exec(t, "DROP KEYSPACE IF EXISTS "+name)
	})
	return name
}

// UniqueName returns a name for a keyspace that nobody else uses.
func UniqueName() string { return "t_" + strings.ToLower(rand.Text()[:16]) }

// exec runs one statement. The client's own limit is long: a node that many suites
// share takes seconds for a change of the schema.
func (n *Node) exec(t testing.TB, statement string) {
	t.Helper()
	s := n.Session(t, "")
	defer s.Close()
	if err := s.Query(statement).Exec(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Session opens a session of gocql's as the superuser, in keyspace unless that is
// empty. The test closes it.
func (n *Node) Session(t testing.TB, keyspace string) *gocql.Session {
	t.Helper()
	c := n.ClusterConfig()
	c.Keyspace = keyspace
	s, err := c.CreateSession()
	if err != nil {
		t.Fatalf("open a session at %s: %v", n.Addr(), err)
	}
	return s
}
