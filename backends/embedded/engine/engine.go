// Package engine runs CQL on the embedded store, in one of two personalities:
// Apache Cassandra 5, or YugabyteDB's YCQL.
//
// A statement is analysed once, at PREPARE: its terms become values, markers and
// calls, its WHERE becomes keys and bounds, its assignments become effects. What is
// left for execution is to evaluate them. A plan belongs to the table definitions it
// was made for and is refused (UNPREPARED) once one of them was altered.
//
// # Consistency
//
// A write names the partitions it touches before it runs and holds their latches
// while its conditions are tested and its effects are applied, so writes to a
// partition are serial. Latches are let go before the sync of the log; an answer
// waits for the sync that covers what it tells, refusals and reads as well. Reads
// take no latch: they see a prefix of the commits.
//
// The order of commits decides which write wins, as with conditional writes on the
// real servers; client timestamps that come with a request (not in its text) are not
// used. USING TIMESTAMP is, by Cassandra's rules.
//
// # Refusals
//
// Statements that the real server would run and this engine cannot are refused with
// the server's own error code and a text that says "not supported by the embedded
// engine". Nothing is accepted and then ignored, except what the server itself
// validates and ignores on one node.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/systables"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// Options configure an engine.
type Options struct {
	// Dialect is the personality. A data directory keeps the one it was made with.
	Dialect parse.Dialect
	// Dir is the data directory, made if missing. Ephemeral keeps everything in
	// memory instead.
	Dir       string
	Ephemeral bool
	// Node is what system.local says; a zero HostID is replaced by one that is kept
	// in the data directory.
	Node systables.Node
	// Storage holds further options of the store; Dir, Ephemeral and Log in it are
	// overwritten.
	Storage storage.Options
	// Log gets what an operator should know; default slog.Default().
	Log *slog.Logger
}

// Engine implements [server.Engine]. It is safe for concurrent use.
type Engine struct {
	dialect parse.Dialect
	ycql    bool
	store   *storage.Store
	system  *systables.Tables
	now     func() time.Time
	// maxResult is the bytes of one answer to a SELECT; tests lower it.
	maxResult int

	state atomic.Pointer[state]
	// ddl is held exclusively by schema changes, shared by everything else.
	ddl sync.RWMutex
}

var _ server.Engine = (*Engine)(nil)

// state is the schema with what execution needs of each table.
type state struct {
	schema *catalog.Schema
	tables map[*catalog.Table]*table
}

// table is a table made ready for execution. It is immutable.
type table struct {
	def     *catalog.Table
	store   *storage.Table
	keys    int                        // number of key columns: where the others begin
	virtual func(e *Engine) [][][]byte // rows of a system table, else nil
}

// index returns the store's definition of an index.
func (t *table) index(ix *catalog.Index) *storage.Index {
	for i := range t.store.Indexes {
		if t.store.Indexes[i].ID == ix.Num {
			return &t.store.Indexes[i]
		}
	}
	return nil
}

const (
	catalogSchema = "schema"
	catalogHostID = "host_id"
)

// Open opens an engine on a data directory, or in memory.
func Open(o Options) (*Engine, error) {
	so := o.Storage
	so.Dir, so.Ephemeral = o.Dir, o.Ephemeral
	if o.Log != nil {
		so.Log = o.Log
	}
	store, err := storage.Open(so)
	if err != nil {
		return nil, err
	}
	e := &Engine{dialect: o.Dialect, ycql: o.Dialect == parse.YCQL, store: store, now: time.Now, maxResult: maxResult}
	if so.Now != nil {
		e.now = so.Now
	}
	if err := e.load(o.Node); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return e, nil
}

