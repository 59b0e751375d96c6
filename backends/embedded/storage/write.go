package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// ErrTimestamps is returned for an explicit timestamp on a table that was not
// switched over by EnableTimestamps.
var ErrTimestamps = errors.New("the table does not take explicit timestamps yet")

// rules say how a write meets what is stored.
type rules struct {
	keep bool // deletions leave tombstones
	lww  bool // compare timestamps at all
	ts   int64
}

func (tx *Txn) rules(t *Table, timestamp *int64) (rules, error) {
	r := rules{ts: tx.ts, keep: tx.s.state(t.ID).stamped.Load()}
	if timestamp != nil {
		if !r.keep {
			return r, ErrTimestamps
		}
		r.ts = *timestamp
	}
	tx.writes++
	if r.keep && tx.opts.Sequential && timestamp == nil && tx.writes > 1 {
		// Where timestamps decide, order needs timestamps of its own.
		ts, err := tx.s.clock.next(1)
		if err != nil {
			return r, err
		}
		r.ts = ts
	}
	// A single write with the store's own time is newer than all there is.
	r.lww = r.keep || tx.writes > 1 && !tx.opts.Sequential
	return r, nil
}

// rowWrite is a Write on its way.
type rowWrite struct {
	*Write
	rules
	t      *Table
	row    []byte // prefix of the row's keys
	shadow int64  // timestamp up to which range tombstones cover the row
	expiry int64
	old    *packed // as stored
	new    *packed
	had    bool // there was a packed row
	bare   bool // no element of the row was stored before
	put    bool // the write stored one
	spared bool // removeElements left newer elements
}

// Apply adds a write of one row to the transaction.
func (tx *Txn) Apply(w *Write) error {
	r, err := tx.rules(w.Table, w.Timestamp)
	if err != nil {
		return err
	}
	rw := rowWrite{Write: w, rules: r, t: w.Table, shadow: noTime, old: &tx.old, new: &tx.new}
	if w.TTL > 0 {
		rw.expiry = tx.now + int64(w.TTL)
	}
	if w.Static {
		tx.keyBuf = appendStatic(tx.keyBuf[:0], w.Partition)
	} else {
		if len(w.Clustering) != len(w.Table.Clustering) {
			return fmt.Errorf("a write of table %d needs %d clustering values, not %d", w.Table.ID, len(w.Table.Clustering), len(w.Clustering))
		}
		tx.keyBuf = w.Table.appendRow(tx.keyBuf[:0], w.Partition, w.Clustering)
	}
	rw.row = tx.keyBuf
	if rw.keep {
		if rw.shadow, err = tx.rangeShadow(w.Partition, rw.row); err != nil {
			return err
		}
	}
	if err := tx.loadPacked(&rw); err != nil {
		return err
	}
	if w.Insert {
		tx.mark(&rw)
	}
	for i := range w.Ops {
		if err := tx.op(&rw, &w.Ops[i]); err != nil {
			return err
		}
	}
	return tx.storePacked(&rw)
}

// loadPacked fetches the row's plain cells, unless the write replaces them all,
// and finds out whether the row can have elements that the write has to look for.
func (tx *Txn) loadPacked(rw *rowWrite) (err error) {
	rw.old.reset()
	rw.new.reset()
	key := append(rw.row, partPlain)
	if !rw.lww && rw.Insert && len(rw.t.Indexes) == 0 && rw.coversAll() {
		if rw.clears() && !tx.strays(rw.t.ID) {
			rw.had, err = tx.batch.reader().has(key)
			rw.bare = !rw.had
		}
		return tx.s.readError(err)
	}
	tx.oldBuf, rw.had, err = tx.batch.reader().get(tx.oldBuf[:0], key)
	if err != nil {
		return tx.s.readError(err)
	}
	if !rw.had {
		rw.bare = !tx.strays(rw.t.ID)
		return nil
	}
	if err := rw.old.decode(tx.oldBuf); err != nil {
		return tx.s.readError(err)
	}
	rw.new.live, rw.new.deleted, rw.new.deletedAt = rw.old.live, rw.old.deleted, rw.old.deletedAt
	rw.new.entries = append(rw.new.entries, rw.old.entries...)
	return nil
}

// mark makes the liveness mark.
func (tx *Txn) mark(rw *rowWrite) {
	l := liveness{Timestamp: rw.ts, TTL: rw.TTL, Expiry: rw.expiry}
	if rw.lww && (rw.covered(tx, append(rw.row, partPlain)) || rw.new.live.present() && !l.wins(&rw.new.live)) {
		return
	}
	rw.new.live = l
}

