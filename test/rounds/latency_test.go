package rounds_test

import (
	"flag"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
	"github.com/temporal-ycql/temporal-ycql/test/bench/result"
)

var latencies = flag.String("latencies", "", "write what BenchmarkUpdateLatency measures to this file, as JSON")

// latency is how long updates took with one latency between nodes.
type latency struct {
	RoundMS float64 `json:"round_ms"` // and of a commit
	Tasks   int     `json:"tasks"`
	Entries int     `json:"entries"`
	Updates int64   `json:"updates"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	// Ratio is that of P50 to the P50 of one task and one entry.
	Ratio float64 `json:"ratio_to_smallest"`
}

// BenchmarkUpdateLatency times updates of 1 to 50 tasks and entries, in turns, on
// an engine that takes as long for rounds and commits as a cluster would.
func BenchmarkUpdateLatency(b *testing.B) {
	sizes := [][2]int{{1, 1}, {10, 10}, {50, 1}, {1, 50}, {50, 50}}
	const updates = 100
	var all []latency
	for _, round := range []time.Duration{time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond} {
		d := open(b, &sim.Options{Round: round, Commit: round})
		scenes := make([]storetest.Scene, len(sizes))
		histograms := make([]*load.Histogram, len(sizes))
		for i := range sizes {
			scenes[i], histograms[i] = d.scene(b, int32(i+1)), load.NewHistogram()
			scenes[i].CreateCurrent(b, d.runs)
		}
		for version := int64(2); version < updates+4; version++ {
			for i, size := range sizes {
				r := updateOf(scenes[i], version, size[0], size[1])
				began := time.Now()
				require.NoError(b, d.runs.UpdateWorkflowExecution(b.Context(), r))
				if version > 3 { // the first ones prepare statements
					histograms[i].Record(time.Since(began))
				}
			}
		}
		smallest := histograms[0].Quantile(0.5)
		for i, size := range sizes {
			h := histograms[i]
			l := latency{
				RoundMS: ms(round), Tasks: size[0], Entries: size[1], Updates: h.Count(),
				P50: ms(h.Quantile(0.5)), P99: ms(h.Quantile(0.99)), Ratio: float64(h.Quantile(0.5)) / float64(smallest),
			}
			all = append(all, l)
			b.Logf("%+v", l)
		}
	}
	if *latencies != "" {
		require.NoError(b, result.Write(*latencies, map[string]any{
			"date": time.Now().UTC().Truncate(time.Second), "go": runtime.Version(), "processors": runtime.NumCPU(),
			"command": "go test -tags disable_grpc_modules ./test/rounds -run '^$' -bench UpdateLatency -benchtime 1x -latencies FILE", "latencies": all,
		}))
		_, err := os.Stat(*latencies)
		require.NoError(b, err)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
