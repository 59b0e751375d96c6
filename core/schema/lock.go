package schema

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// lease is how long a lock outlives a holder that died. A holder renews it
// every third of that. A statement of a schema change takes seconds.
const lease = 90 * time.Second

// lock is the right to change the schema of a keyspace. It is the row of
// schema_version under a name that no keyspace can have, with a time to live;
// curr_version holds the owner. Stock tools read only their keyspace's row.
type lock struct {
	admin    cql.Admin
	keyspace string
	owner    string
	cancel   context.CancelCauseFunc
	done     chan struct{}
}

func lockName(keyspace string) string { return keyspace + " (update in progress)" }

// acquire waits until the lock is free, polling, or ctx is done. waiting is
// called once if somebody else holds it. The context that it returns ends when
// the lock is lost.
func acquire(ctx context.Context, admin cql.Admin, keyspace string, waiting func(owner string)) (*lock, context.Context, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	l := &lock{admin: admin, keyspace: keyspace, owner: fmt.Sprintf("%s, process %d, %s", host, os.Getpid(), rand.Text()[:8]), done: make(chan struct{})}
	told := false
	var begin time.Time
	for {
		begin = time.Now()
		ok, err := admin.CAS(ctx, fmt.Sprintf(`INSERT INTO %s.schema_version (keyspace_name, curr_version) VALUES (?, ?) IF NOT EXISTS USING TTL %d`,
			quote(keyspace), int(lease.Seconds())), lockName(keyspace), l.owner)
		if err != nil {
			return nil, nil, fmt.Errorf("lock keyspace %q for the update: %w", keyspace, err)
		}
		if ok {
			break
		}
		if !told {
			told = true
			waiting(l.holder(ctx))
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("lock keyspace %q for the update: another update holds it (%s): %w", keyspace, l.holder(context.WithoutCancel(ctx)), context.Cause(ctx))
		case <-time.After(time.Second):
		}
	}
	held, cancel := context.WithCancelCause(ctx)
	l.cancel = cancel
	go l.renew(held, begin.Add(lease))
	return l, held, nil
}

// holder names who has the lock, for messages.
func (l *lock) holder(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	rows, err := l.admin.Query(ctx, `SELECT curr_version FROM `+quote(l.keyspace)+`.schema_version WHERE keyspace_name = ?`, lockName(l.keyspace))
	if err != nil || len(rows) == 0 {
		return "unknown"
	}
	return textOf(rows[0], "curr_version")
}

// renew extends the lease, which ends at expires, until ctx is done. A lease
// that cannot be extended ends ctx, a third of a lease before it runs out. The row is written by INSERT and renewed by UPDATE of its one
// column besides the key: the row marker expires with the first lease, the
// column carries the row on, and the condition tests the column.
func (l *lock) renew(ctx context.Context, expires time.Time) {
	defer close(l.done)
	tick := time.NewTicker(lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		begin := time.Now()
		request, cancel := context.WithTimeout(ctx, lease/4)
		ok, err := l.admin.CAS(request, fmt.Sprintf(`UPDATE %s.schema_version USING TTL %d SET curr_version = ? WHERE keyspace_name = ? IF curr_version = ?`,
			quote(l.keyspace), int(lease.Seconds())), l.owner, lockName(l.keyspace), l.owner)
		cancel()
		switch {
		case err == nil && ok:
			expires = begin.Add(lease)
		case err == nil:
			l.cancel(fmt.Errorf("the update's lock was taken over by another one (%s): run it again", l.holder(ctx)))
			return
		case !time.Now().Add(lease / 3).Before(expires):
			l.cancel(fmt.Errorf("the update's lock could not be renewed: %w", err))
			return
		}
	}
}

// release ends the lease. Should that not work, it ends by itself.
func (l *lock) release(ctx context.Context) {
	l.cancel(nil)
	<-l.done
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, _ = l.admin.CAS(ctx, `DELETE FROM `+quote(l.keyspace)+`.schema_version WHERE keyspace_name = ? IF curr_version = ?`, lockName(l.keyspace), l.owner) //nolint:dogsled // see above
}
