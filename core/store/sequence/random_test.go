package sequence

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// TestRandomSequences lets two owners write, read, take each other's shard and
// die, while writes are lost, delayed and repeated, and holds what they are told
// and shown to what is in effect.
//
// TEMPORAL_YCQL_SEQUENCES is the number of sequences, TEMPORAL_YCQL_SEED the
// first seed.
func TestRandomSequences(t *testing.T) {
	number, seed := setting(t, "TEMPORAL_YCQL_SEQUENCES", 300), setting(t, "TEMPORAL_YCQL_SEED", time.Now().UnixNano()%1e9)
	var all world
	for i := range number {
		s := uint64(seed + i)
		if !t.Run(fmt.Sprint("seed ", s), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { sequence(t, s, &all) })
		}) {
			t.Fatalf("seed %d; run again with TEMPORAL_YCQL_SEED=%[1]d TEMPORAL_YCQL_SEQUENCES=1", s)
		}
	}
	t.Logf("from seed %d: %d writes told as applied, %d as not, %d as unknown; %d takeovers, %d reads by the owner",
		seed, all.applied, all.refused, all.unknown, all.takeovers, all.reads)
	if number >= 100 && min(all.applied, all.refused, all.unknown, all.takeovers, all.reads) < int(number)/10 {
		t.Error("too little of something happened")
	}
}

func setting(t *testing.T, name string, value int64) int64 {
	t.Helper()
	if text := os.Getenv(name); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	return value
}

// world is a database, its owners and what they were told.
type world struct {
	t      *testing.T
	r      *rand.Rand
	state  *memory.State
	owners [2]*owner
	ranges [2]int64 // of the range that an owner believes to have; 0: none
	nextID int64
	// told: by mark, whether a write was reported as applied.
	told  map[int64]bool
	tasks map[int64][]int64 // by mark
	depth int
	storm bool // nothing goes right
	trace []string

	applied, refused, unknown, takeovers, reads int
}

func sequence(t *testing.T, seed uint64, all *world) {
	w := &world{
		t: t, r: rand.New(rand.NewPCG(seed, 1)), state: memory.NewState(),
		told: make(map[int64]bool), tasks: make(map[int64][]int64),
	}
	defer func() {
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(w.trace, "\n"), w.state.Dump())
		}
	}()
	must(t, newOwner(t, w.state).create())
	for i := range w.owners {
		w.start(i)
	}
	for range 40 {
		w.step()
		w.check()
		if t.Failed() {
			return
		}
	}
	w.storm = false
	w.landAll()
	w.check()
	// Whoever comes last sees all that took effect.
	last := newOwner(t, w.state)
	last.get()
	from := row(t, w.state).rangeID
	must(t, last.update(from, from+1))
	last.shows(w.inEffect())
	all.applied, all.refused, all.unknown = all.applied+w.applied, all.refused+w.refused, all.unknown+w.unknown
	all.takeovers, all.reads = all.takeovers+w.takeovers, all.reads+w.reads
}

func (w *world) logf(format string, args ...any) {
	w.trace = append(w.trace, strings.Repeat("  ", w.depth)+fmt.Sprintf(format, args...))
}

// start starts an owner, which may have died before: what it knew is gone.
func (w *world) start(i int) {
	o := newOwner(w.t, w.state)
	if before := w.owners[i]; before != nil {
		before.x.Close()
		o.net.flight = before.net.flight
	}
	o.net.callers = true // the cleaner comes at any moment: its faults would not be the same each time
	o.net.pick = func(p *plan.Write) fault {
		f := fine
		calm := 6
		if w.storm {
			calm = 1
		}
		switch w.r.IntN(calm) {
		case 0:
			f = []fault{unsent, lostBefore, lostBefore, lostAfter, late, rerun}[w.r.IntN(6)]
		case 1:
			if len(ahead(p)) > 0 && p.Name == "Put" {
				f = []fault{aheadFails, aheadLate}[w.r.IntN(2)]
			}
		}
		w.logf("owner %d: %s %s", i, p.Name, f)
		return f
	}
	o.net.before = func(*plan.Write) {
		// Somebody else gets on between the statements of this one.
		if w.depth < 2 && w.r.IntN(5) == 0 {
			w.depth++
			w.act(1 - i)
			w.depth--
		}
	}
	w.owners[i], w.ranges[i] = o, 0
}

