package records_test

import (
	"errors"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"google.golang.org/protobuf/proto"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
	stores "github.com/temporal-ycql/temporal-ycql/core/store"
)

// Servers, by their own stores, can neither take what is held nor go on with what
// they had; what is released they can, with nothing changed.
func TestWhatIsHeldIsNobodys(t *testing.T) {
	for _, dialect := range []string{"cassandra", "ycql"} {
		t.Run(dialect, func(t *testing.T) {
			s := engine(t, dialect)
			o := corpus.Small(seed(t))
			o.Whole, o.Workflows = s.whole, 0
			made := corpus.Make(o)
			s.put(t, o.Shards, made)
			f, err := stores.NewDataStoreFactory(s.raw, stores.FactoryOptions{
				Name: dialect, Cluster: "active", Serializer: serialization.NewSerializer(),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			t.Run("shards", func(t *testing.T) { shardsAreHeld(t, s, f, o.Shards) })
			t.Run("queues", func(t *testing.T) { queuesAreHeld(t, s, f, made) })
		})
	}
}

// own takes a shard as a server does.
func own(t *testing.T, m p.ShardManager, shard int32) error {
	t.Helper()
	got, err := m.GetOrCreateShard(t.Context(), &p.GetOrCreateShardRequest{ShardID: shard, LifecycleContext: t.Context()})
	if err != nil {
		t.Fatal(err)
	}
	info := proto.Clone(got.ShardInfo).(*persistencespb.ShardInfo)
	info.RangeId++
	info.Owner = "somebody"
	return m.UpdateShard(t.Context(), &p.UpdateShardRequest{ShardInfo: info, PreviousRangeID: got.ShardInfo.GetRangeId()})
}

func shardsAreHeld(t *testing.T, s *store, f *stores.DataStoreFactory, shards int32) {
	shardStore, err := f.NewShardStore()
	if err != nil {
		t.Fatal(err)
	}
	m := p.NewShardManager(shardStore, serialization.NewSerializer())
	for shard := int32(1); shard <= shards; shard++ {
		var lost *p.ShardOwnershipLostError
		if err := own(t, m, shard); !errors.As(err, &lost) {
			t.Errorf("shard %d is held and taken: %v", shard, err)
		}
		if err := s.writer.Release(t.Context(), int64(shard)); err != nil {
			t.Fatal(err)
		}
		if err := own(t, m, shard); err != nil {
			t.Errorf("shard %d is released: %v", shard, err)
		}
		// Held while it is owned: its owner is refused, too.
		if err := s.writer.Hold(t.Context(), int64(shard)); err != nil {
			t.Fatal(err)
		}
		if err := own(t, m, shard); !errors.As(err, &lost) {
			t.Errorf("shard %d is held again and taken: %v", shard, err)
		}
		if err := s.writer.Release(t.Context(), int64(shard)); err != nil {
			t.Fatal(err)
		}
		if err := own(t, m, shard); err != nil {
			t.Errorf("shard %d is released again: %v", shard, err)
		}
	}
}

func queuesAreHeld(t *testing.T, s *store, f *stores.DataStoreFactory, made []records.Record) {
	classic, err := f.NewTaskStore()
	if err != nil {
		t.Fatal(err)
	}
	fair, err := f.NewFairTaskStore()
	if err != nil {
		t.Fatal(err)
	}
	managers := map[records.Kind]p.TaskManager{
		records.TaskQueue:     p.NewTaskManager(classic, serialization.NewSerializer()),
		records.FairTaskQueue: p.NewTaskManager(fair, serialization.NewSerializer()),
	}
	for i := range made {
		r := &made[i]
		m := managers[r.Kind]
		if m == nil {
			continue
		}
		namespace, _ := r.Key[0].([16]byte)
		name, _ := r.Key[1].(string)
		taskType, _ := r.Key[2].(int64)
		get := func() (*p.GetTaskQueueResponse, error) {
			return m.GetTaskQueue(t.Context(), &p.GetTaskQueueRequest{
				NamespaceID: plan.FormatValue(namespace), TaskQueue: name, TaskType: enumspb.TaskQueueType(taskType),
			})
		}
		before, err := get()
		if err != nil {
			t.Fatal(err)
		}
		update := func() error { // by the owner, who has read the row before
			_, err := m.UpdateTaskQueue(t.Context(), &p.UpdateTaskQueueRequest{
				RangeID: before.RangeID, PrevRangeID: before.RangeID, TaskQueueInfo: before.TaskQueueInfo,
			})
			return err
		}
		if err := s.writer.HoldQueue(t.Context(), r.Ref()); err != nil {
			t.Fatal(err)
		}
		if _, err := get(); err == nil {
			t.Errorf("%s is held and can be read", r.Ref())
		}
		var failed *p.ConditionFailedError
		if err := update(); !errors.As(err, &failed) {
			t.Errorf("%s is held and its owner goes on: %v", r.Ref(), err)
		}
		if err := s.writer.ReleaseQueue(t.Context(), r.Ref()); err != nil {
			t.Fatal(err)
		}
		if after, err := get(); err != nil || after.RangeID != before.RangeID || !proto.Equal(after.TaskQueueInfo, before.TaskQueueInfo) {
			t.Errorf("%s was held and is now %v, %v, want %v", r.Ref(), after, err, before)
		}
		if err := update(); err != nil {
			t.Errorf("%s is released: %v", r.Ref(), err)
		}
	}
}
