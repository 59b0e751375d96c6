package plans

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// Limits are what random plans have that a dialect does not: forms that no store
// asks for, or tables that it knows only in another form.
type Limits struct {
	// Dialect, if not nil, refuses some of them when it compiles; those are left out.
	Dialect dialect.Dialect
	// Without are tables that are not written and not read.
	Without []*plan.Table
}

func (l Limits) unreadable(r rangeRead) bool {
	if slices.Contains(l.Without, r.Table) {
		return true
	}
	if l.Dialect == nil {
		return false
	}
	_, err := l.Dialect.CompileRead(r.Read)
	return err != nil
}

// leastShare is the part of random writes and of forms of reads that every dialect must be able to do.
const leastShare = 0.25

// Run makes n random writes on an empty keyspace behind ex and on the
// interpreter, and fails where they differ.
func Run(t *testing.T, ex exec.Executor, seed uint64, n int, limits Limits) {
	t.Logf("seed %d: run again with -seed %d", seed, seed)
	h := &harness{t: t, real: ex}
	ranges := slices.DeleteFunc(slices.Clone(rangeReads), limits.unreadable)
	for i := range ranges {
		// What is one partition for one dialect is many for another.
		many := ranges[i].Eq == 0 || ranges[i].Table == plan.Executions
		ranges[i].unordered = ranges[i].unordered || limits.Dialect != nil && many
	}
	made := 0
	h.model = memory.NewExecutor(memory.NewState(), ex.Traits())
	h.g = NewGenerator(seed, h.current)
	for i := range n {
		w := h.g.Write()
		w.Mutations = slices.DeleteFunc(w.Mutations, func(m plan.Mutation) bool { return slices.Contains(limits.Without, m.Table) })
		if len(w.Mutations) == 0 {
			continue
		}
		if d := limits.Dialect; d != nil {
			if _, err := d.CompileWrite(w); err != nil {
				continue
			}
		}
		made++
		h.write(w)
		for j := range w.Mutations {
			if m := &w.Mutations[j]; m.Op != plan.DeleteRange {
				h.read(rangeRead{Read: pointReads[m.Table]}, m.Key)
			}
		}
		r := ranges[i%len(ranges)]
		h.read(r, h.g.args(r.Read))
		if t.Failed() {
			t.Fatalf("after write %d:\n%s", i, describe(w))
		}
	}
	for range 3 {
		for _, r := range ranges {
			h.read(r, h.g.args(r.Read))
		}
	}
	t.Logf("%d of %d writes were made, in %d of %d forms of reads", made, n, len(ranges), len(rangeReads))
	if float64(made) < leastShare*float64(n) || float64(len(ranges)) < leastShare*float64(len(rangeReads)) {
		t.Fatal("too few to say anything")
	}
}

type harness struct {
	t     *testing.T
	real  exec.Executor
	model exec.Executor
	g     *Generator
}

// current looks a column up in the model.
func (h *harness) current(t *plan.Table, key []any, c *plan.Column) any {
	at := slices.Index(t.Columns, c)
	rows, _, err := page(h.t.Context(), h.model, pointReads[t], plan.Page{}, key)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(rows) == 0 || at < 0 {
		return nil
	}
	return rows[0][at]
}

func (h *harness) write(w *plan.Write) {
	h.t.Helper()
	nextMillisecond()
	want := h.model.Write(h.t.Context(), w)
	got := h.real.Write(h.t.Context(), w)
	if (got == nil) != (want == nil) {
		h.t.Errorf("write = %v, the model says %v", got, want)
		return
	}
	if want == nil {
		return
	}
	var g, m *errs.Error
	if !errors.As(got, &g) || !errors.As(want, &m) || g.Kind != m.Kind || g.Outcome != m.Outcome {
		h.t.Errorf("write = %v, the model says %v", got, want)
		return
	}
	var gc, mc *plan.Conflict
	if shown := errors.As(g.Err, &gc); shown == errors.As(m.Err, &mc) && !shown {
		return // a refusal that may be the write's own doing has no cause to compare
	}
	if gc == nil || mc == nil || gc.Mutation != mc.Mutation || gc.Cond != mc.Cond || gc.Row().Sight != mc.Row().Sight {
		h.t.Errorf("write is refused by %v, the model says %v", g.Err, m.Err)
		return
	}
	for c, want := range mc.Row().Values {
		if got, shown := gc.Row().Values[c]; !shown || !reflect.DeepEqual(normal(got), normal(want)) {
			h.t.Errorf("refusal shows %s as %v, the model says %v", c, got, want)
		}
	}
}

