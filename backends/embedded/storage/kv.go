package storage

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// The ordered key-value store below, as small as this package needs it. The
// rest of the package, but for opening and backup, knows only these interfaces.

// kvReader reads a state: the newest, a snapshot's, or a batch's own.
type kvReader interface {
	// get appends the value of key to buf; ok is false if there is none.
	get(buf, key []byte) (value []byte, ok bool, err error)
	// has reports whether there is a value of key. It is made for keys of which
	// most are not there.
	has(key []byte) (bool, error)
	// iter walks the keys in [lo, hi); a nil bound is open. It keeps lo and hi.
	iter(lo, hi []byte) (kvIter, error)
}

// kvIter is a walk over keys. Key and value are valid until the next move.
type kvIter interface {
	First() bool
	Last() bool
	SeekGE(key []byte) bool
	SeekLT(key []byte) bool
	Next() bool
	Prev() bool
	Valid() bool
	Key() []byte
	ValueAndErr() ([]byte, error)
	Error() error
	Close() error
}

// pebbleReader adapts a pebble.DB, Snapshot or indexed Batch.
type pebbleReader struct{ r pebble.Reader }

func (p pebbleReader) get(buf, key []byte) ([]byte, bool, error) {
	v, closer, err := p.r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return buf, false, nil
	}
	if err != nil {
		return buf, false, err
	}
	buf = append(buf, v...)
	return buf, true, closer.Close()
}

// has asks the filters of all levels. Get leaves out the one of the last level,
// where nearly everything is, and reads a block of it instead.
func (p pebbleReader) has(key []byte) (bool, error) {
	it, err := p.r.NewIter(&pebble.IterOptions{LowerBound: key, UpperBound: append(clone(key), 0), UseL6Filters: true})
	if err != nil {
		return false, err
	}
	ok := it.SeekPrefixGE(key)
	return ok, errors.Join(it.Error(), it.Close())
}

func (p pebbleReader) iter(lo, hi []byte) (kvIter, error) {
	return p.r.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
}

// pebbleBatch collects writes, of which later ones win, and can be read from. It
// copies its arguments. Its index is made when it is first read after a write:
// most statements write once and read before.
type pebbleBatch struct {
	db      *pebble.DB
	batch   *pebble.Batch
	indexed bool
	ranges  int // deletions of ranges
}

func newPebbleBatch(db *pebble.DB) *pebbleBatch {
	return &pebbleBatch{db: db, batch: db.NewBatch()}
}

// The errors of pebble.Batch's writers are about closed batches and such:
// mistakes of this package, never the disk's.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (b *pebbleBatch) set(key, value []byte)  { must(b.batch.Set(key, value, nil)) }
func (b *pebbleBatch) del(key []byte)         { must(b.batch.Delete(key, nil)) }
func (b *pebbleBatch) delRange(lo, hi []byte) { must(b.batch.DeleteRange(lo, hi, nil)); b.ranges++ }
func (b *pebbleBatch) empty() bool            { return b.batch.Empty() }
func (b *pebbleBatch) close()                 { _ = b.batch.Close() }

// reader returns a view of the newest state with the batch on top.
func (b *pebbleBatch) reader() kvReader {
	if b.batch.Empty() {
		return pebbleReader{b.db}
	}
	if !b.indexed {
		ib := b.db.NewIndexedBatch()
		must(ib.Apply(b.batch, nil))
		b.close()
		b.batch, b.indexed = ib, true
	}
	return pebbleReader{b.batch}
}
