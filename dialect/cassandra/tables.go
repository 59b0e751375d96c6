package cassandra

import (
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect/render"
)

// historyTables are the event histories.
var historyTables = []*render.Table{
	{
		Logical: plan.HistoryTree, Witness: plan.BranchInfo, Scan: render.PlainScan,
		Families: one("history_tree", 1,
			[]render.Key{render.From("tree_id", plan.TreeID), render.From("branch_id", plan.BranchID)},
			render.Blob(plan.BranchInfo, "branch", "branch_encoding")),
	},
	{
		Logical: plan.HistoryNodes, Witness: plan.NodeEvents,
		Families: one("history_node", 1,
			[]render.Key{
				render.From("tree_id", plan.TreeID), render.From("branch_id", plan.BranchID),
				render.From("node_id", plan.NodeID), render.From("txn_id", plan.NodeTxnID),
			},
			render.Plain(plan.NodePrevTxnID, "prev_txn_id"),
			render.Blob(plan.NodeEvents, "data", "data_encoding")),
	},
}

// inQueue is the start of the key of a row in a matching queue's partition.
func inQueue(rest ...render.Key) []render.Key {
	return append([]render.Key{
		render.From("namespace_id", plan.QueueNamespaceID),
		render.From("task_queue_name", plan.QueueName),
		render.Int32("task_queue_type", plan.QueueTaskType),
	}, rest...)
}

// queueColumns are those of a queue's own row.
var queueColumns = []render.Column{
	render.Plain(plan.QueueRangeID, "range_id"),
	render.Blob(plan.QueueInfo, "task_queue", "task_queue_encoding"),
}

// matchingTables are matching's queues and tasks, of the classic kind in
// table tasks and of the fair kind in tasks_v2, and what is known of queues.
//
// Listing all queues is a scan that the server filters. Upstream's store
// refuses to list them; only offline tools ask.
var matchingTables = []*render.Table{
	{
		Logical: plan.TaskQueues, Witness: plan.QueueRangeID, Scan: render.Filtered,
		Families: one("tasks", 3,
			inQueue(render.Fixed("type", typeTaskQueue), render.Fixed("task_id", taskQueueTaskID)),
			queueColumns...),
	},
	{
		Logical: plan.FairTaskQueues, Witness: plan.QueueRangeID, Scan: render.Filtered,
		Families: one("tasks_v2", 3,
			inQueue(render.Fixed("type", typeTaskQueue), render.Fixed("pass", int64(0)),
				render.Fixed("task_id", taskQueueTaskID)),
			queueColumns...),
	},
	{
		Logical: plan.Tasks, Witness: plan.TaskData,
		Families: one("tasks", 3,
			inQueue(render.Coded("type", plan.Subqueue, subqueueType), render.From("task_id", plan.TaskID)),
			render.Blob(plan.TaskData, "task", "task_encoding")),
	},
	{
		Logical: plan.FairTasks, Witness: plan.TaskData,
		Families: one("tasks_v2", 3,
			inQueue(render.Coded("type", plan.Subqueue, subqueueType), render.From("pass", plan.TaskPass),
				render.From("task_id", plan.TaskID)),
			render.Blob(plan.TaskData, "task", "task_encoding")),
	},
	{
		Logical: plan.UserData, Witness: plan.UserDataVersion,
		Families: one("task_queue_user_data", 1,
			[]render.Key{
				render.From("namespace_id", plan.QueueNamespaceID), render.Fixed("build_id", ""),
				render.From("task_queue_name", plan.QueueName),
			},
			render.Blob(plan.UserDataBlob, "data", "data_encoding"),
			render.Plain(plan.UserDataVersion, "version")),
	},
	{
		Logical: plan.BuildIDs,
		Families: one("task_queue_user_data", 1,
			[]render.Key{
				render.From("namespace_id", plan.QueueNamespaceID),
				{Name: "build_id", Of: plan.BuildID, Reserved: ""},
				render.From("task_queue_name", plan.QueueName),
			}),
	},
}

