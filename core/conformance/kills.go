package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// Mortal is a database that can be killed, and processes on it that can.
type Mortal struct {
	// Connect opens the database directly and over something that holds requests. What
	// is called to close them is called when the database has been killed: a driver may
	// go on closing connections for a second after it has others.
	Connect func(t *testing.T) (direct, held Database, closeBoth func())
	// Hold has the at-th request of what is held, or of the process that was started last,
	// held before the database sees it, or when it has answered.
	Hold func(at int, after bool) HeldRequest
	// Pass lets everything pass that is not held yet.
	Pass func()
	// Kill ends the database at once (kill -9), Start starts it again and returns when
	// it takes connections. Nil means that nobody may.
	Kill, Start func(t *testing.T)
	// Process starts a process that does what [Obey] does.
	Process func(t *testing.T) Obedient
	// Sample leaves out most requests, to be quick: of all cases every so manieth is
	// run. 1 runs them all.
	Sample int
	// Recovery is how long it may take until calls succeed again, once what was killed
	// is there again.
	Recovery time.Duration
}

// HeldRequest is a request, or the reply to one, on its way.
type HeldRequest interface {
	// Here is closed when it is held.
	Here() <-chan struct{}
	Release()
	Drop()
	// Done is closed when the database has answered it, or can not any more.
	Done() <-chan struct{}
}

// Obedient is a process that obeys orders.
type Obedient interface {
	Tell(o Order) error
	// Hear waits for the answer to the last order; false if the process has ended.
	Hear() (Answer, bool)
	Kill() error
}

// Order is what a process is told to do.
type Order struct {
	// Do is "stage", "take over" or the name of a call.
	Do    string
	Scene storetest.Scene
}

// Answer is what came of it.
type Answer struct {
	Error string
	// Maybe: the call may have taken effect nevertheless.
	Maybe bool
}

// Obey does what a process on a [Mortal] database is told.
func Obey(st storetest.Stores, o Order) Answer {
	// The server gives a call 10 s; a machine that is busy gets more.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	switch o.Do {
	case "stage":
		err = stageOn(ctx, st, o.Scene)
	case "take over":
		err = st.Shards.UpdateShard(ctx, o.Scene.Renew())
	default:
		i := slices.IndexFunc(faultCalls(), func(c faultCall) bool { return c.name == o.Do })
		if i < 0 {
			err = fmt.Errorf("there is no call %q", o.Do)
		} else {
			err = faultCalls()[i].call(ctx, st, o.Scene)
		}
	}
	if err == nil {
		return Answer{}
	}
	return Answer{fmt.Sprintf("%T: %v", err, err), p.OperationPossiblySucceeded(err)}
}

// stageOn makes what every call of faultCalls finds.
func stageOn(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
	_, err := st.Shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{ShardID: s.Shard, CreateShardInfo: storetest.ShardInfo(s.Range)})
	if err != nil {
		return err
	}
	for i, mode := range []p.CreateWorkflowMode{p.CreateWorkflowModeBrandNew, p.CreateWorkflowModeBypassCurrent} {
		if _, err := st.Executions.CreateWorkflowExecution(ctx, s.Create(mode, s.Runs[i])); err != nil {
			return err
		}
	}
	return st.Executions.PutReplicationTaskToDLQ(ctx, s.PutDLQ(4))
}

// moment says where in a request something is killed.
type moment string

const (
	unseen   moment = "before" // the database has not seen the request
	underWay moment = "during" // it has just got it
	answered moment = "after"  // it has done it; the answer is lost
)

var moments = []moment{unseen, underWay, answered}

// RunKills kills the database, and a process, at every request of every call. What
// was acknowledged before is there, the call took effect as a whole or not at all and
// what is said of it is true, and a short time later calls succeed.
//
// Each case says how long that took, with the attribute recovered_seconds.
func RunKills(t *testing.T, m *Mortal) {
	k := &kills{Mortal: m, parent: t, closeBoth: func() {}, direct: &database{}, held: &database{}}
	k.connect()
	t.Cleanup(func() { k.closeBoth() })
	if m.Kill != nil {
		t.Run("database", func(t *testing.T) {
			for _, c := range faultCalls() {
				t.Run(c.name, func(t *testing.T) { k.everyKill(t, c, k.killDatabase) })
			}
			for _, of := range otherStores {
				t.Run(of.store, func(t *testing.T) { k.otherStore(t, of) })
			}
		})
	}
	k.connect()
	t.Run("server", func(t *testing.T) {
		for _, c := range faultCalls() {
			t.Run(c.name, func(t *testing.T) { k.everyKill(t, c, k.killProcess) })
		}
		for _, of := range otherStores {
			t.Run(of.store, func(t *testing.T) { k.deadSession(t, of) })
		}
	})
}

