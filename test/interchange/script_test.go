package interchange

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	enumsspb "go.temporal.io/server/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/chasm"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/service/history/tasks"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// arm is one set of stores over one keyspace.
type arm struct {
	shards    p.ShardStore
	runs      p.ExecutionStore
	classic   p.TaskStore
	fair      p.TaskStore
	spaces    p.MetadataStore
	clusters  p.ClusterMetadataStore
	queue     p.Queue
	queueV2   p.QueueV2
	endpoints p.NexusEndpointStore
	close     func()
}

// call is one store call. Its answer is what a caller sees; nil if it has none.
type call struct {
	name string
	do   func(ctx context.Context, a *arm) (answer any, err error)
}

// run is what the script knows of one run of a workflow.
type run struct {
	workflow, id string
	namespace    string
	archetype    chasm.ArchetypeID
	version      int64
	closed       bool
	activities   []int64
	timers       []string
	nodes        []string
	signals      []string
}

// script draws calls from a seed. It follows what the calls should have done,
// so that most succeed and some are refused for a known reason.
type script struct {
	rand    *rand.Rand
	codec   serialization.Serializer
	shard   int32
	rangeID int64
	runs    []*run
	current map[string]*run // by namespace, workflow and archetype
	taskID  int64

	namespaces    map[string]string // id by name
	queueRange    map[string]int64
	userData      map[string]int64
	endpoints     map[string]int64
	endpointTable int64
	clusterData   map[string]int64
	queueVersion  int64
	queuesV2      map[string]int
	branches      []*persistencespb.HistoryBranch
}

func newScript(seed uint64) *script {
	return &script{
		rand: rand.New(rand.NewPCG(seed, 1)), codec: serialization.NewSerializer(), shard: 7, rangeID: 1,
		current: map[string]*run{}, namespaces: map[string]string{}, queueRange: map[string]int64{}, userData: map[string]int64{},
		endpoints: map[string]int64{}, clusterData: map[string]int64{}, queuesV2: map[string]int{},
	}
}

