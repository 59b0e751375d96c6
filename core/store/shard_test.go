package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

func shardInfo(rangeID int64) func() (int64, *commonpb.DataBlob, error) {
	return func() (int64, *commonpb.DataBlob, error) { return rangeID, blob("shard, range %d", rangeID), nil }
}

func TestPlansOfShardCalls(t *testing.T) {
	r := newRecorder(cql.Traits{})
	s := newShards(t, r)
	for _, create := range []bool{true, false} {
		request := &p.InternalGetOrCreateShardRequest{ShardID: testShard}
		if create {
			request.CreateShardInfo = shardInfo(testRange)
		}
		response, err := s.GetOrCreateShard(t.Context(), request)
		require.NoError(t, err)
		require.Equal(t, blob("shard, range %d", testRange), response.ShardInfo)
	}
	require.NoError(t, s.UpdateShard(t.Context(), &p.InternalUpdateShardRequest{
		ShardID: testShard, PreviousRangeID: testRange, RangeID: testRange + 1, ShardInfo: blob("next"),
	}))
	require.NoError(t, s.AssertShardOwnership(t.Context(), &p.AssertShardOwnershipRequest{ShardID: testShard, RangeID: testRange + 1}))
	r.golden(t, "shards/calls")
}

func TestGetOrCreateShardWithoutInfoReportsAMissingShard(t *testing.T) {
	s := newShards(t, newRecorder(cql.Traits{}))
	_, err := s.GetOrCreateShard(t.Context(), &p.InternalGetOrCreateShardRequest{ShardID: testShard})
	require.IsType(t, &serviceerror.NotFound{}, err)
}

func TestGetOrCreateShardReturnsTheErrorOfWhoMakesTheInfo(t *testing.T) {
	mine := errors.New("no info")
	s := newShards(t, newRecorder(cql.Traits{}))
	_, err := s.GetOrCreateShard(t.Context(), &p.InternalGetOrCreateShardRequest{
		ShardID:         testShard,
		CreateShardInfo: func() (int64, *commonpb.DataBlob, error) { return 0, nil, mine },
	})
	require.Same(t, mine, err)
}

func TestGetOrCreateShardThatLosesTheRaceReturnsTheWinner(t *testing.T) {
	r := newRecorder(cql.Traits{})
	s := newShards(t, r)
	request := &p.InternalGetOrCreateShardRequest{
		ShardID: testShard,
		CreateShardInfo: func() (int64, *commonpb.DataBlob, error) {
			ownShard(t, r) // somebody else comes first
			return 99, blob("late"), nil
		},
	}
	response, err := s.GetOrCreateShard(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, blob("shard, range %d", testRange), response.ShardInfo)
	require.NotNil(t, request.CreateShardInfo, "the caller's request is not ours to change")
}

func TestALostLeaseIsReportedByEveryWriteOfTheShard(t *testing.T) {
	for _, missing := range []bool{false, true} {
		r := newRecorder(splitNodes)
		if !missing {
			ownShard(t, r)
			require.NoError(t, newShards(t, r).UpdateShard(t.Context(), &p.InternalUpdateShardRequest{
				ShardID: testShard, PreviousRangeID: testRange, RangeID: testRange + 1, ShardInfo: blob("new owner"),
			}))
		}
		before := r.State.Dump()
		shards, executions := newShards(t, r), newExecutions(t, r)
		calls := map[string]func() error{
			"UpdateShard": func() error {
				return shards.UpdateShard(t.Context(), &p.InternalUpdateShardRequest{ShardID: testShard, PreviousRangeID: testRange, RangeID: testRange + 1})
			},
			"AssertShardOwnership": func() error {
				return shards.AssertShardOwnership(t.Context(), &p.AssertShardOwnershipRequest{ShardID: testShard, RangeID: testRange})
			},
			"AddHistoryTasks": func() error {
				return executions.AddHistoryTasks(t.Context(), &p.InternalAddHistoryTasksRequest{ShardID: testShard, RangeID: testRange, Tasks: testTasks(1)})
			},
			"Create": func() error {
				request := testCreate(p.CreateWorkflowModeBrandNew, false)
				request.NewWorkflowNewEvents = nil
				_, err := executions.CreateWorkflowExecution(t.Context(), request)
				return err
			},
			"Update": func() error {
				request := updateRequest(p.UpdateWorkflowModeUpdateCurrent, testRun, false)
				request.UpdateWorkflowNewEvents = nil
				return executions.UpdateWorkflowExecution(t.Context(), request)
			},
			"Set": func() error {
				return executions.SetWorkflowExecution(t.Context(), &p.InternalSetWorkflowExecutionRequest{
					ShardID: testShard, RangeID: testRange, SetWorkflowSnapshot: *testSnapshot(testRun, 2, false),
				})
			},
		}
		for name, call := range calls {
			t.Run(name, func(t *testing.T) {
				lost, ok := call().(*p.ShardOwnershipLostError)
				require.True(t, ok)
				require.Equal(t, testShard, lost.ShardID)
				require.NotEmpty(t, lost.Msg)
			})
		}
		require.Equal(t, before, r.State.Dump(), "a deposed owner changes nothing")
	}
}

// blocking is an Executor whose writes wait until they are let go.
type blocking struct {
	exec.Executor
	started chan string
	release chan struct{}
}

func (b *blocking) Write(_ context.Context, w *plan.Write) error {
	b.started <- w.Name
	<-b.release
	return nil
}

func TestSerialiseLetsOneWriteOfAShardGoAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &blocking{Executor: newRecorder(cql.Traits{}), started: make(chan string, 10), release: make(chan struct{})}
		ex := Serialise(b)
		write := func(name string, shard int64) {
			w := &plan.Write{Name: name, Owner: &plan.Owner{Shard: shard}}
			if shard == 0 {
				w.Owner = nil
			}
			require.NoError(t, ex.Write(t.Context(), w))
		}
		go write("first", 1)
		synctest.Wait()
		go write("second of the shard", 1)
		synctest.Wait()
		require.Equal(t, "first", <-b.started)
		require.Empty(t, b.started, "the second must wait")

		go write("other shard", 2)
		go write("nobody's", 0)
		synctest.Wait()
		require.Len(t, b.started, 2, "others must not wait")
		<-b.started
		<-b.started

		b.release <- struct{}{} // one of the three ends; release all of them
		b.release <- struct{}{}
		b.release <- struct{}{}
		synctest.Wait()
		require.Equal(t, "second of the shard", <-b.started)
		b.release <- struct{}{}
		synctest.Wait()
	})
}

func TestAWriteThatGivesUpWaitingForItsTurnWasCertainlyNotApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &blocking{Executor: newRecorder(cql.Traits{}), started: make(chan string, 10), release: make(chan struct{})}
		s := newShards(t, Serialise(b))
		request := &p.InternalUpdateShardRequest{ShardID: testShard, ShardInfo: blob("x")}
		go func() { _ = s.UpdateShard(t.Context(), request) }()
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.IsType(t, &p.AppendHistoryTimeoutError{}, s.UpdateShard(ctx, request))

		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		require.IsType(t, &p.AppendHistoryTimeoutError{}, s.UpdateShard(canceled, request))

		require.Len(t, b.started, 1, "only the first was sent")
		close(b.release)
		synctest.Wait()
		require.NoError(t, s.UpdateShard(t.Context(), request), "the turn is free again")
	})
}
