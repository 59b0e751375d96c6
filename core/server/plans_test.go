package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/metrics/metricstest"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/server"
	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
)

// answering is a session that answers every write in the same way.
type answering struct {
	res   cql.Result
	err   error
	after time.Duration
}

func (a answering) Exec(context.Context, *cql.Step) (cql.Result, error) {
	time.Sleep(a.after)
	return a.res, a.err
}

func (a answering) Query(context.Context, cql.Call, cql.Page) (cql.Rows, error) { return nil, a.err }
func (a answering) Close() error                                                { return nil }

// lines is a logger that keeps what it is given, level by level.
type lines struct {
	log.Logger
	mu  sync.Mutex
	all []string
}

func (l *lines) add(level, msg string, tags []tag.Tag) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := level + ": " + msg
	for _, t := range tags {
		line += fmt.Sprintf(" %s=%v", t.Key(), t.Value())
	}
	l.all = append(l.all, line)
}

func (l *lines) Debug(msg string, tags ...tag.Tag) { l.add("debug", msg, tags) }
func (l *lines) Warn(msg string, tags ...tag.Tag)  { l.add("warn", msg, tags) }

const payload = "the payload of a shard"

// TestOperationsAreMeasuredAndLoggedByPlan: what an operator is told of an operation
// names its plan and its row, and never shows what is stored.
func TestOperationsAreMeasuredAndLoggedByPlan(t *testing.T) {
	timeout := &cql.Error{Reach: cql.Replied, Code: cql.CodeWriteTimeout, WriteType: "CAS", Message: "timed out"}
	tests := []struct {
		name    string
		session answering
		want    map[string]int64 // counters beside requests and round trips, with the kind of an error
		log     []string         // parts of the only line
	}{
		{"it is done", answering{res: cql.Result{Applied: true}}, nil, nil},
		{
			"it takes long",
			answering{res: cql.Result{Applied: true}, after: 2 * time.Second},
			nil,
			[]string{"warn: Slow database operation.", "plan=UpdateShard", "key=shards(shard_id=7)", "duration=2s", "round-trips=1"},
		},
		{
			"it is refused",
			answering{res: cql.Result{Rows: []cql.Row{{"range_id": int64(9)}}}},
			map[string]int64{"persistence_plan_refusals": 1, "persistence_plan_errors conflict": 1},
			[]string{"debug: Database write refused.", "plan=UpdateShard", "key=shards(shard_id=7)"},
		},
		{
			"nobody knows what came of it",
			answering{err: timeout},
			map[string]int64{"persistence_plan_unknown_outcomes": 1, "persistence_plan_errors timeout": 1},
			[]string{"warn: Database write of unknown outcome.", "plan=UpdateShard", "key=shards(shard_id=7)", "timed out"},
		},
		{
			"it is refused for a cause that has gone",
			answering{res: cql.Result{Rows: []cql.Row{{"range_id": int64(3)}}}},
			map[string]int64{"persistence_plan_retries": 2, "persistence_plan_round_trips": 3, "persistence_plan_refusals": 1, "persistence_plan_errors conflict": 1},
			[]string{"debug: Database write refused.", "plan=UpdateShard"},
		},
		{
			"no server can be asked",
			answering{err: &cql.Error{Reach: cql.Unsent, Message: "no connection", Err: errors.New("no connection")}},
			map[string]int64{"persistence_plan_errors unavailable": 1},
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handler := metricstest.NewCaptureHandler()
				capture := handler.StartCapture()
				logger := &lines{Logger: log.NewNoopLogger()}
				f, err := server.MakeStores(
					&backend.Connection{Session: tt.session, Dialect: cassandra.New()},
					server.StoreParams{BackendName: "cassandra", Logger: logger, Metrics: handler, Serializer: serialization.NewSerializer()})
				require.NoError(t, err)
				defer f.Close()
				shards, err := f.NewShardStore()
				require.NoError(t, err)
				_ = shards.UpdateShard(t.Context(), &persistence.InternalUpdateShardRequest{
					ShardID: 7, PreviousRangeID: 3, RangeID: 4,
					ShardInfo: &commonpb.DataBlob{Data: []byte(payload), EncodingType: enumspb.ENCODING_TYPE_PROTO3},
				})
				synctest.Wait()

				got := counters(capture.Snapshot())
				want := map[string]int64{"persistence_plan_requests": 1, "persistence_plan_round_trips": 1}
				for name, n := range tt.want {
					want[name] = n
				}
				require.Equal(t, want, got)
				latency := capture.Snapshot()["persistence_plan_latency"]
				require.Len(t, latency, 1)
				require.Equal(t, tt.session.after, latency[0].Value)

				require.NotContains(t, strings.Join(logger.all, "\n"), payload)
				if tt.log == nil {
					require.Empty(t, logger.all)
					return
				}
				require.Len(t, logger.all, 1)
				for _, part := range tt.log {
					require.Contains(t, logger.all[0], part)
				}
			})
		})
	}
}

// counters adds up counters, and requires that each is of the plan.
func counters(snapshot metricstest.CaptureSnapshot) map[string]int64 {
	sums := map[string]int64{}
	for name, recordings := range snapshot {
		for _, r := range recordings {
			n, ok := r.Value.(int64)
			if !ok {
				continue
			}
			if r.Tags["plan"] != "UpdateShard" {
				name += " of plan " + r.Tags["plan"]
			}
			if kind := r.Tags["kind"]; kind != "" {
				name += " " + kind
			}
			sums[name] += n
		}
	}
	return sums
}

// TestTextsAreCounted: the number of distinct statement texts is a gauge, and the
// stores' end is the end of its measurement.
func TestTextsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := metricstest.NewCaptureHandler()
		capture := handler.StartCapture()
		f, err := server.MakeStores(
			&backend.Connection{Session: answering{res: cql.Result{Applied: true}}, Dialect: cassandra.New()},
			server.StoreParams{BackendName: "cassandra", Logger: log.NewNoopLogger(), Metrics: handler, Serializer: serialization.NewSerializer()})
		require.NoError(t, err)
		shards, err := f.NewShardStore()
		require.NoError(t, err)
		require.NoError(t, shards.UpdateShard(t.Context(), &persistence.InternalUpdateShardRequest{
			ShardID: 7, PreviousRangeID: 3, RangeID: 4, ShardInfo: &commonpb.DataBlob{Data: []byte(payload), EncodingType: enumspb.ENCODING_TYPE_PROTO3},
		}))
		time.Sleep(time.Minute)
		synctest.Wait()
		recorded := capture.Snapshot()["persistence_plan_texts"]
		require.NotEmpty(t, recorded)
		require.Positive(t, recorded[len(recorded)-1].Value)
		f.Close() // or the bubble does not end
	})
}

var _ metrics.Handler = (*metricstest.CaptureHandler)(nil)
