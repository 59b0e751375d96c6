package sequence

import (
	"context"
	"errors"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// NewReader returns an Executor on ex for tools that read a whole keyspace: it
// shows what a server would be shown, so that rows of writes that never took
// effect are none, whatever the database, and it neither writes nor cleans. ex is
// an executor of a dialect. It needs no Close.
func NewReader(ex exec.Executor) (exec.Executor, error) {
	if !ex.Traits().Sequenced {
		return reader{ex}, nil
	}
	x, err := newExecutor(ex, nil)
	if err != nil {
		return nil, err
	}
	return reader{x}, nil
}

type reader struct{ exec.Executor }

// Write implements exec.Executor.
func (reader) Write(_ context.Context, w *plan.Write) error {
	return &errs.Error{Op: w.Name, Kind: errs.Internal, Outcome: errs.NotApplied, Err: errors.New("this executor only reads")}
}
