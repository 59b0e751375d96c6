// Package rounds holds what store calls cost on YCQL to a budget, counted by the
// database's side: the embedded engine counts the serial rounds and commits that
// YugabyteDB would spend.
package rounds_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

var update = flag.Bool("update", false, "write docs/ycql-rounds.md anew")

const page = "../../docs/ycql-rounds.md"

var env = backend.Env{Logger: slog.New(slog.DiscardHandler)}

// database is an engine with stores on it, reached as a cluster is.
type database struct {
	node    *standalone.Node
	conn    *backend.Connection
	factory *store.DataStoreFactory
	shards  p.ShardStore
	runs    p.ExecutionStore
	tasks   p.TaskStore
	fair    p.TaskStore

	mu    sync.Mutex
	trips int // round trips of the plans since the last take
}

func open(t testing.TB, simulate *sim.Options) *database {
	t.Helper()
	node, err := standalone.Start(standalone.Options{
		Dialect: parse.YCQL, Ephemeral: true, Listen: "127.0.0.1:0", Log: env.Logger, Simulation: simulate,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, node.Close(ctx))
	})
	o, err := yugabyte.New().ParseOptions(map[string]any{
		"hosts": node.Addr().IP.String(), "port": node.Addr().Port, "keyspace": "budget", "maxConns": 1,
		// Whatever is asked in between counts: what was not answered in time is asked
		// again, and where tablets are is asked now and then.
		"timeout": "1m", "connectTimeout": "1m", "partitionRefresh": "1h",
	})
	require.NoError(t, err)
	admin, err := o.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	tool := &schema.Tool{
		Admin: admin, Set: schema.YCQL(), Keyspace: "budget", Out: io.Discard, Alone: true,
		Prepare: schema.Preparing(o, env, io.Discard),
	}
	require.NoError(t, tool.Create(t.Context(), schema.Replication{}))
	require.NoError(t, tool.Update(t.Context()))
	require.NoError(t, admin.Close())

	d := &database{node: node}
	d.conn, err = o.Open(t.Context(), env)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.conn.Session.Close()) })
	d.factory, err = store.NewDataStoreFactory(exec.New(d.conn.Session, d.conn.Dialect, d), store.FactoryOptions{
		Name: "budget", Cluster: "active", Serializer: serialization.NewSerializer(),
	})
	require.NoError(t, err)
	t.Cleanup(d.factory.Close)
	d.shards, err = d.factory.NewShardStore()
	require.NoError(t, err)
	d.runs, err = d.factory.NewExecutionStore()
	require.NoError(t, err)
	d.tasks, err = d.factory.NewTaskStore()
	require.NoError(t, err)
	d.fair, err = d.factory.NewFairTaskStore()
	require.NoError(t, err)
	return d
}

// Done implements exec.Observer.
func (d *database) Done(e *exec.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trips += e.RoundTrips
}

func (d *database) take() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	trips := d.trips
	d.trips = 0
	return trips
}

// cost is what one call took.
type cost struct {
	rounds, commits, requests int64
	trips                     int
}

func (d *database) cost(t *testing.T, call func() error) cost {
	t.Helper()
	d.take()
	before := d.node.Server().Stats().Counts
	require.NoError(t, call())
	c := d.node.Server().Stats().Sub(before)
	return cost{rounds: c.Rounds, commits: c.Commits, requests: c.Requests, trips: d.take()}
}

// scene is a shard of its own with a workflow.
func (d *database) scene(t testing.TB, shard int32) storetest.Scene {
	t.Helper()
	s := storetest.Fresh(shard, false)
	s.Own(t, d.shards)
	return s
}

// sized gives a request so many tasks, and elements of mutable state.
func sized(n, from int) (map[tasks.Category][]p.InternalHistoryTask, map[int64]*commonpb.DataBlob) {
	list := make([]p.InternalHistoryTask, n)
	for i := range list {
		id := int64(from + i)
		list[i] = p.InternalHistoryTask{Key: tasks.NewImmediateKey(id), Blob: storetest.Blob("task %d", id)}
	}
	elements := map[int64]*commonpb.DataBlob{}
	for i := range n {
		elements[int64(from+i)] = storetest.Blob("element %d", i)
	}
	return map[tasks.Category][]p.InternalHistoryTask{tasks.CategoryTransfer: list}, elements
}

// updateOf is the update of a scene's first run with so many tasks and entries,
// half of them timers, and events of one batch.
func updateOf(s storetest.Scene, version int64, ntasks, entries int) *p.InternalUpdateWorkflowExecutionRequest {
	r := s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0])
	r.UpdateWorkflowNewEvents = r.UpdateWorkflowNewEvents[:1]
	r.UpdateWorkflowNewEvents[0].Node.NodeID, r.UpdateWorkflowNewEvents[0].Node.TransactionID = 4+version, 100+version
	m := &r.UpdateWorkflowMutation
	*m = p.InternalWorkflowMutation{
		NamespaceID: m.NamespaceID, WorkflowID: m.WorkflowID, RunID: m.RunID,
		ExecutionInfoBlob: m.ExecutionInfoBlob, ExecutionState: m.ExecutionState, ExecutionStateBlob: m.ExecutionStateBlob,
		LastWriteVersion: m.LastWriteVersion, NextEventID: m.NextEventID, DBRecordVersion: version, Condition: m.Condition,
		Checksum: m.Checksum,
	}
	m.Tasks, _ = sized(ntasks, int(version)*1000)
	_, activities := sized(entries/2, 1)
	m.UpsertActivityInfos = activities
	m.UpsertTimerInfos = map[string]*commonpb.DataBlob{}
	for i := range entries - entries/2 {
		m.UpsertTimerInfos[fmt.Sprintf("t%d", i)] = storetest.Blob("timer %d", i)
	}
	return r
}

