package server_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/datastax/go-cassandra-native-protocol/message"
	"github.com/datastax/go-cassandra-native-protocol/primitive"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

const (
	insert = "INSERT INTO app.kv (k, v) VALUES (?, ?)"
	read   = "SELECT k, v FROM app.kv WHERE k = ?"
	scan   = "SELECT k, v FROM app.kv"
)

func TestAVersionThatIsNotSpokenIsRefusedSoThatDriversStepDown(t *testing.T) {
	for _, v := range []byte{1, 2, 5, 6, 0x42} {
		n := start(t, server.Options{})
		c := dial(t, n)
		c.conn.Write([]byte{v, 0, 0, 7, byte(wire.OpOptions), 0, 0, 0, 0})
		f := c.read()
		e, ok := f.Body.Message.(*message.ProtocolError)
		if !ok || f.Header.Version != primitive.ProtocolVersion4 || f.Header.StreamId != 7 {
			t.Fatalf("version %d: got %v", v, f)
		}
		if !strings.HasSuffix(e.ErrorMessage, "the lowest supported version is 3 and the greatest is 4") {
			t.Fatalf("version %d: text %q, gocql looks for its end", v, e.ErrorMessage)
		}
		c.closed()
	}
}

func TestTheHandshake(t *testing.T) {
	n := start(t, server.Options{})
	c := dial(t, n)
	s, ok := c.ask(&message.Options{}).(*message.Supported)
	if !ok || !reflect.DeepEqual(s.Options["COMPRESSION"], []string{"lz4", "snappy"}) || len(s.Options["CQL_VERSION"]) == 0 {
		t.Fatalf("OPTIONS answered with %+v", s)
	}
	c.startup("")
	if _, ok := c.ask(&message.Register{EventTypes: []primitive.EventType{"STATUS_CHANGE"}}).(*message.Ready); !ok {
		t.Fatal("REGISTER was not answered with READY")
	}

	for _, tt := range []struct {
		name string
		give message.Message
		want string
	}{
		{"a query before STARTUP", query("SELECT 1"), "Unexpected message QUERY, expecting STARTUP or OPTIONS"},
		{"an unknown compression", &message.Startup{Options: map[string]string{"CQL_VERSION": "3.0.0", "COMPRESSION": "zip"}}, "Unknown compression algorithm: zip"},
		{"no CQL version", &message.Startup{Options: map[string]string{}}, "Missing value CQL_VERSION in STARTUP message"},
		{"a token nobody asked for", &message.AuthResponse{}, "Unexpected message AUTH_RESPONSE, expecting STARTUP or OPTIONS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, n)
			e, ok := c.ask(tt.give).(*message.ProtocolError)
			if !ok || e.ErrorMessage != tt.want {
				t.Fatalf("got %+v, want %q", e, tt.want)
			}
			c.closed()
		})
	}

	t.Run("a second STARTUP", func(t *testing.T) {
		c := dial(t, n).startup("")
		if _, ok := c.ask(&message.Startup{Options: map[string]string{"CQL_VERSION": "3.0.0"}}).(*message.ProtocolError); !ok {
			t.Fatal("was not refused")
		}
		c.closed()
	})
	t.Run("another version in the middle", func(t *testing.T) {
		c := dial(t, n).startup("")
		c.version = primitive.ProtocolVersion3
		if _, ok := c.ask(&message.Options{}).(*message.ProtocolError); !ok {
			t.Fatal("was not refused")
		}
		c.closed()
	})
	t.Run("an unknown event", func(t *testing.T) {
		c := dial(t, n).startup("")
		c.conn.Write(append([]byte{4, 0, 0, 7, byte(wire.OpRegister), 0, 0, 0, 5, 0, 1, 0, 1}, 'X'))
		if _, ok := c.read().Body.Message.(*message.ProtocolError); !ok {
			t.Fatal("was not refused")
		}
	})
}

