package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/temporal-ycql/temporal-ycql/test/bench/process"
)

// figures are of one block, or of several of one side together.
type figures struct {
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	// CPU is what the process used for one operation, driver and engine together. Of
	// all figures it depends least on what else the machine does.
	CPU float64 `json:"cpu_us"`
}

// spell runs op again and again in conc goroutines for a while, in each of them once at
// least. op gets a number that no other call gets.
func spell(conc int, length time.Duration, op func(i int) error) (figures, times, error) {
	took := make([][]time.Duration, conc)
	errs := make([]error, conc)
	var next atomic.Int64
	var wg sync.WaitGroup
	from, used := time.Now(), process.CPU()
	for g := range conc {
		wg.Go(func() {
			for more := true; more; more = time.Since(from) < length {
				start := time.Now()
				if errs[g] = op(int(next.Add(1))); errs[g] != nil {
					return
				}
				took[g] = append(took[g], time.Since(start))
			}
		})
	}
	wg.Wait()
	t := times{wall: time.Since(from), cpu: process.CPU() - used}
	for _, err := range errs {
		if err != nil {
			return figures{}, times{}, err
		}
	}
	t.took = slices.Concat(took...)
	return t.summary(), t, nil
}

// times are what calls took, each, and together.
type times struct {
	took      []time.Duration
	wall, cpu time.Duration
}

func (t *times) add(u times) {
	t.took, t.wall, t.cpu = append(t.took, u.took...), t.wall+u.wall, t.cpu+u.cpu
}

func (t times) summary() figures {
	all := slices.Sorted(slices.Values(t.took))
	if len(all) == 0 {
		return figures{}
	}
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	return figures{
		PerSecond: float64(len(all)) / t.wall.Seconds(),
		P50:       us(all[len(all)/2]), P99: us(all[len(all)*99/100]), CPU: us(t.cpu) / float64(len(all)),
	}
}

// settle waits until this process is idle.
func settle(limit time.Duration) time.Duration {
	return process.Settle(context.Background(), limit, process.CPU)
}

// duel is two sides that took turns: A B B A and so on.
type duel struct {
	Conc   int       `json:"in_flight"`
	A      figures   `json:"a"`
	B      figures   `json:"b"`
	Ratios []float64 `json:"a_to_b_by_pair"` // operations a second
	Median float64   `json:"a_to_b_median"`
}

// fight lets a and b take turns.
func fight(o options, conc int, a, b func(i int) error) (duel, error) {
	d := duel{Conc: conc}
	var allA, allB, warm times
	offset := 0
	side := func(op func(i int) error, all *times) (float64, error) {
		start := offset
		f, took, err := spell(conc, o.block, func(i int) error { return op(start + i) })
		offset += len(took.took) + conc
		all.add(took)
		return f.PerSecond, err
	}
	// Once without counting, so that both are warm.
	for _, op := range []func(i int) error{a, b} {
		if _, err := side(op, &warm); err != nil {
			return d, err
		}
	}
	for i := range o.blocks {
		var fa, fb float64
		var errA, errB error
		if i%2 == 0 {
			fa, errA = side(a, &allA)
			fb, errB = side(b, &allB)
		} else {
			fb, errB = side(b, &allB)
			fa, errA = side(a, &allA)
		}
		if errA != nil {
			return d, errA
		}
		if errB != nil {
			return d, errB
		}
		d.Ratios = append(d.Ratios, fa/fb)
	}
	d.A, d.B = allA.summary(), allB.summary()
	d.Median = median(d.Ratios)
	return d, nil
}

func median(list []float64) float64 {
	s := slices.Clone(list)
	slices.Sort(s)
	if n := len(s); n%2 == 1 {
		return s[n/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}
