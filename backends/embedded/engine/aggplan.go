package engine

import (
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// aggregates.

type aggKind uint8

const (
	aggNone aggKind = iota
	aggCountRows
	aggCount
	aggMin
	aggMax
	aggSum
	aggAvg
)

var aggregates = map[string]aggKind{"count": aggCount, "min": aggMin, "max": aggMax, "sum": aggSum, "avg": aggAvg}

type aggregate struct{ kind aggKind }

func (a aggregate) result(arg *cqltype.Type) *cqltype.Type {
	if a.kind == aggCountRows || a.kind == aggCount {
		return tBigint
	}
	return arg
}

func (s *selectPlanner) aggregate(e *parse.Expr, kind aggKind) (term, aggregate, string, error) {
	if kind == aggCount && (e.Star || len(e.Args) == 1 && e.Args[0].Kind == parse.KindInt) {
		name := "count"
		if s.ycql {
			name = s.text(e)
		}
		return term{kind: termConst, typ: tBigint}, aggregate{aggCountRows}, name, nil
	}
	if len(e.Args) != 1 {
		if s.ycql {
			return term{}, aggregate{}, "", s.src.QL(cqlerr.InvalidFunction, e.Span, "wrong number of arguments")
		}
		return term{}, aggregate{}, "", cqlerr.Invalid("Invalid number of arguments in call to function system.%s: 1 required but %d provided", e.Text, len(e.Args))
	}
	x, err := s.term(e.Args[0], spec{name: s.text(e.Args[0])})
	if err != nil {
		return term{}, aggregate{}, "", err
	}
	if (kind == aggSum || kind == aggAvg) && (!x.typ.IsNumeric() || x.typ.Kind == cqltype.Decimal || x.typ.Kind == cqltype.Varint) {
		if x.typ.IsNumeric() {
			return term{}, aggregate{}, "", s.src.Refuse(e.Text+" of "+x.typ.String(), e.Span)
		}
		if s.ycql {
			return term{}, aggregate{}, "", s.src.QL(cqlerr.DatatypeMismatch, e.Span, "")
		}
		return term{}, aggregate{}, "", cqlerr.Invalid("Invalid call to function %s, none of its type signatures match (known type signatures: ...)", e.Text)
	}
	name := s.text(e)
	if !s.ycql {
		name = "system." + e.Text + "(" + x.name + ")"
	}
	return x, aggregate{kind}, name, nil
}
