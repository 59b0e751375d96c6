//go:build linux && cgo

package storage

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestThreadsShareArenas reads with many threads what does not fit into the cache,
// so that all of them allocate.
func TestThreadsShareArenas(t *testing.T) {
	const rows, threads = 2000, 32
	s, tab := open(t, Options{Ephemeral: true, CacheBytes: 256 << 10}), simpleTable(t, 1)
	value, parts := make([]byte, 2000), make([]Partition, rows)
	for c := range rows {
		for i := range value {
			value[i] = byte(rand.Uint32())
		}
		parts[c] = partitionOf(t, tab, c)
		if err := put(s, tab, parts[c], 0, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	all, abreast := sync.WaitGroup{}, sync.WaitGroup{}
	abreast.Add(threads)
	for thread := range threads {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			abreast.Done()
			abreast.Wait() // or one thread would do for several
			for c := thread; c < rows; c += threads / 4 {
				if cell, ok := get(t, s, tab, parts[c], 0); !ok || len(cell.Value) != len(value) {
					t.Errorf("row %d: %v, %v", c, cell, ok)
				}
			}
		})
	}
	all.Wait()
	if n := arenasOf(t); n > arenas {
		t.Errorf("the allocator has %d arenas, want at most %d", n, arenas)
	}
}

// arenasOf counts the C library's arenas but its first: each lies in a stretch of
// 64 MiB, at a multiple of that, of which what is not used yet cannot be accessed,
// where the system puts what asks for no place. Go's arenas look alike, elsewhere.
func arenasOf(t *testing.T) (n int) {
	t.Helper()
	const stretch, low = 64 << 20, 0x7000_0000_0000
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	begin := uint64(0)
	for line := range strings.Lines(string(text)) {
		span, rest, _ := strings.Cut(line, " ")
		from, to, _ := strings.Cut(span, "-")
		first, err := strconv.ParseUint(from, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		last, err := strconv.ParseUint(to, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(rest, "rw-p") && first%stretch == 0 && first >= low:
			begin = first
		case strings.HasPrefix(rest, "---p") && begin != 0 && last == begin+stretch:
			n++
			begin = 0
		default:
			begin = 0
		}
	}
	return n
}
