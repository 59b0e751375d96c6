package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
)

// noTime is the timestamp of something that is not there.
const noTime = math.MinInt64

// Cell is a stored value as a reader sees it. A nil Value is null: no cell, a
// deleted one or an expired one.
type Cell struct {
	Value     []byte
	Timestamp int64 // write time, microseconds since 1970
	TTL       int32 // seconds, as written; 0 is forever
	Expiry    int64 // second since 1970 from which the cell is gone; 0 is never
}

// Remaining returns how many seconds the cell still lives at second now; ok is
// false if it lives forever.
func (c *Cell) Remaining(now int64) (seconds int32, ok bool) {
	if c.TTL == 0 {
		return 0, false
	}
	return int32(c.Expiry - now), true
}

// entry is a cell of a packed row with its column, or a tombstone of one. A
// tombstone's Expiry is the second of its deletion. For a column with elements
// an entry is always a tombstone, of everything in the column.
type entry struct {
	Cell
	id   uint32
	dead bool
}

func (e *entry) expired(now int64) bool { return e.Expiry != 0 && e.Expiry <= now }

func (e *entry) live(now int64) bool { return !e.dead && !e.expired(now) }

// wins reports whether e replaces o where both are for the same cell: the rules
// of Cassandra's Cells.reconcile. The later timestamp wins; with equal ones a
// tombstone beats everything, a cell that will expire beats one that will not,
// the later expiry beats the earlier, the greater value the lesser.
func (e *entry) wins(o *entry) bool {
	if e.Timestamp != o.Timestamp {
		return e.Timestamp > o.Timestamp
	}
	if fe, fo := e.Expiry != 0 || e.dead, o.Expiry != 0 || o.dead; fe != fo {
		return fe
	}
	if e.dead != o.dead {
		return e.dead
	}
	if e.Expiry != o.Expiry {
		return e.Expiry > o.Expiry
	}
	return bytes.Compare(e.Value, o.Value) > 0
}

// liveness is a row's mark that it was inserted.
type liveness struct {
	Timestamp int64 // noTime: no mark
	TTL       int32
	Expiry    int64
}

func (l *liveness) present() bool { return l.Timestamp != noTime }

func (l *liveness) live(now int64) bool {
	return l.present() && (l.Expiry == 0 || l.Expiry > now)
}

// wins: as Cassandra's LivenessInfo.supersedes.
func (l *liveness) wins(o *liveness) bool {
	if l.Timestamp != o.Timestamp {
		return l.Timestamp > o.Timestamp
	}
	if (l.Expiry != 0) != (o.Expiry != 0) {
		return l.Expiry != 0
	}
	return l.Expiry > o.Expiry
}

// packed is the value of a row's plain key.
type packed struct {
	live      liveness
	deleted   int64 // timestamp of a row tombstone; noTime: none
	deletedAt int64 // second of it
	entries   []entry
}

func (p *packed) reset() {
	p.live = liveness{Timestamp: noTime}
	p.deleted, p.deletedAt = noTime, 0
	p.entries = p.entries[:0]
}

func (p *packed) empty() bool {
	return !p.live.present() && p.deleted == noTime && len(p.entries) == 0
}

// find returns the place of the entry of a column, or where it would be.
func (p *packed) find(id uint32) (at int, ok bool) {
	for at < len(p.entries) && p.entries[at].id < id {
		at++
	}
	return at, at < len(p.entries) && p.entries[at].id == id
}

// The form of a packed row: flags, the timestamp that most of its cells share,
// the mark's and the tombstone's own fields, then entries in order of column
// IDs.
const (
	rowLive    byte = 1 << iota // has a mark, of the shared timestamp
	rowLiveTTL                  // the mark has TTL and expiry
	rowDeleted                  // has a tombstone: timestamp, second
)

const (
	cellTime byte = 1 << iota // has a timestamp of its own
	cellTTL                   // has TTL and expiry
	cellDead                  // tombstone: second, no value
	cellBits = 3
)

// mostID is the greatest column ID that fits an entry's head.
const mostID = math.MaxUint32

// appendTo appends the binary form of p.
func (p *packed) appendTo(dst []byte) []byte {
	base := int64(0)
	var flags byte
	switch {
	case p.live.present():
		base = p.live.Timestamp
		flags |= rowLive
		if p.live.Expiry != 0 {
			flags |= rowLiveTTL
		}
	case len(p.entries) > 0:
		base = p.entries[0].Timestamp
	}
	if p.deleted != noTime {
		flags |= rowDeleted
	}
	dst = append(dst, flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(base))
	if flags&rowLiveTTL != 0 {
		dst = binary.AppendUvarint(dst, uint64(p.live.TTL))
		dst = binary.AppendUvarint(dst, uint64(p.live.Expiry))
	}
	if flags&rowDeleted != 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.deleted))
		dst = binary.AppendUvarint(dst, uint64(p.deletedAt))
	}
	for i := range p.entries {
		dst = p.entries[i].appendTo(dst, base)
	}
	return dst
}

