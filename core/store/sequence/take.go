package sequence

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// readLease reads what the row of a shard says about writes.
var readLease = &plan.Read{Name: "ShardState", Table: plan.NumberedShards, Eq: 1, Columns: plan.LeaseColumns()}

// takeOver makes the shard's next range, which also renews an own one. The
// number with which the old range ended is part of the same statement. If the
// old owner writes in between, it is fenced first, and the end recorded after.
// Only then is the range there for writes and reads.
//
// A statement whose answer was lost is sent again: its conditions let it take
// effect once, and the nonce tells whether it was ours that did.
func (x *Executor) takeOver(ctx context.Context, s *shard, w *plan.Write, to int64) error {
	t := &takeover{Executor: x, s: s, w: w, from: w.Owner.RangeID, to: to, began: x.now()}
	if len(w.Mutations) != 1 {
		return t.failed(errs.Internal, errs.NotApplied, errors.New("a new range comes with other changes"))
	}
	if _, err := rand.Read(t.nonce[:]); err != nil {
		return t.failed(errs.Internal, errs.NotApplied, err)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, takeFor)
		defer cancel()
	}
	if err := t.run(ctx); err != nil {
		return err
	}
	x.observe.Count(Takeovers, 1)
	return nil
}

type takeover struct {
	*Executor
	s        *shard
	w        *plan.Write
	from, to int64
	nonce    [16]byte
	began    moment
}

func (t *takeover) failed(k errs.Kind, o errs.Outcome, err error) *errs.Error {
	return &errs.Error{Op: t.w.Name, Key: t.w.Mutations[t.w.Lease()].KeyString(), Kind: k, Outcome: o, Err: err}
}

// lost is the refusal by a range that is not the one to take over from: it
// never comes back, so nothing that was sent can take effect any more.
func (t *takeover) lost(row *lease) *errs.Error {
	if t.s.own && (row == nil || row.rangeID != t.s.lease.rangeID) {
		t.s.lost()
	}
	return lostTo(t.w, row, errs.NotApplied)
}

func (t *takeover) run(ctx context.Context) *errs.Error {
	before, err := t.before(ctx)
	if err != nil {
		return err
	}
	if before.rangeID != t.from {
		return t.lost(before)
	}
	if t.to < t.from {
		return t.failed(errs.Invalid, errs.NotApplied, fmt.Errorf("range %d is followed by %d", t.from, t.to))
	}
	ends := before.ended(t.from, before.last)
	row, err := t.send(ctx, t.statement("TakeShard", t.from, &before.last, append(t.shardEffects(),
		plan.Effect{Op: plan.Set, Column: plan.ShardWriteSeq, Value: before.last},
		plan.Effect{Op: plan.Set, Column: plan.ShardEnds, Value: endsText(ends)})...))
	switch {
	case err != nil:
		return err
	case row == nil:
		before.ends = ends
		t.ready(before)
		return nil
	case t.ours(row):
		return t.close(ctx, row)
	case row.rangeID != t.from:
		return t.lost(row)
	}
	return t.fence(ctx)
}

// before is what the row said when it was seen last.
func (t *takeover) before(ctx context.Context) (*lease, *errs.Error) {
	s := t.s
	s.mu.Lock()
	seen := s.seen
	s.seen = nil
	if s.own && s.lease.rangeID == t.from {
		own := s.lease
		s.mu.Unlock()
		return &own, nil
	}
	s.mu.Unlock()
	if seen != nil && seen.rangeID == t.from {
		return seen, nil
	}
	row, err := t.state(ctx, s)
	if err != nil {
		return nil, t.failed(err.Kind, errs.NotApplied, err)
	}
	if row == nil {
		return nil, t.lost(nil)
	}
	return row, nil
}

// state reads the row of a shard; nil if there is none.
func (x *Executor) state(ctx context.Context, s *shard) (*lease, *errs.Error) {
	rows, found, err := exec.One(ctx, x.inner, readLease, s.key()...)
	switch {
	case err != nil:
		return nil, asError(err)
	case !found:
		return nil, nil
	}
	row, err := leaseOf(rows, 0)
	if err != nil {
		return nil, &errs.Error{
			Op: readLease.Name, Key: fmt.Sprintf("shard %d", s.id), Kind: errs.Corrupt, Outcome: errs.NotApplied, Err: err,
		}
	}
	return &row, nil
}

