package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/storelevel"
)

// The series, by what grows.
const (
	open    = "open"
	backlog = "backlog"
	history = "history"
	shards  = "shards"
)

var allSeries = []string{open, backlog, history, shards}

// chunk is how many workflows are created before the tasks of theirs that processors
// would have done are completed.
const chunk = 10_000

func (b *bench) run(ctx context.Context) error {
	found, err := b.arm.Look(ctx, "growth_look")
	if err != nil {
		return err
	}
	b.result.Arm = found
	pids, unknown := b.arm.Processes()
	if unknown == nil { // a sum of some nodes would look like the whole
		b.pids = pids
	}
	b.result.Arm.SetUnknown(unknown)
	measures := map[string]func(context.Context, *Series) error{
		open: b.open, backlog: b.backlog, history: b.history, shards: b.shards,
	}
	for _, name := range b.o.series {
		s := &Series{Name: name, Of: unitOf[name]}
		b.result.Series = append(b.result.Series, s)
		if err := measures[name](ctx, s); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("series %s: interrupted", name)
			}
			return fmt.Errorf("series %s: %w", name, err)
		}
	}
	return nil
}

var unitOf = map[string]string{open: "open workflows", backlog: "tasks in the queue", history: "events", shards: "history shards"}

// point adds a point to a series.
func (s *Series) point(size int) *Point {
	p := &Point{Size: size}
	s.Points = append(s.Points, p)
	return p
}

