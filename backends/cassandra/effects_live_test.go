package cassandra

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"go.uber.org/goleak"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/internal/needs"
)

// What options do, seen from outside of the session.

// through opens a session through relays, which it takes for its hosts.
func through(t *testing.T, keyspace string, relays []*relay, more map[string]any) cql.Session {
	t.Helper()
	raw := map[string]any{"keyspace": keyspace, "disableInitialHostLookup": true, "connectTimeout": "5s"}
	var hosts []any
	for _, r := range relays {
		hosts = append(hosts, r.addr())
	}
	raw["hosts"] = hosts
	for k, v := range more {
		raw[k] = v
	}
	return opened(t, func() (*backend.Connection, error) {
		return open(t, raw, backend.Env{Logger: slog.New(slog.DiscardHandler)})
	})
}

func open(t *testing.T, raw map[string]any, env backend.Env) (*backend.Connection, error) {
	t.Helper()
	o, err := New().ParseOptions(raw)
	if err != nil {
		t.Fatal(err)
	}
	return o.Open(t.Context(), env)
}

// point is a read by key.
func point(idempotent bool) *cql.Statement {
	return &cql.Statement{Text: `SELECT c FROM kv WHERE p = ?`, Plan: "test", Idempotent: idempotent}
}

func ask(t *testing.T, s cql.Session, statement *cql.Statement) error {
	t.Helper()
	rows, err := s.Query(t.Context(), cql.Call{Statement: statement, Args: []any{int64(1)}}, cql.Page{})
	if err != nil {
		return err
	}
	c := int64(0)
	rows.Scan(&c)
	return rows.Close()
}

func write(idempotent bool) *cql.Step {
	return &cql.Step{Mode: cql.Single, Calls: []cql.Call{{
		Statement: &cql.Statement{Text: `INSERT INTO kv (p, c) VALUES (?, ?)`, Plan: "test", Idempotent: idempotent},
		Args:      []any{int64(1), int64(1)},
	}}}
}

func condition() *cql.Step {
	return &cql.Step{Mode: cql.Single, Calls: []cql.Call{{
		Statement: &cql.Statement{Text: `INSERT INTO kv (p, c) VALUES (?, ?) IF NOT EXISTS`, Plan: "test", Conditional: true},
		Args:      []any{int64(1), int64(2)},
	}}}
}

func batch(conditional bool) *cql.Step {
	first := *condition()
	if !conditional {
		first = *write(false)
	}
	return &cql.Step{Mode: cql.Logged, Calls: []cql.Call{first.Calls[0], write(true).Calls[0]}, Shown: []string{"p", "c"}}
}

// loopback is for tests that need addresses beside 127.0.0.1.
func loopback(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		needs.Missing(t, "a whole loopback network", "run this test on Linux, where 127.0.0.0/8 is one")
	}
}

// executed counts the requests that carry statements.
func executed(relays ...*relay) int {
	n := 0
	for _, r := range relays {
		n += r.count(opExecute) + r.count(opBatch)
	}
	return n
}

// TestOnlySafeStatementsAreSentTwice: of two hosts one does not answer. What may be
// repeated succeeds on the other; what may not is sent once, and its outcome is
// unknown.
func TestOnlySafeStatementsAreSentTwice(t *testing.T) {
	loopback(t)
	n := cassandratest.Start(t)
	ks := kv(t, n)
	exec := func(step *cql.Step) func(*testing.T, cql.Session) error {
		return func(t *testing.T, s cql.Session) error {
			t.Helper()
			_, err := s.Exec(t.Context(), step)
			return err
		}
	}
	retrying := map[string]any{"timeout": "2s", "retries": 1}
	speculating := map[string]any{"timeout": "10s", "retries": 0, "speculation": map[string]any{"attempts": 1, "delay": "10ms"}}
	never := map[string]any{"timeout": "2s", "retries": 0}
	tests := []struct {
		name    string
		options map[string]any
		do      func(*testing.T, cql.Session) error
		again   bool
	}{
		{"a read is retried", retrying, func(t *testing.T, s cql.Session) error { t.Helper(); return ask(t, s, point(true)) }, true},
		{"an idempotent write is retried", retrying, exec(write(true)), true},
		{"another write is not", retrying, exec(write(false)), false},
		{"a conditional write is not", retrying, exec(condition()), false},
		{"a batch with a write that is not idempotent is not", retrying, exec(batch(false)), false},
		{"a conditional batch is not", retrying, exec(batch(true)), false},
		{"without retries a read is not", never, func(t *testing.T, s cql.Session) error { t.Helper(); return ask(t, s, point(true)) }, false},
		{"a slow read is asked of a further host", speculating, func(t *testing.T, s cql.Session) error { t.Helper(); return ask(t, s, point(true)) }, true},
		{"a slow idempotent write as well", speculating, exec(write(true)), true},
		{"a slow conditional write is not", map[string]any{"timeout": "2s", "retries": 0, "speculation": speculating["speculation"]}, exec(condition()), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // most wait for an answer that does not come
			// gocql takes hosts of one address for one host.
			a, b := newRelay(t, "127.0.0.2", n.Addr()), newRelay(t, "127.0.0.3", n.Addr())
			options := map[string]any{"hostSelection": "round-robin"}
			for k, v := range tt.options {
				options[k] = v
			}
			s := through(t, ks, []*relay{a, b}, options)
			// Which host is asked first is the policy's secret: statements go on until
			// one has met the deaf one.
			eventually(t, "both hosts are asked", func() error {
				if err := tt.do(t, s); err != nil {
					return err
				}
				if executed(a) == 0 || executed(b) == 0 {
					return errors.New("one was not")
				}
				return nil
			})
			a.setDeaf(true)
			metDeaf(t, a, b, tt.again, func() error { return tt.do(t, s) })
		})
	}
}

