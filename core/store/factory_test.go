package store

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.uber.org/goleak"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
)

var goodTraits = cql.Traits{Atomic: cql.AtomicTables, TTL: true}

func TestFactoryRefusesDatabases(t *testing.T) {
	tests := []struct {
		name   string
		traits cql.Traits
		store  string
		want   []string
	}{
		{"atomic writes of one row", cql.Traits{Atomic: cql.AtomicRow, TTL: true}, "memory", []string{"several rows"}},
		{"rows that cannot expire", cql.Traits{Atomic: cql.AtomicTables}, "memory", []string{"cannot expire"}},
		{"a name that promises whole nodes", goodTraits, "my-cassandra", []string{"in parts"}},
		{
			"a name that does not say that nodes are whole, and no expiry",
			cql.Traits{Atomic: cql.AtomicPartition, WholeNodes: true},
			"memory",
			[]string{"must contain", "cannot expire"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			released := 0
			_, err := NewDataStoreFactory(memory.NewExecutor(memory.NewState(), tt.traits), FactoryOptions{
				Name: tt.store, Serializer: serialization.NewSerializer(), Release: func() { released++ },
			})
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
			require.Zero(t, released)
		})
	}
	_, err := NewDataStoreFactory(memory.NewExecutor(memory.NewState(), goodTraits), FactoryOptions{Name: "memory"})
	require.ErrorContains(t, err, "serializer")
}

func TestFactoryMakesEveryStoreAndIsReleasedOnce(t *testing.T) {
	for _, storesFirst := range []bool{true, false} {
		released := 0
		f, err := NewDataStoreFactory(memory.NewExecutor(memory.NewState(), goodTraits), FactoryOptions{
			Name: "memory", Cluster: "active", Serializer: serialization.NewSerializer(), Release: func() { released++ },
		})
		require.NoError(t, err)
		var closers []p.Closeable
		add := func(c p.Closeable, err error) {
			t.Helper()
			require.NoError(t, err)
			require.NotNil(t, c)
			if named, ok := c.(interface{ GetName() string }); ok {
				require.Equal(t, "memory", named.GetName())
			}
			closers = append(closers, c)
		}
		add(closeable(f.NewTaskStore()))
		add(closeable(f.NewFairTaskStore()))
		add(closeable(f.NewShardStore()))
		add(closeable(f.NewMetadataStore()))
		add(closeable(f.NewExecutionStore()))
		add(closeable(f.NewQueue(p.NamespaceReplicationQueueType)))
		add(closeable(f.NewClusterMetadataStore()))
		add(closeable(f.NewNexusEndpointStore()))
		v2, err := f.NewQueueV2()
		require.NoError(t, err)
		require.NotNil(t, v2)

		if !storesFirst {
			f.Close()
		}
		for range 2 {
			for _, c := range closers {
				c.Close()
			}
		}
		f.Close()
		f.Close()
		require.Equal(t, 1, released)
	}
}

func closeable[S p.Closeable](s S, err error) (p.Closeable, error) { return s, err }

func TestFactoryPassesOnWhatAStoreRefuses(t *testing.T) {
	f, err := NewDataStoreFactory(memory.NewExecutor(memory.NewState(), goodTraits), FactoryOptions{
		Name: "memory", Serializer: serialization.NewSerializer(),
	})
	require.NoError(t, err)
	f.Close() // without Release
	q, err := f.NewQueue(-1)
	require.Error(t, err)
	require.Nil(t, q)
}

// TestCallsOfACanceledContextDoNothing makes one call of every store whose
// caller has gone.
func TestCallsOfACanceledContextDoNothing(t *testing.T) {
	state := memory.NewState()
	f, err := NewDataStoreFactory(memory.NewExecutor(state, goodTraits), FactoryOptions{
		Name: "memory", Serializer: serialization.NewSerializer(),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tasks, err := f.NewTaskStore()
	require.NoError(t, err)
	metadata, err := f.NewMetadataStore()
	require.NoError(t, err)
	clusters, err := f.NewClusterMetadataStore()
	require.NoError(t, err)
	queue, err := f.NewQueue(p.NamespaceReplicationQueueType)
	require.NoError(t, err)
	queues, err := f.NewQueueV2()
	require.NoError(t, err)
	nexus, err := f.NewNexusEndpointStore()
	require.NoError(t, err)
	for name, call := range map[string]func() error{
		"CreateTaskQueue": func() error {
			return tasks.CreateTaskQueue(ctx, &p.InternalCreateTaskQueueRequest{NamespaceID: testNamespace, TaskQueueInfo: blob("q")})
		},
		"GetTasks": func() error { _, err := tasks.GetTasks(ctx, getTasks(0, 0, 1, 1)); return err },
		"CreateNamespace": func() error {
			_, err := metadata.CreateNamespace(ctx, createNamespace(namespaceA, "a"))
			return err
		},
		"SaveClusterMetadata": func() error { _, err := clusters.SaveClusterMetadata(ctx, saveCluster("a", 0)); return err },
		"EnqueueMessage":      func() error { return queue.EnqueueMessage(ctx, blob("m")) },
		"CreateQueue": func() error {
			_, err := queues.CreateQueue(ctx, &p.InternalCreateQueueRequest{QueueName: "q"})
			return err
		},
		"ListNexusEndpoints": func() error {
			_, err := nexus.ListNexusEndpoints(ctx, &p.ListNexusEndpointsRequest{PageSize: 1})
			return err
		},
	} {
		err := call()
		var canceled *serviceerror.Canceled
		require.ErrorAs(t, err, &canceled, name)
	}
	require.Empty(t, state.Dump())
}

// What a factory does in the background ends when it is closed.
func TestAClosedFactoryIsAtRest(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	traits := goodTraits
	traits.Sequenced, traits.RerunsBlocks = true, true
	released := false
	f, err := NewDataStoreFactory(memory.NewExecutor(memory.NewState(), traits), FactoryOptions{
		Name: "memory", Serializer: serialization.NewSerializer(), Release: func() { released = true },
	})
	require.NoError(t, err)
	shards, err := f.NewShardStore()
	require.NoError(t, err)
	_, err = shards.GetOrCreateShard(t.Context(), &p.InternalGetOrCreateShardRequest{
		ShardID: 1, CreateShardInfo: func() (int64, *commonpb.DataBlob, error) { return 1, blob("s"), nil },
	})
	require.NoError(t, err)
	err = shards.UpdateShard(t.Context(), &p.InternalUpdateShardRequest{ShardID: 1, PreviousRangeID: 1, RangeID: 2, ShardInfo: blob("s")})
	require.NoError(t, err)
	f.Close()
	require.True(t, released)
	_, err = NewDataStoreFactory(memory.NewExecutor(memory.NewState(), cql.Traits{Atomic: cql.AtomicTables, TTL: true, Sequenced: true}),
		FactoryOptions{Name: "memory", Serializer: serialization.NewSerializer()})
	require.ErrorContains(t, err, "refusals are looked into")
}
