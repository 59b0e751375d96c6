package differential

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

var (
	mutate        = flag.Bool("mutants", false, "build the engine with each of the bugs of mutants and want the differential test to find it; minutes")
	mutantResults = flag.String("mutant-results", "", "file to write what was found after how many statements to, as JSON")
)

// mutantStatements bounds how long it may take to find a bug in the engine.
const mutantStatements = 12_000

// mutant is a bug in the engine's own source: one place of a file, said otherwise.
type mutant struct {
	name, file, old, new string
}

// mutants change what the engine stores, how it orders, finds and shows it. Files
// are those below backends/embedded.
var mutants = []mutant{
	{"USING TTL is forgotten", "engine/write.go", "w.ttl = ttl\n", "w.ttl = min(ttl, 0)\n"},
	{"what is to expire is as good as what is not", "storage/cell.go", "fe != fo {\n\t\treturn fe", "fe != fo {\n\t\treturn fo"},
	{"the lesser of two values of one time wins", "storage/cell.go", "return bytes.Compare(e.Value, o.Value) > 0", "return bytes.Compare(e.Value, o.Value) < 0"},
	{"INSERT does not mark its row", "engine/write.go", "Clustering: ck, Insert: p.kind == writeInsert,", "Clustering: ck, Insert: false,"},
	{"UPDATE marks its row", "engine/write.go", "Clustering: ck, Insert: p.kind == writeInsert,", "Clustering: ck, Insert: p.kind != writeDelete,"},
	{"a whole collection is added to what is stored", "storage/write.go", "if err := tx.clearElements(rw, c, rw.ts-1); err != nil {\n\t\t\treturn err\n\t\t}\n\t\treturn tx.putElements", "return tx.putElements"},
	{"prepending turns the elements round", "storage/write.go", "for _, e := range slicesBackward(op.Elems) {", "for _, e := range op.Elems {"},
	{"DeleteRow leaves collections", "storage/delete.go", "if !t.elements(w.Static) {\n\t\treturn nil", "if t != nil {\n\t\treturn nil"},
	{"a range tombstone does not cover later writes of earlier times", "storage/write.go", "if rw.shadow >= rw.ts ||", "if rw.shadow > rw.ts+60 ||"},
	{"null is not written", "storage/write.go", "if value == nil {\n\t\te.dead, e.TTL, e.Expiry = true, 0, tx.now\n\t}\n\tat, ok", "if value == nil {\n\t\treturn\n\t}\n\tat, ok"},
	{"behind the last row of a page its partition is taken for one of statics alone", "engine/read.go", "found := q.from != nil", "found := false"},
	{"LIMIT begins anew with each page", "engine/paging.go", "q.left = min(q.left, int64(left)-1)", "q.left = max(q.left, int64(left)-1)"},
	{"PER PARTITION LIMIT begins anew with each page", "engine/paging.go", "q.perLeft = min(q.perLimit, int64(per)-1)", "q.perLeft = max(q.perLimit, int64(per)-1)"},
	{"the next page begins with the last row", "engine/bounds.go", "near = storage.Bound{Values: ck}", "near = storage.Bound{Values: ck, Inclusive: d < 0}"},
	{"bounds on a descending column are taken as they stand", "engine/bounds.go", "if next.col.Desc {", "if next.col.Desc && len(p) > 0 {"},
	{"> is >= where a key has one clustering column only", "engine/bounds.go", "s.Start = storage.Bound{Values: appendValue(p, start), Inclusive: startLimit.inclusive}", "s.Start = storage.Bound{Values: appendValue(p, start), Inclusive: startLimit.inclusive || len(cks) == 1}"},
	{"doubles in an IN list count twice", "engine/bounds.go", "return slices.CompactFunc(list, func(a, b []byte) bool { return cmp(a, b) == 0 })", "return list"},
	{"a partition of statics alone is not shown", "engine/read.go", "if !found && q.row.st != nil && q.staticAlone() {", "if !found && q.row.st != nil && q.staticAlone() && s.distinct {"},
	{"!= is not true of null", "engine/filter.go", "return !both(operands[0]), nil", "return left != nil && !both(operands[0]), nil"},
	{"a refusal shows each row once for each condition", "engine/refusal.go", "return slices.CompactFunc(rows, func(a, b *rowView) bool { return compareClustering(cols, a.ck, b.ck) == 0 })", "return rows"},
	{"a refusal shows no statics alone", "engine/refusal.go", "if len(rows) == 0 && alone != nil {", "if len(rows) == 0 && alone != nil && len(ws) > 5 {"},
	{"negative integers sort last", "cqltype/compare.go", "return cmp.Compare(int32(binary.BigEndian.Uint32(a)), int32(binary.BigEndian.Uint32(b)))", "return cmp.Compare(binary.BigEndian.Uint32(a), binary.BigEndian.Uint32(b))"},
	{"time UUIDs of one time sort by unsigned bytes", "cqltype/compare.go", "const signedBytes = 0x8080808080808080", "const signedBytes = 0"},
	{"of several elements the first is taken away only", "engine/effects.go", "for _, e := range elems {\n\t\t\tdst = append(dst, storage.Op{Kind: storage.DropElement", "for _, e := range elems[:min(len(elems), 1)] {\n\t\t\tdst = append(dst, storage.Op{Kind: storage.DropElement"},
	{"TTL() counts from the write's end", "storage/cell.go", "return int32(c.Expiry - now), true", "return c.TTL + int32(c.Expiry-now), true"},
}

