package engine

import (
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
)

// runDDL runs a schema statement. Everything else waits.
//
// The catalog is written before data is dropped or an index is built: after a crash
// in between, what is left over cannot be reached, for table and index numbers are
// never used again. An index that was being built is finished before the statement
// answers; a crash leaves it unfinished and unseen, as its catalog is written last.
func (e *Engine) runDDL(p *plan) (*server.Result, error) {
	e.ddl.Lock()
	defer e.ddl.Unlock()
	old := e.state.Load()
	c, err := old.schema.Apply(p.src, p.keyspace, p.ddl, e.system.IsSystem)
	if err != nil {
		return nil, err
	}
	res := &server.Result{Warnings: c.Warnings}
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
		if err := e.store.BuildIndex(st.tables[c.BuildTable].store, c.Build.Num); err != nil {
			return nil, storageError(err)
		}
	}
	if err := e.saveCatalog(c.Schema, nil); err != nil {
		return nil, err
	}
	e.state.Store(st)
	for _, num := range c.Drop {
		if err := e.store.DropData(num, num); err != nil {
			return nil, storageError(err)
		}
	}
	return res, nil
}
