package migrate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/chasm"
	"go.temporal.io/server/common/definition"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/store"
)

// mostSampled is how many executions, and how many queues, are read through the
// stores: the first by a hash of their names, so the same ones of both sides.
const mostSampled = 1000

// managers are the layers of a server above its stores.
type managers struct {
	factory    *store.DataStoreFactory
	executions p.ExecutionManager
	namespaces p.MetadataStore
	clusters   p.ClusterMetadataManager
	endpoints  p.NexusEndpointManager
	queues     map[records.Kind]p.TaskManager
	shards     p.ShardStore
}

func (s *Side) managers() (*managers, error) {
	f, err := s.stores()
	if err != nil {
		return nil, err
	}
	logger, serializer := log.NewNoopLogger(), serialization.NewSerializer()
	var faults [7]error
	executions, err := f.NewExecutionStore()
	faults[0] = err
	namespaces, err := f.NewMetadataStore()
	faults[1] = err
	clusters, err := f.NewClusterMetadataStore()
	faults[2] = err
	endpoints, err := f.NewNexusEndpointStore()
	faults[3] = err
	classic, err := f.NewTaskStore()
	faults[4] = err
	fair, err := f.NewFairTaskStore()
	faults[5] = err
	shards, err := f.NewShardStore()
	faults[6] = err
	if err := errors.Join(faults[:]...); err != nil {
		f.Close()
		return nil, err
	}
	return &managers{
		factory: f, shards: shards,
		executions: p.NewExecutionManager(executions, serializer, nil, logger,
			dynamicconfig.GetIntPropertyFn(4<<20), dynamicconfig.GetBoolPropertyFn(false)),
		namespaces: namespaces,
		clusters:   p.NewClusterMetadataManagerImpl(clusters, serializer, s.Cluster, logger),
		endpoints:  p.NewNexusEndpointManager(endpoints, serializer, logger),
		queues: map[records.Kind]p.TaskManager{
			records.TaskQueue: p.NewTaskManager(classic, serializer), records.FairTaskQueue: p.NewTaskManager(fair, serializer),
		},
	}, nil
}

// question is something that a store is asked on both sides.
type question struct {
	unit records.Unit
	name string
	ask  func(ctx context.Context, m *managers) (any, error)
}

// compareStores reads both sides as a server would and compares the answers.
func (m *Migration) compareStores(ctx context.Context, a, b *Side) ([]Finding, error) {
	ma, err := a.managers()
	if err != nil {
		return nil, err
	}
	defer ma.factory.Close()
	mb, err := b.managers()
	if err != nil {
		return nil, err
	}
	defer mb.factory.Close()
	all, err := m.questions(ctx, a)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var found []Finding
	err = each(ctx, len(all), func(ctx context.Context, i int) error {
		q := all[i]
		x, err := answer(ctx, q, ma)
		if err != nil {
			return fmt.Errorf("ask the stores of the %s for %s: %w", a.Name, q.name, err)
		}
		y, err := answer(ctx, q, mb)
		if err != nil {
			return fmt.Errorf("ask the stores of the %s for %s: %w", b.Name, q.name, err)
		}
		if x != y {
			mu.Lock()
			defer mu.Unlock()
			at := 0
			for at < len(x) && at < len(y) && x[at] == y[at] {
				at++
			}
			from := max(0, at-40)
			found = append(found, Finding{Unit: q.unit, Record: q.name, What: fmt.Sprintf("the stores answer otherwise: %.120q, %.120q", x[min(from, len(x)):], y[min(from, len(y)):])})
		}
		return nil
	})
	slices.SortFunc(found, func(x, y Finding) int { return cmp.Or(cmp.Compare(x.Unit, y.Unit), cmp.Compare(x.Record, y.Record)) })
	m.printf("%d questions were asked of the stores of both sides.", len(all))
	return found, err
}

// answer is what a side says, as text. Errors that answer the question are answers.
func answer(ctx context.Context, q question, m *managers) (text string, err error) {
	defer func() { // the layers above the stores take for granted what a damaged record lacks
		if r := recover(); r != nil {
			text, err = fmt.Sprintf("damaged: %v", r), nil
		}
	}()
	v, err := q.ask(ctx, m)
	if err != nil {
		if passing(ctx, err) {
			return "", err
		}
		return "damaged or not there: " + err.Error(), nil
	}
	content, err := json.Marshal(v)
	return string(content), err
}

// passing tells errors that say nothing of what is stored.
func passing(ctx context.Context, err error) bool {
	var unavailable *serviceerror.Unavailable
	var exhausted *serviceerror.ResourceExhausted
	var late *serviceerror.DeadlineExceeded
	var timeout *p.TimeoutError
	return ctx.Err() != nil || errors.As(err, &unavailable) || errors.As(err, &exhausted) || errors.As(err, &late) || errors.As(err, &timeout)
}

