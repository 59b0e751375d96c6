package sequence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// attempt is a write under one number.
type attempt struct {
	number int64
	keys   [][]any // of its sequenced rows, with the number
}

// attempts is how often a write is sent, under a fresh number each time, when
// something failed and it is known that it did not take effect.
const attempts = 2

// write is the write of an owner.
func (x *Executor) write(ctx context.Context, s *shard, w *plan.Write) error {
	if !s.own || s.lease.rangeID != w.Owner.RangeID {
		x.observe.Count(NotOwner, 1)
		return notOwner(s, w)
	}
	var last *errs.Error // why the attempt before did not take effect
	for range attempts {
		if err := x.prepare(ctx, s, w); err != nil {
			return err
		}
		err := x.attempt(ctx, s, w)
		if err == nil {
			return nil
		}
		switch {
		case err.Outcome == errs.Unknown || !s.own:
			return err
		case err.Kind == errs.Unauthorized || err.Kind == errs.Closed:
			return definite(w, err)
		case !passing(err.Kind):
			return err
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return definite(w, last)
}

// passing tells whether what failed may be gone at once.
func passing(k errs.Kind) bool { return k == errs.Timeout || k == errs.Unavailable }

// definite is the error of a write that did not take effect for a reason that
// has nothing to do with the caller. Layers above would send it again after an
// Unavailable one and reload the shard; after this one they leave both alone.
func definite(w *plan.Write, cause error) *errs.Error {
	return &errs.Error{
		Op: w.Name, Key: w.Mutations[w.Lease()].KeyString(), Kind: errs.Overloaded, Outcome: errs.NotApplied,
		Err: fmt.Errorf("certainly not applied: %w", cause),
	}
}

// prepare sees to it that nothing of before is in the way of a write: no attempt
// is unsettled, all burned numbers are stored, and the lease was held a short
// while ago: rows that are stored ahead under a lease that was lost long ago would
// come when nobody knows any more with which number their range ended.
func (x *Executor) prepare(ctx context.Context, s *shard, w *plan.Write) *errs.Error {
	if s.unsettled == nil && len(s.pending) == 0 && x.fresh(s.confirmed, freshFor) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	switch v, row, err := x.settle(ctx, s); {
	case v == undecided:
		return definite(w, fmt.Errorf("earlier writes of the shard could not be settled: %w", err))
	case !s.own:
		return lostTo(w, row, errs.NotApplied)
	}
	return nil
}

// attempt sends a write once. If the outcome is Unknown, it could not be settled.
func (x *Executor) attempt(ctx context.Context, s *shard, w *plan.Write) *errs.Error {
	a, n, err := s.begin(ctx, w)
	if err != nil {
		return err
	}
	since := x.now()
	block, cancel := withReserve(ctx)
	sent := x.inner.Write(block, n)
	cancel()
	if sent == nil {
		s.applied(a.number, since)
		return nil
	}
	e := asError(sent)
	var c *plan.Conflict
	switch {
	case e.Outcome == errs.Unknown:
		return x.unknown(ctx, s, w, a, e)
	case e.Kind != errs.Conflict:
		s.burn(a, false)
		return e
	case !errors.As(e.Err, &c):
		return x.unknown(ctx, s, w, a, e)
	case c.Mutation == w.Lease():
		return x.refusedByLease(ctx, s, w, a, e, c)
	default:
		// The row of the shard held when it was looked at, after the refusal: so
		// it was not the server's own second run that was refused.
		s.burn(a, true)
		x.poke()
		return asError(named(e, w))
	}
}

// begin takes a number for a write, and waits for deletions under way that
// would take its rows.
func (s *shard) begin(ctx context.Context, w *plan.Write) (*attempt, *plan.Write, *errs.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &attempt{number: s.next}
	n, err := w.Numbered(s.lease.last, a.number)
	if err != nil {
		return nil, nil, &errs.Error{Op: w.Name, Kind: errs.Internal, Outcome: errs.NotApplied, Err: err}
	}
	s.next++
	for i := range n.Mutations {
		if n.Mutations[i].Table == plan.NumberedTasks {
			a.keys = append(a.keys, n.Mutations[i].Key)
		}
	}
	s.flying = a
	for {
		d := s.inTheWay(a)
		if d == nil {
			return a, n, nil
		}
		s.mu.Unlock()
		select {
		case <-d.done:
			s.mu.Lock()
		case <-ctx.Done():
			s.mu.Lock()
			s.flying = nil // nothing was sent: the number is skipped
			return nil, nil, &errs.Error{
				Op: w.Name, Kind: errs.Timeout, Outcome: errs.NotApplied,
				Err: fmt.Errorf("waiting for a deletion of tasks: %w", ctx.Err()),
			}
		}
	}
}

// withReserve leaves some of the caller's time for a barrier.
func withReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-min(barrierFor, time.Until(deadline)/4)))
}

