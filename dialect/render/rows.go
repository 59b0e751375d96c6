package render

import (
	"errors"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// cell is where one field of a row is scanned. Pointers are nil for null.
type cell struct {
	number *int64
	text   *string
	id     *[16]byte
	flag   *bool
	blob   []byte
	raw    cql.Raw
}

// decoder implements dialect.RowDecoder.
type decoder struct {
	st      *readStatement
	args    []any
	nothing bool // the arguments name no row of the logical table
	cells   []cell
	dest    []any
}

func newDecoder(p *readProgram, st *readStatement, args []any) *decoder {
	d := &decoder{st: st, args: args, cells: make([]cell, len(st.fields)), dest: make([]any, len(st.fields))}
	for i := range st.fields {
		c := &d.cells[i]
		switch st.fields[i].want {
		case wantInt:
			d.dest[i] = &c.number
		case wantText:
			d.dest[i] = &c.text
		case wantUUID:
			d.dest[i] = &c.id
		case wantBool:
			d.dest[i] = &c.flag
		case wantBlob:
			d.dest[i] = &c.blob
		case wantRaw:
			d.dest[i] = &c.raw
		}
	}
	for i := range st.family.Key {
		k := &st.family.Key[i]
		if k.Of != nil && k.at < p.read.Eq && k.Reserved != nil && args[k.at] == k.Reserved {
			d.nothing = true
		}
	}
	return d
}

// Dest implements dialect.RowDecoder. Drivers append to the slices that they
// find, so every row gets its own.
func (d *decoder) Dest() []any {
	clear(d.cells)
	return d.dest
}

// Decode implements dialect.RowDecoder.
func (d *decoder) Decode(out []any) (ok bool, err error) {
	if d.nothing {
		return false, nil
	}
	for i := range d.st.fields {
		f := &d.st.fields[i]
		switch {
		case f.marker && d.null(i):
			return false, nil
		case f.key != nil && f.key.And == nil:
			v, err := f.key.decode(d.scalar(i))
			if errors.Is(err, ErrNotRow) || err == nil && f.key.Reserved != nil && v == f.key.Reserved {
				return false, nil
			}
			if err != nil {
				return false, err
			}
		}
	}
	for i, from := range d.st.out {
		if from.field < 0 {
			out[i] = d.args[-1-from.field]
			continue
		}
		if out[i], err = d.value(from); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (d *decoder) value(from source) (any, error) {
	i := from.field
	f := &d.st.fields[i]
	switch {
	case f.key != nil && f.key.And != nil:
		return f.key.decodePair(d.cells[i].blob, from.key)
	case f.key != nil:
		return f.key.decode(d.scalar(i))
	case f.col == nil: // a count, a TTL
		return d.scalar(i), nil
	case f.col.Form == Scalar:
		return f.col.decodeScalar(d.scalar(i))
	}
	encoding := ""
	if f.encoding >= 0 && d.cells[f.encoding].text != nil {
		encoding = *d.cells[f.encoding].text
	}
	if f.col.Form == Data {
		return decodeData(d.cells[i].blob, encoding), nil
	}
	var v any
	var err error
	switch f.col.Form {
	case Entries:
		v, err = from.column.decodeEntries(d.cells[i].raw)
	case EventMap:
		v, err = decodeEvents(d.cells[i].raw)
	default:
		v, err = f.col.Form.decode(d.cells[i].raw, encoding)
	}
	if err != nil {
		return nil, fmt.Errorf("column %s: value %w", f.name, err)
	}
	return v, nil
}

func (d *decoder) null(i int) bool {
	switch d.st.fields[i].want {
	case wantBlob:
		return d.cells[i].blob == nil
	case wantRaw:
		return d.cells[i].raw == nil
	default:
		return d.scalar(i) == nil
	}
}

// scalar returns the value of a field; nil for null.
func (d *decoder) scalar(i int) any {
	c := &d.cells[i]
	switch {
	case c.number != nil:
		return *c.number
	case c.text != nil:
		return *c.text
	case c.id != nil:
		return *c.id
	case c.flag != nil:
		return *c.flag
	}
	return nil
}

// decode returns the logical value of a key column. It may be ErrNotRow.
func (k *Key) decode(v any) (any, error) {
	if v == nil {
		return nil, fmt.Errorf("column %s: key is null", k.Name)
	}
	v, err := decodeScalar(k.Name, k.Codec, v)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (c *Column) decodeScalar(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	return decodeScalar(c.Name, c.Codec, v)
}

func decodeScalar(name string, codec *Codec, v any) (any, error) {
	if codec == nil {
		return v, nil
	}
	if err := checkKind(codec.Kind, v); err != nil {
		return nil, fmt.Errorf("column %s: %w", name, err)
	}
	v, err := codec.Decode(v)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", name, err)
	}
	return v, nil
}
