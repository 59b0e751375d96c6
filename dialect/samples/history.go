package samples

import "github.com/temporal-ycql/temporal-ycql/core/plan"

func insertBranch() plan.Mutation {
	return plan.Mutation{
		Table: plan.HistoryTree, Op: plan.Insert, Key: []any{tree, branch},
		Effects: []plan.Effect{set(plan.BranchInfo, blob("branch"))},
	}
}

func insertNode() plan.Mutation {
	return plan.Mutation{
		Table: plan.HistoryNodes, Op: plan.Insert, Key: []any{tree, branch, int64(1), int64(1048576)},
		Effects: []plan.Effect{set(plan.NodePrevTxnID, int64(0)), set(plan.NodeEvents, blob("events"))},
	}
}

func historySamples() []Sample {
	nodes := plan.Read{
		Name: "ReadHistoryBranch", Table: plan.HistoryNodes, Eq: 2,
		From: edge(plan.GreaterOrEqual), To: edge(plan.Less),
		Columns: columns(plan.NodeID, plan.NodeTxnID, plan.NodePrevTxnID, plan.NodeEvents),
	}
	reverse, metadata := nodes, nodes
	reverse.Name, reverse.Desc = "ReadHistoryBranch/reverse", true
	metadata.Name, metadata.Columns = "ReadHistoryBranch/metadata", nodes.Columns[:3]
	args := []any{tree, branch, int64(1), int64(9)}
	return []Sample{
		ordered("history-append", "AppendHistoryNodes", "AppendHistoryNodes", insertNode()),
		ordered("history-append-new-branch", "AppendHistoryNodes (new branch)", "AppendHistoryNodes", insertBranch(), insertNode()),
		write("history-fork", "ForkHistoryBranch", "ForkHistoryBranch", insertBranch()),
		ordered("history-delete-branch", "DeleteHistoryBranch", "DeleteHistoryBranch",
			plan.Mutation{
				Table: plan.HistoryNodes, Op: plan.DeleteRange, Key: []any{tree, branch},
				From: bound(plan.GreaterOrEqual, int64(3)),
			},
			plan.Mutation{Table: plan.HistoryTree, Op: plan.Delete, Key: []any{tree, branch}}),
		write("history-delete-node", "DeleteHistoryNodes", "DeleteHistoryNodes",
			plan.Mutation{Table: plan.HistoryNodes, Op: plan.Delete, Key: insertNode().Key}),
		read("history-read", "ReadHistoryBranch", nodes, args...),
		read("history-read-reverse", "ReadHistoryBranch (reverse)", reverse, args...),
		read("history-read-metadata", "ReadHistoryBranch (metadata only)", metadata, args...),
		read("history-read-tree", "GetHistoryTreeContainingBranch", plan.Read{
			Name: "GetHistoryTreeContainingBranch", Table: plan.HistoryTree, Eq: 1,
			Columns: columns(plan.BranchID, plan.BranchInfo),
		}, tree),
		read("history-scan-trees", "GetAllHistoryTreeBranches", plan.Read{
			Name: "GetAllHistoryTreeBranches", Table: plan.HistoryTree,
			Columns: columns(plan.TreeID, plan.BranchID, plan.BranchInfo),
		}),
	}
}

