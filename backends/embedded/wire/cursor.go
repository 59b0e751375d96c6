package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

const maxString = 1<<16 - 1

// cursor takes the notations of section 3 of the specification off a body. After
// its first failure everything it returns is zero, so that callers check once.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail(what string) {
	if c.err == nil {
		c.err = Errorf(CodeProtocolError, "malformed message: %s", what)
	}
	c.b = nil
}

func (c *cursor) take(n int, what string) []byte {
	if n < 0 || n > len(c.b) {
		c.fail(what + " goes beyond the end of the body")
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) byte(what string) byte {
	if b := c.take(1, what); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) short(what string) uint16 {
	if b := c.take(2, what); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) int(what string) int32 {
	if b := c.take(4, what); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) long(what string) int64 {
	if b := c.take(8, what); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (c *cursor) string(what string) string { return string(c.take(int(c.short(what)), what)) }

func (c *cursor) longString(what string) string { return string(c.take(int(c.int(what)), what)) }

func (c *cursor) shortBytes(what string) []byte { return c.take(int(c.short(what)), what) }

// bytes gives nil for null; an empty value is not nil.
func (c *cursor) bytes(what string) []byte {
	n := c.int(what)
	if n < 0 || c.err != nil {
		return nil
	}
	return c.take(int(n), what)
}

func (c *cursor) value(v Version) Value {
	n := c.int("value")
	switch {
	case c.err != nil:
		return Value{}
	case n >= 0:
		return Value{Data: c.take(int(n), "value")}
	case n == -1 || v < V4: // version 3: every negative length is null
		return Value{}
	case n == -2:
		return Value{Unset: true}
	default:
		c.fail("value has a negative length that is neither null nor unset")
		return Value{}
	}
}

func (c *cursor) stringMap(what string) map[string]string {
	n := int(c.short(what))
	if n > len(c.b)/4 { // each entry is at least two empty strings
		c.fail(what + " claims more entries than the body can hold")
		return nil
	}
	m := make(map[string]string, n)
	for range n {
		k := c.string(what)
		m[k] = c.string(what)
	}
	return m
}

// skipBytesMap steps over a [bytes map].
func (c *cursor) skipBytesMap(what string) {
	for range int(c.short(what)) {
		c.take(int(c.short(what)), what)
		c.bytes(what)
		if c.err != nil {
			return
		}
	}
}

func appendString(b []byte, s string) []byte {
	if len(s) > maxString { // an error that quotes a long statement: cut it, between two characters
		n := maxString
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func appendStringList(b []byte, list []string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

func appendInt(b []byte, n int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) }

func appendShort(b []byte, n uint16) []byte { return binary.BigEndian.AppendUint16(b, n) }

// appendBytes writes nil as null.
func appendBytes(b, v []byte) []byte {
	if v == nil {
		return appendInt(b, -1)
	}
	b = appendInt(b, int32(len(v)))
	return append(b, v...)
}

func appendShortBytes(b, v []byte) []byte {
	b = appendShort(b, uint16(len(v)))
	return append(b, v...)
}
