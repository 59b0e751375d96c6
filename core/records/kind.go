package records

import (
	"fmt"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Kind is what a record is. Values are part of the encoding and never change.
type Kind uint8

// The kinds of records.
const (
	Shard            Kind = 1
	Current          Kind = 2
	Execution        Kind = 3
	HistoryTask      Kind = 4 // of the category that its key names
	ReplicationDLQ   Kind = 5
	Branch           Kind = 6
	Node             Kind = 7
	TaskQueue        Kind = 8
	Task             Kind = 9
	FairTaskQueue    Kind = 10
	FairTask         Kind = 11
	UserData         Kind = 12
	BuildID          Kind = 13
	Namespace        Kind = 14
	NamespaceID      Kind = 15
	NamespaceVersion Kind = 16
	ClusterMetadata  Kind = 17
	Queue            Kind = 18
	QueueMessage     Kind = 19
	QueueV2          Kind = 20
	QueueV2Message   Kind = 21
	NexusTable       Kind = 22
	NexusEndpoint    Kind = 23
)

// kindInfo is what is known of a kind.
type kindInfo struct {
	name  string
	table *plan.Table
	// versions are the columns that every change of the row moves on: what the
	// level "keys and versions" compares beside the key.
	versions []*plan.Column
	// expires is the column whose life is the record's; nil if none ever expires.
	expires *plan.Column
}

var kinds = map[Kind]kindInfo{
	Shard:            {name: "Shard", table: plan.Shards},
	Current:          {name: "Current", table: plan.CurrentExecutions, versions: []*plan.Column{plan.CurrentRunID, plan.CurrentLastWriteVersion}},
	Execution:        {name: "Execution", table: plan.Executions, versions: []*plan.Column{plan.NextEventID, plan.RecordVersion}},
	HistoryTask:      {name: "HistoryTask", table: plan.HistoryTasks},
	ReplicationDLQ:   {name: "ReplicationDLQ", table: plan.ReplicationDLQ},
	Branch:           {name: "Branch", table: plan.HistoryTree},
	Node:             {name: "Node", table: plan.HistoryNodes, versions: []*plan.Column{plan.NodePrevTxnID}},
	TaskQueue:        {name: "TaskQueue", table: plan.TaskQueues, versions: []*plan.Column{plan.QueueRangeID}, expires: plan.QueueInfo},
	Task:             {name: "Task", table: plan.Tasks, expires: plan.TaskData},
	FairTaskQueue:    {name: "FairTaskQueue", table: plan.FairTaskQueues, versions: []*plan.Column{plan.QueueRangeID}},
	FairTask:         {name: "FairTask", table: plan.FairTasks},
	UserData:         {name: "UserData", table: plan.UserData, versions: []*plan.Column{plan.UserDataVersion}},
	BuildID:          {name: "BuildID", table: plan.BuildIDs},
	Namespace:        {name: "Namespace", table: plan.Namespaces, versions: []*plan.Column{plan.NamespaceNotificationVersion}},
	NamespaceID:      {name: "NamespaceID", table: plan.NamespaceIDs},
	NamespaceVersion: {name: "NamespaceVersion", table: plan.NamespaceVersion, versions: []*plan.Column{plan.GlobalNotificationVersion}},
	ClusterMetadata:  {name: "ClusterMetadata", table: plan.ClusterMetadata, versions: []*plan.Column{plan.ClusterMetadataVersion}},
	Queue:            {name: "Queue", table: plan.QueueMetadata, versions: []*plan.Column{plan.QueueMetadataVersion}},
	QueueMessage:     {name: "QueueMessage", table: plan.QueueMessages},
	QueueV2:          {name: "QueueV2", table: plan.QueuesV2, versions: []*plan.Column{plan.QueueV2Version}},
	QueueV2Message:   {name: "QueueV2Message", table: plan.QueueV2Messages},
	NexusTable:       {name: "NexusTable", table: plan.NexusEndpoints, versions: []*plan.Column{plan.NexusEndpointVersion}},
	NexusEndpoint:    {name: "NexusEndpoint", table: plan.NexusEndpoints, versions: []*plan.Column{plan.NexusEndpointVersion}},
}

// Kinds lists all kinds in order.
func Kinds() []Kind {
	all := make([]Kind, 0, len(kinds))
	for k := range kinds {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// Table is the logical table in which records of the kind are rows.
func (k Kind) Table() *plan.Table { return kinds[k].table }

func (k Kind) String() string {
	if info, ok := kinds[k]; ok {
		return info.name
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// kindOf tells the kind of a row of a table.
func kindOf(t *plan.Table, key []any) Kind {
	if t == plan.NexusEndpoints {
		if key[0] == plan.NexusVersionRow {
			return NexusTable
		}
		return NexusEndpoint
	}
	return kindOfTable[t]
}

var kindOfTable = func() map[*plan.Table]Kind {
	m := make(map[*plan.Table]Kind)
	for _, k := range Kinds() {
		m[k.Table()] = k
	}
	return m
}()

// Family is a kind, and for history tasks also the category: what is counted
// and summed apart.
type Family struct {
	Kind     Kind
	Category int64 // of history tasks; else 0
}

func (f Family) String() string {
	if f.Kind == HistoryTask {
		return fmt.Sprintf("%s/%d", f.Kind, f.Category)
	}
	return f.Kind.String()
}