// clusterTables are the namespaces and what a cluster knows of itself. Each
// table is a single partition, but for the look-up of names by id.
var clusterTables = []*render.Table{
	{
		Logical: plan.Namespaces, Witness: plan.NamespaceID,
		Families: one("namespaces", 1,
			[]render.Key{
				render.Fixed("namespaces_partition", int64(0)),
				{Name: "name", Of: plan.NamespaceName, Reserved: namespaceVersionRow},
			},
			render.Plain(plan.NamespaceID, "id"),
			render.Blob(plan.NamespaceDetail, "detail", "detail_encoding"),
			render.Plain(plan.NamespaceIsGlobal, "is_global_namespace"),
			render.Plain(plan.NamespaceNotificationVersion, "notification_version")),
	},
	{
		Logical: plan.NamespaceIDs, Witness: plan.NamespaceIDName,
		Families: one("namespaces_by_id", 1,
			[]render.Key{render.From("id", plan.NamespaceIDKey)},
			render.Plain(plan.NamespaceIDName, "name")),
	},
	{
		Logical: plan.NamespaceVersion, Witness: plan.GlobalNotificationVersion,
		Families: one("namespaces", 1,
			[]render.Key{
				render.Fixed("namespaces_partition", int64(0)),
				render.Fixed("name", namespaceVersionRow),
			},
			render.Plain(plan.GlobalNotificationVersion, "notification_version")),
	},
	{
		Logical: plan.ClusterMetadata, Witness: plan.ClusterMetadataVersion,
		Families: one("cluster_metadata_info", 1,
			[]render.Key{
				render.Fixed("metadata_partition", int64(0)),
				render.From("cluster_name", plan.ClusterName),
			},
			render.Blob(plan.ClusterMetadataBlob, "data", "data_encoding"),
			render.Plain(plan.ClusterMetadataVersion, "version")),
	},
	{
		Logical: plan.ClusterMembers, Witness: plan.MemberSessionStart, Scan: render.Filtered,
		Families: one("cluster_membership", 1,
			[]render.Key{
				render.Fixed("membership_partition", int64(0)),
				{Name: "role", Of: plan.MemberRole, Bits: 8},
				render.From("host_id", plan.MemberHostID),
			},
			render.Plain(plan.MemberAddress, "rpc_address"),
			render.Column{Of: plan.MemberPort, Form: render.Scalar, Name: "rpc_port", Codec: port},
			render.Plain(plan.MemberSessionStart, "session_start"),
			render.Plain(plan.MemberLastHeartbeat, "last_heartbeat")),
	},
	{
		Logical: plan.NexusEndpoints, Witness: plan.NexusEndpointVersion,
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
		Logical: plan.QueueMetadata, Witness: plan.QueueMetadataVersion,
		Families: one("queue_metadata", 1,
			[]render.Key{render.Int32("queue_type", plan.MessageQueueType)},
			render.Column{Of: plan.QueueClusterAckLevel, Form: render.CountMap, Name: "cluster_ack_level"},
			render.Blob(plan.QueueMetadataBlob, "data", "data_encoding"),
			render.Plain(plan.QueueMetadataVersion, "version")),
	},
	{
		Logical: plan.QueueMessages, Witness: plan.MessagePayload,
		Families: one("queue", 1,
			[]render.Key{render.Int32("queue_type", plan.MessageQueueType), render.From("message_id", plan.MessageID)},
			render.Blob(plan.MessagePayload, "message_payload", "message_encoding")),
	},
	{
		Logical: plan.QueuesV2, Witness: plan.QueueV2Version, Scan: render.Filtered,
		Families: one("queues", 2,
			[]render.Key{
				render.Int32("queue_type", plan.MessageQueueType),
				render.From("queue_name", plan.QueueV2Name),
			},
			render.Blob(plan.QueueV2Metadata, "metadata_payload", "metadata_encoding"),
			render.Plain(plan.QueueV2Version, "version")),
	},
	{
		Logical: plan.QueueV2Messages, Witness: plan.MessagePayload,
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
