package cluster

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

const metricsPage = `# HELP approximate_backlog_count approximate_backlog_count gauge
# TYPE approximate_backlog_count gauge
approximate_backlog_count{partition="0",task_type="Workflow",taskqueue="a"} 3
approximate_backlog_count{partition="1",task_type="Activity",taskqueue="a \"b\""} 4
# TYPE client_requests counter
client_requests{operation="TransferActiveTaskActivity"} 99
# TYPE embedded_compactions gauge
embedded_compactions{service_name="history"} 7
embedded_compactions{service_name="matching"} 6
# TYPE task_latency_queue histogram
task_latency_queue_bucket{operation="TransferActiveTaskActivity",le="0.1"} 2
task_latency_queue_bucket{operation="TransferActiveTaskActivity",le="+Inf"} 4
task_latency_queue_sum{operation="TransferActiveTaskActivity"} 0.5
task_latency_queue_count{operation="TransferActiveTaskActivity"} 4
task_latency_queue_bucket{operation="TransferActiveTaskCloseExecution",le="+Inf"} 1
task_latency_queue_sum{operation="TransferActiveTaskCloseExecution"} 0.25
task_latency_queue_count{operation="TransferActiveTaskCloseExecution"} 1
task_latency_queue_bucket{operation="VisibilityTaskStartExecution",le="+Inf"} 1
task_latency_queue_sum{operation="VisibilityTaskStartExecution"} 2
task_latency_queue_count{operation="VisibilityTaskStartExecution"} 1
task_latency_queue_bucket{operation="ReplicationTask",le="+Inf"} 1
task_latency_queue_sum{operation="ReplicationTask"} 1
task_latency_queue_count{operation="ReplicationTask"} 1
`

func TestFiguresAreReadFromAServersMetrics(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(metricsPage)) }))
	defer server.Close()
	f, err := (&Server{metrics: server.URL}).readFigures(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]lag{result.SeriesTransferLag: {0.75, 5}, result.SeriesVisibilityLag: {2, 1}}, f.lags)
	require.InDelta(t, 7, *f.backlog, 0)
	require.Equal(t, int64(7), *f.compactions)

	f, err = (&Server{compactions: func(context.Context) (int64, error) { return 9, nil }}).readFigures(t.Context())
	require.NoError(t, err, "a server without metrics")
	require.Equal(t, int64(9), *f.compactions)
	require.Nil(t, f.backlog)
	_, err = (&Server{compactions: func(context.Context) (int64, error) { return 0, errors.New("gone") }}).readFigures(t.Context())
	require.ErrorContains(t, err, "gone")
}

func TestFiguresOverTime(t *testing.T) {
	backlog := func(n float64) *float64 { return &n }
	compactions := func(n int64) *int64 { return &n }
	at := func(seconds int, transfer lag, f figures) compare.Reading[figures] {
		f.lags = map[string]lag{result.SeriesTransferLag: transfer}
		return compare.Reading[figures]{After: time.Duration(seconds) * time.Second, Value: f}
	}
	series := figureSeries([]compare.Reading[figures]{
		at(0, lag{1, 10}, figures{backlog: backlog(5), compactions: compactions(3)}),
		at(1, lag{2, 20}, figures{backlog: backlog(6), compactions: compactions(3)}),
		at(2, lag{2, 20}, figures{backlog: backlog(0), compactions: compactions(5)}),
		at(4, lag{8, 21}, figures{backlog: backlog(0), compactions: compactions(6)}),
	})
	require.Equal(t, []result.Series{
		{Name: result.SeriesTransferLag, Unit: "ms", Points: [][2]float64{{1, 100}, {4, 6000}}}, // none ended in the second second
		{Name: result.SeriesBacklog, Unit: "tasks", Points: [][2]float64{{0, 5}, {1, 6}, {2, 0}, {4, 0}}},
		{Name: result.SeriesCompactions, Unit: result.CompactionUnit, Points: [][2]float64{{1, 0}, {2, 2}, {4, 0.5}}},
	}, series)
	require.Empty(t, figureSeries([]compare.Reading[figures]{{}, {After: time.Second}}), "nothing is known")
}
