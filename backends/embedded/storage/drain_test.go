package storage

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// drain fills a partition with a page of rows, reads it and deletes all up to its end,
// in turns, from the start of the partition on each time. It returns how long each
// read took.
func drain(t testing.TB, s *Store, tab *Table, turns, page int) []time.Duration {
	t.Helper()
	p := partitionOf(t, tab, 1)
	var took []time.Duration
	for i := range turns {
		for c := range page {
			if err := putNoWait(s, tab, p, i*page+c, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		v := s.Peek()
		it := v.Rows(tab, p, Slice{Start: Bound{Values: [][]byte{i32(i * page)}, Inclusive: true}}, false, nil)
		n := 0
		for it.Next() {
			n++
		}
		if err := it.Close(); err != nil || n != page {
			t.Fatalf("turn %d: %d rows, %v", i, n, err)
		}
		v.Close()
		took = append(took, time.Since(began))
		tx, err := s.Begin(TxnOptions{}, p.Latch())
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.DeleteRange(tab, p, Slice{End: Bound{Values: [][]byte{i32((i + 1) * page)}}}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	return took
}

// TestDeletionsAtOneHeadDoNotPileUp: few of them are in the memory table at a time,
// for what reads it pays for their square.
func TestDeletionsAtOneHeadDoNotPileUp(t *testing.T) {
	s := open(t, Options{Ephemeral: true})
	const turns = 3*rangesInMemory + 1
	before := s.db.Metrics().Flush.Count
	drain(t, s, simpleTable(t, 1), turns, 1) // far less than the memory table holds
	// Flushes that wait for each other are one.
	require.Eventually(t, func() bool { return s.db.Metrics().Flush.Count > before }, time.Minute, time.Millisecond)
	require.Less(t, s.ranges.Load(), int64(rangesInMemory))
}

// BenchmarkDrain is a queue of which pages of 20 tasks are read and deleted.
func BenchmarkDrain(b *testing.B) {
	for _, turns := range []int{100, 400, 1600} {
		b.Run(strconv.Itoa(turns), func(b *testing.B) {
			for b.Loop() {
				s := open(b, Options{Ephemeral: true})
				took := drain(b, s, simpleTable(b, 1), turns, 20)
				var sum time.Duration
				for _, d := range took {
					sum += d
				}
				b.ReportMetric(float64(sum.Microseconds())/float64(turns), "us/read")
			}
		})
	}
}
