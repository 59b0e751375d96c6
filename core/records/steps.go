package records

import (
	"context"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// step is a piece of a part's work: one read, a listing of partitions and reads
// of each of them, or the histories.
type step struct {
	list      *listing // nil: scans has one read, without a partition
	scans     []scan
	histories bool // history.go reads; scans are what it does
}

// scan is one read whose rows are records.
type scan struct {
	read *plan.Read
	args func(key []any) []any // key is that of the partition
	keep func(*Record) bool    // nil: all
	unit func(*Record) Unit    // nil: the caller says it
}

// listing lists the partitions of a step.
type listing struct {
	key  []*plan.Column
	page func(ctx context.Context, token []byte, size int) (keys [][]any, next []byte, err error)
	read *plan.Read
}

func (st *step) reads() []*plan.Read {
	var all []*plan.Read
	if st.list != nil {
		all = append(all, st.list.read)
	}
	for i := range st.scans {
		all = append(all, st.scans[i].read)
	}
	return all
}

// whole is a read of whole rows of a table of which eq key columns are given.
func whole(t *plan.Table, eq int) *plan.Read {
	r := &plan.Read{Name: "Records/" + t.Name, Table: t, Eq: eq}
	r.Columns = append(append(r.Columns, t.Key...), t.Columns...)
	if k, ok := kindOfTable[t]; ok {
		r.TTLOf = kinds[k].expires
	}
	return r
}

// span is a read of whole rows of the partitions between two hashes.
func span(t *plan.Table) *plan.Read {
	r := whole(t, 0)
	r.Name += "/span"
	r.Span = true
	return r
}

// partitions is a read of the partitions themselves.
func partitions(t *plan.Table, key ...*plan.Column) *plan.Read {
	return &plan.Read{Name: "Records/" + t.Name + "/partitions", Table: t, Columns: key, Span: true, Distinct: true}
}

// The reads. HistoryTasks of one category begin at a key if the ack level is
// known.
var (
	readShard      = whole(plan.Shards, 1)
	readCurrents   = whole(plan.CurrentExecutions, 1)
	readExecutions = whole(plan.Executions, 1)
	readShardTasks = whole(plan.HistoryTasks, 1)
	readTasksOf    = whole(plan.HistoryTasks, 2)
	readTasksFrom  = func() *plan.Read {
		r := whole(plan.HistoryTasks, 2)
		r.Name += "/from"
		r.From = plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 2}
		return r
	}()
	readShardDLQ = whole(plan.ReplicationDLQ, 1)
	readDLQ      = whole(plan.ReplicationDLQ, 2)
	listDLQs     = partitions(plan.ReplicationDLQ, plan.ShardID, plan.DLQSourceCluster)

	spanCurrents   = span(plan.CurrentExecutions)
	spanExecutions = span(plan.Executions)

	spanBranches = span(plan.HistoryTree)
	spanNodes    = span(plan.HistoryNodes)

	listQueues     = partitions(plan.Tasks, plan.QueueNamespaceID, plan.QueueName, plan.QueueTaskType)
	listFairQueues = partitions(plan.FairTasks, plan.QueueNamespaceID, plan.QueueName, plan.QueueTaskType)
	readQueue      = whole(plan.TaskQueues, 3)
	readTasks      = whole(plan.Tasks, 3)
	readFairQueue  = whole(plan.FairTaskQueues, 3)
	readFairTasks  = whole(plan.FairTasks, 3)

	listUserData = partitions(plan.UserData, plan.QueueNamespaceID)
	readUserData = whole(plan.UserData, 1)
	readBuildIDs = whole(plan.BuildIDs, 1)

	readNamespaces = whole(plan.Namespaces, 0)
	spanIDs        = span(plan.NamespaceIDs)
	readNSVersion  = whole(plan.NamespaceVersion, 0)
	readCluster    = whole(plan.ClusterMetadata, 0)
	spanQueues     = span(plan.QueueMetadata)
	listMessages   = partitions(plan.QueueMessages, plan.MessageQueueType)
	readMessages   = whole(plan.QueueMessages, 1)
	spanQueuesV2   = span(plan.QueuesV2)
	listMessagesV2 = partitions(plan.QueueV2Messages, plan.MessageQueueType, plan.QueueV2Name, plan.QueueV2Partition)
	readMessagesV2 = whole(plan.QueueV2Messages, 3)
	readNexus      = whole(plan.NexusEndpoints, 0)

	// readExists tells whether an execution does.
	readExists = &plan.Read{
		Name: "Records/exists", Table: plan.Executions, Eq: 4, Columns: []*plan.Column{plan.NextEventID},
	}
)

func shardOf(r *Record) Unit {
	shard, _ := r.Key[0].(int64)
	return ShardUnit(shard)
}

