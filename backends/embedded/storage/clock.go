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

	mu      sync.Mutex
	last    int64
	ceiling int64 // on disk, or about to be
}

// next returns n new timestamps, the first of them. If ceiling is not zero it
// must be stored together with what the timestamps are used for.
func (c *clock) next(n int64) (ts, ceiling int64) {
	now := c.wall().UnixMicro()
	c.mu.Lock()
	defer c.mu.Unlock()
	ts = max(now, c.last+1)
	c.last = ts + n - 1
	if c.last+clockLease/2 > c.ceiling {
		c.ceiling = c.last + clockLease
		ceiling = c.ceiling
	}
	return ts, ceiling
}

// seconds returns the wall clock's second, by which cells expire.
func (c *clock) seconds() int64 { return c.wall().Unix() }
