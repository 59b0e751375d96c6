package store

import (
	"context"
	"fmt"

	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

var (
	readShard = &plan.Read{
		Name: "GetShard", Table: plan.Shards, Eq: 1,
		Columns: []*plan.Column{plan.ShardInfo},
	}
	readLease = &plan.Read{
		Name: "AssertShardOwnership", Table: plan.Shards, Eq: 1,
		Columns: []*plan.Column{plan.ShardRangeID},
	}
)

// ShardStore implements persistence.ShardStore: the lease and the state of each
// shard, one row. It is safe for concurrent use.
type ShardStore struct {
	ex      exec.Executor
	name    string
	cluster string
}

var _ p.ShardStore = (*ShardStore)(nil)

// NewShardStore returns a store over ex, which it does not own. ex must come
// from [Serialise] or be a *sequence.Executor, and be shared with the execution
// store of the same factory.
// cluster is the name of the Temporal cluster.
func NewShardStore(ex exec.Executor, name, cluster string) (*ShardStore, error) {
	if err := ex.Compile(readShard, readLease); err != nil {
		return nil, err
	}
	return &ShardStore{ex: ex, name: name, cluster: cluster}, nil
}

// Close does nothing: the session belongs to the factory.
func (s *ShardStore) Close() {}

// GetName implements persistence.ShardStore.
func (s *ShardStore) GetName() string { return s.name }

// GetClusterName implements persistence.ShardStore.
func (s *ShardStore) GetClusterName() string { return s.cluster }

// GetOrCreateShard returns the shard's blob. If there is none it inserts what
// CreateShardInfo makes; whoever loses that race gets the winner's blob. Without
// CreateShardInfo a missing shard is a *serviceerror.NotFound.
func (s *ShardStore) GetOrCreateShard(
	ctx context.Context, request *p.InternalGetOrCreateShardRequest,
) (*p.InternalGetOrCreateShardResponse, error) {
	response, err := s.get(ctx, request.ShardID)
	if err != nil || response != nil {
		return response, err
	}
	if request.CreateShardInfo == nil {
		return nil, notFound("GetOrCreateShard", fmt.Sprintf("shard %d", request.ShardID))
	}
	rangeID, info, err := request.CreateShardInfo()
	if err != nil {
		return nil, err
	}
	err = s.ex.Write(ctx, &plan.Write{
		Name: "CreateShard", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.Shards, Op: plan.Insert, Key: shardKey(request.ShardID),
			Conds: []plan.Cond{{Test: plan.RowAbsent}},
			Effects: []plan.Effect{
				{Op: plan.Set, Column: plan.ShardRangeID, Value: rangeID},
				{Op: plan.Set, Column: plan.ShardInfo, Value: toBlob(info)},
			},
		}},
	})
	switch {
	case err == nil:
		return &p.InternalGetOrCreateShardResponse{ShardInfo: info}, nil
	case !exists(err):
		return nil, writeError(err, nil)
	}
	if response, err = s.get(ctx, request.ShardID); err == nil && response == nil {
		err = notFound("GetOrCreateShard", fmt.Sprintf("shard %d", request.ShardID))
	}
	return response, err
}

// get returns nil if there is no such shard.
func (s *ShardStore) get(ctx context.Context, shard int32) (*p.InternalGetOrCreateShardResponse, error) {
	row, found, err := exec.One(ctx, s.ex, readShard, int64(shard))
	switch {
	case err != nil:
		return nil, readError(err)
	case !found:
		return nil, nil
	case row.Null(0):
		return nil, malformed("GetOrCreateShard", fmt.Sprintf("shard %d", shard), "has no state")
	}
	return &p.InternalGetOrCreateShardResponse{ShardInfo: fromBlob(row.Blob(0))}, nil
}

// UpdateShard stores the shard's blob and its new range if the stored range is
// still PreviousRangeID, else it returns *persistence.ShardOwnershipLostError.
// It waits for the other writes of the shard: they test what it changes.
func (s *ShardStore) UpdateShard(ctx context.Context, request *p.InternalUpdateShardRequest) error {
	err := s.ex.Write(ctx, &plan.Write{
		Name: "UpdateShard", Scope: plan.Atomic,
		Owner: &plan.Owner{Shard: int64(request.ShardID), RangeID: request.PreviousRangeID},
		Mutations: []plan.Mutation{{
			Table: plan.Shards, Op: plan.Update, Key: shardKey(request.ShardID),
			Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: request.PreviousRangeID}},
			Effects: []plan.Effect{
				{Op: plan.Set, Column: plan.ShardRangeID, Value: request.RangeID},
				{Op: plan.Set, Column: plan.ShardInfo, Value: toBlob(request.ShardInfo)},
			},
		}},
	})
	return outward(err, owning, leaseLost)
}

// AssertShardOwnership reads the lease and returns
// *persistence.ShardOwnershipLostError if another range holds it. (The server's
// own stores answer without looking.) The read sees every takeover that was
// acknowledged before it began; one that is under way may still be missed, which
// is why every write of the shard asserts the lease by itself.
func (s *ShardStore) AssertShardOwnership(ctx context.Context, request *p.AssertShardOwnershipRequest) error {
	row, found, err := exec.One(ctx, s.ex, readLease, int64(request.ShardID))
	switch {
	case err != nil:
		return readError(err)
	case !found:
		return &p.ShardOwnershipLostError{
			ShardID: request.ShardID,
			Msg:     fmt.Sprintf("shard %d does not exist, expected range ID %d", request.ShardID, request.RangeID),
		}
	case row.Int(0) != request.RangeID:
		return &p.ShardOwnershipLostError{
			ShardID: request.ShardID,
			Msg:     fmt.Sprintf("shard %d has range ID %d, expected %d", request.ShardID, row.Int(0), request.RangeID),
		}
	}
	return nil
}

func shardKey(shard int32) []any { return []any{int64(shard)} }

// holdLease is the first mutation of every write that an owner makes: it refuses
// the write if the shard has gone to another range.
func holdLease(shard int32, rangeID int64) plan.Mutation {
	return plan.Mutation{
		Table: plan.Shards, Op: plan.Assert, Key: shardKey(shard),
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: rangeID}},
	}
}

// leaseLost is the refusal of a write by the shard's row, a missing row included:
// whoever expects a range there does not own the shard.
func leaseLost(c *plan.Conflict) error {
	m := &c.Write.Mutations[c.Mutation]
	if m.Table != plan.Shards {
		return nil
	}
	shard, _ := m.Key[0].(int64)
	return &p.ShardOwnershipLostError{ShardID: int32(shard), Msg: c.Error()}
}
