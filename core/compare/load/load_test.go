package load_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
)

func TestSchedules(t *testing.T) {
	s := load.Poisson(1000, 10*time.Second, 1)
	require.InDelta(t, 10_000, len(s), 500, "five standard deviations")
	require.True(t, slices.IsSorted(s))
	require.Less(t, s[len(s)-1], 10*time.Second)
	require.Equal(t, s, load.Poisson(1000, 10*time.Second, 1), "both arms of a pair get the same")
	require.NotEqual(t, s, load.Poisson(1000, 10*time.Second, 2))

	c := load.Constant(4, 2*time.Second)
	require.Len(t, c, 8)
	require.Equal(t, 750*time.Millisecond, c[3])
}

// TestAStallShowsInResponseTimes runs in simulated time. The server answers in 1 ms
// but stands still for 10 s in a minute: a sixth of all users are hit, whether or
// not somebody was asking at the moment.
func TestAStallShowsInResponseTimes(t *testing.T) {
	stallEnds := 30 * time.Second
	server := func(start time.Time) load.Work {
		return func(context.Context, int) (string, error) {
			if at := time.Since(start); at >= stallEnds-10*time.Second && at < stallEnds {
				time.Sleep(stallEnds - at) // the stall itself, in simulated time
			}
			time.Sleep(time.Millisecond)
			return "get", nil
		}
	}
	synctest.Test(t, func(t *testing.T) {
		m, err := load.Open(t.Context(), load.Poisson(100, time.Minute, 7), server(time.Now()), load.Options{})
		require.NoError(t, err)
		get := m.Kinds["get"]
		require.EqualValues(t, m.Offered, get.Response.Count())
		require.Equal(t, time.Millisecond, get.Response.Quantile(0.5).Round(time.Millisecond))
		require.Greater(t, get.Response.Quantile(0.90), 3*time.Second, "a sixth waited, up to 10 s")
		require.Greater(t, get.Response.Quantile(0.99), 9*time.Second)
		require.NoError(t, m.Check(time.Millisecond), "the generator was in time all the while")
	})
	synctest.Test(t, func(t *testing.T) {
		m, err := load.Closed(t.Context(), 1, time.Minute, server(time.Now()), load.Options{})
		require.NoError(t, err)
		require.Less(t, m.Kinds["get"].Response.Quantile(0.99), 2*time.Millisecond, "what a closed loop makes of it")
	})
}

// TestWaitingForASlotIsResponseTimeAndNotService has one server that needs 100 ms
// and twenty users a second.
func TestWaitingForASlotIsResponseTimeAndNotService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work := func(context.Context, int) (string, error) {
			time.Sleep(100 * time.Millisecond)
			return "put", nil
		}
		m, err := load.Open(t.Context(), load.Constant(20, 10*time.Second), work, load.Options{InFlight: 1})
		require.NoError(t, err)
		put := m.Kinds["put"]
		require.Equal(t, 100*time.Millisecond, put.Service.Max().Round(10*time.Millisecond))
		require.Greater(t, put.Response.Max(), 9*time.Second, "the queue grew to the end")
	})
}

func TestWarmupIsNotMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		work := func(context.Context, int) (string, error) { calls.Add(1); return "get", nil }
		m, err := load.Open(t.Context(), load.Constant(10, 10*time.Second), work, load.Options{Warmup: 4 * time.Second})
		require.NoError(t, err)
		require.EqualValues(t, 100, calls.Load())
		require.Equal(t, 60, m.Offered)
		require.Equal(t, 60, m.Done)
		require.InDelta(t, 6, m.Took.Seconds(), 0.2)
	})
}

func TestErrorsAreCountedByClassAndHaveNoLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		odd := errors.New("odd")
		work := func(_ context.Context, i int) (string, error) {
			if i%2 == 1 {
				return "get", odd
			}
			return "get", nil
		}
		class := func(err error) string { return "class of " + err.Error() }
		m, err := load.Open(t.Context(), load.Constant(10, 10*time.Second), work, load.Options{Class: class})
		require.NoError(t, err)
		require.Equal(t, map[string]int{"class of odd": 50}, m.Kinds["get"].Errors)
		require.EqualValues(t, 50, m.Kinds["get"].Response.Count())
		require.Equal(t, 50, m.Done)
	})
}

func TestAnInterruptedRunKeepsWhatItMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		work := func(context.Context, int) (string, error) { return "get", nil }
		m, err := load.Open(ctx, load.Constant(10, time.Minute), work, load.Options{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.InDelta(t, 50, m.Done, 1)
	})
}

func TestALateGeneratorIsNoticed(t *testing.T) {
	var late load.Measured
	late.Lag = load.NewHistogram()
	for range 1000 {
		late.Lag.Record(50 * time.Millisecond)
	}
	err := late.Check(5 * time.Millisecond)
	require.ErrorIs(t, err, load.ErrLagged)
	require.ErrorContains(t, err, "at most 5ms counts as in time")
}

func TestClosedLoopsNeedClients(t *testing.T) {
	_, err := load.Closed(t.Context(), 0, time.Second, nil, load.Options{})
	require.EqualError(t, err, "closed loop of 0 clients: give at least 1")
}

func TestHistogramsMergeAndTravel(t *testing.T) {
	a, b := load.NewHistogram(), load.NewHistogram()
	for i := range 1000 {
		a.Record(time.Duration(i+1) * time.Millisecond)
		b.Record(time.Duration(i+1001) * time.Millisecond)
	}
	a.Merge(b)
	require.EqualValues(t, 2000, a.Count())
	require.InEpsilon(t, 1.0, a.Quantile(0.5).Seconds(), 0.002)
	require.InEpsilon(t, 1.98, a.Quantile(0.99).Seconds(), 0.002)

	data, err := json.Marshal(a)
	require.NoError(t, err)
	var again load.Histogram
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, a.Count(), again.Count())
	require.Equal(t, a.Quantile(0.99), again.Quantile(0.99))
	require.Equal(t, a.Max(), again.Max())

	require.Error(t, json.Unmarshal([]byte(`"rubbish"`), &again))
	require.Zero(t, load.NewHistogram().Quantile(0.5))
	extremes := load.NewHistogram()
	extremes.Record(-time.Second)
	extremes.Record(48 * time.Hour)
	require.EqualValues(t, 2, extremes.Count(), "nothing is dropped")
}

func TestMeasurementsMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := func(kind string) *load.Measured {
			m, err := load.Open(t.Context(), load.Constant(10, time.Second), func(_ context.Context, i int) (string, error) {
				if i == 0 {
					return kind, errors.New("first")
				}
				return kind, nil
			}, load.Options{})
			require.NoError(t, err)
			return m
		}
		sum := run("get")
		sum.Merge(run("get"))
		sum.Merge(run("put"))
		require.Equal(t, 30, sum.Offered)
		require.Equal(t, 27, sum.Done)
		require.EqualValues(t, 18, sum.Kinds["get"].Response.Count())
		require.Equal(t, 2, sum.Kinds["get"].Errors["error"])
		require.Equal(t, 1, sum.Kinds["put"].Errors["error"])
	})
}
