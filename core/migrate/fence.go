package migrate

import (
	"context"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

func dataBlob(b plan.Blob) (*commonpb.DataBlob, error) {
	encoding := enumspb.ENCODING_TYPE_PROTO3
	if b.Encoding != "" {
		var err error
		if encoding, err = enumspb.EncodingTypeFromString(b.Encoding); err != nil {
			return nil, err
		}
	}
	return &commonpb.DataBlob{Data: b.Data, EncodingType: encoding}, nil
}

func decodeShard(b plan.Blob) (*persistencespb.ShardInfo, error) {
	blob, err := dataBlob(b)
	if err != nil {
		return nil, err
	}
	return serialization.NewSerializer().ShardInfoFromBlob(blob)
}

// takeShards puts the fence on all shards of a side that is in use: whoever owns
// one is refused from then on, whatever release it runs, and nobody can take one
// over. Only the lease column is written. Doing it again does nothing.
func (m *Migration) takeShards(ctx context.Context, s *Side) error {
	fence := m.fence(s)
	rows, err := m.shardRows(ctx, s)
	if err != nil {
		return err
	}
	for _, shard := range sortedShards(rows) {
		switch row := rows[shard]; {
		case !row.found:
			return fmt.Errorf("fence the %s: shard %d of %d %w", s.Name, shard, s.Shards, errNoShard)
		case row.rangeID != fence && row.rangeID != row.inBlob:
			return fmt.Errorf("fence the %s: shard %d has the range %d and its state names %d: another migration has fenced it, or a server is just taking it over: undo that first (the other migration's rollback does)",
				s.Name, shard, row.rangeID, row.inBlob)
		}
	}
	return m.hold(ctx, s)
}

// queues does something for every queue of matching of a side.
func (m *Migration) queues(ctx context.Context, s *Side, do func(context.Context, records.Ref) error) error {
	src, err := s.source(records.Options{})
	if err != nil {
		return err
	}
	var parts []records.Part
	for _, part := range src.Parts(spans(s.Shards)) {
		if part.Stage == records.QueueStage || part.Stage == records.FairQueueStage {
			parts = append(parts, part)
		}
	}
	return each(ctx, len(parts), func(ctx context.Context, i int) error {
		return src.Queues(ctx, parts[i], func(ref records.Ref) error { return do(ctx, ref) })
	})
}

// takeQueues holds the queues of matching of a side. It comes after the shards are
// held: a server that is alive could make new queues.
func (m *Migration) takeQueues(ctx context.Context, s *Side) error {
	w, err := s.writer(m.fence(s))
	if err == nil {
		err = m.queues(ctx, s, w.HoldQueue)
	}
	if err != nil {
		return fmt.Errorf("fence the queues of the %s: %w", s.Name, err)
	}
	return nil
}

// giveQueues takes the hold off the queues of a side.
func (m *Migration) giveQueues(ctx context.Context, s *Side) error {
	w, err := s.writer(m.fence(s))
	if err == nil {
		err = m.queues(ctx, s, w.ReleaseQueue)
	}
	if err != nil {
		return fmt.Errorf("give the queues of the %s to its servers: %w", s.Name, err)
	}
	return nil
}

// give takes all fences off a side.
func (m *Migration) give(ctx context.Context, s *Side) error {
	if err := m.giveQueues(ctx, s); err != nil {
		return err
	}
	return m.giveShards(ctx, s)
}

// hold puts the fence on all shards of a side, whether they exist or not.
func (m *Migration) hold(ctx context.Context, s *Side) error {
	w, err := s.writer(m.fence(s))
	if err != nil {
		return err
	}
	err = each(ctx, int(s.Shards), func(ctx context.Context, i int) error { return w.Hold(ctx, int64(i)+1) })
	if err != nil {
		return fmt.Errorf("hold the shards of the %s: %w", s.Name, err)
	}
	return nil
}

// giveShards takes the fence off all shards of a side: their servers may start.
func (m *Migration) giveShards(ctx context.Context, s *Side) error {
	w, err := s.writer(m.fence(s))
	if err != nil {
		return err
	}
	err = each(ctx, int(s.Shards), func(ctx context.Context, i int) error { return w.Release(ctx, int64(i)+1) })
	if err != nil {
		return fmt.Errorf("give the shards of the %s to its servers: %w", s.Name, err)
	}
	return nil
}

// stillHeld proves that the target is held, and the source if it was fenced.
func (m *Migration) stillHeld(ctx context.Context) error {
	if err := m.held(ctx, m.to); err != nil || m.run.FencedAt.IsZero() {
		return err
	}
	return m.held(ctx, m.from)
}

// held proves that the fence is on all shards of a side.
func (m *Migration) held(ctx context.Context, s *Side) error {
	rows, err := m.shardRows(ctx, s)
	if err != nil {
		return err
	}
	fence := m.fence(s)
	for _, shard := range sortedShards(rows) {
		if rows[shard].rangeID != fence {
			return fmt.Errorf("look at the fence of the %s: shard %d has the range %d and not %d: a server has taken it, or somebody took the fence off: stop the servers of %s and run init --fence and copy again",
				s.Name, shard, rows[shard].rangeID, fence, s.File)
		}
	}
	return nil
}
