package migrate

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

// slowReads is an executor that does not answer some reads in time.
type slowReads struct {
	exec.Executor
	late func(r *plan.Read, page plan.Page, args []any) bool
}

func (s *slowReads) Read(ctx context.Context, r *plan.Read, page plan.Page, args ...any) (*exec.Rows, error) {
	if s.late(r, page, args) {
		return nil, &errs.Error{Op: r.Name, Kind: errs.Timeout, Outcome: errs.NotApplied}
	}
	return s.Executor.Read(ctx, r, page, args...)
}

// workList is an Admin that keeps the items of a run table.
type workList struct {
	cql.Admin
	mu    sync.Mutex
	items map[string]string
}

func (l *workList) Exec(_ context.Context, text string, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	item, _ := args[1].(string)
	if strings.HasPrefix(text, "DELETE") {
		delete(l.items, item)
		return nil
	}
	l.items[item], _ = args[2].(string)
	return nil
}

// slowly copies a corpus from a source that does not answer some reads in time, and
// compares what arrived. It returns the work list.
func slowly(t *testing.T, late func(r *plan.Read, page plan.Page, args []any) bool) map[string]string {
	t.Helper()
	const shards = 4
	var sides [2]*Side
	for i, name := range []string{"source", "target"} {
		ex := memory.NewExecutor(memory.NewState(), cql.Traits{TTL: true})
		sides[i] = &Side{
			Deployment: Deployment{Shards: shards}, Name: name, raw: ex, read: ex, flow: newFlow(Limits{}), patience: time.Second,
		}
		w, err := sides[i].writer(7)
		if err != nil {
			t.Fatal(err)
		}
		for shard := range int64(shards) {
			if err := w.Hold(t.Context(), shard+1); err != nil {
				t.Fatal(err)
			}
		}
		if i == 0 {
			if err := w.Put(t.Context(), corpus.Make(corpus.Options{Seed: 1, Shards: shards, Workflows: 60, Queues: 4, Backlog: 30})); err != nil {
				t.Fatal(err)
			}
		}
	}
	sides[0].read = &slowReads{sides[0].raw, late}
	list := &workList{items: make(map[string]string)}
	m := &Migration{from: sides[0], to: sides[1], table: &table{admin: list, name: "t"}}
	m.progress = &progress{m: m}
	from, err := sides[0].pager(records.Options{})
	if err != nil {
		t.Fatal(err)
	}
	to, err := sides[1].putter(7)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*work)
	for _, part := range from.sources[0].Parts(2) {
		w := newWork(part)
		all[w.item()] = w
	}
	mv := &mover{from: from, to: to, count: &m.count}
	for _, phase := range phases {
		if err := m.movePhase(t.Context(), mv, all, phase); err != nil {
			t.Fatal(err)
		}
	}
	sides[0].read = sides[0].raw
	c := &comparison{m: m, level: records.Content}
	for i, p := range []**pager{&c.a, &c.b} {
		if *p, err = sides[i].pager(records.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := c.found(t.Context())
	if err != nil || len(found) > 0 {
		t.Fatalf("%v, %v", found, err)
	}
	return list.items
}

func TestPagesShrink(t *testing.T) {
	var mu sync.Mutex
	tried := map[int]bool{}
	items := slowly(t, func(_ *plan.Read, page plan.Page, _ []any) bool {
		mu.Lock()
		defer mu.Unlock()
		tried[page.Size] = true
		return page.Size > 20
	})
	if len(tried) < 3 {
		t.Errorf("pages of %v rows were asked for", tried)
	}
	for item, text := range items {
		if !strings.Contains(text, `"done":true`) {
			t.Errorf("%s is %s", item, text)
		}
	}
}

// A range that is too much even in pages of a row is halved until it is not.
func TestRangesAreSplit(t *testing.T) {
	var mu sync.Mutex
	width := int64(0)
	items := slowly(t, func(r *plan.Read, _ plan.Page, args []any) bool {
		if !r.Span || r.Table != plan.Executions {
			return false
		}
		first, _ := args[0].(int64)
		last, _ := args[1].(int64)
		mu.Lock()
		defer mu.Unlock()
		if width == 0 {
			width = last - first
		}
		return last-first > width/4
	})
	parts := 0
	for item, text := range items {
		if !strings.HasPrefix(item, itemPart+string(records.ExecutionStage)) {
			continue
		}
		parts++
		if !strings.Contains(text, `"done":true`) {
			t.Errorf("%s is %s", item, text)
		}
	}
	if parts != 8 {
		t.Errorf("%d parts of executions are left, want 8 of the 2 there were", parts)
	}
}

// A single record is asked for again where that may help, and only there.
func TestReadsAreRepeated(t *testing.T) {
	failures, kind := 2, errs.Unavailable
	ex := memory.NewExecutor(memory.NewState(), cql.Traits{TTL: true})
	s := &Side{Deployment: Deployment{Shards: 1}, Name: "source", raw: ex, patience: time.Minute}
	asked := 0
	s.read = failing{ex, func() error {
		if asked++; asked > failures {
			return nil
		}
		return &errs.Error{Op: "read", Kind: kind}
	}}
	src, err := s.source(records.Options{})
	if err != nil {
		t.Fatal(err)
	}
	get := func() error {
		asked = 0
		_, err := src.Get(t.Context(), records.Ref{Kind: records.Shard, Unit: records.ShardUnit(1), Key: []any{int64(1)}})
		return err
	}
	if err := get(); err != nil || asked != 3 {
		t.Errorf("after two failures that pass: %v, asked %d times", err, asked)
	}
	kind = errs.Unauthorized
	if err := get(); errs.KindOf(err) != kind || asked != 1 {
		t.Errorf("after one that does not: %v, asked %d times", err, asked)
	}
}

// failing is an executor whose reads fail as long as fault says so.
type failing struct {
	exec.Executor
	fault func() error
}

func (f failing) Read(ctx context.Context, r *plan.Read, page plan.Page, args ...any) (*exec.Rows, error) {
	if err := f.fault(); err != nil {
		return nil, err
	}
	return f.Executor.Read(ctx, r, page, args...)
}
