package memory_test

import (
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

func node(id int64, txn int64) plan.Mutation {
	return plan.Mutation{
		Table: plan.HistoryNodes, Op: plan.Insert, Key: []any{[16]byte{1}, [16]byte{2}, id, txn},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.NodePrevTxnID, Value: txn - 1}},
	}
}

func task(id int64) plan.Mutation {
	return plan.Mutation{
		Table: plan.HistoryTasks, Op: plan.Insert, Key: []any{int64(1), int64(2), plan.Immediate, id},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.HistoryTask, Value: plan.Blob{Data: []byte("x"), Encoding: "Json"}}},
	}
}

func lease(rangeID int64) plan.Mutation {
	return plan.Mutation{
		Table: plan.Shards, Op: plan.Assert, Key: []any{int64(1)},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: rangeID}},
	}
}

func ahead(m plan.Mutation) plan.Mutation {
	m.Ahead = true
	return m
}

func apply(t *testing.T, s *memory.State, scope plan.Scope, mutations ...plan.Mutation) bool {
	t.Helper()
	seen, err := s.Apply(&plan.Write{Name: "T", Scope: scope, Mutations: mutations})
	if err != nil {
		t.Fatal(err)
	}
	return seen == nil
}

func TestARefusedWriteLeavesOnlyWhatIsHarmlessAhead(t *testing.T) {
	s := memory.NewState()
	if apply(t, s, plan.Atomic, lease(7), ahead(node(1, 1)), ahead(task(5))) {
		t.Fatal("a lease on a shard that is not there holds")
	}
	if s.Len(plan.HistoryNodes) != 1 || s.Len(plan.HistoryTasks) != 0 {
		t.Fatalf("stored:\n%s", s.Dump())
	}
}

func TestAnOrderedWriteStopsWhereItIsRefused(t *testing.T) {
	s := memory.NewState()
	if apply(t, s, plan.Ordered, node(1, 1), lease(7), node(2, 1)) {
		t.Fatal("applied")
	}
	if s.Len(plan.HistoryNodes) != 1 {
		t.Fatalf("stored:\n%s", s.Dump())
	}
}

func TestRowsExistByLivenessOrByAColumn(t *testing.T) {
	key := []any{int64(1)}
	set := []plan.Effect{{Op: plan.Set, Column: plan.ShardRangeID, Value: int64(7)}}
	cleared := []plan.Effect{{Op: plan.Clear, Column: plan.ShardRangeID}}
	tests := []struct {
		name   string
		writes []plan.Mutation
		want   int
	}{
		{"an inserted row stays without its columns", []plan.Mutation{{Table: plan.Shards, Op: plan.Insert, Key: key, Effects: set}, {Table: plan.Shards, Op: plan.Update, Key: key, Effects: cleared}}, 1},
		{"an updated row goes with its last column", []plan.Mutation{{Table: plan.Shards, Op: plan.Update, Key: key, Effects: set}, {Table: plan.Shards, Op: plan.Update, Key: key, Effects: cleared}}, 0},
		{"a live update keeps the row", []plan.Mutation{{Table: plan.Shards, Op: plan.Update, Key: key, Effects: set, Live: true}, {Table: plan.Shards, Op: plan.Update, Key: key, Effects: cleared}}, 1},
		{"an assertion makes no row", []plan.Mutation{{Table: plan.Shards, Op: plan.Assert, Key: key, Conds: []plan.Cond{{Test: plan.RowAbsent}}}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := memory.NewState()
			for _, m := range tt.writes {
				if !apply(t, s, plan.Atomic, m) {
					t.Fatal("refused")
				}
			}
			if s.Len(plan.Shards) != tt.want {
				t.Fatalf("stored:\n%s", s.Dump())
			}
		})
	}
}

