package records_test

import (
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

// The parts of a unit hold all its records, and no others if they say so.
func TestPartsOfUnits(t *testing.T) {
	for _, s := range []*store{inMemory(t), engine(t, "cassandra"), engine(t, "ycql")} {
		t.Run(s.name, func(t *testing.T) {
			o := corpus.Small(seed(t))
			o.Whole = s.whole
			made := corpus.Make(o)
			s.put(t, o.Shards, made)
			src := s.source(t, records.Options{Shards: o.Shards, PageRows: 50})
			want := make(map[records.Unit]int)
			for i := range made {
				want[made[i].Unit]++
			}
			for unit, n := range want {
				parts, alone, err := src.PartsOf(unit, 2)
				if err != nil {
					t.Fatal(err)
				}
				got := make(map[string]bool)
				for _, p := range parts {
					if parsed, err := records.ParsePart(p.String()); err != nil || parsed != p {
						t.Errorf("part %s is read as %v, %v", p, parsed, err)
					}
					if err := src.All(t.Context(), p, func(r *records.Record) error {
						switch {
						case r.Unit == unit && got[r.KeyString()]:
							t.Errorf("%s comes twice", r.KeyString())
						case r.Unit == unit:
							got[r.KeyString()] = true
						case alone:
							t.Errorf("%s has %s of %s", unit, r.KeyString(), r.Unit)
						}
						return nil
					}); err != nil {
						t.Fatal(err)
					}
				}
				if len(got) != n {
					t.Errorf("%s has %d records, want %d", unit, len(got), n)
				}
			}
			for _, bad := range []records.Unit{"", "queue/x", records.ShardUnit(99)} {
				if _, _, err := src.PartsOf(bad, 1); err == nil {
					t.Errorf("%q has parts", bad)
				}
			}
			if _, err := records.ParsePart("unit/shard/1"); err == nil {
				t.Error("a shard is a part by itself")
			}
		})
	}
}
