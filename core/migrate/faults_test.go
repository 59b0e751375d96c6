package migrate_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/migrate"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/internal/smalldisk"
)

// refused fails unless a verb ends with an error of one line that says all parts.
func refused(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("it was not refused, want %q", parts)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %v", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error is %q, which does not say %q", err, part)
		}
	}
}

// pair is a small source and a target that is not there yet.
func pair(t testing.TB) (from, to migrate.Deployment, state string) {
	t.Helper()
	from, to = directory(t, "cassandra", t.TempDir()), directory(t, "ycql", filepath.Join(t.TempDir(), "b"))
	fill(t, from, small(t))
	return from, to, filepath.Join(t.TempDir(), "state")
}

func fenced(o *migrate.Options) { o.Fence = true }

// change rewrites a record of a deployment as a server that is gone has left it.
func change(t testing.TB, d migrate.Deployment, kind records.Kind, to func(*records.Record) *records.Record) records.Record {
	t.Helper()
	all := contents(t, d)
	for _, r := range all {
		if r.Kind != kind {
			continue
		}
		changed := to(&r)
		if changed == nil {
			continue
		}
		k := open(t, d)
		defer k.close()
		shard, _ := r.Unit.Shard()
		if shard > 0 {
			if err := k.writer.Hold(t.Context(), shard); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.writer.Replace(t.Context(), []records.Record{*changed}); err != nil {
			t.Fatal(err)
		}
		if shard > 0 {
			if err := k.writer.Release(t.Context(), shard); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	t.Fatalf("no %s", kind)
	return records.Record{}
}

func TestOrder(t *testing.T) {
	from, to, state := pair(t)
	for _, verb := range []string{"copy", "verify", "switch", "rollback"} {
		refused(t, do(t, from, to, state, verb, nil), verb, "no run", "migrate init --from cassandra.yaml --to ycql.yaml")
	}
	must(t, from, to, state, "init")
	refused(t, do(t, from, to, state, "verify", nil), "migrate copy --from")
	refused(t, do(t, from, to, state, "switch", nil), "migrate copy --from")
	must(t, from, to, state, "copy")
	refused(t, do(t, from, to, state, "switch", nil), "not been verified", "migrate verify --from")
	if err := do(t, from, to, state, "verify", func(o *migrate.Options) { o.Level = migrate.LevelVersions }); err != nil {
		t.Fatal(err)
	}
	refused(t, do(t, from, to, state, "switch", nil), "level versions")
	must(t, from, to, state, "verify", "copy")
	refused(t, do(t, from, to, state, "switch", nil), "not been verified")
	must(t, from, to, state, "verify", "switch", "switch")
	refused(t, do(t, from, to, state, "copy", nil), "was switched", "migrate rollback")
	must(t, from, to, state, "rollback")
	refused(t, do(t, from, to, state, "switch", nil), "was rolled back")
	refused(t, do(t, from, to, state, "init", nil), "was rolled back")
}

func TestUnfencedCopyIsARehearsal(t *testing.T) {
	from, to, state := pair(t)
	for _, verb := range []string{"init", "copy", "verify"} {
		if err := do(t, from, to, state, verb, nil); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, do(t, from, to, state, "switch", nil), "not fenced", "init --fence")
	// The servers run on.
	gone := change(t, from, records.Namespace, func(r *records.Record) *records.Record {
		return r.With(plan.NamespaceNotificationVersion, int64(77))
	})
	t.Logf("changed %s", gone.KeyString())
	if err := do(t, from, to, state, "init", fenced); err != nil {
		t.Fatal(err)
	}
	refused(t, do(t, from, to, state, "switch", nil), "fenced after it had been copied", "migrate copy")
	must(t, from, to, state, "copy", "verify", "switch")
	equal(t, contents(t, from), contents(t, to))
}

func TestDryRunsWriteNothing(t *testing.T) {
	from, to, state := pair(t)
	dry := func(o *migrate.Options) { o.DryRun, o.Fence = true, true }
	before := contents(t, from)
	if err := do(t, from, to, state, "init", dry); err != nil {
		t.Fatal(err)
	}
	m, _ := tool(t, from, to, state, nil)
	if m.Run() != nil {
		t.Error("a dry run has begun a migration")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	must(t, from, to, state, "init")
	held := contents(t, to)
	if err := do(t, from, to, state, "copy", dry); err != nil {
		t.Fatal(err)
	}
	equal(t, held, contents(t, to))
	must(t, from, to, state, "copy", "verify")
	for _, verb := range []string{"switch", "rollback"} {
		if err := do(t, from, to, state, verb, dry); err != nil {
			t.Fatal(err)
		}
	}
	m, _ = tool(t, from, to, state, nil)
	if got := m.Run().Phase; got != migrate.Copied {
		t.Errorf("dry runs have left the phase %s", got)
	}
	equal(t, before, contents(t, from))
}

func TestTwoMigrators(t *testing.T) {
	from, to, state := pair(t)
	must(t, from, to, state, "init")
	slow, _ := tool(t, from, to, state, func(o *migrate.Options) { o.Limits.Source.RowsPerSecond = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- slow.Copy(ctx) }()
	k := open(t, to)
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		rows, err := k.admin.Query(t.Context(), "SELECT value FROM "+to.Opener.Keyspace()+"."+migrate.Table+" WHERE run = 'migration' AND item = 'lease'")
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) > 0 {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("the first migrator takes no lease")
		}
	}
	k.close()
	refused(t, do(t, from, to, t.TempDir(), "copy", nil), "another migrator is at work", "process")
	refused(t, do(t, from, to, state, "copy", nil), "another migrator uses it")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("a copy that is broken off: %v", err)
	}
	if err := slow.Close(); err != nil {
		t.Fatal(err)
	}
	must(t, from, to, state, "copy")
	must(t, from, to, state, "verify")
	if err := do(t, from, to, t.TempDir(), "verify", nil); err != nil {
		t.Errorf("another state directory, when the first has been left: %v", err)
	}
}

func TestUnknownRowsEndItBeforeAnythingIsWritten(t *testing.T) {
	from, to, state := pair(t)
	k := open(t, from)
	keyspace := from.Opener.Keyspace()
	row := "shard_id = 1 AND type = 9 AND namespace_id = 10000000-7000-f000-f000-000000000000"
	err := k.admin.Exec(t.Context(), `INSERT INTO `+keyspace+`.executions (shard_id, type, namespace_id, workflow_id, run_id, visibility_ts, task_id, replication)
		VALUES (1, 9, 10000000-7000-f000-f000-000000000000, 'w', 30000000-9000-f000-f000-000000000000, 0, 1, 0x01)`)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, do(t, from, to, state, "init", fenced), "does not know", "shard 1, type 9")
	if _, err := os.Stat(to.Opener.(interface{ Directory() string }).Directory() + "/keyspace"); err == nil {
		t.Error("the target was made")
	}
	m, _ := tool(t, from, to, state, nil)
	a, err := m.Assess(t.Context())
	if err != nil || a.Admissible() || len(a.Unknown) != 1 {
		t.Errorf("the assessment says %v, %v", a, err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := k.admin.Exec(t.Context(), "DELETE FROM "+keyspace+".executions WHERE "+row); err != nil {
		t.Fatal(err)
	}
	k.close()
	must(t, from, to, state, "init", "copy", "verify")
}

// A damaged shard cannot be carried: its ranges decide which ids tasks have.
func TestDamagedShard(t *testing.T) {
	from, to, state := pair(t)
	k := open(t, from)
	defer k.close()
	set := func(blob string) {
		t.Helper()
		err := k.admin.Exec(t.Context(), "UPDATE "+from.Opener.Keyspace()+`.executions SET shard = `+blob+` WHERE shard_id = 2 AND type = 0
			AND namespace_id = 10000000-1000-f000-f000-000000000000 AND workflow_id = '20000000-1000-f000-f000-000000000000'
			AND run_id = 30000000-1000-f000-f000-000000000000 AND visibility_ts = 946684800000 AND task_id = -11`)
		if err != nil {
			t.Fatal(err)
		}
	}
	set("0xffffff")
	refused(t, do(t, from, to, state, "init", fenced), "shard 2", "damaged")
}

// Other damaged blobs are carried as they are. Verify tells them, and that they
// were so before.
func TestDamagedExecution(t *testing.T) {
	from, to, state := pair(t)
	damaged := change(t, from, records.Execution, func(r *records.Record) *records.Record {
		return r.With(plan.ExecutionState, plan.Blob{Data: []byte{0xff, 0xff}, Encoding: "Proto3"})
	})
	must(t, from, to, state, "init", "copy")
	m, _ := tool(t, from, to, state, nil)
	r, err := m.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Clean || r.Finds != 0 || r.Both == 0 {
		t.Errorf("the report says %+v", r.Verdict)
	}
	if !strings.Contains(r.Text(), damaged.KeyString()) {
		t.Errorf("the report does not name %s:\n%s", damaged.KeyString(), r.Text())
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, do(t, from, to, state, "switch", nil), "differences or problems")
	if err := do(t, from, to, state, "verify", func(o *migrate.Options) { o.AcceptProblems = true }); err != nil {
		t.Fatal(err)
	}
	must(t, from, to, state, "switch")
}

// What is wrong in the target is found, told by record and field, and mended by
// copying again.
func TestTargetThatWasChanged(t *testing.T) {
	from, to, state := pair(t)
	must(t, from, to, state, "init", "copy")
	before := contents(t, from)
	k := open(t, to)
	var changed *records.Record
	var removed, added records.Record
	for _, r := range before {
		switch {
		case r.Kind == records.UserData && changed == nil:
			changed = r.With(plan.UserDataVersion, r.Int(plan.UserDataVersion)+1)
		case r.Kind == records.Node && removed.Key == nil:
			removed = r
		case r.Kind == records.Task && added.Key == nil:
			added = r
			added.Key = append([]any{}, r.Key...)
			added.Key[4] = int64(1 << 40)
		}
	}
	err := errors.Join(k.writer.Replace(t.Context(), []records.Record{*changed, added}), k.writer.Delete(t.Context(), []records.Ref{removed.Ref()}))
	if err != nil {
		t.Fatal(err)
	}
	k.close()
	m, out := tool(t, from, to, state, nil)
	r, err := m.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		changed.KeyString() + ": differs", "version: ", removed.KeyString() + ": only in the source", added.KeyString() + ": only in the target",
	} {
		if !strings.Contains(r.Text(), want) {
			t.Errorf("the report does not say %q:\n%s", want, r.Text())
		}
	}
	same, err := m.Explain(t.Context(), changed.Unit, true, "")
	if err != nil || same || !strings.Contains(out.String(), "version: ") {
		t.Errorf("explain: %t, %v:\n%s", same, err, out)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, do(t, from, to, state, "switch", nil), "differences or problems", "migrate copy")
	must(t, from, to, state, "copy", "verify", "switch")
	equal(t, before, contents(t, to))
}

func TestStateDirectoryIsFull(t *testing.T) {
	from, to, _ := pair(t)
	state := filepath.Join(smalldisk.Mount(t, "64k"), "state")
	must(t, from, to, state, "init", "copy")
	filler := filepath.Join(filepath.Dir(state), "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is larger than it should be")
	}
	refused(t, do(t, from, to, state, "verify", nil), "no space left", "make room")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	// What it needs is more than this disk has: another one.
	must(t, from, to, t.TempDir(), "verify", "switch")
}

func TestVersions(t *testing.T) {
	from, to, state := pair(t)
	must(t, from, to, state, "init")
	k := open(t, to)
	row := to.Opener.Keyspace() + "." + migrate.Table
	rows, err := k.admin.Query(t.Context(), "SELECT value FROM "+row+" WHERE run = 'migration' AND item = 'run'")
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	text, _ := rows[0]["value"].(string)
	set := func(text string) {
		t.Helper()
		if err := k.admin.Exec(t.Context(), "INSERT INTO "+row+" (run, item, value) VALUES ('migration', 'run', ?)", text); err != nil {
			t.Fatal(err)
		}
	}
	for _, version := range []string{"0", "2"} {
		set(strings.Replace(text, `"version":1`, `"version":`+version, 1))
		_, err := migrate.Open(t.Context(), migrate.Options{From: from, To: to, State: state, Logger: quiet})
		refused(t, err, "version "+version, "this program reads 1 to 1", "use the release that began it")
	}
	set(text)
	k.close()
	if err := os.WriteFile(filepath.Join(state, "state.json"), []byte(`{"version": 2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, do(t, from, to, state, "copy", nil), "version 2", "give another --state")
	other := directory(t, "cassandra", t.TempDir())
	other.Shards = 8
	_, err = migrate.Open(t.Context(), migrate.Options{From: other, To: to, State: state, Logger: quiet})
	refused(t, err, "numHistoryShards is 8", "never change")
}

// Histories of no workflow stay where they are, there and back.
func TestGarbageIsCountedAndLeft(t *testing.T) {
	from, to := directory(t, "cassandra", t.TempDir()), directory(t, "ycql", t.TempDir())
	o := small(t)
	o.Garbage = true
	fill(t, from, o)
	before := contents(t, from)
	state := t.TempDir()
	must(t, from, to, state, "init", "copy")
	m, _ := tool(t, from, to, state, func(o *migrate.Options) { o.AcceptProblems = true })
	r, err := m.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Clean || r.Garbage == 0 {
		t.Errorf("garbage %d; %s", r.Garbage, r.Text())
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	after := contents(t, to)
	left := 0
	for name, r := range before {
		if _, found := after[name]; found {
			continue
		}
		if r.Kind != records.Branch && r.Kind != records.Node {
			t.Errorf("%s was not carried", name)
		}
		left++
	}
	if left == 0 {
		t.Error("the garbage was carried")
	}
	must(t, from, to, state, "switch", "rollback")
	equal(t, before, contents(t, from))
}

func TestMetrics(t *testing.T) {
	from, to, state := pair(t)
	must(t, from, to, state, "init")
	metrics := migrate.NewMetrics()
	// Slower than it takes to be told.
	m, _ := tool(t, from, to, state, func(o *migrate.Options) { o.Metrics, o.Limits.Source.RowsPerSecond = metrics, 20 })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- m.Copy(ctx) }()
	said := told(t, metrics)
	for _, want := range []string{"migrate_parts ", "migrate_source_p99_seconds "} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a copy that is broken off: %v", err)
	}
}

// told waits until a copy has told of rows, and returns what it said.
func told(t *testing.T, metrics *migrate.Metrics) string {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		w := httptest.NewRecorder()
		metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
		said := w.Body.String()
		if strings.Contains(said, `migrate_verb{verb="copy"} 1`) && !strings.Contains(said, "migrate_rows 0\n") {
			return said
		}
		if time.Since(begin) > 2*time.Minute {
			t.Fatalf("the copy does not get on:\n%s", said)
		}
	}
}