type kills struct {
	*Mortal
	parent       *testing.T
	direct, held *database
	closeBoth    func()
	cases        int
}

// connect opens sessions in place of those that there were.
func (k *kills) connect() {
	k.closeBoth()
	k.direct.Database, k.held.Database, k.closeBoth = k.Connect(k.parent)
}

// chosen tells whether the next case is run.
func (k *kills) chosen() bool {
	k.cases++
	return (k.cases-1)%k.Sample == 0
}

// everyKill runs one case for each request of a call and each moment of it.
func (k *kills) everyKill(t *testing.T, c faultCall, kill func(t *testing.T, c faultCall, at int, w moment, finished string)) {
	requests, finished := k.clean(t, c)
	for at := 1; at <= requests; at++ {
		for _, w := range moments {
			if k.chosen() {
				t.Run(fmt.Sprintf("%s request %d", w, at), func(t *testing.T) { kill(t, c, at, w, finished) })
			}
		}
	}
}

// clean makes a call twice, each time on a scene of its own, and returns how many
// requests it makes and what is stored then. A call that loses an answer on a busy
// machine makes more: the fewer ones are those that every call makes.
func (k *kills) clean(t *testing.T, c faultCall) (requests int, finished string) {
	t.Helper()
	for i := range 2 {
		s := stage(t, k.direct)
		start := anonymous(s.rows(t, c.kind), s.Scene)
		s.session.arm(0, before, nil)
		require.NoError(t, c.call(t.Context(), s.failing, s.Scene))
		n := s.session.disarm()
		finished = anonymous(s.rows(t, c.kind), s.Scene)
		require.Equal(t, c.kind == read, start == finished)
		if i == 0 || n < requests {
			requests = n
		}
	}
	return requests, finished
}

// anonymous is text about a scene that another scene's would equal.
func anonymous(text string, s storetest.Scene) string {
	pairs := []string{"[", " ", "]", " ", s.Namespace, "namespace", s.Workflow, "workflow", s.Tree, "tree"}
	for i, run := range s.Runs {
		pairs = append(pairs, run, fmt.Sprintf("run %d", i))
	}
	for i, branch := range s.Branches {
		pairs = append(pairs, branch, fmt.Sprintf("branch %d", i))
	}
	// Signals requested are run ids, and shown in their order.
	lines := strings.Split(strings.NewReplacer(pairs...).Replace(text), "\n")
	for i, line := range lines {
		words := strings.Fields(line)
		slices.Sort(words)
		lines[i] = strings.Join(words, " ")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// whole asserts that a call took effect as a whole or not at all, and returns
// whether it did.
func (s *staged) whole(t *testing.T, c faultCall, start, finished string) bool {
	t.Helper()
	now := anonymous(s.rows(t, c.kind), s.Scene)
	if now == start {
		return false
	}
	if !slices.Contains(inSteps, c.name) {
		require.Equal(t, finished, now, "a part of the call took effect")
	}
	return true
}

// killDuring kills the database at one request of a call and starts it again. It
// returns what the call said and since when the database is up; killed is false if
// the call had ended before that request.
//
//nolint:revive,staticcheck // the error is what was seen, not a failure
func (k *kills) killDuring(t *testing.T, at int, w moment, call func(ctx context.Context) error) (said error, up time.Time, killed bool) {
	t.Helper()
	h := k.Hold(at, w == answered)
	result := make(chan error, 1)
	go func() { result <- call(context.WithoutCancel(t.Context())) }()
	select {
	case <-h.Here():
	case said = <-result:
		k.Pass()
		return said, up, false
	}
	k.Pass()
	if w == underWay {
		h.Release()
	}
	k.Kill(t)
	k.Start(t)
	up = time.Now()
	h.Drop()
	return <-result, up, true
}

func (k *kills) killDatabase(t *testing.T, c faultCall, at int, w moment, finished string) {
	s := stageHeld(t, k.direct, k.held)
	start := anonymous(s.rows(t, c.kind), s.Scene)
	err, up, killed := k.killDuring(t, at, w, func(ctx context.Context) error { return c.call(ctx, s.failing, s.Scene) })
	if !killed {
		// There is no such request: a scan needs fewer, the more there is to fill a page.
		require.NoError(t, err)
		require.Greater(t, at, 1)
		return
	}
	k.recovered(t, up, func() error { return s.try(t) })
	k.connect()
	s.clean = k.direct.stores(t, nil)

	effect := s.whole(t, c, start, finished)
	switch {
	case err == nil && c.kind != read:
		require.True(t, effect, "a call that did nothing is reported as done")
	case err != nil:
		checkFault(t, c.kind, err)
		if effect && !slices.Contains(inSteps, c.name) {
			checkUnknown(t, c.kind, err)
		}
	}
}

// try makes calls of each sort: the stores work again when they succeed.
func (s *staged) try(t *testing.T) error {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	other := s.Scene
	other.Shard = -s.Shard
	_, err := s.clean.Shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{ShardID: other.Shard, CreateShardInfo: storetest.ShardInfo(1)})
	_, held := s.failing.Shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{ShardID: s.Shard})
	_, read := s.failing.Executions.GetAllHistoryTreeBranches(ctx, &p.GetAllHistoryTreeBranchesRequest{PageSize: 5})
	return errors.Join(err, held, read)
}

