package wire_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/datastax/go-cassandra-native-protocol/frame"
	"github.com/datastax/go-cassandra-native-protocol/message"
	"github.com/datastax/go-cassandra-native-protocol/primitive"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

func encoded(b testing.TB, msg message.Message) []byte {
	b.Helper()
	var out bytes.Buffer
	if err := frame.NewCodec().EncodeFrame(frame.NewFrame(4, 1, msg), &out); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()[wire.HeaderSize:]
}

func values(n int) (list []*primitive.Value) {
	for i := range n {
		list = append(list, primitive.NewValue([]byte(fmt.Sprint("value ", i))))
	}
	return list
}

func BenchmarkDecodeExecute(b *testing.B) {
	body := encoded(b, &message.Execute{QueryId: make([]byte, 16), Options: &message.QueryOptions{PositionalValues: values(12), PageSize: 100}})
	var opts wire.Options
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.DecodeExecute(wire.V4, body, &opts); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeBatch(b *testing.B) {
	msg := &message.Batch{}
	for range 8 {
		msg.Children = append(msg.Children, &message.BatchChild{Id: make([]byte, 16), Values: values(12)})
	}
	body := encoded(b, msg)
	var batch wire.Batch
	b.ReportAllocs()
	for b.Loop() {
		if err := batch.Decode(wire.V4, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeRows(b *testing.B) {
	cols := make([]wire.Column, 22)
	for i := range cols {
		cols[i] = wire.Column{Keyspace: "ks", Table: "t", Name: fmt.Sprint("column_", i), Type: cqltype.Native(cqltype.Blob)}
	}
	cells := make([][]byte, 20*22)
	for i := range cells {
		cells[i] = []byte("some cell")
	}
	specs := wire.EncodeSpecs(wire.V4, cols, false)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var start int
		buf, start = wire.BeginFrame(buf[:0], wire.V4, 1, wire.OpResult)
		buf = wire.EndFrame(wire.AppendRows(buf, wire.RowsMeta{Specs: specs}, cells), start, nil)
	}
}

func TestCodecAllocations(t *testing.T) {
	execute := encoded(t, &message.Execute{QueryId: make([]byte, 16), Options: &message.QueryOptions{PositionalValues: values(12)}})
	msg := &message.Batch{}
	for range 8 {
		msg.Children = append(msg.Children, &message.BatchChild{Id: make([]byte, 16), Values: values(12)})
	}
	batchBody := encoded(t, msg)
	var opts wire.Options
	var batch wire.Batch
	for _, tt := range []struct {
		name string
		run  func()
	}{
		{"EXECUTE with 12 values", func() { wire.DecodeExecute(wire.V4, execute, &opts) }},
		{"BATCH of 8 with 12 values", func() { batch.Decode(wire.V4, batchBody) }},
	} {
		if n := testing.AllocsPerRun(100, tt.run); n > 0 {
			t.Errorf("decoding %s into used memory takes %v allocations, want 0", tt.name, n)
		}
	}
}
