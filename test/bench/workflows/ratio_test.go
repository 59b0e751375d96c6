package main

import (
	"math"
	"testing"
	"time"
)

func TestRatioOf(t *testing.T) {
	blocks := []block{
		{Server: "a", InFlight: 1, Pair: 0, PerSecond: 20},
		{Server: "b", InFlight: 1, Pair: 0, PerSecond: 10},
		{Server: "b", InFlight: 1, Pair: 1, PerSecond: 20},
		{Server: "a", InFlight: 1, Pair: 1, PerSecond: 160},
		{Server: "a", InFlight: 16, Pair: 0, PerSecond: 1},
		{Server: "b", InFlight: 16, Pair: 0, PerSecond: 9},
	}
	got := ratioOf(blocks, "a", "b", 1)
	// Ratios 2 and 8: geometric mean 4, logarithms one factor of 2 to either side of it.
	want := ratio{InFlight: 1, Ratio: 4, Pairs: 2, A: "a", B: "b", MeanA: 90, MeanB: 15}
	half := 12.706 * math.Ln2
	want.Low, want.High = 4*math.Exp(-half), 4*math.Exp(half)
	for name, pair := range map[string][2]float64{
		"ratio": {got.Ratio, want.Ratio}, "low": {got.Low, want.Low}, "high": {got.High, want.High},
		"mean of a": {got.MeanA, want.MeanA}, "mean of b": {got.MeanB, want.MeanB}, "pairs": {float64(got.Pairs), 2},
	} {
		if math.Abs(pair[0]/pair[1]-1) > 1e-9 {
			t.Errorf("%s = %v, want %v", name, pair[0], pair[1])
		}
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
