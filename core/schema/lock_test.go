package schema

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/lease"
)

// lockTable is the row that locks are: owner, and until when. Its clock is that
// of the test's bubble.
type lockTable struct {
	sync.Mutex
	owner  string
	until  time.Time
	broken error // what every request gives, if not nil
}

func (l *lockTable) Exec(context.Context, string, ...any) error { return nil }
func (l *lockTable) Close() error                               { return nil }

func (l *lockTable) Query(context.Context, string, ...any) ([]cql.Row, error) {
	l.Lock()
	defer l.Unlock()
	if l.ended() {
		return nil, l.broken
	}
	return []cql.Row{{"curr_version": l.owner}}, l.broken
}

func (l *lockTable) free() bool {
	l.Lock()
	defer l.Unlock()
	return l.ended()
}

// ended is free for those who hold the mutex.
func (l *lockTable) ended() bool { return l.owner == "" || time.Now().After(l.until) }

func (l *lockTable) CAS(_ context.Context, text string, args ...any) (bool, error) {
	l.Lock()
	defer l.Unlock()
	owner := args[1].(string)
	switch {
	case l.broken != nil:
		return false, l.broken
	case strings.HasPrefix(text, "INSERT"):
		if !l.ended() {
			return false, nil
		}
		l.owner, l.until = owner, time.Now().Add(lockTime)
	case strings.HasPrefix(text, "UPDATE"):
		owner = args[2].(string)
		if l.ended() || l.owner != owner {
			return false, nil
		}
		l.until = time.Now().Add(lockTime)
	case strings.HasPrefix(text, "DELETE"):
		if l.ended() || l.owner != owner {
			return false, nil
		}
		l.owner = ""
	}
	return true, nil
}

func mustAcquire(t *testing.T, admin cql.Admin) (*lease.Held, context.Context) {
	t.Helper()
	l, held, err := acquire(t.Context(), admin, "k", func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return l, held
}

func TestLockIsKeptWhileItsHolderLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &lockTable{}
		l, held := mustAcquire(t, table)
		time.Sleep(10 * lockTime) // of the bubble's clock
		if held.Err() != nil || table.free() {
			t.Fatalf("after ten leases: %v, free %v", context.Cause(held), table.free())
		}
		l.Release(t.Context())
		if !table.free() || held.Err() == nil {
			t.Fatal("release does not give the lock back")
		}
	})
}

func TestLockPassesOnWhenItsHolderDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &lockTable{owner: "somebody who died", until: time.Now().Add(lockTime)}
		var waitedFor []string
		begin := time.Now()
		l, _, err := acquire(t.Context(), table, "k", func(owner string) { waitedFor = append(waitedFor, owner) })
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(begin); waited < lockTime || waited > lockTime+2*time.Second {
			t.Errorf("waited %v", waited)
		}
		if len(waitedFor) != 1 || waitedFor[0] != "somebody who died" {
			t.Errorf("told %q", waitedFor)
		}
		l.Release(t.Context())
	})
}

func TestLostLockEndsTheWork(t *testing.T) {
	tests := []struct {
		name string
		give func(*lockTable)
		want string
	}{
		{"somebody took it over", func(l *lockTable) { l.owner, l.until = "another", time.Now().Add(lockTime) }, "the update's lock was taken over by another one (another): run it again"},
		{"the database is away for long", func(l *lockTable) { l.broken = errors.New("no answer") }, "the update's lock could not be renewed: no answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := &lockTable{}
				begin := time.Now()
				l, held := mustAcquire(t, table)
				table.Lock()
				tt.give(table)
				table.Unlock()
				<-held.Done()
				if got := context.Cause(held); got == nil || got.Error() != tt.want {
					t.Errorf("cause = %v, want %s", got, tt.want)
				}
				if since := time.Since(begin); since >= lockTime {
					t.Errorf("the work went on for %v, when another may hold the lock", since)
				}
				l.Release(t.Context())
			})
		})
	}
}

func TestWaitingForALockEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &lockTable{owner: "busy", until: time.Now().Add(time.Hour)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, _, err := acquire(ctx, table, "k", func(string) {})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another update holds it (busy)") {
			t.Fatalf("acquire() = %v", err)
		}
	})
}
