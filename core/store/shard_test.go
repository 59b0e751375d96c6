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
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

func TestPlansOfShardCalls(t *testing.T) {
	r := newRecorder(cql.Traits{})
	s := newShards(t, r)
	for _, create := range []bool{true, false} {
		request := &p.InternalGetOrCreateShardRequest{ShardID: split.Shard}
		if create {
			request.CreateShardInfo = storetest.ShardInfo(split.Range)
		}
		response, err := s.GetOrCreateShard(t.Context(), request)
		require.NoError(t, err)
		require.Equal(t, blob("shard, range %d", split.Range), response.ShardInfo)
	}
	require.NoError(t, s.UpdateShard(t.Context(), &p.InternalUpdateShardRequest{
		ShardID: split.Shard, PreviousRangeID: split.Range, RangeID: split.Range + 1, ShardInfo: blob("next"),
	}))
	require.NoError(t, s.AssertShardOwnership(t.Context(), &p.AssertShardOwnershipRequest{ShardID: split.Shard, RangeID: split.Range + 1}))
	r.golden(t, "shards/calls")
}

func TestGetOrCreateShardWithoutInfoReportsAMissingShard(t *testing.T) {
	s := newShards(t, newRecorder(cql.Traits{}))
	_, err := s.GetOrCreateShard(t.Context(), &p.InternalGetOrCreateShardRequest{ShardID: split.Shard})
	requireBare(t, &serviceerror.NotFound{}, err)
}

func TestGetOrCreateShardReturnsTheErrorOfWhoMakesTheInfo(t *testing.T) {
	mine := errors.New("no info")
	s := newShards(t, newRecorder(cql.Traits{}))
	_, err := s.GetOrCreateShard(t.Context(), &p.InternalGetOrCreateShardRequest{
		ShardID:         split.Shard,
		CreateShardInfo: func() (int64, *commonpb.DataBlob, error) { return 0, nil, mine },
	})
	require.Same(t, mine, err)
}

func TestGetOrCreateShardThatLosesTheRaceReturnsTheWinner(t *testing.T) {
	r := newRecorder(cql.Traits{})
	s := newShards(t, r)
	request := &p.InternalGetOrCreateShardRequest{
		ShardID: split.Shard,
		CreateShardInfo: func() (int64, *commonpb.DataBlob, error) {
			ownShard(t, r) // somebody else comes first
			return 99, blob("late"), nil
		},
	}
	response, err := s.GetOrCreateShard(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, blob("shard, range %d", split.Range), response.ShardInfo)
	require.NotNil(t, request.CreateShardInfo, "the caller's request is not ours to change")
}

func TestLostLease(t *testing.T) {
	storetest.LostLease(t, openStores)
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
		request := &p.InternalUpdateShardRequest{ShardID: split.Shard, ShardInfo: blob("x")}
		go func() { _ = s.UpdateShard(t.Context(), request) }()
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		requireBare(t, &p.AppendHistoryTimeoutError{}, s.UpdateShard(ctx, request))

		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		requireBare(t, &p.AppendHistoryTimeoutError{}, s.UpdateShard(canceled, request))

		require.Len(t, b.started, 1, "only the first was sent")
		close(b.release)
		synctest.Wait()
		require.NoError(t, s.UpdateShard(t.Context(), request), "the turn is free again")
	})
}
