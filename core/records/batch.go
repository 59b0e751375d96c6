package records

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// item is one row on its way.
type item struct {
	kind    Kind
	key     []any
	size    int
	expires int64 // as in a record; mutations get their life when they are sent
	plain   plan.Mutation
	guarded []plan.Mutation // tried one after the other until one is not refused
	maybe   bool            // a refusal of all of them says that the row is as it should be
}

// job is writes that follow each other; jobs run side by side.
type job struct {
	writes  []*write
	guarded *item // in place of writes
	shard   int64 // of writes that test its lease
	name    string
}

// write is a write of rows of which some may expire.
type write struct {
	plan.Write
	expires []int64 // of each mutation
}

func (w *write) add(m plan.Mutation, expires int64) {
	w.Mutations, w.expires = append(w.Mutations, m), append(w.expires, expires)
}

// grouped tells which leading key columns name the partition in every dialect,
// of kinds of which many rows share one.
var grouped = map[Kind]int{
	HistoryTask: 1, ReplicationDLQ: 2, Branch: 1, Node: 1, Task: 3, FairTask: 3, QueueMessage: 1, QueueV2Message: 3,
}

// inShard are the kinds that a shard's partition holds where there is one.
func inShard(k Kind) bool {
	switch k {
	case Shard, Current, Execution, HistoryTask, ReplicationDLQ:
		return true
	default:
		return false
	}
}

// guards tells whether servers write the rows of a kind conditionally, and plainly
// never. (Messages and tasks are written conditionally and deleted plainly.)
func guards(k Kind) bool {
	switch k {
	case TaskQueue, FairTaskQueue, UserData, BuildID, Namespace, NamespaceID, NamespaceVersion, ClusterMetadata,
		Queue, QueueV2, NexusTable, NexusEndpoint:
		return true
	default:
		return false
	}
}

// jobs makes writes of items, in their order within a partition.
func (w *Writer) jobs(name string, items []item) []*job {
	var all []*job
	open := make(map[string]*group)
	var order []*group
	for i := range items {
		it := &items[i]
		if w.fenced && guards(it.kind) {
			all = append(all, &job{name: name, guarded: it})
			continue
		}
		id, shared, fenced := w.partition(it)
		g := open[id]
		if g == nil {
			g = &group{job: &job{name: name}, ahead: shared && !fenced, fenced: fenced}
			if fenced {
				g.job.shard, _ = it.key[0].(int64)
			}
			if shared || fenced {
				open[id] = g
			}
			order = append(order, g)
		}
		g.add(w, it)
	}
	for _, g := range order {
		all = append(all, g.job)
	}
	return all
}

// partition names the partition of a row. shared tells that rows of it are
// written together, fenced that they are by testing the shard's lease.
func (w *Writer) partition(it *item) (id string, shared, fenced bool) {
	if w.fenced && inShard(it.kind) {
		return fmt.Sprint("shard ", it.key[0]), true, true
	}
	n, ok := grouped[it.kind]
	if !ok || it.plain.Op == plan.DeleteRange { // which YCQL takes in no batch
		return "", false, false
	}
	b := []byte{byte(it.kind)}
	for i := range n {
		b = appendValue(b, it.kind.Table().Key[i].Kind, it.key[i])
	}
	return string(b), true, false
}

// group gathers the writes of a partition.
type group struct {
	job    *job
	ahead  bool
	fenced bool
	rows   int
	bytes  int
}

func (g *group) add(w *Writer, it *item) {
	writes := g.job.writes
	if len(writes) == 0 || g.rows >= w.o.BatchRows || g.bytes+it.size > w.o.BatchBytes && g.rows > 0 {
		next := &write{Write: plan.Write{Name: g.job.name, Scope: plan.Atomic}}
		if g.fenced {
			next.add(plan.Mutation{
				Table: w.shards, Op: plan.Assert, Key: []any{g.job.shard},
				Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: w.o.Fence}},
			}, 0)
		}
		g.job.writes = append(writes, next)
		g.rows, g.bytes = 0, 0
	}
	last := g.job.writes[len(g.job.writes)-1]
	m := it.plain
	if g.fenced && it.kind == Shard {
		// Its own row: the change tests the lease.
		last.Mutations[0] = m
	} else {
		// Rows without a condition of one partition are one batch where they
		// count as stored ahead: nothing here needs them to be all or nothing.
		m.Ahead = g.ahead
		last.add(m, it.expires)
	}
	g.rows++
	g.bytes += it.size
}

func (j *job) run(ctx context.Context, w *Writer) error {
	for _, next := range j.writes {
		if err := w.send(ctx, next); err != nil {
			if refused(err) {
				return fmt.Errorf("shard is not held by this writer: %w", err)
			}
			return err
		}
	}
	if j.guarded == nil {
		return nil
	}
	// A row may come and go between two attempts: servers are stopped, but
	// what expires does so by itself.
	for attempt := 0; ; attempt++ {
		var err error
		for _, m := range j.guarded.guarded {
			next := &write{Write: plan.Write{Name: j.name, Scope: plan.Atomic}}
			next.add(m, j.guarded.expires)
			err = w.send(ctx, next)
			if !refused(err) {
				return err
			}
		}
		if j.guarded.maybe {
			return nil
		}
		if attempt == resends {
			return fmt.Errorf("row keeps coming and going: %w", err)
		}
	}
}

// send sends a write, and again while it is too slow for what expires.
func (w *Writer) send(ctx context.Context, all *write) error {
	for attempt := 0; ; attempt++ {
		if quick, err := w.sendOnce(ctx, all); err != nil || quick || attempt == resends {
			return err
		}
	}
}

// sendOnce sends a write. Lives are counted from now; what has expired meanwhile is
// left out. quick tells that what expires does so when it should.
func (w *Writer) sendOnce(ctx context.Context, all *write) (quick bool, err error) {
	if !slices.ContainsFunc(all.expires, func(e int64) bool { return e != 0 }) {
		return true, w.ex.Write(ctx, &all.Write)
	}
	begun := w.o.Now()
	living := all.Write
	living.Mutations = nil
	rows := 0
	for i, m := range all.Mutations {
		if e := all.expires[i]; e != 0 {
			if m.TTL = w.life(e, begun); m.TTL == 0 {
				continue
			}
		}
		living.Mutations = append(living.Mutations, m)
		if m.Op != plan.Assert {
			rows++
		}
	}
	if rows == 0 {
		return true, nil
	}
	err = w.ex.Write(ctx, &living)
	return w.o.Now().Sub(begun) <= slow, err
}

// life is how long a record that expires at an instant still lives, in seconds;
// 0: it does not. See [countedFrom].
func (w *Writer) life(expires int64, now time.Time) (seconds int64) {
	left := expires - now.UnixMilli()
	if left <= 0 {
		return 0
	}
	if w.fenced {
		left = expires - now.Unix()*1000
	}
	return max(1, (left+500)/1000)
}