func (e *entry) appendTo(dst []byte, base int64) []byte {
	var flags byte
	if e.Timestamp != base {
		flags |= cellTime
	}
	if e.dead {
		flags |= cellDead
	} else if e.Expiry != 0 {
		flags |= cellTTL
	}
	dst = binary.AppendUvarint(dst, uint64(e.id)<<cellBits|uint64(flags))
	if flags&cellTime != 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.Timestamp))
	}
	if flags&cellTTL != 0 {
		dst = binary.AppendUvarint(dst, uint64(e.TTL))
	}
	if flags&(cellTTL|cellDead) != 0 {
		dst = binary.AppendUvarint(dst, uint64(e.Expiry))
	}
	if !e.dead {
		dst = binary.AppendUvarint(dst, uint64(len(e.Value)))
		dst = append(dst, e.Value...)
	}
	return dst
}

var errRowForm = errors.New("a stored row is damaged: restore from a backup")

// decode reads the binary form, and takes nothing that appendTo never writes;
// values alias b.
func (p *packed) decode(b []byte) error {
	p.reset()
	d := decoder{b: b}
	flags := d.byte()
	base := d.int64()
	d.want(flags < rowDeleted<<1 && flags&(rowLive|rowLiveTTL) != rowLiveTTL)
	if flags&rowLive != 0 {
		p.live.Timestamp = base
		d.want(p.live.present())
	}
	if flags&rowLiveTTL != 0 {
		p.live.TTL, p.live.Expiry = d.ttl()
	}
	if flags&rowDeleted != 0 {
		p.deleted = d.int64()
		p.deletedAt = int64(d.uvarint())
		d.want(p.deleted != noTime)
	}
	for from := uint64(0); len(d.b) > 0 && !d.bad; {
		head := d.uvarint()
		cf, id := byte(head)&(1<<cellBits-1), head>>cellBits
		d.want(from <= id && id <= mostID)
		from = id + 1
		e := entry{id: uint32(id), dead: cf&cellDead != 0}
		e.Timestamp = base
		if cf&cellTime != 0 {
			e.Timestamp = d.int64()
		}
		d.rest(&e, cf)
		if !e.dead {
			e.Value = d.take(d.uvarint())
		}
		p.entries = append(p.entries, e)
	}
	if d.bad {
		return errRowForm
	}
	return nil
}

// The form of an element: flags, timestamp, TTL and expiry or the second of
// deletion, the value.
func (e *entry) appendElement(dst []byte) []byte {
	var flags byte
	if e.dead {
		flags |= cellDead
	} else if e.Expiry != 0 {
		flags |= cellTTL
	}
	dst = append(dst, flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Timestamp))
	if flags&cellTTL != 0 {
		dst = binary.AppendUvarint(dst, uint64(e.TTL))
	}
	if flags != 0 {
		dst = binary.AppendUvarint(dst, uint64(e.Expiry))
	}
	if e.dead {
		return dst
	}
	return append(dst, e.Value...)
}

func (e *entry) decodeElement(b []byte) error {
	d := decoder{b: b}
	flags := d.byte()
	d.want(flags == 0 || flags == cellTTL || flags == cellDead)
	*e = entry{dead: flags&cellDead != 0}
	e.Timestamp = d.int64()
	d.rest(e, flags)
	if e.dead {
		d.want(len(d.b) == 0)
	} else {
		e.Value = d.take(uint64(len(d.b)))
	}
	if d.bad {
		return errRowForm
	}
	return nil
}

// decoder reads a stored value; bad is set where it ends early or says what is
// never written.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) want(ok bool) {
	if !ok {
		d.bad = true
	}
}

// ttl reads what the mark of a row or a cell that is to expire has.
func (d *decoder) ttl() (ttl int32, expiry int64) {
	t := d.uvarint()
	expiry = int64(d.uvarint())
	d.want(t <= math.MaxInt32 && expiry > 0)
	return int32(t), expiry
}

// rest reads what flags say that a cell has of TTL, expiry, second of deletion.
func (d *decoder) rest(e *entry, flags byte) {
	switch flags & (cellTTL | cellDead) {
	case cellTTL:
		e.TTL, e.Expiry = d.ttl()
	case cellDead:
		e.Expiry = int64(d.uvarint())
	case cellTTL | cellDead:
		d.bad = true
	}
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	if v == nil {
		v = []byte{}
	}
	return v
}

func (d *decoder) byte() byte {
	if b := d.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (d *decoder) int64() int64 {
	if b := d.take(8); len(b) == 8 {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad = true
		d.b = nil
		return 0
	}
	d.b = d.b[n:]
	return v
}
