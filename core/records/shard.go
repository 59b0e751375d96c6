package records

import (
	"context"
	"fmt"

	persistencespb "go.temporal.io/server/api/persistence/v1"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Rows of a shard's partition are told apart by type and namespace id (server
// v1.32.2, common/persistence/cassandra). Types are also the ids of task
// categories, but for 5, which is both the replication DLQ and archival, and 6,
// visibility and another category: there the namespace id tells.
const (
	rowShard       int64 = 0
	rowExecution   int64 = 1
	rowTransfer    int64 = 2
	rowTimer       int64 = 3
	rowReplication int64 = 4
	rowDLQ         int64 = 5
	rowVisibility  int64 = 6
)

// The namespace ids of row families.
var (
	shardFamily       = familyID(0x10)
	transferFamily    = familyID(0x30)
	timerFamily       = familyID(0x40)
	replicationFamily = familyID(0x50)
	dlqFamily         = familyID(0x60) // and visibility
	otherFamily       = familyID(0x80)
)

// familyID is 10000000-XX00-f000-f000-000000000000.
func familyID(x byte) [16]byte {
	return [16]byte{0: 0x10, 4: x, 6: 0xf0, 8: 0xf0}
}

// rowFamily is a type and namespace id of rows in a shard's partition.
type rowFamily struct {
	rowType   int64
	namespace [16]byte
}

// category tells the task category whose rows a family are. known is false for
// families that this program does not know; category is 0 for those that are no
// tasks.
func (f rowFamily) category() (category int64, known bool) {
	switch f {
	case rowFamily{rowShard, shardFamily}, rowFamily{rowDLQ, dlqFamily}:
		return 0, true
	case rowFamily{rowTransfer, transferFamily}:
		return 1, true
	case rowFamily{rowTimer, timerFamily}:
		return 2, true
	case rowFamily{rowReplication, replicationFamily}:
		return 3, true
	case rowFamily{rowVisibility, dlqFamily}:
		return 4, true
	}
	if f.rowType == rowExecution {
		return 0, true
	}
	if f.namespace == otherFamily && f.rowType >= rowDLQ {
		return f.rowType, true
	}
	return 0, false
}

// Reads that skip from one family to the next.
var (
	nextType = &plan.Read{
		Name: "Records/next_type", Table: plan.ShardRows, Eq: 1, Limit: 1,
		From:    plan.RangeEnd{Compare: plan.Greater, Width: 1},
		Columns: []*plan.Column{plan.RowType, plan.RowNamespace},
	}
	nextFamily = &plan.Read{
		Name: "Records/next_family", Table: plan.ShardRows, Eq: 2, Limit: 1,
		From:    plan.RangeEnd{Compare: plan.Greater, Width: 1},
		Columns: []*plan.Column{plan.RowType, plan.RowNamespace},
	}
)

// families lists the families of rows that a shard's partition has, those of
// executions (type 1) as one. It skips from one to the next and reads no more
// than a row of each.
func (s *Source) families(ctx context.Context, shard int64) ([]rowFamily, error) {
	var all []rowFamily
	last := int64(-1 << 31)
	for {
		f, found, err := s.family(ctx, nextType, shard, last)
		if err != nil || !found {
			return all, err
		}
		last = f.rowType
		if f.rowType == rowExecution {
			f.namespace = [16]byte{}
		}
		all = append(all, f)
		for f.rowType != rowExecution {
			f, found, err = s.family(ctx, nextFamily, shard, f.rowType, f.namespace)
			if err != nil {
				return nil, err
			}
			if !found {
				break
			}
			all = append(all, f)
		}
	}
}

func (s *Source) family(ctx context.Context, read *plan.Read, args ...any) (rowFamily, bool, error) {
	row, found, err := exec.One(ctx, s.ex, read, args...)
	if err != nil || !found {
		return rowFamily{}, false, err
	}
	return rowFamily{row.Int(0), row.UUID(1)}, true, nil
}

// taskSteps reads the tasks of a shard where each category has rows of its own
// kind: the categories are looked for, then read one by one.
func (s *Source) taskSteps(shard int64, acked map[int64]ack) step {
	list := &listing{key: []*plan.Column{plan.ShardID, plan.TaskCategoryID}, read: nextType}
	list.page = func(ctx context.Context, _ []byte, _ int) (keys [][]any, next []byte, err error) {
		families, err := s.families(ctx, shard)
		if err != nil {
			return nil, nil, err
		}
		for _, f := range families {
			category, known := f.category()
			if !known {
				return nil, nil, f.unknown(shard)
			}
			if category > 0 {
				keys = append(keys, []any{shard, category})
			}
		}
		return keys, nil, nil
	}
	of := scan{read: readTasksOf, args: itself, unit: shardOf}
	if acked == nil {
		return step{list: list, scans: []scan{of}}
	}
	return step{list: list, scans: []scan{{
		read: readTasksFrom, unit: shardOf,
		args: func(key []any) []any {
			category, _ := key[1].(int64)
			a, ok := acked[category]
			if !ok {
				a = ack{fire: plan.Immediate, task: -1 << 63}
			}
			return []any{key[0], key[1], a.fire, a.task}
		},
	}}}
}

// ack is the first key of a category that has not been done by all readers.
type ack struct {
	fire int64 // plan.Immediate for immediate categories
	task int64
}

// done tells whether a task is before the ack level. The zero value knows of none.
func (a ack) done(r *Record) bool {
	if a == (ack{}) {
		return false
	}
	fire, _ := r.Key[2].(int64)
	task, _ := r.Key[3].(int64)
	return fire < a.fire || fire == a.fire && task < a.task
}

// ackLevels reads from the shard's state where the queues of each category begin.
func (s *Source) ackLevels(ctx context.Context, shard int64) (map[int64]ack, error) {
	acked := make(map[int64]ack)
	all, _, err := s.readPage(ctx, &scan{read: readShard}, []any{shard}, nil, 1)
	if err != nil || len(all) == 0 {
		return acked, err
	}
	var info persistencespb.ShardInfo
	if err := decodeProto(all[0].Blob(plan.ShardInfo), &info); err != nil {
		return nil, fmt.Errorf("state of shard %d: %w", shard, err)
	}
	for category, state := range info.GetQueueStates() {
		first := state.GetExclusiveReaderHighWatermark()
		for _, reader := range state.GetReaderStates() {
			for _, scope := range reader.GetScopes() {
				if low := scope.GetRange().GetInclusiveMin(); low != nil && (first == nil || before(low, first)) {
					first = low
				}
			}
		}
		if first == nil {
			continue
		}
		a := ack{fire: plan.Immediate, task: first.GetTaskId()}
		if fire := first.GetFireTime(); fire != nil && fire.GetSeconds() > 0 {
			a.fire = fire.AsTime().UnixMilli()
		}
		acked[int64(category)] = a
	}
	return acked, nil
}

func before(a, b *persistencespb.TaskKey) bool {
	x, y := a.GetFireTime().AsTime(), b.GetFireTime().AsTime()
	return x.Before(y) || x.Equal(y) && a.GetTaskId() < b.GetTaskId()
}
