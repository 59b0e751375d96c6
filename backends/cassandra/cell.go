package cassandra

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// raw hands an argument that is serialized already to gocql.
type raw []byte

// MarshalCQL implements gocql.Marshaler.
func (r raw) MarshalCQL(gocql.TypeInfo) ([]byte, error) { return r, nil }

// cell reads one column into dest, which may be any destination of
// cql.Rows.Scan or *any. It copies: gocql's bytes belong to its frame.
type cell struct{ dest any }

// UnmarshalCQL implements gocql.Unmarshaler.
func (c *cell) UnmarshalCQL(info gocql.TypeInfo, data []byte) error {
	switch d := c.dest.(type) {
	case *int64:
		v, err := integer(info, data)
		*d = v
		return err
	case *string:
		v, err := text(info, data)
		*d = v
		return err
	case *bool:
		*d = len(data) == 1 && data[0] != 0
		return nil
	case *[16]byte:
		v, err := uuid(info, data)
		*d = v
		return err
	case *[]byte:
		*d = clone(data)
		return nil
	case *cql.Raw:
		*d = clone(data)
		return nil
	case *any:
		v, err := anything(info, data)
		*d = v
		return err
	case **int64:
		return optional(d, info, data, integer)
	case **string:
		return optional(d, info, data, text)
	case **[16]byte:
		return optional(d, info, data, uuid)
	case **bool:
		return optional(d, info, data, boolean)
	default:
		return fmt.Errorf("cannot scan %s into %T", info, c.dest)
	}
}

func optional[T any](d **T, info gocql.TypeInfo, data []byte, decode func(gocql.TypeInfo, []byte) (T, error)) error {
	*d = nil
	if data == nil {
		return nil
	}
	v, err := decode(info, data)
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

func integer(info gocql.TypeInfo, data []byte) (int64, error) {
	switch {
	case len(data) == 0:
		return 0, nil
	case len(data) == 8 && (info.Type() == gocql.TypeBigInt || info.Type() == gocql.TypeTimestamp || info.Type() == gocql.TypeCounter):
		return int64(binary.BigEndian.Uint64(data)), nil
	case len(data) == 4 && info.Type() == gocql.TypeInt:
		return int64(int32(binary.BigEndian.Uint32(data))), nil
	case len(data) == 2 && info.Type() == gocql.TypeSmallInt:
		return int64(int16(binary.BigEndian.Uint16(data))), nil
	case len(data) == 1 && info.Type() == gocql.TypeTinyInt:
		return int64(int8(data[0])), nil
	}
	return 0, fmt.Errorf("%d bytes of %s are not an integer", len(data), info)
}

func text(info gocql.TypeInfo, data []byte) (string, error) {
	switch info.Type() {
	case gocql.TypeVarchar, gocql.TypeText, gocql.TypeAscii, gocql.TypeBlob:
		return string(data), nil
	case gocql.TypeInet:
		if len(data) == 0 {
			return "", nil
		}
		return net.IP(data).String(), nil
	default:
		return "", fmt.Errorf("%s is not a text", info)
	}
}

func uuid(info gocql.TypeInfo, data []byte) (v [16]byte, err error) {
	if len(data) == 0 {
		return v, nil
	}
	if len(data) != len(v) {
		return v, fmt.Errorf("%d bytes of %s are not a UUID", len(data), info)
	}
	copy(v[:], data)
	return v, nil
}

func boolean(_ gocql.TypeInfo, data []byte) (bool, error) {
	return len(data) == 1 && data[0] != 0, nil
}

// anything decodes a scalar to the Go type that cql.Row gives it, and leaves
// collections out.
func anything(info gocql.TypeInfo, data []byte) (any, error) {
	if data == nil {
		return nil, nil
	}
	switch info.Type() {
	case gocql.TypeBigInt, gocql.TypeTimestamp, gocql.TypeCounter, gocql.TypeInt, gocql.TypeSmallInt, gocql.TypeTinyInt:
		return integer(info, data)
	case gocql.TypeVarchar, gocql.TypeText, gocql.TypeAscii, gocql.TypeInet:
		return text(info, data)
	case gocql.TypeUUID, gocql.TypeTimeUUID:
		return uuid(info, data)
	case gocql.TypeBoolean:
		return boolean(info, data)
	case gocql.TypeBlob:
		return clone(data), nil
	default:
		return nil, nil
	}
}

// arguments turns the arguments of a call into what gocql takes.
func arguments(args []any) []any {
	for i, a := range args {
		switch a.(type) {
		case cql.Raw, cql.UnsetValue:
			return convert(args, i)
		}
	}
	return args
}

func convert(args []any, from int) []any {
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
			out[i] = gocql.UnsetValue
		default:
			out[i] = a
		}
	}
	return out
}
