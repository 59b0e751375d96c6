package arm

import (
	"context"
	"errors"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// compacted asks Cassandra (4.0 and later) how many tasks its executor of compactions
// has ended, those of all keyspaces.
const compacted = `SELECT completed_tasks FROM system_views.thread_pools WHERE name = 'CompactionExecutor'`

var errNotTold = errors.New("the database does not tell how many compactions it has ended")

// Compactions opens a way to count the compactions that the database has ended so far:
// count is nil where nobody tells, as with SQL databases. An engine that is part of
// another process is counted by that one alone. The caller calls done.
func (d *Database) Compactions(ctx context.Context) (count func(context.Context) (int64, error), done func()) {
	none := func() {}
	switch d.arm.kind {
	case inProcess:
		o, ok := d.loaded.Chosen.Opener.(interface {
			Compactions() (n int64, open bool)
		})
		if !ok {
			return nil, none
		}
		count = func(context.Context) (int64, error) {
			n, open := o.Compactions()
			if !open {
				return 0, errNotTold
			}
			return n, nil
		}
		return count, none
	case remote, cassandra:
		opener, err := d.opener()
		if err != nil {
			return nil, none
		}
		admin, err := opener.OpenAdmin(ctx, env())
		if err != nil {
			return nil, none
		}
		done = func() { _ = admin.Close() } // it was used for reading alone
		if _, err := ended(ctx, admin); err != nil {
			done()
			return nil, none
		}
		return func(ctx context.Context) (int64, error) { return ended(ctx, admin) }, done
	default:
		return nil, none
	}
}

func ended(ctx context.Context, admin cql.Admin) (int64, error) {
	rows, err := admin.Query(ctx, compacted)
	if err != nil {
		return 0, fmt.Errorf("count compactions: %w", err)
	}
	switch n := first(rows)["completed_tasks"].(type) {
	case int64:
		return n, nil
	case int:
		return int64(n), nil
	default:
		return 0, errNotTold
	}
}
