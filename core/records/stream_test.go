package records_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

// copyAll copies what a holds to b, page by page.
func copyAll(t testing.TB, a, b *store, o records.Options) {
	t.Helper()
	src := a.source(t, o)
	for shard := range int64(o.Shards) {
		if err := b.writer.Hold(t.Context(), shard+1); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range src.Parts(2) {
		var at records.Cursor
		for {
			page, err := src.Page(t.Context(), part, at)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.writer.Put(t.Context(), page.Records); err != nil {
				t.Fatal(err)
			}
			if at = page.Next; at == nil {
				break
			}
		}
	}
}

// A -> B -> A is what A was.
func testThereAndBack(t *testing.T, open func(testing.TB) *store, through *store) {
	seed := seed(t)
	first, last := open(t), open(t)
	o := corpus.Small(seed)
	o.Whole = first.whole
	ro := records.Options{Shards: o.Shards}
	first.put(t, o.Shards, corpus.Make(o))
	before, want := first.read(t, ro)
	copyAll(t, first, through, ro)
	middle, got := through.read(t, ro)
	same(t, before, middle, want, got)
	copyAll(t, through, last, ro)
	after, got := last.read(t, ro)
	same(t, before, after, want, got)

	// But for the shards' owners even the bytes are the same. CHASM nodes that
	// were two blobs come back as one from where they have to be.
	form := func(r *records.Record) string {
		c := *r
		if !first.whole {
			c = *r.Canonical()
		}
		c.Expires = 0
		return string(c.Append(nil))
	}
	byName := map[string]string{}
	for i := range before {
		byName[before[i].KeyString()] = form(&before[i])
	}
	for i := range after {
		if r := &after[i]; r.Kind != records.Shard && byName[r.KeyString()] != form(r) {
			t.Errorf("%s came back in other bytes", r.KeyString())
		}
	}

	// Servers may have the shards again.
	for shard := range int64(o.Shards) {
		for range 2 {
			if err := last.writer.Release(t.Context(), shard+1); err != nil {
				t.Error(err)
			}
		}
		if err := last.writer.Put(t.Context(), before[:1]); before[0].Kind == records.Shard && err == nil && shard+1 == before[0].Key[0] {
			t.Error("a shard that is not held was written")
		}
	}
}

func TestThereAndBack(t *testing.T) {
	embedded := func(dialect string) func(testing.TB) *store {
		return func(t testing.TB) *store { return engine(t, dialect) }
	}
	t.Run("cassandra, ycql", func(t *testing.T) { testThereAndBack(t, embedded("cassandra"), engine(t, "ycql")) })
	t.Run("ycql, cassandra", func(t *testing.T) { testThereAndBack(t, embedded("ycql"), engine(t, "cassandra")) })
	t.Run("memory, ycql", func(t *testing.T) { testThereAndBack(t, inMemory, engine(t, "ycql")) })
	t.Run("real cassandra, ycql", func(t *testing.T) {
		testThereAndBack(t, func(t testing.TB) *store { return node(t) }, engine(t, "ycql"))
	})
}

// A stream that is cut off after any page, and goes on from its cursor with
// another source, is the same stream.
func TestResume(t *testing.T) {
	for _, s := range []*store{inMemory(t), engine(t, "cassandra"), engine(t, "ycql")} {
		t.Run(s.name, func(t *testing.T) {
			o := corpus.Small(seed(t))
			o.Whole = s.whole
			s.put(t, o.Shards, corpus.Make(o))
			want, _ := s.read(t, records.Options{Shards: o.Shards})
			wanted := make(map[string]bool)
			for i := range want {
				wanted[want[i].KeyString()] = true
			}
			src := s.source(t, records.Options{Shards: o.Shards})
			got := make(map[string]bool)
			for _, part := range src.Parts(2) {
				parsed, err := records.ParsePart(part.String())
				if err != nil || parsed != part {
					t.Fatalf("part %s is read as %v, %v", part, parsed, err)
				}
				var at records.Cursor
				for n := 0; ; n++ {
					other := s.source(t, records.Options{Shards: o.Shards, PageRows: 1 + n%5, Concurrency: 1 + n%3})
					page, err := other.Page(t.Context(), parsed, at)
					if err != nil {
						t.Fatal(err)
					}
					for i := range page.Records {
						name := page.Records[i].KeyString()
						if got[name] {
							t.Errorf("%s comes twice", name)
						}
						got[name] = true
					}
					if page.Next == nil {
						break
					}
					at = records.Cursor(slices.Clone([]byte(page.Next)))
				}
			}
			for name := range wanted {
				if !got[name] {
					t.Errorf("%s is missing", name)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d records, want %d", len(got), len(want))
			}
		})
	}
}

func TestCursorsAreChecked(t *testing.T) {
	s := inMemory(t)
	rows := corpus.Make(corpus.Small(1))
	s.put(t, 4, rows)
	src := s.source(t, records.Options{Shards: 4, PageRows: 1})
	history := records.Part{Stage: records.HistoryStage, First: 0, Last: 65535}
	page, err := src.Page(t.Context(), history, nil)
	if err != nil || page.Next == nil {
		t.Fatal(page, err)
	}
	for name, tt := range map[string]struct {
		part records.Part
		at   string
	}{
		"of another part":    {records.Part{Stage: records.QueueStage, First: 0, Last: 65535}, string(page.Next)},
		"of another version": {history, strings.Replace(string(page.Next), `"v":2`, `"v":9`, 1)},
		"no cursor":          {history, "x"},
		"a part too wide":    {records.Part{Stage: records.HistoryStage, First: 0, Last: 1 << 20}, ""},
		"no such shard":      {records.Part{Stage: records.ShardStage, Shard: 5}, ""},
		"a stage of others":  {records.Part{Stage: "nothing"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var at records.Cursor
			if tt.at != "" {
				at = records.Cursor(tt.at)
			}
			if _, err := src.Page(t.Context(), tt.part, at); err == nil {
				t.Error("was taken")
			}
		})
	}
}

// Pages stay small when rows are large.
func TestPagesAreBounded(t *testing.T) {
	s := inMemory(t)
	tree := [16]byte{1}
	var nodes []records.Record
	for n := range int64(600) {
		size := 100
		if n >= 200 {
			size = 20_000
		}
		nodes = append(nodes, records.Record{
			Kind: records.Node, Key: []any{tree, tree, n + 1, int64(1)},
			Values: []any{int64(0), plan.Blob{Data: make([]byte, size), Encoding: "Proto3"}},
		})
	}
	branch := records.Record{Kind: records.Branch, Key: []any{tree, tree}, Values: []any{blob("x")}}
	s.put(t, 1, append(nodes, branch))
	src := s.source(t, records.Options{Shards: 1, PageBytes: 100_000})
	var at records.Cursor
	total, most := 0, 0
	for {
		page, err := src.Page(t.Context(), records.Part{Stage: records.HistoryStage, First: 0, Last: 65535}, at)
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for i := range page.Records {
			size += page.Records[i].Size()
		}
		total += len(page.Records)
		most = max(most, size)
		if at = page.Next; at == nil {
			break
		}
	}
	// One page may meet the large rows with the number of rows that small ones allow.
	if total != 601 || most > 500/4*21_000 {
		t.Errorf("%d records, the largest page %d bytes", total, most)
	}
}

// Tasks that all readers of a queue are done with may be left out.
func TestFromAckLevel(t *testing.T) {
	for _, s := range []*store{inMemory(t), engine(t, "cassandra"), engine(t, "ycql")} {
		t.Run(s.name, func(t *testing.T) {
			// The corpus has acknowledged timers before 2023-11-14 22:13:20, and no
			// transfer task but 0.
			base := int64(1_700_000_000_000)
			o := corpus.Small(3)
			o.Whole = s.whole
			all := corpus.Make(o)
			task := func(category, fire, id int64) records.Record {
				return records.Record{
					Kind: records.HistoryTask, Unit: records.ShardUnit(1),
					Key: []any{int64(1), category, fire, id}, Values: []any{plan.Blob{Data: []byte{8, 1}, Encoding: "Proto3"}},
				}
			}
			acked := []records.Record{task(1, plan.Immediate, 0), task(2, base-1, 7), task(2, base-1000, 8)}
			kept := []records.Record{task(1, plan.Immediate, 1), task(2, base, 1), task(2, base+1, 1), task(3, plan.Immediate, 0)}
			s.put(t, o.Shards, slices.Concat(all, acked, kept))
			got := make(map[string]bool)
			src := s.source(t, records.Options{Shards: o.Shards, FromAckLevel: true})
			_, list := digest(t, src, src.Parts(1))
			for i := range list {
				got[list[i].KeyString()] = true
			}
			for i := range acked {
				if got[acked[i].KeyString()] {
					t.Errorf("%s was done", acked[i].KeyString())
				}
			}
			for _, r := range slices.Concat(all, kept) {
				if !got[r.KeyString()] {
					t.Errorf("%s is missing", r.KeyString())
				}
			}
			if want := len(all) + len(kept); len(list) != want {
				t.Errorf("%d records, want %d", len(list), want)
			}
		})
	}
}

func TestGarbageIsCounted(t *testing.T) {
	for _, s := range []*store{inMemory(t), engine(t, "cassandra"), engine(t, "ycql")} {
		t.Run(s.name, func(t *testing.T) {
			o := corpus.Small(4)
			o.Whole = s.whole
			var all []records.Record
			garbage := map[any]bool{}
			for _, r := range corpus.Make(o) {
				if r.Kind == records.Branch && strings.Contains(string(r.Blob(plan.BranchInfo).Data), ":deleted:") {
					garbage[r.Key[0]] = true
				}
				all = append(all, r)
			}
			s.put(t, o.Shards, all)
			for _, list := range []struct{ after, most int64 }{{0, 1 << 20}, {3, 1 << 20}, {1 << 40, 1 << 20}, {0, 5}} {
				src := s.source(t, records.Options{Shards: o.Shards, SkipGarbage: true, PageRows: 1, Concurrency: 1})
				src.ListAfter(list.after, list.most)
				trees, histories := 0, 0
				for _, part := range src.Parts(2) {
					var at records.Cursor
					for {
						page, err := src.Page(t.Context(), part, at)
						if err != nil {
							t.Fatal(err)
						}
						trees += page.Garbage
						for i := range page.Records {
							r := &page.Records[i]
							if r.Kind != records.Branch && r.Kind != records.Node {
								continue
							}
							if histories++; garbage[r.Key[0]] {
								t.Errorf("%s is garbage", r.KeyString())
							}
						}
						if at = page.Next; at == nil {
							break
						}
					}
				}
				if trees != 2 || len(garbage) != 2 {
					t.Errorf("%d trees are garbage, %d were counted", len(garbage), trees)
				}
				want := 0
				for i := range all {
					if r := &all[i]; (r.Kind == records.Branch || r.Kind == records.Node) && !garbage[r.Key[0]] {
						want++
					}
				}
				if histories != want {
					t.Errorf("%d branches and nodes, want %d", histories, want)
				}
				// A page holds ten runs.
				if n := src.Listed(); (list.after < 1<<40) != (n > 0) || int64(n) > list.most+10 || list.most > 5 && n > 0 && n < o.Workflows {
					t.Errorf("%+v: %d runs are remembered", list, n)
				}
			}
		})
	}
}

// A task of which two rows are shown is one record, also between two pages.
func TestTwoRowsOfOneTask(t *testing.T) {
	ex := memory.NewExecutor(memory.NewState(), cql.Traits{TTL: true})
	s, err := records.NewSource(doubled{ex}, records.Options{Shards: 1, PageRows: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(5) {
		put(t, ex, plan.NumberedTasks, []any{int64(1), int64(1), plan.Immediate, i, int64(3), int64(1)}, blob("old"))
		put(t, ex, plan.NumberedTasks, []any{int64(1), int64(1), plan.Immediate, i, int64(3), int64(2)}, blob("new"))
	}
	_, all := digest(t, s, []records.Part{{Stage: records.ShardStage, Shard: 1}})
	if len(all) != 5 || slices.ContainsFunc(all, func(r records.Record) bool { return string(r.Blob(plan.HistoryTask).Data) != "new" }) {
		t.Errorf("read %v", all)
	}
}

// doubled shows every row of a task.
type doubled struct{ exec.Executor }

func (d doubled) Read(ctx context.Context, r *plan.Read, page plan.Page, args ...any) (*exec.Rows, error) {
	if r.Table == plan.HistoryTasks {
		var err error
		if r, err = r.Numbered(); err != nil {
			return nil, err
		}
	}
	return d.Executor.Read(ctx, r, page, args...)
}

// Rows of writes that never took effect are no records, and who forgets that is
// refused.
func TestWritesThatNeverTookEffect(t *testing.T) {
	s := engine(t, "ycql")
	if _, err := records.NewSource(s.raw, records.Options{Shards: 1}); err == nil {
		t.Error("a source takes an executor that shows every row")
	}
	for shard := range int64(2) {
		if err := s.writer.Hold(t.Context(), shard+1); err != nil {
			t.Fatal(err)
		}
		for id := range int64(3) { // of a range that ended before them, and of the number before all
			put(t, s.raw, plan.NumberedTasks, []any{shard + 1, int64(1), plan.Immediate, id, int64(7), int64(1)}, blob("never"))
		}
		put(t, s.raw, plan.NumberedTasks, []any{shard + 1, int64(1), plan.Immediate, int64(1), int64(0), int64(0)}, blob("shown"))
	}
	all, _ := s.read(t, records.Options{Shards: 2, PageRows: 1})
	tasks := 0
	for i := range all {
		if r := &all[i]; r.Kind == records.HistoryTask {
			if tasks++; string(r.Blob(plan.HistoryTask).Data) != "shown" {
				t.Errorf("%s is a record: %s", r.KeyString(), r.Blob(plan.HistoryTask).Data)
			}
		}
	}
	if tasks != 2 {
		t.Errorf("%d tasks, want 2", tasks)
	}
	x := reading(t, s.raw)
	err := x.Write(t.Context(), &plan.Write{Name: "w", Scope: plan.Atomic, Mutations: []plan.Mutation{{
		Table: plan.NamespaceIDs, Op: plan.Insert, Key: []any{id(1)},
	}}})
	if err == nil {
		t.Error("an executor for reading wrote")
	}
}
