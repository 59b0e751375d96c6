package cassandra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"testing"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

func TestConvertError(t *testing.T) {
	timeout := &gocql.RequestErrWriteTimeout{WriteType: "CAS", Received: 1}
	tests := []struct {
		name string
		give error
		want cql.Error // Reach, Code, WriteType and Received
	}{
		{"write timeout", timeout, cql.Error{Reach: cql.Replied, Code: 0, WriteType: "CAS", Received: 1}},
		{"write timeout in another error", fmt.Errorf("x: %w", timeout), cql.Error{Reach: cql.Replied, WriteType: "CAS", Received: 1}},
		{"write timeout by value", *timeout, cql.Error{Reach: cql.Replied, WriteType: "CAS", Received: 1}},
		{"read timeout by value", gocql.RequestErrReadTimeout{Received: 2}, cql.Error{Reach: cql.Replied, Received: 2}},
		{"CAS with unknown outcome by value", gocql.RequestErrCASWriteUnknown{Received: 1}, cql.Error{Reach: cql.Replied, WriteType: "CAS", Received: 1}},
		{"write failure", &gocql.RequestErrWriteFailure{WriteType: "BATCH"}, cql.Error{Reach: cql.Replied, WriteType: "BATCH"}},
		{"read timeout", &gocql.RequestErrReadTimeout{Received: 2}, cql.Error{Reach: cql.Replied, Received: 2}},
		{"CAS with unknown outcome", &gocql.RequestErrCASWriteUnknown{Received: 1}, cql.Error{Reach: cql.Replied, WriteType: "CAS", Received: 1}},
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
			if got.Reach != tt.want.Reach || got.Code != tt.want.Code || got.WriteType != tt.want.WriteType || got.Received != tt.want.Received {
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
