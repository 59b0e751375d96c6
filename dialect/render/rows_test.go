package render

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// A table of three logical ones in one: things, their counters (type 1) and,
// under the name "", a row about all.
var (
	thingOwner = &plan.Column{Name: "owner", Kind: plan.Int}
	thingSlot  = &plan.Column{Name: "slot", Kind: plan.Int}
	thingName  = &plan.Column{Name: "name", Kind: plan.Text}
	thingBody  = &plan.Column{Name: "body", Kind: plan.Data}
	thingAge   = &plan.Column{Name: "age", Kind: plan.Int}
	thingTags  = &plan.Column{Name: "tags", Kind: plan.TextData}
	things     = &plan.Table{
		Name: "things", Key: []*plan.Column{thingOwner, thingSlot, thingName},
		Columns: []*plan.Column{thingBody, thingAge, thingTags},
	}
)

var even = &Codec{
	Kind: plan.Int, Shared: true,
	Encode: func(v any) (any, error) { return v.(int64) * 2, nil },
	Decode: func(v any) (any, error) {
		if v.(int64)%2 != 0 {
			return nil, ErrNotRow
		}
		return v.(int64) / 2, nil
	},
}

func thingLayout(t *testing.T) *Compiler {
	t.Helper()
	l, err := NewLayout([]*Table{{
		Logical: things,
		Families: []Family{{
			Any: true, Name: "t", Partition: 1, Marker: "body",
			Key:     []Key{Int32("owner", thingOwner), Coded("slot", thingSlot, even), {Name: "name", Of: thingName, Reserved: ""}},
			Columns: []Column{Blob(thingBody, "body", "body_encoding"), Plain(thingAge, "age"), {Of: thingTags, Form: TextMap, Name: "tags", Encoding: "tags_encoding"}},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return NewCompiler(l)
}

func ptr[T any](v T) *T { return &v }

func TestRowDecoder(t *testing.T) {
	p, err := thingLayout(t).Read(&plan.Read{
		Name: "things", Table: things, Eq: 1, Columns: []*plan.Column{thingOwner, thingName, thingSlot, thingAge, thingTags},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, d, err := p.Bind(0, []any{int64(7)})
	if err != nil {
		t.Fatal(err)
	}
	const text = "SELECT name, slot, age, tags, tags_encoding, body, body_encoding FROM t WHERE owner = ?"
	if c.Text != text || !reflect.DeepEqual(c.Args, []any{int64(7)}) || !reflect.DeepEqual(c.KeyArgs, []int{0}) {
		t.Fatalf("call %q %v %v", c.Text, c.Args, c.KeyArgs)
	}
	tags := cql.Raw("\x00\x00\x00\x01\x00\x00\x00\x01a\x00\x00\x00\x01b")
	tests := []struct {
		name string
		row  []any // name, slot, age, tags, tags encoding, body, body encoding
		want []any // nil: not a row
		err  string
	}{
		{
			"a row",
			[]any{ptr("n"), ptr(int64(4)), ptr(int64(0)), tags, ptr("Json"), []byte("b"), ptr("Json")},
			[]any{int64(7), "n", int64(2), int64(0), []plan.TextEntry{{Key: "a", Value: plan.Blob{Data: []byte("b"), Encoding: "Json"}}}},
			"",
		},
		{
			"null is not zero",
			[]any{ptr("n"), ptr(int64(4)), (*int64)(nil), cql.Raw(nil), (*string)(nil), []byte("b"), ptr("Json")},
			[]any{int64(7), "n", int64(2), nil, nil},
			"",
		},
		{"a row of another table by its marker", []any{ptr("n"), ptr(int64(4)), (*int64)(nil), cql.Raw(nil), (*string)(nil), []byte(nil), (*string)(nil)}, nil, ""},
		{"by its codec", []any{ptr("n"), ptr(int64(5)), (*int64)(nil), cql.Raw(nil), (*string)(nil), []byte("b"), (*string)(nil)}, nil, ""},
		{"by a reserved key", []any{ptr(""), ptr(int64(4)), (*int64)(nil), cql.Raw(nil), (*string)(nil), []byte("b"), (*string)(nil)}, nil, ""},
		{"a malformed collection", []any{ptr("n"), ptr(int64(4)), (*int64)(nil), cql.Raw("x"), (*string)(nil), []byte("b"), (*string)(nil)}, nil, "column tags: value is cut short"},
		{"a key that is null", []any{(*string)(nil), ptr(int64(4)), (*int64)(nil), cql.Raw(nil), (*string)(nil), []byte("b"), (*string)(nil)}, nil, "column name: key is null"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dest := d.Dest()
			for i, v := range tt.row {
				reflect.ValueOf(dest[i]).Elem().Set(reflect.ValueOf(v))
			}
			out := make([]any, 5)
			ok, err := d.Decode(out)
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("Decode() = %v, want %q", err, tt.err)
				}
			case err != nil || ok != (tt.want != nil):
				t.Fatalf("Decode() = %t, %v", ok, err)
			case ok && !reflect.DeepEqual(out, tt.want):
				t.Fatalf("Decode() gave %v, want %v", out, tt.want)
			}
			for i, v := range d.Dest() {
				if !reflect.ValueOf(v).Elem().IsZero() {
					t.Fatalf("destination %d still holds the last row", i)
				}
			}
		})
	}
}

func TestReservedKeysNameNoRow(t *testing.T) {
	p, err := thingLayout(t).Read(&plan.Read{Name: "thing", Table: things, Eq: 3, Columns: []*plan.Column{thingAge}})
	if err != nil {
		t.Fatal(err)
	}
	_, d, err := p.Bind(0, []any{int64(7), int64(1), ""})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := d.Decode(make([]any, 1)); ok || err != nil {
		t.Fatalf("Decode() = %t, %v", ok, err)
	}
}

func TestLayoutsAreChecked(t *testing.T) {
	family := func(change func(*Family)) []*Table {
		f := Family{
			Any: true, Name: "t", Partition: 1,
			Key:     []Key{From("owner", thingOwner), From("slot", thingSlot), From("name", thingName)},
			Columns: []Column{Blob(thingBody, "body", "e"), Plain(thingAge, "age"), {Of: thingTags, Form: TextMap, Name: "tags"}},
		}
		change(&f)
		return []*Table{{Logical: things, Families: []Family{f}}}
	}
	tests := []struct {
		name string
		give []*Table
		want string
	}{
		{"a key column is missing", family(func(f *Family) { f.Key = f.Key[:2] }), "key column name is not stored"},
		{"a key column twice", family(func(f *Family) { f.Key = append(f.Key, From("again", thingName)) }), "used twice"},
		{"a key column of nothing", family(func(f *Family) { f.Key = append(f.Key, Key{Name: "x"}) }), "neither constant nor source"},
		{"no partition key", family(func(f *Family) { f.Partition = 0 }), "partition key of 0 columns"},
		{"a column is missing", family(func(f *Family) { f.Columns = f.Columns[:2] }), "stores 2 of 3 columns"},
		{"columns out of order", family(func(f *Family) { f.Columns[0], f.Columns[1] = f.Columns[1], f.Columns[0] }), "column 0 is age, want body"},
		{"a form that does not hold the kind", family(func(f *Family) { f.Columns[2].Form = IntMap }), "has form 3"},
		{"the same table twice", append(family(func(*Family) {}), family(func(*Family) {})...), "mapped twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewLayout(tt.give); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("NewLayout() = %v, want it to say %q", err, tt.want)
			}
		})
	}
	c := NewCompiler(&Layout{tables: map[*plan.Table]*Table{}})
	if _, err := c.Prepare(&plan.Mutation{Table: things}); err == nil || errors.Is(err, ErrNotRow) {
		t.Errorf("Prepare() of an unknown table = %v", err)
	}
}

func TestParseUUID(t *testing.T) {
	const id = "01234567-89ab-CDEF-0123-456789abcdef"
	if u, err := ParseUUID(id); err != nil || formatUUID(u) != strings.ToLower(id) {
		t.Errorf("ParseUUID() = %v, %v", u, err)
	}
	for _, bad := range []string{"", id[:35], id + "0", "0123456789ab-CDEF-0123-456789abcdef-", "g1234567-89ab-CDEF-0123-456789abcdef"} {
		if _, err := ParseUUID(bad); err == nil {
			t.Errorf("ParseUUID(%q) is accepted", bad)
		}
	}
}
