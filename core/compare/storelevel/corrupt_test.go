package storelevel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	p "go.temporal.io/server/common/persistence"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite" // the stock arm

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/config"
)

// corrupting is the store level with one field of arm B's database changed before
// states are compared.
type corrupting struct {
	*Level
	queue string
}

func (l *corrupting) Agree(ctx context.Context, a, b compare.Spec) (*result.Agreement, error) {
	stores, q := l.blocks[b.Database].stores, l.blocks[b.Database].mix.queues[0]
	l.queue = q.name
	found, err := stores.Tasks.GetTaskQueue(ctx, &p.GetTaskQueueRequest{
		NamespaceID: text(l.blocks[b.Database].mix.namespace), TaskQueue: q.name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
	})
	if err != nil {
		return nil, err
	}
	found.TaskQueueInfo.AckLevel += 3
	if _, err := stores.Tasks.UpdateTaskQueue(ctx, &p.UpdateTaskQueueRequest{
		RangeID: found.RangeID, PrevRangeID: found.RangeID, TaskQueueInfo: found.TaskQueueInfo,
	}); err != nil {
		return nil, err
	}
	return l.Level.Agree(ctx, a, b)
}

const corruptible = `
persistence:
  defaultStore: default
  visibilityStore: visibility
  numHistoryShards: 4
  datastores:
    visibility:
      sql: {pluginName: sqlite, databaseName: visibility, connectAddr: localhost, connectProtocol: tcp, connectAttributes: {mode: memory, cache: private}}
    default:
      %s
global: {membership: {maxJoinDuration: 30s, broadcastAddress: 127.0.0.1}}
services:
  frontend: {rpc: {grpcPort: 7233, membershipPort: 6933, bindOnLocalHost: true}}
clusterMetadata:
  enableGlobalNamespace: false
  failoverVersionIncrement: 10
  masterClusterName: active
  currentClusterName: active
  clusterInformation: {active: {enabled: true, initialFailoverVersion: 1, rpcName: frontend, rpcAddress: 127.0.0.1:7233}}
`

func corruptibleArm(t *testing.T, name, store string) *arm.Arm {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name+".yaml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, corruptible, store), 0o600))
	a, err := arm.Load(arm.Options{
		Name: name, Source: config.Source{File: path}, Scratch: dir,
		Registry: func() (*backend.Registry, error) {
			return backend.NewRegistry([]backend.Backend{embedded.New(), cassandra.New()})
		},
	})
	require.NoError(t, err)
	return a
}

// TestOneCorruptedFieldIsReported changes the ack level of one task queue: that
// field of that record is named, and nothing else is.
func TestOneCorruptedFieldIsReported(t *testing.T) {
	const (
		ycql   = `customDatastore: {name: embedded, options: {dialect: ycql, ephemeral: true}}`
		cql    = `customDatastore: {name: embedded, options: {dialect: cassandra, ephemeral: true}}`
		sqlite = `sql: {pluginName: sqlite, databaseName: temporal, connectAddr: localhost, connectProtocol: tcp, connectAttributes: {mode: memory, cache: private}}`
	)
	for how, other := range map[string]string{result.ByRecords: cql, result.ByStores: sqlite} {
		t.Run(how, func(t *testing.T) {
			o := DefaultOptions()
			o.Rates, o.Duration, o.WarmupLeast, o.WarmupMost, o.Open, o.Arrivals = []float64{50}, time.Second, 0, 0, 5, "constant"
			o.Timeout, o.DeadAfter = time.Minute, 2*time.Minute // a busy machine is no dead database
			inner, err := New(o)
			require.NoError(t, err)
			level := &corrupting{Level: inner}
			run, err := compare.Run(t.Context(), compare.Options{
				Level: level, A: corruptibleArm(t, "a", ycql), B: corruptibleArm(t, "b", other), Pairs: 1, Seed: 7, Dir: t.TempDir(), Margin: 1.05,
				Contamination: compare.Contamination{Others: 1}, Progress: func(string) {},
			})
			require.NoError(t, err)
			require.Len(t, run.Agreements, 1)
			found := run.Agreements[0]
			require.Equal(t, how, found.How)
			require.False(t, found.Equal)
			require.Len(t, found.Differences, 1, "%+v", found.Differences)
			d := found.Differences[0]
			require.Contains(t, d.Record, level.queue, "its key")
			require.Contains(t, d.Field, "ack_level", "its path")
			require.NotEqual(t, d.A, d.B)
			require.Contains(t, compare.Different(run)[0], "different states", "which is a failure of the command")
			t.Logf("%+v", d)
		})
	}
}