// recovered waits until try succeeds several times in a row, for a driver may have
// more connections that are broken, and notes how long that took.
func (k *kills) recovered(t *testing.T, since time.Time, try func() error) {
	t.Helper()
	const row = 4
	var took time.Duration
	for good := 0; good < row; {
		err := try()
		if err == nil {
			if good++; good == 1 {
				took = time.Since(since)
			}
			continue
		}
		good = 0
		require.Less(t, time.Since(since), k.Recovery, "%v", err)
		time.Sleep(5 * time.Millisecond)
	}
	require.LessOrEqual(t, took, k.Recovery, "until calls succeeded again")
	t.Attr("recovered_seconds", fmt.Sprintf("%.3f", took.Seconds()))
}

// stageHeld is stage whose owner is reached over what holds requests.
func stageHeld(t *testing.T, direct, held *database) *staged {
	t.Helper()
	s := &staged{Scene: direct.scene(), clean: direct.stores(t, nil), failing: held.stores(t, nil), sequenced: direct.sequenced()}
	require.NoError(t, stageOn(t.Context(), s.failing, s.Scene))
	return s
}

func (k *kills) killProcess(t *testing.T, c faultCall, at int, w moment, finished string) {
	s := &staged{Scene: k.direct.scene(), clean: k.direct.stores(t, nil), sequenced: k.direct.sequenced()}
	owner := k.Process(t)
	must := func(o Order) {
		t.Helper()
		require.NoError(t, owner.Tell(o))
		a, alive := owner.Hear()
		require.True(t, alive && a.Error == "", "%s: %+v", o.Do, a)
	}
	must(Order{"stage", s.Scene})
	start := anonymous(s.rows(t, c.kind), s.Scene)
	h := k.Hold(at, w == answered)
	require.NoError(t, owner.Tell(Order{c.name, s.Scene}))
	ended := make(chan Answer, 1)
	go func() {
		if a, alive := owner.Hear(); alive {
			ended <- a
		}
	}()
	select {
	case <-h.Here():
	case a := <-ended: // as in killDatabase
		k.Pass()
		require.Empty(t, a.Error)
		require.Greater(t, at, 1)
		require.NoError(t, owner.Kill())
		return
	}
	k.Pass()
	if w == underWay {
		h.Release()
	}
	require.NoError(t, owner.Kill())
	killed := time.Now()
	owner = k.Process(t)
	// What was held arrives when its sender is dead and another has its place.
	if c.name == "UpdateShard" {
		// It may have moved the range itself.
		info, err := s.clean.Shards.GetOrCreateShard(t.Context(), &p.InternalGetOrCreateShardRequest{ShardID: s.Shard})
		require.NoError(t, err)
		if string(info.ShardInfo.GetData()) == string(s.Renew().ShardInfo.GetData()) {
			s.Range++
		}
	}
	must(Order{"take over", s.Scene})
	t.Attr("recovered_seconds", fmt.Sprintf("%.3f", time.Since(killed).Seconds()))
	require.LessOrEqual(t, time.Since(killed), k.Recovery, "until another process had its place")
	h.Release()
	<-h.Done() // and what its sender had sent before it, too
	s.Range++
	awaitQuiet(t, func() string { return s.rows(t, c.kind) })

	now := s.rows(t, c.kind)
	taken := func(text string) string { // the takeover shows in the shard's row
		lines := strings.Split(strings.ReplaceAll(text, fmt.Sprintf("%d range shard shard,", s.Range-1), fmt.Sprintf("%d range shard shard,", s.Range)), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	if c.name == "UpdateShard" {
		require.Contains(t, now, fmt.Sprintf("shard, range %d", s.Range), "what came late moved the shard")
		require.NoError(t, owner.Kill())
		return
	}
	effect := anonymous(now, s.Scene) != taken(start)
	if effect && !slices.Contains(inSteps, c.name) {
		require.Equal(t, taken(finished), anonymous(now, s.Scene), "a part of the call took effect")
	}
	// Called again, it takes effect if it has not, or is refused, once and for all.
	require.NoError(t, owner.Tell(Order{c.name, s.Scene}))
	a, alive := owner.Hear()
	require.True(t, alive)
	require.False(t, a.Maybe, "%+v", a)
	if !effect {
		require.Empty(t, a.Error, "nothing took effect, and still it cannot be done again")
	}
	require.NoError(t, owner.Kill())
}

// awaitQuiet waits until two looks show the same: what was sent beside the request
// that was let go of has arrived.
func awaitQuiet(t *testing.T, look func() string) {
	t.Helper()
	for was := look(); ; {
		time.Sleep(20 * time.Millisecond)
		now := look()
		if now == was {
			return
		}
		was = now
	}
}

// uncertain tells whether an error is one for a fault. A conflict is none, though
// that of a namespace's version may be tried again and says so by its type, and one
// that finds on YCQL exactly what it wanted to write cannot know whose that is.
func uncertain(err error) bool {
	if err != nil && strings.Contains(err.Error(), ": conflict") {
		return false
	}
	switch any(err).(type) { // errors of stores are bare
	case *p.TimeoutError, *p.AppendHistoryTimeoutError, *serviceerror.Unavailable, *serviceerror.ResourceExhausted, *serviceerror.Canceled:
		return true
	default:
		return false
	}
}

// otherStore kills the database at the requests of the calls of a store. A call is
// repeated unless it was acknowledged; that it took effect already may be an answer
// then.
func (k *kills) otherStore(t *testing.T, of costs) {
	t.Helper()
	k.ofStore(t, of, moments, func(t *testing.T) *database {
		t.Helper()
		k.connect()
		return k.held
	}, func(t *testing.T, at int, w moment, call func(ctx context.Context) error) (error, bool) {
		t.Helper()
		err, up, killed := k.killDuring(t, at, w, call)
		if !killed {
			return err, false
		}
		k.recovered(t, up, func() error {
			var errs []error
			for _, db := range []*database{k.held, k.direct} {
				_, err := newClusters(t, db).GetClusterMembers(context.WithoutCancel(t.Context()), &p.GetClusterMembersRequest{PageSize: 1})
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})
		return err, true
	})
}

// deadSession is otherStore for a process that dies: from a request on none of its
// own is sent any more. These stores keep nothing in memory, so the same ones over a
// session that works again are those of its successor. In one process, a request that
// is under way is one of the other two.
func (k *kills) deadSession(t *testing.T, of costs) {
	t.Helper()
	session := &faulty{Session: k.direct.Session}
	db := &database{Database: Database{Session: session, Dialect: k.direct.Dialect, Name: k.direct.Name}}
	dead := &cql.Error{Reach: cql.Sent, Message: "dead", Err: errors.New("dead")}
	k.ofStore(t, of, []moment{unseen, answered}, func(*testing.T) *database { return db },
		func(t *testing.T, at int, w moment, call func(ctx context.Context) error) (error, bool) {
			t.Helper()
			session.arm(at, map[moment]when{unseen: before, answered: after}[w], dead)
			session.die()
			err := call(t.Context())
			return err, session.disarm() >= at
		})
}

// ofStore kills something at each request of every call of a store, as many as a run
// without faults makes. Each case has a fixture of its own, in which the calls before
// have been made: one after the other they would find what was repeated, and make
// other requests.
func (k *kills) ofStore(
	t *testing.T, of costs, times []moment, connect func(t *testing.T) *database,
	kill func(t *testing.T, at int, w moment, call func(ctx context.Context) error) (err error, killed bool),
) {
	t.Helper()
	for _, w := range times {
		if !k.chosen() {
			continue
		}
		t.Run(string(w), func(t *testing.T) {
			clean := failingStore(t, k.direct, of)
			for i, requests := range clean.requests(t) {
				for at := 1; at <= requests; at++ {
					t.Run(fmt.Sprintf("%s request %d", clean.calls[i].name, at), func(t *testing.T) {
						calls := of.calls(t, newFixture(t, connect(t)), k.direct)
						for _, c := range calls[:i] {
							require.NoError(t, c.run(t.Context()), c.name)
						}
						err, killed := kill(t, at, w, calls[i].run)
						require.True(t, killed, "it made fewer requests than without faults, and said %v", err)
						if err == nil {
							return
						}
						// It is called again until it is certain what became of it: that it
						// has been done already may be an error now.
						for end := time.Now().Add(k.Recovery); ; {
							err := calls[i].run(t.Context())
							if !uncertain(err) {
								break
							}
							require.True(t, time.Now().Before(end), "%T: %v", err, err)
						}
					})
				}
			}
		})
	}
}
