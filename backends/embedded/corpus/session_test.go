package corpus

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/datastax/go-cassandra-native-protocol/message"
	"github.com/datastax/go-cassandra-native-protocol/primitive"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// session runs the cases of one script in a keyspace of their own.
type session struct {
	c    *client
	addr string
	ks   string
	cov  *coverage // nil: nobody asks
}

func newSession(tg target) (*session, error) {
	c, err := dial(tg.addr)
	if err != nil {
		return nil, err
	}
	var id [6]byte
	_, _ = rand.Read(id[:])
	s := &session{c: c, addr: tg.addr, ks: "corpus_" + hex.EncodeToString(id[:])}
	for _, text := range []string{
		"CREATE KEYSPACE " + s.ks + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"USE " + s.ks,
	} {
		m, err := c.query(text, nil)
		if err != nil {
			return nil, err
		}
		if e, ok := m.(message.Error); ok {
			return nil, errors.New(e.GetErrorMessage())
		}
	}
	return s, nil
}

func (s *session) close() {
	_, _ = s.c.query("DROP KEYSPACE "+s.ks, nil)
	_ = s.c.conn.Close()
}

// run runs a case and returns the answer as the script writes it.
func (s *session) run(k *kase) ([]string, error) {
	text := strings.ReplaceAll(k.stmt, "$ks", s.ks)
	s.cov.statement(k, text)
	var m message.Message
	var err error
	if _, ok := k.directive("no-keyspace"); ok {
		c, err := dial(s.addr)
		if err != nil {
			return nil, err
		}
		defer c.conn.Close()
		if m, err = c.query(text, nil); err != nil {
			return nil, err
		}
		return s.show(k, m)
	}
	if kind, ok := k.directive("batch"); ok {
		m, err = s.batch(kind, text)
	} else if _, ok := k.directive("meta"); ok {
		m, err = s.c.call(&message.Prepare{Query: text})
	} else {
		return s.pages(k, text)
	}
	if err != nil {
		return nil, err
	}
	return s.show(k, m)
}

// pages runs a statement, and again for each page if the case asks for that.
func (s *session) pages(k *kase, text string) ([]string, error) {
	o := &message.QueryOptions{Consistency: primitive.ConsistencyLevelQuorum}
	size, paged := k.directive("page")
	if paged {
		n, err := strconv.Atoi(size)
		if err != nil {
			return nil, err
		}
		o.PageSize = int32(n)
	}
	run, err := s.statement(text, o)
	if err != nil {
		return nil, err
	}
	var out []string
	for range 1000 {
		m, err := run()
		if err != nil {
			return nil, err
		}
		lines, err := s.show(k, m)
		if err != nil {
			return nil, err
		}
		if len(out) > 0 {
			lines = lines[1:]
		}
		out = append(out, lines...)
		rows, ok := m.(*message.RowsResult)
		if !ok || !paged {
			return out, nil
		}
		out = append(out, "-- page")
		if rows.Metadata.PagingState == nil {
			return out, nil
		}
		o.PagingState = rows.Metadata.PagingState
	}
	return nil, errors.New("the pages do not end")
}

// statement makes a text, with or without values, ready to be sent.
func (s *session) statement(text string, o *message.QueryOptions) (func() (message.Message, error), error) {
	stmt, values, bound := strings.Cut(text, " <-")
	if !bound {
		return func() (message.Message, error) { return s.c.query(text, o) }, nil
	}
	m, err := s.c.call(&message.Prepare{Query: stmt})
	if err != nil {
		return nil, err
	}
	p, ok := m.(*message.PreparedResult)
	s.cov.answer(m)
	if !ok {
		return func() (message.Message, error) { return m, nil }, nil
	}
	if o.PositionalValues, err = bind(p, values); err != nil {
		return nil, err
	}
	return func() (message.Message, error) {
		return s.c.call(&message.Execute{QueryId: p.PreparedQueryId, Options: o})
	}, nil
}

func (s *session) batch(kind, text string) (message.Message, error) {
	b := &message.Batch{Consistency: primitive.ConsistencyLevelQuorum, Type: primitive.BatchTypeLogged}
	if kind == "unlogged" {
		b.Type = primitive.BatchTypeUnlogged
	}
	for _, l := range strings.Split(text, "\n") {
		stmt, values, bound := strings.Cut(l, " <-")
		if !bound {
			b.Children = append(b.Children, &message.BatchChild{Query: l})
			continue
		}
		m, err := s.c.call(&message.Prepare{Query: stmt})
		if err != nil {
			return nil, err
		}
		p, ok := m.(*message.PreparedResult)
		s.cov.answer(m)
		if !ok {
			return m, nil
		}
		child := &message.BatchChild{Id: p.PreparedQueryId}
		if child.Values, err = bind(p, values); err != nil {
			return nil, err
		}
		b.Children = append(b.Children, child)
	}
	return s.c.call(b)
}