func (w *world) step() {
	switch w.r.IntN(12) {
	case 0:
		i := w.r.IntN(2)
		w.logf("owner %d dies", i)
		w.start(i)
	case 4:
		w.storm = !w.storm && w.r.IntN(2) == 0
	case 1:
		// Longer than anything is under way.
		w.landAll()
		w.logf("time passes")
		time.Sleep([]time.Duration{lateness, rangeRests}[w.r.IntN(2)] + cleanEvery)
		synctest.Wait()
	case 2, 3:
		w.owners[w.r.IntN(2)].net.land(w.t, w.r.IntN)
	default:
		w.act(w.r.IntN(2))
	}
}

func (w *world) landAll() {
	for _, o := range w.owners {
		o.net.land(w.t, nil)
	}
}

// act lets an owner do something of its own.
func (w *world) act(i int) {
	o := w.owners[i]
	if len(o.x.shard(shardID).turn) > 0 {
		return // it is in the middle of something
	}
	switch {
	case w.ranges[i] == 0 || w.r.IntN(12) == 0:
		w.take(i)
	case w.r.IntN(3) == 0:
		w.read(i)
	default:
		w.write(i)
	}
}

func (w *world) take(i int) {
	o := w.owners[i]
	from := row(w.t, w.state).rangeID
	if w.r.IntN(2) == 0 {
		o.get()
	}
	w.logf("owner %d takes range %d", i, from+1)
	switch err := o.update(from, from+1); {
	case err == nil:
		w.ranges[i] = from + 1
		w.takeovers++
		w.logf("owner %d has range %d", i, from+1)
	case isLost(err), failure(w.t, err).Outcome == errs.Unknown, failure(w.t, err).Kind == errs.Timeout:
		w.logf("owner %d: %v", i, err)
		w.ranges[i] = 0
	default:
		w.t.Errorf("takeover: %v", err)
	}
}

func (w *world) write(i int) {
	w.nextID++
	id := w.nextID
	for n := range int64(w.r.IntN(4)) {
		w.tasks[id] = append(w.tasks[id], 10*id+n)
	}
	of := id
	if there := marks(w.t, w.state); len(there) > 0 && w.r.IntN(8) == 0 {
		of = there[w.r.IntN(len(there))] // refused: that mark is there
	}
	rangeID := w.ranges[i]
	p := put(rangeID, of, w.tasks[id]...)
	if of != id {
		delete(w.tasks, id) // they must never show
	}
	w.logf("owner %d writes %d in range %d", i, of, rangeID)
	err := w.owners[i].x.Write(w.owners[i].ctx(), p)
	w.logf("owner %d: %d: %v", i, of, err)
	e := asErr(err)
	switch {
	case err == nil && of != id:
		w.t.Errorf("mark %d is made twice", of)
	case err == nil:
		w.told[id] = true
		w.applied++
	case e.Outcome == errs.Unknown:
		w.unknown++
	case e.Kind == errs.Conflict, e.Kind == errs.Overloaded:
		w.refused++
		if of == id {
			w.told[id] = false
		}
	default:
		w.t.Errorf("write: %v", err)
	}
	if isLost(err) {
		w.ranges[i] = 0
	}
}

func asErr(err error) *errs.Error {
	var e *errs.Error
	errors.As(err, &e)
	return e
}

// inEffect are the tasks of all writes that took effect.
func (w *world) inEffect() string {
	var all []string
	for _, id := range marks(w.t, w.state) {
		for _, task := range w.tasks[id] {
			all = append(all, strconv.FormatInt(task, 10))
		}
	}
	return strings.Join(all, " ")
}

// read lets an owner read its tasks. Who holds the lease sees exactly those of
// the writes that took effect. Who lost it may see fewer, and never another.
func (w *world) read(i int) {
	o := w.owners[i]
	holds := w.ranges[i] != 0 && row(w.t, w.state).rangeID == w.ranges[i]
	got, err := o.tasks()
	w.logf("owner %d reads %q, %v", i, got, err)
	if err != nil {
		if e := failure(w.t, err); e.Kind != errs.Unavailable && (holds || !isLost(err)) {
			w.t.Errorf("read: %v", err)
		}
		return
	}
	want := w.inEffect()
	if holds {
		w.reads++
		if got != want {
			w.t.Errorf("owner %d is shown %q, in effect are %q", i, got, want)
		}
		return
	}
	for _, task := range strings.Fields(got) {
		if !slices.Contains(strings.Fields(want), task) {
			w.t.Errorf("owner %d is shown %s, in effect are %q", i, task, want)
		}
	}
}

// check holds what was told to what is in effect.
func (w *world) check() {
	there := marks(w.t, w.state)
	for id, applied := range w.told {
		if slices.Contains(there, id) != applied {
			w.t.Errorf("write %d: told applied %v, in effect %v", id, applied, !applied)
		}
	}
}
