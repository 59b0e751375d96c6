package storage

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// The columns of mapTable.
const (
	strayValue = iota
	strayMap
)

// mapTable: p int, c int, v blob, m map<int, blob>.
func mapTable(t testing.TB) *Table {
	t.Helper()
	tab, err := NewTable(Definition{
		ID: 1, Partition: []*cqltype.Type{native(cqltype.Int)}, Clustering: []Clustering{{Type: native(cqltype.Int)}},
		Columns: []Column{
			{ID: 1, Type: native(cqltype.Blob)},
			{ID: 2, Type: &cqltype.Type{Kind: cqltype.Map, Elems: []*cqltype.Type{native(cqltype.Int), native(cqltype.Blob)}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// strayer writes one row of a mapTable.
type strayer struct {
	t   *testing.T
	s   *Store
	tab *Table
	p   Partition
}

func newStrayer(t *testing.T, o Options) *strayer {
	tab := mapTable(t)
	return &strayer{t, open(t, o), tab, partitionOf(t, tab, 1)}
}

// txn commits what f writes.
func (x *strayer) txn(o TxnOptions, f func(*Txn) error) {
	x.t.Helper()
	tx, err := x.s.Begin(o, x.p.Latch())
	if err != nil {
		x.t.Fatal(err)
	}
	defer tx.Abort()
	if err := f(tx); err != nil {
		x.t.Fatal(err)
	}
	if _, err := tx.Commit(); err != nil {
		x.t.Fatal(err)
	}
}

func (x *strayer) apply(tx *Txn, insert bool, ttl int32, ops ...Op) error {
	return tx.Apply(&Write{Table: x.tab, Partition: x.p, Clustering: [][]byte{i32(1)}, Insert: insert, TTL: ttl, Ops: ops})
}

func (x *strayer) update(ttl int32, ops ...Op) {
	x.t.Helper()
	x.txn(TxnOptions{Sequential: true}, func(tx *Txn) error { return x.apply(tx, false, ttl, ops...) })
}

func value(v []byte) Op { return Op{Kind: Set, Column: strayValue, Value: v} }

func element(key int) Op {
	return Op{Kind: SetElement, Column: strayMap, Key: i32(key), Value: []byte("old")}
}

func whole(key int) Op {
	return Op{Kind: Replace, Column: strayMap, Elems: [][]byte{i32(key), []byte("new")}}
}

// replaced inserts the row with a map of one element, and fails the test unless
// that is all that the map has then.
func (x *strayer) replaced() {
	x.t.Helper()
	x.txn(TxnOptions{Sequential: true}, func(tx *Txn) error { return x.apply(tx, true, 0, value([]byte("v")), whole(7)) })
	x.only(7)
}

// only fails the test unless key is the only one of the map.
func (x *strayer) only(key int) {
	x.t.Helper()
	var row Row
	if ok, err := x.s.Peek().Get(x.tab, x.p, [][]byte{i32(1)}, nil, &row); err != nil || !ok {
		x.t.Fatalf("Get() = %t, %v", ok, err)
	}
	if m := row.Elements[strayMap]; len(m) != 1 || toInt(m[0].Key) != key {
		x.t.Fatalf("the map has %d elements after all of it was replaced: %v", len(m), m)
	}
}

// TestElementsWithoutAPlainKeyAreReplaced makes elements whose row has no plain key,
// in each way there is, each in a store where nobody did so before. An INSERT of the
// whole map must find them, before and after the store was opened again.
func TestElementsWithoutAPlainKeyAreReplaced(t *testing.T) {
	clock := newTestClock()
	tests := map[string]func(x *strayer){
		"nothing but an element was written": func(x *strayer) { x.update(0, element(1)) },
		"the plain cells were deleted": func(x *strayer) {
			x.update(0, value([]byte("v")), element(1))
			x.update(0, value(nil))
		},
		"the plain cells have expired": func(x *strayer) {
			x.update(1, value([]byte("v")))
			x.update(0, element(1))
			clock.advance(2e9)
			if _, err := x.s.Sweep(); err != nil {
				x.t.Fatal(err)
			}
		},
		"a deletion spared the element": func(x *strayer) {
			x.update(0, value([]byte("v")))
			x.txn(TxnOptions{Conditional: true}, func(tx *Txn) error {
				if err := x.apply(tx, false, 0, element(1)); err != nil {
					return err
				}
				return tx.DeletePartition(x.tab, x.p, nil)
			})
		},
	}
	for name, stray := range tests {
		t.Run(name, func(t *testing.T) {
			x := newStrayer(t, Options{Dir: t.TempDir(), Now: clock.now, Sweep: -1})
			stray(x)
			x.replaced()
		})
		t.Run(name+", opened again", func(t *testing.T) {
			dir := t.TempDir()
			x := newStrayer(t, Options{Dir: dir, Now: clock.now, Sweep: -1})
			stray(x)
			if err := x.s.Close(); err != nil {
				t.Fatal(err)
			}
			newStrayer(t, Options{Dir: dir, Now: clock.now, Sweep: -1}).replaced()
		})
	}
	t.Run("by the same transaction", func(t *testing.T) {
		x := newStrayer(t, Options{Ephemeral: true})
		x.txn(TxnOptions{Sequential: true}, func(tx *Txn) error {
			if err := x.apply(tx, false, 0, element(1)); err != nil {
				return err
			}
			return x.apply(tx, true, 0, value([]byte("v")), whole(2))
		})
		x.only(2)
	})
	t.Run("by the same write", func(t *testing.T) {
		x := newStrayer(t, Options{Ephemeral: true})
		x.update(0, element(1), whole(7))
		x.only(7)
	})
	t.Run("by a program that did not note it", func(t *testing.T) {
		dir := t.TempDir()
		x := newStrayer(t, Options{Dir: dir})
		x.update(0, element(1))
		if err := x.s.write(func(b *pebble.Batch) error {
			return errors.Join(b.Delete(straysKey(x.tab.ID), nil),
				b.Set(metaKey(metaFormat), binary.BigEndian.AppendUint32(nil, oldestFormat), nil))
		}); err != nil {
			t.Fatal(err)
		}
		if err := x.s.Close(); err != nil {
			t.Fatal(err)
		}
		newStrayer(t, Options{Dir: dir}).replaced()
	})
}

// TestRowsThatAreInsertedAreNoStrays: a table whose rows are inserted, changed,
// and deleted as a whole has none, or no INSERT would be spared its search.
func TestRowsThatAreInsertedAreNoStrays(t *testing.T) {
	x := newStrayer(t, Options{Ephemeral: true, Sweep: -1})
	x.replaced()
	x.update(0, element(1), value(nil))
	x.update(0, Op{Kind: DropElement, Column: strayMap, Key: i32(1)})
	x.txn(TxnOptions{}, func(tx *Txn) error { return tx.DeleteRow(x.tab, x.p, [][]byte{i32(1)}, nil) })
	x.update(0, Op{Kind: DropElement, Column: strayMap, Key: i32(1)}, Op{Kind: Clear, Column: strayMap})
	x.replaced()
	x.txn(TxnOptions{}, func(tx *Txn) error { return tx.DeletePartition(x.tab, x.p, nil) })
	if x.s.state(x.tab.ID).strays.Load() {
		t.Fatal("the table is said to have elements of rows without a plain key")
	}
}
