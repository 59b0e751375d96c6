package storelevel

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/chasm"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
)

// Call is a store call whose request is ready. Its functions are safe for
// concurrent use.
type Call struct {
	Name string
	// Do makes the call and looks at the answer: a read that finds less or more than
	// is there fails.
	Do func(ctx context.Context, s *arm.Stores) error
	// Applied finds out whether a call that failed took effect; nil: making it again
	// is harmless.
	Applied func(ctx context.Context, s *arm.Stores) (bool, error)
}

func (o *op) ready() Call { return Call{o.name, o.call, o.settle} }

// Population makes the calls of the mix one by one for whoever chooses them, on any
// number of open workflows. They are known by their numbers, from 0 on: one that was
// never changed is made again from its number, so that a million of them take no
// memory. Equal seeds make equal calls. It is safe for concurrent use; calls are to
// be made in the order in which those of one workflow, history or queue were taken.
type Population struct {
	mu      sync.Mutex
	seed    uint64
	draws   *rand.PCG
	m       *mix
	made    int64
	others  int // histories
	changed map[int64]*workflow
}

// Sizes of what a Population's calls write and read.
const (
	smallPayload = 100 // most bytes of an event's input are twice as many
	tasksAdded   = 10  // of each kind, by AddTasks
)

// NewPopulation returns one without workflows, spread over shards 1 to the number
// given.
func NewPopulation(seed uint64, shards int) *Population {
	o := DefaultOptions()
	o.Shards, o.Queues, o.Payload = shards, 0, smallPayload
	pop := &Population{seed: seed, draws: rand.NewPCG(seed, 0), m: newMix(o, seed, false), changed: map[int64]*workflow{}}
	pop.m.rng = rand.New(pop.draws) //nolint:gosec // equal seeds are to make equal calls
	return pop
}

// Kinds of what is drawn, so that equal numbers draw differently.
const (
	drawWorkflow = iota << 60
	drawUpdate
	drawEvents
	drawOther
)

// draw makes what is drawn next depend on nothing but seed, kind and number.
func (pop *Population) draw(kind uint64, n int64) {
	pop.draws.Seed(pop.seed, kind|uint64(n))
	pop.m.ops = n
	if kind != drawWorkflow {
		pop.m.ops = pop.made
	}
}

// Len is how many workflows were created.
func (pop *Population) Len() int64 {
	pop.mu.Lock()
	defer pop.mu.Unlock()
	return pop.made
}

// Shards makes every shard, as its owner does that finds none.
func (pop *Population) Shards() (all []Call) {
	for i := range int32(pop.m.o.Shards) {
		all = append(all, pop.m.makeShard(1+i).ready())
	}
	return all
}

// TakeOver reads every shard and gives it the next range, as a server does that
// starts. Nothing can be written afterwards.
func (pop *Population) TakeOver() (all []Call) {
	for i := range int32(pop.m.o.Shards) {
		id := 1 + i
		read := pop.m.makeShard(id)
		taken := shardInfo(id)
		taken.RangeId++
		request := &p.UpdateShardRequest{ShardInfo: taken, PreviousRangeID: rangeID}
		all = append(all, Call{
			Name: takeShard,
			Do: func(ctx context.Context, s *arm.Stores) error {
				if err := read.call(ctx, s); err != nil {
					return err
				}
				return s.Shards.UpdateShard(ctx, request)
			},
			Applied: func(ctx context.Context, s *arm.Stores) (bool, error) {
				found, err := s.Shards.GetOrCreateShard(ctx, &p.GetOrCreateShardRequest{
					ShardID: id, InitialShardInfo: shardInfo(id), LifecycleContext: context.WithoutCancel(ctx),
				})
				return err == nil && found.ShardInfo.GetRangeId() > rangeID, err
			},
		})
	}
	return all
}

