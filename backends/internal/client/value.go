package client

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// Kind is the id of a type in the native protocol (v4, section 6), which both
// drivers use for their own.
type Kind int

// The kinds that are decoded to Go values.
const (
	kindASCII     Kind = 0x01
	kindBigint    Kind = 0x02
	kindBlob      Kind = 0x03
	kindBoolean   Kind = 0x04
	kindCounter   Kind = 0x05
	kindInt       Kind = 0x09
	kindText      Kind = 0x0A // of version 1; drivers know it
	kindTimestamp Kind = 0x0B
	kindUUID      Kind = 0x0C
	kindVarchar   Kind = 0x0D
	kindTimeUUID  Kind = 0x0F
	kindInet      Kind = 0x10
	kindSmallint  Kind = 0x13
	kindTinyint   Kind = 0x14
	kindList      Kind = 0x20
	kindMap       Kind = 0x21
	kindSet       Kind = 0x22
)

// Collection tells whether values of the kind are left out of cql.Row.
func (k Kind) Collection() bool { return k == kindList || k == kindMap || k == kindSet }

// Scan reads one column into dest, which may be any destination of
// cql.Rows.Scan or *any. It copies: a driver's bytes belong to its frame.
func Scan(kind Kind, data []byte, dest any) error {
	switch d := dest.(type) {
	case *int64:
		v, err := integer(kind, data)
		*d = v
		return err
	case *string:
		v, err := text(kind, data)
		*d = v
		return err
	case *bool:
		*d = len(data) == 1 && data[0] != 0
		return nil
	case *[16]byte:
		v, err := uuid(kind, data)
		*d = v
		return err
	case *[]byte:
		*d = clone(data)
		return nil
	case *cql.Raw:
		*d = clone(data)
		return nil
	case *any:
		v, err := anything(kind, data)
		*d = v
		return err
	case **int64:
		return optional(d, kind, data, integer)
	case **string:
		return optional(d, kind, data, text)
	case **[16]byte:
		return optional(d, kind, data, uuid)
	case **bool:
		return optional(d, kind, data, boolean)
	default:
		return fmt.Errorf("cannot scan type 0x%02x into %T", int(kind), dest)
	}
}

func optional[T any](d **T, kind Kind, data []byte, decode func(Kind, []byte) (T, error)) error {
	*d = nil
	if data == nil {
		return nil
	}
	v, err := decode(kind, data)
	if err == nil {
		*d = &v
	}
	return err
}

func clone(data []byte) []byte {
	if data == nil {
		return nil
	}
	return append(make([]byte, 0, len(data)), data...)
}

func integer(kind Kind, data []byte) (int64, error) {
	switch {
	case len(data) == 0:
		return 0, nil
	case len(data) == 8 && (kind == kindBigint || kind == kindTimestamp || kind == kindCounter):
		return int64(binary.BigEndian.Uint64(data)), nil
	case len(data) == 4 && kind == kindInt:
		return int64(int32(binary.BigEndian.Uint32(data))), nil
	case len(data) == 2 && kind == kindSmallint:
		return int64(int16(binary.BigEndian.Uint16(data))), nil
	case len(data) == 1 && kind == kindTinyint:
		return int64(int8(data[0])), nil
	}
	return 0, fmt.Errorf("%d bytes of type 0x%02x are not an integer", len(data), int(kind))
}

func text(kind Kind, data []byte) (string, error) {
	switch kind {
	case kindVarchar, kindText, kindASCII, kindBlob:
		return string(data), nil
	case kindInet:
		if len(data) == 0 {
			return "", nil
		}
		return net.IP(data).String(), nil
	default:
		return "", fmt.Errorf("type 0x%02x is not a text", int(kind))
	}
}

func uuid(kind Kind, data []byte) (v [16]byte, err error) {
	if len(data) == 0 {
		return v, nil
	}
	if len(data) != len(v) {
		return v, fmt.Errorf("%d bytes of type 0x%02x are not a UUID", len(data), int(kind))
	}
	copy(v[:], data)
	return v, nil
}

func boolean(_ Kind, data []byte) (bool, error) {
	return len(data) == 1 && data[0] != 0, nil
}

// anything decodes a scalar to the Go type that cql.Row gives it, and leaves
// collections out.
func anything(kind Kind, data []byte) (any, error) {
	if data == nil {
		return nil, nil
	}
	switch kind {
	case kindBigint, kindTimestamp, kindCounter, kindInt, kindSmallint, kindTinyint:
		return integer(kind, data)
	case kindVarchar, kindText, kindASCII, kindInet:
		return text(kind, data)
	case kindUUID, kindTimeUUID:
		return uuid(kind, data)
	case kindBoolean:
		return boolean(kind, data)
	case kindBlob:
		return clone(data), nil
	default:
		return nil, nil
	}
}

// Arguments turns the arguments of a call into what a driver takes: raw wraps a
// value that is serialized already, unset is the driver's own. args is not
// changed.
func Arguments(args []any, raw func(cql.Raw) any, unset any) []any {
	for i, a := range args {
		switch a.(type) {
		case cql.Raw, cql.UnsetValue:
			return convert(args, i, raw, unset)
		}
	}
	return args
}

func convert(args []any, from int, raw func(cql.Raw) any, unset any) []any {
	out := make([]any, len(args))
	copy(out, args[:from])
	for i := from; i < len(args); i++ {
		switch a := args[i].(type) {
		case cql.Raw:
			if a == nil {
				out[i] = nil
			} else {
				out[i] = raw(a)
			}
		case cql.UnsetValue:
			out[i] = unset
		default:
			out[i] = a
		}
	}
	return out
}
