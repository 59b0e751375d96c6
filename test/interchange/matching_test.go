package interchange

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	p "go.temporal.io/server/common/persistence"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const queueNamespace = "6b0cf1e6-4f5e-4e51-a8f7-0b9d0c9d7e01"

// queue draws a task queue of one kind; its range is zero if it does not exist.
func (s *script) drawQueue() (fair bool, name string, key string) {
	fair = s.one(2)
	name = fmt.Sprintf("q-%d", s.rand.IntN(3))
	return fair, name, fmt.Sprintf("%v/%s", fair, name)
}

func storeOf(a *arm, fair bool) p.TaskStore {
	if fair {
		return a.fair
	}
	return a.classic
}

func (s *script) taskQueue() call {
	fair, name, key := s.drawQueue()
	was, info := s.queueRange[key], s.blob()
	if was == 0 || s.one(8) {
		if was == 0 {
			s.queueRange[key] = 1
		}
		return call{"CreateTaskQueue", func(ctx context.Context, a *arm) (any, error) {
			return done(storeOf(a, fair).CreateTaskQueue(ctx, &p.InternalCreateTaskQueueRequest{
				NamespaceID: queueNamespace, TaskQueue: name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW, RangeID: 1, TaskQueueInfo: info,
			}))
		}}
	}
	req := &p.InternalUpdateTaskQueueRequest{
		NamespaceID: queueNamespace, TaskQueue: name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		RangeID: was + 1, PrevRangeID: was, TaskQueueInfo: info,
	}
	if s.one(6) {
		req.PrevRangeID += 7 // refused
	} else {
		s.queueRange[key]++
	}
	return call{"UpdateTaskQueue", func(ctx context.Context, a *arm) (any, error) {
		got, err := storeOf(a, fair).UpdateTaskQueue(ctx, req)
		if err != nil {
			return nil, err
		}
		read, err := storeOf(a, fair).GetTaskQueue(ctx, &p.InternalGetTaskQueueRequest{
			NamespaceID: queueNamespace, TaskQueue: name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		})
		return []any{got, read}, err
	}}
}

// stickyQueue renews the queue of one worker, whose rows expire. Only classic
// queues have that.
func (s *script) stickyQueue() call {
	name := fmt.Sprintf("sticky-%d", s.rand.IntN(2))
	key := "false/" + name
	was, info := s.queueRange[key], s.blob()
	s.queueRange[key] = was + 1
	expiry := timestamppb.New(time.Now().Add(24 * time.Hour))
	return call{"UpdateTaskQueue (sticky)", func(ctx context.Context, a *arm) (any, error) {
		if was == 0 {
			return done(a.classic.CreateTaskQueue(ctx, &p.InternalCreateTaskQueueRequest{
				NamespaceID: queueNamespace, TaskQueue: name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW, RangeID: 1,
				TaskQueueInfo: info, TaskQueueKind: enumspb.TASK_QUEUE_KIND_STICKY, ExpiryTime: expiry,
			}))
		}
		return a.classic.UpdateTaskQueue(ctx, &p.InternalUpdateTaskQueueRequest{
			NamespaceID: queueNamespace, TaskQueue: name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW, RangeID: was + 1, PrevRangeID: was,
			TaskQueueInfo: info, TaskQueueKind: enumspb.TASK_QUEUE_KIND_STICKY, ExpiryTime: expiry,
		})
	}}
}

func (s *script) createTasks() call {
	fair, name, key := s.drawQueue()
	req := &p.InternalCreateTasksRequest{
		NamespaceID: queueNamespace, TaskQueue: name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW, RangeID: s.queueRange[key],
	}
	if s.one(2) {
		req.UpdateMetadata, req.TaskQueueInfo = true, s.blob()
	}
	for range 1 + s.rand.IntN(4) {
		s.taskID++
		t := &p.InternalCreateTask{TaskId: s.taskID, Task: s.blob(), Subqueue: s.rand.IntN(3)}
		if fair {
			t.TaskPass = 1 + s.rand.Int64N(4)
		}
		if s.one(2) {
			t.ExpiryTime = timestamppb.New(time.Now().Add(48 * time.Hour))
		}
		req.Tasks = append(req.Tasks, t)
	}
	return call{"CreateTasks", func(ctx context.Context, a *arm) (any, error) {
		return storeOf(a, fair).CreateTasks(ctx, req)
	}}
}

