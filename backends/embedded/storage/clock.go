package storage

import (
	"sync"
	"time"
)

// clockLease is how far ahead of the newest timestamp the stored ceiling is
// kept, in microseconds.
const clockLease = int64(60 * time.Second / time.Microsecond)

// clock gives out strictly rising write times in microseconds, across restarts
// too, even if the machine's clock is set back.
type clock struct {
	wall func() time.Time
	// store keeps a ceiling on disk before it returns. It is not left to the
	// transaction that needs it: that one may be aborted, or reach the log after
	// others with later times.
	store func(ceiling int64) error

	mu      sync.Mutex
	last    int64
	ceiling int64 // on disk
}

// next returns the first of n new timestamps. Every half lease it waits for the
// disk.
func (c *clock) next(n int64) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ts := max(c.wall().UnixMicro(), c.last+1)
	last := ts + n - 1
	if last+clockLease/2 > c.ceiling {
		if err := c.store(last + clockLease); err != nil {
			return 0, err
		}
		c.ceiling = last + clockLease
	}
	c.last = last
	return ts, nil
}

// seconds returns the wall clock's second, by which cells expire.
func (c *clock) seconds() int64 { return c.wall().Unix() }
