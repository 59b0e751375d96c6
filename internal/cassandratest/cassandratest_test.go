package cassandratest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// childEnv makes this test binary the parent that TestNodeDiesWithItsParent kills.
const childEnv = "CASSANDRATEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
	}
	os.Exit(m.Run())
}

func TestKeyspacesAreEmptyUniqueAndDropped(t *testing.T) {
	n := cassandratest.Start(t)
	var first, second string
	t.Run("while the test runs", func(t *testing.T) {
		first, second = cassandratest.Keyspace(t), cassandratest.Keyspace(t)
		if first == second {
			t.Fatalf("two keyspaces are both named %s", first)
		}
		for _, name := range []string{first, second} {
			if !exists(t, n, name) {
				t.Errorf("keyspace %s does not exist", name)
			}
		}
	})
	for _, name := range []string{first, second} {
		if exists(t, n, name) {
			t.Errorf("keyspace %s outlived its test", name)
		}
	}
}

func TestTheOlderVersionRuns(t *testing.T) {
	n := cassandratest.StartOwn(t, cassandratest.WithVersion(cassandratest.OlderVersion))
	s := n.Session(t, "")
	defer s.Close()
	var version string
	if err := s.Query(`SELECT release_version FROM system.local`).Scan(&version); err != nil || version != cassandratest.OlderVersion {
		t.Fatalf("it is %q, %v", version, err)
	}
}

func TestAKilledNodeKeepsWhatItAnswered(t *testing.T) {
	n := cassandratest.StartOwn(t, cassandratest.WithDurableCommitlog(), cassandratest.WithPassword())
	ks := n.Keyspace(t)
	s := n.Session(t, ks)
	run(t, s, `CREATE TABLE t (k int PRIMARY KEY, v text)`)
	run(t, s, `INSERT INTO t (k, v) VALUES (1, 'kept')`)
	s.Close()
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = n.Session(t, ks)
	defer s.Close()
	var v string
	if err := s.Query(`SELECT v FROM t WHERE k = 1`).Scan(&v); err != nil || v != "kept" {
		t.Fatalf("read %q, %v after kill and restart; want \"kept\"", v, err)
	}

	wrong := n.ClusterConfig()
	wrong.Authenticator = gocql.PasswordAuthenticator{Username: n.User, Password: "not it"}
	if s, err := wrong.CreateSession(); err == nil {
		s.Close()
		t.Error("a wrong password was accepted")
	}
}

func TestTLSNodeAsksForACertificateAndMoves(t *testing.T) {
	n := cassandratest.StartOwn(t, cassandratest.WithMutualTLS())
	ks := n.Keyspace(t)

	plain := n.ClusterConfig()
	plain.SslOpts = nil
	plain.ConnectTimeout = 2 * time.Second
	if s, err := plain.CreateSession(); err == nil {
		s.Close()
		t.Error("a connection without TLS was accepted")
	}
	anonymous := n.ClusterConfig()
	anonymous.SslOpts = &gocql.SslOptions{CaPath: n.TLS.CAFile}
	anonymous.ConnectTimeout = 2 * time.Second
	if s, err := anonymous.CreateSession(); err == nil {
		s.Close()
		t.Error("a client without a certificate was accepted")
	}
	if err := n.Restart(t.Context(), cassandratest.WithHost("127.0.0.2")); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(n.Addr(), "127.0.0.2:") {
		t.Errorf("the node is at %s after it moved to 127.0.0.2", n.Addr())
	}
	if !exists(t, n, ks) {
		t.Errorf("keyspace %s is gone after the node moved", ks)
	}
}

func TestNodeDiesWithItsParent(t *testing.T) {
	cassandratest.Start(t) // skips where no Cassandra can run
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, "TMPDIR="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidFile := filepath.Join(dir, "started")
	await(t, "the child's node to answer", func() bool { _, err := os.Stat(pidFile); return err == nil })
	if got := nodeDirs(t, dir); len(got) != 1 {
		t.Fatalf("the child has directories %v, want one", got)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v, want the kill", err)
	}
	addr, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the node to end", func() bool { _, err := cassandratest.External(string(addr)); return err != nil })
	await(t, "the node's directory to go", func() bool { return len(nodeDirs(t, dir)) == 0 })
}

// child starts a node, tells its address and waits to be killed.
func child() {
	n, err := cassandratest.Launch(context.Background())
	if err != nil {
		os.Exit(1)
	}
	name := filepath.Join(os.Getenv(childEnv), "started")
	if os.WriteFile(name+".tmp", []byte(n.Addr()), 0o644) != nil || os.Rename(name+".tmp", name) != nil {
		os.Exit(1)
	}
	select {}
}

func nodeDirs(t *testing.T, parent string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(parent, "temporal-ycql-cassandra-*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func exists(t *testing.T, n *cassandratest.Node, keyspace string) bool {
	t.Helper()
	s := n.Session(t, "")
	defer s.Close()
	var got string
	err := s.Query(`SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?`, keyspace).Scan(&got)
	if err != nil && !errors.Is(err, gocql.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func run(t *testing.T, s *gocql.Session, statement string) {
	t.Helper()
	if err := s.Query(statement).Exec(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited two minutes for %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
