package cassandra

import (
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// unsent are errors after which the server has certainly not begun the request.
var unsent = []error{
	gocql.ErrNoConnections, gocql.ErrNoConnectionsStarted, gocql.ErrSessionClosed, gocql.ErrNoStreams,
	gocql.ErrFrameTooBig, gocql.ErrQueryArgLength, gocql.ErrTooManyStmts, gocql.ErrUseStmt,
	gocql.ErrNoHosts, gocql.ErrUnavailable, gocql.ErrHostQueryFailed, syscall.ECONNREFUSED,
}

// convertError strips an error of gocql's types. gocql returns some errors of
// the server as pointers and one, RequestErrCASWriteUnknown, by either form
// over its releases: errors.As meets both by the interface that they share.
func convertError(err error) error {
	if err == nil {
		return nil
	}
	var ours *cql.Error
	if errors.As(err, &ours) || errors.Is(err, cql.ErrClosed) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &cql.Error{Reach: cql.Sent, Message: err.Error(), Err: err}
	}
	var re gocql.RequestError
	if errors.As(err, &re) {
		e := &cql.Error{Reach: cql.Replied, Code: re.Code(), Message: re.Message(), Err: err}
		if e.Message == "" {
			e.Message = re.Error()
		}
		describe(e, err)
		return e
	}
	e := &cql.Error{Reach: cql.Sent, Message: err.Error(), Err: err}
	for _, u := range unsent {
		if errors.Is(err, u) {
			e.Reach = cql.Unsent
		}
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		e.Reach = cql.Unsent
	}
	var marshal gocql.MarshalError
	if errors.As(err, &marshal) {
		e.Reach = cql.Unsent
	}
	return e
}

// describe adds what a timeout says of itself.
func describe(e *cql.Error, err error) {
	var (
		writeTimeout *gocql.RequestErrWriteTimeout
		writeFailure *gocql.RequestErrWriteFailure
		readTimeout  *gocql.RequestErrReadTimeout
		casUnknown   *gocql.RequestErrCASWriteUnknown
	)
	switch {
	case errors.As(err, &writeTimeout):
		e.WriteType, e.Received = writeTimeout.WriteType, writeTimeout.Received
	case errors.As(err, &writeFailure):
		e.WriteType, e.Received = writeFailure.WriteType, writeFailure.Received
	case errors.As(err, &readTimeout):
		e.Received = readTimeout.Received
	case errors.As(err, &casUnknown):
		e.WriteType, e.Received = "CAS", casUnknown.Received
	}
}

// lost tells whether err means that the driver's session has no way left to
// the database, so that a new session is worth making.
func lost(err error) bool {
	for _, e := range []error{
		gocql.ErrNoConnections, gocql.ErrSessionClosed, gocql.ErrConnectionClosed, gocql.ErrTooManyTimeouts,
		gocql.ErrUnavailable, gocql.ErrHostQueryFailed, gocql.ErrNoConnectionsStarted,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var op *net.OpError
	return errors.As(err, &op)
}
