package render

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// EncodePair is two integers as 16 bytes that sort as they do: big-endian, the
// sign bits turned round.
func EncodePair(a, b int64) []byte {
	raw := binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(a)^1<<63)
	return binary.BigEndian.AppendUint64(raw, uint64(b)^1<<63)
}

// last returns the index of the last logical key column that k holds.
func (k *Key) last() int {
	if k.And != nil {
		return k.at + 1
	}
	return k.at
}

// holds tells whether k holds a logical key column.
func (k *Key) holds(c *plan.Column) bool {
	return c != nil && (k.Of == c || k.And == c)
}

// encodeAt is the physical value of the key column in a whole logical key.
func (k *Key) encodeAt(key []any) (any, error) {
	if k.And == nil {
		return k.encode(key[k.at])
	}
	return k.pair(key[k.at], key[k.at+1])
}

func (k *Key) pair(first, second any) (any, error) {
	for _, v := range [2]any{first, second} {
		if err := checkKind(plan.Int, v); err != nil {
			return nil, fmt.Errorf("%s: %w", k.Of, err)
		}
	}
	return EncodePair(first.(int64), second.(int64)), nil
}

// edge is the physical value of a bound on the pair. If only the first value is
// given, the second is the one that makes the bound mean the same.
func (k *Key) edge(c plan.Compare, values []any) (any, error) {
	if len(values) == 2 {
		return k.pair(values[0], values[1])
	}
	second := int64(math.MinInt64)
	if c == plan.Greater || c == plan.LessOrEqual {
		second = math.MaxInt64
	}
	return k.pair(values[0], second)
}

// decodePair returns one half of what is stored.
func (k *Key) decodePair(raw []byte, of *plan.Column) (any, error) {
	if len(raw) != 16 {
		return nil, fmt.Errorf("column %s: has %d bytes, want 16", k.Name, len(raw))
	}
	if of == k.And {
		raw = raw[8:]
	}
	return int64(binary.BigEndian.Uint64(raw) ^ 1<<63), nil
}