// TestMutantsStillApply keeps the list in step with the source.
func TestMutantsStillApply(t *testing.T) {
	if len(mutants) < 20 {
		t.Fatalf("%d bugs, want 20", len(mutants))
	}
	names := map[string]bool{}
	for _, m := range mutants {
		if names[m.name] {
			t.Errorf("two bugs are named %q", m.name)
		}
		names[m.name] = true
		if _, err := m.source(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

// source returns the file with the bug in it.
func (m *mutant) source() ([]byte, error) {
	b, err := os.ReadFile(filepath.Join("..", m.file))
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(b, []byte(m.old)); n != 1 {
		return nil, &placeError{m.file, m.old, n}
	}
	return bytes.Replace(b, []byte(m.old), []byte(m.new), 1), nil
}

type placeError struct {
	file, text string
	found      int
}

func (e *placeError) Error() string {
	return e.file + " has " + strconv.Itoa(e.found) + " places, not one, that read " + strconv.Quote(e.text)
}

var comparedStatements = regexp.MustCompile(`: (\d+) statements: conditional`)

// mutantResult is what became of one bug.
type mutantResult struct {
	Name       string  `json:"name"`
	File       string  `json:"file"`
	Found      bool    `json:"found"`
	Statements int     `json:"statements"` // compared, those of cases at work elsewhere included
	Seconds    float64 `json:"seconds"`    // without building
}

// TestMutantsAreFound builds the engine with each bug and compares it with Cassandra.
func TestMutantsAreFound(t *testing.T) {
	if !*mutate {
		t.Skip("takes minutes: -mutants runs it, make soak does")
	}
	node := cassandratest.Start(t)
	var results []mutantResult
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			r := m.run(t, node.Addr())
			t.Logf("found %v, %d statements, %.1f s", r.Found, r.Statements, r.Seconds)
			if !r.Found {
				t.Errorf("%s: not found in %d statements", m.name, r.Statements)
			}
			results = append(results, r)
		})
	}
	if *mutantResults == "" {
		return
	}
	b, err := json.MarshalIndent(map[string]any{
		"what":      "bugs put into the engine's source, one at a time; each build is compared with Apache Cassandra on random statements from one fixed seed on",
		"date":      time.Now().UTC().Format(time.DateOnly),
		"cassandra": cassandratest.Version,
		"bugs":      results,
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*mutantResults, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (m *mutant) run(t *testing.T, cassandra string) mutantResult {
	t.Helper()
	src, err := m.source()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	changed, overlay, binary := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "differential.test")
	original, err := filepath.Abs(filepath.Join("..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{changed: src, overlay: doc} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	from := time.Now()
	run := exec.CommandContext(ctx, binary, "-test.run", "^TestEngineAgreesWithCassandra$", "-test.v", "-statements", strconv.Itoa(mutantStatements))
	run.Env = append(os.Environ(), "CQL_TEST_CASSANDRA="+cassandra)
	out, err := run.CombinedOutput()
	r := mutantResult{Name: m.name, File: m.file, Seconds: time.Since(from).Round(100 * time.Millisecond).Seconds()}
	if n := comparedStatements.FindSubmatch(out); n != nil {
		r.Statements, _ = strconv.Atoi(string(n[1]))
	}
	// A difference must be what made it fail, not a crash or a lost connection.
	r.Found = err != nil && strings.Contains(string(out), "shrunk from")
	if !r.Found {
		t.Logf("%v\n%.4000s", err, out)
	}
	return r
}
