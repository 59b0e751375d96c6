package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"runtime"
	"testing"

	"github.com/datastax/go-cassandra-native-protocol/frame"
	"github.com/datastax/go-cassandra-native-protocol/message"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// FuzzRequest feeds bytes to the whole way of a request. It must not panic, every
// error must be one for the client, and where the independent codec understands a
// statement too, both must have read the same.
func FuzzRequest(f *testing.F) {
	add := func(v wire.Version, op wire.Opcode, body []byte) {
		h := wire.AppendHeader(nil, wire.Header{Version: v, Op: op, Length: uint32(len(body))})
		f.Add(append(h, body...))
	}
	query := append(binary.BigEndian.AppendUint32(nil, 3), "abc\x00\x04\x40\x00\x01\x00\x01n\xff\xff\xff\xfe"...)
	add(wire.V4, wire.OpQuery, query)
	add(wire.V4, wire.OpQuery, append(query[:9:9], 0x41, 0, 1, 0, 1, 'n', 0xff, 0xff, 0xff, 0xfe))
	add(wire.V3, wire.OpExecute, []byte("\x00\x02id\x00\x01\x3d\x00\x01\xff\xff\xff\xff\x00\x00\x00\x0a\x00\x00\x00\x01s\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01"))
	add(wire.V4, wire.OpBatch, []byte("\x00\x00\x01\x01\x00\x02id\x00\x01\x00\x00\x00\x01v\x00\x04\x20\x00\x00\x00\x00\x00\x00\x00\x01"))
	add(wire.V4, wire.OpStartup, []byte("\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0"))
	add(wire.V4, wire.OpRegister, []byte("\x00\x01\x00\x0dSCHEMA_CHANGE"))
	add(wire.V4, wire.OpAuthResponse, []byte("\x00\x00\x00\x03\x00u\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		const limit = 1 << 20
		reader := wire.Reader{R: bytes.NewReader(in), MaxFrame: limit}
		h, body, err := reader.Next(nil)
		if err != nil {
			return
		}
		if h.Flags&wire.FlagCompressed != 0 {
			name := wire.Compressions[int(h.Stream)&1]
			c, _ := wire.CompressorFor(name)
			if body, err = c.Decompress(nil, body, limit); err != nil {
				clientError(t, err)
				return
			}
		}
		if body, err = wire.Body(h, body); err != nil {
			clientError(t, err)
			return
		}
		opts, err := decode(h, body)
		if err != nil {
			clientError(t, err)
			return
		}
		if opts != nil && h.Flags == 0 && len(opts.Names) == 0 {
			compare(t, in, opts)
		}
	})
}

func clientError(t *testing.T, err error) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != wire.CodeProtocolError && e.Code != wire.CodeInvalid {
		t.Fatalf("error is not one for the client: %v", err)
	}
}

func decode(h wire.Header, body []byte) (*wire.Options, error) {
	var opts wire.Options
	var err error
	switch h.Op {
	case wire.OpStartup:
		_, err = wire.DecodeStartup(body)
	case wire.OpRegister:
		_, err = wire.DecodeRegister(body)
	case wire.OpAuthResponse:
		_, err = wire.DecodeAuthResponse(body)
	case wire.OpPrepare:
		_, err = wire.DecodePrepare(body)
	case wire.OpBatch:
		err = new(wire.Batch).Decode(h.Version, body)
	case wire.OpQuery:
		_, err = wire.DecodeQuery(h.Version, body, &opts)
		return &opts, err
	case wire.OpExecute:
		_, err = wire.DecodeExecute(h.Version, body, &opts)
		return &opts, err
	default: // has no body, or is not a request
	}
	return nil, err
}

func compare(t *testing.T, in []byte, got *wire.Options) {
	t.Helper()
	f, err := frame.NewCodec().DecodeFrame(bytes.NewReader(in))
	if err != nil {
		return // it is stricter about ends of bodies
	}
	var theirs *message.QueryOptions
	switch m := f.Body.Message.(type) {
	case *message.Query:
		theirs = m.Options
	case *message.Execute:
		theirs = m.Options
	}
	if theirs == nil || theirs.NamedValues != nil {
		return
	}
	if len(theirs.PositionalValues) != len(got.Values) || max(theirs.PageSize, 0) != got.PageSize ||
		!reflect.DeepEqual(theirs.PagingState, got.PagingState) || uint16(theirs.Consistency) != uint16(got.Consistency) {
		t.Fatalf("decoded %+v, the other codec %+v", got, theirs)
	}
	for i, v := range theirs.PositionalValues {
		if !bytes.Equal(v.Contents, got.Values[i].Data) || (v.Type == -2) != got.Values[i].Unset {
			t.Fatalf("value %d: %+v, the other codec %+v", i, got.Values[i], v)
		}
	}
}

