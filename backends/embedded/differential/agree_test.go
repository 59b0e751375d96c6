package differential

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

var (
	statements = flag.Int("statements", 3000, "least number of statements of the differential test")
	seedFlag   = flag.Uint64("seed", 0, "seed of the first case of the differential test; the next cases take the numbers after it")
	random     = flag.Bool("random", false, "take the first seed from the clock")
	workers    = flag.Int("workers", 4, "cases of the differential test that run side by side")
	failures   = flag.Int("failures", 1, "failing cases after which the differential test ends")
	texts      = flag.Bool("texts", false, "list the error texts that differ")
	results    = flag.String("results", "", "file to write what was compared to, as JSON")
	limit      = flag.Duration("limit", 0, "time after which no new case begins; 0 is none")
)

// firstSeed begins the cases of an ordinary run: always the same ones, so that it
// tells of the code and not of luck. Random seeds are for long runs.
const firstSeed = 1000

// shortStatements is the length of a short run.
const shortStatements = 1500

func TestEngineAgreesWithCassandra(t *testing.T) {
	node := cassandratest.Start(t)
	// One name for both: user-defined types carry it.
	keyspace := node.Keyspace(t)
	c := newComparison(&side{name: "engine", Session: engineSession(t, keyspace)}, &side{name: "cassandra", Session: node.Session(t, keyspace)})
	first := *seedFlag
	switch {
	case *random:
		first = uint64(time.Now().UnixNano())
	case first == 0:
		first = firstSeed
	}
	want := int64(*statements)
	if testing.Short() {
		want = min(want, shortStatements)
	}
	// Counted in cases, so that it does not depend on who is done first which ones run.
	cases := uint64(want+caseLength-1) / caseLength
	start := time.Now()
	var next atomic.Uint64
	next.Store(first)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var running sync.WaitGroup
	var failing sync.Mutex
	var failed []uint64
	for range *workers {
		running.Go(func() {
			for ctx.Err() == nil && (*limit == 0 || time.Since(start) < *limit) {
				seed := next.Add(1) - 1
				if seed-first >= cases {
					return
				}
				sc, d, err := c.generate(ctx, seed)
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
					cancel()
					return
				}
				if d == nil {
					continue
				}
				failing.Lock()
				failed = append(failed, seed)
				if len(failed) >= *failures {
					cancel()
				}
				c.report(t, seed, sc, d)
				failing.Unlock()
			}
		})
	}
	running.Wait()
	last := min(next.Load(), first+cases) - 1
	t.Logf("cases of seeds %d to %d: %s", first, last, &c.stats)
	if len(failed) == 0 && c.stats.all.Load() >= shortStatements {
		c.stats.check(t)
	}
	if *texts {
		for pair, n := range c.textDiffs {
			t.Logf("error text differs, %d times:\n           %s", n, pair)
		}
	}
	if *results != "" {
		writeResults(t, &c.stats, first, last, failed, time.Since(start))
	}
}

// TestABusyCassandraIsAskedAnew gives the time-outs of a busy server to one of two
// sound engines, after it did what it was asked.
func TestABusyCassandraIsAskedAnew(t *testing.T) {
	const keyspace = "busy"
	asked := 0
	late := &fault{run: func(s *side, table string, st stmt) (outcome, error) {
		o, err := s.sound(table, st)
		if asked++; asked == 1 || asked == 20 {
			return outcome{code: gocql.ErrCodeWriteTimeout, message: "Operation timed out"}, nil
		}
		return o, err
	}}
	c := newComparison(&side{name: "engine", Session: engineSession(t, keyspace)}, &side{name: "busy engine", Session: engineSession(t, keyspace), fault: late})
	c.noWaits = true
	if _, d, err := c.generate(t.Context(), firstSeed); err != nil || d != nil {
		t.Fatalf("%v, difference %v", err, d)
	}
	if n := c.tables.Load(); n != 3 {
		t.Fatalf("%d tables were made, want 3: two answers told of a busy server", n)
	}
}

// writeResults keeps what a run has compared. A statement that differs ends its
// case, so all but one statement of each failed case agreed.
func writeResults(t *testing.T, s *stats, first, last uint64, failed []uint64, took time.Duration) {
	t.Helper()
	b, err := json.MarshalIndent(map[string]any{
		"date":              time.Now().UTC().Format(time.DateOnly),
		"cassandra":         cassandratest.Version,
		"statements":        s.all.Load(),
		"statements_agreed": s.all.Load() - int64(len(failed)),
		"first_seed":        first,
		"last_seed":         last,
		"differing_seeds":   append([]uint64{}, failed...),
		"seconds":           int(took.Seconds()),
		"applied":           s.applied.Load(),
		"refused":           s.refused.Load(),
		"on_collections":    s.collection.Load(),
		"with_ttl":          s.ttl.Load(),
		"multi_page_reads":  s.multiPage.Load(),
		"errors":            s.errors.Load(),
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*results, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