func TestCompressedConversations(t *testing.T) {
	for _, algorithm := range []string{"lz4", "snappy"} {
		t.Run(algorithm, func(t *testing.T) {
			c := dial(t, start(t, server.Options{})).startup(algorithm)
			value := bytes.Repeat([]byte("abc"), 10_000)
			if _, ok := c.ask(query(insert, []byte("k"), value)).(*message.VoidResult); !ok {
				t.Fatal("INSERT failed")
			}
			rows, ok := c.ask(query(read, []byte("k"))).(*message.RowsResult)
			if !ok || !bytes.Equal(rows.Data[0][1], value) {
				t.Fatalf("read back %v", rows)
			}
		})
	}
	t.Run("compressed though nothing was agreed on", func(t *testing.T) {
		c := dial(t, start(t, server.Options{})).startup("")
		c.conn.Write([]byte{4, wire.FlagCompressed, 0, 7, byte(wire.OpQuery), 0, 0, 0, 1, 0})
		if _, ok := c.read().Body.Message.(*message.ProtocolError); !ok {
			t.Fatal("was not refused")
		}
		c.closed()
	})
}

func TestPreparedStatements(t *testing.T) {
	n := start(t, server.Options{})
	c := dial(t, n).startup("")
	p := c.ask(&message.Prepare{Query: insert}).(*message.PreparedResult)
	if want := md5.Sum([]byte(insert)); !bytes.Equal(p.PreparedQueryId, want[:]) {
		t.Fatalf("id %x, want MD5 of the text %x", p.PreparedQueryId, want)
	}
	if !reflect.DeepEqual(p.VariablesMetadata.PkIndices, []uint16{0}) || len(p.VariablesMetadata.Columns) != 2 {
		t.Fatalf("metadata of the markers %+v", p.VariablesMetadata)
	}
	c.ask(query("USE app"))
	in := c.ask(&message.Prepare{Query: insert}).(*message.PreparedResult)
	if want := md5.Sum([]byte("app" + insert)); !bytes.Equal(in.PreparedQueryId, want[:]) {
		t.Fatalf("id in a keyspace %x, want MD5 of keyspace and text %x", in.PreparedQueryId, want)
	}

	other := dial(t, n).startup("") // the cache is common to all connections
	exec := &message.Execute{QueryId: p.PreparedQueryId, Options: query("", []byte("k"), []byte("v")).Options}
	if _, ok := other.ask(exec).(*message.VoidResult); !ok {
		t.Fatal("EXECUTE on another connection failed")
	}
	before := n.engine.prepares.Load()
	other.ask(&message.Prepare{Query: insert})
	if n.engine.prepares.Load() != before {
		t.Fatal("a text that is in the cache was prepared again")
	}

	unknown := []byte("0123456789abcdef")
	u, ok := c.ask(&message.Execute{QueryId: unknown, Options: exec.Options}).(*message.Unprepared)
	if !ok || !bytes.Equal(u.Id, unknown) {
		t.Fatalf("EXECUTE of an unknown id: %v", u)
	}
	batch := &message.Batch{Children: []*message.BatchChild{{Id: unknown}}}
	if u, ok = c.ask(batch).(*message.Unprepared); !ok || !bytes.Equal(u.Id, unknown) {
		t.Fatalf("BATCH with an unknown id: %v", u)
	}

	sel := c.ask(&message.Prepare{Query: read}).(*message.PreparedResult)
	with := query("", []byte("k")).Options
	rows := c.ask(&message.Execute{QueryId: sel.PreparedQueryId, Options: with}).(*message.RowsResult)
	if len(rows.Metadata.Columns) != 2 {
		t.Fatalf("EXECUTE without skip-metadata brought %d columns of metadata, want 2", len(rows.Metadata.Columns))
	}
	with.SkipMetadata = true
	rows = c.ask(&message.Execute{QueryId: sel.PreparedQueryId, Options: with}).(*message.RowsResult)
	if rows.Metadata.Columns != nil || rows.Metadata.ColumnCount != 2 || string(rows.Data[0][1]) != "v" {
		t.Fatalf("EXECUTE with skip-metadata: %+v", rows)
	}
}

