package render

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// ErrNotRow is returned by a codec for a value that belongs to a row of
// another logical table in the same key range.
var ErrNotRow = errors.New("not a row of this table")

// encode returns the physical value of a logical key value. It hands on the
// boxed value where nothing changes.
func (k *Key) encode(v any) (any, error) {
	if err := checkKind(k.Of.Kind, v); err != nil {
		return nil, fmt.Errorf("%s: %w", k.Of, err)
	}
	if k.Reserved != nil && v == k.Reserved {
		return nil, fmt.Errorf("%s: %s is reserved", k.Of, plan.FormatValue(v))
	}
	return encodeScalar(k.Of, k.Codec, k.Bits, v)
}

func encodeScalar(of *plan.Column, codec *Codec, bits int, v any) (any, error) {
	if codec != nil {
		var err error
		if v, err = codec.Encode(v); err != nil {
			return nil, fmt.Errorf("%s: %w", of, err)
		}
	}
	if bits != 0 {
		if n, ok := v.(int64); ok && (n < -1<<(bits-1) || n > 1<<(bits-1)-1) {
			return nil, fmt.Errorf("%s: %d does not fit %d bits", of, n, bits)
		}
	}
	return v, nil
}

// checkKind tells whether v is of the Go type of a scalar kind.
func checkKind(k plan.Kind, v any) error {
	var (
		ok   bool
		want string
	)
	switch k {
	case plan.Int, plan.Time:
		_, ok = v.(int64)
		want = "int64"
	case plan.Text, plan.Inet:
		_, ok = v.(string)
		want = "string"
	case plan.UUID:
		_, ok = v.([16]byte)
		want = "[16]byte"
	case plan.Bool:
		_, ok = v.(bool)
		want = "bool"
	default:
		return fmt.Errorf("kind %d is not a scalar", k)
	}
	if !ok {
		return fmt.Errorf("is a %T, want %s", v, want)
	}
	return nil
}

// literal renders a constant.
func literal(v any) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case [16]byte:
		return formatUUID(v)
	case []byte:
		return "0x" + hex.EncodeToString(v)
	default:
		panic(fmt.Sprintf("render: constant of type %T", v)) // a layout is checked by tests
	}
}

func formatUUID(u [16]byte) string {
	const hex = "0123456789abcdef"
	var b [36]byte
	at := 0
	for i, x := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b[at] = '-'
			at++
		}
		b[at], b[at+1] = hex[x>>4], hex[x&15]
		at += 2
	}
	return string(b[:])
}

// ParseUUID reads the canonical form of a UUID, in either case.
func ParseUUID(s string) (u [16]byte, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, fmt.Errorf("%q is not a UUID", s)
	}
	at := 0
	for i := range u {
		if s[at] == '-' {
			at++
		}
		hi, lo := unhex(s[at]), unhex(s[at+1])
		if hi > 15 || lo > 15 {
			return [16]byte{}, fmt.Errorf("%q is not a UUID", s)
		}
		u[i] = hi<<4 | lo
		at += 2
	}
	return u, nil
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// MustUUID is [ParseUUID] for constants of layouts.
func MustUUID(s string) [16]byte {
	u, err := ParseUUID(s)
	if err != nil {
		panic(err)
	}
	return u
}