// covered reports whether a tombstone of the row or of a range, stored or of
// this transaction, hides what is written at addr.
func (rw *rowWrite) covered(tx *Txn, addr []byte) bool {
	if rw.shadow >= rw.ts || rw.new.deleted >= rw.ts && rw.new.deleted != noTime {
		return true
	}
	for i := range tx.graves {
		g := &tx.graves[i]
		if g.ts >= rw.ts && bytes.Compare(addr, g.lo) >= 0 && bytes.Compare(addr, g.hi) < 0 {
			return true
		}
	}
	return false
}

// address returns where a plain cell would be if it had a key of its own; only
// graves use it.
func (rw *rowWrite) address(id uint32) []byte {
	return binary.BigEndian.AppendUint32(append(rw.row, partPlain), id)
}

func (tx *Txn) op(rw *rowWrite, op *Op) error {
	c := &rw.t.Columns[op.Column]
	if c.Static != rw.Static {
		return fmt.Errorf("column %d of table %d: static columns are written by static writes only", c.ID, rw.t.ID)
	}
	if !c.Type.IsMultiCell() {
		switch op.Kind {
		case Set:
			tx.setPlain(rw, c, op.Value)
		case Clear:
			tx.setPlain(rw, c, nil)
		default:
			return fmt.Errorf("column %d of table %d has no elements", c.ID, rw.t.ID)
		}
		return nil
	}
	switch op.Kind {
	case Clear:
		return tx.clearElements(rw, c, rw.ts)
	case Replace:
		if err := tx.clearElements(rw, c, rw.ts-1); err != nil {
			return err
		}
		return tx.putElements(rw, c, op.Elems)
	case SetElement:
		return tx.setElement(rw, c, op.Key, op.Value)
	case DropElement:
		return tx.setElement(rw, c, op.Key, nil)
	case Append:
		return tx.putElements(rw, c, op.Elems)
	case Prepend:
		for _, e := range slicesBackward(op.Elems) {
			if err := tx.setElement(rw, c, tx.listPosition(true), e); err != nil {
				return err
			}
		}
		return nil
	default:
		return fmt.Errorf("column %d of table %d has elements: Set is for plain columns", c.ID, rw.t.ID)
	}
}

func slicesBackward(s [][]byte) func(func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		for i := len(s) - 1; i >= 0; i-- {
			if !yield(i, s[i]) {
				return
			}
		}
	}
}

// setPlain stores or deletes a plain cell.
func (tx *Txn) setPlain(rw *rowWrite, c *Column, value []byte) {
	e := entry{id: c.ID, Cell: Cell{Value: value, Timestamp: rw.ts, TTL: rw.TTL, Expiry: rw.expiry}}
	if value == nil {
		e.dead, e.TTL, e.Expiry = true, 0, tx.now
	}
	at, ok := rw.new.find(c.ID)
	if rw.lww && (rw.covered(tx, rw.address(c.ID)) || ok && !e.wins(&rw.new.entries[at])) {
		return
	}
	if e.dead && !rw.keep {
		tx.bury(rw, rw.address(c.ID), nil)
		if ok {
			rw.new.entries = append(rw.new.entries[:at], rw.new.entries[at+1:]...)
		}
		return
	}
	if ok {
		rw.new.entries[at] = e
		return
	}
	rw.new.entries = append(rw.new.entries, entry{})
	copy(rw.new.entries[at+1:], rw.new.entries[at:])
	rw.new.entries[at] = e
}

// bury notes a deletion that leaves nothing in the store, for the writes that
// follow in this transaction. hi nil means lo alone.
func (tx *Txn) bury(rw *rowWrite, lo, hi []byte) {
	tx.deleted(rw.t)
	if tx.opts.Sequential {
		return
	}
	lo = clone(lo)
	if hi == nil {
		hi = append(clone(lo), 0)
	}
	tx.graves = append(tx.graves, grave{lo: lo, hi: clone(hi), ts: rw.ts})
}

// putElements stores what Replace and Append add.
func (tx *Txn) putElements(rw *rowWrite, c *Column, elems [][]byte) error {
	step := 1
	if c.Type.Kind == cqltype.Map {
		step = 2
	}
	for i := 0; i+step <= len(elems); i += step {
		var key []byte
		value := elems[i+step-1]
		switch c.Type.Kind {
		case cqltype.Map:
			key = elems[i]
		case cqltype.Set:
			key, value = elems[i], []byte{}
		case cqltype.List:
			key = tx.listPosition(false)
		default:
			key = FieldKey(i)
			if value == nil {
				continue // the clearing before has dealt with it
			}
		}
		if err := tx.setElement(rw, c, key, value); err != nil {
			return err
		}
	}
	return nil
}

// listPosition returns a key behind all others of any list, or before them. It
// needs no look at the list: positions are store-wide times, as Cassandra's are
// time UUIDs.
func (tx *Txn) listPosition(front bool) []byte {
	if tx.posBase == 0 {
		tx.posBase = tx.ts << 12
	}
	tx.positions++
	p := tx.posBase + tx.positions
	if front {
		p = -p
	}
	return binary.BigEndian.AppendUint64(nil, uint64(p)^1<<63)
}

