package store

import (
	"context"
	"math"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// taskKind is one of the two ways in which matching orders its tasks. The two
// share their calls and nothing that is stored, user data excepted.
type taskKind struct {
	names  taskPlanNames
	fair   bool        // ordered by pass and id, not by id
	expire bool        // rows live as long as their request says
	queues *plan.Table // leases and metadata
	tasks  *plan.Table

	readQueue, listQueues *plan.Read
	readTasks             *plan.Read
	readTasksLimit        *plan.Read // nil if the kind has none
}

// taskPlanNames are the names under which a kind's plans are measured.
type taskPlanNames struct {
	createQueue, updateQueue, updateSticky, deleteQueue string
	createTasks, completeTasks                          string
}

// classicTasks are ordered by id. Their rows expire with the tasks, and those of
// sticky queues with the workers that polled them: nobody else cleans up after
// a queue that is never loaded again.
var classicTasks = &taskKind{
	names: taskPlanNames{
		createQueue: "CreateTaskQueue", updateQueue: "UpdateTaskQueue",
		updateSticky: "UpdateStickyTaskQueue", deleteQueue: "DeleteTaskQueue",
		createTasks: "CreateTasks", completeTasks: "CompleteTasksLessThan",
	},
	expire: true,
	queues: plan.TaskQueues,
	tasks:  plan.Tasks,
	readQueue: &plan.Read{
		Name: "GetTaskQueue", Table: plan.TaskQueues, Eq: 3,
		Columns: []*plan.Column{plan.QueueRangeID, plan.QueueInfo},
	},
	listQueues: &plan.Read{
		Name: "ListTaskQueue", Table: plan.TaskQueues,
		Columns: []*plan.Column{
			plan.QueueNamespaceID, plan.QueueName, plan.QueueTaskType, plan.QueueRangeID, plan.QueueInfo,
		},
	},
	readTasks: &plan.Read{
		Name: "GetTasks", Table: plan.Tasks, Eq: 4,
		Columns: []*plan.Column{plan.TaskID, plan.TaskData},
		From:    plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
		To:      plan.RangeEnd{Compare: plan.Less, Width: 1},
	},
}

// fairTasks are ordered by pass, then id. Nothing of them expires: matching
// drops expired tasks when it reads them (as with the server's own stores).
var fairTasks = &taskKind{
	names: taskPlanNames{
		createQueue: "CreateFairTaskQueue", updateQueue: "UpdateFairTaskQueue",
		updateSticky: "UpdateFairTaskQueue", deleteQueue: "DeleteFairTaskQueue",
		createTasks: "CreateFairTasks", completeTasks: "CompleteFairTasksLessThan",
	},
	fair:   true,
	queues: plan.FairTaskQueues,
	tasks:  plan.FairTasks,
	readQueue: &plan.Read{
		Name: "GetFairTaskQueue", Table: plan.FairTaskQueues, Eq: 3,
		Columns: []*plan.Column{plan.QueueRangeID, plan.QueueInfo},
	},
	listQueues: &plan.Read{
		Name: "ListFairTaskQueue", Table: plan.FairTaskQueues,
		Columns: []*plan.Column{
			plan.QueueNamespaceID, plan.QueueName, plan.QueueTaskType, plan.QueueRangeID, plan.QueueInfo,
		},
	},
	readTasks: &plan.Read{
		Name: "GetFairTasks", Table: plan.FairTasks, Eq: 4,
		Columns: []*plan.Column{plan.TaskID, plan.TaskData},
		From:    plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 2},
	},
	readTasksLimit: &plan.Read{
		Name: "GetFairTasksLimit", Table: plan.FairTasks, Eq: 4,
		Columns: []*plan.Column{plan.TaskID, plan.TaskData},
		From:    plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 2},
		Limit:   plan.LimitArg,
	},
}

func (k *taskKind) reads() []*plan.Read {
	reads := []*plan.Read{k.readQueue, k.listQueues, k.readTasks}
	if k.readTasksLimit != nil {
		reads = append(reads, k.readTasksLimit)
	}
	return reads
}

