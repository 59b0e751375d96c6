package yugabyte_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

const insertText = `INSERT INTO kv (p, c, t) VALUES (?, ?, ?)`

// pair is a cluster of two servers of which the first leads, and what answers in
// its place to requests that hold text.
func pair(t *testing.T, text string, answer func(node string) (*server.Result, error)) *cluster {
	c := startCluster(t, n1, n2)
	c.create(`CREATE KEYSPACE ks`, kvTable)
	c.set(func() {
		c.answer = func(node, asked string) (*server.Result, error) {
			if strings.Contains(asked, text) {
				return answer(node)
			}
			return nil, nil
		}
	})
	return c
}

func TestWhatMayNotBeRepeatedIsSentOnceUnlessItHasNotBegun(t *testing.T) {
	overloaded := &wire.Error{Code: wire.CodeOverloaded, Message: "Unable to allocate CQL processor, already allocated 9 of 9"}
	lost := &wire.Error{Code: wire.CodeInvalid, Message: "Execution Error. Write(tablet: 1, num_ops: 1, num_attempts: 9) passed its deadline"}
	tests := []struct {
		name       string
		give       error
		idempotent bool
		retries    int
		sent       int64
		applied    bool
	}{
		{"turned away", overloaded, false, 1, 2, true},
		{"turned away, no retries", overloaded, false, 0, 1, false},
		{"lost", lost, false, 1, 1, false},
		{"lost, may be repeated", lost, true, 1, 2, true},
		{"connection cut", server.ErrCut, false, 1, 1, false},
		{"connection cut, may be repeated", server.ErrCut, true, 1, 2, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sent atomic.Int64
			var on atomic.Bool
			c := pair(t, "INSERT INTO kv", func(string) (*server.Result, error) {
				if on.Load() && sent.Add(1) == 1 {
					return nil, tt.give
				}
				return nil, nil
			})
			s := open(t, c.opener(t, map[string]any{"retries": tt.retries}))
			st := statement(insertText)
			st.Idempotent = tt.idempotent
			step := cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: st, Args: []any{int64(1), int64(1), "a"}}}}
			exec(t, s, step)
			on.Store(true)
			for _, mode := range []cql.Mode{cql.Single, cql.Unlogged} {
				sent.Store(0)
				step.Mode = mode
				if step.Calls = step.Calls[:1]; mode == cql.Unlogged {
					step.Calls = append(step.Calls, step.Calls[0])
				}
				res, err := s.Exec(t.Context(), &step)
				if sent.Load() != tt.sent || (err == nil && res.Applied) != tt.applied {
					t.Fatalf("mode %d was sent %d times, want %d: %v, %v", mode, sent.Load(), tt.sent, res, err)
				}
				// The next one needs both servers.
				eventually(t, "both servers answer", func() error {
					for _, a := range []string{n1, n2} {
						if err := reach(t, s, c, a); err != nil {
							return err
						}
					}
					return nil
				})
			}
		})
	}
}

// reach sends a statement that only a server at an address can have got.
func reach(t *testing.T, s cql.Session, c *cluster, address string) error {
	t.Helper()
	before := c.requests()[address]
	for range 4 {
		if rows, err := s.Query(t.Context(), call(`SELECT t FROM kv`), cql.Page{}); err != nil {
			return err
		} else if err := rows.Close(); err != nil {
			return err
		}
	}
	if c.requests()[address] == before {
		return errors.New(address + " was not asked")
	}
	return nil
}

