package corpus

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	enumsspb "go.temporal.io/server/api/enums/v1"
	historyspb "go.temporal.io/server/api/history/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// run is a workflow's run on its way.
type run struct {
	namespace [16]byte
	workflow  string
	id        [16]byte
	unit      records.Unit
	shard     int64
	info      *persistencespb.WorkflowExecutionInfo
	next      int64 // event id
	values    map[*plan.Column]any
}

// workflow is one workflow id: its current run, and whatever is odd about it.
func (m *maker) workflow(i int) {
	r := &run{namespace: m.namespace(), workflow: name("workflow", i), id: m.uuid(), values: make(map[*plan.Column]any)}
	r.shard = records.ShardOf(r.namespace, r.workflow, m.o.Shards)
	r.unit = records.ShardUnit(r.shard)
	r.info = &persistencespb.WorkflowExecutionInfo{
		NamespaceId: text(r.namespace), WorkflowId: r.workflow, TaskQueue: "queue-0", WorkflowTypeName: "type",
		ExecutionStats: &persistencespb.ExecutionStats{HistorySize: 1000},
	}
	version := int64(1 + m.r.IntN(9))
	if i%8 == 7 {
		version = 0 // a row from before there were record versions
	}
	if i%6 == 5 {
		m.component(r, version)
		return
	}
	m.history(r, i)
	if i%3 != 0 {
		m.state(r, i)
	}
	m.execution(r, version, archetypeWorkflow, i%5 == 4)
	m.tasks(r, i)
}

// execution is the row of a run and the one that names it the current one.
func (m *maker) execution(r *run, version, archetype int64, closed bool) {
	state := &persistencespb.WorkflowExecutionState{
		CreateRequestId: "request", RunId: text(r.id), StartTime: m.time(0),
		State: enumsspb.WORKFLOW_EXECUTION_STATE_RUNNING, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		RequestIds: map[string]*persistencespb.RequestIDInfo{"request": {EventId: 1}, "other": {EventId: 2}},
	}
	if closed {
		state.State, state.Status = enumsspb.WORKFLOW_EXECUTION_STATE_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}
	rec := m.add(records.Execution, r.unit, []any{r.shard, r.namespace, r.workflow, r.id}, r.info, state, r.next, version)
	for c, v := range r.values {
		*rec = *rec.With(c, v)
	}
	if m.chance(50) {
		sum, err := records.Checksum(rec, r.info, state)
		if err != nil {
			panic(err) // what was made here decodes
		}
		*rec = *rec.With(plan.Checksum, m.blob(&persistencespb.Checksum{
			Version: 1, Flavor: enumsspb.CHECKSUM_FLAVOR_IEEE_CRC32_OVER_PROTO3_BINARY, Value: sum,
		}))
	}
	m.add(records.Current, r.unit, []any{r.shard, r.namespace, r.workflow, archetype}, r.id, state, int64(1), int64(state.State))
}

// state fills the collections of a run.
func (m *maker) state(r *run, i int) {
	some := func(each func(n int64)) {
		most := int64(m.r.IntN(5))
		if i == 1 { // one has some of everything
			most = 3
		}
		for n := range most {
			each(n + 5)
		}
	}
	var activities, children, cancels, signals []plan.IntEntry
	some(func(n int64) {
		activities = append(activities, plan.IntEntry{Key: n, Value: m.blob(&persistencespb.ActivityInfo{
			ScheduledEventId: n, ActivityId: "activity", Attempt: int32(n), ScheduledTime: m.time(time.Second),
		})})
	})
	some(func(n int64) {
		children = append(children, plan.IntEntry{Key: n, Value: m.blob(&persistencespb.ChildExecutionInfo{InitiatedEventId: n})})
	})
	some(func(n int64) {
		cancels = append(cancels, plan.IntEntry{Key: n, Value: m.blob(&persistencespb.RequestCancelInfo{InitiatedEventId: n})})
	})
	some(func(n int64) {
		signals = append(signals, plan.IntEntry{Key: n, Value: m.blob(&persistencespb.SignalInfo{InitiatedEventId: n})})
	})
	var timers []plan.TextEntry
	some(func(n int64) {
		timers = append(timers, plan.TextEntry{Key: name("timer", int(n)), Value: m.blob(&persistencespb.TimerInfo{StartedEventId: n})})
	})
	var requested []string
	some(func(int64) { requested = append(requested, text(m.uuid())) })
	var buffered []plan.Blob
	some(func(int64) {
		buffered = append(buffered, m.blob(&historypb.History{Events: []*historypb.HistoryEvent{{
			EventId: -123, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, TaskId: m.nextTask(),
		}}}))
	})
	r.values[plan.Activities], r.values[plan.ChildExecutions] = activities, children
	r.values[plan.RequestCancels], r.values[plan.Signals], r.values[plan.Timers] = cancels, signals, timers
	r.values[plan.SignalRequested], r.values[plan.BufferedEvents] = requested, buffered
}

