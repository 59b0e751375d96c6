package yugabyte_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// everyWay runs a test over TCP and over a pipe.
func everyWay(t *testing.T, test func(t *testing.T, s cql.Session)) {
	t.Run("tcp", func(t *testing.T) {
		n := node(t)
		test(t, open(t, opener(t, yugabyte.New(), n, keyspace(t, n), nil)))
	})
	t.Run("pipe", func(t *testing.T) {
		n := node(t)
		test(t, open(t, opener(t, overPipe(t, n), n, keyspace(t, n), map[string]any{"disableInitialHostLookup": true})))
	})
}

func TestSessionMovesValues(t *testing.T) {
	everyWay(t, func(t *testing.T, s cql.Session) {
		id := [16]byte{1, 2, 3}
		// map<bigint,blob> {7: 0x01} in protocol v4.
		m := cql.Raw{0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 1}
		insert := `INSERT INTO kv (p, c, t, b, u, m, ts, n) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
		exec(t, s, single(insert, int64(1), int64(2), "x", []byte{9}, id, m, int64(1700000000123), "10.1.2.3"))
		exec(t, s, single(insert, int64(1), int64(3), nil, nil, nil, cql.Raw(nil), nil, nil))

		rows, err := s.Query(t.Context(), call(`SELECT c, t, b, u, m, ts, n FROM kv WHERE p = ?`, int64(1)), cql.Page{})
		if err != nil {
			t.Fatal(err)
		}
		var (
			c, ts   int64
			text, a string
			b       []byte
			u       *[16]byte
			raw     cql.Raw
		)
		if !rows.Scan(&c, &text, &b, &u, &raw, &ts, &a) || c != 2 || text != "x" || string(b) != "\x09" || u == nil || *u != id || string(raw) != string(m) || ts != 1700000000123 || a != "10.1.2.3" {
			t.Fatalf("first row: %v %q %v %v %v %v %q", c, text, b, u, raw, ts, a)
		}
		kept := b
		if !rows.Scan(&c, &text, &b, &u, &raw, &ts, &a) || c != 3 || text != "" || b != nil || u != nil || raw != nil || ts != 0 || a != "" {
			t.Fatalf("row of nulls: %v %q %v %v %v %v %q", c, text, b, u, raw, ts, a)
		}
		if string(kept) != "\x09" {
			t.Fatal("a value changed when the next row was read")
		}
		if rows.Scan(&c, &text, &b, &u, &raw, &ts, &a) || len(rows.Next()) != 0 {
			t.Fatal("there is a third row")
		}
		if err := errors.Join(rows.Close(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSessionPages(t *testing.T) {
	everyWay(t, func(t *testing.T, s cql.Session) {
		for i := range 5 {
			exec(t, s, single(`INSERT INTO kv (p, c) VALUES (?, ?)`, int64(1), int64(i)))
		}
		var got []int64
		page := cql.Page{Size: 2}
		for {
			rows, err := s.Query(t.Context(), call(`SELECT c FROM kv WHERE p = ?`, int64(1)), page)
			if err != nil {
				t.Fatal(err)
			}
			count := 0
			for c := int64(0); rows.Scan(&c); count++ {
				got = append(got, c)
			}
			page.Token = slices.Clone(rows.Next())
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
			if count > 2 {
				t.Fatalf("page of %d rows, asked for 2", count)
			}
			if len(page.Token) == 0 {
				break
			}
		}
		if !slices.Equal(got, []int64{0, 1, 2, 3, 4}) {
			t.Fatalf("rows %v", got)
		}
	})
}

const (
	insertKV    = `INSERT INTO kv (p, c, t) VALUES (?, ?, ?)`
	casKV       = `UPDATE kv SET t = ? WHERE p = ? AND c = ? IF t = ?`
	insertPlain = `INSERT INTO plain (p, c, t) VALUES (?, ?, ?)`
)

func TestSessionReportsTheRefusalOfAStatement(t *testing.T) {
	everyWay(t, func(t *testing.T, s cql.Session) {
		exec(t, s, single(insertKV, int64(1), int64(1), "a"))
		if res := exec(t, s, single(casKV, "b", int64(1), int64(1), "z")); res.Applied || len(res.Rows) != 1 || res.Rows[0]["t"] != "a" {
			t.Fatalf("refusal: %+v", res)
		}
		if res := exec(t, s, single(casKV, "b", int64(1), int64(9), "z")); res.Applied || len(res.Rows) != 0 {
			t.Fatalf("refusal by a missing row: %+v", res)
		}
		if res := exec(t, s, single(casKV, "b", int64(1), int64(1), "a")); !res.Applied {
			t.Fatalf("a condition that holds: %+v", res)
		}
		if got := texts(t, s, `SELECT t FROM kv WHERE p = ?`, int64(1)); !slices.Equal(got, []string{"b"}) {
			t.Fatalf("stored: %v", got)
		}
	})
}

func TestSessionReportsTheRefusalOfABlock(t *testing.T) {
	everyWay(t, func(t *testing.T, s cql.Session) {
		exec(t, s, single(`INSERT INTO other (p, t) VALUES (?, ?)`, int64(1), "lease"))
		block := statement("BEGIN TRANSACTION\n" +
			"  UPDATE other SET t = ? WHERE p = ? IF t = ? ELSE ERROR;\n" +
			"  INSERT INTO kv (p, c, t) VALUES (?, ?, ?);\n" +
			"  UPDATE kv SET t = ? WHERE p = ? AND c = ? IF NOT EXISTS ELSE ERROR;\n" +
			"END TRANSACTION;")
		run := func(lease string, c int64) cql.Result {
			return exec(t, s, cql.Step{Mode: cql.Single, Calls: []cql.Call{{
				Statement: block, Args: []any{lease, int64(1), lease, int64(2), c, "x", "y", int64(3), c},
			}}})
		}
		if res := run("lost", 1); res.Applied || len(res.Rows) != 0 {
			t.Fatalf("a block with a lost lease: %+v", res)
		}
		if got := texts(t, s, `SELECT t FROM kv`); len(got) != 0 {
			t.Fatalf("a refused block stored %v", got)
		}
		if res := run("lease", 1); !res.Applied {
			t.Fatalf("a block whose conditions hold: %+v", res)
		}
		if res := run("lease", 1); res.Applied {
			t.Fatal("a block over a row that exists was applied")
		}
		plain := "BEGIN TRANSACTION\n  INSERT INTO other (p, t) VALUES (?, ?);\n  INSERT INTO kv (p, c, t) VALUES (?, ?, ?);\nEND TRANSACTION;"
		if res := exec(t, s, single(plain, int64(5), "a", int64(5), int64(5), "b")); !res.Applied {
			t.Fatalf("a block without conditions: %+v", res)
		}
	})
}

func TestSessionReportsTheRefusalOfABatchByItsLastMember(t *testing.T) {
	everyWay(t, func(t *testing.T, s cql.Session) {
		const status = ` RETURNS STATUS AS ROW`
		exec(t, s, single(insertPlain, int64(1), int64(0), "lease"))
		run := func(lease string, c int64) cql.Result {
			guard := statement(`UPDATE plain SET t = ? WHERE p = ? AND c = ? IF t = ?` + status)
			return exec(t, s, cql.Step{Mode: cql.Unlogged, Calls: []cql.Call{
				call(insertPlain+status, int64(1), c, "task"),
				call(insertPlain+status, int64(1), c+1, "task"),
				{Statement: guard, Args: []any{lease, int64(1), int64(0), lease}},
			}})
		}
		if res := run("lease", 1); !res.Applied || len(res.Rows) != 0 {
			t.Fatalf("a batch whose guard holds: %+v", res)
		}
		res := run("lost", 11)
		if res.Applied || len(res.Rows) != 1 || res.Rows[0]["t"] != "lease" {
			t.Fatalf("a batch whose guard does not hold: %+v", res)
		}
		if got := texts(t, s, `SELECT t FROM plain WHERE p = ?`, int64(1)); len(got) != 5 {
			t.Fatalf("rows stored beside the guard: %v", got)
		}
	})
}

func TestSessionRunsBatchesAndParallelSteps(t *testing.T) {
	everyWay(t, func(t *testing.T, s cql.Session) {
		for mode, first := range map[cql.Mode]int64{cql.Logged: 10, cql.Unlogged: 20, cql.Parallel: 30} {
			step := cql.Step{Mode: mode}
			for i := range int64(3) {
				step.Calls = append(step.Calls, call(insertPlain, first, i, "x"))
			}
			if res := exec(t, s, step); !res.Applied {
				t.Fatalf("mode %d: %+v", mode, res)
			}
			if got := texts(t, s, `SELECT t FROM plain WHERE p = ?`, first); len(got) != 3 {
				t.Fatalf("mode %d stored %v", mode, got)
			}
		}
		_, err := s.Exec(t.Context(), &cql.Step{Mode: cql.Parallel, Calls: []cql.Call{
			call(insertPlain, int64(40), int64(1), "x"), call(`INSERT INTO first (p) VALUES (1)`), call(`INSERT INTO second (p) VALUES (1)`),
		}})
		var e *cql.Error
		if !errors.As(err, &e) || e.Code != cql.CodeInvalid || !containsAll(e.Message, "first") {
			t.Fatalf("parallel calls of which two fail: %v", err)
		}
		if got := texts(t, s, `SELECT t FROM plain WHERE p = ?`, int64(40)); len(got) != 1 {
			t.Fatal("a parallel call was not made beside one that failed")
		}
	})
}

func TestSessionConvertsServerErrors(t *testing.T) {
	n := node(t)
	s := open(t, opener(t, yugabyte.New(), n, keyspace(t, n), nil))
	tests := []struct {
		name string
		give cql.Step
		code int
	}{
		{"syntax", single(`SELEKT 1`), cql.CodeSyntax},
		{"unknown table", single(`SELECT * FROM nowhere`), cql.CodeInvalid},
		{"batch of a statement with IF and no status", cql.Step{Mode: cql.Logged, Calls: []cql.Call{
			call(casKV, "a", int64(1), int64(1), "b"), call(insertKV, int64(1), int64(1), "a"),
		}}, cql.CodeSyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Exec(t.Context(), &tt.give)
			var e *cql.Error
			if !errors.As(err, &e) || e.Reach != cql.Replied || e.Code != tt.code {
				t.Fatalf("Exec() = %v", err)
			}
		})
	}
	t.Run("argument that is of no type", func(t *testing.T) {
		_, err := s.Exec(t.Context(), &cql.Step{Mode: cql.Single, Calls: []cql.Call{call(insertKV, int64(1), struct{}{}, "a")}})
		var e *cql.Error
		if !errors.As(err, &e) || e.Reach != cql.Unsent {
			t.Fatalf("Exec() = %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		step := single(insertKV, int64(1), int64(1), "a")
		if _, err := s.Exec(ctx, &step); !errors.Is(err, context.Canceled) {
			t.Fatalf("Exec() = %v", err)
		}
	})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec(t.Context(), &cql.Step{}); !errors.Is(err, cql.ErrClosed) {
		t.Fatalf("Exec() on a closed session = %v", err)
	}
	if _, err := s.Query(t.Context(), call(`SELECT t FROM kv`), cql.Page{}); !errors.Is(err, cql.ErrClosed) {
		t.Fatalf("Query() on a closed session = %v", err)
	}
}

func TestAdmin(t *testing.T) {
	n := node(t)
	a, err := opener(t, yugabyte.New(), n, "none", nil).OpenAdmin(t.Context(), env())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	for _, text := range []string{`CREATE KEYSPACE k`, `CREATE TABLE k.t (a text PRIMARY KEY, b bigint)`} {
		if err := a.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []bool{true, false} {
		got, err := a.CAS(t.Context(), `INSERT INTO k.t (a, b) VALUES (?, ?) IF NOT EXISTS`, "x", int64(i))
		if err != nil || got != want {
			t.Fatalf("CAS() = %v, %v, want %v", got, err, want)
		}
	}
	rows, err := a.Query(t.Context(), `SELECT a, b FROM k.t`)
	if err != nil || len(rows) != 1 || rows[0]["a"] != "x" || rows[0]["b"] != int64(0) {
		t.Fatalf("Query() = %v, %v", rows, err)
	}
	if err := a.Exec(t.Context(), `CREATE KEYSPACE k`); err == nil {
		t.Fatal("the keyspace was made twice")
	}
}

func TestClosedSessionLeavesNothingBehind(t *testing.T) {
	n := node(t)
	ks := keyspace(t, n)
	leaks := goleak.IgnoreCurrent()
	for range 3 {
		c, err := opener(t, yugabyte.New(), n, ks, nil).Open(t.Context(), env())
		if err != nil {
			t.Fatal(err)
		}
		exec(t, c.Session, single(insertKV, int64(1), int64(1), "a"))
		if err := c.Session.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// The engine keeps idle workers.
	workers := goleak.IgnoreTopFunction("github.com/temporal-ycql/temporal-ycql/backends/embedded/server.(*Server).worker")
	noLeaks(t, leaks, workers)
}
