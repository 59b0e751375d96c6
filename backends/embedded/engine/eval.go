package engine

import (
	"encoding/binary"
	"strconv"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

func itoa(i int) string { return strconv.Itoa(i) }

// env is what terms are evaluated in: the bound values of one statement and the
// row at hand.
type env struct {
	e      *Engine
	ycql   bool
	values []wire.Value // by marker number
	row    *rowView     // nil where terms may not refer to a row
	micros int64        // the statement's time
}

// rowView is a row of a table by the table's own column numbers.
type rowView struct {
	t    *table
	key  [][]byte // partition key values
	ck   [][]byte // clustering key values; nil: none (a static row only)
	reg  *storage.Row
	st   *storage.Row // the partition's statics, or nil
	now  int64        // seconds
	vals [][]byte     // of a virtual table, by column; else nil
	// exists is for conditions: whether the row is there.
	exists bool
}

// value returns a column's value; nil is null.
func (v *rowView) value(c *catalog.Column) []byte {
	if v.vals != nil {
		return v.vals[c.Index]
	}
	switch c.Kind {
	case catalog.Partition:
		return v.key[c.Position]
	case catalog.Clustering:
		if v.ck == nil {
			return nil
		}
		return v.ck[c.Position]
	default:
	}
	row := v.reg
	if c.Kind == catalog.Static {
		row = v.st
	}
	if row == nil {
		return nil
	}
	at := c.Index - v.t.keys
	if !c.Type.IsMultiCell() {
		return row.Cells[at].Value
	}
	return assemble(c.Type, row.Elements[at])
}

// assemble makes a collection or UDT of its elements; nil if there are none.
func assemble(t *cqltype.Type, elems []storage.Element) []byte {
	if len(elems) == 0 {
		return nil
	}
	switch t.Kind {
	case cqltype.UDT:
		fields := make([][]byte, len(t.Elems))
		for _, e := range elems {
			if i := storage.FieldNumber(e.Key); i >= 0 && i < len(fields) {
				fields[i] = e.Value
			}
		}
		return cqltype.EncodeTuple(fields)
	case cqltype.Map:
		size := 4
		for i := range elems {
			size += 8 + len(elems[i].Key) + len(elems[i].Value)
		}
		b := cqltype.AppendCount(make([]byte, 0, size), len(elems))
		for i := range elems {
			b = cqltype.AppendElement(b, elems[i].Key)
			b = cqltype.AppendElement(b, elems[i].Value)
		}
		return b
	default:
	}
	size := 4
	for i := range elems {
		size += 4 + len(elems[i].Key) + len(elems[i].Value)
	}
	b := cqltype.AppendCount(make([]byte, 0, size), len(elems))
	for i := range elems {
		if t.Kind == cqltype.Set {
			b = cqltype.AppendElement(b, elems[i].Key)
		} else {
			b = cqltype.AppendElement(b, elems[i].Value)
		}
	}
	return b
}

// cell returns the cell of a plain column, or nil.
func (v *rowView) cell(c *catalog.Column) *storage.Cell {
	row := v.reg
	if c.Kind == catalog.Static {
		row = v.st
	}
	if row == nil || c.Kind <= catalog.Clustering {
		return nil
	}
	return &row.Cells[c.Index-v.t.keys]
}

// eval returns a term's value. Only markers can be unset.
func (t *term) eval(v *env) (wire.Value, error) {
	switch t.kind {
	case termConst:
		return wire.Value{Data: t.value}, nil
	case termMarker:
		return t.marked(v)
	case termCollection:
		return t.collection(v)
	case termTuple:
		return t.tuple(v)
	case termColumn:
		return wire.Value{Data: v.row.value(v.row.t.def.Columns[t.index])}, nil
	case termElement:
		return t.element(v)
	case termField:
		base, err := t.args[0].eval(v)
		if err != nil || base.Data == nil {
			return wire.Value{}, err
		}
		fields, err := cqltype.DecodeTuple(t.args[0].typ, base.Data)
		if err != nil {
			return wire.Value{}, err
		}
		return wire.Value{Data: fields[t.index]}, nil
	case termWritetime, termTTL:
		return wire.Value{Data: t.cellTime(v)}, nil
	case termArith:
		return t.arith(v)
	default:
	}
	args := make([][]byte, len(t.args))
	for i := range t.args {
		a, err := t.args[i].eval(v)
		if err != nil {
			return wire.Value{}, err
		}
		if a.Unset {
			return wire.Value{}, v.unset(t.args[i].name)
		}
		args[i] = a.Data
	}
	if t.call.name == "cast" && args[0] == nil {
		return wire.Value{}, nil
	}
	data, err := t.call.eval(v, args)
	return wire.Value{Data: data}, err
}

// unset is the error of an unset value where one is needed.
func (v *env) unset(name string) error {
	if v.ycql {
		return cqlerr.QLPlain(cqlerr.InvalidRequest, "Bind variable was not set")
	}
	return cqlerr.Invalid("Invalid unset value for column %s", name)
}

// required evaluates a term that must have a value.
func (t *term) required(v *env) ([]byte, error) {
	x, err := t.eval(v)
	if err != nil {
		return nil, err
	}
	if x.Unset {
		return nil, v.unset(t.name)
	}
	return x.Data, nil
}

func (t *term) marked(v *env) (wire.Value, error) {
	x := v.values[t.marker]
	if x.Data == nil {
		return x, nil
	}
	if len(x.Data) == 0 && t.typ.IsNumeric() && v.ycql {
		return wire.Value{}, cqlerr.QLPlain(cqlerr.InvalidArguments, "unexpected number byte length: expected "+t.typ.String()+", provided 0")
	}
	if err := t.typ.Validate(x.Data); err != nil {
		if v.ycql {
			return wire.Value{}, cqlerr.QLPlain(cqlerr.InvalidArguments, err.Error())
		}
		return wire.Value{}, cqlerr.Invalid("%s", err)
	}
	if t.typ.IsMultiCell() && emptyCollection(t.typ, x.Data) {
		return wire.Value{}, nil
	}
	if t.typ.Frozen && (t.typ.Kind == cqltype.Set || t.typ.Kind == cqltype.Map) {
		// Clients send elements in any order; the servers store them sorted, so that
		// equal values have equal bytes.
		elems, err := cqltype.DecodeCollection(t.typ, x.Data)
		if err != nil {
			return wire.Value{}, err
		}
		x.Data = cqltype.EncodeCollection(t.typ, t.typ.Normalize(elems))
	}
	return x, nil
}

func (t *term) collection(v *env) (wire.Value, error) {
	elems := make([][]byte, len(t.args))
	for i := range t.args {
		x, err := t.args[i].eval(v)
		if err != nil {
			return wire.Value{}, err
		}
		if x.Unset {
			if v.ycql {
				return wire.Value{}, v.unset(t.name)
			}
			return wire.Value{}, cqlerr.Invalid("unset value is not supported inside collections")
		}
		if x.Data == nil {
			if v.ycql {
				return wire.Value{}, cqlerr.QLPlain(cqlerr.NullInCollection, t.name)
			}
			return wire.Value{}, cqlerr.Invalid("null is not supported inside collections")
		}
		elems[i] = x.Data
	}
	return wire.Value{Data: cqltype.EncodeCollection(t.typ, t.typ.Normalize(elems))}, nil
}

func (t *term) tuple(v *env) (wire.Value, error) {
	fields := make([][]byte, len(t.args))
	for i := range t.args {
		x, err := t.args[i].eval(v)
		if err != nil {
			return wire.Value{}, err
		}
		if x.Unset {
			return wire.Value{}, cqlerr.Invalid("Invalid unset value for tuple field number %d", i)
		}
		fields[i] = x.Data
	}
	return wire.Value{Data: cqltype.EncodeTuple(fields)}, nil
}

// element is m[k] or l[i].
func (t *term) element(v *env) (wire.Value, error) {
	base, err := t.args[0].eval(v)
	if err != nil {
		return wire.Value{}, err
	}
	key, err := t.args[1].required(v)
	if err != nil || base.Data == nil || key == nil {
		return wire.Value{}, err
	}
	typ := t.args[0].typ
	elems, err := cqltype.DecodeCollection(typ, base.Data)
	if err != nil {
		return wire.Value{}, err
	}
	switch typ.Kind {
	case cqltype.List:
		if i := int(int32(binary.BigEndian.Uint32(key))); i >= 0 && i < len(elems) {
			return wire.Value{Data: elems[i]}, nil
		}
	case cqltype.Map:
		for i := 0; i < len(elems); i += 2 {
			if typ.Elems[0].Compare(elems[i], key) == 0 {
				return wire.Value{Data: elems[i+1]}, nil
			}
		}
	case cqltype.Set:
		for _, e := range elems {
			if typ.Elems[0].Compare(e, key) == 0 {
				return wire.Value{Data: e}, nil
			}
		}
	default:
	}
	return wire.Value{}, nil
}

// cellTime is WRITETIME or TTL of a plain column.
func (t *term) cellTime(v *env) []byte {
	c := v.row.cell(v.row.t.def.Columns[t.index])
	if c == nil || c.Value == nil {
		return nil
	}
	if t.kind == termWritetime {
		return bigint(c.Timestamp)
	}
	left, ok := c.Remaining(v.row.now)
	if !ok {
		return nil
	}
	if t.typ.Kind == cqltype.Bigint { // YCQL
		return bigint(int64(left))
	}
	return integer(left)
}

func bigint(i int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }

func integer(i int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }

// arith is YCQL's arithmetic on whole numbers; null makes null.
func (t *term) arith(v *env) (wire.Value, error) {
	a, err := t.args[0].required(v)
	if err != nil {
		return wire.Value{}, err
	}
	b, err := t.args[1].required(v)
	if err != nil || a == nil || b == nil {
		return wire.Value{}, err
	}
	if !t.typ.IsInteger() || t.typ.Kind == cqltype.Varint {
		return wire.Value{}, cqlerr.QLPlain(cqlerr.FeatureUnsupport, "arithmetic on "+t.typ.String()+" is "+cqlerr.NotSupported)
	}
	x, y := wholeNumber(a), wholeNumber(b)
	if t.op == '-' {
		y = -y
	}
	return wire.Value{Data: encodeWhole(x+y, len(a))}, nil
}

// wholeNumber reads a big-endian signed number of 1 to 8 bytes.
func wholeNumber(b []byte) int64 {
	var v int64
	for i, c := range b {
		if i == 0 {
			v = int64(int8(c))
			continue
		}
		v = v<<8 | int64(c)
	}
	return v
}

func encodeWhole(v int64, size int) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(v))
	return b[8-size:]
}
