package ycql

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	"github.com/temporal-ycql/temporal-ycql/dialect/render"
)

const returnsStatus = " RETURNS STATUS AS ROW"

// CompileWrite implements dialect.Dialect.
//
// An atomic write is the ahead steps, then one statement, or one block, or (rows
// and the lease that guards them in one partition of a table) one batch. An
// ordered write is its mutations one after the other, but for those without
// conditions that follow each other in one partition: a batch there is stored
// as a whole.
func (d *Dialect) CompileWrite(w *plan.Write) (*cql.Program, error) {
	p, err := d.compileWrite(w)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	}
	return p, nil
}

func (d *Dialect) compileWrite(w *plan.Write) (*cql.Program, error) {
	pieces := make([]render.Piece, 0, len(w.Mutations))
	for i := range w.Mutations {
		p, err := d.compiler.Prepare(&w.Mutations[i])
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, p)
	}
	prog := &cql.Program{Plan: w.Name}
	switch {
	case len(pieces) == 0:
		return nil, errors.New("write has no mutations")
	case w.Scope == plan.Atomic:
		return prog, d.atomic(prog, pieces)
	case w.Scope == plan.Ordered:
		return prog, d.ordered(prog, pieces)
	}
	return nil, fmt.Errorf("scope %d is unknown", w.Scope)
}

func (d *Dialect) atomic(prog *cql.Program, pieces []render.Piece) error {
	var ahead, main []*render.Piece
	for i := range pieces {
		p := &pieces[i]
		switch {
		case !p.Mutation.Ahead:
			main = append(main, p)
		case p.Conditional():
			return fmt.Errorf("%s: a row ahead has a condition", p.Mutation.KeyString())
		default:
			ahead = append(ahead, p)
		}
	}
	var beside []*render.Piece // rows ahead in the partition of the one row that guards them
	if len(main) == 1 && main[0].Conditional() {
		rest := ahead[:0:0]
		for _, p := range ahead {
			if p.Mutation.Op == plan.Insert && p.SamePartition(main[0]) {
				beside = append(beside, p)
			} else {
				rest = append(rest, p)
			}
		}
		if d.abilities.GuardLast {
			ahead = rest
		}
	}
	if err := d.ahead(prog, ahead); err != nil {
		return err
	}
	switch {
	case len(main) == 0:
		return nil
	case len(beside) > 0 && d.abilities.GuardLast:
		if err := d.guarded(prog, beside, main[0]); err != nil {
			return err
		}
	default:
		if err := d.main(prog, main); err != nil {
			return err
		}
	}
	return d.undo(prog, beside)
}

// ahead makes a batch for each group and partition. Within a group partitions
// follow each other, side by side with those of other groups.
func (d *Dialect) ahead(prog *cql.Program, pieces []*render.Piece) error {
	var steps []cql.Step
	wave := make(map[int]int) // of the next step of a group
	for len(pieces) > 0 {
		first := pieces[0]
		group, rest := []*render.Piece{}, []*render.Piece{}
		for _, p := range pieces {
			if p.Mutation.Group == first.Mutation.Group && p.SamePartition(first) && p.Ranged() == first.Ranged() {
				group = append(group, p)
			} else {
				rest = append(rest, p)
			}
		}
		s, err := d.batch(group)
		if err != nil {
			return err
		}
		s.Ahead, s.Wave = true, wave[first.Mutation.Group]
		wave[first.Mutation.Group]++
		steps = append(steps, s)
		pieces = rest
	}
	slices.SortStableFunc(steps, func(a, b cql.Step) int { return a.Wave - b.Wave })
	prog.Steps = append(prog.Steps, steps...)
	return nil
}

// batch is a native batch of plain statements, or a single one.
func (d *Dialect) batch(pieces []*render.Piece) (cql.Step, error) {
	calls, err := bind(pieces)
	if err != nil {
		return cql.Step{}, err
	}
	for i := range calls {
		calls[i].Statement = d.as(calls[i].Statement, "")
	}
	mode := cql.Unlogged
	if len(calls) == 1 {
		mode = cql.Single
	}
	return cql.Step{Mode: mode, Calls: calls}, nil
}

// guarded is one batch of rows and, last, the row with the condition: members
// see the state before the batch, so the last one tells whether the lease held
// when the rows were stored. If it did not, the rows go again.
func (d *Dialect) guarded(prog *cql.Program, rows []*render.Piece, guard *render.Piece) error {
	calls, err := bind(append(slices.Clone(rows), guard))
	if err != nil {
		return err
	}
	for i := range calls {
		calls[i].Statement = d.as(calls[i].Statement, returnsStatus)
	}
	prog.Steps = append(prog.Steps, cql.Step{Mode: cql.Unlogged, Calls: calls, Shown: guard.Shown(d.layout)})
	return nil
}

