package engine

import (
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
)

// scanAll reads partitions in the order of tokens.
func (q *reading) scanAll() error {
	s, t := q.p, q.p.tab
	r, empty, err := q.tokenRange()
	if err != nil || empty {
		return err
	}
	if q.from != nil {
		part, err := t.store.PartitionOf(q.from.key)
		if err != nil {
			return badState(q.ycql)
		}
		r.After = &storage.Place{Partition: part, Clustering: q.from.ck, Done: q.from.ck == nil}
	}
	if s.index != nil {
		return q.byIndex(r)
	}
	it := q.view.Scan(t.store, r, s.want)
	defer func() { _ = it.Close() }() // its error is taken below, where it counts
	var held *storage.Row             // a static row that may have no rows behind it
	var heldKey [][]byte
	// The partition of the row before, by the address of its key: the walk makes a
	// new slice for each.
	var current *[]byte
	flush := func() (bool, error) {
		if held == nil {
			return true, nil
		}
		st := held
		held = nil
		if !q.staticAlone() && !s.distinct {
			return true, nil
		}
		q.row.key, q.row.st, q.row.reg, q.row.ck = heldKey, st, nil, nil
		return q.emit()
	}
	if q.from != nil && q.from.ck != nil && t.store.HasStatics() {
		if ok, err := q.view.GetStatic(t.store, r.After.Partition, s.want, &q.static); err != nil {
			return err
		} else if ok {
			q.row.st = &q.static
		}
	}
	for it.Next() {
		if key := it.PartitionKey(); &key[0] != current {
			goesOn := current == nil && q.from != nil && q.from.ck != nil && compareKeys(t.def.PartitionKey, key, q.from.key) == 0
			current = &key[0]
			if more, err := flush(); err != nil || !more {
				return err
			}
			if !goesOn {
				q.perLeft, q.row.st = q.perLimit, nil
			}
		}
		if it.Row().Static {
			held = copyRow(it.Row())
			heldKey = cloneValues(it.PartitionKey())
			q.row.st = held
			continue
		}
		held = nil
		q.row.key, q.row.reg, q.row.ck = it.PartitionKey(), it.Row(), it.Row().Clustering
		if s.distinct {
			q.row.reg, q.row.ck = nil, nil
		}
		more, err := q.emit()
		if err != nil || !more {
			return err
		}
		if s.distinct || q.perLimit >= 0 && q.perLeft <= 0 {
			it.SkipPartition()
		}
	}
	if err := it.Close(); err != nil {
		return err
	}
	_, err = flush()
	return err
}

// byIndex reads the rows that an index names.
func (q *reading) byIndex(r storage.Range) error {
	s, t := q.p, q.p.tab
	ix := t.index(s.index.index)
	value, err := s.where.cols[s.index.col.Index].eq.required(&q.env)
	if err != nil {
		return err
	}
	if value == nil {
		return cqlerr.Invalid("Unsupported null value for column %s", s.index.col.Name)
	}
	var after *storage.Hit
	if q.from != nil {
		part, err := t.store.PartitionOf(q.from.key)
		if err != nil {
			return badState(q.ycql)
		}
		after = &storage.Hit{Partition: part, Clustering: q.from.ck}
		if after.Clustering == nil {
			after.Clustering = [][]byte{}
		}
	}
	var inner error
	err = q.view.Lookup(t.store, ix, [][]byte{value}, after, func(h storage.Hit) bool {
		if h.Partition.Token < r.First || h.Partition.Token > r.Last {
			return true
		}
		key, err := t.store.PartitionValues(h.Partition)
		if err != nil {
			inner = err
			return false
		}
		reg := &storage.Row{}
		ok, err := q.view.Get(t.store, h.Partition, h.Clustering, s.want, reg)
		if err != nil || !ok {
			inner = err
			return err == nil
		}
		q.row.key, q.row.ck, q.row.reg, q.row.st = key, h.Clustering, reg, nil
		if t.store.HasStatics() && s.needStatic {
			if ok, err := q.view.GetStatic(t.store, h.Partition, s.want, &q.static); err != nil {
				inner = err
				return false
			} else if ok {
				q.row.st = &q.static
			}
		}
		more, err := q.emit()
		inner = err
		return more && err == nil
	})
	if inner != nil {
		return inner
	}
	return err
}

func copyRow(r *storage.Row) *storage.Row {
	c := &storage.Row{Static: r.Static, Inserted: r.Inserted, Cells: slices.Clone(r.Cells), Elements: make([][]storage.Element, len(r.Elements))}
	for i := range c.Cells {
		c.Cells[i].Value = slices.Clone(c.Cells[i].Value)
	}
	for i := range r.Elements {
		for _, e := range r.Elements[i] {
			e.Key, e.Value = slices.Clone(e.Key), slices.Clone(e.Value)
			c.Elements[i] = append(c.Elements[i], e)
		}
	}
	return c
}

func cloneValues(v [][]byte) [][]byte {
	c := make([][]byte, len(v))
	for i := range v {
		c[i] = append([]byte{}, v[i]...)
	}
	return c
}
