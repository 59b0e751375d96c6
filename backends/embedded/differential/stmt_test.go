package differential

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gocql/gocql"
)

// stmt is one request. %T in texts stands for the table, %U for the type.
type stmt struct {
	text string
	args []arg
	// batch, if not empty, makes it a BATCH message of these.
	batch []stmt
	// page is the page size; 0 is one page.
	page int
	// wait makes both sides wait before it, so that short TTLs run out.
	wait bool

	// What it is, for the statistics.
	collection, ttl, read bool
}

// arg is a bound value in binary form.
type arg struct {
	value []byte
	unset bool
}

// MarshalCQL passes the bytes through.
func (a arg) MarshalCQL(gocql.TypeInfo) ([]byte, error) { return a.value, nil }

func (s stmt) String() string {
	if len(s.batch) > 0 {
		parts := make([]string, len(s.batch))
		for i, m := range s.batch {
			parts[i] = m.String()
		}
		return "BATCH {" + strings.Join(parts, "; ") + "}"
	}
	var b strings.Builder
	b.WriteString(s.text)
	if len(s.args) > 0 {
		b.WriteString("  <-")
		for _, a := range s.args {
			switch {
			case a.unset:
				b.WriteString(" unset")
			case a.value == nil:
				b.WriteString(" null")
			default:
				fmt.Fprintf(&b, " 0x%x", a.value)
			}
		}
	}
	if s.page > 0 {
		fmt.Fprintf(&b, "  [pages of %d]", s.page)
	}
	if s.wait {
		b.WriteString("  [after a wait]")
	}
	return b.String()
}

// outcome is everything a client can tell about an answer.
type outcome struct {
	code    int // of the error; 0 is success
	message string
	columns []string // names with types
	rows    []string
	pages   int
}

func (o outcome) applied() (conditional, applied bool) {
	if len(o.columns) == 0 || !strings.HasPrefix(o.columns[0], "[applied] ") || len(o.rows) == 0 {
		return false, false
	}
	return true, strings.HasPrefix(o.rows[0], "01")
}

func (o outcome) String() string {
	if o.code != 0 {
		return fmt.Sprintf("error %#x: %s", o.code, o.message)
	}
	return fmt.Sprintf("%v, %d pages\n      %s", o.columns, o.pages, strings.Join(o.rows, "\n      "))
}

// raw takes a value as it came.
type raw struct {
	b    []byte
	null bool
}

func (r *raw) UnmarshalCQL(_ gocql.TypeInfo, data []byte) error {
	r.b, r.null = append([]byte{}, data...), data == nil
	return nil
}

func (r *raw) String() string {
	if r.null {
		return "null"
	}
	return hex.EncodeToString(r.b)
}

// side is one of the two servers.
type side struct {
	name string
	*gocql.Session
	// fault is the bug it was given, nil for none.
	fault *fault
}

// run sends one statement and returns the answer. The error is for what is no
// answer: a lost connection, a timeout.
func (s *side) run(table string, st stmt) (outcome, error) {
	if f := s.fault; f != nil && f.run != nil {
		return f.run(s, table, st)
	}
	return s.sound(table, st)
}

// sound is run without the side's fault, as far as that replaces run.
func (s *side) sound(table string, st stmt) (outcome, error) {
	if f := s.fault; f != nil && f.statement != nil {
		st = f.statement(st)
	}
	fill := strings.NewReplacer("%T", table, "%U", table+"_u").Replace
	if len(st.batch) > 0 {
		b := s.NewBatch(gocql.LoggedBatch)
		b.DefaultTimestamp(false)
		for _, m := range st.batch {
			b.Query(fill(m.text), values(m.args)...)
		}
		return failed(s.ExecuteBatch(b))
	}
	q := s.Query(fill(st.text), values(st.args)...).DefaultTimestamp(false).RetryPolicy(nil)
	defer q.Release()
	if !st.read || st.page%2 == 1 {
		q.NoSkipMetadata() // conditional statements have none but what the answer brings
	}
	if st.page == 0 {
		q.PageSize(5000)
	} else {
		q.PageSize(st.page)
	}
	var o outcome
	var state []byte
	for {
		it := q.PageState(state).Iter()
		o.pages++
		if o.columns == nil {
			for _, c := range it.Columns() {
				o.columns = append(o.columns, c.Name+" "+fmt.Sprint(c.TypeInfo))
			}
		}
		n := it.NumRows()
		rows := make([]string, n)
		for i := range rows {
			row, err := scanRow(it)
			if err != nil {
				return outcome{}, err
			}
			rows[i] = row
		}
		if f := s.fault; f != nil && f.page != nil {
			rows = f.page(o.pages-1, rows)
		}
		o.rows = append(o.rows, rows...)
		state = it.PageState()
		if err := it.Close(); err != nil {
			return failed(err)
		}
		if len(state) == 0 {
			return o, nil
		}
		if st.page > 0 && n > st.page {
			return outcome{}, fmt.Errorf("%s sent a page of %d rows, %d were asked for", s.name, n, st.page)
		}
	}
}

func values(args []arg) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = a
		if a.unset {
			out[i] = gocql.UnsetValue
		}
	}
	return out
}

// scanRow reads one row; the driver takes tuples apart.
func scanRow(it *gocql.Iter) (string, error) {
	var dest []any
	var cells []*raw
	for _, c := range it.Columns() {
		n := 1
		if tuple, ok := c.TypeInfo.(gocql.TupleTypeInfo); ok {
			n = len(tuple.Elems)
		}
		for range n {
			r := &raw{null: true}
			dest, cells = append(dest, r), append(cells, r)
		}
	}
	if !it.Scan(dest...) {
		err := it.Close()
		if err == nil {
			err = errors.New("a row could not be read")
		}
		return "", err
	}
	parts := make([]string, len(cells))
	for i, c := range cells {
		parts[i] = c.String()
	}
	return strings.Join(parts, " "), nil
}

// failed sorts an error: an answer of the server, or none.
func failed(err error) (outcome, error) {
	var re gocql.RequestError
	switch {
	case err == nil:
		return outcome{}, nil
	case errors.As(err, &re):
		return outcome{code: re.Code(), message: re.Message()}, nil
	default:
		return outcome{}, err
	}
}

// expiryWait is how long both sides wait where a case says so: longer than the
// short TTLs it gives.
const expiryWait = 2200 * time.Millisecond