// Create creates the next workflow.
func (pop *Population) Create() Call {
	pop.mu.Lock()
	defer pop.mu.Unlock()
	w := pop.birth(pop.made)
	pop.made++
	request := pop.m.creation(w)
	return Call{
		Name: createWorkflow,
		Do: func(ctx context.Context, s *arm.Stores) error {
			_, err := s.Executions.CreateWorkflowExecution(ctx, request)
			return err
		},
		Applied: pop.m.settled(w, 1),
	}
}

// birth is a workflow before its creation.
func (pop *Population) birth(n int64) *workflow {
	pop.draw(drawWorkflow, n)
	return pop.m.workflow(fmt.Sprintf("workflow-%07d", n))
}

// workflow finds a workflow by its number.
func (pop *Population) workflow(n int64) *workflow {
	if w, ok := pop.changed[n]; ok {
		return w
	}
	w := pop.birth(n)
	w.next, w.txn = 1+firstEvents, 2
	return w
}

// CompleteTasks deletes all transfer and visibility tasks so far, as the processors
// of those queues do. The writes that made them are to have ended.
func (pop *Population) CompleteTasks() (all []Call) {
	pop.mu.Lock()
	defer pop.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(pop.m.shards)) {
		s := pop.m.shards[id]
		for _, category := range []tasks.Category{tasks.CategoryTransfer, tasks.CategoryVisibility} {
			all = append(all, completion(s.id, category, s.ack, s.task+1))
		}
		s.ack = s.task + 1
	}
	return all
}

func completion(shard int32, category tasks.Category, from, to int64) Call {
	request := &p.RangeCompleteHistoryTasksRequest{
		ShardID: shard, TaskCategory: category,
		InclusiveMinTaskKey: tasks.NewImmediateKey(from), ExclusiveMaxTaskKey: tasks.NewImmediateKey(to),
	}
	return Call{Name: completeTasks, Do: func(ctx context.Context, s *arm.Stores) error {
		return s.Executions.RangeCompleteHistoryTasks(ctx, request)
	}}
}

// Update updates workflow n. What it writes is drawn by the number that is given, so
// that updates of different workflows can be alike.
func (pop *Population) Update(n, drawn int64) Call {
	pop.mu.Lock()
	defer pop.mu.Unlock()
	w := pop.workflow(n)
	pop.changed[n] = w
	pop.draw(drawUpdate, drawn)
	request := pop.m.update(w, false)
	return Call{
		Name: updateWorkflow,
		Do: func(ctx context.Context, s *arm.Stores) error {
			_, err := s.Executions.UpdateWorkflowExecution(ctx, request)
			return err
		},
		Applied: pop.m.settled(w, w.version),
	}
}

// Get reads workflow n.
func (pop *Population) Get(n int64) Call { return pop.read(n, getWorkflow) }

// Current reads the current run of workflow n.
func (pop *Population) Current(n int64) Call { return pop.read(n, getCurrent) }

func (pop *Population) read(n int64, name string) Call {
	pop.mu.Lock()
	defer pop.mu.Unlock()
	return pop.m.read(pop.workflow(n), name).ready()
}

// Append writes three more events of workflow n.
func (pop *Population) Append(n, drawn int64) Call {
	pop.mu.Lock()
	defer pop.mu.Unlock()
	w := pop.workflow(n)
	pop.changed[n] = w
	pop.draw(drawEvents, drawn)
	return pop.m.appendEvents(w, 3)
}

// History reads all events of workflow n.
func (pop *Population) History(n int64) Call {
	pop.mu.Lock()
	defer pop.mu.Unlock()
	w := pop.workflow(n)
	return w.page(readHistory, 1, historyPage, w.next-1)
}

// Tasks are the calls about tasks of one shard, in order.
type Tasks struct{ Add, Transfer, Timer, Complete Call }

