package engine

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// maxTTL is the longest time to live: Cassandra's 20 years, YCQL's int.
const maxTTL = 630_720_000

// target is a partition that a statement writes, with the rows in it.
type target struct {
	part storage.Partition
	key  [][]byte
	rows [][][]byte      // clustering keys; one empty for a table without
	cut  []storage.Slice // of a range delete
}

// pending is a write with its values, before it runs.
type pending struct {
	p       *writePlan
	v       env
	targets []target
	ttl     int32
	stamp   *int64

	view rowView // of the condition: the one row that the statement names
	reg  storage.Row
	st   storage.Row

	// Of the first rows of the partition, for refusals: see refusal.go.
	first, firstInserted [][]byte
	// unread: effects see no stored row. See [unreadRows].
	unread bool
}

// pend evaluates keys and USING. batchStamp is USING TIMESTAMP of a batch.
func (e *Engine) pend(p *writePlan, v env, batchStamp *int64) (*pending, error) {
	w := &pending{p: p, v: v, ttl: p.tab.def.DefaultTTL, stamp: batchStamp}
	if err := w.using(); err != nil {
		return nil, err
	}
	keys, err := v.partitionKeys(p.tab, p.where)
	if err != nil {
		return nil, err
	}
	var cut []storage.Slice
	var rows [][][]byte
	switch {
	case p.ranged:
		if p.ck > 0 || p.where.tuples != nil || p.bounded() {
			if cut, err = v.slices(p.tab, p.where, p.ck); err != nil {
				return nil, err
			}
			if cut == nil {
				cut = []storage.Slice{}
			}
		}
	case !p.staticRow:
		if rows, err = v.keyProduct(p.tab.def.ClusteringKey, p.where); err != nil {
			return nil, err
		}
	}
	w.targets = make([]target, len(keys))
	for i, k := range keys {
		part, err := p.tab.store.PartitionOf(k)
		if err != nil {
			return nil, keyError(v.ycql, err)
		}
		w.targets[i] = target{part: part, key: k, rows: rows, cut: cut}
	}
	return w, nil
}

// bounded tells whether a range delete has an inequality.
func (p *writePlan) bounded() bool {
	for _, c := range p.tab.def.ClusteringKey {
		if p.where.cols[c.Index] != nil {
			return true
		}
	}
	return false
}

func (w *pending) using() error {
	p, v := w.p, &w.v
	if p.ttl != nil {
		x, err := p.ttl.eval(v)
		if err != nil {
			return err
		}
		switch {
		case x.Unset:
		case x.Data == nil && v.ycql:
			return cqlerr.QLPlain(cqlerr.InvalidArguments, "Value cannot be null.")
		case len(x.Data) != 4:
			w.ttl = 0 // null is no TTL, unset the table's
		default:
			ttl := int32(binary.BigEndian.Uint32(x.Data))
			switch {
			case ttl < 0 && v.ycql:
				return cqlerr.QLPlain(cqlerr.InvalidArguments, "Valid ttl range : [0, 2147483647]")
			case ttl < 0:
				return cqlerr.Invalid("A TTL must be greater or equal to 0, but was %d", ttl)
			case ttl > maxTTL && !v.ycql:
				return cqlerr.Invalid("ttl is too large. requested (%d) maximum (%d)", ttl, maxTTL)
			}
			w.ttl = ttl
		}
	}
	if p.timestamp == nil {
		return nil
	}
	x, err := p.timestamp.eval(v)
	if err != nil {
		return err
	}
	switch {
	case x.Unset:
		return nil
	case len(x.Data) != 8 && v.ycql:
		return cqlerr.QLPlain(cqlerr.InvalidArguments, "Value cannot be null.")
	case len(x.Data) != 8:
		return cqlerr.Invalid("Invalid null value of timestamp")
	}
	ts := int64(binary.BigEndian.Uint64(x.Data))
	w.stamp = &ts
	return nil
}

// stampTables switches the tables of writes with timestamps of their own over to
// them. It must be called before the transaction begins.
func (e *Engine) stampTables(ws []*pending) error {
	for _, w := range ws {
		if w.stamp == nil {
			continue
		}
		floor, err := e.store.EnableTimestamps(w.p.tab.def.Num)
		if err != nil {
			return err
		}
		if *w.stamp <= floor {
			return cqlerr.Invalid("USING TIMESTAMP %d, before the table's first statement with a timestamp (%d), is %s", *w.stamp, floor, cqlerr.NotSupported)
		}
	}
	return nil
}

// latches lists the latches of the writes' partitions.
func latches(ws []*pending) []storage.Latch {
	l := make([]storage.Latch, 0, len(ws))
	for _, w := range ws {
		for i := range w.targets {
			l = append(l, w.targets[i].part.Latch())
		}
	}
	return l
}

