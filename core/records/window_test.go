package records

import (
	"math"
	"testing"
)

// Windows follow each other without a gap, from the first hash to the last, and so
// do the pieces of one.
func TestWindowsAreContiguous(t *testing.T) {
	tests := []struct {
		name        string
		first, last int64
		density     float64
	}{
		{"all at once", 0, math.MaxUint16, 0},
		{"of YCQL", 0, math.MaxUint16, 0.7},
		{"more rows than hashes", 0, math.MaxUint16, 5000},
		{"of Apache Cassandra, all at once", math.MinInt64, math.MaxInt64, 0},
		{"of Apache Cassandra", math.MinInt64, math.MaxInt64, 1e6 / math.MaxUint64},
		{"the end of it", math.MaxInt64 - 100, math.MaxInt64, 3},
		{"a single hash", 7, 7, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := windows{Next: tt.first, Density: tt.density}
			next, ended := tt.first, false
			follow := func(x window) {
				t.Helper()
				if ended || x.First != next || x.Last < x.First || x.Last > tt.last {
					t.Fatalf("window %d to %d does not begin at %d", x.First, x.Last, next)
				}
				next, ended = x.Last+1, x.Last == tt.last
			}
			for !w.Ended {
				w.fill(tt.last, 3, 100)
				if len(w.Open) == 0 {
					t.Fatal("no window is opened")
				}
				for i, x := range w.Open {
					if i%2 == 0 && x.First < x.Last {
						for _, piece := range x.narrower() {
							follow(piece)
						}
						continue
					}
					follow(x)
				}
				w.Open = nil
			}
			if !ended {
				t.Errorf("windows end before %d", next)
			}
		})
	}
}
