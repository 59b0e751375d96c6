package owners_test

import (
	"context"
	"flag"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

var takeovers = flag.Int("takeovers", 10, "how often processes take a shard from each other, for each database")

// Two processes take a shard from each other, again and again. Whoever has it is
// stopped (SIGSTOP), killed or just slow in the middle of a write, at any of its
// requests or at any answer; the other takes the shard and writes; then what was on
// its way arrives, the stopped one goes on, and its wall clock may have jumped by
// hours. No write of a deposed owner is ever accepted, everybody is told the truth,
// and no task is lost or shown without its state.
//
// TEMPORAL_YCQL_SEED is the seed.
func TestProcessesTakeAShardFromEachOther(t *testing.T) {
	for name, at := range map[string]func(t *testing.T) place{
		"engine-ycql":      func(t *testing.T) place { return onEngine(t, parse.YCQL) },
		"engine-cassandra": func(t *testing.T) place { return onEngine(t, parse.Cassandra) },
		"cassandra": func(t *testing.T) place {
			n := cassandratest.Start(t)
			return place{cassandra.Name, n.Host, n.Port, n.Keyspace(t)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			seed := setting(t, "TEMPORAL_YCQL_SEED", time.Now().UnixNano()%1e9)
			t.Logf("seed %d", seed)
			at := at(t)
			prepare(t, at)
			g := &contest{t: t, r: rand.New(rand.NewPCG(uint64(seed), 2)), met: map[string]int{}}
			var err error
			var closeAll func()
			g.reader, closeAll, err = openStores(at, time.Now)
			require.NoError(t, err)
			t.Cleanup(closeAll)
			g.owners = [2]*process{newProcess(t, at), newProcess(t, at)}
			for i := range *takeovers {
				if i%8 == 0 {
					g.newShard()
				}
				g.round()
			}
			t.Logf("%d takeovers, %d writes; %v", *takeovers, g.last, g.met)
			if *takeovers >= 100 {
				for _, what := range []string{"frozen", "dead", "slow", "held before", "held after", "told applied", "told not applied"} {
					require.GreaterOrEqual(t, g.met[what], 5, "too little of this happened: %s", what)
				}
			}
		})
	}
}

// onEngine starts the engine in this process, served over TCP.
func onEngine(t *testing.T, d parse.Dialect) place {
	t.Helper()
	n, err := standalone.Start(standalone.Options{Dialect: d, Ephemeral: true, Listen: "127.0.0.1:0", Log: env.Logger})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		require.NoError(t, n.Close(ctx))
	})
	at := place{cassandra.Name, n.Addr().IP.String(), n.Addr().Port, "owners"}
	if d == parse.YCQL {
		at.Backend = yugabyte.Name
	}
	return at
}

// prepare makes the keyspace and its tables.
func prepare(t *testing.T, at place) {
	t.Helper()
	o, err := at.options()
	require.NoError(t, err)
	admin, err := o.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close()) }()
	tool := &schema.Tool{Admin: admin, Set: schema.Cassandra(), Keyspace: at.Keyspace, Out: io.Discard, Alone: true}
	if at.Backend == yugabyte.Name {
		tool.Set, tool.Prepare = schema.YCQL(), schema.Preparing(o, env, io.Discard)
	}
	require.NoError(t, tool.Create(t.Context(), schema.Replication{}))
	require.NoError(t, tool.Update(t.Context()))
}

// contest is a shard, two processes that want it, and what they were told.
type contest struct {
	t      *testing.T
	r      *rand.Rand
	reader storetest.Stores // of nobody's shard
	owners [2]*process
	turn   int // who holds the shard

	shard int32
	rng   int64
	marks []int64 // of the shard's writes
	told  map[int64]bool
	last  int64
	met   map[string]int
}

func (g *contest) newShard() {
	g.shard++
	g.rng, g.marks, g.told = 7, nil, map[int64]bool{}
	holder := g.owners[g.turn]
	holder.must(order{Do: "create", Shard: g.shard, Range: g.rng})
	holder.must(order{Do: "take", Shard: g.shard, Range: g.rng})
	g.rng++
}

// write is an order of one more write in the present range.
func (g *contest) write() order {
	g.last++
	g.marks = append(g.marks, g.last)
	return order{Do: "put", Shard: g.shard, Range: g.rng, Mark: g.last}
}

