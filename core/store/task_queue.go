package store

import (
	"context"
	"math"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// maxTTL is the longest life that a row may be given, in seconds: 10 years. It is
// the limit of Apache Cassandra and of the server's stores on it.
const maxTTL int64 = 315360000

// CreateTaskQueue inserts a queue's row, or returns
// *persistence.ConditionFailedError if there is one. It is for ever, sticky or
// not: a life is given by the first update.
func (s *TaskStore) CreateTaskQueue(ctx context.Context, request *p.InternalCreateTaskQueueRequest) error {
	queue, err := queueKey(request.NamespaceID, request.TaskQueue, request.TaskType)
	if err != nil {
		return invalid("CreateTaskQueue", err)
	}
	err = s.ex.Write(ctx, &plan.Write{
		Name: s.kind.names.createQueue, Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: s.kind.queues, Op: plan.Insert, Key: queue,
			Conds: []plan.Cond{{Test: plan.RowAbsent}},
			Effects: []plan.Effect{
				{Op: plan.Set, Column: plan.QueueRangeID, Value: request.RangeID},
				{Op: plan.Set, Column: plan.QueueInfo, Value: toBlob(request.TaskQueueInfo)},
			},
			Show: []*plan.Column{plan.QueueRangeID},
		}},
	})
	return writeError(err, nil)
}

// GetTaskQueue returns a queue's row, or *serviceerror.NotFound.
func (s *TaskStore) GetTaskQueue(
	ctx context.Context, request *p.InternalGetTaskQueueRequest,
) (*p.InternalGetTaskQueueResponse, error) {
	queue, err := queueKey(request.NamespaceID, request.TaskQueue, request.TaskType)
	if err != nil {
		return nil, invalid("GetTaskQueue", err)
	}
	row, found, err := exec.One(ctx, s.ex, s.kind.readQueue, queue...)
	switch {
	case err != nil:
		return nil, readError(err)
	case !found:
		return nil, notFound("GetTaskQueue", rowKey(s.kind.queues, queue))
	case row.Null(0) || row.Null(1):
		return nil, malformed("GetTaskQueue", rowKey(s.kind.queues, queue), "has no range or no state")
	}
	return &p.InternalGetTaskQueueResponse{RangeID: row.Int(0), TaskQueueInfo: fromBlob(row.Blob(1))}, nil
}

// UpdateTaskQueue writes a queue's row if its range is PrevRangeID, else it
// returns *persistence.ConditionFailedError. The row of a classic sticky queue
// lives until ExpiryTime from then on.
func (s *TaskStore) UpdateTaskQueue(
	ctx context.Context, request *p.InternalUpdateTaskQueueRequest,
) (*p.UpdateTaskQueueResponse, error) {
	queue, err := queueKey(request.NamespaceID, request.TaskQueue, request.TaskType)
	if err != nil {
		return nil, invalid("UpdateTaskQueue", err)
	}
	w := &plan.Write{
		Name: s.kind.names.updateQueue, Scope: plan.Atomic,
		Mutations: []plan.Mutation{s.kind.update(queue, request.PrevRangeID, request.RangeID, request.TaskQueueInfo)},
	}
	if s.kind.expire && request.TaskQueueKind == enumspb.TASK_QUEUE_KIND_STICKY {
		if request.ExpiryTime == nil {
			return nil, serviceerror.NewInternal("UpdateTaskQueue: a sticky queue needs an ExpiryTime")
		}
		// The whole row must go, not only what is written here: what is left of
		// a row without columns would refuse every later CreateTaskQueue.
		w.Name = s.kind.names.updateSticky
		w.Mutations[0].Live = true
		w.Mutations[0].TTL = min(secondsUntil(request.ExpiryTime), maxTTL)
	}
	if err := s.ex.Write(ctx, w); err != nil {
		return nil, writeError(err, nil)
	}
	return &p.UpdateTaskQueueResponse{}, nil
}

// ListTaskQueue returns one page of all queues of the kind, in no particular
// order. It scans a table: for scavengers and tools.
func (s *TaskStore) ListTaskQueue(
	ctx context.Context, request *p.ListTaskQueueRequest,
) (*p.InternalListTaskQueueResponse, error) {
	rows, err := s.ex.Read(ctx, s.kind.listQueues, plan.Page{Size: request.PageSize, Token: request.PageToken})
	if err != nil {
		return nil, readError(err)
	}
	defer func() { _ = rows.Close() }()
	response := &p.InternalListTaskQueueResponse{}
	for rows.Next() {
		if rows.Null(3) || rows.Null(4) {
			key := rowKey(s.kind.queues, []any{rows.UUID(0), rows.Text(1), rows.Int(2)})
			return nil, malformed("ListTaskQueue", key, "has no range or no state")
		}
		response.Items = append(response.Items, &p.InternalListTaskQueueItem{
			RangeID: rows.Int(3), TaskQueue: fromBlob(rows.Blob(4)),
		})
	}
	response.NextPageToken = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, readError(err)
	}
	return response, nil
}

// DeleteTaskQueue deletes a queue's row if its range is RangeID, else it returns
// *persistence.ConditionFailedError. Its tasks stay.
func (s *TaskStore) DeleteTaskQueue(ctx context.Context, request *p.DeleteTaskQueueRequest) error {
	key := request.TaskQueue
	queue, err := queueKey(key.NamespaceID, key.TaskQueueName, key.TaskQueueType)
	if err != nil {
		return invalid("DeleteTaskQueue", err)
	}
	err = s.ex.Write(ctx, &plan.Write{
		Name: s.kind.names.deleteQueue, Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: s.kind.queues, Op: plan.Delete, Key: queue,
			Conds: []plan.Cond{{Test: plan.Equal, Column: plan.QueueRangeID, Value: request.RangeID}},
		}},
	})
	return writeError(err, nil)
}

// taskTTL is the life of a task's row in seconds; 0 means for ever. A task that
// has expired by now is stored for a second: its writer waits for an answer.
func taskTTL(expiry *timestamppb.Timestamp) int64 {
	if expiry == nil || expiry.AsTime().IsZero() {
		return 0
	}
	if ttl := secondsUntil(expiry); ttl <= maxTTL {
		return ttl
	}
	return 0
}

// secondsUntil rounds up, to 1 at least: no life at all would mean for ever.
func secondsUntil(t *timestamppb.Timestamp) int64 {
	return max(int64(math.Ceil(time.Until(t.AsTime()).Seconds())), 1)
}

// rowKey names a row in errors: its table and the values of its key, of which
// the last ones may be missing.
func rowKey(table *plan.Table, key []any) string {
	m := plan.Mutation{Table: table, Key: key}
	return m.KeyString()
}
