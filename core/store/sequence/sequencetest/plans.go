// Package sequencetest holds plans of a shard's owner in their smallest form:
// a write makes a mark, which tells that it took effect, and has tasks.
package sequencetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// The reads of an owner, and of marks.
var (
	readTasks = &plan.Read{
		Name: "GetHistoryTasks", Table: plan.HistoryTasks, Eq: 3,
		From:    plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
		To:      plan.RangeEnd{Compare: plan.Less, Width: 1},
		Columns: []*plan.Column{plan.HistoryTaskID, plan.HistoryTask},
	}
	getShard = &plan.Read{
		Name: "GetShard", Table: plan.Shards, Eq: 1, Columns: []*plan.Column{plan.ShardInfo, plan.ShardRangeID},
	}
	readMarks = &plan.Read{Name: "Marks", Table: plan.Executions, Eq: 1, Columns: []*plan.Column{plan.NextEventID}}
)

// Category is that of all tasks.
const Category int64 = 1

// Compile compiles the reads.
func Compile(ex exec.Executor) error { return ex.Compile(readTasks, getShard, readMarks) }

func hold(shard, rangeID int64) plan.Mutation {
	return plan.Mutation{
		Table: plan.Shards, Op: plan.Assert, Key: []any{shard},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: rangeID}},
	}
}

func blob(text string) plan.Blob { return plan.Blob{Data: []byte(text), Encoding: "Proto3"} }

// Put is a write of an owner that makes a mark and has tasks.
func Put(shard, rangeID, mark int64, tasks ...int64) *plan.Write {
	w := &plan.Write{
		Name: "Put", Scope: plan.Atomic, Owner: &plan.Owner{Shard: shard, RangeID: rangeID},
		Mutations: []plan.Mutation{hold(shard, rangeID), {
			Table: plan.Executions, Op: plan.Insert, Key: []any{shard, [16]byte{}, strconv.FormatInt(mark, 10), [16]byte{}},
			Conds:   []plan.Cond{{Test: plan.RowAbsent}},
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.NextEventID, Value: mark}},
			Show:    []*plan.Column{plan.NextEventID},
		}},
	}
	for _, id := range tasks {
		w.Mutations = append(w.Mutations, plan.Mutation{
			Table: plan.HistoryTasks, Op: plan.Insert, Ahead: true, Key: []any{shard, Category, plan.Immediate, id},
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.HistoryTask, Value: blob("task")}},
		})
	}
	return w
}

// Create is GetOrCreateShard for a shard that does not exist: range 1.
func Create(shard int64) *plan.Write {
	return &plan.Write{Name: "CreateShard", Scope: plan.Atomic, Mutations: []plan.Mutation{{
		Table: plan.Shards, Op: plan.Insert, Key: []any{shard}, Conds: []plan.Cond{{Test: plan.RowAbsent}},
		Effects: []plan.Effect{
			{Op: plan.Set, Column: plan.ShardRangeID, Value: int64(1)},
			{Op: plan.Set, Column: plan.ShardInfo, Value: blob("new")},
		},
	}}}
}

// Update is UpdateShard.
func Update(shard, from, to int64) *plan.Write {
	m := hold(shard, from)
	m.Op = plan.Update
	m.Effects = []plan.Effect{
		{Op: plan.Set, Column: plan.ShardRangeID, Value: to},
		{Op: plan.Set, Column: plan.ShardInfo, Value: blob(fmt.Sprint("range ", to))},
	}
	return &plan.Write{
		Name: "UpdateShard", Scope: plan.Atomic, Owner: &plan.Owner{Shard: shard, RangeID: from}, Mutations: []plan.Mutation{m},
	}
}

// Get is GetOrCreateShard for a shard that exists; it returns the range.
func Get(ctx context.Context, ex exec.Executor, shard int64) (int64, error) {
	row, found, err := exec.One(ctx, ex, getShard, shard)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, errors.New("there is no such shard")
	}
	return row.Int(1), nil
}

// Tasks reads all tasks, two rows at a time. A page that is not full and not the
// last one is an error.
func Tasks(ctx context.Context, ex exec.Executor, shard int64) (string, error) {
	var all []string
	page := plan.Page{Size: 2}
	for {
		rows, err := ex.Read(ctx, readTasks, page, shard, Category, plan.Immediate, int64(0), int64(1<<40))
		if err != nil {
			return "", err
		}
		n := 0
		for rows.Next() {
			all = append(all, strconv.FormatInt(rows.Int(0), 10))
			n++
		}
		page.Token = rows.Token()
		if err := rows.Close(); err != nil {
			return "", err
		}
		if page.Token == nil {
			return strings.Join(all, " "), nil
		}
		if n < page.Size {
			return "", fmt.Errorf("a page of %d of %d rows is not the last", n, page.Size)
		}
	}
}

// Marks are the writes that took effect, in their order.
func Marks(ctx context.Context, ex exec.Executor, shard int64) ([]int64, error) {
	rows, err := ex.Read(ctx, readMarks, plan.Page{Size: 100_000}, shard)
	if err != nil {
		return nil, err
	}
	var marks []int64
	for rows.Next() {
		marks = append(marks, rows.Int(0))
	}
	slices.Sort(marks)
	return marks, rows.Close()
}

// IsLost tells that a write was refused because the lease is lost, or a read
// because it shows a newer range.
func IsLost(err error) bool {
	var e *errs.Error
	var c *plan.Conflict
	return errors.As(err, &e) && e.Kind == errs.Conflict && e.Outcome == errs.NotApplied &&
		errors.As(e.Err, &c) && c.Write.Mutations[c.Mutation].Table == plan.Shards
}