func TestAStatementThatTheEngineFindsStaleIsForgotten(t *testing.T) {
	n := start(t, server.Options{})
	c := dial(t, n).startup("")
	p := c.ask(&message.Prepare{Query: insert}).(*message.PreparedResult)
	n.engine.hook = func(context.Context, string, *server.Params) (*server.Result, error) {
		return nil, wire.Errorf(wire.CodeUnprepared, "table was altered")
	}
	opts := query("", []byte("k"), []byte("v")).Options
	for name, msg := range map[string]message.Message{
		"EXECUTE": &message.Execute{QueryId: p.PreparedQueryId, Options: opts},
		"BATCH":   &message.Batch{Children: []*message.BatchChild{{Id: p.PreparedQueryId, Values: opts.PositionalValues}}},
	} {
		c.ask(&message.Prepare{Query: insert})
		if n.Stats().PreparedStatements != 1 {
			t.Fatal("nothing is in the cache")
		}
		u, ok := c.ask(msg).(*message.Unprepared)
		if !ok || !bytes.Equal(u.Id, p.PreparedQueryId) || u.ErrorMessage != "table was altered" {
			t.Fatalf("%s: %v", name, u)
		}
		if got := n.Stats().PreparedStatements; got != 0 {
			t.Fatalf("%s: %d statements are still in the cache", name, got)
		}
	}
}

func TestErrorsOfTheEngineReachTheClient(t *testing.T) {
	n := start(t, server.Options{})
	c := dial(t, n).startup("")
	var give error
	n.engine.hook = func(context.Context, string, *server.Params) (*server.Result, error) { return nil, give }
	for _, tt := range []struct {
		name string
		give error
		want message.Message
	}{
		{"typed", &wire.Error{Code: wire.CodeAlreadyExists, Message: "m", Keyspace: "ks", Table: "t"}, &message.AlreadyExists{ErrorMessage: "m", Keyspace: "ks", Table: "t"}},
		{"wrapped", fmt.Errorf("while: %w", wire.Errorf(wire.CodeInvalid, "m")), &message.Invalid{ErrorMessage: "m"}},
		{"untyped", errors.New("disk full"), &message.ServerError{ErrorMessage: "disk full"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			give = tt.give
			if got := c.ask(query(scan)); !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("got %#v, want %#v", got, tt.want)
			}
		})
	}
	t.Run("panic", func(t *testing.T) {
		n.engine.hook = func(context.Context, string, *server.Params) (*server.Result, error) { panic("oops") }
		if e, ok := c.ask(query(scan)).(*message.ServerError); !ok || !strings.Contains(e.ErrorMessage, "oops") {
			t.Fatalf("got %v", e)
		}
		if n.Stats().Panics != 1 {
			t.Fatal("the panic was not counted")
		}
	})
	if got := n.Stats().Errors[wire.CodeServerError]; got != 2 {
		t.Fatalf("counted %d errors 0x0000, want 2", got)
	}
}

func TestAnEngineMayLeaveARequestUnansweredOrCutTheConnection(t *testing.T) {
	n := start(t, server.Options{})
	c := dial(t, n).startup("")
	n.engine.hook = func(_ context.Context, text string, _ *server.Params) (*server.Result, error) {
		switch text {
		case "silence":
			return nil, server.ErrNoAnswer
		case "cut":
			return nil, server.ErrCut
		}
		return nil, nil
	}
	c.write(1, query("silence"))
	c.write(2, query(scan))
	if got := c.read().Header.StreamId; got != 2 {
		t.Fatalf("answer on stream %d, want 2 only", got)
	}
	c.write(3, query("cut"))
	c.closed()
}