// undo takes back rows that were stored although the lease was lost. Their keys
// are of tasks that only this writer has: nobody else's row goes.
func (d *Dialect) undo(prog *cql.Program, rows []*render.Piece) error {
	if len(rows) == 0 {
		return nil
	}
	undo := make([]*render.Piece, len(rows))
	for i, p := range rows {
		gone, err := d.compiler.Prepare(&plan.Mutation{Table: p.Mutation.Table, Op: plan.Delete, Key: p.Mutation.Key})
		if err != nil {
			return err
		}
		undo[i] = &gone
	}
	step, err := d.batch(undo)
	if err != nil {
		return err
	}
	prog.Undo = &step
	return nil
}

// main makes the statement or the block that counts.
func (d *Dialect) main(prog *cql.Program, pieces []*render.Piece) error {
	if len(pieces) > 1 {
		pieces = arrange(pieces)
	}
	calls, err := bind(pieces)
	if err != nil {
		return err
	}
	if len(calls) == 1 {
		calls[0].Statement = d.as(calls[0].Statement, "")
		prog.Steps = append(prog.Steps, cql.Step{Mode: cql.Single, Calls: calls, Shown: pieces[0].Shown(d.layout)})
		return nil
	}
	for _, p := range pieces {
		if !transactional[p.Mutation.Table] {
			return fmt.Errorf("%s cannot be written together with %s: its table has no transactions: %w",
				p.Mutation.KeyString(), pieces[0].Mutation.KeyString(), dialect.ErrScope)
		}
	}
	prog.Steps = append(prog.Steps, cql.Step{Mode: cql.Single, Calls: []cql.Call{d.block(pad(calls))}})
	return nil
}

// arrange puts a shard's lease first, so that an owner that lost it fails
// before it has written anything, and the others in the order of the plan. The
// changes of user data, of any number of queues, are sorted by what they do: so
// equal numbers give equal texts.
func arrange(pieces []*render.Piece) []*render.Piece {
	rank := func(p *render.Piece) int {
		switch m := p.Mutation; m.Table {
		case plan.NumberedShards:
			return -1
		case plan.UserData:
			return int(m.Op)
		case plan.BuildIDs:
			return 8 + int(m.Op)
		default:
			return 0
		}
	}
	pieces = slices.Clone(pieces)
	slices.SortStableFunc(pieces, func(a, b *render.Piece) int { return rank(a) - rank(b) })
	return pieces
}

// pad repeats plain statements that many writes have in any number (rows of
// build ids) until their number is a power of two.
func pad(calls []cql.Call) []cql.Call {
	padded := make([]cql.Call, 0, len(calls))
	for i := 0; i < len(calls); {
		n := 1
		for i+n < len(calls) && calls[i+n].Statement == calls[i].Statement {
			n++
		}
		padded = append(padded, calls[i:i+n]...)
		if c := calls[i+n-1]; !c.Conditional && c.Idempotent {
			for range 1<<bits.Len(uint(n-1)) - n {
				padded = append(padded, c)
			}
		}
		i += n
	}
	return padded
}

func (d *Dialect) ordered(prog *cql.Program, pieces []render.Piece) error {
	for i := 0; i < len(pieces); {
		p := &pieces[i]
		if p.Mutation.Ahead {
			return fmt.Errorf("%s: an ordered write has rows ahead", p.Mutation.KeyString())
		}
		run := []*render.Piece{p}
		plain := func(p *render.Piece) bool { return !p.Conditional() && !p.Ranged() && p.Calls() == 1 }
		for j := i + 1; j < len(pieces) && plain(p) && plain(&pieces[j]) && pieces[j].SamePartition(p); j++ {
			run = append(run, &pieces[j])
		}
		if p.Calls() > 1 {
			if err := d.main(prog, run); err != nil {
				return err
			}
		} else {
			s, err := d.batch(run)
			if err != nil {
				return err
			}
			prog.Steps = append(prog.Steps, s)
		}
		i += len(run)
	}
	return nil
}

func bind(pieces []*render.Piece) (calls []cql.Call, err error) {
	var args []any
	for _, p := range pieces {
		if calls, args, err = p.Bind(calls, args); err != nil {
			return nil, err
		}
	}
	return calls, nil
}

// Refused tells whether an error that the server sent is a refusal: a condition
// of a block, or of a statement with ELSE ERROR, that did not hold.
func Refused(e *cql.Error) bool {
	return e.Reach == cql.Replied && e.Code == cql.CodeInvalid &&
		strings.Contains(e.Message, "Condition on table ") && strings.Contains(e.Message, " was not satisfied")
}
