package memory

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// State holds rows. It is safe for concurrent use: every write and every page
// is one step.
type State struct {
	// Now is the clock of expiry; time.Now by default. It is set before use.
	Now func() time.Time

	mu     sync.Mutex
	tables map[*plan.Table]*table
}

type table struct {
	rows map[string]*row
	keys map[string][]any // of all rows that ever were, for page tokens
}

type row struct {
	key   []any
	live  *cell // set if the row exists without its columns
	cells map[*plan.Column]cell
}

type cell struct {
	value   any
	expires time.Time // zero: never
}

// NewState returns an empty state.
func NewState() *State {
	return &State{Now: time.Now, tables: make(map[*plan.Table]*table)}
}

// Apply runs a write. refused is nil if it took effect, else what was seen of
// the row of each mutation, of which at least one refuses. An error means that
// the plan makes no sense, and that nothing was done.
func (s *State) Apply(w *plan.Write) (refused []plan.Seen, err error) {
	if err := check(w); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.Scope == plan.Ordered {
		for i := range w.Mutations {
			if seen := s.refuses(w, i, i+1); seen != nil {
				return seen, nil
			}
			s.mutate(&w.Mutations[i])
		}
		return nil, nil
	}
	for i := range w.Mutations {
		if m := &w.Mutations[i]; m.Ahead && !m.Table.Sequenced {
			s.mutate(m)
		}
	}
	if seen := s.refuses(w, 0, len(w.Mutations)); seen != nil {
		return seen, nil
	}
	for i := range w.Mutations {
		if m := &w.Mutations[i]; !m.Ahead || m.Table.Sequenced {
			s.mutate(m)
		}
	}
	return nil, nil
}

// refuses returns what is seen of all rows if a mutation in [from, to) is refused.
func (s *State) refuses(w *plan.Write, from, to int) []plan.Seen {
	seen := make([]plan.Seen, len(w.Mutations))
	for i := range w.Mutations {
		seen[i] = s.see(&w.Mutations[i])
	}
	part := plan.Write{Name: w.Name, Scope: w.Scope, Mutations: w.Mutations[from:to]}
	if e, _, _ := part.Explain(seen[from:to]); e == plan.NoCause {
		return nil
	}
	return seen
}

// see looks at the columns that a mutation tests or wants shown.
func (s *State) see(m *plan.Mutation) plan.Seen {
	if m.Op == plan.DeleteRange {
		return plan.Seen{Sight: plan.Unseen}
	}
	r := s.row(m.Table, m.Key)
	if r == nil {
		return plan.Seen{Sight: plan.Missing}
	}
	seen := plan.Seen{Sight: plan.Found, Values: make(map[*plan.Column]any)}
	for _, c := range m.Conds {
		if c.Column != nil {
			seen.Values[c.Column] = s.value(r, m.Table, c.Column)
		}
	}
	for _, c := range m.Show {
		seen.Values[c] = s.value(r, m.Table, c)
	}
	return seen
}

func (s *State) table(t *plan.Table) *table {
	tb, ok := s.tables[t]
	if !ok {
		tb = &table{rows: make(map[string]*row), keys: make(map[string][]any)}
		s.tables[t] = tb
	}
	return tb
}

// row returns a row that exists: one with liveness or a column that is not null.
func (s *State) row(t *plan.Table, key []any) *row {
	r := s.table(t).rows[keyText(key)]
	if r == nil || !s.existsNow(r) {
		return nil
	}
	return r
}

func (s *State) existsNow(r *row) bool {
	if r.live != nil && s.fresh(*r.live) {
		return true
	}
	for _, c := range r.cells {
		if s.fresh(c) && !null(c.value) {
			return true
		}
	}
	return false
}

func (s *State) fresh(c cell) bool { return c.expires.IsZero() || s.Now().Before(c.expires) }

func (s *State) value(r *row, t *plan.Table, c *plan.Column) any {
	for i, k := range t.Key {
		if k == c {
			return r.key[i]
		}
	}
	if v, ok := r.cells[c]; ok && s.fresh(v) && !null(v.value) {
		return v.value
	}
	return nil
}

func (s *State) mutate(m *plan.Mutation) {
	tb := s.table(m.Table)
	switch m.Op {
	case plan.Assert:
	case plan.Delete:
		delete(tb.rows, keyText(m.Key))
	case plan.DeleteRange:
		for id, r := range tb.rows {
			if inRange(r.key, m.Key, m.From, m.To) {
				delete(tb.rows, id)
			}
		}
	case plan.Insert, plan.Update:
		id := keyText(m.Key)
		r := tb.rows[id]
		if r == nil || !s.existsNow(r) {
			r = &row{key: slices.Clone(m.Key), cells: make(map[*plan.Column]cell)}
			tb.rows[id] = r
			tb.keys[id] = r.key
		}
		var expires time.Time
		if m.TTL > 0 {
			expires = s.Now().Add(time.Duration(m.TTL) * time.Second)
		}
		if m.Op == plan.Insert || m.Live {
			r.live = &cell{expires: expires}
		}
		for i := range m.Effects {
			e := &m.Effects[i]
			r.cells[e.Column] = cell{value: effect(s.value(r, m.Table, e.Column), e), expires: expires}
		}
	}
}

// Dump returns all rows as text, sorted: what two states are compared by.
func (s *State) Dump() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for t, tb := range s.tables {
		for _, r := range tb.rows {
			if !s.existsNow(r) {
				continue
			}
			var b strings.Builder
			fmt.Fprintf(&b, "%s %s", t.Name, keyText(r.key))
			for _, c := range t.Columns {
				if v := s.value(r, t, c); v != nil {
					fmt.Fprintf(&b, " %s=%s", c.Name, plan.FormatValue(v))
				}
			}
			lines = append(lines, b.String())
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// Len returns the number of rows of a table.
func (s *State) Len(t *plan.Table) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.table(t).rows {
		if s.existsNow(r) {
			n++
		}
	}
	return n
}

func check(w *plan.Write) error {
	rows := make(map[string]bool, len(w.Mutations))
	for i := range w.Mutations {
		m := &w.Mutations[i]
		if m.Op == plan.DeleteRange {
			if len(m.Key) >= len(m.Table.Key) {
				return fmt.Errorf("%s: range of %s has a whole key", w.Name, m.Table)
			}
			continue
		}
		if len(m.Key) != len(m.Table.Key) {
			return fmt.Errorf("%s: key of %s has %d values, not %d", w.Name, m.Table, len(m.Key), len(m.Table.Key))
		}
		id := m.Table.Name + keyText(m.Key)
		if rows[id] {
			return fmt.Errorf("%s: two mutations of %s", w.Name, m.KeyString())
		}
		rows[id] = true
		if m.Ahead && len(m.Conds) > 0 {
			return fmt.Errorf("%s: %s is ahead and has a condition", w.Name, m.KeyString())
		}
		for _, e := range m.Effects {
			if err := checkEffect(m, &e); err != nil {
				return fmt.Errorf("%s: %w", w.Name, err)
			}
		}
	}
	return nil
}
