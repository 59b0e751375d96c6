package storm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// world is a database in trouble, the hosts that work on it, and a model of what
// must be in it.
type world struct {
	t        testing.TB
	r        *rand.Rand
	node     *standalone.Node
	state    *memory.State
	traits   cql.Traits
	hosts    []*host
	observer exec.Executor
	owner    map[int64]*host
	scenes   []storetest.Scene
	queues   []*queue

	next    int64 // the last number that was used for a task, a transaction or a version
	faults  []sim.Fault
	met     map[sim.Kind]int
	loose   map[string]bool // rows that may be there or not, for they mean nothing
	touched map[string]row
	calls   []outcome // the writes of the present call
	counts  map[string]int
	log     []string
}

// outcome is a write and what was said of it.
type outcome struct {
	write *plan.Write
	err   error
}

// host is a process with stores.
type host struct {
	exec.Executor // numbers writes
	world         *world

	storetest.Stores
	tasks, fair p.TaskStore
	metadata    p.MetadataStore
	clusters    p.ClusterMetadataStore
	nexus       p.NexusEndpointStore
	queue       p.Queue
	queueV2     p.QueueV2
}

const shards = 2

func newWorld(t testing.TB, seed uint64) *world {
	t.Helper()
	n, err := standalone.Start(standalone.Options{
		Dialect: parse.YCQL, Ephemeral: true, Log: slog.New(slog.DiscardHandler), Simulation: &sim.Options{Seed: seed, LateAfter: -1},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, n.Close(ctx))
	})
	x := &world{
		t: t, r: rand.New(rand.NewPCG(seed, 5)),
		node: n, state: memory.NewState(), owner: map[int64]*host{}, met: map[sim.Kind]int{},
		loose: map[string]bool{}, touched: map[string]row{}, counts: map[string]int{},
	}
	x.prepare()
	x.observer = x.connect("1m")
	x.traits = x.observer.Traits()
	for range 2 {
		x.hosts = append(x.hosts, x.host())
	}
	for shard := range int32(shards) {
		x.faults = nil
		s := storetest.Fresh(shard+1, false)
		x.persist("make a shard", func() error {
			_, err := x.hosts[0].Shards.GetOrCreateShard(t.Context(), &p.InternalGetOrCreateShardRequest{
				ShardID: s.Shard, CreateShardInfo: storetest.ShardInfo(s.Range),
			})
			return err
		})
		x.takeOver(x.hosts[0], int64(shard+1))
	}
	return x
}

// opener reaches the database. An answer that is lost costs the timeout.
func (x *world) opener(timeout string) backend.Opener {
	pipe := x.node.Pipe(nil)
	b := yugabyte.NewWithDial(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.Dial(ctx) })
	o, err := b.ParseOptions(map[string]any{"hosts": "127.0.0.1", "keyspace": "storm", "maxConns": 1, "timeout": timeout})
	require.NoError(x.t, err)
	return o
}

func env() backend.Env { return backend.Env{Logger: slog.New(slog.DiscardHandler)} }

func (x *world) prepare() {
	o := x.opener("1m")
	admin, err := o.OpenAdmin(x.t.Context(), env())
	require.NoError(x.t, err)
	tool := &schema.Tool{
		Admin: admin, Set: schema.YCQL(), Keyspace: "storm", Out: io.Discard, Alone: true, Prepare: schema.Preparing(o, env(), io.Discard),
	}
	require.NoError(x.t, tool.Create(x.t.Context(), schema.Replication{}))
	require.NoError(x.t, tool.Update(x.t.Context()))
	require.NoError(x.t, admin.Close())
}

// connect opens a session of its own, with numbers for writes.
func (x *world) connect(timeout string) exec.Executor {
	var c *backend.Connection
	x.persist("open a session", func() (err error) {
		c, err = x.opener(timeout).Open(x.t.Context(), env())
		return err
	})
	x.t.Cleanup(func() { _ = c.Session.Close() })
	ex, err := sequence.New(exec.New(c.Session, c.Dialect, nil), x)
	require.NoError(x.t, err)
	x.t.Cleanup(ex.Close)
	for _, r := range point {
		require.NoError(x.t, ex.Compile(r))
	}
	return ex
}

// Count implements sequence.Observer. It is called in the background, too.
func (*world) Count(sequence.Counter, int) {}

