package main

import (
	"math"
	"testing"
	"time"
)

func TestRatioOf(t *testing.T) {
	var blocks []block
	add := func(pair int, a, b float64) {
		blocks = append(blocks, block{Server: "a", InFlight: 1, Pair: pair, PerSecond: a}, block{Server: "b", InFlight: 1, Pair: pair, PerSecond: b})
	}
	add(0, 20, 10)
	add(1, 160, 20)
	blocks = append(blocks, block{Server: "a", InFlight: 16, Pair: 0, PerSecond: 1}, block{Server: "b", InFlight: 16, Pair: 0, PerSecond: 9})
	got, err := ratioOf(blocks, "a", "b", 1)
	// Ratios 2 and 8: geometric mean 4. Two pairs have no interval.
	if err != nil || math.Abs(got.Ratio-4) > 1e-9 || got.Low != 0 || got.High != 0 || got.Pairs != 2 || got.MeanA != 90 || got.MeanB != 15 {
		t.Errorf("two pairs: %+v, %v", got, err)
	}
	add(2, 20, 10)
	add(3, 160, 20)
	got, err = ratioOf(blocks, "a", "b", 1)
	if err != nil || math.Abs(got.Ratio-4) > 1e-9 || got.Pairs != 4 {
		t.Errorf("four pairs: %+v, %v", got, err)
	}
	if got.Low <= 0 || got.Low >= 4 || got.High <= 4 {
		t.Errorf("the interval %v to %v does not hold the ratio 4", got.Low, got.High)
	}
	if again, err := ratioOf(blocks, "a", "b", 1); err != nil || again != got {
		t.Errorf("the same blocks gave %+v and %+v, %v", got, again, err)
	}
	blocks[0].PerSecond = 0
	if _, err := ratioOf(blocks, "a", "b", 1); err == nil {
		t.Error("a block that finished nothing has a ratio")
	}
}

func TestQuantile(t *testing.T) {
	sorted := []time.Duration{1, 2, 3, 4}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.99: 4, 1: 4} {
		if got := quantile(sorted, q); got != want {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
}

func TestParseRefusesWhatCannotBeCompared(t *testing.T) {
	for _, args := range [][]string{{"-blocks", "3"}, {"-in-flight", "1,x"}, {"-in-flight", "0"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
	o, err := parse([]string{"-in-flight", "1, 16"})
	if err != nil || len(o.inFlight) != 2 || o.inFlight[1] != 16 {
		t.Errorf("parse() = %+v, %v", o, err)
	}
}
