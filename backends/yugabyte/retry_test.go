package yugabyte

import (
	"context"
	"testing"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

func TestOnlyWhatHasNotBegunOrMayBeRepeatedIsTriedAgain(t *testing.T) {
	replied := func(code int, message string) error {
		return &cql.Error{Reach: cql.Replied, Code: code, Message: message}
	}
	const again, no = gocql.RetryNextHost, gocql.Rethrow
	tests := []struct {
		name                string
		give                error
		idempotent, another gocql.RetryType
	}{
		{"no answer", gocql.ErrTimeoutNoResponse, again, no},
		{"connection closed", gocql.ErrConnectionClosed, again, no},
		{"no stream", gocql.ErrNoStreams, again, again},
		{"no processor", replied(cql.CodeOverloaded, "Unable to allocate CQL processor, already allocated 9 of 9"), again, again},
		{"deadline within the server", replied(cql.CodeInvalid, "Execution Error. Write(tablet: 1) passed its deadline"), again, no},
		{"leader without lease", replied(cql.CodeInvalid, "Execution Error. Leader does not have a valid lease"), again, no},
		{"duplicate of the server's own", replied(cql.CodeInvalid, "Execution Error. Duplicate request"), again, no},
		{"memory", replied(cql.CodeServer, "Soft memory limit exceeded"), again, no},
		{"conflict past the deadline", replied(cql.CodeServer, "Conflicts with higher priority transaction"), again, no},
		{"stale metadata", replied(cql.CodeInvalid, "Query failed to execute due to stale metadata cache"), again, no},
		{"refusal", replied(cql.CodeInvalid, "Execution Error. Condition on table t was not satisfied."), no, no},
		{"wrong statement", replied(cql.CodeSyntax, "Invalid SQL Statement"), no, no},
		{"missing right", replied(cql.CodeUnauthorized, "Unauthorized"), no, no},
		{"the caller's deadline", context.DeadlineExceeded, again, no},
		{"the caller's cancel", context.Canceled, no, no},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (retry{attempts: 1, idempotent: true}).GetRetryType(tt.give); got != tt.idempotent {
				t.Errorf("idempotent: %v, want %v", got, tt.idempotent)
			}
			if got := (retry{attempts: 1}).GetRetryType(tt.give); got != tt.another {
				t.Errorf("another: %v, want %v", got, tt.another)
			}
		})
	}
}
