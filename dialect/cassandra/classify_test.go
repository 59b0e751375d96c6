package cassandra_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
)

func replied(code int, message string) error {
	return &cql.Error{Reach: cql.Replied, Code: code, Message: message}
}

func TestClassify(t *testing.T) {
	timeout := func(writeType string) error {
		return &cql.Error{Reach: cql.Replied, Code: cql.CodeWriteTimeout, WriteType: writeType}
	}
	tests := []struct {
		name    string
		give    error
		kind    errs.Kind
		outcome errs.Outcome
	}{
		{"a server error says nothing of the write", replied(cql.CodeServer, "java.lang.NullPointerException"), errs.Internal, errs.Unknown},
		{"a protocol error comes before the request runs", replied(cql.CodeProtocol, "bad frame"), errs.Internal, errs.NotApplied},
		{"bad credentials", replied(cql.CodeCredentials, ""), errs.Unauthorized, errs.NotApplied},
		{"too few live replicas", replied(cql.CodeUnavailable, "Cannot achieve consistency level LOCAL_QUORUM"), errs.Unavailable, errs.Unknown},
		{"turned away by a rate limit", replied(cql.CodeOverloaded, "Request breached global limit"), errs.Overloaded, errs.NotApplied},
		{"overloaded while replicas were being written", replied(cql.CodeOverloaded, "Too many in flight hints: 2048"), errs.Overloaded, errs.Unknown},
		{"a coordinator that is joining", replied(cql.CodeBootstrapping, ""), errs.Unavailable, errs.NotApplied},
		{"truncation", replied(cql.CodeTruncate, ""), errs.Internal, errs.Unknown},
		{"timeout of a conditional write", timeout("CAS"), errs.Timeout, errs.Unknown},
		{"timeout of a plain write", timeout("SIMPLE"), errs.Timeout, errs.Unknown},
		{"timeout of a batch", timeout("BATCH"), errs.Timeout, errs.Unknown},
		{"timeout of the batch log, which is replayed if a replica has it", timeout("BATCH_LOG"), errs.Timeout, errs.Unknown},
		{"timeout of an unlogged batch", timeout("UNLOGGED_BATCH"), errs.Timeout, errs.Unknown},
		{"timeout of a read, perhaps between two proposals", replied(cql.CodeReadTimeout, ""), errs.Timeout, errs.Unknown},
		{"failure of a read", replied(cql.CodeReadFailure, ""), errs.Unavailable, errs.Unknown},
		{"failure of a function", replied(cql.CodeFunction, ""), errs.Internal, errs.Unknown},
		{"failure of a write on some replicas", replied(cql.CodeWriteFailure, ""), errs.Unavailable, errs.Unknown},
		{"no space for change data capture", replied(cql.CodeCDCWriteFail, ""), errs.StorageFull, errs.Unknown},
		{"contention without a result", replied(cql.CodeCASUnknown, ""), errs.Timeout, errs.Unknown},
		{"syntax", replied(cql.CodeSyntax, "line 1:0"), errs.Invalid, errs.NotApplied},
		{"missing rights", replied(cql.CodeUnauthorized, ""), errs.Unauthorized, errs.NotApplied},
		{"unknown column", replied(cql.CodeInvalid, "Undefined column name x"), errs.Invalid, errs.NotApplied},
		{"a guardrail of sizes", replied(cql.CodeInvalid, "Guardrail collection_size violated"), errs.Invalid, errs.NotApplied},
		{"the guardrail of disk usage", replied(cql.CodeInvalid, "Write request failed because Disk Usage exceeds failure threshold"), errs.StorageFull, errs.NotApplied},
		{"configuration", replied(cql.CodeConfig, ""), errs.Invalid, errs.NotApplied},
		{"already exists", replied(cql.CodeAlreadyExists, ""), errs.Invalid, errs.NotApplied},
		{"forgotten statement", replied(cql.CodeUnprepared, ""), errs.Unavailable, errs.NotApplied},
		{"a code nobody knows", replied(0x7777, ""), errs.Internal, errs.Unknown},

		{"never sent", &cql.Error{Reach: cql.Unsent, Message: "no connections"}, errs.Unavailable, errs.NotApplied},
		{"connection lost", &cql.Error{Reach: cql.Sent, Message: "gocql: connection closed waiting for response"}, errs.Unavailable, errs.Unknown},
		{"no answer in the driver's time", &cql.Error{Reach: cql.Sent, Message: "gocql: no response received from cassandra within timeout period"}, errs.Timeout, errs.Unknown},
		{"no answer in the network's time", &cql.Error{Reach: cql.Sent, Err: fmt.Errorf("read: %w", os.ErrDeadlineExceeded)}, errs.Timeout, errs.Unknown},
		{"deadline, perhaps sent", &cql.Error{Reach: cql.Sent, Err: context.DeadlineExceeded}, errs.Timeout, errs.Unknown},
		{"deadline before it was sent", &cql.Error{Reach: cql.Unsent, Err: context.DeadlineExceeded}, errs.Timeout, errs.NotApplied},
		{"cancelled, perhaps sent", &cql.Error{Reach: cql.Sent, Err: context.Canceled}, errs.Canceled, errs.Unknown},
		{"deadline without more", context.DeadlineExceeded, errs.Timeout, errs.Unknown},
		{"cancelled without more", context.Canceled, errs.Canceled, errs.Unknown},
		{"closed session", fmt.Errorf("use: %w", cql.ErrClosed), errs.Closed, errs.NotApplied},
		{"an error of somebody else", errors.New("boom"), errs.Internal, errs.Unknown},
	}
	d := cassandra.New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if kind, outcome := d.Classify(tt.give, true); kind != tt.kind || outcome != tt.outcome {
				t.Errorf("Classify(write) = %v, %v, want %v, %v", kind, outcome, tt.kind, tt.outcome)
			}
			wrapped := fmt.Errorf("exec: %w", tt.give)
			if kind, outcome := d.Classify(wrapped, false); kind != tt.kind || outcome != errs.NotApplied {
				t.Errorf("Classify(read) = %v, %v, want %v, not applied", kind, outcome, tt.kind)
			}
		})
	}
}