// leaseOf reads the columns of plan.LeaseColumns from the given one on.
func leaseOf(rows *exec.Rows, from int) (lease, error) {
	return parseLease(func(c *plan.Column) any {
		for i, have := range readLease.Columns {
			if have == c {
				return rows.Value(from + i)
			}
		}
		return nil
	})
}

// shardEffects are those that make the new range.
func (t *takeover) shardEffects() []plan.Effect {
	effects := make([]plan.Effect, 0, len(t.w.Mutations[0].Effects)+3)
	effects = append(effects, t.w.Mutations[0].Effects...)
	return append(effects, plan.Effect{Op: plan.Set, Column: plan.ShardNonce, Value: t.nonce})
}

func (t *takeover) statement(name string, rangeID int64, last *int64, effects ...plan.Effect) *plan.Write {
	return t.s.update(name, rangeID, last, effects...)
}

// send sends a statement of the takeover until it is applied (row is nil) or
// refused by a row, or there is no more time.
func (t *takeover) send(ctx context.Context, w *plan.Write) (row *lease, err *errs.Error) {
	outcome := errs.NotApplied // of all that was sent
	for {
		deadline, _ := ctx.Deadline()
		// Some time is left for another.
		try, cancel := context.WithTimeout(ctx, max(time.Until(deadline)/2, barrierFor))
		sent := t.inner.Write(try, w)
		cancel()
		if sent == nil {
			return nil, nil
		}
		e := asError(sent)
		if e.Outcome == errs.Unknown {
			outcome = errs.Unknown
		}
		var c *plan.Conflict
		switch {
		case e.Kind == errs.Conflict && errors.As(e.Err, &c):
			if c.Row().Sight != plan.Found {
				return nil, t.lost(nil)
			}
			row, bad := parseLease(func(col *plan.Column) any { return c.Row().Values[col] })
			if bad != nil {
				return nil, t.failed(errs.Corrupt, outcome, bad)
			}
			return &row, nil
		case e.Outcome == errs.NotApplied && !passing(e.Kind), !pause(ctx):
			return nil, t.failed(e.Kind, outcome, e)
		}
	}
}

func (t *takeover) ours(row *lease) bool { return row.rangeID == t.to && row.nonce == t.nonce }

// fence moves the range on whatever number the old owner has come to.
func (t *takeover) fence(ctx context.Context) *errs.Error {
	row, err := t.send(ctx, t.statement("FenceShard", t.from, nil, t.shardEffects()...))
	switch {
	case err != nil:
		return err
	case row != nil && !t.ours(row):
		return t.lost(row)
	}
	return t.close(ctx, row)
}

// close records the end of the old range, if the row does not have it, once the
// new one is made; row may be nil if it must be read first.
func (t *takeover) close(ctx context.Context, row *lease) *errs.Error {
	for row == nil {
		var err *errs.Error
		if row, err = t.state(ctx, t.s); err != nil {
			if !passing(err.Kind) || !pause(ctx) {
				// The range is made, but nobody is its owner.
				return t.failed(err.Kind, errs.Unknown, err)
			}
			continue
		}
		if row == nil {
			return t.lost(nil)
		}
	}
	for {
		if !t.ours(row) {
			return t.lost(row)
		}
		if _, known := row.end(t.from); known {
			t.ready(row)
			return nil
		}
		ends := row.ended(t.from, row.last)
		next, err := t.send(ctx, t.statement("EndRange", t.to, &row.last,
			plan.Effect{Op: plan.Set, Column: plan.ShardEnds, Value: endsText(ends)}))
		switch {
		case err != nil:
			err.Outcome = errs.Unknown
			return err
		case next == nil:
			row.ends = ends
			t.ready(row)
			return nil
		}
		row = next
	}
}

// ready begins the new range.
func (t *takeover) ready(row *lease) {
	l := *row
	l.rangeID, l.nonce = t.to, t.nonce
	t.s.owned(l, t.began)
	t.s.scanLater(t.from)
	t.poke()
}
