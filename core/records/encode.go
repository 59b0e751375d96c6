package records

import (
	"encoding/binary"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// EncodingVersion is the first byte of every encoded record. Digests of
// different versions are not compared, and records of another version are
// refused.
//
// Version 1. All integers are big-endian; a text or byte string is its length in
// 4 bytes and its bytes.
//
//	version 1 byte, kind 1 byte
//	unit: text
//	expiry: 8 bytes, milliseconds, 0 for never
//	key: number of columns 1 byte, then each value
//	fields: number of fields 1 byte, then for each that is not absent,
//	  in the order of the logical table: name (text), value
//	value: kind of the column (plan.Kind) 1 byte, then
//	  Int, Time   8 bytes
//	  Bool        1 byte
//	  UUID        16 bytes
//	  Text, Inet  text
//	  Data        blob: encoding (text), bytes
//	  DataList    number 4 bytes, blobs in order
//	  others      number 4 bytes, elements sorted by the bytes of their keys:
//	    IntData key 8 bytes, blob; TextData key text, blob; TextSet text;
//	    TextInt key text, 8 bytes; Nodes key text, 1 byte (0: one blob, 1: two), blobs
const EncodingVersion = 1

// Append appends the encoding of r to b.
func (r *Record) Append(b []byte) []byte {
	b = append(b, EncodingVersion, byte(r.Kind))
	b = appendText(b, string(r.Unit))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Expires))
	return r.appendContent(b)
}

// appendContent appends key and fields.
func (r *Record) appendContent(b []byte) []byte {
	t := r.Kind.Table()
	b = append(b, byte(len(r.Key)))
	for i, v := range r.Key {
		b = appendValue(b, t.Key[i].Kind, v)
	}
	n := len(b)
	b = append(b, 0)
	for i, v := range r.Values {
		if v = normal(v); v == nil {
			continue
		}
		b[n]++
		b = appendText(b, t.Columns[i].Name)
		b = appendValue(b, t.Columns[i].Kind, v)
	}
	return b
}

// appendKey appends the kind and the key: what names a record.
func (r *Record) appendKey(b []byte) []byte {
	t := r.Kind.Table()
	b = append(b, byte(r.Kind), byte(len(r.Key)))
	for i, v := range r.Key {
		b = appendValue(b, t.Key[i].Kind, v)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func appendBlob(b []byte, v *plan.Blob) []byte {
	b = appendText(b, v.Encoding)
	b = binary.BigEndian.AppendUint32(b, uint32(len(v.Data)))
	return append(b, v.Data...)
}

// appendValue appends a value in its normal form.
func appendValue(b []byte, kind plan.Kind, v any) []byte {
	b = append(b, byte(kind))
	count := func(n int) { b = binary.BigEndian.AppendUint32(b, uint32(n)) }
	switch v := v.(type) {
	case int64:
		return binary.BigEndian.AppendUint64(b, uint64(v))
	case bool:
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	case [16]byte:
		return append(b, v[:]...)
	case string:
		return appendText(b, v)
	case plan.Blob:
		return appendBlob(b, &v)
	case []plan.Blob:
		count(len(v))
		for i := range v {
			b = appendBlob(b, &v[i])
		}
	case []plan.IntEntry:
		count(len(v))
		for i := range v {
			b = binary.BigEndian.AppendUint64(b, uint64(v[i].Key))
			b = appendBlob(b, &v[i].Value)
		}
	case []plan.TextEntry:
		count(len(v))
		for i := range v {
			b = appendText(b, v[i].Key)
			b = appendBlob(b, &v[i].Value)
		}
	case []plan.NodeEntry:
		count(len(v))
		for i := range v {
			x := &v[i].Value
			b = appendText(b, v[i].Key)
			if absent(x.Whole) {
				b = append(b, 1)
				b = appendBlob(b, &x.Metadata)
				b = appendBlob(b, &x.Body)
			} else {
				b = append(b, 0)
				b = appendBlob(b, &x.Whole)
			}
		}
	case []string:
		count(len(v))
		for i := range v {
			b = appendText(b, v[i])
		}
	case []plan.TextIntEntry:
		count(len(v))
		for i := range v {
			b = appendText(b, v[i].Key)
			b = binary.BigEndian.AppendUint64(b, uint64(v[i].Value))
		}
	default:
		panic(fmt.Sprintf("records: a value is a %T", v)) // values come from package exec
	}
	return b
}
