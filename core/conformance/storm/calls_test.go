package storm

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// call is one call of a store.
type call struct {
	name    string
	do      func(ctx context.Context) error
	deletes bool // rows that others may be storing
	appends bool // immutable rows, which may be stored again whatever became of them
	lenient bool // it may succeed though a write of it did not
}

func (x *world) number() int64 {
	x.next += 10
	return x.next
}

func (x *world) choose() *call {
	switch x.r.IntN(10) {
	case 0, 1, 2, 3, 4:
		return x.execution()
	case 5:
		return x.shard()
	case 6, 7:
		return x.matching()
	default:
		return x.rest()
	}
}

// who is a host that works on a shard, mostly its owner, and the range in which
// it believes.
func (x *world) who(shard int64) (*host, int64) {
	h, rangeID := x.owner[shard], x.rangeOf(shard)
	switch x.r.IntN(20) {
	case 0:
		rangeID--
	case 1:
		h = x.hosts[x.r.IntN(len(x.hosts))]
	case 2:
		h, rangeID = x.hosts[x.r.IntN(len(x.hosts))], rangeID-1
	}
	return h, rangeID
}

func (x *world) shard() *call {
	shard := int64(1 + x.r.IntN(shards))
	h, rangeID := x.who(shard)
	request := &p.InternalUpdateShardRequest{ShardID: int32(shard), PreviousRangeID: rangeID, RangeID: rangeID}
	name := "UpdateShard"
	if x.r.IntN(2) == 0 {
		h, name = x.hosts[x.r.IntN(len(x.hosts))], "UpdateShard, another range"
		request.RangeID++
	}
	request.ShardInfo = storetest.Blob("shard %d", x.number())
	return &call{name: name, do: func(ctx context.Context) error {
		_, _ = h.Shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{ShardID: int32(shard)})
		err := h.Shards.UpdateShard(ctx, request)
		if err == nil && request.RangeID != rangeID {
			x.owner[shard] = h
		}
		return err
	}}
}

// version is the record version of a run in the model, 0 without one.
func (x *world) version(s storetest.Scene, run string) int64 {
	key := []any{int64(s.Shard), [16]byte(uuid.MustParse(s.Namespace)), s.Workflow, [16]byte(uuid.MustParse(run))}
	read := &plan.Read{Name: "version", Table: plan.Executions, Eq: 4, Columns: []*plan.Column{plan.RecordVersion}}
	rows, _, err := x.state.Read(read, plan.Page{}, key...)
	if err != nil {
		x.t.Fatal(err)
	}
	if len(rows) == 0 {
		return 0
	}
	v, _ := rows[0][0].(int64)
	return v
}

func (x *world) scene() storetest.Scene {
	if len(x.scenes) < 6 {
		x.scenes = append(x.scenes, storetest.Fresh(int32(1+x.r.IntN(shards)), false))
	}
	i := x.r.IntN(len(x.scenes))
	s := x.scenes[i]
	if x.r.IntN(25) == 0 {
		x.scenes[i] = storetest.Fresh(int32(1+x.r.IntN(shards)), false)
	}
	return s
}

// events are histories of numbers that nobody else uses.
func (x *world) events(s storetest.Scene, branch int, fresh bool) []*p.InternalAppendHistoryNodesRequest {
	n := x.number()
	return []*p.InternalAppendHistoryNodesRequest{s.Append(s.Branches[branch], n, n, fresh), s.Append(s.Branches[branch], n+1, n+1, false)}
}

