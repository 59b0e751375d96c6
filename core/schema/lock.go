package schema

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/lease"
)

// lockTime is how long a lock outlives a holder that died. A statement of a schema
// change takes seconds.
const lockTime = 90 * time.Second

// lockOf is the right to change the schema of a keyspace. It is the row of
// schema_version under a name that no keyspace can have, with a time to live;
// curr_version holds the owner. Stock tools read only their keyspace's row.
func lockOf(admin cql.Admin, keyspace string) *lease.Row {
	return &lease.Row{
		Admin: admin, Table: quote(keyspace) + ".schema_version", Key: []string{"keyspace_name"}, Values: []any{lockName(keyspace)},
		Column: "curr_version", Time: lockTime,
	}
}

func lockName(keyspace string) string { return keyspace + " (update in progress)" }

// acquire waits until the lock is free, polling, or ctx is done. waiting is
// called once if somebody else holds it. The context that it returns ends when
// the lock is lost.
func acquire(ctx context.Context, admin cql.Admin, keyspace string, waiting func(owner string)) (*lease.Held, context.Context, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	row, owner := lockOf(admin, keyspace), fmt.Sprintf("%s, process %d, %s", host, os.Getpid(), rand.Text()[:8])
	told := false
	for {
		begin := time.Now()
		ok, err := row.Take(ctx, owner)
		if err != nil {
			return nil, nil, fmt.Errorf("lock keyspace %q for the update: %w", keyspace, err)
		}
		if ok {
			l, held := row.Keep(ctx, owner, begin, func(err error) error {
				if err != nil {
					return fmt.Errorf("the update's lock could not be renewed: %w", err)
				}
				return fmt.Errorf("the update's lock was taken over by another one (%s): run it again", holder(context.WithoutCancel(ctx), row))
			})
			return l, held, nil
		}
		if !told {
			told = true
			waiting(holder(ctx, row))
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("lock keyspace %q for the update: another update holds it (%s): %w", keyspace, holder(context.WithoutCancel(ctx), row), context.Cause(ctx))
		case <-time.After(time.Second):
		}
	}
}

// holder names who has the lock, for messages.
func holder(ctx context.Context, row *lease.Row) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	owner, err := row.Owner(ctx)
	if err != nil || owner == "" {
		return "unknown"
	}
	return owner
}
