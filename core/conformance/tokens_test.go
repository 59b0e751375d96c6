package conformance_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	cqlexec "github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// paged is a store call that takes a token from outside.
type paged func(ctx context.Context, token []byte) (next []byte, err error)

// pagedCalls are the calls of all stores that do, on the engine with a dialect.
func pagedCalls(tb testing.TB, d parse.Dialect) map[string]paged {
	tb.Helper()
	f := engineFactory(tb, d)
	shards, err := f.NewShardStore()
	require.NoError(tb, err)
	executions, err := f.NewExecutionStore()
	require.NoError(tb, err)
	matching, err := f.NewTaskStore()
	require.NoError(tb, err)
	clusters, err := f.NewClusterMetadataStore()
	require.NoError(tb, err)
	metadata, err := f.NewMetadataStore()
	require.NoError(tb, err)
	nexus, err := f.NewNexusEndpointStore()
	require.NoError(tb, err)
	queues, err := f.NewQueueV2()
	require.NoError(tb, err)
	dlq, err := f.NewQueue(p.NamespaceReplicationQueueType)
	require.NoError(tb, err)

	s := storetest.Fresh(1, d == parse.Cassandra)
	s.Own(tb, shards)
	s.CreateBoth(tb, executions)
	token := s.BranchToken(tb, executions.GetHistoryBranchUtil(), s.Branches[0])
	return map[string]paged{
		"GetHistoryTasks": func(ctx context.Context, token []byte) ([]byte, error) {
			r := s.GetTasks(tasks.CategoryTransfer)
			r.BatchSize, r.NextPageToken = 1, token
			got, err := executions.GetHistoryTasks(ctx, r)
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"ReadHistoryBranch": func(ctx context.Context, page []byte) ([]byte, error) {
			got, err := executions.ReadHistoryBranch(ctx, &p.InternalReadHistoryBranchRequest{
				BranchToken: token, BranchID: s.Branches[0], MinNodeID: 1, MaxNodeID: 99, PageSize: 1, NextPageToken: page,
			})
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"ListConcreteExecutions": func(ctx context.Context, token []byte) ([]byte, error) {
			got, err := executions.ListConcreteExecutions(ctx, &p.ListConcreteExecutionsRequest{ShardID: 1, PageSize: 1, PageToken: token})
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"GetAllHistoryTreeBranches": func(ctx context.Context, token []byte) ([]byte, error) {
			got, err := executions.GetAllHistoryTreeBranches(ctx, &p.GetAllHistoryTreeBranchesRequest{PageSize: 1, NextPageToken: token})
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"GetReplicationTasksFromDLQ": func(ctx context.Context, token []byte) ([]byte, error) {
			r := s.GetDLQ()
			r.NextPageToken = token
			got, err := executions.GetReplicationTasksFromDLQ(ctx, r)
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"GetTasks": func(ctx context.Context, token []byte) ([]byte, error) {
			got, err := matching.GetTasks(ctx, &p.GetTasksRequest{
				NamespaceID: s.Namespace, TaskQueue: "q", TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
				InclusiveMinTaskID: 1, ExclusiveMaxTaskID: 9, PageSize: 1, NextPageToken: token,
			})
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"ListTaskQueueUserDataEntries": func(ctx context.Context, token []byte) ([]byte, error) {
			got, err := matching.ListTaskQueueUserDataEntries(ctx, &p.ListTaskQueueUserDataEntriesRequest{NamespaceID: s.Namespace, PageSize: 1, NextPageToken: token})
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"GetClusterMembers": func(ctx context.Context, token []byte) ([]byte, error) {
			got, err := clusters.GetClusterMembers(ctx, &p.GetClusterMembersRequest{PageSize: 1, NextPageToken: token})
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"ListClusterMetadata": func(ctx context.Context, token []byte) ([]byte, error) {
			got, err := clusters.ListClusterMetadata(ctx, &p.InternalListClusterMetadataRequest{PageSize: 1, NextPageToken: token})
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"ListNamespaces": func(ctx context.Context, token []byte) ([]byte, error) {
			got, err := metadata.ListNamespaces(ctx, &p.InternalListNamespacesRequest{PageSize: 1, NextPageToken: token})
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"ListNexusEndpoints": func(ctx context.Context, token []byte) ([]byte, error) {
			got, err := nexus.ListNexusEndpoints(ctx, &p.ListNexusEndpointsRequest{PageSize: 1, NextPageToken: token})
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"ListQueues": func(ctx context.Context, token []byte) ([]byte, error) {
			got, err := queues.ListQueues(ctx, &p.InternalListQueuesRequest{QueueType: p.QueueTypeHistoryNormal, PageSize: 1, NextPageToken: token})
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"ReadMessages": func(ctx context.Context, token []byte) ([]byte, error) {
			got, err := queues.ReadMessages(ctx, &p.InternalReadMessagesRequest{
				QueueType: p.QueueTypeHistoryNormal, QueueName: "none", PageSize: 1, NextPageToken: token,
			})
			if err != nil {
				return nil, err
			}
			return got.NextPageToken, nil
		},
		"ReadMessagesFromDLQ": func(ctx context.Context, token []byte) ([]byte, error) {
			_, next, err := dlq.ReadMessagesFromDLQ(ctx, 0, 100, 1, token)
			return next, err
		},
	}
}

// engineFactory makes stores on an engine in memory.
func engineFactory(tb testing.TB, d parse.Dialect) *store.DataStoreFactory {
	tb.Helper()
	n, err := standalone.Start(standalone.Options{Dialect: d, Ephemeral: true, Log: quiet().Logger})
	require.NoError(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(tb, n.Close(ctx))
	})
	pipe := n.Pipe(nil)
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return pipe.Dial(ctx) }
	var b backend.Backend = cassandra.NewWithDial(dial)
	if d == parse.YCQL {
		b = yugabyte.NewWithDial(dial)
	}
	o, err := b.ParseOptions(map[string]any{"hosts": "127.0.0.1", "keyspace": "tokens", "maxConns": 1})
	require.NoError(tb, err)
	admin, err := o.OpenAdmin(tb.Context(), quiet())
	require.NoError(tb, err)
	tool := &schema.Tool{Admin: admin, Set: schema.Cassandra(), Keyspace: "tokens", Out: io.Discard, Alone: true}
	if d == parse.YCQL {
		tool.Set, tool.Prepare = schema.YCQL(), schema.Preparing(o, quiet(), io.Discard)
	}
	require.NoError(tb, tool.Create(tb.Context(), schema.Replication{}))
	require.NoError(tb, tool.Update(tb.Context()))
	require.NoError(tb, admin.Close())
	c, err := o.Open(tb.Context(), quiet())
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = c.Session.Close() })
	f, err := store.NewDataStoreFactory(cqlexec.New(c.Session, c.Dialect, nil), store.FactoryOptions{
		Name: c.Dialect.Name(), Cluster: "active", Serializer: serialization.NewSerializer(),
	})
	require.NoError(tb, err)
	tb.Cleanup(f.Close)
	return f
}

// FuzzPageTokens gives tokens that nobody handed out to every call that takes one.
// Nothing panics, hangs, or hands out rows without end.
func FuzzPageTokens(f *testing.F) {
	all := []map[string]paged{pagedCalls(f, parse.YCQL), pagedCalls(f, parse.Cassandra)}
	for _, calls := range all {
		for name, call := range calls {
			next, err := call(f.Context(), nil)
			if err == nil && len(next) > 0 {
				f.Add(next)
				f.Add(next[:len(next)/2])
				f.Add(append([]byte{0x7f}, next...))
			}
			f.Logf("%s: first token %x, %v", name, next, err)
		}
	}
	id := uuid.New()
	for _, seed := range [][]byte{{0}, {1}, {0xff}, {0, 0, 0, 0}, []byte("{}"), []byte(`{"LastReadMessageID":9223372036854775807}`), id[:]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		for _, calls := range all {
			for name, call := range calls {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				at, pages := token, 0
				for ; pages < 100; pages++ {
					next, err := call(ctx, at)
					if err != nil {
						require.NotEmpty(t, err.Error())
						break
					}
					if len(next) == 0 {
						break
					}
					at = next
				}
				require.Less(t, pages, 100, "%s: pages without end", name)
				require.NoError(t, ctx.Err(), name)
				cancel()
			}
		}
	})
}
