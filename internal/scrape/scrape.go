// Package scrape reads the metrics that a server shows to Prometheus.
package scrape

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// Families reads the metrics at url whose names begin with one of names, by name.
// One that the server does not have yet is not there.
func Families(ctx context.Context, url string, names ...string) (map[string]*dto.MetricFamily, error) {
	families, err := families(ctx, url, names)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return families, nil
}

func families(ctx context.Context, url string, names []string) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, answer.Status)
	}
	wanted, err := linesOf(answer.Body, names)
	if err != nil {
		return nil, err
	}
	return new(expfmt.TextParser).TextToMetricFamilies(wanted)
}

// linesOf are the lines of some metrics: parsing all of a server's thousands would
// cost more than what they are asked for.
func linesOf(page io.Reader, names []string) (io.Reader, error) {
	var wanted bytes.Buffer
	lines := bufio.NewScanner(page)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimPrefix(lines.Text(), "# TYPE ")
		if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(line, name) }) {
			wanted.WriteString(lines.Text())
			wanted.WriteByte('\n')
		}
	}
	return &wanted, lines.Err()
}

// Label is a label that a series must have.
type Label struct{ Name, Value string }

// Values are those of a counter, a gauge or a metric without a type, of the series with
// all the labels; none of a histogram or of nil.
func Values(f *dto.MetricFamily, labels ...Label) []float64 {
	var all []float64
	for _, m := range f.GetMetric() {
		if slices.ContainsFunc(labels, func(want Label) bool { return !has(m, want) }) {
			continue
		}
		switch {
		case m.GetCounter() != nil:
			all = append(all, m.GetCounter().GetValue())
		case m.GetGauge() != nil:
			all = append(all, m.GetGauge().GetValue())
		case m.GetUntyped() != nil:
			all = append(all, m.GetUntyped().GetValue())
		}
	}
	return all
}

func has(m *dto.Metric, want Label) bool {
	return slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == want.Name && l.GetValue() == want.Value })
}