func (x *world) host() *host {
	h := &host{Executor: x.connect("150ms"), world: x}
	f, err := store.NewDataStoreFactory(h, store.FactoryOptions{
		Name: yugabyte.Name, Cluster: "active", Serializer: serialization.NewSerializer(),
	})
	require.NoError(x.t, err)
	h.Shards, err = f.NewShardStore()
	require.NoError(x.t, err)
	h.Executions, err = f.NewExecutionStore()
	require.NoError(x.t, err)
	h.tasks, err = f.NewTaskStore()
	require.NoError(x.t, err)
	h.fair, err = f.NewFairTaskStore()
	require.NoError(x.t, err)
	h.metadata, err = f.NewMetadataStore()
	require.NoError(x.t, err)
	h.clusters, err = f.NewClusterMetadataStore()
	require.NoError(x.t, err)
	h.nexus, err = f.NewNexusEndpointStore()
	require.NoError(x.t, err)
	h.queue, err = f.NewQueue(p.NamespaceReplicationQueueType)
	require.NoError(x.t, err)
	h.queueV2, err = f.NewQueueV2()
	require.NoError(x.t, err)
	return h
}

// weather sets what goes wrong from now on; nil is calm.
func (x *world) weather(faults []sim.Fault) {
	require.NoError(x.t, x.node.Simulation().SetFaults(faults...))
}

// land lets everything arrive that is under way. Only in calm weather.
func (x *world) land() {
	// On a busy machine a host may give up what the server has not begun yet. It reads
	// the requests of a connection in their order: after the answer to another it has
	// read that one, too.
	for _, h := range x.hosts {
		x.persist("reach the server", func() error {
			_, err := all(x.t.Context(), h.Executor, point[plan.NamespaceIDs], 0, [16]byte{})
			return err
		})
	}
	s := x.node.Simulation()
	deadline := time.Now().Add(2 * time.Minute)
	for s.LateWrites() > 0 || x.node.Server().Stats().InFlight > 0 {
		s.ApplyLate()
		if time.Now().After(deadline) {
			x.t.Fatalf("%d late writes do not arrive, %d requests run", s.LateWrites(), x.node.Server().Stats().InFlight)
		}
		time.Sleep(time.Millisecond)
	}
}

// persist tries until it succeeds, as it must soon in calm weather.
func (x *world) persist(what string, try func() error) {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("%s, in calm weather: %v", what, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// rangeOf is the range of a shard in the model.
func (x *world) rangeOf(shard int64) int64 {
	rows, _, err := x.state.Read(point[plan.Shards], plan.Page{}, shard)
	if err != nil || len(rows) != 1 {
		x.t.Fatalf("shard %d in the model: %v, %v", shard, rows, err)
	}
	return rows[0][0].(int64)
}

// takeOver gives a shard to a host in calm weather, as a server does whose write
// is of unknown outcome.
func (x *world) takeOver(h *host, shard int64) {
	x.persist("take over", func() error {
		rows, err := all(x.t.Context(), h.Executor, point[plan.Shards], 0, shard)
		if err != nil {
			return err
		}
		if len(rows) != 1 {
			return fmt.Errorf("%d rows", len(rows))
		}
		from := rows[0][0].(int64)
		w := &plan.Write{
			Name: "UpdateShard", Scope: plan.Atomic, Owner: &plan.Owner{Shard: shard, RangeID: from},
			Mutations: []plan.Mutation{{
				Table: plan.Shards, Op: plan.Update, Key: []any{shard},
				Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: from}},
				Effects: []plan.Effect{
					{Op: plan.Set, Column: plan.ShardRangeID, Value: from + 1},
					{Op: plan.Set, Column: plan.ShardInfo, Value: plan.Blob{Data: fmt.Appendf(nil, "range %d", from+1), Encoding: "Proto3"}},
				},
			}},
		}
		if err := h.Executor.Write(x.t.Context(), w); err != nil {
			return err
		}
		x.apply(w)
		return nil
	})
	x.owner[shard] = h
	x.counts["takeovers in calm weather"]++
}

// storm makes n calls.
func (x *world) storm(n int) {
	for i := range n {
		x.call()
		if i%100 == 99 {
			x.everything()
		}
	}
	x.everything()
	maps.Copy(x.met, x.node.Simulation().Injected())
}

