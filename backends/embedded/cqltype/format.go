package cqltype

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Format returns a CQL literal for value b of type t: what, put into a
// statement, stands for b. null for nil; 0x for an empty value of a type whose
// literals cannot be empty. An invalid value is shown as hex digits.
func (t *Type) Format(b []byte) string {
	if b == nil {
		return "null"
	}
	if t.Validate(b) != nil {
		return "0x" + hex.EncodeToString(b)
	}
	switch t.Kind {
	case Text, ASCII:
		return quoteString(string(b))
	case Blob, Custom:
		return "0x" + hex.EncodeToString(b)
	case List, Set, Map:
		return t.formatCollection(b)
	case Tuple, UDT:
		return t.formatTuple(b)
	default: // native, of a form that has no empty values
	}
	if len(b) == 0 {
		return "0x"
	}
	switch t.Kind {
	case Inet, Date, Time, Timestamp:
		return "'" + t.FormatPlain(b) + "'"
	default:
		return t.FormatPlain(b)
	}
}

// FormatPlain is Format without the quotes around strings, addresses and times.
func (t *Type) FormatPlain(b []byte) string {
	if len(b) == 0 && t.Kind != Text && t.Kind != ASCII {
		return t.Format(b)
	}
	switch t.Kind {
	case Text, ASCII:
		return string(b)
	case Boolean:
		return strconv.FormatBool(b[0] != 0)
	case Tinyint:
		return strconv.Itoa(int(int8(b[0])))
	case Smallint:
		return strconv.Itoa(int(int16(binary.BigEndian.Uint16(b))))
	case Int:
		return strconv.Itoa(int(int32(binary.BigEndian.Uint32(b))))
	case Bigint, Counter:
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(b)), 10)
	case Varint:
		return DecodeVarint(b).String()
	case Decimal:
		return formatDecimal(b)
	case Float:
		return formatFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(b))), 32)
	case Double:
		return formatFloat(math.Float64frombits(binary.BigEndian.Uint64(b)), 64)
	case UUID, Timeuuid:
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	case Inet:
		a, _ := netip.AddrFromSlice(b)
		return a.String()
	case Date:
		return formatDate(b)
	case Time:
		return formatTime(b)
	case Timestamp:
		return formatTimestamp(b)
	case Duration:
		return formatDuration(b)
	default:
		return t.Format(b)
	}
}

func quoteString(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// formatFloat writes a float that a FLOAT literal can hold: always with a point
// or an exponent, or one of the three names.
func formatFloat(f float64, bitSize int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	s := strconv.FormatFloat(f, 'g', -1, bitSize)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

func formatDuration(b []byte) string {
	d, err := DecodeDuration(b)
	if err != nil {
		return "0x" + hex.EncodeToString(b)
	}
	var s strings.Builder
	if d.Months < 0 || d.Days < 0 || d.Nanos < 0 {
		s.WriteByte('-')
	}
	// Negated as unsigned, so that the least values have no overflow.
	abs := func(v int64) uint64 {
		if v < 0 {
			return -uint64(v)
		}
		return uint64(v)
	}
	put := func(v uint64, units ...struct {
		name string
		size uint64
	},
	) {
		for _, u := range units {
			if n := v / u.size; n > 0 {
				fmt.Fprintf(&s, "%d%s", n, u.name)
				v %= u.size
			}
		}
	}
	type unit = struct {
		name string
		size uint64
	}
	put(abs(int64(d.Months)), unit{"y", 12}, unit{"mo", 1})
	put(abs(int64(d.Days)), unit{"d", 1})
	put(abs(d.Nanos), unit{"h", uint64(time.Hour)}, unit{"m", uint64(time.Minute)}, unit{"s", uint64(time.Second)},
		unit{"ms", uint64(time.Millisecond)}, unit{"us", uint64(time.Microsecond)}, unit{"ns", 1})
	if s.Len() == 0 {
		return "0ns"
	}
	return s.String()
}

func (t *Type) formatCollection(b []byte) string {
	elems, _ := DecodeCollection(t, b) // validated by Format
	opening, closing := "{", "}"
	if t.Kind == List {
		opening, closing = "[", "]"
	}
	var s strings.Builder
	s.WriteString(opening)
	for i, e := range elems {
		switch {
		case i == 0:
		case t.Kind == Map && i%2 == 1:
			s.WriteString(": ")
		default:
			s.WriteString(", ")
		}
		s.WriteString(t.Elems[i%len(t.Elems)].Format(e))
	}
	s.WriteString(closing)
	return s.String()
}

func (t *Type) formatTuple(b []byte) string {
	fields, _ := DecodeTuple(t, b) // validated by Format
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = t.Elems[i].Format(f)
		if t.Kind == UDT {
			parts[i] = QuoteIdent(t.Fields[i]) + ": " + parts[i]
		}
	}
	if t.Kind == UDT {
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
