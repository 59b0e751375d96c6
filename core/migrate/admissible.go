package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// admissible refuses a source that holds what this program does not know, or whose
// number of shards is another than configured: nothing has been written then.
func (m *Migration) admissible(ctx context.Context) error {
	unknown, err := m.unknown(ctx)
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return fmt.Errorf("look for what cannot be carried: the source holds %d things that this program does not know, the first: %s: use a release that knows them (\"migrate assess\" lists all)",
			len(unknown), unknown[0])
	}
	return m.checkCluster(ctx)
}

// complete refuses a source of which shards have no state: nothing would give
// their ids and queues to the target.
func (m *Migration) complete(ctx context.Context) error {
	rows, err := m.shardRows(ctx, m.from)
	if err != nil {
		return err
	}
	for _, shard := range sortedShards(rows) {
		if !rows[shard].found || rows[shard].inBlob == 0 {
			return fmt.Errorf("look at the shards of the source: shard %d of %d %w: is it the right keyspace, and persistence.numHistoryShards what it was made with?",
				shard, m.From.Shards, errNoShard)
		}
	}
	return nil
}

// unknown lists what the source holds and no part of the stream has.
func (m *Migration) unknown(ctx context.Context) ([]records.Unknown, error) {
	src, err := m.from.source(records.Options{})
	if err != nil {
		return nil, err
	}
	columns, err := m.from.columns()
	if err != nil {
		return nil, err
	}
	all, err := records.UnknownColumns(ctx, m.from.admin, m.from.Opener.Keyspace(), columns, m.from.raw.Traits())
	if err != nil {
		return nil, fmt.Errorf("look for unknown columns of the source: %w", err)
	}
	var mu sync.Mutex
	err = each(ctx, int(m.from.Shards), func(ctx context.Context, i int) error {
		found, err := src.UnknownRows(ctx, int64(i)+1)
		if err != nil {
			return fmt.Errorf("look for unknown rows of the source: %w", err)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		return nil
	})
	return all, err
}

// checkCluster looks for all shards, and compares their number with the one that
// the cluster was made with.
func (m *Migration) checkCluster(ctx context.Context) error {
	if err := m.complete(ctx); err != nil {
		return err
	}
	src, err := m.from.source(records.Options{})
	if err != nil {
		return err
	}
	return src.All(ctx, records.Part{Stage: records.ClusterStage}, func(r *records.Record) error {
		if r.Key[0] != m.From.Cluster {
			return nil
		}
		info, err := decodeCluster(r.Blob(plan.ClusterMetadataBlob))
		switch {
		case err != nil:
			return fmt.Errorf("read the cluster metadata of the source: %w", err)
		case info.GetHistoryShardCount() != m.From.Shards:
			return fmt.Errorf("compare the configuration with the source: cluster %s was made with %d history shards, persistence.numHistoryShards is %d in %s: set it to %d in both files",
				m.From.Cluster, info.GetHistoryShardCount(), m.From.Shards, m.From.File, info.GetHistoryShardCount())
		}
		return nil
	})
}

var errNoBlob = errors.New("it has no data")

func decodeCluster(b plan.Blob) (*persistencespb.ClusterMetadata, error) {
	if len(b.Data) == 0 {
		return nil, errNoBlob
	}
	blob, err := dataBlob(b)
	if err != nil {
		return nil, err
	}
	return serialization.NewSerializer().DeserializeClusterMetadata(blob)
}
