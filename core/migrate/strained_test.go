package migrate_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/core/migrate"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
	"github.com/temporal-ycql/temporal-ycql/internal/smalldisk"
)

// A target whose disk fills up ends the copy with a word on what to do, and so does
// one that was full before; with room again the copy goes on.
func TestTargetIsFull(t *testing.T) {
	disk := smalldisk.Mount(t, "160m") // of which the engine keeps 64 MiB free
	from, to, state := directory(t, "cassandra", t.TempDir()), directory(t, "ycql", filepath.Join(disk, "data")), t.TempDir()
	fill(t, from, corpus.Options{Seed: seed(t), Workflows: 100, Queues: 6, Backlog: 20})
	must(t, from, to, state, "init")
	metrics := migrate.NewMetrics()
	m, _ := tool(t, from, to, state, func(o *migrate.Options) {
		// Slower than it takes to see that it has begun and for the engine to see its disk.
		o.Metrics, o.Limits.Source.RowsPerSecond, o.Patience = metrics, 20, 300*time.Millisecond
	})
	done := make(chan error, 1)
	go func() { done <- m.Copy(t.Context()) }()
	told(t, metrics)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 110<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, <-done, "the disk of the data directory is nearly full", "when that is mended, run")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := migrate.Open(t.Context(), migrate.Options{From: from, To: to, State: state, Logger: quiet})
	refused(t, err, "open the target (ycql.yaml)", "the disk of the data directory is nearly full", "until there is room")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	must(t, from, to, state, "copy", "verify", "switch")
	equal(t, contents(t, from), contents(t, to))
}

// Requests that take long are no error; ones that take longer than they may end a
// verb, and it goes on when that is over.
func TestTargetIsSlow(t *testing.T) {
	t.Run("within its time", func(t *testing.T) {
		from, _, state := pair(t)
		o, err := engines.ParseOptions(map[string]any{"dataDir": t.TempDir(), "dialect": "ycql", "roundLatency": "10ms"})
		if err != nil {
			t.Fatal(err)
		}
		to := migrate.Deployment{File: "slow.yaml", Backend: "embedded", Opener: o, Shards: 4, Cluster: "active"}
		must(t, from, to, state, "init", "copy", "verify", "switch")
		equal(t, contents(t, from), contents(t, to))
	})
	t.Run("beyond it", func(t *testing.T) {
		r, to := startRemote(t)
		from := directory(t, "ycql", t.TempDir())
		fill(t, from, small(t))
		state := t.TempDir()
		must(t, from, to, state, "init")
		r.down()
		r.options.Simulation = &sim.Options{Round: 2 * time.Second, Commit: 2 * time.Second}
		r.up()
		hasty := r.deployment(500 * time.Millisecond)
		m, err := migrate.Open(t.Context(), migrate.Options{From: from, To: hasty, State: state, Out: io.Discard, Logger: quiet, Patience: 300 * time.Millisecond})
		if err == nil {
			err = m.Copy(t.Context())
			_ = m.Close() // its connections are broken
		}
		refused(t, err, "the target", "timeout")
		r.down()
		r.options.Simulation = nil
		r.up()
		must(t, from, to, state, "copy", "verify", "switch")
		equal(t, contents(t, from), contents(t, to))
	})
}
