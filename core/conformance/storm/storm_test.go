package storm

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var (
	seed  = flag.Uint64("seed", 0, "seed of the random calls; 0 picks one")
	calls = flag.Int("calls", 1000, "number of random calls")
)

// TestWhatStoresSayInAStormIsTrue: what was acknowledged is stored and stays
// so; what was refused must have been; what certainly did not take effect never
// does, however late its statements arrive; and what is of unknown outcome took
// effect as a whole or not at all. Chance is the seed's but for what runs in the
// background, so a failure mostly comes back with its seed.
func TestWhatStoresSayInAStormIsTrue(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("seed %d: run again with -seed %d", s, s)
	x := newWorld(t, s)
	defer func() {
		if t.Failed() {
			for _, line := range x.log {
				t.Log(line)
			}
		}
		t.Logf("%v, faults met: %v", x.counts, x.node.Simulation().Injected())
	}()
	x.storm(*calls)
}
