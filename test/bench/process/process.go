// Package process tells what the benchmarks beside it use of the machine, and what
// others do.
package process

import (
	"context"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// CPU is the processor time of this process so far, user and system, to the
// microsecond; 0 where the system does not tell.
func CPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Settle waits until what used counts hardly grows any more, so that compactions
// which earlier writes left behind are not counted as the cost of what is measured
// next. It gives up after limit, or with ctx, and returns how long it took.
func Settle(ctx context.Context, limit time.Duration, used func() time.Duration) time.Duration {
	const look = 500 * time.Millisecond
	from := time.Now()
	for time.Since(from) < limit {
		before := used()
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return time.Since(from)
		}
		if used()-before < look/20 {
			break
		}
	}
	return time.Since(from)
}

// Load is the number of processes that ran or wanted to in the minute before; empty
// where the system does not tell.
func Load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// Memory is what this process holds in memory beside mapped files, in bytes; 0 where
// the system does not tell.
func Memory() int64 {
	self, err := procfs.Self()
	if err != nil {
		return 0
	}
	status, err := self.NewStatus()
	if err != nil {
		return 0
	}
	return int64(status.RssAnon)
}
