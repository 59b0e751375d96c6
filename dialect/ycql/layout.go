package ycql

import (
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect/render"
)

// Tasks of a matching queue and the queue's own row share a partition, so that
// one batch holds both: subqueues are 0 and above, the row is in this one.
const ownSubqueue int64 = -1

// immediate is the fire time of tasks without one: they come before all others.
const immediate int64 = 0

var boxedImmediate any = immediate

// fireTime stores plan.Immediate as 0. No timer fires in 1970.
var fireTime = &render.Codec{
	Kind: plan.Time,
	Encode: func(v any) (any, error) {
		if v.(int64) == plan.Immediate {
			return boxedImmediate, nil
		}
		return v, nil
	},
	Decode: func(v any) (any, error) {
		if v.(int64) == immediate {
			return plan.Immediate, nil
		}
		return v, nil
	},
}

// one is the family of a table whose rows all have the same form.
func one(name string, partition int, key []render.Key, columns ...render.Column) []render.Family {
	return []render.Family{{Any: true, Name: name, Partition: partition, Key: key, Columns: columns}}
}

// entry is a collection in the map that those of an execution share.
func entry(of *plan.Column, prefix string) render.Column {
	return render.Column{Of: of, Form: render.Entries, Name: "state_entries", Prefix: prefix}
}

func int32Column(of *plan.Column, name string) render.Column {
	c := render.Plain(of, name)
	c.Bits = 32
	return c
}

// inExecutions is the start of the key of a row of a workflow id.
func inExecutions(rest ...render.Key) []render.Key {
	return append([]render.Key{
		render.Int32("shard_id", plan.ShardID),
		render.From("namespace_id", plan.ExecutionNamespaceID),
		render.From("workflow_id", plan.ExecutionWorkflowID),
	}, rest...)
}

// shardTables are a shard, its executions and its tasks. All of an execution's
// key is hashed; a shard's tasks are one partition.
var shardTables = []*render.Table{
	{
		Logical: plan.NumberedShards, Witness: plan.ShardRangeID, NoTTL: true,
		Families: one("shards", 1,
			[]render.Key{render.Int32("shard_id", plan.ShardID)},
			render.Plain(plan.ShardRangeID, "range_id"),
			render.Blob(plan.ShardInfo, "shard", "shard_encoding"),
			render.Plain(plan.ShardWriteSeq, "write_seq"),
			render.Plain(plan.ShardEnds, "ends"),
			render.Plain(plan.ShardBurned, "burned"),
			render.Plain(plan.ShardNonce, "owner_nonce")),
	},
	{
		Logical: plan.CurrentExecutions, Witness: plan.CurrentRunID, NoTTL: true,
		Families: one("current_executions", 4,
			inExecutions(render.From("archetype_id", plan.CurrentArchetypeID)),
			render.Plain(plan.CurrentRunID, "current_run_id"),
			render.Blob(plan.CurrentState, "execution_state", "execution_state_encoding"),
			render.Plain(plan.CurrentLastWriteVersion, "workflow_last_write_version"),
			int32Column(plan.CurrentWorkflowState, "workflow_state")),
	},
	{
		Logical: plan.Executions, Witness: plan.NextEventID, NoTTL: true, Scan: render.Filtered,
		Families: one("executions", 4,
			inExecutions(render.From("run_id", plan.ExecutionRunID)),
			render.Blob(plan.ExecutionInfo, "execution", "execution_encoding"),
			render.Blob(plan.ExecutionState, "execution_state", "execution_state_encoding"),
			render.Plain(plan.NextEventID, "next_event_id"),
			render.Plain(plan.RecordVersion, "db_record_version"),
			render.Blob(plan.Checksum, "checksum", "checksum_encoding"),
			entry(plan.Activities, "activity/"),
			entry(plan.Timers, "timer/"),
			entry(plan.ChildExecutions, "child/"),
			entry(plan.RequestCancels, "cancel/"),
			entry(plan.Signals, "signal/"),
			entry(plan.ChasmNodes, "node/"),
			entry(plan.SignalRequested, "requested/"),
			render.Column{
				Of: plan.BufferedEvents, Form: render.EventMap, Name: "buffered_events", Version: plan.RecordVersion,
			}),
	},
	{
		Logical: plan.NumberedTasks, Witness: plan.HistoryTask, NoTTL: true,
		Families: one("history_tasks", 1,
			[]render.Key{
				render.Int32("shard_id", plan.ShardID),
				render.Int32("category_id", plan.TaskCategoryID),
				render.Coded("fire_time", plan.TaskFireTime, fireTime),
				render.From("task_id", plan.HistoryTaskID),
				render.From("write_range", plan.TaskWriteRange),
				render.From("write_seq", plan.TaskWriteSeq),
			},
			render.Blob(plan.HistoryTask, "task", "task_encoding")),
	},
	{
		Logical: plan.ReplicationDLQ, Witness: plan.DLQTask, NoTTL: true,
		Families: one("replication_dlq", 2,
			[]render.Key{
				render.Int32("shard_id", plan.ShardID), render.From("source_cluster", plan.DLQSourceCluster),
				render.From("task_id", plan.DLQTaskID),
			},
			render.Blob(plan.DLQTask, "task", "task_encoding")),
	},
}

