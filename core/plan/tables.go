package plan

import "math"

// Immediate is the fire time of a history task that is not scheduled. Layouts
// store it as the constant that their schema uses.
const Immediate int64 = math.MinInt64

// The key columns that several tables share.
var (
	shardID     = &Column{Name: "shard_id", Kind: Int}
	namespaceID = &Column{Name: "namespace_id", Kind: UUID}
	workflowID  = &Column{Name: "workflow_id", Kind: Text}
	queueName   = &Column{Name: "task_queue_name", Kind: Text}
	queueType   = &Column{Name: "task_queue_type", Kind: Int}
	subqueue    = &Column{Name: "subqueue", Kind: Int}
)

// Shards: one row for each shard, its lease and its state.
var (
	ShardID      = shardID
	ShardRangeID = &Column{Name: "range_id", Kind: Int}
	ShardInfo    = &Column{Name: "shard", Kind: Data}

	Shards = &Table{
		Name:     "shards",
		Key:      []*Column{shardID},
		Columns:  []*Column{ShardRangeID, ShardInfo},
		Numbered: NumberedShards,
	}
)

// NumberedShards are Shards where writes have numbers: what is needed to tell
// which of them took effect. Whoever sequences writes knows what the texts mean.
var (
	ShardWriteSeq = &Column{Name: "write_seq", Kind: Int}
	ShardEnds     = &Column{Name: "ends", Kind: Text}
	ShardBurned   = &Column{Name: "burned", Kind: Text}
	ShardNonce    = &Column{Name: "owner_nonce", Kind: UUID}

	NumberedShards = &Table{
		Name:    "shards",
		Key:     []*Column{shardID},
		Columns: []*Column{ShardRangeID, ShardInfo, ShardWriteSeq, ShardEnds, ShardBurned, ShardNonce},
	}
)

// CurrentExecutions: which run of a workflow id is the current one, one row for
// each archetype.
var (
	CurrentArchetypeID      = &Column{Name: "archetype_id", Kind: Int}
	CurrentRunID            = &Column{Name: "current_run_id", Kind: UUID}
	CurrentState            = &Column{Name: "execution_state", Kind: Data}
	CurrentLastWriteVersion = &Column{Name: "workflow_last_write_version", Kind: Int}
	CurrentWorkflowState    = &Column{Name: "workflow_state", Kind: Int}

	CurrentExecutions = &Table{
		Name:    "current_executions",
		Key:     []*Column{shardID, namespaceID, workflowID, CurrentArchetypeID},
		Columns: []*Column{CurrentRunID, CurrentState, CurrentLastWriteVersion, CurrentWorkflowState},
	}
)

// Executions: the mutable state of one run, whatever its archetype.
var (
	ExecutionNamespaceID = namespaceID
	ExecutionWorkflowID  = workflowID
	ExecutionRunID       = &Column{Name: "run_id", Kind: UUID}
	ExecutionInfo        = &Column{Name: "execution", Kind: Data}
	ExecutionState       = &Column{Name: "execution_state", Kind: Data}
	NextEventID          = &Column{Name: "next_event_id", Kind: Int}
	RecordVersion        = &Column{Name: "db_record_version", Kind: Int}
	Checksum             = &Column{Name: "checksum", Kind: Data}
	Activities           = &Column{Name: "activities", Kind: IntData}
	Timers               = &Column{Name: "timers", Kind: TextData}
	ChildExecutions      = &Column{Name: "child_executions", Kind: IntData}
	RequestCancels       = &Column{Name: "request_cancels", Kind: IntData}
	Signals              = &Column{Name: "signals", Kind: IntData}
	ChasmNodes           = &Column{Name: "chasm_nodes", Kind: Nodes}
	SignalRequested      = &Column{Name: "signal_requested", Kind: TextSet}
	BufferedEvents       = &Column{Name: "buffered_events", Kind: DataList}

	Executions = &Table{
		Name: "executions",
		Key:  []*Column{shardID, namespaceID, workflowID, ExecutionRunID},
		Columns: []*Column{
			ExecutionInfo, ExecutionState, NextEventID, RecordVersion, Checksum,
			Activities, Timers, ChildExecutions, RequestCancels, Signals, ChasmNodes,
			SignalRequested, BufferedEvents,
		},
	}
)

