package plan

import (
	"errors"
	"fmt"
	"slices"
)

// leaseColumns are what a refusal by a shard's row must show.
var leaseColumns = []*Column{ShardRangeID, ShardWriteSeq, ShardEnds, ShardBurned, ShardNonce}

// LeaseColumns are the columns of [NumberedShards] that tell which writes of a
// shard took effect, in this order: range, number, ends, burned, nonce.
func LeaseColumns() []*Column { return slices.Clone(leaseColumns) }

// Lease returns the index of the mutation of the shard's row; -1 if there is none.
func (w *Write) Lease() int {
	return slices.IndexFunc(w.Mutations, func(m Mutation) bool { return m.Table == Shards || m.Table == NumberedShards })
}

// Numbered returns w as databases store it where the writes of a shard have
// numbers. An owner's write tests that last is the number of the last one that
// took effect, becomes the last one itself, and puts its number into the keys of
// its sequenced rows. Any other write deletes such rows whatever their numbers,
// and a new shard begins with number 0. w is not changed, and is returned itself
// if nothing differs.
func (w *Write) Numbered(last, number int64) (*Write, error) {
	if !slices.ContainsFunc(w.Mutations, func(m Mutation) bool { return m.Table.Numbered != nil }) {
		if w.Owner != nil {
			return nil, fmt.Errorf("%s has an owner and does not test the lease", w.Name)
		}
		return w, nil
	}
	c := *w
	c.Mutations = slices.Clone(w.Mutations)
	tested := false
	for i := range c.Mutations {
		m := &c.Mutations[i]
		var err error
		switch {
		case m.Table == Shards && w.Owner != nil:
			tested = true
			err = m.numberLease(last, number)
		case m.Table == Shards:
			err = m.numberShard()
		case m.Table.Numbered != nil:
			err = m.numberRow(w.Owner, number)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", w.Name, w.Mutations[i].KeyString(), err)
		}
	}
	if w.Owner != nil && !tested {
		return nil, fmt.Errorf("%s has an owner and does not test the lease", w.Name)
	}
	return &c, nil
}

// numberLease makes the test of a lease one of the number too.
func (m *Mutation) numberLease(last, number int64) error {
	if m.Op != Assert && m.Op != Update {
		return errors.New("an owner only tests and updates the lease")
	}
	m.Table, m.Op = NumberedShards, Update
	m.Conds = append(slices.Clip(m.Conds), Cond{Test: Equal, Column: ShardWriteSeq, Value: last})
	m.Effects = append(slices.Clip(m.Effects), Effect{Op: Set, Column: ShardWriteSeq, Value: number})
	m.Show = leaseColumns
	return nil
}

// numberShard is for the row of a shard that nobody owns yet.
func (m *Mutation) numberShard() error {
	if m.Op != Insert {
		return errors.New("only an owner changes a shard")
	}
	m.Table = NumberedShards
	m.Effects = append(slices.Clip(m.Effects), Effect{Op: Set, Column: ShardWriteSeq, Value: int64(0)})
	return nil
}

// numberRow is for a sequenced row: the owner inserts it under the number of
// the write, and everybody deletes all of its attempts.
func (m *Mutation) numberRow(o *Owner, number int64) error {
	switch {
	case len(m.Conds) > 0:
		return errors.New("a sequenced row has no conditions")
	case m.Op == Delete:
		m.Op = DeleteRange // of all attempts
	case m.Op == DeleteRange:
	case m.Op != Insert || !m.Ahead || o == nil:
		return errors.New("a sequenced row is inserted ahead of its owner's write")
	default:
		m.Key = append(slices.Clip(m.Key), o.RangeID, number)
	}
	m.Table = m.Table.Numbered
	return nil
}

// Numbered returns r as databases answer it where the writes of a shard have
// numbers. A read of a shard's row has [LeaseColumns] added, in front of which
// are the columns of r. A read of sequenced rows has the columns of the key added
// that it leaves open, the number of the write last; it finds all attempts. r is
// returned itself if nothing differs.
func (r *Read) Numbered() (*Read, error) {
	t := r.Table.Numbered
	if t == nil {
		return r, nil
	}
	if r.Count || r.Limit != NoLimit || r.Desc || r.TTLOf != nil || r.Eq == 0 {
		return nil, fmt.Errorf("%s: reads of %s have rows skipped, and know the shard", r.Name, r.Table)
	}
	c := *r
	c.Table = t
	more := leaseColumns
	if r.Table.Sequenced {
		more = t.Key[r.Eq:]
	}
	c.Columns = slices.Concat(r.Columns, more)
	return &c, nil
}
