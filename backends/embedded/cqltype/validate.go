package cqltype

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Validate reports whether b is the binary form of a value of type t. A nil b
// (null) is always valid here; whether null is allowed is the caller's matter.
// The texts are Cassandra's (its serializers' MarshalException).
func (t *Type) Validate(b []byte) error {
	if b == nil {
		return nil
	}
	n := len(b)
	switch t.Kind {
	case ASCII:
		for _, c := range b {
			if c >= 0x80 {
				return fmt.Errorf("Invalid byte for ascii: %d", int8(c)) //nolint:staticcheck // the server's own text
			}
		}
	case Text:
		if !utf8.Valid(b) {
			return errors.New("String didn't validate.") //nolint:staticcheck // the server's own text
		}
	case Blob, Custom:
	case Boolean:
		return length(n, n <= 1, "Expected 1 or 0 byte value (%d)")
	case Tinyint:
		return length(n, n == 1, "Expected 1 byte for a tinyint (%d)")
	case Smallint:
		return length(n, n == 2, "Expected 2 bytes for a smallint (%d)")
	case Int:
		return length(n, n == 0 || n == 4, "Expected 4 or 0 byte int (%d)")
	case Bigint, Counter:
		return length(n, n == 0 || n == 8, "Expected 8 or 0 byte long (%d)")
	case Timestamp:
		return length(n, n == 0 || n == 8, "Expected 8 or 0 byte long for date (%d)")
	case Date:
		return length(n, n == 4, "Expected 4 byte long for date (%d)")
	case Time:
		if n == 8 {
			if v := int64(binary.BigEndian.Uint64(b)); v < 0 || v >= nanosPerDay {
				return fmt.Errorf("Input long out of bounds: %d", v) //nolint:staticcheck // the server's own text
			}
		}
		return length(n, n == 8, "Expected 8 byte long for time (%d)")
	case Float:
		return length(n, n == 0 || n == 4, "Expected 4 or 0 byte value for a float (%d)")
	case Double:
		return length(n, n == 0 || n == 8, "Expected 8 or 0 byte value for a double (%d)")
	case Decimal:
		// A scale alone is accepted on the wire by Cassandra and breaks its
		// readers; here it must have a value too.
		return length(n, n == 0 || n > 4, "Expected 0 or at least 4 bytes (%d)")
	case Varint:
	case Inet:
		return length(n, n == 0 || n == 4 || n == 16, "Expected 4 or 16 byte inetaddress; got %d")
	case UUID:
		return length(n, n == 0 || n == 16, "UUID should be 16 or 0 bytes (%d)")
	case Timeuuid:
		if n == 16 && b[6]>>4 != 1 {
			return errors.New("Invalid version for TimeUUID type.") //nolint:staticcheck // the server's own text
		}
		return length(n, n == 0 || n == 16, "UUID should be 16 or 0 bytes (%d)")
	case Duration:
		_, err := DecodeDuration(b)
		return err
	case List, Set, Map:
		elems, err := DecodeCollection(t, b)
		if err != nil {
			return err
		}
		for i, e := range elems {
			if e == nil {
				return errors.New("null is not supported inside collections")
			}
			if err := t.Elems[i%len(t.Elems)].Validate(e); err != nil {
				return err
			}
		}
	case Tuple, UDT:
		fields, err := DecodeTuple(t, b)
		if err != nil {
			return err
		}
		for i, f := range fields {
			if err := t.Elems[i].Validate(f); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("type %s has no values", t)
	}
	return nil
}

func length(n int, ok bool, text string) error {
	if ok {
		return nil
	}
	return fmt.Errorf(text, n)
}

// AllowsEmpty reports whether the empty value (no bytes) is a value of t other
// than an empty string: Cassandra takes it for most types of fixed size.
func (t *Type) AllowsEmpty() bool {
	switch t.Kind {
	case Tinyint, Smallint, Date, Time, Duration, List, Set, Map:
		return false
	default:
		return true
	}
}