func (x *world) call() {
	c := x.choose()
	if x.faults = x.trouble(); c.deletes {
		// Copies of what was stored before must not come after what deletes it:
		// servers see to that by never asking for it again.
		x.weather(nil)
		x.land()
	}
	x.calls = nil
	x.weather(x.faults)
	before := x.node.Simulation().Injected()
	ctx, cancel := context.WithTimeout(x.t.Context(), 2*time.Second)
	err := c.do(ctx)
	cancel()
	x.weather(nil)
	x.note(c, err, before)
	x.sayings(c, err)
	x.counts["calls"]++
	for _, o := range x.calls {
		if o.write.Owner == nil || c.deletes {
			x.land() // what has no number may do harm when it comes much later
		}
	}
	if x.node.Simulation().LateWrites() > 0 && x.r.IntN(4) == 0 {
		x.counts["landings of what was given up"]++
		x.land()
		for _, o := range x.calls {
			x.verify(o.write)
		}
	}
}

// sayings checks that an error does not say more than is known.
func (x *world) sayings(c *call, err error) {
	if len(x.calls) != 1 {
		return
	}
	var e *errs.Error
	said := x.calls[0].err
	switch {
	case said == nil:
	case err == nil && !c.lenient:
		x.t.Fatalf("%s: the call succeeded, and its write did not: %v", c.name, said)
	case errors.As(said, &e) && e.Outcome == errs.Unknown && !c.appends && !p.OperationPossiblySucceeded(err):
		x.t.Fatalf("%s: %T (%v) is taken for a certain failure, and this is not known: %v", c.name, err, err, said)
	}
}

// note keeps what was done, for whoever looks for the cause of a failure.
func (x *world) note(c *call, err error, before map[sim.Kind]int) {
	line := fmt.Sprintf("%d %s: %v", x.counts["calls"], c.name, err)
	for k, n := range x.node.Simulation().Injected() {
		if n > before[k] {
			line += fmt.Sprintf(" [%s x %d]", k, n-before[k])
		}
	}
	x.log = append(x.log, line)
	if len(x.log) > 30 {
		x.log = x.log[1:]
	}
}

// trouble picks what goes wrong with a call; mostly nothing.
func (x *world) trouble() []sim.Fault {
	if x.r.IntN(5) > 1 {
		return nil
	}
	kinds := sim.Kinds(parse.YCQL)
	var all []sim.Fault
	for range 1 + x.r.IntN(2) {
		k := kinds[x.r.IntN(len(kinds))]
		if k == sim.StaleRead || k == sim.Late && x.r.IntN(3) > 0 { // of reads at ONE; costs a timeout
			continue
		}
		all = append(all, sim.Fault{Kind: k, Rate: 0.2 + 0.6*x.r.Float64(), Limit: 1 + x.r.IntN(3), Skip: x.r.IntN(2)})
	}
	if x.r.IntN(2) == 0 { // there are few blocks
		all = append(all, sim.Fault{Kind: sim.Rerun, Rate: 0.7, Limit: 2})
	}
	return all
}

// everything compares all that was ever written, and the tasks as every host
// that may sees them, when nothing is under way.
func (x *world) everything() {
	x.weather(nil)
	x.land()
	for _, k := range slices.Sorted(maps.Keys(x.touched)) {
		x.compare(x.touched[k].table, x.touched[k].key)
		if t := x.touched[k].table; x.loose[k] || t == plan.HistoryNodes || t == plan.HistoryTasks {
			delete(x.touched, k) // there will be too many; deletions touch them again
		}
	}
	for shard := int64(1); shard <= shards; shard++ {
		for _, category := range []int64{1, 2, 4} {
			read, args := allTasks[category != 2], []any{shard, category}
			if category != 2 {
				args = append(args, plan.Immediate)
			}
			args = append(args, int64(0))
			want, _, err := x.state.Read(read, plan.Page{}, args...)
			require.NoError(x.t, err)
			for who, ex := range map[string]exec.Executor{"who owns nothing": x.observer, "the owner": x.owner[shard].Executor} {
				var got [][]any
				x.persist("read tasks", func() (err error) {
					got, err = all(x.t.Context(), ex, read, 1+x.r.IntN(9), args...)
					return err
				})
				require.Equal(x.t, rowsText(want), rowsText(got), "shard %d, category %d, as %s sees it", shard, category, who)
			}
		}
	}
}
