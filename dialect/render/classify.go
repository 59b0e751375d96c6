package render

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
)

// Classify places what a session reports: reply judges what the server answered,
// the rest (closed, not sent, cut off) means the same to every dialect. The
// outcome of a read is always NotApplied.
func Classify(err error, write bool, reply func(*cql.Error) (errs.Kind, errs.Outcome)) (errs.Kind, errs.Outcome) {
	kind, outcome := classify(err, reply)
	if !write {
		outcome = errs.NotApplied
	}
	return kind, outcome
}

func classify(err error, reply func(*cql.Error) (errs.Kind, errs.Outcome)) (errs.Kind, errs.Outcome) {
	if errors.Is(err, cql.ErrClosed) {
		return errs.Closed, errs.NotApplied
	}
	outcome := errs.Unknown
	var e *cql.Error
	if errors.As(err, &e) {
		switch e.Reach {
		case cql.Replied:
			return reply(e)
		case cql.Unsent:
			outcome = errs.NotApplied
		case cql.Sent:
		}
	}
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return errs.Canceled, outcome
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout(),
		e != nil && e.Reach == cql.Sent && strings.Contains(e.Message, "timeout"):
		return errs.Timeout, outcome
	case e != nil:
		// A connection that broke, a driver's own limit, no host to ask.
		return errs.Unavailable, outcome
	}
	return errs.Internal, outcome
}
