package wire

import (
	"encoding/binary"
	"math"
	"strings"
	"sync"

	"github.com/golang/snappy"
	"github.com/pierrec/lz4/v4"
)

// compressFrom is the body size in bytes from which compressing a response is tried.
const compressFrom = 512

// Compressor is a way to compress bodies, chosen by STARTUP. It is safe for
// concurrent use.
type Compressor interface {
	// Name is what STARTUP calls it.
	Name() string
	// Decompress appends the body that packed stands for to dst[:0]. A body above
	// limit bytes is an error, found out before memory is taken for it.
	Decompress(dst, packed []byte, limit int) ([]byte, error)
	// compress returns a scratch buffer (putScratch), or false if nothing was won.
	compress(body []byte) ([]byte, bool)
}

// Compressions are the names to be listed in SUPPORTED, the better one first.
var Compressions = []string{"lz4", "snappy"}

// CompressorFor finds a compressor by name, in any case.
func CompressorFor(name string) (Compressor, bool) {
	switch strings.ToLower(name) {
	case "lz4":
		return lz4Compressor{}, true
	case "snappy":
		return snappyCompressor{}, true
	}
	return nil, false
}

var scratch sync.Pool

// maxScratch keeps a rare huge body from staying in memory.
const maxScratch = 1 << 20

func getScratch(n int) []byte {
	if p, ok := scratch.Get().(*[]byte); ok && cap(*p) >= n {
		return (*p)[:n]
	}
	return make([]byte, n)
}

func putScratch(b []byte) {
	if cap(b) <= maxScratch {
		scratch.Put(&b)
	}
}

func sized(dst []byte, n int) []byte {
	if cap(dst) >= n {
		return dst[:n]
	}
	return make([]byte, n)
}

// lz4Compressor: the uncompressed length as a big-endian int32, then one LZ4 block
// (native_protocol_v4.spec, section 5).
type lz4Compressor struct{}

var lz4Tables = sync.Pool{New: func() any { return new(lz4.Compressor) }}

func (lz4Compressor) Name() string { return "lz4" }

func (lz4Compressor) Decompress(dst, packed []byte, limit int) ([]byte, error) {
	if len(packed) < 4 {
		return nil, Errorf(CodeProtocolError, "LZ4 body of %d bytes is too short to hold its length", len(packed))
	}
	n := binary.BigEndian.Uint32(packed)
	if uint64(n) > uint64(limit) {
		return nil, Errorf(CodeProtocolError, "LZ4 body claims %d bytes, the limit is %d", n, limit)
	}
	// A block cannot hold more than 255 times its size: do not take memory on the
	// word of a length that cannot be true.
	if int64(n) > 255*int64(len(packed)) {
		return nil, Errorf(CodeProtocolError, "LZ4 body of %d bytes cannot hold the %d that it claims", len(packed), n)
	}
	dst = sized(dst, int(n))
	if n == 0 {
		return dst, nil
	}
	got, err := lz4.UncompressBlock(packed[4:], dst)
	if err != nil || got != int(n) {
		return nil, Errorf(CodeProtocolError, "LZ4 body is malformed: got %d of %d bytes (%v)", got, n, err)
	}
	return dst, nil
}

func (lz4Compressor) compress(body []byte) ([]byte, bool) {
	if len(body) > math.MaxInt32 {
		return nil, false
	}
	buf := getScratch(4 + lz4.CompressBlockBound(len(body)))
	c := lz4Tables.Get().(*lz4.Compressor)
	n, err := c.CompressBlock(body, buf[4:])
	lz4Tables.Put(c)
	if err != nil || n == 0 || n+4 >= len(body) {
		putScratch(buf)
		return nil, false
	}
	binary.BigEndian.PutUint32(buf, uint32(len(body)))
	return buf[:n+4], true
}

// snappyCompressor: one Snappy block, which holds its own length.
type snappyCompressor struct{}

func (snappyCompressor) Name() string { return "snappy" }

func (snappyCompressor) Decompress(dst, packed []byte, limit int) ([]byte, error) {
	n, err := snappy.DecodedLen(packed)
	if err != nil {
		return nil, Errorf(CodeProtocolError, "Snappy body is malformed: %v", err)
	}
	if n > limit {
		return nil, Errorf(CodeProtocolError, "Snappy body claims %d bytes, the limit is %d", n, limit)
	}
	// A copy of 2 bytes makes at most 64: 32 times the input, and a little.
	if int64(n) > 64*int64(len(packed)) {
		return nil, Errorf(CodeProtocolError, "Snappy body of %d bytes cannot hold the %d that it claims", len(packed), n)
	}
	out, err := snappy.Decode(sized(dst, n), packed)
	if err != nil {
		return nil, Errorf(CodeProtocolError, "Snappy body is malformed: %v", err)
	}
	return out, nil
}

func (snappyCompressor) compress(body []byte) ([]byte, bool) {
	bound := snappy.MaxEncodedLen(len(body))
	if bound < 0 {
		return nil, false
	}
	buf := getScratch(bound)
	out := snappy.Encode(buf, body)
	if len(out) >= len(body) {
		putScratch(buf)
		return nil, false
	}
	return out, true
}
