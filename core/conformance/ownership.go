package conformance

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// Several owners of one shard: each has stores of its own, as two processes do
// of which one does not know yet that it has lost the shard.

func ownershipTests() []test {
	return []test{
		{"one of many takes a shard over", takeOver},
		{"a deposed owner changes nothing", deposed},
		{"many create one shard", createShardTogether},
		{"many create one workflow", createWorkflowTogether},
		{"a reply lost after the commit is recognised on the next attempt", lostReply},
		{"a bypassed current row that changes meanwhile", bypassRace},
	}
}

// takeOver: of many who take a shard over from the same range exactly one wins,
// and everybody else is told.
func takeOver(t *testing.T, db *database) {
	const owners = 6
	s := db.scene()
	all := make([]storetest.Stores, owners)
	for i := range all {
		all[i] = db.stores(t, nil)
	}
	s.Own(t, all[0].Shards)
	for round := range int64(5) {
		var (
			wg          sync.WaitGroup
			won, unsure atomic.Int64
			failed      sync.Map
		)
		for i, st := range all {
			wg.Go(func() {
				err := st.Shards.UpdateShard(t.Context(), &p.InternalUpdateShardRequest{
					ShardID: s.Shard, PreviousRangeID: s.Range, RangeID: s.Range + 1,
					ShardInfo: storetest.Blob("round %d, owner %d", round, i),
				})
				switch any(err).(type) {
				case nil:
					won.Add(1)
				case *p.ShardOwnershipLostError:
				case *p.TimeoutError:
					unsure.Add(1) // contention: the database may say no more than that
				default:
					failed.Store(i, err)
				}
			})
		}
		wg.Wait()
		failed.Range(func(i, err any) bool {
			t.Errorf("owner %v: %T %v", i, err, err)
			return true
		})
		require.LessOrEqual(t, won.Load(), int64(1))
		if unsure.Load() == 0 {
			require.Equal(t, int64(1), won.Load())
		}
		// Whoever won, by now the range has moved or nobody did anything.
		if all[0].Shards.AssertShardOwnership(t.Context(), &p.AssertShardOwnershipRequest{ShardID: s.Shard, RangeID: s.Range + 1}) == nil {
			s.Range++
		} else {
			require.Zero(t, won.Load())
		}
	}
}

// deposed: an owner writes without pause while another takes its shard. All that
// it was told to have written before is there, nothing after the takeover is, and
// what it was refused never shows.
func deposed(t *testing.T, db *database) {
	const writers = 4
	s := db.scene()
	old, next := db.stores(t, nil), db.stores(t, nil)
	s.Own(t, old.Shards)

	var (
		wg, warm  sync.WaitGroup // warm: every writer has got on
		mu        sync.Mutex
		confirmed = map[int64]bool{} // first task ID of a write -> acknowledged
		taken     atomic.Bool
	)
	warm.Add(writers)
	for writer := range int64(writers) {
		wg.Go(func() {
			for i := int64(0); ; i++ {
				first := 10_000*(writer+1) + 10*i
				after := taken.Load() // before the write begins
				if i == 5 {
					warm.Done()
				}
				err := old.Executions.AddHistoryTasks(t.Context(), s.AddTasks(first))
				mu.Lock()
				switch any(err).(type) {
				case nil:
					confirmed[first] = true
					if after {
						t.Errorf("a write that began after the takeover was taken")
					}
				case *p.ShardOwnershipLostError:
					confirmed[first] = false
				case *p.TimeoutError:
				default:
					t.Errorf("%T: %v", err, err)
				}
				mu.Unlock()
				if _, lost := any(err).(*p.ShardOwnershipLostError); lost || i > 900 {
					if i < 5 {
						warm.Done()
					}
					return
				}
			}
		})
	}
	warm.Wait()
	for {
		err := next.Shards.UpdateShard(t.Context(), s.Renew())
		if err == nil {
			break
		}
		if _, unsure := any(err).(*p.TimeoutError); !unsure {
			require.NoError(t, err)
		}
		held := next.Shards.AssertShardOwnership(t.Context(), &p.AssertShardOwnershipRequest{ShardID: s.Shard, RangeID: s.Range + 1})
		if held == nil {
			break
		}
	}
	taken.Store(true)
	wg.Wait()

	stored := map[int64]bool{}
	page, err := next.Executions.GetHistoryTasks(t.Context(), &p.GetHistoryTasksRequest{
		ShardID: s.Shard, TaskCategory: tasks.CategoryTransfer, BatchSize: 100_000,
		InclusiveMinTaskKey: tasks.NewImmediateKey(0), ExclusiveMaxTaskKey: tasks.NewImmediateKey(1_000_000),
	})
	require.NoError(t, err)
	for _, task := range page.Tasks {
		stored[task.Key.TaskID] = true
	}
	yes := 0
	for first, ok := range confirmed {
		require.Equal(t, ok, stored[first], "write %d", first)
		require.Equal(t, ok, stored[first+1], "write %d is there in part", first)
		if ok {
			yes++
		}
	}
	require.Positive(t, yes)
	require.NoError(t, next.Executions.AddHistoryTasks(t.Context(), func() *p.InternalAddHistoryTasksRequest {
		request := s.AddTasks(5)
		request.RangeID = s.Range + 1
		return request
	}()))
}

