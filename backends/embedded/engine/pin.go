package engine

import (
	"sync"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
)

var _ server.Pinner = (*Engine)(nil)

// Pin implements [server.Pinner]: it keeps the rows as they are now. The schema is
// the present one when the state is read: a table made later is empty in it.
func (e *Engine) Pin() (state any, release func()) {
	v := e.store.Snapshot()
	return &pinned{v}, sync.OnceFunc(v.Close)
}
