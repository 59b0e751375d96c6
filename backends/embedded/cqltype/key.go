package cqltype

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
)

// The key encoding of a value is a byte string whose order under
// bytes.Compare is the order of [Type.Compare], and which is never a proper
// prefix of the encoding of another value of the type, so that encodings can be
// put behind each other. The descending form is the same with all bits flipped.
//
// Fixed-size types: one byte (empty or value) and the value with its sign bit
// flipped. Text and blobs: zero bytes escaped, then a terminator. Varint: sign
// and length, then the number. Decimal: sign, exponent, digits. Collections and
// tuples: a mark before each element and an end mark.
//
// Numbers with several binary forms come back in the plainest one: a varint
// without leading zeros, a decimal without trailing zeros.

const (
	keyEmpty byte = 0x01 // also: null field, end of collection
	keyValue byte = 0x02 // a value follows

	escZero byte = 0xff // 0x00 0xff is a zero byte inside text
	escEnd  byte = 0x01 // 0x00 0x01 ends it
)

var errShortKey = errors.New("the key ends early")

// AppendKey appends the key encoding of b, flipped if desc. b must be a valid
// value, not nil.
func (t *Type) AppendKey(dst, b []byte, desc bool) []byte {
	start := len(dst)
	dst = t.appendKey(dst, b)
	if desc {
		flip(dst[start:])
	}
	return dst
}

func flip(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

func (t *Type) appendKey(dst, b []byte) []byte {
	switch t.Kind {
	case Text, ASCII, Blob, Custom, Duration:
		return appendEscaped(dst, b)
	case List, Set, Map:
		return t.appendCollectionKey(dst, b)
	case Tuple, UDT:
		return t.appendTupleKey(dst, b)
	default: // may be empty, and is marked
	}
	if len(b) == 0 {
		return append(dst, keyEmpty)
	}
	dst = append(dst, keyValue)
	switch t.Kind {
	case Boolean:
		return append(dst, byte(boolInt(b[0] != 0)))
	case Tinyint, Smallint, Int, Bigint, Counter, Timestamp:
		dst = append(dst, b...)
		dst[len(dst)-len(b)] ^= 0x80
		return dst
	case Float:
		return binary.BigEndian.AppendUint32(dst, orderFloat32(b))
	case Double:
		return binary.BigEndian.AppendUint64(dst, orderFloat64(b))
	case Varint:
		return appendVarintKey(dst, DecodeVarint(b))
	case Decimal:
		return appendDecimalKey(dst, b)
	case UUID:
		dst = append(dst, b[6]>>4)
		if b[6]>>4 == 1 {
			dst = binary.BigEndian.AppendUint64(dst, timeOf(b))
			return append(dst, b[8:]...)
		}
		return append(dst, b...)
	case Timeuuid:
		dst = binary.BigEndian.AppendUint64(dst, timeOf(b))
		return binary.BigEndian.AppendUint64(dst, binary.BigEndian.Uint64(b[8:])^signedBytes)
	case Inet:
		// Byte order, shorter first where one is a prefix of the other: the
		// common first four bytes, a mark, the rest.
		dst = append(dst, b[:4]...)
		if len(b) == 4 {
			return append(dst, keyEmpty)
		}
		dst = append(dst, keyValue)
		return append(dst, b[4:]...)
	default: // date, time
		return append(dst, b...)
	}
}

func appendEscaped(dst, b []byte) []byte {
	for _, c := range b {
		if c == 0 {
			dst = append(dst, 0, escZero)
			continue
		}
		dst = append(dst, c)
	}
	return append(dst, 0, escEnd)
}

func (t *Type) appendCollectionKey(dst, b []byte) []byte {
	if len(b) == 0 {
		return append(dst, 0)
	}
	elems, err := DecodeCollection(t, b)
	if err != nil {
		panic(fmt.Sprintf("cqltype: key of an invalid value: %v", err))
	}
	for i, e := range elems {
		if i%len(t.Elems) == 0 {
			dst = append(dst, keyValue)
		}
		dst = t.Elems[i%len(t.Elems)].appendKey(dst, e)
	}
	return append(dst, keyEmpty)
}

func (t *Type) appendTupleKey(dst, b []byte) []byte {
	fields, err := DecodeTuple(t, b)
	if err != nil {
		panic(fmt.Sprintf("cqltype: key of an invalid value: %v", err))
	}
	for i, f := range fields {
		if f == nil {
			dst = append(dst, keyEmpty)
			continue
		}
		dst = append(dst, keyValue)
		dst = t.Elems[i].appendKey(dst, f)
	}
	return dst
}

// appendVarintKey: a sign byte, the magnitude's length, the magnitude; length
// and magnitude flipped for negative numbers.
func appendVarintKey(dst []byte, v *big.Int) []byte {
	mag := v.Bytes()
	if v.Sign() >= 0 {
		dst = append(dst, 1)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(mag)))
		return append(dst, mag...)
	}
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, ^uint32(len(mag)))
	for _, c := range mag {
		dst = append(dst, ^c)
	}
	return dst
}

