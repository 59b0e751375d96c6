package render

import (
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// unset is the argument for columns that a write leaves alone, boxed once.
var unset any = cql.Unset

// Piece is one mutation on its way to calls: where its row is and which
// statements carry it.
type Piece struct {
	Mutation *plan.Mutation
	elements *entrySet
	table    *Table
	family   *Family
	stmts    [2]*stmt
	n        int
}

// Prepare finds the place and the statements of a mutation. Errors name the
// row, not the write.
func (c *Compiler) Prepare(m *plan.Mutation) (Piece, error) {
	p, err := c.prepare(m)
	if err != nil {
		return Piece{}, fmt.Errorf("%s: %w", m.KeyString(), err)
	}
	return p, nil
}

func (c *Compiler) prepare(m *plan.Mutation) (Piece, error) {
	t, err := c.layout.Table(m.Table)
	if err != nil {
		return Piece{}, err
	}
	f, at, err := t.family(m.Key)
	if err != nil {
		return Piece{}, err
	}
	var (
		first, second shape
		n             int
		elements      *entrySet
	)
	if t.style == Blocks {
		elements = &entrySet{noNulls: c.NoNulls}
		first, second, n, err = t.blockShapes(m, elements)
	} else {
		first, second, n, err = t.shapesOf(m)
	}
	if err != nil {
		return Piece{}, err
	}
	if m.Op == plan.DeleteRange {
		if err := t.checkRange(f, len(m.Key), first.from, first.to); err != nil {
			return Piece{}, err
		}
	} else if len(m.Key) != len(m.Table.Key) {
		return Piece{}, fmt.Errorf("key has %d values, want %d", len(m.Key), len(m.Table.Key))
	}
	p := Piece{Mutation: m, elements: elements, table: t, family: f, n: n}
	p.stmts[0] = c.statement(t, at, first)
	if n == 2 {
		p.stmts[1] = c.statement(t, at, second)
	}
	return p, nil
}

// Calls returns how many statements carry the mutation.
func (p *Piece) Calls() int { return p.n }

// Args returns how many arguments they take.
func (p *Piece) Args() int {
	n := len(p.stmts[0].slots)
	if p.n == 2 {
		n += len(p.stmts[1].slots)
	}
	return n
}

// Conditional tells whether the mutation has a condition.
func (p *Piece) Conditional() bool { return len(p.Mutation.Conds) > 0 }

// SamePartition tells whether the rows of both are in one partition of one
// physical table.
func (p *Piece) SamePartition(o *Piece) bool {
	if p.family.Name != o.family.Name {
		return false
	}
	for i := range p.family.Partition {
		a, b := &p.family.Key[i], &o.family.Key[i]
		x, y := a.Const, b.Const
		var err error
		if a.Of != nil {
			if x, err = a.encodeAt(p.Mutation.Key); err != nil {
				return false
			}
		}
		if b.Of != nil {
			if y, err = b.encodeAt(o.Mutation.Key); err != nil {
				return false
			}
		}
		if x != y {
			return false
		}
	}
	return true
}

// Bind appends the calls of the mutation to calls, with arguments appended to
// args, and returns both.
func (p *Piece) Bind(calls []cql.Call, args []any) ([]cql.Call, []any, error) {
	for i := range p.n {
		start := len(args)
		var err error
		if args, err = p.bind(p.stmts[i], args); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", p.Mutation.KeyString(), err)
		}
		calls = append(calls, cql.Call{Statement: &p.stmts[i].Statement, Args: args[start:len(args):len(args)]})
	}
	return calls, args, nil
}

