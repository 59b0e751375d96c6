package parse

import (
	"strings"
	"testing"
)

func TestParseAccepts(t *testing.T) {
	tests := []struct {
		name, cql string
		cassandra bool
		ycql      bool
		markers   int
	}{
		{"a conditional update with element writes", `UPDATE executions USING TTL 0 SET activity_map[?] = ?, signal_requested = signal_requested + ?, buffered_events_list = buffered_events_list + ? WHERE shard_id = ? and type = ? IF db_record_version = ?`, true, true, 7},
		{"an insert with its condition before USING", `INSERT INTO t (a, b) VALUES (?, ?) IF NOT EXISTS USING TTL ?`, true, true, 3},
		{"a tuple relation", `SELECT a FROM t WHERE k = ? AND (c, d) >= (?, ?) LIMIT ?`, true, true, 4},
		{"an element delete", `DELETE m[?] FROM t WHERE k = ? IF v = ?`, true, true, 3},
		{"a batch as text", `BEGIN UNLOGGED BATCH INSERT INTO t (a) VALUES (1); UPDATE t SET b = 1 WHERE a = 1; APPLY BATCH`, true, false, 0},
		{"a transaction block", `BEGIN TRANSACTION INSERT INTO t (a) VALUES (?) IF NOT EXISTS ELSE ERROR; UPDATE t SET b = ? WHERE a = ? IF b = ? OR b = NULL ELSE ERROR; END TRANSACTION;`, false, true, 4},
		{"the other form of a block, with empty statements", `START TRANSACTION;; INSERT INTO t (a) VALUES (1);; COMMIT`, false, true, 0},
		{"a nested condition", `UPDATE t SET b = 1 WHERE a = 1 IF NOT (b = 1 OR (b > 2 AND c IN (1, 2))) RETURNS STATUS AS ROW`, false, true, 0},
		{"set as the name of a type", `CREATE TABLE t (k int PRIMARY KEY, s set<text>, f frozen<set<int>>)`, true, true, 0},
		{"keywords as names", `SELECT type, ttl, key, values, json FROM timestamp WHERE role = 1`, true, true, 0},
		{"functions", `SELECT TTL(a), WRITETIME(b), count(*), CAST(a AS text), toTimestamp(now()) AS x FROM t`, true, true, 0},
		{"a type hint", `SELECT a FROM t WHERE a = (int)1`, true, true, 0},
		{"token relations", `SELECT a FROM t WHERE token(a) > ? AND token(a) <= 5`, true, true, 1},
		{"literals", `INSERT INTO t (a,b,c,d,e,f) VALUES (-1, 1.5e3, 0xab, 'it''s', {1: 'a'}, [1, 2])`, true, true, 0},
		{"an index with a class", `CREATE CUSTOM INDEX i ON t (keys(m)) USING 'StorageAttachedIndex' WITH OPTIONS = {'a': 'b'}`, true, true, 0},
		{"a unique covering index", `CREATE UNIQUE INDEX i ON t ((a, b), c) INCLUDE (d) WITH transactions = {'enabled': false}`, false, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, d := range []Dialect{Cassandra, YCQL} {
				want := tt.cassandra
				if d == YCQL {
					want = tt.ycql
				}
				_, markers, err := Parse(tt.cql, d)
				if (err == nil) != want {
					t.Fatalf("%s: Parse() error %v, want accepted %v", d, err, want)
				}
				if err == nil && markers != tt.markers {
					t.Errorf("%s: %d markers, want %d", d, markers, tt.markers)
				}
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		name    string
		dialect Dialect
		cql     string
		want    string
	}{
		{"cassandra names the place and the token", Cassandra, "SELECT * FORM t", "line 1:9 mismatched input 'FORM' expecting K_FROM (SELECT * [FORM]...)"},
		{"cassandra has no transactions", Cassandra, "BEGIN TRANSACTION", "line 1:6 mismatched input 'TRANSACTION' expecting K_BATCH (BEGIN [TRANSACTION])"},
		{"cassandra cannot delete if not exists", Cassandra, "DELETE FROM t WHERE a = 1 IF NOT EXISTS", "line 1:29 no viable alternative at input 'NOT'"},
		{"cassandra says EOF", Cassandra, "SELECT a FROM", "line 0:-1 no viable alternative at input '<EOF>'"},
		{"ycql shows the statement with carets", YCQL, "SELECT * FORM t", "Invalid SQL Statement. syntax error, unexpected IDENT, expecting FROM\nSELECT * FORM t\n         ^^^^\n (ql error -11)"},
		{"ycql has no batch text", YCQL, "BEGIN BATCH APPLY BATCH", "Invalid SQL Statement. syntax error, unexpected BATCH"},
		{"ycql needs a semicolon at the end of a block", YCQL, "BEGIN TRANSACTION DELETE FROM t WHERE a = 1; END TRANSACTION", "Invalid SQL Statement. syntax error, unexpected end of file"},
		{"ycql has no select in a block", YCQL, "BEGIN TRANSACTION SELECT a FROM t; END TRANSACTION;", "unexpected SELECT"},
		{"ycql has no // comments", YCQL, "SELECT a FROM t // x", "syntax error, unexpected '/'"},
		{"ycql refuses isolation levels", YCQL, "START TRANSACTION ISOLATION LEVEL SNAPSHOT;", "Feature Not Supported"},
		{"ycql refuses nothing at all", YCQL, " ;; ", "Invalid SQL Statement: Unexpected empty statement list (ql error -11)"},
		{"a quote is not closed", Cassandra, "SELECT 'a", "line 1:9 mismatched character '<EOF>' expecting '''"},
		{"terms nest too deeply", Cassandra, "SELECT a FROM t WHERE a = " + strings.Repeat("[", 200), "not supported by the embedded engine"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Parse(tt.cql, tt.dialect)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Parse() error\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
}

// FuzzParse wants no panic and no endless loop, and errors of type *Error with
// a place inside the text.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"SELECT a, count(*) FROM k.t WHERE (a, b) > (?, :x) AND token(a) < 3 ORDER BY b DESC LIMIT 3 ALLOW FILTERING",
		"BEGIN TRANSACTION UPDATE t SET m['a'] = {1: 2} WHERE a = 0xff IF NOT (a = 1 OR b IN (1)) ELSE ERROR; END TRANSACTION;",
		"CREATE TABLE t (a int, b map<text, frozen<list<int>>> STATIC, PRIMARY KEY ((a), b)) WITH CLUSTERING ORDER BY (b DESC)",
		"INSERT INTO t (a) VALUES ($$x$$) /* c */ -- d",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, src string, ycql bool) {
		d := Cassandra
		if ycql {
			d = YCQL
		}
		_, _, err := Parse(src, d)
		if err == nil {
			return
		}
		e, ok := err.(*Error) //nolint:errorlint // the contract is the bare type
		if !ok {
			t.Fatalf("error of type %T", err)
		}
		if e.Span.Start < 0 || e.Span.End > len(src) {
			t.Fatalf("span %v outside of a text of %d bytes", e.Span, len(src))
		}
	})
}