func queueOf(r *Record) Unit {
	namespace, _ := r.Key[0].([16]byte)
	name, _ := r.Key[1].(string)
	taskType, _ := r.Key[2].(int64)
	return QueueUnit(namespace, name, taskType)
}

func userDataOf(r *Record) Unit {
	namespace, _ := r.Key[0].([16]byte)
	return UserDataUnit(namespace)
}

func in(u Unit) func(*Record) Unit { return func(*Record) Unit { return u } }

func fixed(args ...any) func([]any) []any { return func([]any) []any { return args } }

func itself(key []any) []any { return key }

// steps is the work of a part, always the same for the same part.
func (s *Source) steps(p Part, acked map[int64]ack) []step {
	one := func(read *plan.Read, unit func(*Record) Unit, args ...any) step {
		return step{scans: []scan{{read: read, args: fixed(args...), unit: unit}}}
	}
	t := s.ex.Traits()
	all := []any{t.HashMin, t.HashMax}
	from := func(list *plan.Read, args ...any) *listing { return s.spanListing(list, args) }
	switch p.Stage {
	case ShardStage:
		steps := []step{one(readShard, shardOf, p.Shard)}
		if t.ShardPartition {
			return append(steps,
				one(readCurrents, shardOf, p.Shard), one(readExecutions, shardOf, p.Shard),
				s.taskSteps(p.Shard, acked), one(readShardDLQ, shardOf, p.Shard))
		}
		tasks := one(readShardTasks, shardOf, p.Shard)
		tasks.scans[0].keep = func(r *Record) bool { return !acked[r.Family().Category].done(r) }
		return append(steps, tasks)
	case ExecutionStage:
		return []step{one(spanCurrents, shardOf, p.First, p.Last), one(spanExecutions, shardOf, p.First, p.Last)}
	case DLQStage:
		return []step{{list: from(listDLQs, p.First, p.Last), scans: []scan{{read: readDLQ, args: itself, unit: shardOf}}}}
	case HistoryStage:
		return []step{{histories: true, scans: []scan{{read: spanBranches}, {read: spanNodes}}}}
	case QueueStage:
		return []step{{list: from(listQueues, p.First, p.Last), scans: []scan{
			{read: readQueue, args: itself, unit: queueOf}, {read: readTasks, args: itself, unit: queueOf},
		}}}
	case FairQueueStage:
		return []step{{list: from(listFairQueues, p.First, p.Last), scans: []scan{
			{read: readFairQueue, args: itself, unit: queueOf}, {read: readFairTasks, args: itself, unit: queueOf},
		}}}
	case UserDataStage:
		return []step{{list: from(listUserData, p.First, p.Last), scans: []scan{
			{read: readUserData, args: itself, unit: userDataOf}, {read: readBuildIDs, args: itself, unit: userDataOf},
		}}}
	case UnitStage:
		key := p.Unit.key()
		if len(key) == 1 {
			return []step{one(readUserData, in(p.Unit), key...), one(readBuildIDs, in(p.Unit), key...)}
		}
		return []step{
			one(readQueue, in(p.Unit), key...), one(readTasks, in(p.Unit), key...),
			one(readFairQueue, in(p.Unit), key...), one(readFairTasks, in(p.Unit), key...),
		}
	case NamespaceStage:
		return []step{
			one(readNamespaces, in(Namespaces)), one(spanIDs, in(Namespaces), all...), one(readNSVersion, in(Namespaces)),
		}
	case ClusterStage:
		return []step{one(readCluster, in(Cluster))}
	case MessageStage:
		return []step{
			one(spanQueues, in(Messages), all...),
			{list: from(listMessages, all...), scans: []scan{{read: readMessages, args: itself, unit: in(Messages)}}},
		}
	case MessageV2Stage:
		return []step{
			one(spanQueuesV2, in(Messages), all...),
			{list: from(listMessagesV2, all...), scans: []scan{{read: readMessagesV2, args: itself, unit: in(Messages)}}},
		}
	case NexusStage:
		return []step{one(readNexus, in(Nexus))}
	}
	return nil
}

// spanListing lists the partitions that a read returns.
func (s *Source) spanListing(read *plan.Read, args []any) *listing {
	return &listing{key: read.Columns, read: read, page: func(
		ctx context.Context, token []byte, size int,
	) (keys [][]any, next []byte, err error) {
		rows, err := s.ex.Read(ctx, read, plan.Page{Size: size, Token: token}, args...)
		if err != nil {
			return nil, nil, err
		}
		for rows.Next() {
			key := make([]any, len(read.Columns))
			for i := range key {
				key[i] = rows.Value(i)
			}
			keys = append(keys, key)
		}
		next = rows.Token()
		if err := rows.Close(); err != nil {
			return nil, nil, err
		}
		return keys, next, nil
	}}
}
