package yugabyte

import (
	"errors"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	variant "github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// retry is a gocql.RetryPolicy: it tries the next host where that may help. A
// statement that may not be repeated is only tried again if it has certainly
// not begun, and never a third way: the server goes on with what its client
// gave up, for up to a minute.
type retry struct {
	attempts   int
	idempotent bool
}

// Attempt implements gocql.RetryPolicy.
func (r retry) Attempt(q gocql.RetryableQuery) bool {
	return q.Attempts() <= r.attempts && q.Context().Err() == nil
}

// GetRetryType implements gocql.RetryPolicy.
func (r retry) GetRetryType(err error) gocql.RetryType {
	converted := convertError(err)
	var e *cql.Error
	if !errors.As(converted, &e) {
		return gocql.Rethrow
	}
	kind, _ := (*variant.Dialect)(nil).Classify(converted, true)
	unbegun := e.Reach == cql.Unsent || e.Reach == cql.Replied && e.Code == cql.CodeOverloaded
	switch kind {
	case errs.Timeout, errs.Unavailable, errs.Overloaded:
		if r.idempotent || unbegun {
			return gocql.RetryNextHost
		}
	default: // another host would say the same
	}
	return gocql.Rethrow
}
