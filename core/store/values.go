package store

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// parseUUID parses the 36 characters of a UUID, and no other spelling of one:
// two would be two ids to everybody who compares strings. The error names the
// field: callers hand it to [invalid].
func parseUUID(field, s string) (id [16]byte, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return [16]byte{}, fmt.Errorf("%s %q is not a UUID", field, s)
	}
	at := 0
	for _, group := range [...]string{s[:8], s[9:13], s[14:18], s[19:23], s[24:]} {
		n, err := hex.Decode(id[at:], []byte(group))
		if err != nil {
			return [16]byte{}, fmt.Errorf("%s %q is not a UUID", field, s)
		}
		at += n
	}
	return id, nil
}

// formatUUID is the inverse of parseUUID, in lower case.
func formatUUID(id [16]byte) string { return plan.FormatValue(id) }

// toBlob turns Temporal's blob into the plan's. nil is the absent value.
func toBlob(b *commonpb.DataBlob) plan.Blob {
	if b == nil {
		return plan.Blob{}
	}
	return plan.Blob{Data: b.Data, Encoding: b.EncodingType.String()}
}

// fromBlob is the inverse of toBlob, except that it never returns nil: that is
// what the server's own stores do, and its managers rely on it. An encoding
// that nobody knows becomes ENCODING_TYPE_UNSPECIFIED, which the serializer
// refuses by name.
func fromBlob(b plan.Blob) *commonpb.DataBlob {
	return p.NewDataBlob(b.Data, b.Encoding)
}

// intEntries returns the elements of m ordered by key: equal maps give equal
// plans, and equal texts.
func intEntries(m map[int64]*commonpb.DataBlob) []plan.IntEntry {
	entries := make([]plan.IntEntry, 0, len(m))
	for k, v := range m {
		entries = append(entries, plan.IntEntry{Key: k, Value: toBlob(v)})
	}
	slices.SortFunc(entries, func(a, b plan.IntEntry) int { return cmp.Compare(a.Key, b.Key) })
	return entries
}

// textEntries is intEntries for string keys.
func textEntries(m map[string]*commonpb.DataBlob) []plan.TextEntry {
	entries := make([]plan.TextEntry, 0, len(m))
	for k, v := range m {
		entries = append(entries, plan.TextEntry{Key: k, Value: toBlob(v)})
	}
	slices.SortFunc(entries, func(a, b plan.TextEntry) int { return cmp.Compare(a.Key, b.Key) })
	return entries
}

// sortedKeys returns the keys of a set in order.
func sortedKeys[K cmp.Ordered](set map[K]struct{}) []K {
	keys := make([]K, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// intBlobs is the inverse of intEntries. The map is never nil.
func intBlobs(entries []plan.IntEntry) map[int64]*commonpb.DataBlob {
	m := make(map[int64]*commonpb.DataBlob, len(entries))
	for _, e := range entries {
		m[e.Key] = fromBlob(e.Value)
	}
	return m
}

// textBlobs is the inverse of textEntries. The map is never nil.
func textBlobs(entries []plan.TextEntry) map[string]*commonpb.DataBlob {
	m := make(map[string]*commonpb.DataBlob, len(entries))
	for _, e := range entries {
		m[e.Key] = fromBlob(e.Value)
	}
	return m
}

// toMillis and fromMillis convert times to and from plan.Time columns. What is
// finer than a millisecond is cut off, and what lies before 1970 is 1970, as in
// the server's own stores.
func toMillis(t time.Time) int64 { return p.UnixMilliseconds(t) }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