func taskSamples() []Sample {
	immediate := plan.Read{
		Name: "GetHistoryTasks/immediate", Table: plan.HistoryTasks, Eq: 3,
		From: edge(plan.GreaterOrEqual), To: edge(plan.Less), Columns: columns(plan.HistoryTaskID, plan.HistoryTask),
	}
	scheduled := plan.Read{
		Name: "GetHistoryTasks/scheduled", Table: plan.HistoryTasks, Eq: 2,
		From: edge(plan.GreaterOrEqual), To: edge(plan.Less),
		Columns: columns(plan.HistoryTaskID, plan.HistoryTask, plan.TaskFireTime),
	}
	complete := func(category, fire int64) plan.Mutation {
		return plan.Mutation{Table: plan.HistoryTasks, Op: plan.Delete, Key: []any{shard, category, fire, int64(100)}}
	}
	dlq := []any{shard, "cluster-b", int64(100)}
	ids := func(m plan.Mutation, low, high int64) plan.Mutation {
		m.Op, m.From, m.To = plan.DeleteRange, bound(plan.GreaterOrEqual, low), bound(plan.Less, high)
		return m
	}
	return []Sample{
		owned("tasks-add", "AddHistoryTasks", "AddHistoryTasks", tasks()...),
		write("tasks-complete", "CompleteHistoryTask", "CompleteHistoryTask", complete(1, plan.Immediate)),
		write("tasks-complete-timer", "CompleteHistoryTask (scheduled)", "CompleteHistoryTask", complete(2, 1700000000000)),
		write("tasks-range-complete", "RangeCompleteHistoryTasks", "RangeCompleteHistoryTasks",
			ids(plan.Mutation{Table: plan.HistoryTasks, Key: []any{shard, int64(7), plan.Immediate}}, 100, 200)),
		write("tasks-range-complete-timers", "RangeCompleteHistoryTasks (scheduled)", "RangeCompleteHistoryTasks",
			ids(plan.Mutation{Table: plan.HistoryTasks, Key: []any{shard, int64(2)}}, 1700000000000, 1700000060000)),
		read("tasks-get-transfer", "GetHistoryTasks (transfer)", immediate, shard, int64(1), plan.Immediate, int64(100), int64(200)),
		read("tasks-get-timer", "GetHistoryTasks (timer)", scheduled, shard, int64(2), int64(1700000000000), int64(1700000060000)),
		read("tasks-get-replication", "GetHistoryTasks (replication)", immediate, shard, int64(3), plan.Immediate, int64(100), int64(200)),
		read("tasks-get-visibility", "GetHistoryTasks (visibility)", immediate, shard, int64(4), plan.Immediate, int64(100), int64(200)),
		read("tasks-get-archival", "GetHistoryTasks (archival)", scheduled, shard, int64(5), int64(1700000000000), int64(1700000060000)),
		read("tasks-get-outbound", "GetHistoryTasks (outbound)", immediate, shard, int64(7), plan.Immediate, int64(100), int64(200)),
		write("dlq-put", "PutReplicationTaskToDLQ", "PutReplicationTaskToDLQ", plan.Mutation{
			Table: plan.ReplicationDLQ, Op: plan.Insert, Key: dlq, Effects: []plan.Effect{set(plan.DLQTask, blob("task"))},
		}),
		write("dlq-delete", "DeleteReplicationTaskFromDLQ", "DeleteReplicationTaskFromDLQ",
			plan.Mutation{Table: plan.ReplicationDLQ, Op: plan.Delete, Key: dlq}),
		write("dlq-range-delete", "RangeDeleteReplicationTaskFromDLQ", "RangeDeleteReplicationTaskFromDLQ",
			ids(plan.Mutation{Table: plan.ReplicationDLQ, Key: dlq[:2]}, 100, 200)),
		read("dlq-get", "GetReplicationTasksFromDLQ", plan.Read{
			Name: "GetReplicationTasksFromDLQ", Table: plan.ReplicationDLQ, Eq: 2,
			From: edge(plan.GreaterOrEqual), To: edge(plan.Less), Columns: columns(plan.DLQTaskID, plan.DLQTask),
		}, shard, "cluster-b", int64(100), int64(200)),
		read("dlq-is-empty", "IsReplicationDLQEmpty", plan.Read{
			Name: "IsReplicationDLQEmpty", Table: plan.ReplicationDLQ, Eq: 2,
			From: edge(plan.GreaterOrEqual), Limit: 1, Columns: columns(plan.DLQTaskID),
		}, shard, "cluster-b", int64(100)),
	}
}
