package embedded

import (
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// Metrics of an engine that is part of a server: totals since it was opened, as gauges,
// since counters of the server's metrics do not show before they have counted.
const (
	metricCompactions = "embedded_compactions"
	metricFlushes     = "embedded_flushes"
	metricSyncs       = "embedded_log_syncs"
	metricDisk        = "embedded_disk_bytes"
)

// meterEvery is how often an engine's figures are read, which takes well below 1 ms.
const meterEvery = time.Second

// meter tells a session's metrics what the storage of its engine does. Sessions of one
// engine tell the same.
type meter struct {
	read func() storage.Metrics
	to   backend.Metrics
	end  chan struct{}
	once sync.Once
	done sync.WaitGroup
}

func newMeter(read func() storage.Metrics, to backend.Metrics) *meter {
	m := &meter{read: read, to: to, end: make(chan struct{})}
	m.tell()
	m.done.Go(m.run)
	return m
}

func (m *meter) run() {
	ticker := time.NewTicker(meterEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			m.tell()
		case <-m.end:
			return
		}
	}
}

func (m *meter) tell() {
	now := m.read()
	m.to.Gauge(metricCompactions, float64(now.Compactions))
	m.to.Gauge(metricFlushes, float64(now.Flushes))
	m.to.Gauge(metricSyncs, float64(now.Syncs))
	m.to.Gauge(metricDisk, float64(now.DiskBytes))
}

// stop ends it before the storage is closed; again, it does nothing. A nil meter has
// ended.
func (m *meter) stop() {
	if m == nil {
		return
	}
	m.once.Do(func() { close(m.end) })
	m.done.Wait()
}
