package storage

import (
	"slices"
	"sync"
	"sync/atomic"
)

// stripes is the number of latches. Partitions share them by hash.
const stripes = 1024

// Latch is the number of a latch stripe. See [Partition.Latch].
type Latch uint32

// stripe is one latch. It also knows the newest commit made under it.
type stripe struct {
	mu sync.Mutex
	// inflight counts commits that are being applied: visible perhaps, but
	// without a ticket yet.
	inflight atomic.Int32
	// ticket is the newest commit's.
	ticket atomic.Uint64
	_      [48]byte // one stripe a cache line
}

// latchOf hashes space, table and token of a data key. Partitions whose tokens
// are equal share a latch, so that the sweeper needs no table definition.
func latchOf(key []byte) Latch {
	h := uint64(14695981039346656037)
	for _, c := range key[:min(len(key), 13)] {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return Latch((h ^ h>>29) % stripes)
}

// LatchFor returns the latch for something that is no partition, such as a
// value in a unique index.
func LatchFor(name []byte) Latch {
	h := uint64(14695981039346656037)
	for _, c := range name {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return Latch((h ^ h>>29) % stripes)
}

// sortLatches orders latches and drops doubles, in place: everybody locks in
// one order, so that nobody waits in a circle.
func sortLatches(l []Latch) []Latch {
	if len(l) < 2 {
		return l
	}
	slices.Sort(l)
	return slices.Compact(l)
}