// DecodeKey takes one value off the front of a key made by AppendKey with the
// same desc. It returns the value's binary form, never nil, and the rest. buf,
// if not nil, is appended to and holds the value; else a slice is allocated.
func (t *Type) DecodeKey(buf, key []byte, desc bool) (value, rest []byte, err error) {
	d := keyDecoder{src: key}
	if desc {
		d.mask = 0xff
	}
	start := len(buf)
	out, err := t.decodeKey(&d, buf)
	if err != nil {
		return nil, nil, fmt.Errorf("key of type %s: %w", t, err)
	}
	if out == nil {
		out = []byte{}
	}
	return out[start:len(out):len(out)], d.src, nil
}

// SkipKey returns what follows the first value in key, without decoding it.
func (t *Type) SkipKey(key []byte, desc bool) (rest []byte, err error) {
	_, rest, err = t.DecodeKey(nil, key, desc)
	return rest, err
}

// keyDecoder reads bytes of a key; mask undoes the descending form.
type keyDecoder struct {
	src  []byte
	mask byte
}

func (d *keyDecoder) byte() (byte, error) {
	if len(d.src) == 0 {
		return 0, errShortKey
	}
	c := d.src[0] ^ d.mask
	d.src = d.src[1:]
	return c, nil
}

func (d *keyDecoder) take(dst []byte, n int) ([]byte, error) {
	if n < 0 || n > len(d.src) {
		return nil, errShortKey
	}
	start := len(dst)
	dst = append(dst, d.src[:n]...)
	if d.mask != 0 {
		flip(dst[start:])
	}
	d.src = d.src[n:]
	return dst, nil
}

func (d *keyDecoder) uint64() (uint64, error) {
	var b [8]byte
	if _, err := d.take(b[:0], 8); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

func (d *keyDecoder) uint32() (uint32, error) {
	var b [4]byte
	if _, err := d.take(b[:0], 4); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b[:]), nil
}

func (t *Type) decodeKey(d *keyDecoder, dst []byte) ([]byte, error) {
	switch t.Kind {
	case Text, ASCII, Blob, Custom, Duration:
		return d.escaped(dst)
	case List, Set, Map:
		return t.decodeCollectionKey(d, dst)
	case Tuple, UDT:
		return t.decodeTupleKey(d, dst)
	default: // may be empty, and is marked
	}
	mark, err := d.byte()
	if err != nil {
		return nil, err
	}
	if mark == keyEmpty {
		return dst, nil
	}
	if mark != keyValue {
		return nil, fmt.Errorf("unknown mark %#x", mark)
	}
	switch t.Kind {
	case Boolean:
		return d.take(dst, 1)
	case Tinyint:
		return d.signed(dst, 1)
	case Smallint:
		return d.signed(dst, 2)
	case Int:
		return d.signed(dst, 4)
	case Bigint, Counter, Timestamp:
		return d.signed(dst, 8)
	case Float:
		v, err := d.uint32()
		if v>>31 != 0 {
			v &^= 1 << 31
		} else {
			v = ^v
		}
		return binary.BigEndian.AppendUint32(dst, v), err
	case Double:
		v, err := d.uint64()
		if v>>63 != 0 {
			v &^= 1 << 63
		} else {
			v = ^v
		}
		return binary.BigEndian.AppendUint64(dst, v), err
	case Varint:
		v, err := d.varint()
		if err != nil {
			return nil, err
		}
		return append(dst, EncodeVarint(v)...), nil
	case Decimal:
		return d.decimal(dst)
	case UUID:
		version, err := d.byte()
		if err != nil || version != 1 {
			if err != nil {
				return nil, err
			}
			return d.take(dst, 16)
		}
		if dst, err = d.uuidTime(dst); err != nil {
			return nil, err
		}
		return d.take(dst, 8)
	case Timeuuid:
		if dst, err = d.uuidTime(dst); err != nil {
			return nil, err
		}
		v, err := d.uint64()
		return binary.BigEndian.AppendUint64(dst, v^signedBytes), err
	case Inet:
		if dst, err = d.take(dst, 4); err != nil {
			return nil, err
		}
		mark, err := d.byte()
		if err != nil || mark == keyEmpty {
			return dst, err
		}
		return d.take(dst, 12)
	case Date:
		return d.take(dst, 4)
	case Time:
		return d.take(dst, 8)
	default:
		return nil, fmt.Errorf("type %s has no key form", t)
	}
}

