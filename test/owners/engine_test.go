package owners_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence/sequencetest"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

var env = backend.Env{Logger: slog.New(slog.DiscardHandler)}

// How long a session waits for an answer. One that is told of no trouble is patient,
// for the machine may stand still for seconds; one in a cluster that loses answers
// gives up soon, so that a call has time to find out.
const (
	patient = time.Minute
	hasty   = 300 * time.Millisecond
)

// cluster is an engine with the schema on it.
type cluster struct {
	*sim.Engine
	open    func(t testing.TB, timeout time.Duration) cql.Session
	dialect dialect.Dialect
	clean   exec.Executor // without faults of its own, and not an owner
	shards  int64
}

func start(t testing.TB) *cluster {
	t.Helper()
	node, err := standalone.Start(standalone.Options{
		Dialect: parse.YCQL, Ephemeral: true, Listen: "127.0.0.1:0", Log: env.Logger,
		Simulation: &sim.Options{Seed: 1, LateAfter: -1},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		require.NoError(t, node.Close(ctx))
	})
	options := func(t testing.TB, timeout time.Duration) backend.Opener {
		t.Helper()
		o, err := yugabyte.New().ParseOptions(map[string]any{
			"hosts": node.Addr().IP.String(), "port": node.Addr().Port, "keyspace": "owners", "maxConns": 1,
			"timeout": timeout.String(), "connectTimeout": patient.String(),
		})
		require.NoError(t, err)
		return o
	}
	o := options(t, patient)
	admin, err := o.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	tool := &schema.Tool{
		Admin: admin, Set: schema.YCQL(), Keyspace: "owners", Out: io.Discard, Alone: true,
		Prepare: schema.Preparing(o, env, io.Discard),
	}
	require.NoError(t, tool.Create(t.Context(), schema.Replication{}))
	require.NoError(t, tool.Update(t.Context()))
	require.NoError(t, admin.Close())
	c := &cluster{Engine: node.Simulation()}
	c.open = func(t testing.TB, timeout time.Duration) cql.Session {
		t.Helper()
		conn, err := options(t, timeout).Open(t.Context(), env)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Session.Close() })
		c.dialect = conn.Dialect
		return conn.Session
	}
	session := c.open(t, patient)
	c.clean = exec.New(session, c.dialect, nil)
	return c
}

// owner is a process with a shard, which can be stopped.
type owner struct {
	t     testing.TB
	c     *cluster
	shard int64
	x     *sequence.Executor
	stops *stops
}

func (c *cluster) owner(t testing.TB, shard int64, session cql.Session) *owner {
	t.Helper()
	s := &stops{Session: session}
	x, err := sequence.New(exec.New(s, c.dialect, nil), nil)
	require.NoError(t, err)
	t.Cleanup(x.Close)
	require.NoError(t, sequencetest.Compile(x))
	return &owner{t: t, c: c, shard: shard, x: x, stops: s}
}

func (o *owner) put(ctx context.Context, rangeID, mark int64, tasks ...int64) error {
	return o.x.Write(ctx, sequencetest.Put(o.shard, rangeID, mark, tasks...))
}

func (o *owner) update(ctx context.Context, from, to int64) error {
	return o.x.Write(ctx, sequencetest.Update(o.shard, from, to))
}

// get reads the shard's range. A session whose only connection was cut a moment
// ago has none until it is back, and a hasty one may be told nothing in time.
func (o *owner) get() int64 {
	o.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		r, err := sequencetest.Get(o.t.Context(), o.x, o.shard)
		if err == nil {
			return r
		}
		require.True(o.t, passing(err), "%v", err)
		require.True(o.t, time.Now().Before(end), "%v", err)
	}
}

// marks are the writes that took effect.
func (o *owner) marks() []int64 {
	o.t.Helper()
	m, err := sequencetest.Marks(o.t.Context(), o.c.clean, o.shard)
	require.NoError(o.t, err)
	return m
}

// shows asserts that the tasks of all writes that took effect are shown, and no
// others. The only task of a mark has its number.
func (o *owner) shows() {
	o.t.Helper()
	got, err := sequencetest.Tasks(o.t.Context(), o.x, o.shard)
	require.NoError(o.t, err)
	want := make([]string, 0, 8)
	for _, m := range o.marks() {
		want = append(want, strconv.FormatInt(m, 10))
	}
	require.Equal(o.t, strings.Join(want, " "), got)
}

// stops is a session whose process is stopped at a request: whatever its
// context says, it goes on when it is told to.
type stops struct {
	cql.Session

	mu      sync.Mutex
	at      int // request that it stops at, from 1 on; 0: none
	after   bool
	stopped chan struct{} // closed when it has stopped
	resume  chan struct{}
}

func (s *stops) arm(at int, after bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.after, s.stopped, s.resume = at, after, make(chan struct{}), make(chan struct{})
}

// stop counts a request and tells whether it is the one.
func (s *stops) stop() func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == 0 {
		return nil
	}
	if s.at--; s.at > 0 {
		return nil
	}
	stopped, resume := s.stopped, s.resume
	return func() {
		close(stopped)
		<-resume
	}
}

func (s *stops) around(request func()) {
	stop := s.stop()
	if stop != nil && !s.after {
		stop()
	}
	request()
	if stop != nil && s.after {
		stop()
	}
}

func (s *stops) Exec(ctx context.Context, step *cql.Step) (res cql.Result, err error) {
	s.around(func() { res, err = s.Session.Exec(ctx, step) })
	return res, err
}

