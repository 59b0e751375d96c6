package sequence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Each fault of a write, and of the barrier after it: what the caller is told,
// and what is there then and after everything that is late has arrived.
func TestFaults(t *testing.T) {
	type want struct {
		err     string // "", "definite", "unknown"
		applied bool
		again   bool // the caller's write went out twice
	}
	tests := []struct {
		name     string
		put      []fault
		barrier  []fault
		want     want
		barriers int
	}{
		{"nothing goes wrong", nil, nil, want{applied: true}, 0},
		{"the answer is lost", []fault{lostAfter}, nil, want{applied: true}, 1},
		{"the block is run again", []fault{rerun}, nil, want{applied: true}, 0},
		{"the block never arrives", []fault{lostBefore}, nil, want{applied: true, again: true}, 1},
		{"the block arrives late", []fault{late}, nil, want{applied: true, again: true}, 1},
		{"the block never leaves", []fault{unsent}, nil, want{applied: true, again: true}, 1},
		{"tasks fail", []fault{aheadFails}, nil, want{applied: true, again: true}, 1},
		{"tasks arrive late", []fault{aheadLate}, nil, want{applied: true, again: true}, 1},
		{"it goes wrong twice", []fault{late, aheadLate}, nil, want{err: "definite", again: true}, 1},
		{"it goes wrong twice, on the way", []fault{late, late}, nil, want{err: "definite", again: true}, 2},
		{"the barrier's answer is lost too", []fault{late}, []fault{lostAfter}, want{applied: true, again: true}, 2},
		{"the barrier never arrives", []fault{lostAfter}, []fault{lostBefore, unsent}, want{applied: true}, 3},
		{"barriers are late", []fault{late}, []fault{late, late}, want{applied: true, again: true}, 3},
		{"a barrier is run again", []fault{late}, []fault{rerun}, want{applied: true, again: true}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state, o := started(t)
				must(t, o.put(2, 1, 10))
				o.net.on("Put", tt.put...)
				o.net.on("Barrier", tt.barrier...)
				err := o.put(2, 2, 20, 21)
				check := func() {
					t.Helper()
					applied := slices.Contains(marks(t, state), 2)
					if applied != tt.want.applied {
						t.Fatalf("in effect: %v, want %v", applied, tt.want.applied)
					}
					if applied {
						o.shows("10 20 21")
					} else {
						o.shows("10")
					}
				}
				switch {
				case tt.want.err == "" && err != nil:
					t.Fatal(err)
				case tt.want.err == "definite":
					if e := failure(t, err); e.Outcome != errs.NotApplied || e.Kind != errs.Overloaded {
						t.Fatalf("error %v, outcome %v", e, e.Outcome)
					}
				}
				check()
				o.net.land(t, nil)
				check()
				if n := len(slices.DeleteFunc(slices.Clone(o.net.sent), func(n string) bool { return n != "Put" })); (n == 3) != tt.want.again {
					t.Errorf("sent %v", o.net.sent)
				}
				if got := o.count.of(Barriers); got != tt.barriers {
					t.Errorf("%d barriers, want %d: %v", got, tt.barriers, o.net.sent)
				}
				must(t, o.put(2, 3, 30))
				o.net.land(t, nil)
				if got := row(t, state).burned; tt.want.again && len(got) == 0 {
					t.Error("no number is burned")
				}
				o.get()
				must(t, o.update(2, 3))
				must(t, o.put(3, 4, 40))
				if want := map[bool]string{true: "10 20 21 30 40", false: "10 30 40"}[tt.want.applied]; want != "" {
					o.shows(want)
				}
			})
		})
	}
}

// A refusal by another row than the shard's is the caller's: it names the
// caller's write, and the number is burned.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, o := started(t)
		must(t, o.put(2, 1, 10))
		w := put(2, 1, 20)
		err := o.x.Write(o.ctx(), w)
		var c *plan.Conflict
		e := failure(t, err)
		if e.Kind != errs.Conflict || e.Outcome != errs.NotApplied || !errors.As(err, &c) || c.Write != w || c.Mutation != 1 ||
			c.Row().Values[plan.NextEventID] != int64(1) {
			t.Fatalf("error %+v", e)
		}
		if n := len(o.net.sent); n != 4 {
			t.Fatalf("sent %v", o.net.sent)
		}
		o.shows("10")
		// Its rows go at once, and the number is forgotten when none can come any more.
		synctest.Wait()
		if n := state.Len(plan.NumberedTasks); n != 1 {
			t.Errorf("%d rows of tasks", n)
		}
		must(t, o.put(2, 2, 20))
		if got := burnedText(row(t, state).burned); got != "2:2-2" {
			t.Errorf("burned %q", got)
		}
		o.shows("10 20")
		time.Sleep(lateness + cleanEvery)
		synctest.Wait()
		if got := o.x.shard(shardID).lease.burned; len(got) != 0 {
			t.Errorf("burned %v after %v", got, lateness)
		}
		o.shows("10 20")
	})
}

