package storage

import "sync/atomic"

type counters struct {
	commits atomic.Uint64
	syncs   atomic.Uint64
	swept   atomic.Uint64
}

// Metrics are figures about the store since it was opened, and about its files.
type Metrics struct {
	Commits       uint64 // transactions that wrote something
	Syncs         uint64 // syncs of the log, each for a group of commits
	Swept         uint64 // keys looked at because they expired
	CacheBytes    int64
	CacheHits     int64
	CacheMisses   int64
	MemtableBytes uint64
	LogBytes      uint64 // size of the log files
	DiskBytes     uint64 // of all files
	Compactions   int64
	Flushes       int64
}

// Metrics returns the store's figures.
func (s *Store) Metrics() Metrics {
	m := s.db.Metrics()
	return Metrics{
		Commits: s.counts.commits.Load(), Syncs: s.counts.syncs.Load(), Swept: s.counts.swept.Load(),
		CacheBytes: m.BlockCache.Size, CacheHits: m.BlockCache.Hits, CacheMisses: m.BlockCache.Misses,
		MemtableBytes: m.MemTable.Size, LogBytes: m.WAL.PhysicalSize, DiskBytes: m.DiskSpaceUsage(),
		Compactions: m.Compact.Count, Flushes: m.Flush.Count,
	}
}