func TestRequestsOfOneConnectionRunSideBySide(t *testing.T) {
	n := start(t, server.Options{})
	release := make(chan struct{})
	n.engine.hook = func(_ context.Context, text string, _ *server.Params) (*server.Result, error) {
		if text == "slow" {
			<-release
			return &server.Result{}, nil
		}
		return nil, nil
	}
	c := dial(t, n).startup("")
	c.write(1, query("slow"))
	c.write(2, query(scan))
	if got := c.read().Header.StreamId; got != 2 {
		t.Fatalf("first answer on stream %d, want 2", got)
	}
	close(release)
	if got := c.read().Header.StreamId; got != 1 {
		t.Fatalf("second answer on stream %d, want 1", got)
	}
}

func TestNoMoreRequestsOfAConnectionRunThanAllowed(t *testing.T) {
	n := start(t, server.Options{MaxStreams: 3})
	release := make(chan struct{})
	var running, most atomic.Int64
	n.engine.hook = func(context.Context, string, *server.Params) (*server.Result, error) {
		now := running.Add(1)
		m := most.Load()
		for now > m && !most.CompareAndSwap(m, now) {
			m = most.Load()
		}
		<-release
		running.Add(-1)
		return &server.Result{}, nil
	}
	c := dial(t, n).startup("")
	for i := range 20 {
		c.write(int16(i), query("slow"))
	}
	eventually(t, "three requests run", func() bool { return running.Load() == 3 })
	close(release)
	for range 20 {
		c.read()
	}
	if got := most.Load(); got != 3 {
		t.Fatalf("%d requests ran at a time, want 3", got)
	}
}

func TestWarningsAndTracing(t *testing.T) {
	n := start(t, server.Options{})
	n.engine.hook = func(context.Context, string, *server.Params) (*server.Result, error) {
		return &server.Result{Warnings: []string{"slow plan"}}, nil
	}
	c := dial(t, n).startup("")
	c.write(1, query(scan))
	if got := c.read().Body.Warnings; !reflect.DeepEqual(got, []string{"slow plan"}) {
		t.Fatalf("warnings %v", got)
	}
	body := []byte{0, 0, 0, 1, 'x', 0, 1, 0}
	c.conn.Write(append([]byte{4, wire.FlagTracing, 0, 1, byte(wire.OpQuery), 0, 0, 0, byte(len(body))}, body...))
	if got := c.read().Body.Warnings; len(got) != 2 || !strings.Contains(got[1], "not supported by the embedded engine") {
		t.Fatalf("warnings of a traced query %v", got)
	}
}

func TestSchemaEventsGoToWhoRegistered(t *testing.T) {
	create := "CREATE TABLE app.kv (k text PRIMARY KEY)"
	for _, tt := range []struct {
		personality server.Personality
		others      bool
	}{{server.Cassandra, true}, {server.YCQL, false}} {
		t.Run(string(tt.personality), func(t *testing.T) {
			n := start(t, server.Options{Personality: tt.personality})
			maker, other, deaf := dial(t, n).startup(""), dial(t, n).startup(""), dial(t, n).startup("")
			for _, c := range []*rawClient{maker, other} {
				c.ask(&message.Register{EventTypes: []primitive.EventType{"SCHEMA_CHANGE"}})
			}
			if _, ok := maker.ask(query(create)).(*message.SchemaChangeResult); !ok {
				t.Fatal("DDL was not answered with its change")
			}
			want := &message.SchemaChangeEvent{ChangeType: "CREATED", Target: "TABLE", Keyspace: "app", Object: "kv"}
			hears := []*rawClient{maker}
			if tt.others {
				hears = append(hears, other)
			}
			for i, c := range hears {
				f := c.read()
				if !reflect.DeepEqual(f.Body.Message, want) || f.Header.StreamId != -1 {
					t.Fatalf("client %d heard %v on stream %d", i, f.Body.Message, f.Header.StreamId)
				}
			}
			// Nobody else hears anything before the answer to his next question.
			for _, c := range []*rawClient{other, deaf} {
				c.ask(query(scan))
			}
			n.NotifySchema(&wire.SchemaChange{Kind: wire.Dropped, Target: wire.TargetKeyspace, Keyspace: "app"})
			for _, c := range []*rawClient{maker, other} {
				if _, ok := c.read().Body.Message.(*message.SchemaChangeEvent); !ok {
					t.Fatal("a change that no client made was not announced")
				}
			}
		})
	}
}