func TestWhatExpiresIsGone(t *testing.T) {
	now := time.Unix(1000, 0)
	s := memory.NewState()
	s.Now = func() time.Time { return now }
	m := plan.Mutation{
		Table: plan.Shards, Op: plan.Insert, Key: []any{int64(1)}, TTL: 10,
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.ShardRangeID, Value: int64(7)}},
	}
	apply(t, s, plan.Atomic, m)
	m.Key = []any{int64(2)}
	apply(t, s, plan.Atomic, m)
	// An update without expiry keeps one column of the second row, and the row by it.
	apply(t, s, plan.Atomic, plan.Mutation{
		Table: plan.Shards, Op: plan.Update, Key: []any{int64(2)},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.ShardInfo, Value: plan.Blob{Data: []byte("x"), Encoding: "Json"}}},
	})
	now = now.Add(9 * time.Second)
	if s.Len(plan.Shards) != 2 || !apply(t, s, plan.Atomic, plan.Mutation{Table: plan.Shards, Op: plan.Assert, Key: []any{int64(2)}, Conds: lease(7).Conds}) {
		t.Fatalf("too early:\n%s", s.Dump())
	}
	now = now.Add(time.Second)
	if want := `shards (2) shard={[120] Json}`; s.Dump() != want {
		t.Fatalf("stored:\n%s\nwant\n%s", s.Dump(), want)
	}
}

func TestPagesGoOnFromAKeyThatIsGone(t *testing.T) {
	s := memory.NewState()
	for id := range int64(5) {
		apply(t, s, plan.Atomic, task(id))
	}
	read := &plan.Read{Name: "R", Table: plan.HistoryTasks, Eq: 3, Columns: []*plan.Column{plan.HistoryTaskID}}
	args := []any{int64(1), int64(2), plan.Immediate}
	rows, token, err := s.Read(read, plan.Page{Size: 2}, args...)
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	drop := task(1)
	drop.Op, drop.Effects = plan.Delete, nil
	apply(t, s, plan.Atomic, drop)
	rows, token, err = s.Read(read, plan.Page{Size: 3, Token: token}, args...)
	if err != nil || len(rows) != 3 || rows[0][0] != int64(2) || token != nil {
		t.Fatal(rows, token, err)
	}
}

func TestBoundsAreMeantByValueWhicheverWayAReadGoes(t *testing.T) {
	s := memory.NewState()
	for _, txn := range []int64{1, 2, 3, 4} {
		apply(t, s, plan.Atomic, node(1, txn))
	}
	for _, desc := range []bool{false, true} {
		read := &plan.Read{
			Name: "R", Table: plan.HistoryNodes, Eq: 3, Desc: desc, Columns: []*plan.Column{plan.NodeTxnID},
			From: plan.RangeEnd{Compare: plan.Greater, Width: 1}, To: plan.RangeEnd{Compare: plan.LessOrEqual, Width: 1},
		}
		rows, _, err := s.Read(read, plan.Page{}, [16]byte{1}, [16]byte{2}, int64(1), int64(1), int64(3))
		if err != nil || len(rows) != 2 {
			t.Fatal(rows, err)
		}
		// Transaction IDs are kept from high to low: downwards they come low first.
		if first := rows[0][0]; first != map[bool]int64{false: 3, true: 2}[desc] {
			t.Fatalf("desc %t: %v", desc, rows)
		}
	}
}

func TestPlansThatMakeNoSenseAreRefused(t *testing.T) {
	wrongType := task(1)
	wrongType.Effects = []plan.Effect{{Op: plan.Set, Column: plan.HistoryTask, Value: "text"}}
	conditionAhead := ahead(task(1))
	conditionAhead.Conds = []plan.Cond{{Test: plan.RowAbsent}}
	shortKey := task(1)
	shortKey.Key = shortKey.Key[:2]
	for name, mutations := range map[string][]plan.Mutation{
		"two mutations of one row":   {task(1), task(1)},
		"a value of the wrong type":  {wrongType},
		"a condition on a row ahead": {conditionAhead},
		"a key that is too short":    {shortKey},
	} {
		t.Run(name, func(t *testing.T) {
			ex := memory.NewExecutor(memory.NewState(), cql.Traits{})
			err := ex.Write(t.Context(), &plan.Write{Name: "T", Scope: plan.Atomic, Mutations: mutations})
			if errs.KindOf(err) != errs.Invalid {
				t.Fatalf("Write() = %v", err)
			}
		})
	}
}
