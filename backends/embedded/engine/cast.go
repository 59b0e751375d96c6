package engine

import (
	"encoding/binary"
	"math"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// castCall is CAST(x AS type): numbers to numbers, and what has a text to text.
func (b *binder) castCall(e *parse.Expr, to *cqltype.Type) (term, error) {
	x, err := b.term(e.Args[0], spec{name: b.text(e.Args[0])})
	if err != nil {
		return term{}, err
	}
	from := x.typ
	f := &function{name: "cast", ret: to}
	switch {
	case from.SameValues(to):
		f.eval = func(_ *env, a [][]byte) ([]byte, error) { return a[0], nil }
	case (to.Kind == cqltype.Text || to.Kind == cqltype.ASCII) && !from.IsCollection() && len(from.Elems) == 0 && from.Kind != cqltype.Blob:
		f.eval = func(_ *env, a [][]byte) ([]byte, error) {
			if len(a[0]) == 0 {
				return a[0], nil
			}
			return []byte(from.FormatPlain(a[0])), nil
		}
	case binaryNumber(from) && binaryNumber(to):
		f.eval = func(_ *env, a [][]byte) ([]byte, error) { return castNumber(from, to, a[0]), nil }
	case from.IsNumeric() && to.IsNumeric():
		return term{}, b.src.Refuse("CAST from "+from.String()+" to "+to.String(), e.Span)
	default:
		if b.ycql {
			return term{}, b.src.QL(cqlerr.DatatypeMismatch, e.Span, "")
		}
		return term{}, cqlerr.Invalid("%s cannot be cast to %s", x.name, to)
	}
	t := term{kind: termCall, typ: to, call: f, args: []term{x}, name: "cast(" + x.name + " as " + to.String() + ")"}
	if b.ycql {
		t.name = b.text(e)
	}
	return t, nil
}

// binaryNumber tells whether a number type has a fixed size.
func binaryNumber(t *cqltype.Type) bool {
	return t.IsNumeric() && t.Kind != cqltype.Varint && t.Kind != cqltype.Decimal
}

// castNumber converts as Java does: whole numbers are cut, floats saturate.
func castNumber(from, to *cqltype.Type, b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	var f float64
	var n int64
	switch from.Kind {
	case cqltype.Float:
		f = float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
		n = saturate(f)
	case cqltype.Double:
		f = math.Float64frombits(binary.BigEndian.Uint64(b))
		n = saturate(f)
	default:
		n = wholeNumber(b)
		f = float64(n)
	}
	switch to.Kind {
	case cqltype.Float:
		if from.Kind == cqltype.Double || from.Kind == cqltype.Float {
			return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(f)))
		}
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(n)))
	case cqltype.Double:
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(f))
	case cqltype.Tinyint:
		return encodeWhole(n, 1)
	case cqltype.Smallint:
		return encodeWhole(n, 2)
	case cqltype.Int:
		if from.Kind == cqltype.Float || from.Kind == cqltype.Double {
			n = max(math.MinInt32, min(math.MaxInt32, n))
		}
		return encodeWhole(n, 4)
	default:
	}
	return encodeWhole(n, 8)
}

func saturate(f float64) int64 {
	switch {
	case f != f: //nolint:gocritic // NaN
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}
