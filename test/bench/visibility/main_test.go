package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"

	"github.com/temporal-ycql/temporal-ycql/test/bench/process"
)

// What is measured is the work that it claims to be.
func TestWorkflowsAreWritten(t *testing.T) {
	for i, s := range subjects {
		for _, custom := range []bool{false, true} {
			t.Run(fmt.Sprint(s.name, custom), func(t *testing.T) {
				x, err := open(t.Context(), i, t.TempDir(), custom, 5)
				require.NoError(t, err)
				defer func() { require.NoError(t, x.db.Close()) }()
				done, err := x.load(t.Context(), 4, func(next int64) bool { return next < 20 })
				require.NoError(t, err)
				require.Equal(t, int64(20), done)
				count := func(where string) int64 {
					n, err := x.db.CountFromVisibility(t.Context(), sqlplugin.VisibilitySelectFilter{Query: "SELECT count(*) FROM executions_visibility WHERE " + where})
					require.NoError(t, err)
					return n
				}
				require.Equal(t, int64(25), count("status = 2 AND history_length = 11"))
				require.Equal(t, int64(20), count("BuildIds IS NOT NULL"))
				want := int64(0)
				if custom {
					want = 25
				}
				require.Equal(t, want, count("Keyword01 IS NOT NULL AND Text01 IS NOT NULL AND Int01 IS NOT NULL AND Double01 IS NOT NULL AND Bool01 IS NOT NULL AND Datetime01 IS NOT NULL"))
			})
		}
	}
}

func TestMedians(t *testing.T) {
	got := medians([]block{
		{Store: "a", InFlight: 1, CPU: 3, PerSecond: 1},
		{Store: "b", InFlight: 1, CPU: 9},
		{Store: "a", InFlight: 1, CPU: 1, PerSecond: 5},
		{Store: "a", InFlight: 1, CPU: 2, PerSecond: 3},
		{Store: "a", InFlight: 2, CPU: 4},
		{Store: "a", InFlight: 2, CPU: 5},
	})
	require.Equal(t, []median{{"a", 0, 1, 3, 2}, {"b", 0, 1, 0, 9}, {"a", 0, 2, 0, 4.5}}, got)
}

// BenchmarkWorkflow is one workflow's three writes.
func BenchmarkWorkflow(b *testing.B) {
	for i, s := range subjects {
		for _, custom := range []bool{false, true} {
			for _, n := range []int{1, 16} {
				b.Run(fmt.Sprintf("%s/custom=%v/in-flight=%d", s.name, custom, n), func(b *testing.B) {
					x, err := open(context.Background(), i, b.TempDir(), custom, 1000)
					require.NoError(b, err)
					defer func() { require.NoError(b, x.db.Close()) }()
					before := process.CPU()
					b.ReportAllocs()
					b.ResetTimer()
					_, err = x.load(context.Background(), n, func(next int64) bool { return next < int64(b.N) })
					b.StopTimer()
					require.NoError(b, err)
					after := process.CPU()
					b.ReportMetric((after-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
				})
			}
		}
	}
}
