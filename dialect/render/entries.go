package render

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// A map of entries holds the elements of several logical collections, told
// apart by the prefix of their keys. Each value brings its own encoding: one
// blob, or two for a node that is stored in parts, each as
//
//	length of the encoding's name (1 byte), name, length of the data (4 bytes,
//	big-endian; all ones for none), data
//
// An element that is only a key (of a set) has the value 0x00.

// entry is one element on its way to the map.
type entry struct {
	key   string
	value []byte // nil: is taken away
}

// entrySet gathers what a mutation does to a map of entries.
type entrySet struct {
	list    []entry
	set     int  // columns that are replaced
	deltas  int  // effects on single elements
	whole   bool // the map is replaced by list
	plus    bool // list is added as one map
	drops   []string
	noNulls bool // elements are not taken away by assigning null
}

// minus tells whether a statement of its own takes elements away.
func (e *entrySet) minus() bool { return len(e.drops) > 0 }

var present = []byte{0}

// add takes an effect on one of the columns.
func (e *entrySet) add(c *Column, x *plan.Effect) error {
	switch x.Op {
	case plan.Set, plan.Clear:
		e.set++
	case plan.Merge, plan.Drop:
		e.deltas++
	default:
		return fmt.Errorf("cannot take effect %d", x.Op)
	}
	if x.Op == plan.Clear || x.Value == nil {
		return nil
	}
	if x.Op == plan.Drop {
		return e.drop(c, x.Value)
	}
	var err error
	put := func(key string, blobs ...plan.Blob) {
		value := present
		if len(blobs) > 0 {
			value = nil
			for i := range blobs {
				var bad error
				if value, bad = appendPart(value, &blobs[i]); bad != nil {
					err = fmt.Errorf("key %q: %w", key, bad)
				}
			}
		}
		e.list = append(e.list, entry{c.Prefix + key, value})
	}
	var ok bool
	switch v := x.Value.(type) {
	case []plan.IntEntry:
		ok = c.Of.Kind == plan.IntData
		for i := range v {
			put(strconv.FormatInt(v[i].Key, 10), v[i].Value)
		}
	case []plan.TextEntry:
		ok = c.Of.Kind == plan.TextData
		for i := range v {
			put(v[i].Key, v[i].Value)
		}
	case []plan.NodeEntry:
		ok = c.Of.Kind == plan.Nodes
		for i := range v {
			n := &v[i].Value
			if n.Metadata.Data != nil || n.Body.Data != nil || n.Metadata.Encoding != "" {
				put(v[i].Key, n.Metadata, n.Body)
			} else {
				put(v[i].Key, n.Whole)
			}
		}
	case []string:
		ok = c.Of.Kind == plan.TextSet
		for _, k := range v {
			put(k)
		}
	}
	if !ok {
		return fmt.Errorf("cannot hold a %T", x.Value)
	}
	return err
}

func (e *entrySet) drop(c *Column, keys any) error {
	switch v := keys.(type) {
	case []int64:
		if c.Of.Kind == plan.IntData {
			for _, k := range v {
				e.list = append(e.list, entry{key: c.Prefix + strconv.FormatInt(k, 10)})
			}
			return nil
		}
	case []string:
		if c.Of.Kind != plan.IntData {
			for _, k := range v {
				e.list = append(e.list, entry{key: c.Prefix + k})
			}
			return nil
		}
	}
	return fmt.Errorf("has no keys of type %T", keys)
}

