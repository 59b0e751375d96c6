package embedded

import (
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
)

// told is what a meter has said.
type told struct {
	mu     sync.Mutex
	gauges map[string]float64
}

func (*told) Count(string, int64, ...string)        {}
func (*told) Time(string, time.Duration, ...string) {}

func (m *told) Gauge(name string, v float64, _ ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gauges[name] = v
}

// soFar is what was said last.
func (m *told) soFar() map[string]float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.gauges)
}

func TestAnEnginesFiguresReachTheMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &told{gauges: map[string]float64{}}
		reads := int64(0)
		m := newMeter(func() storage.Metrics {
			reads++
			return storage.Metrics{Compactions: 3 * (reads - 1), Flushes: 2 * reads, Syncs: uint64(10 * reads), DiskBytes: uint64(100 * reads)}
		}, to)
		first := to.soFar()
		if n, told := first[metricCompactions]; !told || n != 0 {
			t.Errorf("none so far is a figure too: %v", first)
		}
		time.Sleep(2*meterEvery + meterEvery/2)
		m.stop()
		m.stop()
		want := map[string]float64{metricCompactions: 6, metricFlushes: 6, metricSyncs: 30, metricDisk: 300}
		if last := to.soFar(); !maps.Equal(last, want) {
			t.Errorf("after three readings: %v", last)
		}
		time.Sleep(time.Minute)
		if reads != 3 {
			t.Errorf("it was read %d times: it did not stop", reads)
		}
	})
	(*meter)(nil).stop()
}