// Burned numbers without rows need not be kept, and no round is spent on them.
func TestARefusalWithoutTasksCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, o := started(t)
		must(t, o.put(2, 1))
		if err := o.put(2, 1); failure(t, err).Kind != errs.Conflict {
			t.Fatal(err)
		}
		must(t, o.put(2, 2, 5))
		if l := row(t, state); l.last != 3 || len(l.burned) != 0 || o.count.of(Barriers) != 0 {
			t.Errorf("row %+v, %d barriers", l, o.count.of(Barriers))
		}
	})
}

// What cannot be settled in time is unknown whatever the caller's context, no
// read that meets its rows and no write goes on, and a barrier settles it later.
func TestUnsettled(t *testing.T) {
	for _, applied := range []bool{true, false} {
		t.Run(fmt.Sprint("in effect: ", applied), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state, o := started(t)
				must(t, o.put(2, 1, 10))
				down := true
				o.net.pick = func(w *plan.Write) fault {
					switch {
					case !down:
						return fine
					case applied && w.Name == "Put":
						return lostAfter
					default:
						return lostBefore
					}
				}
				ctx, cancel := context.WithCancel(o.ctx())
				o.net.before = func(w *plan.Write) {
					if w.Name == "Put" {
						cancel() // the caller leaves while the block is under way
					}
				}
				begin := time.Now()
				e := failure(t, o.x.Write(ctx, put(2, 2, 20)))
				if e.Outcome != errs.Unknown || time.Since(begin) > settleFor+breath {
					t.Fatalf("error %v after %v", e, time.Since(begin))
				}
				if _, err := o.tasks(); failure(t, err).Kind != errs.Unavailable {
					t.Fatalf("read: %v", err)
				}
				gone := &plan.Write{Name: "Delete", Scope: plan.Atomic, Mutations: []plan.Mutation{{
					Table: plan.HistoryTasks, Op: plan.DeleteRange, Key: []any{shardID, int64(1), plan.Immediate},
					To: plan.Bound{Compare: plan.Less, Values: []any{int64(21)}},
				}}}
				if err := o.x.Write(t.Context(), gone); failure(t, err).Kind != errs.Unavailable {
					t.Fatalf("a deletion of its tasks: %v", err)
				}
				if e := failure(t, o.put(2, 3, 30)); e.Outcome != errs.NotApplied || e.Kind != errs.Overloaded {
					t.Fatalf("next write: %v", e)
				}
				down = false
				o.net.before = nil
				must(t, o.put(2, 3, 30))
				want, all := "10 30", []int64{1, 3}
				if applied {
					want, all = "10 20 30", []int64{1, 2, 3}
				}
				o.shows(want)
				if got := marks(t, state); !slices.Equal(got, all) {
					t.Fatalf("in effect: %v", got)
				}
			})
		})
	}
}

// A new range settles what no barrier did.
func TestANewRangeSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, o := started(t)
		must(t, o.put(2, 1, 10))
		o.net.pick = func(w *plan.Write) fault {
			if w.Name == "Put" {
				return late
			}
			return lostBefore
		}
		if e := failure(t, o.put(2, 2, 20)); e.Outcome != errs.Unknown {
			t.Fatal(e)
		}
		o.net.pick = nil
		o.get()
		must(t, o.update(2, 3))
		o.net.land(t, nil)
		must(t, o.put(3, 3, 30))
		o.shows("10 30")
	})
}

func TestOnlyTheMakerOfARangeWritesInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, a := started(t)
		b := newOwner(t, state)
		before := len(b.net.sent)
		if err := b.put(2, 1, 10); !isLost(err) || len(b.net.sent) != before || b.count.of(NotOwner) != 1 {
			t.Fatalf("%v, sent %v", err, b.net.sent)
		}
		if err := b.update(2, 2); !isLost(err) {
			t.Fatalf("%v", err)
		}
		must(t, a.put(2, 1, 10))
	})
}

// A deposed owner learns what became of its last write from the end of its range.
func TestAWriteThatIsOvertakenByATakeover(t *testing.T) {
	tests := []struct {
		name    string
		fault   fault
		forget  bool // the end of the range is not there any more
		applied bool
		lost    bool
	}{
		{"it came first", lostAfter, false, true, false},
		{"it came first, and is run again", rerun, false, true, false},
		{"it came too late", late, false, false, true},
		{"nobody knows any more", late, true, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state, a := started(t)
				b := newOwner(t, state)
				a.net.on("Put", tt.fault)
				a.net.before = func(w *plan.Write) {
					if w.Name != "Barrier" {
						return
					}
					must(t, b.update(2, 3))
					must(t, b.put(3, 5, 50))
					if tt.forget {
						_, err := state.Apply(b.x.shard(shardID).update("Forget", 3, nil, plan.Effect{Op: plan.Set, Column: plan.ShardEnds, Value: ""}))
						must(t, err)
					}
				}
				err := a.put(2, 1, 10)
				a.net.land(t, nil)
				switch {
				case tt.applied && err != nil:
					t.Fatal(err)
				case tt.lost && !isLost(err):
					t.Fatalf("error %v", err)
				case !tt.applied && !tt.lost && failure(t, err).Outcome != errs.Unknown:
					t.Fatalf("error %v", err)
				}
				if got := slices.Contains(marks(t, state), 1); got != tt.applied {
					t.Fatalf("in effect: %v", got)
				}
				if tt.fault != rerun && a.x.shard(shardID).own {
					t.Error("the lease is not known to be lost")
				}
			})
		})
	}
}

func TestACallerWhoHasLeftSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, o := started(t)
		ctx, cancel := context.WithCancel(o.ctx())
		cancel()
		before := len(o.net.sent)
		e := failure(t, o.x.Write(ctx, put(2, 1, 10)))
		if e.Kind != errs.Canceled || e.Outcome != errs.NotApplied || len(o.net.sent) != before {
			t.Fatalf("error %v, sent %v", e, o.net.sent)
		}
	})
}

func TestWritesWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, o := started(t)
		for i := range int64(20) {
			go func() { _ = o.put(2, 100+i, 1000+i) }()
		}
		synctest.Wait()
		if got := len(marks(t, state)); got != 20 || row(t, state).last != 20 {
			t.Fatalf("%d of 20 writes, row %+v", got, row(t, state))
		}
	})
}

func TestPlansThatCannotBeSequenced(t *testing.T) {
	if _, err := New(memory.NewExecutor(memory.NewState(), cql.Traits{}), nil); err == nil {
		t.Error("a database without the trait is taken")
	}
	synctest.Test(t, func(t *testing.T) {
		_, o := started(t)
		noLease := put(2, 1)
		noLease.Mutations = noLease.Mutations[1:]
		nobodys := put(2, 1, 10)
		nobodys.Owner = nil
		more := put(2, 1)
		more.Mutations[0].Op = plan.Update
		more.Mutations[0].Effects = []plan.Effect{{Op: plan.Set, Column: plan.ShardRangeID, Value: int64(9)}}
		for name, w := range map[string]*plan.Write{"no lease": noLease, "no owner": nobodys, "a takeover with more": more} {
			if e := failure(t, o.x.Write(t.Context(), w)); e.Kind != errs.Internal || e.Outcome != errs.NotApplied {
				t.Errorf("%s: %v", name, e)
			}
		}
		if err := o.x.Compile(&plan.Read{Name: "R", Table: plan.HistoryTasks, Eq: 1, Count: true}); err == nil {
			t.Error("hidden rows would be counted")
		}
		if _, err := o.x.Read(t.Context(), &plan.Read{Name: "R", Table: plan.HistoryTasks, Eq: 3}, plan.Page{}); err == nil {
			t.Error("a read without arguments is taken")
		}
		if err := o.update(2, 1); failure(t, err).Kind != errs.Invalid {
			t.Errorf("a range that goes back: %v", err)
		}
	})
}