// HistoryTasks: the tasks of a shard, all categories. Fire time is [Immediate]
// for tasks that are not scheduled.
var (
	TaskCategoryID = &Column{Name: "category_id", Kind: Int}
	TaskFireTime   = &Column{Name: "fire_time", Kind: Time}
	HistoryTaskID  = &Column{Name: "task_id", Kind: Int}
	HistoryTask    = &Column{Name: "task", Kind: Data}

	HistoryTasks = &Table{
		Name:      "history_tasks",
		Key:       []*Column{shardID, TaskCategoryID, TaskFireTime, HistoryTaskID},
		Columns:   []*Column{HistoryTask},
		Sequenced: true,
		Numbered:  NumberedTasks,
	}
)

// NumberedTasks are HistoryTasks where writes have numbers: each row says to
// which write it belongs, so that two attempts of one task are two rows. The
// latest comes first.
var (
	TaskWriteRange = &Column{Name: "write_range", Kind: Int, Desc: true}
	TaskWriteSeq   = &Column{Name: "write_seq", Kind: Int, Desc: true}

	NumberedTasks = &Table{
		Name:    "history_tasks",
		Key:     []*Column{shardID, TaskCategoryID, TaskFireTime, HistoryTaskID, TaskWriteRange, TaskWriteSeq},
		Columns: []*Column{HistoryTask},
	}
)

// ReplicationDLQ: replication tasks of a shard that could not be applied.
var (
	DLQSourceCluster = &Column{Name: "source_cluster", Kind: Text}
	DLQTaskID        = &Column{Name: "task_id", Kind: Int}
	DLQTask          = &Column{Name: "task", Kind: Data}

	ReplicationDLQ = &Table{
		Name:    "replication_dlq",
		Key:     []*Column{shardID, DLQSourceCluster, DLQTaskID},
		Columns: []*Column{DLQTask},
	}
)

// ShardRows: every row of a shard's partition, whatever it is, for those who
// look for what they do not know. It is only read, and only dialects with
// cql.Traits.ShardPartition have it; it is not one of [AllTables].
var (
	RowType       = &Column{Name: "type", Kind: Int}
	RowNamespace  = &Column{Name: "namespace_id", Kind: UUID}
	RowWorkflow   = &Column{Name: "workflow_id", Kind: Text}
	RowRun        = &Column{Name: "run_id", Kind: UUID}
	RowTime       = &Column{Name: "visibility_ts", Kind: Time}
	RowTask       = &Column{Name: "task_id", Kind: Int}
	RowCurrentRun = &Column{Name: "current_run_id", Kind: UUID}     // of current executions
	RowExecution  = &Column{Name: "execution_encoding", Kind: Text} // of executions

	ShardRows = &Table{
		Name:    "shard_rows",
		Key:     []*Column{shardID, RowType, RowNamespace, RowWorkflow, RowRun, RowTime, RowTask},
		Columns: []*Column{RowCurrentRun, RowExecution},
	}
)

// HistoryTree and HistoryNodes: branches of event histories and their batches
// of events. Both are written once and never changed.
var (
	TreeID     = &Column{Name: "tree_id", Kind: UUID}
	BranchID   = &Column{Name: "branch_id", Kind: UUID}
	BranchInfo = &Column{Name: "branch", Kind: Data}

	HistoryTree = &Table{
		Name:    "history_tree",
		Key:     []*Column{TreeID, BranchID},
		Columns: []*Column{BranchInfo},
	}

	NodeID        = &Column{Name: "node_id", Kind: Int}
	NodeTxnID     = &Column{Name: "txn_id", Kind: Int, Desc: true}
	NodePrevTxnID = &Column{Name: "prev_txn_id", Kind: Int}
	NodeEvents    = &Column{Name: "data", Kind: Data}

	HistoryNodes = &Table{
		Name:    "history_node",
		Key:     []*Column{TreeID, BranchID, NodeID, NodeTxnID},
		Columns: []*Column{NodePrevTxnID, NodeEvents},
	}
)