// load reads the catalog, and makes one in a new directory.
func (e *Engine) load(node systables.Node) error {
	view := e.store.Snapshot()
	entries, err := view.Catalog("")
	view.Close()
	if err != nil {
		return err
	}
	schema := catalog.New(e.dialect)
	fresh := true
	for _, entry := range entries {
		switch entry.Name {
		case catalogSchema:
			fresh = false
			if schema, err = catalog.Unmarshal(entry.Value, e.dialect); err != nil {
				return err
			}
		case catalogHostID:
			if node.HostID == (catalog.UUID{}) && len(entry.Value) == len(node.HostID) {
				copy(node.HostID[:], entry.Value)
			}
		}
	}
	if fresh {
		if node.HostID == (catalog.UUID{}) {
			node.HostID = catalog.NewUUID()
		}
		if err := e.saveCatalog(schema, map[string][]byte{catalogHostID: node.HostID[:]}); err != nil {
			return err
		}
	}
	if err := e.finishDrops(entries); err != nil {
		return err
	}
	if e.system, err = systables.New(e.dialect, node); err != nil {
		return err
	}
	st, err := e.newState(schema, nil)
	if err != nil {
		return err
	}
	e.state.Store(st)
	return nil
}

func (e *Engine) saveCatalog(schema *catalog.Schema, more map[string][]byte) error {
	doc, err := schema.Marshal()
	if err != nil {
		return err
	}
	tx, err := e.store.Begin(storage.TxnOptions{})
	if err != nil {
		return storageError(err)
	}
	tx.PutCatalog(catalogSchema, doc)
	for k, v := range more {
		tx.PutCatalog(k, v)
	}
	ticket, err := tx.Commit()
	if err != nil {
		return storageError(err)
	}
	return waited(ticket)
}

// newState makes the tables of a schema ready, taking those that did not change
// from old.
func (e *Engine) newState(schema *catalog.Schema, old *state) (*state, error) {
	st := &state{schema: schema, tables: map[*catalog.Table]*table{}}
	for _, ks := range schema.Keyspaces {
		for _, def := range ks.Tables {
			if old != nil {
				if t := old.tables[def]; t != nil {
					st.tables[def] = t
					continue
				}
			}
			t, err := e.newTable(def)
			if err != nil {
				return nil, fmt.Errorf("table %s.%s: %w", def.Keyspace, def.Name, err)
			}
			st.tables[def] = t
		}
	}
	return st, nil
}

func (e *Engine) newTable(def *catalog.Table) (*table, error) {
	t := &table{def: def, keys: len(def.PartitionKey) + len(def.ClusteringKey)}
	d := storage.Definition{ID: def.Num, Partitioner: storage.Murmur3, Grace: 10 * 24 * time.Hour}
	if e.ycql {
		d.Partitioner = storage.YBHash
	}
	for _, c := range def.PartitionKey {
		d.Partition = append(d.Partition, c.Type)
	}
	for _, c := range def.ClusteringKey {
		d.Clustering = append(d.Clustering, storage.Clustering{Type: c.Type, Desc: c.Desc})
	}
	for _, c := range def.Columns[t.keys:] {
		d.Columns = append(d.Columns, storage.Column{ID: c.ID, Type: c.Type, Static: c.Kind == catalog.Static})
	}
	for _, ix := range def.Indexes {
		s := storage.Index{ID: ix.Num}
		for _, name := range ix.Columns {
			c := def.Column(name)
			p := storage.IndexPart{Source: storage.FromColumn, Column: c.Index - t.keys}
			switch c.Kind {
			case catalog.Partition:
				p = storage.IndexPart{Source: storage.FromPartition, Column: c.Position}
			case catalog.Clustering:
				p = storage.IndexPart{Source: storage.FromClustering, Column: c.Position}
			default:
			}
			s.Parts = append(s.Parts, p)
		}
		d.Indexes = append(d.Indexes, s)
	}
	var err error
	t.store, err = storage.NewTable(d)
	return t, err
}

// Close closes the store. No call may be running.
func (e *Engine) Close() error { return e.store.Close() }

// Store gives access to the store, for checkpoints and metrics.
func (e *Engine) Store() *storage.Store { return e.store }

// Schema returns the present schema.
func (e *Engine) Schema() *catalog.Schema { return e.state.Load().schema }

// System returns the system tables.
func (e *Engine) System() *systables.Tables { return e.system }

// Prepare implements [server.Engine].
func (e *Engine) Prepare(_ context.Context, keyspace, text string) (*server.Prepared, error) {
	p, err := e.plan(keyspace, text)
	if err != nil {
		return nil, err
	}
	return &server.Prepared{
		Keyspace: keyspace, Text: text, Binds: p.binds, PKIndices: p.pk, Columns: p.columns(), NoGlobalSpec: p.block != nil,
		Plan: p, Size: 1024 + 4*len(text) + 128*len(p.binds),
	}, nil
}