func (d *keyDecoder) signed(dst []byte, n int) ([]byte, error) {
	start := len(dst)
	dst, err := d.take(dst, n)
	if err == nil {
		dst[start] ^= 0x80
	}
	return dst, err
}

func (d *keyDecoder) uuidTime(dst []byte) ([]byte, error) {
	v, err := d.uint64()
	if err != nil {
		return nil, err
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(v))
	dst = binary.BigEndian.AppendUint16(dst, uint16(v>>32))
	return binary.BigEndian.AppendUint16(dst, uint16(v>>48)&0x0fff|0x1000), nil
}

func (d *keyDecoder) varint() (*big.Int, error) {
	sign, err := d.byte()
	if err != nil {
		return nil, err
	}
	n, err := d.uint32()
	if err != nil {
		return nil, err
	}
	if sign == 0 {
		n = ^n
	}
	mag, err := d.take(nil, int(n))
	if err != nil {
		return nil, err
	}
	if sign == 0 {
		flip(mag)
	}
	v := new(big.Int).SetBytes(mag)
	if sign == 0 {
		v.Neg(v)
	}
	return v, nil
}

func (d *keyDecoder) escaped(dst []byte) ([]byte, error) {
	for {
		c, err := d.byte()
		if err != nil {
			return nil, err
		}
		if c != 0 {
			dst = append(dst, c)
			continue
		}
		switch c, err = d.byte(); {
		case err != nil:
			return nil, err
		case c == escZero:
			dst = append(dst, 0)
		case c == escEnd:
			return dst, nil
		default:
			return nil, fmt.Errorf("unknown escape %#x", c)
		}
	}
}

func (t *Type) decodeCollectionKey(d *keyDecoder, dst []byte) ([]byte, error) {
	count := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	n := 0
	for {
		mark, err := d.byte()
		if err != nil {
			return nil, err
		}
		if mark == 0 && n == 0 {
			return dst[:count], nil
		}
		if mark == keyEmpty {
			binary.BigEndian.PutUint32(dst[count:], uint32(n))
			return dst, nil
		}
		if mark != keyValue {
			return nil, fmt.Errorf("unknown mark %#x", mark)
		}
		n++
		for _, e := range t.Elems {
			if dst, err = e.decodeSized(d, dst); err != nil {
				return nil, err
			}
		}
	}
}

// decodeSized decodes a value behind its length, which is filled in after.
func (t *Type) decodeSized(d *keyDecoder, dst []byte) ([]byte, error) {
	at := len(dst)
	dst, err := t.decodeKey(d, append(dst, 0, 0, 0, 0))
	if err == nil {
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst, err
}

func (t *Type) decodeTupleKey(d *keyDecoder, dst []byte) ([]byte, error) {
	for _, e := range t.Elems {
		mark, err := d.byte()
		if err != nil {
			return nil, err
		}
		switch mark {
		case keyEmpty:
			dst = AppendElement(dst, nil)
		case keyValue:
			if dst, err = e.decodeSized(d, dst); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("unknown mark %#x", mark)
		}
	}
	return dst, nil
}
