package lease_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/lease"
)

// busy is a table of one row, whose server gives up waiting now and then.
type busy struct {
	cql.Admin
	owner string
	// answers are what becomes of the next requests, the last one of all that follow.
	answers []answer
	asked   int
}

type answer struct {
	applied bool // whatever it says
	err     error
	before  string // who comes before it
}

func (b *busy) CAS(_ context.Context, _ string, args ...any) (bool, error) {
	a := b.answers[min(b.asked, len(b.answers)-1)]
	b.asked++
	if b.owner == "" {
		b.owner = a.before
	}
	ok := b.owner == "" && a.applied
	if ok {
		b.owner, _ = args[len(args)-1].(string)
	}
	return ok && a.err == nil, a.err
}

func (b *busy) Query(context.Context, string, ...any) ([]cql.Row, error) {
	return []cql.Row{{"owner": b.owner}}, nil
}

func TestAServerThatGivesUpIsAskedAgain(t *testing.T) {
	timeout := &cql.Error{Reach: cql.Replied, Code: cql.CodeWriteTimeout, WriteType: "CAS", Message: "timed out"}
	good := answer{applied: true}
	tests := []struct {
		name    string
		answers []answer
		asked   int
		takes   bool
		fails   bool
	}{
		{"it was not inserted", []answer{{err: timeout}, {err: timeout}, good}, 3, true, false},
		{"it was inserted", []answer{{applied: true, err: timeout}, good}, 2, true, false},
		{"another came first", []answer{{err: timeout}, {applied: true, before: "another"}}, 2, false, false},
		{"another has it", []answer{{applied: true, before: "another"}}, 1, false, false},
		{"it gives up every time", []answer{{err: timeout}}, 52, false, true},
		{"an error of another kind", []answer{{err: &cql.Error{Reach: cql.Replied, Code: cql.CodeUnauthorized}}}, 1, false, true},
		{"no answer", []answer{{err: &cql.Error{Reach: cql.Sent}}}, 1, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &busy{answers: tt.answers}
				row := &lease.Row{Admin: b, Table: "t", Key: []string{"name"}, Values: []any{"lease"}, Column: "owner", Time: 30 * time.Second}
				ok, err := row.Take(t.Context(), "me")
				require.Equal(t, tt.fails, err != nil, "%v", err)
				require.Equal(t, tt.takes, ok)
				require.Equal(t, tt.asked, b.asked)
			})
		})
	}
}
