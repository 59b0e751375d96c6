package cassandra

import (
	"fmt"
	"math"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect/render"
)

// The constants of stock Temporal's executions table: one partition for each
// shard holds rows of many kinds, told apart by type and namespace id
// (server v1.32.2, common/persistence/cassandra/execution_store.go).
const (
	typeShard = iota
	typeExecution
	typeTransfer
	typeTimer
	typeReplication
	typeReplicationDLQ
	typeVisibility
)

const (
	shardTaskID     int64 = -11
	executionTaskID int64 = -10
	// noFireTime is the visibility_ts of rows without one: 2000-01-01 UTC.
	noFireTime int64 = 946684800000

	// The row of a matching queue among its tasks (cassandra/matching_task_store.go).
	typeTaskQueue   int64 = 1
	taskQueueTaskID int64 = -12345

	// The row of table namespaces that holds the version of all of them
	// (cassandra/metadata_store.go).
	namespaceVersionRow = "temporal-namespace-metadata"

	// WorkflowArchetype is the archetype id of workflows: farm.Fingerprint32 of
	// "workflow.workflow" (chasm/workflow.go). Their current row keeps the run
	// id that it had before there were archetypes.
	WorkflowArchetype int64 = 2918170192
)

// currentRunID is the run id of the row that names a workflow's current run.
var currentRunID = render.MustUUID("30000000-0000-f000-f000-000000000001")

// family ids: the digits in which the constant ids of row kinds differ.
const (
	idsShard       = "1000"
	idsTransfer    = "3000"
	idsTimer       = "4000"
	idsReplication = "5000"
	idsVisibility  = "6000" // and the replication DLQ
	idsOther       = "8000"
)

func namespaceIDs(family string) [16]byte {
	return render.MustUUID("10000000-" + family + "-f000-f000-000000000000")
}

func workflowIDs(family string) string {
	return "20000000-" + family + "-f000-f000-000000000000"
}

func runIDs(family string) [16]byte {
	return render.MustUUID("30000000-" + family + "-f000-f000-000000000000")
}

// archetype stores an archetype id as a run id: the big-endian number in the
// last four bytes (nosqlplugin/cassandra/gocql/uuid.go, ArchetypeIDToUUID).
var archetype = &render.Codec{
	Kind: plan.UUID, Shared: true, Unordered: true,
	Encode: func(v any) (any, error) {
		id := v.(int64)
		switch {
		case id == WorkflowArchetype:
			return boxedCurrentRunID, nil
		case id <= 0 || id > math.MaxUint32:
			return nil, fmt.Errorf("%d is no archetype id", id)
		}
		return [16]byte{12: byte(id >> 24), 13: byte(id >> 16), 14: byte(id >> 8), 15: byte(id)}, nil
	},
	Decode: func(v any) (any, error) {
		u := v.([16]byte)
		if u == currentRunID {
			return WorkflowArchetype, nil
		}
		if [12]byte(u[:12]) != [12]byte{} {
			return nil, render.ErrNotRow // a run of its own, not a current row
		}
		return int64(u[12])<<24 | int64(u[13])<<16 | int64(u[14])<<8 | int64(u[15]), nil
	},
}

var boxedCurrentRunID any = currentRunID

// subqueueType stores the number of a subqueue above the two bits that tell
// tasks (0) from the queue's own row (matching_task_store.go, rowTypeTaskInSubqueue).
var subqueueType = &render.Codec{
	Kind: plan.Int, Shared: true,
	Encode: func(v any) (any, error) {
		n := v.(int64)
		if n < 0 || n > math.MaxInt32>>2 {
			return nil, fmt.Errorf("%d is no subqueue", n)
		}
		if n == 0 {
			return boxedZero, nil
		}
		return n << 2, nil
	},
	Decode: func(v any) (any, error) {
		n := v.(int64)
		if n&3 != 0 {
			return nil, render.ErrNotRow
		}
		return n >> 2, nil
	},
}

