package sequence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
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

var readTasks = &plan.Read{
	Name: "GetHistoryTasks", Table: plan.HistoryTasks, Eq: 3, From: plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
	To: plan.RangeEnd{Compare: plan.Less, Width: 1}, Columns: []*plan.Column{plan.HistoryTaskID, plan.HistoryTask},
}

var getShard = &plan.Read{Name: "GetShard", Table: plan.Shards, Eq: 1, Columns: []*plan.Column{plan.ShardInfo}}

func newOwner(t testing.TB, state *memory.State) *owner {
	t.Helper()
	o := &owner{t: t, net: newNetwork(state)}
	var err error
	if o.x, err = New(o.net, &o.count); err != nil {
		t.Fatal(err)
	}
	if err := o.x.Compile(readTasks, getShard); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.x.Close)
	return o
}

func (o *owner) ctx() context.Context { return context.WithValue(o.t.Context(), caller{}, true) }

func hold(rangeID int64) plan.Mutation {
	return plan.Mutation{
		Table: plan.Shards, Op: plan.Assert, Key: []any{shardID},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: rangeID}},
	}
}

func task(id int64) plan.Mutation {
	return plan.Mutation{
		Table: plan.HistoryTasks, Op: plan.Insert, Ahead: true, Key: []any{shardID, int64(1), plan.Immediate, id},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.HistoryTask, Value: plan.Blob{Data: []byte("task"), Encoding: "p"}}},
	}
}

// mark is a row of the atomic part: it is there if the write took effect.
func mark(id int64) plan.Mutation {
	return plan.Mutation{
		Table: plan.Executions, Op: plan.Insert, Key: []any{shardID, [16]byte{}, strconv.FormatInt(id, 10), [16]byte{}},
		Conds:   []plan.Cond{{Test: plan.RowAbsent}},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.NextEventID, Value: id}},
		Show:    []*plan.Column{plan.NextEventID},
	}
}

// put is a write of an owner that makes mark id and has tasks.
func put(rangeID, id int64, tasks ...int64) *plan.Write {
	w := &plan.Write{
		Name: "Put", Scope: plan.Atomic, Owner: &plan.Owner{Shard: shardID, RangeID: rangeID},
		Mutations: []plan.Mutation{hold(rangeID), mark(id)},
	}
	for _, t := range tasks {
		w.Mutations = append(w.Mutations, task(t))
	}
	return w
}

func (o *owner) put(rangeID, id int64, tasks ...int64) error {
	return o.x.Write(o.ctx(), put(rangeID, id, tasks...))
}

func info(text string) plan.Effect {
	return plan.Effect{Op: plan.Set, Column: plan.ShardInfo, Value: plan.Blob{Data: []byte(text), Encoding: "p"}}
}

func (o *owner) create() error {
	return o.x.Write(o.ctx(), &plan.Write{Name: "CreateShard", Scope: plan.Atomic, Mutations: []plan.Mutation{{
		Table: plan.Shards, Op: plan.Insert, Key: []any{shardID}, Conds: []plan.Cond{{Test: plan.RowAbsent}},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.ShardRangeID, Value: int64(1)}, info("new")},
	}}})
}

// update is UpdateShard.
func (o *owner) update(from, to int64) error {
	w := &plan.Write{
		Name: "UpdateShard", Scope: plan.Atomic, Owner: &plan.Owner{Shard: shardID, RangeID: from},
		Mutations: []plan.Mutation{hold(from)},
	}
	w.Mutations[0].Op = plan.Update
	w.Mutations[0].Effects = []plan.Effect{{Op: plan.Set, Column: plan.ShardRangeID, Value: to}, info(fmt.Sprint("range ", to))}
	return o.x.Write(o.ctx(), w)
}

// get is GetOrCreateShard.
func (o *owner) get() {
	o.t.Helper()
	if _, _, err := exec.One(o.t.Context(), o.x, getShard, shardID); err != nil {
		o.t.Fatal(err)
	}
}

// tasks reads all tasks, two rows at a time, as text.
func (o *owner) tasks() (string, error) {
	var all []string
	page := plan.Page{Size: 2}
	for {
		rows, err := o.x.Read(o.t.Context(), readTasks, page, shardID, int64(1), plan.Immediate, int64(0), int64(1<<40))
		if err != nil {
			return "", err
		}
		n := 0
		for rows.Next() {
			all = append(all, strconv.FormatInt(rows.Int(0), 10))
			n++
		}
		page.Token = rows.Token()
		if err := rows.Close(); err != nil {
			return "", err
		}
		if page.Token == nil {
			return strings.Join(all, " "), nil
		}
		if n < page.Size {
			o.t.Errorf("a page of %d of %d rows is not the last", n, page.Size)
		}
	}
}

func (o *owner) shows(want string) {
	o.t.Helper()
	if got, err := o.tasks(); err != nil || got != want {
		o.t.Fatalf("tasks %q, %v, want %q", got, err, want)
	}
}

// marks are the writes that took effect.
func marks(t testing.TB, state *memory.State) []int64 {
	t.Helper()
	read := &plan.Read{Name: "Marks", Table: plan.Executions, Eq: 1, Columns: []*plan.Column{plan.NextEventID}}
	rows, _, err := state.Read(read, plan.Page{}, shardID)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r[0].(int64)
	}
	slices.Sort(ids)
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

// isLost tells that a write was refused because the lease is lost.
func isLost(err error) bool {
	var e *errs.Error
	var c *plan.Conflict
	return errors.As(err, &e) && e.Kind == errs.Conflict && e.Outcome == errs.NotApplied &&
		errors.As(e.Err, &c) && c.Write.Mutations[c.Mutation].Table == plan.Shards
}

// started is a shard with an owner of range 2.
func started(t testing.TB) (*memory.State, *owner) {
	t.Helper()
	state := memory.NewState()
	o := newOwner(t, state)
	must(t, o.create())
	must(t, o.update(1, 2))
	return state, o
}
