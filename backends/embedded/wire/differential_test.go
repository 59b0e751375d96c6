package wire_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/datastax/go-cassandra-native-protocol/compression/lz4"
	"github.com/datastax/go-cassandra-native-protocol/compression/snappy"
	"github.com/datastax/go-cassandra-native-protocol/datatype"
	"github.com/datastax/go-cassandra-native-protocol/frame"
	"github.com/datastax/go-cassandra-native-protocol/message"
	"github.com/datastax/go-cassandra-native-protocol/primitive"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// The tests here hold this package against an independent codec: what that one
// encodes is decoded here, and the other way round.

func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("CQL_TEST_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("CQL_TEST_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("seed %d (CQL_TEST_SEED repeats it)", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

const rounds = 2000

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func randBytes(r *rand.Rand) []byte {
	b := make([]byte, pick(r, 0, 1, 5, 40, 700))
	for i := range b {
		b[i] = byte(r.IntN(4)) // compressible
	}
	return b
}

func randString(r *rand.Rand) string {
	return pick(r, "", "a", "key", "Größe", "select * from t where k = ?", string(bytes.Repeat([]byte("xyz "), r.IntN(300))))
}

func randValue(r *rand.Rand, v wire.Version) (*primitive.Value, wire.Value) {
	switch n := r.IntN(10); {
	case n == 0:
		return primitive.NewNullValue(), wire.Value{}
	case n == 1 && v >= wire.V4:
		return primitive.NewUnsetValue(), wire.Value{Unset: true}
	}
	b := randBytes(r)
	return primitive.NewValue(b), wire.Value{Data: b}
}

func randOptions(r *rand.Rand, v wire.Version) (*message.QueryOptions, wire.Options) {
	cl := uint16(r.IntN(11))
	theirs := &message.QueryOptions{Consistency: primitive.ConsistencyLevel(cl)}
	ours := wire.Options{Consistency: wire.Consistency(cl)}
	switch r.IntN(3) {
	case 1:
		for range 1 + r.IntN(5) {
			p, w := randValue(r, v)
			theirs.PositionalValues = append(theirs.PositionalValues, p)
			ours.Values = append(ours.Values, w)
		}
	case 2:
		theirs.NamedValues = map[string]*primitive.Value{}
		for i := range 1 + r.IntN(5) {
			p, w := randValue(r, v)
			name := fmt.Sprint("n", i)
			theirs.NamedValues[name] = p
			ours.Names, ours.Values = append(ours.Names, name), append(ours.Values, w)
		}
	}
	if r.IntN(2) == 0 {
		theirs.SkipMetadata, ours.SkipMetadata = true, true
	}
	if r.IntN(2) == 0 {
		theirs.PageSize = 1 + r.Int32N(5000)
		ours.PageSize = theirs.PageSize
	}
	if r.IntN(2) == 0 {
		theirs.PagingState = append(randBytes(r), 1)
		ours.PagingState = theirs.PagingState
	}
	if r.IntN(2) == 0 {
		cl := primitive.ConsistencyLevel(8 + r.IntN(2))
		theirs.SerialConsistency, ours.SerialConsistency = &cl, wire.Consistency(cl)
	}
	if r.IntN(2) == 0 {
		ts := r.Int64()
		theirs.DefaultTimestamp, ours.Timestamp, ours.HasTimestamp = &ts, ts, true
	}
	return theirs, ours
}

// byName sorts values by their names: the other codec encodes them in the order of
// a Go map.
func byName(o wire.Options) wire.Options {
	if o.Names == nil {
		return o
	}
	at := make([]int, len(o.Names))
	for i := range at {
		at[i] = i
	}
	slices.SortFunc(at, func(a, b int) int { return bytes.Compare([]byte(o.Names[a]), []byte(o.Names[b])) })
	names, values := o.Names, o.Values
	o.Names, o.Values = nil, nil
	for _, i := range at {
		o.Names, o.Values = append(o.Names, names[i]), append(o.Values, values[i])
	}
	return o
}

func codecs(r *rand.Rand) (frame.Codec, wire.Compressor) {
	switch r.IntN(3) {
	case 1:
		c, _ := wire.CompressorFor("LZ4")
		return frame.NewCodecWithCompression(lz4.Compressor{}), c
	case 2:
		c, _ := wire.CompressorFor("snappy")
		return frame.NewCodecWithCompression(snappy.Compressor{}), c
	}
	return frame.NewCodec(), nil
}

// receive encodes msg with the other codec and reads the frame here.
func receive(t *testing.T, r *rand.Rand, v wire.Version, msg message.Message) []byte {
	t.Helper()
	codec, compressor := codecs(r)
	stream := int16(r.IntN(1 << 15))
	f := frame.NewFrame(primitive.ProtocolVersion(v), stream, msg)
	f.SetCompress(compressor != nil && r.IntN(2) == 0)
	if v >= wire.V4 && r.IntN(4) == 0 {
		f.SetCustomPayload(map[string][]byte{"k": randBytes(r), "": nil})
	}
	var sent bytes.Buffer
	if err := codec.EncodeFrame(f, &sent); err != nil {
		t.Fatal(err)
	}
	reader := wire.Reader{R: &sent, MaxFrame: 1 << 20}
	h, body, err := reader.Next(nil)
	if err != nil {
		t.Fatal(err)
	}
	if h.Stream != stream || h.Version != v || h.Op != wire.Opcode(msg.GetOpCode()) || h.Response {
		t.Fatalf("header %+v of %v on stream %d", h, msg, stream)
	}
	if h.Flags&wire.FlagCompressed != 0 {
		if body, err = compressor.Decompress(nil, body, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	if body, err = wire.Body(h, body); err != nil {
		t.Fatal(err)
	}
	return body
}

func TestRequestsOfAnotherCodecAreUnderstood(t *testing.T) {
	r := seeded(t)
	var opts wire.Options
	var batch wire.Batch
	for range rounds {
		v := pick(r, wire.V3, wire.V4)
		text := randString(r)
		theirs, ours := randOptions(r, v)
		if text != "" {
			got, err := wire.DecodeQuery(v, receive(t, r, v, &message.Query{Query: text, Options: theirs}), &opts)
			if err != nil || got != text {
				t.Fatalf("QUERY: text %q, %v; want %q", got, err, text)
			}
			same(t, "QUERY", byName(opts), ours)
		}
		id := append(randBytes(r), 7)
		gotID, err := wire.DecodeExecute(v, receive(t, r, v, &message.Execute{QueryId: id, Options: theirs}), &opts)
		if err != nil || !bytes.Equal(gotID, id) {
			t.Fatalf("EXECUTE: id %x, %v; want %x", gotID, err, id)
		}
		same(t, "EXECUTE", byName(opts), ours)
		if text != "" {
			if got, err := wire.DecodePrepare(receive(t, r, v, &message.Prepare{Query: text})); err != nil || got != text {
				t.Fatalf("PREPARE: %q, %v; want %q", got, err, text)
			}
		}
		token := randBytes(r)
		if got, err := wire.DecodeAuthResponse(receive(t, r, v, &message.AuthResponse{Token: token})); err != nil || !bytes.Equal(got, token) {
			t.Fatalf("AUTH_RESPONSE: %x, %v; want %x", got, err, token)
		}
		decodeBatch(t, r, v, &batch)
	}
	options := map[string]string{"CQL_VERSION": "3.0.0", "COMPRESSION": "lz4"}
	if got, err := wire.DecodeStartup(receive(t, r, wire.V4, &message.Startup{Options: options})); err != nil || !reflect.DeepEqual(got, options) {
		t.Fatalf("STARTUP: %v, %v; want %v", got, err, options)
	}
	events := []primitive.EventType{"TOPOLOGY_CHANGE", "SCHEMA_CHANGE"}
	got, err := wire.DecodeRegister(receive(t, r, wire.V4, &message.Register{EventTypes: events}))
	if err != nil || !slices.Equal(got, []string{"TOPOLOGY_CHANGE", "SCHEMA_CHANGE"}) {
		t.Fatalf("REGISTER: %v, %v", got, err)
	}
}

func decodeBatch(t *testing.T, r *rand.Rand, v wire.Version, batch *wire.Batch) {
	t.Helper()
	cl := uint16(r.IntN(11))
	theirs := &message.Batch{Type: primitive.BatchType(r.IntN(3)), Consistency: primitive.ConsistencyLevel(cl)}
	var want []wire.BatchMember
	for range 1 + r.IntN(6) {
		child, m := &message.BatchChild{}, wire.BatchMember{}
		if r.IntN(2) == 0 {
			child.Query = "insert " + randString(r)
			m.Text = child.Query
		} else {
			child.Id = append(randBytes(r), 9)
			m.ID = child.Id
		}
		for range r.IntN(4) {
			p, w := randValue(r, v)
			child.Values, m.Values = append(child.Values, p), append(m.Values, w)
		}
		theirs.Children, want = append(theirs.Children, child), append(want, m)
	}
	ts, serial := r.Int64(), primitive.ConsistencyLevelLocalSerial
	if r.IntN(2) == 0 {
		theirs.DefaultTimestamp, theirs.SerialConsistency = &ts, &serial
	}
	if err := batch.Decode(v, receive(t, r, v, theirs)); err != nil {
		t.Fatal(err)
	}
	if len(batch.Members) != len(want) || batch.Type != wire.BatchType(theirs.Type) || uint16(batch.Consistency) != cl {
		t.Fatalf("BATCH: %+v, want %+v", batch, theirs)
	}
	for i, m := range batch.Members {
		same(t, "member of BATCH", normal(m.Values), normal(want[i].Values))
		if m.Text != want[i].Text || !bytes.Equal(m.ID, want[i].ID) || (m.ID == nil) != (want[i].ID == nil) {
			t.Fatalf("member %d of BATCH: %+v, want %+v", i, m, want[i])
		}
	}
	if theirs.DefaultTimestamp != nil && (!batch.HasTimestamp || batch.Timestamp != ts || batch.SerialConsistency != wire.LocalSerial) {
		t.Fatalf("BATCH: timestamp %d, serial consistency %s", batch.Timestamp, batch.SerialConsistency)
	}
}

// normal makes "no values" one thing, nil or empty.
func normal(v []wire.Value) []wire.Value {
	if len(v) == 0 {
		return nil
	}
	return v
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if o, ok := got.(wire.Options); ok {
		o.Values = normal(o.Values)
		got = o
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: decoded %+v\nwant %+v", what, got, want)
	}
}

// deliver decodes with the other codec what this package encoded.
func deliver(t *testing.T, r *rand.Rand, v wire.Version, op wire.Opcode, warnings []string, body func(b []byte) []byte) *frame.Frame {
	t.Helper()
	codec, compressor := codecs(r)
	// Frames follow each other in one buffer, as in the server.
	b, first := wire.BeginFrame(nil, v, 1, wire.OpReady)
	b = wire.EndFrame(b, first, compressor)
	b, start := wire.BeginFrameWarned(b, v, 42, op, warnings)
	b = wire.EndFrame(body(b), start, compressor)
	src := bytes.NewReader(b)
	if _, err := codec.DecodeFrame(src); err != nil {
		t.Fatal(err)
	}
	f, err := codec.DecodeFrame(src)
	if err != nil {
		t.Fatalf("%s of version %d: %v\n%x", op, v, err, b)
	}
	if src.Len() != 0 || f.Header.StreamId != 42 || !f.Header.IsResponse {
		t.Fatalf("%d bytes left, header %v", src.Len(), f.Header)
	}
	if v >= wire.V4 && !slices.Equal(f.Body.Warnings, warnings) {
		t.Fatalf("warnings %v, want %v", f.Body.Warnings, warnings)
	}
	return f
}

func TestErrorsAreUnderstoodByAnotherCodec(t *testing.T) {
	r := seeded(t)
	const cl, theirCL = wire.Quorum, primitive.ConsistencyLevelQuorum
	m := "what went wrong"
	for _, tt := range []struct {
		give   wire.Error
		v4, v3 message.Message // nil: v3 as v4
	}{
		{wire.Error{Code: wire.CodeServerError, Message: m}, &message.ServerError{ErrorMessage: m}, nil},
		{wire.Error{Code: wire.CodeProtocolError, Message: m}, &message.ProtocolError{ErrorMessage: m}, nil},
		{wire.Error{Code: wire.CodeBadCredentials, Message: m}, &message.AuthenticationError{ErrorMessage: m}, nil},
		{
			wire.Error{Code: wire.CodeUnavailable, Message: m, Consistency: cl, Required: 3, Received: 1},
			&message.Unavailable{ErrorMessage: m, Consistency: theirCL, Required: 3, Alive: 1}, nil,
		},
		{wire.Error{Code: wire.CodeOverloaded, Message: m}, &message.Overloaded{ErrorMessage: m}, nil},
		{wire.Error{Code: wire.CodeBootstrapping, Message: m}, &message.IsBootstrapping{ErrorMessage: m}, nil},
		{wire.Error{Code: wire.CodeTruncate, Message: m}, &message.TruncateError{ErrorMessage: m}, nil},
		{
			wire.Error{Code: wire.CodeWriteTimeout, Message: m, Consistency: cl, Received: 1, Required: 2, WriteType: "CAS"},
			&message.WriteTimeout{ErrorMessage: m, Consistency: theirCL, Received: 1, BlockFor: 2, WriteType: "CAS"}, nil,
		},
		{
			wire.Error{Code: wire.CodeReadTimeout, Message: m, Consistency: cl, Received: 1, Required: 2, DataPresent: true},
			&message.ReadTimeout{ErrorMessage: m, Consistency: theirCL, Received: 1, BlockFor: 2, DataPresent: true}, nil,
		},
		{
			wire.Error{Code: wire.CodeReadFailure, Message: m, Consistency: cl, Received: 1, Required: 2, Failures: 1},
			&message.ReadFailure{ErrorMessage: m, Consistency: theirCL, Received: 1, BlockFor: 2, NumFailures: 1},
			&message.ReadTimeout{ErrorMessage: m, Consistency: theirCL, Received: 1, BlockFor: 2},
		},
		{
			wire.Error{Code: wire.CodeWriteFailure, Message: m, Consistency: cl, Received: 1, Required: 2, Failures: 1, WriteType: "SIMPLE"},
			&message.WriteFailure{ErrorMessage: m, Consistency: theirCL, Received: 1, BlockFor: 2, NumFailures: 1, WriteType: "SIMPLE"},
			&message.WriteTimeout{ErrorMessage: m, Consistency: theirCL, Received: 1, BlockFor: 2, WriteType: "SIMPLE"},
		},
		{
			wire.Error{Code: wire.CodeFunctionFailure, Message: m, Keyspace: "ks", Function: "f", Args: []string{"int", "text"}},
			&message.FunctionFailure{ErrorMessage: m, Keyspace: "ks", Function: "f", Arguments: []string{"int", "text"}},
			&message.Invalid{ErrorMessage: m},
		},
		{wire.Error{Code: wire.CodeSyntaxError, Message: m}, &message.SyntaxError{ErrorMessage: m}, nil},
		{wire.Error{Code: wire.CodeUnauthorized, Message: m}, &message.Unauthorized{ErrorMessage: m}, nil},
		{wire.Error{Code: wire.CodeInvalid, Message: m}, &message.Invalid{ErrorMessage: m}, nil},
		{wire.Error{Code: wire.CodeConfigError, Message: m}, &message.ConfigError{ErrorMessage: m}, nil},
		{
			wire.Error{Code: wire.CodeAlreadyExists, Message: m, Keyspace: "ks", Table: "t"},
			&message.AlreadyExists{ErrorMessage: m, Keyspace: "ks", Table: "t"}, nil,
		},
		{
			wire.Error{Code: wire.CodeUnprepared, Message: m, ID: []byte("0123456789abcdef")},
			&message.Unprepared{ErrorMessage: m, Id: []byte("0123456789abcdef")}, nil,
		},
	} {
		for _, v := range []wire.Version{wire.V3, wire.V4} {
			want := tt.v4
			if v == wire.V3 && tt.v3 != nil {
				want = tt.v3
			}
			f := deliver(t, r, v, wire.OpError, nil, func(b []byte) []byte { return wire.AppendError(b, v, &tt.give) })
			if !reflect.DeepEqual(f.Body.Message, want) {
				t.Errorf("version %d: %#v\nwant %#v", v, f.Body.Message, want)
			}
		}
	}
}

func TestAnErrorThatQuotesALongStatementIsCutBetweenCharacters(t *testing.T) {
	long := string(bytes.Repeat([]byte("ä"), 40_000))
	f := deliver(t, seeded(t), wire.V4, wire.OpError, nil, func(b []byte) []byte {
		return wire.AppendError(b, wire.V4, &wire.Error{Code: wire.CodeInvalid, Message: "x" + long})
	})
	got := f.Body.Message.(*message.Invalid).ErrorMessage
	if want := "x" + long[:65534]; got != want {
		t.Fatalf("got %d bytes, want %d", len(got), len(want))
	}
}

// types pairs types with what the other codec makes of them in version 4 and 3.
func randType(t *testing.T, r *rand.Rand, v wire.Version, depth int) (*cqltype.Type, datatype.DataType) {
	t.Helper()
	custom := func(class string) datatype.DataType {
		return datatype.NewCustom("org.apache.cassandra.db.marshal." + class)
	}
	if depth > 0 && r.IntN(2) == 0 {
		a, ta := randType(t, r, v, depth-1)
		b, tb := randType(t, r, v, depth-1)
		switch r.IntN(5) {
		case 0:
			return cqltype.ListOf(a, true), datatype.NewList(ta)
		case 1:
			return cqltype.SetOf(a, false), datatype.NewSet(ta)
		case 2:
			return cqltype.MapOf(a, b, true), datatype.NewMap(ta, tb)
		case 3:
			return cqltype.TupleOf(a, b), datatype.NewTuple(ta, tb)
		default:
			udt, err := datatype.NewUserDefined("ks", "addr", []string{"street", "no"}, []datatype.DataType{ta, tb})
			if err != nil {
				t.Fatal(err)
			}
			return cqltype.UDTOf("ks", "addr", []string{"street", "no"}, []*cqltype.Type{a, b}, true), udt
		}
	}
	theirs := map[cqltype.Kind]datatype.DataType{
		cqltype.ASCII: datatype.Ascii, cqltype.Bigint: datatype.Bigint, cqltype.Blob: datatype.Blob, cqltype.Boolean: datatype.Boolean,
		cqltype.Counter: datatype.Counter, cqltype.Decimal: datatype.Decimal, cqltype.Double: datatype.Double, cqltype.Float: datatype.Float,
		cqltype.Int: datatype.Int, cqltype.Timestamp: datatype.Timestamp, cqltype.UUID: datatype.Uuid, cqltype.Text: datatype.Varchar,
		cqltype.Varint: datatype.Varint, cqltype.Timeuuid: datatype.Timeuuid, cqltype.Inet: datatype.Inet, cqltype.Date: datatype.Date,
		cqltype.Time: datatype.Time, cqltype.Smallint: datatype.Smallint, cqltype.Tinyint: datatype.Tinyint,
		cqltype.Duration: custom("DurationType"),
	}
	if v == wire.V3 {
		theirs[cqltype.Date], theirs[cqltype.Time] = custom("SimpleDateType"), custom("TimeType")
		theirs[cqltype.Smallint], theirs[cqltype.Tinyint] = custom("ShortType"), custom("ByteType")
	}
	kinds := make([]cqltype.Kind, 0, len(theirs))
	for k := range theirs {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	k := pick(r, kinds...)
	return cqltype.Native(k), theirs[k]
}

func randColumns(t *testing.T, r *rand.Rand, v wire.Version, n int) (ours []wire.Column, theirs []*message.ColumnMetadata) {
	t.Helper()
	oneTable := r.IntN(2) == 0
	for i := range n {
		typ, dt := randType(t, r, v, 2)
		c := wire.Column{Keyspace: "ks", Table: "t", Name: fmt.Sprint("c", i), Type: typ}
		if !oneTable {
			c.Keyspace, c.Table = pick(r, "ks", "ks2"), pick(r, "t", "t2")
		}
		ours = append(ours, c)
		theirs = append(theirs, &message.ColumnMetadata{Keyspace: c.Keyspace, Table: c.Table, Name: c.Name, Type: dt})
	}
	return ours, theirs
}

func TestResultsAreUnderstoodByAnotherCodec(t *testing.T) {
	r := seeded(t)
	for range rounds {
		v := pick(r, wire.V3, wire.V4)
		var warnings []string
		if r.IntN(3) == 0 {
			warnings = []string{"careful", randString(r)}
		}
		n := 1 + r.IntN(6)
		cols, meta := randColumns(t, r, v, n)
		want := &message.RowsResult{Metadata: &message.RowsMetadata{ColumnCount: int32(n), Columns: meta}, Data: message.RowSet{}}
		give := wire.RowsMeta{Specs: wire.EncodeSpecs(v, cols, false)}
		if r.IntN(2) == 0 {
			give.PagingState = append(randBytes(r), 1)
			want.Metadata.PagingState = give.PagingState
		}
		if r.IntN(2) == 0 {
			give.Skip, want.Metadata.Columns = true, nil
		}
		var cells [][]byte
		for range r.IntN(8) {
			row := message.Row{}
			for range n {
				var cell []byte
				if r.IntN(4) > 0 {
					cell = randBytes(r)
				}
				cells, row = append(cells, cell), append(row, cell)
			}
			want.Data = append(want.Data, row)
		}
		f := deliver(t, r, v, wire.OpResult, warnings, func(b []byte) []byte { return wire.AppendRows(b, give, cells) })
		if !reflect.DeepEqual(f.Body.Message, want) {
			t.Fatalf("rows: %+v\nwant %+v", f.Body.Message, want)
		}
		prepared(t, r, v)
	}
}

func prepared(t *testing.T, r *rand.Rand, v wire.Version) {
	t.Helper()
	binds, bindMeta := randColumns(t, r, v, r.IntN(5))
	cols, colMeta := randColumns(t, r, v, r.IntN(5))
	id := []byte("0123456789abcdef")
	var pk []uint16
	if len(binds) > 0 && r.IntN(2) == 0 {
		pk = []uint16{uint16(r.IntN(len(binds)))}
	}
	f := deliver(t, r, v, wire.OpResult, nil, func(b []byte) []byte {
		return wire.AppendPrepared(b, v, id, wire.EncodeSpecs(v, binds, r.IntN(2) == 0), pk, wire.EncodeSpecs(v, cols, false))
	})
	got := f.Body.Message.(*message.PreparedResult)
	if !bytes.Equal(got.PreparedQueryId, id) {
		t.Fatalf("prepared id %x", got.PreparedQueryId)
	}
	if v >= wire.V4 && !slices.Equal(got.VariablesMetadata.PkIndices, pk) {
		t.Fatalf("pk indices %v, want %v", got.VariablesMetadata.PkIndices, pk)
	}
	if len(bindMeta) > 0 && !reflect.DeepEqual(got.VariablesMetadata.Columns, bindMeta) {
		t.Fatalf("binds %+v, want %+v", got.VariablesMetadata.Columns, bindMeta)
	}
	if !reflect.DeepEqual(got.ResultMetadata.Columns, colMeta) || int(got.ResultMetadata.ColumnCount) != len(cols) {
		t.Fatalf("columns %+v, want %+v", got.ResultMetadata, colMeta)
	}
}

func TestSmallResponsesAreUnderstoodByAnotherCodec(t *testing.T) {
	r := seeded(t)
	changes := []wire.SchemaChange{
		{Kind: wire.Created, Target: wire.TargetKeyspace, Keyspace: "ks"},
		{Kind: wire.Updated, Target: wire.TargetTable, Keyspace: "ks", Name: "t"},
		{Kind: wire.Dropped, Target: wire.TargetType, Keyspace: "ks", Name: "u"},
		{Kind: wire.Created, Target: wire.TargetFunction, Keyspace: "ks", Name: "f", Args: []string{"int"}},
	}
	for _, c := range changes {
		f := deliver(t, r, wire.V4, wire.OpResult, nil, func(b []byte) []byte { return wire.AppendSchemaChange(b, &c) })
		want := &message.SchemaChangeResult{
			ChangeType: primitive.SchemaChangeType(c.Kind), Target: primitive.SchemaChangeTarget(c.Target),
			Keyspace: c.Keyspace, Object: c.Name, Arguments: c.Args,
		}
		if !reflect.DeepEqual(f.Body.Message, want) {
			t.Errorf("schema change %+v, want %+v", f.Body.Message, want)
		}
		f = deliver(t, r, wire.V4, wire.OpEvent, nil, func(b []byte) []byte { return wire.AppendSchemaEvent(b, &c) })
		event := message.SchemaChangeEvent(*want)
		if !reflect.DeepEqual(f.Body.Message, &event) {
			t.Errorf("schema event %+v, want %+v", f.Body.Message, event)
		}
	}
	for _, tt := range []struct {
		op   wire.Opcode
		fill func(b []byte) []byte
		want message.Message
	}{
		{wire.OpResult, wire.AppendVoid, &message.VoidResult{}},
		{wire.OpResult, func(b []byte) []byte { return wire.AppendSetKeyspace(b, "ks") }, &message.SetKeyspaceResult{Keyspace: "ks"}},
		{wire.OpReady, func(b []byte) []byte { return b }, &message.Ready{}},
		{wire.OpAuthenticate, func(b []byte) []byte { return wire.AppendAuthenticate(b, "C") }, &message.Authenticate{Authenticator: "C"}},
		{wire.OpAuthSuccess, func(b []byte) []byte { return wire.AppendAuthToken(b, nil) }, &message.AuthSuccess{}},
		{
			wire.OpSupported, func(b []byte) []byte { return wire.AppendSupported(b, map[string][]string{"A": {"x", "y"}, "B": {}}) },
			&message.Supported{Options: map[string][]string{"A": {"x", "y"}, "B": {}}},
		},
	} {
		f := deliver(t, r, wire.V4, tt.op, nil, tt.fill)
		if !reflect.DeepEqual(f.Body.Message, tt.want) {
			t.Errorf("%#v, want %#v", f.Body.Message, tt.want)
		}
	}
	f := deliver(t, r, wire.V4, wire.OpEvent, nil, func(b []byte) []byte {
		return wire.AppendNodeEvent(b, wire.EventStatusChange, "UP", []byte{127, 0, 0, 1}, 9042)
	})
	if got := f.Body.Message.(*message.StatusChangeEvent); got.Address.Port != 9042 || got.Address.Addr.String() != "127.0.0.1" {
		t.Errorf("status event %+v", got)
	}
}