// TaskStore implements persistence.TaskStore: matching's queues, their tasks
// and their user data. It is safe for concurrent use.
type TaskStore struct {
	userDataStore
	ex      exec.Executor
	name    string
	kind    *taskKind
	refused afterRefusal
}

var _ p.TaskStore = (*TaskStore)(nil)

// NewTaskStore returns a store of classic tasks over ex, which it does not own.
func NewTaskStore(ex exec.Executor, name string) (*TaskStore, error) {
	return newTaskStore(ex, name, classicTasks)
}

// NewFairTaskStore returns a store of fair tasks over ex, which it does not own.
func NewFairTaskStore(ex exec.Executor, name string) (*TaskStore, error) {
	return newTaskStore(ex, name, fairTasks)
}

func newTaskStore(ex exec.Executor, name string, kind *taskKind) (*TaskStore, error) {
	if err := ex.Compile(append(kind.reads(), userDataReads...)...); err != nil {
		return nil, err
	}
	s := &TaskStore{userDataStore: userDataStore{ex: ex}, ex: ex, name: name, kind: kind, refused: takeBack}
	if ex.Traits().AheadInAtomic {
		s.refused = nothingStored
	}
	return s, nil
}

// Close does nothing: the session belongs to the factory.
func (s *TaskStore) Close() {}

// GetName implements persistence.TaskStore.
func (s *TaskStore) GetName() string { return s.name }

// CreateTasks stores tasks if the queue's range is still RangeID, else it
// returns *persistence.ConditionFailedError and no task counts as stored. With
// UpdateMetadata it also stores the queue's state; without, TaskQueueInfo is
// nil and the range is only tested.
//
// Tasks are marked Ahead: a database that cannot fence them in one write may
// store them before it tests the range. They are taken back after a refusal;
// what a deposed owner leaves behind all the same is at worst given out twice,
// and history refuses the second start. (Never the other way round: tasks that
// are stored after the test can be lost.)
func (s *TaskStore) CreateTasks(
	ctx context.Context, request *p.InternalCreateTasksRequest,
) (*p.CreateTasksResponse, error) {
	queue, err := queueKey(request.NamespaceID, request.TaskQueue, request.TaskType)
	if err != nil {
		return nil, invalid("CreateTasks", err)
	}
	w := &plan.Write{
		Name: s.kind.names.createTasks, Scope: plan.Atomic,
		Mutations: make([]plan.Mutation, 0, len(request.Tasks)+1),
	}
	if request.UpdateMetadata {
		w.Mutations = append(w.Mutations, s.kind.update(queue, request.RangeID, request.RangeID, request.TaskQueueInfo))
	} else {
		w.Mutations = append(w.Mutations, s.kind.hold(queue, request.RangeID))
	}
	for _, task := range request.Tasks {
		m, err := s.kind.insert(queue, task)
		if err != nil {
			return nil, err
		}
		w.Mutations = append(w.Mutations, m)
	}
	if err := s.ex.Write(ctx, w); err != nil {
		if refusedBy(err) != nil {
			s.refused(ctx, s.ex, w)
		}
		return nil, writeError(err, nil)
	}
	return &p.CreateTasksResponse{UpdatedMetadata: request.UpdateMetadata}, nil
}

// afterRefusal is what is done about the rows ahead of a write that was refused.
type afterRefusal func(ctx context.Context, ex exec.Executor, w *plan.Write)

// nothingStored is for databases that fence rows ahead in one write.
func nothingStored(context.Context, exec.Executor, *plan.Write) {}

// takeBack deletes the rows that may have been stored ahead. Nobody else writes
// them: their ids are of the range that the writer had. If that fails they stay,
// as harmless as they were; the caller has an error to report already.
func takeBack(ctx context.Context, ex exec.Executor, w *plan.Write) {
	back := &plan.Write{Name: w.Name + "/TakeBack", Scope: plan.Atomic}
	for i := range w.Mutations {
		if m := &w.Mutations[i]; m.Ahead {
			back.Mutations = append(back.Mutations, plan.Mutation{Table: m.Table, Op: plan.Delete, Key: m.Key})
		}
	}
	if len(back.Mutations) > 0 {
		_ = ex.Write(ctx, back)
	}
}