// metDeaf makes a statement again and again until it was sent to a, which does not
// answer. If it may be sent again it succeeds all the same, on b; if not, it was sent
// once for each time that it was made. That b has not answered in time either shows
// nothing: the database behind it may be slow.
func metDeaf(t *testing.T, a, b *relay, again bool, do func() error) {
	t.Helper()
	beforeA, beforeB := executed(a), executed(b)
	deadline := time.Now().Add(2 * time.Minute)
	for made := 1; ; made++ {
		err := do()
		// Whoever gave up may have done so before the relay was told.
		eventually(t, "what was sent arrives", func() error {
			if sent := executed(a, b) - beforeA - beforeB; sent < made {
				return fmt.Errorf("%d were sent for %d statements", sent, made)
			}
			return nil
		})
		toA, toB := executed(a)-beforeA, executed(b)-beforeB
		var e *cql.Error
		if err != nil && (!errors.As(err, &e) || e.Reach != cql.Sent) {
			t.Fatalf("sent %d times to the host that does not answer, %d to the other: %v", toA, toB, err)
		}
		switch {
		case !again && toA+toB != made:
			t.Fatalf("%d statements were sent %d times: %v", made, toA+toB, err)
		case !again && toA > 0 && err == nil:
			t.Fatal("what was not answered succeeded")
		case !again && toA > 0:
			return
		case again && toA > 0 && err == nil:
			return
		case again && toA > 0 && toB == 0:
			t.Fatalf("only the host that does not answer was asked: %v", err)
		case time.Now().After(deadline):
			t.Fatalf("after %d statements, %d sent to the host that does not answer and %d to the other: %v", made, toA, toB, err)
		}
		if again {
			// Each time counts for itself: of what is sent again, one may still be on its way.
			made, beforeA, beforeB = 0, executed(a), executed(b)
		}
	}
}