func (p *Piece) bind(st *stmt, args []any) ([]any, error) {
	m, f := p.Mutation, p.family
	encoding := unset // of the collection bound last
	for _, s := range st.slots {
		var v any
		var err error
		switch s.op {
		case slotConst:
			v = f.Key[s.at].Const
		case slotKey:
			v, err = f.Key[s.at].encodeAt(m.Key)
		case slotFrom:
			v, err = f.Key[s.at].bound(&m.From, int(s.col))
		case slotTo:
			v, err = f.Key[s.at].bound(&m.To, int(s.col))
		case slotElemKey:
			v = p.elements.at(s.at).key
		case slotElem:
			v = bytesArg(p.elements.at(s.at).value)
		case slotPlus:
			v = p.elements.encode()
		case slotMinus:
			v = encodeTexts(p.elements.drops)
		case slotAppendKey:
			v, err = p.version(&f.Columns[s.at])
		case slotTTL:
			v = m.TTL
		case slotSet, slotSetEnc:
			v, err = p.set(&f.Columns[s.at], s.op == slotSetEnc)
		case slotWhole:
			v, encoding, err = p.whole(&f.Columns[s.at])
		case slotMerge:
			v, encoding, err = p.merge(&f.Columns[s.at])
		case slotDrop:
			v, err = p.drop(&f.Columns[s.at])
		case slotAppend:
			v, err = p.append(&f.Columns[s.at])
		case slotElemEnc:
			v = encoding
		case slotIf, slotIfEnc:
			v, err = p.test(&f.Columns[s.at], s.op == slotIfEnc)
		default:
			err = fmt.Errorf("marker %d of %s has no source in a mutation", s.op, st.Text)
		}
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	return args, nil
}

func (p *Piece) effect(c *plan.Column, op plan.EffectOp) *plan.Effect {
	for i := range p.Mutation.Effects {
		e := &p.Mutation.Effects[i]
		if e.Column == c && (e.Op == op || op == plan.Set && e.Op == plan.Clear) {
			return e
		}
	}
	return nil
}

// set is the argument that assigns a scalar or a blob, or its encoding.
func (p *Piece) set(c *Column, encoding bool) (any, error) {
	if p.Mutation.Op == plan.Assert {
		// A condition is also written, with its own value; what may be absent
		// stays as it is.
		for i := range p.Mutation.Conds {
			if cond := &p.Mutation.Conds[i]; cond.Column == c.Of && cond.Test == plan.Equal {
				return c.physical(cond.Value, encoding)
			}
		}
		if p.table.style == Blocks {
			return nil, nil
		}
		return unset, nil
	}
	e := p.effect(c.Of, plan.Set)
	if e == nil && p.table.style == Blocks {
		return p.test(c, encoding) // tested, so written with its own value
	}
	if e == nil {
		return unset, nil
	}
	if e.Op == plan.Clear || e.Value == nil {
		return nil, nil
	}
	return c.physical(e.Value, encoding)
}

func (p *Piece) test(c *Column, encoding bool) (any, error) {
	for i := range p.Mutation.Conds {
		if cond := &p.Mutation.Conds[i]; cond.Column == c.Of {
			return c.physical(cond.Value, encoding)
		}
	}
	return nil, fmt.Errorf("%s has no condition", c.Of)
}

// physical is the argument for a scalar or for one half of a blob.
func (c *Column) physical(v any, encoding bool) (any, error) {
	if c.Form == Data {
		b, ok := v.(plan.Blob)
		if !ok {
			return nil, fmt.Errorf("%s is a %T, want plan.Blob", c.Of, v)
		}
		if !encoding {
			return bytesArg(b.Data), nil
		}
		if b.Encoding == "" {
			return nil, nil
		}
		return boxEncoding(b.Encoding), nil
	}
	if err := checkKind(c.Of.Kind, v); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Of, err)
	}
	return encodeScalar(c.Of, c.Codec, c.Bits, v)
}

// whole is the argument that replaces a collection.
func (p *Piece) whole(c *Column) (v, encoding any, err error) {
	if c.Form == Entries {
		return p.elements.encode(), nil, nil
	}
	if c.Form == EventMap && p.effect(c.Of, plan.Append) != nil {
		return nil, nil, fmt.Errorf("%s: appended to in a new row: set it", c.Of)
	}
	if c.Form == EventMap && p.effect(c.Of, plan.Set) == nil {
		return nil, nil, nil
	}
	e := p.effect(c.Of, plan.Set)
	if e == nil {
		return unset, unset, nil
	}
	if e.Op == plan.Clear || e.Value == nil {
		return nil, nil, nil
	}
	return c.collection(e.Value)
}

