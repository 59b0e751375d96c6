package migrate

import (
	"context"
	"fmt"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// reconcile makes side b what side a is: what differs is written, what a does not
// have is deleted. It is how a deployment is copied again, and how it goes back.
// What b's shard rows say of their range is not compared, and decides which ids
// tasks will have: they are written in any case.
func (m *Migration) reconcile(ctx context.Context, a, b *Side, back bool) (changed, removed int64, err error) {
	o := records.Options{FromAckLevel: !back, SkipGarbage: true}
	pa, err := a.pager(o)
	if err != nil {
		return 0, 0, err
	}
	// On the way there, trees without an execution were never copied: those that the
	// target has are extras. On the way back the other side has its own.
	o.SkipGarbage = back
	pb, err := b.pager(o)
	if err != nil {
		return 0, 0, err
	}
	to, err := b.putter(m.fence(b))
	if err != nil {
		return 0, 0, err
	}
	// Every writing and reading adds to how far off an expiry is: what is nearly as far
	// as a verification allows is written again.
	c := &comparison{m: m, a: pa, b: pb, level: records.Content, tolerance: records.ExpiryTolerance / 2}
	da, db, err := c.digests(ctx)
	if err != nil {
		return 0, 0, err
	}
	slots, err := da.Digest.Diff(db.Digest)
	if err != nil {
		return 0, 0, err
	}
	slices.SortStableFunc(slots, func(x, y records.SlotDiff) int { return rank(x.Family.Kind) - rank(y.Family.Kind) })
	err = c.differences(ctx, slots, func(diffs []records.RecordDiff) error {
		n, gone, err := m.apply(ctx, c, to, diffs)
		changed, removed = changed+n, removed+gone
		return err
	})
	if err != nil {
		return changed, removed, err
	}
	return changed, removed, m.shardRecords(ctx, c, to)
}

// rank is in which phase records of a kind are written.
func rank(k records.Kind) int {
	stages := stagesOf(k, true)
	for i, phase := range phases {
		if slices.Contains(phase, stages[0]) {
			return i
		}
	}
	return len(phases)
}

// apply writes and deletes what differs.
func (m *Migration) apply(ctx context.Context, c *comparison, to *putter, diffs []records.RecordDiff) (changed, removed int64, err error) {
	const batch = 200
	slices.SortStableFunc(diffs, func(x, y records.RecordDiff) int { return rank(x.Kind) - rank(y.Kind) })
	for some := range slices.Chunk(diffs, batch) {
		var gone []records.Ref
		var wanted []records.Ref
		for _, d := range some {
			if d.Why == records.OnlyB {
				gone = append(gone, d.Ref)
			} else {
				wanted = append(wanted, d.Ref)
			}
		}
		found := make([]*records.Record, len(wanted))
		err := each(ctx, len(wanted), func(ctx context.Context, i int) error {
			r, err := c.a.points.Get(ctx, wanted[i])
			if err != nil {
				return fmt.Errorf("read %s of the %s: %w", wanted[i], c.a.side.Name, err)
			}
			found[i] = r
			return nil
		})
		if err != nil {
			return changed, removed, err
		}
		var all []records.Record
		for _, r := range found {
			if r != nil { // else it has expired
				all = append(all, *r)
			}
		}
		if err := to.put(ctx, all, true); err != nil {
			return changed, removed, err
		}
		if err := to.remove(ctx, gone); err != nil {
			return changed, removed, err
		}
		changed, removed = changed+int64(len(all)), removed+int64(len(gone))
	}
	return changed, removed, nil
}

// shardRecords writes the rows of all shards.
func (m *Migration) shardRecords(ctx context.Context, c *comparison, to *putter) error {
	return each(ctx, int(m.From.Shards), func(ctx context.Context, i int) error {
		shard := int64(i) + 1
		ref := records.Ref{Kind: records.Shard, Unit: records.ShardUnit(shard), Key: []any{shard}}
		r, err := c.a.points.Get(ctx, ref)
		if err != nil {
			return fmt.Errorf("read %s of the %s: %w", ref, c.a.side.Name, err)
		}
		if r == nil {
			return nil
		}
		return to.put(ctx, []records.Record{*r}, true)
	})
}
