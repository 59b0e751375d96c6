package storage

import (
	"encoding/binary"
)

// View reads the store as it is at one moment. Get one from [Store.Snapshot],
// [Store.Peek] or [Txn.View]. A View is for one goroutine. Close it when done.
type View struct {
	s       *Store
	r       kvReader
	release func()
	now     int64
	key     []byte // scratch
}

// Now returns the second since 1970 that decides which cells have expired.
func (v *View) Now() int64 { return v.now }

// Close releases the view. Rows and iterators of it must not be used after.
func (v *View) Close() {
	if v.release != nil {
		v.release()
		v.release = nil
	}
}

// Share returns a view of the same state for another goroutine. It must not be used
// after v was closed, and need not be closed itself.
func (v *View) Share() *View { return &View{s: v.s, r: v.r, now: v.now} }

// Ticket returns a ticket for all that the view can have seen in the given
// partition. Whoever shows data to the outside waits for it. It is to be taken
// after reading.
func (v *View) Ticket(p Partition) Ticket { return v.s.latchTicket(p.Latch()) }

// TicketAll is Ticket for all partitions.
func (v *View) TicketAll() Ticket { return v.s.NewestTicket() }

// Get reads one row. clustering must be the whole clustering key, or nil for
// the static row if static is set. It reports whether the row exists.
func (v *View) Get(t *Table, p Partition, clustering [][]byte, want Columns, row *Row) (bool, error) {
	row.reset(t)
	v.key = t.appendRow(v.key[:0], p, clustering)
	return v.get(t, t.multi, t.regular, want, row)
}

// GetStatic reads a partition's static row.
func (v *View) GetStatic(t *Table, p Partition, want Columns, row *Row) (bool, error) {
	row.reset(t)
	if !t.hasStats {
		return false, nil
	}
	row.Static = true
	v.key = appendStatic(v.key[:0], p)
	return v.get(t, t.multiSt, t.statics, want, row)
}

// get reads the row whose prefix is in v.key.
func (v *View) get(t *Table, multi bool, kind []bool, want Columns, row *Row) (bool, error) {
	n := len(v.key)
	v.key = append(v.key, partPlain)
	var ok bool
	var err error
	if row.buf, ok, err = v.r.get(row.buf, v.key); err != nil {
		return false, v.s.readError(err)
	}
	if ok {
		if err := row.fill(t, row.buf, want, v.now); err != nil {
			return false, v.s.readError(err)
		}
	}
	if !multi || row.exists && !wantsElements(t, kind, want) {
		return row.exists, nil
	}
	lo := append(clone(v.key[:n]), partElement)
	hi := append(clone(v.key[:n]), partEnd)
	it, err := v.r.iter(lo, hi)
	if err != nil {
		return false, v.s.readError(err)
	}
	it.First()
	err = v.elements(t, it, n, want, row)
	if e := it.Close(); err == nil {
		err = e
	}
	return row.exists, v.s.readError(err)
}

func wantsElements(t *Table, kind []bool, want Columns) bool {
	for i := range t.Columns {
		if kind[i] && want.has(i) && t.Columns[i].Type.IsMultiCell() {
			return true
		}
	}
	return false
}

// elements reads forward over the elements of the row whose prefix is the first
// n bytes of each key. Columns nobody asked for are passed over in one step once
// it is known that the row exists.
func (v *View) elements(t *Table, it kvIter, n int, want Columns, row *Row) error {
	from, lastID, at := 0, uint32(0), -1
	first := true
	for it.Valid() {
		key := it.Key()
		if len(key) < n+5 {
			return errKeyForm
		}
		id := binary.BigEndian.Uint32(key[n+1:])
		if first || id != lastID {
			first, lastID = false, id
			at = t.ordinal(id, &from)
			if at >= 0 && t.Columns[at].Static != row.Static {
				at = -1
			}
		}
		if at < 0 || row.exists && !want.has(at) {
			next := append(make([]byte, 0, n+5), key[:n+1]...)
			if id == ^uint32(0) {
				return it.Error()
			}
			it.SeekGE(binary.BigEndian.AppendUint32(next, id+1))
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := row.addElement(t, at, key[n+5:], value, want, v.now); err != nil {
			return err
		}
		it.Next()
	}
	return it.Error()
}
