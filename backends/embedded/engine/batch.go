package engine

import (
	"context"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
)

// batchPlan is BEGIN BATCH ... APPLY BATCH made ready.
type batchPlan struct {
	kind   parse.BatchType
	writes []*writePlan
	stamp  *term
}

func (b *binder) planBatch(e *Engine, st *state, src *parse.Batch, keyspace string) (*batchPlan, []*table, error) {
	p := &batchPlan{kind: src.Type}
	if src.Using.TTL != nil {
		return nil, nil, cqlerr.Invalid("Global TTL on the BATCH statement is not supported.")
	}
	var tabs []*table
	for _, m := range src.Stmts {
		w, err := b.planWrite(e, st, m, keyspace)
		if err != nil {
			return nil, nil, err
		}
		p.writes = append(p.writes, w)
		tabs = append(tabs, w.tab)
	}
	if err := checkBatch(p.kind, p.writes, src.Using.Timestamp != nil); err != nil {
		return nil, nil, err
	}
	if src.Using.Timestamp != nil {
		t, err := b.rightHand(src.Using.Timestamp, spec{"[timestamp]", tBigint})
		if err != nil {
			return nil, nil, err
		}
		p.stamp = &t
	}
	return p, tabs, nil
}

// pkIndices: of a batch on one table Cassandra takes, for each key column, the last
// marker that is bound to it.
func (p *batchPlan) pkIndices(b *binder) []uint16 {
	var out []uint16
	for _, w := range p.writes {
		if w.tab != p.writes[0].tab {
			return nil
		}
		if pk := b.pkIndices(w.where); pk != nil {
			out = pk
		}
	}
	return out
}

// checkBatch holds the rules of Cassandra's BatchStatement.validate.
func checkBatch(kind parse.BatchType, ws []*writePlan, stamp bool) error {
	if kind == parse.Counter && len(ws) > 0 {
		return cqlerr.Invalid("Cannot include non-counter statement in a counter batch")
	}
	conditional := slices.ContainsFunc(ws, func(w *writePlan) bool { return w.cond != nil })
	for _, w := range ws {
		if stamp && w.timestamp != nil {
			return cqlerr.Invalid("Timestamp must be set either on BATCH or individual statements")
		}
		if conditional && (w.tab.def.Keyspace != ws[0].tab.def.Keyspace || w.tab.def.Name != ws[0].tab.def.Name) {
			return cqlerr.Invalid("Batch with conditions cannot span multiple tables")
		}
		if conditional && w.timestamp != nil {
			return cqlerr.Invalid("Cannot provide custom timestamp for conditional BATCH")
		}
	}
	if conditional && stamp {
		return cqlerr.Invalid("Cannot provide custom timestamp for conditional BATCH")
	}
	return nil
}

// runBatch runs the members of a batch of Cassandra.
func (e *Engine) runBatch(kind parse.BatchType, ws []*pending) (*server.Result, error) {
	res := &server.Result{Cost: server.Cost{Rounds: 1, Statements: len(ws)}}
	if len(ws) == 0 {
		return res, nil
	}
	conditional := slices.ContainsFunc(ws, func(w *pending) bool { return w.p.cond != nil })
	if conditional {
		return res, e.runCASBatch(ws, res)
	}
	parts := map[string]bool{}
	for _, w := range ws {
		for i := range w.targets {
			parts[w.targets[i].part.ID()] = true
		}
	}
	if kind == parse.Logged && len(parts) > 1 {
		res.Cost.Rounds = 2
	}
	_, _, err := e.transact(ws, false)
	return res, err
}

// runCASBatch: CQL3CasRequest: all in one partition; every condition is tested on
// the state before the batch.
func (e *Engine) runCASBatch(ws []*pending, res *server.Result) error {
	res.Cost.Rounds = casRounds
	t := ws[0].p.tab
	existence := false
	var cols []*catalog.Column
	for _, w := range ws {
		if len(w.targets) != 1 {
			// An unchecked exception there, so it goes out as a server error.
			return cqlerr.Server("java.lang.IllegalArgumentException: Batch with conditions cannot span multiple partitions (you cannot use IN on the partition key)")
		}
		if !w.targets[0].part.Equal(ws[0].targets[0].part) {
			return cqlerr.Invalid("Batch with conditions cannot span multiple partitions")
		}
		if w.p.manyKeys {
			return cqlerr.Invalid("IN on the clustering key columns is not supported with conditional %s", map[writeKind]string{writeUpdate: "updates", writeDelete: "deletions"}[w.p.kind])
		}
		existence = existence || w.p.existence
		for _, c := range w.p.condCols {
			if !slices.Contains(cols, c) {
				cols = append(cols, c)
			}
		}
	}
	show := t.def.Columns
	if !existence {
		show = slices.Concat(t.def.PartitionKey, t.def.ClusteringKey, cols)
	}
	if err := conflictingConditions(ws); err != nil {
		return err
	}
	for _, w := range ws {
		w.readFor(show)
	}
	unreadRows(ws)
	applied, rows, err := e.transact(ws, false)
	if err != nil {
		return err
	}
	casResult(res, applied, rows, casColumns(t.def, show), show)
	return nil
}

// readFor makes a conditional member read all that a refusal of its batch shows.
func (w *pending) readFor(show []*catalog.Column) {
	if w.p.cond == nil || w.p.want == nil {
		return
	}
	p := *w.p
	p.want = slices.Clone(p.want)
	for _, c := range show {
		if c.Position < 0 {
			p.want[c.Index-p.tab.keys] = true
		}
	}
	w.p = &p
}

