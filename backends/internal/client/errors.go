package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// replied is what both drivers' errors of the server have in common.
type replied interface {
	error
	Code() int
	Message() string
}

// Convert strips an error of a driver's types. unsent are the driver's errors
// after which the server has certainly not begun the request; describe adds
// what an error of the server says of itself. Drivers return errors of the
// server as pointers and, over their releases, as values: errors.As meets both
// by the interface that they share.
func Convert(err error, unsent []error, describe func(*cql.Error, error)) error {
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
	var re replied
	if errors.As(err, &re) {
		e := &cql.Error{Reach: cql.Replied, Code: re.Code(), Message: re.Message(), Err: err}
		if e.Message == "" {
			e.Message = re.Error()
		}
		describe(e, err)
		return e
	}
	e := &cql.Error{Reach: cql.Sent, Message: err.Error(), Err: err}
	if oneOf(err, unsent) || errors.Is(err, syscall.ECONNREFUSED) {
		e.Reach = cql.Unsent
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		e.Reach = cql.Unsent
	}
	return e
}

// As finds an error of type T in err, or a pointer to one: drivers return the
// types of the server's errors by either form.
func As[T error, P interface {
	*T
	error
}](err error) (found T, ok bool) {
	if found, ok = errors.AsType[T](err); ok {
		return found, true
	}
	if p, ok := errors.AsType[P](err); ok && p != nil {
		return *p, true
	}
	return found, false
}

// Lost tells whether err means that the driver's session has no way left to the
// database, so that a new session is worth making: it is one of the driver's
// errors that say so, or one of the network.
func Lost(err error, driver []error) bool {
	var op *net.OpError
	return oneOf(err, driver) || errors.As(err, &op)
}

func oneOf(err error, list []error) bool {
	return slices.ContainsFunc(list, func(e error) bool { return errors.Is(err, e) })
}

// ErrNoKeyspace is the cause when a keyspace does not exist.
var ErrNoKeyspace = errors.New("keyspace does not exist")

// Explain makes one line of an error of Open: what was tried, what is wrong,
// what to do.
func (o *Options) Explain(product string, err error) error {
	hosts := strings.Join(o.Hosts, ", ")
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	lower := strings.ToLower(text)
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(lower, w) })
	}
	var hint string
	switch {
	case errors.Is(err, ErrNoKeyspace):
		return &openError{fmt.Sprintf("connect to %s at %s: keyspace %q does not exist: create it with \"temporal-server schema create\"", product, hosts, o.Keyspace), err}
	case says("provided username", "authentication", "authenticated user", "credentials"):
		hint = "check user and password"
	case says("tls", "x509", "certificate"):
		hint = "check the tls options"
	case says("refused", "no such host", "no answer", "timeout", "no connections", "no route", "reset", "eof", "resolve", "protocol"):
		hint = "check hosts, port and tls, and that the database runs"
	}
	if hint != "" {
		text += ": " + hint
	}
	return &openError{fmt.Sprintf("connect to %s at %s: %s", product, hosts, text), err}
}

// openError keeps its cause for errors.As without repeating it.
type openError struct {
	text  string
	cause error
}

func (e *openError) Error() string { return e.text }
func (e *openError) Unwrap() error { return e.cause }
