package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// everyFailure lists each kind, outcome and stage that package exec may report.
func everyFailure() []*errs.Error {
	causes := []error{
		nil, errors.New("text"), context.Canceled, context.DeadlineExceeded,
		&cql.Error{Reach: cql.Replied, Code: cql.CodeInvalid, Message: "no"},
		&plan.Conflict{Write: &plan.Write{
			Name: "T", Mutations: []plan.Mutation{{Table: plan.Shards, Key: []any{int64(1)}, Conds: []plan.Cond{{Test: plan.RowAbsent}}}},
		}, Seen: []plan.Seen{{Sight: plan.Found}}},
	}
	var all []*errs.Error
	for _, kind := range errs.Kinds() {
		for _, outcome := range []errs.Outcome{errs.Unknown, errs.NotApplied} {
			for _, stage := range []errs.Stage{errs.Main, errs.Ahead} {
				for _, cause := range causes {
					all = append(all, &errs.Error{Op: "T", Kind: kind, Outcome: outcome, Stage: stage, Err: cause})
				}
			}
		}
	}
	return all
}

func TestOutwardNeverLeaksAnErrorOfOurOwn(t *testing.T) {
	for _, e := range everyFailure() {
		for n := reading; n <= appending; n++ {
			for _, given := range []error{e, fmt.Errorf("wrapped: %w", e)} {
				switch err := any(outward(given, n, nil)).(type) { // bare: the server does not unwrap
				case *p.TimeoutError, *p.AppendHistoryTimeoutError, *p.ConditionFailedError, *p.InvalidPersistenceRequestError,
					*serviceerror.Unavailable, *serviceerror.ResourceExhausted, *serviceerror.Canceled,
					*serviceerror.Internal, *serviceerror.DataLoss:
				default:
					t.Fatalf("%v (nature %d) leaves as %T", given, n, err)
				}
			}
		}
	}
}

func TestOutwardReportsAnUnknownOutcomeOfAWriteAsATimeout(t *testing.T) {
	for _, e := range everyFailure() {
		if e.Outcome != errs.Unknown {
			continue
		}
		requireBare(t, &p.TimeoutError{}, outward(e, writing, nil), e.Error())
		requireBare(t, &p.TimeoutError{}, outward(e, owning, nil), e.Error())
		requireBare(t, &p.AppendHistoryTimeoutError{}, outward(e, appending, nil), e.Error())
	}
}

func TestOutwardNeverCallsADefiniteFailureOfAnOwnerATimeout(t *testing.T) {
	for _, e := range everyFailure() {
		if e.Outcome == errs.Unknown {
			continue
		}
		if err, ok := any(outward(e, owning, nil)).(*p.TimeoutError); ok {
			t.Fatalf("%v leaves as %v", e, err)
		}
	}
}

