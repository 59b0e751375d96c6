package exec

import (
	"context"
	"errors"
	"reflect"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// ErrAsLeft is the cause of a conflict of unknown outcome in which all rows are as
// the write leaves them: it took effect, or somebody else's that does the same did.
var ErrAsLeft = errors.New("refused, and every row is as this write leaves it: the server may have run it again after its own commit")

// ownDoing tells whether a refusal by mutation at may come from the write
// itself: the server ran the block again after its own commit, and the second
// run met the effects of the first. Then every row is as the write leaves it.
//
// Whose writes have an owner are told apart by their numbers, and a single row is
// not written in a block. If another write came in between, the refusal is
// reported as its doing.
func (r *Runner) ownDoing(ctx context.Context, w *plan.Write, seen []plan.Seen, at int, e *Event) (bool, *errs.Error) {
	rows := 0
	for i := range w.Mutations {
		if !w.Mutations[i].Ahead {
			rows++
		}
	}
	if w.Owner != nil || rows < 2 || !leaves(&w.Mutations[at], seen[at], false) {
		return false, nil
	}
	for i := range w.Mutations {
		m := &w.Mutations[i]
		if m.Op == plan.Assert || m.Op == plan.DeleteRange {
			continue
		}
		row, err := r.readRow(ctx, w, &plan.Mutation{Table: m.Table, Key: m.Key, Show: assigned(m)}, e)
		if err != nil {
			return false, err
		}
		if !leaves(m, row, true) {
			return false, nil
		}
	}
	return true, nil
}

// assigned are the columns whose values a mutation decides alone.
func assigned(m *plan.Mutation) []*plan.Column {
	var columns []*plan.Column
	for _, x := range m.Effects {
		if x.Op == plan.Set && !x.Column.Kind.Collection() {
			columns = append(columns, x.Column)
		}
	}
	return columns
}

// leaves tells whether a row may be as a mutation leaves it; whole asks for all
// columns that it assigns.
func leaves(m *plan.Mutation, s plan.Seen, whole bool) bool {
	if m.Op == plan.Delete {
		return s.Sight == plan.Missing
	}
	if s.Sight != plan.Found {
		return false
	}
	for _, x := range m.Effects {
		if x.Op != plan.Set || x.Column.Kind.Collection() {
			continue
		}
		v, shown := s.Values[x.Column]
		if !shown && whole || shown && !same(v, x.Value) {
			return false
		}
	}
	for _, c := range m.Conds {
		// What is tested and not assigned is as it was: if it refuses, somebody
		// else did it.
		if !whole && c.Test == plan.Equal && !assigns(m, c.Column) && !same(s.Values[c.Column], c.Value) {
			return false
		}
	}
	return true
}

func assigns(m *plan.Mutation, c *plan.Column) bool {
	for _, x := range m.Effects {
		if x.Column == c {
			return true
		}
	}
	return false
}

// same compares what is read with what was bound; blobs may be nil or empty.
func same(a, b any) bool {
	x, ok := a.(plan.Blob)
	y, also := b.(plan.Blob)
	if ok && also {
		return x.Encoding == y.Encoding && string(x.Data) == string(y.Data)
	}
	return reflect.DeepEqual(a, b)
}
