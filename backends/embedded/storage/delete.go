package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// DeleteRow deletes a row with all its cells. timestamp nil is the
// transaction's.
func (tx *Txn) DeleteRow(t *Table, p Partition, clustering [][]byte, timestamp *int64) error {
	r, err := tx.rules(t, timestamp)
	if err != nil {
		return err
	}
	if len(clustering) != len(t.Clustering) {
		return fmt.Errorf("a row of table %d has %d clustering values, not %d", t.ID, len(t.Clustering), len(clustering))
	}
	if tx.opts.Conditional && len(clustering) == 0 {
		tx.writes--
		return tx.DeletePartition(t, p, timestamp)
	}
	tx.keyBuf = t.appendRow(tx.keyBuf[:0], p, clustering)
	return tx.deleteRow(t, p, r, tx.keyBuf, true)
}

// deleteRow deletes what is stored of the row with the given prefix, up to the
// timestamp of r. With mark set it leaves a row tombstone where r says so.
func (tx *Txn) deleteRow(t *Table, p Partition, r rules, row []byte, mark bool) error {
	w := Write{Table: t, Partition: p}
	if row[len(p.prefix)] == kindStatic {
		w.Static = true
	} else if len(t.Indexes) > 0 {
		values, _, _, err := t.decodeClustering(nil, nil, row[len(p.prefix)+1:])
		if err != nil {
			return tx.s.readError(err)
		}
		w.Clustering = values
	}
	rw := rowWrite{Write: &w, rules: r, t: t, row: row, shadow: noTime, old: &tx.old, new: &tx.new}
	full := append(clone(row), partPlain)
	rw.old.reset()
	rw.new.reset()
	if r.lww || len(t.Indexes) > 0 {
		var err error
		if tx.oldBuf, rw.had, err = tx.batch.reader().get(tx.oldBuf[:0], full); err != nil {
			return tx.s.readError(err)
		}
		if rw.had {
			if err := rw.old.decode(tx.oldBuf); err != nil {
				return tx.s.readError(err)
			}
		}
	}
	rw.remain(r)
	switch {
	case r.keep && mark:
		if r.ts > rw.new.deleted {
			rw.new.deleted, rw.new.deletedAt = r.ts, tx.now
		}
	case !r.keep && mark:
		tx.bury(&rw, row, successor(clone(row)))
	}
	tx.indexRow(&rw)
	if rw.new.empty() {
		tx.batch.del(full)
	} else {
		tx.valBuf = rw.new.appendTo(tx.valBuf[:0])
		tx.batch.set(full, tx.valBuf)
		tx.expiresRow(&rw, full)
	}
	if !t.elements(w.Static) {
		return nil
	}
	if err := tx.removeElements(&rw, append(clone(row), partElement), append(clone(row), partEnd), r.ts); err != nil {
		return err
	}
	if rw.spared && rw.new.empty() {
		tx.strayed(t.ID)
	}
	return nil
}

// remain copies to the new row what of the old one a deletion spares.
func (rw *rowWrite) remain(r rules) {
	if !r.lww {
		return
	}
	if rw.old.live.present() && rw.old.live.Timestamp > r.ts {
		rw.new.live = rw.old.live
	}
	for _, e := range rw.old.entries {
		if e.Timestamp > r.ts {
			rw.new.entries = append(rw.new.entries, e)
		}
	}
	rw.new.deleted, rw.new.deletedAt = rw.old.deleted, rw.old.deletedAt
	if rw.new.deleted < r.ts && !r.keep {
		rw.new.deleted, rw.new.deletedAt = noTime, 0
	}
}

// DeleteRange deletes the rows of a slice of a partition, not its static row.
// It is one deletion of a range of keys, whatever the number of rows, if the
// table has neither indexes nor timestamps.
func (tx *Txn) DeleteRange(t *Table, p Partition, s Slice, timestamp *int64) error {
	r, err := tx.rules(t, timestamp)
	if err != nil {
		return err
	}
	lo, hi := t.bounds(p, s)
	return tx.deleteKeys(t, p, r, lo, hi)
}

// DeletePartition deletes all rows of a partition with the static one.
func (tx *Txn) DeletePartition(t *Table, p Partition, timestamp *int64) error {
	r, err := tx.rules(t, timestamp)
	if err != nil {
		return err
	}
	return tx.deleteKeys(t, p, r, append(clone(p.prefix), kindStatic), append(clone(p.prefix), kindEnd))
}

func (tx *Txn) deleteKeys(t *Table, p Partition, r rules, lo, hi []byte) error {
	if bytes.Compare(lo, hi) >= 0 {
		return nil
	}
	if tx.opts.Conditional {
		r.ts--
	}
	if !r.keep {
		tx.deleted(t)
		if !tx.opts.Sequential {
			tx.graves = append(tx.graves, grave{lo: lo, hi: hi, ts: r.ts})
		}
	}
	if !r.keep && len(t.Indexes) == 0 && (!tx.opts.Conditional || tx.writes <= 1) {
		// All that is stored is of this timestamp or older.
		tx.batch.delRange(lo, hi)
		return nil
	}
	rows, err := tx.rowsIn(t, p, lo, hi)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := tx.deleteRow(t, p, r, row, false); err != nil {
			return err
		}
	}
	if r.keep {
		return tx.putTombstone(t, p, r, lo, hi)
	}
	return nil
}

