package samples

import (
	"math"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

func queueKey(more ...any) []any { return append([]any{namespace, "jobs", int64(1)}, more...) }

func queueEffects() []plan.Effect {
	return []plan.Effect{set(plan.QueueRangeID, rangeID), set(plan.QueueInfo, blob("queue"))}
}

func matchingSamples() []Sample {
	return append(queuesOf("queue", "", plan.TaskQueues, plan.Tasks, false),
		queuesOf("fair-queue", " (fair)", plan.FairTaskQueues, plan.FairTasks, true)...)
}

// queuesOf are the samples of one of matching's two kinds of queues.
func queuesOf(prefix, kind string, queues, tasks *plan.Table, fair bool) []Sample {
	held := []plan.Cond{equal(plan.QueueRangeID, rangeID)}
	update := plan.Mutation{Table: queues, Op: plan.Update, Key: queueKey(), Conds: held, Effects: queueEffects()}
	hold := plan.Mutation{Table: queues, Op: plan.Assert, Key: queueKey(), Conds: held}
	task := func(subqueue, id, ttl int64) plan.Mutation {
		m := plan.Mutation{
			Table: tasks, Op: plan.Insert, Ahead: true, TTL: ttl, Key: queueKey(subqueue),
			Effects: []plan.Effect{set(plan.TaskData, blob("task"))},
		}
		if fair {
			m.Key = append(m.Key, int64(4))
		}
		m.Key = append(m.Key, id)
		return m
	}
	ttl := int64(600)
	if fair {
		ttl = 0
	}
	samples := []Sample{
		write(prefix+"-create", "CreateTaskQueue"+kind, "CreateTaskQueue", plan.Mutation{
			Table: queues, Op: plan.Insert, Key: queueKey(), Conds: []plan.Cond{absent}, Effects: queueEffects(),
			Show: columns(plan.QueueRangeID),
		}),
		write(prefix+"-update", "UpdateTaskQueue"+kind, "UpdateTaskQueue", update),
		write(prefix+"-delete", "DeleteTaskQueue"+kind, "DeleteTaskQueue",
			plan.Mutation{Table: queues, Op: plan.Delete, Key: queueKey(), Conds: held}),
		write(prefix+"-create-tasks", "CreateTasks"+kind, "CreateTasks", update, task(0, 1001, 0), task(3, 1002, ttl)),
		write(prefix+"-create-tasks-only", "CreateTasks"+kind+" (metadata left alone)", "CreateTasks", hold, task(0, 1001, 0)),
		read(prefix+"-get", "GetTaskQueue"+kind, plan.Read{
			Name: "GetTaskQueue", Table: queues, Eq: 3, Columns: columns(plan.QueueRangeID, plan.QueueInfo),
		}, queueKey()...),
		read(prefix+"-list", "ListTaskQueue"+kind, plan.Read{
			Name: "ListTaskQueue", Table: queues,
			Columns: columns(plan.QueueNamespaceID, plan.QueueName, plan.QueueTaskType, plan.QueueRangeID, plan.QueueInfo),
		}),
	}
	get := plan.Read{
		Name: "GetTasks", Table: tasks, Eq: 4, Columns: columns(plan.TaskID, plan.TaskData), From: edge(plan.GreaterOrEqual),
	}
	if !fair {
		sticky := update
		sticky.Live, sticky.TTL = true, 3600
		get.To = edge(plan.Less)
		return append(samples,
			write(prefix+"-update-sticky", "UpdateTaskQueue (sticky)", "UpdateStickyTaskQueue", sticky),
			write(prefix+"-complete-tasks", "CompleteTasksLessThan", "CompleteTasksLessThan", plan.Mutation{
				Table: tasks, Op: plan.DeleteRange, Key: queueKey(int64(3)), To: bound(plan.Less, int64(1002)),
			}),
			read(prefix+"-get-tasks", "GetTasks", get, queueKey(int64(3), int64(0), int64(2000))...))
	}
	less := plan.Mutation{
		Table: tasks, Op: plan.DeleteRange, Key: queueKey(int64(3)), To: bound(plan.Less, int64(5), int64(math.MaxInt64)),
	}
	get.From.Width = 2
	limited := get
	limited.Limit = plan.LimitArg
	return append(samples,
		write(prefix+"-complete-tasks", "CompleteTasksLessThan (fair)", "CompleteTasksLessThan", less),
		write(prefix+"-complete-tasks-fenced", "CompleteTasksLessThan (fair, under a range)", "CompleteTasksLessThan", hold, less),
		read(prefix+"-get-tasks", "GetTasks (fair)", get, queueKey(int64(3), int64(1), int64(0))...),
		read(prefix+"-get-tasks-limit", "GetTasks (fair, limit)", limited, queueKey(int64(3), int64(1), int64(0), int64(50))...))
}

func userDataSamples() []Sample {
	data := func(queue string, op plan.Op, version int64, cond plan.Cond) plan.Mutation {
		return plan.Mutation{
			Table: plan.UserData, Op: op, Key: []any{namespace, queue}, Conds: []plan.Cond{cond},
			Effects: []plan.Effect{set(plan.UserDataBlob, blob("data")), set(plan.UserDataVersion, version)},
			Show:    columns(plan.UserDataVersion),
		}
	}
	build := func(op plan.Op, id string) plan.Mutation {
		return plan.Mutation{Table: plan.BuildIDs, Op: op, Key: []any{namespace, id, "jobs"}}
	}
	return []Sample{
		write("user-data-update", "UpdateTaskQueueUserData (two queues)", "UpdateTaskQueueUserData",
			data("jobs", plan.Update, 5, equal(plan.UserDataVersion, int64(4))), data("more", plan.Insert, 1, absent),
			build(plan.Insert, "v2"), build(plan.Delete, "v1")),
		read("user-data-get", "GetTaskQueueUserData", plan.Read{
			Name: "GetTaskQueueUserData", Table: plan.UserData, Eq: 2,
			Columns: columns(plan.UserDataBlob, plan.UserDataVersion),
		}, namespace, "jobs"),
		read("user-data-list", "ListTaskQueueUserDataEntries", plan.Read{
			Name: "ListTaskQueueUserDataEntries", Table: plan.UserData, Eq: 1,
			Columns: columns(plan.QueueName, plan.UserDataBlob, plan.UserDataVersion),
		}, namespace),
		read("build-id-queues", "GetTaskQueuesByBuildId", plan.Read{
			Name: "GetTaskQueuesByBuildId", Table: plan.BuildIDs, Eq: 2, Columns: columns(plan.QueueName),
		}, namespace, "v2"),
		read("build-id-count", "CountTaskQueuesByBuildId", plan.Read{
			Name: "CountTaskQueuesByBuildId", Table: plan.BuildIDs, Eq: 2, Count: true,
		}, namespace, "v2"),
	}
}