func TestOptionsInEffect(t *testing.T) {
	n := cassandratest.Start(t)
	ks := kv(t, n)
	one := func(t *testing.T) []*relay {
		t.Helper()
		return []*relay{newRelay(t, "127.0.0.1", n.Addr())}
	}

	t.Run("maxConns", func(t *testing.T) {
		r := one(t)
		through(t, ks, r, map[string]any{"maxConns": 5})
		eventually(t, "five connections and that of control", func() error {
			if got := r[0].connections(); got != 6 { // those that are open, should one have been lost
				return errors.New(strconv.Itoa(got) + " connections")
			}
			return nil
		})
	})
	t.Run("pageSize", func(t *testing.T) {
		s := through(t, ks, one(t), map[string]any{"pageSize": 2})
		for c := range int64(5) {
			exec(t, s, single(`INSERT INTO kv (p, c) VALUES (?, ?)`, int64(7), c))
		}
		rows, err := s.Query(t.Context(), cql.Call{Statement: point(true), Args: []any{int64(7)}}, cql.Page{})
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for c := int64(0); rows.Scan(&c); {
			count++
		}
		if next := rows.Next(); count != 2 || len(next) == 0 {
			t.Fatalf("%d rows, next page %x", count, next)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("consistency", func(t *testing.T) {
		tests := []struct {
			give                map[string]any
			consistency, serial uint16
		}{
			{nil, uint16(gocql.LocalQuorum), uint16(gocql.LocalSerial)},
			{map[string]any{"consistency": "ALL", "serialConsistency": "SERIAL"}, uint16(gocql.All), uint16(gocql.Serial)},
		}
		for _, tt := range tests {
			r := one(t)
			more := map[string]any{}
			if tt.give != nil {
				more["consistency"] = map[string]any{"default": tt.give}
			}
			s := through(t, ks, r, more)
			if _, err := s.Exec(t.Context(), condition()); err != nil {
				t.Fatal(err)
			}
			if consistency, serial := r[0].levels(t); consistency != tt.consistency || serial != tt.serial {
				t.Fatalf("consistency %#x, serial %#x", consistency, serial)
			}
		}
	})
	t.Run("disableInitialHostLookup", func(t *testing.T) {
		for disabled, wantAsked := range map[bool]bool{true: false, false: true} {
			r := one(t)
			through(t, ks, r, map[string]any{"disableInitialHostLookup": disabled})
			if got := r[0].asked("SELECT * FROM system.peers"); got != wantAsked {
				t.Fatalf("disabled %t: asked for other hosts: %t", disabled, got)
			}
		}
	})
	t.Run("connectTimeout", func(t *testing.T) {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // it never answers
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		_, err = open(t, map[string]any{"hosts": l.Addr().String(), "keyspace": ks, "connectTimeout": "100ms"}, backend.Env{Logger: slog.New(slog.DiscardHandler)})
		// gocql's "within timeout", or "i/o timeout" if it took as long to connect.
		if err == nil || !strings.Contains(err.Error(), "timeout") {
			t.Fatalf("Open() = %v", err)
		}
	})
	t.Run("datacenter and hostSelection", func(t *testing.T) {
		at := map[string]any{"disableInitialHostLookup": false, "datacenter": "datacenter1"}
		if err := ask(t, through(t, ks, one(t), at), point(true)); err != nil {
			t.Fatal(err)
		}
		elsewhere := map[string]any{"hosts": n.Addr(), "keyspace": ks, "datacenter": "mars"}
		if c, err := open(t, elsewhere, backend.Env{Logger: slog.New(slog.DiscardHandler)}); err == nil {
			_ = c.Session.Close()
			t.Fatal("a host of another data center was used")
		}
		elsewhere["hostSelection"] = "dc-aware"
		s := opened(t, func() (*backend.Connection, error) { // dc-aware uses hosts elsewhere
			return open(t, elsewhere, backend.Env{Logger: slog.New(slog.DiscardHandler)})
		})
		if err := ask(t, s, point(true)); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("addressTranslator", func(t *testing.T) {
		loopback(t)
		// The database knows itself as 127.0.0.1; it is reached at 127.0.0.9.
		r := newRelay(t, "127.0.0.9", n.Addr())
		_, port, err := net.SplitHostPort(r.addr())
		if err != nil {
			t.Fatal(err)
		}
		s := through(t, ks, []*relay{r}, map[string]any{"hosts": "127.0.0.9", "port": port, "disableInitialHostLookup": false, "addressTranslator": map[string]any{
			"translator": "fixed-address-translator", "options": map[string]any{"advertised-hostname": "127.0.0.9"},
		}})
		before := r.count(opExecute)
		if err := ask(t, s, point(true)); err != nil {
			t.Fatal(err)
		}
		if r.count(opExecute) != before+1 {
			t.Fatal("the statement went another way")
		}
	})
}

// meter remembers what a session measures.
type meter struct {
	mu     sync.Mutex
	counts map[string]int64
	up     float64
}

func (m *meter) Count(name string, n int64, _ ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = map[string]int64{}
	}
	m.counts[name] += n
}

func (m *meter) Gauge(name string, v float64, _ ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if name == "session_up" {
		m.up = v
	}
}

func (m *meter) count(name string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[name]
}

func (m *meter) isUp() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.up == 1
}

func (m *meter) Time(string, time.Duration, ...string) {}

// TestSessionFollowsADatabaseThatMoves: the host's name means another address from
// one moment to the next, and nothing listens at the old one. The session finds it,
// says so in its metrics, and leaves nothing behind when it is closed.
func TestSessionFollowsADatabaseThatMoves(t *testing.T) {
	n := cassandratest.Start(t)
	ks := kv(t, n)
	leaks := goleak.IgnoreCurrent()
	old, next := newRelay(t, "127.0.0.1", n.Addr()), newRelay(t, "127.0.0.1", n.Addr())
	var mu sync.Mutex
	at := old.addr()
	move := func(to string) {
		mu.Lock()
		defer mu.Unlock()
		at = to
	}
	m := &meter{}
	s := opened(t, func() (*backend.Connection, error) {
		return open(t, map[string]any{"hosts": "db.example", "keyspace": ks, "disableInitialHostLookup": true, "connectTimeout": "2s"}, backend.Env{
			Logger: slog.New(slog.DiscardHandler), Metrics: m,
			Resolve: func(string) []string {
				mu.Lock()
				defer mu.Unlock()
				return []string{at}
			},
		})
	})
	if err := ask(t, s, point(true)); err != nil || !m.isUp() {
		t.Fatalf("at first: %v, up %t", err, m.isUp())
	}
	move("127.0.0.1:1")
	old.close()
	eventually(t, "the loss shows in the metrics", func() error {
		if err := ask(t, s, point(true)); err == nil {
			return errors.New("queries still succeed")
		}
		if m.isUp() || m.count("session_renewal_failed") == 0 {
			return errors.New("the session says it is up")
		}
		return nil
	})
	move(next.addr())
	eventually(t, "the session moves", func() error { return ask(t, s, point(true)) })
	eventually(t, "the metrics say so", func() error { // once the new session is in its place
		if !m.isUp() || m.count("session_renewed") == 0 {
			return fmt.Errorf("up %t, renewed %d times", m.isUp(), m.count("session_renewed"))
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if m.isUp() {
		t.Fatal("a closed session says it is up")
	}
	next.close()
	noLeaks(t, leaks)
}

var _ backend.Metrics = (*meter)(nil)
