package server

import (
	"container/list"
	"crypto/md5" //nolint:gosec // not for security: both servers and their drivers expect MD5 ids
	"sync"
	"sync/atomic"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// StatementID is the id of a prepared statement: MD5(keyspace + text), as
// Cassandra (QueryProcessor.computeId) and YugabyteDB (CQLStatement::GetQueryId)
// compute it.
func StatementID(keyspace, text string) [16]byte {
	return md5.Sum([]byte(keyspace + text)) //nolint:gosec // see the import
}

// statement is a prepared statement with what is sent about it.
type statement struct {
	*Prepared
	binds, result wire.Specs // for version 4
}

// specs returns the encoded columns for version v; version 3 is rare and is
// encoded each time.
func (st *statement) specs(v wire.Version) (binds, result wire.Specs) {
	if v == wire.V4 {
		return st.binds, st.result
	}
	return wire.EncodeSpecs(v, st.Binds, st.NoGlobalSpec), wire.EncodeSpecs(v, st.Columns, false)
}

// overhead is what a cached statement weighs beside its texts and plan.
const overhead = 512

func (st *statement) size() int {
	return overhead + len(st.Keyspace) + len(st.Text) + st.Size + st.binds.Size() + st.result.Size()
}

// cache holds the prepared statements of all connections, least recently used
// ones thrown out first when they weigh more than limit bytes together. A
// statement above the limit is not kept at all: its next EXECUTE hears UNPREPARED.
type cache struct {
	limit int

	mu    sync.Mutex
	byID  map[[16]byte]*list.Element // of *statement
	order *list.List                 // most recently used first
	bytes int

	hits, misses, evictions atomic.Int64
}

func newCache(limit int) *cache {
	return &cache{limit: limit, byID: map[[16]byte]*list.Element{}, order: list.New()}
}

func (c *cache) get(id []byte) *statement {
	if len(id) != 16 {
		c.misses.Add(1)
		return nil
	}
	c.mu.Lock()
	e, ok := c.byID[[16]byte(id)]
	if ok {
		c.order.MoveToFront(e)
	}
	c.mu.Unlock()
	if !ok {
		c.misses.Add(1)
		return nil
	}
	c.hits.Add(1)
	return e.Value.(*statement)
}

func (c *cache) put(st *statement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byID[st.ID]; ok {
		c.remove(e)
	}
	c.byID[st.ID] = c.order.PushFront(st)
	c.bytes += st.size()
	for c.bytes > c.limit && c.order.Len() > 0 {
		c.remove(c.order.Back())
		c.evictions.Add(1)
	}
}

// drop forgets st, unless it was replaced since.
func (c *cache) drop(st *statement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byID[st.ID]; ok && e.Value.(*statement) == st {
		c.remove(e)
	}
}

func (c *cache) remove(e *list.Element) {
	st := c.order.Remove(e).(*statement)
	delete(c.byID, st.ID)
	c.bytes -= st.size()
}

func (c *cache) len() (entries, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len(), c.bytes
}
