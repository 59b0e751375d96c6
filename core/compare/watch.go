package compare

import (
	"context"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// Reading is what was read some time after a block's beginning.
type Reading[T any] struct {
	After time.Duration
	Value T
}

// watchEvery is how often figures are read over time, and watchLimit how long one
// reading may take: a server that stood still for seconds tells of it afterwards.
const (
	watchEvery = time.Second
	watchLimit = 30 * time.Second
)

// Watch reads now and once a second until the returned function is called, which
// returns the readings; two at least, if it can. One that fails is left out, as is all
// of it where read is nil: what is read over time explains a block and decides nothing.
func Watch[T any](ctx context.Context, read func(context.Context) (T, error)) (stop func() []Reading[T]) {
	if read == nil {
		return func() []Reading[T] { return nil }
	}
	until, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var readings []Reading[T]
	began := time.Now()
	wg.Go(func() {
		once := func(ctx context.Context) {
			ctx, done := context.WithTimeout(ctx, watchLimit)
			defer done()
			if value, err := read(ctx); err == nil {
				readings = append(readings, Reading[T]{time.Since(began), value})
			}
		}
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		once(ctx)
		for until.Err() == nil {
			select {
			case <-ticker.C:
				once(until)
			case <-until.Done():
			}
		}
		if len(readings) == 1 { // a short block: what changed shows from two on
			once(ctx)
		}
	})
	return func() []Reading[T] {
		cancel()
		wg.Wait()
		return readings
	}
}

// Increases is how fast a counter grew from each reading to the next; nothing where it
// was not read twice.
func Increases(name, unit string, readings []Reading[int64]) []result.Series {
	s := result.Series{Name: name, Unit: unit}
	for i := 1; i < len(readings); i++ {
		a, b := readings[i-1], readings[i]
		if took := (b.After - a.After).Seconds(); took > 0 && b.Value >= a.Value { // less: it began anew
			s.Points = append(s.Points, [2]float64{b.After.Seconds(), float64(b.Value-a.Value) / took})
		}
	}
	if len(s.Points) == 0 {
		return nil
	}
	return []result.Series{s}
}
