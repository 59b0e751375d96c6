package storage

// Element is one element of a list, set, map or unfrozen UDT. Key is a map's
// key or a set's element in binary form (a set's Value is empty, not nil), a
// list's position, or a UDT's field number (see [FieldKey]). Elements come in
// order of their keys.
type Element struct {
	Key []byte
	Cell
}

// Columns chooses columns by their position in a table's Columns; nil is all.
type Columns []bool

func (c Columns) has(i int) bool { return c == nil || c[i] }

// Row is a row as a reader sees it, at the second of its view. It is filled by
// a View or RowIter and holds memory of theirs: it is valid until the next call
// on the RowIter, or until it is used for the next Get.
type Row struct {
	// Static says that this is the partition's static row; it has no
	// clustering key.
	Static bool
	// Clustering is the key, one value per clustering column. Get leaves it as
	// it was.
	Clustering [][]byte
	// Inserted says that the row has its liveness mark.
	Inserted bool
	// Cells has one cell per column of the table. Columns that were not asked
	// for, have elements or are of the other kind (static or not) are null.
	Cells []Cell
	// Elements has one list per column of the table.
	Elements [][]Element

	exists bool
	buf    []byte // holds values and keys
	pk     packed
}

// Exists reports whether the row is there: its mark or any of its cells lives,
// whether asked for or not.
func (r *Row) Exists() bool { return r.exists }

func (r *Row) reset(t *Table) {
	n := len(t.Columns)
	if cap(r.Cells) < n || cap(r.Elements) < n {
		r.Cells, r.Elements = make([]Cell, n), make([][]Element, n)
	}
	r.Cells, r.Elements = r.Cells[:n], r.Elements[:n]
	clear(r.Cells)
	for i := range r.Elements {
		r.Elements[i] = r.Elements[i][:0]
	}
	r.Static, r.Inserted, r.exists = false, false, false
	r.buf = r.buf[:0]
}

// fill decodes the packed cells. value must stay as it is while the row is in
// use.
func (r *Row) fill(t *Table, value []byte, want Columns, now int64) error {
	if err := r.pk.decode(value); err != nil {
		return err
	}
	if r.pk.live.live(now) {
		r.Inserted, r.exists = true, true
	}
	from := 0
	for i := range r.pk.entries {
		e := &r.pk.entries[i]
		if !e.live(now) {
			continue
		}
		at := t.ordinal(e.id, &from)
		if at < 0 || t.Columns[at].Static != r.Static {
			continue // dropped
		}
		r.exists = true
		if want.has(at) {
			r.Cells[at] = e.Cell
		}
	}
	return nil
}

// addElement takes in one element; rest is its key behind the column ID. Both
// are copied.
func (r *Row) addElement(t *Table, at int, rest, value []byte, want Columns, now int64) error {
	var e entry
	if err := e.decodeElement(value); err != nil {
		return err
	}
	if !e.live(now) {
		return nil
	}
	r.exists = true
	if !want.has(at) {
		return nil
	}
	key, tail, err := decodeElementKey(nil, t.Columns[at].Type, rest)
	if err != nil {
		return err
	}
	if len(tail) > 0 {
		return errRowForm
	}
	e.Value = clone(e.Value)
	r.Elements[at] = append(r.Elements[at], Element{Key: key, Cell: e.Cell})
	return nil
}

// FieldKey is the element key of field number i of an unfrozen UDT.
func FieldKey(i int) []byte { return []byte{byte(i >> 8), byte(i)} }

// FieldNumber is the inverse of FieldKey; -1 if key is not one.
func FieldNumber(key []byte) int {
	if len(key) != 2 {
		return -1
	}
	return int(key[0])<<8 | int(key[1])
}
