package conformance

import (
	"context"
	"math"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The figures of stock are those of its Cassandra store, without what the
// manager above it does (common/persistence/cassandra in server v1.32.2).

func taskCosts(t *testing.T, f *fixture, _ *database) []costed {
	s := f.tasks(t, false)
	q := &taskQueue{store: s, namespace: uuid.NewString(), name: "cost"}
	sticky := func(ctx context.Context) error {
		return only(s.UpdateTaskQueue(ctx, &p.InternalUpdateTaskQueueRequest{
			NamespaceID: q.namespace, TaskQueue: q.name, TaskType: workflowQueue, TaskQueueKind: enumspb.TASK_QUEUE_KIND_STICKY,
			PrevRangeID: 2, RangeID: 3, TaskQueueInfo: someText("sticky"), ExpiryTime: timestamppb.New(time.Now().Add(time.Hour)),
		}))
	}
	return append(queueRowCosts(q, sticky),
		costed{"CompleteTasksLessThan", 1, false, func(ctx context.Context) error { return q.complete(ctx, 0, 0, 9, 0) }},
		costed{"ListTaskQueue", 1, false, func(ctx context.Context) error {
			return only(s.ListTaskQueue(ctx, &p.ListTaskQueueRequest{PageSize: 1000}))
		}},
		deleteQueueCost(q))
}

func fairTaskCosts(t *testing.T, f *fixture, _ *database) []costed {
	s := f.tasks(t, true)
	q := &taskQueue{store: s, fair: true, namespace: uuid.NewString(), name: "cost"}
	again := func(ctx context.Context) error { return q.take(ctx, 2, 3) }
	limited := q.read(0)
	limited.UseLimit = true
	return append(queueRowCosts(q, again),
		costed{"GetTasks, UseLimit", 1, false, func(ctx context.Context) error { return only(s.GetTasks(ctx, limited)) }},
		costed{"CompleteTasksLessThan", 1, false, func(ctx context.Context) error { return q.complete(ctx, 0, 1, 2, 0) }},
		costed{"CompleteTasksLessThan, fenced", 1, false, func(ctx context.Context) error { return q.complete(ctx, 0, 9, 9, 3) }},
		costed{"ListTaskQueue", 1, false, func(ctx context.Context) error {
			return only(s.ListTaskQueue(ctx, &p.ListTaskQueueRequest{PageSize: 1000}))
		}},
		deleteQueueCost(q))
}

// queueRowCosts leaves the queue at range 3.
func queueRowCosts(q *taskQueue, sticky func(ctx context.Context) error) []costed {
	return []costed{
		{"CreateTaskQueue", 1, false, func(ctx context.Context) error { return q.create(ctx, 1) }},
		{"GetTaskQueue", 1, false, func(ctx context.Context) error { return only(q.get(ctx)) }},
		{"UpdateTaskQueue", 1, false, func(ctx context.Context) error { return q.take(ctx, 1, 2) }},
		{"UpdateTaskQueue, sticky", 1, false, sticky},
		{"CreateTasks, ten", 1, true, func(ctx context.Context) error {
			var tasks []*p.InternalCreateTask
			for id := range int64(10) {
				tasks = append(tasks, q.task(int(id%2), 1, id+1))
			}
			return q.append(ctx, 3, true, tasks...)
		}},
		{"CreateTasks, range only", 1, true, func(ctx context.Context) error { return q.append(ctx, 3, false, q.task(0, 1, 100)) }},
		{"GetTasks", 1, false, func(ctx context.Context) error { return only(q.store.GetTasks(ctx, q.read(0))) }},
	}
}

func deleteQueueCost(q *taskQueue) costed {
	key := &p.TaskQueueKey{NamespaceID: q.namespace, TaskQueueName: q.name, TaskQueueType: workflowQueue}
	return costed{"DeleteTaskQueue", 1, false, func(ctx context.Context) error {
		return q.store.DeleteTaskQueue(ctx, &p.DeleteTaskQueueRequest{TaskQueue: key, RangeID: 3})
	}}
}

func userDataCosts(t *testing.T, f *fixture, _ *database) []costed {
	u := &userData{f.tasks(t, false), uuid.NewString()}
	return []costed{
		{"UpdateTaskQueueUserData, two queues and three build ids", 1, false, func(ctx context.Context) error {
			return u.update(ctx, map[string]*change{"a": {added: []string{"1", "2"}}, "b": {added: []string{"1"}}})
		}},
		{"GetTaskQueueUserData", 1, false, func(ctx context.Context) error {
			return only(u.store.GetTaskQueueUserData(ctx, &p.GetTaskQueueUserDataRequest{NamespaceID: u.namespace, TaskQueue: "a"}))
		}},
		{"ListTaskQueueUserDataEntries", 1, false, func(ctx context.Context) error {
			return only(u.store.ListTaskQueueUserDataEntries(ctx, &p.ListTaskQueueUserDataEntriesRequest{NamespaceID: u.namespace, PageSize: 10}))
		}},
		{"GetTaskQueuesByBuildId", 1, false, func(ctx context.Context) error {
			return only(u.store.GetTaskQueuesByBuildId(ctx, &p.GetTaskQueuesByBuildIdRequest{NamespaceID: u.namespace, BuildID: "1"}))
		}},
		{"CountTaskQueuesByBuildId", 1, false, func(ctx context.Context) error {
			return only(u.store.CountTaskQueuesByBuildId(ctx, &p.CountTaskQueuesByBuildIdRequest{NamespaceID: u.namespace, BuildID: "1"}))
		}},
	}
}

func namespaceCosts(t *testing.T, f *fixture, _ *database) []costed {
	s, err := f.factory.NewMetadataStore()
	require.NoError(t, err)
	n := &namespaces{f, s}
	id, second := uuid.NewString(), uuid.NewString()
	was, name, newName, secondName := n.version(t), "cost "+id, "less "+id, "cost "+second
	return []costed{
		{"CreateNamespace", 3, false, func(ctx context.Context) error { return n.create(ctx, id, name) }},
		{"CreateNamespace, of a name that is taken", 4, false, func(ctx context.Context) error {
			err := n.create(ctx, uuid.NewString(), name)
			if _, exists := any(err).(*serviceerror.NamespaceAlreadyExists); exists {
				return nil
			}
			return err
		}},
		{"GetNamespace by name", 1, false, func(ctx context.Context) error {
			return only(n.GetNamespace(ctx, &p.GetNamespaceRequest{Name: name}))
		}},
		{"GetNamespace by ID", 2, false, func(ctx context.Context) error {
			return only(n.GetNamespace(ctx, &p.GetNamespaceRequest{ID: id}))
		}},
		{"GetMetadata", 1, false, func(ctx context.Context) error { return only(n.GetMetadata(ctx)) }},
		{"UpdateNamespace", 1, false, func(ctx context.Context) error { return n.UpdateNamespace(ctx, n.update(id, name, was+1)) }},
		{"RenameNamespace", 2, false, func(ctx context.Context) error {
			return n.RenameNamespace(ctx, &p.InternalRenameNamespaceRequest{
				InternalUpdateNamespaceRequest: n.update(id, newName, was+2), PreviousName: name,
			})
		}},
		{"ListNamespaces", 1, false, func(ctx context.Context) error {
			return only(n.ListNamespaces(ctx, &p.InternalListNamespacesRequest{PageSize: 100}))
		}},
		{"DeleteNamespace", 3, false, func(ctx context.Context) error {
			return n.DeleteNamespace(ctx, &p.DeleteNamespaceRequest{ID: id})
		}},
		{"CreateNamespace, the second", 3, false, func(ctx context.Context) error { return n.create(ctx, second, secondName) }},
		{"DeleteNamespaceByName", 3, false, func(ctx context.Context) error {
			return n.DeleteNamespaceByName(ctx, &p.DeleteNamespaceByNameRequest{Name: secondName})
		}},
	}
}

func clusterCosts(t *testing.T, f *fixture, _ *database) []costed {
	s, err := f.factory.NewClusterMetadataStore()
	require.NoError(t, err)
	host := uuid.New()
	cluster := "cost " + host.String()
	save := func(version int64) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return only(s.SaveClusterMetadata(ctx, &p.InternalSaveClusterMetadataRequest{
				ClusterName: cluster, ClusterMetadata: someText("metadata"), Version: version,
			}))
		}
	}
	return []costed{
		{"SaveClusterMetadata, the first", 1, false, save(0)},
		{"SaveClusterMetadata", 1, false, save(1)},
		{"GetClusterMetadata", 1, false, func(ctx context.Context) error {
			return only(s.GetClusterMetadata(ctx, &p.InternalGetClusterMetadataRequest{ClusterName: cluster}))
		}},
		{"ListClusterMetadata", 1, false, func(ctx context.Context) error {
			return only(s.ListClusterMetadata(ctx, &p.InternalListClusterMetadataRequest{PageSize: 100}))
		}},
		{"DeleteClusterMetadata", 1, false, func(ctx context.Context) error {
			return s.DeleteClusterMetadata(ctx, &p.InternalDeleteClusterMetadataRequest{ClusterName: cluster})
		}},
		{"UpsertClusterMembership", 1, false, func(ctx context.Context) error {
			return s.UpsertClusterMembership(ctx, &p.UpsertClusterMembershipRequest{
				Role: p.History, HostID: host[:], RPCAddress: net.IPv4(127, 0, 0, 1), RPCPort: 1,
				SessionStart: time.Now(), RecordExpiry: time.Minute,
			})
		}},
		{"GetClusterMembers", 1, false, func(ctx context.Context) error {
			return only(s.GetClusterMembers(ctx, &p.GetClusterMembersRequest{LastHeartbeatWithin: time.Minute, PageSize: 100}))
		}},
		{"PruneClusterMembership", 0, false, func(ctx context.Context) error {
			return s.PruneClusterMembership(ctx, &p.PruneClusterMembershipRequest{MaxRecordsPruned: 10})
		}},
	}
}

