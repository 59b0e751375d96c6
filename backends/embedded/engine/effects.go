package engine

import (
	"encoding/binary"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// ops turns an effect into operations of the store.
func (a *assign) ops(dst []storage.Op, w *pending) ([]storage.Op, error) {
	v := &w.v
	at := a.col.Index - w.p.tab.keys
	if a.eff == effClear {
		return append(dst, storage.Op{Kind: storage.Clear, Column: at}), nil
	}
	var x wire.Value
	var err error
	if a.eff != effDrop {
		if x, err = a.val.eval(v); err != nil {
			return dst, err
		}
		if x.Unset {
			return a.unset(dst, v)
		}
	}
	switch a.eff {
	case effSet:
		if x.Data == nil {
			return append(dst, storage.Op{Kind: storage.Set, Column: at}), nil
		}
		return append(dst, storage.Op{Kind: storage.Set, Column: at, Value: x.Data}), nil
	case effField:
		op := storage.Op{Kind: storage.SetElement, Column: at, Key: storage.FieldKey(a.field), Value: x.Data}
		return append(dst, op), nil
	case effElement:
		return a.element(dst, w, x.Data)
	case effDrop:
		return a.drop(dst, w)
	default:
	}
	if x.Data == nil {
		if a.eff == effReplace {
			// Not Clear: what the same batch adds to the column stays, as with
			// any assignment of a whole collection.
			return append(dst, storage.Op{Kind: storage.Replace, Column: at}), nil
		}
		return dst, nil // adding or taking away nothing
	}
	var elems [][]byte
	if a.col.Type.Kind == cqltype.UDT {
		elems, err = cqltype.DecodeTuple(a.col.Type, x.Data)
	} else {
		elems, err = cqltype.DecodeCollection(a.val.typ, x.Data)
	}
	if err != nil {
		return dst, cqlerr.Invalid("%s", err)
	}
	switch a.eff {
	case effReplace:
		return append(dst, storage.Op{Kind: storage.Replace, Column: at, Elems: elems}), nil
	case effAppend:
		return append(dst, storage.Op{Kind: storage.Append, Column: at, Elems: elems}), nil
	case effPrepend:
		// l = [1, 2] + l: Cassandra puts them in front one after the other, from
		// the last, so that their order stays.
		return append(dst, storage.Op{Kind: storage.Prepend, Column: at, Elems: elems}), nil
	case effAdd:
		if a.col.Type.Kind == cqltype.Map {
			for i := 0; i+1 < len(elems); i += 2 {
				dst = append(dst, storage.Op{Kind: storage.SetElement, Column: at, Key: elems[i], Value: elems[i+1]})
			}
			return dst, nil
		}
		for _, e := range elems {
			dst = append(dst, storage.Op{Kind: storage.SetElement, Column: at, Key: e, Value: []byte{}})
		}
		return dst, nil
	case effRemove:
		for _, e := range elems {
			dst = append(dst, storage.Op{Kind: storage.DropElement, Column: at, Key: e})
		}
		return dst, nil
	default:
	}
	// effWithout: all equal elements of the list as it is.
	for _, stored := range w.elements(a.col) {
		if slices.ContainsFunc(elems, func(e []byte) bool { return a.col.Type.Elems[0].Compare(e, stored.Value) == 0 }) {
			dst = append(dst, storage.Op{Kind: storage.DropElement, Column: at, Key: slices.Clone(stored.Key)})
		}
	}
	return dst, nil
}

// unset leaves the column as it is, where that is allowed.
func (a *assign) unset(dst []storage.Op, v *env) ([]storage.Op, error) {
	switch {
	case a.eff == effAppend && !v.ycql:
		// What Cassandra 5.0 does: a ClassCastException.
		return dst, cqlerr.Server("java.lang.ClassCastException: class org.apache.cassandra.cql3.Constants$Value cannot be cast to class org.apache.cassandra.cql3.Lists$Value (org.apache.cassandra.cql3.Constants$Value and org.apache.cassandra.cql3.Lists$Value are in unnamed module of loader 'app')")
	case a.eff == effElement && v.ycql:
		return dst, v.unset(a.val.name)
	}
	return dst, nil
}

func (w *pending) elements(c *catalog.Column) []storage.Element {
	row := w.view.reg
	if c.Kind == catalog.Static {
		row = w.view.st
	}
	if row == nil {
		return nil
	}
	return row.Elements[c.Index-w.p.tab.keys]
}

// elementKey evaluates what stands in the brackets.
func (a *assign) elementKey(w *pending) ([]byte, error) {
	x, err := a.key.eval(&w.v)
	if err != nil {
		return nil, err
	}
	what := map[cqltype.Kind]string{cqltype.Map: "map key", cqltype.List: "list index", cqltype.Set: "set element"}[a.col.Type.Kind]
	switch {
	case x.Unset && w.v.ycql:
		return nil, w.v.unset(a.key.name)
	case x.Unset:
		return nil, cqlerr.Invalid("Invalid unset %s", what)
	case x.Data == nil && w.v.ycql:
		return nil, cqlerr.QLPlain(cqlerr.NullInCollection, what)
	case x.Data == nil && a.col.Type.Kind == cqltype.List:
		return nil, cqlerr.Invalid("Invalid null value for list index")
	case x.Data == nil:
		return nil, cqlerr.Invalid("Invalid null %s", what)
	}
	return x.Data, nil
}

// listKey finds the store's key of a list's element.
func (a *assign) listKey(w *pending, index []byte) ([]byte, error) {
	i, elems := int(int32(binary.BigEndian.Uint32(index))), w.elements(a.col)
	if i >= 0 && i < len(elems) {
		return slices.Clone(elems[i].Key), nil
	}
	switch {
	case w.v.ycql && len(elems) == 0:
		return nil, &effectError{"Unable to replace items in empty list."}
	case w.v.ycql:
		return nil, &effectError{"Unable to replace items into list, expecting index " + itoa(i) + ", reached end of list with size " + itoa(len(elems))}
	case len(elems) == 0 && a.eff == effDrop:
		return nil, cqlerr.Invalid("Attempted to delete an element from a list which is null")
	case len(elems) == 0:
		return nil, cqlerr.Invalid("Attempted to set an element on a list which is null")
	}
	return nil, cqlerr.Invalid("List index %d out of bound, list has size %d", i, len(elems))
}

func (a *assign) element(dst []storage.Op, w *pending, value []byte) ([]storage.Op, error) {
	key, err := a.elementKey(w)
	if err != nil {
		return dst, err
	}
	if a.col.Type.Kind == cqltype.List {
		if key, err = a.listKey(w, key); err != nil {
			return dst, err
		}
	}
	return append(dst, storage.Op{Kind: storage.SetElement, Column: a.col.Index - w.p.tab.keys, Key: key, Value: value}), nil
}

func (a *assign) drop(dst []storage.Op, w *pending) ([]storage.Op, error) {
	key, err := a.elementKey(w)
	if err != nil {
		return dst, err
	}
	if a.col.Type.Kind == cqltype.List {
		if key, err = a.listKey(w, key); err != nil {
			return dst, err
		}
	}
	return append(dst, storage.Op{Kind: storage.DropElement, Column: a.col.Index - w.p.tab.keys, Key: key}), nil
}
