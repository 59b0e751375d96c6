package storage

// The catalog area holds whatever the engine wants to remember by name: its
// keyspaces, tables and counters. It is written in transactions like rows are.

func catalogKey(name string) []byte { return append([]byte{spaceCatalog}, name...) }

// PutCatalog stores a catalog entry.
func (tx *Txn) PutCatalog(name string, value []byte) {
	tx.writes++
	tx.batch.set(catalogKey(name), value)
}

// DeleteCatalog deletes a catalog entry.
func (tx *Txn) DeleteCatalog(name string) {
	tx.writes++
	tx.batch.del(catalogKey(name))
}

// CatalogEntry is one entry of the catalog area.
type CatalogEntry struct {
	Name  string
	Value []byte
}

// Catalog returns the catalog entries whose names begin with prefix, in order.
func (v *View) Catalog(prefix string) ([]CatalogEntry, error) {
	lo := catalogKey(prefix)
	it, err := v.r.iter(lo, successor(clone(lo)))
	if err != nil {
		return nil, v.s.readError(err)
	}
	defer it.Close()
	var all []CatalogEntry
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, v.s.readError(err)
		}
		all = append(all, CatalogEntry{Name: string(it.Key()[1:]), Value: clone(value)})
	}
	return all, v.s.readError(it.Error())
}