// look reads the row that a condition is about into w.view.
func (w *pending) look(tx *storage.Txn) error {
	p, t := w.p, &w.targets[0]
	view := tx.View()
	w.view = rowView{t: p.tab, key: t.key, now: tx.Now()}
	w.v.row = &w.view
	if !p.staticRow {
		w.view.ck = t.rows[0]
		ok, err := view.Get(p.tab.store, t.part, t.rows[0], p.want, &w.reg)
		if err != nil {
			return err
		}
		if ok {
			w.view.reg, w.view.exists = &w.reg, true
		} else if w.v.ycql {
			// The image of a missing row is empty, statics and all
			// (ycql-statics.md, fact 0.1).
			return nil
		}
	}
	if !p.tab.store.HasStatics() {
		return nil
	}
	ok, err := view.GetStatic(p.tab.store, t.part, p.want, &w.st)
	if err != nil {
		return err
	}
	if ok {
		w.view.st = &w.st
	}
	if p.staticRow {
		w.view.exists = ok
	}
	if !w.v.ycql {
		if !p.onStatics() {
			return nil
		}
		return w.lookFirst(view)
	}
	if !p.staticRow || ok || !p.existence {
		return nil
	}
	// Beside the statics, the first live row of the partition counts for EXISTS
	// (ycql-statics.md 1).
	it := view.Rows(p.tab.store, t.part, storage.Slice{}, false, make(storage.Columns, len(p.tab.store.Columns)))
	w.view.exists = it.Next()
	return it.Close()
}

// test reads the row and evaluates the condition; without one it holds.
func (w *pending) test(tx *storage.Txn) (bool, error) {
	if w.p.cond == nil {
		return true, nil
	}
	if err := w.look(tx); err != nil {
		return false, err
	}
	return w.p.cond.holds(&w.v)
}

