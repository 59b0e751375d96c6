package records

import (
	"cmp"
	"context"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Ref names a record.
type Ref struct {
	Kind Kind
	Unit Unit
	Key  []any
}

func (r Ref) String() string {
	rec := Record{Kind: r.Kind, Key: r.Key}
	return string(r.Unit) + " " + rec.KeyString()
}

// Ref returns the name of a record.
func (r *Record) Ref() Ref { return Ref{Kind: r.Kind, Unit: r.Unit, Key: r.Key} }

// Keys holds the records of some slots by their keys, without their fields: with it
// two sides are compared where their digests differ. Of a slot whose digests differ
// in nothing but records that expire, or may, it holds only these. It needs about 350
// bytes for a record: divide slots that have too many, which [SlotDiff.Held] tells.
type Keys struct {
	// Tolerance is how far apart two instants of one expiry may be, in milliseconds;
	// [ExpiryTolerance] by default.
	Tolerance int64

	level  Level
	digest *Digest
	slots  map[Slot]holding
	refs   map[string]keyed
}

type keyed struct {
	ref     Ref
	hash    Hash
	expires int64
}

// holding is what of a slot is held.
type holding uint8

const (
	nothing holding = iota
	expiring
	everything
)

// NewKeys returns an empty Keys for these slots of a digest like d.
func NewKeys(d *Digest, slots ...SlotDiff) *Keys {
	k := &Keys{
		Tolerance: ExpiryTolerance, level: d.Level, digest: NewDigest(d.Level),
		slots: make(map[Slot]holding, len(slots)), refs: make(map[string]keyed),
	}
	k.digest.Buckets = d.Buckets
	for i := range slots {
		k.slots[slots[i].Slot] = slots[i].holding()
	}
	return k
}

// Add takes in a record if it belongs to one of the slots and is to be held.
func (k *Keys) Add(r *Record) {
	if h := k.slots[k.digest.Slot(r)]; h == everything || h == expiring && r.Expires != 0 {
		k.refs[string(r.appendKey(nil))] = keyed{r.Ref(), r.Hash(k.level), r.Expires}
	}
}

// Len is the number of records.
func (k *Keys) Len() int { return len(k.refs) }

// Why is what is wrong with a record.
type Why string

// What may be wrong with a record.
const (
	OnlyA   Why = "only in A"
	OnlyB   Why = "only in B"
	Differs Why = "differs"
	Expires Why = "expires at another time"
	Moved   Why = "is of another unit"
)

// RecordDiff is a record in which two sides differ.
type RecordDiff struct {
	Ref
	Why Why
}

// Diff returns the records in which two sides differ, sorted by unit and key.
// now is when the later side was read, in milliseconds since 1970: records that
// expire and are on one side only are no difference if they may have gone
// meanwhile.
func (k *Keys) Diff(o *Keys, now int64) []RecordDiff {
	var all []RecordDiff
	gone := func(x keyed) bool { return x.expires != 0 && x.expires <= now+ExpiryTolerance }
	for id, a := range k.refs {
		b, both := o.refs[id]
		apart := a.expires - b.expires
		switch {
		case !both && gone(a):
		case !both:
			all = append(all, RecordDiff{a.ref, OnlyA})
		case a.ref.Unit != b.ref.Unit:
			all = append(all, RecordDiff{a.ref, Moved})
		case (a.expires == 0) != (b.expires == 0):
			all = append(all, RecordDiff{a.ref, Expires})
		case a.hash != b.hash:
			all = append(all, RecordDiff{a.ref, Differs})
		case k.level >= Content && (apart > k.Tolerance || apart < -k.Tolerance):
			all = append(all, RecordDiff{a.ref, Expires})
		}
	}
	for id, b := range o.refs {
		if _, both := k.refs[id]; !both && !gone(b) {
			all = append(all, RecordDiff{b.ref, OnlyB})
		}
	}
	slices.SortFunc(all, func(a, b RecordDiff) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.String(), b.String()))
	})
	return all
}

// points reads one row by its key.
var points = func() map[Kind]*plan.Read {
	reads := make(map[Kind]*plan.Read, len(kinds))
	for k, info := range kinds {
		r := whole(info.table, len(info.table.Key))
		r.Name += "/point"
		reads[k] = r
	}
	return reads
}()

// Get reads one record by its name; nil if it does not exist.
func (s *Source) Get(ctx context.Context, ref Ref) (*Record, error) {
	all, _, err := s.readPage(ctx, &scan{read: points[ref.Kind]}, ref.Key, nil, 1)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	all[0].Unit = ref.Unit
	return &all[0], nil
}
