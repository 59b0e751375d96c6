package compare_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

func TestFiguresAreReadOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := int64(0)
		stop := compare.Watch(t.Context(), func(context.Context) (int64, error) {
			n++
			if n == 3 {
				return 0, errors.New("it does not answer")
			}
			return 10 * n, nil
		})
		time.Sleep(4*time.Second + time.Millisecond)
		readings := stop()
		require.Equal(t, []compare.Reading[int64]{{0, 10}, {time.Second, 20}, {3 * time.Second, 40}, {4 * time.Second, 50}}, readings)
		require.Equal(t, []result.Series{{Name: "eaten", Unit: "a second", Points: [][2]float64{{1, 10}, {3, 10}, {4, 10}}}},
			compare.Increases("eaten", "a second", readings))
		time.Sleep(time.Minute)
		require.Equal(t, int64(5), n, "it has ended")
		require.Len(t, compare.Watch(t.Context(), func(context.Context) (int64, error) { return 1, nil })(), 2, "of a block that was over at once")
	})
	require.Empty(t, compare.Watch[int64](t.Context(), nil)(), "what nobody tells")
	require.Empty(t, compare.Increases("eaten", "a second", []compare.Reading[int64]{{0, 1}}))
	began := compare.Increases("eaten", "a second", []compare.Reading[int64]{{0, 9}, {time.Second, 2}, {2 * time.Second, 4}})
	require.Equal(t, [][2]float64{{2, 2}}, began[0].Points, "a counter that began anew has eaten nothing back")
}