// TaskQueues and FairTaskQueues: leases and metadata of matching's queues, of
// the classic and of the fair kind. Tasks and FairTasks: what is queued.
var (
	QueueNamespaceID = namespaceID
	QueueName        = queueName
	QueueTaskType    = queueType
	QueueRangeID     = &Column{Name: "range_id", Kind: Int}
	QueueInfo        = &Column{Name: "task_queue", Kind: Data}

	TaskQueues = &Table{
		Name:    "task_queues",
		Key:     []*Column{namespaceID, queueName, queueType},
		Columns: []*Column{QueueRangeID, QueueInfo},
	}
	FairTaskQueues = &Table{
		Name:    "fair_task_queues",
		Key:     []*Column{namespaceID, queueName, queueType},
		Columns: []*Column{QueueRangeID, QueueInfo},
	}

	Subqueue = subqueue
	TaskPass = &Column{Name: "pass", Kind: Int}
	TaskID   = &Column{Name: "task_id", Kind: Int}
	TaskData = &Column{Name: "task", Kind: Data}

	Tasks = &Table{
		Name:    "tasks",
		Key:     []*Column{namespaceID, queueName, queueType, subqueue, TaskID},
		Columns: []*Column{TaskData},
	}
	FairTasks = &Table{
		Name:    "fair_tasks",
		Key:     []*Column{namespaceID, queueName, queueType, subqueue, TaskPass, TaskID},
		Columns: []*Column{TaskData},
	}
)

// UserData: versioning data of a task queue. BuildIDs: which queues know a
// build id; the row itself is the fact.
var (
	UserDataBlob    = &Column{Name: "data", Kind: Data}
	UserDataVersion = &Column{Name: "version", Kind: Int}
	BuildID         = &Column{Name: "build_id", Kind: Text}

	UserData = &Table{
		Name:    "user_data",
		Key:     []*Column{namespaceID, queueName},
		Columns: []*Column{UserDataBlob, UserDataVersion},
	}
	BuildIDs = &Table{
		Name: "build_ids",
		Key:  []*Column{namespaceID, BuildID, queueName},
	}
)

// Namespaces, NamespaceIDs (name by id) and NamespaceVersion (a single row: the
// version that every change of a namespace moves on).
var (
	NamespaceName                = &Column{Name: "name", Kind: Text}
	NamespaceID                  = &Column{Name: "id", Kind: UUID}
	NamespaceDetail              = &Column{Name: "detail", Kind: Data}
	NamespaceIsGlobal            = &Column{Name: "is_global_namespace", Kind: Bool}
	NamespaceNotificationVersion = &Column{Name: "notification_version", Kind: Int}

	Namespaces = &Table{
		Name:    "namespaces",
		Key:     []*Column{NamespaceName},
		Columns: []*Column{NamespaceID, NamespaceDetail, NamespaceIsGlobal, NamespaceNotificationVersion},
	}

	NamespaceIDKey  = &Column{Name: "id", Kind: UUID}
	NamespaceIDName = &Column{Name: "name", Kind: Text}

	NamespaceIDs = &Table{
		Name:    "namespace_ids",
		Key:     []*Column{NamespaceIDKey},
		Columns: []*Column{NamespaceIDName},
	}

	GlobalNotificationVersion = &Column{Name: "notification_version", Kind: Int}

	NamespaceVersion = &Table{
		Name:    "namespace_version",
		Columns: []*Column{GlobalNotificationVersion},
	}
)

