package cassandra

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// These tests run on a real Cassandra; see package cassandratest for when they skip.

func openAt(t *testing.T, n *cassandratest.Node, keyspace string, more map[string]any) (*backend.Connection, error) {
	t.Helper()
	raw := map[string]any{"hosts": n.Addr(), "keyspace": keyspace, "connectTimeout": "5s"}
	for k, v := range more {
		raw[k] = v
	}
	o, err := New().ParseOptions(raw)
	if err != nil {
		t.Fatal(err)
	}
	return o.Open(t.Context(), backend.Env{Logger: slog.New(slog.DiscardHandler)})
}

func mustOpen(t *testing.T, n *cassandratest.Node, keyspace string, more map[string]any) cql.Session {
	t.Helper()
	return opened(t, func() (*backend.Connection, error) { return openAt(t, n, keyspace, more) })
}

// opened opens a session that can be opened, and closes it with the test. A database
// that is busy may not answer within the 12 s that Open gives it: it is asked again,
// as by whoever starts a server again.
func opened(t *testing.T, open func() (*backend.Connection, error)) cql.Session {
	t.Helper()
	var c *backend.Connection
	eventually(t, "Open()", func() (err error) {
		c, err = open()
		return err
	})
	t.Cleanup(func() { _ = c.Session.Close() })
	return c.Session
}

// noLeaks checks that all goroutines end but those that were there before. goleak
// itself waits a second or two, a driver may take longer to close its connections.
func noLeaks(t *testing.T, before goleak.Option) {
	t.Helper()
	eventually(t, "all goroutines end", func() error { return goleak.Find(before) })
}

// kv makes a keyspace with one table.
func kv(t *testing.T, n *cassandratest.Node) string {
	t.Helper()
	ks := n.Keyspace(t)
	s := n.Session(t, ks)
	defer s.Close()
	if err := s.Query(`CREATE TABLE kv (p int, c bigint, t text, b blob, u uuid, m map<bigint,blob>, ts timestamp, n inet, PRIMARY KEY (p, c))`).Exec(); err != nil {
		t.Fatal(err)
	}
	return ks
}

func statement(text string) *cql.Statement {
	return &cql.Statement{Text: text, Plan: "test", Conditional: strings.Contains(text, " IF ")}
}

func exec(t *testing.T, s cql.Session, step cql.Step) cql.Result {
	t.Helper()
	res, err := s.Exec(t.Context(), &step)
	if err != nil {
		t.Fatalf("Exec() = %v", err)
	}
	return res
}

func single(text string, args ...any) cql.Step {
	return cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: statement(text), Args: args}}}
}

