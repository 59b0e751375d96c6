package conformance_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/conformance"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// ycqlNode is the engine as a server of YCQL, and a keyspace on it with
// Temporal's tables, reached as a YugabyteDB is.
type ycqlNode struct {
	*yugabyte.Backend
	keyspace string
}

func startYCQL(t testing.TB) *ycqlNode {
	t.Helper()
	n, err := standalone.Start(standalone.Options{Dialect: parse.YCQL, Ephemeral: true, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, n.Close(ctx))
	})
	pipe := n.Pipe(nil)
	y := &ycqlNode{
		yugabyte.NewWithDial(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.Dial(ctx) }), "temporal",
	}
	y.update(t)
	return y
}

func quiet() backend.Env { return backend.Env{Logger: slog.New(slog.DiscardHandler)} }

func (y *ycqlNode) opener(t testing.TB, more map[string]any) backend.Opener {
	t.Helper()
	raw := map[string]any{"hosts": "127.0.0.1", "keyspace": y.keyspace, "maxConns": 1}
	maps.Copy(raw, more)
	o, err := y.ParseOptions(raw)
	require.NoError(t, err)
	return o
}

// update is "schema create" and "schema update", which records what the server can do.
func (y *ycqlNode) update(t testing.TB) {
	t.Helper()
	o := y.opener(t, nil)
	admin, err := o.OpenAdmin(t.Context(), quiet())
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	tool := &schema.Tool{
		Admin: admin, Set: schema.YCQL(), Keyspace: y.keyspace, Out: io.Discard, Alone: true,
		Prepare: schema.Preparing(o, quiet(), io.Discard),
	}
	require.NoError(t, tool.Create(ctx, schema.Replication{}))
	require.NoError(t, tool.Update(ctx))
}

// record makes the keyspace's record say of all abilities that dialects use
// what servers of another release would have put there.
func (y *ycqlNode) record(t testing.TB, able bool) {
	t.Helper()
	admin, err := y.opener(t, nil).OpenAdmin(t.Context(), quiet())
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close()) }()
	for _, trait := range []string{"null elements", "guard last in a batch"} {
		require.NoError(t, admin.Exec(t.Context(),
			fmt.Sprintf(`UPDATE %s.server_traits SET able = %t WHERE trait = '%s'`, y.keyspace, able, trait)))
	}
}

// open opens the keyspace as a host does, and checks what it uses.
func (y *ycqlNode) open(t testing.TB, want ycql.Abilities) conformance.Database {
	t.Helper()
	c, err := y.opener(t, nil).Open(t.Context(), quiet())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Session.Close()) })
	require.Equal(t, ycql.New(want).Texts(), c.Dialect.Texts(), "the host uses other abilities than the record allows")
	return conformance.Database{Session: c.Session, Dialect: c.Dialect, Name: yugabyte.Name}
}

// overYCQL runs the suite with one setting of the abilities that are probed.
type overYCQL struct{ able bool }

func (overYCQL) Excused() map[string]string { return nil }

func (h overYCQL) Open(t *testing.T) conformance.Database {
	y := startYCQL(t)
	if !h.able {
		y.record(t, false)
		return y.open(t, ycql.Abilities{})
	}
	return y.open(t, ycql.All)
}

// dependent are the areas whose statements depend on what is probed: executions
// and matching's queues. All of them run on the engine's own backend, with all
// abilities.
var dependent = []string{
	"upstream-executions", "upstream-execution-tasks", "executions", "ownership", "faults", "upstream-matching", "matching", "budgets",
}

func TestCassandraSuiteOnYugabyteThatCanDoAll(t *testing.T) {
	conformance.RunAreas(t, overYCQL{able: true}, dependent...)
}

func TestCassandraSuiteOnYugabyteThatCanDoLeast(t *testing.T) {
	conformance.RunAreas(t, overYCQL{able: false}, dependent...)
}

// host is a process on the keyspace.
type host struct {
	storetest.Stores
	tasks, fair p.TaskStore
}

func newHost(t *testing.T, db conformance.Database) *host {
	t.Helper()
	f, err := store.NewDataStoreFactory(exec.New(db.Session, db.Dialect, nil), store.FactoryOptions{
		Name: db.Name, Cluster: "active", Serializer: serialization.NewSerializer(),
	})
	require.NoError(t, err)
	t.Cleanup(f.Close)
	h := &host{}
	h.Shards, err = f.NewShardStore()
	require.NoError(t, err)
	h.Executions, err = f.NewExecutionStore()
	require.NoError(t, err)
	h.tasks, err = f.NewTaskStore()
	require.NoError(t, err)
	h.fair, err = f.NewFairTaskStore()
	require.NoError(t, err)
	return h
}