func (x *world) execution() *call {
	s := x.scene()
	h, rangeID := x.who(int64(s.Shard))
	s.Range = rangeID
	e := h.Executions
	run := s.Runs[x.r.IntN(2)]
	version := x.version(s, run) + 1
	if x.r.IntN(12) == 0 {
		version++
	}
	switch x.r.IntN(14) {
	case 0, 1:
		mode := []p.CreateWorkflowMode{p.CreateWorkflowModeBrandNew, p.CreateWorkflowModeBypassCurrent}[x.r.IntN(2)]
		r := s.Create(mode, run)
		r.NewWorkflowSnapshot.Tasks, r.NewWorkflowNewEvents = storetest.Tasks(x.number()), x.events(s, 0, true)
		return &call{name: fmt.Sprintf("Create, mode %d", mode), do: func(ctx context.Context) error {
			_, err := e.CreateWorkflowExecution(ctx, r)
			return err
		}}
	case 2:
		r := s.TakeOver(run, s.Runs[x.r.IntN(3)], 40)
		r.NewWorkflowSnapshot.Tasks, r.NewWorkflowNewEvents = storetest.Tasks(x.number()), x.events(s, 0, true)
		return &call{name: "Create after a closed run", do: func(ctx context.Context) error {
			_, err := e.CreateWorkflowExecution(ctx, r)
			return err
		}}
	case 3, 4, 5, 6:
		mode := []p.UpdateWorkflowMode{
			p.UpdateWorkflowModeUpdateCurrent, p.UpdateWorkflowModeBypassCurrent, p.UpdateWorkflowModeIgnoreCurrent,
		}[x.r.IntN(3)]
		r := s.Update(mode, run)
		if x.r.IntN(6) == 0 {
			r = s.Close(run)
		}
		info, state := r.UpdateWorkflowMutation.ExecutionState, r.UpdateWorkflowMutation.ExecutionStateBlob
		r.UpdateWorkflowMutation = *s.Mutation(run, version)
		r.UpdateWorkflowMutation.ExecutionState, r.UpdateWorkflowMutation.ExecutionStateBlob = info, state
		r.UpdateWorkflowMutation.ClearBufferedEvents = x.r.IntN(3) == 0
		r.UpdateWorkflowMutation.Tasks, r.UpdateWorkflowNewEvents = storetest.Tasks(x.number()), x.events(s, 0, false)
		return &call{name: fmt.Sprintf("Update, mode %d", r.Mode), do: func(ctx context.Context) error { return e.UpdateWorkflowExecution(ctx, r) }}
	case 7:
		r := s.ContinueAsNew(run, s.Runs[2])
		r.UpdateWorkflowMutation = *s.Mutation(run, version)
		r.UpdateWorkflowMutation.Tasks, r.UpdateWorkflowNewEvents = storetest.Tasks(x.number()), x.events(s, 0, false)
		r.NewWorkflowSnapshot.Tasks, r.NewWorkflowNewEvents = storetest.Tasks(x.number()), x.events(s, 1, true)
		return &call{name: "ContinueAsNew", do: func(ctx context.Context) error { return e.UpdateWorkflowExecution(ctx, r) }}
	case 8:
		r := s.ResolveThree(p.ConflictResolveWorkflowModeUpdateCurrent)
		r.ResetWorkflowSnapshot = *s.Snapshot(s.Runs[1], x.version(s, s.Runs[1])+1)
		r.CurrentWorkflowMutation = s.Mutation(s.Runs[0], x.version(s, s.Runs[0])+1)
		r.ResetWorkflowSnapshot.Tasks, r.CurrentWorkflowMutation.Tasks = storetest.Tasks(x.number()), storetest.Tasks(x.number())
		r.NewWorkflowSnapshot.Tasks = storetest.Tasks(x.number())
		r.ResetWorkflowEventsNewEvents, r.CurrentWorkflowEventsNewEvents = x.events(s, 0, false), x.events(s, 0, false)
		r.NewWorkflowEventsNewEvents = x.events(s, 1, true)
		return &call{name: "ConflictResolve", do: func(ctx context.Context) error { return e.ConflictResolveWorkflowExecution(ctx, r) }}
	case 9:
		r := s.Set(run, version)
		r.SetWorkflowSnapshot.Tasks = storetest.Tasks(x.number())
		return &call{name: "Set", do: func(ctx context.Context) error { return e.SetWorkflowExecution(ctx, r) }}
	case 10:
		if run = s.Runs[x.r.IntN(3)]; x.r.IntN(2) == 0 {
			return &call{name: "Delete", deletes: true, do: func(ctx context.Context) error { return e.DeleteWorkflowExecution(ctx, s.Delete(run)) }}
		}
		return &call{name: "DeleteCurrent", deletes: true, lenient: true, do: func(ctx context.Context) error {
			return e.DeleteCurrentWorkflowExecution(ctx, s.DeleteCurrent(run))
		}}
	case 11:
		first := x.number()
		return &call{name: "AddHistoryTasks", do: func(ctx context.Context) error { return e.AddHistoryTasks(ctx, s.AddTasks(first)) }}
	case 12:
		return x.history(e, s)
	default:
		return x.completion(e, s)
	}
}

