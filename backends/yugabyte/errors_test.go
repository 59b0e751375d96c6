package yugabyte

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"testing"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// serverError is what the driver makes of codes that carry nothing but a text:
// its own type for that is not exported.
type serverError struct {
	code    int
	message string
}

func (e serverError) Code() int       { return e.code }
func (e serverError) Message() string { return e.message }
func (e serverError) Error() string   { return e.message }

func TestConvertError(t *testing.T) {
	timeout := &gocql.RequestErrWriteTimeout{WriteType: "CAS", Received: 1}
	tests := []struct {
		name string
		give error
		want cql.Error // Reach, Code, WriteType, Received, and Message if it is not empty
	}{
		{"write timeout", timeout, cql.Error{Reach: cql.Replied, Code: 0, WriteType: "CAS", Received: 1}},
		{"write timeout in another error", fmt.Errorf("x: %w", timeout), cql.Error{Reach: cql.Replied, WriteType: "CAS", Received: 1}},
		{"write timeout by value", *timeout, cql.Error{Reach: cql.Replied, WriteType: "CAS", Received: 1}},
		{"read timeout by value", gocql.RequestErrReadTimeout{Received: 2}, cql.Error{Reach: cql.Replied, Received: 2}},
		{"CAS with unknown outcome by value", gocql.RequestErrCASWriteUnknown{Received: 1}, cql.Error{Reach: cql.Replied, WriteType: "CAS", Received: 1}},
		{"write failure", &gocql.RequestErrWriteFailure{WriteType: "BATCH"}, cql.Error{Reach: cql.Replied, WriteType: "BATCH"}},
		{"read timeout", &gocql.RequestErrReadTimeout{Received: 2}, cql.Error{Reach: cql.Replied, Received: 2}},
		{"CAS with unknown outcome", &gocql.RequestErrCASWriteUnknown{Received: 1}, cql.Error{Reach: cql.Replied, WriteType: "CAS", Received: 1}},
		{"a server error of no type", serverError{0x2200, "Execution Error. Timed out"}, cql.Error{Reach: cql.Replied, Code: 0x2200, Message: "Execution Error. Timed out"}},
		{"a pointer to it", &serverError{0x1001, "Unable to allocate CQL processor"}, cql.Error{Reach: cql.Replied, Code: 0x1001, Message: "Unable to allocate CQL processor"}},
		{"unavailable", &gocql.RequestErrUnavailable{}, cql.Error{Reach: cql.Replied}},
		{"no hosts", gocql.ErrNoConnections, cql.Error{Reach: cql.Unsent}},
		{"session closed", gocql.ErrSessionClosed, cql.Error{Reach: cql.Unsent}},
		{"no streams", gocql.ErrNoStreams, cql.Error{Reach: cql.Unsent}},
		{"argument that cannot be serialized", gocql.MarshalError("x"), cql.Error{Reach: cql.Unsent}},
		{"dial", &net.OpError{Op: "dial", Err: errors.New("refused")}, cql.Error{Reach: cql.Unsent}},
		{"no answer", gocql.ErrTimeoutNoResponse, cql.Error{Reach: cql.Sent}},
		{"connection closed while waiting", gocql.ErrConnectionClosed, cql.Error{Reach: cql.Sent}},
		{"connection reset", &net.OpError{Op: "read", Err: errors.New("reset")}, cql.Error{Reach: cql.Sent}},
		{"end of stream", io.EOF, cql.Error{Reach: cql.Sent}},
		{"deadline", context.DeadlineExceeded, cql.Error{Reach: cql.Sent}},
		{"cancel", context.Canceled, cql.Error{Reach: cql.Sent}},
		{"anything else", errors.New("x"), cql.Error{Reach: cql.Sent}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got *cql.Error
			if !errors.As(convertError(tt.give), &got) {
				t.Fatalf("convertError() = %T", convertError(tt.give))
			}
			if got.Reach != tt.want.Reach || got.Code != tt.want.Code || got.WriteType != tt.want.WriteType || got.Received != tt.want.Received ||
				tt.want.Message != "" && got.Message != tt.want.Message {
				t.Fatalf("convertError() = %+v, want %+v", *got, tt.want)
			}
			if !reflect.DeepEqual(got.Err, tt.give) {
				t.Fatal("the driver's error is not kept")
			}
		})
	}
	if convertError(nil) != nil {
		t.Fatal("convertError(nil) is an error")
	}
}
