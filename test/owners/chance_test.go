package owners_test

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence/sequencetest"
)

// troubles are what goes wrong with a cluster, now and then.
var troubles = []sim.Kind{
	sim.ConflictAborted, sim.ConflictCommitted, sim.TimeoutBefore, sim.TimeoutAfter, sim.LeaseBefore, sim.LeaseAfter,
	sim.DuplicateRequest, sim.Rerun, sim.Rerun, sim.Overloaded, sim.CutBefore, sim.CutAfter, sim.Late,
}

// Two owners write, read, take each other's shard and die while a cluster is in
// trouble. What they are told and shown is held to what is in effect.
//
// TEMPORAL_YCQL_SEED is the seed, TEMPORAL_YCQL_STEPS the number of steps.
func TestByChance(t *testing.T) {
	seed, steps := setting(t, "TEMPORAL_YCQL_SEED", time.Now().UnixNano()%1e9), setting(t, "TEMPORAL_YCQL_STEPS", 400)
	t.Logf("seed %d", seed)
	c := start(t)
	g := &game{t: t, c: c, r: rand.New(rand.NewPCG(uint64(seed), 1))}
	g.sessions, g.patient = [2]cql.Session{c.open(t, hasty), c.open(t, hasty)}, c.open(t, patient)
	var all counts
	for left := steps; left > 0; left -= 40 {
		g.shard(&all, int(min(left, 40)))
	}
	// How much happens is up to chance, and to how often a slow machine answers in time.
	for end := time.Now().Add(5 * time.Minute); steps >= 400 && !all.enough(c); {
		require.True(t, time.Now().Before(end), "too little of something happened: %+v, faults %v", all, c.Injected())
		g.shard(&all, 40)
	}
	t.Logf("%+v, faults %v", all, c.Injected())
}

func setting(t *testing.T, name string, value int64) int64 {
	t.Helper()
	if text := os.Getenv(name); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err, name)
		return n
	}
	return value
}

type counts struct{ applied, refused, unknown, takeovers, reads int }

func (n counts) enough(c *cluster) bool {
	return min(n.applied, n.refused, n.reads, n.takeovers) >= 8 && len(c.Injected()) >= 8
}

// game is a shard of which two owners play for each other's.
type game struct {
	t        *testing.T
	c        *cluster
	r        *rand.Rand
	sessions [2]cql.Session
	patient  cql.Session // for what is done while there is no trouble
	owners   [2]*owner
	ranges   [2]int64
	mark     int64
	told     map[int64]bool
	counts   *counts
}

func (g *game) shard(all *counts, steps int) {
	g.c.shards++
	g.counts, g.told, g.mark = all, map[int64]bool{}, 0
	for i := range g.owners {
		g.dies(i)
	}
	maker := g.c.owner(g.t, g.c.shards, g.patient)
	require.NoError(g.t, maker.x.Write(g.t.Context(), sequencetest.Create(g.c.shards)))
	maker.x.Close()
	for range steps {
		i := g.r.IntN(2)
		switch g.r.IntN(10) {
		case 0:
			g.dies(i)
		case 1:
			g.c.ApplyLate()
		case 2, 3:
			g.reads(i)
		default:
			if g.ranges[i] == 0 || g.r.IntN(6) == 0 {
				g.takes(i)
			} else {
				g.writes(i)
			}
		}
		g.check()
	}
	g.quiet()
	g.check()
	last := g.c.owner(g.t, g.c.shards, g.patient)
	from := last.get()
	require.NoError(g.t, last.update(g.t.Context(), from, from+1))
	last.shows()
}

// quiet lets all that is late arrive.
func (g *game) quiet() {
	require.NoError(g.t, g.c.SetFaults())
	require.Eventually(g.t, func() bool {
		g.c.ApplyLate()
		return g.c.LateWrites() == 0
	}, time.Minute, time.Millisecond)
}

// trouble is what may go wrong until it is called off.
func (g *game) trouble() (calm func()) {
	var faults []sim.Fault
	for range g.r.IntN(3) {
		f := sim.Fault{Kind: troubles[g.r.IntN(len(troubles))], Rate: 0.3 + 0.7*g.r.Float64(), Limit: 1 + g.r.IntN(3), Skip: g.r.IntN(3)}
		if g.r.IntN(2) == 0 {
			f.Table = []string{"shards", "history_tasks"}[g.r.IntN(2)]
		}
		faults = append(faults, f)
	}
	require.NoError(g.t, g.c.SetFaults(faults...))
	return func() { require.NoError(g.t, g.c.SetFaults()) }
}

func (g *game) call() (context.Context, context.CancelFunc) {
	return context.WithTimeout(g.t.Context(), 5*time.Second)
}

func (g *game) dies(i int) {
	if o := g.owners[i]; o != nil {
		o.x.Close()
	}
	g.owners[i], g.ranges[i] = g.c.owner(g.t, g.c.shards, g.sessions[i]), 0
}

func (g *game) takes(i int) {
	from := g.owners[i].get()
	calm := g.trouble()
	ctx, cancel := g.call()
	defer cancel()
	err := g.owners[i].update(ctx, from, from+1)
	calm()
	g.ranges[i] = 0
	if err == nil {
		g.ranges[i] = from + 1
		g.counts.takeovers++
	}
}

func (g *game) writes(i int) {
	g.mark++
	mark := g.mark
	calm := g.trouble()
	ctx, cancel := g.call()
	defer cancel()
	err := g.owners[i].put(ctx, g.ranges[i], mark, mark)
	calm()
	switch e := failure(err); {
	case err == nil:
		g.told[mark] = true
		g.counts.applied++
	case e.Outcome == errs.Unknown:
		g.counts.unknown++
	default:
		g.told[mark] = false
		g.counts.refused++
	}
	if sequencetest.IsLost(err) {
		g.ranges[i] = 0
	}
}

// reads: who holds the lease sees exactly the tasks of the writes in effect,
// everybody else no others.
func (g *game) reads(i int) {
	o := g.owners[i]
	before := o.marks() // more may take effect while it reads
	got, err := sequencetest.Tasks(g.t.Context(), o.x, o.shard)
	if err != nil {
		require.True(g.t, passing(err) || sequencetest.IsLost(err), "%v", err)
		return
	}
	after := o.marks()
	shown := make([]int64, 0, len(after))
	for _, text := range strings.Fields(got) {
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(g.t, err)
		shown = append(shown, n)
		require.Contains(g.t, after, n, "the task of a write that is not in effect is shown")
	}
	if g.ranges[i] != 0 && o.get() == g.ranges[i] {
		g.counts.reads++
		for _, n := range before {
			require.Contains(g.t, shown, n, "the task of a write in effect is not shown")
		}
	}
}

// check holds what was told to what is in effect.
func (g *game) check() {
	there := g.owners[0].marks()
	for mark, applied := range g.told {
		require.Equal(g.t, applied, slices.Contains(there, mark), "write %d was reported as applied: %v", mark, applied)
	}
}

// passing tells of a read that it was not answered, or not in time.
func passing(err error) bool {
	kind := failure(err).Kind
	return kind == errs.Unavailable || kind == errs.Timeout
}

func failure(err error) *errs.Error {
	e, _ := err.(*errs.Error) //nolint:errorlint // an Executor returns nothing else
	return e
}
