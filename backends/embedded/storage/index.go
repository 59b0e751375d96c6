package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// An index entry's key is the indexed values in key encoding, then the row's
// token, partition and clustering key, so that the rows of one value come in the
// order of a scan. Its value has the form of an element and carries the expiry.

// indexPrefix starts the entries of an index.
func indexPrefix(id uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{spaceIndex}, id)
}

// partTypes returns the types of an index's parts.
func (t *Table) partTypes(ix *Index) []*cqltype.Type {
	types := make([]*cqltype.Type, 0, len(ix.Parts)+1)
	for _, p := range ix.Parts {
		switch p.Source {
		case FromPartition:
			types = append(types, t.Partition[p.Column])
		case FromClustering:
			types = append(types, t.Clustering[p.Column].Type)
		default:
			typ := t.Columns[p.Column].Type
			switch ix.Target {
			case IndexKeys:
				types = append(types, typ.Elems[0])
			case IndexValues:
				types = append(types, typ.Elems[len(typ.Elems)-1])
			case IndexEntries:
				types = append(types, typ.Elems...)
			default:
				types = append(types, typ)
			}
		}
	}
	return types
}

// indexOf reports whether some index is on elements of column c.
func (t *Table) indexOf(c *Column) bool {
	for i := range t.Indexes {
		if ix := &t.Indexes[i]; ix.Target != IndexValue && &t.Columns[ix.Parts[0].Column] == c {
			return true
		}
	}
	return false
}

// entryTail appends what identifies the row: its data key without space, table
// and kind.
func entryTail(dst []byte, p Partition, row []byte) []byte {
	dst = append(dst, p.prefix[5:]...)
	return append(dst, row[len(p.prefix)+1:]...)
}

// rowIndexKey returns the entry key of an index on plain columns for a state of
// a row, and the entry; ok is false if the row has none.
func (tx *Txn) rowIndexKey(rw *rowWrite, ix *Index, state *packed) (key []byte, e entry, ok bool) {
	key = indexPrefix(ix.ID)
	e.Value = []byte{}
	static := false
	for n, part := range ix.Parts {
		var typ *cqltype.Type
		var value []byte
		switch part.Source {
		case FromPartition:
			values, err := rw.t.PartitionValues(rw.Partition)
			if err != nil {
				return nil, e, false
			}
			typ, value = rw.t.Partition[part.Column], values[part.Column]
		case FromClustering:
			if rw.Static {
				return nil, e, false
			}
			typ, value = rw.t.Clustering[part.Column].Type, rw.Clustering[part.Column]
		default:
			c := &rw.t.Columns[part.Column]
			if c.Static != rw.Static {
				return nil, e, false
			}
			static = true
			at, found := state.find(c.ID)
			if !found || state.entries[at].dead {
				return nil, e, false
			}
			cell := &state.entries[at]
			typ, value = c.Type, cell.Value
			if n == 0 || cell.Expiry != 0 && (e.Expiry == 0 || cell.Expiry < e.Expiry) {
				e.Timestamp, e.TTL, e.Expiry = cell.Timestamp, cell.TTL, cell.Expiry
			}
		}
		key = typ.AppendKey(key, value, false)
	}
	if !static && !state.live.present() && len(state.entries) == 0 {
		return nil, e, false // an index on key columns alone, and no row
	}
	if !static && state.live.present() {
		e.Timestamp = state.live.Timestamp
	}
	return entryTail(key, rw.Partition, rw.row), e, true
}

// indexRow brings the indexes on plain columns from the old state of a row to
// the new one.
func (tx *Txn) indexRow(rw *rowWrite) {
	for i := range rw.t.Indexes {
		ix := &rw.t.Indexes[i]
		if ix.Target != IndexValue {
			continue
		}
		oldKey, oldEntry, had := tx.rowIndexKey(rw, ix, rw.old)
		newKey, newEntry, has := tx.rowIndexKey(rw, ix, rw.new)
		if had && (!has || !bytes.Equal(oldKey, newKey)) {
			tx.batch.del(oldKey)
		}
		if has && (!had || !bytes.Equal(oldKey, newKey) || oldEntry.Expiry != newEntry.Expiry) {
			tx.putEntry(rw, newKey, &newEntry)
		}
	}
}

func (tx *Txn) putEntry(rw *rowWrite, key []byte, e *entry) {
	tx.batch.set(key, e.appendElement(nil))
	if e.Expiry != 0 {
		tx.watch(key, e.Expiry, rw.Partition.Latch(), 0, watchIndex)
	}
}

