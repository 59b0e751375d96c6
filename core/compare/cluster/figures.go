package cluster

import (
	"context"
	"errors"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/internal/scrape"
)

// Metrics of Temporal's server, and of the embedded engine inside of ours.
const (
	metricLag         = "task_latency_queue" // seconds from a history task's time to its end
	metricBacklog     = "approximate_backlog_count"
	metricCompactions = "embedded_compactions"
)

// queues of history by what their tasks' operations begin with.
var queueOfOperation = map[string]string{
	"TransferActive": result.SeriesTransferLag,
	"TimerActive":    result.SeriesTimerLag,
	"Visibility":     result.SeriesVisibilityLag,
}

// figures are what a server's metrics, and its database, say at a moment.
type figures struct {
	lags        map[string]lag // by series
	backlog     *float64       // tasks of all task queues
	compactions *int64
}

// lag sums up the tasks of a queue so far.
type lag struct{ seconds, tasks float64 }

// watchable is how to read them; nil where nobody tells any.
func (s *Server) watchable() func(context.Context) (figures, error) {
	if s.metrics == "" && s.compactions == nil {
		return nil
	}
	return s.readFigures
}

// readFigures reads them; what nobody tells is left out.
func (s *Server) readFigures(ctx context.Context) (figures, error) {
	f := figures{}
	var errs []error
	if s.metrics != "" {
		err := f.fromServer(ctx, s.metrics)
		errs = append(errs, err)
	}
	if s.compactions != nil {
		n, err := s.compactions(ctx)
		if err == nil {
			f.compactions = &n
		}
		errs = append(errs, err)
	}
	return f, errors.Join(errs...)
}

// fromServer takes them out of a server's metrics.
func (f *figures) fromServer(ctx context.Context, url string) error {
	families, err := scrape.Families(ctx, url, metricLag, metricBacklog, metricCompactions)
	if err != nil {
		return err
	}
	f.lags = map[string]lag{}
	for _, m := range families[metricLag].GetMetric() {
		name := lagOf(m)
		if name == "" {
			continue
		}
		sum := f.lags[name]
		sum.seconds += m.GetHistogram().GetSampleSum()
		sum.tasks += float64(m.GetHistogram().GetSampleCount())
		f.lags[name] = sum
	}
	if of := families[metricBacklog]; of != nil {
		sum := 0.0
		for _, v := range scrape.Values(of) {
			sum += v
		}
		f.backlog = &sum
	}
	if of := families[metricCompactions]; of != nil { // the services of a server share an engine
		n := int64(slices.Max(append(scrape.Values(of), 0)))
		f.compactions = &n
	}
	return nil
}

// lagOf is the series to which a history task belongs; empty: none.
func lagOf(m *dto.Metric) string {
	for _, label := range m.GetLabel() {
		if label.GetName() != "operation" {
			continue
		}
		for prefix, name := range queueOfOperation {
			if strings.HasPrefix(label.GetValue(), prefix) {
				return name
			}
		}
	}
	return ""
}

// figureSeries is what changed from reading to reading. Those that nobody told are
// left out.
func figureSeries(readings []compare.Reading[figures]) []result.Series {
	var all []result.Series
	for _, name := range []string{result.SeriesTransferLag, result.SeriesTimerLag, result.SeriesVisibilityLag} {
		s := result.Series{Name: name, Unit: "ms"}
		for i := 1; i < len(readings); i++ {
			a, b := readings[i-1].Value.lags[name], readings[i].Value.lags[name]
			if tasks := b.tasks - a.tasks; tasks > 0 {
				s.Points = append(s.Points, [2]float64{readings[i].After.Seconds(), 1000 * (b.seconds - a.seconds) / tasks})
			}
		}
		if len(s.Points) > 0 {
			all = append(all, s)
		}
	}
	backlog := result.Series{Name: result.SeriesBacklog, Unit: "tasks"}
	var compactions []compare.Reading[int64]
	for _, r := range readings {
		if n := r.Value.backlog; n != nil {
			backlog.Points = append(backlog.Points, [2]float64{r.After.Seconds(), *n})
		}
		if n := r.Value.compactions; n != nil {
			compactions = append(compactions, compare.Reading[int64]{After: r.After, Value: *n})
		}
	}
	if len(backlog.Points) > 0 {
		all = append(all, backlog)
	}
	return append(all, compare.Increases(result.SeriesCompactions, result.CompactionUnit, compactions)...)
}
