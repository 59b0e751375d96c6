package sequence

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

func TestShows(t *testing.T) {
	l := lease{
		rangeID: 9, last: 50,
		ends:   []end{{3, 10}, {6, 30}, {8, 40}},
		burned: []span{{3, 5, 6}, {6, 25, 25}, {9, 44, 45}},
	}
	tests := []struct {
		rangeID, number int64
		want            bool
	}{
		{9, 50, true},
		{9, 51, false},
		{9, 44, false},
		{9, 43, true},
		{10, 1, false},
		{8, 40, true},
		{8, 41, false},
		{6, 30, true},
		{6, 31, false},
		{6, 25, false},
		{5, 30, true},
		{5, 31, false}, // its taker never got to record its end
		{3, 10, true},
		{3, 11, false},
		{3, 5, false},
		{3, 4, true},
		{1, 10, true}, // ended and cleaned long ago
	}
	for _, tt := range tests {
		if got := l.shows(tt.rangeID, tt.number); got != tt.want {
			t.Errorf("shows(%d, %d) = %v", tt.rangeID, tt.number, got)
		}
	}
	if _, known := l.end(5); known {
		t.Error("the end of a later range is taken for that of an earlier one")
	}
	if n, known := l.end(6); !known || n != 30 {
		t.Errorf("end(6) = %d, %v", n, known)
	}
}

// Spans hold exactly what was put into them, and stay few.
func TestSpans(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var spans []span
	have := map[[2]int64]bool{}
	for range 2000 {
		q, n := 1+r.Int64N(2), r.Int64N(12)
		if r.IntN(2) == 0 {
			spans, have[[2]int64{q, n}] = with(spans, q, n), true
		} else {
			spans = without(spans, q, n)
			delete(have, [2]int64{q, n})
		}
		for q := int64(1); q <= 2; q++ {
			for n := range int64(12) {
				if holds(spans, q, n) != have[[2]int64{q, n}] {
					t.Fatalf("%v and %v differ at %d:%d", spans, have, q, n)
				}
			}
		}
		for i := 1; i < len(spans); i++ {
			if a, b := spans[i-1], spans[i]; a.rangeID > b.rangeID || a.rangeID == b.rangeID && a.last+1 >= b.first {
				t.Fatalf("spans %v", spans)
			}
		}
		if parsed, err := parseBurned(burnedText(spans)); err != nil || fmt.Sprint(parsed) != fmt.Sprint(spans) {
			t.Fatalf("%v became %v, %v", spans, parsed, err)
		}
	}
}

func TestTextsOfARow(t *testing.T) {
	for _, text := range []string{"1", "1:", "1:x", "1:-2", "2:1 1:1", "1:1,2:2", "1:2:3"} {
		if got, err := parseEnds(text); err == nil {
			t.Errorf("ends %q are %v", text, got)
		}
	}
	for _, text := range []string{"1:2", "1:2-", "1:3-2", "1-2:3", "x:1-2"} {
		if got, err := parseBurned(text); err == nil {
			t.Errorf("burned %q is %v", text, got)
		}
	}
	_, err := parseLease(func(c *plan.Column) any {
		if c == plan.ShardRangeID {
			return int64(1)
		}
		return nil
	})
	if err == nil {
		t.Error("a row without a number is a lease")
	}
}