// open has one database that grows from size to size.
func (b *bench) open(ctx context.Context, s *Series) error {
	return b.within(ctx, s, func(ctx context.Context, at *place) error {
		pop := storelevel.NewPopulation(b.o.seed, b.o.shards)
		if err := at.all(ctx, pop.Shards()); err != nil {
			return err
		}
		for i, size := range b.o.sizes[open] {
			p := s.point(size)
			if err := at.populate(ctx, p, pop, size); err != nil {
				return err
			}
			at.settle(ctx, p, pop.Len())
			if err := at.measureWorkflows(ctx, p, pop, uint64(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// all makes calls that are not measured.
func (at *place) all(ctx context.Context, calls []storelevel.Call) error {
	return at.together(ctx, len(calls), at.o.fill, func(i int) storelevel.Call { return calls[i] }, nil)
}

// populate creates workflows until there are as many as size says.
func (at *place) populate(ctx context.Context, p *Point, pop *storelevel.Population, size int) error {
	for have := int(pop.Len()); have < size; have = int(pop.Len()) {
		n := min(chunk, size-have)
		if err := at.fill(ctx, p, n, at.o.fill, func(int) storelevel.Call { return pop.Create() }); err != nil {
			return err
		}
		if err := at.all(ctx, pop.CompleteTasks()); err != nil {
			return err
		}
		if (have+n)/(10*chunk) > have/(10*chunk) {
			at.say(p, "%d created", have+n)
		}
	}
	return nil
}

// measureWorkflows makes each call on workflows all over the population. round is
// which point of the series this is: different workflows are picked at each, the same
// in each run.
func (at *place) measureWorkflows(ctx context.Context, p *Point, pop *storelevel.Population, round uint64) error {
	warm := at.o.warm()
	picked := pick(at.o.seed, round, pop.Len(), len(at.o.inFlight)*(warm+at.o.calls))
	for i, inFlight := range at.o.inFlight {
		if i > 0 {
			at.idle(ctx)
		}
		mine := picked[i*(warm+at.o.calls) : (i+1)*(warm+at.o.calls)]
		on := func(call func(n int64) storelevel.Call) (all []storelevel.Call) {
			for _, n := range mine {
				all = append(all, call(n))
			}
			return all
		}
		drawn := int64(0)
		alike := func(call func(n, drawn int64) storelevel.Call) []storelevel.Call {
			drawn = 0 // the same contents at each size
			return on(func(n int64) storelevel.Call { drawn++; return call(n, drawn) })
		}
		var tasks [4][]storelevel.Call
		for _, n := range mine {
			t := pop.Tasks(n)
			for j, c := range []storelevel.Call{t.Add, t.Transfer, t.Timer, t.Complete} {
				tasks[j] = append(tasks[j], c)
			}
		}
		batches := []func() []storelevel.Call{
			// Reads come before what leaves work to compactions behind.
			func() []storelevel.Call { return on(pop.Get) },
			func() []storelevel.Call { return on(pop.Current) },
			func() []storelevel.Call { return on(pop.History) },
			func() []storelevel.Call { return alike(pop.Append) },
			func() []storelevel.Call { return alike(pop.Update) },
			func() []storelevel.Call { return on(func(int64) storelevel.Call { return pop.Create() }) },
		}
		for _, calls := range tasks {
			batches = append(batches, func() []storelevel.Call { return calls })
		}
		for _, calls := range batches {
			if err := at.measure(ctx, p, batch{inFlight: inFlight, warm: warm, calls: calls()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// warm is how many calls are made before those that are measured.
func (o *options) warm() int { return min(30, max(1, o.calls/10)) }

// pick draws n of the numbers below of; none twice unless there are fewer.
func pick(seed, round uint64, of int64, n int) []int64 {
	rng := rand.New(rand.NewPCG(seed, round))
	picked, seen := make([]int64, 0, n), map[int64]bool{}
	for len(picked) < n {
		if int64(len(seen)) == of {
			clear(seen)
		}
		if x := rng.Int64N(of); !seen[x] {
			seen[x] = true
			picked = append(picked, x)
		}
	}
	return picked
}

const (
	appendTasks  = 100 // at a time while a queue is filled, as matching does
	measureTasks = 10  // in each append that is measured
	drainPage    = 100
	readPage     = 100 // tasks that a read asks for
)

// backlog has a queue for each size, in one database. Writes are one at a time: a
// queue has one owner.
func (b *bench) backlog(ctx context.Context, s *Series) error {
	return b.within(ctx, s, func(ctx context.Context, at *place) error {
		pop := storelevel.NewPopulation(b.o.seed, 1)
		for i, size := range b.o.sizes[backlog] {
			p := s.point(size)
			q := pop.Backlog(fmt.Sprintf("queue-%d", size))
			if err := at.all(ctx, []storelevel.Call{q.Make()}); err != nil {
				return err
			}
			err := at.fill(ctx, p, (size+appendTasks-1)/appendTasks, 1, func(i int) storelevel.Call {
				return q.Append(min(appendTasks, size-i*appendTasks))
			})
			if err != nil {
				return err
			}
			at.settle(ctx, p, 0)
			if err := at.measureQueue(ctx, p, q, uint64(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (at *place) measureQueue(ctx context.Context, p *Point, q *storelevel.Backlog, round uint64) error {
	warm, n := at.o.warm(), at.o.warm()+at.o.calls
	read := func(name string, warm, n int, from func() int64) error {
		for _, inFlight := range at.o.inFlight {
			calls := make([]storelevel.Call, n)
			for i := range calls {
				calls[i] = q.Read(from())
			}
			if err := at.measure(ctx, p, batch{name: calls[0].Name + ", " + name, inFlight: inFlight, warm: warm, calls: calls}); err != nil {
				return err
			}
		}
		return nil
	}
	oldest := func() int64 { first, _ := q.Bounds(); return first }
	rng := rand.New(rand.NewPCG(at.o.seed, round))
	// Anywhere, but so that the page is full.
	middle := func() int64 { from, to := q.Bounds(); return from + rng.Int64N(max(1, to+2-from-readPage)) }
	if err := read("first page", warm, n, oldest); err != nil {
		return err
	}
	if err := read("page in the middle", warm, n, middle); err != nil {
		return err
	}
	appends := make([]storelevel.Call, n)
	for i := range appends {
		appends[i] = q.Append(measureTasks)
	}
	if err := at.measure(ctx, p, batch{name: fmt.Sprintf("%s of %d", appends[0].Name, measureTasks), inFlight: 1, warm: warm, calls: appends}); err != nil {
		return err
	}
	// Half of it is done, a page after the other, as matching does.
	from, to := q.Bounds()
	drained := max(1, int(to-from+1)/2/drainPage)
	calls := make([]storelevel.Call, drained)
	for i := range calls {
		calls[i] = both(q.Read(oldest()), q.Acknowledge(drainPage))
	}
	if err := at.measure(ctx, p, batch{name: fmt.Sprintf("GetTasks and CompleteTasksLessThan of %d at the head", drainPage), inFlight: 1, calls: calls}); err != nil {
		return err
	}
	if err := read("first page after half was deleted", warm, n, oldest); err != nil {
		return err
	}
	// Over all that was deleted; few times, for it may be long.
	return read("from the start after half was deleted", 1, 1+max(1, at.o.calls/10), func() int64 { return 1 })
}

// both makes a read and then a write that may be repeated.
func both(read, write storelevel.Call) storelevel.Call {
	return storelevel.Call{Name: write.Name, Do: func(ctx context.Context, s *arm.Stores) error {
		if err := read.Do(ctx, s); err != nil {
			return err
		}
		return write.Do(ctx, s)
	}}
}

// history has a branch for each size, in one database.
func (b *bench) history(ctx context.Context, s *Series) error {
	return b.within(ctx, s, func(ctx context.Context, at *place) error {
		pop := storelevel.NewPopulation(b.o.seed, 1)
		for i, size := range b.o.sizes[history] {
			p := s.point(size)
			h := pop.LongHistory()
			// The first node makes the branch.
			if err := at.fill(ctx, p, 1, 1, func(int) storelevel.Call { return h.Append() }); err != nil {
				return err
			}
			nodes := size/storelevel.EventsPerNode - 1
			if err := at.fill(ctx, p, nodes, b.o.fill, func(int) storelevel.Call { return h.Append() }); err != nil {
				return err
			}
			at.settle(ctx, p, 0)
			if err := at.measureHistory(ctx, p, h, uint64(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (at *place) measureHistory(ctx context.Context, p *Point, h *storelevel.History, round uint64) error {
	const page = 10 * storelevel.EventsPerNode
	warm, n := at.o.warm(), at.o.warm()+at.o.calls
	rng := rand.New(rand.NewPCG(at.o.seed, round))
	full := h.Events()/storelevel.EventsPerNode - page/storelevel.EventsPerNode
	batches := []struct {
		name  string
		call  func() storelevel.Call
		n     int
		unit  string
		units float64
	}{
		{"last page", func() storelevel.Call { return h.Page(max(1, h.Events()+1-page)) }, n, "", 0},
		{"page in the middle", func() storelevel.Call {
			return h.Page(1 + rng.Int64N(max(1, full+1))*storelevel.EventsPerNode)
		}, n, "", 0},
		{"last page", h.Reverse, n, "", 0},
		{"whole", h.Whole, 1 + min(at.o.calls, max(5, 30_000/int(h.Events()))), "event", float64(h.Events())},
	}
	for _, inFlight := range at.o.inFlight {
		for _, m := range batches {
			calls := make([]storelevel.Call, m.n)
			for i := range calls {
				calls[i] = m.call()
			}
			b := batch{name: calls[0].Name + ", " + m.name, inFlight: inFlight, warm: warm, calls: calls, unit: m.unit, units: m.units}
			if m.unit != "" { // long ones
				b.warm = 1
			}
			if err := at.measure(ctx, p, b); err != nil {
				return err
			}
		}
	}
	calls := make([]storelevel.Call, n)
	for i := range calls {
		calls[i] = h.Append()
	}
	return at.measure(ctx, p, batch{inFlight: 1, warm: warm, calls: calls})
}

// shards has a database for each size, with the same number of workflows.
func (b *bench) shards(ctx context.Context, s *Series) error {
	for i, size := range b.o.sizes[shards] {
		p := s.point(size)
		err := b.within(ctx, s, func(ctx context.Context, at *place) error {
			pop := storelevel.NewPopulation(b.o.seed, size)
			most := 0
			for _, n := range b.o.inFlight {
				most = max(most, n)
			}
			before := heap()
			if err := at.measure(ctx, p, batch{name: "GetOrCreateShard, new", inFlight: most, calls: pop.Shards()}); err != nil {
				return err
			}
			if size >= fewest { // else it is noise
				each := float64(heap()-before) / float64(size)
				p.HeapPerShard = &each
			}
			if err := at.populate(ctx, p, pop, b.o.workflows); err != nil {
				return err
			}
			at.settle(ctx, p, pop.Len())
			if err := at.measureWorkflows(ctx, p, pop, uint64(i)); err != nil {
				return err
			}
			return at.measure(ctx, p, batch{name: takingOver, inFlight: most, calls: pop.TakeOver()})
		})
		if err != nil {
			return fmt.Errorf("%d: %w", size, err)
		}
	}
	return nil
}

const takingOver = "GetOrCreateShard and UpdateShard, taking over"