func TestALengthIsNotTrustedBeforeItsBytesArrive(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		h := wire.AppendHeader(nil, wire.Header{Version: wire.V4, Op: wire.OpQuery, Length: 200 << 20})
		reader := wire.Reader{R: bytes.NewReader(append(h, 1, 2, 3)), MaxFrame: 256 << 20}
		if _, _, err := reader.Next(nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("Next() = %v, want unexpected EOF", err)
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 100*(128<<10) {
		t.Fatalf("took %d bytes for 100 headers that announce 200 MiB each", got)
	}
}

func TestFramesThatTheReaderRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		give wire.Header
		want error
	}{
		{"version 5", wire.Header{Version: 5, Op: wire.OpOptions}, wire.ErrVersion},
		{"version 2", wire.Header{Version: 2, Op: wire.OpOptions}, wire.ErrVersion},
		{"a TLS hello", wire.ParseHeader([]byte{0x16, 3, 1, 0, 0xa5, 1, 0, 0, 0xa1}), wire.ErrVersion},
		{"a response", wire.Header{Version: wire.V4, Response: true, Op: wire.OpReady}, wire.ErrDirection},
		{"a body above the limit", wire.Header{Version: wire.V4, Op: wire.OpQuery, Length: 1001}, wire.ErrTooLarge},
		{"a negative length", wire.Header{Version: wire.V4, Op: wire.OpQuery, Length: 1 << 31}, wire.ErrTooLarge},
		{"half a header", wire.Header{}, io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := wire.AppendHeader(nil, tt.give)
			if tt.want == io.ErrUnexpectedEOF { //nolint:errorlint // chosen by the table
				b = b[:5]
			}
			reader := wire.Reader{R: bytes.NewReader(b), MaxFrame: 1000}
			if _, _, err := reader.Next(nil); !errors.Is(err, tt.want) {
				t.Fatalf("Next() = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestACompressedBodyThatLiesAboutItsLengthIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name, algorithm string
		give            []byte
	}{
		{"above the limit, lz4", "lz4", []byte{0x7f, 0xff, 0xff, 0xff, 0}},
		{"negative, lz4", "lz4", []byte{0xff, 0xff, 0xff, 0xff, 0}},
		{"more than the block can hold, lz4", "lz4", []byte{0, 0, 0xff, 0xff, 0x10, 'a'}},
		{"other than the block holds, lz4", "lz4", []byte{0, 0, 0, 9, 0x10, 'a'}},
		{"missing, lz4", "lz4", []byte{0, 0}},
		{"above the limit, snappy", "snappy", []byte{0xff, 0xff, 0xff, 0xff, 0x07, 0}},
		{"more than the block can hold, snappy", "snappy", []byte{0xff, 0xff, 0x03, 0}},
		{"not a number, snappy", "snappy", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, ok := wire.CompressorFor(tt.algorithm)
			if !ok {
				t.Fatal("no such compressor")
			}
			out, err := c.Decompress(nil, tt.give, 1<<20)
			if err == nil {
				t.Fatalf("Decompress() = %d bytes, want an error", len(out))
			}
			clientError(t, err)
		})
	}
}

func TestRequestsThatAreMalformed(t *testing.T) {
	text := string(binary.BigEndian.AppendUint32(nil, 1)) + "x"
	for _, tt := range []struct {
		name string
		op   wire.Opcode
		body string
		code wire.ErrorCode
	}{
		{"text longer than the body", wire.OpPrepare, "\x00\x00\x00\x05ab", wire.CodeProtocolError},
		{"text of negative length", wire.OpPrepare, "\xff\xff\xff\xffab", wire.CodeProtocolError},
		{"no consistency", wire.OpQuery, text, wire.CodeProtocolError},
		{"unknown consistency", wire.OpQuery, text + "\x00\x0b\x00", wire.CodeProtocolError},
		{"serial consistency that is not serial", wire.OpQuery, text + "\x00\x04\x10\x00\x04", wire.CodeInvalid},
		{"a keyspace, which is version 5's", wire.OpQuery, text + "\x00\x04\x80", wire.CodeProtocolError},
		{"more values than bytes", wire.OpQuery, text + "\x00\x04\x01\xff\xff", wire.CodeProtocolError},
		{"names without values", wire.OpQuery, text + "\x00\x04\x40", wire.CodeProtocolError},
		{"a value of length -3", wire.OpQuery, text + "\x00\x04\x01\x00\x01\xff\xff\xff\xfd", wire.CodeProtocolError},
		{"unknown batch type", wire.OpBatch, "\x03\x00\x00\x00\x04\x00", wire.CodeProtocolError},
		{"named values in a batch", wire.OpBatch, "\x00\x00\x00\x00\x04\x40", wire.CodeProtocolError},
		{"unknown kind of member", wire.OpBatch, "\x00\x00\x01\x02\x00\x00\x00\x00\x00\x00\x04\x00", wire.CodeProtocolError},
		{"more members than bytes", wire.OpBatch, "\x00\xff\xff", wire.CodeProtocolError},
		{"more options than bytes", wire.OpStartup, "\xff\xff", wire.CodeProtocolError},
		{"more event types than bytes", wire.OpRegister, "\xff\xff", wire.CodeProtocolError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decode(wire.Header{Version: wire.V4, Op: tt.op}, []byte(tt.body))
			var e *wire.Error
			if !errors.As(err, &e) || e.Code != tt.code {
				t.Fatalf("decode() = %v, want code %#04x", err, uint32(tt.code))
			}
		})
	}
}