// answering is a listener whose connections call before each write of the server.
type answering struct {
	net.Listener
	before func()
}

func (l *answering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return answeringConn{c.(*net.TCPConn), l.before}, nil
}

type answeringConn struct {
	*net.TCPConn
	before func()
}

func (c answeringConn) Write(b []byte) (int, error) {
	c.before()
	return c.TCPConn.Write(b)
}

// TestWhoWasToldThatHeIsRegisteredIs: a change may be made as soon as he reads it.
func TestWhoWasToldThatHeIsRegisteredIs(t *testing.T) {
	var n *node
	var registering atomic.Bool
	n = startOn(t, server.Options{}, func(l net.Listener) net.Listener {
		return &answering{l, func() {
			if registering.CompareAndSwap(true, false) {
				n.NotifySchema(&wire.SchemaChange{Kind: wire.Dropped, Target: wire.TargetKeyspace, Keyspace: "app"})
			}
		}}
	})
	c := dial(t, n).startup("")
	registering.Store(true)
	if _, ok := c.ask(&message.Register{EventTypes: []primitive.EventType{"SCHEMA_CHANGE"}}).(*message.Ready); !ok {
		t.Fatal("REGISTER was not answered with READY")
	}
	c.write(1, query(scan))
	if got := c.read().Body.Message; !reflect.DeepEqual(got, &message.SchemaChangeEvent{ChangeType: "DROPPED", Target: "KEYSPACE", Keyspace: "app"}) {
		t.Fatalf("heard %v, want the change", got)
	}
}

type oneUser struct{ user, password string }

func (o oneUser) Authenticate(_ context.Context, user, password string) error {
	if user != o.user || password != o.password {
		return errors.New("no such user or password")
	}
	return nil
}

func TestLogin(t *testing.T) {
	n := start(t, server.Options{Authenticator: oneUser{"ann", "s3cret"}, HandshakeTimeout: patience})
	start := &message.Startup{Options: map[string]string{"CQL_VERSION": "3.0.0"}}
	c := dial(t, n)
	a, ok := c.ask(start).(*message.Authenticate)
	if !ok || a.Authenticator != "org.apache.cassandra.auth.PasswordAuthenticator" {
		t.Fatalf("STARTUP answered with %v", a)
	}
	for _, token := range []string{"\x00ann\x00wrong", "\x00\x00s3cret", "annsecret", ""} {
		if _, ok := c.ask(&message.AuthResponse{Token: []byte(token)}).(*message.AuthenticationError); !ok {
			t.Fatalf("token %q was not refused", token)
		}
	}
	if _, ok := c.ask(&message.AuthResponse{Token: []byte("\x00ann\x00s3cret")}).(*message.AuthSuccess); !ok {
		t.Fatal("the right password was refused")
	}
	if _, ok := c.ask(query(scan)).(*message.RowsResult); !ok {
		t.Fatal("query after login failed")
	}
	if got := n.Connections()[0].User; got != "ann" {
		t.Fatalf("user is %q", got)
	}

	sneaky := dial(t, n)
	sneaky.ask(start)
	if _, ok := sneaky.ask(query(scan)).(*message.ProtocolError); !ok {
		t.Fatal("a query before login was not refused")
	}
	sneaky.closed()
	if got := n.Stats().FailedLogins; got != 4 {
		t.Fatalf("%d failed logins, want 4", got)
	}
}

func TestWhoDoesNotLogInInTimeIsCutOff(t *testing.T) {
	n := start(t, server.Options{Authenticator: oneUser{"a", "b"}, HandshakeTimeout: 20 * time.Millisecond})
	c := dial(t, n)
	// What it says meanwhile does not help, if it is not cut off before that.
	c.conn.Write(c.encode(1, &message.Options{}))
	c.closed()
}

