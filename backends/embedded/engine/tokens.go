package engine

import (
	"math"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
)

// tokenRange evaluates token() and partition_hash() relations.
func (q *reading) tokenRange() (r storage.Range, empty bool, err error) {
	r = storage.Range{First: math.MinInt64, Last: math.MaxInt64}
	w := q.p.where.token
	if w == nil {
		return r, false, nil
	}
	if w.eq != nil {
		n, err := q.token(w.eq)
		if err != nil {
			return r, false, err
		}
		return storage.Range{First: w.first(n), Last: w.last(n)}, w.hash && (n < 0 || n > math.MaxUint16), nil
	}
	if w.lo != nil {
		if r.First, empty, err = q.lower(w); err != nil || empty {
			return r, empty, err
		}
	}
	if w.hi != nil {
		if r.Last, empty, err = q.upper(w); err != nil || empty {
			return r, empty, err
		}
	}
	return r, r.First > r.Last, nil
}

// token is the value of a side of such a relation.
func (q *reading) token(t *term) (int64, error) {
	b, err := t.required(&q.env)
	if err != nil {
		return 0, err
	}
	if b == nil {
		return 0, nullInCondition(q.ycql, "token")
	}
	return wholeNumber(b), nil
}

// lower is the first token above the lower limit; empty if there is none.
func (q *reading) lower(w *tokenRange) (first int64, empty bool, err error) {
	n, err := q.token(&w.lo.t)
	if err != nil {
		return 0, false, err
	}
	if !w.lo.inclusive {
		if n == math.MaxInt64 {
			return 0, true, nil
		}
		n++
	}
	return w.first(n), w.hash && n > math.MaxUint16, nil
}

// upper is the last token below the upper limit; empty if there is none.
func (q *reading) upper(w *tokenRange) (last int64, empty bool, err error) {
	n, err := q.token(&w.hi.t)
	if err != nil {
		return 0, false, err
	}
	// In Cassandra the least token as an upper bound means the end of the ring.
	if !w.hash && !q.ycql && n == math.MinInt64 {
		return math.MaxInt64, false, nil
	}
	if !w.hi.inclusive {
		if n == math.MinInt64 {
			return 0, true, nil
		}
		n--
	}
	return w.last(n), w.hash && n < 0, nil
}

// first is the first token of a hash, and a token itself.
func (w *tokenRange) first(n int64) int64 {
	switch {
	case !w.hash:
		return n
	case n > math.MaxUint16:
		return math.MaxInt64
	default:
		return cqltype.YBToken(uint16(max(n, 0)))
	}
}

// last is the last token of a hash, and a token itself.
func (w *tokenRange) last(n int64) int64 {
	if !w.hash || n > math.MaxUint16 {
		return w.first(n)
	}
	return w.first(n) | (1<<48 - 1)
}
