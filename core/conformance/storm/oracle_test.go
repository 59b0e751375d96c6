package storm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Traits hides from the factory that writes have numbers: the one who numbers
// them is below already.
func (h *host) Traits() cql.Traits {
	t := h.Executor.Traits()
	t.Sequenced = false
	return t
}

// Write sends a write, and holds what is said of it against the interpreter.
func (h *host) Write(ctx context.Context, w *plan.Write) error {
	err := h.Executor.Write(ctx, w)
	h.world.weather(nil) // until the verdict is in
	h.world.judge(h, w, err)
	h.world.weather(h.world.faults)
	return err
}

// judge follows a write in the model as far as its outcome is known, and finds
// it out where it is not.
func (x *world) judge(h *host, w *plan.Write, err error) {
	x.calls = append(x.calls, outcome{w, err})
	for i := range w.Mutations {
		m := &w.Mutations[i]
		if m.Op != plan.DeleteRange {
			x.touched[id(m.Table, m.Key)] = row{m.Table, m.Key}
		}
	}
	var e *errs.Error
	switch {
	case err == nil:
		x.counts["acknowledged"]++
		x.apply(w)
	case !errors.As(err, &e):
		x.t.Fatalf("%s: %T is not of package errs: %v", w.Name, err, err)
	case e.Outcome == errs.Unknown:
		x.counts["unknown"]++
		x.resolve(h, w)
	case e.Kind == errs.Conflict:
		x.counts["refused"]++
		x.refused(h, w, e)
		x.mayStay(w)
	case strings.HasSuffix(w.Name, "/TakeBack"):
		// The dialect has taken the tasks back already (cql.Program.Undo); what
		// the store asks for on top of it is nobody's promise.
		x.mayStay(w)
	case e.Kind == errs.Internal || e.Kind == errs.Corrupt || e.Kind == errs.Invalid:
		x.t.Fatalf("%s: no fault explains %v", w.Name, err)
	default:
		x.counts["failed, not applied"]++
		x.mayStay(w)
	}
	x.verify(w)
}

// apply makes a write that took effect in the model.
func (x *world) apply(w *plan.Write) {
	refused, err := x.state.Apply(w)
	if err != nil {
		x.t.Fatalf("%s: the model: %v", w.Name, err)
	}
	if refused != nil {
		_, c, _ := w.Explain(refused)
		x.t.Fatalf("%s took effect, and must have been refused: %v", w.Name, c)
	}
	for i := range w.Mutations {
		if m := &w.Mutations[i]; m.Op != plan.DeleteRange {
			delete(x.loose, id(m.Table, m.Key))
		}
	}
}

// refused: so must the interpreter have, and for the same cause.
func (x *world) refused(h *host, w *plan.Write, e *errs.Error) {
	var got, want *plan.Conflict
	if !errors.As(e.Err, &got) {
		x.t.Fatalf("%s is refused without a cause: %v", w.Name, e)
	}
	lease := w.Owner != nil && got.Mutation == w.Lease()
	err := memory.NewExecutor(x.shadow(w), x.traits).Write(context.Background(), w)
	switch {
	case err == nil && lease && x.owner[w.Owner.Shard] != h:
		return // the right range, and a host that did not make it
	case err == nil && lease:
		// The host does not trust its lease any more, and takes the shard again.
		x.counts["leases given up"]++
		x.takeOver(h, w.Owner.Shard)
		return
	case err == nil:
		x.t.Fatalf("%s is refused (%v), and must have taken effect", w.Name, got)
	}
	if !errors.As(err, &want) {
		x.t.Fatalf("%s: the model: %v", w.Name, err)
	}
	if !lease && (got.Mutation != want.Mutation || got.Cond != want.Cond) {
		x.t.Fatalf("%s is refused by mutation %d, condition %d (%v), the model says %d, %d", w.Name, got.Mutation, got.Cond, got, want.Mutation, want.Cond)
	}
}

// resolve finds out what became of a write of unknown outcome, when nothing that
// was ever sent can arrive any more: as a whole it took effect or did not.
func (x *world) resolve(h *host, w *plan.Write) {
	x.land()
	if !w.Conditional() || w.Scope == plan.Ordered {
		x.persist(w.Name, func() error { return h.Executor.Write(x.t.Context(), w) }) // as callers do
		x.apply(w)
		return
	}
	moves := w.Owner != nil && len(w.Mutations[w.Lease()].Effects) > 0
	if w.Owner != nil && !moves {
		x.takeOver(h, w.Owner.Shard)
	}
	shadow := x.shadow(w)
	var before, after []string
	seen, err := x.shadow(w).Apply(w)
	if err != nil {
		x.t.Fatalf("%s: the model: %v", w.Name, err)
	}
	possible := seen == nil
	if possible {
		_, _ = shadow.Apply(w)
	}
	for i := range w.Mutations {
		m := &w.Mutations[i]
		k := id(m.Table, m.Key)
		if m.Op == plan.DeleteRange || m.Ahead && !m.Table.Sequenced || garbage(m.Table) || x.loose[k] {
			continue
		}
		was, would := x.text(x.state, m.Table, m.Key), x.text(shadow, m.Table, m.Key)
		switch is := x.stored(m.Table, m.Key); {
		case was == would && is == was:
		case is == was:
			before = append(before, k)
		case is == would && possible:
			after = append(after, k)
		default:
			x.t.Fatalf("%s is of unknown outcome, and row %s is neither what it was\n%s\nnor what it would be\n%s\nbut\n%s", w.Name, k, was, would, is)
		}
	}
	switch {
	case len(before) > 0 && len(after) > 0:
		x.t.Fatalf("%s took effect in half: in %v, not in %v", w.Name, after, before)
	case len(after) > 0:
		x.counts["unknown, took effect"]++
		x.apply(w)
	case possible && len(before) == 0 && slices.ContainsFunc(w.Mutations, func(m plan.Mutation) bool { return m.Op == plan.DeleteRange }):
		x.persist(w.Name, func() error { return h.Executor.Write(x.t.Context(), w) })
		x.apply(w)
	default:
		x.mayStay(w)
	}
	if moves {
		x.takeOver(h, w.Owner.Shard)
	}
}

