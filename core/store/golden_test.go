package store

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

var update = flag.Bool("update", false, "rewrite the goldens under testdata")

// recorder writes down every plan that a store runs, and runs it on memory.
type recorder struct {
	exec.Executor
	State *memory.State
	text  strings.Builder
}

func newRecorder(traits cql.Traits) *recorder {
	state := memory.NewState()
	return &recorder{Executor: memory.NewExecutor(state, traits), State: state}
}

func (r *recorder) Write(ctx context.Context, w *plan.Write) error {
	r.text.WriteString(writeText(w))
	err := r.Executor.Write(ctx, w)
	if err != nil {
		fmt.Fprintf(&r.text, "  => %v\n", err)
	}
	return err
}

func (r *recorder) Read(ctx context.Context, read *plan.Read, page plan.Page, args ...any) (*exec.Rows, error) {
	fmt.Fprintf(&r.text, "read %s of %s %s", read.Name, read.Table, valuesText(args))
	if page.Size > 0 {
		fmt.Fprintf(&r.text, " page %d", page.Size)
	}
	r.text.WriteByte('\n')
	return r.Executor.Read(ctx, read, page, args...)
}

// golden compares what was recorded with testdata/<name>.
func (r *recorder) golden(t *testing.T, name string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	got := r.text.String()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run the test with -update to make it")
	require.Equal(t, string(want), got)
}

// writeText renders a write with all that a dialect is given.
func writeText(w *plan.Write) string {
	var b strings.Builder
	scope := map[plan.Scope]string{plan.Atomic: "atomic", plan.Ordered: "ordered"}[w.Scope]
	fmt.Fprintf(&b, "write %s %s", w.Name, scope)
	if w.Owner != nil {
		fmt.Fprintf(&b, " owner(shard=%d range=%d)", w.Owner.Shard, w.Owner.RangeID)
	}
	b.WriteByte('\n')
	for i := range w.Mutations {
		mutationText(&b, &w.Mutations[i])
	}
	return b.String()
}

var opNames = map[plan.Op]string{
	plan.Assert: "assert", plan.Insert: "insert", plan.Update: "update",
	plan.Delete: "delete", plan.DeleteRange: "delete range",
}

func mutationText(b *strings.Builder, m *plan.Mutation) {
	fmt.Fprintf(b, "  %s %s", opNames[m.Op], m.KeyString())
	for _, bound := range []plan.Bound{m.From, m.To} {
		if bound.Compare != plan.Unbounded {
			fmt.Fprintf(b, " %s %s", map[plan.Compare]string{
				plan.GreaterOrEqual: ">=", plan.Greater: ">", plan.LessOrEqual: "<=", plan.Less: "<",
			}[bound.Compare], valuesText(bound.Values))
		}
	}
	if m.Ahead {
		fmt.Fprintf(b, " ahead(group %d)", m.Group)
	}
	if m.Live {
		b.WriteString(" live")
	}
	if m.TTL != 0 {
		fmt.Fprintf(b, " ttl %d", m.TTL)
	}
	b.WriteByte('\n')
	for _, c := range m.Conds {
		switch c.Test {
		case plan.RowAbsent:
			b.WriteString("    if absent\n")
		case plan.RowPresent:
			b.WriteString("    if present\n")
		case plan.Equal:
			fmt.Fprintf(b, "    if %s = %s\n", c.Column, valueText(c.Value))
		case plan.EqualOrAbsent:
			fmt.Fprintf(b, "    if %s = %s or absent\n", c.Column, valueText(c.Value))
		}
	}
	for _, e := range m.Effects {
		name := map[plan.EffectOp]string{
			plan.Set: "set", plan.Merge: "merge", plan.Drop: "drop", plan.Append: "append", plan.Clear: "clear",
		}[e.Op]
		fmt.Fprintf(b, "    %s %s", name, e.Column)
		if e.Op != plan.Clear {
			b.WriteString(" " + valueText(e.Value))
		}
		b.WriteByte('\n')
	}
	if len(m.Show) > 0 {
		fmt.Fprintf(b, "    show %v\n", m.Show)
	}
}

func valuesText(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = valueText(v)
	}
	return "(" + strings.Join(texts, " ") + ")"
}

func valueText(v any) string {
	switch v := v.(type) {
	case plan.Blob:
		return fmt.Sprintf("%s:%q", v.Encoding, v.Data)
	case []plan.IntEntry:
		return listText(v, func(e plan.IntEntry) string { return fmt.Sprintf("%d=%s", e.Key, valueText(e.Value)) })
	case []plan.TextEntry:
		return listText(v, func(e plan.TextEntry) string { return fmt.Sprintf("%q=%s", e.Key, valueText(e.Value)) })
	case []plan.NodeEntry:
		return listText(v, func(e plan.NodeEntry) string {
			if !absent(e.Value.Whole) {
				return fmt.Sprintf("%q=%s", e.Key, valueText(e.Value.Whole))
			}
			return fmt.Sprintf("%q=(%s %s)", e.Key, valueText(e.Value.Metadata), valueText(e.Value.Body))
		})
	case []plan.TextIntEntry:
		return listText(v, func(e plan.TextIntEntry) string { return fmt.Sprintf("%q=%d", e.Key, e.Value) })
	default:
		return plan.FormatValue(v)
	}
}

func listText[E any](list []E, text func(E) string) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = text(e)
	}
	return "{" + strings.Join(texts, ", ") + "}"
}
