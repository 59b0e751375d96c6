package sim

import (
	"context"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// shape is what rules look at in a request.
type shape struct {
	class
	consistency wire.Consistency
	batch       bool
	stale       bool // a read that may be stale
	partitions  int  // of a native batch
}

func (s *shape) writeType() string {
	switch {
	case s.conditional:
		return "CAS"
	case s.batch || s.batchText:
		return "BATCH"
	default:
		return "SIMPLE"
	}
}

// class is what a text alone tells. The zero value is left alone.
type class struct {
	reads, writes, block, batchText, conditional bool
	tables                                       []string
}

// classify looks at a text; one that does not parse is the engine's to refuse.
func classify(d parse.Dialect, keyspace, text string) class {
	stmt, _, err := parse.Parse(text, d)
	if err != nil {
		return class{}
	}
	var c class
	c.add(keyspace, stmt)
	return c
}

func (c *class) add(keyspace string, stmt parse.Statement) {
	switch st := stmt.(type) {
	case *parse.Select:
		if !isSystem(keyspace, st.Table) {
			c.reads = true
			c.tables = append(c.tables, st.Table.Name)
		}
	case *parse.Insert:
		c.write(st.Table, st.Tail)
	case *parse.Update:
		c.write(st.Table, st.Tail)
	case *parse.Delete:
		c.write(st.Table, st.Tail)
	case *parse.Batch:
		c.batchText = true
		for _, s := range st.Stmts {
			c.add(keyspace, s)
		}
	case *parse.Block:
		c.block = true
		for _, s := range st.Stmts {
			c.add(keyspace, s)
		}
	}
}

func (c *class) write(table parse.Name, tail parse.Tail) {
	c.writes = true
	c.conditional = c.conditional || tail.If != nil
	c.tables = append(c.tables, table.Name)
}

func isSystem(keyspace string, n parse.Name) bool {
	if n.Keyspace != "" {
		keyspace = n.Keyspace
	}
	return keyspace == "system" || strings.HasPrefix(keyspace, "system_")
}

func (c *class) touches(table string) bool {
	for _, t := range c.tables {
		if t == table {
			return true
		}
	}
	return false
}

// partitionOf names the partition that a member of a batch writes. A member whose
// partition key is not all bound counts as a partition of its own.
func (e *Engine) partitionOf(ctx context.Context, keyspace string, m *server.BatchMember) string {
	p := m.Prepared
	if p == nil {
		var err error
		if p, err = e.inner.Prepare(ctx, keyspace, m.Text); err != nil {
			return m.Text
		}
	}
	var b strings.Builder
	if len(p.Binds) > 0 {
		b.WriteString(p.Binds[0].Keyspace + "." + p.Binds[0].Table)
	}
	for _, i := range p.PKIndices {
		if int(i) >= len(m.Values) {
			continue // the engine will refuse it
		}
		b.WriteByte(0)
		b.Write(m.Values[i].Data)
	}
	if len(p.PKIndices) == 0 {
		b.WriteString(p.Text + m.Text)
		for _, v := range m.Values {
			b.WriteByte(0)
			b.Write(v.Data)
		}
	}
	return b.String()
}