func matching(namespace string, n int, fair bool, rangeID int64) (p.InternalCreateTaskQueueRequest, p.InternalCreateTasksRequest) {
	create := p.InternalCreateTaskQueueRequest{
		NamespaceID: namespace, TaskQueue: "queue", TaskType: 1, RangeID: rangeID, TaskQueueInfo: storetest.Blob("info"),
	}
	add := p.InternalCreateTasksRequest{
		NamespaceID: namespace, TaskQueue: "queue", TaskType: 1, RangeID: rangeID, TaskQueueInfo: storetest.Blob("info"), UpdateMetadata: true,
	}
	for i := range n {
		task := &p.InternalCreateTask{TaskId: int64(i + 1), Task: storetest.Blob("task %d", i)}
		if fair {
			task.TaskPass = 1
		}
		add.Tasks = append(add.Tasks, task)
	}
	return create, add
}

// row is one line of the table.
type row struct {
	call  string
	limit int64 // serial rounds of what follows one another, from architecture
	// aside are the rounds that run beside another one of the ahead step.
	aside  int64
	commit int64
	// run makes what the call needs and returns the call. Each size has a shard of
	// its own.
	run func(t *testing.T, d *database, shard int32, n int) func(ctx context.Context) error
}

// sizes of a call: tasks and entries, or tasks of a queue.
var sizes = []int{1, 2, 5, 10, 20, 50}

func rows() []row {
	created := func(t *testing.T, d *database, shard int32) storetest.Scene {
		s := d.scene(t, shard)
		s.CreateCurrent(t, d.runs)
		return s
	}
	return []row{
		{"CreateWorkflowExecution, brand new, new branch, N tasks, N entries", 5, 2, 1, func(t *testing.T, d *database, shard int32, n int) func(context.Context) error {
			s := d.scene(t, shard)
			r := s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0])
			r.NewWorkflowSnapshot.Tasks, r.NewWorkflowSnapshot.ActivityInfos = sized(n, 1)
			return func(ctx context.Context) error { _, err := d.runs.CreateWorkflowExecution(ctx, r); return err }
		}},
		{"UpdateWorkflowExecution, N tasks, N entries, one batch of events", 4, 1, 1, func(t *testing.T, d *database, shard int32, n int) func(context.Context) error {
			s := created(t, d, shard)
			return func(ctx context.Context) error { return d.runs.UpdateWorkflowExecution(ctx, updateOf(s, 2, n, n)) }
		}},
		{"UpdateWorkflowExecution, N tasks, no entries", 4, 1, 1, func(t *testing.T, d *database, shard int32, n int) func(context.Context) error {
			s := created(t, d, shard)
			return func(ctx context.Context) error { return d.runs.UpdateWorkflowExecution(ctx, updateOf(s, 2, n, 0)) }
		}},
		{"UpdateWorkflowExecution, continued as new, N tasks in both runs, new branch", 6, 3, 1, func(t *testing.T, d *database, shard int32, n int) func(context.Context) error {
			s := created(t, d, shard)
			r := s.ContinueAsNew(s.Runs[0], s.Runs[1])
			r.UpdateWorkflowMutation.Tasks, _ = sized(n, 1000)
			r.NewWorkflowSnapshot.Tasks, _ = sized(n, 5000)
			return func(ctx context.Context) error { return d.runs.UpdateWorkflowExecution(ctx, r) }
		}},
		{"ConflictResolveWorkflowExecution, three runs, N tasks in each, new branch", 7, 4, 1, func(t *testing.T, d *database, shard int32, n int) func(context.Context) error {
			s := d.scene(t, shard)
			s.CreateBoth(t, d.runs)
			r := s.ResolveThree(p.ConflictResolveWorkflowModeUpdateCurrent)
			r.ResetWorkflowSnapshot.Tasks, _ = sized(n, 5000)
			r.CurrentWorkflowMutation.Tasks, _ = sized(n, 6000)
			r.NewWorkflowSnapshot.Tasks, _ = sized(n, 7000)
			return func(ctx context.Context) error { return d.runs.ConflictResolveWorkflowExecution(ctx, r) }
		}},
		{"SetWorkflowExecution, N tasks", 4, 0, 1, func(t *testing.T, d *database, shard int32, n int) func(context.Context) error {
			s := created(t, d, shard)
			r := s.Set(s.Runs[0], 2)
			r.SetWorkflowSnapshot.Tasks, _ = sized(n, 5000)
			return func(ctx context.Context) error { return d.runs.SetWorkflowExecution(ctx, r) }
		}},
		{"AddHistoryTasks, N tasks", 2, 0, 0, func(t *testing.T, d *database, shard int32, n int) func(context.Context) error {
			s := d.scene(t, shard)
			r := s.AddTasks(1)
			r.Tasks, _ = sized(n, 1)
			return func(ctx context.Context) error { return d.runs.AddHistoryTasks(ctx, r) }
		}},
		{"CreateTasks of matching, N tasks", 1, 0, 0, func(t *testing.T, d *database, _ int32, n int) func(context.Context) error {
			create, add := matching(uuid.NewString(), n, false, 1)
			require.NoError(t, d.tasks.CreateTaskQueue(t.Context(), &create))
			return func(ctx context.Context) error { _, err := d.tasks.CreateTasks(ctx, &add); return err }
		}},
		{"CreateTasks of matching, fair, N tasks", 1, 0, 0, func(t *testing.T, d *database, _ int32, n int) func(context.Context) error {
			create, add := matching(uuid.NewString(), n, true, 1)
			require.NoError(t, d.fair.CreateTaskQueue(t.Context(), &create))
			return func(ctx context.Context) error { _, err := d.fair.CreateTasks(ctx, &add); return err }
		}},
		{"GetWorkflowExecution, N entries", 1, 0, 0, func(t *testing.T, d *database, shard int32, n int) func(context.Context) error {
			s := created(t, d, shard)
			require.NoError(t, d.runs.UpdateWorkflowExecution(t.Context(), updateOf(s, 2, 0, n)))
			return func(ctx context.Context) error {
				_, err := d.runs.GetWorkflowExecution(ctx, s.Get(s.Runs[0]))
				return err
			}
		}},
		{"UpdateShard", 1, 0, 0, func(t *testing.T, d *database, shard int32, _ int) func(context.Context) error {
			s := d.scene(t, shard)
			return func(ctx context.Context) error { return d.shards.UpdateShard(ctx, s.Renew()) }
		}},
	}
}

