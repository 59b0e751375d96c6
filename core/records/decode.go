package records

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

var errShort = errors.New("is cut short")

// Decode reads one record from the start of b and returns what follows it. The
// record shares the memory of b.
func Decode(b []byte) (r *Record, rest []byte, err error) {
	d := decoder{rest: b}
	r, err = d.record()
	if err != nil {
		return nil, nil, fmt.Errorf("encoded record: %w", err)
	}
	return r, d.rest, nil
}

// decoder walks through an encoding. After the first fault it yields zeros.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err, d.rest = err, nil
	}
}

func (d *decoder) take(n int) []byte {
	if d.err == nil && (n < 0 || n > len(d.rest)) {
		d.fail(errShort)
	}
	if d.err != nil {
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); d.err == nil {
		return b[0]
	}
	return 0
}

func (d *decoder) int64() int64 {
	if b := d.take(8); d.err == nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) length() int {
	if b := d.take(4); d.err == nil {
		return int(binary.BigEndian.Uint32(b))
	}
	return 0
}

// count reads a number of elements of at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.length()
	if n > len(d.rest)/size {
		d.fail(errShort)
		return 0
	}
	return n
}

func (d *decoder) text() string { return string(d.take(d.length())) }

func (d *decoder) blob() plan.Blob {
	encoding := d.text()
	return plan.Blob{Encoding: encoding, Data: d.take(d.length())}
}

func (d *decoder) record() (*Record, error) {
	if v := d.byte(); d.err == nil && v != EncodingVersion {
		return nil, fmt.Errorf("has version %d, this program reads %d", v, EncodingVersion)
	}
	r := &Record{Kind: Kind(d.byte())}
	t := r.Kind.Table()
	if d.err == nil && t == nil {
		return nil, fmt.Errorf("is of the unknown kind %d", r.Kind)
	}
	r.Unit = Unit(d.text())
	r.Expires = d.int64()
	if n := int(d.byte()); d.err == nil && n != len(t.Key) {
		return nil, fmt.Errorf("%s has a key of %d values, want %d", r.Kind, n, len(t.Key))
	}
	if d.err != nil {
		return nil, d.err
	}
	r.Key = make([]any, len(t.Key))
	for i, c := range t.Key {
		r.Key[i] = d.value(c)
	}
	r.Values = make([]any, len(t.Columns))
	next := 0
	for range int(d.byte()) {
		name := d.text()
		at := slices.IndexFunc(t.Columns, func(c *plan.Column) bool { return c.Name == name })
		if d.err == nil && at < next {
			return nil, fmt.Errorf("%s has a field %q, unknown or out of order", r.Kind, name)
		}
		if d.err != nil {
			return nil, d.err
		}
		next = at + 1
		r.Values[at] = d.value(t.Columns[at])
	}
	return r, d.err
}

func (d *decoder) value(c *plan.Column) any {
	if k := plan.Kind(d.byte()); d.err == nil && k != c.Kind {
		d.fail(fmt.Errorf("column %s is of kind %d, want %d", c, k, c.Kind))
	}
	if d.err != nil {
		return nil
	}
	switch c.Kind {
	case plan.Int, plan.Time:
		return d.int64()
	case plan.Bool:
		return d.byte() != 0
	case plan.UUID:
		var u [16]byte
		copy(u[:], d.take(16))
		return u
	case plan.Text, plan.Inet:
		return d.text()
	case plan.Data:
		return d.blob()
	case plan.DataList:
		return list(d, 8, d.blob)
	case plan.IntData:
		return list(d, 16, func() plan.IntEntry { return plan.IntEntry{Key: d.int64(), Value: d.blob()} })
	case plan.TextData:
		return list(d, 12, func() plan.TextEntry { return plan.TextEntry{Key: d.text(), Value: d.blob()} })
	case plan.Nodes:
		return list(d, 13, d.node)
	case plan.TextSet:
		return list(d, 4, d.text)
	case plan.TextInt:
		return list(d, 12, func() plan.TextIntEntry { return plan.TextIntEntry{Key: d.text(), Value: d.int64()} })
	}
	d.fail(fmt.Errorf("column %s is of the unknown kind %d", c, c.Kind))
	return nil
}

func (d *decoder) node() plan.NodeEntry {
	e := plan.NodeEntry{Key: d.text()}
	switch d.byte() {
	case 0:
		e.Value.Whole = d.blob()
	case 1:
		e.Value.Metadata = d.blob()
		e.Value.Body = d.blob()
	default:
		d.fail(errors.New("a node is neither one blob nor two"))
	}
	return e
}

func list[E any](d *decoder, size int, element func() E) []E {
	all := make([]E, 0, d.count(size))
	for range cap(all) {
		if d.err != nil {
			return nil
		}
		all = append(all, element())
	}
	return all
}