func TestSessionMovesValues(t *testing.T) {
	n := cassandratest.Start(t)
	s := mustOpen(t, n, kv(t, n), nil)
	id := [16]byte{1, 2, 3}
	// map<bigint,blob> {7: 0x01} in protocol v4.
	m := cql.Raw{0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 1}
	insert := `INSERT INTO kv (p, c, t, b, u, m, ts, n) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	exec(t, s, single(insert, int64(1), int64(2), "x", []byte{9}, id, m, int64(1700000000123), "10.1.2.3"))
	exec(t, s, single(insert, int64(1), int64(3), cql.Unset, nil, nil, cql.Raw(nil), nil, nil))

	rows, err := s.Query(t.Context(), cql.Call{Statement: statement(`SELECT c, t, b, u, m, ts, n FROM kv WHERE p = ?`), Args: []any{int64(1)}}, cql.Page{})
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
}

func TestSessionPages(t *testing.T) {
	n := cassandratest.Start(t)
	s := mustOpen(t, n, kv(t, n), nil)
	for i := range 5 {
		exec(t, s, single(`INSERT INTO kv (p, c) VALUES (?, ?)`, int64(1), int64(i)))
	}
	var got []int64
	page := cql.Page{Size: 2}
	for pages := 1; ; pages++ {
		rows, err := s.Query(t.Context(), cql.Call{Statement: statement(`SELECT c FROM kv WHERE p = ?`), Args: []any{int64(1)}}, page)
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for c := int64(0); rows.Scan(&c); count++ {
			got = append(got, c)
		}
		page.Token = append([]byte(nil), rows.Next()...)
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if count > 2 {
			t.Fatalf("page of %d rows, asked for 2", count)
		}
		if len(page.Token) == 0 {
			if pages != 3 {
				t.Fatalf("%d pages", pages)
			}
			break
		}
	}
	if len(got) != 5 {
		t.Fatalf("rows %v", got)
	}
}

func TestSessionReportsRefusals(t *testing.T) {
	n := cassandratest.Start(t)
	s := mustOpen(t, n, kv(t, n), nil)
	exec(t, s, single(`INSERT INTO kv (p, c, t) VALUES (?, ?, ?)`, int64(1), int64(1), "a"))
	exec(t, s, single(`INSERT INTO kv (p, c, u) VALUES (?, ?, ?)`, int64(1), int64(2), [16]byte{5}))

	res := exec(t, s, single(`UPDATE kv SET t = ? WHERE p = ? AND c = ? IF t = ?`, "b", int64(1), int64(1), "z"))
	if res.Applied || len(res.Rows) != 1 || res.Rows[0]["t"] != "a" {
		t.Fatalf("single refusal: %+v", res)
	}
	res = exec(t, s, single(`UPDATE kv SET t = ? WHERE p = ? AND c = ? IF t = ?`, "b", int64(1), int64(9), "z"))
	if res.Applied || len(res.Rows) != 0 {
		t.Fatalf("refusal by a missing row: %+v", res)
	}
	batch := cql.Step{
		Mode: cql.Logged, Shown: []string{"p", "c", "t", "u"},
		Calls: []cql.Call{
			{Statement: statement(`UPDATE kv SET t = ? WHERE p = ? AND c = ? IF t = ?`), Args: []any{"b", int64(1), int64(2), "z"}},
			{Statement: statement(`UPDATE kv SET u = ? WHERE p = ? AND c = ? IF u = ?`), Args: []any{nil, int64(1), int64(1), [16]byte{1}}},
			{Statement: statement(`INSERT INTO kv (p, c) VALUES (?, ?)`), Args: []any{int64(1), int64(3)}},
		},
	}
	res = exec(t, s, batch)
	if res.Applied || len(res.Rows) != 2 {
		t.Fatalf("refused batch: %+v", res)
	}
	if r := res.Rows[0]; r["c"] != int64(1) || r["t"] != "a" || r["u"] != nil {
		t.Fatalf("first row of the refusal, where null must not be zero: %+v", r)
	}
	if r := res.Rows[1]; r["c"] != int64(2) || r["t"] != nil || r["u"] != [16]byte{5} {
		t.Fatalf("second row of the refusal: %+v", r)
	}
	batch.Calls[0].Args[3] = nil
	batch.Calls[1].Args[3] = nil
	if res = exec(t, s, batch); !res.Applied {
		t.Fatalf("batch whose conditions hold: %+v", res)
	}
}

func TestSessionConvertsServerErrors(t *testing.T) {
	n := cassandratest.Start(t)
	s := mustOpen(t, n, kv(t, n), nil)
	tests := []struct {
		name, text string
		code       int
	}{
		{"syntax", `SELEKT 1`, cql.CodeSyntax},
		{"unknown table", `SELECT * FROM nowhere`, cql.CodeInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Exec(t.Context(), &cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: statement(tt.text)}}})
			var e *cql.Error
			if !errors.As(err, &e) || e.Reach != cql.Replied || e.Code != tt.code {
				t.Fatalf("Exec() = %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Query(ctx, cql.Call{Statement: statement(`SELECT c FROM kv`)}, cql.Page{}); err == nil {
		rows, _ := s.Query(ctx, cql.Call{Statement: statement(`SELECT c FROM kv`)}, cql.Page{})
		if err := rows.Close(); !errors.Is(err, context.Canceled) {
			t.Fatalf("a cancelled query gave %v", err)
		}
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec(t.Context(), &cql.Step{}); !errors.Is(err, cql.ErrClosed) {
		t.Fatalf("Exec() on a closed session = %v", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	n := cassandratest.Start(t)
	tests := []struct {
		name, keyspace string
		more           map[string]any
		want           []string
	}{
		{"missing keyspace", "no_such_keyspace", nil, []string{`keyspace "no_such_keyspace" does not exist`, "schema create"}},
		{"nobody listens", "system", map[string]any{"hosts": "127.0.0.1:1"}, []string{"127.0.0.1:1", "check hosts"}},
		{"tls where the server speaks none", "system", map[string]any{"tls": map[string]any{"enabled": true}}, []string{"check"}},
		{"no such data center", "system", map[string]any{"datacenter": "mars"}, []string{n.Addr()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A database that is busy may have no time to say what is wrong.
			eventually(t, "the error says what is wrong", func() error {
				c, err := openAt(t, n, tt.keyspace, tt.more)
				if err == nil {
					_ = c.Session.Close()
					t.Fatal("Open() succeeded")
				}
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("error has several lines: %q", err)
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						return fmt.Errorf("%w: this does not say %q", err, want)
					}
				}
				return nil
			})
		})
	}
}

// eventually polls until ok, or fails the test.
func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestSessionSurvivesARestartWithANewPassword(t *testing.T) {
	n := cassandratest.StartOwn(t, cassandratest.WithPassword(), cassandratest.WithDurableCommitlog())
	admin := n.Session(t, "")
	if err := admin.Query(`CREATE ROLE app WITH PASSWORD = 'first' AND LOGIN = true`).Exec(); err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	login := map[string]any{"user": "app", "passwordFile": password}
	eventually(t, "the error says what to check", func() error {
		wrong, err := openAt(t, n, "system", map[string]any{"user": "app", "password": "wrong"})
		if err == nil {
			_ = wrong.Session.Close()
			t.Fatal("a wrong password was taken")
		}
		if !strings.Contains(err.Error(), "check user and password") {
			return err
		}
		return nil
	})
	s := mustOpen(t, n, "system", login)
	ask := func() error {
		rows, err := s.Query(t.Context(), cql.Call{Statement: &cql.Statement{Text: `SELECT cluster_name FROM local`, Idempotent: true}}, cql.Page{})
		if err != nil {
			return err
		}
		name := ""
		rows.Scan(&name)
		return rows.Close()
	}
	eventually(t, "first query", ask)

	// The password changes while the session lives, then the server goes away
	// and comes back: new connections must use the new one.
	if err := admin.Query(`ALTER ROLE app WITH PASSWORD = 'other'`).Exec(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(password, []byte("other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the loss shows", func() error {
		if ask() == nil {
			return errors.New("queries still succeed")
		}
		return nil
	})
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "query after the restart", ask)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestClosedSessionLeavesNothingBehind(t *testing.T) {
	n := cassandratest.Start(t)
	leaks := goleak.IgnoreCurrent()
	for range 3 {
		c, err := openAt(t, n, "system", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Session.Close(); err != nil {
			t.Fatal(err)
		}
	}
	noLeaks(t, leaks)
}
