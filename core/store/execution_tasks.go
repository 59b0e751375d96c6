package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// The tasks of a shard, by category. Immediate ones are ordered by task ID,
// scheduled ones by fire time, of which milliseconds are kept, and then task ID.
var (
	readImmediateTasks = &plan.Read{
		Name: "GetHistoryTasks/immediate", Table: plan.HistoryTasks, Eq: 3,
		From:    plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
		To:      plan.RangeEnd{Compare: plan.Less, Width: 1},
		Columns: []*plan.Column{plan.HistoryTaskID, plan.HistoryTask},
	}
	readScheduledTasks = &plan.Read{
		Name: "GetHistoryTasks/scheduled", Table: plan.HistoryTasks, Eq: 2,
		From:    plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
		To:      plan.RangeEnd{Compare: plan.Less, Width: 1},
		Columns: []*plan.Column{plan.HistoryTaskID, plan.HistoryTask, plan.TaskFireTime},
	}
)

type taskMap = map[tasks.Category][]p.InternalHistoryTask

// addTasks adds a shard's tasks to a write, ahead of its atomic part: they count
// only with it, whatever the dialect does. Writing one again replaces it.
func addTasks(w *plan.Write, shard int32, all taskMap) {
	if len(all) == 0 {
		return
	}
	var few [8]tasks.Category
	categories, n := few[:0], 0
	for category, list := range all {
		categories = append(categories, category)
		n += len(list)
	}
	slices.SortFunc(categories, func(a, b tasks.Category) int { return cmp.Compare(a.ID(), b.ID()) })
	// Keys and effects of all tasks lie in two arrays.
	keys, effects := make([]any, 0, 4*n), make([]plan.Effect, 0, n)
	boxed := any(int64(shard))
	for _, category := range categories {
		for i := range all[category] {
			task := &all[category][i]
			keys = append(keys, boxed, int64(category.ID()), fireTime(category, task.Key), task.Key.TaskID)
			effects = append(effects, plan.Effect{Op: plan.Set, Column: plan.HistoryTask, Value: toBlob(task.Blob)})
			k, e := len(keys), len(effects)
			w.Mutations = append(w.Mutations, plan.Mutation{
				Table: plan.HistoryTasks, Op: plan.Insert, Ahead: true, Group: taskGroup,
				Key: keys[k-4 : k : k], Effects: effects[e-1 : e : e],
			})
		}
	}
}

// taskGroup is the group of all of a write's tasks. Those of history nodes come
// after it.
const taskGroup = 0

func taskKey(shard int32, category tasks.Category, key tasks.Key) []any {
	return []any{int64(shard), int64(category.ID()), fireTime(category, key), key.TaskID}
}

// fireTime is that of a task in its key, an int64.
func fireTime(category tasks.Category, key tasks.Key) any {
	if category.Type() == tasks.CategoryTypeScheduled {
		return toMillis(key.FireTime)
	}
	return plan.Immediate
}

// AddHistoryTasks adds tasks that belong to no change of an execution. A shard
// that was lost is a *persistence.ShardOwnershipLostError here too.
func (s *ExecutionStore) AddHistoryTasks(ctx context.Context, request *p.InternalAddHistoryTasksRequest) error {
	w := newWrite("AddHistoryTasks", request.ShardID, request.RangeID, room(nil, request.Tasks))
	addTasks(w, request.ShardID, request.Tasks)
	return s.commit(ctx, w)
}

// GetHistoryTasks returns a page of the tasks of one category between the given
// keys: task IDs for an immediate category, fire times for a scheduled one. A
// *persistence.ShardOwnershipLostError says that the tasks show a newer range.
func (s *ExecutionStore) GetHistoryTasks(
	ctx context.Context, request *p.GetHistoryTasksRequest,
) (*p.InternalGetHistoryTasksResponse, error) {
	shard, category := int64(request.ShardID), int64(request.TaskCategory.ID())
	from, to := request.InclusiveMinTaskKey, request.ExclusiveMaxTaskKey
	page := plan.Page{Size: request.BatchSize, Token: request.NextPageToken}
	if request.TaskCategory.Type() == tasks.CategoryTypeScheduled {
		return s.readTasks(ctx, readScheduledTasks, page, shard, category, toMillis(from.FireTime), toMillis(to.FireTime))
	}
	return s.readTasks(ctx, readImmediateTasks, page, shard, category, plan.Immediate, from.TaskID, to.TaskID)
}

// readTasks runs a read of task ID, blob and, for scheduled tasks, fire time.
// The first argument is the shard.
func (s *ExecutionStore) readTasks(
	ctx context.Context, read *plan.Read, page plan.Page, args ...any,
) (*p.InternalGetHistoryTasksResponse, error) {
	rows, err := s.ex.Read(ctx, read, page, args...)
	if err != nil {
		return nil, outward(err, reading, leaseLost)
	}
	response := &p.InternalGetHistoryTasksResponse{}
	var bad error
	for rows.Next() {
		key := tasks.NewImmediateKey(rows.Int(0))
		if read == readScheduledTasks {
			key = tasks.NewKey(fromMillis(rows.Int(2)), rows.Int(0))
		}
		if rows.Null(1) {
			bad = malformed(read.Name, fmt.Sprintf("shard %v, %v, task %v", args[0], args[1], key), "has no task")
			break
		}
		response.Tasks = append(response.Tasks, p.InternalHistoryTask{Key: key, Blob: fromBlob(rows.Blob(1))})
	}
	response.NextPageToken = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, outward(err, reading, leaseLost)
	}
	if bad != nil {
		return nil, bad
	}
	return response, nil
}

// CompleteHistoryTask deletes one task. Best-effort deletes are made only where
// they do not make reading the queue dearer than the task itself.
func (s *ExecutionStore) CompleteHistoryTask(ctx context.Context, request *p.CompleteHistoryTaskRequest) error {
	if request.BestEffort && !s.ex.Traits().CheapDelete {
		return nil
	}
	err := s.ex.Write(ctx, &plan.Write{
		Name: "CompleteHistoryTask", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.HistoryTasks, Op: plan.Delete,
			Key: taskKey(request.ShardID, request.TaskCategory, request.TaskKey),
		}},
	})
	return writeError(err, nil)
}

// RangeCompleteHistoryTasks deletes the tasks of one category between the given
// keys, as in GetHistoryTasks.
func (s *ExecutionStore) RangeCompleteHistoryTasks(ctx context.Context, request *p.RangeCompleteHistoryTasksRequest) error {
	key := []any{int64(request.ShardID), int64(request.TaskCategory.ID())}
	from, to := any(toMillis(request.InclusiveMinTaskKey.FireTime)), any(toMillis(request.ExclusiveMaxTaskKey.FireTime))
	if request.TaskCategory.Type() != tasks.CategoryTypeScheduled {
		key = append(key, plan.Immediate)
		from, to = request.InclusiveMinTaskKey.TaskID, request.ExclusiveMaxTaskKey.TaskID
	}
	return s.deleteRange(ctx, "RangeCompleteHistoryTasks", plan.HistoryTasks, key, from, to)
}

// deleteRange deletes rows under a key prefix, from inclusive, to exclusive.
func (s *ExecutionStore) deleteRange(ctx context.Context, op string, t *plan.Table, key []any, from, to any) error {
	err := s.ex.Write(ctx, &plan.Write{
		Name: op, Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: t, Op: plan.DeleteRange, Key: key,
			From: plan.Bound{Compare: plan.GreaterOrEqual, Values: []any{from}},
			To:   plan.Bound{Compare: plan.Less, Values: []any{to}},
		}},
	})
	return writeError(err, nil)
}