func TestOutward(t *testing.T) {
	deadline := fmt.Errorf("query: %w", context.DeadlineExceeded)
	tests := []struct {
		name   string
		give   *errs.Error
		nature nature
		want   error
	}{
		{"a read that the caller gave up on is not sent again", &errs.Error{Kind: errs.Timeout, Outcome: errs.NotApplied, Err: deadline}, reading, &p.TimeoutError{}},
		{"a read that the server gave up on may be sent again", &errs.Error{Kind: errs.Timeout, Outcome: errs.NotApplied}, reading, &serviceerror.Unavailable{}},
		{"a cancelled read is cancelled", &errs.Error{Kind: errs.Canceled, Outcome: errs.NotApplied, Err: context.Canceled}, reading, &serviceerror.Canceled{}},
		{"a write of a shard that was never sent does not make it reload", &errs.Error{Kind: errs.Timeout, Outcome: errs.NotApplied, Stage: errs.Ahead}, owning, &p.AppendHistoryTimeoutError{}},
		{"a write of a shard that was cancelled before it was sent does not make it reload", &errs.Error{Kind: errs.Canceled, Outcome: errs.NotApplied}, owning, &p.AppendHistoryTimeoutError{}},
		{"history that timed out may be appended again", &errs.Error{Kind: errs.Timeout}, appending, &p.AppendHistoryTimeoutError{}},
		{"no server can be asked", &errs.Error{Kind: errs.Unavailable, Outcome: errs.NotApplied}, owning, &serviceerror.Unavailable{}},
		{"wrong credentials", &errs.Error{Kind: errs.Unauthorized, Outcome: errs.NotApplied}, reading, &serviceerror.Unavailable{}},
		{"a session that was closed", &errs.Error{Kind: errs.Closed, Outcome: errs.NotApplied}, reading, &serviceerror.Unavailable{}},
		{"a request that the dialect cannot store", &errs.Error{Kind: errs.Invalid, Outcome: errs.NotApplied}, owning, &p.InvalidPersistenceRequestError{}},
		{"a request that the server does not understand yet", &errs.Error{Kind: errs.Invalid, Outcome: errs.NotApplied, Err: &cql.Error{Reach: cql.Replied, Code: cql.CodeInvalid}}, owning, &serviceerror.Unavailable{}},
		{"a row that cannot be decoded", &errs.Error{Kind: errs.Corrupt, Outcome: errs.NotApplied}, reading, &serviceerror.DataLoss{}},
		{"a refusal without a cause", &errs.Error{Kind: errs.Conflict, Outcome: errs.NotApplied}, owning, &p.ConditionFailedError{}},
		{"a bug of the server", &errs.Error{Kind: errs.Internal, Outcome: errs.NotApplied, Err: &cql.Error{Reach: cql.Replied, Code: cql.CodeServer}}, reading, &serviceerror.Unavailable{}},
		{"a bug", &errs.Error{Kind: errs.Internal, Outcome: errs.NotApplied}, reading, &serviceerror.Internal{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireBare(t, tt.want, outward(tt.give, tt.nature, nil))
		})
	}
}

func TestOutwardNamesTheLimitThatWasReached(t *testing.T) {
	tests := []struct {
		give errs.Kind
		want enumspb.ResourceExhaustedCause
	}{
		{errs.Overloaded, enumspb.RESOURCE_EXHAUSTED_CAUSE_SYSTEM_OVERLOADED},
		{errs.StorageFull, enumspb.RESOURCE_EXHAUSTED_CAUSE_PERSISTENCE_STORAGE_LIMIT},
	}
	for _, tt := range tests {
		t.Run(tt.give.String(), func(t *testing.T) {
			err := outward(&errs.Error{Kind: tt.give, Outcome: errs.NotApplied}, owning, nil)
			exhausted := storetest.Bare[*serviceerror.ResourceExhausted](t, err)
			require.Equal(t, tt.want, exhausted.Cause)
			require.Equal(t, enumspb.RESOURCE_EXHAUSTED_SCOPE_SYSTEM, exhausted.Scope)
		})
	}
}

func TestOutwardTrustsNoErrorThatIsNotOfExec(t *testing.T) {
	require.NoError(t, outward(nil, owning, nil))
	requireBare(t, &p.TimeoutError{}, outward(errors.New("?"), owning, nil))
	requireBare(t, &serviceerror.Internal{}, outward(errors.New("?"), reading, nil))
	requireBare(t, &serviceerror.Canceled{}, outward(context.Canceled, reading, nil))
	requireBare(t, &p.TimeoutError{}, outward(context.DeadlineExceeded, reading, nil))
}

func TestOutwardAsksTheCallWhatAConflictMeans(t *testing.T) {
	c := &plan.Conflict{Write: &plan.Write{}}
	mine := &p.ShardOwnershipLostError{ShardID: 7}
	err := outward(&errs.Error{Kind: errs.Conflict, Outcome: errs.NotApplied, Err: c}, owning, func(got *plan.Conflict) error {
		require.Same(t, c, got)
		return mine
	})
	require.Same(t, mine, err)
}

func TestParseUUIDTakesOneSpellingOnly(t *testing.T) {
	const id = "0a0b0c0d-1011-1213-1415-161718191a1b"
	parsed, err := parseUUID("run ID", id)
	require.NoError(t, err)
	require.Equal(t, id, formatUUID(parsed))

	for _, s := range []string{"", "x", "0a0b0c0d101112131415161718191a1b", "{" + id + "}", "urn:uuid:" + id, "0a0b0c0d-1011-1213-1415-161718191a1g"} {
		_, err := parseUUID("run ID", s)
		require.ErrorContains(t, err, "run ID", s)
	}
}