// TestRoundsDoNotGrowWithTheWrite makes each call in each size twice, for the
// first one prepares its statements, and holds the rounds to the budget, the same
// one for all sizes, and to the committed page.
func TestRoundsDoNotGrowWithTheWrite(t *testing.T) {
	d := open(t, nil)
	var b strings.Builder
	b.WriteString(head)
	shard := int32(0)
	for _, r := range rows() {
		var first cost
		for i, n := range sizes {
			var c cost
			for range 2 {
				shard++
				call := r.run(t, d, shard, n)
				c = d.cost(t, func() error { return call(t.Context()) })
			}
			if c.rounds > r.limit+r.aside || c.commits != r.commit {
				t.Errorf("%s, N = %d: %d rounds and %d commits, the budget is %d + %d and %d", r.call, n, c.rounds, c.commits, r.limit, r.aside, r.commit)
			}
			if i == 0 {
				first = c
			} else if c != first {
				t.Errorf("%s: N = %d costs %+v, N = %d costs %+v", r.call, sizes[0], first, n, c)
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d |\n", r.call, r.limit, first.rounds, first.commits, first.trips, first.requests)
	}
	b.WriteString(tail)
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(b.String()), 0o600))
	}
	committed, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, string(committed), b.String(), "docs/ycql-rounds.md is stale: run this test with -update")
}

// TestTextsOfATypicalLoadAreFew counts what the calls above have prepared: each
// text costs a PREPARE on every server.
func TestTextsOfATypicalLoadAreFew(t *testing.T) {
	d := open(t, nil)
	shard := int32(0)
	for _, r := range rows() {
		for _, n := range sizes {
			shard++
			require.NoError(t, r.run(t, d, shard, n)(t.Context()))
		}
	}
	texts := d.conn.Dialect.Texts()
	require.LessOrEqual(t, len(texts), 64, strings.Join(texts, "\n"))
	prepared := d.node.Server().Stats().PreparedStatements
	require.LessOrEqual(t, prepared, 64+32, "the server holds those of the probe and of system tables beside them")
}

const head = `# What store calls cost on YCQL

Serial rounds are what YugabyteDB does one after the other for a call: each is a Raft round (or a read at a leader), and each takes the latency between nodes. A transaction block runs its statements one by one and then commits.
They are counted by the embedded engine, as YugabyteDB's sources say that it spends them; nothing was measured on a YugabyteDB. The numbers are the same for N = 1, 2, 5, 10, 20 and 50: a test makes each call in each size, fails if they differ, and holds this page
(` + "`go test -tags disable_grpc_modules ./test/rounds -update`" + ` writes it anew).

*budget*: rounds that follow one another, by design. *rounds*: counted, those of the ahead step included that run side by side. *trips*: requests that the server waits for one after the other. *requests*: all.

| call | budget | rounds | commits | trips | requests |
|---|---|---|---|---|---|
`

const tail = `
More than 64 changed elements of mutable state in one write are bound as a whole, and cost one statement more where some of them are removed.
`
