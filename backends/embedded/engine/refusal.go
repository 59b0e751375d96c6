package engine

import (
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
)

// What Cassandra shows of a refusal depends on what it read for the conditions
// (CQL3CasRequest, BatchStatement of 5.0; seen on 5.0.6):
//
//   - Regular columns are read if some member of the batch names rows, statics if a
//     conditional member writes one or has one in its condition.
//   - With conditions on rows: those rows. With conditions on statics alone: the
//     first row of the partition of which anything was read, a liveness mark
//     included.
//   - Where no such row is there, the statics stand for it if they were read and
//     there are any.

// onStatics reports whether the conditions are about the partition's statics alone.
func (p *writePlan) onStatics() bool {
	if p.existence || p.cond == nil {
		return p.staticRow
	}
	return !slices.ContainsFunc(p.condCols, func(c *catalog.Column) bool { return c.Kind != catalog.Static })
}

// namesRows is Cassandra's updatesRegularRows.
func (w *pending) namesRows() bool {
	if len(w.p.tab.def.ClusteringKey) == 0 {
		return true
	}
	return !w.p.staticRow && (!w.p.ranged || len(w.targets) == 0 || w.targets[0].cut != nil)
}

// lookFirst finds the first row of a partition for conditions on statics alone.
func (w *pending) lookFirst(view *storage.View) error {
	p, t := w.p, &w.targets[0]
	it := view.Rows(p.tab.store, t.part, storage.Slice{}, false, make(storage.Columns, len(p.tab.store.Columns)))
	for it.Next() {
		row := it.Row()
		if w.first == nil {
			w.first = cloneValues(row.Clustering)
		}
		if row.Inserted {
			w.firstInserted = cloneValues(row.Clustering)
			break
		}
	}
	if err := it.Close(); err != nil || w.first == nil {
		return err
	}
	_, err := view.Get(p.tab.store, t.part, w.first, nil, &w.reg)
	return err
}

// refusedRows lists the rows that a refusal shows, each once, in the order of their
// clustering keys.
func refusedRows(ws []*pending) []*rowView {
	regulars, statics, onStatics := false, false, true
	for _, w := range ws {
		regulars = regulars || w.namesRows()
		if w.p.cond == nil {
			continue
		}
		onStatics = onStatics && w.p.onStatics()
		statics = statics || slices.ContainsFunc(w.p.assigns, func(a assign) bool { return a.col.Kind == catalog.Static }) ||
			slices.ContainsFunc(w.p.condCols, func(c *catalog.Column) bool { return c.Kind == catalog.Static })
	}
	var rows []*rowView
	var alone *rowView
	for _, w := range ws {
		v := &w.view
		if w.p.cond == nil {
			continue
		}
		if !statics {
			v.st = nil
		}
		switch {
		case w.p.onStatics():
			if !onStatics {
				break // other rows, or the statics, stand for it
			}
			if v.ck = w.firstInserted; regulars {
				v.ck, v.reg = w.first, &w.reg
			}
			if v.ck != nil {
				return []*rowView{v}
			}
		case v.exists:
			rows = append(rows, v)
		}
		if v.st != nil {
			alone = v
		}
	}
	if len(rows) == 0 && alone != nil {
		s := *alone
		s.ck, s.reg = nil, nil
		return []*rowView{&s}
	}
	if len(rows) < 2 {
		return rows
	}
	cols := rows[0].t.def.ClusteringKey
	slices.SortStableFunc(rows, func(a, b *rowView) int { return compareClustering(cols, a.ck, b.ck) })
	return slices.CompactFunc(rows, func(a, b *rowView) bool { return compareClustering(cols, a.ck, b.ck) == 0 })
}
