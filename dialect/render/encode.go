package render

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Collections are encoded here, not by a driver: native protocol v4, section 6
// (a count of 4 bytes, then each element with its length before it). Elements
// are sorted by key, so that equal values give equal bytes.

// Unspecified is the encoding that goes with a collection without elements,
// as upstream's util.go (convertBlobMapToByteMap) leaves it.
const Unspecified = "Unspecified"

// boxedProto3 and boxedJSON are the names of the usual encodings as arguments,
// made once.
var (
	boxedProto3 any = "Proto3"
	boxedJSON   any = "Json"
)

func boxEncoding(s string) any {
	switch s {
	case "Proto3":
		return boxedProto3
	case "Json":
		return boxedJSON
	default:
		return s
	}
}

// bytesArg is the argument for the bytes of a blob: null if there are none,
// as gocql sends a nil slice.
func bytesArg(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// encodeIntMap encodes map<bigint,blob> and returns the encoding of all values.
func encodeIntMap(entries []plan.IntEntry) (raw cql.Raw, encoding string, err error) {
	byKey := func(a, b plan.IntEntry) int { return cmp.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(entries, byKey) {
		entries = slices.Clone(entries)
		slices.SortFunc(entries, byKey)
	}
	size := 4
	encoding = Unspecified
	for i := range entries {
		e := &entries[i]
		size += 4 + 8 + 4 + len(e.Value.Data)
		if i > 0 && entries[i-1].Key == e.Key {
			return nil, "", fmt.Errorf("key %d is given twice", e.Key)
		}
		if i == 0 {
			encoding = e.Value.Encoding
		} else if e.Value.Encoding != encoding {
			return nil, "", errMixed(e.Key, e.Value.Encoding, encoding)
		}
	}
	raw = make(cql.Raw, 0, size)
	raw = appendLen(raw, len(entries))
	for i := range entries {
		raw = appendInt64(raw, entries[i].Key)
		raw = appendBytes(raw, entries[i].Value.Data)
	}
	return raw, encoding, nil
}

// encodeTextMap encodes map<text,blob> and returns the encoding of all values.
func encodeTextMap(entries []plan.TextEntry) (raw cql.Raw, encoding string, err error) {
	byKey := func(a, b plan.TextEntry) int { return cmp.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(entries, byKey) {
		entries = slices.Clone(entries)
		slices.SortFunc(entries, byKey)
	}
	size := 4
	encoding = Unspecified
	for i := range entries {
		e := &entries[i]
		size += 4 + len(e.Key) + 4 + len(e.Value.Data)
		if i > 0 && entries[i-1].Key == e.Key {
			return nil, "", fmt.Errorf("key %q is given twice", e.Key)
		}
		if i == 0 {
			encoding = e.Value.Encoding
		} else if e.Value.Encoding != encoding {
			return nil, "", errMixed(e.Key, e.Value.Encoding, encoding)
		}
	}
	raw = make(cql.Raw, 0, size)
	raw = appendLen(raw, len(entries))
	for i := range entries {
		raw = appendString(raw, entries[i].Key)
		raw = appendBytes(raw, entries[i].Value.Data)
	}
	return raw, encoding, nil
}

// encodeNodes encodes map<text,blob> of nodes in their whole form.
func encodeNodes(entries []plan.NodeEntry) (raw cql.Raw, encoding string, err error) {
	whole := make([]plan.TextEntry, len(entries))
	for i := range entries {
		n := &entries[i].Value
		if n.Metadata.Data != nil || n.Body.Data != nil {
			return nil, "", fmt.Errorf("node %q comes in two parts: this layout stores nodes whole", entries[i].Key)
		}
		whole[i] = plan.TextEntry{Key: entries[i].Key, Value: n.Whole}
	}
	return encodeTextMap(whole)
}

func errMixed(key any, got, want string) error {
	return fmt.Errorf("key %s is encoded as %s and another as %s: this layout has one encoding for a whole map",
		plan.FormatValue(key), got, want)
}

// encodeCounts encodes map<text,bigint>.
func encodeCounts(entries []plan.TextIntEntry) (cql.Raw, error) {
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b plan.TextIntEntry) int { return cmp.Compare(a.Key, b.Key) })
	raw := appendLen(nil, len(sorted))
	for i := range sorted {
		if i > 0 && sorted[i-1].Key == sorted[i].Key {
			return nil, fmt.Errorf("key %q is given twice", sorted[i].Key)
		}
		raw = appendString(raw, sorted[i].Key)
		raw = appendInt64(raw, sorted[i].Value)
	}
	return raw, nil
}

// encodeInts encodes set<bigint>.
func encodeInts(keys []int64) cql.Raw {
	if !slices.IsSorted(keys) {
		keys = slices.Clone(keys)
		slices.Sort(keys)
	}
	raw := appendLen(make(cql.Raw, 0, 4+12*len(keys)), len(keys))
	for _, k := range keys {
		raw = appendInt64(raw, k)
	}
	return raw
}

// encodeTexts encodes set<text>.
func encodeTexts(keys []string) cql.Raw {
	if !slices.IsSorted(keys) {
		keys = slices.Clone(keys)
		slices.Sort(keys)
	}
	size := 4
	for _, k := range keys {
		size += 4 + len(k)
	}
	raw := appendLen(make(cql.Raw, 0, size), len(keys))
	for _, k := range keys {
		raw = appendString(raw, k)
	}
	return raw
}

// encodeUUIDs encodes set<uuid> of texts.
func encodeUUIDs(keys []string) (cql.Raw, error) {
	ids := make([][16]byte, len(keys))
	for i, k := range keys {
		var err error
		if ids[i], err = ParseUUID(k); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(ids, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	raw := appendLen(make(cql.Raw, 0, 4+20*len(ids)), len(ids))
	for i := range ids {
		raw = appendBytes(raw, ids[i][:])
	}
	return raw, nil
}

// encodeBatches encodes list<frozen<serialized_event_batch>>. The version is 0,
// as upstream's util.go (updateBufferedEvents) writes it.
func encodeBatches(blobs []plan.Blob) cql.Raw {
	size := 4
	for i := range blobs {
		size += 4 + 4 + len(blobs[i].Encoding) + 4 + 4 + 4 + len(blobs[i].Data)
	}
	raw := appendLen(make(cql.Raw, 0, size), len(blobs))
	for i := range blobs {
		b := &blobs[i]
		raw = appendLen(raw, 4+len(b.Encoding)+4+4+4+len(b.Data))
		raw = appendString(raw, b.Encoding)
		raw = appendLen(raw, 4)
		raw = appendLen(raw, 0) // version
		raw = appendBytes(raw, b.Data)
	}
	return raw
}

func appendLen(raw cql.Raw, n int) cql.Raw {
	return binary.BigEndian.AppendUint32(raw, uint32(n))
}

func appendInt64(raw cql.Raw, v int64) cql.Raw {
	raw = appendLen(raw, 8)
	return binary.BigEndian.AppendUint64(raw, uint64(v))
}

func appendString(raw cql.Raw, s string) cql.Raw {
	return append(appendLen(raw, len(s)), s...)
}

func appendBytes(raw cql.Raw, b []byte) cql.Raw {
	return append(appendLen(raw, len(b)), b...)
}