func TestASlowServerIsOvertakenWhereThatIsAllowed(t *testing.T) {
	slow := make(chan struct{})
	defer close(slow) // before the servers are stopped
	var second atomic.Int64
	c := pair(t, "SELECT t FROM kv WHERE p", func(node string) (*server.Result, error) {
		if node == n1 {
			<-slow
			return nil, nil
		}
		second.Add(1)
		return nil, nil
	})
	read := &cql.Statement{Text: `SELECT t FROM kv WHERE p = ?`, Idempotent: true, KeyArgs: []int{0}}
	s := open(t, c.opener(t, map[string]any{"speculation": map[string]any{"attempts": 1, "delay": "5ms"}}))
	for range 4 {
		rows, err := s.Query(t.Context(), cql.Call{Statement: read, Args: []any{int64(1)}}, cql.Page{})
		if err != nil {
			t.Fatal(err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if second.Load() != 4 {
		t.Fatalf("the other server answered %d times of 4", second.Load())
	}
}

func TestMoreRequestsThanAServerTakesWait(t *testing.T) {
	var now atomic.Int64
	var mu sync.Mutex
	var most int64
	full, gate := make(chan struct{}, 99), make(chan struct{})
	var on atomic.Bool
	c := pair(t, "INSERT INTO kv", func(string) (*server.Result, error) {
		if !on.Load() {
			return nil, nil
		}
		n := now.Add(1)
		defer now.Add(-1)
		mu.Lock()
		most = max(most, n)
		mu.Unlock()
		full <- struct{}{}
		<-gate
		return nil, nil
	})
	s := open(t, c.opener(t, map[string]any{"maxInFlight": 3}))
	st := statement(insertText)
	step := func(i int64) *cql.Step {
		return &cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: st, Args: []any{int64(1), i, "a"}}}}
	}
	for range 2 {
		exec(t, s, *step(0))
	}
	on.Store(true)
	done := make(chan error, 9)
	for i := range int64(9) {
		go func() {
			_, err := s.Exec(t.Context(), step(i))
			done <- err
		}()
	}
	for range 3 {
		<-full
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := s.Exec(ctx, step(99))
	var e *cql.Error
	if !errors.As(err, &e) || e.Reach != cql.Unsent || !strings.Contains(e.Message, "maxInFlight") {
		t.Fatalf("a request that found no room = %v", err)
	}
	close(gate)
	for range 9 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most != 3 {
		t.Fatalf("%d requests were under way at once, want 3", most)
	}
}

// gocql prepares a statement again for as long as the server says that it does
// not know it.
func TestAServerThatForgetsAtOnceIsGivenUp(t *testing.T) {
	var on atomic.Bool
	c := pair(t, "INSERT INTO kv", func(string) (*server.Result, error) {
		if on.Load() {
			return nil, &wire.Error{Code: wire.CodeUnprepared, Message: "Unprepared query"}
		}
		return nil, nil
	})
	s := open(t, c.opener(t, nil))
	step := single(insertText, int64(1), int64(1), "a")
	exec(t, s, step)
	on.Store(true)
	_, err := s.Exec(t.Context(), &step)
	var e *cql.Error
	if !errors.As(err, &e) || e.Reach != cql.Replied || e.Code != cql.CodeUnprepared {
		t.Fatalf("Exec() = %v", err)
	}
	on.Store(false)
	exec(t, s, step)
}

func TestAMemberOfABatchThatCannotBeRunIsAFailure(t *testing.T) {
	const status = ` RETURNS STATUS AS ROW`
	text, truth := &cqltype.Type{Kind: cqltype.Text}, &cqltype.Type{Kind: cqltype.Boolean}
	columns := []wire.Column{{Name: "[applied]", Type: truth}, {Name: "[message]", Type: text}, {Name: "t", Type: text}}
	tests := []struct {
		name  string
		cells [][]byte
		want  string // of the error; empty: it is a result
	}{
		{"a message of the first", [][]byte{{0}, []byte("no memory"), nil, {1}, nil, nil}, "no memory"},
		{"a message of the guard", [][]byte{{1}, nil, nil, {0}, []byte("no memory"), nil}, "no memory"},
		{"a row that was not stored", [][]byte{{0}, nil, nil, {1}, nil, nil}, "was not applied"},
		{"too few rows", [][]byte{{1}, nil, nil}, "1 rows of status for a batch of 2"},
		{"too many rows", [][]byte{{1}, nil, nil, {1}, nil, nil, {1}, nil, nil}, "3 rows of status for a batch of 2"},
		{"the guard's refusal", [][]byte{{1}, nil, nil, {0}, nil, []byte("x")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := pair(t, "BATCH", func(string) (*server.Result, error) {
				return &server.Result{Kind: server.Rows, Columns: columns, Cells: tt.cells}, nil
			})
			s := open(t, c.opener(t, nil))
			res, err := s.Exec(t.Context(), &cql.Step{Mode: cql.Unlogged, Calls: []cql.Call{
				call(insertText+status, int64(1), int64(1), "a"), call(casKV+status, "a", int64(1), int64(0), "a"),
			}})
			var e *cql.Error
			switch {
			case tt.want == "" && (err != nil || res.Applied || len(res.Rows) != 1 || res.Rows[0]["t"] != "x"):
				t.Fatalf("Exec() = %+v, %v", res, err)
			case tt.want != "" && (!errors.As(err, &e) || e.Code != cql.CodeServer || !strings.Contains(e.Message, tt.want)):
				t.Fatalf("Exec() = %+v, %v", res, err)
			}
		})
	}
}

func TestTooFewCopiesAreSaidAtStart(t *testing.T) {
	for factor, warned := range map[int]bool{0: false, 2: false, 3: true} {
		c := startCluster(t, n1, n2)
		c.create(`CREATE KEYSPACE ks`, kvTable)
		for _, selection := range []string{"partition-aware", "round-robin"} {
			var out bytes.Buffer
			conn, err := c.opener(t, map[string]any{"replicationFactor": factor, "hostSelection": selection}).
				Open(t.Context(), backend.Env{Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))})
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Session.Close(); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(out.String(), "fewer copies"); got != warned {
				t.Errorf("factor %d, %s: warned %v: %s", factor, selection, got, out.String())
			}
		}
	}
}