// elementIndexKey returns the entry key of one element. One key or value can
// stand in several elements of a row (a list's values), so the element's own key
// ends it.
func (tx *Txn) elementIndexKey(rw *rowWrite, ix *Index, c *Column, elem, value []byte) []byte {
	key := indexPrefix(ix.ID)
	set := c.Type.Kind == cqltype.Set
	switch ix.Target {
	case IndexValue: // is of no element
	case IndexKeys:
		key = c.Type.Elems[0].AppendKey(key, elem, false)
	case IndexValues:
		if set {
			value = elem
		}
		key = c.Type.Elems[len(c.Type.Elems)-1].AppendKey(key, value, false)
	case IndexEntries:
		key = c.Type.Elems[0].AppendKey(key, elem, false)
		key = c.Type.Elems[1].AppendKey(key, value, false)
	}
	key = entryTail(key, rw.Partition, rw.row)
	return appendElementKey(append(key, partElement), c.Type, elem)
}

// indexElement brings the indexes on elements from the old state of an element
// to the new one.
func (tx *Txn) indexElement(rw *rowWrite, c *Column, elem []byte, old *entry, had bool, e *entry) {
	for i := range rw.t.Indexes {
		ix := &rw.t.Indexes[i]
		if ix.Target == IndexValue || &rw.t.Columns[ix.Parts[0].Column] != c {
			continue
		}
		if had && !old.dead {
			tx.batch.del(tx.elementIndexKey(rw, ix, c, elem, old.Value))
		}
		if !e.dead {
			tx.putEntry(rw, tx.elementIndexKey(rw, ix, c, elem, e.Value), &entry{Cell: Cell{
				Value: []byte{}, Timestamp: e.Timestamp, TTL: e.TTL, Expiry: e.Expiry,
			}})
		}
	}
}

// unindexElement removes the entries of an element that is deleted; suffix is
// its key behind the row's prefix.
func (tx *Txn) unindexElement(rw *rowWrite, suffix []byte, e *entry) {
	if len(suffix) < 5 || e.dead {
		return
	}
	id := binary.BigEndian.Uint32(suffix[1:])
	for i := range rw.t.Columns {
		c := &rw.t.Columns[i]
		if c.ID != id || !rw.t.indexOf(c) {
			continue
		}
		elem, _, err := decodeElementKey(nil, c.Type, suffix[5:])
		if err != nil {
			return
		}
		for j := range rw.t.Indexes {
			ix := &rw.t.Indexes[j]
			if ix.Target != IndexValue && &rw.t.Columns[ix.Parts[0].Column] == c {
				tx.batch.del(tx.elementIndexKey(rw, ix, c, elem, e.Value))
			}
		}
	}
}

// Hit is a row that an index names. It may have changed since a wider view was
// taken, expired, or lost other columns: read it and test the condition again.
type Hit struct {
	Partition  Partition
	Static     bool
	Clustering [][]byte
}

// Lookup calls f for the rows that an index holds under the given values (the
// first parts of the index, at least one), in the order of a scan for each
// distinct value. A row can come several times for an index on elements. With
// after set it begins behind that row. f returns false to stop.
func (v *View) Lookup(t *Table, ix *Index, values [][]byte, after *Hit, f func(Hit) bool) error {
	types := t.partTypes(ix)
	if len(values) == 0 || len(values) > len(types) {
		return fmt.Errorf("index %d has %d parts, %d values were given", ix.ID, len(types), len(values))
	}
	lo := indexPrefix(ix.ID)
	for i, value := range values {
		lo = types[i].AppendKey(lo, value, false)
	}
	hi := successor(clone(lo))
	if after != nil {
		var row []byte
		if after.Static {
			row = appendStatic(nil, after.Partition)
		} else {
			row = t.appendRow(nil, after.Partition, after.Clustering)
		}
		lo = successor(entryTail(lo, after.Partition, row))
	}
	if bytes.Compare(lo, hi) >= 0 {
		return nil
	}
	it, err := v.r.iter(lo, hi)
	if err != nil {
		return v.s.readError(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return v.s.readError(err)
		}
		var e entry
		if err := e.decodeElement(value); err != nil {
			return v.s.readError(err)
		}
		if e.expired(v.now) {
			continue
		}
		hit, err := t.hit(ix, it.Key())
		if err != nil {
			return v.s.readError(err)
		}
		if !f(hit) {
			return nil
		}
	}
	return v.s.readError(it.Error())
}