// Tasks adds ten transfer tasks and ten timers to the shard of workflow n, the timers
// among those of workflow n's time; reads the former; reads ten timers from that time
// on; and completes the transfer tasks.
func (pop *Population) Tasks(n int64) Tasks {
	pop.mu.Lock()
	defer pop.mu.Unlock()
	w := pop.workflow(n)
	pop.draw(drawWorkflow, n) // for its time
	s, at := w.shard, pop.m.now()
	from := s.task + 1
	var transfer, timers []tasks.Task
	for range tasksAdded {
		transfer = append(transfer, pop.m.transfer(w, false))
	}
	to := s.task + 1
	for i := range tasksAdded {
		timers = append(timers, &tasks.UserTimerTask{
			WorkflowKey: pop.m.key(w), VisibilityTimestamp: at.Add(time.Duration(i) * time.Millisecond), TaskID: s.id64(), EventID: w.next,
		})
	}
	add := &p.AddHistoryTasksRequest{
		ShardID: s.id, RangeID: rangeID, NamespaceID: text(pop.m.namespace), WorkflowID: w.id, ArchetypeID: chasm.WorkflowArchetypeID,
		Tasks: map[tasks.Category][]tasks.Task{tasks.CategoryTransfer: transfer, tasks.CategoryTimer: timers},
	}
	return Tasks{
		Add: Call{Name: addTasks, Do: func(ctx context.Context, st *arm.Stores) error {
			return st.Executions.AddHistoryTasks(ctx, add)
		}},
		Transfer: fullPage(getTransfer, &p.GetHistoryTasksRequest{
			ShardID: s.id, BatchSize: tasksAdded, TaskCategory: tasks.CategoryTransfer,
			InclusiveMinTaskKey: tasks.NewImmediateKey(from), ExclusiveMaxTaskKey: tasks.NewImmediateKey(to),
		}),
		Timer: fullPage(getTimer, &p.GetHistoryTasksRequest{
			ShardID: s.id, BatchSize: tasksAdded, TaskCategory: tasks.CategoryTimer,
			InclusiveMinTaskKey: tasks.NewKey(at, 0), ExclusiveMaxTaskKey: tasks.NewKey(base.AddDate(1, 0, 0), 0),
		}),
		Complete: completion(s.id, tasks.CategoryTransfer, from, to),
	}
}

// fullPage reads a page of tasks that is full.
func fullPage(name string, request *p.GetHistoryTasksRequest) Call {
	return Call{Name: name, Do: func(ctx context.Context, s *arm.Stores) error {
		page, err := s.Executions.GetHistoryTasks(ctx, request)
		if err != nil {
			return err
		}
		return exactly(len(page.Tasks), request.BatchSize, "tasks")
	}}
}

func exactly(n, want int, of string) error {
	if n != want {
		return fmt.Errorf("%d %s were read where there are %d", n, of, want)
	}
	return nil
}

// appendEvents writes a batch of a workflow's events without touching its state.
func (m *mix) appendEvents(w *workflow, n int) Call {
	first := w.next == 1
	batch := m.events(w, n, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
	request := &p.AppendHistoryNodesRequest{
		ShardID: w.shard.id, IsNewBranch: first, Info: p.BuildHistoryGarbageCleanupInfo(text(m.namespace), w.id, w.run),
		BranchToken: w.token, Events: batch.Events, PrevTransactionID: batch.PrevTxnID, TransactionID: batch.TxnID,
	}
	return Call{Name: appendHistory, Do: func(ctx context.Context, s *arm.Stores) error {
		_, err := s.Executions.AppendHistoryNodes(ctx, request)
		return err
	}}
}

// page reads a page of history from an event on.
func (w *workflow) page(name string, from int64, nodes int, want int64) Call {
	request := &p.ReadHistoryBranchRequest{ShardID: w.shard.id, BranchToken: w.token, MinEventID: from, MaxEventID: w.next, PageSize: nodes}
	return Call{Name: name, Do: func(ctx context.Context, s *arm.Stores) error {
		page, err := s.Executions.ReadHistoryBranch(ctx, request)
		if err != nil {
			return err
		}
		return exactly(len(page.HistoryEvents), int(want), "events")
	}}
}
