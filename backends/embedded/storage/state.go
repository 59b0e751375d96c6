package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// tableState is what the store itself knows about a table.
type tableState struct {
	// stamped: explicit timestamps are taken, deletions leave tombstones.
	stamped atomic.Bool
	// floor is the timestamp up to which deletions were not recorded; noTime if
	// there were none.
	floor atomic.Int64
	// deletes: some deletion was made without a record.
	deletes atomic.Bool
	// strays: some row may have elements but no plain key. Without it, a row that
	// has no plain key has nothing.
	strays atomic.Bool
}

// Names under spaceMeta.
const (
	metaFormat = "format"
	metaClock  = "clock"
	metaTable  = "table"  // + table ID: stamped, deletes, floor
	metaStrays = "strays" // + table ID: nothing
)

// formatVersion is the version of everything this package writes. A newer one is
// refused, and one older than oldestFormat.
//
//   - 1 does not note which tables have strays.
//   - 2 does.
const (
	formatVersion = 2
	oldestFormat  = 1
)

func metaKey(name string) []byte { return append([]byte{spaceMeta}, name...) }

func tableMetaKey(id uint32) []byte {
	return binary.BigEndian.AppendUint32(metaKey(metaTable), id)
}

func straysKey(id uint32) []byte {
	return binary.BigEndian.AppendUint32(metaKey(metaStrays), id)
}

// state returns the state of a table; a new one if nothing is known.
func (s *Store) state(id uint32) *tableState {
	if st, ok := s.states.Load(id); ok {
		return st.(*tableState)
	}
	st := &tableState{}
	st.floor.Store(noTime)
	actual, _ := s.states.LoadOrStore(id, st)
	return actual.(*tableState)
}

func (st *tableState) encode() []byte {
	b := make([]byte, 2, 10)
	if st.stamped.Load() {
		b[0] = 1
	}
	if st.deletes.Load() {
		b[1] = 1
	}
	return binary.BigEndian.AppendUint64(b, uint64(st.floor.Load()))
}

// deleted notes that the table had a deletion that leaves no tombstone.
func (tx *Txn) deleted(t *Table) { tx.deletedID(t.ID) }

func (tx *Txn) deletedID(id uint32) {
	st := tx.s.state(id)
	if st.deletes.Load() || st.stamped.Load() {
		return
	}
	// Everybody who finds the note missing stores it, since others who do may be
	// dropped.
	b := st.encode()
	b[1] = 1
	tx.batch.set(tableMetaKey(id), b)
	tx.noted = append(tx.noted, &st.deletes)
}

// strayed notes that a row of the table may have elements but no plain key.
func (tx *Txn) strayed(id uint32) {
	if tx.strays(id) {
		return
	}
	tx.batch.set(straysKey(id), nil)
	tx.noted = append(tx.noted, &tx.s.state(id).strays)
}

// strays reports whether a row of the table may have elements but no plain key.
// What others make so does not count: the latches keep them from the rows of
// this transaction.
func (tx *Txn) strays(id uint32) bool {
	fact := &tx.s.state(id).strays
	return tx.s.unnoted || fact.Load() || slices.Contains(tx.noted, fact)
}

