package memory

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// null tells whether a stored value counts as absent: CQL knows no empty
// collections, and a zero Blob stands for an absent one.
func null(v any) bool {
	if v == nil {
		return true
	}
	if b, ok := v.(plan.Blob); ok {
		return b.Data == nil && b.Encoding == ""
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() != reflect.Uint8 && rv.Len() == 0
}

// effect returns the value of a column after an effect.
func effect(old any, e *plan.Effect) any {
	switch e.Op {
	case plan.Set:
		return clone(e.Value)
	case plan.Clear:
		return nil
	case plan.Append:
		list, _ := old.([]plan.Blob)
		return append(slices.Clone(list), clone(e.Value).(plan.Blob))
	case plan.Merge:
		return merge(old, e.Value)
	case plan.Drop:
		return drop(old, e.Value)
	}
	return old
}

func merge(old, added any) any {
	switch added := added.(type) {
	case []plan.IntEntry:
		was, _ := old.([]plan.IntEntry)
		return mergeBy(was, added, func(e plan.IntEntry) int64 { return e.Key })
	case []plan.TextEntry:
		was, _ := old.([]plan.TextEntry)
		return mergeBy(was, added, func(e plan.TextEntry) string { return e.Key })
	case []plan.NodeEntry:
		was, _ := old.([]plan.NodeEntry)
		return mergeBy(was, added, func(e plan.NodeEntry) string { return e.Key })
	case []plan.TextIntEntry:
		was, _ := old.([]plan.TextIntEntry)
		return mergeBy(was, added, func(e plan.TextIntEntry) string { return e.Key })
	case []string:
		was, _ := old.([]string)
		return mergeBy(was, added, func(s string) string { return s })
	}
	return old
}

func mergeBy[E any, K cmp.Ordered](was, added []E, key func(E) K) []E {
	byKey := make(map[K]E, len(was)+len(added))
	for _, e := range was {
		byKey[key(e)] = e
	}
	for _, e := range added {
		byKey[key(e)] = e
	}
	return sorted(byKey)
}

func sorted[E any, K cmp.Ordered](byKey map[K]E) []E {
	keys := make([]K, 0, len(byKey))
	for k := range byKey {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	all := make([]E, 0, len(keys))
	for _, k := range keys {
		all = append(all, byKey[k])
	}
	return all
}

func drop(old, keys any) any {
	switch was := old.(type) {
	case []plan.IntEntry:
		return dropBy(was, keys, func(e plan.IntEntry) int64 { return e.Key })
	case []plan.TextEntry:
		return dropBy(was, keys, func(e plan.TextEntry) string { return e.Key })
	case []plan.NodeEntry:
		return dropBy(was, keys, func(e plan.NodeEntry) string { return e.Key })
	case []plan.TextIntEntry:
		return dropBy(was, keys, func(e plan.TextIntEntry) string { return e.Key })
	case []string:
		return dropBy(was, keys, func(s string) string { return s })
	}
	return old
}

func dropBy[E any, K comparable](was []E, keys any, key func(E) K) []E {
	gone, _ := keys.([]K)
	return slices.DeleteFunc(slices.Clone(was), func(e E) bool { return slices.Contains(gone, key(e)) })
}

// clone copies a value so that the caller may reuse what it passed.
func clone(v any) any {
	switch v := v.(type) {
	case plan.Blob:
		v.Data = slices.Clone(v.Data)
		return v
	case []plan.IntEntry:
		return mergeBy(nil, v, func(e plan.IntEntry) int64 { return e.Key })
	case []plan.TextEntry:
		return mergeBy(nil, v, func(e plan.TextEntry) string { return e.Key })
	case []plan.NodeEntry:
		return mergeBy(nil, v, func(e plan.NodeEntry) string { return e.Key })
	case []plan.TextIntEntry:
		return mergeBy(nil, v, func(e plan.TextIntEntry) string { return e.Key })
	case []string:
		return mergeBy(nil, v, func(s string) string { return s })
	}
	return v
}

// keyText renders key values so that different keys have different texts.
func keyText(key []any) string {
	var b strings.Builder
	for _, v := range key {
		fmt.Fprintf(&b, "(%s)", plan.FormatValue(v))
	}
	return b.String()
}

// compareKeys orders keys as reads return them: column by column, those marked
// Desc the other way round.
func compareKeys(t *plan.Table, a, b []any) int {
	for i := range a {
		c := compare(a[i], b[i])
		if t.Key[i].Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func compare(a, b any) int {
	switch a := a.(type) {
	case int64:
		b, _ := b.(int64)
		return cmp.Compare(a, b)
	case string:
		b, _ := b.(string)
		return cmp.Compare(a, b)
	case [16]byte:
		b, _ := b.([16]byte)
		return slices.Compare(a[:], b[:])
	case bool:
		b, _ := b.(bool)
		switch {
		case a == b:
			return 0
		case b:
			return -1
		}
		return 1
	}
	return 0
}

// inRange tells whether key lies under a prefix and between the bounds of the
// columns that follow it.
func inRange(key, prefix []any, from, to plan.Bound) bool {
	for i, v := range prefix {
		if compare(key[i], v) != 0 {
			return false
		}
	}
	rest := key[len(prefix):]
	return within(rest, from) && within(rest, to)
}

// within compares the first columns of rest with a bound, by value: a bound's
// relation is meant as written even where a read returns rows the other way.
func within(rest []any, b plan.Bound) bool {
	c := 0
	for i, v := range b.Values {
		if c = compare(rest[i], v); c != 0 {
			break
		}
	}
	switch b.Compare {
	case plan.GreaterOrEqual:
		return c >= 0
	case plan.Greater:
		return c > 0
	case plan.LessOrEqual:
		return c <= 0
	case plan.Less:
		return c < 0
	case plan.Unbounded:
	}
	return true
}

var kindTypes = map[plan.Kind]reflect.Type{
	plan.Int: reflect.TypeFor[int64](), plan.Text: reflect.TypeFor[string](), plan.UUID: reflect.TypeFor[[16]byte](),
	plan.Time: reflect.TypeFor[int64](), plan.Bool: reflect.TypeFor[bool](), plan.Inet: reflect.TypeFor[string](),
	plan.Data: reflect.TypeFor[plan.Blob](), plan.DataList: reflect.TypeFor[[]plan.Blob](),
	plan.IntData: reflect.TypeFor[[]plan.IntEntry](), plan.TextData: reflect.TypeFor[[]plan.TextEntry](),
	plan.Nodes: reflect.TypeFor[[]plan.NodeEntry](), plan.TextSet: reflect.TypeFor[[]string](),
	plan.TextInt: reflect.TypeFor[[]plan.TextIntEntry](),
}

// checkEffect holds values to the Go types that package plan lists.
func checkEffect(m *plan.Mutation, e *plan.Effect) error {
	want := kindTypes[e.Column.Kind]
	switch e.Op {
	case plan.Set, plan.Merge:
	case plan.Append:
		want = kindTypes[plan.Data]
	case plan.Drop:
		want = reflect.TypeFor[[]string]()
		if e.Column.Kind == plan.IntData {
			want = reflect.TypeFor[[]int64]()
		}
	case plan.Clear:
		want = nil
	}
	if got := reflect.TypeOf(e.Value); got != want {
		return fmt.Errorf("%s: effect on %s holds a %v, not a %v", m.KeyString(), e.Column, got, want)
	}
	return nil
}

func sortRows(t *plan.Table, rows []*row, desc bool) {
	sort.Slice(rows, func(i, j int) bool {
		c := compareKeys(t, rows[i].key, rows[j].key)
		if desc {
			c = -c
		}
		return c < 0
	})
}