// hold is the mutation that refuses a write if the queue has gone to another range.
func (k *taskKind) hold(queue []any, rangeID int64) plan.Mutation {
	return plan.Mutation{
		Table: k.queues, Op: plan.Assert, Key: queue,
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.QueueRangeID, Value: rangeID}},
	}
}

func (k *taskKind) insert(queue []any, task *p.InternalCreateTask) (plan.Mutation, error) {
	key := append(queue[:len(queue):len(queue)], int64(task.Subqueue))
	switch {
	case task.Subqueue < 0:
		return plan.Mutation{}, serviceerror.NewInternalf("CreateTasks: negative subqueue %d", task.Subqueue)
	case k.fair && task.TaskPass < 1:
		return plan.Mutation{}, serviceerror.NewInternalf("CreateTasks: task %d of a fair queue has no pass", task.TaskId)
	case !k.fair && task.TaskPass != 0:
		return plan.Mutation{}, serviceerror.NewInternalf("CreateTasks: task %d of a classic queue has pass %d", task.TaskId, task.TaskPass)
	case k.fair:
		key = append(key, task.TaskPass)
	}
	m := plan.Mutation{
		Table: k.tasks, Op: plan.Insert, Key: append(key, task.TaskId), Ahead: true,
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.TaskData, Value: toBlob(task.Task)}},
	}
	if k.expire {
		m.TTL = taskTTL(task.ExpiryTime)
	}
	return m, nil
}

// GetTasks returns one page of a subqueue's tasks in order. Classic: ids from
// InclusiveMinTaskID up to ExclusiveMaxTaskID. Fair: from (InclusiveMinPass,
// InclusiveMinTaskID) on; with UseLimit PageSize is how many are wanted in all.
func (s *TaskStore) GetTasks(ctx context.Context, request *p.GetTasksRequest) (*p.InternalGetTasksResponse, error) {
	queue, err := queueKey(request.NamespaceID, request.TaskQueue, request.TaskType)
	if err != nil {
		return nil, invalid("GetTasks", err)
	}
	args := append(queue, int64(request.Subqueue))
	if !s.kind.fair {
		if request.InclusiveMinPass != 0 {
			return nil, serviceerror.NewInternal("GetTasks: a classic queue has no passes, InclusiveMinPass must be 0")
		}
		args = append(args, request.InclusiveMinTaskID, request.ExclusiveMaxTaskID)
		return s.readTasks(ctx, s.kind.readTasks, plan.Page{Size: request.PageSize, Token: request.NextPageToken}, args)
	}
	switch {
	case request.InclusiveMinPass < 1:
		return nil, serviceerror.NewInternal("GetTasks: a fair queue begins at pass 1, InclusiveMinPass must be at least 1")
	case request.ExclusiveMaxTaskID != math.MaxInt64:
		return nil, serviceerror.NewInternal("GetTasks: a fair queue is read without an upper end, ExclusiveMaxTaskID must be the maximum")
	}
	args = append(args, request.InclusiveMinPass, request.InclusiveMinTaskID)
	if request.UseLimit && request.PageSize > 0 {
		return s.readFew(ctx, request, append(args, int64(request.PageSize)))
	}
	return s.readTasks(ctx, s.kind.readTasks, plan.Page{Size: request.PageSize, Token: request.NextPageToken}, args)
}

// readFew reads up to the limit that is the last of args. The caller takes a
// short answer for the end of the queue, so a page that a server cut short is
// followed by the next.
func (s *TaskStore) readFew(ctx context.Context, request *p.GetTasksRequest, args []any) (*p.InternalGetTasksResponse, error) {
	all := &p.InternalGetTasksResponse{}
	page := plan.Page{Size: request.PageSize, Token: request.NextPageToken}
	for {
		some, err := s.readTasks(ctx, s.kind.readTasksLimit, page, args)
		if err != nil {
			return nil, err
		}
		all.Tasks = append(all.Tasks, some.Tasks...)
		if len(all.Tasks) >= request.PageSize || some.NextPageToken == nil {
			return all, nil
		}
		page.Token = some.NextPageToken
	}
}

