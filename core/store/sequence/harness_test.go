package sequence

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence/sequencetest"
)

// fault is what goes wrong with one write on its way.
type fault uint8

const (
	fine       fault = iota
	unsent           // it never leaves
	lostBefore       // the rows ahead arrive, the rest does not, and nobody answers
	lostAfter        // it arrives, and the answer is lost
	late             // the rows ahead arrive, the rest when land is called, and nobody answers
	rerun            // the server runs it again after its own commit
	aheadFails       // the rows ahead arrive, the rest is not sent
	aheadLate        // the rows ahead arrive when land is called, the rest is not sent
)

func (f fault) String() string {
	return [...]string{"fine", "unsent", "lost before", "lost after", "late", "run again", "ahead fails", "ahead late"}[f]
}

// network is an Executor on memory that loses, delays and repeats writes.
type network struct {
	exec.Executor
	state *memory.State

	mu     sync.Mutex
	pick   func(w *plan.Write) fault // nil: fine
	before func(w *plan.Write)       // runs before a write is sent
	flight []*plan.Write             // what lands late
	sent   []string                  // names of writes, but for those of the cleaner
	clean  []string                  // those

	callers bool // nothing goes wrong with what the cleaner does
}

// caller marks contexts of calls, as against those of the cleaner.
type caller struct{}

var traits = cql.Traits{Atomic: cql.AtomicTables, TTL: true, RerunsBlocks: true, Sequenced: true}

func newNetwork(state *memory.State) *network {
	return &network{Executor: memory.NewExecutor(state, traits), state: state}
}

func (n *network) Write(ctx context.Context, w *plan.Write) error {
	if n.callers && ctx.Value(caller{}) == nil {
		return n.Executor.Write(ctx, w)
	}
	n.mu.Lock()
	if ctx.Value(caller{}) == nil {
		n.clean = append(n.clean, w.Name)
	} else {
		n.sent = append(n.sent, w.Name)
	}
	before := n.before
	n.mu.Unlock()
	if before != nil {
		before(w)
	}
	n.mu.Lock()
	f := fine
	if n.pick != nil {
		f = n.pick(w)
	}
	if f == late || f == aheadLate {
		c := *w
		if f == aheadLate {
			c.Mutations = ahead(w)
		}
		n.flight = append(n.flight, &c)
	}
	n.mu.Unlock()
	failed := func(o errs.Outcome, s errs.Stage) error {
		return &errs.Error{Op: w.Name, Kind: errs.Timeout, Outcome: o, Stage: s, Err: errors.New(f.String())}
	}
	switch f {
	case fine:
		return n.Executor.Write(ctx, w)
	case unsent:
		return failed(errs.NotApplied, errs.Main)
	case lostAfter:
		_, err := n.state.Apply(w)
		return errors.Join(failed(errs.Unknown, errs.Main), err)
	case rerun:
		if _, err := n.state.Apply(w); err != nil {
			return err
		}
		return n.Executor.Write(ctx, w)
	case aheadLate:
		return failed(errs.NotApplied, errs.Ahead)
	case aheadFails, lostBefore, late:
	}
	if rows := ahead(w); len(rows) > 0 {
		if _, err := n.state.Apply(&plan.Write{Name: w.Name, Scope: plan.Atomic, Mutations: rows}); err != nil {
			return err
		}
	}
	if f == aheadFails {
		return failed(errs.NotApplied, errs.Ahead)
	}
	return failed(errs.Unknown, errs.Main)
}

func ahead(w *plan.Write) []plan.Mutation {
	return slices.DeleteFunc(slices.Clone(w.Mutations), func(m plan.Mutation) bool { return !m.Ahead })
}

// land lets one of the late writes, or all of them, arrive.
func (n *network) land(t testing.TB, which func(count int) int) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.flight) > 0 {
		i, all := 0, which == nil
		if !all {
			i = which(len(n.flight))
		}
		if _, err := n.state.Apply(n.flight[i]); err != nil {
			t.Fatal(err)
		}
		n.flight = slices.Delete(n.flight, i, i+1)
		if !all {
			return
		}
	}
}

// on makes the first write of a name go wrong, others pass.
func (n *network) on(name string, faults ...fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.pick
	n.pick = func(w *plan.Write) fault {
		if w.Name == name && len(faults) > 0 {
			f := faults[0]
			faults = faults[1:]
			return f
		}
		if before != nil {
			return before(w)
		}
		return fine
	}
}

const shardID int64 = 7

// owner is a process with one shard.
type owner struct {
	t     testing.TB
	net   *network
	x     *Executor
	count counts
}

type counts struct {
	mu sync.Mutex
	n  map[Counter]int
}

func (c *counts) Count(what Counter, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[Counter]int)
	}
	c.n[what] += n
}

func (c *counts) of(what Counter) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[what]
}

func newOwner(t testing.TB, state *memory.State) *owner {
	t.Helper()
	o := &owner{t: t, net: newNetwork(state)}
	var err error
	if o.x, err = New(o.net, &o.count); err != nil {
		t.Fatal(err)
	}
	if err := sequencetest.Compile(o.x); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.x.Close)
	return o
}

func (o *owner) ctx() context.Context { return context.WithValue(o.t.Context(), caller{}, true) }

// put is a write of an owner that makes a mark and has tasks.
func put(rangeID, mark int64, tasks ...int64) *plan.Write {
	return sequencetest.Put(shardID, rangeID, mark, tasks...)
}

func (o *owner) put(rangeID, id int64, tasks ...int64) error {
	return o.x.Write(o.ctx(), put(rangeID, id, tasks...))
}

func (o *owner) create() error { return o.x.Write(o.ctx(), sequencetest.Create(shardID)) }

// update is UpdateShard.
func (o *owner) update(from, to int64) error {
	return o.x.Write(o.ctx(), sequencetest.Update(shardID, from, to))
}

// get is GetOrCreateShard.
func (o *owner) get() {
	o.t.Helper()
	if _, err := sequencetest.Get(o.ctx(), o.x, shardID); err != nil {
		o.t.Fatal(err)
	}
}

func (o *owner) tasks() (string, error) { return sequencetest.Tasks(o.ctx(), o.x, shardID) }

func (o *owner) shows(want string) {
	o.t.Helper()
	if got, err := o.tasks(); err != nil || got != want {
		o.t.Fatalf("tasks %q, %v, want %q", got, err, want)
	}
}

// marks are the writes that took effect.
func marks(t testing.TB, state *memory.State) []int64 {
	t.Helper()
	ids, err := sequencetest.Marks(t.Context(), memory.NewExecutor(state, traits), shardID)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// row is what the row of the shard says.
func row(t testing.TB, state *memory.State) lease {
	t.Helper()
	rows, _, err := state.Read(readLease, plan.Page{}, shardID)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	l, err := parseLease(func(c *plan.Column) any { return rows[0][slices.Index(readLease.Columns, c)] })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func failure(t testing.TB, err error) *errs.Error {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T %v", err, err)
	}
	return e
}

func isLost(err error) bool { return sequencetest.IsLost(err) }

// started is a shard with an owner of range 2.
func started(t testing.TB) (*memory.State, *owner) {
	t.Helper()
	state := memory.NewState()
	o := newOwner(t, state)
	must(t, o.create())
	must(t, o.update(1, 2))
	return state, o
}
