package plan

import (
	"bytes"
	"fmt"
)

// Sight says what is known of a row after a refusal.
type Sight uint8

// What can be known of a row.
const (
	Unseen  Sight = iota // the server did not show it and nobody read it
	Missing              // it does not exist
	Found                // it exists; Values hold what was shown
)

// Seen is an observation of one mutation's row. Values holds the columns that
// were shown; a column that is shown and null is present with a nil value.
type Seen struct {
	Sight  Sight
	Values map[*Column]any
}

// Conflict says which condition refused a write, and what was seen. It is the
// cause inside the error that package exec returns for a refusal.
type Conflict struct {
	Write    *Write
	Mutation int    // index of the mutation whose row refused it
	Cond     int    // index of the condition in it
	Seen     []Seen // one for each mutation of the write
	// Why, if set, is said in place of what was seen, for a write that was refused
	// without asking the database.
	Why string
}

func (c *Conflict) Error() string {
	if c.Why != "" {
		return c.Write.Name + " refused: " + c.Why
	}
	m := &c.Write.Mutations[c.Mutation]
	s := c.Seen[c.Mutation]
	if s.Sight == Missing {
		return fmt.Sprintf("%s refused: %s does not exist", c.Write.Name, m.KeyString())
	}
	cond := m.Conds[c.Cond]
	switch cond.Test {
	case RowAbsent:
		return fmt.Sprintf("%s refused: %s exists", c.Write.Name, m.KeyString())
	case RowPresent:
		return fmt.Sprintf("%s refused: %s does not exist", c.Write.Name, m.KeyString())
	default:
		return fmt.Sprintf("%s refused: %s has %s %s, not %s", c.Write.Name, m.KeyString(),
			cond.Column.Name, FormatValue(s.Values[cond.Column]), FormatValue(cond.Value))
	}
}

// Row returns what was seen of the mutation that refused the write.
func (c *Conflict) Row() Seen { return c.Seen[c.Mutation] }

// Explanation is the result of [Write.Explain].
type Explanation uint8

// What an explanation can say.
const (
	Explained Explanation = iota + 1 // Conflict holds the cause
	NeedRow                          // the row of mutation At must be read first
	NoCause                          // every condition holds now: the cause is gone
)

// Explain finds the first condition, in plan order, that does not hold for
// what was seen. If an unseen row stands before any cause, it asks for that
// row by index.
func (w *Write) Explain(seen []Seen) (e Explanation, c *Conflict, at int) {
	for i := range w.Mutations {
		m := &w.Mutations[i]
		for j := range m.Conds {
			holds, known := m.Conds[j].holds(seen[i])
			if !known {
				return NeedRow, nil, i
			}
			if !holds {
				return Explained, &Conflict{Write: w, Mutation: i, Cond: j, Seen: seen}, i
			}
		}
	}
	return NoCause, nil, 0
}

func (c *Cond) holds(s Seen) (holds, known bool) {
	if s.Sight == Unseen {
		return false, false
	}
	switch c.Test {
	case RowAbsent:
		return s.Sight == Missing, true
	case RowPresent:
		return s.Sight == Found, true
	case Equal, EqualOrAbsent:
	}
	var v any
	if s.Sight == Found {
		var shown bool
		if v, shown = s.Values[c.Column]; !shown {
			return false, false
		}
	}
	if v == nil {
		return c.Test == EqualOrAbsent, true
	}
	return ValuesEqual(v, c.Value), true
}

// ValuesEqual compares two values of one scalar kind.
func ValuesEqual(a, b any) bool {
	if x, ok := a.([]byte); ok {
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	}
	if x, ok := a.(Blob); ok {
		y, ok := b.(Blob)
		return ok && x.Encoding == y.Encoding && bytes.Equal(x.Data, y.Data)
	}
	return a == b
}