// merge is the argument that adds elements. On a new row that may be a whole
// collection.
func (p *Piece) merge(c *Column) (v, encoding any, err error) {
	e := p.effect(c.Of, plan.Merge)
	if e == nil {
		e = p.effect(c.Of, plan.Set)
	}
	if e == nil || !elements(e.Value) {
		return unset, unset, nil
	}
	return c.collection(e.Value)
}

func (c *Column) collection(v any) (raw, encoding any, err error) {
	var bytes cql.Raw
	var enc string
	ok := false
	switch c.Form {
	case IntMap:
		var entries []plan.IntEntry
		if entries, ok = v.([]plan.IntEntry); ok {
			bytes, enc, err = encodeIntMap(entries)
		}
	case TextMap:
		var entries []plan.TextEntry
		if entries, ok = v.([]plan.TextEntry); ok {
			bytes, enc, err = encodeTextMap(entries)
		}
	case NodeMap:
		var entries []plan.NodeEntry
		if entries, ok = v.([]plan.NodeEntry); ok {
			bytes, enc, err = encodeNodes(entries)
		}
	case UUIDSet:
		var texts []string
		if texts, ok = v.([]string); ok {
			bytes, err = encodeUUIDs(texts)
		}
	case BatchList:
		var blobs []plan.Blob
		if blobs, ok = v.([]plan.Blob); ok {
			bytes = encodeBatches(blobs)
		}
	case CountMap:
		var counts []plan.TextIntEntry
		if counts, ok = v.([]plan.TextIntEntry); ok {
			bytes, err = encodeCounts(counts)
		}
	case EventMap:
		if blobs, isBlobs := v.([]plan.Blob); isBlobs {
			events, err := encodeEvents(blobs)
			return events, nil, err
		}
	default: // scalars and blobs have no elements
	}
	if !ok {
		return nil, nil, fmt.Errorf("%s cannot hold a %T", c.Of, v)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.Of, err)
	}
	return bytes, boxEncoding(enc), nil
}

// drop is the argument that removes elements: a set of their keys.
func (p *Piece) drop(c *Column) (any, error) {
	e := p.effect(c.Of, plan.Drop)
	if e == nil || !elements(e.Value) {
		return unset, nil
	}
	switch keys := e.Value.(type) {
	case []int64:
		if c.Form == IntMap {
			return encodeInts(keys), nil
		}
	case []string:
		switch c.Form {
		case TextMap, NodeMap, CountMap:
			return encodeTexts(keys), nil
		case UUIDSet:
			raw, err := encodeUUIDs(keys)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Of, err)
			}
			return raw, nil
		default: // keys of another type
		}
	}
	return nil, fmt.Errorf("%s has no keys of type %T", c.Of, e.Value)
}

func (p *Piece) append(c *Column) (any, error) {
	e := p.effect(c.Of, plan.Append)
	b, ok := e.Value.(plan.Blob)
	if !ok {
		return nil, fmt.Errorf("%s is a list of plan.Blob, got a %T", c.Of, e.Value)
	}
	if c.Form == EventMap {
		value, err := appendPart(nil, &b)
		return bytesArg(value), err
	}
	one := [1]plan.Blob{b}
	return encodeBatches(one[:]), nil
}

// at returns an element; the last one again where a text has room for more.
func (e *entrySet) at(i uint8) *entry { return &e.list[min(int(i), len(e.list)-1)] }

// bound is the argument for value i of a bound.
func (k *Key) bound(b *plan.Bound, i int) (any, error) {
	if k.And != nil {
		return k.edge(b.Compare, b.Values)
	}
	return k.encode(b.Values[i])
}

// version names a batch that is appended to an EventMap.
func (p *Piece) version(c *Column) (any, error) {
	e := p.effect(c.Version, plan.Set)
	if e == nil {
		return nil, fmt.Errorf("%s is appended to without a new %s", c.Of, c.Version)
	}
	if v, ok := e.Value.(int64); !ok || v < 1 {
		return nil, fmt.Errorf("%s is appended to with %s %v, want a number above 0", c.Of, c.Version, e.Value)
	}
	return e.Value, nil
}

// Ranged tells whether the statement of the piece may delete several rows, which
// YCQL does not take in a native batch.
func (p *Piece) Ranged() bool { return p.Mutation.Op == plan.DeleteRange }
