package migrate_test

import (
	"errors"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	p "go.temporal.io/server/common/persistence"
	stock "go.temporal.io/server/common/persistence/cassandra"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/resolver"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// The fence locks out stock Temporal's own stores, whoever owns a shard or a queue
// and whoever wants to take one; rollback lets them in again.
func TestFenceLocksStockOut(t *testing.T) {
	n := cassandratest.Start(t)
	from := node(t)
	fill(t, from, small(t))
	to := directory(t, "ycql", t.TempDir())
	state := t.TempDir()
	var queue records.Record
	for _, r := range contents(t, from) {
		if r.Kind == records.TaskQueue && r.Expires == 0 {
			queue = r
		}
	}
	f := stock.NewFactory(
		config.Cassandra{
			Hosts: n.Host, Port: n.Port, Keyspace: from.Opener.Keyspace(), Consistency: &config.CassandraStoreConsistency{},
			ConnectTimeout: time.Minute, // of requests as well; it has ten seconds otherwise
		},
		resolver.NewNoopResolver(), "active", log.NewNoopLogger(), metrics.NoopMetricsHandler, serialization.NewSerializer())
	defer f.Close()
	shards, err := f.NewShardStore()
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := f.NewTaskStore()
	if err != nil {
		t.Fatal(err)
	}
	// take takes a shard over as a server does: with the range that its state names.
	take := func() error {
		got, err := shards.GetOrCreateShard(t.Context(), &p.InternalGetOrCreateShardRequest{ShardID: 1})
		if err != nil {
			return err
		}
		info, err := serialization.NewSerializer().ShardInfoFromBlob(got.ShardInfo)
		if err != nil {
			return err
		}
		previous := info.GetRangeId()
		info.RangeId++
		blob, err := serialization.NewSerializer().ShardInfoToBlob(info)
		if err != nil {
			return err
		}
		return shards.UpdateShard(t.Context(), &p.InternalUpdateShardRequest{
			ShardID: 1, RangeID: info.GetRangeId(), ShardInfo: blob, PreviousRangeID: previous,
		})
	}
	namespace, _ := queue.Key[0].([16]byte)
	name, _ := queue.Key[1].(string)
	kind, _ := queue.Key[2].(int64)
	// own writes a queue as its owner does; takeQueue reads it as one who wants it.
	own := func() error {
		blob := queue.Blob(plan.QueueInfo)
		_, err := tasks.UpdateTaskQueue(t.Context(), &p.InternalUpdateTaskQueueRequest{
			NamespaceID: plan.FormatValue(namespace), TaskQueue: name, TaskType: enumspb.TaskQueueType(kind),
			RangeID: queue.Int(plan.QueueRangeID), PrevRangeID: queue.Int(plan.QueueRangeID),
			TaskQueueInfo: &commonpb.DataBlob{Data: blob.Data, EncodingType: enumspb.ENCODING_TYPE_PROTO3},
		})
		return err
	}
	takeQueue := func() error {
		got, err := p.NewTaskManager(tasks, serialization.NewSerializer()).GetTaskQueue(t.Context(), &p.GetTaskQueueRequest{
			NamespaceID: plan.FormatValue(namespace), TaskQueue: name, TaskType: enumspb.TaskQueueType(kind),
		})
		if err == nil && got.RangeID != queue.Int(plan.QueueRangeID) {
			err = errors.New("another range")
		}
		return err
	}
	for what, do := range map[string]func() error{"own a queue": own, "take a queue": takeQueue, "take a shard": take} {
		if err := do(); err != nil {
			t.Fatalf("%s before the fence: %v", what, err)
		}
	}
	must(t, from, to, state, "init")
	var lost *p.ShardOwnershipLostError
	if err := take(); !errors.As(err, &lost) {
		t.Errorf("a shard is taken over a fence: %v", err)
	}
	var condition *p.ConditionFailedError
	if err := own(); !errors.As(err, &condition) {
		t.Errorf("a queue is written over a fence: %v", err)
	}
	if err := takeQueue(); err == nil {
		t.Error("a queue can be read to be taken over a fence")
	}
	must(t, from, to, state, "rollback")
	for what, do := range map[string]func() error{"own a queue": own, "take a queue": takeQueue, "take a shard": take} {
		if err := do(); err != nil {
			t.Errorf("%s after rollback: %v", what, err)
		}
	}
}

// A server that is given the target before the switch can take neither a queue nor
// a shard of it, whichever copy wrote them; after it, it can.
func TestTargetIsNobodysBeforeTheSwitch(t *testing.T) {
	for _, dialects := range [][2]string{{"cassandra", "ycql"}, {"ycql", "cassandra"}} {
		t.Run(dialects[1], func(t *testing.T) {
			from, to, state := directory(t, dialects[0], t.TempDir()), directory(t, dialects[1], t.TempDir()), t.TempDir()
			fill(t, from, small(t))
			var queues []records.Record
			for _, r := range contents(t, from) {
				if (r.Kind == records.TaskQueue || r.Kind == records.FairTaskQueue) && r.Expires == 0 {
					queues = append(queues, r)
				}
			}
			// taken is how many queues a server takes, by the stores of the server.
			taken := func() (n int) {
				t.Helper()
				k := open(t, to)
				defer k.close()
				f, err := store.NewDataStoreFactory(k.ex, store.FactoryOptions{Name: dialects[1], Cluster: "active", Serializer: serialization.NewSerializer()})
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				classic, err := f.NewTaskStore()
				if err != nil {
					t.Fatal(err)
				}
				fair, err := f.NewFairTaskStore()
				if err != nil {
					t.Fatal(err)
				}
				for _, q := range queues {
					tasks := p.NewTaskManager(classic, serialization.NewSerializer())
					if q.Kind == records.FairTaskQueue {
						tasks = p.NewTaskManager(fair, serialization.NewSerializer())
					}
					if takes(t, tasks, q) {
						n++
					}
				}
				return n
			}
			must(t, from, to, state, "init", "copy")
			if n := taken(); n != 0 {
				t.Errorf("%d of %d queues of the first copy can be taken", n, len(queues))
			}
			// The second copy writes what differs.
			k := open(t, to)
			for i := range queues {
				if err := k.writer.Replace(t.Context(), []records.Record{*queues[i].With(plan.QueueRangeID, int64(77))}); err != nil {
					t.Fatal(err)
				}
			}
			k.close()
			must(t, from, to, state, "copy")
			if n := taken(); n != 0 {
				t.Errorf("%d of %d queues of the second copy can be taken", n, len(queues))
			}
			must(t, from, to, state, "verify", "switch")
			equal(t, contents(t, from), contents(t, to))
			if n := taken(); n != len(queues) {
				t.Errorf("%d of %d queues can be taken after the switch", n, len(queues))
			}
		})
	}
}

// takes tells whether a server can take a queue, or go on as the owner that the
// record names.
func takes(t *testing.T, tasks p.TaskManager, queue records.Record) bool {
	t.Helper()
	namespace, _ := queue.Key[0].([16]byte)
	name, _ := queue.Key[1].(string)
	kind, _ := queue.Key[2].(int64)
	got, err := tasks.GetTaskQueue(t.Context(), &p.GetTaskQueueRequest{
		NamespaceID: plan.FormatValue(namespace), TaskQueue: name, TaskType: enumspb.TaskQueueType(kind),
	})
	info := &persistencespb.TaskQueueInfo{LastUpdateTime: timestamppb.Now(), NamespaceId: plan.FormatValue(namespace), Name: name, TaskType: enumspb.TaskQueueType(kind)}
	rangeID := queue.Int(plan.QueueRangeID)
	if err == nil {
		info, rangeID = got.TaskQueueInfo, got.RangeID
		info.LastUpdateTime, info.ExpiryTime = timestamppb.Now(), timestamppb.New(time.Now().Add(time.Hour))
	}
	_, owning := tasks.UpdateTaskQueue(t.Context(), &p.UpdateTaskQueueRequest{RangeID: rangeID + 1, PrevRangeID: rangeID, TaskQueueInfo: info})
	if err == nil && owning != nil {
		t.Errorf("%s can be read and not taken: %v", queue.KeyString(), owning)
	}
	return owning == nil
}
