package owners_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	cqlexec "github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
	"github.com/temporal-ycql/temporal-ycql/internal/cqlproxy"
)

// childEnv makes this binary an owner: a process with the stores of a server, which
// does what its standard input says and answers on its standard output, a line each.
const childEnv = "TEMPORAL_YCQL_OWNER"

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := ownerMain(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// place is a keyspace and how to get there.
type place struct {
	Backend  string
	Host     string
	Port     int
	Keyspace string
}

func (at place) options() (backend.Opener, error) {
	var b backend.Backend = cassandra.New()
	if at.Backend == yugabyte.Name {
		b = yugabyte.New()
	}
	return b.ParseOptions(map[string]any{
		"hosts": at.Host, "port": at.Port, "keyspace": at.Keyspace, "maxConns": 1,
		"timeout": patient.String(), "connectTimeout": patient.String(),
	})
}

// order is what an owner is told to do with a shard, and answer what it says.
type order struct {
	Do    string        // create, take, put, tasks, clock
	Shard int32         `json:",omitempty"`
	Range int64         `json:",omitempty"` // that it believes to hold; take: that it takes over from
	Mark  int64         `json:",omitempty"` // of the write
	Jump  time.Duration `json:",omitempty"` // of the wall clock
}

type answer struct {
	Error string  `json:",omitempty"`
	Lost  bool    `json:",omitempty"` // the shard is another's
	Maybe bool    `json:",omitempty"` // what failed may have taken effect
	Tasks []int64 `json:",omitempty"`
}

func ownerMain(text string) error {
	var at place
	if err := json.Unmarshal([]byte(text), &at); err != nil {
		return err
	}
	var jumped atomic.Int64
	st, closeAll, err := openStores(at, func() time.Time { return time.Now().Add(time.Duration(jumped.Load())) })
	if err != nil {
		return err
	}
	defer closeAll()
	return childproc.Obey(func(o order) answer {
		if o.Do == "clock" {
			jumped.Add(int64(o.Jump))
		}
		return obey(st, o)
	})
}

// openStores opens the stores of one owner.
func openStores(at place, wall func() time.Time) (st storetest.Stores, closeAll func(), err error) {
	o, err := at.options()
	if err != nil {
		return st, nil, err
	}
	conn, err := o.Open(context.Background(), env)
	if err != nil {
		return st, nil, err
	}
	f, err := store.NewDataStoreFactory(cqlexec.New(conn.Session, conn.Dialect, nil), store.FactoryOptions{
		Name: at.Backend, Cluster: "active", Serializer: serialization.NewSerializer(), WallClock: wall,
		Release: func() { _ = conn.Session.Close() },
	})
	if err != nil {
		_ = conn.Session.Close()
		return st, nil, err
	}
	if st.Shards, err = f.NewShardStore(); err == nil {
		st.Executions, err = f.NewExecutionStore()
	}
	return st, f.Close, err
}

// limit is how long one call of an owner may take: longer than a server allows, so that
// what is held, and not a busy machine, decides how it ends.
const limit = 2 * patient

// silence is after how long a child has hung: long after its limit.
const silence = 5 * time.Minute

func obey(st storetest.Stores, o order) (a answer) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var err error
	switch o.Do {
	case "create":
		_, err = st.Shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{ShardID: o.Shard, CreateShardInfo: storetest.ShardInfo(o.Range)})
	case "take":
		// A server looks before it takes.
		_, err = st.Shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{ShardID: o.Shard})
		if err == nil {
			err = st.Shards.UpdateShard(ctx, &p.InternalUpdateShardRequest{
				ShardID: o.Shard, PreviousRangeID: o.Range, RangeID: o.Range + 1, ShardInfo: storetest.Blob("shard, range %d", o.Range+1),
			})
		}
	case "put":
		_, err = st.Executions.CreateWorkflowExecution(ctx, marked(o))
	case "tasks":
		a.Tasks, err = shown(ctx, st, o.Shard)
	}
	if err != nil {
		_, a.Lost = any(err).(*p.ShardOwnershipLostError)
		a.Error, a.Maybe = fmt.Sprintf("%T: %v", err, err), p.OperationPossiblySucceeded(err)
	}
	return a
}