// Execute implements [server.Engine].
func (e *Engine) Execute(ctx context.Context, prepared *server.Prepared, params *server.Params) (*server.Result, error) {
	p, ok := prepared.Plan.(*plan)
	if !ok {
		return nil, cqlerr.Unprepared("Unprepared query")
	}
	return e.run(ctx, p, params, true)
}

// Query implements [server.Engine].
func (e *Engine) Query(ctx context.Context, keyspace, text string, params *server.Params) (*server.Result, error) {
	for {
		p, err := e.plan(keyspace, text)
		if err != nil {
			return nil, err
		}
		res, err := e.run(ctx, p, params, false)
		var w *wire.Error
		if errors.As(err, &w) && w.Code == wire.CodeUnprepared {
			continue // altered between planning and running
		}
		return res, err
	}
}

// run executes a plan.
func (e *Engine) run(ctx context.Context, p *plan, params *server.Params, prepared bool) (*server.Result, error) {
	if p.ddl != nil {
		return e.runDDL(p)
	}
	e.ddl.RLock()
	defer e.ddl.RUnlock()
	if !e.fits(p) {
		return nil, cqlerr.Unprepared("Unprepared query: the schema has changed")
	}
	values, err := e.values(p, params, prepared)
	if err != nil {
		return nil, err
	}
	v := e.env(values)
	switch {
	case p.sel != nil:
		return e.runSelect(ctx, p, v, params)
	case p.write != nil:
		return e.runWrite(p, v)
	case p.batch != nil:
		return e.runBatchText(p, v)
	case p.block != nil:
		return e.runBlock(p.block, v)
	case p.describe:
		return e.runDescribe(p)
	case p.use != "":
		return &server.Result{Kind: server.SetKeyspace, Keyspace: p.use}, nil
	}
	return &server.Result{}, nil
}

func (e *Engine) env(values []wire.Value) env {
	return env{e: e, ycql: e.ycql, values: values, micros: e.now().UnixMicro()}
}

// fits tells whether the tables of a plan are still what they were.
func (e *Engine) fits(p *plan) bool {
	st := e.state.Load()
	if p.state == st {
		return true
	}
	for _, t := range p.tables {
		if t.virtual == nil && st.schema.Table(t.def.Keyspace, t.def.Name) != t.def {
			return false
		}
	}
	return true
}

// values checks the number of bound values and puts named ones in order.
func (e *Engine) values(p *plan, params *server.Params, prepared bool) ([]wire.Value, error) {
	if params.Names != nil {
		return e.namedValues(p, params)
	}
	if len(params.Values) == len(p.binds) {
		return params.Values, nil
	}
	switch {
	case e.ycql && len(params.Values) < len(p.binds):
		return nil, cqlerr.QLPlain(cqlerr.InvalidArguments, fmt.Sprintf("Bind variable at position %d not found", len(params.Values)))
	case e.ycql:
		return params.Values[:len(p.binds)], nil
	case prepared:
		return nil, cqlerr.Invalid("there were %d markers(?) in CQL but %d bound variables", len(p.binds), len(params.Values))
	}
	return nil, cqlerr.Invalid("Invalid amount of bind variables")
}

func (e *Engine) namedValues(p *plan, params *server.Params) ([]wire.Value, error) {
	out := make([]wire.Value, len(p.binds))
	for i, b := range p.binds {
		found := false
		for j, n := range params.Names {
			if n == b.Name && j < len(params.Values) {
				out[i], found = params.Values[j], true
			}
		}
		if found {
			continue
		}
		if e.ycql {
			return nil, cqlerr.QLPlain(cqlerr.InvalidArguments, "Bind variable "+b.Name+" not found")
		}
		return nil, cqlerr.Invalid("Invalid amount of bind variables")
	}
	return out, nil
}

// pinned is a state of the store for [server.Params.Pinned].
type pinned struct{ v *storage.View }

func (p *pinned) view() *storage.View { return p.v.Share() }
