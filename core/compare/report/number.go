package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// missing stands where nothing was measured: that is not zero.
const missing = "–"

// figure writes a number with three significant digits, thousands apart.
func figure(v float64) string {
	switch abs := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return missing
	case abs >= 1000:
		return thousands(int64(math.Round(v)))
	case abs >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case abs == 0:
		return "0"
	case abs < 0.001:
		return strconv.FormatFloat(v, 'e', 1, 64)
	case abs < 1:
		return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 3, 64), "0"), ".")
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// thousands writes a whole number in groups, with a space that does not break.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return sign + text
}

// millis writes a duration in ms.
func millis(d time.Duration) string { return figure(float64(d) / float64(time.Millisecond)) }

// change writes a ratio of B over A in words that need no arithmetic. Intervals of a
// few wild pairs reach to where no number means anything.
func change(ratio float64) string {
	const beyond = 1000
	switch {
	case ratio > beyond:
		return "over ×" + thousands(beyond)
	case ratio < 1.0/beyond:
		return "under ÷" + thousands(beyond)
	case ratio >= 2:
		return "×" + figure(ratio)
	case ratio >= 1:
		return "+" + percent(ratio-1)
	default:
		return "−" + percent(1-ratio)
	}
}

// percent writes a share; below ten with a decimal, if it is not zero.
func percent(share float64) string {
	digits := 0
	if share < 0.1 {
		digits = 1
	}
	text := strconv.FormatFloat(share*100, 'f', digits, 64)
	return strings.TrimSuffix(text, ".0") + " %"
}

func bytesText(n int64) string {
	const unit = 1024
	switch {
	case n >= unit*unit*unit:
		return figure(float64(n)/(unit*unit*unit)) + " GiB"
	case n >= unit*unit:
		return figure(float64(n)/(unit*unit)) + " MiB"
	case n >= unit:
		return figure(float64(n)/unit) + " KiB"
	}
	return fmt.Sprintf("%d B", n)
}

// shorten keeps a label within a width in characters.
func shorten(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	return string(r[:width-1]) + "…"
}
