package records_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

// failing is a database of which some requests fail: reads, writes that are lost
// on their way, and writes whose answer is.
type failing struct {
	exec.Executor
	percent int

	mu     sync.Mutex
	r      *rand.Rand
	failed int
}

func (f *failing) fails() (yes, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.r.IntN(100) >= f.percent {
		return false, false
	}
	f.failed++
	return true, f.r.IntN(2) == 0
}

var errLost = errors.New("lost")

func (f *failing) Read(ctx context.Context, r *plan.Read, page plan.Page, args ...any) (*exec.Rows, error) {
	if yes, _ := f.fails(); yes {
		return nil, &errs.Error{Op: r.Name, Kind: errs.Timeout, Outcome: errs.NotApplied, Err: errLost}
	}
	return f.Executor.Read(ctx, r, page, args...)
}

func (f *failing) Write(ctx context.Context, w *plan.Write) error {
	yes, after := f.fails()
	if !yes || after {
		if err := f.Executor.Write(ctx, w); err != nil {
			return err
		}
	}
	if yes {
		return &errs.Error{Op: w.Name, Kind: errs.Timeout, Outcome: errs.Unknown, Err: errLost}
	}
	return nil
}

// What fails is asked again from the same cursor, or written again, until it does
// not: then everything is as if nothing had failed.
func testFaults(t *testing.T, a, b *store) {
	seed := seed(t)
	o := corpus.Small(seed)
	o.Whole, o.Queues = a.whole, 4
	o.Backlog = 8
	a.put(t, o.Shards, corpus.Make(o))
	// Garbage is left out: so are the reads that tell it faulty, too.
	ro := records.Options{Shards: o.Shards, SkipGarbage: true}
	before, want := a.read(t, ro)

	from := &failing{Executor: reading(t, a.raw), percent: 20, r: rand.New(rand.NewPCG(seed, 3))}
	to := &failing{Executor: b.raw, percent: 5, r: rand.New(rand.NewPCG(seed, 4))}
	w, err := records.NewWriter(to, records.WriterOptions{BatchRows: 4})
	if err != nil {
		t.Fatal(err)
	}
	again := func(do func() error) {
		t.Helper()
		for range 2000 {
			err := do()
			if err == nil {
				return
			}
			if !errors.Is(err, errLost) {
				t.Fatal(err)
			}
		}
		t.Fatal("it never succeeds")
	}
	for shard := range int64(o.Shards) {
		again(func() error { return w.Hold(t.Context(), shard+1) })
	}
	sources := make([]*records.Source, 3) // of smaller and smaller pages
	for i := range sources {
		ro.PageRows, ro.Concurrency = []int{0, 40, 5}[i], []int{0, 4, 1}[i]
		if sources[i], err = records.NewSource(from, ro); err != nil {
			t.Fatal(err)
		}
		sources[i].ListAfter(int64(i)*10, 1<<20)
	}
	for _, part := range sources[0].Parts(2) {
		for at := records.Cursor(nil); ; {
			var page records.Page
			n := 0
			again(func() error {
				page, err = sources[min(n/3, 2)].Page(t.Context(), part, at)
				n++
				return err
			})
			// Some are written in small pieces: a call of many rows hardly ever succeeds.
			for i := 0; i < len(page.Records); i += 10 {
				again(func() error { return w.Put(t.Context(), page.Records[i:min(i+10, len(page.Records))]) })
			}
			if at = page.Next; at == nil {
				break
			}
		}
	}
	for shard := range int64(o.Shards) {
		again(func() error { return w.Release(t.Context(), shard+1) })
	}
	after, got := b.read(t, records.Options{Shards: o.Shards})
	same(t, before, after, want, got)
	if from.failed == 0 || to.failed == 0 {
		t.Error("nothing failed")
	}
}

func TestFaults(t *testing.T) {
	t.Run("memory", func(t *testing.T) { testFaults(t, inMemory(t), inMemory(t)) })
	t.Run("cassandra, ycql", func(t *testing.T) { testFaults(t, engine(t, "cassandra"), engine(t, "ycql")) })
	t.Run("ycql, cassandra", func(t *testing.T) { testFaults(t, engine(t, "ycql"), engine(t, "cassandra")) })
}