func (s *script) uuid() string {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(s.rand.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id.String()
}

func (s *script) one(n int) bool { return s.rand.IntN(n) == 0 }

func (s *script) blob() *commonpb.DataBlob {
	b := make([]byte, 1+s.rand.IntN(40))
	for i := range b {
		b[i] = byte(s.rand.Uint32())
	}
	return &commonpb.DataBlob{Data: b, EncodingType: enumspb.ENCODING_TYPE_PROTO3}
}

func (s *script) state(r *run, state enumsspb.WorkflowExecutionState, status enumspb.WorkflowExecutionStatus) (*persistencespb.WorkflowExecutionState, *commonpb.DataBlob) {
	st := &persistencespb.WorkflowExecutionState{
		RunId: r.id, CreateRequestId: s.uuid(), State: state, Status: status,
		StartTime: timestamppb.New(time.UnixMilli(1_700_000_000_000 + s.rand.Int64N(1e9))),
	}
	b, err := s.codec.WorkflowExecutionStateToBlob(st)
	if err != nil {
		panic(err)
	}
	return st, b
}

func (s *script) node() p.InternalChasmNode { return p.InternalChasmNode{CassandraBlob: s.blob()} }

// tasks draws tasks of every category that a server stores.
func (s *script) tasks() map[tasks.Category][]p.InternalHistoryTask {
	out := map[tasks.Category][]p.InternalHistoryTask{}
	for _, c := range []tasks.Category{
		tasks.CategoryTransfer, tasks.CategoryTimer, tasks.CategoryReplication, tasks.CategoryVisibility,
		tasks.CategoryArchival, tasks.CategoryOutbound,
	} {
		for range s.rand.IntN(3) {
			s.taskID++
			key := tasks.NewImmediateKey(s.taskID)
			if c.Type() == tasks.CategoryTypeScheduled {
				key = tasks.NewKey(time.UnixMilli(1_800_000_000_000+s.rand.Int64N(1e6)).UTC(), s.taskID)
			}
			out[c] = append(out[c], p.InternalHistoryTask{Key: key, Blob: s.blob()})
		}
	}
	return out
}

func (s *script) snapshot(r *run, state enumsspb.WorkflowExecutionState, status enumspb.WorkflowExecutionStatus) p.InternalWorkflowSnapshot {
	st, stBlob := s.state(r, state, status)
	snap := p.InternalWorkflowSnapshot{
		NamespaceID: r.namespace, WorkflowID: r.workflow, RunID: r.id,
		ExecutionInfo: &persistencespb.WorkflowExecutionInfo{}, ExecutionInfoBlob: s.blob(),
		ExecutionState: st, ExecutionStateBlob: stBlob,
		LastWriteVersion: 1, NextEventID: s.rand.Int64N(100), DBRecordVersion: r.version,
		ActivityInfos: map[int64]*commonpb.DataBlob{}, TimerInfos: map[string]*commonpb.DataBlob{},
		ChildExecutionInfos: map[int64]*commonpb.DataBlob{}, RequestCancelInfos: map[int64]*commonpb.DataBlob{},
		SignalInfos: map[int64]*commonpb.DataBlob{}, ChasmNodes: map[string]p.InternalChasmNode{},
		SignalRequestedIDs: map[string]struct{}{}, Tasks: s.tasks(), Checksum: s.blob(),
	}
	r.activities, r.timers, r.nodes, r.signals = nil, nil, nil, nil
	for range s.rand.IntN(3) {
		id := s.rand.Int64N(50)
		snap.ActivityInfos[id] = s.blob()
		snap.ChildExecutionInfos[id] = s.blob()
		r.activities = append(r.activities, id)
	}
	for range s.rand.IntN(3) {
		id := s.uuid()
		snap.TimerInfos[id] = s.blob()
		snap.SignalRequestedIDs[id] = struct{}{}
		r.timers, r.signals = append(r.timers, id), append(r.signals, id)
	}
	if s.one(2) {
		snap.RequestCancelInfos[s.rand.Int64N(50)] = s.blob()
		snap.SignalInfos[s.rand.Int64N(50)] = s.blob()
		path := fmt.Sprintf("a/%d", s.rand.IntN(9))
		snap.ChasmNodes[path] = s.node()
		r.nodes = append(r.nodes, path)
	}
	return snap
}

func (s *script) mutation(r *run, state enumsspb.WorkflowExecutionState, status enumspb.WorkflowExecutionStatus) p.InternalWorkflowMutation {
	st, stBlob := s.state(r, state, status)
	m := p.InternalWorkflowMutation{
		NamespaceID: r.namespace, WorkflowID: r.workflow, RunID: r.id,
		ExecutionInfo: &persistencespb.WorkflowExecutionInfo{}, ExecutionInfoBlob: s.blob(),
		ExecutionState: st, ExecutionStateBlob: stBlob,
		LastWriteVersion: 1, NextEventID: s.rand.Int64N(100), DBRecordVersion: r.version + 1,
		UpsertActivityInfos: map[int64]*commonpb.DataBlob{}, DeleteActivityInfos: map[int64]struct{}{},
		UpsertTimerInfos: map[string]*commonpb.DataBlob{}, DeleteTimerInfos: map[string]struct{}{},
		UpsertChildExecutionInfos: map[int64]*commonpb.DataBlob{}, DeleteChildExecutionInfos: map[int64]struct{}{},
		UpsertRequestCancelInfos: map[int64]*commonpb.DataBlob{}, UpsertSignalInfos: map[int64]*commonpb.DataBlob{},
		UpsertChasmNodes: map[string]p.InternalChasmNode{}, DeleteChasmNodes: map[string]struct{}{},
		UpsertSignalRequestedIDs: map[string]struct{}{}, DeleteSignalRequestedIDs: map[string]struct{}{},
		Tasks: s.tasks(), Checksum: s.blob(),
	}
	// A key is either written or deleted: of both in one call, stock's answer
	// depends on the order in which Go walks its maps.
	for range s.rand.IntN(3) {
		id := 100 + s.rand.Int64N(50)
		m.UpsertActivityInfos[id] = s.blob()
		m.UpsertRequestCancelInfos[id] = s.blob()
	}
	if len(r.activities) > 0 && s.one(2) {
		m.DeleteActivityInfos[r.activities[0]] = struct{}{}
		m.DeleteChildExecutionInfos[r.activities[0]] = struct{}{}
		r.activities = r.activities[1:]
	}
	if len(r.timers) > 0 && s.one(2) {
		m.DeleteTimerInfos[r.timers[0]] = struct{}{}
		m.DeleteSignalRequestedIDs[r.timers[0]] = struct{}{}
		r.timers = r.timers[1:]
	}
	if len(r.nodes) > 0 && s.one(2) {
		m.DeleteChasmNodes[r.nodes[0]] = struct{}{}
		r.nodes = r.nodes[1:]
	} else if s.one(2) {
		m.UpsertChasmNodes[fmt.Sprintf("b/%d", s.rand.IntN(9))] = s.node()
	}
	if s.one(2) {
		id := s.uuid()
		m.UpsertTimerInfos[id] = s.blob()
		m.UpsertSignalRequestedIDs[id] = struct{}{}
		m.UpsertSignalInfos[s.rand.Int64N(50)] = s.blob()
		m.UpsertChildExecutionInfos[200+s.rand.Int64N(50)] = s.blob()
	}
	switch s.rand.IntN(3) {
	case 0:
		m.NewBufferedEvents = s.blob()
	case 1:
		m.ClearBufferedEvents = true
	}
	return m
}

func (s *script) branch() *persistencespb.HistoryBranch {
	return &persistencespb.HistoryBranch{TreeId: s.uuid(), BranchId: s.uuid()}
}

// events draws an append of one node, to a new branch if b is nil.
func (s *script) events(b *persistencespb.HistoryBranch) []*p.InternalAppendHistoryNodesRequest {
	req := &p.InternalAppendHistoryNodesRequest{BranchInfo: b, ShardID: s.shard, Node: p.InternalHistoryNode{
		NodeID: 1 + s.rand.Int64N(50), TransactionID: s.rand.Int64N(1000), PrevTransactionID: s.rand.Int64N(1000), Events: s.blob(),
	}}
	if b == nil {
		req.BranchInfo, req.IsNewBranch, req.TreeInfo = s.branch(), true, s.blob()
		s.branches = append(s.branches, req.BranchInfo)
	}
	return []*p.InternalAppendHistoryNodesRequest{req}
}

func (r *run) key() string { return fmt.Sprintf("%s/%s/%d", r.namespace, r.workflow, r.archetype) }

const (
	running   = enumsspb.WORKFLOW_EXECUTION_STATE_RUNNING
	completed = enumsspb.WORKFLOW_EXECUTION_STATE_COMPLETED
	isRunning = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	isDone    = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
)

// someRun returns a run that lives, or nil.
func (s *script) someRun() *run {
	if len(s.runs) == 0 {
		return nil
	}
	return s.runs[s.rand.IntN(len(s.runs))]
}

func (s *script) drop(r *run) {
	for i := range s.runs {
		if s.runs[i] == r {
			s.runs = append(s.runs[:i], s.runs[i+1:]...)
			return
		}
	}
}

// lease is the range id of a write: now and then one that was lost.
func (s *script) lease() (rangeID int64, lost bool) {
	if s.one(12) {
		return s.rangeID + 5, true
	}
	return s.rangeID, false
}

func done(err error) (any, error) { return nil, err }

const maxInt = int64(math.MaxInt64)
