package engine

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
)

// reading is one page of one SELECT.
type reading struct {
	env
	p    *selectPlan
	view *storage.View
	out  rowsOut
	acc  []accumulator

	left      int64 // of LIMIT; negative: no limit
	skip      int64 // of OFFSET
	perLimit  int64 // PER PARTITION LIMIT; negative: none
	perLeft   int64
	page      int64 // rows that fit the page; negative: no paging
	more      bool
	lastKey   bool       // no other partition follows
	sortKeys  [][][]byte // clustering keys of the rows, for ORDER BY over partitions
	last      place      // where the last row of a full page was
	from      *place
	row       rowView
	static    storage.Row
	ticketAll bool
	part      storage.Partition
	ctx       context.Context // of the request; read by step
	steps     int
}

// runSelect runs one page of a SELECT.
func (e *Engine) runSelect(ctx context.Context, p *plan, v env, params *server.Params) (*server.Result, error) {
	s := p.sel
	q := &reading{env: v, ctx: ctx, p: s, left: -1, perLimit: -1, page: -1}
	q.env.row = &q.row
	q.row.t = s.tab
	if err := q.limits(params); err != nil {
		return nil, err
	}
	if len(params.PagingState) > 0 {
		if err := q.resume(params.PagingState); err != nil {
			return nil, err
		}
	}
	if s.isAgg {
		q.page = -1
		q.acc = make([]accumulator, len(s.aggs))
	}
	res := &server.Result{Kind: server.Rows, Columns: s.cols, Cost: server.Cost{Rounds: 1, Statements: 1}}
	if s.tab.virtual != nil {
		res.Cost = server.Cost{}
		if err := q.virtual(); err != nil {
			return nil, err
		}
	} else if err := q.stored(e, params); err != nil {
		return nil, err
	}
	if s.isAgg {
		q.finishAggregates()
	}
	res.Cells = q.out.cells
	if s.sortIn {
		q.sort(res)
	}
	if q.more {
		res.PagingState = q.state()
	}
	return res, nil
}

// stored reads a stored table and waits until what was read is on disk.
func (q *reading) stored(e *Engine, params *server.Params) error {
	var ticket storage.Ticket
	err := func() error {
		s := q.p
		switch {
		case params.Pinned != nil:
			q.view = params.Pinned.(*pinned).view()
		case s.byKey && !q.manyReads():
			q.view = e.store.Peek()
		default:
			q.view = e.store.Snapshot()
		}
		if params.Pinned == nil { // else who pinned it closes it
			defer q.view.Close()
		}
		q.row.now = q.view.Now()
		var err error
		if s.byKey {
			err = q.partitions()
		} else {
			err = q.scanAll()
		}
		if q.ticketAll || s.scan {
			ticket = q.view.TicketAll()
		} else if s.byKey && !q.part.Equal(storage.Partition{}) {
			ticket = q.view.Ticket(q.part)
		}
		return err
	}()
	if err != nil {
		return err
	}
	return ticket.Wait()
}

// manyReads tells whether a read by key needs more than one look at the store.
func (q *reading) manyReads() bool {
	s := q.p
	if s.tab.store.HasStatics() && (s.needStatic || !s.pointRead) || s.index != nil {
		return true
	}
	for _, x := range s.where.cols {
		if x.isIn() {
			return true
		}
	}
	return s.where.tuples != nil
}

