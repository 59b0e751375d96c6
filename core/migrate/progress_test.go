package migrate

import (
	"testing"
	"time"
)

func TestRateIsOfWhatWasCountedSince(t *testing.T) {
	tests := []struct {
		name        string
		before, now int64
		in          time.Duration
		want        float64
	}{
		{"more", 100, 300, 2 * time.Second, 100},
		{"nothing", 300, 300, 2 * time.Second, 0},
		{"the next verb's, counted anew", 300, 50, 2 * time.Second, 25},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := perSecond(tt.before, tt.now, tt.in); got != tt.want {
				t.Errorf("perSecond() = %v, want %v", got, tt.want)
			}
		})
	}
}
