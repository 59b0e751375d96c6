package records

import (
	"fmt"
	"slices"
	"strings"

	persistencespb "go.temporal.io/server/api/persistence/v1"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Corruption is a record with one thing wrong in it, for proving that those who
// compare would find it.
type Corruption struct {
	Record Record
	// Path begins the path of the difference that is to be reported.
	Path string
	// What was done, for people.
	What string
}

// Corruptions returns copies of a record, each with one field wrong: every field
// that the record has, in every way in which its kind of value can be wrong, and
// every field that it lacks, made up. Fields that are not compared (a shard's
// lease, owner and update time) are left alone.
func (r *Record) Corruptions() []Corruption {
	var all []Corruption
	for i, c := range r.Kind.Table().Columns {
		if c == plan.ShardRangeID {
			continue
		}
		add := func(v any, what string) {
			all = append(all, Corruption{Record: *r.With(c, v), Path: c.Name, What: what})
		}
		v := normal(r.Values[i])
		switch {
		case v == nil && c.Kind < plan.DataList:
			add(madeUp(c.Kind), "made up")
		case v == nil:
		case c == plan.ShardInfo:
			if b, err := corruptShard(r.Blob(c)); err == nil {
				add(b, "one more stolen")
			}
			add(nil, "lost")
		default:
			add(nil, "lost")
			corruptValue(v, add)
		}
	}
	if r.Expires != 0 {
		later, never := *r, *r
		later.Expires += 60_000
		never.Expires = 0
		all = append(all,
			Corruption{Record: later, Path: "expires", What: "a minute later"},
			Corruption{Record: never, Path: "expires", What: "lives for ever"})
	}
	return all
}

func madeUp(k plan.Kind) any {
	switch k {
	case plan.Int, plan.Time:
		return int64(7)
	case plan.Bool:
		return true
	case plan.UUID:
		return [16]byte{7}
	case plan.Data:
		return plan.Blob{Data: []byte{8, 1}, Encoding: proto3}
	default:
		return "x"
	}
}

func corruptShard(b plan.Blob) (plan.Blob, error) {
	var info persistencespb.ShardInfo
	if err := decodeProto(b, &info); err != nil {
		return plan.Blob{}, err
	}
	info.StolenSinceRenew++
	data, err := marshal(&info)
	return plan.Blob{Data: data, Encoding: proto3}, err
}

func corruptBlob(b plan.Blob) plan.Blob {
	b.Data = slices.Clone(b.Data)
	if len(b.Data) == 0 {
		b.Data = []byte{0}
	} else {
		b.Data[len(b.Data)-1] ^= 1
	}
	return b
}

func reencoded(b plan.Blob) plan.Blob {
	if strings.EqualFold(b.Encoding, "Json") {
		b.Encoding = proto3
	} else {
		b.Encoding = "Json"
	}
	return b
}

func corruptValue(v any, add func(v any, what string)) {
	switch v := v.(type) {
	case int64:
		add(v+1, "one more")
	case bool:
		add(!v, "the opposite")
	case string:
		add(v+"x", "longer")
	case [16]byte:
		v[15] ^= 1
		add(v, "another id")
	case plan.Blob:
		add(corruptBlob(v), "a bit turned")
		add(reencoded(v), "another encoding")
	case []plan.Blob:
		each(v, add, func(b plan.Blob) plan.Blob { return corruptBlob(b) })
		if len(v) > 1 {
			swapped := slices.Clone(v)
			slices.Reverse(swapped)
			add(swapped, "the other way round")
		}
		add(append(slices.Clone(v), v[0]), "an element twice")
	case []plan.IntEntry:
		each(v, add, func(e plan.IntEntry) plan.IntEntry { e.Value = corruptBlob(e.Value); return e })
	case []plan.TextEntry:
		each(v, add, func(e plan.TextEntry) plan.TextEntry { e.Value = corruptBlob(e.Value); return e })
	case []plan.NodeEntry:
		each(v, add, func(e plan.NodeEntry) plan.NodeEntry {
			switch {
			case !absent(e.Value.Whole):
				e.Value.Whole = corruptBlob(e.Value.Whole)
			case !absent(e.Value.Body):
				e.Value.Body = corruptBlob(e.Value.Body)
			default:
				e.Value.Metadata = corruptBlob(e.Value.Metadata)
			}
			return e
		})
	case []plan.TextIntEntry:
		each(v, add, func(e plan.TextIntEntry) plan.TextIntEntry { e.Value++; return e })
	case []string:
		add(slices.Clone(v[1:]), "an element lost")
		add(append(slices.Clone(v), "00000000-0000-4000-8000-000000000000"), "an element more")
	}
}

// each changes one element of several, and takes one away.
func each[E any](v []E, add func(v any, what string), change func(E) E) {
	for i := range v {
		changed := slices.Clone(v)
		changed[i] = change(changed[i])
		add(changed, fmt.Sprintf("element %d changed", i))
	}
	add(slices.Clone(v[1:]), "an element lost")
}
