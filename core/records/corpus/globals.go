package corpus

import (
	"fmt"

	enumsspb "go.temporal.io/server/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	replicationspb "go.temporal.io/server/api/replication/v1"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// globals are what a deployment has once.
func (m *maker) globals() {
	for i, id := range m.namespaces {
		name := fmt.Sprintf("namespace-%d", i)
		m.add(records.Namespace, records.Namespaces, []any{name}, id, &persistencespb.NamespaceDetail{
			Info:   &persistencespb.NamespaceInfo{Id: text(id), Name: name, Owner: "somebody"},
			Config: &persistencespb.NamespaceConfig{}, ConfigVersion: int64(i),
		}, i == 0, int64(i))
		m.add(records.NamespaceID, records.Namespaces, []any{id}, name)
		m.userData(id, i)
	}
	// A namespace whose creation was cut off: an id without a name's row.
	m.add(records.NamespaceID, records.Namespaces, []any{m.uuid()}, "orphan")
	m.add(records.NamespaceVersion, records.Namespaces, []any{}, int64(len(m.namespaces)))

	for i, name := range []string{"active", "standby"} {
		m.add(records.ClusterMetadata, records.Cluster, []any{name}, &persistencespb.ClusterMetadata{
			ClusterName: name, HistoryShardCount: m.o.Shards, ClusterId: text(m.uuid()), InitialFailoverVersion: int64(i + 1),
		}, int64(i+3))
	}

	// The namespace replication queue and its DLQ, which has the negative type.
	for _, queueType := range []int64{1, -1} {
		levels := map[string]int64{"standby": 3, "other": -1}
		m.add(records.Queue, records.Messages, []any{queueType}, []plan.TextIntEntry{
			{Key: "standby", Value: 3}, {Key: "other", Value: -1},
		}, &persistencespb.QueueMetadata{ClusterAckLevels: levels}, int64(5))
		for id := range int64(5) {
			m.add(records.QueueMessage, records.Messages, []any{queueType, id}, &replicationspb.ReplicationTask{
				TaskType: enumsspb.REPLICATION_TASK_TYPE_NAMESPACE_TASK, SourceTaskId: id,
			})
		}
	}
	m.queuesV2()

	m.add(records.NexusTable, records.Nexus, []any{plan.NexusVersionRow, [16]byte{}}, nil, int64(2))
	for range 2 {
		id := m.uuid()
		m.add(records.NexusEndpoint, records.Nexus, []any{plan.NexusEndpointRow, id}, &persistencespb.NexusEndpoint{
			Spec: &persistencespb.NexusEndpointSpec{Name: "endpoint " + text(id)}, CreatedTime: m.time(0),
		}, int64(1))
	}
}

// queuesV2 are history DLQs: one in use, and one that was emptied. Its last
// message stays, below the first that counts, for ids are made from it.
func (m *maker) queuesV2() {
	queue := func(name string, first, last int64) {
		m.add(records.QueueV2, records.Messages, []any{int64(1), name}, &persistencespb.Queue{
			Partitions: map[int32]*persistencespb.QueuePartition{0: {MinMessageId: first}},
		}, 1+first)
		for id := min(first, last); id <= last; id++ {
			m.add(records.QueueV2Message, records.Messages, []any{int64(1), name, int64(0), id},
				&persistencespb.HistoryTask{ShardId: 1, Blob: nil})
		}
	}
	queue("1_active_standby", 2, 6)
	queue("2_emptied", 9, 8)
	queue("never used", 0, -1)
}

// userData are versioning data and the queues that know a build id.
func (m *maker) userData(namespace [16]byte, i int) {
	unit := records.UserDataUnit(namespace)
	for j := range 1 + i {
		queue := fmt.Sprintf("queue-%d", j)
		m.add(records.UserData, unit, []any{namespace, queue}, &persistencespb.TaskQueueUserData{
			PerType: map[int32]*persistencespb.TaskQueueTypeUserData{1: {}},
		}, int64(j+1))
		for k := range j {
			m.add(records.BuildID, unit, []any{namespace, fmt.Sprintf("build-%d", k), queue})
		}
	}
}

// shard is the state of a shard, and its replication DLQ.
func (m *maker) shard(shard int64) {
	key := func(task int64) *persistencespb.TaskKey {
		return &persistencespb.TaskKey{FireTime: m.time(-1_700_000_000 * 1e9), TaskId: task}
	}
	m.add(records.Shard, records.ShardUnit(shard), []any{shard}, int64(7), &persistencespb.ShardInfo{
		ShardId: int32(shard), RangeId: 7, Owner: "10.1.2.3:7234", StolenSinceRenew: 1, UpdateTime: m.time(0),
		ReplicationDlqAckLevel: map[string]int64{"standby": 5},
		QueueStates: map[int32]*persistencespb.QueueState{
			1: {ExclusiveReaderHighWatermark: key(1 << 40), ReaderStates: map[int64]*persistencespb.QueueReaderState{
				0: {Scopes: []*persistencespb.QueueSliceScope{{
					Range:     &persistencespb.QueueSliceRange{InclusiveMin: key(1), ExclusiveMax: key(1 << 40)},
					Predicate: &persistencespb.Predicate{},
				}}},
			}},
			2: {ExclusiveReaderHighWatermark: &persistencespb.TaskKey{FireTime: m.time(0), TaskId: 0}},
		},
	})
	for i := range int64(3) {
		m.add(records.ReplicationDLQ, records.ShardUnit(shard), []any{shard, "standby", 100 + i},
			&persistencespb.ReplicationTaskInfo{TaskId: 100 + i, WorkflowId: "w", FirstEventId: 1})
	}
}
