package main

import "math"

// ratio says how many workflows A finishes for each one of B's.
type ratio struct {
	InFlight int `json:"in_flight"`
	// Ratio is the geometric mean over the pairs of neighbouring blocks.
	Ratio float64 `json:"ratio"`
	// Low and High bound it with 95 % confidence (Student's t over the logarithms).
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Pairs int     `json:"pairs"`
	// A and B are the servers and their means, in workflows a second.
	A     string  `json:"a"`
	B     string  `json:"b"`
	MeanA float64 `json:"mean_a"`
	MeanB float64 `json:"mean_b"`
}

// t975 is Student's t for 97.5 % by degrees of freedom, from 1.
var t975 = []float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131}

func ratioOf(blocks []block, a, b string, inFlight int) ratio {
	r := ratio{InFlight: inFlight, A: a, B: b}
	byPair := map[int]map[string]float64{}
	for _, m := range blocks {
		if m.InFlight != inFlight {
			continue
		}
		if byPair[m.Pair] == nil {
			byPair[m.Pair] = map[string]float64{}
		}
		byPair[m.Pair][m.Server] = m.PerSecond
	}
	var logs []float64
	for _, pair := range byPair {
		logs = append(logs, math.Log(pair[a]/pair[b]))
		r.MeanA += pair[a] / float64(len(byPair))
		r.MeanB += pair[b] / float64(len(byPair))
	}
	r.Pairs = len(logs)
	mean, half := meanAndHalfWidth(logs)
	r.Ratio, r.Low, r.High = math.Exp(mean), math.Exp(mean-half), math.Exp(mean+half)
	return r
}

// meanAndHalfWidth returns the mean of at least two values and half the width of its
// 95 % confidence interval.
func meanAndHalfWidth(values []float64) (mean, half float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	var squares float64
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	t := t975[min(len(values)-1, len(t975))-1]
	return mean, t * math.Sqrt(squares/(n-1)/n)
}
