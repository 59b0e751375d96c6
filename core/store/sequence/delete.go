package sequence

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// deletion is one of tasks by their logical keys, whatever write they are of. It
// must not take the rows of an attempt that may still take effect.
type deletion struct {
	ranges []*plan.Mutation
	done   chan struct{}
}

// takes tells whether the deletion reaches a row.
func (d *deletion) takes(key []any) bool {
	for _, m := range d.ranges {
		if covers(m, key) {
			return true
		}
	}
	return false
}

func (d *deletion) takesFrom(a *attempt) bool {
	if a == nil {
		return false
	}
	for _, key := range a.keys {
		if d.takes(key) {
			return true
		}
	}
	return false
}

// covers tells whether a range deletion reaches a row with this key of integers.
func covers(m *plan.Mutation, key []any) bool {
	if compareInts(key[:len(m.Key)], m.Key) != 0 {
		return false
	}
	rest := key[len(m.Key):]
	above, below := compareInts(rest, m.From.Values), compareInts(rest, m.To.Values)
	switch {
	case m.From.Compare == plan.GreaterOrEqual && above < 0, m.From.Compare == plan.Greater && above <= 0:
		return false
	case m.To.Compare == plan.LessOrEqual && below > 0, m.To.Compare == plan.Less && below >= 0:
		return false
	}
	return true
}

// compareInts compares as many values as b has.
func compareInts(a, b []any) int {
	for i := range b {
		x, _ := a[i].(int64)
		y, _ := b[i].(int64)
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// delete sends a write without a number; one that deletes tasks waits for
// attempts under way whose rows it would take, and makes later ones wait.
func (x *Executor) delete(ctx context.Context, w, numbered *plan.Write) error {
	d := &deletion{done: make(chan struct{})}
	var s *shard
	for i := range numbered.Mutations {
		m := &numbered.Mutations[i]
		if m.Table != plan.NumberedTasks || len(m.Key) == 0 {
			continue
		}
		id, _ := m.Key[0].(int64)
		s = x.shard(id)
		d.ranges = append(d.ranges, m)
	}
	if s == nil {
		return x.inner.Write(ctx, numbered)
	}
	for {
		ready, err := s.begins(d, w)
		if err != nil {
			return err
		}
		if ready {
			break
		}
		if err := s.take(ctx, w); err != nil {
			return err
		}
		s.release()
	}
	defer s.ends(d)
	return x.inner.Write(ctx, numbered)
}

// begins registers a deletion if it is in nobody's way.
func (s *shard) begins(d *deletion, w *plan.Write) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.takesFrom(s.unsettled) {
		return false, &errs.Error{
			Op: w.Name, Key: fmt.Sprintf("shard %d", s.id), Kind: errs.Unavailable, Outcome: errs.NotApplied,
			Err: errors.New("it is not known yet whether a write whose tasks it would delete took effect"),
		}
	}
	if d.takesFrom(s.flying) {
		return false, nil
	}
	s.deletes[d] = struct{}{}
	return true, nil
}

func (s *shard) ends(d *deletion) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.deletes, d)
	close(d.done)
}

// inTheWay returns a deletion under way that would take rows of an attempt.
func (s *shard) inTheWay(a *attempt) *deletion {
	for d := range s.deletes {
		if d.takesFrom(a) {
			return d
		}
	}
	return nil
}