func TestConnectionsAboveTheLimitAreClosed(t *testing.T) {
	n := start(t, server.Options{MaxConnections: 2})
	a, b := dial(t, n).startup(""), dial(t, n).startup("")
	dial(t, n).closed()
	if got := n.Stats(); got.Refused != 1 || got.Connections != 2 {
		t.Fatalf("refused %d, open %d; want 1 and 2", got.Refused, got.Connections)
	}
	a.conn.Close()
	eventually(t, "a place is free", func() bool { return n.Stats().Connections == 1 })
	dial(t, n).startup("")
	b.ask(query(scan))
}

func TestARequestAboveTheLimitIsRefusedAndTheConnectionGoesOn(t *testing.T) {
	n := start(t, server.Options{MaxFrame: 10_000})
	c := dial(t, n).startup("")
	e, ok := c.ask(query(insert, []byte("k"), make([]byte, 100_000))).(*message.Invalid)
	if !ok || !strings.Contains(e.ErrorMessage, "exceeds maximum allowed length 10000") {
		t.Fatalf("got %v", e)
	}
	if _, ok := c.ask(query(scan)).(*message.RowsResult); !ok {
		t.Fatal("the connection did not go on")
	}
}

func TestRequestsAboveTheSumAreOverloaded(t *testing.T) {
	n := start(t, server.Options{MaxRequestSum: 50_000})
	release := make(chan struct{})
	var running atomic.Int64
	n.engine.hook = func(_ context.Context, text string, _ *server.Params) (*server.Result, error) {
		if text == "slow" {
			running.Add(1)
			<-release
			return &server.Result{}, nil
		}
		return nil, nil
	}
	c, other := dial(t, n).startup(""), dial(t, n).startup("")
	c.write(1, query("slow", make([]byte, 40_000)))
	eventually(t, "the request runs", func() bool { return running.Load() == 1 })
	if e, ok := other.ask(query("slow", make([]byte, 20_000))).(*message.Overloaded); !ok {
		t.Fatalf("got %v, want OVERLOADED", e)
	}
	close(release)
	c.read()
	// An answer is sent before its request's memory is given back.
	eventually(t, "the budget is given back", func() bool { return n.Stats().RequestBytes == 0 })
	if _, ok := other.ask(query("slow", make([]byte, 20_000))).(*message.VoidResult); !ok {
		t.Fatal("a request was refused with the whole budget free")
	}
	eventually(t, "the budget is given back", func() bool { return n.Stats().RequestBytes == 0 })
	if got := n.Stats().Overloaded; got != 1 {
		t.Fatalf("overloaded %d, want 1", got)
	}
}

