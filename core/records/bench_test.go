package records_test

import (
	"context"
	"flag"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

var benchWorkflows = flag.Int("workflows", 1000, "workflows of the corpus that BenchmarkStream reads and writes, about 20 records each")

var benchRows = flag.Int("rows", 0, "rows of a page in BenchmarkStream; 0 is the default")

// large is a corpus of the size that was asked for.
func large(whole bool) (corpus.Options, []records.Record) {
	o := corpus.Options{
		Seed: 1, Shards: 16, Workflows: *benchWorkflows, Queues: 6 + *benchWorkflows/100, Backlog: 1000, Whole: whole,
	}
	return o, corpus.Make(o)
}

// workers calls do for every part, several at a time.
func workers(b *testing.B, n int, parts []records.Part, do func(ctx context.Context, p records.Part) error) {
	b.Helper()
	ctx, cancel := context.WithCancelCause(b.Context())
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(parts) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := do(ctx, parts[i]); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		b.Fatal(err)
	}
}

// digests reads all of a source.
func digests(b *testing.B, src *records.Source) *records.Digest {
	b.Helper()
	sum := records.NewDigest(records.Content)
	var mu sync.Mutex
	workers(b, 4, src.Parts(8), func(ctx context.Context, p records.Part) error {
		d := records.NewDigest(records.Content)
		if err := src.All(ctx, p, func(r *records.Record) error { d.Add(r); return nil }); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		return sum.Merge(d)
	})
	return sum
}

// copyParts copies all of a source, page by page.
func copyParts(b *testing.B, src *records.Source, to *store) {
	b.Helper()
	for shard := range int64(src.Shards()) {
		if err := to.writer.Hold(b.Context(), shard+1); err != nil {
			b.Fatal(err)
		}
	}
	workers(b, 4, src.Parts(8), func(ctx context.Context, p records.Part) error {
		var at records.Cursor
		for {
			page, err := src.Page(ctx, p, at)
			if err != nil {
				return err
			}
			if err := to.writer.Put(ctx, page.Records); err != nil {
				return err
			}
			if at = page.Next; at == nil {
				return nil
			}
		}
	})
}

// BenchmarkStream tells how many records a second are read and summed up, written
// and copied.
func BenchmarkStream(b *testing.B) {
	rate := func(b *testing.B, n int) {
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		b.ReportMetric(0, "ns/op")
	}
	open := map[string]func(testing.TB) *store{
		"embedded-cassandra": func(t testing.TB) *store { return engine(t, "cassandra") },
		"embedded-ycql":      func(t testing.TB) *store { return engine(t, "ycql") },
		"cassandra":          func(t testing.TB) *store { return node(t) },
	}
	for _, name := range []string{"embedded-cassandra", "embedded-ycql", "cassandra"} {
		b.Run(name, func(b *testing.B) {
			from := open[name](b)
			o, all := large(from.whole)
			n := len(all)
			b.Logf("%d records", n)
			b.Run("write", func(b *testing.B) {
				for b.Loop() {
					for shard := range int64(o.Shards) {
						if err := from.writer.Hold(b.Context(), shard+1); err != nil {
							b.Fatal(err)
						}
					}
					for page := range slices.Chunk(all, 2000) {
						if err := from.writer.Put(b.Context(), page); err != nil {
							b.Fatal(err)
						}
					}
				}
				rate(b, n)
			})
			src := from.source(b, records.Options{Shards: o.Shards, SkipGarbage: true, PageRows: *benchRows})
			b.Run("read", func(b *testing.B) {
				for b.Loop() {
					var got int64
					for _, count := range digests(b, src).Totals() {
						got += count
					}
					if int(got) != n {
						b.Fatalf("%d records, want %d", got, n)
					}
				}
				rate(b, n)
			})
			b.Run("copy", func(b *testing.B) {
				to := engine(b, "ycql")
				for b.Loop() {
					copyParts(b, src, to)
				}
				rate(b, n)
			})
		})
	}
}
