package storelevel

import (
	"context"
	"fmt"

	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
)

// EventsPerNode is how many events each node of a [History] holds.
const EventsPerNode = 10

// How many nodes a page holds, and one of a read of all of a history.
const (
	nodesPage = 10
	wholePage = 256
)

// History makes calls on one branch of history that can be of any length. Its
// methods are called one at a time.
type History struct {
	pop *Population
	w   *workflow
}

// LongHistory returns a branch that has no events yet, of no workflow that is
// stored, in shard 1 or whichever its name falls into.
func (pop *Population) LongHistory() *History {
	pop.mu.Lock()
	defer pop.mu.Unlock()
	pop.others++
	pop.draw(drawOther, int64(pop.others))
	return &History{pop, pop.m.workflow(fmt.Sprintf("history-%d", pop.others))}
}

// Events is how many there are.
func (h *History) Events() int64 { return h.w.next - 1 }

// Append writes the next ten events, as one node.
func (h *History) Append() Call {
	h.pop.mu.Lock()
	defer h.pop.mu.Unlock()
	h.pop.draw(drawEvents, h.w.txn)
	return h.pop.m.appendEvents(h.w, EventsPerNode)
}

// Page reads a page of ten nodes from an event on that is the first of a node.
func (h *History) Page(from int64) Call {
	return h.w.page(readHistory, from, nodesPage, min(nodesPage*EventsPerNode, h.w.next-from))
}

// Reverse reads the last ten nodes, the last one first.
func (h *History) Reverse() Call {
	request := &p.ReadHistoryBranchReverseRequest{
		ShardID: h.w.shard.id, BranchToken: h.w.token, MaxEventID: h.w.next, PageSize: nodesPage, LastFirstTransactionID: h.w.txn - 1,
	}
	want := min(nodesPage*EventsPerNode, h.Events())
	return Call{Name: reverseHistory, Do: func(ctx context.Context, s *arm.Stores) error {
		page, err := s.Executions.ReadHistoryBranchReverse(ctx, request)
		if err != nil {
			return err
		}
		return exactly(len(page.HistoryEvents), int(want), "events")
	}}
}

// Whole reads all of it, in pages of 256 nodes.
func (h *History) Whole() Call {
	want := h.Events()
	shard, token, end := h.w.shard.id, h.w.token, h.w.next
	return Call{Name: readHistory, Do: func(ctx context.Context, s *arm.Stores) error {
		n := 0
		request := &p.ReadHistoryBranchRequest{ShardID: shard, BranchToken: token, MinEventID: 1, MaxEventID: end, PageSize: wholePage}
		for {
			page, err := s.Executions.ReadHistoryBranch(ctx, request)
			if err != nil {
				return err
			}
			n += len(page.HistoryEvents)
			if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
				return exactly(n, int(want), "events")
			}
		}
	}}
}

// Backlog makes calls on one task queue that can hold any number of tasks, numbered
// from 1 on. Its methods are called one at a time, and so are its writes, as matching
// makes them.
type Backlog struct {
	m *mix
	q *queue
}

// Backlog returns a queue that is not there yet; see [Backlog.Make].
func (pop *Population) Backlog(name string) *Backlog {
	return &Backlog{pop.m, &queue{name: name}}
}

// Make creates the queue.
func (b *Backlog) Make() Call { return b.m.makeQueue(b.q).ready() }

// Bounds are the oldest task that is left and the newest one.
func (b *Backlog) Bounds() (oldest, newest int64) { return b.q.ack + 1, b.q.task }

// Append appends n tasks.
func (b *Backlog) Append(n int) Call { return b.m.enqueue(b.q, n).ready() }

// Read reads a page of a hundred tasks from the given one on, which may be deleted.
func (b *Backlog) Read(from int64) Call {
	oldest, newest := b.Bounds()
	want := min(tasksPage, max(0, newest+1-max(oldest, from)))
	return b.m.readPage(b.q, from, func(n int) error { return exactly(n, int(want), "tasks") }).ready()
}

// Acknowledge deletes the n oldest tasks.
func (b *Backlog) Acknowledge(n int) Call {
	b.q.ack = min(b.q.task, b.q.ack+int64(n))
	return b.m.acknowledge(b.q).ready()
}
