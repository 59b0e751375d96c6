package records

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	persistencespb "go.temporal.io/server/api/persistence/v1"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// DefaultFence is the range under which a writer holds shards by default: above
// every range that a server takes (each is one more than the last).
const DefaultFence int64 = 1 << 60

// WriterOptions say how records are written.
type WriterOptions struct {
	// Fence is the range under which shards are held; default [DefaultFence].
	// Two writers with different fences exclude each other.
	Fence int64
	// Concurrency is how many writes are in flight; default 16.
	Concurrency int
	// BatchRows and BatchBytes bound one write of several rows of a partition;
	// default 64 and 256 KiB.
	BatchRows, BatchBytes int
	// MaxRowBytes is the size of the largest row that the database takes. The
	// default is 16 MiB where a shard is one partition (Apache Cassandra's largest
	// mutation, half a segment of its commit log), else 32 MiB, which YugabyteDB's
	// documents name as the most for a row.
	MaxRowBytes int
	// HoldQueues writes those of matching's queues that do not expire as
	// [Writer.HoldQueue] leaves them.
	HoldQueues bool
	// Now is the clock by which instants become lives; time.Now by default.
	Now func() time.Time
}

// Writer writes records to one keyspace. Writing a record again changes
// nothing; writes may be cut off anywhere and repeated. It is safe for
// concurrent use, but a shard is written by one call at a time.
//
// A shard is written while it is held ([Writer.Hold]): its lease is a range that
// no server has, so none can take it. Where a shard is one partition that
// servers write conditionally (Apache Cassandra), every write of ours tests that
// lease too: plain writes there have clocks of their own and would win over, or
// lose to, conditional ones at random.
type Writer struct {
	ex     exec.Executor
	o      WriterOptions
	fenced bool // rows of shards are written conditionally
	shards *plan.Table
	tasks  *plan.Table
}

