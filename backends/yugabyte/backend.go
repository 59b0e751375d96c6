// Package yugabyte is the backend for YugabyteDB's YCQL: a session over
// YugabyteDB's fork of gocql, its options, and the check of what server answered.
package yugabyte

import (
	"context"
	"errors"
	"log/slog"

	"github.com/yugabyte/gocql"
	"go.uber.org/fx"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	variant "github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// Name is what configurations ask for.
const Name = "yugabyte"

// product is what messages call the database.
const product = "YugabyteDB"

// Module offers the YugabyteDB backend to the server.
var Module = fx.Module(Name, backend.Offer(New))

// Backend implements backend.Backend.
type Backend struct{ dial Dial }

// Dial opens a connection to address, host:port. TLS is put on top of it.
type Dial = client.Dial

// New returns the backend. It connects over TCP.
func New() *Backend { return &Backend{} }

// NewWithDial returns a backend whose connections dial opens: an in-process
// server offers itself so.
func NewWithDial(dial Dial) *Backend { return &Backend{dial: dial} }

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
	return &Opener{options: o, dial: b.dial}, nil
}

// Opener implements backend.Opener and backend.Preparer.
type Opener struct {
	options Options
	dial    Dial
}

var (
	_ backend.Preparer = (*Opener)(nil)
	_ backend.Remote   = (*Opener)(nil)
)

// Keyspace implements backend.Opener.
func (o *Opener) Keyspace() string { return o.options.Keyspace }

// Options implements backend.Opener.
func (o *Opener) Options() any { return o.options }

// Dialect implements backend.Opener.
func (o *Opener) Dialect() dialect.Dialect { return variant.New(variant.All) }

// Security implements backend.Remote.
func (o *Opener) Security() backend.Security { return o.options.Security() }

// At implements backend.Remote.
func (o *Opener) At(address string) backend.Opener {
	one := *o
	one.options.Options = o.options.At(address)
	return &one
}

// Open implements backend.Opener.
func (o *Opener) Open(ctx context.Context, env backend.Env) (*backend.Connection, error) {
	s, err := o.open(ctx, env)
	if err != nil {
		return nil, err
	}
	use, err := o.abilities(ctx, s, client.Logger(env))
	if err != nil {
		_ = s.Close()
		return nil, o.options.Explain(product, err)
	}
	return &backend.Connection{Session: s, Dialect: variant.New(use), Server: product}, nil
}

// open connects for the stores, whatever the server can do.
func (o *Opener) open(ctx context.Context, env backend.Env) (*session, error) {
	d, err := client.NewDialer(&o.options.Options, o.dial, client.CertificateRefresh)
	if err != nil {
		return nil, o.options.Explain(product, err)
	}
	r := newRouter(o.options.Keyspace)
	remake := func(ctx context.Context) (*connection, error) {
		return connect(ctx, &o.options, d, env, o.options.Keyspace, r.stale)
	}
	c, err := remake(ctx)
	if err != nil {
		if errors.Is(err, gocql.ErrNoConnectionsStarted) {
			err = o.missingKeyspace(ctx, env, err)
		}
		d.Close()
		return nil, o.options.Explain(product, err)
	}
	if err := o.identify(ctx, c.Session); err != nil {
		c.Close()
		d.Close()
		return nil, o.options.Explain(product, err)
	}
	s := newSession(&o.options, client.NewLink(product, o.options.Hosts, c, remake, d.Close, env), r)
	s.find(ctx, client.Logger(env))
	return s, nil
}

// abilities finds out what may be used of what the server can do.
func (o *Opener) abilities(ctx context.Context, s *session, log *slog.Logger) (variant.Abilities, error) {
	recorded, err := record(ctx, s)
	if errors.Is(err, errNoTraits) || err == nil && len(recorded) == 0 {
		// Whoever checks the schema's version says it better. Until then nothing is
		// used that some host could not do.
		log.Warn(errNoTraits.Error(), "keyspace", o.options.Keyspace)
		return variant.Abilities{}, nil
	}
	if err != nil {
		return variant.Abilities{}, err
	}
	found, err := probe(ctx, s, probed)
	if err != nil {
		return variant.Abilities{}, err
	}
	use, err := agree(probed, found, recorded, log)
	if err == nil {
		log.Info("what the server can do", "nullElements", use.NullElements, "guardLast", use.GuardLast)
	}
	return use, err
}

// Probe implements backend.Preparer.
func (o *Opener) Probe(ctx context.Context, env backend.Env) ([]backend.Finding, error) {
	found, err := o.prepare(ctx, env, func(_ cql.Session, found []backend.Finding, _ map[string]trait) error {
		return lacking(probed, found)
	})
	return found, err
}

// Prepare implements backend.Preparer.
func (o *Opener) Prepare(ctx context.Context, env backend.Env) ([]backend.Finding, error) {
	return o.prepare(ctx, env, func(s cql.Session, found []backend.Finding, recorded map[string]trait) error {
		return keep(ctx, s, probed, found, recorded)
	})
}

func (o *Opener) prepare(ctx context.Context, env backend.Env, do func(cql.Session, []backend.Finding, map[string]trait) error) ([]backend.Finding, error) {
	s, err := o.open(ctx, env)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	recorded, err := record(ctx, s)
	if err != nil {
		return nil, o.options.Explain(product, err)
	}
	found, err := probe(ctx, s, probed)
	annotate(found, recorded)
	if err == nil {
		err = do(s, found, recorded)
	}
	if err != nil {
		err = o.options.Explain(product, err)
	}
	return found, err
}

// OpenAdmin implements backend.Opener.
func (o *Opener) OpenAdmin(ctx context.Context, env backend.Env) (cql.Admin, error) {
	a, err := o.openAdmin(ctx, env)
	if err != nil {
		return nil, o.options.Explain(product, err)
	}
	return a, nil
}

func (o *Opener) openAdmin(ctx context.Context, env backend.Env) (*admin, error) {
	admins := *o
	admins.options.MaxConns = 1
	// A table is made on all of its tablets' servers before the answer.
	admins.options.Timeout = max(o.options.Timeout, client.AdminTimeout)
	d, err := client.NewDialer(&admins.options.Options, o.dial, client.CertificateRefresh)
	if err != nil {
		return nil, err
	}
	c, err := connect(ctx, &admins.options, d, env, "", func() {})
	if err != nil {
		d.Close()
		return nil, err
	}
	if err := o.identify(ctx, c.Session); err != nil {
		c.Close()
		d.Close()
		return nil, err
	}
	return &admin{g: c.Session, release: d.Close}, nil
}

// missingKeyspace finds out whether err came up because the keyspace does not
// exist, perhaps because the server is another: gocql's pool swallows the
// server's answer to USE.
func (o *Opener) missingKeyspace(ctx context.Context, env backend.Env, err error) error {
	a, adminErr := o.openAdmin(ctx, env)
	if errors.Is(adminErr, client.ErrOtherServer) {
		return adminErr
	}
	if adminErr != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	found, adminErr := a.Query(ctx, `SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?`, o.options.Keyspace)
	if adminErr != nil || len(found) > 0 {
		return err
	}
	return client.ErrNoKeyspace
}

// identify asks the server what it is, and refuses what is no YugabyteDB.
func (o *Opener) identify(ctx context.Context, g *gocql.Session) error {
	ask := &admin{g: g}
	s, err := client.Identify(ctx, o.options.Hosts, func(ctx context.Context, text string) ([]cql.Row, error) { return ask.Query(ctx, text) })
	if err == nil && s.Product != client.YugabyteDB {
		err = s.Refuse("cassandra")
	}
	return err
}