// judge notes what the process was told of a write.
func (g *contest) judge(o order, a answer) {
	switch {
	case a.Error == "":
		g.told[o.Mark] = true
		g.met["told applied"]++
	case !a.Maybe:
		g.told[o.Mark] = false
		g.met["told not applied"]++
	default:
		g.met["told nothing certain"]++
	}
	g.check()
}

// inEffect are the writes that took effect.
func (g *contest) inEffect() []int64 {
	g.t.Helper()
	var there []int64
	for _, mark := range g.marks {
		s := of(g.shard, mark)
		_, err := g.reader.Executions.GetWorkflowExecution(g.t.Context(), s.Get(s.Runs[0]))
		if _, missing := any(err).(*serviceerror.NotFound); missing {
			continue
		}
		require.NoError(g.t, err)
		there = append(there, mark)
	}
	return there
}

// check holds what was told to what is in effect.
func (g *contest) check() {
	g.t.Helper()
	there := g.inEffect()
	for mark, applied := range g.told {
		require.Equal(g.t, applied, slices.Contains(there, mark), "write %d was reported as applied: %v", mark, applied)
	}
}

// sees asserts that the holder is shown the tasks of all writes in effect, and no
// others, and so is somebody who holds nothing.
func (g *contest) sees(holder *process) {
	g.t.Helper()
	want := g.inEffect()
	require.Equal(g.t, want, holder.must(order{Do: "tasks", Shard: g.shard}).Tasks, "what the holder is shown")
	got, err := shown(g.t.Context(), g.reader, g.shard)
	require.NoError(g.t, err)
	require.Equal(g.t, want, got, "what somebody else is shown")
}

func (g *contest) jump() {
	by := time.Duration(g.r.Int64N(int64(4*time.Hour))) - 2*time.Hour
	g.owners[g.r.IntN(2)].must(order{Do: "clock", Jump: by})
	g.met["clock jumped"]++
}

// round is one takeover, in the middle of a write of whoever holds the shard.
func (g *contest) round() {
	g.t.Helper()
	holder, taker := g.owners[g.turn], g.owners[1-g.turn]
	first := g.write()
	g.judge(first, holder.must(first))
	if g.r.IntN(3) == 0 {
		g.jump()
	}
	after := g.r.IntN(2) == 0
	h := holder.proxy.Hold(1+g.r.IntN(3), after)
	o := g.write()
	holder.tell(o)
	fate := "nothing"
	select {
	case <-h.Here():
		fate = []string{"frozen", "dead", "slow"}[g.r.IntN(3)]
		g.met[map[bool]string{false: "held before", true: "held after"}[after]]++
	case text := <-holder.Answers():
		g.judge(o, holder.read(text))
	case <-time.After(silence):
		require.FailNow(g.t, "the owner neither sends nor answers")
	}
	holder.proxy.Pass()
	g.met[fate]++
	switch fate {
	case "frozen":
		holder.freeze()
	case "dead":
		holder.kill()
	}

	taker.must(order{Do: "take", Shard: g.shard, Range: g.rng})
	deposed := g.rng
	final := slices.Contains(g.inEffect(), o.Mark) // by now it is decided for ever
	g.rng++
	g.sees(taker)
	second := g.write()
	g.judge(second, taker.must(second))

	h.Release()
	if fate != "nothing" {
		<-h.Done() // the database has answered
		g.sees(taker)
	}
	switch fate {
	case "frozen":
		holder.thaw()
		g.judge(o, holder.hear())
	case "slow":
		g.judge(o, holder.hear())
	case "dead":
		holder.start()
	}
	late := g.write()
	late.Range = deposed
	a := holder.do(late)
	require.True(g.t, a.Lost && !a.Maybe, "a deposed owner was told %+v", a)
	g.judge(late, a)
	if a := holder.do(order{Do: "tasks", Shard: g.shard}); a.Error == "" {
		require.Empty(g.t, without(a.Tasks, g.inEffect()), "a deposed owner is shown a task without its state")
	}
	third := g.write()
	g.judge(third, taker.must(third))
	g.sees(taker)
	require.Equal(g.t, final, slices.Contains(g.inEffect(), o.Mark), "write %d changed its mind after the takeover", o.Mark)
	g.turn = 1 - g.turn
}

// without returns what of all is not in some.
func without(all, some []int64) []int64 {
	return slices.DeleteFunc(all, func(n int64) bool { return slices.Contains(some, n) })
}