// All servers go away and come back elsewhere: the session is made anew.
func TestSessionFindsServersThatMoved(t *testing.T) {
	c := startCluster(t, n1, n2)
	c.create(`CREATE KEYSPACE ks`, kvTable)
	var mu atomic.Pointer[[]string]
	mu.Store(&[]string{n1, n2})
	resolve := func(string) []string { return *mu.Load() }
	raw := map[string]any{"hosts": "db.test", "keyspace": "ks", "connectTimeout": "2s", "maxConns": 1}
	o, err := yugabyte.NewWithDial(c.dial).ParseOptions(raw)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := o.Open(t.Context(), backend.Env{Logger: slog.New(slog.DiscardHandler), Resolve: resolve})
	if err != nil {
		t.Fatal(err)
	}
	s := conn.Session
	defer func() { _ = s.Close() }()
	step := single(insertText, int64(1), int64(1), "a")
	exec(t, s, step)
	c.stop(n1)
	c.stop(n2)
	if _, err := s.Exec(t.Context(), &step); err == nil {
		t.Fatal("a statement was answered by nobody")
	}
	mu.Store(&[]string{n3})
	c.start(n3, 1)
	c.set(func() { c.leader = func(string, uint16) string { return n3 } })
	eventually(t, "a statement is answered again", func() error {
		_, err := s.Exec(t.Context(), &step)
		return err
	})
}

// Every code of the protocol arrives as it was sent, with its message.
func TestEveryCodeOfTheProtocolArrives(t *testing.T) {
	codes := []wire.ErrorCode{
		wire.CodeServerError, wire.CodeProtocolError, wire.CodeBadCredentials, wire.CodeUnavailable, wire.CodeOverloaded, wire.CodeBootstrapping,
		wire.CodeTruncate, wire.CodeWriteTimeout, wire.CodeReadTimeout, wire.CodeReadFailure, wire.CodeFunctionFailure, wire.CodeWriteFailure,
		wire.CodeSyntaxError, wire.CodeUnauthorized, wire.CodeInvalid, wire.CodeConfigError, wire.CodeAlreadyExists,
	}
	c := startCluster(t, n1)
	c.create(`CREATE KEYSPACE ks`, kvTable)
	s := open(t, c.opener(t, nil))
	step := single(insertText, int64(1), int64(1), "a")
	exec(t, s, step)
	for _, code := range codes {
		want := &wire.Error{Code: code, Message: "what it says", Received: 1, Required: 2, WriteType: "CAS", Consistency: wire.Quorum}
		c.set(func() {
			c.answer = func(_, text string) (*server.Result, error) {
				if strings.Contains(text, "INSERT INTO kv") {
					return nil, want
				}
				return nil, nil
			}
		})
		_, err := s.Exec(t.Context(), &step)
		var e *cql.Error
		if !errors.As(err, &e) || e.Reach != cql.Replied || e.Code != int(code) || !strings.Contains(e.Message, "what it says") {
			t.Errorf("0x%04x arrived as %+v, %v", int(code), e, err)
			continue
		}
		if (code == wire.CodeWriteTimeout || code == wire.CodeWriteFailure) && (e.WriteType != "CAS" || e.Received != 1) {
			t.Errorf("0x%04x arrived as %+v", int(code), e)
		}
	}
}
