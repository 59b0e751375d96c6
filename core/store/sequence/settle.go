package sequence

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// verdict is what is known of an attempt.
type verdict uint8

const (
	undecided verdict = iota // it may have taken effect, or still do so
	tookEffect
	neverTakesEffect
)

// settle sends barriers until it is known what became of the unsettled attempt,
// if there is one, and the burned numbers are stored. It ends with ctx. If the
// lease turns out to be lost, row is what holds it now, if that is known. The
// error is set if the verdict is undecided.
//
// A barrier moves the number of the shard on if it is still the one that the
// attempt tests. If it is applied, the attempt never will be; if it is refused,
// the row says whether the attempt, or an earlier barrier, came first.
func (x *Executor) settle(ctx context.Context, s *shard) (v verdict, row *lease, err error) {
	for {
		w, burned, number := s.barrier()
		since := x.now()
		try, cancel := context.WithTimeout(ctx, barrierFor)
		sent := x.inner.Write(try, w)
		cancel()
		x.observe.Count(Barriers, 1)
		if sent == nil {
			s.passed(number, burned, since)
			return neverTakesEffect, nil, nil
		}
		var c *plan.Conflict
		if e := asError(sent); e.Kind == errs.Conflict && errors.As(e.Err, &c) {
			v, row, bad := s.judge(c.Row(), s.unsettled)
			switch {
			case bad != nil:
				return undecided, row, bad
			case v != undecided || !s.own:
				return v, row, sent
			}
		}
		if !pause(ctx) {
			return undecided, nil, sent
		}
	}
}

// barrier is a write of the shard's row alone, under a number of its own.
func (s *shard) barrier() (w *plan.Write, burned []span, number int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	number = s.next
	s.next++
	s.barriers = append(s.barriers, number)
	burned = s.lease.burned
	for _, p := range s.pending {
		for n := p.first; n <= p.last; n++ {
			burned = with(burned, p.rangeID, n)
		}
	}
	if a := s.unsettled; a != nil && len(a.keys) > 0 {
		burned = with(burned, s.lease.rangeID, a.number)
	}
	return s.update("Barrier", s.lease.rangeID, &s.lease.last,
		plan.Effect{Op: plan.Set, Column: plan.ShardWriteSeq, Value: number},
		plan.Effect{Op: plan.Set, Column: plan.ShardEnds, Value: endsText(s.lease.ends)},
		plan.Effect{Op: plan.Set, Column: plan.ShardBurned, Value: burnedText(burned)},
	), burned, number
}

// update is a write of the shard's row, if it has this range and this number;
// a nil number is not tested.
func (s *shard) update(name string, rangeID int64, last *int64, effects ...plan.Effect) *plan.Write {
	conds := []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: rangeID}}
	if last != nil {
		conds = append(conds, plan.Cond{Test: plan.Equal, Column: plan.ShardWriteSeq, Value: *last})
	}
	return &plan.Write{Name: name, Scope: plan.Atomic, Mutations: []plan.Mutation{{
		Table: plan.NumberedShards, Op: plan.Update, Key: s.key(), Conds: conds, Effects: effects,
		Show: plan.LeaseColumns(),
	}}}
}

// passed notes that a barrier took effect.
func (s *shard) passed(number int64, burned []span, since moment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.unsettled; a != nil && len(a.keys) > 0 {
		s.throwAway(a, false)
	}
	s.lease.last, s.lease.burned, s.confirmed = number, burned, since
	s.flying, s.unsettled, s.pending, s.barriers = nil, nil, nil, nil
}

// judge looks at the row that refused an attempt or the barrier after it, which
// may be nil. If the lease is found lost, it is forgotten; else, unless the
// verdict is undecided, what the row says is taken over. An error says that the
// row cannot be what it should.
func (s *shard) judge(seen plan.Seen, a *attempt) (verdict, *lease, error) {
	if seen.Sight != plan.Found {
		s.lost()
		return undecided, nil, nil
	}
	row, err := parseLease(func(c *plan.Column) any { return seen.Values[c] })
	if err != nil {
		s.lost()
		return undecided, nil, fmt.Errorf("row of shard %d: %w", s.id, err)
	}
	own := s.lease.rangeID
	switch {
	case row.rangeID != own:
		s.lost()
		if a == nil {
			return neverTakesEffect, &row, nil
		}
		// The range has ended: what it ended with tells.
		number, known := row.end(own)
		switch {
		case !known:
			return undecided, &row, nil
		case number == a.number:
			return tookEffect, &row, nil
		}
		return neverTakesEffect, &row, nil
	case a != nil && row.last == a.number:
		s.adopt(&row, nil)
		return tookEffect, &row, nil
	case slices.Contains(s.barriers, row.last):
		s.adopt(&row, a)
		return neverTakesEffect, &row, nil
	case row.last == s.lease.last:
		return undecided, &row, nil // the cause has gone
	}
	// Nobody else writes in this range: the row was restored, or changed by hand.
	s.lost()
	return undecided, &row, fmt.Errorf("row of shard %d has number %d, which range %d never had", s.id, row.last, own)
}

// adopt takes over what the row says after one of the own writes took effect;
// gone is the attempt that therefore never will.
func (s *shard) adopt(row *lease, gone *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if gone != nil && len(gone.keys) > 0 {
		s.throwAway(gone, false)
	}
	s.lease.last, s.lease.burned, s.lease.ends = row.last, row.burned, row.ends
	s.flying, s.unsettled, s.pending, s.barriers = nil, nil, nil, nil
}