// hit decodes the row's address at the end of an entry's key.
func (t *Table) hit(ix *Index, key []byte) (Hit, error) {
	rest := key[5:]
	var err error
	for _, typ := range t.partTypes(ix) {
		if rest, err = typ.SkipKey(rest, false); err != nil {
			return Hit{}, err
		}
	}
	data := append(clone(t.prefix[:]), rest...)
	tail, err := t.skipPartition(data)
	if err != nil {
		return Hit{}, err
	}
	prefix := data[: len(data)-len(tail) : len(data)-len(tail)]
	h := Hit{Partition: Partition{Token: tokenOf(data), prefix: prefix}}
	if t.staticIndex(ix) {
		h.Static = true
		return h, nil
	}
	h.Clustering, _, _, err = t.decodeClustering(nil, nil, tail)
	return h, err
}

// staticIndex reports whether the index is on a static column.
func (t *Table) staticIndex(ix *Index) bool {
	for _, p := range ix.Parts {
		if p.Source == FromColumn && t.Columns[p.Column].Static {
			return true
		}
	}
	return false
}

// BuildIndex makes the entries of one index of t for the rows that are there.
// Writers must use a Table that has the index already, or be kept out. It works
// in transactions of its own, a partition's rows at a time.
func (s *Store) BuildIndex(t *Table, id uint32) error {
	only := *t
	only.Indexes = nil
	for _, ix := range t.Indexes {
		if ix.ID == id {
			only.Indexes = []Index{ix}
		}
	}
	if only.Indexes == nil {
		return fmt.Errorf("table %d has no index %d", t.ID, id)
	}
	var place *Place
	for {
		next, err := s.buildSome(&only, place)
		if err != nil || next == nil {
			return err
		}
		place = next
	}
}

// buildBatch is how many rows one transaction of BuildIndex takes in.
const buildBatch = 256

func (s *Store) buildSome(t *Table, after *Place) (*Place, error) {
	v := s.Snapshot()
	defer v.Close()
	it := v.Scan(t, Range{First: minToken, Last: maxToken, After: after}, nil)
	defer func() { _ = it.Close() }() // a second time, unless an error ended the walk
	var last *Place
	for n := 0; n < buildBatch && it.Next(); n++ {
		row := it.Row()
		p := it.Partition()
		last = &Place{Partition: p}
		if !row.Static {
			last.Clustering = make([][]byte, 0, len(row.Clustering))
			for _, c := range row.Clustering {
				last.Clustering = append(last.Clustering, clone(c))
			}
		}
		if err := s.indexOne(t, p, row.Static, last.Clustering); err != nil {
			return nil, err
		}
	}
	if err := it.Close(); err != nil {
		return nil, err
	}
	return last, nil
}

// indexOne makes the entries of one row under its latch, from its state then.
func (s *Store) indexOne(t *Table, p Partition, static bool, clustering [][]byte) error {
	tx, err := s.Begin(TxnOptions{Sequential: true}, p.Latch())
	if err != nil {
		return err
	}
	defer tx.Abort()
	w := Write{Table: t, Partition: p, Static: static, Clustering: clustering}
	row := appendStatic(nil, p)
	if !static {
		row = t.appendRow(nil, p, clustering)
	}
	rw := rowWrite{Write: &w, t: t, row: row, old: &tx.old, new: &tx.new}
	rw.lww = true // load the row
	if err := tx.loadPacked(&rw); err != nil {
		return err
	}
	rw.old = &packed{}
	rw.old.reset()
	tx.indexRow(&rw)
	if err := tx.indexElements(&rw); err != nil {
		return err
	}
	_, err = tx.Commit()
	return err
}

func (tx *Txn) indexElements(rw *rowWrite) error {
	if !rw.t.indexOfAny() {
		return nil
	}
	it, err := tx.batch.reader().iter(append(clone(rw.row), partElement), append(clone(rw.row), partEnd))
	if err != nil {
		return tx.s.readError(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return tx.s.readError(err)
		}
		var e entry
		if err := e.decodeElement(value); err != nil {
			return tx.s.readError(err)
		}
		suffix := it.Key()[len(rw.row):]
		if e.dead || len(suffix) < 5 {
			continue
		}
		id := binary.BigEndian.Uint32(suffix[1:])
		for i := range rw.t.Columns {
			if c := &rw.t.Columns[i]; c.ID == id && rw.t.indexOf(c) {
				elem, _, err := decodeElementKey(nil, c.Type, suffix[5:])
				if err != nil {
					return tx.s.readError(err)
				}
				tx.indexElement(rw, c, elem, nil, false, &e)
			}
		}
	}
	return tx.s.readError(it.Error())
}

func (t *Table) indexOfAny() bool {
	for i := range t.Columns {
		if t.indexOf(&t.Columns[i]) {
			return true
		}
	}
	return false
}
