package yugabyte

import (
	"context"
	"fmt"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// admin implements cql.Admin: statements as they stand.
type admin struct {
	g       *gocql.Session
	release func()
}

// Exec implements cql.Admin.
func (a *admin) Exec(ctx context.Context, text string, args ...any) error {
	if err := a.g.Query(text, arguments(args)...).WithContext(ctx).Exec(); err != nil {
		return convertError(err)
	}
	if err := a.g.AwaitSchemaAgreement(ctx); err != nil {
		return fmt.Errorf("wait until all hosts have the new schema: %w", convertError(err))
	}
	return nil
}

// Query implements cql.Admin.
func (a *admin) Query(ctx context.Context, text string, args ...any) ([]cql.Row, error) {
	iter := a.g.Query(text, arguments(args)...).WithContext(ctx).Iter()
	var all []cql.Row
	for {
		s, ok := next(iter)
		if !ok {
			return all, convertError(iter.Close())
		}
		all = append(all, s.row)
	}
}

// CAS implements cql.Admin.
func (a *admin) CAS(ctx context.Context, text string, args ...any) (bool, error) {
	res := cql.Result{Applied: true}
	err := casRows(a.g.Query(text, arguments(args)...).WithContext(ctx).Iter(), &res)
	return res.Applied && err == nil, convertError(err)
}

// Close implements cql.Admin.
func (a *admin) Close() error {
	a.g.Close()
	a.release()
	return nil
}
