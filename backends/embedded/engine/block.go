package engine

import (
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
)

const listKind = cqltype.List

// blockPlan is a transaction block made ready; without writes it is a lone START
// TRANSACTION or COMMIT, which does nothing that lasts (ycql.md 1.1).
type blockPlan struct{ writes []*writePlan }

// planBlock analyses a statement list: ycql.md 1.2, whose order of checks is kept:
// each statement's own analysis, then what the block asks of it.
func (e *Engine) planBlock(p *plan, b *binder, st *state, s *parse.Block, keyspace string) error {
	p.block = &blockPlan{}
	fail := func(at parse.Span, text string) error { return b.src.QL(cqlerr.InvalidCQL, at, "%s", text) }
	for i, stmt := range s.Stmts {
		first, last := i == 0, i == len(s.Stmts)-1
		switch x := stmt.(type) {
		case *parse.Begin:
			if !first {
				return fail(x.Span, "A transaction must be started at the beginning of a statement batch")
			}
			continue
		case *parse.Commit:
			if first {
				return fail(x.Span, "A transaction must be started at the beginning of a statement batch")
			}
			if !last {
				return fail(x.Span, "A transaction must be committed at the end of a statement batch")
			}
			continue
		case *parse.Insert, *parse.Update, *parse.Delete:
			w, err := b.planWrite(e, st, stmt, keyspace)
			if err != nil {
				return err
			}
			if first {
				return fail(w.at, "A transaction must be started at the beginning of a statement batch")
			}
			if err := checkMember(b, w); err != nil {
				return err
			}
			p.block.writes = append(p.block.writes, w)
			p.tables = append(p.tables, w.tab)
			if p.pk == nil {
				p.pk = b.pkIndices(w.where)
			}
		default:
			if first {
				return fail(stmt.Pos(), "A transaction must be started at the beginning of a statement batch")
			}
			return fail(stmt.Pos(), "Only insert, update, and delete statements are allowed in a statement batch")
		}
		if last {
			return fail(stmt.Pos(), "A transaction must be committed at the end of a statement batch")
		}
	}
	return nil
}

func checkMember(b *binder, w *writePlan) error {
	switch {
	case !w.tab.def.Transactional:
		return b.src.QL(cqlerr.InvalidCQL, w.nameAt, "Transactions are not enabled in the table")
	case w.cond != nil && !w.elseError:
		return b.src.QL(cqlerr.InvalidCQL, w.at, "Execution of conditional DML statement in transaction block without ELSE ERROR is not supported yet")
	case w.returnsStatus:
		return b.src.QL(cqlerr.InvalidCQL, w.at, "Execution of statement in transaction block with RETURNS STATUS AS ROW is not supported yet")
	}
	return nil
}

// runBlock runs a transaction block: one statement after the other, each seeing
// the writes before it, all or none (ycql.md 1.3, 1.5).
func (e *Engine) runBlock(p *blockPlan, v env) (*server.Result, error) {
	res := &server.Result{}
	if len(p.writes) == 0 {
		return res, nil
	}
	ws := make([]*pending, 0, len(p.writes))
	conditional := 0
	for _, x := range p.writes {
		w, err := e.pend(x, v, nil)
		if err != nil {
			return nil, err
		}
		if err := w.checkTTL(); err != nil {
			return nil, err
		}
		if w.nothing() {
			continue
		}
		if x.cond != nil {
			conditional++
		}
		ws = append(ws, w)
	}
	out, ticket, err := e.step(ws, true)
	for _, w := range ws[:len(out)] {
		res.Cost.Rounds++
		res.Cost.Statements++
		if len(w.p.tab.def.Indexes) > 0 {
			res.Cost.Rounds++
		}
	}
	if werr := waited(ticket); werr != nil {
		return res, werr
	}
	if err != nil {
		return res, err
	}
	res.Cost.Commits = 1
	if conditional == 0 {
		return res, nil
	}
	// One row [applied] = true for each conditional statement (ycql.md 1.3).
	t := p.writes[0].tab.def
	res.Kind, res.Columns = server.Rows, casColumns(t, nil)
	for range conditional {
		res.Cells = append(res.Cells, boolValue[true])
	}
	return res, nil
}