// finish sorts the elements and decides in which form they are written. On a
// fresh row all of them are the map.
func (e *entrySet) finish(t *Table, fresh bool) error {
	slices.SortStableFunc(e.list, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	kept := e.list[:0]
	for i := range e.list {
		x := &e.list[i]
		if n := len(kept); n > 0 && kept[n-1].key == x.key {
			last := &kept[n-1]
			if last.value != nil && x.value != nil {
				return fmt.Errorf("element %q is given twice", x.key)
			}
			last.value = nil // what is both written and taken away is gone
			continue
		}
		kept = append(kept, *x)
	}
	e.list = kept
	shared := 0
	for i := range t.Families[0].Columns {
		if t.Families[0].Columns[i].Form == Entries {
			shared++
		}
	}
	switch {
	case fresh || e.set > 0 && e.set == shared && e.deltas == 0:
		e.whole = shared > 0
		e.list = slices.DeleteFunc(e.list, func(x entry) bool { return x.value == nil })
		return nil
	case e.set > 0:
		return errors.New("some of the collections that share a map are replaced and some are not")
	}
	if e.plus = len(e.list) > MaxElements; e.plus || e.noNulls {
		e.list = slices.DeleteFunc(e.list, func(x entry) bool {
			if x.value == nil {
				e.drops = append(e.drops, x.key)
			}
			return x.value == nil
		})
		e.plus = len(e.list) > MaxElements
	}
	return nil
}

// encode is the map<text,blob> of the elements; null if there are none.
func (e *entrySet) encode() any {
	if len(e.list) == 0 {
		return nil
	}
	raw := appendLen(nil, len(e.list))
	for i := range e.list {
		raw = appendString(raw, e.list[i].key)
		raw = appendBytes(raw, e.list[i].value)
	}
	return raw
}

const noData = math.MaxUint32

func appendPart(value []byte, b *plan.Blob) ([]byte, error) {
	if len(b.Encoding) > math.MaxUint8 {
		return nil, fmt.Errorf("encoding has a name of %d bytes", len(b.Encoding))
	}
	value = append(value, byte(len(b.Encoding)))
	value = append(value, b.Encoding...)
	if b.Data == nil {
		return binary.BigEndian.AppendUint32(value, noData), nil
	}
	value = binary.BigEndian.AppendUint32(value, uint32(len(b.Data)))
	return append(value, b.Data...), nil
}

// parts reads the blobs of an element.
func parts(value []byte) (blobs []plan.Blob, err error) {
	for len(value) > 0 {
		n := 1 + int(value[0])
		if len(value) < n+4 {
			return nil, errShort
		}
		b := plan.Blob{Encoding: string(value[1:n])}
		size := binary.BigEndian.Uint32(value[n:])
		value = value[n+4:]
		if size != noData {
			if uint64(size) > uint64(len(value)) {
				return nil, errShort
			}
			b.Data, value = value[:size:size], value[size:]
		}
		blobs = append(blobs, b)
	}
	return blobs, nil
}

// decodeEntries picks the elements of one column out of the map; nil if it has none.
func (c *Column) decodeEntries(raw cql.Raw) (any, error) {
	if raw == nil {
		return nil, nil
	}
	var (
		ints  []plan.IntEntry
		texts []plan.TextEntry
		nodes []plan.NodeEntry
		keys  []string
	)
	in := &cursor{rest: raw}
	for range in.count(8) {
		name, value := string(in.bytes()), in.bytes()
		key, mine := strings.CutPrefix(name, c.Prefix)
		if in.err != nil {
			break
		}
		if !mine {
			continue
		}
		if c.Of.Kind == plan.TextSet {
			keys = append(keys, key)
			continue
		}
		blobs, err := parts(value)
		if err == nil && (len(blobs) == 0 || len(blobs) > 2 || len(blobs) == 2 && c.Of.Kind != plan.Nodes) {
			err = fmt.Errorf("has %d parts", len(blobs))
		}
		if err != nil {
			return nil, fmt.Errorf("element %q %w", name, err)
		}
		switch c.Of.Kind {
		case plan.IntData:
			n, err := strconv.ParseInt(key, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("element %q has no number: %w", name, err)
			}
			ints = append(ints, plan.IntEntry{Key: n, Value: blobs[0]})
		case plan.TextData:
			texts = append(texts, plan.TextEntry{Key: key, Value: blobs[0]})
		default:
			node := plan.NodeEntry{Key: key, Value: plan.Node{Whole: blobs[0]}}
			if len(blobs) == 2 {
				node.Value = plan.Node{Metadata: blobs[0], Body: blobs[1]}
			}
			nodes = append(nodes, node)
		}
	}
	if err := in.end(); err != nil {
		return nil, err
	}
	switch {
	case ints != nil:
		return ints, nil
	case texts != nil:
		return texts, nil
	case nodes != nil:
		return nodes, nil
	case keys != nil:
		return keys, nil
	}
	return nil, nil
}

// Batches of an EventMap are named by the version of the row that appended
// them. Those that were there when a list was set as a whole come before all.

func encodeEvents(blobs []plan.Blob) (any, error) {
	if len(blobs) == 0 {
		return nil, nil
	}
	raw := appendLen(nil, len(blobs))
	for i := range blobs {
		value, err := appendPart(nil, &blobs[i])
		if err != nil {
			return nil, err
		}
		raw = appendInt64(raw, int64(i-len(blobs)))
		raw = appendBytes(raw, value)
	}
	return raw, nil
}

func decodeEvents(raw cql.Raw) (any, error) {
	if raw == nil {
		return nil, nil
	}
	in := &cursor{rest: raw}
	type event struct {
		version int64
		blob    plan.Blob
	}
	events := make([]event, in.count(8))
	for i := range events {
		events[i].version = in.int64()
		blobs, err := parts(in.bytes())
		if err == nil && len(blobs) != 1 && in.err == nil {
			err = fmt.Errorf("has %d parts", len(blobs))
		}
		if err != nil {
			return nil, fmt.Errorf("batch of version %d %w", events[i].version, err)
		}
		if len(blobs) == 1 {
			events[i].blob = blobs[0]
		}
	}
	if err := in.end(); err != nil {
		return nil, err
	}
	slices.SortFunc(events, func(a, b event) int { return cmp.Compare(a.version, b.version) })
	blobs := make([]plan.Blob, len(events))
	for i := range events {
		blobs[i] = events[i].blob
	}
	return blobs, nil
}
