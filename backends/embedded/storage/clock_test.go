package storage

import (
	"testing"
	"time"
)

// A transaction that is refused takes its time with it, not the store's.
func TestTimeRisesAcrossRestartsThoughTheFirstTransactionIsAborted(t *testing.T) {
	dir := t.TempDir()
	tab := simpleTable(t, 1)
	p := partitionOf(t, tab, 1)
	last := int64(0)
	for life := range 4 {
		s := open(t, Options{Dir: dir})
		for range 2 * min(life, 1) { // the first life has stored its ceiling
			tx, err := s.Begin(TxnOptions{}, p.Latch())
			if err != nil {
				t.Fatal(err)
			}
			tx.Abort()
		}
		at := putTwo(t, s, tab, p, byte(life))
		if at <= last {
			t.Fatalf("life %d writes at %d, the one before did at %d", life, at, last)
		}
		last = at
		for c := range 2 {
			if cell, _ := get(t, s, tab, p, c); len(cell.Value) != 1 || int(cell.Value[0]) != life {
				t.Fatalf("life %d reads %v", life, cell.Value)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// putTwo writes two rows in one transaction, where times decide, and returns its time.
func putTwo(t *testing.T, s *Store, tab *Table, p Partition, value byte) int64 {
	t.Helper()
	tx, err := s.Begin(TxnOptions{}, p.Latch())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	for c := range 2 {
		if err := tx.Apply(&Write{
			Table: tab, Partition: p, Clustering: [][]byte{i32(c)}, Insert: true, Ops: []Op{{Kind: Set, Value: []byte{value}}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	ticket, err := tx.Commit()
	if err != nil {
		t.Fatal(err)
	}
	if err := ticket.Wait(); err != nil {
		t.Fatal(err)
	}
	return tx.Timestamp()
}

func TestTheClockStoresItsCeilingBeforeItGivesOutTimes(t *testing.T) {
	var stored []int64
	wall := newTestClock()
	c := clock{wall: wall.now, store: func(ceiling int64) error { stored = append(stored, ceiling); return nil }}
	for range 5000 {
		wall.advance(100 * time.Millisecond)
		if ts, err := c.next(3); err != nil || ts+2 > stored[len(stored)-1] {
			t.Fatalf("next() = %d, %v, stored %v", ts, err, stored)
		}
	}
	if n := len(stored); n < 10 || n > 20 {
		t.Fatalf("500 s of time were stored %d times", n)
	}
	wall.advance(24 * time.Hour) // the machine slept
	if ts, err := c.next(1); err != nil || ts > stored[len(stored)-1] {
		t.Fatalf("next() = %d, %v, stored %v", ts, err, stored)
	}
}
