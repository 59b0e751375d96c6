package lease_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/lease"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// rows are where a lease is tested: a table with two key columns and one with one,
// as its users have, on every server that must keep it.
func rows() map[string]func(*testing.T) *lease.Row {
	engine := func(dialect string) func(*testing.T) *lease.Row {
		return func(t *testing.T) *lease.Row {
			o, err := embedded.New().ParseOptions(map[string]any{"ephemeral": true, "dialect": dialect})
			require.NoError(t, err)
			release, err := o.(backend.InProcess).Hold(env)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, release()) })
			admin := open(t, o)
			if dialect == "ycql" {
				require.NoError(t, admin.Exec(t.Context(), `CREATE KEYSPACE leases`))
			} else {
				require.NoError(t, admin.Exec(t.Context(), `CREATE KEYSPACE leases WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`))
			}
			require.NoError(t, admin.Exec(t.Context(), `CREATE TABLE leases.rights (run text, item text, value text, PRIMARY KEY (run, item))`))
			return &lease.Row{Admin: admin, Table: "leases.rights", Key: []string{"run", "item"}, Values: []any{"r", "lease"}, Column: "value"}
		}
	}
	return map[string]func(*testing.T) *lease.Row{
		"the engine's ycql":      engine("ycql"),
		"the engine's cassandra": engine("cassandra"),
		"Apache Cassandra": func(t *testing.T) *lease.Row {
			n := cassandratest.Start(t)
			keyspace := n.Keyspace(t)
			o, err := cassandra.New().ParseOptions(map[string]any{"hosts": n.Addr(), "keyspace": keyspace})
			require.NoError(t, err)
			admin := open(t, o)
			require.NoError(t, admin.Exec(t.Context(), `CREATE TABLE `+keyspace+`.rights (name text PRIMARY KEY, owner text)`))
			return &lease.Row{Admin: admin, Table: keyspace + ".rights", Key: []string{"name"}, Values: []any{"lease"}, Column: "owner"}
		},
	}
}

func lost(err error) error { return fmt.Errorf("lost: %w", err) }

var env = backend.Env{Logger: slog.New(slog.DiscardHandler)}

func open(t *testing.T, o backend.Opener) cql.Admin {
	t.Helper()
	admin, err := o.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	return admin
}

// A lease is one owner's, as long as that lives, and nobody else ends it.
func TestOneHasIt(t *testing.T) {
	for name, row := range rows() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, ctx := row(t), t.Context()
			r.Time = time.Hour
			who := func(want string) {
				t.Helper()
				owner, err := r.Owner(ctx)
				require.NoError(t, err)
				require.Equal(t, want, owner)
			}
			does := func(want bool) func(bool, error) {
				t.Helper()
				return func(got bool, err error) {
					t.Helper()
					require.NoError(t, err)
					require.Equal(t, want, got)
				}
			}
			who("")
			does(true)(r.Take(ctx, "a"))
			does(false)(r.Take(ctx, "b"))
			does(false)(r.Replace(ctx, "b", "b"))
			who("a")
			does(true)(r.Replace(ctx, "a", "b"))
			who("b")

			// One that lost it ends its own work, and not the other's lease.
			held, working := r.Keep(ctx, "a", time.Now(), lost)
			held.Release(ctx)
			require.ErrorIs(t, working.Err(), context.Canceled)
			who("b")

			held, _ = r.Keep(ctx, "b", time.Now(), lost)
			held.Release(ctx)
			who("")
			does(true)(r.Take(ctx, "c"))
		})
	}
}

// noting is an Admin that notes when the last request began by which a has the lease.
type noting struct {
	cql.Admin
	had atomic.Pointer[time.Time]
}

func (n *noting) CAS(ctx context.Context, text string, args ...any) (bool, error) {
	begin := time.Now()
	ok, err := n.Admin.CAS(ctx, text, args...)
	if ok && slices.Contains(args, any("a")) {
		n.had.Store(&begin)
	}
	return ok, err
}

// What was inserted expires after its time, and what is renewed does not: it is the
// server that must see to both. On a machine that is too busy to renew a short lease
// in time, a longer one is tried.
func TestItEndsWithItsHolder(t *testing.T) {
	for name, row := range rows() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := row(t)
			for r.Time = 3 * time.Second; !endsWithItsHolder(t, *r); r.Time *= 2 {
				require.Less(t, r.Time, time.Minute, "no lease is renewed in time")
			}
		})
	}
}

// endsWithItsHolder returns false if the lease could not be renewed in time.
func endsWithItsHolder(t *testing.T, r lease.Row) bool {
	t.Helper()
	ctx, admin := t.Context(), &noting{Admin: r.Admin}
	r.Admin, r.Values = admin, slices.Clone(r.Values)
	r.Values[len(r.Values)-1] = "lease of " + r.Time.String()
	begin := time.Now()
	ok, err := r.Take(ctx, "a")
	require.NoError(t, err)
	require.True(t, ok)
	living, die := context.WithCancel(ctx)
	defer die()
	_, working := r.Keep(living, "a", begin, lost)
	for time.Since(begin) < 2*r.Time {
		ok, err := r.Take(ctx, "b")
		require.NoError(t, err)
		// Apache Cassandra counts lives in whole seconds: one lasts up to a second less.
		cause := context.Cause(working)
		since := time.Since(*admin.had.Load())
		if ok && since > r.Time-time.Second || cause != nil && since > r.Time/2 {
			t.Logf("a lease of %s was not renewed for %s: %v", r.Time, since, cause)
			return false
		}
		require.False(t, ok, "a lease that was renewed %s ago was taken over after %s", since, time.Since(begin))
		require.NoError(t, cause, "after %s", time.Since(begin))
	}

	die() // it renews the lease no more, and does not release it
	died := time.Now()
	for {
		ok, err := r.Take(ctx, "b")
		require.NoError(t, err)
		if ok {
			return true
		}
		require.Less(t, time.Since(died), r.Time+time.Minute, "the lease outlives its holder")
	}
}