var boxedZero any = int64(0)

// fireTime stores plan.Immediate as the constant of rows without a fire time.
var fireTime = &render.Codec{
	Kind: plan.Time,
	Encode: func(v any) (any, error) {
		if v.(int64) == plan.Immediate {
			return boxedNoFireTime, nil
		}
		return v, nil
	},
	Decode: func(v any) (any, error) {
		if v.(int64) == noFireTime {
			return plan.Immediate, nil
		}
		return v, nil
	},
}

var boxedNoFireTime any = noFireTime

// port stores a port in a smallint, as the driver stores a uint16: the upper
// half is negative.
var port = &render.Codec{
	Kind: plan.Int,
	Encode: func(v any) (any, error) {
		n := v.(int64)
		if n < 0 || n > math.MaxUint16 {
			return nil, fmt.Errorf("%d is no port", n)
		}
		if n > math.MaxInt16 {
			return n - 1<<16, nil
		}
		return v, nil
	},
	Decode: func(v any) (any, error) { return v.(int64) & math.MaxUint16, nil },
}

// inShard is the key of a row in a shard's partition.
func inShard(rowType int64, namespace, workflow, run, visibility, task render.Key) []render.Key {
	return []render.Key{
		render.Int32("shard_id", plan.ShardID), render.Fixed("type", rowType),
		namespace, workflow, run, visibility, task,
	}
}

// historyTasks is the family of one category. Categories that upstream came to
// know later share one family, with the category's id as type.
func historyTasks(category, rowType int64, ids, value, encoding string) render.Family {
	f := render.Family{
		Value: category, Name: "executions", Partition: 1,
		Key: inShard(rowType,
			render.Fixed("namespace_id", namespaceIDs(ids)),
			render.Fixed("workflow_id", workflowIDs(ids)),
			render.Fixed("run_id", runIDs(ids)),
			render.Coded("visibility_ts", plan.TaskFireTime, fireTime),
			render.From("task_id", plan.HistoryTaskID)),
		Columns: []render.Column{render.Blob(plan.HistoryTask, value, encoding)},
	}
	if rowType < 0 {
		f.Any = true
		f.Key[1] = render.Int32("type", plan.TaskCategoryID)
	}
	return f
}

