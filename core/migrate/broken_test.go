package migrate_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/migrate"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// answer answers a request in the database's place, which next asks.
type answer func(s *cql.Step, next func() (cql.Result, error)) (cql.Result, error)

// strange is a deployment of which a test answers requests.
type strange struct {
	backend.InProcess
	answer answer
}

func answered(d migrate.Deployment, by answer) migrate.Deployment {
	d.Opener = strange{d.Opener.(backend.InProcess), by}
	return d
}

func (s strange) Open(ctx context.Context, env backend.Env) (*backend.Connection, error) {
	c, err := s.InProcess.Open(ctx, env)
	if err == nil {
		c.Session = strangeSession{c.Session, s}
	}
	return c, err
}

// Directory tells deployments apart.
func (s strange) Directory() string {
	return s.InProcess.(interface{ Directory() string }).Directory()
}

type strangeSession struct {
	cql.Session
	of strange
}

func (s strangeSession) Exec(ctx context.Context, step *cql.Step) (cql.Result, error) {
	return s.of.answer(step, func() (cql.Result, error) { return s.Session.Exec(ctx, step) })
}

// leasesOf are the ranges of shards, which are not compared otherwise.
func leasesOf(all map[string]records.Record) map[string]int64 {
	ranges := map[string]int64{}
	for name, r := range all {
		if r.Kind == records.Shard {
			ranges[name] = r.Int(plan.ShardRangeID)
		}
	}
	return ranges
}

// A fence that was broken off may be on some shards and queues already: a rollback
// takes it off all the same.
func TestAFenceThatWasBrokenOffIsTakenOff(t *testing.T) {
	for _, dialect := range []string{"cassandra", "ycql"} {
		for _, of := range []struct {
			name string
			good int32 // requests
		}{{"shards", 2}, {"queues", 5}} {
			t.Run(dialect+", of "+of.name, func(t *testing.T) {
				a, b := directory(t, dialect, t.TempDir()), directory(t, "ycql", t.TempDir())
				fill(t, a, small(t))
				before := contents(t, a)
				state := t.TempDir()
				var asked atomic.Int32
				var good sync.WaitGroup // an error cancels what is under way: it waits for those that are to succeed
				good.Add(int(of.good))
				breaking := answered(a, func(s *cql.Step, next func() (cql.Result, error)) (cql.Result, error) {
					if !strings.Contains(s.Calls[0].Text, "SET range_id = ?") {
						return next()
					}
					if asked.Add(1) <= of.good {
						defer good.Done()
						return next()
					}
					good.Wait()
					return cql.Result{}, &cql.Error{Reach: cql.Replied, Message: "broken on purpose"}
				})
				err := do(t, breaking, b, state, "init", func(o *migrate.Options) { o.Fence = true })
				require.ErrorContains(t, err, "broken on purpose")
				require.NotEqual(t, leasesOf(before), leasesOf(contents(t, a)), "nothing was fenced: the test shows nothing")
				require.NoError(t, do(t, a, b, state, "rollback", nil))
				after := contents(t, a)
				require.Equal(t, leasesOf(before), leasesOf(after))
				equal(t, before, after)
			})
		}
	}
}

// What was copied back and is not the same is copied again by the next rollback.
func TestARollbackThatFindsDifferencesCopiesAgain(t *testing.T) {
	a, b := directory(t, "cassandra", t.TempDir()), directory(t, "ycql", t.TempDir())
	fill(t, a, small(t))
	before := contents(t, a)
	state := t.TempDir()
	must(t, a, b, state, "init", "copy", "verify", "switch")
	k := open(t, a)
	for _, r := range before {
		if r.Kind == records.Node {
			require.NoError(t, k.writer.Delete(t.Context(), []records.Ref{r.Ref()}))
			break
		}
	}
	k.close()
	var lost atomic.Int32
	losing := answered(a, func(s *cql.Step, next func() (cql.Result, error)) (cql.Result, error) {
		if !strings.HasPrefix(s.Calls[0].Text, "INSERT INTO history_node") {
			return next()
		}
		lost.Add(1)
		return cql.Result{Applied: true}, nil
	})
	require.ErrorContains(t, do(t, losing, b, state, "rollback", nil), "verify what was copied back")
	require.Positive(t, lost.Load(), "nothing was lost: the test shows nothing")
	require.NoError(t, do(t, a, b, state, "rollback", nil))
	equal(t, before, contents(t, a))
}