// NewWriter returns a writer over ex, the executor of the dialect itself: not
// one that numbers writes or that fails for want of a shard's ownership.
func NewWriter(ex exec.Executor, o WriterOptions) (*Writer, error) {
	if o.Fence == 0 {
		o.Fence = DefaultFence
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 16
	}
	if o.BatchRows <= 0 {
		o.BatchRows = 64
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = 256 << 10
	}
	if o.MaxRowBytes <= 0 {
		o.MaxRowBytes = 32 << 20
		if ex.Traits().ShardPartition {
			o.MaxRowBytes = 16 << 20
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Writer{ex: ex, o: o, fenced: ex.Traits().ShardPartition, shards: plan.Shards, tasks: plan.HistoryTasks}
	if ex.Traits().Sequenced {
		w.shards, w.tasks = plan.NumberedShards, plan.NumberedTasks
	}
	return w, ex.Compile(w.lease(), queueReads[TaskQueue], queueReads[FairTaskQueue])
}

// Tasks that are written here belong to no owner's range: a range and number
// before all others. Whoever owns the shard later is shown them, for every
// range ends at or after them.
const (
	writtenRange  int64 = 0
	writtenNumber int64 = 0
)

var (
	readLease = &plan.Read{
		Name: "Records/lease", Table: plan.Shards, Eq: 1, Columns: []*plan.Column{plan.ShardRangeID, plan.ShardInfo},
	}
	readNumberedLease = &plan.Read{
		Name: "Records/lease", Table: plan.NumberedShards, Eq: 1,
		Columns: []*plan.Column{plan.ShardRangeID, plan.ShardInfo},
	}
)

func (w *Writer) lease() *plan.Read {
	if w.shards == plan.NumberedShards {
		return readNumberedLease
	}
	return readLease
}

// Put writes records of a keyspace in which these rows are new, or are as this
// writer left them. Fields that a record lacks and an older row has would stay:
// use [Writer.Replace] where rows may be there. Records that have expired are
// left out.
func (w *Writer) Put(ctx context.Context, all []Record) error { return w.put(ctx, all, false) }

// Replace writes records over whatever is there.
func (w *Writer) Replace(ctx context.Context, all []Record) error { return w.put(ctx, all, true) }

// Delete deletes records by their names. What is not there is none to delete.
func (w *Writer) Delete(ctx context.Context, refs []Ref) error {
	items := make([]item, 0, len(refs))
	for _, ref := range refs {
		if ref.Kind == Shard {
			return fmt.Errorf("%s: a shard is never deleted", ref)
		}
		m := plan.Mutation{Table: ref.Kind.Table(), Op: plan.Delete, Key: ref.Key}
		if m.Table == plan.HistoryTasks {
			m = w.deleteTask(ref.Key)
		}
		items = append(items, item{kind: ref.Kind, key: ref.Key, size: 64, plain: m, guarded: guardedDelete(m), maybe: true})
	}
	return w.write(ctx, "Records/delete", items)
}

func guardedDelete(m plan.Mutation) []plan.Mutation {
	m.Conds = []plan.Cond{{Test: plan.RowPresent}}
	return []plan.Mutation{m}
}

// deleteTask deletes a history task, all attempts of it.
func (w *Writer) deleteTask(key []any) plan.Mutation {
	m := plan.Mutation{Table: w.tasks, Op: plan.Delete, Key: key}
	if w.tasks == plan.NumberedTasks {
		m.Op = plan.DeleteRange
	}
	return m
}

// numberedTask puts a history task where the database keeps it.
func (w *Writer) numberedTask(m plan.Mutation) plan.Mutation {
	if w.tasks == plan.NumberedTasks {
		m.Table = w.tasks
		m.Key = append(slices.Clip(slices.Clone(m.Key)), writtenRange, writtenNumber)
	}
	return m
}

func (w *Writer) put(ctx context.Context, all []Record, replace bool) error {
	items := make([]item, 0, len(all))
	var stale []item // attempts of tasks under other numbers
	for i := range all {
		r := &all[i]
		if w.o.HoldQueues {
			r = r.held()
		}
		it := item{kind: r.Kind, key: r.Key, size: r.Size(), expires: r.Expires}
		it.plain = plan.Mutation{Table: r.Kind.Table(), Op: plan.Insert, Key: r.Key}
		var err error
		if it.plain.Effects, err = w.effects(r, replace); err != nil {
			return fmt.Errorf("%s: %w", r.KeyString(), err)
		}
		switch {
		case r.Kind == Shard:
			if it, err = w.shardItem(ctx, r); err != nil {
				return err
			}
		case r.Kind == HistoryTask && w.tasks == plan.NumberedTasks:
			if replace {
				stale = append(stale, item{kind: r.Kind, key: r.Key, size: 64, plain: w.deleteTask(r.Key)})
			}
			it.plain = w.numberedTask(it.plain)
		}
		it.guarded, it.maybe = guardedPut(it.plain, r), len(r.Values) == 0
		items = append(items, it)
	}
	if len(stale) > 0 {
		if err := w.write(ctx, "Records/delete", stale); err != nil {
			return err
		}
	}
	return w.write(ctx, "Records/put", items)
}

// effects sets the fields of a record. Where a row may be there, and where the
// absent costs nothing, fields that the record lacks are cleared.
func (w *Writer) effects(r *Record, replace bool) ([]plan.Effect, error) {
	columns := r.Kind.Table().Columns
	effects := make([]plan.Effect, 0, len(columns))
	for i, c := range columns {
		v := normal(r.Values[i])
		if nodes, ok := v.([]plan.NodeEntry); ok && w.ex.Traits().WholeNodes {
			var err error
			if v, err = joinNodes(nodes); err != nil {
				return nil, err
			}
		}
		switch {
		case v != nil:
			effects = append(effects, plan.Effect{Op: plan.Set, Column: c, Value: v})
		case replace || !w.fenced:
			effects = append(effects, plan.Effect{Op: plan.Clear, Column: c})
		}
	}
	return effects, nil
}

func joinNodes(nodes []plan.NodeEntry) ([]plan.NodeEntry, error) {
	joined := slices.Clone(nodes)
	for i := range joined {
		if v := &joined[i].Value; absent(v.Whole) {
			whole, err := JoinNode(*v)
			if err != nil {
				return nil, fmt.Errorf("node %q: %w", joined[i].Key, err)
			}
			*v = plan.Node{Whole: whole}
		}
	}
	return joined, nil
}

// guardedPut is the writes of a row of those tables that servers write
// conditionally: the first if it is new, else the second.
func guardedPut(plain plan.Mutation, r *Record) []plan.Mutation {
	fresh, again := plain, plain
	fresh.Conds = []plan.Cond{{Test: plan.RowAbsent}}
	if len(r.Values) == 0 {
		return []plan.Mutation{fresh}
	}
	again.Op, again.Live = plan.Update, r.Expires != 0
	again.Conds = []plan.Cond{{Test: plan.RowPresent}}
	again.Effects = nil
	for i, c := range r.Kind.Table().Columns {
		e := plan.Effect{Op: plan.Clear, Column: c}
		if v := normal(r.Values[i]); v != nil {
			e = plan.Effect{Op: plan.Set, Column: c, Value: v}
		}
		again.Effects = append(again.Effects, e)
	}
	return []plan.Mutation{fresh, again}
}

// Hold takes a shard, which need not exist, under the writer's fence. Until it
// is released no server can own it. Holding it again changes nothing.
func (w *Writer) Hold(ctx context.Context, shard int64) error {
	for range 3 {
		row, found, err := exec.One(ctx, w.ex, w.lease(), shard)
		if err != nil {
			return err
		}
		m := plan.Mutation{Table: w.shards, Op: plan.Update, Key: []any{shard}}
		switch {
		case !found:
			m.Op = plan.Insert
			m.Conds = []plan.Cond{{Test: plan.RowAbsent}}
			if w.shards == plan.NumberedShards {
				m.Effects = append(m.Effects, plan.Effect{Op: plan.Set, Column: plan.ShardWriteSeq, Value: int64(0)})
			}
		case row.Int(0) == w.o.Fence:
			return nil
		default:
			m.Conds = []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: row.Int(0)}}
		}
		m.Effects = append(m.Effects, plan.Effect{Op: plan.Set, Column: plan.ShardRangeID, Value: w.o.Fence})
		err = w.ex.Write(ctx, &plan.Write{Name: "Records/hold", Scope: plan.Atomic, Mutations: []plan.Mutation{m}})
		if err == nil || !refused(err) {
			return err
		}
	}
	return fmt.Errorf("hold shard %d: its lease keeps changing: stop the servers of this keyspace", shard)
}

