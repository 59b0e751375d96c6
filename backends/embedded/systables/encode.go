package systables

import (
	"encoding/binary"
	"maps"
	"math"
	"net"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// row maps columns to encoded values; a column that is missing is null.
type row map[string][]byte

var (
	textType  = cqltype.Native(cqltype.Text)
	textSet   = cqltype.SetOf(textType, false)
	textList  = cqltype.ListOf(textType, false)
	textMap   = cqltype.MapOf(textType, textType, false)
	replicaOf = cqltype.MapOf(cqltype.Native(cqltype.Inet), textType, false)
)

func text(s string) []byte { return []byte(s) }

func integer(n int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

func double(f float64) []byte { return binary.BigEndian.AppendUint64(nil, math.Float64bits(f)) }

func boolean(b bool) []byte {
	if b {
		return []byte{1}
	}
	return []byte{0}
}

func uuid(u catalog.UUID) []byte { return u[:] }

func inet(ip net.IP) []byte {
	if v4 := ip.To4(); v4 != nil {
		return v4
	}
	return ip
}

func set(elems ...string) []byte { return cqltype.EncodeCollection(textSet, texts(elems)) }

func list(elems []string) []byte { return cqltype.EncodeCollection(textList, texts(elems)) }

func texts(list []string) [][]byte {
	out := make([][]byte, len(list))
	for i, s := range list {
		out[i] = text(s)
	}
	return out
}

func mapOf(m map[string]string) []byte {
	var elems [][]byte
	for _, k := range slices.Sorted(maps.Keys(m)) {
		elems = append(elems, text(k), text(m[k]))
	}
	return cqltype.EncodeCollection(textMap, elems)
}
