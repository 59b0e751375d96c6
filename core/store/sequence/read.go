package sequence

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Read implements exec.Executor. Of sequenced rows those are shown whose write
// took effect, and of several under one key the latest in a page. A row of a
// write of unknown outcome fails the read (Unavailable): a later one will know.
// A row of a range newer than an own one is a refusal: the lease is lost.
func (x *Executor) Read(ctx context.Context, r *plan.Read, page plan.Page, args ...any) (*exec.Rows, error) {
	n, err := x.numbered(r)
	if err != nil {
		return nil, err
	}
	if n == r {
		return x.inner.Read(ctx, r, page, args...)
	}
	var id int64
	ok := len(args) == r.Args()
	if ok {
		id, ok = args[0].(int64)
	}
	if !ok {
		return nil, &errs.Error{
			Op: r.Name, Key: r.Table.Name, Kind: errs.Internal, Outcome: errs.NotApplied,
			Err: fmt.Errorf("read takes %d arguments, the first of them a shard, got %v", r.Args(), args),
		}
	}
	s := x.shard(id)
	var keep func(*exec.Rows) (bool, error)
	if r.Table.Sequenced {
		if keep, err = x.shown(ctx, s, r, n); err != nil {
			return nil, err
		}
	} else {
		keep = func(rows *exec.Rows) (bool, error) { return true, s.learn(rows, len(r.Columns)) }
	}
	rows, err := x.inner.Read(ctx, n, page, args...)
	if err != nil {
		return nil, err
	}
	rows.Keep(keep)
	return rows, nil
}

// learn keeps what the row of the shard says, for a takeover.
func (s *shard) learn(rows *exec.Rows, from int) error {
	row, err := leaseOf(rows, from)
	if err != nil {
		return &errs.Error{
			Op: "GetShard", Key: fmt.Sprintf("shard %d", s.id), Kind: errs.Corrupt, Outcome: errs.NotApplied, Err: err,
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = &row
	return nil
}

// shown tells which rows of a read are to be seen.
func (x *Executor) shown(ctx context.Context, s *shard, r, n *plan.Read) (func(*exec.Rows) (bool, error), error) {
	s.mu.Lock()
	own := s.own
	s.mu.Unlock()
	var row *lease // for those who do not own the shard; nil if there is none
	if !own {
		var err *errs.Error
		if row, err = x.state(ctx, s); err != nil {
			return nil, err
		}
	}
	judge := func(rangeID, number int64) (bool, error) {
		if own {
			return s.shows(r, rangeID, number)
		}
		return row != nil && row.shows(rangeID, number), nil
	}
	first, end := len(r.Columns), len(n.Columns)-2 // of the key that r leaves open, without the number
	var before []any                               // key of the row that was shown last
	return func(rows *exec.Rows) (bool, error) {
		shown, err := judge(rows.Int(end), rows.Int(end+1))
		if err != nil {
			return false, err
		}
		if !shown {
			x.observe.Count(HiddenRows, 1)
			return false, nil
		}
		key := make([]any, 0, end-first)
		for i := first; i < end; i++ {
			key = append(key, rows.Value(i))
		}
		if before != nil && slices.Equal(before, key) {
			return false, nil // an earlier row of the same task
		}
		before = key
		return true, nil
	}, nil
}

// shows tells whether the owner is to see a row.
func (s *shard) shows(r *plan.Read, rangeID, number int64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	failed := func(k errs.Kind, err error) error {
		return &errs.Error{Op: r.Name, Key: fmt.Sprintf("shard %d", s.id), Kind: k, Outcome: errs.NotApplied, Err: err}
	}
	switch {
	case !s.own:
		return false, failed(errs.Unavailable, errors.New("the shard's lease was lost while its tasks were read"))
	case rangeID > s.lease.rangeID:
		w := &plan.Write{Name: r.Name, Mutations: []plan.Mutation{{
			Table: plan.Shards, Op: plan.Assert, Key: s.key(),
			Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: s.lease.rangeID}},
		}}}
		return false, failed(errs.Conflict, &plan.Conflict{Write: w, Seen: []plan.Seen{{
			Sight: plan.Found, Values: map[*plan.Column]any{plan.ShardRangeID: rangeID},
		}}})
	case s.unsettled != nil && rangeID == s.lease.rangeID && number == s.unsettled.number:
		return false, failed(errs.Unavailable, fmt.Errorf("it is not known yet whether write %d took effect", number))
	}
	return s.lease.shows(rangeID, number), nil
}