// historyTables are the event histories.
var historyTables = []*render.Table{
	{
		Logical: plan.HistoryTree, Witness: plan.BranchInfo, NoTTL: true, Scan: render.PlainScan,
		Families: one("history_tree", 1,
			[]render.Key{render.From("tree_id", plan.TreeID), render.From("branch_id", plan.BranchID)},
			render.Blob(plan.BranchInfo, "branch", "branch_encoding")),
	},
	{
		Logical: plan.HistoryNodes, Witness: plan.NodeEvents, NoTTL: true,
		Families: one("history_node", 1,
			[]render.Key{
				render.From("tree_id", plan.TreeID), render.From("branch_id", plan.BranchID),
				render.From("node_id", plan.NodeID), render.From("txn_id", plan.NodeTxnID),
			},
			render.Plain(plan.NodePrevTxnID, "prev_txn_id"),
			render.Blob(plan.NodeEvents, "data", "data_encoding")),
	},
}

// inQueue is the key of a row in a matching queue's partition.
func inQueue(rest ...render.Key) []render.Key {
	return append([]render.Key{
		render.From("namespace_id", plan.QueueNamespaceID),
		render.From("task_queue_name", plan.QueueName),
		render.Int32("task_queue_type", plan.QueueTaskType),
	}, rest...)
}

var queueColumns = []render.Column{
	render.Plain(plan.QueueRangeID, "range_id"),
	render.Blob(plan.QueueInfo, "task_queue", "task_queue_encoding"),
}

// subqueue is the key column of tasks; the queue's own row is none.
var subqueue = render.Key{Name: "subqueue", Of: plan.Subqueue, Bits: 32, Reserved: ownSubqueue}

// matchingTables are matching's queues and tasks and what is known of queues.
var matchingTables = []*render.Table{
	{
		Logical: plan.TaskQueues, Witness: plan.QueueRangeID, Scan: render.Filtered,
		Families: one("tasks", 3,
			inQueue(render.Fixed("subqueue", ownSubqueue), render.Fixed("task_id", int64(0))), queueColumns...),
	},
	{
		Logical: plan.Tasks, Witness: plan.TaskData,
		Families: one("tasks", 3,
			inQueue(subqueue, render.From("task_id", plan.TaskID)),
			render.Blob(plan.TaskData, "task", "task_encoding")),
	},
	{
		Logical: plan.FairTaskQueues, Witness: plan.QueueRangeID, NoTTL: true, Scan: render.Filtered,
		Families: one("tasks_v2", 3,
			inQueue(render.Fixed("subqueue", ownSubqueue), render.Fixed("pass_task_id", render.EncodePair(0, 0))),
			queueColumns...),
	},
	{
		Logical: plan.FairTasks, Witness: plan.TaskData, NoTTL: true,
		Families: one("tasks_v2", 3,
			inQueue(subqueue, render.Pair("pass_task_id", plan.TaskPass, plan.TaskID)),
			render.Blob(plan.TaskData, "task", "task_encoding")),
	},
	{
		Logical: plan.UserData, Witness: plan.UserDataVersion, NoTTL: true,
		Families: one("task_queue_user_data", 1,
			[]render.Key{
				render.From("namespace_id", plan.QueueNamespaceID), render.Fixed("build_id", ""),
				render.From("task_queue_name", plan.QueueName),
			},
			render.Blob(plan.UserDataBlob, "data", "data_encoding"),
			render.Plain(plan.UserDataVersion, "version")),
	},
	{
		Logical: plan.BuildIDs, NoTTL: true,
		Families: one("task_queue_user_data", 1,
			[]render.Key{
				render.From("namespace_id", plan.QueueNamespaceID),
				{Name: "build_id", Of: plan.BuildID, Reserved: ""},
				render.From("task_queue_name", plan.QueueName),
			}),
	},
}

