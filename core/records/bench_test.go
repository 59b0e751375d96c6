package records_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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
func workers(b *testing.B, n int, parts []records.Part, do func(ctx context.Context, p records.Part) error) error {
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
	return context.Cause(ctx)
}

// digests reads all of a source, n records.
func digests(b *testing.B, src *records.Source, n int) (*records.Digest, error) {
	b.Helper()
	sum := records.NewDigest(records.Content)
	var mu sync.Mutex
	err := workers(b, 4, src.Parts(8), func(ctx context.Context, p records.Part) error {
		d := records.NewDigest(records.Content)
		if err := src.All(ctx, p, func(r *records.Record) error { d.Add(r); return nil }); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		return sum.Merge(d)
	})
	var got int64
	for _, count := range sum.Totals() {
		got += count
	}
	if err == nil && int(got) != n {
		err = fmt.Errorf("%d records, want %d", got, n)
	}
	return sum, err
}

// copyParts copies all of a source, page by page.
func copyParts(b *testing.B, src *records.Source, to *store) {
	b.Helper()
	for shard := range int64(src.Shards()) {
		if err := to.writer.Hold(b.Context(), shard+1); err != nil {
			b.Fatal(err)
		}
	}
	err := workers(b, 4, src.Parts(8), func(ctx context.Context, p records.Part) error {
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
	if err != nil {
		b.Fatal(err)
	}
}

// peak samples the memory that the process holds until it is asked for the most,
// in MiB.
func peak() (most func() float64) {
	stop, done := make(chan struct{}), make(chan float64)
	go func() {
		var top uint64
		sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		for {
			metrics.Read(sample)
			top = max(top, sample[0].Value.Uint64()-sample[1].Value.Uint64())
			select {
			case <-stop:
				done <- float64(top) / (1 << 20)
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() float64 { close(stop); return <-done }
}

// cpuTime is what this process has taken of the processors.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStream tells how many records a second are read and summed up, written,
// copied to a durable embedded engine of YCQL, and compared with what lies there, and examined;
// and how much memory that takes, the engine's included. For figures worth keeping
// the machine has to be otherwise idle.
func BenchmarkStream(b *testing.B) {
	for _, name := range []string{"embedded-cassandra", "embedded-ycql", "cassandra"} {
		b.Run(name, func(b *testing.B) {
			var from *store
			if name == "cassandra" {
				from = node(b)
			} else {
				from = embeddedEngine(b, map[string]any{"dialect": strings.TrimPrefix(name, "embedded-"), "dataDir": b.TempDir()})
			}
			benchStream(b, from)
		})
	}
}

func benchStream(b *testing.B, from *store) {
	o, all := large(from.whole)
	n := len(all)
	rate := func(b *testing.B, peak float64, cpu time.Duration) {
		b.Helper()
		total := float64(n) * float64(b.N)
		b.ReportMetric(total/b.Elapsed().Seconds(), "records/s")
		b.ReportMetric(float64(cpu.Microseconds())/total, "cpu-µs/record")
		b.ReportMetric(peak, "peak-MiB")
		b.ReportMetric(0, "ns/op")
	}
	run := func(name string, do func(b *testing.B)) {
		b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
			runtime.GC()
			debug.FreeOSMemory()
			most, begun := peak(), cpuTime(b)
			for b.Loop() {
				do(b)
			}
			rate(b, most(), cpuTime(b)-begun)
		})
	}
	run("write", func(b *testing.B) {
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
	})
	all = nil // nobody holds what is read
	ro := records.Options{Shards: o.Shards, SkipGarbage: true, PageRows: *benchRows}
	run("read", func(b *testing.B) {
		if _, err := digests(b, from.source(b, ro), n); err != nil {
			b.Fatal(err)
		}
	})
	to := embeddedEngine(b, map[string]any{"dialect": "ycql", "dataDir": b.TempDir()})
	run("copy", func(b *testing.B) { copyParts(b, from.source(b, ro), to) })
	run("compare", func(b *testing.B) {
		src, dst := from.source(b, ro), to.source(b, ro)
		var here, there *records.Digest
		var hereErr, thereErr error
		var wg sync.WaitGroup
		wg.Go(func() { here, hereErr = digests(b, src, n) })
		wg.Go(func() { there, thereErr = digests(b, dst, n) })
		wg.Wait()
		if err := errors.Join(hereErr, thereErr); err != nil {
			b.Fatal(err)
		}
		diffs, err := here.Diff(there)
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range diffs {
			if !d.Unsure {
				b.Fatalf("%s differs", d.Slot)
			}
		}
	})
	run("meaning", func(b *testing.B) {
		src := to.source(b, ro)
		err := workers(b, 8, src.Parts(8), func(ctx context.Context, p records.Part) error {
			return src.All(ctx, p, func(r *records.Record) error {
				problems, err := src.Meaning(ctx, r)
				if len(problems) > 0 {
					return errors.New(problems[0].String())
				}
				return err
			})
		})
		if err != nil {
			b.Fatal(err)
		}
	})
}