func (q *reading) limits(params *server.Params) error {
	take := func(t *term, into *int64, name string) error {
		if t == nil {
			return nil
		}
		b, err := t.required(&q.env)
		if err != nil {
			return err
		}
		if len(b) != 4 {
			if q.ycql {
				return cqlerr.QLPlain(cqlerr.InvalidArguments, name+" value cannot be null.")
			}
			return cqlerr.Invalid("Invalid null value of %s", strings.ToLower(name))
		}
		*into = int64(int32(binary.BigEndian.Uint32(b)))
		switch {
		case q.ycql && *into < 0:
			return cqlerr.QLPlain(cqlerr.InvalidArguments, name+" value cannot be negative.")
		case !q.ycql && *into <= 0:
			return cqlerr.Invalid("%s must be strictly positive", name)
		}
		return nil
	}
	limitName, perName := "LIMIT", "PER PARTITION LIMIT"
	if err := take(q.p.limit, &q.left, limitName); err != nil {
		return err
	}
	if err := take(q.p.perPartition, &q.perLimit, perName); err != nil {
		return err
	}
	if err := take(q.p.offset, &q.skip, "OFFSET"); err != nil {
		return err
	}
	if params.PageSize > 0 {
		q.page = int64(params.PageSize)
	}
	if q.p.sortIn && q.page >= 0 {
		if !q.ycql {
			return cqlerr.Invalid("Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove the ORDER BY or the IN and sort client side, or disable paging for this query")
		}
		q.page = -1
	}
	q.perLeft = q.perLimit
	return nil
}

// partitions reads the partitions that the keys name.
func (q *reading) partitions() error {
	keys, err := q.partitionKeys()
	if err != nil {
		return err
	}
	slices, err := q.slices()
	if err != nil {
		return err
	}
	q.ticketAll = len(keys) > 1
	for i, key := range keys {
		q.lastKey = i == len(keys)-1
		if q.from != nil {
			c := compareKeys(q.p.tab.def.PartitionKey, key, q.from.key)
			if c < 0 || c == 0 && q.from.ck == nil {
				continue
			}
			if c > 0 {
				q.from, q.perLeft = nil, q.perLimit
			}
		} else {
			q.perLeft = q.perLimit
		}
		more, err := q.partition(key, slices)
		if err != nil || !more {
			return err
		}
		q.from = nil
	}
	return nil
}

// partition reads one partition. It reports whether to go on.
func (q *reading) partition(key [][]byte, ranges []storage.Slice) (bool, error) {
	s, t := q.p, q.p.tab
	part, err := t.store.PartitionOf(key)
	if err != nil {
		return false, keyError(q.ycql, err)
	}
	if s.where.token != nil {
		r, empty, err := q.tokenRange()
		if err != nil || empty || part.Token < r.First || part.Token > r.Last {
			return true, err
		}
	}
	q.part = part
	q.row.key, q.row.st, q.row.reg, q.row.ck = key, nil, nil, nil
	if t.store.HasStatics() && (s.needStatic || !s.pointRead) {
		ok, err := q.view.GetStatic(t.store, part, s.want, &q.static)
		if err != nil {
			return false, err
		}
		if ok {
			q.row.st = &q.static
		}
	}
	if s.pointRead {
		if q.from != nil || len(ranges) == 0 {
			return true, nil
		}
		reg := &storage.Row{}
		q.row.ck = ranges[0].Start.Values
		ok, err := q.view.Get(t.store, part, q.row.ck, s.want, reg)
		if err != nil || !ok {
			return true, err
		}
		q.row.reg = reg
		return q.emit()
	}
	return q.rows(part, ranges)
}

// rows reads slices of a partition.
func (q *reading) rows(part storage.Partition, ranges []storage.Slice) (bool, error) {
	s, t := q.p, q.p.tab
	found := q.from != nil
	for i := range ranges {
		r := ranges[i]
		if s.reverse {
			r = ranges[len(ranges)-1-i]
		}
		if q.from != nil {
			var empty bool
			if r, empty = clip(t.def.ClusteringKey, r, q.from.ck, s.reverse); empty {
				continue
			}
		}
		it := q.view.Rows(t.store, part, r, s.reverse, s.want)
		for it.Next() {
			found = true
			q.row.reg, q.row.ck = it.Row(), it.Row().Clustering
			if s.distinct {
				q.row.reg, q.row.ck = nil, nil
			}
			more, err := q.emit()
			if err != nil || !more {
				_ = it.Close()
				return false, err
			}
			if s.distinct || q.perLimit >= 0 && q.perLeft <= 0 {
				if err := it.Close(); err != nil {
					return false, err
				}
				return true, nil
			}
		}
		if err := it.Close(); err != nil {
			return false, err
		}
	}
	if !found && q.row.st != nil && q.staticAlone() {
		q.row.reg, q.row.ck = nil, nil
		return q.emit()
	}
	return true, nil
}

