package render

import (
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Shown returns the physical columns that a refused batch in the partition of
// this piece may show: all but collections. The slice is shared.
func (p *Piece) Shown(l *Layout) []string { return l.shown[p.family.Name] }

// Observe tells for each mutation of a refused write what the rows that the
// server showed say of its row.
//
// Rows of a batch have their key and come in any order; only rows that exist
// are shown, or (ScyllaDB) others with a null key. A row without a key answers
// a single statement.
func (c *Compiler) Observe(w *plan.Write, res cql.Result) ([]plan.Seen, error) {
	seen := make([]plan.Seen, len(w.Mutations))
	conditional, only := 0, -1
	for i := range w.Mutations {
		if len(w.Mutations[i].Conds) > 0 {
			conditional++
			only = i
		}
	}
	keyed := 0 // rows that name themselves
	var bare []cql.Row
	for _, row := range res.Rows {
		if len(row) == 0 {
			continue
		}
		matched := false
		for i := range w.Mutations {
			if len(w.Mutations[i].Conds) == 0 {
				continue
			}
			f, t, err := c.place(&w.Mutations[i])
			if err != nil {
				return nil, err
			}
			if _, ok := row[f.Key[len(f.Key)-1].Name]; !ok {
				continue
			}
			matched = true
			same, err := f.is(row, w.Mutations[i].Key)
			if err != nil {
				return nil, err
			}
			if same {
				if seen[i], err = t.observe(f, row); err != nil {
					return nil, fmt.Errorf("%s: %w", w.Mutations[i].KeyString(), err)
				}
			}
		}
		if matched {
			keyed++
		} else {
			bare = append(bare, row)
		}
	}
	if conditional == 1 && keyed == 0 && len(bare) == 1 {
		return seen, c.observeSingle(&w.Mutations[only], bare[0], &seen[only])
	}
	// A refused atomic write shows every row that it tests and that exists. Of
	// an ordered one, only a single step was refused.
	if len(bare) == 0 && (w.Scope == plan.Atomic || conditional == 1) {
		for i := range w.Mutations {
			if len(w.Mutations[i].Conds) > 0 && seen[i].Sight == plan.Unseen {
				seen[i].Sight = plan.Missing
			}
		}
	}
	return seen, nil
}

// observeSingle reads the row that answers a single statement: the columns of
// its conditions, without the key. If all of them are null nobody knows whether
// the row exists (ScyllaDB answers so for a row that does not).
func (c *Compiler) observeSingle(m *plan.Mutation, row cql.Row, seen *plan.Seen) error {
	f, t, err := c.place(m)
	if err != nil {
		return err
	}
	for _, v := range row {
		if v != nil {
			if *seen, err = t.observe(f, row); err != nil {
				return fmt.Errorf("%s: %w", m.KeyString(), err)
			}
			return nil
		}
	}
	return nil
}

func (c *Compiler) place(m *plan.Mutation) (*Family, *Table, error) {
	t, err := c.layout.Table(m.Table)
	if err != nil {
		return nil, nil, err
	}
	f, _, err := t.family(m.Key)
	return f, t, err
}

// is tells whether a physical row is the one with a logical key.
func (f *Family) is(row cql.Row, key []any) (bool, error) {
	for i := range f.Key {
		k := &f.Key[i]
		want := k.Const
		if k.Of != nil {
			var err error
			if want, err = k.encodeAt(key); err != nil {
				return false, err
			}
		}
		if got, ok := row[k.Name]; ok && got != want {
			return false, nil
		}
	}
	return true, nil
}

// observe decodes what a physical row shows of the logical columns.
func (t *Table) observe(f *Family, row cql.Row) (plan.Seen, error) {
	seen := plan.Seen{Sight: plan.Found, Values: make(map[*plan.Column]any, len(f.Columns))}
	for i := range f.Columns {
		c := &f.Columns[i]
		v, ok := row[c.Name]
		if !ok || c.Form.Collection() {
			continue
		}
		if c.Form == Scalar {
			logical, err := c.decodeScalar(v)
			if err != nil {
				return plan.Seen{}, err
			}
			if err := checkSeen(c, logical); err != nil {
				return plan.Seen{}, err
			}
			seen.Values[c.Of] = logical
			continue
		}
		encoding, ok := row[c.Encoding]
		if !ok {
			continue
		}
		data, isBytes := v.([]byte)
		name, isText := encoding.(string)
		if v != nil && !isBytes || encoding != nil && !isText {
			return plan.Seen{}, fmt.Errorf("column %s: is a %T with encoding %T", c.Name, v, encoding)
		}
		seen.Values[c.Of] = decodeData(data, name)
	}
	return seen, nil
}

func checkSeen(c *Column, v any) error {
	if v == nil {
		return nil
	}
	if err := checkKind(c.Of.Kind, v); err != nil {
		return fmt.Errorf("column %s: %w", c.Name, err)
	}
	return nil
}

// decodeData returns the logical value of a blob and its encoding; nil if both
// are absent.
func decodeData(data []byte, encoding string) any {
	if data == nil && encoding == "" {
		return nil
	}
	return plan.Blob{Data: data, Encoding: encoding}
}
