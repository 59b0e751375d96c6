package cqltype

import (
	"encoding/binary"
	"fmt"
)

// AppendElement appends one element of a collection, tuple or UDT: an int32
// length and the bytes; nil is null, length -1.
func AppendElement(dst, elem []byte) []byte {
	if elem == nil {
		return binary.BigEndian.AppendUint32(dst, 0xffffffff)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(elem)))
	return append(dst, elem...)
}

// AppendCount appends the element count that starts a list, set or map; a map
// counts its pairs.
func AppendCount(dst []byte, n int) []byte { return binary.BigEndian.AppendUint32(dst, uint32(n)) }

// EncodeCollection returns the binary form of a list or set of elems, or of a
// map whose keys and values alternate in elems.
func EncodeCollection(t *Type, elems [][]byte) []byte {
	size, n := 4, len(elems)
	for _, e := range elems {
		size += 4 + len(e)
	}
	if t.Kind == Map {
		n /= 2
	}
	b := AppendCount(make([]byte, 0, size), n)
	for _, e := range elems {
		b = AppendElement(b, e)
	}
	return b
}

// EncodeTuple returns the binary form of a tuple or UDT; trailing fields may be
// left out.
func EncodeTuple(fields [][]byte) []byte {
	size := 0
	for _, f := range fields {
		size += 4 + len(f)
	}
	b := make([]byte, 0, size)
	for _, f := range fields {
		b = AppendElement(b, f)
	}
	return b
}

// DecodeCollection splits the binary form of a list, set or map. The elements
// alias b; a map's keys and values alternate. It does not look into them.
func DecodeCollection(t *Type, b []byte) ([][]byte, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%s: %d bytes are too few for an element count", t, len(b))
	}
	n := int(int32(binary.BigEndian.Uint32(b)))
	rest := b[4:]
	if t.Kind == Map {
		n *= 2
	}
	// Each element takes at least its length: a count that cannot be true must
	// not size an allocation.
	if n < 0 || n > len(rest)/4 {
		return nil, fmt.Errorf("%s: an element count of %d does not fit %d bytes", t, n, len(b))
	}
	elems := make([][]byte, n)
	for i := range elems {
		e, r, err := readElement(rest)
		if err != nil {
			return nil, fmt.Errorf("%s: element %d: %w", t, i, err)
		}
		elems[i], rest = e, r
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%s: unexpected extraneous bytes after the value (%d)", t, len(rest))
	}
	return elems, nil
}

// DecodeTuple splits the binary form of a tuple or UDT. Missing trailing fields
// are nil; the result has one entry for each field of the type. The fields
// alias b.
func DecodeTuple(t *Type, b []byte) ([][]byte, error) {
	fields := make([][]byte, len(t.Elems))
	for i := range fields {
		if len(b) == 0 {
			return fields, nil
		}
		f, r, err := readElement(b)
		if err != nil {
			return nil, fmt.Errorf("%s: field %d: %w", t, i, err)
		}
		fields[i], b = f, r
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%s: expected %d fields, %d bytes follow them", t, len(t.Elems), len(b))
	}
	return fields, nil
}

func readElement(b []byte) (elem, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, fmt.Errorf("%d bytes are too few for a length", len(b))
	}
	n := int(int32(binary.BigEndian.Uint32(b)))
	b = b[4:]
	if n < 0 {
		return nil, b, nil
	}
	if n > len(b) {
		return nil, nil, fmt.Errorf("a length of %d is past the end (%d bytes)", n, len(b))
	}
	return b[:n:n], b[n:], nil
}
