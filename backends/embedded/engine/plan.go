package engine

import (
	"cmp"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// plan is an analysed text. One of the statement fields is set. It is immutable.
type plan struct {
	src    cqlerr.Source
	state  *state   // that it was made for
	tables []*table // that it rests on
	binds  []wire.Column
	pk     []uint16

	sel   *selectPlan
	write *writePlan
	batch *batchPlan
	block *blockPlan
	ddl   parse.Statement
	use   string

	describe bool // DESCRIBE: its text is all there is
	nothing  bool // YCQL's SELECT of a system table that is not there

	keyspace string // the connection's, for DDL
}

// columns are the result's, where they are known beforehand.
func (p *plan) columns() []wire.Column {
	if p.sel != nil {
		return p.sel.cols
	}
	return nil
}

// plan parses and analyses a text.
func (e *Engine) plan(keyspace, text string) (*plan, error) {
	stmt, markers, err := parse.Parse(text, e.dialect)
	if err != nil {
		return nil, cqlerr.FromParse(err)
	}
	st := e.state.Load()
	p := &plan{src: cqlerr.Source{Text: text, Dialect: e.dialect}, state: st, keyspace: keyspace}
	b := &binder{src: p.src, ycql: e.ycql, binds: make([]wire.Column, markers)}
	if err := e.planStatement(p, b, st, stmt, keyspace); err != nil {
		return nil, err
	}
	p.binds = b.binds
	return p, nil
}

func (e *Engine) planStatement(p *plan, b *binder, st *state, stmt parse.Statement, keyspace string) error {
	var err error
	switch s := stmt.(type) {
	case *parse.Select:
		if p.nothing = e.missingSystemTable(s.Table, keyspace); p.nothing {
			return nil
		}
		if err := e.from(b, st, s.Table, keyspace); err != nil {
			return err
		}
		p.tables = []*table{b.tab}
		if p.sel, err = b.planSelect(s); err != nil {
			return err
		}
		p.pk = b.pkIndices(p.sel.where)
	case *parse.Insert, *parse.Update, *parse.Delete:
		if p.write, err = b.planWrite(e, st, s, keyspace); err != nil {
			return err
		}
		p.tables = []*table{p.write.tab}
		p.pk = b.pkIndices(p.write.where)
	case *parse.Batch:
		if p.batch, p.tables, err = b.planBatch(e, st, s, keyspace); err != nil {
			return err
		}
		p.pk = p.batch.pkIndices(b)
	case *parse.Block:
		return e.planBlock(p, b, st, s, keyspace)
	case *parse.Begin, *parse.Commit:
		// A lone START TRANSACTION or COMMIT does nothing that lasts (ycql.md 1.1).
		p.block = &blockPlan{}
	case *parse.Use:
		if st.schema.Keyspaces[s.Keyspace] == nil && !e.system.IsSystem(s.Keyspace) {
			if e.ycql {
				return b.src.QL(cqlerr.KeyspaceNotFound, s.NameSpan, "")
			}
			return cqlerr.Invalid("Keyspace '%s' does not exist", s.Keyspace)
		}
		p.use = s.Keyspace
	case *parse.Unsupported:
		if s.What == "describe" || s.What == "desc" {
			p.describe = true
			return nil
		}
		return b.src.Refuse("the statement "+upperWords(s.What), s.Span)
	default:
		p.ddl = stmt
	}
	return nil
}

func upperWords(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 32
		}
	}
	return string(b)
}

// missingSystemTable: YCQL answers a SELECT of a table that a system keyspace does
// not have with VOID (ycql.md 2.7), but for peers_v2: drivers find out by an error
// that there is none.
func (e *Engine) missingSystemTable(n parse.Name, keyspace string) bool {
	keyspace = cmp.Or(n.Keyspace, keyspace)
	return e.ycql && e.system.IsSystem(keyspace) && e.system.Table(keyspace, n.Name) == nil && n.Name != "peers_v2"
}

// from finds a statement's table.
func (e *Engine) from(b *binder, st *state, n parse.Name, keyspace string) error {
	ks := n.Keyspace
	if ks == "" {
		ks = keyspace
	}
	if ks == "" {
		if e.ycql {
			return b.src.QL(cqlerr.NoNamespace, n.Span, "")
		}
		return cqlerr.Invalid("No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename")
	}
	if e.system.IsSystem(ks) {
		def := e.system.Table(ks, n.Name)
		if def == nil {
			if e.ycql {
				return cqlerr.Server("Unknown keyspace/cf pair (%s.%s)", ks, n.Name)
			}
			return cqlerr.Invalid("table %s does not exist", n.Name)
		}
		t, err := e.newTable(def)
		if err != nil {
			return err
		}
		t.virtual = func(e *Engine) [][][]byte { return e.system.Rows(def, e.state.Load().schema) }
		b.tab, b.table = t, def
		return nil
	}
	space := st.schema.Keyspaces[ks]
	var def *catalog.Table
	if space != nil {
		def = space.Tables[n.Name]
	}
	switch {
	case def != nil:
		b.tab, b.table = st.tables[def], def
		return nil
	case e.ycql:
		return b.src.QL(cqlerr.ObjectNotFound, n.Span, "")
	case space == nil:
		return cqlerr.Invalid("keyspace %s does not exist", ks)
	}
	return cqlerr.Invalid("table %s does not exist", n.Name)
}

// planWrite analyses an INSERT, UPDATE or DELETE.
func (b *binder) planWrite(e *Engine, st *state, stmt parse.Statement, keyspace string) (*writePlan, error) {
	var name parse.Name
	switch s := stmt.(type) {
	case *parse.Insert:
		name = s.Table
	case *parse.Update:
		name = s.Table
	case *parse.Delete:
		name = s.Table
	default:
		return nil, b.src.Refuse("this statement here", stmt.Pos())
	}
	b.used, b.columns = nil, false
	if ks := cmp.Or(name.Keyspace, keyspace); e.ycql && e.system.IsSystem(ks) {
		return nil, b.src.QL(cqlerr.SystemReadOnly, name.Span, "")
	}
	if err := e.from(b, st, name, keyspace); err != nil {
		return nil, err
	}
	if b.tab.virtual != nil {
		return nil, wire.Errorf(wire.CodeUnauthorized, "%s keyspace is not user-modifiable.", b.table.Keyspace)
	}
	switch s := stmt.(type) {
	case *parse.Insert:
		return b.planInsert(s)
	case *parse.Update:
		return b.planUpdate(s)
	default:
		return b.planDelete(stmt.(*parse.Delete))
	}
}

// pkIndices tells which markers hold the partition key, if all of it is bound.
func (b *binder) pkIndices(w *restrictions) []uint16 {
	var out []uint16
	for _, c := range b.table.PartitionKey {
		x := w.cols[c.Index]
		if x == nil || x.eq == nil || x.eq.kind != termMarker {
			return nil
		}
		out = append(out, uint16(x.eq.marker))
	}
	if slices.Contains(out, uint16(0xffff)) {
		return nil
	}
	return out
}