// of is the scene of a mark: a run of its own, with history of its own.
func of(shard int32, mark int64) storetest.Scene {
	s := storetest.Scene{
		Shard: shard, Namespace: uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "shard %d", shard)).String(), Workflow: "wf", Archetype: 1,
		Tree: uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "tree %d", mark)).String(),
	}
	for i := range s.Runs {
		s.Runs[i] = uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "run %d %d", mark, i)).String()
	}
	for i := range s.Branches {
		s.Branches[i] = uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "branch %d %d", mark, i)).String()
	}
	return s
}

// marked is a write of a shard's owner: a run that tells whether it took effect,
// its history, and one task with its mark for an id.
func marked(o order) *p.InternalCreateWorkflowExecutionRequest {
	s := of(o.Shard, o.Mark)
	s.Range = o.Range
	r := s.Create(p.CreateWorkflowModeBypassCurrent, s.Runs[0])
	r.NewWorkflowSnapshot.Tasks = map[tasks.Category][]p.InternalHistoryTask{
		tasks.CategoryTransfer: {{Key: tasks.NewImmediateKey(o.Mark), Blob: storetest.Blob("task %d", o.Mark)}},
	}
	// Nodes of a tree are stored whole on one dialect and in parts on the other;
	// this is not about them.
	r.NewWorkflowSnapshot.ChasmNodes = nil
	return r
}

func shown(ctx context.Context, st storetest.Stores, shard int32) ([]int64, error) {
	s := storetest.Scene{Shard: shard}
	page, err := st.Executions.GetHistoryTasks(ctx, s.GetTasks(tasks.CategoryTransfer))
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, task := range page.Tasks {
		ids = append(ids, task.Key.TaskID)
	}
	return ids, nil
}

// process is an owner as a child, behind a proxy of its own.
type process struct {
	*childproc.Talker

	t     testing.TB
	at    place
	proxy *cqlproxy.Proxy
}

func newProcess(t testing.TB, at place) *process {
	t.Helper()
	x, err := cqlproxy.Start(t.Context(), net.JoinHostPort(at.Host, strconv.Itoa(at.Port)))
	require.NoError(t, err)
	t.Cleanup(x.Close)
	at.Host, at.Port = "127.0.0.1", x.Port()
	w := &process{t: t, at: at, proxy: x}
	w.start()
	t.Cleanup(func() { _ = w.Kill() })
	return w
}

func (w *process) start() {
	w.t.Helper()
	self, err := os.Executable()
	require.NoError(w.t, err)
	text, err := json.Marshal(w.at)
	require.NoError(w.t, err)
	cmd := exec.Command(self, "-test.run", "^$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	w.Talker, err = childproc.StartTalker(cmd)
	require.NoError(w.t, err)
}

// tell gives an order and does not wait.
func (w *process) tell(o order) {
	w.t.Helper()
	require.NoError(w.t, w.Tell(o))
}

// hear waits for the answer to the last order.
func (w *process) hear() answer {
	w.t.Helper()
	select {
	case text, alive := <-w.Answers():
		require.True(w.t, alive, "the owner has ended")
		return w.read(text)
	case <-time.After(silence):
		require.FailNow(w.t, "the owner does not answer")
		return answer{}
	}
}

func (w *process) read(text json.RawMessage) (a answer) {
	w.t.Helper()
	require.NoError(w.t, json.Unmarshal(text, &a))
	return a
}

func (w *process) do(o order) answer {
	w.t.Helper()
	w.tell(o)
	return w.hear()
}

func (w *process) must(o order) answer {
	w.t.Helper()
	a := w.do(o)
	require.Empty(w.t, a.Error, "%+v", o)
	return a
}

func (w *process) freeze() { require.NoError(w.t, w.Signal(syscall.SIGSTOP)) }
func (w *process) thaw()   { require.NoError(w.t, w.Signal(syscall.SIGCONT)) }
func (w *process) kill()   { require.NoError(w.t, w.Kill()) }
