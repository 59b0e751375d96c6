package migrate_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/migrate"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

// processor is the processor time that this process has taken.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMove copies and verifies a deployment from one engine to another, both
// of them in this process, and tells the processor time that each record takes: a
// number that does not depend on what else the machine does.
func BenchmarkMove(b *testing.B) {
	from := directory(b, "cassandra", b.TempDir())
	fill(b, from, corpus.Options{Seed: 1, Workflows: 10_000, Queues: 20, Backlog: 500})
	records := float64(len(contents(b, from)))
	took := map[string]time.Duration{}
	verb := func(to migrate.Deployment, state, verb string) {
		m, _ := tool(b, from, to, state, func(o *migrate.Options) { o.Fence, o.Level, o.Progress = true, migrate.LevelContent, nil })
		begin := processor(b)
		var err error
		switch verb {
		case "init":
			err = m.Init(b.Context())
		case "copy":
			err = m.Copy(b.Context())
		case "verify":
			_, err = m.Verify(b.Context())
		case "rollback":
			err = m.Rollback(b.Context())
		}
		took[verb] += processor(b) - begin
		if err != nil {
			b.Fatal(err)
		}
		if err := m.Close(); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		to, state := directory(b, "ycql", b.TempDir()), b.TempDir()
		for _, v := range []string{"init", "copy", "verify", "rollback"} {
			verb(to, state, v)
		}
	}
	for _, v := range []string{"copy", "verify"} {
		b.ReportMetric(float64(took[v].Microseconds())/records/float64(b.N), "cpu-µs/record-"+v)
	}
}
