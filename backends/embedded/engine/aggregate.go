package engine

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// accumulator is an aggregate at work.
type accumulator struct {
	n     int64
	best  []byte
	sum   int64
	float float64
	set   bool
}

// accumulate takes the row at hand into the aggregates.
func (q *reading) accumulate() error {
	for i := range q.acc {
		a, kind := &q.acc[i], q.p.aggs[i].kind
		if kind == aggCountRows {
			a.n++
			continue
		}
		x, err := q.p.sel[i].eval(&q.env)
		if err != nil {
			return err
		}
		typ := q.p.sel[i].typ
		if kind == aggNone {
			if !a.set { // Cassandra: the first row's value
				a.best, a.set = slices.Clone(x.Data), true
			}
			continue
		}
		if x.Data == nil || len(x.Data) == 0 && typ.IsNumeric() {
			continue
		}
		a.n++
		switch kind {
		case aggMin, aggMax:
			c := 0
			if a.best != nil {
				c = typ.Compare(x.Data, a.best)
			}
			if a.best == nil || kind == aggMin && c < 0 || kind == aggMax && c > 0 {
				a.best = append([]byte{}, x.Data...)
			}
		case aggSum, aggAvg:
			switch typ.Kind {
			case cqltype.Float:
				a.float += float64(math.Float32frombits(binary.BigEndian.Uint32(x.Data)))
			case cqltype.Double:
				a.float += math.Float64frombits(binary.BigEndian.Uint64(x.Data))
			default:
				a.sum += wholeNumber(x.Data)
			}
		default:
		}
	}
	return nil
}

// finishAggregates puts the one row of an aggregate query into the result.
func (q *reading) finishAggregates() {
	for i := range q.acc {
		a := &q.acc[i]
		typ := q.p.sel[i].typ
		switch q.p.aggs[i].kind {
		case aggCountRows, aggCount:
			q.out.add(bigint(a.n))
		case aggNone, aggMin, aggMax:
			q.out.add(a.best)
		case aggSum, aggAvg:
			q.out.add(a.total(typ, q.p.aggs[i].kind == aggAvg, q.ycql))
		}
	}
	q.out.rows = 1
}

func (a *accumulator) total(typ *cqltype.Type, avg, ycql bool) []byte {
	f, s := a.float, a.sum
	if avg && a.n > 0 {
		f, s = f/float64(a.n), s/a.n
	}
	if a.n == 0 && ycql && avg {
		return nil
	}
	switch typ.Kind {
	case cqltype.Float:
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(f)))
	case cqltype.Double:
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(f))
	case cqltype.Tinyint:
		return encodeWhole(s, 1)
	case cqltype.Smallint:
		return encodeWhole(s, 2)
	case cqltype.Int:
		return encodeWhole(s, 4)
	default:
	}
	return encodeWhole(s, 8)
}
