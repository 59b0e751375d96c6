package migrate

import (
	"context"
	"sync"
)

// each does something for 0 to n-1, up to 16 side by side, and stops at the first
// error.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	at := 0
	next := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if at >= n || ctx.Err() != nil {
			return 0, false
		}
		at++
		return at - 1, true
	}
	var wg sync.WaitGroup
	for range min(n, workers) {
		wg.Go(func() {
			for i, ok := next(); ok; i, ok = next() {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
