package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// simpleTable: p int, c int, v blob.
func simpleTable(t testing.TB, id uint32) *Table {
	t.Helper()
	tab, err := NewTable(Definition{
		ID: id, Partition: []*cqltype.Type{native(cqltype.Int)}, Clustering: []Clustering{{Type: native(cqltype.Int)}},
		Columns: []Column{{ID: 1, Type: native(cqltype.Blob)}}, Grace: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func partitionOf(t testing.TB, tab *Table, p int) Partition {
	t.Helper()
	part, err := tab.PartitionOf([][]byte{i32(p)})
	if err != nil {
		t.Fatal(err)
	}
	return part
}

func put(s *Store, tab *Table, p Partition, c int, value []byte) error {
	tx, err := s.Begin(TxnOptions{}, p.Latch())
	if err != nil {
		return err
	}
	defer tx.Abort()
	if err := tx.Apply(&Write{
		Table: tab, Partition: p, Clustering: [][]byte{i32(c)}, Insert: true, Ops: []Op{{Kind: Set, Value: value}},
	}); err != nil {
		return err
	}
	ticket, err := tx.Commit()
	if err != nil {
		return err
	}
	return ticket.Wait()
}

func get(t testing.TB, s *Store, tab *Table, p Partition, c int) (Cell, bool) {
	t.Helper()
	var row Row
	ok, err := s.Peek().Get(tab, p, [][]byte{i32(c)}, nil, &row)
	if err != nil {
		t.Fatal(err)
	}
	return row.Cells[0], ok
}

func count(t testing.TB, s *Store, tab *Table) int {
	t.Helper()
	v := s.Snapshot()
	defer v.Close()
	it := v.Scan(tab, Range{First: minToken, Last: maxToken}, nil)
	n := 0
	for it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRowsAreThereAfterReopening(t *testing.T) {
	dir := t.TempDir()
	tab := simpleTable(t, 1)
	s := open(t, Options{Dir: dir})
	for i := range 50 {
		if err := put(s, tab, partitionOf(t, tab, i%5), i, []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Dir: dir})
	if n := count(t, s, tab); n != 50 {
		t.Fatalf("%d rows after reopening, want 50", n)
	}
}

func TestASecondProcessIsToldWhoHoldsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	_, err := Open(Options{Dir: dir})
	if err == nil {
		t.Fatal("a directory in use was opened again")
	}
	if want := fmt.Sprintf("process %d", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Fatalf("%q does not name %q", err, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Options{Dir: dir})
}

func TestOtherFormatVersionsAreRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	if err := s.write(func(b *pebble.Batch) error {
		return b.Set(metaKey(metaFormat), binary.BigEndian.AppendUint32(nil, formatVersion+1), nil)
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("format version %d", formatVersion+1)) {
		t.Fatalf("Open() = %v, want a refusal that names the version", err)
	}
	// The lock must be free again.
	if _, err := Open(Options{Dir: dir}); err == nil || strings.Contains(err.Error(), "in use") {
		t.Fatalf("Open() = %v after a refusal", err)
	}
}

func TestAnotherProgramsDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebbleFormat})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set([]byte("k"), []byte("v"), pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Fatalf("Open() = %v", err)
	}
}

func TestWriteTimesRiseEvenIfTheClockIsSetBack(t *testing.T) {
	dir := t.TempDir()
	clock := newTestClock()
	tab := simpleTable(t, 1)
	p := partitionOf(t, tab, 1)
	last := int64(0)
	for range 4 {
		s := open(t, Options{Dir: dir, Now: clock.now, Sweep: -1})
		for range 3 {
			if err := put(s, tab, p, 1, []byte{1}); err != nil {
				t.Fatal(err)
			}
			cell, _ := get(t, s, tab, p, 1)
			if cell.Timestamp <= last {
				t.Fatalf("write time %d after %d", cell.Timestamp, last)
			}
			last = cell.Timestamp
			clock.advance(-time.Hour)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBackupIsConsistentAndRestores(t *testing.T) {
	tab := simpleTable(t, 1)
	s := open(t, Options{Dir: filepath.Join(t.TempDir(), "data"), MemtableBytes: 256 << 10})
	var acked atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	a, b := partitionOf(t, tab, 1), partitionOf(t, tab, 2)
	wg.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			tx, err := s.Begin(TxnOptions{}, a.Latch(), b.Latch())
			if err != nil {
				t.Error(err)
				return
			}
			for _, p := range []Partition{a, b} {
				if err := tx.Apply(&Write{Table: tab, Partition: p, Clustering: [][]byte{i32(n)}, Insert: true, Ops: []Op{{Value: make([]byte, 2000)}}}); err != nil {
					t.Error(err)
				}
			}
			ticket, err := tx.Commit()
			if err == nil {
				err = ticket.Wait()
			}
			if err != nil {
				t.Error(err)
				return
			}
			acked.Store(int64(n))
		}
	})
	for acked.Load() < 200 { // some files, some log
		time.Sleep(time.Millisecond)
	}
	before := acked.Load()
	backup := filepath.Join(t.TempDir(), "backup")
	if err := s.Checkpoint(backup); err != nil {
		t.Fatal(err)
	}
	close(stop)
	wg.Wait()
	if err := s.Checkpoint(backup); err == nil {
		t.Error("a backup was written over another")
	}
	dir := filepath.Join(t.TempDir(), "new")
	if err := Restore(backup, dir); err != nil {
		t.Fatal(err)
	}
	if err := Restore(backup, dir); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("Restore over data = %v", err)
	}
	if err := Restore(t.TempDir(), filepath.Join(t.TempDir(), "x")); err == nil {
		t.Error("an empty directory was restored")
	}
	r := open(t, Options{Dir: dir})
	n := [2]int{}
	for i, p := range []Partition{a, b} {
		v := r.Snapshot()
		it := v.Rows(tab, p, Slice{}, false, nil)
		for it.Next() {
			n[i]++
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		v.Close()
	}
	if n[0] != n[1] || int64(n[0]) < before {
		t.Fatalf("the backup has %v entries, %d were acknowledged before it", n, before)
	}
}

// fullDisk makes a file system whose writes fail with ENOSPC while full is set.
func fullDisk(inner vfs.FS, full *atomic.Bool) vfs.FS {
	return errorfs.Wrap(inner, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpCreate, errorfs.OpFilePreallocate, errorfs.OpFileSync, errorfs.OpFileSyncData:
			if full.Load() {
				return &fs.PathError{Op: "write", Path: op.Path, Err: syscall.ENOSPC}
			}
		default: // takes no space
		}
		return nil
	}))
}

