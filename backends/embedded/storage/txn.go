package storage

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// TxnOptions say how the writes of one transaction relate.
type TxnOptions struct {
	// Sequential makes a later write of the transaction win over an earlier
	// one, as in a YCQL transaction block. Without it writes of equal timestamp
	// are reconciled as in a Cassandra batch: a deletion wins over a write, a
	// greater value over a lesser, whatever their order.
	Sequential bool
	// Conditional makes deletions of ranges and partitions count as made before
	// all other writes of the transaction, as in a conditional batch of Cassandra
	// (PartitionUpdate.updateAllTimestamp gives them the ballot less one). A row
	// of a table without clustering columns is a partition. It goes with neither
	// Sequential nor explicit timestamps.
	Conditional bool
}

// Txn is a set of writes that are applied together. It holds its latches from
// Begin to Commit or Abort, one of which must be called. It is for one
// goroutine.
type Txn struct {
	s       *Store
	opts    TxnOptions
	latches []Latch
	batch   *pebbleBatch
	view    View
	before  View
	ts      int64
	now     int64
	writes  int
	// graves are the deletions of this transaction, kept for reconciling.
	graves []grave
	// noted are the facts about tables that this transaction makes true.
	noted []*atomic.Bool
	done  bool

	old, new  packed // scratch
	valBuf    []byte
	keyBuf    []byte
	elemBuf   []byte
	oldBuf    []byte
	positions int64 // of list elements, given out so far
	posBase   int64
}

// grave is a deletion of all addresses in [lo, hi) with timestamps up to ts.
type grave struct {
	lo, hi []byte
	ts     int64
}

// Begin starts a transaction under the given latches: those of all partitions
// that it will write, or whose state decides what it writes. It waits until it
// has them all. l is sorted in place.
func (s *Store) Begin(o TxnOptions, l ...Latch) (*Txn, error) {
	s.gate.RLock()
	if err := s.writable(); err != nil {
		s.gate.RUnlock()
		return nil, err
	}
	l = sortLatches(l)
	for _, i := range l {
		s.stripe[i].mu.Lock()
	}
	tx := &Txn{s: s, opts: o, latches: l, batch: newPebbleBatch(s.db), now: s.clock.seconds()}
	tx.view = View{s: s, now: tx.now}
	var err error
	if tx.ts, err = s.clock.next(1); err != nil {
		tx.Abort()
		return nil, err
	}
	return tx, nil
}

// Timestamp returns the transaction's write time in microseconds since 1970: of
// all its writes that give none.
func (tx *Txn) Timestamp() int64 { return tx.ts }

// Now returns the second since 1970 that decides which cells have expired, and
// from which time to live counts.
func (tx *Txn) Now() int64 { return tx.now }

// View returns a view of the newest state with the transaction's own writes. It
// belongs to the transaction and need not be closed. Iterators of it see the
// writes made before they were opened; rows from Get are copies.
func (tx *Txn) View() *View {
	tx.view.r = tx.batch.reader()
	return &tx.view
}

// Before returns a view of the newest state without the transaction's own writes;
// the latches keep it as it is. It belongs to the transaction like View's.
func (tx *Txn) Before() *View {
	tx.before = View{s: tx.s, r: pebbleReader{tx.s.db}, now: tx.now}
	return &tx.before
}

// Writes returns how many writes the transaction has been given.
func (tx *Txn) Writes() int { return tx.writes }

// Commit applies the writes and releases the latches. It returns as soon as
// others can see them; to know that they are on disk wait for the ticket. After
// an error nothing was applied, unless it is a *StoppedError: then the outcome
// is unknown.
func (tx *Txn) Commit() (Ticket, error) {
	if tx.done {
		return Ticket{}, errors.New("the transaction is over")
	}
	if tx.batch.empty() {
		return tx.Abort(), nil
	}
	s := tx.s
	s.counts.commits.Add(1)
	s.newest.inflight.Add(1)
	for _, l := range tx.latches {
		s.stripe[l].inflight.Add(1)
	}
	err := guarded(func() error { return s.db.Apply(tx.batch.batch, pebble.NoSync) })
	n := uint64(0)
	if err == nil {
		for _, fact := range tx.noted {
			fact.Store(true)
		}
		n = s.sync.join()
		raise(&s.newest, n)
		for _, l := range tx.latches {
			raise(&s.stripe[l], n)
		}
		s.deletedRanges(tx.batch.ranges)
	}
	for _, l := range tx.latches {
		s.stripe[l].inflight.Add(-1)
	}
	s.newest.inflight.Add(-1)
	tx.end()
	if err != nil {
		return Ticket{}, fmt.Errorf("committing: %w", s.stopWith(err))
	}
	return Ticket{s.sync, n}, nil
}

// raise sets a stripe's ticket to n unless it is there already.
func raise(st *stripe, n uint64) {
	for {
		old := st.ticket.Load()
		if old >= n || st.ticket.CompareAndSwap(old, n) {
			return
		}
	}
}

// Abort drops the writes and releases the latches. The ticket covers what the
// transaction can have read under its latches: wait for it before telling the
// outside why it was dropped. After Commit or Abort it does nothing.
func (tx *Txn) Abort() Ticket {
	if tx.done {
		return Ticket{}
	}
	n := uint64(0)
	for _, l := range tx.latches {
		// Nobody can be in flight under a latch that is held, except holders of
		// no latch: there are none.
		n = max(n, tx.s.stripe[l].ticket.Load())
	}
	tx.end()
	return Ticket{tx.s.sync, n}
}

func (tx *Txn) end() {
	tx.done = true
	tx.batch.close()
	for i := len(tx.latches) - 1; i >= 0; i-- {
		tx.s.stripe[tx.latches[i]].mu.Unlock()
	}
	tx.s.gate.RUnlock()
}
