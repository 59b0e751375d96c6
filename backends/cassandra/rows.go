package cassandra

import (
	"errors"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

const appliedColumn = "[applied]"

// rows implements cql.Rows over one page of a gocql iterator.
type rows struct {
	iter   *gocql.Iter
	cells  []cell
	dest   []any
	failed func(error) error
	closed bool
	err    error
}

// Scan implements cql.Rows.
func (r *rows) Scan(dest ...any) bool {
	if r.closed {
		return false
	}
	if len(r.cells) != len(dest) {
		r.cells = make([]cell, len(dest))
		r.dest = make([]any, len(dest))
		for i := range r.cells {
			r.dest[i] = &r.cells[i]
		}
	}
	for i, d := range dest {
		r.cells[i].dest = d
	}
	return r.iter.Scan(r.dest...)
}

// Next implements cql.Rows.
func (r *rows) Next() []byte { return r.iter.PageState() }

// Close implements cql.Rows.
func (r *rows) Close() error {
	if !r.closed {
		r.closed = true
		if err := r.iter.Close(); err != nil && !errors.Is(err, gocql.ErrNotFound) {
			r.err = r.failed(err)
		}
	}
	return r.err
}

// casRows reads the answer to one conditional statement.
func casRows(iter *gocql.Iter, res *cql.Result) error {
	columns := iter.Columns()
	if len(columns) == 0 {
		return iter.Close() // an error; or a server that says nothing of IF
	}
	for {
		row, applied, ok := scanRow(iter, columns)
		if !ok {
			return nil
		}
		res.Applied = res.Applied && applied
		if !applied && len(columns) > 1 {
			res.Rows = append(res.Rows, row)
		}
	}
}

func scanRow(iter *gocql.Iter, columns []gocql.ColumnInfo) (row cql.Row, applied, ok bool) {
	values := make([]any, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &cell{dest: &values[i]}
	}
	if !iter.Scan(dest...) {
		return nil, false, false
	}
	row = make(cql.Row, len(columns))
	for i, c := range columns {
		if c.Name == appliedColumn {
			applied, _ = values[i].(bool)
			continue
		}
		row[c.Name] = values[i]
	}
	return row, applied, true
}

// casBatch runs a conditional batch. gocql hands out its first row only as a
// map and puts the values there that it finds under the columns' names; shown
// are the names that the server may use.
func casBatch(g *gocql.Session, b *gocql.Batch, shown []string) (cql.Result, error) {
	values := make([]any, len(shown))
	first := make(map[string]any, len(shown)+1)
	for i, name := range shown {
		first[name] = &cell{dest: &values[i]}
	}
	applied, iter, err := g.MapExecuteBatchCAS(b, first)
	if iter != nil {
		defer func() { _ = iter.Close() }()
	}
	if err != nil {
		return cql.Result{}, err
	}
	res := cql.Result{Applied: applied}
	if applied {
		return res, nil
	}
	columns := iter.Columns()
	row := make(cql.Row, len(columns))
	known := make(map[string]any, len(shown))
	for i, name := range shown {
		known[name] = values[i]
	}
	for _, c := range columns {
		if c.Name == appliedColumn || c.TypeInfo.Type() == gocql.TypeMap || c.TypeInfo.Type() == gocql.TypeSet || c.TypeInfo.Type() == gocql.TypeList {
			continue
		}
		v, ok := known[c.Name]
		if !ok {
			v = plain(first[c.Name])
		}
		row[c.Name] = v
	}
	if len(row) > 0 {
		res.Rows = append(res.Rows, row)
	}
	for {
		row, _, ok := scanRow(iter, columns)
		if !ok {
			return res, iter.Close()
		}
		res.Rows = append(res.Rows, row)
	}
}

// plain turns a value that gocql chose the type of into that of cql.Row. Null
// cannot be told from zero there; a UUID of zeros is taken for null.
func plain(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case time.Time:
		return v.UnixMilli()
	case gocql.UUID:
		if v == (gocql.UUID{}) {
			return nil
		}
		return [16]byte(v)
	default:
		return v
	}
}