func queueCosts(t *testing.T, f *fixture, db *database) []costed {
	q, err := f.factory.NewQueue(p.QueueType(100 + db.shards.Add(1)))
	require.NoError(t, err)
	blob, err := serialization.NewSerializer().QueueMetadataToBlob(&persistencespb.QueueMetadata{ClusterAckLevels: map[string]int64{"a": 1}})
	require.NoError(t, err)
	first := func() *p.InternalQueueMetadata { return &p.InternalQueueMetadata{Blob: blob} }
	return []costed{
		{"Init", 4, false, func(ctx context.Context) error { return q.Init(ctx, blob) }},
		{"Init, again", 2, false, func(ctx context.Context) error { return q.Init(ctx, blob) }},
		{"EnqueueMessage", 2, false, func(ctx context.Context) error { return q.EnqueueMessage(ctx, someText("m")) }},
		{"EnqueueMessageToDLQ", 2, false, func(ctx context.Context) error { return only(q.EnqueueMessageToDLQ(ctx, someText("m"))) }},
		{"ReadMessages", 1, false, func(ctx context.Context) error { return only(q.ReadMessages(ctx, -1, 10)) }},
		{"ReadMessagesFromDLQ", 1, false, func(ctx context.Context) error {
			_, _, err := q.ReadMessagesFromDLQ(ctx, -1, math.MaxInt64, 10, nil)
			return err
		}},
		{"DeleteMessagesBefore", 1, false, func(ctx context.Context) error { return q.DeleteMessagesBefore(ctx, 1) }},
		{"DeleteMessageFromDLQ", 1, false, func(ctx context.Context) error { return q.DeleteMessageFromDLQ(ctx, 0) }},
		{"RangeDeleteMessagesFromDLQ", 1, false, func(ctx context.Context) error { return q.RangeDeleteMessagesFromDLQ(ctx, -1, 5) }},
		{"UpdateAckLevel", 1, false, func(ctx context.Context) error { return q.UpdateAckLevel(ctx, first()) }},
		{"UpdateDLQAckLevel", 1, false, func(ctx context.Context) error { return q.UpdateDLQAckLevel(ctx, first()) }},
		{"GetAckLevels", 1, false, func(ctx context.Context) error { return only(q.GetAckLevels(ctx)) }},
		{"GetDLQAckLevels", 1, false, func(ctx context.Context) error { return only(q.GetDLQAckLevels(ctx)) }},
	}
}

