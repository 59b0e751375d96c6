package corpus

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// queue is a task queue partition, of one kind or both.
func (m *maker) queue(i int) {
	namespace, taskType := m.namespace(), int64(1+i%2)
	queue := name("queue", i)
	unit := records.QueueUnit(namespace, queue, taskType)
	key := []any{namespace, queue, taskType}
	expiry := m.now.Add(24 * time.Hour) // of a sticky queue
	info := func(kind enumspb.TaskQueueKind) proto.Message {
		info := &persistencespb.TaskQueueInfo{
			NamespaceId: text(namespace), Name: queue, TaskType: enumspb.TaskQueueType(taskType), Kind: kind,
			AckLevel: 5, LastUpdateTime: m.time(0), Subqueues: []*persistencespb.SubqueueInfo{{}, {AckLevel: 3}},
		}
		if kind == enumspb.TASK_QUEUE_KIND_STICKY {
			info.ExpiryTime = timestamppb.New(expiry)
		}
		return info
	}
	task := func(id int64) proto.Message {
		return &persistencespb.AllocatedTaskInfo{TaskId: id, Data: &persistencespb.TaskInfo{
			NamespaceId: text(namespace), WorkflowId: "w", ScheduledEventId: id, CreateTime: m.time(time.Second),
		}}
	}
	backlog := m.o.Backlog
	if i > 0 {
		backlog = 1 + m.r.IntN(1+backlog/2)
	}
	switch i % 6 {
	case 5: // a sticky queue: its row expires
		r := m.add(records.TaskQueue, unit, key, int64(3), info(enumspb.TASK_QUEUE_KIND_STICKY))
		r.Expires = expiry.UnixMilli()
	case 4: // tasks without the queue's row: nobody has loaded it for long
	default:
		m.add(records.TaskQueue, unit, key, int64(3), info(enumspb.TASK_QUEUE_KIND_NORMAL))
	}
	for n := range backlog {
		id := m.nextTask()
		r := m.add(records.Task, unit, append(key[:3:3], int64(n%3), id), task(id))
		if i%3 == 1 {
			r.Expires = m.now.Add(time.Duration(1+m.r.IntN(48)) * time.Hour).UnixMilli()
		}
	}
	if i%2 == 0 { // its twin
		m.add(records.FairTaskQueue, unit, key, int64(4), info(enumspb.TASK_QUEUE_KIND_NORMAL))
		for n := range backlog {
			id := m.nextTask()
			m.add(records.FairTask, unit, append(key[:3:3], int64(n%2), int64(1+n/2), id), task(id))
		}
	}
	if i == 1 { // a queue without tasks, of the fair kind alone
		queue += fmt.Sprint(" fair ", i)
		m.add(records.FairTaskQueue, records.QueueUnit(namespace, queue, taskType), []any{namespace, queue, taskType}, int64(1),
			info(enumspb.TASK_QUEUE_KIND_NORMAL))
	}
}
