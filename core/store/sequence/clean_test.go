package sequence

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// The rows of an ended range are looked through when none can arrive any more:
// hidden ones go, visible ones stay for as long as Temporal wants, and the row of
// the shard forgets what told them apart.
func TestEndedRangesAreCleaned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, a := started(t)
		a.net.on("Put", fine, aheadFails, fine, late)
		must(t, a.put(2, 1, 10))
		must(t, a.put(2, 2, 20, 21, 22))
		b := newOwner(t, state)
		a.net.before = func(w *plan.Write) {
			if w.Name == "Barrier" {
				b.get()
				must(t, b.update(2, 3))
			}
		}
		if err := a.put(2, 3, 30); !isLost(err) {
			t.Fatal(err)
		}
		a.x.Close()
		b.net.on("CleanTasks", unsent) // the first try fails
		must(t, b.put(3, 4, 40))
		time.Sleep(rangeRests - time.Minute)
		synctest.Wait()
		// Rows of three attempts that never took effect are there, as late as that.
		if n := state.Len(plan.NumberedTasks); n != 1+3+3+1+1 {
			t.Fatalf("%d rows", n)
		}
		l := row(t, state)
		if len(l.ends) != 2 || burnedText(l.burned) != "2:2-2" {
			t.Fatalf("row %+v", l)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := state.Len(plan.NumberedTasks); n != 1+3+1 {
			t.Errorf("%d rows", n)
		}
		if l := row(t, state); len(l.ends) != 0 || len(l.burned) != 0 {
			t.Errorf("row %+v", l)
		}
		if got := b.count.of(CleanedRows); got != 4 {
			t.Errorf("%d rows counted", got)
		}
		b.shows("10 20 21 22 40")
		must(t, b.put(3, 5, 50))
		b.shows("10 20 21 22 40 50")
		newOwner(t, state).shows("10 20 21 22 40 50")
	})
}

// An owner that has not seen for long that it still has the lease looks before
// it stores rows ahead: if it was deposed, nobody could tell them apart.
func TestAnIdleOwnerLooksFirst(t *testing.T) {
	for _, deposed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			state, a := started(t)
			must(t, a.put(2, 1, 10))
			b := newOwner(t, state)
			if deposed {
				must(t, b.update(2, 3))
				must(t, b.put(3, 2, 20))
			}
			a.x.Close() // it would find out while it cleans
			time.Sleep(2 * rangeRests)
			synctest.Wait()
			before, rows := len(a.net.sent), state.Len(plan.NumberedTasks)
			err := a.put(2, 3, 15)
			sent := a.net.sent[before:]
			if deposed {
				if !isLost(err) || !slices.Equal(sent, []string{"Barrier"}) || state.Len(plan.NumberedTasks) != rows {
					t.Errorf("%v, sent %v", err, sent)
				}
				b.shows("10 20")
				return
			}
			must(t, err)
			must(t, a.put(2, 4, 16))
			if sent := a.net.sent[before:]; !slices.Equal(sent, []string{"Barrier", "Put", "Put"}) {
				t.Errorf("sent %v", sent)
			}
		})
	}
}

// So does an owner whose machine was suspended, which its running clock does not
// show, and one whose wall clock was set: it cannot tell the two from each other.
func TestAnOwnerWhoseMachineSleptLooksFirst(t *testing.T) {
	for _, jump := range []time.Duration{2 * rangeRests, -2 * rangeRests} {
		synctest.Test(t, func(t *testing.T) {
			state, a := started(t)
			must(t, a.put(2, 1, 10))
			b := newOwner(t, state)
			must(t, b.update(2, 3))
			must(t, b.put(3, 2, 20))
			a.x.Close()
			time.Sleep(2 * rangeRests) // b forgets how the range of a ended
			synctest.Wait()
			// For a, no time has passed but on the wall.
			s := a.x.shard(shardID)
			s.confirmed = moment{time.Now(), time.Now().Round(0).Add(-jump)}
			before, rows := len(a.net.sent), state.Len(plan.NumberedTasks)
			err := a.put(2, 3, 15)
			if sent := a.net.sent[before:]; !isLost(err) || !slices.Equal(sent, []string{"Barrier"}) || state.Len(plan.NumberedTasks) != rows {
				t.Errorf("%v, sent %v", err, sent)
			}
			b.shows("10 20")
		})
	}
}