// questions are all that concern shards and globals, and a sample of executions
// and queues.
func (m *Migration) questions(ctx context.Context, a *Side) ([]question, error) {
	all := []question{
		{records.Namespaces, "the namespaces", askNamespaces},
		{records.Cluster, "the clusters", askClusters},
		{records.Nexus, "the Nexus endpoints", askEndpoints},
	}
	for shard := int32(1); shard <= m.From.Shards; shard++ {
		for _, c := range []tasks.Category{
			tasks.CategoryTransfer, tasks.CategoryTimer, tasks.CategoryReplication, tasks.CategoryVisibility, tasks.CategoryArchival, tasks.CategoryOutbound,
		} {
			all = append(all, question{records.ShardUnit(int64(shard)), fmt.Sprintf("the first %s tasks of shard %d", c.Name(), shard), askTasks(shard, c)})
		}
	}
	executions, queues, err := m.sample(ctx, a)
	if err != nil {
		return nil, err
	}
	for i := range executions {
		all = append(all, question{executions[i].Unit, executions[i].KeyString(), askExecution(&executions[i])})
	}
	for i := range queues {
		all = append(all, question{queues[i].Unit, queues[i].KeyString(), askQueue(&queues[i])})
	}
	return all, nil
}

// gather returns all entries of a listing, sorted: servers list them in different
// orders.
func gather[E any](page func(token []byte) ([]E, []byte, error), name func(E) string) ([]E, error) {
	var all []E
	var token []byte
	for {
		some, next, err := page(token)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if token = next; len(token) == 0 {
			slices.SortFunc(all, func(x, y E) int { return cmp.Compare(name(x), name(y)) })
			return all, nil
		}
	}
}

func askNamespaces(ctx context.Context, m *managers) (any, error) {
	return gather(func(token []byte) ([]*p.InternalGetNamespaceResponse, []byte, error) {
		r, err := m.namespaces.ListNamespaces(ctx, &p.InternalListNamespacesRequest{PageSize: 100, NextPageToken: token})
		if err != nil {
			return nil, nil, err
		}
		return r.Namespaces, r.NextPageToken, nil
	}, func(x *p.InternalGetNamespaceResponse) string { return string(x.Namespace.GetData()) })
}

func askClusters(ctx context.Context, m *managers) (any, error) {
	return gather(func(token []byte) ([]*p.GetClusterMetadataResponse, []byte, error) {
		r, err := m.clusters.ListClusterMetadata(ctx, &p.ListClusterMetadataRequest{PageSize: 100, NextPageToken: token})
		if err != nil {
			return nil, nil, err
		}
		return r.ClusterMetadata, r.NextPageToken, nil
	}, func(x *p.GetClusterMetadataResponse) string { return x.ClusterName })
}

func askEndpoints(ctx context.Context, m *managers) (any, error) {
	var version int64
	all, err := gather(func(token []byte) ([]*persistencespb.NexusEndpointEntry, []byte, error) {
		r, err := m.endpoints.ListNexusEndpoints(ctx, &p.ListNexusEndpointsRequest{PageSize: 100, NextPageToken: token})
		if err != nil {
			return nil, nil, err
		}
		version = r.TableVersion
		return r.Entries, r.NextPageToken, nil
	}, (*persistencespb.NexusEndpointEntry).GetId)
	return []any{version, all}, err
}

// askTasks asks for the first tasks of a category, from the ack level on as the
// queue's reader would.
func askTasks(shard int32, c tasks.Category) func(context.Context, *managers) (any, error) {
	return func(ctx context.Context, m *managers) (any, error) {
		got, err := m.shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{ShardID: shard})
		if err != nil {
			return nil, err
		}
		info, err := serialization.NewSerializer().ShardInfoFromBlob(got.ShardInfo)
		if err != nil {
			return nil, err
		}
		from := firstOf(info.GetQueueStates()[int32(c.ID())])
		if c.Type() == tasks.CategoryTypeScheduled {
			from.TaskID = 0 // as the store wants it
		} else {
			from.FireTime = tasks.DefaultFireTime
		}
		to := tasks.NewKey(tasks.DefaultFireTime, 1<<62)
		if c.Type() == tasks.CategoryTypeScheduled {
			to = tasks.MaximumKey
		}
		r, err := m.executions.GetHistoryTasks(ctx, &p.GetHistoryTasksRequest{
			ShardID: shard, TaskCategory: c, InclusiveMinTaskKey: from, ExclusiveMaxTaskKey: to, BatchSize: 200,
		})
		if err != nil {
			return nil, err
		}
		return r.Tasks, nil
	}
}

// firstOf is the first task that not all readers of a queue have done.
func firstOf(state *persistencespb.QueueState) tasks.Key {
	if state == nil {
		return tasks.MinimumKey
	}
	key := func(k *persistencespb.TaskKey) tasks.Key {
		return tasks.NewKey(k.GetFireTime().AsTime(), k.GetTaskId())
	}
	low := key(state.GetExclusiveReaderHighWatermark())
	for _, reader := range state.GetReaderStates() {
		for _, scope := range reader.GetScopes() {
			low = tasks.MinKey(low, key(scope.GetRange().GetInclusiveMin()))
		}
	}
	return low
}