// bind encodes values, written as literals, for the markers of a statement.
func bind(p *message.PreparedResult, text string) ([]*primitive.Value, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	// unset is no literal: a column of that name stands in for it.
	stmt, _, err := parse.Parse("SELECT f("+strings.ReplaceAll(text, "unset", "unset_value")+") FROM t", parse.Cassandra)
	if err != nil {
		return nil, fmt.Errorf("values %s: %w", text, err)
	}
	exprs := stmt.(*parse.Select).Selectors[0].Expr.Args
	out := make([]*primitive.Value, len(exprs))
	for i, e := range exprs {
		switch {
		case e.Kind == parse.KindNull:
			out[i] = primitive.NewNullValue()
			continue
		case e.Kind == parse.KindColumn && e.Text == "unset_value":
			out[i] = primitive.NewUnsetValue()
			continue
		case i >= len(p.VariablesMetadata.Columns):
			out[i] = primitive.NewValue([]byte{0})
			continue
		}
		t, err := typeOf(p.VariablesMetadata.Columns[i].Type)
		if err != nil {
			return nil, err
		}
		b, err := t.FromLiteral(literal(e))
		if err != nil {
			return nil, fmt.Errorf("value %d of %s: %w", i+1, text, err)
		}
		out[i] = primitive.NewValue(b)
	}
	return out, nil
}

var kinds = map[parse.Kind]cqltype.LiteralKind{
	parse.KindNull: cqltype.NullLiteral, parse.KindString: cqltype.StringLiteral, parse.KindInt: cqltype.IntegerLiteral,
	parse.KindFloat: cqltype.FloatLiteral, parse.KindBool: cqltype.BooleanLiteral, parse.KindUUID: cqltype.UUIDLiteral,
	parse.KindBlob: cqltype.HexLiteral, parse.KindDur: cqltype.DurationLiteral, parse.KindList: cqltype.ListLiteral,
	parse.KindSet: cqltype.SetLiteral, parse.KindMap: cqltype.MapLiteral, parse.KindTuple: cqltype.TupleLiteral,
	parse.KindUDT: cqltype.UDTLiteral,
}

func literal(e *parse.Expr) cqltype.Literal {
	l := cqltype.Literal{Kind: kinds[e.Kind], Text: e.Text, Names: e.Names}
	for _, a := range e.Args {
		l.Items = append(l.Items, literal(a))
	}
	return l
}

// show writes an answer down.
func (s *session) show(k *kase, m message.Message) ([]string, error) {
	s.cov.answer(m)
	switch r := m.(type) {
	case *message.VoidResult:
		return []string{"VOID"}, nil
	case *message.SetKeyspaceResult:
		return []string{"KEYSPACE " + s.hide(r.Keyspace)}, nil
	case *message.SchemaChangeResult:
		return []string{strings.TrimSpace(s.hide(fmt.Sprintf("SCHEMA %s %s %s %s", r.ChangeType, r.Target, r.Keyspace, r.Object)))}, nil
	case *message.RowsResult:
		return s.rows(k, r)
	case *message.PreparedResult:
		return s.prepared(r)
	case message.Error:
		lines := strings.Split(s.hide(r.GetErrorMessage()), "\n")
		for i := 1; i < len(lines); i++ {
			lines[i] = "| " + lines[i]
		}
		lines[0] = fmt.Sprintf("ERROR %#04x %s", int32(r.GetErrorCode()), lines[0])
		return lines, nil
	}
	return nil, fmt.Errorf("unknown answer %T", m)
}

func (s *session) hide(text string) string { return strings.ReplaceAll(text, s.ks, "$ks") }

func (s *session) rows(k *kase, r *message.RowsResult) ([]string, error) {
	types := make([]*cqltype.Type, len(r.Metadata.Columns))
	heads := make([]string, len(types))
	for i, c := range r.Metadata.Columns {
		t, err := typeOf(c.Type)
		if err != nil {
			return nil, err
		}
		types[i], heads[i] = t, c.Name+" "+t.String()
	}
	out := []string{"ROWS " + s.hide(strings.Join(heads, " | "))}
	for _, row := range r.Data {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = s.hide(types[i].Format(c))
		}
		out = append(out, strings.Join(cells, " | "))
	}
	if _, ok := k.directive("sorted"); ok {
		slices.Sort(out[1:])
	}
	return out, nil
}

// prepared shows the metadata of a prepared statement.
func (s *session) prepared(r *message.PreparedResult) ([]string, error) {
	out := []string{"PREPARED"}
	show := func(what string, cols []*message.ColumnMetadata) error {
		for _, c := range cols {
			t, err := typeOf(c.Type)
			if err != nil {
				return err
			}
			out = append(out, s.hide(fmt.Sprintf("%s %s.%s %s %s", what, c.Keyspace, c.Table, c.Name, t)))
		}
		return nil
	}
	if err := show("bind", r.VariablesMetadata.Columns); err != nil {
		return nil, err
	}
	if len(r.VariablesMetadata.PkIndices) > 0 {
		out = append(out, fmt.Sprintf("key %v", r.VariablesMetadata.PkIndices))
	}
	if r.ResultMetadata == nil {
		return out, nil
	}
	return out, show("result", r.ResultMetadata.Columns)
}
