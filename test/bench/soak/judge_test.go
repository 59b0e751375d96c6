package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func calmSamples(n int, rows func(i int) int64) []sample {
	all := []sample{{Disturbed: true, ServerMB: 10_000}}
	for i := range n {
		all = append(all, sample{ServerMB: 200 + int64(i%3), Goroutines: 900, Rows: map[string]int64{"executions": rows(i)}})
	}
	return all
}

func TestJudge(t *testing.T) {
	steady := func(i int) int64 { return 3000 + int64(100*(i%5)) }
	require.Empty(t, judge(calmSamples(20, steady)))
	require.Len(t, judge(calmSamples(3, steady)), 1, "too few to say anything")
	require.Equal(t, []string{"the rows of executions grew from 4200 to 10200"},
		judge(calmSamples(20, func(i int) int64 { return 300 * int64(i*2) })))
	leak := calmSamples(20, steady)
	for i := range leak {
		leak[i].Goroutines += int64(100 * i)
	}
	require.Len(t, judge(leak), 1)
}

func TestLeft(t *testing.T) {
	require.Empty(t, left(map[string]int64{"executions": few, "visibility": 0}))
	require.Len(t, left(map[string]int64{"executions": few + 1, "visibility": 1, "tasks": 0}), 2)
}
