package storelevel

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// The calls of the mix, by the names of Temporal's manager methods.
const (
	createWorkflow  = "CreateWorkflowExecution"
	updateWorkflow  = "UpdateWorkflowExecution"
	closeWorkflow   = "UpdateWorkflowExecution, closing"
	getWorkflow     = "GetWorkflowExecution"
	getCurrent      = "GetCurrentExecution"
	deleteWorkflow  = "DeleteWorkflowExecution"
	deleteCurrent   = "DeleteCurrentWorkflowExecution"
	readHistory     = "ReadHistoryBranch"
	deleteHistory   = "DeleteHistoryBranch"
	addTasks        = "AddHistoryTasks"
	getTransfer     = "GetHistoryTasks, transfer"
	getTimer        = "GetHistoryTasks, timer"
	completeTasks   = "RangeCompleteHistoryTasks"
	updateShard     = "UpdateShard"
	createTasks     = "CreateTasks"
	getTasks        = "GetTasks"
	completeQueue   = "CompleteTasksLessThan"
	updateTaskQueue = "UpdateTaskQueue"
	// Not part of the mix, but made before it, or for those who choose themselves.
	makeShard       = "GetOrCreateShard"
	takeShard       = "UpdateShard, taking over"
	createTaskQueue = "CreateTaskQueue"
	appendHistory   = "AppendHistoryNodes"
	reverseHistory  = "ReadHistoryBranchReverse"
)

// op is one store call of a sequence. Its request is made beforehand.
type op struct {
	name  string
	shard int32 // whose writes go one at a time; 0: not a write of a shard
	after []*op // that must have ended
	call  func(ctx context.Context, s *arm.Stores) error
	// settle finds out whether a call that failed took effect; nil: calling again
	// is harmless.
	settle func(ctx context.Context, s *arm.Stores) (applied bool, err error)

	done   chan struct{}
	failed bool // for good: what follows it cannot be done
}

// start of the time that is in the rows: whole milliseconds, as all databases keep.
var base = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// mix makes a sequence of calls. Equal options and seeds make equal sequences,
// however many are taken at a time.
type mix struct {
	o    Options
	rng  *rand.Rand
	warm bool

	namespace [16]byte
	firstID   int32 // the first shard
	made      int64 // workflows
	ops       int64
	running   []*workflow
	ended     []*workflow // that may be deleted
	all       []*workflow
	shards    map[int32]*shard
	queues    []*queue
	payload   []byte
}

// shard is what the mix knows of a shard.
type shard struct {
	id   int32
	task int64 // the last id
	ack  int64 // transfer tasks below are completed
	// since are writes since the tasks were completed last.
	since []*op
}

// workflow is a run on its way.
type workflow struct {
	shard      *shard
	id         string
	run        string
	token      []byte
	branch     string
	version    int64
	next       int64 // event id
	txn        int64
	left       int // updates until it closes
	activities []int64
	timers     []string
	last       *op
	created    *op
}

// queue is a partition of a task queue.
type queue struct {
	name string
	task int64
	ack  int64
	last *op
}

func newMix(o Options, seed uint64, warm bool) *mix {
	m := &mix{o: o, rng: rand.New(rand.NewPCG(seed, 0x5bd1e995)), warm: warm, firstID: 1, shards: map[int32]*shard{}} //nolint:gosec // both arms must get the same calls
	if warm {
		m.firstID = int32(o.Shards) + 1
	}
	m.namespace = m.uuid()
	m.payload = make([]byte, 4096)
	for i := range m.payload {
		m.payload[i] = byte('a' + m.rng.IntN(26)) // not worth compressing, not random
	}
	for i := range o.Queues {
		m.queues = append(m.queues, &queue{name: fmt.Sprintf("queue-%d", i)})
	}
	return m
}

// uuid draws an id. Those of a warm-up are told from others by their first bit.
func (m *mix) uuid() [16]byte {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], m.rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], m.rng.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	id[0] &= 0x7f
	if m.warm {
		id[0] |= 0x80
	}
	return id
}

// warmed tells whether an id is of a warm-up.
func warmed(id [16]byte) bool { return id[0]&0x80 != 0 }

func text(id [16]byte) string { return uuid.UUID(id).String() }

// next makes the next n calls.
func (m *mix) next(n int) []*op {
	all := make([]*op, 0, n)
	for range n {
		o := m.draw()
		o.done = make(chan struct{})
		m.ops++
		all = append(all, o)
	}
	return all
}

// draw chooses a call. Shares are about those of a server at work: per workflow
// of one activity one creation, some eight updates and a handful of reads.
func (m *mix) draw() *op {
	if len(m.running) < m.o.Open {
		return m.create()
	}
	switch n := m.rng.IntN(100); {
	case n < 50:
		return m.step(m.running[m.rng.IntN(len(m.running))])
	case n < 56:
		return m.read(m.pick(), getWorkflow)
	case n < 59:
		return m.read(m.pick(), getCurrent)
	case n < 64:
		return m.read(m.pick(), readHistory)
	case n < 68:
		return m.getRange(m.pick().shard, getTransfer)
	case n < 72:
		return m.getRange(m.pick().shard, getTimer)
	case n < 74:
		return m.completeRange(m.pick().shard)
	case n < 76:
		return m.addTask(m.pick())
	case n < 77:
		return m.renewShard(m.pick().shard)
	case n < 81:
		return m.deleteEnded()
	default:
		return m.matching(m.queues[m.rng.IntN(len(m.queues))])
	}
}

func (m *mix) pick() *workflow { return m.running[m.rng.IntN(len(m.running))] }

// shardOf finds the shard of a workflow as a server does, within the mix's own.
func (m *mix) shardOf(workflowID string) *shard {
	n := int32(m.o.Shards)
	if m.warm {
		n = int32(m.o.warmShards())
	}
	id := int32(records.ShardOf(m.namespace, workflowID, n)) - 1 + m.firstID
	s := m.shards[id]
	if s == nil {
		s = &shard{id: id, ack: 1}
		m.shards[id] = s
	}
	return s
}

// now is the time in the rows: it moves on with the sequence, not with the clock.
func (m *mix) now() time.Time { return base.Add(time.Duration(m.ops) * 10 * time.Millisecond) }

// some draws a size of lists and maps: small most times, large now and then.
func (m *mix) some(most int) int {
	if m.rng.IntN(20) == 0 {
		return m.rng.IntN(most + 1)
	}
	return m.rng.IntN(min(most, 3) + 1)
}

// blob is a piece of payload.
func (m *mix) blob() []byte {
	n := 100 + m.rng.IntN(max(1, m.o.Payload))
	at := m.rng.IntN(max(1, len(m.payload)-n))
	return m.payload[at:min(len(m.payload), at+n)]
}

// follow makes o the last call of a workflow, after those before it.
func (w *workflow) follow(o *op) *op {
	if w.last != nil {
		o.after = append(o.after, w.last)
	}
	w.last = o
	return o
}

func (q *queue) follow(o *op) *op {
	if q.last != nil {
		o.after = append(o.after, q.last)
	}
	q.last = o
	return o
}

// write notes a call that writes tasks of a shard.
func (s *shard) write(o *op) *op {
	o.shard = s.id
	s.since = append(s.since, o)
	return o
}
