package yugabyte

import (
	"errors"
	"fmt"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// Columns of the answers to conditional statements.
const (
	appliedColumn = "[applied]"
	messageColumn = "[message]" // of RETURNS STATUS AS ROW
)

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

// shown is a row of an answer to conditional statements.
type shown struct {
	row     cql.Row
	applied bool
	message string
}

// next reads the next row of an answer. Its columns may differ from one answer
// to the next, so they are taken from the answer.
func next(iter *gocql.Iter) (shown, bool) {
	columns := iter.Columns()
	values := make([]any, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &cell{dest: &values[i]}
	}
	if len(columns) == 0 || !iter.Scan(dest...) {
		return shown{}, false
	}
	s := shown{row: make(cql.Row, len(columns))}
	for i, c := range columns {
		switch c.Name {
		case appliedColumn:
			s.applied, _ = values[i].(bool)
		case messageColumn:
			s.message, _ = values[i].(string)
		default:
			s.row[c.Name] = values[i]
		}
	}
	return s, true
}

// casRows reads the answer to one statement with IF: no row if it is a block
// without conditions, one row of a statement, one for each condition of a block
// that was applied.
func casRows(iter *gocql.Iter, res *cql.Result) error {
	for {
		s, ok := next(iter)
		if !ok {
			return iter.Close()
		}
		if s.message != "" {
			return statusError(s)
		}
		res.Applied = res.Applied && s.applied
		if !s.applied && len(s.row) > 0 {
			res.Rows = append(res.Rows, s.row)
		}
	}
}

// statusBatch runs a batch of n > 1 statements that return their status. The
// last one is the guard, whose condition decides; the others have none, so one
// that was not applied is a failure. gocql hands out the first row only as a
// map, and the others by an iterator.
func statusBatch(g *gocql.Session, b *gocql.Batch, res *cql.Result) (err error) {
	defer func() {
		// gocql asserts that there is a column "[applied]".
		if p := recover(); p != nil {
			err = &cql.Error{Reach: cql.Replied, Code: cql.CodeServer, Message: fmt.Sprintf("the answer to a batch holds no status: %v", p)}
		}
	}()
	first := map[string]any{}
	applied, iter, err := g.MapExecuteBatchCAS(b, first)
	if err != nil {
		return err
	}
	message, _ := first[messageColumn].(string)
	n := b.Size()
	for i, s := 0, (shown{applied: applied, message: message}); ; i++ {
		switch {
		case s.message != "", i < n-1 && !s.applied:
			return statusError(s)
		case i == n-1 && !s.applied:
			res.Applied = false
			res.Rows = append(res.Rows, s.row)
		}
		var more bool
		if s, more = next(iter); more {
			continue
		}
		if err := iter.Close(); err != nil {
			return err
		}
		if i != n-1 {
			return &cql.Error{Reach: cql.Replied, Code: cql.CodeServer, Message: fmt.Sprintf("%d rows of status for a batch of %d statements", i+1, n)}
		}
		return nil
	}
}

// statusError is what a member says that could not be run. Others may have
// been: it has the code that promises least.
func statusError(s shown) error {
	if s.message == "" {
		s.message = "a statement without a condition was not applied"
	}
	return &cql.Error{Reach: cql.Replied, Code: cql.CodeServer, Message: s.message}
}
