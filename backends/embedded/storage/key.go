package storage

import (
	"encoding/binary"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// The first byte of a key.
const (
	spaceCatalog byte = 'c'
	spaceData    byte = 'd'
	spaceIndex   byte = 'i'
	spaceMeta    byte = 'm'
	spaceExpiry  byte = 'x'
)

// The byte behind the partition prefix.
const (
	kindTombstone byte = 0x10 // range tombstones, in tables with timestamps only
	kindStatic    byte = 0x20
	kindRow       byte = 0x40
	kindEnd       byte = 0x41
)

// The byte behind the clustering key.
const (
	partPlain   byte = 0x00
	partElement byte = 0x01
	partEnd     byte = 0x02
)

// appendRow appends the prefix of all keys of a row; clustering may be shorter
// than the table's clustering key to make the prefix of a group of rows.
func (t *Table) appendRow(dst []byte, p Partition, clustering [][]byte) []byte {
	dst = append(dst, p.prefix...)
	dst = append(dst, kindRow)
	return t.appendClustering(dst, clustering)
}

func (t *Table) appendClustering(dst []byte, values [][]byte) []byte {
	for i, v := range values {
		dst = t.Clustering[i].Type.AppendKey(dst, v, t.Clustering[i].Desc)
	}
	return dst
}

func appendStatic(dst []byte, p Partition) []byte {
	return append(append(dst, p.prefix...), kindStatic)
}

// appendElement appends the key of one element behind the prefix of its row.
func appendElement(dst []byte, c *Column, key []byte) []byte {
	dst = append(dst, partElement)
	dst = binary.BigEndian.AppendUint32(dst, c.ID)
	return appendElementKey(dst, c.Type, key)
}

// An element's key: a set's element and a map's key in key encoding, a list's
// position and a UDT's field number as they are.
func appendElementKey(dst []byte, t *cqltype.Type, key []byte) []byte {
	if t.Kind == cqltype.Set || t.Kind == cqltype.Map {
		return t.Elems[0].AppendKey(dst, key, false)
	}
	return append(dst, key...)
}

func decodeElementKey(buf []byte, t *cqltype.Type, enc []byte) (key, rest []byte, err error) {
	if t.Kind == cqltype.Set || t.Kind == cqltype.Map {
		return t.Elems[0].DecodeKey(buf, enc, false)
	}
	start := len(buf)
	buf = append(buf, enc...)
	return buf[start:len(buf):len(buf)], nil, nil
}

// decodeClustering takes the clustering key off the front of key; values are
// appended to dst, their bytes to buf.
func (t *Table) decodeClustering(dst [][]byte, buf, key []byte) (values [][]byte, newBuf, rest []byte, err error) {
	for i := range t.Clustering {
		c := &t.Clustering[i]
		var v []byte
		if v, key, err = c.Type.DecodeKey(buf, key, c.Desc); err != nil {
			return nil, nil, nil, fmt.Errorf("clustering key of table %d: %w", t.ID, err)
		}
		// v is the end of buf, or of the larger copy that replaced it.
		if cap(buf)-len(buf) >= len(v) {
			buf = buf[:len(buf)+len(v)]
		} else {
			buf = append(buf, v...)
			v = buf[len(buf)-len(v) : len(buf) : len(buf)]
		}
		dst = append(dst, v)
	}
	return dst, buf, key, nil
}

// successor returns the least key above all keys that start with prefix, made
// in place; nil if there is none.
func successor(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			prefix[i]++
			return prefix[:i+1]
		}
	}
	return nil
}

func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }
