package server

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// request is one frame from its arrival to its answer. Requests are used again,
// with the memory that they hold.
type request struct {
	conn    *conn
	h       wire.Header
	frame   []byte // the body as it came
	plain   []byte // the body decompressed, if it was compressed
	body    []byte // the one of the two that counts, without custom payload
	charged int64

	opts    wire.Options
	batch   wire.Batch
	params  Params
	members []BatchMember
	run     Batch
}

var requests = sync.Pool{New: func() any { return new(request) }}

// getRequest is called with the connection's permission to run (output.acquire),
// which free gives back.
func getRequest(c *conn) *request {
	r := requests.Get().(*request)
	r.conn = c
	return r
}

// free gives everything back. Nothing of r may be used afterwards.
func (r *request) free() {
	c := r.conn
	if r.charged > 0 {
		c.server.requestBytes.Add(-r.charged)
	}
	c.out.release()
	r.opts.Reset()
	r.batch.Reset()
	clear(r.members)
	*r = request{
		frame: keep(r.frame), plain: keep(r.plain),
		opts: r.opts, batch: r.batch, members: r.members[:0],
	}
	requests.Put(r)
}

func keep(b []byte) []byte {
	if cap(b) > keepBuffer {
		return nil
	}
	return b[:0]
}

// charge takes the request's bytes from the server's budget, if it has them.
func (r *request) charge() bool {
	s := r.conn.server
	n := int64(len(r.frame) + len(r.plain))
	if s.requestBytes.Add(n) > int64(s.opts.MaxRequestSum) {
		s.requestBytes.Add(-n)
		return false
	}
	r.charged = n
	return true
}

func (r *request) overloaded() {
	r.conn.server.stats.overloaded.Add(1)
	r.fail(wire.Errorf(wire.CodeOverloaded,
		"Server is in overloaded state. Cannot accept more requests at this point: %d bytes of requests are being worked on",
		r.conn.server.requestBytes.Load()))
}

// open finds the body: decompressed, and without a custom payload.
func (r *request) open() error {
	r.body = r.frame
	if r.h.Flags&wire.FlagCompressed != 0 {
		if r.conn.compressor == nil {
			return wire.Errorf(wire.CodeProtocolError, "Unexpected compressed frame: no compression was agreed on in STARTUP")
		}
		plain, err := r.conn.compressor.Decompress(r.plain[:0], r.frame, r.conn.server.opts.MaxFrame)
		if err != nil {
			return err
		}
		r.plain, r.body = plain, plain
	}
	var err error
	r.body, err = wire.Body(r.h, r.body)
	return err
}

// respond answers r.
func (r *request) respond(op wire.Opcode, warnings []string, fill func(b []byte) []byte) {
	r.conn.respond(r.h.Version, r.h.Stream, op, warnings, fill)
}

// fail answers r with err.
func (r *request) fail(err error) {
	s := r.conn.server
	var e *wire.Error
	if !errors.As(err, &e) {
		e = &wire.Error{Code: wire.CodeServerError, Message: err.Error()}
	}
	s.stats.countError(e.Code)
	if e.Code == wire.CodeProtocolError {
		s.stats.protocolErrors.Add(1)
	}
	r.respond(wire.OpError, nil, func(b []byte) []byte { return wire.AppendError(b, r.h.Version, e) })
}

// refuse answers r with err and returns the error that ends the connection.
func (r *request) refuse(err error) error {
	r.fail(err)
	return fmt.Errorf("%w: %w", errRefused, err)
}

// handle runs a statement on a worker.
func (c *conn) handle(r *request) {
	defer func() {
		if p := recover(); p != nil {
			c.server.stats.panics.Add(1)
			c.server.opts.Logger.Error("statement panicked", "panic", p, "op", r.h.Op.String(), "stack", string(debug.Stack()))
			r.fail(fmt.Errorf("internal error of the embedded engine: %v", p))
		}
		c.server.stats.inFlight.Add(-1)
		r.free()
	}()
	var err error
	switch r.h.Op {
	case wire.OpPrepare:
		c.counters.addPrepare()
		err = r.prepare()
	case wire.OpQuery:
		c.counters.addRequest()
		err = r.query()
	case wire.OpExecute:
		c.counters.addRequest()
		err = r.execute()
	case wire.OpBatch:
		c.counters.addRequest()
		err = r.runBatch()
	default:
		err = fmt.Errorf("a %s is not a statement", r.h.Op) // read sends only those above
	}
	switch {
	case err == nil, errors.Is(err, ErrNoAnswer):
	case errors.Is(err, ErrCut):
		c.fail(ErrCut)
	default:
		r.fail(err)
	}
}

func (r *request) prepare() error {
	text, err := wire.DecodePrepare(r.body)
	if err != nil {
		return err
	}
	c := r.conn
	keyspace := *c.keyspace.Load()
	id := StatementID(keyspace, text)
	st := c.server.cache.get(id[:])
	if st == nil {
		p, err := c.server.engine.Prepare(c.ctx, keyspace, text)
		if err != nil {
			return err
		}
		p.Keyspace, p.Text, p.ID = keyspace, text, id
		st = &statement{
			Prepared: p,
			binds:    wire.EncodeSpecs(wire.V4, p.Binds, p.NoGlobalSpec),
			result:   wire.EncodeSpecs(wire.V4, p.Columns, false),
		}
		c.server.cache.put(st)
	}
	binds, result := st.specs(r.h.Version)
	r.respond(wire.OpResult, nil, func(b []byte) []byte {
		return wire.AppendPrepared(b, r.h.Version, st.ID[:], binds, st.PKIndices, result)
	})
	return nil
}

func (r *request) query() error {
	text, err := wire.DecodeQuery(r.h.Version, r.body, &r.opts)
	if err != nil {
		return err
	}
	r.setParams()
	res, err := r.conn.server.engine.Query(r.conn.ctx, *r.conn.keyspace.Load(), text, &r.params)
	if err != nil {
		r.conn.counters.addFailed(res)
		return err
	}
	r.answer(res, nil)
	return nil
}

func (r *request) setParams() {
	o := &r.opts
	r.params = Params{
		Values: o.Values, Names: o.Names,
		Consistency: o.Consistency, SerialConsistency: o.SerialConsistency,
		PageSize: o.PageSize, PagingState: o.PagingState,
		Timestamp: o.Timestamp, HasTimestamp: o.HasTimestamp,
	}
}

func (r *request) execute() error {
	id, err := wire.DecodeExecute(r.h.Version, r.body, &r.opts)
	if err != nil {
		return err
	}
	st := r.conn.server.cache.get(id)
	if st == nil {
		return r.unprepared(id)
	}
	r.setParams()
	res, err := r.conn.server.engine.Execute(r.conn.ctx, st.Prepared, &r.params)
	if err != nil {
		r.conn.counters.addFailed(res)
		return r.stale(st, err)
	}
	r.answer(res, st)
	return nil
}

// unprepared is the error that makes a driver prepare its statement again.
func (r *request) unprepared(id []byte) error {
	e := &wire.Error{Code: wire.CodeUnprepared, ID: id, Message: "Unprepared query"}
	if r.conn.server.opts.Personality == Cassandra {
		e.Message = fmt.Sprintf("Prepared query with ID %x not found (either the query was not prepared on this host "+
			"(maybe the host has been restarted?) or you have prepared too many queries and it has been evicted from the internal cache)", id)
	}
	return e
}

// stale forgets a statement that the engine found out of date.
func (r *request) stale(st *statement, err error) error {
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != wire.CodeUnprepared {
		return err
	}
	r.conn.server.cache.drop(st)
	told := *e
	told.ID = st.ID[:]
	return &told
}

func (r *request) runBatch() error {
	c := r.conn
	if err := r.batch.Decode(r.h.Version, r.body); err != nil {
		return err
	}
	for i := range r.batch.Members {
		m := &r.batch.Members[i]
		member := BatchMember{Text: m.Text, Values: m.Values}
		if m.ID != nil {
			st := c.server.cache.get(m.ID)
			if st == nil {
				return r.unprepared(m.ID)
			}
			member.Prepared = st.Prepared
		}
		r.members = append(r.members, member)
	}
	b := &r.batch
	r.run = Batch{
		Keyspace: *c.keyspace.Load(), Type: b.Type, Members: r.members,
		Params: Params{
			Consistency: b.Consistency, SerialConsistency: b.SerialConsistency,
			Timestamp: b.Timestamp, HasTimestamp: b.HasTimestamp,
		},
	}
	res, err := c.server.engine.Batch(c.ctx, &r.run)
	if err != nil {
		c.counters.addFailed(res)
		return r.staleMember(err)
	}
	r.answer(res, nil)
	return nil
}

// staleMember forgets the members of a batch of which the engine found one out of
// date. It names that one by its id; if it does not, all are forgotten, and the
// driver is told of the first: it prepares one after the other.
func (r *request) staleMember(err error) error {
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != wire.CodeUnprepared {
		return err
	}
	told := *e
	for _, m := range r.members {
		if m.Prepared == nil || len(e.ID) > 0 && string(e.ID) != string(m.Prepared.ID[:]) {
			continue
		}
		if st := r.conn.server.cache.get(m.Prepared.ID[:]); st != nil && st.Prepared == m.Prepared {
			r.conn.server.cache.drop(st)
		}
		if len(told.ID) == 0 {
			told.ID = m.Prepared.ID[:]
		}
	}
	return &told
}

const tracingWarning = "tracing is not supported by the embedded engine"

// answer sends res; st is the prepared statement that it came from, if any.
func (r *request) answer(res *Result, st *statement) {
	c := r.conn
	c.counters.addResult(res)
	warnings := res.Warnings
	if r.h.Flags&wire.FlagTracing != 0 {
		warnings = append(warnings[:len(warnings):len(warnings)], tracingWarning)
	}
	switch res.Kind {
	case Rows:
		meta := wire.RowsMeta{PagingState: res.PagingState}
		if st != nil && sameColumns(res.Columns, st.Columns) {
			_, meta.Specs = st.specs(r.h.Version)
			meta.Skip = r.opts.SkipMetadata
		} else {
			meta.Specs = wire.EncodeSpecs(r.h.Version, res.Columns, false)
		}
		r.respond(wire.OpResult, warnings, func(b []byte) []byte { return wire.AppendRows(b, meta, res.Cells) })
	case SetKeyspace:
		keyspace := res.Keyspace
		c.keyspace.Store(&keyspace)
		r.respond(wire.OpResult, warnings, func(b []byte) []byte { return wire.AppendSetKeyspace(b, keyspace) })
	case SchemaChanged:
		r.respond(wire.OpResult, warnings, func(b []byte) []byte { return wire.AppendSchemaChange(b, res.Change) })
		c.server.announce(res.Change, c)
	default:
		r.respond(wire.OpResult, warnings, wire.AppendVoid)
	}
}

func sameColumns(a, b []wire.Column) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}
