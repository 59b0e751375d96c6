package engine

import (
	"errors"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// What YCQL does with single writes, blocks and batches. The numbers in comments
// are sections of ycql.md, or of ycql-statics.md where it says "statics".

// notSatisfied is the error of a false IF with ELSE ERROR (1.3).
func (w *pending) notSatisfied() *wire.Error {
	return w.p.src.QL(cqlerr.Execution, w.p.at, "%s", w.conditionText())
}

func (w *pending) conditionText() string {
	return "Condition on table " + w.p.tab.def.Name + " was not satisfied."
}

// located gives an error that a write met while it ran the statement's text and a
// caret, as ProcessOpStatus does for errors of a tablet.
func (w *pending) located(err error) error {
	var plain *effectError
	if errors.As(err, &plain) {
		return w.p.src.QL(cqlerr.Execution, w.p.at, "%s", plain.text)
	}
	return err
}

// effectError is an error that depends on the stored row; YCQL reports it as an
// execution error with the statement, or in [message].
type effectError struct{ text string }

func (e *effectError) Error() string { return e.text }

// verdict says what became of one write.
type verdict struct {
	applied bool
	message string
	row     *rowView // the stored row that a refusal shows, or nil
	err     error
}

// writeCost is what a write spends: indexes make it a transaction of its own (5.2).
func (w *pending) writeCost(c *server.Cost) {
	c.Statements++
	if len(w.p.tab.def.Indexes) > 0 {
		c.Rounds++
		c.Commits++
	}
}

// step tests and applies writes under one transaction. In a round of a batch all
// conditions see the state before it; in a block (sequential) each sees the writes
// before it, and the first refusal or error ends it: the verdicts are then those of
// the statements that had their turn, the failed one included.
func (e *Engine) step(ws []*pending, block bool) ([]verdict, storage.Ticket, error) {
	if err := e.stampTables(ws); err != nil {
		return nil, storage.Ticket{}, err
	}
	tx, err := e.store.Begin(storage.TxnOptions{Sequential: true}, latches(ws)...)
	if err != nil {
		return nil, storage.Ticket{}, storageError(err)
	}
	out := make([]verdict, len(ws))
	test := func(i int) error {
		var err error
		out[i].applied, err = ws[i].test(tx)
		return err
	}
	if block {
		for i, w := range ws {
			had := out[:i+1]
			if err := test(i); err != nil {
				return had, tx.Abort(), err
			}
			if !out[i].applied {
				return had, tx.Abort(), w.notSatisfied()
			}
			if err := w.apply(tx); err != nil {
				return had, tx.Abort(), storageError(w.located(err))
			}
		}
		ticket, err := tx.Commit()
		return out, ticket, storageError(err)
	}
	for i, w := range ws {
		if err := test(i); err != nil {
			return nil, tx.Abort(), err
		}
		v := &out[i]
		switch {
		case v.applied:
		case w.p.elseError:
			v.message = w.conditionText()
			v.err = w.notSatisfied()
		case w.view.exists:
			v.row = &w.view
		}
	}
	for i, w := range ws {
		if !out[i].applied {
			continue
		}
		err := w.apply(tx)
		var plain *effectError
		switch {
		case errors.As(err, &plain):
			out[i] = verdict{message: plain.text, err: w.located(err)}
		case err != nil:
			return nil, tx.Abort(), storageError(err)
		}
	}
	ticket, err := tx.Commit()
	return out, ticket, storageError(err)
}

// nothing tells whether an UPDATE has only unset values: it is not sent, its IF not
// tested (statics 8).
func (w *pending) nothing() bool {
	if w.p.kind != writeUpdate {
		return false
	}
	for i := range w.p.assigns {
		a := &w.p.assigns[i]
		if a.eff != effSet && a.eff != effReplace || a.val.kind != termMarker || !w.v.values[a.val.marker].Unset {
			return false
		}
	}
	return true
}

// checkTTL refuses USING TTL on a table with an index (2.4): executor.cc does so
// when the statement runs, not when it is prepared.
func (w *pending) checkTTL() error {
	if w.p.ttl != nil && len(w.p.tab.def.Indexes) > 0 {
		return w.p.src.QL(cqlerr.FeatureUnsupport, w.p.at, "")
	}
	return nil
}

// runYCQLWrite runs a single INSERT, UPDATE or DELETE (2.2).
func (e *Engine) runYCQLWrite(w *pending, res *server.Result) (*server.Result, error) {
	if err := w.checkTTL(); err != nil {
		return nil, err
	}
	if w.nothing() {
		return res, nil
	}
	res.Cost.Statements = 0
	w.writeCost(&res.Cost)
	out, ticket, err := e.step([]*pending{w}, false)
	if werr := waited(ticket); werr != nil {
		return res, werr
	}
	if err != nil {
		return res, err
	}
	v := &out[0]
	switch {
	case w.p.returnsStatus:
		statusRows(res, []*pending{w}, out)
	case v.err != nil:
		return res, v.err
	case w.p.cond != nil:
		var rows []*rowView
		if v.row != nil {
			rows = []*rowView{v.row}
		}
		casResult(res, v.applied, rows, w.p.casCols, w.p.showCols)
	}
	return res, nil
}

// statusRows makes the result of RETURNS STATUS AS ROW: [applied], [message], all
// columns, one row for each statement (2.1).
func statusRows(res *server.Result, ws []*pending, out []verdict) {
	t := ws[0].p.tab.def
	res.Kind = server.Rows
	res.Columns = casColumns(t, nil)
	res.Columns = append(res.Columns, wire.Column{Keyspace: t.Keyspace, Table: t.Name, Name: "[message]", Type: tText})
	res.Columns = append(res.Columns, casColumns(t, t.Columns)[1:]...)
	for i := range out {
		v := &out[i]
		var message []byte
		if v.message != "" {
			message = []byte(v.message)
		}
		res.Cells = append(res.Cells, boolValue[v.applied], message)
		for _, c := range t.Columns {
			var x []byte
			if v.row != nil {
				x = v.row.value(c)
				if c.Position >= 0 && x != nil {
					x = append([]byte{}, x...)
				}
			}
			res.Cells = append(res.Cells, x)
		}
	}
}

// runYCQLBatch runs a native batch (2.1, statics 4): all of it is checked, then it
// runs in rounds, whatever comes of single members.
func (e *Engine) runYCQLBatch(ws []*pending) (*server.Result, error) {
	res := &server.Result{}
	if err := checkYCQLBatch(ws); err != nil {
		return nil, err
	}
	if len(ws) == 0 {
		return res, nil
	}
	status := ws[0].p.returnsStatus
	out := make([]verdict, len(ws))
	left := make([]int, 0, len(ws))
	indexed := false
	for i, w := range ws {
		if err := w.checkTTL(); err != nil {
			return nil, err
		}
		if w.nothing() {
			out[i].applied = true
			continue
		}
		res.Cost.Statements++
		indexed = indexed || len(w.p.tab.def.Indexes) > 0
		left = append(left, i)
	}
	var tickets []storage.Ticket
	for len(left) > 0 {
		var now, later []int
		r := round{}
		for _, i := range left {
			if r.add(ws[i]) {
				now = append(now, i)
			} else {
				later = append(later, i)
			}
		}
		members := make([]*pending, len(now))
		for j, i := range now {
			members[j] = ws[i]
		}
		verdicts, ticket, err := e.step(members, false)
		tickets = append(tickets, ticket)
		if err != nil {
			return nil, errors.Join(err, waitAll(tickets))
		}
		for j, i := range now {
			out[i] = verdicts[j]
		}
		res.Cost.Rounds++
		left = later
	}
	if indexed {
		res.Cost.Rounds++
		res.Cost.Commits++
	}
	if err := waitAll(tickets); err != nil {
		return nil, err
	}
	if status {
		statusRows(res, ws, out)
		return res, nil
	}
	for i := range out {
		if out[i].err != nil {
			return nil, out[i].err
		}
	}
	return res, nil
}

func waitAll(tickets []storage.Ticket) error {
	for _, t := range tickets {
		if err := waited(t); err != nil {
			return err
		}
	}
	return nil
}

func checkYCQLBatch(ws []*pending) error {
	fail := func(text string) error { return cqlerr.QLPlain(cqlerr.InvalidCQL, text) }
	for _, w := range ws {
		switch {
		case w.p.cond != nil && !w.p.returnsStatus:
			return fail("batch execution of conditional DML statement without RETURNS STATUS AS ROW clause is not supported yet")
		case w.p.ranged:
			return fail("batch execution with DML statements modifying multiple rows is not supported yet")
		case w.p.returnsStatus != ws[0].p.returnsStatus:
			return fail("batch execution mixing statements with and without RETURNS STATUS AS ROW is not supported")
		case w.p.returnsStatus && w.p.tab.def != ws[0].p.tab.def:
			return fail("batch execution with RETURNS STATUS statements cannot span multiple tables")
		}
	}
	return nil
}

// round is WriteBatch of executor.cc: what one flush writes. A member that reads a
// row, or the statics, that an earlier member of the round writes is put off.
type round struct {
	rows    map[string]bool
	statics map[string]bool
}

func (r *round) add(w *pending) bool {
	p, part := w.p, w.targets[0].part.ID()
	row := part
	if !p.staticRow {
		row = string(appendValues([]byte(part), w.targets[0].rows[0]))
	}
	if p.readsRow() && !p.staticRow && r.rows[row] || p.readsStatics() && r.statics[part] {
		return false
	}
	if r.rows == nil {
		r.rows, r.statics = map[string]bool{}, map[string]bool{}
	}
	if !p.staticRow {
		r.rows[row] = true
	}
	if p.statics {
		r.statics[part] = true
	}
	return true
}

// readsRow: a regular column is referred to, there is an IF (EXISTS reads the row's
// mark), or the statement has a timestamp of its own. RETURNS STATUS refers to all
// columns.
func (p *writePlan) readsRow() bool {
	if p.cond != nil || p.timestamp != nil {
		return true
	}
	return p.refers(catalog.Regular)
}

func (p *writePlan) readsStatics() bool {
	return p.refers(catalog.Static) || p.statics && p.timestamp != nil
}

func (p *writePlan) refers(kind catalog.ColumnKind) bool {
	if p.returnsStatus {
		for _, c := range p.tab.def.Columns {
			if c.Kind == kind {
				return true
			}
		}
	}
	for _, c := range p.condCols {
		if c.Kind == kind {
			return true
		}
	}
	for i := range p.assigns {
		a := &p.assigns[i]
		if a.col.Kind != kind {
			continue
		}
		switch a.eff {
		case effAppend, effPrepend, effAdd, effRemove, effWithout:
			return true
		case effElement, effDrop:
			if a.col.Type.Kind == listKind {
				return true
			}
		case effSet:
			if a.val.kind == termArith {
				return true
			}
		default:
		}
	}
	return false
}