func (s *TaskStore) readTasks(
	ctx context.Context, read *plan.Read, page plan.Page, args []any,
) (*p.InternalGetTasksResponse, error) {
	rows, err := s.ex.Read(ctx, read, page, args...)
	if err != nil {
		return nil, readError(err)
	}
	defer func() { _ = rows.Close() }()
	response := &p.InternalGetTasksResponse{}
	for rows.Next() {
		if rows.Null(1) {
			return nil, malformed("GetTasks", rowKey(s.kind.tasks, append(args[:4:4], rows.Int(0))), "has no task")
		}
		response.Tasks = append(response.Tasks, fromBlob(rows.Blob(1)))
	}
	response.NextPageToken = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, readError(err)
	}
	return response, nil
}

// CompleteTasksLessThan deletes all tasks of a subqueue below an id (classic) or
// below a pass and id (fair), whatever Limit says. With ConditionRangeID, which
// fair queues alone have, nothing is deleted unless the queue still has that
// range: a deposed owner's ack level may be above the new owner's first tasks.
func (s *TaskStore) CompleteTasksLessThan(ctx context.Context, request *p.CompleteTasksLessThanRequest) (int, error) {
	queue, err := queueKey(request.NamespaceID, request.TaskQueueName, request.TaskType)
	if err != nil {
		return 0, invalid("CompleteTasksLessThan", err)
	}
	w := &plan.Write{Name: s.kind.names.completeTasks, Scope: plan.Atomic}
	var from plan.Bound
	below := []any{request.ExclusiveMaxTaskID}
	switch {
	case s.kind.fair && request.ExclusiveMaxPass < 1:
		return 0, serviceerror.NewInternal("CompleteTasksLessThan: a fair queue begins at pass 1, ExclusiveMaxPass must be at least 1")
	case s.kind.fair:
		// From where upstream's delete begins: the tombstone covers the same.
		from = plan.Bound{Compare: plan.GreaterOrEqual, Values: []any{int64(0), int64(0)}}
		below = []any{request.ExclusiveMaxPass, request.ExclusiveMaxTaskID}
	case request.ExclusiveMaxPass != 0 || request.ConditionRangeID != 0:
		return 0, serviceerror.NewInternal("CompleteTasksLessThan: a classic queue has neither passes nor a condition on its range")
	}
	if request.ConditionRangeID != 0 {
		w.Mutations = append(w.Mutations, s.kind.hold(queue, request.ConditionRangeID))
	}
	w.Mutations = append(w.Mutations, plan.Mutation{
		Table: s.kind.tasks, Op: plan.DeleteRange, Key: append(queue[:len(queue):len(queue)], int64(request.Subqueue)),
		From: from, To: plan.Bound{Compare: plan.Less, Values: below},
	})
	if err := s.ex.Write(ctx, w); err != nil {
		return 0, writeError(err, nil)
	}
	return p.UnknownNumRowsAffected, nil
}

// queueKey is the key of a queue, and the first part of the keys of its tasks.
func queueKey(namespaceID, queue string, kind enumspb.TaskQueueType) ([]any, error) {
	id, err := parseUUID("namespace ID", namespaceID)
	if err != nil {
		return nil, err
	}
	return []any{id, queue, int64(kind)}, nil
}

// update writes a queue's row if its range is prev.
func (k *taskKind) update(queue []any, prev, next int64, info *commonpb.DataBlob) plan.Mutation {
	return plan.Mutation{
		Table: k.queues, Op: plan.Update, Key: queue,
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.QueueRangeID, Value: prev}},
		Effects: []plan.Effect{
			{Op: plan.Set, Column: plan.QueueRangeID, Value: next},
			{Op: plan.Set, Column: plan.QueueInfo, Value: toBlob(info)},
		},
	}
}
