package yugabyte_test

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// node starts an engine that speaks YCQL and listens on a port of its own.
func node(t *testing.T, change ...func(*standalone.Options)) *standalone.Node {
	t.Helper()
	o := standalone.Options{Dialect: parse.YCQL, Ephemeral: true, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&o)
	}
	n, err := standalone.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return n
}

func opener(t *testing.T, b *yugabyte.Backend, n *standalone.Node, keyspace string, more map[string]any) backend.Opener {
	t.Helper()
	raw := map[string]any{"hosts": n.Addr().IP.String(), "port": n.Addr().Port, "keyspace": keyspace}
	maps.Copy(raw, more)
	o, err := b.ParseOptions(raw)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func env() backend.Env { return backend.Env{Logger: slog.New(slog.DiscardHandler)} }

// keyspace makes a keyspace with two tables, one for blocks and one for batches.
func keyspace(t *testing.T, n *standalone.Node) string {
	t.Helper()
	a, err := opener(t, yugabyte.New(), n, "none", nil).OpenAdmin(t.Context(), env())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	for _, text := range []string{
		`CREATE KEYSPACE ks`,
		`CREATE TABLE ks.kv (p bigint, c bigint, t text, b blob, u uuid, m map<bigint,blob>, ts timestamp, n inet, PRIMARY KEY ((p), c)) WITH transactions = {'enabled': true}`,
		`CREATE TABLE ks.other (p bigint PRIMARY KEY, t text) WITH transactions = {'enabled': true}`,
		`CREATE TABLE ks.plain (p bigint, c bigint, t text, PRIMARY KEY ((p), c))`,
	} {
		if err := a.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return "ks"
}

func open(t *testing.T, o backend.Opener) cql.Session {
	t.Helper()
	c, err := o.Open(t.Context(), env())
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	t.Cleanup(func() { _ = c.Session.Close() })
	return c.Session
}

// noLeaks checks that all goroutines end but those that were there before. goleak
// itself waits a second or two, a driver may take longer to close its connections.
func noLeaks(t *testing.T, options ...goleak.Option) {
	t.Helper()
	eventually(t, "all goroutines end", func() error { return goleak.Find(options...) })
}

func statement(text string) *cql.Statement {
	return &cql.Statement{Text: text, Plan: "test", Conditional: strings.Contains(text, " IF ")}
}

func call(text string, args ...any) cql.Call {
	return cql.Call{Statement: statement(text), Args: args}
}

func single(text string, args ...any) cql.Step {
	return cql.Step{Mode: cql.Single, Calls: []cql.Call{call(text, args...)}}
}

func exec(t *testing.T, s cql.Session, step cql.Step) cql.Result {
	t.Helper()
	res, err := s.Exec(t.Context(), &step)
	if err != nil {
		t.Fatalf("Exec() = %v", err)
	}
	return res
}

// texts returns the texts of all rows of a query of one column.
func texts(t *testing.T, s cql.Session, text string, args ...any) []string {
	t.Helper()
	rows, err := s.Query(t.Context(), call(text, args...), cql.Page{})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for v := ""; rows.Scan(&v); {
		all = append(all, v)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

// overPipe returns a backend whose connections are pipes into the node.
func overPipe(t *testing.T, n *standalone.Node) *yugabyte.Backend {
	t.Helper()
	p := n.Pipe(nil)
	return yugabyte.NewWithDial(func(ctx context.Context, _ string) (net.Conn, error) { return p.Dial(ctx) })
}

func containsAll(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

// eventually polls until ok, or fails the test.
func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
