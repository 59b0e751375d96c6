package storelevel

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
)

// queueInfo describes a queue.
func (m *mix) queueInfo(q *queue) *persistencespb.TaskQueueInfo {
	return &persistencespb.TaskQueueInfo{
		NamespaceId: text(m.namespace), Name: q.name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		Kind: enumspb.TASK_QUEUE_KIND_NORMAL, AckLevel: q.ack, LastUpdateTime: timestamppb.New(m.now()),
	}
}

// matching appends to a queue, reads it or acknowledges it, one after the other as
// matching does.
func (m *mix) matching(q *queue) *op {
	switch n := m.rng.IntN(10); {
	case n < 5:
		return q.follow(m.enqueue(q, 1+m.some(20)))
	case n < 8:
		return q.follow(m.readQueue(q, q.ack+1))
	case n < 9:
		q.ack = max(q.ack, q.task-int64(m.rng.IntN(20)))
		return q.follow(m.acknowledge(q))
	default:
		request := &p.UpdateTaskQueueRequest{RangeID: rangeID, PrevRangeID: rangeID, TaskQueueInfo: m.queueInfo(q)}
		return q.follow(&op{name: updateTaskQueue, call: func(ctx context.Context, s *arm.Stores) error {
			_, err := s.Tasks.UpdateTaskQueue(ctx, request)
			return err
		}})
	}
}

// enqueue appends n tasks to a queue.
func (m *mix) enqueue(q *queue, n int) *op {
	request := &p.CreateTasksRequest{TaskQueueInfo: &p.PersistedTaskQueueInfo{Data: m.queueInfo(q), RangeID: rangeID}}
	for range n {
		q.task++
		request.Tasks = append(request.Tasks, &persistencespb.AllocatedTaskInfo{TaskId: q.task, Data: &persistencespb.TaskInfo{
			NamespaceId: text(m.namespace), WorkflowId: "workflow", RunId: text(m.namespace), ScheduledEventId: q.task, CreateTime: timestamppb.New(m.now()),
		}})
		request.Subqueues = append(request.Subqueues, 0)
	}
	return &op{name: createTasks, call: func(ctx context.Context, s *arm.Stores) error {
		_, err := s.Tasks.CreateTasks(ctx, request)
		return err
	}}
}

// readQueue reads a page of a queue's tasks, from the given one on.
func (m *mix) readQueue(q *queue, from int64) *op {
	return m.readPage(q, from, func(int) error { return nil })
}

// readPage is readQueue with a look at how many tasks were there.
func (m *mix) readPage(q *queue, from int64, check func(n int) error) *op {
	request := &p.GetTasksRequest{
		NamespaceID: text(m.namespace), TaskQueue: q.name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		InclusiveMinTaskID: from, ExclusiveMaxTaskID: q.task + 1, PageSize: tasksPage, UseLimit: true,
	}
	return &op{name: getTasks, call: func(ctx context.Context, s *arm.Stores) error {
		page, err := s.Tasks.GetTasks(ctx, request)
		if err != nil {
			return err
		}
		return check(len(page.Tasks))
	}}
}

// acknowledge deletes a queue's tasks up to its ack level.
func (m *mix) acknowledge(q *queue) *op {
	request := &p.CompleteTasksLessThanRequest{
		NamespaceID: text(m.namespace), TaskQueueName: q.name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		ExclusiveMaxTaskID: q.ack + 1, Limit: 100_000,
	}
	return &op{name: completeQueue, call: func(ctx context.Context, s *arm.Stores) error {
		_, err := s.Tasks.CompleteTasksLessThan(ctx, request)
		return err
	}}
}

func (m *mix) makeQueue(q *queue) *op {
	request := &p.CreateTaskQueueRequest{RangeID: rangeID, TaskQueueInfo: m.queueInfo(q)}
	return &op{name: createTaskQueue, call: func(ctx context.Context, s *arm.Stores) error {
		_, err := s.Tasks.CreateTaskQueue(ctx, request)
		return err
	}}
}
