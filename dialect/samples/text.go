package samples

import (
	"fmt"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// CQL renders what a dialect makes of a sample: every step with its statements
// and their arguments.
func CQL(d dialect.Dialect, s Sample) (string, error) {
	var b strings.Builder
	if s.Write != nil {
		p, err := d.CompileWrite(s.Write)
		if err != nil {
			return "", err
		}
		for i := range p.Steps {
			step := &p.Steps[i]
			fmt.Fprintf(&b, "-- step %d: %s\n", i+1, stepText(step))
			for _, c := range step.Calls {
				callText(&b, c)
			}
		}
		if p.Undo != nil {
			fmt.Fprintf(&b, "-- after a refusal: %s\n", stepText(p.Undo))
			for _, c := range p.Undo.Calls {
				callText(&b, c)
			}
		}
		return b.String(), nil
	}
	p, err := d.CompileRead(s.Read)
	if err != nil {
		return "", err
	}
	for part := range p.Parts(s.Args) {
		c, _, err := p.Bind(part, s.Args)
		if err != nil {
			return "", err
		}
		callText(&b, c)
	}
	return b.String(), nil
}

func stepText(s *cql.Step) string {
	var words []string
	if s.Ahead {
		words = append(words, "ahead")
		if s.Wave > 0 {
			words = append(words, fmt.Sprintf("wave %d", s.Wave+1))
		}
	}
	conditional := slices.ContainsFunc(s.Calls, func(c cql.Call) bool { return c.Conditional })
	if conditional {
		words = append(words, "conditional")
	}
	switch s.Mode {
	case cql.Single:
		words = append(words, "single statement")
	case cql.Logged:
		words = append(words, "logged batch")
	case cql.Unlogged:
		words = append(words, "unlogged batch")
	case cql.Parallel:
		words = append(words, "side by side")
	}
	return strings.Join(words, ", ")
}

func callText(b *strings.Builder, c cql.Call) {
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		args[i] = argText(a)
	}
	fmt.Fprintf(b, "%s;\n", strings.TrimSuffix(c.Text, ";"))
	if len(args) > 0 {
		fmt.Fprintf(b, "--   %s\n", strings.Join(args, ", "))
	}
	if c.KeyArgs != nil {
		fmt.Fprintf(b, "--   partition key: %v\n", c.KeyArgs)
	}
}

func argText(a any) string {
	switch a := a.(type) {
	case nil:
		return "null"
	case cql.UnsetValue:
		return "unset"
	case cql.Raw:
		return fmt.Sprintf("0x%x", []byte(a))
	case []byte:
		return fmt.Sprintf("0x%x", a)
	default:
		return plan.FormatValue(a)
	}
}

// Plan renders a sample's plan.
func Plan(s Sample) string {
	var b strings.Builder
	if s.Read != nil {
		readText(&b, s.Read)
		return b.String()
	}
	scope := "atomic"
	if s.Write.Scope == plan.Ordered {
		scope = "ordered"
	}
	fmt.Fprintf(&b, "%s %s\n", scope, s.Write.Name)
	for i := range s.Write.Mutations {
		mutationText(&b, &s.Write.Mutations[i])
	}
	return b.String()
}

var opNames = map[plan.Op]string{
	plan.Assert: "assert", plan.Insert: "insert", plan.Update: "update", plan.Delete: "delete", plan.DeleteRange: "delete range",
}

var effectNames = map[plan.EffectOp]string{
	plan.Set: "set", plan.Merge: "merge", plan.Drop: "drop", plan.Append: "append", plan.Clear: "clear",
}

var compareNames = map[plan.Compare]string{
	plan.GreaterOrEqual: ">=", plan.Greater: ">", plan.LessOrEqual: "<=", plan.Less: "<",
}

func mutationText(b *strings.Builder, m *plan.Mutation) {
	fmt.Fprintf(b, "  %s %s", opNames[m.Op], m.Table)
	if m.Ahead {
		fmt.Fprintf(b, " ahead, group %d", m.Group)
	}
	if m.Live {
		b.WriteString(", live")
	}
	if m.TTL > 0 {
		fmt.Fprintf(b, ", for %d s", m.TTL)
	}
	for _, side := range []plan.Bound{m.From, m.To} {
		if side.Compare != plan.Unbounded {
			fmt.Fprintf(b, ", %s %s", keyNames(m.Table, len(m.Key), len(side.Values)), compareNames[side.Compare])
		}
	}
	for _, c := range m.Conds {
		switch c.Test {
		case plan.Equal:
			fmt.Fprintf(b, ", if %s is as given", c.Column)
		case plan.EqualOrAbsent:
			fmt.Fprintf(b, ", if %s is as given or null", c.Column)
		case plan.RowAbsent:
			b.WriteString(", if absent")
		case plan.RowPresent:
			b.WriteString(", if present")
		}
	}
	for _, e := range m.Effects {
		fmt.Fprintf(b, "\n      %s %s", effectNames[e.Op], e.Column)
	}
	b.WriteByte('\n')
}

func readText(b *strings.Builder, r *plan.Read) {
	fmt.Fprintf(b, "read %s of %s", r.Name, r.Table)
	if r.Eq > 0 {
		fmt.Fprintf(b, " by %s", keyNames(r.Table, 0, r.Eq))
	}
	for _, side := range []plan.RangeEnd{r.From, r.To} {
		if side.Compare != plan.Unbounded {
			fmt.Fprintf(b, ", %s %s", keyNames(r.Table, r.Eq, side.Width), compareNames[side.Compare])
		}
	}
	if r.Span {
		b.WriteString(", between two hashes")
	}
	if r.Distinct {
		b.WriteString(", each partition once")
	}
	for _, f := range r.Filters {
		relation := "is as given"
		if f.Relation == plan.After {
			relation = "is after"
		}
		fmt.Fprintf(b, ", %s %s", f.Column, relation)
	}
	if r.Desc {
		b.WriteString(", backwards")
	}
	if r.Limit != plan.NoLimit {
		b.WriteString(", limited")
	}
	if r.Count {
		b.WriteString(", count")
	}
	for i, c := range r.Columns {
		if i == 0 {
			b.WriteString("\n      ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(c.Name)
	}
	b.WriteByte('\n')
}

func keyNames(t *plan.Table, from, n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = t.Key[from+i].Name
	}
	return strings.Join(names, ", ")
}