func TestAFullDiskStopsWritesAndLosesNothing(t *testing.T) {
	mem := vfs.NewMem()
	var full atomic.Bool
	tab := simpleTable(t, 1)
	s := open(t, Options{Dir: "data", FS: fullDisk(mem, &full), MemtableBytes: 256 << 10})
	acked := map[int]bool{}
	for i := range 100 {
		if err := put(s, tab, partitionOf(t, tab, i%3), i, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		acked[i] = true
	}
	full.Store(true)
	var failed error
	for i := 100; i < 2000 && failed == nil; i++ {
		if failed = put(s, tab, partitionOf(t, tab, i%3), i, make([]byte, 1000)); failed == nil {
			acked[i] = true
		}
	}
	if failed == nil {
		t.Fatal("2000 writes to a full disk were acknowledged")
	}
	// Refused at once from now on, whatever the disk does; reads go on.
	if err := put(s, tab, partitionOf(t, tab, 1), 1, nil); err == nil {
		t.Fatal("a write was taken after one had failed")
	}
	if _, ok := get(t, s, tab, partitionOf(t, tab, 1), 1); !ok {
		t.Fatal("reads have stopped")
	}
	var stopped *StoppedError
	if err := s.Err(); !errors.As(err, &stopped) && !errors.Is(err, ErrDiskFull) {
		t.Fatalf("Err() = %v", err)
	}
	full.Store(false)
	_ = s.Close()
	s = open(t, Options{Dir: "data", FS: mem})
	for i := range acked {
		if _, ok := get(t, s, tab, partitionOf(t, tab, i%3), i); !ok {
			t.Fatalf("entry %d was acknowledged and is lost", i)
		}
	}
	if err := put(s, tab, partitionOf(t, tab, 1), 1, nil); err != nil {
		t.Fatalf("after the restart: %v", err)
	}
}

// smallDisk says how much room there is on it.
type smallDisk struct {
	vfs.FS
	free atomic.Uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

func TestWritesAreRefusedBeforeTheDiskIsFull(t *testing.T) {
	tab := simpleTable(t, 1)
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(999)
	s := open(t, Options{Dir: "data", FS: disk, MinFreeBytes: 1000})
	if err := put(s, tab, partitionOf(t, tab, 1), 1, nil); !errors.Is(err, ErrDiskFull) {
		t.Fatalf("put() = %v, want ErrDiskFull", err)
	}
	// The store looks at the disk itself too, and may say late what it saw before.
	again := func() error {
		s.checkSpace()
		return put(s, tab, partitionOf(t, tab, 1), 1, nil)
	}
	disk.free.Store(1000)
	require.Eventually(t, func() bool { return again() == nil }, time.Minute, time.Millisecond, "there is room again")
	disk.free.Store(999)
	require.Eventually(t, func() bool { return errors.Is(again(), ErrDiskFull) }, time.Minute, time.Millisecond, "there is none again")
}

func TestDamagedFilesAreNoticed(t *testing.T) {
	dir := t.TempDir()
	tab := simpleTable(t, 1)
	s := open(t, Options{Dir: dir, Sweep: -1})
	for i := range 2000 {
		if err := putNoWait(s, tab, partitionOf(t, tab, i%3), i, bytes.Repeat([]byte{byte(i)}, 500)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no table files: %v", err)
	}
	for _, name := range tables {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(b) / 2 {
			b[i] ^= 0x55
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	told := make(chan error, 2)
	s, err = Open(Options{Dir: dir, Sweep: -1, OnStop: func(err error) { told <- err }})
	if err != nil {
		t.Logf("noticed at open: %v", err)
		return
	}
	defer s.Close()
	v := s.Snapshot()
	it := v.Scan(tab, Range{First: minToken, Last: maxToken}, nil)
	for it.Next() {
	}
	err = it.Close()
	v.Close()
	if err == nil || !strings.Contains(err.Error(), "backup") {
		t.Fatalf("a scan of damaged files = %v", err)
	}
	var stopped *StoppedError
	if err := put(s, tab, partitionOf(t, tab, 1), 1, nil); !errors.As(err, &stopped) {
		t.Fatalf("a write after damage was found = %v", err)
	}
	select {
	case err := <-told:
		if !errors.As(err, &stopped) {
			t.Fatalf("OnStop hears %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("OnStop hears nothing")
	}
}

func putNoWait(s *Store, tab *Table, p Partition, c int, value []byte) error {
	tx, err := s.Begin(TxnOptions{}, p.Latch())
	if err != nil {
		return err
	}
	if err := tx.Apply(&Write{Table: tab, Partition: p, Clustering: [][]byte{i32(c)}, Insert: true, Ops: []Op{{Value: value}}}); err != nil {
		tx.Abort()
		return err
	}
	_, err = tx.Commit()
	return err
}

// Counters in random pairs of partitions, each read and written under both
// latches: lost updates and deadlocks would show, and races under -race.
func TestTransactionsUnderLatchesAreSerial(t *testing.T) {
	s := open(t, Options{Ephemeral: true})
	tab := simpleTable(t, 1)
	const partitions, workers, rounds = 8, 8, 300
	var parts []Partition
	for i := range partitions {
		parts = append(parts, partitionOf(t, tab, i))
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for range rounds {
				a, b := parts[r.IntN(partitions)], parts[r.IntN(partitions)]
				tx, err := s.Begin(TxnOptions{Sequential: true}, a.Latch(), b.Latch())
				if err != nil {
					t.Error(err)
					return
				}
				for _, p := range []Partition{a, b} {
					var row Row
					if _, err := tx.View().Get(tab, p, [][]byte{i32(0)}, nil, &row); err != nil {
						t.Error(err)
					}
					n := 0
					if v := row.Cells[0].Value; v != nil {
						n = toInt(v)
					}
					if err := tx.Apply(&Write{Table: tab, Partition: p, Clustering: [][]byte{i32(0)}, Ops: []Op{{Value: i32(n + 1)}}}); err != nil {
						t.Error(err)
					}
				}
				if r.IntN(10) == 0 {
					tx.Abort()
					// The same again, so that the count stays known.
					for _, p := range []Partition{a, b} {
						if err := increment(s, tab, p); err != nil {
							t.Error(err)
						}
					}
					continue
				}
				if _, err := tx.Commit(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, p := range parts {
		cell, _ := get(t, s, tab, p, 0)
		sum += toInt(cell.Value)
	}
	if want := workers * rounds * 2; sum != want {
		t.Fatalf("the counters hold %d, want %d", sum, want)
	}
}

func increment(s *Store, tab *Table, p Partition) error {
	tx, err := s.Begin(TxnOptions{}, p.Latch())
	if err != nil {
		return err
	}
	defer tx.Abort()
	var row Row
	if _, err := tx.View().Get(tab, p, [][]byte{i32(0)}, nil, &row); err != nil {
		return err
	}
	n := 0
	if v := row.Cells[0].Value; v != nil {
		n = toInt(v)
	}
	if err := tx.Apply(&Write{Table: tab, Partition: p, Clustering: [][]byte{i32(0)}, Ops: []Op{{Value: i32(n + 1)}}}); err != nil {
		return err
	}
	_, err = tx.Commit()
	return err
}

func TestExplicitTimestampsNeedTheSwitch(t *testing.T) {
	clock := newTestClock()
	s := open(t, Options{Ephemeral: true, Now: clock.now, Sweep: -1})
	tab := simpleTable(t, 1)
	p := partitionOf(t, tab, 1)
	write := func(ts int64) error {
		tx, err := s.Begin(TxnOptions{}, p.Latch())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Abort()
		if err := tx.Apply(&Write{Table: tab, Partition: p, Clustering: [][]byte{i32(1)}, Timestamp: &ts, Insert: true}); err != nil {
			return err
		}
		_, err = tx.Commit()
		return err
	}
	if err := write(5); !errors.Is(err, ErrTimestamps) {
		t.Fatalf("Apply() = %v, want ErrTimestamps", err)
	}
	if floor, err := s.EnableTimestamps(tab.ID); err != nil || floor != noTime {
		t.Fatalf("EnableTimestamps() = %d, %v: nothing was deleted yet", floor, err)
	}
	if err := write(5); err != nil {
		t.Fatal(err)
	}
	// A table that had deletions has a floor.
	other := simpleTable(t, 2)
	tx, err := s.Begin(TxnOptions{}, partitionOf(t, other, 1).Latch())
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.DeleteRow(other, partitionOf(t, other, 1), [][]byte{i32(1)}, nil); err != nil {
		t.Fatal(err)
	}
	at := tx.Timestamp()
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if floor, err := s.EnableTimestamps(other.ID); err != nil || floor < at {
		t.Fatalf("EnableTimestamps() = %d, %v, want at least %d", floor, err, at)
	}
}

func TestExpiredCellsAndTombstonesLeaveTheDisk(t *testing.T) {
	for _, stamped := range []bool{false, true} {
		t.Run(fmt.Sprintf("timestamps %v", stamped), func(t *testing.T) {
			clock := newTestClock()
			s := open(t, Options{Ephemeral: true, Now: clock.now, Sweep: -1})
			tab := modelTable(t, Murmur3, true)
			if stamped {
				if _, err := s.EnableTimestamps(tab.ID); err != nil {
					t.Fatal(err)
				}
			}
			m := &model{t: t, s: s, tab: tab, clock: clock, stamped: stamped, o: &oracle{parts: map[int]*opart{}}}
			m.r, _ = testRand(t)
			for range 200 {
				m.txn()
			}
			// Everything that is left gets a deletion, then time passes.
			for p := range 4 {
				tx, err := s.Begin(TxnOptions{}, m.partition(p).Latch())
				if err != nil {
					t.Fatal(err)
				}
				if err := tx.DeletePartition(tab, m.partition(p), nil); err != nil {
					t.Fatal(err)
				}
				if _, err := tx.Commit(); err != nil {
					t.Fatal(err)
				}
			}
			clock.advance(tab.Grace + time.Minute)
			for {
				n, err := s.Sweep()
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					break
				}
			}
			it, err := s.db.NewIter(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer it.Close()
			for ok := it.First(); ok; ok = it.Next() {
				if it.Key()[0] != spaceMeta {
					t.Errorf("key %x is left", it.Key())
				}
			}
		})
	}
}

func TestDroppedDataIsGone(t *testing.T) {
	s := open(t, Options{Ephemeral: true})
	a, b := simpleTable(t, 1), simpleTable(t, 2)
	for _, tab := range []*Table{a, b} {
		if err := put(s, tab, partitionOf(t, tab, 1), 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DropData(1); err != nil {
		t.Fatal(err)
	}
	if count(t, s, a) != 0 || count(t, s, b) != 1 {
		t.Fatal("DropData removed the wrong rows")
	}
}

func TestIndexesOfExistingRows(t *testing.T) {
	s := open(t, Options{Ephemeral: true})
	plain, indexed := modelTable(t, Murmur3, false), modelTable(t, Murmur3, true)
	p := partitionOf(t, plain, 1)
	const rows = 600 // more than one step of BuildIndex
	for i := range rows {
		tx, err := s.Begin(TxnOptions{}, p.Latch())
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Apply(&Write{Table: plain, Partition: p, Clustering: [][]byte{i32(i), {}}, Insert: true, Ops: []Op{
			{Column: colV1, Value: i32(i % 3)}, {Kind: Replace, Column: colSet, Elems: [][]byte{[]byte("x"), []byte("y")}},
		}}); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		ix    int
		value []byte
		want  int
	}{{0, i32(1), rows / 3}, {3, []byte("y"), rows}} {
		ix := &indexed.Indexes[tt.ix]
		if err := s.BuildIndex(indexed, ix.ID); err != nil {
			t.Fatal(err)
		}
		v := s.Snapshot()
		n := 0
		var last *Hit
		// In steps, to walk on from the last hit.
		for step := -1; step != 0; {
			step = 0
			if err := v.Lookup(indexed, ix, [][]byte{tt.value}, last, func(h Hit) bool {
				n, step, last = n+1, step+1, &h
				return step < 70
			}); err != nil {
				t.Fatal(err)
			}
		}
		v.Close()
		if n != tt.want {
			t.Errorf("index %d has %d rows, want %d", ix.ID, n, tt.want)
		}
	}
}

func TestDeletionsOfConditionalTransactionsComeFirst(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opts   TxnOptions
		delete func(tx *Txn, tab *Table, p Partition) error
		want   int
	}{
		{"a partition, in a conditional batch", TxnOptions{Conditional: true}, func(tx *Txn, tab *Table, p Partition) error { return tx.DeletePartition(tab, p, nil) }, 2},
		{"a range, in a conditional batch", TxnOptions{Conditional: true}, func(tx *Txn, tab *Table, p Partition) error { return tx.DeleteRange(tab, p, Slice{}, nil) }, 2},
		{"a row, in a conditional batch", TxnOptions{Conditional: true}, func(tx *Txn, tab *Table, p Partition) error { return tx.DeleteRow(tab, p, [][]byte{i32(1)}, nil) }, 2},
		{"a partition, in a plain batch", TxnOptions{}, func(tx *Txn, tab *Table, p Partition) error { return tx.DeletePartition(tab, p, nil) }, 0},
		{"a partition, in a block", TxnOptions{Sequential: true}, func(tx *Txn, tab *Table, p Partition) error { return tx.DeletePartition(tab, p, nil) }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, Options{Ephemeral: true})
			tab := simpleTable(t, 1)
			p := partitionOf(t, tab, 1)
			if err := put(s, tab, p, 9, nil); err != nil {
				t.Fatal(err)
			}
			tx, err := s.Begin(tt.opts, p.Latch())
			if err != nil {
				t.Fatal(err)
			}
			write := func(c int) {
				if err := tx.Apply(&Write{Table: tab, Partition: p, Clustering: [][]byte{i32(c)}, Insert: true}); err != nil {
					t.Fatal(err)
				}
			}
			write(1)
			if err := tt.delete(tx, tab, p); err != nil {
				t.Fatal(err)
			}
			write(2)
			var row Row
			if ok, err := tx.Before().Get(tab, p, [][]byte{i32(2)}, nil, &row); ok || err != nil {
				t.Fatalf("Before() shows the transaction's own write, %v", err)
			}
			if _, err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if n := count(t, s, tab); n != tt.want {
				t.Fatalf("%d rows are left, want %d", n, tt.want)
			}
		})
	}
}

func TestKeysTooLongAreErrors(t *testing.T) {
	tab, err := NewTable(Definition{ID: 1, Partition: []*cqltype.Type{native(cqltype.Blob)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tab.PartitionOf([][]byte{make([]byte, 1<<16)}); !errors.Is(err, ErrKeyTooLong) {
		t.Fatalf("PartitionOf() = %v, want ErrKeyTooLong", err)
	}
}
