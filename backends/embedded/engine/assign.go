package engine

import (
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// assignment compiles one item of SET. It notes in setsKey that YCQL's is of a key
// column, which is found to be wrong after all others.
func (b *binder) assignment(p *writePlan, a *parse.Assignment, setsKey *bool) error {
	base := a.Target
	for base.Kind == parse.KindElement || base.Kind == parse.KindField {
		base = base.Args[0]
	}
	c, err := b.existing(base)
	if err != nil {
		return err
	}
	if c.Position >= 0 {
		if *setsKey = b.ycql; b.ycql {
			_, err := b.term(a.Value, columnSpec(c))
			return err
		}
		return cqlerr.Invalid("PRIMARY KEY part %s found in SET part", c.Name)
	}
	whole := a.Target.Kind == parse.KindColumn
	for i := range p.assigns {
		o := &p.assigns[i]
		if o.col != c {
			continue
		}
		element := o.eff == effElement
		if b.ycql && (whole || !element) {
			return b.src.QL(cqlerr.InvalidArguments, base.Span, "Multiple incompatible setting of column %s.", c.Name)
		}
		if !b.ycql && (whole && !c.Type.IsMultiCell() || !whole && o.eff == effReplace || whole && o.eff == effReplace) {
			return cqlerr.Syntax("Multiple incompatible setting of column %s", c.Name)
		}
	}
	if b.ycql && p.timestamp != nil && c.Type.IsMultiCell() {
		return b.src.QL(cqlerr.InvalidArguments, base.Span, "UPDATE statement with collection and USING TIMESTAMP is not supported")
	}
	if !whole {
		return b.partAssignment(p, a, c)
	}
	if a.Op != 0 {
		return b.collectionOp(p, c, a.Value, a.Op, false, a.Span)
	}
	if v := a.Value; v.Kind == parse.KindBinary && refersTo(v, c.Name) {
		left, right := v.Args[0], v.Args[1]
		switch {
		case c.Type.IsInteger() && b.ycql:
			was := b.columns
			b.columns = true
			x, err := b.arith(v, columnSpec(c))
			b.columns = was
			if err != nil {
				return err
			}
			p.assigns = append(p.assigns, assign{col: c, eff: effSet, val: x})
			return nil
		case left.Kind == parse.KindColumn && left.Text == c.Name:
			return b.collectionOp(p, c, right, v.Text[0], false, a.Span)
		case right.Kind == parse.KindColumn && right.Text == c.Name && v.Text == "+":
			return b.collectionOp(p, c, left, '+', true, a.Span)
		}
		if b.ycql {
			return b.src.QL(cqlerr.InvalidCQL, a.Span, "Invalid column reference in SET clause")
		}
		return cqlerr.Syntax("Only expressions of the form X = X +<value> are supported.")
	}
	x, err := b.term(a.Value, columnSpec(c))
	if err != nil {
		return err
	}
	eff := effSet
	if c.Type.IsMultiCell() {
		eff = effReplace
	}
	p.assigns = append(p.assigns, assign{col: c, eff: eff, val: x})
	return nil
}

func refersTo(e *parse.Expr, name string) bool {
	if e.Kind == parse.KindColumn {
		return e.Text == name
	}
	return slices.ContainsFunc(e.Args, func(a *parse.Expr) bool { return refersTo(a, name) })
}

// partAssignment is m[k] = v, l[i] = v and u.f = v.
func (b *binder) partAssignment(p *writePlan, a *parse.Assignment, c *catalog.Column) error {
	if a.Op != 0 {
		return b.src.Refuse("+= on an element", a.Span)
	}
	if a.Target.Kind == parse.KindField {
		return b.fieldAssignment(p, a, c)
	}
	if !c.Type.IsCollection() || !c.Type.IsMultiCell() {
		if b.ycql {
			return b.src.QL(cqlerr.InvalidCQL, a.Target.Args[0].Span, "Columns with elementary types cannot take arguments")
		}
		if c.Type.IsCollection() {
			return cqlerr.Invalid("Invalid operation (%s) for frozen collection column %s", b.text2(a), c.Name)
		}
		return cqlerr.Invalid("Invalid operation (%s) for non collection column %s", b.text2(a), c.Name)
	}
	if c.Type.Kind == cqltype.Set {
		if b.ycql {
			return b.src.QL(cqlerr.InvalidArguments, a.Target.Span, "Set columns cannot take arguments")
		}
		return cqlerr.Invalid("Invalid operation (%s) for set column %s", b.text2(a), c.Name)
	}
	if a.Target.Args[0].Kind != parse.KindColumn {
		return b.src.Refuse("this assignment", a.Span)
	}
	ks, vs, err := b.elementSpec(a.Target, c.Type, c.Name)
	if err != nil {
		return err
	}
	k, err := b.term(a.Target.Args[1], ks)
	if err != nil {
		return err
	}
	v, err := b.term(a.Value, vs)
	if err != nil {
		return err
	}
	p.assigns = append(p.assigns, assign{col: c, eff: effElement, key: k, val: v})
	return nil
}

func (b *binder) text2(a *parse.Assignment) string {
	return strings.TrimSpace(b.src.Text[a.Span.Start:a.Span.End])
}

func (b *binder) fieldAssignment(p *writePlan, a *parse.Assignment, c *catalog.Column) error {
	if c.Type.Kind != cqltype.UDT {
		return cqlerr.Invalid("Invalid operation (%s) for non-UDT column %s", b.text2(a), c.Name)
	}
	if c.Type.Frozen {
		return cqlerr.Invalid("Invalid operation (%s) for frozen UDT column %s", b.text2(a), c.Name)
	}
	i := slices.Index(c.Type.Fields, a.Target.Text)
	if i < 0 {
		return cqlerr.Invalid("UDT column %s does not have a field named %s", c.Name, a.Target.Text)
	}
	v, err := b.term(a.Value, spec{c.Name + "." + a.Target.Text, c.Type.Elems[i]})
	if err != nil {
		return err
	}
	p.assigns = append(p.assigns, assign{col: c, eff: effField, field: i, val: v})
	return nil
}

// collectionOp is c = c + v, c = v + c and c = c - v.
func (b *binder) collectionOp(p *writePlan, c *catalog.Column, value *parse.Expr, op byte, front bool, at parse.Span) error {
	text := strings.TrimSpace(b.src.Text[at.Start:at.End])
	if !c.Type.IsMultiCell() || !c.Type.IsCollection() {
		switch {
		case b.ycql:
			return b.src.QL(cqlerr.DatatypeMismatch, at, "")
		case c.Type.IsCollection():
			return cqlerr.Invalid("Invalid operation (%s) for frozen collection column %s", text, c.Name)
		}
		return cqlerr.Invalid("Invalid operation (%s) for non counter column %s", text, c.Name)
	}
	typ, eff := c.Type, effAdd
	switch {
	case c.Type.Kind == cqltype.List && op == '-':
		eff = effWithout
	case c.Type.Kind == cqltype.List && front:
		eff = effPrepend
	case c.Type.Kind == cqltype.List:
		eff = effAppend
	case op == '-':
		eff = effRemove
		if c.Type.Kind == cqltype.Map {
			typ = cqltype.SetOf(c.Type.Elems[0], false)
		}
	case front && !b.ycql:
		return cqlerr.Invalid("Invalid operation (%s) for %s column %s: prepend is only supported for lists", text, map[cqltype.Kind]string{cqltype.Set: "set", cqltype.Map: "map"}[c.Type.Kind], c.Name)
	}
	if eff == effAdd && c.Type.Kind == cqltype.Map && value.Kind == parse.KindSet && len(value.Args) > 0 && !b.ycql {
		return cqlerr.Invalid("Value for a map addition has to be a map, but was: '%s'", b.text(value))
	}
	v, err := b.term(value, spec{c.Name, typ})
	if err != nil {
		return err
	}
	p.assigns = append(p.assigns, assign{col: c, eff: eff, val: v})
	return nil
}

func (b *binder) deleteTarget(p *writePlan, e *parse.Expr) error {
	base := e
	for base.Kind != parse.KindColumn {
		base = base.Args[0]
	}
	c, err := b.existing(base)
	if err != nil {
		return err
	}
	if c.Position >= 0 {
		if b.ycql {
			return b.src.QL(cqlerr.InvalidArguments, e.Span, "Delete target cannot be part of primary key")
		}
		return cqlerr.Invalid("Invalid identifier %s for deletion (should not be a PRIMARY KEY part)", c.Name)
	}
	a := assign{col: c, eff: effClear}
	switch e.Kind {
	case parse.KindColumn:
		if !c.Type.IsMultiCell() {
			a.eff = effSet
			a.val = term{kind: termConst, typ: c.Type}
		}
	case parse.KindElement:
		if !c.Type.IsCollection() || !c.Type.IsMultiCell() || e.Args[0].Kind != parse.KindColumn {
			if b.ycql {
				return b.src.QL(cqlerr.InvalidCQL, e.Span, "Deleting expression is not allowed in CQL")
			}
			return cqlerr.Invalid("Invalid deletion operation for non collection column %s", c.Name)
		}
		ks, _, err := b.elementSpec(e, c.Type, c.Name)
		if err != nil {
			return err
		}
		a.eff = effDrop
		if a.key, err = b.term(e.Args[1], ks); err != nil {
			return err
		}
	case parse.KindField:
		if c.Type.Kind != cqltype.UDT || c.Type.Frozen {
			return cqlerr.Invalid("Invalid deletion operation for non-UDT column %s", c.Name)
		}
		i := slices.Index(c.Type.Fields, e.Text)
		if i < 0 {
			return cqlerr.Invalid("UDT column %s does not have a field named %s", c.Name, e.Text)
		}
		a.eff, a.field, a.val = effField, i, term{kind: termConst, typ: c.Type.Elems[i]}
	default:
	}
	p.assigns = append(p.assigns, a)
	return nil
}
