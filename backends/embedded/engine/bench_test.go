package engine

import (
	"encoding/binary"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

const benchTable = `CREATE TABLE ks.t (k int, c int, a text, b blob, n bigint, PRIMARY KEY (k, c))`

// openBench is an engine in memory with 100 partitions of 100 rows.
func openBench(b *testing.B) *session {
	s := openTest(b, Options{Dialect: parse.Cassandra, Ephemeral: true})
	s.must("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	s.must(benchTable)
	ins := s.prepare("INSERT INTO ks.t (k, c, a, b, n) VALUES (?, ?, 'text of a column', ?, 7)")
	for i := range 10_000 {
		s.execute(ins, int32(i%100), int32(i/100), make([]byte, 200))
	}
	return s
}

func BenchmarkSelectByKey(b *testing.B) {
	s := openBench(b)
	p := s.prepare("SELECT a, b, n FROM ks.t WHERE k = ? AND c = ?")
	params := &server.Params{Values: []wire.Value{{Data: int4(0)}, {Data: int4(0)}}, Consistency: wire.Quorum}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		binary.BigEndian.PutUint32(params.Values[0].Data, uint32(i%100))
		binary.BigEndian.PutUint32(params.Values[1].Data, uint32(i/100%100))
		if res, err := s.e.Execute(b.Context(), p, params); err != nil || len(res.Cells) != 3 {
			b.Fatal(res, err)
		}
	}
}

func BenchmarkSelectPartition(b *testing.B) {
	s := openBench(b)
	p := s.prepare("SELECT a, b, n FROM ks.t WHERE k = ?")
	params := &server.Params{Values: []wire.Value{{Data: int4(0)}}, PageSize: 5000}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		binary.BigEndian.PutUint32(params.Values[0].Data, uint32(i%100))
		if res, err := s.e.Execute(b.Context(), p, params); err != nil || len(res.Cells) != 300 {
			b.Fatal(len(res.Cells), err)
		}
	}
}

func BenchmarkInsert(b *testing.B) {
	s := openBench(b)
	p := s.prepare("INSERT INTO ks.t (k, c, a, b, n) VALUES (?, ?, 'text of a column', ?, 7)")
	b.ReportAllocs()
	value := make([]byte, 200)
	for i := 0; b.Loop(); i++ {
		s.execute(p, int32(i%100), int32(i/100%100), value)
	}
}

func BenchmarkConditionalBatch(b *testing.B) {
	s := openBench(b)
	up := s.prepare("UPDATE ks.t SET n = ? WHERE k = ? AND c = ? IF n = ?")
	ins := s.prepare("INSERT INTO ks.t (k, c, a, b, n) VALUES (?, ?, 'text of a column', ?, 7)")
	b.ReportAllocs()
	value := make([]byte, 200)
	for i := 0; b.Loop(); i++ {
		m := []server.BatchMember{{Prepared: up, Values: bindAll(int64(7), int32(1), int32(1), int64(7))}}
		for j := range 5 {
			m = append(m, server.BatchMember{Prepared: ins, Values: bindAll(int32(1), int32(100+i%100*5+j), value)})
		}
		res, err := s.e.Batch(b.Context(), &server.Batch{Members: m})
		if err != nil || res.Cells[0][0] != 1 {
			b.Fatal(res, err)
		}
	}
}

func BenchmarkPrepare(b *testing.B) {
	s := openBench(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.e.Prepare(b.Context(), "ks", "UPDATE t USING TTL 0 SET a = ?, b = ? WHERE k = ? AND c = ? IF n = ?"); err != nil {
			b.Fatal(err)
		}
	}
}
