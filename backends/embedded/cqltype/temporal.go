package cqltype

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	nanosPerDay = int64(24 * time.Hour)
	// dateEpoch is 1970-01-01 as a date value.
	dateEpoch = int64(1) << 31
)

// parseDate reads a date: days since -5877641-06-23 as an integer, or
// yyyy-mm-dd.
func parseDate(s string) ([]byte, error) {
	if days, err := strconv.ParseInt(s, 10, 64); err == nil && !strings.Contains(strings.TrimPrefix(s, "-"), "-") {
		if days < 0 || days > math.MaxUint32 {
			return nil, fmt.Errorf("unable to make unsigned int (for date) from: '%s'", s)
		}
		return binary.BigEndian.AppendUint32(nil, uint32(days)), nil
	}
	t, err := time.Parse("2006-1-2", s)
	if err != nil {
		return nil, fmt.Errorf("unable to coerce '%s' to a formatted date (long)", s)
	}
	return DateValue(t), nil
}

// DateValue returns the date in UTC on which t falls.
func DateValue(t time.Time) []byte {
	days := floorDiv(t.Unix(), 24*60*60)
	return binary.BigEndian.AppendUint32(nil, uint32(days+dateEpoch))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func formatDate(b []byte) string {
	days := int64(binary.BigEndian.Uint32(b)) - dateEpoch
	return time.Unix(days*24*60*60, 0).UTC().Format("2006-01-02")
}

// parseTime reads a time of day: nanoseconds, or hh:mm:ss[.fffffffff].
func parseTime(s string) ([]byte, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n < 0 || n >= nanosPerDay {
			return nil, fmt.Errorf("input long out of bounds: %d", n)
		}
		return binary.BigEndian.AppendUint64(nil, uint64(n)), nil
	}
	for _, layout := range []string{"15:4:5", "15:4:5.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			n := t.Sub(t.Truncate(24 * time.Hour))
			return binary.BigEndian.AppendUint64(nil, uint64(n)), nil
		}
	}
	return nil, fmt.Errorf("unable to make time from '%s'", s)
}

func formatTime(b []byte) string {
	n := int64(binary.BigEndian.Uint64(b))
	return time.Unix(0, n).UTC().Format("15:04:05.000000000")
}

// timestampLayouts are the forms that Cassandra documents; a fraction may
// follow the seconds, a zone the time. Without a zone the time is UTC.
var timestampLayouts = func() []string {
	var all []string
	for _, sep := range []string{" ", "T"} {
		for _, clock := range []string{"15:04", "15:04:05"} {
			for _, zone := range []string{"", "Z07:00", "-0700", "-07", "Z0700", " MST", " -0700", " Z07:00"} {
				all = append(all, "2006-1-2"+sep+clock+zone)
			}
		}
	}
	return append(all, "2006-1-2", "2006-1-2Z07:00", "2006-1-2-0700", "2006-1-2-07")
}()

// parseTimestamp reads milliseconds since 1970, "now", or a date with time.
func parseTimestamp(s string) ([]byte, error) {
	if s == "" {
		return []byte{}, nil
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return binary.BigEndian.AppendUint64(nil, uint64(ms)), nil
	}
	for _, layout := range timestampLayouts {
		// time.Parse takes a fraction behind seconds without being asked.
		if t, err := time.Parse(layout, s); err == nil {
			return TimestampValue(t), nil
		}
	}
	return nil, fmt.Errorf("Unable to parse a date/time from '%s'", s) //nolint:staticcheck // the server's own text
}

// TimestampValue returns t as a timestamp, milliseconds since 1970.
func TimestampValue(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli()))
}

func formatTimestamp(b []byte) string {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC().Format("2006-01-02T15:04:05.000Z")
}

// parseInet reads an IP address, never a host name.
func parseInet(s string) ([]byte, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return nil, fmt.Errorf("unable to make inet address from '%s'", s)
	}
	return a.Unmap().AsSlice(), nil
}

// ParseDuration reads a duration in one of CQL's four forms: 1y2mo3w4d5h6m7s8ms9us10ns,
// P1Y2M3DT4H5M6S, P4W and P0001-02-03T04:05:06, each with an optional minus.
func ParseDuration(s string) ([]byte, error) {
	text, negative := strings.CutPrefix(s, "-")
	var d [3]int64 // months, days, nanoseconds
	err := errors.New("unknown form")
	switch {
	case text == "":
	case text[0] != 'P':
		err = addUnits(&d, text, durationUnits)
	case strings.HasSuffix(text, "W"):
		err = addUnits(&d, text[1:], map[string]durationUnit{"W": {1, 7}})
	case isoAlternative.MatchString(text):
		m := isoAlternative.FindStringSubmatch(text)
		for i, unit := range []durationUnit{{0, 12}, {0, 1}, {1, 1}, {2, int64(time.Hour)}, {2, int64(time.Minute)}, {2, int64(time.Second)}} {
			n, _ := strconv.ParseInt(m[i+1], 10, 64)
			d[unit.field] += n * unit.size
		}
		err = nil
	default:
		date, clock, hasTime := strings.Cut(text[1:], "T")
		err = nil
		if date != "" {
			err = addUnits(&d, date, map[string]durationUnit{"Y": {0, 12}, "M": {0, 1}, "D": {1, 1}})
		}
		if hasTime && err == nil {
			err = addUnits(&d, clock, map[string]durationUnit{"H": {2, int64(time.Hour)}, "M": {2, int64(time.Minute)}, "S": {2, int64(time.Second)}})
		}
		if date == "" && !hasTime {
			err = errors.New("no units")
		}
	}
	if err == nil && (d[0] > math.MaxInt32 || d[1] > math.MaxInt32) {
		err = errors.New("out of range")
	}
	if err != nil {
		return nil, fmt.Errorf("Unable to convert '%s' to a duration", s) //nolint:staticcheck // the server's own text
	}
	if negative {
		d[0], d[1], d[2] = -d[0], -d[1], -d[2]
	}
	return EncodeDuration(int32(d[0]), int32(d[1]), d[2]), nil
}