func TestALostLeaseIsNotCleaned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, a := started(t)
		b := newOwner(t, state)
		must(t, b.update(2, 3))
		if err := a.put(2, 1, 10); !isLost(err) {
			t.Fatal(err)
		}
		b.x.Close()
		time.Sleep(3 * rangeRests)
		synctest.Wait()
		if slices.Contains(a.net.clean, "CleanTasks") || len(row(t, state).ends) != 2 {
			t.Errorf("sent %v, row %+v", a.net.clean, row(t, state))
		}
	})
}

// A deletion of tasks waits for an attempt whose rows it would take, and makes
// one wait that begins later; others pass.
func TestDeletionsSpareAttempts(t *testing.T) {
	gone := func(below int64) *plan.Write {
		return &plan.Write{Name: "Delete", Scope: plan.Atomic, Mutations: []plan.Mutation{{
			Table: plan.HistoryTasks, Op: plan.DeleteRange, Key: []any{shardID, int64(1), plan.Immediate},
			From: plan.Bound{Compare: plan.GreaterOrEqual, Values: []any{int64(0)}},
			To:   plan.Bound{Compare: plan.Less, Values: []any{below}},
		}}}
	}
	for name, tt := range map[string]struct {
		first, second *plan.Write
		waits         bool
	}{
		"a write and a deletion of its tasks":        {put(2, 1, 10), gone(11), true},
		"a write and a deletion below":               {put(2, 1, 10), gone(10), false},
		"a deletion and a write of tasks in it":      {gone(11), put(2, 1, 10), true},
		"a deletion and a write of tasks above":      {gone(10), put(2, 1, 10), false},
		"a deletion and a write of another category": {gone(11), other(put(2, 1, 10)), false},
		"a write and the deletion of one of its tasks": {put(2, 1, 10), &plan.Write{Name: "Delete", Scope: plan.Atomic, Mutations: []plan.Mutation{{
			Table: plan.HistoryTasks, Op: plan.Delete, Key: []any{shardID, int64(1), plan.Immediate, int64(10)},
		}}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, o := started(t)
				hold := make(chan struct{})
				o.net.before = func(w *plan.Write) {
					if w.Name == tt.first.Name {
						<-hold
					}
				}
				var done [2]bool
				for i, w := range []*plan.Write{tt.first, tt.second} {
					go func() {
						if err := o.x.Write(t.Context(), w); err != nil {
							t.Error(err)
						}
						done[i] = true
					}()
					synctest.Wait()
				}
				if done[0] || done[1] == tt.waits {
					t.Errorf("ended: %v, want the second to wait: %v", done, tt.waits)
				}
				close(hold)
				synctest.Wait()
				if done != [2]bool{true, true} {
					t.Errorf("ended: %v", done)
				}
			})
		})
	}
}

func other(w *plan.Write) *plan.Write {
	for i := range w.Mutations {
		if m := &w.Mutations[i]; m.Table == plan.HistoryTasks {
			m.Key = slices.Clone(m.Key)
			m.Key[1] = int64(4)
		}
	}
	return w
}

// The latest of several writes of one task is shown, once in a page.
func TestATaskThatIsWrittenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, o := started(t)
		must(t, o.put(2, 1, 10, 11))
		must(t, o.put(2, 2, 10))
		o.shows("10 11")
	})
}

func TestClosingTwice(t *testing.T) {
	_, o := started(t)
	o.x.Close()
	o.x.Close()
}