func TestCountersAddUpByHand(t *testing.T) {
	n := start(t, server.Options{})
	conn, err := n.pipe.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	reads := &countedReads{Conn: conn}
	c := newRaw(t, reads).startup("")
	// An answer is counted when it is written, so its client may have it before. The
	// server's own sums are the last to know (Counters.addOut).
	counts := func() server.Counts {
		eventually(t, "all that was read is counted", func() bool { return n.Stats().BytesOut == reads.bytes })
		return n.counters.Counts()
	}
	before := counts()
	if before.Requests != 0 || before.BytesIn != 9+2+(2+11)+(2+5) {
		t.Fatalf("after STARTUP: %+v", before)
	}
	p := c.ask(&message.Prepare{Query: insert}).(*message.PreparedResult)
	for _, k := range []string{"a", "b"} {
		c.ask(&message.Execute{QueryId: p.PreparedQueryId, Options: query("", []byte(k), []byte("v")).Options})
	}
	c.ask(&message.Batch{Children: []*message.BatchChild{
		{Id: p.PreparedQueryId, Values: query("", []byte("c"), []byte("v")).Options.PositionalValues},
		{Query: insert, Values: query("", []byte("d"), []byte("v")).Options.PositionalValues},
	}})
	c.ask(query("BEGIN TRANSACTION", []byte("e"), []byte("v"), []byte("f"), []byte("v")))
	c.ask(query(scan))
	got := counts().Sub(before)
	want := server.Counts{
		Requests: 5, Prepares: 1, // two EXECUTE, BATCH, block, scan
		Rounds: 2 + 1 + 2 + 1, Commits: 1, Statements: 2 + 2 + 2 + 1, Rows: 6,
		BytesIn: got.BytesIn, BytesOut: got.BytesOut,
	}
	if got != want {
		t.Fatalf("counted %+v\nwant    %+v", got, want)
	}
	// The scan: header, text, consistency, flags. Its answer: header, kind, flags,
	// columns, "app", "kv", "k" text, "v" blob, rows, and 6 rows of two cells of 1 byte.
	before = counts()
	c.ask(query(scan))
	got = counts().Sub(before)
	if in, out := int64(9+4+len(scan)+2+1), int64(9+4+4+4+5+4+(3+2)*2+4+6*2*5); got.BytesIn != in || got.BytesOut != out {
		t.Fatalf("%d bytes in, %d out; want %d and %d", got.BytesIn, got.BytesOut, in, out)
	}
	if info := n.Connections(); len(info) != 1 || info[0].Counts != n.counters.Counts() {
		t.Fatalf("the connection's own counters differ: %+v", info)
	}
	if all := n.Stats(); all.Counts != n.counters.Counts() {
		t.Fatalf("the server's sums differ: %+v", all.Counts)
	}
}

// countedReads counts the bytes that a client has read, which is one goroutine.
type countedReads struct {
	net.Conn
	bytes int64
}

func (c *countedReads) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.bytes += int64(n)
	return n, err
}

func TestCloseLetsRequestsFinish(t *testing.T) {
	opts := server.Options{Personality: server.Cassandra}
	engine := newFake(server.Cassandra)
	release, running := make(chan struct{}), make(chan struct{})
	engine.hook = func(ctx context.Context, _ string, _ *server.Params) (*server.Result, error) {
		close(running)
		<-release
		return &server.Result{}, ctx.Err()
	}
	s, err := server.New(engine, opts)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l, nil) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	idle, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	newRaw(t, idle).startup("")
	c := newRaw(t, conn).startup("")
	c.write(1, query("slow"))
	<-running
	closed := make(chan error, 1)
	go func() { closed <- s.Close(context.Background()) }()
	if err := <-served; !errors.Is(err, server.ErrClosed) {
		t.Fatalf("Serve() = %v, want ErrClosed", err)
	}
	close(release)
	if _, ok := c.read().Body.Message.(*message.VoidResult); !ok {
		t.Fatal("the request that ran was not answered")
	}
	if err := <-closed; err != nil {
		t.Fatalf("Close() = %v", err)
	}
	c.closed()
	if err := s.Serve(l, nil); !errors.Is(err, server.ErrClosed) {
		t.Fatalf("Serve() after Close = %v", err)
	}
}

func TestCloseCutsOffWhatDoesNotEnd(t *testing.T) {
	engine := newFake(server.Cassandra)
	running := make(chan struct{})
	engine.hook = func(ctx context.Context, _ string, _ *server.Params) (*server.Result, error) {
		close(running)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	s, err := server.New(engine, server.Options{Personality: server.Cassandra})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l, nil)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := newRaw(t, conn).startup("")
	c.write(1, query("endless"))
	<-running
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Close() = %v, want its deadline", err)
	}
	c.closed()
}

func TestOptionsThatCannotBe(t *testing.T) {
	for _, opts := range []server.Options{{}, {Personality: "oracle"}, {Personality: server.YCQL, MaxStreams: -1}} {
		if _, err := server.New(nil, opts); err == nil {
			t.Errorf("%+v was accepted", opts)
		}
	}
}
