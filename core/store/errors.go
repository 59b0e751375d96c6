package store

import (
	"context"
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// nature says what a failed operation was, as far as its error depends on it.
type nature uint8

const (
	// reading: nothing was to be changed, so every failure may be retried.
	reading nature = iota
	// writing: a write that no shard waits for.
	writing
	// owning: a write that a shard's owner waits for. It reloads the shard after
	// every error that is not on the server's list of definite ones
	// (service/history/shard/context_impl.go, handleWriteErrorLocked), so what is
	// known not to have been applied must be on it.
	owning
	// appending: history nodes alone. They are immutable, so they may be written
	// again whatever became of the first attempt.
	appending
)

// refusal makes the error of a call from the conflict that refused it. It is
// given a known cause only. If it returns nil, the caller gets a
// *persistence.ConditionFailedError.
type refusal func(c *plan.Conflict) error

// outward is the one door through which errors of plans leave this package. It
// returns Temporal's own types, never wrapped: the server tells them apart by
// type switch. refused may be nil for calls without conditions.
//
// The outcome comes first: a write that may have been applied is a
// *persistence.TimeoutError whatever went wrong, because the server would send
// an Unavailable one again, and the second attempt of a conditional write that
// did take effect looks like a conflict.
func outward(err error, n nature, refused refusal) error {
	if err == nil {
		return nil
	}
	var e *errs.Error
	if !errors.As(err, &e) {
		e = foreign(err)
	}
	if n != reading && e.Outcome == errs.Unknown {
		if n == appending {
			return &p.AppendHistoryTimeoutError{Msg: e.Error()}
		}
		return &p.TimeoutError{Msg: e.Error()}
	}
	switch e.Kind {
	case errs.Conflict:
		return conflict(e, refused)
	case errs.Timeout:
		return timeout(e, n)
	case errs.Canceled:
		if n == owning || n == appending {
			return &p.AppendHistoryTimeoutError{Msg: e.Error()}
		}
		return serviceerror.NewCanceled(e.Error())
	case errs.Overloaded:
		return &serviceerror.ResourceExhausted{
			Cause:   enumspb.RESOURCE_EXHAUSTED_CAUSE_SYSTEM_OVERLOADED,
			Scope:   enumspb.RESOURCE_EXHAUSTED_SCOPE_SYSTEM,
			Message: e.Error(),
		}
	case errs.StorageFull:
		return &serviceerror.ResourceExhausted{
			Cause:   enumspb.RESOURCE_EXHAUSTED_CAUSE_PERSISTENCE_STORAGE_LIMIT,
			Scope:   enumspb.RESOURCE_EXHAUSTED_SCOPE_SYSTEM,
			Message: e.Error(),
		}
	case errs.Invalid:
		// The database's refusal may pass (a schema change that has not reached
		// every node yet); a request that no database was asked will not.
		if replied(e) {
			return serviceerror.NewUnavailable(e.Error())
		}
		return &p.InvalidPersistenceRequestError{Msg: e.Error()}
	case errs.Corrupt:
		return serviceerror.NewDataLoss(e.Error())
	case errs.Unavailable, errs.Unauthorized, errs.Closed:
		return serviceerror.NewUnavailable(e.Error())
	case errs.Internal:
		// A bug: in the server, which another one may not have hit, or here.
		if replied(e) {
			return serviceerror.NewUnavailable(e.Error())
		}
	}
	return serviceerror.NewInternal(e.Error())
}

// replied tells whether an error is the database's own words.
func replied(e *errs.Error) bool {
	var reply *cql.Error
	return errors.As(e.Err, &reply) && reply.Reach == cql.Replied
}

// conflict is the error of a refusal that certainly changed nothing. Without a
// known cause it is the one by which every caller reloads what it believed.
func conflict(e *errs.Error, refused refusal) error {
	var c *plan.Conflict
	if errors.As(e.Err, &c) && refused != nil {
		if err := refused(c); err != nil {
			return err
		}
	}
	return &p.ConditionFailedError{Msg: e.Error()}
}

// timeout is the error of an operation that had no answer in time and changed
// nothing, now or later.
func timeout(e *errs.Error, n nature) error {
	switch {
	case n == owning || n == appending:
		return &p.AppendHistoryTimeoutError{Msg: e.Error()}
	case errors.Is(e.Err, context.DeadlineExceeded):
		return &p.TimeoutError{Msg: e.Error()}
	default:
		// The server or a replica was late, the caller still has time: worth
		// the one retry that the layer above makes.
		return serviceerror.NewUnavailable(e.Error())
	}
}

// foreign places an error that did not come from package exec, which promises
// only its own. Nothing is known of its outcome.
func foreign(err error) *errs.Error {
	kind := errs.Internal
	switch {
	case errors.Is(err, context.Canceled):
		kind = errs.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		kind = errs.Timeout
	}
	return &errs.Error{Op: "persistence", Kind: kind, Outcome: errs.Unknown, Err: err}
}

// readError is the error of a failed read.
func readError(err error) error { return outward(err, reading, nil) }

// writeError is the error of a failed write that no shard waits for.
func writeError(err error, refused refusal) error { return outward(err, writing, refused) }

// notFound is the error of a read that found no row: what names the row as the
// caller knows it.
func notFound(op, what string) error {
	return serviceerror.NewNotFound(op + ": " + what + " does not exist")
}

// invalid is the error of a request that no database can carry.
func invalid(op string, err error) error {
	return &p.InvalidPersistenceRequestError{Msg: op + ": " + err.Error()}
}

// malformed is the error of a stored row that cannot be what it should.
func malformed(op, key, what string) error {
	return serviceerror.NewDataLoss(op + ": stored row of " + key + " " + what)
}

// exists tells whether a write changed nothing because the row that it was to
// insert is there.
func exists(err error) bool {
	c := refusedBy(err)
	return c != nil && c.Write.Mutations[c.Mutation].Conds[c.Cond].Test == plan.RowAbsent
}

// refusedBy returns the conflict of a write that certainly changed nothing
// because of it, else nil.
func refusedBy(err error) *plan.Conflict {
	var (
		e *errs.Error
		c *plan.Conflict
	)
	if errors.As(err, &e) && e.Kind == errs.Conflict && e.Outcome == errs.NotApplied && errors.As(e.Err, &c) {
		return c
	}
	return nil
}

// wasRefused tells whether err is of a write that a condition refused.
func wasRefused(err error) bool { return refusedBy(err) != nil }