func queueV2Costs(t *testing.T, f *fixture, db *database) []costed {
	s, err := f.factory.NewQueueV2()
	require.NoError(t, err)
	q := &queues{f, s, p.QueueV2Type(db.shards.Add(1) + 10)}
	return []costed{
		{"CreateQueue", 1, false, func(ctx context.Context) error {
			return only(q.CreateQueue(ctx, &p.InternalCreateQueueRequest{QueueType: q.kind, QueueName: oneQueue}))
		}},
		{"EnqueueMessage", 3, false, func(ctx context.Context) error { return only(q.enqueue(ctx)) }},
		{"ReadMessages", 2, false, func(ctx context.Context) error { return only(q.read(ctx)) }},
		{"ListQueues, one queue", 2, false, func(ctx context.Context) error { return only(q.list(ctx)) }},
		{"RangeDeleteMessages", 4, false, func(ctx context.Context) error { return only(q.remove(ctx, 0)) }},
	}
}

func nexusCosts(t *testing.T, f *fixture, _ *database) []costed {
	s, err := f.factory.NewNexusEndpointStore()
	require.NoError(t, err)
	n := &nexus{f, s}
	id, second := uuid.NewString(), uuid.NewString()
	was := n.table(t)
	var token []byte
	return []costed{
		{"CreateOrUpdateNexusEndpoint, the first", 1, false, func(context.Context) error { return n.save(t, was, id, 0) }},
		{"CreateOrUpdateNexusEndpoint", 1, false, func(context.Context) error { return n.save(t, was+1, second, 0) }},
		{"GetNexusEndpoint", 1, false, func(ctx context.Context) error {
			return only(n.GetNexusEndpoint(ctx, &p.GetNexusEndpointRequest{ID: id}))
		}},
		{"ListNexusEndpoints", 1, false, func(ctx context.Context) error {
			page, err := n.ListNexusEndpoints(ctx, &p.ListNexusEndpointsRequest{PageSize: 1})
			if err == nil {
				token = page.NextPageToken
			}
			return err
		}},
		{"ListNexusEndpoints, a later page", 2, false, func(ctx context.Context) error {
			return only(n.ListNexusEndpoints(ctx, &p.ListNexusEndpointsRequest{PageSize: 1, NextPageToken: token}))
		}},
		{"DeleteNexusEndpoint", 1, false, func(context.Context) error { return n.remove(t, was+2, id) }},
	}
}
