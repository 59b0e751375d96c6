package schema_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// These tests run on a real Cassandra; see package cassandratest for when they skip.

func admin(t *testing.T, n *cassandratest.Node) cql.Admin {
	t.Helper()
	o, err := cassandra.New().ParseOptions(map[string]any{"hosts": n.Addr(), "keyspace": "unused"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := o.OpenAdmin(t.Context(), backend.Env{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// tool works on a keyspace that does not exist yet and is dropped in the end.
func tool(t *testing.T, a cql.Admin, keyspace string) (*schema.Tool, *bytes.Buffer) {
	t.Helper()
	out := &bytes.Buffer{}
	x := &schema.Tool{Admin: a, Set: schema.Cassandra(), Keyspace: keyspace, Out: out}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Minute)
		defer cancel()
		if err := x.Drop(ctx); err != nil {
			t.Error(err)
		}
	})
	return x, out
}

func TestLifeOfAKeyspace(t *testing.T) {
	ctx := t.Context()
	a := admin(t, cassandratest.Start(t))
	life := "Life_" + cassandratest.UniqueName() // case is kept
	x, out := tool(t, a, life)

	wantCheck(t, a, x, `keyspace "`+life+`" does not exist: run "temporal-server schema create" and then "temporal-server schema update"`)
	if err := x.Update(ctx); err == nil || !strings.Contains(err.Error(), `"`+life+`": keyspace does not exist: run "schema create" first`) {
		t.Fatalf("Update() without keyspace = %v", err)
	}
	if d := mustVerify(t, x); len(d) != 1 || d[0].What != "keyspace "+life {
		t.Fatalf("Verify() without keyspace = %v", d)
	}
	for range 2 { // again is harmless
		if err := x.Create(ctx, schema.Replication{}); err != nil {
			t.Fatal(err)
		}
	}
	wantCheck(t, a, x, `schema of keyspace "`+life+`" is version 0.0, this server needs `+x.Set.Version+`: run "temporal-server schema update"`)
	if d := mustVerify(t, x); len(d) < 10 {
		t.Fatalf("Verify() of an empty keyspace = %v", d)
	}
	for range 2 {
		if err := x.Update(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(out.String(), "nothing to do") {
		t.Fatalf("the second update says\n%s", out)
	}
	wantCheck(t, a, x, "")
	if d := mustVerify(t, x); len(d) != 0 {
		t.Fatalf("Verify() = %v", d)
	}

	// What people do by hand shows.
	for _, statement := range []string{
		`ALTER TABLE "$ks".executions ADD mine text`, `ALTER TABLE "$ks".queue DROP message_payload`,
		`DROP TABLE "$ks".tasks_v2`, `CREATE TABLE "$ks".own (a int PRIMARY KEY)`, `DROP INDEX "$ks".cm_lastheartbeat_idx`,
	} {
		if err := a.Exec(ctx, strings.ReplaceAll(statement, "$ks", life)); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"- table tasks_v2 is missing (table)", "+ table own is not part of the schema (table)", "- index cm_lastheartbeat_idx is missing (cluster_membership)",
		"+ column executions.mine is not part of the schema (text, regular)", "- column queue.message_payload is missing (blob, regular)",
	}
	if got := fmt.Sprint(mustVerify(t, x)); got != fmt.Sprint(want) {
		t.Fatalf("Verify() = %s\nwant %s", got, want)
	}
	wantCheck(t, a, x, `keyspace "`+life+`" is at version `+x.Set.Version+` but has no table tasks_v2: it was made for another database or an update was broken off; run "temporal-server schema verify" for the whole difference`)

	// A newer keyspace serves as long as it says so.
	if err := a.Exec(ctx, `UPDATE "`+life+`".schema_version SET curr_version = '9.0' WHERE keyspace_name = '`+life+`'`); err != nil {
		t.Fatal(err)
	}
	if err := a.Exec(ctx, `UPDATE "`+life+`".schema_version SET min_compatible_version = '8.0' WHERE keyspace_name = '`+life+`'`); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, a, x, `schema of keyspace "`+life+`" is version 9.0, which needs a server for version 8.0 at least, this one is for `+x.Set.Version+`: run a newer server`)
}

// Eight updates at once do the work once, and an update that was broken off
// after any statement is finished by the next.
func TestUpdatesAtOnce(t *testing.T) {
	a := admin(t, cassandratest.Start(t))
	x, _ := tool(t, a, cassandratest.UniqueName())
	if err := x.Create(t.Context(), schema.Replication{}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	outs := make([]bytes.Buffer, 8)
	errs := make([]error, len(outs))
	for i := range outs {
		wg.Go(func() {
			one := *x
			one.Out = &outs[i]
			errs[i] = one.Update(t.Context())
		})
	}
	wg.Wait()
	statements := 0
	for i := range outs {
		if errs[i] != nil {
			t.Fatalf("update %d: %v", i, errs[i])
		}
		statements += strings.Count(outs[i].String(), "CREATE TABLE")
	}
	implied, err := x.Set.Implied()
	if err != nil {
		t.Fatal(err)
	}
	if want := len(implied.Tables) - 2 + 1; statements != want { // one table is dropped again on the way
		t.Errorf("tables were made %d times, want %d", statements, want)
	}
	if d := mustVerify(t, x); len(d) != 0 {
		t.Errorf("Verify() = %v", d)
	}
	rows, err := a.Query(t.Context(), `SELECT keyspace_name FROM `+x.Keyspace+`.schema_version`)
	if err != nil || len(rows) != 1 {
		t.Errorf("schema_version holds %v, %v: the lock is still there", rows, err)
	}
}

// breaking fails after some statements, as a lost connection would.
type breaking struct {
	cql.Admin
	left int
}

func (b *breaking) Exec(ctx context.Context, text string, args ...any) error {
	if b.left--; b.left < 0 {
		return fmt.Errorf("broken off")
	}
	return b.Admin.Exec(ctx, text, args...)
}

func TestUpdateGoesOnAfterItWasBrokenOff(t *testing.T) {
	a := admin(t, cassandratest.Start(t))
	x, _ := tool(t, a, cassandratest.UniqueName())
	if err := x.Create(t.Context(), schema.Replication{}); err != nil {
		t.Fatal(err)
	}
	for _, left := range []int{1, 3, 9, 14, 17, 2, 5} {
		one := *x
		one.Admin = &breaking{a, left}
		if err := one.Update(t.Context()); err == nil || !strings.Contains(err.Error(), "broken off") {
			t.Fatalf("Update() with %d statements left = %v", left, err)
		}
	}
	if err := x.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	a := admin(t, cassandratest.Start(t))
	x, out := tool(t, a, cassandratest.UniqueName())
	dry := *x
	dry.DryRun = true
	if err := dry.Create(t.Context(), schema.Replication{Datacenters: map[string]int{"eu": 3, "us": 2}}); err != nil {
		t.Fatal(err)
	}
	if err := dry.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	script := out.String()
	for _, line := range []string{
		`CREATE KEYSPACE IF NOT EXISTS "` + x.Keyspace + `" WITH replication = {'class': 'NetworkTopologyStrategy', 'eu': 3, 'us': 2};`,
		`CREATE TABLE IF NOT EXISTS "` + x.Keyspace + `".schema_version (`, `CREATE TABLE "` + x.Keyspace + `".executions (`, `'` + x.Set.Version + `'`,
	} {
		if !strings.Contains(script, line) {
			t.Errorf("%s is missing in\n%s", line, script)
		}
	}
	if d := mustVerify(t, x); len(d) != 1 || d[0].What != "keyspace "+x.Keyspace {
		t.Fatalf("after the dry run: %v", d)
	}
	// The script is CQL: it makes the keyspace that the tool makes. One data
	// center is enough for one node.
	script = strings.Replace(script, "'eu': 3, 'us': 2", "'datacenter1': 1", 1)
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "--") {
			continue
		}
		if err := a.Exec(t.Context(), strings.TrimSuffix(strings.TrimSpace(line), ";")); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if d := mustVerify(t, x); len(d) != 0 {
		t.Fatalf("after the script: %v", d)
	}
}

func wantCheck(t *testing.T, a cql.Admin, x *schema.Tool, want string) {
	t.Helper()
	got := ""
	if err := schema.Check(t.Context(), a, x.Set, x.Keyspace); err != nil {
		got = err.Error()
	}
	if got != want {
		t.Fatalf("Check() = %s\nwant      %s", got, want)
	}
}

func mustVerify(t *testing.T, x *schema.Tool) []schema.Difference {
	t.Helper()
	d, err := x.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}