// garbage tells whether rows of a table may stay behind when the write that has
// them is refused: matching's tasks, which history rejects.
func garbage(t *plan.Table) bool { return t == plan.Tasks || t == plan.FairTasks }

// mayStay notes the rows that a write which did not take effect may leave.
func (x *world) mayStay(w *plan.Write) {
	for i := range w.Mutations {
		m := &w.Mutations[i]
		if m.Op == plan.Insert && m.Ahead && !m.Table.Sequenced || garbage(m.Table) && m.Op != plan.DeleteRange {
			x.loose[id(m.Table, m.Key)] = true
		}
	}
	if w.Scope == plan.Ordered {
		for i := range w.Mutations {
			x.loose[id(w.Mutations[i].Table, w.Mutations[i].Key)] = true
		}
	}
}

// shadow is a model of the rows that a write names, as they are.
func (x *world) shadow(w *plan.Write) *memory.State {
	s := memory.NewState()
	for i := range w.Mutations {
		m := &w.Mutations[i]
		if m.Op == plan.DeleteRange {
			continue
		}
		rows, _, err := x.state.Read(point[m.Table], plan.Page{}, m.Key...)
		if err != nil {
			x.t.Fatal(err)
		}
		if len(rows) == 0 {
			continue
		}
		insert := plan.Mutation{Table: m.Table, Op: plan.Insert, Key: m.Key}
		for at, c := range m.Table.Columns {
			if v := rows[0][at]; v != nil {
				insert.Effects = append(insert.Effects, plan.Effect{Op: plan.Set, Column: c, Value: v})
			}
		}
		if _, err := s.Apply(&plan.Write{Name: "shadow", Scope: plan.Atomic, Mutations: []plan.Mutation{insert}}); err != nil {
			x.t.Fatal(err)
		}
	}
	return s
}

// verify compares the rows of a write with the model.
func (x *world) verify(w *plan.Write) {
	for i := range w.Mutations {
		if m := &w.Mutations[i]; m.Op != plan.DeleteRange {
			x.compare(m.Table, m.Key)
		}
	}
}

func (x *world) compare(t *plan.Table, key []any) {
	k := id(t, key)
	if x.loose[k] {
		return
	}
	if got, want := x.stored(t, key), x.text(x.state, t, key); got != want {
		x.t.Fatalf("row %s is\n%s\nthe model says\n%s", k, got, want)
	}
}

// point reads whole rows.
var point = func() map[*plan.Table]*plan.Read {
	reads := make(map[*plan.Table]*plan.Read)
	for _, t := range plan.AllTables {
		r := &plan.Read{Name: "point/" + t.Name, Table: t, Eq: len(t.Key), Columns: t.Columns}
		if len(t.Columns) == 0 {
			r.Columns = t.Key
		}
		reads[t] = r
	}
	return reads
}()

// allTasks reads the tasks of a category of a shard.
var allTasks = map[bool]*plan.Read{
	true: {
		Name: "all/immediate", Table: plan.HistoryTasks, Eq: 3, From: plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
		Columns: []*plan.Column{plan.TaskFireTime, plan.HistoryTaskID, plan.HistoryTask},
	},
	false: {
		Name: "all/scheduled", Table: plan.HistoryTasks, Eq: 2, From: plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
		Columns: []*plan.Column{plan.TaskFireTime, plan.HistoryTaskID, plan.HistoryTask},
	},
}

type row struct {
	table *plan.Table
	key   []any
}

func id(t *plan.Table, key []any) string {
	return (&plan.Mutation{Table: t, Key: key}).KeyString()
}

// text is a row of a model, "absent" if there is none.
func (x *world) text(s *memory.State, t *plan.Table, key []any) string {
	rows, _, err := s.Read(point[t], plan.Page{}, key...)
	if err != nil {
		x.t.Fatal(err)
	}
	return rowsText(rows)
}

// stored is a row of the database, as one sees it who owns nothing.
func (x *world) stored(t *plan.Table, key []any) string {
	var rows [][]any
	x.persist("read "+id(t, key), func() (err error) {
		rows, err = all(x.t.Context(), x.observer, point[t], 0, key...)
		return err
	})
	return rowsText(rows)
}

func rowsText(rows [][]any) string {
	if len(rows) == 0 {
		return "absent"
	}
	var b strings.Builder
	for _, r := range rows {
		for _, v := range r {
			switch v := v.(type) {
			case plan.Blob:
				fmt.Fprintf(&b, "|%q %s", v.Data, v.Encoding)
			case nil:
				b.WriteString("|")
			default:
				fmt.Fprintf(&b, "|%v", v)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// all reads every page.
func all(ctx context.Context, ex exec.Executor, r *plan.Read, size int, args ...any) ([][]any, error) {
	var found [][]any
	page := plan.Page{Size: size}
	for {
		rows, err := ex.Read(ctx, r, page, args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			one := make([]any, len(r.Columns))
			for i := range one {
				one[i] = rows.Value(i)
			}
			found = append(found, one)
		}
		page.Token = rows.Token()
		if err := rows.Close(); err != nil {
			return nil, err
		}
		if page.Token == nil {
			return found, nil
		}
	}
}
