package standalone_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
)

// each runs op in conc goroutines, b.N times together, and reports the median and
// the 99th percentile in microseconds beside the time of an operation.
func each(b *testing.B, conc int, op func(i int) error) {
	b.Helper()
	took := make([][]time.Duration, conc)
	var wg sync.WaitGroup
	b.ResetTimer()
	for g := range conc {
		wg.Go(func() {
			for i := g; i < b.N; i += conc {
				from := time.Now()
				if err := op(i); err != nil {
					b.Error(err)
					return
				}
				took[g] = append(took[g], time.Since(from))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	if len(all) > 0 {
		b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1e3, "p50-µs")
		b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1e3, "p99-µs")
	}
}

// BenchmarkDriver is gocql against a node: by the pipe and over TCP, in memory and
// durable, at 1, 16 and 64 requests in flight.
func BenchmarkDriver(b *testing.B) {
	for _, listen := range []string{"", "127.0.0.1:0"} {
		for _, durable := range []bool{false, true} {
			o := standalone.Options{Dialect: parse.Cassandra, Listen: listen}
			way := "pipe"
			if listen != "" {
				way = "tcp"
			}
			if durable {
				o.DataDir = b.TempDir()
				way += "/durable"
			} else {
				way += "/memory"
			}
			n := start(b, o)
			s := session(b, n, func(c *gocql.ClusterConfig) { c.WriteCoalesceWaitTime = 0 })
			must(b, s, cassandraKeyspace)
			must(b, s, "CREATE TABLE app.t (k int PRIMARY KEY, v blob)")
			must(b, s, "CREATE TABLE app.q (k int, c int, v blob, PRIMARY KEY (k, c))")
			value := make([]byte, 300)
			for i := range 1000 {
				must(b, s, "INSERT INTO app.t (k, v) VALUES (?, ?)", i, value)
				must(b, s, "INSERT INTO app.q (k, c, v) VALUES (?, ?, ?)", 1, i, value)
			}
			for _, conc := range []int{1, 16, 64} {
				b.Run(fmt.Sprintf("select/%s/%d", way, conc), func(b *testing.B) {
					each(b, conc, func(i int) error {
						var v []byte
						return s.Query("SELECT v FROM app.t WHERE k = ?", i%1000).Scan(&v)
					})
				})
				b.Run(fmt.Sprintf("insert/%s/%d", way, conc), func(b *testing.B) {
					each(b, conc, func(i int) error {
						return s.Query("INSERT INTO app.t (k, v) VALUES (?, ?)", i%1000, value).Exec()
					})
				})
			}
			b.Run("page-of-1000/"+way, func(b *testing.B) {
				each(b, 1, func(int) error {
					iter := s.Query("SELECT c, v FROM app.q WHERE k = 1").PageSize(1000).Iter()
					var c, rows int
					var v []byte
					for iter.Scan(&c, &v) {
						rows++
					}
					if rows != 1000 {
						return fmt.Errorf("%d rows, want 1000", rows)
					}
					return iter.Close()
				})
			})
		}
	}
}
