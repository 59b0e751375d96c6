package migrate

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what a migration shows to Prometheus while it runs.
type Metrics struct {
	registry *prometheus.Registry
	gauges   map[string]prometheus.Gauge
	verb     *prometheus.GaugeVec
}

// NewMetrics returns metrics that nothing has been told yet.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), gauges: make(map[string]prometheus.Gauge)}
	for name, help := range map[string]string{
		"migrate_rows":               "records that were read or copied by the present verb",
		"migrate_bytes":              "their size in bytes",
		"migrate_parts":              "parts of the work",
		"migrate_parts_done":         "parts that are done",
		"migrate_rows_per_second":    "records a second in the last period",
		"migrate_seconds_left":       "estimate of the time left; 0: not known yet",
		"migrate_source_p99_seconds": "99th percentile of the time of a request to the source",
		"migrate_target_p99_seconds": "99th percentile of the time of a request to the target",
		"migrate_source_concurrency": "requests that may be under way at the source",
		"migrate_target_concurrency": "requests that may be under way at the target",
	} {
		m.gauges[name] = prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		m.registry.MustRegister(m.gauges[name])
	}
	m.verb = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "migrate_verb", Help: "1 for the verb that is at work"}, []string{"verb"})
	m.registry.MustRegister(m.verb)
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *Metrics) set(p Progress) {
	m.verb.Reset()
	m.verb.WithLabelValues(p.Verb).Set(1)
	for name, v := range map[string]float64{
		"migrate_rows": float64(p.Rows), "migrate_bytes": float64(p.Bytes), "migrate_parts": float64(p.Parts), "migrate_parts_done": float64(p.Done),
		"migrate_rows_per_second": p.RowsPerSecond, "migrate_seconds_left": p.Seconds,
		"migrate_source_p99_seconds": p.SourceP99 / 1000, "migrate_target_p99_seconds": p.TargetP99 / 1000,
		"migrate_source_concurrency": float64(p.SourceAllowed), "migrate_target_concurrency": float64(p.TargetAllowed),
	} {
		m.gauges[name].Set(v)
	}
}
