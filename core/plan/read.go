package plan

// Relation is how a filter compares a column with its argument.
type Relation uint8

// The relations of a filter.
const (
	Is Relation = iota + 1
	After
)

// Filter narrows a read by a column outside the key range. The server applies
// it to every row that it walks over: only for tables of tens of rows.
type Filter struct {
	Column   *Column
	Relation Relation
}

// Limit says how many rows a read may return in all, whatever the page size.
type Limit int

// Special limits; a positive Limit is a constant.
const (
	NoLimit  Limit = 0
	LimitArg Limit = -1 // the last argument, an int64
)

// Read describes a read. Stores hold reads in package variables; package exec
// compiles each once, when the store is made.
//
// The arguments of a run are, in this order: the values of the first Eq key
// columns, the values of From, those of To (as many as the bound's Width), the
// two ends of the span if Span is set, one for each filter, and the limit if it
// is LimitArg.
type Read struct {
	Name  string
	Table *Table
	// Columns is what the caller gets, in this order: key or value columns.
	Columns []*Column
	// TTLOf, if set, adds one more column after Columns: the seconds that this
	// column still lives, null if it does not expire.
	TTLOf *Column
	// Count makes the read return one row with one Int, the number of rows, in
	// place of Columns.
	Count bool

	// Eq is the number of leading key columns that are given. All of them: a
	// point read; none: a scan of the whole table in no particular order.
	Eq       int
	From, To RangeEnd
	// Span makes the read, of which no key column is given (Eq is 0), walk over
	// the partitions whose hash lies between two arguments, both included:
	// int64 within cql.Traits.HashMin and HashMax. Rows come partition by
	// partition, in an order of the server's. It is for tools that read all of a
	// table, piece by piece; no store asks for it.
	Span bool
	// Distinct makes the read return each partition once, whatever rows it has.
	// Columns are those that name a partition, no more and no less.
	Distinct bool
	// Desc returns rows by descending key.
	Desc    bool
	Limit   Limit
	Filters []Filter
}

// RangeEnd limits the key columns after the first Eq ones. Width is the number
// of columns that are compared, like a tuple; 0 with Unbounded.
type RangeEnd struct {
	Compare Compare
	Width   int
}

// Args returns the number of arguments that a run of r takes.
func (r *Read) Args() int {
	n := r.Eq + r.From.Width + r.To.Width + len(r.Filters)
	if r.Span {
		n += 2
	}
	if r.Limit == LimitArg {
		n++
	}
	return n
}

// Point tells whether r reads at most one row.
func (r *Read) Point() bool { return r.Eq == len(r.Table.Key) }

// Page asks for one page of a read: at most Size rows (0: the session's
// default), from where Token says (nil: from the start).
type Page struct {
	Size  int
	Token []byte
}