// clusterTables are the namespaces and what a cluster knows of itself.
var clusterTables = []*render.Table{
	{
		Logical: plan.Namespaces, Witness: plan.NamespaceID, NoTTL: true, Scan: render.PlainScan,
		Families: one("namespaces", 1,
			[]render.Key{render.From("name", plan.NamespaceName)},
			render.Plain(plan.NamespaceID, "id"),
			render.Blob(plan.NamespaceDetail, "detail", "detail_encoding"),
			render.Plain(plan.NamespaceIsGlobal, "is_global_namespace"),
			render.Plain(plan.NamespaceNotificationVersion, "notification_version")),
	},
	{
		Logical: plan.NamespaceIDs, Witness: plan.NamespaceIDName, NoTTL: true,
		Families: one("namespaces_by_id", 1,
			[]render.Key{render.From("id", plan.NamespaceIDKey)},
			render.Plain(plan.NamespaceIDName, "name")),
	},
	{
		Logical: plan.NamespaceVersion, Witness: plan.GlobalNotificationVersion, NoTTL: true,
		Families: one("namespace_version", 1,
			[]render.Key{render.Fixed("partition", int64(0))},
			render.Plain(plan.GlobalNotificationVersion, "notification_version")),
	},
	{
		Logical: plan.ClusterMetadata, Witness: plan.ClusterMetadataVersion, NoTTL: true,
		Families: one("cluster_metadata_info", 1,
			[]render.Key{render.Fixed("partition", int64(0)), render.From("cluster_name", plan.ClusterName)},
			render.Blob(plan.ClusterMetadataBlob, "data", "data_encoding"),
			render.Plain(plan.ClusterMetadataVersion, "version")),
	},
	{
		Logical: plan.ClusterMembers, Witness: plan.MemberSessionStart, Scan: render.Filtered,
		Families: one("cluster_membership", 1,
			[]render.Key{
				render.Fixed("partition", int64(0)),
				render.Int32("role", plan.MemberRole), render.From("host_id", plan.MemberHostID),
			},
			render.Plain(plan.MemberAddress, "rpc_address"),
			int32Column(plan.MemberPort, "rpc_port"),
			render.Plain(plan.MemberSessionStart, "session_start"),
			render.Plain(plan.MemberLastHeartbeat, "last_heartbeat")),
	},
	{
		Logical: plan.NexusEndpoints, Witness: plan.NexusEndpointVersion, NoTTL: true,
		Families: one("nexus_endpoints", 1,
			[]render.Key{
				render.Fixed("partition", int64(0)),
				render.Int32("type", plan.NexusRowType), render.From("id", plan.NexusEndpointID),
			},
			render.Blob(plan.NexusEndpointData, "data", "data_encoding"),
			render.Plain(plan.NexusEndpointVersion, "version")),
	},
}

// queueTables are the queues of messages.
var queueTables = []*render.Table{
	{
		Logical: plan.QueueMetadata, Witness: plan.QueueMetadataVersion, NoTTL: true,
		Families: one("queue_metadata", 1,
			[]render.Key{render.Int32("queue_type", plan.MessageQueueType)},
			render.Column{Of: plan.QueueClusterAckLevel, Form: render.CountMap, Name: "cluster_ack_level"},
			render.Blob(plan.QueueMetadataBlob, "data", "data_encoding"),
			render.Plain(plan.QueueMetadataVersion, "version")),
	},
	{
		Logical: plan.QueueMessages, Witness: plan.MessagePayload, NoTTL: true,
		Families: one("queue", 1,
			[]render.Key{render.Int32("queue_type", plan.MessageQueueType), render.From("message_id", plan.MessageID)},
			render.Blob(plan.MessagePayload, "message_payload", "message_encoding")),
	},
	{
		Logical: plan.QueuesV2, Witness: plan.QueueV2Version, NoTTL: true,
		Families: one("queues", 1,
			[]render.Key{render.Int32("queue_type", plan.MessageQueueType), render.From("queue_name", plan.QueueV2Name)},
			render.Blob(plan.QueueV2Metadata, "metadata_payload", "metadata_encoding"),
			render.Plain(plan.QueueV2Version, "version")),
	},
	{
		Logical: plan.QueueV2Messages, Witness: plan.MessagePayload, NoTTL: true,
		Families: one("queue_messages", 3,
			[]render.Key{
				render.Int32("queue_type", plan.MessageQueueType),
				render.From("queue_name", plan.QueueV2Name),
				render.Int32("queue_partition", plan.QueueV2Partition),
				render.From("message_id", plan.MessageID),
			},
			render.Blob(plan.MessagePayload, "message_payload", "message_encoding")),
	},
}

// transactional are the tables that may be written in a transaction block.
var transactional = map[*plan.Table]bool{
	plan.NumberedShards: true, plan.CurrentExecutions: true, plan.Executions: true,
	plan.FairTaskQueues: true, plan.FairTasks: true, plan.UserData: true, plan.BuildIDs: true,
	plan.Namespaces: true, plan.NamespaceIDs: true, plan.NamespaceVersion: true, plan.NexusEndpoints: true,
}
