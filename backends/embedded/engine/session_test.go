package engine

import (
	"encoding/binary"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// session calls an engine without a network.
type session struct {
	t testing.TB
	e *Engine
}

func openTest(t testing.TB, o Options) *session {
	t.Helper()
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return &session{t, e}
}

// openSchema is an engine in memory with a keyspace ks and some tables.
func openSchema(t testing.TB, d parse.Dialect, tables ...string) *session {
	t.Helper()
	s := openTest(t, Options{Dialect: d, Ephemeral: true})
	s.must("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	for _, text := range tables {
		s.must(text)
	}
	return s
}

func (s *session) query(text string, values ...any) (*server.Result, error) {
	return s.e.Query(s.t.Context(), "ks", text, &server.Params{Values: bindAll(values...)})
}

func (s *session) must(text string, values ...any) *server.Result {
	s.t.Helper()
	res, err := s.query(text, values...)
	if err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	return res
}

func (s *session) prepare(text string) *server.Prepared {
	s.t.Helper()
	p, err := s.e.Prepare(s.t.Context(), "ks", text)
	if err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	return p
}

func (s *session) execute(p *server.Prepared, values ...any) *server.Result {
	s.t.Helper()
	res, err := s.e.Execute(s.t.Context(), p, &server.Params{Values: bindAll(values...)})
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}

// batch runs texts as a native batch.
func (s *session) batch(texts ...string) (*server.Result, error) {
	b := &server.Batch{Keyspace: "ks"}
	for _, text := range texts {
		b.Members = append(b.Members, server.BatchMember{Text: text})
	}
	return s.e.Batch(s.t.Context(), b)
}

func int4(v int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

func bindAll(values ...any) []wire.Value {
	out := make([]wire.Value, len(values))
	for i, v := range values {
		switch x := v.(type) {
		case int32:
			out[i].Data = int4(x)
		case int64:
			out[i].Data = binary.BigEndian.AppendUint64(nil, uint64(x))
		case string:
			out[i].Data = []byte(x)
		case []byte:
			out[i].Data = x
		case nil:
		default:
			panic("bindAll: a type it does not know")
		}
	}
	return out
}

// applied is the first cell of a conditional statement's answer.
func applied(r *server.Result) bool { return len(r.Cells) > 0 && r.Cells[0][0] == 1 }