// setElement stores or deletes one element.
func (tx *Txn) setElement(rw *rowWrite, c *Column, key, value []byte) error {
	e := entry{Cell: Cell{Value: value, Timestamp: rw.ts, TTL: rw.TTL, Expiry: rw.expiry}}
	if value == nil {
		e.dead, e.TTL, e.Expiry = true, 0, tx.now
	}
	tx.elemBuf = appendElement(append(tx.elemBuf[:0], rw.row...), c, key)
	addr := tx.elemBuf
	indexed := rw.t.indexOf(c)
	var old entry
	var had bool
	if rw.lww || indexed {
		var err error
		if old, had, err = tx.element(addr); err != nil {
			return err
		}
	}
	if rw.lww {
		if rw.covered(tx, addr) || had && !e.wins(&old) {
			return nil
		}
		if at, ok := rw.new.find(c.ID); ok && rw.new.entries[at].Timestamp >= rw.ts {
			return nil // the whole column was deleted later
		}
	}
	if indexed {
		tx.indexElement(rw, c, key, &old, had, &e)
	}
	if e.dead && !rw.keep {
		tx.bury(rw, addr, nil)
		tx.batch.del(addr)
		return nil
	}
	rw.put = true
	tx.valBuf = e.appendElement(tx.valBuf[:0])
	tx.batch.set(addr, tx.valBuf)
	tx.expires(rw.t, addr, &e)
	return nil
}

// element reads one stored element.
func (tx *Txn) element(addr []byte) (e entry, ok bool, err error) {
	b, ok, err := tx.batch.reader().get(nil, addr)
	if err == nil && ok {
		err = e.decodeElement(b)
	}
	return e, ok, tx.s.readError(err)
}

// deleteRangeFrom is the count of keys from which one range deletion is cheaper
// than single ones.
const deleteRangeFrom = 64

// clearElements deletes the elements of a column with timestamps up to ts.
func (tx *Txn) clearElements(rw *rowWrite, c *Column, ts int64) error {
	lo := binary.BigEndian.AppendUint32(append(clone(rw.row), partElement), c.ID)
	hi := successor(clone(lo))
	if rw.keep {
		if rw.covered(tx, lo) {
			return nil
		}
		e := entry{id: c.ID, dead: true, Cell: Cell{Timestamp: ts, Expiry: tx.now}}
		at, ok := rw.new.find(c.ID)
		switch {
		case ok && !e.wins(&rw.new.entries[at]):
			return nil
		case ok:
			rw.new.entries[at] = e
		default:
			rw.new.entries = append(rw.new.entries, entry{})
			copy(rw.new.entries[at+1:], rw.new.entries[at:])
			rw.new.entries[at] = e
		}
	} else if ts == rw.ts {
		tx.bury(rw, lo, hi)
	} else {
		tx.deleted(rw.t)
	}
	if rw.bare && (!rw.put || !rw.repeats(c)) {
		return nil
	}
	return tx.removeElements(rw, lo, hi, ts)
}

// removeElements takes the elements in [lo, hi) with timestamps up to ts out of
// the store.
func (tx *Txn) removeElements(rw *rowWrite, lo, hi []byte, ts int64) error {
	it, err := tx.batch.reader().iter(lo, hi)
	if err != nil {
		return tx.s.readError(err)
	}
	defer it.Close()
	choosy := rw.lww || len(rw.t.Indexes) > 0
	var keys [][]byte
	for ok := it.First(); ok; ok = it.Next() {
		if !choosy && len(keys) == deleteRangeFrom {
			tx.batch.delRange(lo, hi)
			return it.Error()
		}
		if choosy {
			value, err := it.ValueAndErr()
			if err != nil {
				return tx.s.readError(err)
			}
			var e entry
			if err := e.decodeElement(value); err != nil {
				return tx.s.readError(err)
			}
			if rw.lww && e.Timestamp > ts {
				rw.spared = true
				continue
			}
			tx.unindexElement(rw, it.Key()[len(rw.row):], &e)
		}
		keys = append(keys, clone(it.Key()))
	}
	for _, k := range keys {
		tx.batch.del(k)
	}
	return tx.s.readError(it.Error())
}

// storePacked writes the row's plain cells back.
func (tx *Txn) storePacked(rw *rowWrite) error {
	tx.indexRow(rw)
	key := append(rw.row, partPlain)
	if rw.new.empty() {
		if rw.had {
			tx.batch.del(key)
		}
		if (!rw.bare || rw.put) && rw.t.elements(rw.Static) {
			tx.strayed(rw.t.ID)
		}
		return nil
	}
	tx.valBuf = rw.new.appendTo(tx.valBuf[:0])
	tx.batch.set(key, tx.valBuf)
	tx.expiresRow(rw, key)
	return nil
}
