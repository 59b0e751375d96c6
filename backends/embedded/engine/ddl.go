package engine

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
)

// runDDL runs a schema statement. Everything else waits.
//
// The catalog is written before data is dropped, with a note of what is to be
// dropped: after a crash in between, that is done at the next start. An index is
// built before the catalog knows it: a crash leaves entries that nobody sees, and
// that are removed before another index gets the number.
func (e *Engine) runDDL(p *plan) (*server.Result, error) {
	e.ddl.Lock()
	defer e.ddl.Unlock()
	old := e.state.Load()
	c, err := old.schema.Apply(p.src, p.keyspace, p.ddl, e.system.IsSystem)
	if err != nil {
		return nil, err
	}
	res := &server.Result{}
	if c.Event != nil {
		res.Kind, res.Change = server.SchemaChanged, c.Event
	}
	if c.Schema == nil {
		return res, nil
	}
	st, err := e.newState(c.Schema, old)
	if err != nil {
		return nil, err
	}
	if c.Build != nil {
		if err := e.store.DropIndex(c.Build.Num); err != nil {
			return nil, storageError(err)
		}
		if err := e.store.BuildIndex(st.tables[c.BuildTable].store, c.Build.Num); err != nil {
			return nil, storageError(err)
		}
	}
	notes := map[string][]byte{}
	for _, num := range c.Drop {
		notes[dropNote(num)] = []byte{}
	}
	if err := e.saveCatalog(c.Schema, notes); err != nil {
		return nil, err
	}
	e.state.Store(st)
	return res, e.dropData(c.Drop)
}

const catalogDrop = "drop/"

func dropNote(num uint32) string { return catalogDrop + strconv.FormatUint(uint64(num), 10) }

// dropData removes the data of dropped tables and indexes, whose numbers are never
// used again, and then the notes about them.
func (e *Engine) dropData(nums []uint32) error {
	if len(nums) == 0 {
		return nil
	}
	for _, num := range nums {
		if err := e.store.DropData(num, num); err != nil {
			return storageError(err)
		}
	}
	tx, err := e.store.Begin(storage.TxnOptions{})
	if err != nil {
		return storageError(err)
	}
	for _, num := range nums {
		tx.DeleteCatalog(dropNote(num))
	}
	// Nobody needs to wait for this: what is dropped twice is dropped.
	_, err = tx.Commit()
	return storageError(err)
}

// finishDrops does what a crash kept runDDL from doing.
func (e *Engine) finishDrops(entries []storage.CatalogEntry) error {
	var nums []uint32
	for _, entry := range entries {
		if text, ok := strings.CutPrefix(entry.Name, catalogDrop); ok {
			num, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return fmt.Errorf("read the catalog: entry %q: %w", entry.Name, err)
			}
			nums = append(nums, uint32(num))
		}
	}
	return e.dropData(nums)
}
