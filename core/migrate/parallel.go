package migrate

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// each does something for 0 to n-1, up to 16 side by side, and stops at the first
// error, which is the cause that the others' context ends with.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i := 0; i < n && all.Err() == nil; i++ {
		g.Go(func() error {
			select {
			case <-all.Done(): // while it waited for its turn
				return nil
			default:
				return do(all, i)
			}
		})
	}
	if g.Wait() != nil {
		return context.Cause(all) // the first error, or what ended ctx before it
	}
	return context.Cause(ctx)
}