// staticAlone tells whether a partition that has only statics is shown as a row:
// not where clustering or regular columns are restricted.
func (q *reading) staticAlone() bool {
	for _, x := range q.p.where.cols {
		if x != nil && (x.col.Kind == catalog.Clustering || x.col.Kind == catalog.Regular) {
			return false
		}
	}
	return q.p.where.tuples == nil
}

// emit tests the row at hand and puts it into the result. It reports whether
// more rows are wanted.
func (q *reading) emit() (bool, error) {
	if err := q.step(); err != nil {
		return false, err
	}
	s := q.p
	for i := range s.rest {
		ok, err := s.rest[i].matches(&q.env)
		if err != nil || !ok {
			return err == nil, err
		}
	}
	if s.where.tuples != nil && s.scan {
		ok, err := q.tupleMatches()
		if err != nil || !ok {
			return err == nil, err
		}
	}
	if s.ifCond != nil {
		ok, err := s.ifCond.holds(&q.env)
		if err != nil || !ok {
			return err == nil, err
		}
	}
	if q.left == 0 {
		return false, nil
	}
	if q.skip > 0 {
		q.skip--
		return true, nil
	}
	if q.perLimit >= 0 {
		if q.perLeft <= 0 {
			return true, nil
		}
	}
	if q.perLimit >= 0 {
		q.perLeft--
	}
	if s.isAgg {
		return true, q.accumulate()
	}
	q.out.rows++
	if s.sortIn {
		q.sortKeys = append(q.sortKeys, cloneValues(q.row.ck))
	}
	if s.proj != nil {
		if q.out.cells == nil {
			q.out.cells = make([][]byte, 0, len(s.proj))
		}
		for _, c := range s.proj {
			q.out.add(q.row.value(c))
		}
	} else {
		for i := range s.sel {
			x, err := s.sel[i].eval(&q.env)
			if err != nil {
				return false, err
			}
			q.out.add(x.Data)
		}
	}
	if err := q.fits(); err != nil {
		return false, err
	}
	if q.left > 0 {
		if q.left--; q.left == 0 {
			return false, nil
		}
	}
	// A full page has a successor, even if that turns out to be empty: both servers
	// answer so, and clients rely on it (a nil state would start them anew).
	if q.page > 0 && int64(q.out.rows) >= q.page {
		q.more = !q.lastKey || q.perLimit < 0 || q.perLeft > 0
		q.last = place{key: cloneValues(q.row.key)}
		if q.row.ck != nil && !s.distinct && len(s.tab.def.ClusteringKey) > 0 {
			q.last.ck = cloneValues(q.row.ck)
		}
		return false, nil
	}
	return true, nil
}

// virtual reads a table of the system keyspaces.
func (q *reading) virtual() error {
	for i, vals := range q.p.tab.virtual(q.e) {
		if q.from != nil {
			// A place in a virtual table is a row number.
			if i <= int(binary.BigEndian.Uint32(q.from.key[0])) {
				continue
			}
		}
		q.row.vals = vals
		q.row.key = [][]byte{integer(int32(i))}
		if ok, err := q.keysMatch(); err != nil {
			return err
		} else if !ok {
			continue
		}
		more, err := q.emit()
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// keysMatch tests all relations, also those that would be keys.
func (q *reading) keysMatch() (bool, error) {
	for i := range q.p.where.filters {
		ok, err := q.p.where.filters[i].matches(&q.env)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}