// component is a run that is no workflow: CHASM nodes, and a current row of its
// own archetype.
func (m *maker) component(r *run, version int64) {
	var nodes []plan.NodeEntry
	for _, path := range []string{"", "a", "a/b", "ä"} {
		node := &persistencespb.ChasmNode{
			Metadata: &persistencespb.ChasmNodeMetadata{
				InitialVersionedTransition: &persistencespb.VersionedTransition{NamespaceFailoverVersion: 1, TransitionCount: 2},
			},
			Data: &commonpb.DataBlob{Data: m.bytes(40), EncodingType: enumspb.ENCODING_TYPE_PROTO3},
		}
		if path == "ä" {
			node.Data = nil // a pointer has none
		}
		n := plan.NodeEntry{Key: path, Value: plan.Node{Whole: m.blob(node)}}
		if !m.o.Whole {
			parts, err := records.SplitNode(n.Value.Whole)
			if err != nil {
				panic(err) // it was made here
			}
			n.Value = parts
		}
		nodes = append(nodes, n)
	}
	r.values[plan.ChasmNodes] = nodes
	r.next = 1
	m.execution(r, version, archetypeComponent, false)
}

// tasks are tasks of every category, for a run.
func (m *maker) tasks(r *run, i int) {
	put := func(category, fire int64, value any) {
		m.add(records.HistoryTask, r.unit, []any{r.shard, category, fire, m.nextTask()}, value)
	}
	fire := func() int64 { return 1_700_000_000_000 + int64(m.r.IntN(1_000_000)) }
	put(1, plan.Immediate, &persistencespb.TransferTaskInfo{WorkflowId: r.workflow, RunId: text(r.id), TaskType: enumsspb.TASK_TYPE_TRANSFER_WORKFLOW_TASK})
	put(2, fire(), &persistencespb.TimerTaskInfo{WorkflowId: r.workflow, RunId: text(r.id), TaskType: enumsspb.TASK_TYPE_USER_TIMER})
	put(3, plan.Immediate, &persistencespb.ReplicationTaskInfo{WorkflowId: r.workflow, FirstEventId: 1, NextEventId: 3})
	put(4, plan.Immediate, &persistencespb.VisibilityTaskInfo{WorkflowId: r.workflow})
	if i == 0 || m.chance(50) {
		put(5, fire(), &persistencespb.ArchivalTaskInfo{WorkflowId: r.workflow}) // has the type of the replication DLQ
		put(7, plan.Immediate, &persistencespb.OutboundTaskInfo{WorkflowId: r.workflow, Destination: "somewhere"})
	}
	if i == 0 || m.chance(20) {
		put(6, fire(), plan.Blob{Data: m.bytes(20), Encoding: "Proto3"}) // has the type of visibility
		put(19, plan.Immediate, plan.Blob{Data: m.bytes(20), Encoding: "Proto3"})
	}
}

// branch returns the token of a branch.
func (m *maker) branch(tree, branch [16]byte, ancestors ...*persistencespb.HistoryBranchRange) []byte {
	return m.blob(&persistencespb.HistoryBranch{TreeId: text(tree), BranchId: text(branch), Ancestors: ancestors}).Data
}