// unreadRows marks the members whose effects see an empty row, list indexes among
// them: a conditional batch of Cassandra reads the rows with conditions and no
// others (CQL3CasRequest.readCommand).
func unreadRows(ws []*pending) {
	ck := ws[0].p.tab.def.ClusteringKey
	for _, w := range ws {
		if w.p.cond != nil || w.p.staticRow || w.p.ranged {
			continue
		}
		w.unread = !slices.ContainsFunc(ws, func(c *pending) bool {
			return c.p.cond != nil && !c.p.staticRow && compareClustering(ck, c.targets[0].rows[0], w.targets[0].rows[0]) == 0
		})
	}
}

// conflictingConditions refuses members whose conditions on one row, or on the
// statics, are of different sorts (CQL3CasRequest.addExistsCondition and
// addConditions). A member with conditions on columns has those on statics apart.
func conflictingConditions(ws []*pending) error {
	type condition struct {
		ck      [][]byte
		statics bool
		kind    parse.Kind
	}
	var seen []condition
	add := func(t *catalog.Table, c condition) error {
		for _, b := range seen {
			if b.statics != c.statics || !c.statics && compareClustering(t.ClusteringKey, b.ck, c.ck) != 0 {
				continue
			}
			switch {
			case c.kind == b.kind:
			case c.kind == parse.KindAnd, c.kind == parse.KindNotExists && b.kind == parse.KindAnd:
				// Said of IF EXISTS too.
				return cqlerr.Invalid("Cannot mix IF conditions and IF NOT EXISTS for the same row")
			case b.kind == parse.KindAnd:
				return cqlerr.Invalid("Cannot mix IF conditions and IF EXISTS for the same row")
			default:
				return cqlerr.Invalid("Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row")
			}
		}
		seen = append(seen, c)
		return nil
	}
	for _, w := range ws {
		if w.p.cond == nil {
			continue
		}
		c := condition{kind: w.p.cond.kind, statics: w.p.staticRow}
		if !c.statics {
			c.ck = w.targets[0].rows[0]
		}
		if c.kind == parse.KindExists || c.kind == parse.KindNotExists {
			if err := add(w.p.tab.def, c); err != nil {
				return err
			}
			continue
		}
		c.kind = parse.KindAnd
		onStatic := func(col *catalog.Column) bool { return col.Kind == catalog.Static }
		if slices.ContainsFunc(w.p.condCols, func(col *catalog.Column) bool { return !onStatic(col) }) {
			if err := add(w.p.tab.def, c); err != nil {
				return err
			}
		}
		if slices.ContainsFunc(w.p.condCols, onStatic) {
			if err := add(w.p.tab.def, condition{kind: c.kind, statics: true}); err != nil {
				return err
			}
		}
	}
	return nil
}

// runBatchText runs BEGIN BATCH ... APPLY BATCH.
func (e *Engine) runBatchText(p *plan, v env) (*server.Result, error) {
	var stamp *int64
	if p.batch.stamp != nil {
		one := &pending{p: &writePlan{timestamp: p.batch.stamp, tab: &table{def: &catalog.Table{}}}, v: v}
		if err := one.using(); err != nil {
			return nil, err
		}
		stamp = one.stamp
	}
	ws := make([]*pending, len(p.batch.writes))
	for i, w := range p.batch.writes {
		var err error
		if ws[i], err = e.pend(w, v, stamp); err != nil {
			return nil, err
		}
	}
	return e.runBatch(p.batch.kind, ws)
}

// Batch implements [server.Engine].
func (e *Engine) Batch(_ context.Context, b *server.Batch) (*server.Result, error) {
	e.ddl.RLock()
	defer e.ddl.RUnlock()
	ws := make([]*pending, 0, len(b.Members))
	plans := make([]*writePlan, 0, len(b.Members))
	for i := range b.Members {
		m := &b.Members[i]
		p, err := e.memberPlan(b, m)
		if err != nil {
			return nil, err
		}
		values, err := e.values(p, &server.Params{Values: m.Values}, m.Prepared != nil)
		if err != nil {
			return nil, err
		}
		w, err := e.pend(p.write, e.env(values), nil)
		if err != nil {
			return nil, err
		}
		ws, plans = append(ws, w), append(plans, p.write)
	}
	if e.ycql {
		return e.runYCQLBatch(ws)
	}
	if err := checkBatch(parse.BatchType(b.Type), plans, false); err != nil {
		return nil, err
	}
	return e.runBatch(parse.BatchType(b.Type), ws)
}

func (e *Engine) memberPlan(b *server.Batch, m *server.BatchMember) (*plan, error) {
	var p *plan
	if m.Prepared == nil {
		var err error
		if p, err = e.plan(b.Keyspace, m.Text); err != nil {
			return nil, err
		}
	} else {
		var ok bool
		if p, ok = m.Prepared.Plan.(*plan); !ok || !e.fits(p) {
			return nil, cqlerr.Unprepared("Unprepared query: the schema has changed")
		}
	}
	if p.write != nil {
		return p, nil
	}
	if e.ycql {
		return nil, cqlerr.QLPlain(cqlerr.InvalidCQL, "batch execution supports INSERT, UPDATE and DELETE statements only currently")
	}
	return nil, cqlerr.Invalid("Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
}
