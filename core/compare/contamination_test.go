package compare

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/compare/machine"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// TestWhatOthersTookWhileMeasured counts: not what they took before or after.
func TestWhatOthersTookWhileMeasured(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(second, busy, own int) machine.Reading {
		return machine.Reading{
			At: start.Add(time.Duration(second) * time.Second), Total: time.Duration(2*second) * time.Second,
			Busy: time.Duration(busy) * time.Second, Own: time.Duration(own) * time.Second,
		}
	}
	samples := []machine.Reading{at(0, 0, 0), at(10, 20, 0), at(20, 25, 4), at(30, 30, 8), at(40, 50, 8)}
	r := &runner{o: Options{Contamination: Contamination{Others: 0.1}}, result: new(result.Run)}
	b := &result.Block{From: start.Add(9 * time.Second), To: start.Add(31 * time.Second)}
	r.contaminated(b, samples)
	require.InDelta(t, 0.05, *b.Others, 1e-9, "10 s busy, 8 s of them own, of 40 s of two processors")
	require.Empty(t, b.Contaminated)

	b.To = start.Add(time.Minute)
	r.contaminated(b, samples)
	require.Equal(t, []string{"other processes took 37 % of the machine, at most 10 % are allowed"}, b.Contaminated)

	unknown := &result.Block{From: start, To: start.Add(time.Hour)}
	r.contaminated(unknown, nil)
	require.Nil(t, unknown.Others, "a system that does not tell")
	require.Empty(t, unknown.Contaminated)
}
