package cqltype

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/big"
)

// Compare orders two values of type t as Cassandra's clustering columns do:
// negative, zero or positive. null sorts first, then the empty value. Values
// must be valid. Two forms of one number (a decimal 1.0 and 1.00) are equal.
func (t *Type) Compare(a, b []byte) int {
	if a == nil || b == nil {
		return cmp.Compare(boolInt(a != nil), boolInt(b != nil))
	}
	if len(a) == 0 || len(b) == 0 {
		if t.Kind == Tuple || t.Kind == UDT {
			return t.compareFields(a, b)
		}
		return cmp.Compare(boolInt(len(a) > 0), boolInt(len(b) > 0))
	}
	switch t.Kind {
	case Boolean:
		return cmp.Compare(boolInt(a[0] != 0), boolInt(b[0] != 0))
	case Tinyint:
		return cmp.Compare(int8(a[0]), int8(b[0]))
	case Smallint:
		return cmp.Compare(int16(binary.BigEndian.Uint16(a)), int16(binary.BigEndian.Uint16(b)))
	case Int:
		return cmp.Compare(int32(binary.BigEndian.Uint32(a)), int32(binary.BigEndian.Uint32(b)))
	case Bigint, Counter, Timestamp:
		return cmp.Compare(int64(binary.BigEndian.Uint64(a)), int64(binary.BigEndian.Uint64(b)))
	case Float:
		return cmp.Compare(orderFloat32(a), orderFloat32(b))
	case Double:
		return cmp.Compare(orderFloat64(a), orderFloat64(b))
	case Varint:
		return DecodeVarint(a).Cmp(DecodeVarint(b))
	case Decimal:
		return bytes.Compare(appendDecimalKey(nil, a), appendDecimalKey(nil, b))
	case UUID:
		return compareUUID(a, b)
	case Timeuuid:
		return compareTimeuuid(a, b)
	case List, Set, Map:
		return t.compareCollection(a, b)
	case Tuple, UDT:
		return t.compareFields(a, b)
	default: // text, ascii, blob, inet, date, time, duration: unsigned bytes
		return bytes.Compare(a, b)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// orderFloat64 maps a double to an unsigned number in Java's order
// (Double.compare): -0.0 before 0.0, every NaN equal and last.
func orderFloat64(b []byte) uint64 {
	v := binary.BigEndian.Uint64(b)
	if f := math.Float64frombits(v); f != f { //nolint:gocritic // NaN
		v = 0x7ff8000000000000
	}
	if v>>63 != 0 {
		return ^v
	}
	return v | 1<<63
}

func orderFloat32(b []byte) uint32 {
	v := binary.BigEndian.Uint32(b)
	if f := math.Float32frombits(v); f != f { //nolint:gocritic // NaN
		v = 0x7fc00000
	}
	if v>>31 != 0 {
		return ^v
	}
	return v | 1<<31
}

// DecodeVarint returns the number a varint stands for: two's complement, big
// endian, of any length; no bytes are zero.
func DecodeVarint(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return v
}

// EncodeVarint returns the shortest two's complement form of v, as Java's
// BigInteger.toByteArray.
func EncodeVarint(v *big.Int) []byte {
	if v.Sign() == 0 {
		return []byte{0}
	}
	if v.Sign() > 0 {
		b := v.Bytes()
		if b[0] >= 0x80 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	n := new(big.Int).Not(v).BitLen()/8 + 1
	b := new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(n)*8)).Bytes()
	for len(b) < n {
		b = append([]byte{0xff}, b...)
	}
	return b
}

// timeOf returns the 60-bit time of a version 1 UUID in ordered form.
func timeOf(u []byte) uint64 {
	return uint64(binary.BigEndian.Uint16(u[6:])&0x0fff)<<48 |
		uint64(binary.BigEndian.Uint16(u[4:]))<<32 | uint64(binary.BigEndian.Uint32(u))
}

// signedBytes maps eight bytes compared as signed ones to a number in order.
const signedBytes = 0x8080808080808080

// compareTimeuuid is Cassandra's TimeUUIDType: by time, then the rest as signed
// bytes.
func compareTimeuuid(a, b []byte) int {
	if c := cmp.Compare(timeOf(a), timeOf(b)); c != 0 {
		return c
	}
	return cmp.Compare(binary.BigEndian.Uint64(a[8:])^signedBytes, binary.BigEndian.Uint64(b[8:])^signedBytes)
}

// compareUUID is Cassandra's UUIDType: by version, then version 1 by time and
// the others by bytes, then the second half by unsigned bytes.
func compareUUID(a, b []byte) int {
	va, vb := a[6]>>4, b[6]>>4
	if va != vb {
		return cmp.Compare(va, vb)
	}
	if va == 1 {
		if c := cmp.Compare(timeOf(a), timeOf(b)); c != 0 {
			return c
		}
		return bytes.Compare(a[8:], b[8:])
	}
	return bytes.Compare(a, b)
}

func (t *Type) compareCollection(a, b []byte) int {
	ea, errA := DecodeCollection(t, a)
	eb, errB := DecodeCollection(t, b)
	if errA != nil || errB != nil {
		return bytes.Compare(a, b)
	}
	for i := 0; i < len(ea) && i < len(eb); i++ {
		if c := t.Elems[i%len(t.Elems)].Compare(ea[i], eb[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(ea), len(eb))
}

// compareFields orders tuples; missing fields at the end count as null.
func (t *Type) compareFields(a, b []byte) int {
	fa, errA := DecodeTuple(t, a)
	fb, errB := DecodeTuple(t, b)
	if errA != nil || errB != nil {
		return bytes.Compare(a, b)
	}
	for i := range fa {
		if c := t.Elems[i].Compare(fa[i], fb[i]); c != 0 {
			return c
		}
	}
	return 0
}
