package render

import (
	"errors"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// field is one item of a SELECT's list.
type field struct {
	name     string
	want     want
	key      *Key    // of a key column
	col      *Column // of a value column
	encoding int     // field with the encoding that goes with this one; -1: none
	marker   bool    // a row in which this is null is not one of the logical table
}

// want is the Go type into which a field is scanned.
type want uint8

const (
	wantInt want = iota + 1
	wantText
	wantUUID
	wantBool
	wantBlob
	wantRaw
)

func wantOf(k plan.Kind, c *Codec) want {
	if c != nil {
		k = c.Kind
	}
	switch k {
	case plan.Text, plan.Inet:
		return wantText
	case plan.UUID:
		return wantUUID
	case plan.Bool:
		return wantBool
	default:
		return wantInt
	}
}

// selection finds what a read must select and how its columns are made of it.
// skips tells whether rows must be looked at to know that they belong to the
// logical table.
func (st *readStatement) selection(t *Table, f *Family, r *plan.Read) (skips bool, err error) {
	if r.Count {
		if len(r.Columns) > 0 || r.TTLOf != nil {
			return false, errors.New("a count has columns")
		}
		st.out = append(st.out, source{field: st.field(field{name: "COUNT(*)", want: wantInt, encoding: -1})})
	}
	for _, c := range r.Columns {
		if at := index(t.Logical.Key, c); at >= 0 && at < r.Eq {
			st.out = append(st.out, source{field: -1 - at})
		} else if at >= 0 {
			st.out = append(st.out, source{field: st.keyField(&f.Key[f.keyOf(c)]), key: c})
		} else if at = t.column(c); at >= 0 {
			st.out = append(st.out, source{field: st.valueField(&f.Columns[at]), column: &f.Columns[at]})
		} else {
			return false, fmt.Errorf("%s has no column %s", t.Logical, c)
		}
	}
	if r.TTLOf != nil {
		at := t.column(r.TTLOf)
		if at < 0 || f.Columns[at].Form.Collection() {
			return false, fmt.Errorf("%s has no column %s that expires", t.Logical, r.TTLOf)
		}
		ttl := field{name: "TTL(" + f.Columns[at].Name + ")", want: wantInt, encoding: -1}
		st.out = append(st.out, source{field: st.field(ttl)})
	}
	if r.Distinct {
		return false, nil
	}
	if skips = st.checks(f, r); skips && r.Count {
		return true, nil
	}
	if len(st.fields) == 0 { // only whether the row exists is asked
		st.field(existence(f))
	}
	return skips, nil
}

// checks selects what tells the rows of other tables apart that lie between
// those asked for, where the key is open.
func (st *readStatement) checks(f *Family, r *plan.Read) (skips bool) {
	for i := range f.Key {
		k := &f.Key[i]
		if k.Of != nil && k.at >= r.Eq && (k.Reserved != nil || k.Codec != nil && k.Codec.Shared) {
			st.keyField(k)
			skips = true
		}
	}
	if f.Marker == "" || r.Point() {
		return skips
	}
	for i := range f.Columns {
		if f.Columns[i].Name == f.Marker {
			st.fields[st.valueField(&f.Columns[i])].marker = true
		}
	}
	return true
}

func (st *readStatement) field(fl field) int {
	for i := range st.fields {
		if st.fields[i].name == fl.name {
			return i
		}
	}
	st.fields = append(st.fields, fl)
	return len(st.fields) - 1
}

func (st *readStatement) keyField(k *Key) int {
	fl := field{name: k.Name, key: k, encoding: -1, want: wantBlob}
	if k.And == nil {
		fl.want = wantOf(k.Of.Kind, k.Codec)
	}
	return st.field(fl)
}

func (st *readStatement) valueField(c *Column) int {
	fl := field{name: c.Name, col: c, encoding: -1, want: wantRaw}
	switch c.Form {
	case Data:
		fl.want = wantBlob
	case Scalar:
		fl.want = wantOf(c.Of.Kind, c.Codec)
	default: // collections come as they were sent
	}
	at := st.field(fl)
	if c.Encoding != "" {
		st.fields[at].encoding = st.field(field{name: c.Encoding, want: wantText, encoding: -1})
	}
	return at
}

// existence is a field that is never null in a row.
func existence(f *Family) field {
	last := &f.Key[len(f.Key)-1]
	fl := field{name: last.Name, encoding: -1}
	if last.And != nil {
		fl.want = wantBlob
		return fl
	}
	switch last.Const.(type) {
	case []byte:
		fl.want = wantBlob
	case string:
		fl.want = wantText
	case [16]byte:
		fl.want = wantUUID
	case int64:
		fl.want = wantInt
	default:
		fl.want = wantOf(last.Of.Kind, last.Codec)
	}
	return fl
}
