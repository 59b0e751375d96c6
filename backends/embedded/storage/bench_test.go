package storage

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// wideTable has a row like those of Temporal: some plain columns and maps.
func wideTable(t testing.TB) *Table {
	integer, blob := native(cqltype.Int), native(cqltype.Blob)
	d := Definition{ID: 3, Partition: []*cqltype.Type{integer}, Clustering: []Clustering{{Type: integer}}}
	for i := range 8 {
		d.Columns = append(d.Columns, Column{ID: uint32(i), Type: blob})
	}
	for i := range 4 {
		d.Columns = append(d.Columns, Column{ID: uint32(20 + i), Type: cqltype.MapOf(integer, blob, false)})
	}
	tab, err := NewTable(d)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func BenchmarkGet(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir()})
	plain, wide := simpleTable(b, 1), wideTable(b)
	const rows = 10000
	for i := range rows {
		if err := putNoWait(s, plain, partitionOf(b, plain, i%16), i, make([]byte, 300)); err != nil {
			b.Fatal(err)
		}
		p := partitionOf(b, wide, i%16)
		tx, err := s.Begin(TxnOptions{}, p.Latch())
		if err != nil {
			b.Fatal(err)
		}
		if err := tx.Apply(&Write{Table: wide, Partition: p, Clustering: [][]byte{i32(i)}, Insert: true, Ops: []Op{
			{Column: 0, Value: make([]byte, 300)}, {Kind: SetElement, Column: 8, Key: i32(1), Value: []byte("x")}, {Kind: SetElement, Column: 9, Key: i32(1), Value: []byte("x")},
		}}); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.db.Flush(); err != nil {
		b.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		tab  *Table
		want Columns
	}{
		{"plain row", plain, nil},
		{"wide row, plain columns", wide, Columns{true, true, false, false, false, false, false, false, false, false, false, false}},
		{"wide row, all", wide, nil},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			var row Row
			for i := 0; b.Loop(); i++ {
				p, err := tt.tab.PartitionOf([][]byte{i32(i * 7 % rows % 16)})
				if err != nil {
					b.Fatal(err)
				}
				v := s.Peek()
				ok, err := v.Get(tt.tab, p, [][]byte{i32(i * 7 % rows)}, tt.want, &row)
				if err != nil || !ok {
					b.Fatal(ok, err)
				}
				if err := v.Ticket(p).Wait(); err != nil {
					b.Fatal(err)
				}
				v.Close()
			}
		})
	}
	b.Run("page of 100 plain rows", func(b *testing.B) {
		b.ReportAllocs()
		p := partitionOf(b, plain, 3)
		for b.Loop() {
			v := s.Peek()
			it := v.Rows(plain, p, Slice{}, false, nil)
			for range 100 {
				if !it.Next() {
					b.Fatal("too few rows")
				}
			}
			if err := it.Close(); err != nil {
				b.Fatal(err)
			}
			v.Close()
		}
	})
}

// BenchmarkCommit compares durable single-row inserts, in different partitions
// and all in one, with Pebble's own commits of the same bytes.
func BenchmarkCommit(b *testing.B) {
	for _, workers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("raw pebble, %d", workers), func(b *testing.B) {
			db, err := pebble.Open(b.TempDir(), &pebble.Options{FormatMajorVersion: pebbleFormat, MemTableSize: defaultMemtable, Logger: quiet{}})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			value := make([]byte, 310)
			spread(b, workers, func(i int) error {
				return db.Set(fmt.Appendf(nil, "%032d", i), value, pebble.Sync)
			})
		})
		for _, one := range []bool{false, true} {
			b.Run(fmt.Sprintf("store, one partition %v, %d", one, workers), func(b *testing.B) {
				s := open(b, Options{Dir: b.TempDir()})
				tab := simpleTable(b, 1)
				value := make([]byte, 300)
				spread(b, workers, func(i int) error {
					p := i
					if one {
						p = 1
					}
					return put(s, tab, partitionOf(b, tab, p), i, value)
				})
			})
		}
	}
}

// quiet drops Pebble's messages.
type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(string, ...any)     {}
func (quiet) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// spread runs f for each of b.N numbers in several goroutines.
func spread(b *testing.B, workers int, f func(i int) error) {
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := f(int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}
