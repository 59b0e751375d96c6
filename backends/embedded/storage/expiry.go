package storage

import (
	"encoding/binary"
	"time"
)

// The expiry index says in which second to look at a key again. Its entries are
// hints: what the key holds decides.
//
//	x | second u64 | key  ->  latch u32 | grace u32 | what

// What a watched key holds: the sweeper has no table definitions.
const (
	watchRow byte = iota
	watchElement
	watchTombstone
	watchIndex
)

func (tx *Txn) watch(key []byte, second int64, l Latch, grace uint32, what byte) {
	k := make([]byte, 0, 9+len(key))
	k = binary.BigEndian.AppendUint64(append(k, spaceExpiry), uint64(second))
	k = append(k, key...)
	v := binary.BigEndian.AppendUint32(nil, uint32(l))
	tx.batch.set(k, append(binary.BigEndian.AppendUint32(v, grace), what))
}

// expires registers a stored element, or its tombstone.
func (tx *Txn) expires(t *Table, addr []byte, e *entry) {
	switch {
	case e.dead:
		tx.watch(addr, e.Expiry+int64(t.grace), latchOf(addr), t.grace, watchElement)
	case e.Expiry != 0:
		tx.watch(addr, e.Expiry, latchOf(addr), t.grace, watchElement)
	}
}

// expiresRow registers what the write added to the packed row that expires.
func (tx *Txn) expiresRow(rw *rowWrite, key []byte) {
	if rw.expiry != 0 {
		tx.watch(key, rw.expiry, latchOf(key), rw.t.grace, watchRow)
	}
	if rw.keep {
		// Some tombstone may have been added, and cells may be gone.
		for i := range rw.new.entries {
			if rw.new.entries[i].dead && rw.new.entries[i].Expiry == tx.now {
				tx.watch(key, tx.now+int64(rw.t.grace), latchOf(key), rw.t.grace, watchRow)
				return
			}
		}
		if rw.new.deleted != noTime && rw.new.deletedAt == tx.now {
			tx.watch(key, tx.now+int64(rw.t.grace), latchOf(key), rw.t.grace, watchRow)
		}
	}
}

const sweepBatch = 256

// sweepLoop removes what has expired.
func (s *Store) sweepLoop() {
	defer s.loops.Done()
	tick := time.NewTicker(s.opts.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-tick.C:
		}
		if s.writable() != nil {
			continue
		}
		if _, err := s.Sweep(); err != nil && s.writable() == nil {
			s.log.Error("embedded store: removing expired cells", "err", err)
		}
	}
}

// Sweep removes everything that has expired by now and returns how many keys it
// looked at. Readers do not see expired cells whether swept or not.
func (s *Store) Sweep() (int, error) {
	total := 0
	for {
		select {
		case <-s.quit:
			return total, nil
		default:
		}
		n, err := s.sweepSome()
		total += n
		if err != nil || n < sweepBatch {
			return total, err
		}
	}
}

type dueKey struct {
	index []byte // in the expiry index
	key   []byte
	latch Latch
	grace int64
	what  byte
}

func (s *Store) sweepSome() (int, error) {
	due, err := s.due()
	if err != nil {
		return 0, err
	}
	for _, d := range due {
		if err := s.sweepKey(d); err != nil {
			return 0, err
		}
	}
	return len(due), nil
}

// due returns the first entries of the expiry index whose time has come.
func (s *Store) due() ([]dueKey, error) {
	hi := binary.BigEndian.AppendUint64([]byte{spaceExpiry}, uint64(s.clock.seconds()+1))
	it, err := pebbleReader{s.db}.iter([]byte{spaceExpiry}, hi)
	if err != nil {
		return nil, s.readError(err)
	}
	defer it.Close()
	var due []dueKey
	for ok := it.First(); ok && len(due) < sweepBatch; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, s.readError(err)
		}
		k := clone(it.Key())
		if len(k) < 10 || len(v) < 9 {
			return nil, s.readError(errKeyForm)
		}
		due = append(due, dueKey{
			index: k, key: k[9:],
			latch: Latch(binary.BigEndian.Uint32(v) % stripes),
			grace: int64(binary.BigEndian.Uint32(v[4:])),
			what:  v[8],
		})
	}
	return due, s.readError(it.Error())
}

// sweepKey looks at one key under its latch.
func (s *Store) sweepKey(d dueKey) error {
	tx, err := s.Begin(TxnOptions{}, d.latch)
	if err != nil {
		return err
	}
	defer tx.Abort()
	if err := tx.sweep(d); err != nil {
		return err
	}
	tx.batch.del(d.index)
	s.counts.swept.Add(1)
	_, err = tx.Commit()
	return err
}

func (tx *Txn) sweep(d dueKey) error {
	value, ok, err := tx.batch.reader().get(nil, d.key)
	if err != nil || !ok {
		return tx.s.readError(err)
	}
	if d.what == watchIndex {
		var e entry
		if err := e.decodeElement(value); err != nil {
			return tx.s.readError(err)
		}
		if e.expired(tx.now) {
			tx.batch.del(d.key)
		}
		return nil
	}
	id := binary.BigEndian.Uint32(d.key[1:])
	keep := tx.s.state(id).stamped.Load()
	switch d.what {
	case watchTombstone:
		if len(value) >= 16 && int64(binary.BigEndian.Uint64(value[8:]))+d.grace <= tx.now {
			tx.batch.del(d.key)
		}
	case watchRow:
		return tx.sweepRow(id, d, value, keep)
	default:
		var e entry
		if err := e.decodeElement(value); err != nil {
			return tx.s.readError(err)
		}
		switch gone, again := e.swept(tx.now, d.grace, keep); {
		case gone:
			tx.deletedID(id)
			tx.batch.del(d.key)
		case again:
			tx.batch.set(d.key, e.appendElement(nil))
			tx.watch(d.key, e.Expiry+d.grace, d.latch, uint32(d.grace), watchElement)
		}
	}
	return nil
}

// swept ages a cell. An expired one goes; where tombstones are kept it stays
// without its value for the grace period, because it still hides older writes.
// again says that it was changed and must be looked at when that is over.
func (e *entry) swept(now, grace int64, keep bool) (gone, again bool) {
	switch {
	case !e.dead && !e.expired(now):
		return false, false
	case !keep && !e.dead, e.Expiry+grace <= now:
		return true, false
	case !e.dead && len(e.Value) > 0:
		e.Value = []byte{}
		return false, true
	default:
		return false, !e.dead
	}
}

func (tx *Txn) sweepRow(id uint32, d dueKey, value []byte, keep bool) error {
	p := &tx.old
	if err := p.decode(value); err != nil {
		return tx.s.readError(err)
	}
	changed, next := false, int64(0)
	if l := &p.live; l.present() && !l.live(tx.now) {
		if keep && l.Expiry+d.grace > tx.now {
			next = l.Expiry + d.grace
		} else {
			*l = liveness{Timestamp: noTime}
		}
		changed = true
	}
	if p.deleted != noTime && p.deletedAt+d.grace <= tx.now {
		p.deleted, p.deletedAt = noTime, 0
		changed = true
	}
	kept := p.entries[:0]
	for _, e := range p.entries {
		gone, again := e.swept(tx.now, d.grace, keep)
		changed = changed || gone || again
		if again {
			next = max(next, e.Expiry+d.grace)
		}
		if !gone {
			kept = append(kept, e)
		}
	}
	p.entries = kept
	if !changed {
		return nil
	}
	tx.deletedID(id)
	if p.empty() {
		tx.batch.del(d.key)
		tx.strayed(id) // the row may have elements that live on
		return nil
	}
	tx.batch.set(d.key, p.appendTo(nil))
	if next != 0 {
		tx.watch(d.key, next, d.latch, uint32(d.grace), watchRow)
	}
	return nil
}
