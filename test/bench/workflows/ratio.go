package main

import (
	"errors"
	"fmt"
	"math"

	"github.com/temporal-ycql/temporal-ycql/core/compare/stats"
)

// ratio says how many workflows A finishes for each one of B's.
type ratio struct {
	InFlight int `json:"in_flight"`
	// Ratio is the geometric mean over the pairs of neighbouring blocks.
	Ratio float64 `json:"ratio"`
	// Low and High bound it with 95 % confidence (ADR 0040); missing for fewer pairs
	// than there is an interval of.
	Low   float64 `json:"low,omitempty"`
	High  float64 `json:"high,omitempty"`
	Pairs int     `json:"pairs"`
	// A and B are the servers and their means, in workflows a second.
	A     string  `json:"a"`
	B     string  `json:"b"`
	MeanA float64 `json:"mean_a"`
	MeanB float64 `json:"mean_b"`
}

// seed of the bootstrap: the same blocks give the same interval.
const seed = 1

func ratioOf(blocks []block, a, b string, inFlight int) (ratio, error) {
	r := ratio{InFlight: inFlight, A: a, B: b}
	pairs := 0
	byPair := map[int]map[string]float64{}
	for _, m := range blocks {
		if m.InFlight != inFlight {
			continue
		}
		if byPair[m.Pair] == nil {
			byPair[m.Pair] = map[string]float64{}
		}
		byPair[m.Pair][m.Server] = m.PerSecond
		pairs = max(pairs, m.Pair+1)
	}
	var logs []float64
	for i := range pairs { // in order: the bootstrap draws by position
		pair := byPair[i]
		logs = append(logs, math.Log(pair[a]/pair[b]))
		r.MeanA += pair[a] / float64(pairs)
		r.MeanB += pair[b] / float64(pairs)
	}
	r.Pairs = pairs
	effect, err := stats.Measure(logs, seed)
	switch {
	case errors.Is(err, stats.ErrFewPairs):
		mean := 0.0
		for _, l := range logs {
			mean += l / float64(pairs)
		}
		r.Ratio = math.Exp(mean)
		return r, nil
	case err != nil:
		return r, fmt.Errorf("%s and %s, %d in flight: %w", a, b, inFlight, err)
	}
	r.Ratio, r.Low, r.High = effect.Ratio, effect.CI95.Low, effect.CI95.High
	return r, nil
}