var isoAlternative = regexp.MustCompile(`^P(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})$`)

type durationUnit struct {
	field int
	size  int64
}

var durationUnits = map[string]durationUnit{
	"y": {0, 12}, "mo": {0, 1}, "w": {1, 7}, "d": {1, 1}, "h": {2, int64(time.Hour)}, "m": {2, int64(time.Minute)},
	"s": {2, int64(time.Second)}, "ms": {2, int64(time.Millisecond)}, "us": {2, int64(time.Microsecond)},
	"\u00b5s": {2, int64(time.Microsecond)}, "ns": {2, 1},
}

func addUnits(d *[3]int64, s string, units map[string]durationUnit) error {
	if s == "" {
		return errors.New("no units")
	}
	for s != "" {
		digits := 0
		for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
			digits++
		}
		end := digits
		for end < len(s) && (s[end] < '0' || s[end] > '9') {
			end++
		}
		n, err := strconv.ParseInt(s[:digits], 10, 64)
		name := s[digits:end]
		unit, ok := units[name]
		if !ok {
			unit, ok = units[strings.ToLower(name)]
		}
		if err != nil || !ok || n > (math.MaxInt64-d[unit.field])/unit.size {
			return fmt.Errorf("%q", s[:end])
		}
		d[unit.field] += n * unit.size
		s = s[end:]
	}
	return nil
}

// EncodeDuration returns the binary form of a duration: three zigzag vints. All
// parts must have one sign.
func EncodeDuration(months, days int32, nanos int64) []byte {
	b := appendVint(nil, int64(months))
	b = appendVint(b, int64(days))
	return appendVint(b, nanos)
}

// ParsedDuration is a duration's three parts; they have one sign.
type ParsedDuration struct {
	Months, Days int32
	Nanos        int64
}

// DecodeDuration splits the binary form of a duration.
func DecodeDuration(b []byte) (ParsedDuration, error) {
	if len(b) < 3 {
		return ParsedDuration{}, fmt.Errorf("Expected at least 3 bytes for a duration (%d)", len(b)) //nolint:staticcheck // the server's own text
	}
	var v [3]int64
	for i := range v {
		var ok bool
		if v[i], b, ok = readVint(b); !ok {
			return ParsedDuration{}, errors.New("a duration ends early")
		}
	}
	d := ParsedDuration{int32(v[0]), int32(v[1]), v[2]}
	switch {
	case len(b) > 0:
		return d, errors.New("bytes follow a duration")
	case int64(d.Months) != v[0]:
		return d, fmt.Errorf("The duration months must be a 32 bits integer but was: %d", v[0]) //nolint:staticcheck // the server's own text
	case int64(d.Days) != v[1]:
		return d, fmt.Errorf("The duration days must be a 32 bits integer but was: %d", v[1]) //nolint:staticcheck // the server's own text
	case (v[0] < 0 || v[1] < 0 || v[2] < 0) && (v[0] > 0 || v[1] > 0 || v[2] > 0):
		return d, fmt.Errorf("The duration months, days and nanoseconds must be all of the same sign (%d, %d, %d)", v[0], v[1], v[2]) //nolint:staticcheck // the server's own text
	}
	return d, nil
}

// appendVint appends v zigzagged as a vint: the count of leading ones of the
// first byte is the count of bytes that follow.
func appendVint(dst []byte, v int64) []byte {
	u := uint64(v<<1) ^ uint64(v>>63)
	extra := 0
	for extra < 8 && u>>(7*(extra+1)) != 0 {
		extra++
	}
	var b [9]byte
	binary.BigEndian.PutUint64(b[1:], u)
	if extra == 8 {
		b[0] = 0xff
		return append(dst, b[:]...)
	}
	b[8-extra] |= ^byte(0xff >> extra)
	return append(dst, b[8-extra:]...)
}

func readVint(b []byte) (int64, []byte, bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	extra := 0
	for extra < 8 && b[0]&(0x80>>extra) != 0 {
		extra++
	}
	if len(b) < extra+1 {
		return 0, nil, false
	}
	u := uint64(b[0]) & (0xff >> extra)
	if extra == 8 {
		u = 0
	}
	for _, c := range b[1 : extra+1] {
		u = u<<8 | uint64(c)
	}
	return int64(u>>1) ^ -int64(u&1), b[extra+1:], true
}
