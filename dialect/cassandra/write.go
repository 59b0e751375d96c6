package cassandra

import (
	"errors"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	"github.com/temporal-ycql/temporal-ycql/dialect/render"
)

// program is a compiled write with room for the steps that nearly all take.
type program struct {
	cql.Program
	steps [4]cql.Step
}

// compilation gathers the steps of one write.
type compilation struct {
	program *program
	calls   []cql.Call
	args    []any
}

// CompileWrite implements dialect.Dialect.
//
// An atomic write with conditions is one logged batch in one partition. Rows
// ahead that live there too go into it; others (history) come before, one step
// for each group. An atomic write without conditions may span partitions: a
// logged batch is all or nothing, too. An ordered write sends what has no
// conditions in one logged batch, as upstream does for branches of history,
// and every conditional mutation as a step of its own.
func (d *Dialect) CompileWrite(w *plan.Write) (*cql.Program, error) {
	var few [24]render.Piece
	pieces := few[:0]
	calls, args := 0, 0
	for i := range w.Mutations {
		p, err := d.compiler.Prepare(&w.Mutations[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.Name, err)
		}
		pieces = append(pieces, p)
		calls += p.Calls()
		args += p.Args()
	}
	c := &compilation{program: &program{}, calls: make([]cql.Call, 0, calls), args: make([]any, 0, args)}
	c.program.Plan = w.Name
	c.program.Steps = c.program.steps[:0]
	var err error
	switch {
	case len(pieces) == 0:
		err = errors.New("write has no mutations")
	case w.Scope == plan.Atomic:
		err = d.atomic(c, pieces)
	case w.Scope == plan.Ordered:
		err = d.ordered(c, pieces)
	default:
		err = fmt.Errorf("scope %d is unknown", w.Scope)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	}
	return &c.program.Program, nil
}

// atomic makes the ahead steps and the one that counts.
func (d *Dialect) atomic(c *compilation, pieces []render.Piece) error {
	anchor := -1 // the piece whose partition the atomic step is in
	conditional := false
	for i := range pieces {
		p := &pieces[i]
		if p.Mutation.Ahead {
			if p.Conditional() {
				return fmt.Errorf("%s: a row ahead has a condition", p.Mutation.KeyString())
			}
			continue
		}
		if anchor < 0 || p.Conditional() && !conditional {
			anchor = i
		}
		conditional = conditional || p.Conditional()
	}
	var apart uint64 // pieces that come ahead of the atomic step
	if len(pieces) > 64 {
		return d.atomicMany(c, pieces, anchor, conditional)
	}
	for i := range pieces {
		if pieces[i].Mutation.Ahead && (anchor < 0 || !pieces[i].SamePartition(&pieces[anchor])) {
			apart |= 1 << i
		}
	}
	return d.steps(c, pieces, anchor, conditional, func(i int) bool { return apart&(1<<i) != 0 })
}

// atomicMany is for writes of so many mutations that a bit set does not hold them.
func (d *Dialect) atomicMany(c *compilation, pieces []render.Piece, anchor int, conditional bool) error {
	apart := make([]bool, len(pieces))
	for i := range pieces {
		apart[i] = pieces[i].Mutation.Ahead && (anchor < 0 || !pieces[i].SamePartition(&pieces[anchor]))
	}
	return d.steps(c, pieces, anchor, conditional, func(i int) bool { return apart[i] })
}

func (d *Dialect) steps(c *compilation, pieces []render.Piece, anchor int, conditional bool, apart func(int) bool) error {
	// Ahead steps, one for each group, in the order in which groups begin.
	for i := range pieces {
		if !apart(i) {
			continue
		}
		first := true // of its group
		for j := range i {
			first = first && (!apart(j) || pieces[j].Mutation.Group != pieces[i].Mutation.Group)
		}
		if !first {
			continue
		}
		start := len(c.calls)
		for j := i; j < len(pieces); j++ {
			if apart(j) && pieces[j].Mutation.Group == pieces[i].Mutation.Group {
				if err := c.bind(&pieces[j]); err != nil {
					return err
				}
			}
		}
		c.step(start, true, nil)
	}
	if anchor < 0 {
		return nil
	}
	start := len(c.calls)
	for i := range pieces {
		p := &pieces[i]
		if apart(i) {
			continue
		}
		if conditional && !p.SamePartition(&pieces[anchor]) {
			return fmt.Errorf("%s is not in the partition of %s: %w",
				p.Mutation.KeyString(), pieces[anchor].Mutation.KeyString(), dialect.ErrScope)
		}
		if err := c.bind(p); err != nil {
			return err
		}
	}
	if conditional {
		c.step(start, false, pieces[anchor].Shown(d.layout))
	} else {
		c.step(start, false, nil)
	}
	return nil
}

// ordered makes one step of each run of mutations without conditions, and one
// of each mutation that has some.
func (d *Dialect) ordered(c *compilation, pieces []render.Piece) error {
	start := 0
	for i := range pieces {
		p := &pieces[i]
		if p.Mutation.Ahead {
			return fmt.Errorf("%s: an ordered write has rows ahead", p.Mutation.KeyString())
		}
		if p.Conditional() && start < len(c.calls) {
			c.step(start, false, nil)
			start = len(c.calls)
		}
		if err := c.bind(p); err != nil {
			return err
		}
		if p.Conditional() {
			c.step(start, false, p.Shown(d.layout))
			start = len(c.calls)
		}
	}
	if start < len(c.calls) {
		c.step(start, false, nil)
	}
	return nil
}

func (c *compilation) bind(p *render.Piece) (err error) {
	c.calls, c.args, err = p.Bind(c.calls, c.args)
	return err
}

// step makes a step of the calls from start on.
func (c *compilation) step(start int, ahead bool, shown []string) {
	s := cql.Step{Mode: cql.Logged, Calls: c.calls[start:len(c.calls):len(c.calls)], Ahead: ahead, Shown: shown}
	if len(s.Calls) == 1 {
		s.Mode = cql.Single
	}
	c.program.Steps = append(c.program.Steps, s)
}
