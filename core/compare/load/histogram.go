package load

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// What a histogram can hold: microseconds, three significant digits.
const (
	shortest = time.Microsecond
	longest  = time.Hour
)

// Histogram counts durations. Histograms of several blocks are merged, and
// quantiles taken from the sum: an average of quantiles is a quantile of nothing.
// As JSON it is the compressed form that HdrHistogram's other tools read. It is not
// safe for concurrent use.
type Histogram struct{ h *hdrhistogram.Histogram }

// NewHistogram returns an empty histogram.
func NewHistogram() *Histogram {
	return &Histogram{hdrhistogram.New(int64(shortest/time.Microsecond), int64(longest/time.Microsecond), 3)}
}

// Record counts a duration. One beyond an hour counts as an hour: none is dropped.
func (h *Histogram) Record(d time.Duration) {
	d = min(max(d, shortest), longest)
	if err := h.h.RecordValue(int64(d / time.Microsecond)); err != nil {
		panic(fmt.Sprintf("a histogram refuses %s, which it can hold: %v", d, err)) // the line above bounds it
	}
}

// Merge adds the counts of another histogram.
func (h *Histogram) Merge(other *Histogram) { h.h.Merge(other.h) }

// Count is the number of durations.
func (h *Histogram) Count() int64 { return h.h.TotalCount() }

// Quantile returns the duration that a share q of all do not exceed, q in [0, 1];
// 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.ValueAtQuantile(q*100)) * time.Microsecond
}

// Max is the longest duration.
func (h *Histogram) Max() time.Duration { return time.Duration(h.h.Max()) * time.Microsecond }

// Mean is the mean duration.
func (h *Histogram) Mean() time.Duration {
	return time.Duration(h.h.Mean() * float64(time.Microsecond))
}

// MarshalJSON implements json.Marshaler.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	encoded, err := h.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode a histogram: %w", err)
	}
	return json.Marshal(string(encoded)) // base64 already
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Histogram) UnmarshalJSON(data []byte) error {
	var encoded string
	if err := json.Unmarshal(data, &encoded); err != nil {
		return fmt.Errorf("decode a histogram: %w", err)
	}
	decoded, err := hdrhistogram.Decode([]byte(encoded))
	if err != nil {
		return fmt.Errorf("decode a histogram: %w", err)
	}
	h.h = decoded
	return nil
}
