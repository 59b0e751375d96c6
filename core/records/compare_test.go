package records_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

// find compares two sides as tools do: digests, then keys, then the records
// themselves.
func find(t testing.TB, a, b *records.Source, da, db *records.Digest) (found []string) {
	t.Helper()
	diffs, err := da.Diff(db)
	if err != nil {
		t.Fatal(err)
	}
	keys := func(s *records.Source, d *records.Digest) *records.Keys {
		k := records.NewKeys(d, diffs...)
		for _, p := range s.Parts(1) {
			if err := s.All(t.Context(), p, func(r *records.Record) error { k.Add(r); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		return k
	}
	if len(diffs) == 0 {
		return nil
	}
	for _, d := range keys(a, da).Diff(keys(b, db), time.Now().UnixMilli()) {
		x, err := a.Get(t.Context(), d.Ref)
		if err != nil {
			t.Fatal(err)
		}
		y, err := b.Get(t.Context(), d.Ref)
		if err != nil {
			t.Fatal(err)
		}
		if x == nil || y == nil {
			found = append(found, fmt.Sprintf("%s %s", d.Ref, d.Why))
			continue
		}
		for _, f := range records.Fields(x, y) {
			found = append(found, fmt.Sprintf("%s %s %s", d.Ref, d.Why, f))
		}
	}
	return found
}

// Whatever is wrong with a field is found, and named by record and field.
func TestCorruptionsAreFound(t *testing.T) {
	seed := seed(t)
	made := corpus.Make(corpus.Small(seed))
	before := make(map[records.Family]*records.Digest)
	n := 0
	for i := range made {
		r := &made[i]
		if before[r.Family()] == nil {
			before[r.Family()] = records.NewDigest(records.Content)
		}
		for _, c := range r.Corruptions() {
			n++
			if r.Hash(records.Content) == c.Record.Hash(records.Content) && c.Path != "expires" {
				t.Errorf("%s: %s %s has the same hash", r.KeyString(), c.Path, c.What)
			}
			da, db := records.NewDigest(records.Content), records.NewDigest(records.Content)
			da.Add(r)
			db.Add(&c.Record)
			diff, err := da.Diff(db)
			if err != nil || len(diff) == 0 || diff[0].Slot != da.Slot(r) {
				t.Errorf("%s: %s %s is not found: %v, %v", r.KeyString(), c.Path, c.What, diff, err)
				continue
			}
			ka, kb := records.NewKeys(da, diff...), records.NewKeys(db, diff...)
			ka.Add(r)
			kb.Add(&c.Record)
			if d := ka.Diff(kb, time.Now().UnixMilli()); len(d) != 1 || d[0].String() != r.Ref().String() {
				t.Errorf("%s: %s %s is reported as %v", r.KeyString(), c.Path, c.What, d)
			}
			fields := records.Fields(r, &c.Record)
			if len(fields) == 0 || slices.ContainsFunc(fields, func(f records.FieldDiff) bool { return !strings.HasPrefix(f.Path, c.Path) }) {
				t.Errorf("%s: %s %s is reported as %v", r.KeyString(), c.Path, c.What, fields)
			}
		}
	}
	// Each kind with fields was there.
	for _, k := range records.Kinds() {
		if !slices.ContainsFunc(made, func(r records.Record) bool { return r.Kind == k }) {
			t.Errorf("the corpus has no %s", k)
		}
	}
	t.Logf("%d corruptions of %d records", n, len(made))
}

// One record of each family is changed, lost or made up in the database itself.
func testNegativeControl(t *testing.T, a, b *store) {
	seed := seed(t)
	o := corpus.Small(seed)
	o.Whole = a.whole
	made := corpus.Make(o)
	a.put(t, o.Shards, made)
	b.put(t, o.Shards, made)
	sa, sb := a.source(t, records.Options{Shards: o.Shards}), b.source(t, records.Options{Shards: o.Shards})
	da, _ := digest(t, sa, sa.Parts(1))
	expect := func(why string, want ...string) {
		t.Helper()
		db, _ := digest(t, sb, sb.Parts(1))
		got := find(t, sa, sb, da, db)
		if len(got) != len(want) {
			t.Errorf("%s: found %q, want %q", why, got, want)
			return
		}
		for i := range got {
			// One of several lines.
			if !slices.ContainsFunc(strings.Split(want[i], "\n"), func(w string) bool { return strings.HasPrefix(got[i], w) }) {
				t.Errorf("%s: found %q, want %q", why, got[i], want[i])
			}
		}
	}
	expect("equal")
	done := make(map[records.Family]bool)
	for i := range made {
		r := &made[i]
		if done[r.Family()] {
			continue
		}
		done[r.Family()] = true
		if r.Kind != records.Shard {
			if err := b.writer.Delete(t.Context(), []records.Ref{r.Ref()}); err != nil {
				t.Fatal(err)
			}
			expect("deleted", fmt.Sprintf("%s %s", r.Ref(), records.OnlyA))
			if err := b.writer.Put(t.Context(), []records.Record{*r}); err != nil {
				t.Fatal(err)
			}
		}
		corruptions := r.Corruptions()
		if len(corruptions) == 0 {
			continue
		}
		at := slices.IndexFunc(corruptions, func(c records.Corruption) bool { return c.What != "lost" && c.What != "another encoding" })
		c := &corruptions[max(at, 0)]
		if err := b.writer.Replace(t.Context(), []records.Record{c.Record}); err != nil {
			t.Fatalf("%s %s: %v", r.KeyString(), c.What, err)
		}
		want := fmt.Sprintf("%s %s %s", r.Ref(), records.Differs, c.Path)
		if r.Kind == records.Branch {
			// What the blob says decides whose branch it is: a change there may also
			// make it that of another shard.
			want += fmt.Sprintf("\n%s %s", r.Ref(), records.Moved)
		}
		expect(c.What, want)
		if err := b.writer.Replace(t.Context(), []records.Record{*r}); err != nil {
			t.Fatal(err)
		}
		expect("mended")
	}
	if len(done) < len(records.Kinds()) {
		t.Errorf("%d families", len(done))
	}
}

func TestNegativeControl(t *testing.T) {
	t.Run("memory", func(t *testing.T) { testNegativeControl(t, inMemory(t), inMemory(t)) })
	t.Run("embedded", func(t *testing.T) { testNegativeControl(t, engine(t, "cassandra"), engine(t, "ycql")) })
}

func TestExpiry(t *testing.T) {
	now := time.Now().UnixMilli()
	task := func(id, expires int64) *records.Record {
		return &records.Record{
			Kind: records.Task, Unit: records.QueueUnit([16]byte{1}, "q", 1), Expires: expires,
			Key: []any{[16]byte{1}, "q", int64(1), int64(0), id}, Values: []any{blob("task")},
		}
	}
	diff := func(a, b []*records.Record) []records.RecordDiff {
		da, db := records.NewDigest(records.Content), records.NewDigest(records.Content)
		for _, r := range a {
			da.Add(r)
		}
		for _, r := range b {
			db.Add(r)
		}
		cells, err := da.Diff(db)
		if err != nil {
			t.Fatal(err)
		}
		ka, kb := records.NewKeys(da, cells...), records.NewKeys(db, cells...)
		for _, r := range a {
			ka.Add(r)
		}
		for _, r := range b {
			kb.Add(r)
		}
		return ka.Diff(kb, now)
	}
	one := []*records.Record{task(1, now+60_000)}
	tests := []struct {
		name string
		a, b []*records.Record
		want []records.Why
	}{
		{"within the tolerance", one, []*records.Record{task(1, now+63_900)}, nil},
		{"beyond it", one, []*records.Record{task(1, now+64_100)}, []records.Why{records.Expires}},
		{"for ever", one, []*records.Record{task(1, 0)}, []records.Why{records.Expires}},
		{"gone meanwhile", []*records.Record{task(1, now+1000)}, nil, nil},
		{"not yet gone", one, nil, []records.Why{records.OnlyA}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := diff(tt.a, tt.b)
			var why []records.Why
			for _, d := range got {
				why = append(why, d.Why)
			}
			if !slices.Equal(why, tt.want) {
				t.Errorf("found %v, want %v", got, tt.want)
			}
		})
	}
}

// Where only what expires may differ, only that is held.
func TestKeysHoldWhatMayDiffer(t *testing.T) {
	now := time.Now().UnixMilli()
	unit := records.QueueUnit(id(1), "q", 1)
	task := func(n, expires int64, text string) records.Record {
		return records.Record{
			Kind: records.Task, Unit: unit, Key: []any{id(1), "q", int64(1), int64(0), n},
			Values: []any{blob(text)}, Expires: expires,
		}
	}
	made := func(text string) (all []records.Record, d *records.Digest) {
		d = records.NewDigest(records.Content)
		d.Buckets = 1
		for n := range int64(100) {
			expires := int64(0)
			if n%10 == 0 {
				expires = now + 60_000
			}
			all = append(all, task(n, expires, text))
		}
		all[55] = task(55, 0, "as ever")
		for i := range all {
			d.Add(&all[i])
		}
		return all, d
	}
	a, da := made("one")
	for _, tt := range []struct {
		text  string
		held  int
		diffs int
	}{{"one", 10, 0}, {"another", 100, 99}} {
		b, db := made(tt.text)
		cells, err := da.Diff(db)
		if err != nil || len(cells) != 1 {
			t.Fatal(cells, err)
		}
		ka, kb := records.NewKeys(da, cells...), records.NewKeys(db, cells...)
		for i := range a {
			ka.Add(&a[i])
			kb.Add(&b[i])
		}
		if ka.Len() != tt.held || kb.Len() != tt.held || cells[0].Held() != int64(2*tt.held) {
			t.Errorf("%s: %d and %d records are held, Held() is %d; want %d of each side", tt.text, ka.Len(), kb.Len(), cells[0].Held(), tt.held)
		}
		if d := ka.Diff(kb, now); len(d) != tt.diffs {
			t.Errorf("%s: %d differences, want %d", tt.text, len(d), tt.diffs)
		}
	}
}

func TestDigestsAddUp(t *testing.T) {
	made := corpus.Make(corpus.Small(1))
	whole, odd, even := records.NewDigest(records.Content), records.NewDigest(records.Content), records.NewDigest(records.Content)
	for i := range made {
		whole.Add(&made[i])
		[]*records.Digest{even, odd}[i%2].Add(&made[i])
	}
	if err := even.Merge(odd); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(even)
	if err != nil {
		t.Fatal(err)
	}
	var read records.Digest
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	for slot, cell := range whole.Cells {
		if read.Cells[slot] != cell {
			t.Errorf("%s is %+v, want %+v", slot, read.Cells[slot], cell)
		}
	}
	for i := range made {
		read.Remove(&made[i])
	}
	if len(read.Cells) != 0 {
		t.Errorf("%d cells are left when all is removed", len(read.Cells))
	}
	if err := even.Merge(records.NewDigest(records.Counts)); err == nil {
		t.Error("digests of two levels were merged")
	}
	if err := json.Unmarshal([]byte(strings.Replace(string(text), `"version":1`, `"version":2`, 1)), &read); err == nil {
		t.Error("a digest of another version was read")
	}
}

func TestLevels(t *testing.T) {
	made := corpus.Make(corpus.Small(2))
	at := slices.IndexFunc(made, func(r records.Record) bool { return r.Kind == records.Execution })
	r := &made[at]
	version := r.With(plan.RecordVersion, r.Int(plan.RecordVersion)+1)
	content := r.With(plan.ExecutionInfo, plan.Blob{Data: []byte{8, 1}, Encoding: "Proto3"})
	if r.Hash(records.Versions) == version.Hash(records.Versions) {
		t.Error("another version has the same hash at level Versions")
	}
	if r.Hash(records.Versions) != content.Hash(records.Versions) || r.Hash(records.Content) == content.Hash(records.Content) {
		t.Error("another content shows at level Versions, or does not at level Content")
	}
}

// Every field of every kind is in some record, and so can be wrong.
func TestEveryFieldIsCorrupted(t *testing.T) {
	for seed := range uint64(3) {
		found := make(map[string]bool)
		for _, r := range corpus.Make(corpus.Small(seed)) {
			for _, c := range r.Corruptions() {
				found[r.Kind.String()+" "+c.Path] = true
			}
		}
		for _, k := range records.Kinds() {
			for _, c := range k.Table().Columns {
				if c != plan.ShardRangeID && !found[k.String()+" "+c.Name] {
					t.Errorf("seed %d: nothing is wrong with %s of any %s", seed, c.Name, k)
				}
			}
		}
		for _, k := range []records.Kind{records.TaskQueue, records.Task} {
			if !found[k.String()+" expires"] {
				t.Errorf("seed %d: no %s expires at another time", seed, k)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range corpus.Make(corpus.Small(1)) {
		f.Add(r.Append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, rest, err := records.Decode(data)
		if err != nil {
			return
		}
		// What was read is written as it was, and what is derived from it does not panic.
		again := r.Append(nil)
		back, left, err := records.Decode(append(again, rest...))
		if err != nil || len(left) != len(rest) || back.KeyString() != r.KeyString() || back.Hash(records.Content) != r.Hash(records.Content) {
			t.Fatalf("decoded %s, encoded and decoded %v, %v, %d bytes left of %d", r.KeyString(), back, err, len(left), len(rest))
		}
		if len(records.Fields(r, back)) > 0 {
			t.Fatalf("%s differs from itself: %v", r.KeyString(), records.Fields(r, back))
		}
		_, _ = r.Family(), r.Size()
		r.Corruptions()
	})
}
