package migrate_test

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/core/migrate"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

// remote is an engine that is reached over TCP, and that can go away.
type remote struct {
	t       *testing.T
	options standalone.Options
	node    *standalone.Node
}

func (r *remote) up() {
	r.t.Helper()
	n, err := standalone.Start(r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	r.node = n
}

func (r *remote) down() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.node.Close(ctx); err != nil {
		r.t.Log(err) // requests were cut off, as is meant
	}
}

// startRemote starts an engine that speaks Cassandra's CQL, and describes a
// deployment on it, which waits as long as a busy machine takes. What goes away is
// noticed at once all the same: its connections end.
func startRemote(t *testing.T) (*remote, migrate.Deployment) {
	t.Helper()
	// A port of the range for outgoing connections could be another's while the
	// engine is down, and a client that tries it could meet itself.
	port, err := childproc.FreePort("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	r := &remote{t: t, options: standalone.Options{
		Dialect: parse.Cassandra, DataDir: filepath.Join(t.TempDir(), "engine"), Listen: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Log: quiet,
	}}
	r.up()
	t.Cleanup(func() { r.down() })
	return r, r.deployment(time.Minute)
}

// deployment is one on the engine that waits so long for an answer.
func (r *remote) deployment(timeout time.Duration) migrate.Deployment {
	r.t.Helper()
	o, err := cassandra.New().ParseOptions(map[string]any{
		"hosts": r.options.Listen, "keyspace": "temporal", "timeout": timeout.String(), "connectTimeout": timeout.String(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return migrate.Deployment{File: "remote.yaml", Backend: "cassandra", Opener: o, Shards: 4, Cluster: "active"}
}

// A side that goes away while it is copied ends the copy with a word on what to do;
// one that is there again lets it go on.
func testSideGoes(t *testing.T, r *remote, from, to migrate.Deployment) {
	o := corpus.Options{Seed: seed(t), Workflows: 100, Queues: 6, Backlog: 20}
	fill(t, from, o)
	state := t.TempDir()
	must(t, from, to, state, "init")
	// Slower than it takes to see that it has begun.
	slowly := func(o *migrate.Options) { o.Limits.Source.RowsPerSecond, o.Patience = 50, 300*time.Millisecond }
	m, _ := tool(t, from, to, state, slowly)
	done := make(chan error, 1)
	go func() { done <- m.Copy(t.Context()) }()
	watch, _ := tool(t, from, to, state, nil)
	for begin := time.Now(); ; {
		s, err := watch.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rows := int64(0)
		for _, stage := range s.Stages {
			rows += stage.Rows
		}
		if rows > 20 {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("the copy does not get on")
		}
	}
	if err := watch.Close(); err != nil {
		t.Fatal(err)
	}
	r.down()
	refused(t, <-done, "run")
	_ = m.Close() // its connections are broken
	r.up()
	must(t, from, to, state, "copy", "verify", "switch")
	equal(t, contents(t, from), contents(t, to))
}

func TestSideGoes(t *testing.T) {
	t.Run("the source", func(t *testing.T) {
		r, from := startRemote(t)
		testSideGoes(t, r, from, directory(t, "ycql", t.TempDir()))
	})
	t.Run("the target", func(t *testing.T) {
		r, to := startRemote(t)
		testSideGoes(t, r, directory(t, "ycql", t.TempDir()), to)
	})
}
