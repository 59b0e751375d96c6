package migrate_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/migrate"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

var quiet = slog.New(slog.DiscardHandler)

// engines is the embedded backend of this process.
var engines = embedded.New()

// directory describes a deployment on the embedded engine.
func directory(t testing.TB, dialect, dir string) migrate.Deployment {
	t.Helper()
	d, err := at(dialect, dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func at(dialect, dir string) (migrate.Deployment, error) {
	o, err := engines.ParseOptions(map[string]any{"dataDir": dir, "dialect": dialect})
	return migrate.Deployment{File: dialect + ".yaml", Backend: "embedded", Opener: o, Shards: 4, Cluster: "active"}, err
}

// node describes one in a keyspace of its own on a real Cassandra.
func node(t testing.TB) migrate.Deployment {
	t.Helper()
	n := cassandratest.Start(t)
	o, err := cassandra.New().ParseOptions(map[string]any{"hosts": n.Addr(), "keyspace": n.Keyspace(t), "timeout": "1m"})
	if err != nil {
		t.Fatal(err)
	}
	return migrate.Deployment{File: "node.yaml", Backend: "cassandra", Opener: o, Shards: 4, Cluster: "active"}
}

// opened is a keyspace that a test reads and writes by itself.
type opened struct {
	t      testing.TB
	admin  cql.Admin
	source *records.Source
	writer *records.Writer
	ex     exec.Executor // of the dialect itself
	whole  bool
	close  func()
}

// open opens a deployment, making its keyspace if need be.
func open(t testing.TB, d migrate.Deployment) *opened {
	t.Helper()
	env := backend.Env{Logger: quiet}
	// A busy Cassandra takes a minute and more to make the tables.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	admin, err := d.Opener.OpenAdmin(ctx, env)
	if err != nil {
		t.Fatal(err)
	}
	set, err := schema.For(d.Opener.Dialect().Name())
	if err != nil {
		t.Fatal(err)
	}
	tool := &schema.Tool{
		Admin: admin, Set: set, Keyspace: d.Opener.Keyspace(), Out: io.Discard,
		Prepare: schema.Preparing(d.Opener, env, io.Discard),
	}
	if err := tool.Create(ctx, schema.Replication{}); err != nil {
		t.Fatal(err)
	}
	if err := tool.Update(ctx); err != nil {
		t.Fatal(err)
	}
	c, err := d.Opener.Open(ctx, env)
	if err != nil {
		t.Fatal(err)
	}
	ex := exec.New(c.Session, c.Dialect, nil)
	o := &opened{t: t, admin: admin, ex: ex, whole: ex.Traits().WholeNodes}
	closers := []func() error{admin.Close, c.Session.Close}
	var read exec.Executor = ex
	if ex.Traits().Sequenced {
		x, err := sequence.New(ex, nil)
		if err != nil {
			t.Fatal(err)
		}
		closers = append(closers, func() error { x.Close(); return nil })
		read = x
	}
	if o.source, err = records.NewSource(read, records.Options{Shards: d.Shards}); err != nil {
		t.Fatal(err)
	}
	if o.writer, err = records.NewWriter(ex, records.WriterOptions{}); err != nil {
		t.Fatal(err)
	}
	o.close = func() {
		for i := len(closers) - 1; i >= 0; i-- {
			if err := closers[i](); err != nil {
				t.Error(err)
			}
		}
		closers = nil
	}
	t.Cleanup(o.close)
	return o
}

// fill makes a deployment of a corpus, as servers that have stopped leave it.
func fill(t testing.TB, d migrate.Deployment, o corpus.Options) {
	t.Helper()
	k := open(t, d)
	defer k.close()
	o.Shards, o.Whole = d.Shards, k.whole
	for shard := range int64(d.Shards) {
		if err := k.writer.Hold(t.Context(), shard+1); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.writer.Put(t.Context(), corpus.Make(o)); err != nil {
		t.Fatal(err)
	}
	for shard := range int64(d.Shards) {
		if err := k.writer.Release(t.Context(), shard+1); err != nil {
			t.Fatal(err)
		}
	}
}

// contents are all records of a deployment by their names.
func contents(t testing.TB, d migrate.Deployment) map[string]records.Record {
	t.Helper()
	k := open(t, d)
	defer k.close()
	all := make(map[string]records.Record)
	for _, part := range k.source.Parts(1) {
		err := k.source.All(t.Context(), part, func(r *records.Record) error {
			all[r.KeyString()] = *r
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// equal fails if two deployments differ but for what they do not carry.
func equal(t testing.TB, a, b map[string]records.Record) {
	t.Helper()
	count := 0
	report := func(format string, args ...any) {
		if count++; count <= 10 {
			t.Errorf(format, args...)
		}
	}
	for name, x := range a {
		y, found := b[name]
		if !found {
			report("%s is missing", name)
			continue
		}
		for _, f := range records.Fields(&x, &y) {
			report("%s %s", name, f)
		}
	}
	for name := range b {
		if _, found := a[name]; !found {
			report("%s is too much", name)
		}
	}
	if count > 10 {
		t.Errorf("and %d more", count-10)
	}
}

// tool opens a migration for one verb.
func tool(t testing.TB, from, to migrate.Deployment, state string, change func(*migrate.Options)) (*migrate.Migration, *strings.Builder) {
	t.Helper()
	var out strings.Builder
	o := migrate.Options{
		From: from, To: to, State: state, Out: &out, Progress: t.Output(), Logger: quiet,
		Settle: 50 * time.Millisecond, Level: migrate.LevelStores,
	}
	if change != nil {
		change(&o)
	}
	m, err := migrate.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, &out
}

// do runs a verb with a migration of its own, as a command does.
func do(t testing.TB, from, to migrate.Deployment, state string, verb string, change func(*migrate.Options)) error {
	t.Helper()
	m, out := tool(t, from, to, state, change)
	var err error
	ctx := t.Context()
	switch verb {
	case "init":
		err = m.Init(ctx)
	case "copy":
		err = m.Copy(ctx)
	case "verify":
		var r *migrate.Report
		if r, err = m.Verify(ctx); err == nil && r != nil && !r.Clean {
			t.Errorf("the verification is not clean:\n%s", r.Text())
		}
	case "switch":
		err = m.Switch(ctx)
	case "rollback":
		err = m.Rollback(ctx)
	default:
		t.Fatalf("no verb %s", verb)
	}
	t.Logf("%s: %s", verb, strings.TrimSpace(out.String()))
	if closing := m.Close(); closing != nil {
		t.Error(closing)
	}
	return err
}

// must runs verbs that succeed.
func must(t testing.TB, from, to migrate.Deployment, state string, verbs ...string) {
	t.Helper()
	for _, verb := range verbs {
		if err := do(t, from, to, state, verb, func(o *migrate.Options) { o.Fence = true }); err != nil {
			t.Fatalf("%s: %v", verb, err)
		}
	}
}
