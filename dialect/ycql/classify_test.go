package ycql_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

func replied(code int, message string) error {
	return &cql.Error{Reach: cql.Replied, Code: code, Message: message}
}

const refusal = "Execution Error. Condition on table shards was not satisfied.\nBEGIN TRANSACTION\n  ^^^^^^\n (ql error -300)"

func TestClassify(t *testing.T) {
	tests := []struct {
		name    string
		give    error
		kind    errs.Kind
		outcome errs.Outcome
	}{
		{"a refusal that a session hands on may be the block's own doing", replied(cql.CodeInvalid, refusal), errs.Conflict, errs.Unknown},
		{"a retry within the server", replied(cql.CodeInvalid, "Execution Error. Duplicate request 17 from client"), errs.Timeout, errs.Unknown},
		{"a write past its deadline", replied(cql.CodeInvalid, "Execution Error. Write(tablet: 1f, num_ops: 1, num_attempts: 4, txn: 0) passed its deadline 12.3s"), errs.Timeout, errs.Unknown},
		{"a leader without a lease", replied(cql.CodeInvalid, "Execution Error. Leader does not have a valid lease"), errs.Timeout, errs.Unknown},
		{"a leader that is none any more", replied(cql.CodeInvalid, "Execution Error. Not the leader"), errs.Timeout, errs.Unknown},
		{"any other error of execution", replied(cql.CodeInvalid, "Execution Error. Something new"), errs.Internal, errs.Unknown},
		{"memory of one of several tablets", replied(cql.CodeInvalid, "Execution Error. Soft memory limit exceeded (at 85%)"), errs.Overloaded, errs.Unknown},
		{"a conflict for as long as the server tried", replied(cql.CodeServer, "Conflicts with higher priority transaction: 3f"), errs.Timeout, errs.Unknown},
		{"a commit whose transaction is gone", replied(cql.CodeServer, "Unknown transaction, could be recently aborted: 3f"), errs.Timeout, errs.Unknown},
		{"an expired transaction", replied(cql.CodeServer, "Transaction expired or aborted by a conflict"), errs.Timeout, errs.Unknown},
		{"a server error of which nothing is known", replied(cql.CodeServer, "Illegal state"), errs.Internal, errs.Unknown},
		{"a stale definition", replied(cql.CodeInvalid, "Query failed to execute due to stale metadata cache"), errs.Unavailable, errs.Unknown},
		{"a column that does not exist", replied(cql.CodeInvalid, "Undefined Column\nINSERT INTO t\n (ql error -203)"), errs.Invalid, errs.NotApplied},
		{"a table that does not exist", replied(cql.CodeInvalid, "Object Not Found\nINSERT INTO t\n (ql error -301)"), errs.Invalid, errs.NotApplied},
		{"a statement's text is not read as a message", replied(cql.CodeInvalid, "Undefined Column\nINSERT INTO t (a) VALUES ('Timed out')\n"), errs.Invalid, errs.NotApplied},
		{"a syntax error", replied(cql.CodeSyntax, "Invalid SQL Statement. syntax error"), errs.Invalid, errs.NotApplied},
		{"turned away", replied(cql.CodeOverloaded, "Unable to allocate CQL processor, already allocated 9 of 9"), errs.Overloaded, errs.NotApplied},
		{"nobody logged in", replied(cql.CodeServer, "Could not execute statement by not authenticated user"), errs.Unauthorized, errs.NotApplied},
		{"a right is missing", replied(cql.CodeUnauthorized, ""), errs.Unauthorized, errs.NotApplied},
		{"a statement that the server forgot", replied(cql.CodeUnprepared, "Unprepared query"), errs.Unavailable, errs.NotApplied},
		{"a code that YugabyteDB never sends", replied(cql.CodeWriteTimeout, ""), errs.Timeout, errs.Unknown},
		{"another, by which nothing was begun", replied(cql.CodeBootstrapping, ""), errs.Unavailable, errs.NotApplied},
		{"no connection", &cql.Error{Reach: cql.Unsent, Message: "no hosts"}, errs.Unavailable, errs.NotApplied},
		{"a connection that broke", &cql.Error{Reach: cql.Sent, Message: "EOF"}, errs.Unavailable, errs.Unknown},
		{"the caller's deadline", fmt.Errorf("exec: %w", context.DeadlineExceeded), errs.Timeout, errs.Unknown},
		{"the caller has left", context.Canceled, errs.Canceled, errs.Unknown},
		{"a deadline of the network", os.ErrDeadlineExceeded, errs.Timeout, errs.Unknown},
		{"a closed session", cql.ErrClosed, errs.Closed, errs.NotApplied},
		{"something else", errors.New("x"), errs.Internal, errs.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := ycql.New(ycql.All)
			if kind, outcome := d.Classify(tt.give, true); kind != tt.kind || outcome != tt.outcome {
				t.Errorf("Classify(write) = %v, %v, want %v, %v", kind, outcome, tt.kind, tt.outcome)
			}
			if kind, outcome := d.Classify(tt.give, false); kind != tt.kind || outcome != errs.NotApplied {
				t.Errorf("Classify(read) = %v, %v, want %v, not applied", kind, outcome, tt.kind)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for give, want := range map[*cql.Error]bool{
		{Reach: cql.Replied, Code: cql.CodeInvalid, Message: refusal}:                                      true,
		{Reach: cql.Replied, Code: cql.CodeInvalid, Message: "Execution Error. Duplicate request"}:         false,
		{Reach: cql.Replied, Code: cql.CodeServer, Message: refusal}:                                       false,
		{Reach: cql.Sent, Message: refusal}:                                                                false,
		{Reach: cql.Replied, Code: cql.CodeInvalid, Message: "Execution Error. Condition on table t lost"}: false,
	} {
		if got := ycql.Refused(give); got != want {
			t.Errorf("Refused(%v) = %v", give, got)
		}
	}
}
