package storage

import (
	"bytes"
	"slices"
	"testing"
)

// row is one with all that a row can have.
func row() packed {
	return packed{live: liveness{Timestamp: 5, TTL: 3, Expiry: 9}, deleted: 4, deletedAt: 8, entries: []entry{
		{id: 1, Cell: Cell{Value: []byte("x"), Timestamp: 5}},
		{id: 70000, dead: true, Cell: Cell{Timestamp: 6, Expiry: 3}},
		{id: 70001, Cell: Cell{Value: []byte{}, Timestamp: 7, TTL: 1, Expiry: 10}},
	}}
}

func sameEntry(a, b entry) bool {
	return a.id == b.id && a.dead == b.dead && a.Timestamp == b.Timestamp && a.TTL == b.TTL && a.Expiry == b.Expiry &&
		bytes.Equal(a.Value, b.Value) && (a.Value == nil) == (b.Value == nil)
}

// FuzzStoredRow: what is read as a row or an element is one that can be written, and
// comes back whole.
func FuzzStoredRow(f *testing.F) {
	p := row()
	f.Add(p.appendTo(nil))
	f.Add(p.entries[1].appendElement(nil))
	f.Add(p.entries[2].appendElement(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, q packed
		if p.decode(b) == nil {
			if err := q.decode(p.appendTo(nil)); err != nil {
				t.Fatalf("%x: %v", b, err)
			}
			if p.live != q.live || p.deleted != q.deleted || p.deletedAt != q.deletedAt || !slices.EqualFunc(p.entries, q.entries, sameEntry) {
				t.Fatalf("%x does not come back: %+v, then %+v", b, p, q)
			}
		}
		var e, g entry
		if e.decodeElement(b) == nil {
			if err := g.decodeElement(e.appendElement(nil)); err != nil || !sameEntry(e, g) {
				t.Fatalf("%x does not come back: %+v, then %+v, %v", b, e, g, err)
			}
		}
	})
}

func TestFormsThatAreNeverWrittenAreDamage(t *testing.T) {
	time := make([]byte, 8)
	join := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	for name, b := range map[string][]byte{
		"nothing":                       {},
		"an unknown flag":               join([]byte{8}, time),
		"the TTL of a mark that is not": join([]byte{rowLiveTTL}, time, []byte{1, 1}),
		"a mark that never expires":     join([]byte{rowLive | rowLiveTTL}, time, []byte{1, 0}),
		"a mark cut off":                join([]byte{rowLive | rowLiveTTL}, time, []byte{1}),
		"a TTL too long":                join([]byte{rowLive | rowLiveTTL}, time, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 1, 1}),
		"columns out of order":          join([]byte{0}, time, []byte{2 << cellBits, 0, 1 << cellBits, 0}),
		"a column twice":                join([]byte{0}, time, []byte{1 << cellBits, 0, 1 << cellBits, 0}),
		"a tombstone that expires":      join([]byte{0}, time, []byte{1<<cellBits | cellDead | cellTTL, 1, 1}),
		"a column without its value":    join([]byte{0}, time, []byte{1 << cellBits}),
		"a value cut off":               join([]byte{0}, time, []byte{1 << cellBits, 2, 'x'}),
	} {
		var p packed
		if p.decode(b) == nil {
			t.Errorf("%s is read as %+v", name, p)
		}
	}
	for name, b := range map[string][]byte{
		"nothing":                 {},
		"a timestamp cut off":     {0, 0},
		"an unknown flag":         join([]byte{8}, time),
		"a time of its own":       join([]byte{cellTime}, time),
		"a tombstone with TTL":    join([]byte{cellDead | cellTTL}, time, []byte{1, 1}),
		"a tombstone and a value": join([]byte{cellDead}, time, []byte{1, 'x'}),
	} {
		var e entry
		if e.decodeElement(b) == nil {
			t.Errorf("the element of %s is read as %+v", name, e)
		}
	}
}
