package records_test

import (
	"maps"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

// The counts of a shard are those of its records.
func TestShardCounts(t *testing.T) {
	for _, s := range []*store{inMemory(t), engine(t, "cassandra"), engine(t, "ycql")} {
		t.Run(s.name, func(t *testing.T) {
			o := corpus.Small(seed(t))
			o.Whole = s.whole
			made := corpus.Make(o)
			s.put(t, o.Shards, made)
			src := s.source(t, records.Options{Shards: o.Shards, PageRows: 2})
			total := 0
			for shard := int64(1); shard <= int64(o.Shards); shard++ {
				want := make(map[records.Family]int64)
				for i := range made {
					r := &made[i]
					switch r.Kind {
					case records.HistoryTask:
					case records.Shard, records.Current, records.Execution, records.ReplicationDLQ:
						if s.name != "embedded cassandra" {
							continue
						}
					default:
						continue
					}
					if r.Unit == records.ShardUnit(shard) {
						want[r.Family()]++
						total++
					}
				}
				got, err := src.ShardCounts(t.Context(), shard)
				if err != nil || !maps.Equal(got, want) {
					t.Errorf("shard %d: %v, %v, want %v", shard, got, err, want)
				}
			}
			if total == 0 {
				t.Error("nothing was to be counted")
			}
			if _, err := src.ShardCounts(t.Context(), int64(o.Shards)+1); err == nil {
				t.Error("a shard too many was counted")
			}
		})
	}
}