func (s *stops) Query(ctx context.Context, c cql.Call, page cql.Page) (rows cql.Rows, err error) {
	s.around(func() { rows, err = s.Session.Query(ctx, c, page) })
	return rows, err
}

// outcome holds what a writer was told to what is in effect.
func (o *owner) outcome(mark int64, err error) {
	o.t.Helper()
	there := slices.Contains(o.marks(), mark)
	var e *errs.Error
	switch {
	case err == nil:
		require.True(o.t, there, "write %d was reported as applied", mark)
	case errors.As(err, &e) && e.Outcome == errs.NotApplied:
		require.False(o.t, there, "write %d was reported as not applied: %v", mark, err)
	}
}

// A writer that is stopped before or after any of its requests, while another
// takes its shard in either form, is told the truth when it goes on, and what it
// sends then changes nothing that anybody is shown.
func TestStoppedWriters(t *testing.T) {
	c := start(t)
	a, b, d := c.open(t, patient), c.open(t, patient), c.open(t, patient)
	told := map[string]int{}
	for _, between := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			for at := 1; c.stoppedWriter(t, [3]cql.Session{a, b, d}, at, after, between, told); at++ {
				require.Less(t, at, 20, "a write does not end")
			}
		}
	}
	t.Logf("writers were told %v", told)
	require.GreaterOrEqual(t, told["lost"], 4)
	require.GreaterOrEqual(t, told["applied"], 2)
}

func (c *cluster) stoppedWriter(t *testing.T, s [3]cql.Session, at int, after, between bool, told map[string]int) (stopped bool) {
	t.Helper()
	c.shards++
	a, b, d := c.owner(t, c.shards, s[0]), c.owner(t, c.shards, s[1]), c.owner(t, c.shards, s[2])
	ctx := t.Context()
	require.NoError(t, a.x.Write(ctx, sequencetest.Create(c.shards)))
	require.NoError(t, a.update(ctx, 1, 2))
	require.NoError(t, a.put(ctx, 2, 1, 1))
	require.Equal(t, int64(2), b.get())
	if between {
		require.NoError(t, a.put(ctx, 2, 2, 2))
	}
	a.stops.arm(at, after)
	result := make(chan error, 1)
	go func() { result <- a.put(ctx, 2, 3, 3) }()
	var err error
	select {
	case <-a.stops.stopped:
		stopped = true
		require.NoError(t, b.update(ctx, 2, 3))
		require.NoError(t, b.put(ctx, 3, 4, 4))
		b.shows()
		close(a.stops.resume)
		err = <-result
	case err = <-result:
		require.NoError(t, err)
		a.stops.arm(0, false)
		require.NoError(t, b.update(ctx, 2, 3))
	}
	switch {
	case err == nil:
		told["applied"]++
	case sequencetest.IsLost(err):
		told["lost"]++
	default:
		told["else"]++
		t.Logf("stopped %v request %d: %v", after, at, err)
	}
	a.outcome(3, err)
	b.shows()
	require.NoError(t, b.put(ctx, 3, 5, 5))
	require.True(t, sequencetest.IsLost(a.put(ctx, 2, 6, 6)))
	b.shows()
	d.shows() // whoever does not own the shard sees the same
	require.NoError(t, d.update(ctx, 3, 4))
	d.shows()
	return stopped
}

// A taker that is stopped before or after any of its requests, while a third one
// takes the shard, is no owner when it goes on.
func TestStoppedTakers(t *testing.T) {
	c := start(t)
	a, b, d := c.open(t, patient), c.open(t, patient), c.open(t, patient)
	for _, between := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			for at := 1; c.stoppedTaker(t, [3]cql.Session{a, b, d}, at, after, between); at++ {
				require.Less(t, at, 20, "a takeover does not end")
			}
		}
	}
}

func (c *cluster) stoppedTaker(t *testing.T, s [3]cql.Session, at int, after, between bool) (stopped bool) {
	t.Helper()
	c.shards++
	a, b, d := c.owner(t, c.shards, s[0]), c.owner(t, c.shards, s[1]), c.owner(t, c.shards, s[2])
	ctx := t.Context()
	require.NoError(t, a.x.Write(ctx, sequencetest.Create(c.shards)))
	require.NoError(t, a.update(ctx, 1, 2))
	require.NoError(t, a.put(ctx, 2, 1, 1))
	require.Equal(t, int64(2), b.get())
	if between {
		require.NoError(t, a.put(ctx, 2, 2, 2))
	}
	b.stops.arm(at, after)
	result := make(chan error, 1)
	go func() { result <- b.update(ctx, 2, 3) }()
	select {
	case <-b.stops.stopped:
		stopped = true
		err := a.put(ctx, 2, 3, 3) // it may still be the owner
		a.outcome(3, err)
		from := d.get()
		require.NoError(t, d.update(ctx, from, from+1))
		d.shows()
		require.NoError(t, d.put(ctx, from+1, 4, 4))
		close(b.stops.resume)
		err = <-result
		if err == nil {
			// Its last answer was on its way: it was the owner, until d was.
			require.True(t, after)
			require.Equal(t, int64(3), from)
		}
		require.True(t, sequencetest.IsLost(b.put(ctx, 3, 5, 5)), "%v", err)
		d.shows()
		require.NoError(t, d.put(ctx, from+1, 6, 6))
		d.shows()
	case err := <-result:
		require.NoError(t, err)
		b.stops.arm(0, false)
		require.NoError(t, b.put(ctx, 3, 4, 4))
		b.shows()
	}
	return stopped
}
