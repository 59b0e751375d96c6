package sequence

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Each fault of the statements of a takeover, with the old owner at rest and
// writing in between. The range is made, its owner sees all tasks of writes that
// took effect, and nothing of the old owner's takes effect any more.
func TestTakeover(t *testing.T) {
	type faults map[string][]fault
	tests := []struct {
		name    string
		faults  faults
		between bool // the old owner writes after the row was read
		reads   bool // the new one had read the row before
	}{
		{"nothing goes wrong", nil, false, true},
		{"nobody has read the row", nil, false, false},
		{"the old owner writes in between", nil, true, true},
		{"the answer is lost", faults{"TakeShard": {lostAfter}}, false, true},
		{"it is run again", faults{"TakeShard": {rerun}}, false, true},
		{"it never arrives", faults{"TakeShard": {lostBefore, unsent}}, false, true},
		{"it arrives late", faults{"TakeShard": {late, late}}, false, true},
		{"it arrives late, and the old owner writes", faults{"TakeShard": {late}}, true, true},
		{"the fence's answer is lost", faults{"FenceShard": {lostAfter}}, true, true},
		{"the fence is run again", faults{"FenceShard": {rerun}}, true, true},
		{"the fence never arrives", faults{"FenceShard": {lostBefore}}, true, true},
		{"the end's answer is lost", faults{"EndRange": {lostAfter}}, true, true},
		{"the end never arrives", faults{"EndRange": {unsent, lostBefore}}, true, true},
		{"all answers are lost", faults{"TakeShard": {lostAfter}, "FenceShard": {lostAfter}, "EndRange": {lostAfter}}, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state, a := started(t)
				b := newOwner(t, state)
				must(t, a.put(2, 1, 10))
				if tt.reads {
					b.get()
				}
				want := "10"
				if tt.between {
					must(t, a.put(2, 2, 20))
					want = "10 20"
				}
				for name, list := range tt.faults {
					b.net.on(name, list...)
				}
				// The old owner's last write is on its way when the range is made.
				a.net.on("Put", late)
				a.net.on("Barrier", lostBefore, lostBefore, lostBefore)
				moved := false
				a.net.before = func(w *plan.Write) {
					if w.Name == "Barrier" && !moved {
						moved = true
						must(t, b.update(2, 3))
					}
				}
				if err := a.put(2, 3, 30); !isLost(err) {
					t.Fatalf("the old owner is told %v", err)
				}
				b.net.land(t, nil)
				b.shows(want)
				must(t, b.put(3, 4, 40))
				a.net.land(t, nil)
				b.shows(want + " 40")
				if slices.Contains(marks(t, state), 3) {
					t.Error("a write of the old range took effect")
				}
				if err := a.put(2, 5, 50); !isLost(err) {
					t.Errorf("the old owner is told %v", err)
				}
				l := row(t, state)
				if _, known := l.end(2); !known || l.rangeID != 3 {
					t.Errorf("row %+v", l)
				}
			})
		})
	}
}

func TestTwoTakersOfOneRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, a := started(t)
		must(t, a.put(2, 1, 10))
		b, c := newOwner(t, state), newOwner(t, state)
		b.get()
		c.get()
		b.net.before = func(w *plan.Write) {
			if w.Name == "TakeShard" {
				b.net.before = nil
				must(t, c.update(2, 3))
			}
		}
		if err := b.update(2, 3); !isLost(err) {
			t.Fatalf("the second is told %v", err)
		}
		if err := b.put(3, 2, 20); !isLost(err) {
			t.Fatalf("the second is told %v", err)
		}
		must(t, c.put(3, 3, 30))
		c.shows("10 30")
	})
}

// A taker that dies between its statements leaves a range without an end: the
// end of the next one stands for it.
func TestATakeoverThatIsCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, a := started(t)
		b, c := newOwner(t, state), newOwner(t, state)
		b.get()
		must(t, a.put(2, 1, 10))
		b.net.pick = func(w *plan.Write) fault {
			if w.Name == "EndRange" {
				return lostBefore
			}
			return fine
		}
		if e := failure(t, b.update(2, 3)); e.Outcome != errs.Unknown {
			t.Fatalf("error %v", e)
		}
		if err := b.put(3, 9, 90); !isLost(err) {
			t.Fatalf("a range without an end is written in: %v", err)
		}
		c.shows("10") // whoever does not own the shard sees what took effect
		c.get()
		must(t, c.update(3, 4))
		must(t, c.put(4, 2, 20))
		c.shows("10 20")
		if err := b.put(3, 9, 90); !isLost(err) {
			t.Fatalf("error %v", err)
		}
	})
}

// The writer that was cut off comes back after a takeover and a new write.
func TestWhoSeesANewerRangeHasLostItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, a := started(t)
		must(t, a.put(2, 1, 10))
		b := newOwner(t, state)
		must(t, b.update(2, 3))
		must(t, b.put(3, 2, 20))
		_, err := a.tasks()
		if !isLost(err) {
			t.Fatalf("read: %v", err)
		}
		newOwner(t, state).shows("10 20")
	})
}

// Rows that a deposed owner stored ahead are not shown by anybody, ever.
func TestRowsOfADeposedOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, a := started(t)
		must(t, a.put(2, 1, 10))
		b := newOwner(t, state)
		must(t, b.update(2, 3))
		if err := a.put(2, 2, 15); !isLost(err) {
			t.Fatal(err)
		}
		if n := state.Len(plan.NumberedTasks); n != 2 {
			t.Fatalf("%d rows: nothing was stored ahead", n)
		}
		for i := range int64(3) {
			must(t, b.put(3, 10+i, 20+i))
		}
		b.shows("10 20 21 22")
		newOwner(t, state).shows("10 20 21 22")
		must(t, b.update(3, 4))
		b.shows("10 20 21 22")
	})
}