func (x *world) history(e p.ExecutionStore, s storetest.Scene) *call {
	branch, n := x.r.IntN(2), x.number()
	switch x.r.IntN(4) {
	case 0:
		return &call{name: "Fork", do: func(ctx context.Context) error { return e.ForkHistoryBranch(ctx, s.Fork()) }}
	case 1:
		return &call{name: "DeleteHistoryBranch", deletes: true, do: func(ctx context.Context) error {
			return e.DeleteHistoryBranch(ctx, s.DeleteBranch(s.Branches[branch]))
		}}
	default:
		fresh := x.r.IntN(2) == 0
		return &call{name: "AppendHistoryNodes", appends: true, do: func(ctx context.Context) error {
			return e.AppendHistoryNodes(ctx, s.Append(s.Branches[branch], n, n, fresh))
		}}
	}
}

func (x *world) completion(e p.ExecutionStore, s storetest.Scene) *call {
	category := []tasks.Category{tasks.CategoryTransfer, tasks.CategoryTimer, tasks.CategoryVisibility}[x.r.IntN(3)]
	old := max(1, x.next-int64(10*x.r.IntN(30)))
	switch x.r.IntN(5) {
	case 0:
		return &call{name: "PutReplicationTaskToDLQ", do: func(ctx context.Context) error {
			return e.PutReplicationTaskToDLQ(ctx, s.PutDLQ(1+old%90))
		}}
	case 1:
		return &call{name: "DeleteReplicationTaskFromDLQ", deletes: true, do: func(ctx context.Context) error {
			return e.DeleteReplicationTaskFromDLQ(ctx, s.DeleteDLQ(1+old%90))
		}}
	case 2:
		r := s.RangeComplete(category)
		if category != tasks.CategoryTimer {
			r.ExclusiveMaxTaskKey = tasks.NewImmediateKey(old)
		}
		return &call{name: "RangeCompleteHistoryTasks", deletes: true, do: func(ctx context.Context) error { return e.RangeCompleteHistoryTasks(ctx, r) }}
	default:
		task := map[tasks.Category]int64{tasks.CategoryTransfer: old, tasks.CategoryTimer: old + 2, tasks.CategoryVisibility: old + 3}[category]
		return &call{name: "CompleteHistoryTask", deletes: true, do: func(ctx context.Context) error {
			return e.CompleteHistoryTask(ctx, s.Complete(category, task, false))
		}}
	}
}

// queue is one of matching's, and in which range its owner believes it to be.
type queue struct {
	namespace, name string
	fair            bool
}

const kind = enumspb.TASK_QUEUE_TYPE_WORKFLOW