// apply adds the write to the transaction.
func (w *pending) apply(tx *storage.Txn) error {
	for i := range w.targets {
		t := &w.targets[i]
		switch {
		case w.p.ranged && t.cut == nil:
			if err := tx.DeletePartition(w.p.tab.store, t.part, w.stamp); err != nil {
				return err
			}
		case w.p.ranged:
			for _, s := range t.cut {
				if err := tx.DeleteRange(w.p.tab.store, t.part, s, w.stamp); err != nil {
					return err
				}
			}
		case w.p.staticRow:
			if err := w.applyRow(tx, t, nil); err != nil {
				return err
			}
		default:
			for _, ck := range t.rows {
				if err := w.applyRow(tx, t, ck); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// applyRow writes one row, and the statics of its partition.
func (w *pending) applyRow(tx *storage.Txn, t *target, ck [][]byte) error {
	p := w.p
	if p.kind == writeDelete && len(p.assigns) == 0 {
		return tx.DeleteRow(p.tab.store, t.part, ck, w.stamp)
	}
	if p.reads {
		if err := w.lookForEffects(tx, t, ck); err != nil {
			return err
		}
	}
	var regular, static []storage.Op
	if p.regulars {
		regular = make([]storage.Op, 0, len(p.assigns))
	}
	for i := range p.assigns {
		a := &p.assigns[i]
		ops := &regular
		if a.col.Kind == catalog.Static {
			ops = &static
		}
		var err error
		if *ops, err = a.ops(*ops, w); err != nil {
			return err
		}
	}
	if p.regulars && (len(regular) > 0 || p.kind == writeInsert) {
		err := tx.Apply(&storage.Write{
			Table: p.tab.store, Partition: t.part, Clustering: ck, Insert: p.kind == writeInsert,
			Timestamp: w.stamp, TTL: w.ttl, Ops: regular,
		})
		if err != nil {
			return err
		}
	}
	if len(static) == 0 {
		return nil
	}
	return tx.Apply(&storage.Write{
		Table: p.tab.store, Partition: t.part, Static: true, Timestamp: w.stamp, TTL: w.ttl, Ops: static,
	})
}

// lookForEffects reads the stored row for effects that depend on it.
func (w *pending) lookForEffects(tx *storage.Txn, t *target, ck [][]byte) error {
	p := w.p
	view := tx.View()
	if !w.v.ycql {
		// Members of a batch do not see each other's writes.
		view = tx.Before()
	}
	w.view = rowView{t: p.tab, key: t.key, ck: ck, now: tx.Now()}
	w.v.row = &w.view
	if !p.staticRow && !w.unread {
		if _, err := view.Get(p.tab.store, t.part, ck, p.want, &w.reg); err != nil {
			return err
		}
		w.view.reg = &w.reg
	}
	if p.tab.store.HasStatics() {
		if _, err := view.GetStatic(p.tab.store, t.part, p.want, &w.st); err != nil {
			return err
		}
		w.view.st = &w.st
	}
	return nil
}

// runWrite runs a single INSERT, UPDATE or DELETE.
func (e *Engine) runWrite(p *plan, v env) (*server.Result, error) {
	w, err := e.pend(p.write, v, nil)
	if err != nil {
		return nil, err
	}
	res := &server.Result{Cost: server.Cost{Rounds: 1, Statements: 1}}
	if v.ycql {
		return e.runYCQLWrite(w, res)
	}
	if w.p.cond != nil {
		res.Cost.Rounds = casRounds
	}
	applied, show, err := e.transact([]*pending{w}, false)
	if err != nil || w.p.cond == nil {
		return res, err
	}
	casResult(res, applied, show, w.p.casCols, w.p.showCols)
	return res, nil
}

// casRounds is what Paxos takes: prepare, read, propose, commit.
const casRounds = 4

// transact runs writes as one transaction: all conditions on the state before
// it, then all effects. It returns when the outcome, and what it rests on, is on
// disk. show are the rows of a refusal, in the order of the store.
func (e *Engine) transact(ws []*pending, sequential bool) (applied bool, show []*rowView, err error) {
	if err := e.stampTables(ws); err != nil {
		return false, nil, err
	}
	conditional := !sequential && slices.ContainsFunc(ws, func(w *pending) bool { return w.p.cond != nil })
	tx, err := e.store.Begin(storage.TxnOptions{Sequential: sequential, Conditional: conditional}, latches(ws)...)
	if err != nil {
		return false, nil, storageError(err)
	}
	applied = true
	for _, w := range ws {
		ok, err := w.test(tx)
		if err != nil {
			tx.Abort()
			return false, nil, err
		}
		applied = applied && ok
	}
	if !applied {
		show = refusedRows(ws)
		return false, show, waited(tx.Abort())
	}
	for _, w := range ws {
		if err := w.apply(tx); err != nil {
			tx.Abort()
			return false, nil, storageError(err)
		}
	}
	ticket, err := tx.Commit()
	if err != nil {
		return false, nil, storageError(err)
	}
	return true, nil, waited(ticket)
}

func waited(t storage.Ticket) error { return storageError(t.Wait()) }

// storageError gives errors of the store their place in the protocol. A full disk
// refuses writes for a while, which drivers know as overload; after the store has
// stopped the outcome is unknown, which they know as a write timeout.
func storageError(err error) error {
	var stopped *storage.StoppedError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrDiskFull):
		return wire.Errorf(wire.CodeOverloaded, "%s", err)
	case errors.As(err, &stopped):
		return wire.Errorf(wire.CodeServerError, "%s", err)
	}
	return err
}

var appliedColumn = "[applied]"

// refusalColumns prepares the metadata of a refusal of this statement alone.
func (p *writePlan) refusalColumns() {
	t := p.tab.def
	if p.cond == nil {
		return
	}
	ycql := p.src.Dialect == parse.YCQL
	switch {
	case ycql:
		for _, c := range t.Columns {
			if c.Kind == catalog.Partition || c.Kind == catalog.Clustering && !p.staticRow || slices.Contains(p.condCols, c) {
				p.showCols = append(p.showCols, c)
			}
		}
	case p.existence:
		p.showCols = t.Columns
	default:
		p.showCols = p.condCols
	}
	p.casCols = casColumns(t, p.showCols)
}

func casColumns(t *catalog.Table, cols []*catalog.Column) []wire.Column {
	out := []wire.Column{{Keyspace: t.Keyspace, Table: t.Name, Name: appliedColumn, Type: tBoolean}}
	for _, c := range cols {
		out = append(out, wire.Column{Keyspace: t.Keyspace, Table: t.Name, Name: c.Name, Type: c.Type})
	}
	return out
}

var boolValue = map[bool][]byte{true: {1}, false: {0}}

// casResult is the answer of a conditional statement or batch: [applied] alone,
// or beside the columns of the rows that there are.
func casResult(res *server.Result, applied bool, rows []*rowView, cols []wire.Column, show []*catalog.Column) {
	res.Kind = server.Rows
	if applied || len(rows) == 0 {
		res.Columns, res.Cells = cols[:1:1], [][]byte{boolValue[applied]}
		return
	}
	res.Columns = cols
	for _, r := range rows {
		res.Cells = append(res.Cells, boolValue[false])
		for _, c := range show {
			// Keys come from the request, whose memory is the server's.
			x := r.value(c)
			if c.Position >= 0 {
				x = slices.Clone(x)
			}
			res.Cells = append(res.Cells, x)
		}
	}
}
