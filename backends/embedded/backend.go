// Package embedded is the backend whose database is an engine inside of the
// process: for one machine, development, tests and demos.
//
// The engine is reached as a real server is, by the driver and through the backend
// of the database whose dialect it speaks, over a pipe in place of a network. There is one engine for each
// data directory, however many connections are open; it is closed with the last
// of them. A server opens and closes connections while it starts (Temporal opens
// a data store six times), so it holds the engine for as long as it runs
// ([Opener.Hold]), and in memory that is what the data lives by.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"

	"go.uber.org/fx"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// Name is what configurations ask for.
const Name = "embedded"

// Module offers the embedded backend to the server.
var Module = fx.Module(Name, backend.Offer(New))

// Backend implements backend.Backend. It owns the engines of its openers: those
// that name the same data share one.
type Backend struct{ engines *engines }

// New returns the backend. A process makes one: two of them cannot share a data
// directory.
func New() *Backend { return &Backend{&engines{open: map[string]*shared{}}} }

// Name implements backend.Backend.
func (b *Backend) Name() string { return Name }

// NewOptions implements backend.Backend.
func (b *Backend) NewOptions() any {
	o := DefaultOptions()
	return &o
}

// ParseOptions implements backend.Backend.
func (b *Backend) ParseOptions(raw map[string]any) (backend.Opener, error) {
	o, err := ParseOptions(raw)
	if err != nil {
		return nil, err
	}
	return &Opener{options: o, engines: b.engines}, nil
}

// Opener implements backend.Opener, backend.InProcess and backend.Preparer.
type Opener struct {
	options Options
	engines *engines
}

var (
	_ backend.InProcess = (*Opener)(nil)
	_ backend.Preparer  = (*Opener)(nil)
)

// Keyspace implements backend.Opener.
func (o *Opener) Keyspace() string { return o.options.Keyspace }

// Options implements backend.Opener.
func (o *Opener) Options() any { return o.options }

// Dialect implements backend.Opener.
func (o *Opener) Dialect() dialect.Dialect { return variants[o.options.Dialect].dialect() }

// Directory is the data directory; empty for data in memory.
func (o *Opener) Directory() string { return o.options.DataDir }

// Hold implements backend.InProcess.
func (o *Opener) Hold(env backend.Env) (release func() error, err error) {
	l, err := o.engines.acquire(o.options, env, true)
	if err != nil {
		return nil, o.explain(err)
	}
	return l.release, nil
}

// Open implements backend.Opener.
func (o *Opener) Open(ctx context.Context, env backend.Env) (*backend.Connection, error) {
	driver, l, err := o.reach(env)
	if err != nil {
		return nil, o.explain(err)
	}
	conn, err := driver.Open(ctx, env)
	if err != nil {
		return nil, o.explain(errors.Join(err, l.release()))
	}
	s := &session{Session: conn.Session, lease: l}
	if env.Metrics != nil {
		s.meter = newMeter(l.of.node.Engine().Store().Metrics, env.Metrics)
	}
	conn.Session = s
	conn.Server = "embedded CQL engine, dialect " + o.options.Dialect
	return conn, nil
}

// OpenAdmin implements backend.Opener.
func (o *Opener) OpenAdmin(ctx context.Context, env backend.Env) (cql.Admin, error) {
	driver, l, err := o.reach(env)
	if err != nil {
		return nil, o.explain(err)
	}
	a, err := driver.OpenAdmin(ctx, env)
	if err != nil {
		return nil, o.explain(errors.Join(err, l.release()))
	}
	return &admin{a, l}, nil
}

// Counts tells how many serial rounds and commits a cluster would have needed for
// everything that the engine was asked since it was opened; false while it is not
// open in this process.
func (o *Opener) Counts() (rounds, commits int64, open bool) { return o.engines.counts(o.options) }

// Compactions tells how many compactions of its storage the engine has ended since it
// was opened; false while it is not open in this process.
func (o *Opener) Compactions() (n int64, open bool) { return o.engines.compactions(o.options) }

// Prepare implements backend.Preparer.
func (o *Opener) Prepare(ctx context.Context, env backend.Env) ([]backend.Finding, error) {
	return o.ask(env, func(p backend.Preparer) ([]backend.Finding, error) { return p.Prepare(ctx, env) })
}

// Probe implements backend.Preparer.
func (o *Opener) Probe(ctx context.Context, env backend.Env) ([]backend.Finding, error) {
	return o.ask(env, func(p backend.Preparer) ([]backend.Finding, error) { return p.Probe(ctx, env) })
}

// ask asks through the backend of the dialect, if servers of that can differ.
func (o *Opener) ask(env backend.Env, do func(backend.Preparer) ([]backend.Finding, error)) (found []backend.Finding, err error) {
	driver, l, err := o.reach(env)
	if err != nil {
		return nil, o.explain(err)
	}
	if p, ok := driver.(backend.Preparer); ok {
		found, err = do(p)
	}
	if err = errors.Join(err, l.release()); err != nil {
		err = o.explain(err)
	}
	return found, err
}

// reach returns the engine and the way to it.
func (o *Opener) reach(env backend.Env) (backend.Opener, *lease, error) {
	l, err := o.engines.acquire(o.options, env, false)
	if err != nil {
		return nil, nil, err
	}
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return l.of.pipe.Dial(ctx) }
	addr := l.of.node.Addr()
	v := variants[o.options.Dialect]
	raw := map[string]any{
		"hosts": addr.IP.String(), "port": addr.Port, "keyspace": o.options.Keyspace,
		// There is one host, whose address is not one to look others up from.
		"disableInitialHostLookup": true,
	}
	maps.Copy(raw, v.options)
	driver, err := v.backend(dial).ParseOptions(raw)
	if err != nil {
		return nil, nil, errors.Join(err, l.release())
	}
	return driver, l, nil
}

// openError keeps its cause for errors.As without repeating it.
type openError struct {
	text  string
	cause error
}

func (e *openError) Error() string { return e.text }
func (e *openError) Unwrap() error { return e.cause }

// explain makes one line of an error of Open.
func (o *Opener) explain(err error) error {
	where := "in memory"
	if !o.options.Ephemeral {
		where = "in " + o.options.DataDir
	}
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	return &openError{fmt.Sprintf("open the embedded database %s: %s", where, text), err}
}

// session and admin give the engine back when they are closed.
type session struct {
	cql.Session
	lease *lease
	meter *meter // nil: nobody wants to know
}

// Close implements cql.Session.
func (s *session) Close() error {
	s.meter.stop()
	return errors.Join(s.Session.Close(), s.lease.release())
}

type admin struct {
	cql.Admin
	lease *lease
}

// Close implements cql.Admin.
func (a *admin) Close() error { return errors.Join(a.Admin.Close(), a.lease.release()) }

// lease is one use of a shared engine.
type lease struct {
	of   *shared
	once sync.Once
	err  error
}

// release gives the engine back; the last one closes it. Doing it again gives
// the same answer.
func (l *lease) release() error {
	l.once.Do(func() { l.err = l.of.owner.release(l.of) })
	return l.err
}
