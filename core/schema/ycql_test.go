package schema_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
)

// These tests run on the embedded engine, which answers as YugabyteDB does.

// ycqlTool works on a keyspace of an engine of its own.
func ycqlTool(t *testing.T) (*schema.Tool, *bytes.Buffer) {
	t.Helper()
	parsed, err := embedded.New().ParseOptions(map[string]any{"ephemeral": true, "dialect": "ycql", "keyspace": "life"})
	if err != nil {
		t.Fatal(err)
	}
	o := parsed.(backend.InProcess) //nolint:forcetypeassert // it is one
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}
	release, err := o.Hold(env)
	if err != nil {
		t.Fatal(err)
	}
	a, err := o.OpenAdmin(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if err := release(); err != nil {
			t.Error(err)
		}
	})
	out := &bytes.Buffer{}
	return &schema.Tool{Admin: a, Set: schema.YCQL(), Keyspace: "life", Out: out}, out
}

func mustCreate(t *testing.T, x *schema.Tool) {
	t.Helper()
	if err := x.Create(t.Context(), schema.Replication{}); err != nil {
		t.Fatal(err)
	}
}

func mustUpdate(t *testing.T, x *schema.Tool) {
	t.Helper()
	if err := x.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestLifeOfAKeyspaceOfYCQL(t *testing.T) {
	ctx := t.Context()
	x, out := ycqlTool(t)
	wantCheck(t, x.Admin, x, `keyspace "life" does not exist: run "temporal-server schema create" and then "temporal-server schema update"`)
	if d := mustVerify(t, x); len(d) != 1 || d[0].What != "keyspace life" {
		t.Fatalf("Verify() without keyspace = %v", d)
	}
	for range 2 { // again is harmless
		mustCreate(t, x)
	}
	wantCheck(t, x.Admin, x, `schema of keyspace "life" is version 0.0, this server needs `+x.Set.Version+`: run "temporal-server schema update"`)
	for range 2 {
		mustUpdate(t, x)
	}
	if !strings.Contains(out.String(), "nothing to do") {
		t.Fatalf("the second update says\n%s", out)
	}
	wantCheck(t, x.Admin, x, "")
	if d := mustVerify(t, x); len(d) != 0 {
		t.Fatalf("Verify() = %v", d)
	}

	// What people do by hand shows, and what they made without looking.
	for _, statement := range []string{
		`ALTER TABLE "life".executions ADD mine text`, `ALTER TABLE "life".queue DROP message_payload`,
		`DROP TABLE "life".tasks_v2`, `CREATE TABLE "life".own (a int PRIMARY KEY)`,
		`CREATE INDEX by_name ON "life".namespaces_by_id (name)`,
		`DROP TABLE "life".namespace_version`, `CREATE TABLE "life".namespace_version (partition int, notification_version bigint, PRIMARY KEY ((partition)))`,
	} {
		if err := x.Admin.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"~ table namespace_version is table without transactions, should be table with transactions",
		"- table tasks_v2 is missing (table with transactions)", "+ table own is not part of the schema (table without transactions)",
		"+ index by_name is not part of the schema (namespaces_by_id)",
		"+ column executions.mine is not part of the schema (text, regular)", "- column queue.message_payload is missing (blob, regular)",
	}
	if got := fmt.Sprint(mustVerify(t, x)); got != fmt.Sprint(want) {
		t.Fatalf("Verify() = %s\nwant %s", got, want)
	}
	wantCheck(t, x.Admin, x, `keyspace "life" is at version `+x.Set.Version+` but has no table tasks_v2: it was made for another database or an update was broken off; run "temporal-server schema verify" for the whole difference`)

	// The server refuses to drop a keyspace that holds anything.
	if err := x.Admin.Exec(ctx, `DROP KEYSPACE "life"`); err == nil {
		t.Fatal("the engine drops a keyspace with tables, unlike YugabyteDB")
	}
	for range 2 {
		if err := x.Drop(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if d := mustVerify(t, x); len(d) != 1 || d[0].What != "keyspace life" {
		t.Fatalf("Verify() after Drop() = %v", d)
	}
}

func TestUpdatesOfYCQLAtOnce(t *testing.T) {
	x, _ := ycqlTool(t)
	mustCreate(t, x)
	var wg sync.WaitGroup
	outs := make([]bytes.Buffer, 4)
	errs := make([]error, len(outs))
	for i := range outs {
		wg.Go(func() {
			one := *x
			one.Out = &outs[i]
			errs[i] = one.Update(t.Context())
		})
	}
	wg.Wait()
	made := 0
	for i := range outs {
		if errs[i] != nil {
			t.Fatalf("update %d: %v", i, errs[i])
		}
		made += strings.Count(outs[i].String(), "CREATE TABLE")
	}
	implied, err := x.Set.Implied()
	if err != nil {
		t.Fatal(err)
	}
	if want := len(implied.Tables) - 2; made != want {
		t.Errorf("tables were made %d times, want %d", made, want)
	}
	rows, err := x.Admin.Query(t.Context(), `SELECT keyspace_name FROM life.schema_version`)
	if err != nil || len(rows) != 1 {
		t.Errorf("schema_version holds %v, %v: the lock is still there", rows, err)
	}
}

func TestUpdateOfYCQLGoesOnAfterItWasBrokenOff(t *testing.T) {
	x, _ := ycqlTool(t)
	for _, left := range []int{0, 1, 2} {
		one := *x
		one.Admin = &breaking{x.Admin, left}
		if err := one.Create(t.Context(), schema.Replication{}); err == nil || !strings.Contains(err.Error(), "broken off") {
			t.Fatalf("Create() with %d statements left = %v", left, err)
		}
	}
	mustCreate(t, x)
	for _, left := range []int{0, 1, 5, 2, 12} {
		one := *x
		one.Admin = &breaking{x.Admin, left}
		if err := one.Update(t.Context()); err == nil || !strings.Contains(err.Error(), "broken off") {
			t.Fatalf("Update() with %d statements left = %v", left, err)
		}
	}
	mustUpdate(t, x)
	if d := mustVerify(t, x); len(d) != 0 {
		t.Fatalf("Verify() = %v", d)
	}
}

func TestDryRunOfYCQLIsAScript(t *testing.T) {
	x, out := ycqlTool(t)
	dry := *x
	dry.DryRun = true
	mustCreate(t, &dry)
	mustUpdate(t, &dry)
	if d := mustVerify(t, x); len(d) != 1 || d[0].What != "keyspace life" {
		t.Fatalf("after the dry run: %v", d)
	}
	run := func(script string) {
		t.Helper()
		for line := range strings.Lines(script) {
			if strings.HasPrefix(line, "--") {
				continue
			}
			if err := x.Admin.Exec(t.Context(), strings.TrimSuffix(strings.TrimSpace(line), ";")); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
	run(out.String())
	if d := mustVerify(t, x); len(d) != 0 {
		t.Fatalf("after the script: %v", d)
	}
	out.Reset()
	if err := dry.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(out.String())
	if d := mustVerify(t, x); len(d) != 1 || d[0].What != "keyspace life" {
		t.Fatalf("after the script of the drop: %v", d)
	}
}

func TestUpdatesPrepareTheKeyspace(t *testing.T) {
	x, _ := ycqlTool(t)
	mustCreate(t, x)
	prepared := 0
	x.Prepare = func(context.Context) error {
		prepared++
		if d := mustVerify(t, x); len(d) != 0 {
			t.Errorf("prepared before the schema was there: %v", d)
		}
		return nil
	}
	for want := 1; want <= 2; want++ { // nothing to do the second time
		if mustUpdate(t, x); prepared != want {
			t.Fatalf("prepared %d times, want %d", prepared, want)
		}
	}
	dry := *x
	dry.DryRun = true
	if mustUpdate(t, &dry); prepared != 2 {
		t.Fatal("a dry run prepares the keyspace")
	}
	x.Prepare = func(context.Context) error { return errors.New("no blocks") }
	if err := x.Update(t.Context()); err == nil || err.Error() != `find out what the servers of keyspace "life" can do: no blocks` {
		t.Fatalf("Update() = %v", err)
	}
}

type preparer struct {
	backend.Opener
	findings []backend.Finding
	err      error
}

func (p preparer) Prepare(context.Context, backend.Env) ([]backend.Finding, error) {
	return p.findings, p.err
}

func (p preparer) Probe(context.Context, backend.Env) ([]backend.Finding, error) {
	return p.findings, p.err
}

func TestPreparingTellsWhatWasFound(t *testing.T) {
	out := &bytes.Buffer{}
	broken := errors.New("a needed ability is missing")
	do := schema.Preparing(preparer{findings: []backend.Finding{{Name: "null elements", Able: true}, {Name: "guard in a batch"}}, err: broken}, backend.Env{}, out)
	if err := do(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Prepare() = %v", err)
	}
	if got := out.String(); got != "-- null elements: yes\n-- guard in a batch: no\n" {
		t.Errorf("told %q", got)
	}
	if schema.Preparing(struct{ backend.Opener }{}, backend.Env{}, out) != nil {
		t.Error("a backend whose servers are all alike is prepared")
	}
}

// A keyspace of the other dialect is neither changed nor used, and named. The
// engine's tables can be those of any schema: types and columns are the same.
func TestKeyspacesOfTheOtherDialectAreRefused(t *testing.T) {
	const refusal = `keyspace "life" was made for Apache Cassandra (dialect cassandra), not for YugabyteDB (dialect ycql): name another keyspace, or the backend or dialect that it was made for`
	x, _ := ycqlTool(t)
	cassandra := *x
	cassandra.Set = schema.Cassandra()
	mustCreate(t, x) // of the same form in both
	cassandra.Admin = withoutIndexes{x.Admin}
	// The last step finds that indexes are missing: all tables are made by then.
	if err := cassandra.Update(t.Context()); err == nil || !strings.Contains(err.Error(), "differs from it in") {
		t.Fatal(err)
	}
	wantCheck(t, x.Admin, x, refusal)
	for what, do := range map[string]func() error{
		"Create": func() error { return x.Create(t.Context(), schema.Replication{}) },
		"Update": func() error { return x.Update(t.Context()) },
	} {
		if err := do(); err == nil || err.Error() != refusal {
			t.Errorf("%s() = %v", what, err)
		}
	}
	if d := mustVerify(t, x); len(d) == 0 || d[0].String() != "~ keyspace life is made for Apache Cassandra (dialect cassandra), should be made for YugabyteDB (dialect ycql)" {
		t.Errorf("Verify() begins with %v", d[0])
	}

	other, _ := ycqlTool(t)
	mustCreate(t, other)
	mustUpdate(t, other)
	cassandra.Admin = other.Admin
	wantCheck(t, other.Admin, &cassandra, `keyspace "life" was made for YugabyteDB (dialect ycql), not for Apache Cassandra (dialect cassandra): name another keyspace, or the backend or dialect that it was made for`)
}

// withoutIndexes leaves out what YCQL refuses in stock's schema.
type withoutIndexes struct{ cql.Admin }

func (w withoutIndexes) Exec(ctx context.Context, text string, args ...any) error {
	if strings.HasPrefix(text, "CREATE INDEX") {
		return nil
	}
	return w.Admin.Exec(ctx, text, args...)
}
