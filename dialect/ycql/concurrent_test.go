package ycql_test

import (
	"sync"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/dialect/samples"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// A server opens its data store several times at once, and each time makes a
// dialect, while others compile. The race detector is the judge.
func TestDialectsAreMadeSideBySide(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			d := ycql.New(ycql.All)
			for _, s := range samples.Of(d) {
				if _, err := samples.CQL(d, s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
