package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbersAreWrittenForPeople(t *testing.T) {
	for give, want := range map[float64]string{
		0: "0", 0.00012: "1.2e-04", 0.25: "0.25", 3.14159: "3.14", 42.42: "42.4", 999.4: "999", 1234567: "1\u202f234\u202f567", -1234: "-1\u202f234",
		math.Inf(1): missing,
	} {
		require.Equal(t, want, figure(give), "%v", give)
	}
	for give, want := range map[float64]string{
		1: "+0 %", 1.05: "+5 %", 1.031: "+3.1 %", 1.314: "+31 %", 2.5: "×2.50", 0.693: "−31 %", 0.995: "−0.5 %",
		5.9e18: "over ×1\u202f000", 1e-9: "under ÷1\u202f000",
	} {
		require.Equal(t, want, change(give), "%v", give)
	}
	require.Equal(t, "1.50 KiB", bytesText(1536))
	require.Equal(t, "abc…", shorten("abcdef", 4))
}

func TestStepsAreRoundAndCoverTheRange(t *testing.T) {
	require.Equal(t, []float64{0, 20, 40, 60, 80, 100}, steps(0, 97, 5))
	for _, high := range []float64{0.003, 1, 7.3, 999, 123456} {
		s := steps(0, high, 4)
		require.InDelta(t, 0, s[0], 0)
		require.GreaterOrEqual(t, s[len(s)-1], high*(1-1e-9))
		require.Less(t, len(s), 10)
	}
}