// rangesInMemory is how many deletions of ranges are left in Pebble's memory table.
const rangesInMemory = 64

// deletedRanges flushes the memory table when it holds many deletions of ranges.
// Pebble cuts them into pieces that do not overlap, anew when something reads after
// one was added, and keeps in each piece all that cover it: that is quadratic where
// all begin in one place, as at the head of a queue. In a file there is one of each
// piece.
func (s *Store) deletedRanges(n int) {
	if n == 0 || s.ranges.Add(int64(n)) < rangesInMemory {
		return
	}
	s.ranges.Store(0)
	err := guarded(func() error {
		_, err := s.db.AsyncFlush()
		return err
	})
	if err != nil {
		s.stop(fmt.Errorf("flushing the memory table: %w", err))
	}
}

// rowsIn returns the prefixes of all rows with keys in [lo, hi).
func (tx *Txn) rowsIn(t *Table, p Partition, lo, hi []byte) ([][]byte, error) {
	it, err := tx.batch.reader().iter(lo, hi)
	if err != nil {
		return nil, tx.s.readError(err)
	}
	defer it.Close()
	var rows [][]byte
	for ok := it.First(); ok; {
		key := it.Key()
		rest := key[len(p.prefix):]
		if rest[0] == kindStatic {
			rest = rest[1:]
		} else if _, _, rest, err = t.decodeClustering(nil, nil, rest[1:]); err != nil {
			return nil, tx.s.readError(err)
		}
		row := clone(key[:len(key)-len(rest)])
		rows = append(rows, row)
		ok = it.SeekGE(append(clone(row), partEnd))
	}
	return rows, tx.s.readError(it.Error())
}

// A range tombstone is stored under the partition: its bounds behind the
// partition prefix as the key, timestamp and second of deletion as the value.
func tombstoneKey(p Partition, lo, hi []byte) []byte {
	key := append(clone(p.prefix), kindTombstone)
	lo, hi = lo[len(p.prefix):], hi[len(p.prefix):]
	key = binary.BigEndian.AppendUint32(key, uint32(len(lo)))
	return append(append(key, lo...), hi...)
}

// eachTombstone calls f for the range tombstones of a partition, with bounds
// behind the partition prefix.
func (tx *Txn) eachTombstone(p Partition, f func(key, lo, hi []byte, ts int64)) error {
	start := append(clone(p.prefix), kindTombstone)
	it, err := tx.batch.reader().iter(start, successor(clone(start)))
	if err != nil {
		return tx.s.readError(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()
		value, err := it.ValueAndErr()
		if err != nil {
			return tx.s.readError(err)
		}
		body := key[len(start):]
		if len(body) < 4 || uint32(len(body)-4) < binary.BigEndian.Uint32(body) || len(value) < 16 {
			return tx.s.readError(errKeyForm)
		}
		n := binary.BigEndian.Uint32(body)
		f(key, body[4:4+n], body[4+n:], int64(binary.BigEndian.Uint64(value)))
	}
	return tx.s.readError(it.Error())
}

// rangeShadow returns the greatest timestamp of the range tombstones that cover
// a row.
func (tx *Txn) rangeShadow(p Partition, row []byte) (int64, error) {
	shadow := int64(noTime)
	row = row[len(p.prefix):]
	err := tx.eachTombstone(p, func(_, lo, hi []byte, ts int64) {
		if ts > shadow && bytes.Compare(row, lo) >= 0 && bytes.Compare(row, hi) < 0 {
			shadow = ts
		}
	})
	return shadow, err
}

// putTombstone stores a range tombstone and drops those that it makes needless.
func (tx *Txn) putTombstone(t *Table, p Partition, r rules, lo, hi []byte) error {
	from, to := lo[len(p.prefix):], hi[len(p.prefix):]
	var needless [][]byte
	covered := false
	err := tx.eachTombstone(p, func(key, l, h []byte, ts int64) {
		switch {
		case ts <= r.ts && bytes.Compare(l, from) >= 0 && bytes.Compare(h, to) <= 0:
			needless = append(needless, clone(key))
		case ts >= r.ts && bytes.Compare(l, from) <= 0 && bytes.Compare(h, to) >= 0:
			covered = true
		}
	})
	if err != nil || covered {
		return err
	}
	for _, key := range needless {
		tx.batch.del(key)
	}
	value := binary.BigEndian.AppendUint64(nil, uint64(r.ts))
	value = binary.BigEndian.AppendUint64(value, uint64(tx.now))
	key := tombstoneKey(p, lo, hi)
	tx.batch.set(key, value)
	tx.watch(key, tx.now+int64(t.grace), latchOf(key), t.grace, watchTombstone)
	return nil
}