// Hosts that were started while the record said no, and such that were started
// since it says yes, write one keyspace in turns: each goes on with what the
// other has left, and both read the same.
func TestHostsOfBothSettingsShareAKeyspace(t *testing.T) {
	y := startYCQL(t)
	y.record(t, false)
	no := y.open(t, ycql.Abilities{})
	careful := newHost(t, no)
	y.update(t) // asks the server again, and raises the record
	yes := y.open(t, ycql.All)
	able := newHost(t, yes)
	readers := []*host{newHost(t, no), newHost(t, yes)} // they own nothing
	y.record(t, false)
	lowered := newHost(t, y.open(t, ycql.Abilities{}))

	for i, hosts := range [][]*host{{careful, able}, {able, careful}, {able, lowered, careful, able}} {
		s := storetest.Fresh(int32(1000+i), false)
		require.NoError(t, takeShard(t, hosts[0], &s))
		s.CreateBoth(t, hosts[0].Executions)
		version := int64(1)
		for turn := range 3 * len(hosts) {
			h := hosts[turn%len(hosts)]
			require.NoError(t, takeShard(t, h, &s))
			version++
			update := s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0])
			update.UpdateWorkflowMutation = *s.Mutation(s.Runs[0], version)
			update.UpdateWorkflowMutation.ClearBufferedEvents = turn%3 == 2
			update.UpdateWorkflowNewEvents = nil
			if turn%2 == 1 { // what the other removed comes back
				update.UpdateWorkflowMutation.UpsertActivityInfos = s.Snapshot(s.Runs[0], 1).ActivityInfos
				update.UpdateWorkflowMutation.DeleteActivityInfos = map[int64]struct{}{10: {}}
			}
			require.NoError(t, h.Executions.UpdateWorkflowExecution(t.Context(), update))
			if turn%4 == 3 {
				version++
				require.NoError(t, h.Executions.SetWorkflowExecution(t.Context(), s.Set(s.Runs[0], version)))
			}
			for _, reader := range readers {
				require.Equal(t, h.Now(t, s), reader.Now(t, s), "turn %d", turn)
			}
			deposed := hosts[(turn+1)%len(hosts)]
			if deposed != h {
				old := s
				old.Range--
				require.ErrorAs(t, deposed.Executions.AddHistoryTasks(t.Context(), old.AddTasks(90_000)), new(*p.ShardOwnershipLostError))
			}
		}
		page, err := readers[0].Executions.GetHistoryTasks(t.Context(), s.GetTasks(tasks.CategoryTransfer))
		require.NoError(t, err)
		require.NotEmpty(t, page.Tasks)
	}
}

// takeShard moves the shard to a host, in the range after the scene's.
func takeShard(t *testing.T, h *host, s *storetest.Scene) error {
	t.Helper()
	s.Own(t, h.Shards) // makes it, or reads it
	err := h.Shards.UpdateShard(t.Context(), s.Renew())
	s.Range++
	return err
}

// Both forms of the guarded append, on one queue in turns: whoever has lost the
// queue leaves no task behind, and nobody's tasks are missing.
func TestHostsOfBothSettingsShareAQueue(t *testing.T) {
	y := startYCQL(t)
	y.record(t, false)
	careful := newHost(t, y.open(t, ycql.Abilities{}))
	y.update(t)
	able := newHost(t, y.open(t, ycql.All))
	for name, stores := range map[string][2]p.TaskStore{"classic": {careful.tasks, able.tasks}, "fair": {careful.fair, able.fair}} {
		t.Run(name, func(t *testing.T) { queueInTurns(t, stores, name == "fair") })
	}
}

func queueInTurns(t *testing.T, hosts [2]p.TaskStore, fair bool) {
	const kind = enumspb.TASK_QUEUE_TYPE_WORKFLOW
	namespace := uuid.NewString()
	require.NoError(t, hosts[0].CreateTaskQueue(t.Context(), &p.InternalCreateTaskQueueRequest{
		NamespaceID: namespace, TaskQueue: "q", TaskType: kind, RangeID: 1, TaskQueueInfo: storetest.Blob("range 1"),
	}))
	var want []string
	for rangeID := int64(1); rangeID < 7; rangeID++ {
		owner, deposed := hosts[rangeID%2], hosts[(rangeID+1)%2]
		_, err := owner.UpdateTaskQueue(t.Context(), &p.InternalUpdateTaskQueueRequest{
			NamespaceID: namespace, TaskQueue: "q", TaskType: kind,
			PrevRangeID: rangeID, RangeID: rangeID + 1, TaskQueueInfo: storetest.Blob("range %d", rangeID+1),
		})
		require.NoError(t, err)
		add := func(s p.TaskStore, rangeID, id int64) error {
			task := &p.InternalCreateTask{TaskId: id, Task: storetest.Blob("task %d", id)}
			if fair {
				task.TaskPass = 1
			}
			_, err := s.CreateTasks(t.Context(), &p.InternalCreateTasksRequest{
				NamespaceID: namespace, TaskQueue: "q", TaskType: kind, RangeID: rangeID,
				Tasks: []*p.InternalCreateTask{task}, UpdateMetadata: true, TaskQueueInfo: storetest.Blob("range %d", rangeID),
			})
			return err
		}
		require.ErrorAs(t, add(deposed, rangeID, 100*rangeID+1), new(*p.ConditionFailedError))
		require.NoError(t, add(owner, rangeID+1, 100*rangeID+2))
		want = append(want, fmt.Sprintf("task %d", 100*rangeID+2))
		for _, s := range hosts {
			read := &p.GetTasksRequest{NamespaceID: namespace, TaskQueue: "q", TaskType: kind, ExclusiveMaxTaskID: math.MaxInt64, PageSize: 100}
			if fair {
				read.InclusiveMinPass = 1
			}
			page, err := s.GetTasks(t.Context(), read)
			require.NoError(t, err)
			got := make([]string, len(page.Tasks))
			for i, b := range page.Tasks {
				got[i] = string(b.Data)
			}
			require.Equal(t, want, got)
		}
	}
}
