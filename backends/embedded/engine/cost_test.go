package engine

import (
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
)

// Costs, counted by hand from ycql.md 1.5, 2.1, 5.1, 5.2 and ycql-statics.md 4.
func TestCostYCQL(t *testing.T) {
	s := openSchema(t, parse.YCQL,
		"CREATE TABLE t (k int, c int, s int STATIC, v int, m map<int, int>, PRIMARY KEY ((k), c)) WITH transactions = {'enabled': true}",
		"CREATE TABLE x (k int PRIMARY KEY, v int) WITH transactions = {'enabled': true}",
		"CREATE INDEX ON x (v)")
	tests := []struct {
		name  string
		texts []string // one: a statement; more: a native batch
		want  server.Cost
	}{
		{"a read", []string{"SELECT * FROM t WHERE k = 1"}, server.Cost{Rounds: 1, Statements: 1}},
		{"a read of a system table", []string{"SELECT * FROM system.local"}, server.Cost{}},
		{"a write", []string{"INSERT INTO t (k, c) VALUES (1, 1)"}, server.Cost{Rounds: 1, Statements: 1}},
		{"a conditional write", []string{"UPDATE t SET v = 1 WHERE k = 1 AND c = 1 IF v = 5"}, server.Cost{Rounds: 1, Statements: 1}},
		{"a write with an index", []string{"INSERT INTO x (k, v) VALUES (1, 1)"}, server.Cost{Rounds: 2, Commits: 1, Statements: 1}},
		{
			"a block of three",
			[]string{"BEGIN TRANSACTION INSERT INTO t (k, c) VALUES (1, 1); INSERT INTO t (k, c) VALUES (2, 1); DELETE FROM t WHERE k = 3 AND c = 1; END TRANSACTION;"},
			server.Cost{Rounds: 3, Commits: 1, Statements: 3},
		},
		{
			"a block with an index",
			[]string{"BEGIN TRANSACTION INSERT INTO t (k, c) VALUES (1, 1); INSERT INTO x (k, v) VALUES (2, 1); END TRANSACTION;"},
			server.Cost{Rounds: 3, Commits: 1, Statements: 2},
		},
		{
			"a batch over three partitions",
			[]string{"INSERT INTO t (k, c) VALUES (1, 1)", "INSERT INTO t (k, c) VALUES (2, 1)", "INSERT INTO t (k, c) VALUES (3, 1)"},
			server.Cost{Rounds: 1, Statements: 3},
		},
		{
			"blind writes of one row share a round",
			[]string{"INSERT INTO t (k, c, v) VALUES (1, 1, 1)", "UPDATE t SET m[1] = 1 WHERE k = 1 AND c = 1", "UPDATE t SET v = 2 WHERE k = 1 AND c = 1"},
			server.Cost{Rounds: 1, Statements: 3},
		},
		{
			"a write that reads a row written before waits for the next round",
			[]string{"INSERT INTO t (k, c, v) VALUES (1, 1, 1)", "UPDATE t SET m = m + {1: 1} WHERE k = 1 AND c = 1", "UPDATE t SET v = v + 2 WHERE k = 1 AND c = 2"},
			server.Cost{Rounds: 2, Statements: 3},
		},
		{
			"and one that reads what that writes for the one after",
			[]string{"INSERT INTO t (k, c, v) VALUES (1, 1, 1)", "UPDATE t SET m = m + {1: 1} WHERE k = 1 AND c = 1", "UPDATE t SET v = v + 2 WHERE k = 1 AND c = 1"},
			server.Cost{Rounds: 3, Statements: 3},
		},
		{
			"the guard on statics first: everything else waits",
			[]string{"UPDATE t SET s = 1 WHERE k = 1 IF s = 1 RETURNS STATUS AS ROW", "INSERT INTO t (k, c) VALUES (1, 2) RETURNS STATUS AS ROW", "INSERT INTO t (k, c) VALUES (1, 3) RETURNS STATUS AS ROW"},
			server.Cost{Rounds: 2, Statements: 3},
		},
		{
			"the guard on statics last: one round",
			[]string{"INSERT INTO t (k, c) VALUES (1, 2) RETURNS STATUS AS ROW", "INSERT INTO t (k, c) VALUES (1, 3) RETURNS STATUS AS ROW", "UPDATE t SET s = 1 WHERE k = 1 IF s = 1 RETURNS STATUS AS ROW"},
			server.Cost{Rounds: 1, Statements: 3},
		},
		{
			"n members that each write a static and return status: n rounds",
			[]string{"UPDATE t SET s = 1 WHERE k = 1 RETURNS STATUS AS ROW", "UPDATE t SET s = 2 WHERE k = 1 RETURNS STATUS AS ROW", "UPDATE t SET s = 3 WHERE k = 1 RETURNS STATUS AS ROW"},
			server.Cost{Rounds: 3, Statements: 3},
		},
	}
	checkCosts(t, s, tests)
}

func TestCostCassandra(t *testing.T) {
	s := openSchema(t, parse.Cassandra, "CREATE TABLE t (k int, c int, v int, PRIMARY KEY ((k), c))")
	tests := []struct {
		name  string
		texts []string
		want  server.Cost
	}{
		{"a write", []string{"INSERT INTO t (k, c) VALUES (1, 1)"}, server.Cost{Rounds: 1, Statements: 1}},
		{"a conditional write", []string{"INSERT INTO t (k, c) VALUES (1, 1) IF NOT EXISTS"}, server.Cost{Rounds: 4, Statements: 1}},
		{"a logged batch in one partition", []string{"INSERT INTO t (k, c) VALUES (1, 1)", "INSERT INTO t (k, c) VALUES (1, 2)"}, server.Cost{Rounds: 1, Statements: 2}},
		{"a logged batch over two", []string{"INSERT INTO t (k, c) VALUES (1, 1)", "INSERT INTO t (k, c) VALUES (2, 2)"}, server.Cost{Rounds: 2, Statements: 2}},
		{"a conditional batch", []string{"INSERT INTO t (k, c) VALUES (1, 9) IF NOT EXISTS", "INSERT INTO t (k, c) VALUES (1, 2)"}, server.Cost{Rounds: 4, Statements: 2}},
	}
	checkCosts(t, s, tests)
}

func checkCosts(t *testing.T, s *session, tests []struct {
	name  string
	texts []string
	want  server.Cost
},
) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var res *server.Result
			var err error
			if len(tt.texts) == 1 {
				res, err = s.query(tt.texts[0])
			} else {
				res, err = s.batch(tt.texts...)
			}
			if err != nil {
				t.Fatal(err)
			}
			if res.Cost != tt.want {
				t.Errorf("cost %+v, want %+v", res.Cost, tt.want)
			}
		})
	}
}