// Release gives a shard that is held to servers: its lease becomes the range
// that its state names. Releasing it again changes nothing.
func (w *Writer) Release(ctx context.Context, shard int64) error {
	row, found, err := exec.One(ctx, w.ex, w.lease(), shard)
	if err != nil {
		return err
	}
	var info persistencespb.ShardInfo
	if !found || row.Null(1) {
		return fmt.Errorf("release shard %d: it has no state: copy it first", shard)
	}
	if err := decodeProto(row.Blob(1), &info); err != nil {
		return fmt.Errorf("release shard %d: its state: %w", shard, err)
	}
	if row.Int(0) == info.GetRangeId() {
		return nil
	}
	err = w.ex.Write(ctx, &plan.Write{Name: "Records/release", Scope: plan.Atomic, Mutations: []plan.Mutation{{
		Table: w.shards, Op: plan.Update, Key: []any{shard},
		Conds:   []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: w.o.Fence}},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.ShardRangeID, Value: info.GetRangeId()}},
	}}})
	if refused(err) {
		return fmt.Errorf("release shard %d: it is not held: %w", shard, err)
	}
	return err
}

// shardItem is the state of a shard that is held. The owner is nobody, and the
// range is not below one that the shard had here before.
func (w *Writer) shardItem(ctx context.Context, r *Record) (item, error) {
	blob := r.Blob(plan.ShardInfo)
	var info, old persistencespb.ShardInfo
	if err := decodeProto(blob, &info); err != nil {
		return item{}, fmt.Errorf("%s: state: %w", r.KeyString(), err)
	}
	row, found, err := exec.One(ctx, w.ex, w.lease(), r.Key[0])
	if err != nil {
		return item{}, err
	}
	if found && !row.Null(1) && decodeProto(row.Blob(1), &old) == nil {
		info.RangeId = max(info.GetRangeId(), old.GetRangeId())
	}
	info.Owner = ""
	data, err := marshal(&info)
	if err != nil {
		return item{}, fmt.Errorf("%s: state: %w", r.KeyString(), err)
	}
	return item{kind: Shard, key: r.Key, size: len(data), plain: plan.Mutation{
		Table: w.shards, Op: plan.Update, Key: r.Key,
		Conds:   []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: w.o.Fence}},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.ShardInfo, Value: plan.Blob{Data: data, Encoding: proto3}}},
	}}, nil
}

func refused(err error) bool {
	var e *errs.Error
	return errors.As(err, &e) && e.Kind == errs.Conflict && e.Outcome == errs.NotApplied
}

// write groups items by partition and sends them.
func (w *Writer) write(ctx context.Context, name string, items []item) error {
	jobs := w.jobs(name, items)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, w.o.Concurrency)
	var wg sync.WaitGroup
	for _, j := range jobs {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := j.run(ctx, w); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