func (s *script) consumeQueue() call {
	fair, name, key := s.drawQueue()
	sub := s.rand.IntN(3)
	get := &p.GetTasksRequest{
		NamespaceID: queueNamespace, TaskQueue: name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		ExclusiveMaxTaskID: maxInt, Subqueue: sub, PageSize: 1000,
	}
	del := &p.CompleteTasksLessThanRequest{
		NamespaceID: queueNamespace, TaskQueueName: name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		ExclusiveMaxTaskID: s.taskID - s.rand.Int64N(20), Subqueue: sub, Limit: 100,
	}
	if fair {
		get.InclusiveMinPass, get.UseLimit = 1, s.one(2)
		del.ExclusiveMaxPass = 1 + s.rand.Int64N(3)
		if s.one(2) {
			del.ConditionRangeID = s.queueRange[key] // zero where the queue is unknown: unconditional
			if s.one(4) {
				del.ConditionRangeID += 11
			}
		}
	}
	return call{"CompleteTasksLessThan", func(ctx context.Context, a *arm) (any, error) {
		got, err := storeOf(a, fair).GetTasks(ctx, get)
		if err != nil {
			return nil, err
		}
		n, err := storeOf(a, fair).CompleteTasksLessThan(ctx, del)
		return []any{got.Tasks, n}, err
	}}
}

func (s *script) deleteQueue() call {
	fair, name, key := s.drawQueue()
	rangeID := s.queueRange[key]
	if s.one(2) {
		rangeID += 3 // refused
	} else {
		delete(s.queueRange, key)
	}
	return call{"DeleteTaskQueue", func(ctx context.Context, a *arm) (any, error) {
		return done(storeOf(a, fair).DeleteTaskQueue(ctx, &p.DeleteTaskQueueRequest{
			TaskQueue: &p.TaskQueueKey{NamespaceID: queueNamespace, TaskQueueName: name, TaskQueueType: enumspb.TASK_QUEUE_TYPE_WORKFLOW},
			RangeID:   rangeID,
		}))
	}}
}

func (s *script) updateUserData() call {
	updates := map[string]*p.InternalSingleTaskQueueUserDataUpdate{}
	ok := !s.one(5)
	for range 1 + s.rand.IntN(3) {
		name := fmt.Sprintf("u-%d", s.rand.IntN(4))
		updates[name] = &p.InternalSingleTaskQueueUserDataUpdate{
			Version: s.userData[name], UserData: s.blob(), BuildIdsAdded: []string{fmt.Sprintf("build-%d", s.rand.IntN(3))},
		}
		if s.one(2) {
			updates[name].BuildIdsRemoved = []string{fmt.Sprintf("build-%d", 3+s.rand.IntN(3))}
		}
	}
	for name, u := range updates {
		if !ok {
			u.Version += 5
		} else {
			s.userData[name]++
		}
	}
	return call{"UpdateTaskQueueUserData", func(ctx context.Context, a *arm) (any, error) {
		mine := map[string]*p.InternalSingleTaskQueueUserDataUpdate{}
		for name, u := range updates {
			c := *u
			c.Applied, c.Conflicting = new(bool), new(bool)
			mine[name] = &c
		}
		err := a.classic.UpdateTaskQueueUserData(ctx, &p.InternalUpdateTaskQueueUserDataRequest{NamespaceID: queueNamespace, Updates: mine})
		applied := map[string]bool{}
		for name, u := range mine {
			applied[name] = *u.Applied
		}
		return applied, err
	}}
}

func (s *script) readUserData() call {
	return call{"ListTaskQueueUserDataEntries", func(ctx context.Context, a *arm) (any, error) {
		got, err := a.fair.ListTaskQueueUserDataEntries(ctx, &p.ListTaskQueueUserDataEntriesRequest{NamespaceID: queueNamespace, PageSize: 100})
		if err != nil {
			return nil, err
		}
		names, err := a.classic.GetTaskQueuesByBuildId(ctx, &p.GetTaskQueuesByBuildIdRequest{NamespaceID: queueNamespace, BuildID: "build-1"})
		if err != nil {
			return nil, err
		}
		n, err := a.classic.CountTaskQueuesByBuildId(ctx, &p.CountTaskQueuesByBuildIdRequest{NamespaceID: queueNamespace, BuildID: "build-1"})
		return []any{got.Entries, names, n}, err
	}}
}