func (x *world) matching() *call {
	if len(x.queues) < 4 {
		x.queues = append(x.queues, &queue{namespace: uuid.NewString(), name: "queue", fair: len(x.queues)%2 == 1})
	}
	q := x.queues[x.r.IntN(len(x.queues))]
	h := x.hosts[x.r.IntN(len(x.hosts))]
	s := h.tasks
	if q.fair {
		s = h.fair
	}
	rangeID := x.queueRange(q)
	if x.r.IntN(10) == 0 {
		rangeID--
	}
	n, host := x.number(), h
	switch choice := x.r.IntN(8); {
	case rangeID <= 0 || choice == 0:
		return &call{name: "CreateTaskQueue", do: func(ctx context.Context) error {
			return s.CreateTaskQueue(ctx, &p.InternalCreateTaskQueueRequest{
				NamespaceID: q.namespace, TaskQueue: q.name, TaskType: kind, RangeID: 1, TaskQueueInfo: storetest.Blob("queue %d", n),
			})
		}}
	case choice == 1:
		return &call{name: "UpdateTaskQueue", do: func(ctx context.Context) error {
			_, err := s.UpdateTaskQueue(ctx, &p.InternalUpdateTaskQueueRequest{
				NamespaceID: q.namespace, TaskQueue: q.name, TaskType: kind, PrevRangeID: rangeID, RangeID: rangeID + 1,
				TaskQueueInfo: storetest.Blob("queue %d", n),
			})
			return err
		}}
	case choice == 2:
		r := &p.CompleteTasksLessThanRequest{NamespaceID: q.namespace, TaskQueueName: q.name, TaskType: kind, ExclusiveMaxTaskID: n - 50}
		if q.fair {
			r.ExclusiveMaxPass, r.ConditionRangeID = 2, rangeID
		}
		return &call{name: "CompleteTasksLessThan", deletes: true, do: func(ctx context.Context) error {
			_, err := s.CompleteTasksLessThan(ctx, r)
			return err
		}}
	case choice == 3:
		return x.userData(host, q)
	case choice == 4 && x.r.IntN(5) == 0:
		return &call{name: "DeleteTaskQueue", deletes: true, do: func(ctx context.Context) error {
			return s.DeleteTaskQueue(ctx, &p.DeleteTaskQueueRequest{
				TaskQueue: &p.TaskQueueKey{NamespaceID: q.namespace, TaskQueueName: q.name, TaskQueueType: kind}, RangeID: rangeID,
			})
		}}
	}
	r := &p.InternalCreateTasksRequest{NamespaceID: q.namespace, TaskQueue: q.name, TaskType: kind, RangeID: rangeID}
	for i := range int64(1 + x.r.IntN(4)) {
		task := &p.InternalCreateTask{TaskId: n + i, Task: storetest.Blob("task %d", n+i)}
		if q.fair {
			task.TaskPass = 1 + i%2
		}
		r.Tasks = append(r.Tasks, task)
	}
	if r.UpdateMetadata = x.r.IntN(2) == 0; r.UpdateMetadata {
		r.TaskQueueInfo = storetest.Blob("queue %d", n)
	}
	return &call{name: "CreateTasks", do: func(ctx context.Context) error {
		_, err := s.CreateTasks(ctx, r)
		return err
	}}
}

// queueRange is the range of a queue in the model, 0 without one.
func (x *world) queueRange(q *queue) int64 {
	table := plan.TaskQueues
	if q.fair {
		table = plan.FairTaskQueues
	}
	rows, _, err := x.state.Read(point[table], plan.Page{}, [16]byte(uuid.MustParse(q.namespace)), q.name, int64(kind))
	if err != nil {
		x.t.Fatal(err)
	}
	if len(rows) == 0 {
		return 0
	}
	v, _ := rows[0][0].(int64)
	return v
}

func (x *world) userData(h *host, q *queue) *call {
	var applied, conflicting, applied2, conflicting2 bool
	updates := map[string]*p.InternalSingleTaskQueueUserDataUpdate{
		q.name: {
			Version: x.dataVersion(q, q.name), UserData: storetest.Blob("data %d", x.number()),
			BuildIdsAdded: []string{fmt.Sprintf("b%d", x.r.IntN(3))}, Applied: &applied, Conflicting: &conflicting,
		},
	}
	if x.r.IntN(2) == 0 {
		updates["second"] = &p.InternalSingleTaskQueueUserDataUpdate{
			Version: x.dataVersion(q, "second"), UserData: storetest.Blob("data %d", x.number()),
			BuildIdsRemoved: []string{"b1"}, Applied: &applied2, Conflicting: &conflicting2,
		}
	}
	return &call{name: "UpdateTaskQueueUserData", do: func(ctx context.Context) error {
		return h.tasks.UpdateTaskQueueUserData(ctx, &p.InternalUpdateTaskQueueUserDataRequest{NamespaceID: q.namespace, Updates: updates})
	}}
}

func (x *world) dataVersion(q *queue, name string) int64 {
	read := &plan.Read{Name: "data", Table: plan.UserData, Eq: 2, Columns: []*plan.Column{plan.UserDataVersion}}
	rows, _, err := x.state.Read(read, plan.Page{}, [16]byte(uuid.MustParse(q.namespace)), name)
	if err != nil {
		x.t.Fatal(err)
	}
	v := int64(0)
	if len(rows) > 0 {
		v, _ = rows[0][0].(int64)
	}
	if x.r.IntN(8) == 0 {
		v++
	}
	return v
}

