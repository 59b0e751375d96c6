package cqltest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/cql/cqltest"
)

type counting struct{ execs, queries, closes int }

func (c *counting) Exec(context.Context, *cql.Step) (cql.Result, error) {
	c.execs++
	return cql.Result{Applied: true}, nil
}

func (c *counting) Query(context.Context, cql.Call, cql.Page) (cql.Rows, error) {
	c.queries++
	return c, nil
}

func (c *counting) Scan(...any) bool { return false }
func (c *counting) Next() []byte     { return nil }
func (c *counting) Close() error     { c.closes++; return nil }

func TestTap(t *testing.T) {
	inner := &counting{}
	tap := cqltest.NewTap(inner)
	step := &cql.Step{Calls: []cql.Call{{Statement: &cql.Statement{Plan: "table"}}}}
	call := cql.Call{Statement: &cql.Statement{Plan: "read"}}
	refused := errors.New("refused")
	ctx := cqltest.WithPlan(t.Context(), "write")

	t.Run("passes everything through and records it", func(t *testing.T) {
		if res, err := tap.Exec(ctx, step); err != nil || !res.Applied {
			t.Fatal(res, err)
		}
		if _, err := tap.Query(t.Context(), call, cql.Page{}); err != nil {
			t.Fatal(err)
		}
		seen := tap.Take()
		if len(seen) != 2 || seen[0].Plan != "write" || !seen[0].Write || seen[1].Plan != "read" || seen[1].Write {
			t.Errorf("recorded %+v", seen)
		}
		if len(tap.Take()) != 0 {
			t.Error("Take did not empty the record")
		}
	})
	t.Run("a request that Before refuses is not sent", func(t *testing.T) {
		tap.Before(cqltest.FailPlan("write", refused))
		defer tap.Before(nil)
		was := inner.execs
		if _, err := tap.Exec(ctx, step); !errors.Is(err, refused) {
			t.Error(err)
		}
		if inner.execs != was {
			t.Error("sent")
		}
		if _, err := tap.Query(t.Context(), call, cql.Page{}); err != nil {
			t.Errorf("another plan was refused: %v", err)
		}
	})
	t.Run("After loses the answer of what was sent, and frees its rows", func(t *testing.T) {
		tap.After(func(context.Context, cqltest.Request, error) error { return refused })
		defer tap.After(nil)
		execs, closes := inner.execs, inner.closes
		if res, err := tap.Exec(ctx, step); !errors.Is(err, refused) || res.Applied {
			t.Error(res, err)
		}
		if _, err := tap.Query(t.Context(), call, cql.Page{}); !errors.Is(err, refused) {
			t.Error(err)
		}
		if inner.execs != execs+1 || inner.closes != closes+1 {
			t.Errorf("sent %d, closed %d", inner.execs-execs, inner.closes-closes)
		}
	})
}
