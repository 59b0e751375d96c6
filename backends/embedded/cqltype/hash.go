package cqltype

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Murmur3Token returns the token of a partition key as Cassandra's
// Murmur3Partitioner computes it: the first half of MurmurHash3 x64 128, seed
// 0, with the bytes of the tail sign-extended (a Java quirk that differs from
// the reference for bytes of 0x80 and above), and the least long mapped to the
// greatest. An empty key has the least token.
func Murmur3Token(key []byte) int64 {
	if len(key) == 0 {
		return math.MinInt64
	}
	h := murmur3(key)
	if h == math.MinInt64 {
		return math.MaxInt64
	}
	return h
}

const (
	murmurC1 = 0x87c37b91114253d5
	murmurC2 = 0x4cf5ad432745937f
)

func murmur3(data []byte) int64 {
	n := len(data)
	var h1, h2 uint64
	for len(data) >= 16 {
		k1 := binary.LittleEndian.Uint64(data)
		k2 := binary.LittleEndian.Uint64(data[8:])
		data = data[16:]
		h1 ^= bits.RotateLeft64(k1*murmurC1, 31) * murmurC2
		h1 = (bits.RotateLeft64(h1, 27)+h2)*5 + 0x52dce729
		h2 ^= bits.RotateLeft64(k2*murmurC2, 33) * murmurC1
		h2 = (bits.RotateLeft64(h2, 31)+h1)*5 + 0x38495ab5
	}
	// The tail: Java's bytes are signed, so a high bit spreads over the word.
	var k1, k2 uint64
	for i := len(data) - 1; i >= 8; i-- {
		k2 ^= uint64(int64(int8(data[i]))) << (8 * (i - 8))
	}
	for i := min(len(data), 8) - 1; i >= 0; i-- {
		k1 ^= uint64(int64(int8(data[i]))) << (8 * i)
	}
	if len(data) > 8 {
		h2 ^= bits.RotateLeft64(k2*murmurC2, 33) * murmurC1
	}
	if len(data) > 0 {
		h1 ^= bits.RotateLeft64(k1*murmurC1, 31) * murmurC2
	}
	h1 ^= uint64(n)
	h2 ^= uint64(n)
	h1 += h2
	h2 += h1
	return int64(fmix(h1) + fmix(h2))
}

func fmix(k uint64) uint64 {
	k ^= k >> 33
	k *= 0xff51afd7ed558ccd
	k ^= k >> 33
	k *= 0xc4ceb9fe1a85ec53
	return k ^ k>>33
}

// PartitionKey joins the values of the partition key columns as Cassandra
// stores and hashes them: one column as it is, several each with a uint16
// length before and a zero byte behind.
func PartitionKey(values ...[]byte) []byte {
	if len(values) == 1 {
		return values[0]
	}
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
		b = append(b, v...)
		b = append(b, 0)
	}
	return b
}

// YBHash returns YugabyteDB's 16-bit partition hash of the hash columns'
// values, which run beside types: Jenkins' 64-bit hash with seed 97 over the
// values behind each other, folded. It takes values as the client does (file
// ybdb_hash.go of yugabyte/gocql): in their protocol form, timestamps in
// microseconds.
func YBHash(types []*Type, values [][]byte) uint16 {
	var scratch [64]byte
	b := scratch[:0]
	for i, v := range values {
		if types[i].Kind == Timestamp && len(v) == 8 {
			b = binary.BigEndian.AppendUint64(b, binary.BigEndian.Uint64(v)*1000)
			continue
		}
		b = append(b, v...)
	}
	return YBHashBytes(b)
}

// YBHashBytes returns the hash of encoded hash columns; see [YBHash].
func YBHashBytes(b []byte) uint16 {
	h := jenkins64(b, 97)
	return uint16(h>>48 ^ 3*(h>>32) ^ 5*(h>>16) ^ 7*(h&0xffff))
}

// YBToken turns a 16-bit hash into the value of YCQL's token(): the hash in the
// upper bits, its order kept (src/yb/util/yb_partition.cc, YBToCqlHashCode).
func YBToken(hash uint16) int64 { return int64(uint64(hash^0x8000) << 48) }

// YBTokenHash is the inverse of YBToken.
func YBTokenHash(token int64) uint16 { return uint16(uint64(token)>>48) ^ 0x8000 }

// jenkins64 is Bob Jenkins' 64-bit hash of 1997 (lookup8) with his starting
// value for a and b.
func jenkins64(k []byte, seed uint64) uint64 {
	const golden = 0xe08c1d668b756f82
	a, b, c := uint64(golden), uint64(golden), seed
	n := uint64(len(k))
	for len(k) >= 24 {
		a += binary.LittleEndian.Uint64(k)
		b += binary.LittleEndian.Uint64(k[8:])
		c += binary.LittleEndian.Uint64(k[16:])
		k = k[24:]
		a, b, c = mix64(a, b, c)
	}
	c += n
	for i, x := range k {
		switch v := uint64(x); {
		case i < 8:
			a += v << (8 * i)
		case i < 16:
			b += v << (8 * (i - 8))
		default: // the lowest byte of c holds the length
			c += v << (8 * (i - 15))
		}
	}
	_, _, c = mix64(a, b, c)
	return c
}

func mix64(a, b, c uint64) (uint64, uint64, uint64) {
	a = a - b - c ^ c>>43
	b = b - c - a ^ a<<9
	c = c - a - b ^ b>>8
	a = a - b - c ^ c>>38
	b = b - c - a ^ a<<23
	c = c - a - b ^ b>>5
	a = a - b - c ^ c>>35
	b = b - c - a ^ a<<49
	c = c - a - b ^ b>>11
	a = a - b - c ^ c>>12
	b = b - c - a ^ a<<18
	c = c - a - b ^ b>>22
	return a, b, c
}