// rest are namespaces, clusters, endpoints and queues of messages.
func (x *world) rest() *call {
	h := x.hosts[x.r.IntN(len(x.hosts))]
	n := x.number()
	name := fmt.Sprintf("namespace %d", x.r.IntN(5))
	switch x.r.IntN(11) {
	case 0, 1:
		return &call{name: "CreateNamespace", lenient: true, do: func(ctx context.Context) error {
			_, err := h.metadata.CreateNamespace(ctx, &p.InternalCreateNamespaceRequest{
				ID: uuid.NewString(), Name: name, Namespace: storetest.Blob("namespace %d", n),
			})
			return err
		}}
	case 2:
		return &call{name: "UpdateNamespace", do: func(ctx context.Context) error {
			got, err := h.metadata.GetNamespace(ctx, &p.GetNamespaceRequest{Name: name})
			if err != nil {
				return err
			}
			meta, err := h.metadata.GetMetadata(ctx)
			if err != nil {
				return err
			}
			return h.metadata.UpdateNamespace(ctx, &p.InternalUpdateNamespaceRequest{
				Id: uuid.NewString(), Name: name, Namespace: got.Namespace, NotificationVersion: meta.NotificationVersion,
			})
		}}
	case 3:
		return &call{name: "DeleteNamespaceByName", deletes: true, lenient: true, do: func(ctx context.Context) error {
			return h.metadata.DeleteNamespaceByName(ctx, &p.DeleteNamespaceByNameRequest{Name: name})
		}}
	case 4:
		return &call{name: "SaveClusterMetadata", do: func(ctx context.Context) error {
			version := int64(0)
			if got, err := h.clusters.GetClusterMetadata(ctx, &p.InternalGetClusterMetadataRequest{ClusterName: name}); err == nil {
				version = got.Version
			}
			_, err := h.clusters.SaveClusterMetadata(ctx, &p.InternalSaveClusterMetadataRequest{
				ClusterName: name, ClusterMetadata: storetest.Blob("cluster %d", n), Version: version,
			})
			return err
		}}
	case 5:
		member := uuid.New()
		return &call{name: "UpsertClusterMembership", do: func(ctx context.Context) error {
			return h.clusters.UpsertClusterMembership(ctx, &p.UpsertClusterMembershipRequest{
				Role: p.History, HostID: member[:], RPCAddress: net.IPv4(127, 0, 0, 1), RPCPort: 1,
				SessionStart: storetest.Started, RecordExpiry: 10 * time.Hour,
			})
		}}
	case 6:
		endpoint := uuid.NewString()
		return &call{name: "CreateOrUpdateNexusEndpoint", do: func(ctx context.Context) error {
			page, err := h.nexus.ListNexusEndpoints(ctx, &p.ListNexusEndpointsRequest{PageSize: 1})
			if err != nil {
				return err
			}
			r := &p.InternalCreateOrUpdateNexusEndpointRequest{
				LastKnownTableVersion: page.TableVersion, Endpoint: p.InternalNexusEndpoint{ID: endpoint, Data: storetest.Blob("endpoint %d", n)},
			}
			if len(page.Endpoints) > 0 && n%20 == 0 {
				r.Endpoint.ID, r.Endpoint.Version = page.Endpoints[0].ID, page.Endpoints[0].Version
			}
			return h.nexus.CreateOrUpdateNexusEndpoint(ctx, r)
		}}
	case 7:
		return &call{name: "EnqueueMessage", lenient: true, do: func(ctx context.Context) error { return h.queue.EnqueueMessage(ctx, storetest.Blob("message %d", n)) }}
	case 8:
		return &call{name: "DeleteMessagesBefore", deletes: true, do: func(ctx context.Context) error {
			return h.queue.DeleteMessagesBefore(ctx, n%40)
		}}
	case 9:
		return &call{name: "CreateQueue", lenient: true, do: func(ctx context.Context) error {
			_, err := h.queueV2.CreateQueue(ctx, &p.InternalCreateQueueRequest{QueueType: 1, QueueName: name})
			return err
		}}
	default:
		return &call{name: "EnqueueMessage, v2", lenient: true, do: func(ctx context.Context) error {
			_, err := h.queueV2.EnqueueMessage(ctx, &p.InternalEnqueueMessageRequest{QueueType: 1, QueueName: name, Blob: storetest.Blob("message %d", n)})
			return err
		}}
	}
}