// createShardTogether: all get the same shard.
func createShardTogether(t *testing.T, db *database) {
	const owners = 6
	s := db.scene()
	infos := make([]string, owners)
	var wg sync.WaitGroup
	for i := range owners {
		st := db.stores(t, nil)
		wg.Go(func() {
			for {
				response, err := st.Shards.GetOrCreateShard(t.Context(), &p.InternalGetOrCreateShardRequest{
					ShardID: s.Shard, CreateShardInfo: storetest.ShardInfo(int64(i + 1)),
				})
				if _, unsure := any(err).(*p.TimeoutError); unsure {
					continue
				}
				if err != nil {
					infos[i] = err.Error()
				} else {
					infos[i] = string(response.ShardInfo.Data)
				}
				return
			}
		})
	}
	wg.Wait()
	for _, info := range infos {
		require.Equal(t, infos[0], info)
	}
	require.True(t, strings.HasPrefix(infos[0], "shard, range"))
}

// createWorkflowTogether: of many starts of one workflow by one owner exactly one
// succeeds, and all others are told by whom.
func createWorkflowTogether(t *testing.T, db *database) {
	st, s := db.owned(t)
	results := make([]error, 6)
	runs := make([]string, len(results))
	var wg sync.WaitGroup
	for i := range results {
		other := storetest.Fresh(s.Shard, s.Whole)
		other.Namespace, other.Workflow = s.Namespace, s.Workflow
		runs[i] = other.Runs[0]
		wg.Go(func() {
			_, results[i] = st.Executions.CreateWorkflowExecution(t.Context(), other.Create(p.CreateWorkflowModeBrandNew, other.Runs[0]))
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range results {
		if err == nil {
			require.Equal(t, -1, winner, "two winners")
			winner = i
		}
	}
	require.NotEqual(t, -1, winner, "%v", results)
	for i, err := range results {
		if i == winner {
			continue
		}
		conflict := storetest.Bare[*p.CurrentWorkflowConditionFailedError](t, err)
		require.Equal(t, runs[winner], conflict.RunID)
		require.Contains(t, conflict.RequestIDs, "req-"+runs[winner])
	}
}

// lostReply: the server takes a timeout for an unknown outcome, takes the shard
// anew, and tries again: it must recognise its own first attempt.
func lostReply(t *testing.T, db *database) {
	s, session := db.scene(), &faulty{}
	st := db.stores(t, func(inner cql.Session) cql.Session {
		session.Session = inner
		return session
	})
	s.Own(t, st.Shards)
	request := s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0])
	request.NewWorkflowNewEvents = nil // one request
	session.arm(1, after, &cql.Error{Reach: cql.Sent, Message: "connection closed", Err: fmt.Errorf("EOF")})
	_, err := st.Executions.CreateWorkflowExecution(t.Context(), request)
	session.disarm()
	if db.sequenced() {
		require.NoError(t, err, "a barrier tells that it took effect")
	} else {
		_ = storetest.Bare[*p.TimeoutError](t, err)
	}

	require.NoError(t, st.Shards.UpdateShard(t.Context(), s.Renew()))
	request.RangeID++
	_, err = st.Executions.CreateWorkflowExecution(t.Context(), request)
	conflict := storetest.Bare[*p.CurrentWorkflowConditionFailedError](t, err)
	require.Equal(t, s.Runs[0], conflict.RunID)
	require.Contains(t, conflict.RequestIDs, "req-"+s.Runs[0])
}

// bypassRace: the current row changes between the read and the write of a call
// that may not be of the current run.
func bypassRace(t *testing.T, db *database) {
	tests := []struct {
		name   string
		before func(ctx context.Context, st storetest.Stores, s storetest.Scene) error // the scene
		change func(ctx context.Context, st storetest.Stores, s storetest.Scene) error // meanwhile
		want   error
	}{
		{"another run becomes the first current one", nil, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.CreateWorkflowExecution(ctx, s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0]))
			return err
		}, nil},
		{"the current run continues as another", func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.CreateWorkflowExecution(ctx, s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0]))
			return err
		}, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.UpdateWorkflowExecution(ctx, s.ContinueAsNew(s.Runs[0], s.Runs[2]))
		}, nil},
		{"the current run goes away", func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.CreateWorkflowExecution(ctx, s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0]))
			return err
		}, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.DeleteCurrentWorkflowExecution(ctx, s.DeleteCurrent(s.Runs[0]))
		}, nil},
		{"the run itself becomes current", func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.CreateWorkflowExecution(ctx, s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0]))
			return err
		}, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			request := s.Resolve(p.ConflictResolveWorkflowModeUpdateCurrent, s.Runs[1])
			request.CurrentWorkflowMutation = s.Mutation(s.Runs[0], 2)
			request.ResetWorkflowSnapshot.Tasks, request.CurrentWorkflowMutation.Tasks = nil, nil
			return st.Executions.ConflictResolveWorkflowExecution(ctx, request)
		}, &p.CurrentWorkflowConditionFailedError{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, session := db.scene(), &faulty{}
			st := db.stores(t, func(inner cql.Session) cql.Session {
				session.Session = inner
				return session
			})
			s.Own(t, st.Shards)
			_, err := st.Executions.CreateWorkflowExecution(t.Context(), s.Create(p.CreateWorkflowModeBypassCurrent, s.Runs[1]))
			require.NoError(t, err)
			if tt.before != nil {
				require.NoError(t, tt.before(t.Context(), st, s))
			}
			request := s.Update(p.UpdateWorkflowModeBypassCurrent, s.Runs[1])
			// The first request reads the current row, the write comes after it.
			session.hookAfter(1, func() { require.NoError(t, tt.change(t.Context(), st, s)) })
			err = st.Executions.UpdateWorkflowExecution(t.Context(), request)
			session.disarm()
			requireSame(t, tt.want, err)
		})
	}
}
