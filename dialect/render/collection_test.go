package render

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

func proto(s string) plan.Blob { return plan.Blob{Data: []byte(s), Encoding: "Proto3"} }

// The bytes are written out by hand from native protocol v4, section 6.
func TestCollectionsInProtocolV4(t *testing.T) {
	tests := []struct {
		name     string
		form     Form
		give     any
		raw      string
		encoding string
		want     any // what it decodes to: sorted
	}{
		{
			"map of numbers, sorted", IntMap,
			[]plan.IntEntry{{Key: 2, Value: proto("b")}, {Key: -1, Value: proto("")}},
			"\x00\x00\x00\x02" + "\x00\x00\x00\x08\xff\xff\xff\xff\xff\xff\xff\xff" + "\x00\x00\x00\x00" +
				"\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x02" + "\x00\x00\x00\x01b",
			"Proto3",
			[]plan.IntEntry{{Key: -1, Value: proto("")}, {Key: 2, Value: proto("b")}},
		},
		{
			"map of texts, sorted", TextMap,
			[]plan.TextEntry{{Key: "ä", Value: proto("x")}, {Key: "", Value: proto("y")}},
			"\x00\x00\x00\x02" + "\x00\x00\x00\x00" + "\x00\x00\x00\x01y" + "\x00\x00\x00\x02\xc3\xa4" + "\x00\x00\x00\x01x",
			"Proto3",
			[]plan.TextEntry{{Key: "", Value: proto("y")}, {Key: "ä", Value: proto("x")}},
		},
		{
			"nodes", NodeMap,
			[]plan.NodeEntry{{Key: "a", Value: plan.Node{Whole: proto("n")}}},
			"\x00\x00\x00\x01" + "\x00\x00\x00\x01a" + "\x00\x00\x00\x01n", "Proto3",
			[]plan.NodeEntry{{Key: "a", Value: plan.Node{Whole: proto("n")}}},
		},
		{
			"an empty map has the encoding of upstream", IntMap, []plan.IntEntry{}, "\x00\x00\x00\x00", Unspecified, []plan.IntEntry{},
		},
		{
			"ids in either case", UUIDSet,
			[]string{"F0000000-0000-4000-8000-00000000000A", "10000000-0000-4000-8000-000000000000"},
			"\x00\x00\x00\x02" + "\x00\x00\x00\x10\x10\x00\x00\x00\x00\x00\x40\x00\x80\x00\x00\x00\x00\x00\x00\x00" +
				"\x00\x00\x00\x10\xf0\x00\x00\x00\x00\x00\x40\x00\x80\x00\x00\x00\x00\x00\x00\x0a", "",
			[]string{"10000000-0000-4000-8000-000000000000", "f0000000-0000-4000-8000-00000000000a"},
		},
		{
			"batches in their order, with version 0", BatchList,
			[]plan.Blob{proto("z"), {Encoding: "Json"}},
			"\x00\x00\x00\x02" +
				"\x00\x00\x00\x17" + "\x00\x00\x00\x06Proto3" + "\x00\x00\x00\x04\x00\x00\x00\x00" + "\x00\x00\x00\x01z" +
				"\x00\x00\x00\x14" + "\x00\x00\x00\x04Json" + "\x00\x00\x00\x04\x00\x00\x00\x00" + "\x00\x00\x00\x00",
			"",
			[]plan.Blob{proto("z"), {Encoding: "Json", Data: []byte{}}},
		},
		{
			"counts", CountMap,
			[]plan.TextIntEntry{{Key: "b", Value: 1}, {Key: "a", Value: -2}},
			"\x00\x00\x00\x02" + "\x00\x00\x00\x01a" + "\x00\x00\x00\x08\xff\xff\xff\xff\xff\xff\xff\xfe" +
				"\x00\x00\x00\x01b" + "\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01", "",
			[]plan.TextIntEntry{{Key: "a", Value: -2}, {Key: "b", Value: 1}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Column{Of: &plan.Column{Name: "c"}, Form: tt.form, Name: "c"}
			raw, encoding, err := c.collection(tt.give)
			if err != nil || string(raw.(cql.Raw)) != tt.raw || encoding != tt.encoding {
				t.Fatalf("encoded %x, %v, %v, want %x, %s", raw, encoding, err, tt.raw, tt.encoding)
			}
			back, err := tt.form.decode(raw.(cql.Raw), tt.encoding)
			if err != nil || !reflect.DeepEqual(back, tt.want) {
				t.Fatalf("decoded %v, %v, want %v", back, err, tt.want)
			}
		})
	}
}

func TestDropKeys(t *testing.T) {
	if got := encodeInts([]int64{3, -1}); string(got) != "\x00\x00\x00\x02\x00\x00\x00\x08\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x03" {
		t.Errorf("set of numbers %x", got)
	}
	if got := encodeTexts([]string{"b", ""}); string(got) != "\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01b" {
		t.Errorf("set of texts %x", got)
	}
}

func TestMalformedCollectionsAreErrors(t *testing.T) {
	key := "\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x02"
	tests := []struct {
		name string
		form Form
		raw  string
		want string
	}{
		{"no count", IntMap, "\x00\x00", "cut short"},
		{"more elements than bytes", IntMap, "\x7f\xff\xff\xff" + key, "cut short"},
		{"fewer elements than none", IntMap, "\xff\xff\xff\xff", "cut short"},
		{"an element that ends too soon", IntMap, "\x00\x00\x00\x01" + key + "\x00\x00\x00\x05ab", "cut short"},
		{"a short key", IntMap, "\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00\x02\x00\x00\x00\x00", "bigint of 4 bytes"},
		{"bytes at the end", TextMap, "\x00\x00\x00\x00z", "1 bytes too many"},
		{"half a UUID", UUIDSet, "\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x02", "UUID of 8 bytes"},
		{"a batch that ends too soon", BatchList, "\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00\x09P", "cut short"},
		{"a count of the wrong width", CountMap, "\x00\x00\x00\x01\x00\x00\x00\x01a\x00\x00\x00\x01b", "bigint of 1 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if v, err := tt.form.decode(cql.Raw(tt.raw), "Proto3"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("decode() = %v, %v, want an error with %q", v, err, tt.want)
			}
		})
	}
}

// Batches written before a field was added to the type lack it.
func TestBatchWithoutItsLastFields(t *testing.T) {
	v, err := BatchList.decode(cql.Raw("\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x04Json"), "")
	if err != nil || !reflect.DeepEqual(v, []plan.Blob{{Encoding: "Json"}}) {
		t.Fatalf("decode() = %v, %v", v, err)
	}
}

func FuzzDecodeCollection(f *testing.F) {
	f.Add(byte(IntMap), []byte("\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x01b"))
	f.Add(byte(BatchList), []byte("\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x04Json"))
	f.Add(byte(UUIDSet), binary.BigEndian.AppendUint32(nil, 1<<31))
	f.Fuzz(func(t *testing.T, form byte, raw []byte) {
		v, err := Form(form).decode(raw, "Proto3")
		if err != nil || raw == nil || Form(form) == BatchList {
			return
		}
		// What decodes comes back equal, but for order and keys given twice.
		c := &Column{Of: &plan.Column{Name: "c"}, Form: Form(form), Name: "c"}
		again, _, err := c.collection(v)
		if err != nil {
			return
		}
		if len(again.(cql.Raw)) > len(raw) || bytes.Equal(again.(cql.Raw)[:4], raw[:4]) != true {
			t.Errorf("%x became %x", raw, again)
		}
	})
}
