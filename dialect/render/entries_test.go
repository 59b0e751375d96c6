package render

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

func TestPairsSortAsTheirNumbersDo(t *testing.T) {
	pairs := [][2]int64{{-1 << 63, 5}, {-1, 1<<63 - 1}, {0, -1}, {0, 0}, {0, 1}, {1, -1 << 63}, {1<<63 - 1, 1<<63 - 1}}
	k := &Key{Name: "pair", Of: &plan.Column{Name: "a"}, And: &plan.Column{Name: "b"}}
	var last []byte
	for _, p := range pairs {
		raw := EncodePair(p[0], p[1])
		if bytes.Compare(last, raw) >= 0 {
			t.Errorf("%v does not come after the one before", p)
		}
		last = raw
		a, errA := k.decodePair(raw, k.Of)
		b, errB := k.decodePair(raw, k.And)
		if a != p[0] || b != p[1] || errA != nil || errB != nil {
			t.Errorf("%v comes back as %v, %v (%v, %v)", p, a, b, errA, errB)
		}
	}
	if _, err := k.decodePair(last[:15], k.Of); err == nil {
		t.Error("15 bytes are accepted")
	}
}

func TestElementsFitTheNextPowerOfTwo(t *testing.T) {
	for n, want := range map[int]uint8{0: 0, 1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 64: 7, 65: elemsPlus} {
		if got := elemsFor(n); got != want {
			t.Errorf("elemsFor(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestMalformedEntriesNameTheElement(t *testing.T) {
	one := func(key, value string) cql.Raw {
		return appendString(appendString(appendLen(nil, 1), key), value)
	}
	tests := []struct {
		name string
		kind plan.Kind
		give cql.Raw
		want string
	}{
		{"no count", plan.IntData, cql.Raw{0, 0}, "cut short"},
		{"bytes after the end", plan.IntData, append(one("x/1", "\x00\x00\x00\x00\x00"), 1), "too many"},
		{"a key without a number", plan.IntData, one("x/one", "\x00\x00\x00\x00\x00"), `"x/one" has no number`},
		{"a value without a part", plan.TextData, one("x/k", ""), `"x/k" has 0 parts`},
		{"an encoding that is cut short", plan.TextData, one("x/k", "\x06Pro"), `"x/k" is cut short`},
		{"data that is cut short", plan.TextData, one("x/k", "\x00\x00\x00\x00\x02a"), `"x/k" is cut short`},
		{"two parts where there is one", plan.TextData, one("x/k", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "has 2 parts"},
		{"three parts of a node", plan.Nodes, one("x/k", strings.Repeat("\x00\x00\x00\x00\x00", 3)), "has 3 parts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Column{Of: &plan.Column{Name: "c", Kind: tt.kind}, Form: Entries, Prefix: "x/"}
			if v, err := c.decodeEntries(tt.give); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("decodeEntries() = %v, %v, want %q", v, err, tt.want)
			}
		})
	}
}

func TestEventsComeBackInOrder(t *testing.T) {
	raw := appendLen(nil, 3)
	for _, v := range []int64{10, -1, 9} {
		raw = appendString(appendInt64(raw, v), "\x00\x00\x00\x00\x01"+string(rune('a'+v+1)))
	}
	got, err := decodeEvents(raw)
	want := []string{"a", "k", "l"}
	blobs, ok := got.([]plan.Blob)
	if err != nil || !ok || !slices.EqualFunc(blobs, want, func(b plan.Blob, s string) bool { return string(b.Data) == s }) {
		t.Errorf("decodeEvents() = %v, %v", got, err)
	}
	if _, err := decodeEvents(raw[:len(raw)-1]); err == nil {
		t.Error("events that are cut short are accepted")
	}
}