// askExecution asks for an execution, the current one of its workflow, and its
// history.
func askExecution(r *records.Record) func(context.Context, *managers) (any, error) {
	shard, _ := r.Key[0].(int64)
	namespace, _ := r.Key[1].([16]byte)
	workflow, _ := r.Key[2].(string)
	run, _ := r.Key[3].([16]byte)
	key := definition.NewWorkflowKey(plan.FormatValue(namespace), workflow, plan.FormatValue(run))
	return func(ctx context.Context, m *managers) (any, error) {
		got, err := m.executions.GetWorkflowExecution(ctx, &p.GetWorkflowExecutionRequest{
			ShardID: int32(shard), NamespaceID: key.NamespaceID, WorkflowID: key.WorkflowID, RunID: key.RunID, ArchetypeID: chasm.WorkflowArchetypeID,
		})
		if err != nil {
			return nil, err
		}
		all := []any{got.State, got.DBRecordVersion}
		histories := got.State.GetExecutionInfo().GetVersionHistories()
		at := int(histories.GetCurrentVersionHistoryIndex())
		if at < 0 || at >= len(histories.GetHistories()) || len(histories.GetHistories()[at].GetBranchToken()) == 0 {
			return all, nil // no workflow: it has no history
		}
		current := histories.GetHistories()[at]
		var token []byte
		for {
			page, err := m.executions.ReadHistoryBranch(ctx, &p.ReadHistoryBranchRequest{
				ShardID: int32(shard), BranchToken: current.GetBranchToken(), MinEventID: 1, MaxEventID: 1 << 62, PageSize: 100, NextPageToken: token,
			})
			if err != nil {
				return nil, err
			}
			all = append(all, page.HistoryEvents)
			if token = page.NextPageToken; len(token) == 0 {
				return all, nil
			}
		}
	}
}

// askQueue asks for a queue of matching and its first tasks.
func askQueue(r *records.Record) func(context.Context, *managers) (any, error) {
	namespace, _ := r.Key[0].([16]byte)
	name, _ := r.Key[1].(string)
	kind, _ := r.Key[2].(int64)
	of := r.Kind
	return func(ctx context.Context, m *managers) (any, error) {
		q := m.queues[of]
		request := &p.GetTasksRequest{
			NamespaceID: plan.FormatValue(namespace), TaskQueue: name, TaskType: enumspb.TaskQueueType(kind),
			ExclusiveMaxTaskID: 1 << 62, PageSize: 200,
		}
		if of == records.FairTaskQueue {
			request.InclusiveMinPass, request.ExclusiveMaxTaskID = 1, 0
		}
		got, err := q.GetTasks(ctx, request)
		if err != nil {
			return nil, err
		}
		return got.Tasks, nil
	}
}

// sample chooses executions and queues of the source.
func (m *Migration) sample(ctx context.Context, a *Side) (executions, queues []records.Record, err error) {
	from, err := a.pager(records.Options{FromAckLevel: true})
	if err != nil {
		return nil, nil, err
	}
	parts := slices.DeleteFunc(from.sources[0].Parts(spans(m.From.Shards)), func(part records.Part) bool {
		return !slices.Contains([]records.Stage{records.ShardStage, records.ExecutionStage, records.QueueStage, records.FairQueueStage}, part.Stage)
	})
	var mu sync.Mutex
	err = each(ctx, len(parts), func(ctx context.Context, i int) error {
		return pages(ctx, from, parts[i], func(page *records.Page) error {
			mu.Lock()
			defer mu.Unlock()
			for j := range page.Records {
				switch r := &page.Records[j]; r.Kind {
				case records.Execution:
					executions = smallest(append(executions, records.Record{Kind: r.Kind, Unit: r.Unit, Key: r.Key}))
				case records.TaskQueue, records.FairTaskQueue:
					queues = smallest(append(queues, records.Record{Kind: r.Kind, Unit: r.Unit, Key: r.Key}))
				default:
				}
			}
			return nil
		})
	})
	return cut(executions), cut(queues), err
}

// smallest keeps a sample from growing without bound.
func smallest(all []records.Record) []records.Record {
	if len(all) < 8*mostSampled {
		return all
	}
	return cut(all)
}

// cut keeps the records whose names have the smallest hashes.
func cut(all []records.Record) []records.Record {
	hash := func(r *records.Record) uint64 {
		h := fnv.New64a()
		_, _ = h.Write([]byte(r.KeyString())) // never fails
		return h.Sum64()
	}
	slices.SortFunc(all, func(x, y records.Record) int { return cmp.Compare(hash(&x), hash(&y)) })
	return all[:min(len(all), mostSampled)]
}
