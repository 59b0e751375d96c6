package records

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Record is one logical row. Records are values: who changes one copies its
// slices first.
type Record struct {
	Kind Kind
	Unit Unit
	// Key holds the values of Kind.Table().Key, Values those of its Columns, by
	// plan.Kind; nil is absent, and so is everything that is empty.
	Key    []any
	Values []any
	// Expires is the instant at which the record goes, in milliseconds since
	// 1970 UTC; 0: never. Servers count in whole seconds: it is off by up to
	// [ExpiryTolerance].
	Expires int64
}

// ExpiryTolerance is how far apart two instants of one expiry may be, in
// milliseconds. A copy reads a life and writes it, a comparison reads it on both
// sides: each of these is off by a second at most for whole seconds that are cut off
// or rounded up, and by what its exchange took (see slow).
const ExpiryTolerance = 4000

// Family is the kind and, for history tasks, the category.
func (r *Record) Family() Family {
	f := Family{Kind: r.Kind}
	if r.Kind == HistoryTask {
		f.Category, _ = r.Key[1].(int64)
	}
	return f
}

// Value returns the value of a column; nil if it is absent or not of the kind.
func (r *Record) Value(c *plan.Column) any {
	t := r.Kind.Table()
	if i := slices.Index(t.Columns, c); i >= 0 {
		return r.Values[i]
	}
	if i := slices.Index(t.Key, c); i >= 0 {
		return r.Key[i]
	}
	return nil
}

// Blob returns a Data column; the zero Blob if it is absent.
func (r *Record) Blob(c *plan.Column) plan.Blob {
	b, _ := r.Value(c).(plan.Blob)
	return b
}

// Int returns an Int column; 0 if it is absent.
func (r *Record) Int(c *plan.Column) int64 {
	n, _ := r.Value(c).(int64)
	return n
}

// With returns a copy with another value of a column.
func (r *Record) With(c *plan.Column, v any) *Record {
	changed := *r
	if i := slices.Index(r.Kind.Table().Columns, c); i >= 0 {
		changed.Values = slices.Clone(r.Values)
		changed.Values[i] = normal(v)
	}
	return &changed
}

// KeyString is the key for people and for sorting out duplicates: kind and key
// columns by name.
func (r *Record) KeyString() string {
	var b strings.Builder
	b.WriteString(r.Kind.String())
	b.WriteByte('(')
	for i, c := range r.Kind.Table().Key {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.Name + "=")
		if c == plan.TaskFireTime && r.Key[i] == plan.Immediate {
			b.WriteString("immediate")
			continue
		}
		b.WriteString(plan.FormatValue(r.Key[i]))
	}
	b.WriteByte(')')
	return b.String()
}

// Size is about how many bytes of memory the record's values take.
func (r *Record) Size() int {
	n := 64
	for _, v := range r.Key {
		n += sizeOf(v)
	}
	for _, v := range r.Values {
		n += sizeOf(v)
	}
	return n
}

func sizeOf(v any) int {
	n := 16
	switch v := v.(type) {
	case string:
		n += len(v)
	case plan.Blob:
		n += len(v.Data) + 32
	case []plan.Blob:
		for i := range v {
			n += len(v[i].Data) + 40
		}
	case []plan.IntEntry:
		for i := range v {
			n += len(v[i].Value.Data) + 48
		}
	case []plan.TextEntry:
		for i := range v {
			n += len(v[i].Key) + len(v[i].Value.Data) + 56
		}
	case []plan.NodeEntry:
		for i := range v {
			x := &v[i].Value
			n += len(v[i].Key) + len(x.Whole.Data) + len(x.Metadata.Data) + len(x.Body.Data) + 136
		}
	case []string:
		for i := range v {
			n += len(v[i]) + 16
		}
	case []plan.TextIntEntry:
		for i := range v {
			n += len(v[i].Key) + 24
		}
	}
	return n
}

// absent tells the zero Blob from an empty one, which has an encoding.
func absent(b plan.Blob) bool { return len(b.Data) == 0 && b.Encoding == "" }

// normal makes the one form of a value: nil for what is empty, collections
// sorted by the bytes of their keys. Lists keep their order.
func normal(v any) any {
	switch v := v.(type) {
	case plan.Blob:
		if absent(v) {
			return nil
		}
	case []plan.Blob:
		if len(v) == 0 {
			return nil
		}
	case []plan.IntEntry:
		return sorted(v, func(a, b plan.IntEntry) int { return bytes.Compare(intKey(a.Key), intKey(b.Key)) })
	case []plan.TextEntry:
		return sorted(v, func(a, b plan.TextEntry) int { return cmp.Compare(a.Key, b.Key) })
	case []plan.NodeEntry:
		return sorted(v, func(a, b plan.NodeEntry) int { return cmp.Compare(a.Key, b.Key) })
	case []string:
		return sorted(v, cmp.Compare[string])
	case []plan.TextIntEntry:
		return sorted(v, func(a, b plan.TextIntEntry) int { return cmp.Compare(a.Key, b.Key) })
	}
	return v
}

func intKey(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// sorted sorts in place: the slice was made for this record.
func sorted[E any](v []E, compare func(a, b E) int) any {
	if len(v) == 0 {
		return nil
	}
	if !slices.IsSortedFunc(v, compare) {
		v = slices.Clone(v)
		slices.SortFunc(v, compare)
	}
	return v
}

func formatUUID(u [16]byte) string { return plan.FormatValue(u) }

func parseUUID(text string) (u [16]byte, err error) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return u, fmt.Errorf("%q is no UUID", text)
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != 16 {
		return u, fmt.Errorf("%q is no UUID", text)
	}
	return [16]byte(raw), nil
}
