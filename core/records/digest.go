package records

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// Level is how much of records is compared. Each level includes those before.
type Level uint8

// The levels. What is beyond them, that blobs decode and that histories are
// complete, is for [Source.Meaning].
const (
	Counts   Level = iota + 1 // how many records
	Versions                  // their keys, and the columns that every change moves on
	Content                   // all of them
)

// Hash is the SHA-256 of what a level compares of a record.
type Hash [32]byte

// Hash returns the hash of a record at a level, of its canonical form: its
// unit and the instant of its expiry are left out, that it expires is not.
func (r *Record) Hash(level Level) Hash {
	return hashOf(r.Canonical(), level, nil)
}

func hashOf(c *Record, level Level, buffer []byte) Hash {
	b := append(buffer[:0], EncodingVersion, byte(c.Kind), 0)
	if c.Expires != 0 {
		b[2] = 1
	}
	if level >= Content {
		return sha256.Sum256(c.appendContent(b))
	}
	b = c.appendKey(b)
	if level == Versions {
		for _, column := range kinds[c.Kind].versions {
			if v := normal(c.Value(column)); v != nil {
				b = appendValue(appendText(b, column.Name), column.Kind, v)
			}
		}
	}
	return sha256.Sum256(b)
}

// Sum is a sum of hashes modulo 2^256, little end first: independent of order,
// and what was added can be taken off again.
type Sum [4]uint64

func (s *Sum) add(h Hash) {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], binary.LittleEndian.Uint64(h[8*i:]), carry)
	}
}

func (s *Sum) subtract(h Hash) {
	var borrow uint64
	for i := range s {
		s[i], borrow = bits.Sub64(s[i], binary.LittleEndian.Uint64(h[8*i:]), borrow)
	}
}

func (s *Sum) merge(o Sum) {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], o[i], carry)
	}
}

// Cell is what a digest holds of some records.
type Cell struct {
	Count int64 `json:"count"`
	Sum   Sum   `json:"sum"`
	// Expiring records are held apart: some may have gone between the reading of
	// one side and of the other.
	Expiring    int64 `json:"expiring,omitempty"`
	ExpiringSum Sum   `json:"expiringSum,omitzero"`
}

// Slot names a cell: a unit (or the group that stands for it), a family and a
// bucket of keys.
type Slot struct {
	Unit   Unit   `json:"unit"`
	Family Family `json:"family"`
	Bucket int    `json:"bucket"`
}

func (s Slot) String() string { return fmt.Sprintf("%s %s bucket %d", s.Unit, s.Family, s.Bucket) }

// Compare orders slots by unit, family and bucket.
func (s Slot) Compare(o Slot) int {
	return cmp.Or(cmp.Compare(s.Unit, o.Unit), cmp.Compare(s.Family.Kind, o.Family.Kind),
		cmp.Compare(s.Family.Category, o.Family.Category), cmp.Compare(s.Bucket, o.Bucket))
}

// DefaultBuckets is into how many buckets a digest divides the keys of a unit
// and family.
const DefaultBuckets = 16

// Digest sums up records. It is used by one goroutine; digests of parts that
// were read side by side are merged.
type Digest struct {
	Level   Level
	Buckets int
	Cells   map[Slot]Cell
	groups  map[Unit]Unit // of units seen last
	buffer  []byte
}

// NewDigest returns an empty digest of a level with [DefaultBuckets].
func NewDigest(level Level) *Digest {
	return &Digest{Level: level, Buckets: DefaultBuckets, Cells: make(map[Slot]Cell), groups: make(map[Unit]Unit)}
}

// Slot returns where a record is summed up.
func (d *Digest) Slot(r *Record) Slot {
	d.buffer = r.appendKey(d.buffer[:0])
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range d.buffer {
		h = (h ^ uint64(b)) * 1099511628211
	}
	h ^= h >> 32
	group, ok := d.groups[r.Unit]
	if !ok {
		if len(d.groups) > 4096 {
			clear(d.groups)
		}
		group = r.Unit.Group()
		d.groups[r.Unit] = group
	}
	return Slot{Unit: group, Family: r.Family(), Bucket: int(h % uint64(d.Buckets))}
}

// Add takes a record in.
func (d *Digest) Add(r *Record) { d.change(r, 1) }

// Remove takes a record off that was taken in as it is.
func (d *Digest) Remove(r *Record) { d.change(r, -1) }

func (d *Digest) change(r *Record, n int64) {
	slot := d.Slot(r)
	cell := d.Cells[slot]
	count, sum := &cell.Count, &cell.Sum
	if r.Expires != 0 {
		count, sum = &cell.Expiring, &cell.ExpiringSum
	}
	*count += n
	if d.Level > Counts {
		d.buffer = slices.Grow(d.buffer[:0], r.Size())
		h := hashOf(r.Canonical(), d.Level, d.buffer)
		if n > 0 {
			sum.add(h)
		} else {
			sum.subtract(h)
		}
	}
	if cell == (Cell{}) {
		delete(d.Cells, slot)
		return
	}
	d.Cells[slot] = cell
}

// Merge takes in all that o holds. It fails if the two are not of one form.
func (d *Digest) Merge(o *Digest) error {
	if err := d.comparable(o); err != nil {
		return err
	}
	for slot, c := range o.Cells {
		cell := d.Cells[slot]
		cell.Count += c.Count
		cell.Sum.merge(c.Sum)
		cell.Expiring += c.Expiring
		cell.ExpiringSum.merge(c.ExpiringSum)
		d.Cells[slot] = cell
	}
	return nil
}

func (d *Digest) comparable(o *Digest) error {
	if d.Level != o.Level || d.Buckets != o.Buckets {
		return fmt.Errorf("digests of level %d with %d buckets and of level %d with %d are not comparable",
			d.Level, d.Buckets, o.Level, o.Buckets)
	}
	return nil
}

// Totals are the counts of records by family, those that expire included.
func (d *Digest) Totals() map[Family]int64 {
	totals := make(map[Family]int64)
	for slot, c := range d.Cells {
		totals[slot.Family] += c.Count + c.Expiring
	}
	return totals
}

// SlotDiff is a cell in which two digests differ, or may.
type SlotDiff struct {
	Slot
	A, B Cell
	// Unsure marks cells whose sums are the same but which hold records that
	// expire: when, only a comparison record by record tells.
	Unsure bool
}

// holding: what expires is summed up apart, and so is that it does.
func (s *SlotDiff) holding() holding {
	if s.A.Count == s.B.Count && s.A.Sum == s.B.Sum {
		return expiring
	}
	return everything
}

// Held is how many records of both sides [Keys] hold of the slot.
func (s *SlotDiff) Held() int64 {
	n := s.A.Expiring + s.B.Expiring
	if s.holding() == everything {
		n += s.A.Count + s.B.Count
	}
	return n
}

// Diff returns the cells in which two digests differ, sorted. Those with
// records that expire are always among them: [Keys] of both sides decide.
func (d *Digest) Diff(o *Digest) ([]SlotDiff, error) {
	if err := d.comparable(o); err != nil {
		return nil, err
	}
	var all []SlotDiff
	for slot, a := range d.Cells {
		b := o.Cells[slot]
		if a != b || a.Expiring > 0 && d.Level >= Content {
			all = append(all, SlotDiff{Slot: slot, A: a, B: b, Unsure: a == b})
		}
	}
	for slot, b := range o.Cells {
		if _, both := d.Cells[slot]; !both {
			all = append(all, SlotDiff{Slot: slot, B: b})
		}
	}
	slices.SortFunc(all, func(a, b SlotDiff) int { return a.Compare(b.Slot) })
	return all, nil
}