// history makes the history of a run: a tree of its own, or (a reset run) the
// tree of a base run, which is gone.
func (m *maker) history(r *run, i int) {
	tree, branch := r.id, m.uuid()
	var ancestors []*persistencespb.HistoryBranchRange
	next, previous := int64(1), int64(0)
	if i%7 == 3 {
		tree = m.uuid()
		base := m.uuid()
		next, previous = m.nodes(r.unit, tree, base, next, previous)
		// What the base run wrote after the point of the reset stays as long as
		// nobody trims it.
		m.nodes(r.unit, tree, base, next, previous)
		ancestors = append(ancestors, &persistencespb.HistoryBranchRange{BranchId: text(base), BeginNodeId: 1, EndNodeId: next})
		if i%14 == 3 {
			m.treeRow(r, tree, base, text(m.uuid()))
		}
	}
	m.treeRow(r, tree, branch, text(r.id), ancestors...)
	r.next, _ = m.nodes(r.unit, tree, branch, next, previous)
	r.info.VersionHistories = &historyspb.VersionHistories{Histories: []*historyspb.VersionHistory{{
		BranchToken: m.branch(tree, branch, ancestors...),
		Items:       []*historyspb.VersionHistoryItem{{EventId: r.next - 1, Version: 1}},
	}}}
}

func (m *maker) treeRow(r *run, tree, branch [16]byte, owner string, ancestors ...*persistencespb.HistoryBranchRange) {
	m.add(records.Branch, r.unit, []any{tree, branch}, &persistencespb.HistoryTreeInfo{
		BranchInfo: &persistencespb.HistoryBranch{TreeId: text(tree), BranchId: text(branch), Ancestors: ancestors},
		Info:       text(r.namespace) + ":" + r.workflow + ":" + owner, ForkTime: m.time(0),
	})
}

// nodes appends batches of events to a branch. Now and then a batch was written
// twice: the one of the higher transaction counts, and is the one that the next
// batch names.
func (m *maker) nodes(unit records.Unit, tree, branch [16]byte, next, previous int64) (int64, int64) {
	for range 1 + m.r.IntN(4) {
		txn := m.nextTask()
		if m.chance(20) {
			m.node(unit, tree, branch, next, txn, previous, 1)
			txn = m.nextTask()
		}
		n := int64(1 + m.r.IntN(4))
		m.node(unit, tree, branch, next, txn, previous, n)
		next, previous = next+n, txn
	}
	return next, previous
}

func (m *maker) node(unit records.Unit, tree, branch [16]byte, first, txn, previous, events int64) {
	h := &historypb.History{}
	for e := range events {
		h.Events = append(h.Events, &historypb.HistoryEvent{
			EventId: first + e, Version: 1, EventTime: m.time(time.Duration(first) * time.Second), TaskId: txn,
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
		})
	}
	m.add(records.Node, unit, []any{tree, branch, first, txn}, previous, h)
}

// garbage are trees that belong to no execution, one of which nothing tells to
// whom it belongs, and those of which one half is gone: nodes without any row in
// history_tree, and a row without nodes.
func (m *maker) garbage() {
	r := &run{namespace: m.namespace(), workflow: "deleted"}
	r.shard = records.ShardOf(r.namespace, r.workflow, m.o.Shards)
	r.unit = records.ShardUnit(r.shard)
	tree, branch := m.uuid(), m.uuid()
	m.treeRow(r, tree, branch, text(m.uuid()))
	m.nodes(r.unit, tree, branch, 1, 0)
	m.treeRow(r, m.uuid(), m.uuid(), text(m.uuid()))
	tree = m.uuid()
	m.add(records.Branch, records.Unowned, []any{tree, branch}, plan.Blob{Data: []byte{0xff, 0xff}, Encoding: "Proto3"})
	m.nodes(records.Unowned, tree, branch, 1, 0)
	for range 3 {
		tree = m.uuid()
		next, txn := m.nodes(records.Treeless, tree, m.uuid(), 1, 0)
		m.nodes(records.Treeless, tree, m.uuid(), next, txn)
	}
}