// ClusterMetadata and ClusterMembers: what a cluster knows of itself and of
// others, and the hosts that said lately that they live.
var (
	ClusterName            = &Column{Name: "cluster_name", Kind: Text}
	ClusterMetadataBlob    = &Column{Name: "data", Kind: Data}
	ClusterMetadataVersion = &Column{Name: "version", Kind: Int}

	ClusterMetadata = &Table{
		Name:    "cluster_metadata",
		Key:     []*Column{ClusterName},
		Columns: []*Column{ClusterMetadataBlob, ClusterMetadataVersion},
	}

	MemberRole          = &Column{Name: "role", Kind: Int}
	MemberHostID        = &Column{Name: "host_id", Kind: UUID}
	MemberAddress       = &Column{Name: "rpc_address", Kind: Inet}
	MemberPort          = &Column{Name: "rpc_port", Kind: Int}
	MemberSessionStart  = &Column{Name: "session_start", Kind: Time}
	MemberLastHeartbeat = &Column{Name: "last_heartbeat", Kind: Time}

	ClusterMembers = &Table{
		Name:    "cluster_members",
		Key:     []*Column{MemberRole, MemberHostID},
		Columns: []*Column{MemberAddress, MemberPort, MemberSessionStart, MemberLastHeartbeat},
	}
)

// QueueMetadata and QueueMessages: the namespace replication queue and its DLQ.
var (
	MessageQueueType     = &Column{Name: "queue_type", Kind: Int}
	QueueClusterAckLevel = &Column{Name: "cluster_ack_level", Kind: TextInt}
	QueueMetadataBlob    = &Column{Name: "data", Kind: Data}
	QueueMetadataVersion = &Column{Name: "version", Kind: Int}

	QueueMetadata = &Table{
		Name:    "queue_metadata",
		Key:     []*Column{MessageQueueType},
		Columns: []*Column{QueueClusterAckLevel, QueueMetadataBlob, QueueMetadataVersion},
	}

	MessageID      = &Column{Name: "message_id", Kind: Int}
	MessagePayload = &Column{Name: "message_payload", Kind: Data}

	QueueMessages = &Table{
		Name:    "queue_messages",
		Key:     []*Column{MessageQueueType, MessageID},
		Columns: []*Column{MessagePayload},
	}
)

// QueuesV2 and QueueV2Messages: generic message queues (history DLQ).
var (
	QueueV2Name      = &Column{Name: "queue_name", Kind: Text}
	QueueV2Metadata  = &Column{Name: "metadata_payload", Kind: Data}
	QueueV2Version   = &Column{Name: "version", Kind: Int}
	QueueV2Partition = &Column{Name: "queue_partition", Kind: Int}

	QueuesV2 = &Table{
		Name:    "queues_v2",
		Key:     []*Column{MessageQueueType, QueueV2Name},
		Columns: []*Column{QueueV2Metadata, QueueV2Version},
	}
	QueueV2Messages = &Table{
		Name:    "queue_v2_messages",
		Key:     []*Column{MessageQueueType, QueueV2Name, QueueV2Partition, MessageID},
		Columns: []*Column{MessagePayload},
	}
)

// NexusEndpoints: rows of type [NexusVersionRow] (a single one, with id zero:
// the version of the table) and [NexusEndpointRow]. One logical table, because
// a listing must show both at one instant.
const (
	NexusVersionRow  int64 = 0
	NexusEndpointRow int64 = 1
)

// The columns of NexusEndpoints.
var (
	NexusRowType         = &Column{Name: "type", Kind: Int}
	NexusEndpointID      = &Column{Name: "id", Kind: UUID}
	NexusEndpointData    = &Column{Name: "data", Kind: Data}
	NexusEndpointVersion = &Column{Name: "version", Kind: Int}

	NexusEndpoints = &Table{
		Name:    "nexus_endpoints",
		Key:     []*Column{NexusRowType, NexusEndpointID},
		Columns: []*Column{NexusEndpointData, NexusEndpointVersion},
	}
)

// AllTables lists every logical table that stores name. The numbered forms of
// two of them are not among them.
var AllTables = []*Table{
	Shards, CurrentExecutions, Executions, HistoryTasks, ReplicationDLQ,
	HistoryTree, HistoryNodes, TaskQueues, FairTaskQueues, Tasks, FairTasks,
	UserData, BuildIDs, Namespaces, NamespaceIDs, NamespaceVersion,
	ClusterMetadata, ClusterMembers, QueueMetadata, QueueMessages,
	QueuesV2, QueueV2Messages, NexusEndpoints,
}