// applied notes that a number took effect.
func (s *shard) applied(number int64, since moment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease.last, s.confirmed = number, since
	s.flying, s.unsettled, s.barriers = nil, nil, nil
}

// burn notes that an attempt never takes effect. If its rows are stored, they
// are deleted soon; if they may be under way, when they must have arrived.
func (s *shard) burn(a *attempt, stored bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying, s.unsettled = nil, nil
	if len(a.keys) == 0 {
		return
	}
	s.pending = with(s.pending, s.lease.rangeID, a.number)
	s.throwAway(a, stored)
}

// unknown settles an attempt whose answer was lost, or says little. It returns
// nil if it took effect.
func (x *Executor) unknown(ctx context.Context, s *shard, w *plan.Write, a *attempt, e *errs.Error) *errs.Error {
	s.mu.Lock()
	s.flying, s.unsettled = nil, a
	s.mu.Unlock()
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleFor)
	defer cancel()
	v, row, err := x.settle(own, s)
	switch v {
	case tookEffect:
		x.observe.Count(SettledApplied, 1)
		x.observe.Count(Reloads, 1)
		return nil
	case neverTakesEffect:
		x.observe.Count(SettledNotApplied, 1)
		if !s.own {
			return lostTo(w, row, errs.NotApplied)
		}
		x.observe.Count(Reloads, 1)
		e = &errs.Error{Op: e.Op, Key: e.Key, Kind: e.Kind, Outcome: errs.NotApplied, Err: e.Err}
		if e.Kind == errs.Conflict || e.Kind == errs.Internal {
			// A refusal whose cause has gone, or an error of the server that says
			// nothing of its cause.
			e.Kind = errs.Unavailable
		}
		return e
	default:
		x.observe.Count(Unsettled, 1)
		return &errs.Error{
			Op: w.Name, Key: w.Mutations[w.Lease()].KeyString(), Kind: e.Kind, Outcome: errs.Unknown,
			Err: fmt.Errorf("%w; then %w", e, err),
		}
	}
}

// refusedByLease is what becomes of an attempt that the row of the shard refused.
func (x *Executor) refusedByLease(
	ctx context.Context, s *shard, w *plan.Write, a *attempt, e *errs.Error, c *plan.Conflict,
) *errs.Error {
	v, row, err := s.judge(c.Row(), a)
	switch {
	case v == tookEffect:
		// The server ran the block again after its own commit.
		return nil
	case v == neverTakesEffect && !s.own:
		return lostTo(w, row, errs.NotApplied)
	case !s.own && err != nil:
		return &errs.Error{Op: w.Name, Key: e.Key, Kind: errs.Corrupt, Outcome: errs.Unknown, Err: err}
	case !s.own:
		return lostTo(w, row, errs.Unknown)
	}
	return x.unknown(ctx, s, w, a, e)
}

func asError(err error) *errs.Error {
	var e *errs.Error
	if errors.As(err, &e) {
		return e
	}
	return &errs.Error{Op: "persistence", Kind: errs.Internal, Outcome: errs.Unknown, Err: err}
}

// notOwner refuses a write without asking the database.
func notOwner(s *shard, w *plan.Write) *errs.Error {
	e := lostTo(w, nil, errs.NotApplied)
	var c *plan.Conflict
	if errors.As(e.Err, &c) {
		c.Why = fmt.Sprintf("range %d of shard %d does not belong to this store: it is lost, or was made by another", w.Owner.RangeID, s.id)
	}
	return e
}

// lostTo is the refusal of a write by the row of the shard, which has another
// range; row may be nil if nothing is known of it.
func lostTo(w *plan.Write, row *lease, outcome errs.Outcome) *errs.Error {
	at := w.Lease()
	c := &plan.Conflict{Write: w, Mutation: at, Seen: make([]plan.Seen, len(w.Mutations))}
	c.Seen[at] = plan.Seen{Sight: plan.Missing}
	if row != nil {
		c.Seen[at] = plan.Seen{Sight: plan.Found, Values: map[*plan.Column]any{plan.ShardRangeID: row.rangeID}}
	}
	return &errs.Error{
		Op: w.Name, Key: w.Mutations[at].KeyString(), Kind: errs.Conflict, Outcome: outcome, Err: c,
	}
}
