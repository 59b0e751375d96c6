package cassandra

import (
	"context"
	"fmt"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// admin implements cql.Admin: statements as they stand, schema changes waited
// for until the hosts agree.
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
	columns := iter.Columns()
	var all []cql.Row
	for {
		row, _, ok := scanRow(iter, columns)
		if !ok {
			break
		}
		all = append(all, row)
	}
	return all, convertError(iter.Close())
}

// CAS implements cql.Admin.
func (a *admin) CAS(ctx context.Context, text string, args ...any) (bool, error) {
	iter := a.g.Query(text, arguments(args)...).WithContext(ctx).NoSkipMetadata().Iter()
	res := cql.Result{Applied: true}
	err := casRows(iter, &res)
	if closeErr := iter.Close(); closeErr != nil {
		err = closeErr
	}
	return res.Applied && err == nil, convertError(err)
}

// Close implements cql.Admin.
func (a *admin) Close() error {
	a.g.Close()
	a.release()
	return nil
}
