package sequence

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// lease is what the row of a shard says about writes.
type lease struct {
	rangeID int64
	last    int64  // number of the last write or barrier that took effect
	ends    []end  // of ranges before, by range; only those that may have hidden rows
	burned  []span // numbers up to last that never took effect, by range and number
	nonce   [16]byte
}

// end is the last number of a range that took effect.
type end struct{ rangeID, number int64 }

// span is an interval of numbers of a range.
type span struct{ rangeID, first, last int64 }

// shows tells whether the row of a write with this number is to be seen. It is
// false for ranges that are newer than the lease.
func (l *lease) shows(rangeID, number int64) bool {
	if rangeID > l.rangeID || holds(l.burned, rangeID, number) {
		return false
	}
	at, _ := slices.BinarySearchFunc(l.ends, rangeID, func(e end, q int64) int { return cmp.Compare(e.rangeID, q) })
	if at < len(l.ends) {
		return number <= l.ends[at].number
	}
	return number <= l.last
}

// end returns the recorded end of a range. That of a range before which stands
// for it will not do: it is known only that the range ended there at the latest.
func (l *lease) end(rangeID int64) (number int64, known bool) {
	at, found := slices.BinarySearchFunc(l.ends, rangeID, func(e end, q int64) int { return cmp.Compare(e.rangeID, q) })
	if !found {
		return 0, false
	}
	return l.ends[at].number, true
}

// ended is the list of ends with one more.
func (l *lease) ended(rangeID, number int64) []end {
	ends := slices.DeleteFunc(slices.Clone(l.ends), func(e end) bool { return e.rangeID == rangeID })
	ends = append(ends, end{rangeID, number})
	slices.SortFunc(ends, func(a, b end) int { return cmp.Compare(a.rangeID, b.rangeID) })
	return ends
}

func holds(spans []span, rangeID, number int64) bool {
	return slices.ContainsFunc(spans, func(s span) bool {
		return s.rangeID == rangeID && s.first <= number && number <= s.last
	})
}

// with returns spans and one more number, joined where they touch.
func with(spans []span, rangeID, number int64) []span {
	if holds(spans, rangeID, number) {
		return spans
	}
	all := append(slices.Clone(spans), span{rangeID, number, number})
	slices.SortFunc(all, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.rangeID, b.rangeID), cmp.Compare(a.first, b.first))
	})
	joined := all[:1]
	for _, s := range all[1:] {
		if before := &joined[len(joined)-1]; before.rangeID == s.rangeID && before.last+1 == s.first {
			before.last = s.last
		} else {
			joined = append(joined, s)
		}
	}
	return joined
}

// without returns spans less one number.
func without(spans []span, rangeID, number int64) []span {
	var rest []span
	for _, s := range spans {
		if s.rangeID != rangeID || number < s.first || number > s.last {
			rest = append(rest, s)
			continue
		}
		if s.first < number {
			rest = append(rest, span{rangeID, s.first, number - 1})
		}
		if number < s.last {
			rest = append(rest, span{rangeID, number + 1, s.last})
		}
	}
	return rest
}

// Ends and burned numbers are stored as texts: "39:880 40:900" and
// "40:881-883 40:890-890".
func endsText(ends []end) string {
	words := make([]string, len(ends))
	for i, e := range ends {
		words[i] = fmt.Sprintf("%d:%d", e.rangeID, e.number)
	}
	return strings.Join(words, " ")
}

func burnedText(spans []span) string {
	words := make([]string, len(spans))
	for i, s := range spans {
		words[i] = fmt.Sprintf("%d:%d-%d", s.rangeID, s.first, s.last)
	}
	return strings.Join(words, " ")
}

// numbers parses the words of both texts: numbers with one of each separator
// between them.
func numbers(word, separators string) ([]int64, bool) {
	all := make([]int64, 0, 3)
	for i := range len(separators) + 1 {
		part := word
		if i < len(separators) {
			var found bool
			if part, word, found = strings.Cut(word, separators[i:i+1]); !found {
				return nil, false
			}
		}
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n < 0 {
			return nil, false
		}
		all = append(all, n)
	}
	return all, true
}

func parseEnds(text string) ([]end, error) {
	var ends []end
	for _, word := range strings.Fields(text) {
		n, ok := numbers(word, ":")
		if !ok || len(ends) > 0 && n[0] <= ends[len(ends)-1].rangeID {
			return nil, fmt.Errorf("%s %q is malformed at %q", plan.ShardEnds, text, word)
		}
		ends = append(ends, end{n[0], n[1]})
	}
	return ends, nil
}

func parseBurned(text string) ([]span, error) {
	var spans []span
	for _, word := range strings.Fields(text) {
		n, ok := numbers(word, ":-")
		if !ok || n[2] < n[1] {
			return nil, fmt.Errorf("%s %q is malformed at %q", plan.ShardBurned, text, word)
		}
		spans = append(spans, span{n[0], n[1], n[2]})
	}
	return spans, nil
}

// parseLease reads the columns of plan.LeaseColumns.
func parseLease(value func(c *plan.Column) any) (lease, error) {
	var l lease
	var ok bool
	if l.rangeID, ok = value(plan.ShardRangeID).(int64); !ok {
		return l, fmt.Errorf("%s is missing", plan.ShardRangeID)
	}
	if l.last, ok = value(plan.ShardWriteSeq).(int64); !ok {
		return l, fmt.Errorf("%s is missing", plan.ShardWriteSeq)
	}
	ends, _ := value(plan.ShardEnds).(string)
	burned, _ := value(plan.ShardBurned).(string)
	l.nonce, _ = value(plan.ShardNonce).([16]byte)
	var err error
	if l.ends, err = parseEnds(ends); err != nil {
		return l, err
	}
	l.burned, err = parseBurned(burned)
	return l, err
}
