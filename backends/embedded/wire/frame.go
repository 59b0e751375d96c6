package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Version is a protocol version without the direction bit.
type Version uint8

// The versions that are spoken.
const (
	V3 Version = 3
	V4 Version = 4
)

// Supported reports whether v is spoken here.
func (v Version) Supported() bool { return v == V3 || v == V4 }

// Opcode says what a frame holds.
type Opcode uint8

// The opcodes of protocol v4, section 2.4.
const (
	OpError         Opcode = 0x00
	OpStartup       Opcode = 0x01
	OpReady         Opcode = 0x02
	OpAuthenticate  Opcode = 0x03
	OpOptions       Opcode = 0x05
	OpSupported     Opcode = 0x06
	OpQuery         Opcode = 0x07
	OpResult        Opcode = 0x08
	OpPrepare       Opcode = 0x09
	OpExecute       Opcode = 0x0A
	OpRegister      Opcode = 0x0B
	OpEvent         Opcode = 0x0C
	OpBatch         Opcode = 0x0D
	OpAuthChallenge Opcode = 0x0E
	OpAuthResponse  Opcode = 0x0F
	OpAuthSuccess   Opcode = 0x10
)

var opcodeNames = map[Opcode]string{
	OpError: "ERROR", OpStartup: "STARTUP", OpReady: "READY", OpAuthenticate: "AUTHENTICATE", OpOptions: "OPTIONS",
	OpSupported: "SUPPORTED", OpQuery: "QUERY", OpResult: "RESULT", OpPrepare: "PREPARE", OpExecute: "EXECUTE",
	OpRegister: "REGISTER", OpEvent: "EVENT", OpBatch: "BATCH", OpAuthChallenge: "AUTH_CHALLENGE",
	OpAuthResponse: "AUTH_RESPONSE", OpAuthSuccess: "AUTH_SUCCESS",
}

func (o Opcode) String() string {
	if s, ok := opcodeNames[o]; ok {
		return s
	}
	return fmt.Sprintf("opcode %#02x", uint8(o))
}

// The flags of a frame header.
const (
	FlagCompressed    = 0x01
	FlagTracing       = 0x02
	FlagCustomPayload = 0x04
	FlagWarning       = 0x08
)

// HeaderSize is the length of a frame header of versions 3 and 4, in bytes.
const HeaderSize = 9

const responseBit = 0x80

// Header is the fixed part of a frame.
type Header struct {
	Version  Version
	Response bool // direction: a response or event
	Flags    uint8
	Stream   int16
	Op       Opcode
	Length   uint32 // of the body, in bytes, as it is on the wire
}

// ParseHeader reads a header from the first HeaderSize bytes of b. It judges nothing.
func ParseHeader(b []byte) Header {
	_ = b[HeaderSize-1]
	return Header{
		Version:  Version(b[0] &^ responseBit),
		Response: b[0]&responseBit != 0,
		Flags:    b[1],
		Stream:   int16(binary.BigEndian.Uint16(b[2:])),
		Op:       Opcode(b[4]),
		Length:   binary.BigEndian.Uint32(b[5:]),
	}
}

// AppendHeader appends h.
func AppendHeader(b []byte, h Header) []byte {
	v := byte(h.Version)
	if h.Response {
		v |= responseBit
	}
	b = append(b, v, h.Flags, byte(uint16(h.Stream)>>8), byte(h.Stream), byte(h.Op))
	return binary.BigEndian.AppendUint32(b, h.Length)
}

// Errors of [Reader.Next] after which the connection cannot go on. The header that
// Next returns beside them is valid, so that the client can be told.
var (
	// ErrVersion means that the client speaks another version; the body was left unread.
	ErrVersion = errors.New("unsupported protocol version")
	// ErrTooLarge means that the body is above the limit; it was left unread.
	ErrTooLarge = errors.New("frame is larger than the limit")
	// ErrDirection means that the client sent a response; the body was left unread.
	ErrDirection = errors.New("frame has the direction of a response")
)

// Reader reads frames from a connection.
type Reader struct {
	// R is where frames come from; it should be buffered.
	R io.Reader
	// MaxFrame limits the body as it is on the wire and, if it was compressed, as
	// it is after that; in bytes.
	MaxFrame int

	header [HeaderSize]byte
}

// step is how much memory is taken on the word of a length field alone. A client
// that announces 200 MB and sends nothing costs this.
const step = 64 << 10

// Next reads one frame. The body is read into buf, which grows as bytes arrive,
// never by what the header announces. io.EOF means that the stream ended between
// two frames.
func (r *Reader) Next(buf []byte) (Header, []byte, error) {
	if _, err := io.ReadFull(r.R, r.header[:]); err != nil {
		return Header{}, nil, err
	}
	h := ParseHeader(r.header[:])
	switch {
	case !h.Version.Supported():
		return h, nil, ErrVersion
	case h.Response:
		return h, nil, ErrDirection
	case int64(h.Length) > int64(r.MaxFrame):
		return h, nil, ErrTooLarge
	}
	body, err := r.body(buf, int(h.Length))
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return h, body, err
}

func (r *Reader) body(buf []byte, n int) ([]byte, error) {
	if n <= cap(buf) {
		buf = buf[:n]
		_, err := io.ReadFull(r.R, buf)
		return buf, err
	}
	buf = buf[:0]
	for len(buf) < n {
		want := min(n, max(2*len(buf), step, cap(buf)))
		if want > cap(buf) {
			grown := make([]byte, len(buf), want)
			copy(grown, buf)
			buf = grown
		}
		read := len(buf)
		buf = buf[:want]
		if _, err := io.ReadFull(r.R, buf[read:]); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// BeginFrame appends the header of a response to b and returns the place where
// it starts. What is appended after it is the body, until EndFrame.
func BeginFrame(b []byte, v Version, stream int16, op Opcode) (_ []byte, start int) {
	start = len(b)
	return AppendHeader(b, Header{Version: v, Response: true, Stream: stream, Op: op}), start
}

// BeginFrameWarned is BeginFrame with warnings before the body. Version 3 cannot
// carry them: there they are left out.
func BeginFrameWarned(b []byte, v Version, stream int16, op Opcode, warnings []string) (_ []byte, start int) {
	b, start = BeginFrame(b, v, stream, op)
	if len(warnings) > 0 && v >= V4 {
		b[start+1] |= FlagWarning
		b = appendStringList(b, warnings)
	}
	return b, start
}

// EndFrame completes the frame that began at start: it compresses the body if c is
// not nil and it gets smaller by that, and sets the length.
func EndFrame(b []byte, start int, c Compressor) []byte {
	body := b[start+HeaderSize:]
	if c != nil && len(body) >= compressFrom {
		if packed, ok := c.compress(body); ok {
			b = append(b[:start+HeaderSize], packed...)
			b[start+1] |= FlagCompressed
			putScratch(packed)
		}
	}
	binary.BigEndian.PutUint32(b[start+5:], uint32(len(b)-start-HeaderSize))
	return b
}