// nextMillisecond waits until the clock has moved on. Cassandra gives the
// conditional writes of one millisecond timestamps from its beginning, plain
// ones from the client's microseconds: of two writes in one millisecond the
// first may win.
func nextMillisecond() {
	for start := time.Now().UnixMilli(); time.Now().UnixMilli() <= start+1; {
		runtime.Gosched()
	}
}

func (h *harness) read(r rangeRead, args []any) {
	h.t.Helper()
	want := h.all(h.model, r.Read, args, 0)
	got := h.all(h.real, r.Read, args, []int{0, 1, 2, 3}[h.g.r.IntN(4)])
	if r.unordered {
		sortRows(got)
		sortRows(want)
	}
	if !reflect.DeepEqual(got, want) {
		h.t.Errorf("read %s (by %d columns, backwards: %t) of %v =\n %v, the model says\n %v", r.Name, r.Eq, r.Desc, args, got, want)
	}
}

// all reads every page.
func (h *harness) all(ex exec.Executor, r *plan.Read, args []any, size int) [][]any {
	h.t.Helper()
	all := [][]any{}
	p := plan.Page{Size: size}
	for range 200 {
		rows, token, err := page(h.t.Context(), ex, r, p, args)
		if err != nil {
			h.t.Fatalf("read %s of %v: %v", r.Name, args, err)
		}
		all = append(all, rows...)
		if token == nil {
			return all
		}
		if p.Token = token; size > 0 && len(rows) > size {
			h.t.Fatalf("read %s: page of %d rows, asked for %d", r.Name, len(rows), size)
		}
	}
	h.t.Fatalf("read %s: pages without end", r.Name)
	return nil
}

func page(ctx context.Context, ex exec.Executor, r *plan.Read, p plan.Page, args []any) ([][]any, []byte, error) {
	rows, err := ex.Read(ctx, r, p, args...)
	if err != nil {
		return nil, nil, err
	}
	n := len(r.Columns)
	if r.Count {
		n = 1
	}
	var all [][]any
	for rows.Next() {
		row := make([]any, n)
		for i := range row {
			row[i] = normal(rows.Value(i))
		}
		all = append(all, row)
	}
	token := rows.Token()
	return all, token, rows.Close()
}

// normal takes away differences that do not count: nil and empty bytes, and the
// order in which a server keeps whole numbers that are stored as text.
func normal(v any) any {
	blob := func(b plan.Blob) plan.Blob {
		if len(b.Data) == 0 {
			b.Data = nil
		}
		return b
	}
	switch v := v.(type) {
	case plan.Blob:
		return blob(v)
	case []plan.IntEntry:
		slices.SortFunc(v, func(a, b plan.IntEntry) int { return cmp.Compare(a.Key, b.Key) })
	case []plan.Blob:
		for i := range v {
			v[i] = blob(v[i])
		}
	}
	return v
}

func sortRows(rows [][]any) {
	slices.SortFunc(rows, func(a, b []any) int {
		return slices.Compare([]byte(fmt.Sprint(a...)), []byte(fmt.Sprint(b...)))
	})
}

func describe(w *plan.Write) string {
	s := fmt.Sprintf("%s, scope %d\n", w.Name, w.Scope)
	for i := range w.Mutations {
		m := &w.Mutations[i]
		s += fmt.Sprintf("  op %d %s ahead %t group %d live %t ttl %d from %v to %v\n", m.Op, m.KeyString(), m.Ahead, m.Group, m.Live, m.TTL, m.From, m.To)
		for _, c := range m.Conds {
			s += fmt.Sprintf("    if test %d %v = %v\n", c.Test, c.Column, c.Value)
		}
		for _, e := range m.Effects {
			s += fmt.Sprintf("    effect %d %s %v\n", e.Op, e.Column, e.Value)
		}
	}
	return s
}
