package records

import (
	"context"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Reads of what tells the families of rows apart, without their data.
var (
	countRows = &plan.Read{
		Name: "Records/count", Table: plan.ShardRows, Eq: 1,
		Columns: []*plan.Column{plan.RowType, plan.RowNamespace, plan.RowExecution},
	}
	countTasks = &plan.Read{
		Name: "Records/count", Table: plan.HistoryTasks, Eq: 1, Columns: []*plan.Column{plan.TaskCategoryID},
	}
)

// ShardCounts counts the rows of a shard by family, without reading what they hold:
// for an estimate it costs the network little. Where a shard is not one partition
// (YCQL) only its tasks can be counted by themselves, and only they are. Rows of no
// known family end it with an error, as they end the reading of the shard.
func (s *Source) ShardCounts(ctx context.Context, shard int64) (map[Family]int64, error) {
	if err := s.check(Part{Stage: ShardStage, Shard: shard}); err != nil {
		return nil, err
	}
	counts := make(map[Family]int64)
	read, size := countTasks, 10*s.o.PageRows
	if s.ex.Traits().ShardPartition {
		read = countRows
	}
	for token := []byte(nil); ; {
		rows, err := s.ex.Read(ctx, read, plan.Page{Size: size, Token: token}, shard)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			if read == countTasks {
				counts[Family{HistoryTask, rows.Int(0)}]++
				continue
			}
			row := rowFamily{rows.Int(0), rows.UUID(1)}
			f, known := row.family(!rows.Null(2))
			if !known {
				_ = rows.Close() // the error is that of the row
				return nil, row.unknown(shard)
			}
			counts[f]++
		}
		token = rows.Token()
		if err := rows.Close(); err != nil {
			return nil, err
		}
		if token == nil {
			return counts, nil
		}
	}
}

// family is the family of records that rows are; of those of executions (type 1)
// an execution has its own column.
func (f rowFamily) family(execution bool) (family Family, known bool) {
	category, known := f.category()
	switch {
	case category > 0:
		return Family{HistoryTask, category}, known
	case f.rowType == rowShard:
		return Family{Kind: Shard}, known
	case f.rowType == rowDLQ:
		return Family{Kind: ReplicationDLQ}, known
	case execution:
		return Family{Kind: Execution}, known
	default:
		return Family{Kind: Current}, known
	}
}

func (f rowFamily) unknown(shard int64) error {
	return fmt.Errorf("shard %d has rows of type %d and namespace id %s, which this program does not know",
		shard, f.rowType, formatUUID(f.namespace))
}
