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

// planBlock analyses a statement list: ycql.md 1.2. The order of checks is that of
// PTListNode::AnalyzeStatementBlock (ql/ptree/list_node.cc): how the list begins and
// ends, then each statement's own analysis and what the block asks of it.
func (e *Engine) planBlock(p *plan, b *binder, st *state, s *parse.Block, keyspace string) error {
	p.block = &blockPlan{}
	fail := func(stmt parse.Statement, text string) error {
		return b.src.QL(cqlerr.InvalidCQL, statementAt(stmt), "%s", text)
	}
	front, back := s.Stmts[0], s.Stmts[len(s.Stmts)-1]
	if _, ok := front.(*parse.Begin); !ok {
		return fail(front, "A transaction must be started at the beginning of a statement batch")
	}
	if _, ok := back.(*parse.Commit); !ok {
		return fail(back, "A transaction must be committed at the end of a statement batch")
	}
	for _, stmt := range s.Stmts[1 : len(s.Stmts)-1] {
		switch stmt.(type) {
		case *parse.Insert, *parse.Update, *parse.Delete:
		default:
			return fail(stmt, "Only insert, update, and delete statements are allowed in a statement batch")
		}
		w, err := b.planWrite(e, st, stmt, keyspace)
		if err != nil {
			return err
		}
		if err := checkMember(b, w); err != nil {
			return err
		}
		p.block.writes = append(p.block.writes, w)
		p.tables = append(p.tables, w.tab)
		if p.pk == nil {
			p.pk = b.pkIndices(w.where)
		}
	}
	return nil
}

// statementAt is where YCQL's errors about a whole statement point: its first word,
// or INTO of an INSERT.
func statementAt(stmt parse.Statement) parse.Span {
	switch x := stmt.(type) {
	case *parse.Insert:
		return x.Into
	case *parse.Update:
		return x.Word
	case *parse.Delete:
		return x.Word
	case *parse.Begin, *parse.Commit, *parse.Unsupported:
		return stmt.Pos() // one symbol of the grammar
	default:
	}
	at := stmt.Pos()
	return parse.Span{Start: at.Start, End: at.Start + firstWord(stmt)}
}

func firstWord(stmt parse.Statement) int {
	switch stmt.(type) {
	case *parse.Select, *parse.CreateKeyspace, *parse.CreateTable, *parse.CreateType, *parse.CreateIndex:
		return len("CREATE")
	case *parse.AlterKeyspace, *parse.AlterTable, *parse.AlterUDT:
		return len("ALTER")
	case *parse.Drop:
		return len("DROP")
	case *parse.Truncate:
		return len("TRUNCATE")
	case *parse.Use:
		return len("USE")
	default:
		return 1
	}
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
