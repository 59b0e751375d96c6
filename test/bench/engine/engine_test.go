package main

import (
	"encoding/json"
	"testing"
	"time"
)

// TestPartsMeasure runs every part that needs no Cassandra as short as it goes.
func TestPartsMeasure(t *testing.T) {
	o := options{dir: t.TempDir(), block: 5 * time.Millisecond, blocks: 2, queue: 2000, conc: []int{1, 16, 64}, rows: []int{1000, 2000}}
	want := map[string]int{"inserts": 6, "batches": 2, "reads": 4, "queue": 3, "growth": 8}
	for name, measure := range parts {
		if name == "cassandra" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			v, err := measure(o)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var tree any
			if err := json.Unmarshal(text, &tree); err != nil {
				t.Fatal(err)
			}
			if n := positive(t, tree); n != want[name] {
				t.Errorf("%d figures, want %d: %s", n, want[name], text)
			}
		})
	}
}

// positive counts figures below v, and wants each to say that something was done.
func positive(t *testing.T, v any) int {
	n := 0
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n += positive(t, e)
		}
	case map[string]any:
		if rate, ok := v["per_second"].(float64); ok {
			n++
			if rate <= 0 || v["p50_us"].(float64) <= 0 {
				t.Errorf("nothing was measured: %v", v)
			}
		}
		for _, e := range v {
			n += positive(t, e)
		}
	}
	return n
}

func TestSummary(t *testing.T) {
	got := times{
		took: []time.Duration{4 * time.Microsecond, 2 * time.Microsecond, 3 * time.Microsecond, time.Microsecond},
		wall: 2 * time.Millisecond, cpu: 20 * time.Microsecond,
	}.summary()
	if want := (figures{PerSecond: 2000, P50: 3, P99: 4, CPU: 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, c := range []struct {
		list []float64
		want float64
	}{{[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.list); got != c.want {
			t.Errorf("median of %v: got %v, want %v", c.list, got, c.want)
		}
	}
}