// shardTables are the logical tables in table executions.
var shardTables = []*render.Table{
	{
		Logical: plan.Shards, Witness: plan.ShardRangeID,
		Families: one("executions", 1,
			inShard(typeShard,
				render.Fixed("namespace_id", namespaceIDs(idsShard)),
				render.Fixed("workflow_id", workflowIDs(idsShard)),
				render.Fixed("run_id", runIDs(idsShard)),
				render.Fixed("visibility_ts", noFireTime),
				render.Fixed("task_id", shardTaskID)),
			render.Plain(plan.ShardRangeID, "range_id"),
			render.Blob(plan.ShardInfo, "shard", "shard_encoding")),
	},
	{
		Logical: plan.CurrentExecutions, Witness: plan.CurrentRunID, TTLZero: true,
		Families: marked("current_run_id", one("executions", 1,
			inShard(typeExecution,
				render.From("namespace_id", plan.ExecutionNamespaceID),
				render.From("workflow_id", plan.ExecutionWorkflowID),
				render.Coded("run_id", plan.CurrentArchetypeID, archetype),
				render.Fixed("visibility_ts", noFireTime),
				render.Fixed("task_id", executionTaskID)),
			render.Plain(plan.CurrentRunID, "current_run_id"),
			render.Blob(plan.CurrentState, "execution_state", "execution_state_encoding"),
			render.Plain(plan.CurrentLastWriteVersion, "workflow_last_write_version"),
			int32Column(plan.CurrentWorkflowState, "workflow_state"))),
	},
	{
		Logical: plan.Executions, Witness: plan.NextEventID, Wide: true,
		Families: marked("execution", one("executions", 1,
			inShard(typeExecution,
				render.From("namespace_id", plan.ExecutionNamespaceID),
				render.From("workflow_id", plan.ExecutionWorkflowID),
				render.From("run_id", plan.ExecutionRunID),
				render.Fixed("visibility_ts", noFireTime),
				render.Fixed("task_id", executionTaskID)),
			render.Blob(plan.ExecutionInfo, "execution", "execution_encoding"),
			render.Blob(plan.ExecutionState, "execution_state", "execution_state_encoding"),
			render.Plain(plan.NextEventID, "next_event_id"),
			render.Plain(plan.RecordVersion, "db_record_version"),
			render.Blob(plan.Checksum, "checksum", "checksum_encoding"),
			collection(plan.Activities, render.IntMap, "activity_map"),
			collection(plan.Timers, render.TextMap, "timer_map"),
			collection(plan.ChildExecutions, render.IntMap, "child_executions_map"),
			collection(plan.RequestCancels, render.IntMap, "request_cancel_map"),
			collection(plan.Signals, render.IntMap, "signal_map"),
			collection(plan.ChasmNodes, render.NodeMap, "chasm_node_map"),
			render.Column{Of: plan.SignalRequested, Form: render.UUIDSet, Name: "signal_requested"},
			render.Column{Of: plan.BufferedEvents, Form: render.BatchList, Name: "buffered_events_list"})),
	},
	{
		// Category ids are those of service/history/tasks/category.go.
		Logical: plan.HistoryTasks, By: plan.TaskCategoryID, Witness: plan.HistoryTask,
		Families: []render.Family{
			historyTasks(1, typeTransfer, idsTransfer, "transfer", "transfer_encoding"),
			historyTasks(2, typeTimer, idsTimer, "timer", "timer_encoding"),
			historyTasks(3, typeReplication, idsReplication, "replication", "replication_encoding"),
			historyTasks(4, typeVisibility, idsVisibility, "visibility_task_data", "visibility_task_encoding"),
			historyTasks(0, -1, idsOther, "task_data", "task_encoding"),
		},
	},
	{
		Logical: plan.ReplicationDLQ, Witness: plan.DLQTask,
		Families: one("executions", 1,
			inShard(typeReplicationDLQ,
				render.Fixed("namespace_id", namespaceIDs(idsVisibility)),
				render.From("workflow_id", plan.DLQSourceCluster),
				render.Fixed("run_id", runIDs(idsVisibility)),
				render.Fixed("visibility_ts", noFireTime),
				render.From("task_id", plan.DLQTaskID)),
			render.Blob(plan.DLQTask, "replication", "replication_encoding")),
	},
}

// shardRows is the partition of a shard as it stands.
var shardRows = []*render.Table{{
	Logical: plan.ShardRows,
	Families: one("executions", 1,
		[]render.Key{
			render.Int32("shard_id", plan.ShardID), render.Int32("type", plan.RowType),
			render.From("namespace_id", plan.RowNamespace), render.From("workflow_id", plan.RowWorkflow),
			render.From("run_id", plan.RowRun), render.From("visibility_ts", plan.RowTime),
			render.From("task_id", plan.RowTask),
		},
		render.Plain(plan.RowCurrentRun, "current_run_id"),
		render.Plain(plan.RowExecution, "execution_encoding")),
}}

// one is the family of a table whose rows all have the same form.
func one(name string, partition int, key []render.Key, columns ...render.Column) []render.Family {
	return []render.Family{{Any: true, Name: name, Partition: partition, Key: key, Columns: columns}}
}

func marked(marker string, f []render.Family) []render.Family {
	f[0].Marker = marker
	return f
}

func collection(of *plan.Column, form render.Form, name string) render.Column {
	return render.Column{Of: of, Form: form, Name: name, Encoding: name + "_encoding"}
}

func int32Column(of *plan.Column, name string) render.Column {
	c := render.Plain(of, name)
	c.Bits = 32
	return c
}
