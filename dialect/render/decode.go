package render

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// errShort is the cause of every malformed collection.
var errShort = errors.New("is cut short")

// cursor walks through a serialized collection. After the first fault every
// further step is one.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) length() int {
	if c.err != nil {
		return 0
	}
	if len(c.rest) < 4 {
		c.err = errShort
		return 0
	}
	n := int32(binary.BigEndian.Uint32(c.rest))
	c.rest = c.rest[4:]
	return int(n)
}

// bytes returns one element; nil for null.
func (c *cursor) bytes() []byte {
	n := c.length()
	switch {
	case c.err != nil || n < 0:
		return nil
	case n > len(c.rest):
		c.err = errShort
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) int64() int64 {
	b := c.bytes()
	if c.err == nil && len(b) != 8 {
		c.err = fmt.Errorf("has a bigint of %d bytes", len(b))
	}
	if c.err != nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// count reads how many elements follow, each of at least size bytes.
func (c *cursor) count(size int) int {
	n := c.length()
	if c.err == nil && (n < 0 || n > len(c.rest)/size) {
		c.err = errShort
	}
	if c.err != nil {
		return 0
	}
	return n
}

func (c *cursor) end() error {
	if c.err == nil && len(c.rest) > 0 {
		c.err = fmt.Errorf("has %d bytes too many", len(c.rest))
	}
	return c.err
}

// decode turns a serialized collection into its logical value; nil for null.
// The value shares the memory of raw.
func (f Form) decode(raw cql.Raw, encoding string) (any, error) {
	if raw == nil {
		return nil, nil
	}
	c := &cursor{rest: raw}
	var v any
	switch f {
	case IntMap:
		entries := make([]plan.IntEntry, c.count(8))
		for i := range entries {
			entries[i] = plan.IntEntry{Key: c.int64(), Value: plan.Blob{Data: c.bytes(), Encoding: encoding}}
		}
		v = entries
	case TextMap:
		entries := make([]plan.TextEntry, c.count(8))
		for i := range entries {
			entries[i] = plan.TextEntry{Key: string(c.bytes()), Value: plan.Blob{Data: c.bytes(), Encoding: encoding}}
		}
		v = entries
	case NodeMap:
		entries := make([]plan.NodeEntry, c.count(8))
		for i := range entries {
			entries[i].Key = string(c.bytes())
			entries[i].Value.Whole = plan.Blob{Data: c.bytes(), Encoding: encoding}
		}
		v = entries
	case UUIDSet:
		texts := make([]string, c.count(4))
		for i := range texts {
			b := c.bytes()
			if c.err == nil && len(b) != 16 {
				c.err = fmt.Errorf("has a UUID of %d bytes", len(b))
			}
			if c.err == nil {
				texts[i] = formatUUID([16]byte(b))
			}
		}
		v = texts
	case BatchList:
		blobs := make([]plan.Blob, c.count(4))
		for i := range blobs {
			blobs[i] = c.batch()
		}
		v = blobs
	case CountMap:
		entries := make([]plan.TextIntEntry, c.count(8))
		for i := range entries {
			entries[i] = plan.TextIntEntry{Key: string(c.bytes()), Value: c.int64()}
		}
		v = entries
	default:
		return nil, fmt.Errorf("form %d is no collection", f)
	}
	if err := c.end(); err != nil {
		return nil, err
	}
	return v, nil
}

// batch reads one frozen {encoding_type, version, data}. Fields at the end may
// be missing, as in every user-defined type.
func (c *cursor) batch() plan.Blob {
	inner := &cursor{rest: c.bytes()}
	var fields [3][]byte
	for i := range fields {
		if len(inner.rest) > 0 {
			fields[i] = inner.bytes()
		}
	}
	if inner.err != nil && c.err == nil {
		c.err = inner.err
	}
	return plan.Blob{Data: fields[2], Encoding: string(fields[0])}
}