// EnableTimestamps switches a table over to explicit timestamps, for good: from
// now on deletions leave tombstones and each write reads before it writes. It
// returns the floor: deletions up to that timestamp were not recorded, so a
// write with a timestamp of the floor or less might bring back what they
// deleted, and must be refused. The floor is less than all timestamps if the
// table never had a deletion. Calling it again is cheap. It waits for all
// transactions under way: do not call it inside of one.
func (s *Store) EnableTimestamps(id uint32) (floor int64, err error) {
	st := s.state(id)
	if st.stamped.Load() {
		return st.floor.Load(), nil
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	if st.stamped.Load() {
		return st.floor.Load(), nil
	}
	if err := s.writable(); err != nil {
		return 0, err
	}
	if st.deletes.Load() {
		ts, err := s.clock.next(1)
		if err != nil {
			return 0, err
		}
		st.floor.Store(ts)
	}
	st.stamped.Store(true)
	if err := s.write(func(b *pebble.Batch) error { return b.Set(tableMetaKey(id), st.encode(), nil) }); err != nil {
		st.stamped.Store(false)
		return 0, err
	}
	return st.floor.Load(), nil
}

// write applies and syncs a batch of the store's own. The gate must be held.
func (s *Store) write(f func(b *pebble.Batch) error) error {
	opts := pebble.Sync
	if s.opts.Ephemeral {
		opts = pebble.NoSync
	}
	err := guarded(func() error {
		b := s.db.NewBatch()
		defer b.Close()
		if err := f(b); err != nil {
			return err
		}
		return s.db.Apply(b, opts)
	})
	if err != nil {
		return s.stopWith(err)
	}
	return nil
}

// storeCeiling keeps the time above which no write time was given out.
func (s *Store) storeCeiling(ceiling int64) error {
	return s.write(func(b *pebble.Batch) error {
		return b.Set(metaKey(metaClock), binary.BigEndian.AppendUint64(nil, uint64(ceiling)), nil)
	})
}

// loadMeta checks the format version, writes it to a new store, and reads what
// the store knows about itself.
func (s *Store) loadMeta() error {
	r := pebbleReader{s.db}
	v, ok, err := r.get(nil, metaKey(metaFormat))
	switch {
	case err != nil:
		return err
	case !ok:
		empty, err := s.isEmpty()
		if err != nil {
			return err
		}
		if !empty {
			return errors.New("it holds a database of another program: use an empty directory")
		}
		return s.write(func(b *pebble.Batch) error {
			return b.Set(metaKey(metaFormat), binary.BigEndian.AppendUint32(nil, formatVersion), nil)
		})
	case len(v) != 4:
		return errors.New("its format version cannot be read: restore it from a backup")
	}
	n := binary.BigEndian.Uint32(v)
	if n < oldestFormat || n > formatVersion {
		return fmt.Errorf("it has format version %d, this program reads %d to %d: use the release that wrote it", n, oldestFormat, formatVersion)
	}
	s.unnoted = n < 2
	if v, ok, err = r.get(nil, metaKey(metaClock)); err != nil {
		return err
	} else if ok && len(v) == 8 {
		s.clock.last = int64(binary.BigEndian.Uint64(v))
	}
	return s.loadStates()
}

func (s *Store) isEmpty() (bool, error) {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return false, err
	}
	empty := !it.First()
	return empty, errors.Join(it.Error(), it.Close())
}

func (s *Store) loadStates() error {
	if err := s.eachState(metaTable, func(st *tableState, v []byte) bool {
		if len(v) != 10 {
			return false
		}
		st.stamped.Store(v[0] == 1)
		st.deletes.Store(v[1] == 1)
		st.floor.Store(int64(binary.BigEndian.Uint64(v[2:])))
		return true
	}); err != nil {
		return err
	}
	return s.eachState(metaStrays, func(st *tableState, v []byte) bool {
		st.strays.Store(true)
		return len(v) == 0
	})
}

// eachState calls f for what is stored of tables under a name; f reports whether
// it can read it.
func (s *Store) eachState(name string, f func(*tableState, []byte) bool) error {
	lo := metaKey(name)
	it, err := pebbleReader{s.db}.iter(lo, successor(clone(lo)))
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if len(key) != len(lo)+4 || !f(s.state(binary.BigEndian.Uint32(key[len(lo):])), v) {
			return errKeyForm
		}
	}
	return it.Error()
}

// DropData removes everything stored of a table and of indexes: for DROP and
// TRUNCATE. It waits for all transactions under way and is durable when it
// returns. A truncated table keeps its state as to timestamps.
func (s *Store) DropData(table uint32, indexes ...uint32) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	return s.write(func(b *pebble.Batch) error {
		if err := dropPrefix(b, spaceData, table); err != nil {
			return err
		}
		for _, id := range indexes {
			if err := dropPrefix(b, spaceIndex, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// DropIndex removes all entries of one index.
func (s *Store) DropIndex(index uint32) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	return s.write(func(b *pebble.Batch) error { return dropPrefix(b, spaceIndex, index) })
}

func dropPrefix(b *pebble.Batch, space byte, id uint32) error {
	lo := binary.BigEndian.AppendUint32([]byte{space}, id)
	return b.DeleteRange(lo, successor(clone(lo)), nil)
}
