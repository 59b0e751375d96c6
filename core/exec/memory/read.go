package memory

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Read returns one page of a read: its rows, one value for each column and nil
// for null, and the token of the next page, nil at the end.
func (s *State) Read(r *plan.Read, page plan.Page, args ...any) (rows [][]any, token []byte, err error) {
	if len(args) != r.Args() {
		return nil, nil, fmt.Errorf("%s takes %d arguments, got %d", r.Name, r.Args(), len(args))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Distinct {
		rows, token = s.partitions(r, page, args)
		return rows, token, nil
	}
	found := s.find(r, args)
	if r.Count {
		return [][]any{{int64(len(found))}}, nil, nil
	}
	limit := len(found)
	if r.Limit > 0 {
		limit = min(limit, int(r.Limit))
	} else if r.Limit == plan.LimitArg {
		n, _ := args[len(args)-1].(int64)
		limit = min(limit, int(n))
	}
	found = found[:limit]
	if len(page.Token) > 0 {
		last, ok := s.table(r.Table).keys[string(page.Token)]
		if !ok {
			return nil, nil, fmt.Errorf("%s: page token is not one of this read's", r.Name)
		}
		found = after(r, found, last)
	}
	if page.Size > 0 && len(found) > page.Size {
		found = found[:page.Size]
		token = []byte(keyText(found[page.Size-1].key))
	}
	for _, f := range found {
		rows = append(rows, s.columns(r, f))
	}
	return rows, token, nil
}

// find returns all rows that a read selects, in its order.
func (s *State) find(r *plan.Read, args []any) []*row {
	prefix, args := args[:r.Eq], args[r.Eq:]
	from := plan.Bound{Compare: r.From.Compare, Values: args[:r.From.Width]}
	args = args[r.From.Width:]
	to := plan.Bound{Compare: r.To.Compare, Values: args[:r.To.Width]}
	args = args[r.To.Width:]
	first, last := int64(hashMin), int64(hashMax)
	if r.Span {
		first, _ = args[0].(int64)
		last, _ = args[1].(int64)
		args = args[2:]
	}

	var found []*row
	for _, row := range s.table(r.Table).rows {
		if r.Span {
			if h := hash(row.key); h < first || h > last {
				continue
			}
		}
		if s.existsNow(row) && inRange(row.key, prefix, from, to) && s.passes(r, row, args) {
			found = append(found, row)
		}
	}
	sortRows(r.Table, found, r.Desc)
	return found
}

// The space in which partitions are hashed: cql.Traits.HashMin and HashMax.
const (
	hashMin = 0
	hashMax = math.MaxUint16
)

// hash places a row by its first key column, which every partition key begins with.
func hash(key []any) int64 {
	h := fnv.New32a()
	if len(key) > 0 {
		_, _ = h.Write([]byte(plan.FormatValue(key[0]))) // never fails
	}
	return int64(h.Sum32() & hashMax)
}

// beside are the tables that share the partitions of another, in every dialect:
// a partition is there whichever of them has rows in it.
var beside = map[*plan.Table][]*plan.Table{
	plan.Tasks:     {plan.TaskQueues},
	plan.FairTasks: {plan.FairTaskQueues},
	plan.UserData:  {plan.BuildIDs},
}

// partitions is Read of a read with Distinct.
func (s *State) partitions(r *plan.Read, page plan.Page, args []any) (found [][]any, token []byte) {
	seen := make(map[string]bool)
	for _, t := range append([]*plan.Table{r.Table}, beside[r.Table]...) {
		of := *r
		of.Table = t
		for _, f := range s.find(&of, args) {
			values := s.columns(&of, f)
			if id := keyText(values); !seen[id] {
				seen[id] = true
				found = append(found, values)
			}
		}
	}
	slices.SortFunc(found, func(a, b []any) int { return strings.Compare(keyText(a), keyText(b)) })
	if len(page.Token) > 0 {
		at := slices.IndexFunc(found, func(f []any) bool { return keyText(f) > string(page.Token) })
		if at < 0 {
			return nil, nil
		}
		found = found[at:]
	}
	if page.Size > 0 && len(found) > page.Size {
		found = found[:page.Size]
		token = []byte(keyText(found[page.Size-1]))
	}
	return found, token
}

func (s *State) passes(r *plan.Read, row *row, args []any) bool {
	for i, f := range r.Filters {
		v := s.value(row, r.Table, f.Column)
		if v == nil {
			return false
		}
		c := compare(v, args[i])
		if f.Relation == plan.Is && c != 0 || f.Relation == plan.After && c <= 0 {
			return false
		}
	}
	return true
}

func after(r *plan.Read, rows []*row, last []any) []*row {
	for i, row := range rows {
		c := compareKeys(r.Table, row.key, last)
		if r.Desc {
			c = -c
		}
		if c > 0 {
			return rows[i:]
		}
	}
	return nil
}

func (s *State) columns(r *plan.Read, f *row) []any {
	values := make([]any, 0, len(r.Columns)+1)
	for _, c := range r.Columns {
		values = append(values, s.value(f, r.Table, c))
	}
	if r.TTLOf != nil {
		var left any
		if c, ok := f.cells[r.TTLOf]; ok && !c.expires.IsZero() {
			// Rounded up: what lives has a second left at least, as in servers
			// that count in whole seconds.
			left = int64(math.Ceil(c.expires.Sub(s.Now()).Seconds()))
		}
		values = append(values, left)
	}
	return values
}
