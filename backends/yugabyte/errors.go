package yugabyte

import (
	"errors"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// unsent are errors after which the server has certainly not begun the request.
var unsent = []error{
	gocql.ErrNoConnections, gocql.ErrNoConnectionsStarted, gocql.ErrSessionClosed, gocql.ErrNoStreams,
	gocql.ErrFrameTooBig, gocql.ErrQueryArgLength, gocql.ErrTooManyStmts, gocql.ErrUseStmt,
	gocql.ErrNoHosts, gocql.ErrUnavailable, gocql.ErrHostQueryFailed,
}

// noWay are errors that say that gocql's session has no way to the database.
var noWay = []error{
	gocql.ErrNoConnections, gocql.ErrSessionClosed, gocql.ErrConnectionClosed, gocql.ErrTooManyTimeouts,
	gocql.ErrUnavailable, gocql.ErrHostQueryFailed, gocql.ErrNoConnectionsStarted,
}

// convertError strips an error of gocql's types.
func convertError(err error) error {
	converted := client.Convert(err, unsent, describe)
	var marshal gocql.MarshalError
	var e *cql.Error
	if errors.As(err, &marshal) && errors.As(converted, &e) {
		e.Reach = cql.Unsent
	}
	return converted
}

// describe adds what a timeout says of itself. YugabyteDB sends none of these;
// what stands between it and us may.
func describe(e *cql.Error, err error) {
	if timeout, ok := client.As[gocql.RequestErrWriteTimeout](err); ok {
		e.WriteType, e.Received = timeout.WriteType, timeout.Received
	} else if failure, ok := client.As[gocql.RequestErrWriteFailure](err); ok {
		e.WriteType, e.Received = failure.WriteType, failure.Received
	} else if timeout, ok := client.As[gocql.RequestErrReadTimeout](err); ok {
		e.Received = timeout.Received
	} else if unknown, ok := client.As[gocql.RequestErrCASWriteUnknown](err); ok {
		e.WriteType, e.Received = "CAS", unknown.Received
	}
}
