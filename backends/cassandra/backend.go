// Package cassandra is the backend for Apache Cassandra: a session over gocql,
// its options, and the check of what server answered.
//
// Cassandra 4.1 and 5.0 are supported. ScyllaDB is recognised and used with a
// warning that nobody verified it; other servers that speak CQL are refused.
package cassandra

import (
	"context"
	"errors"
	"strings"

	"github.com/gocql/gocql"
	"go.uber.org/fx"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	variant "github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
)

// Name is what configurations ask for.
const Name = "cassandra"

// product is what messages call the database.
const product = "Cassandra"

// Module offers the Cassandra backend to the server.
var Module = fx.Module(Name, backend.Offer(New))

// Backend implements backend.Backend.
type Backend struct{ dial client.Dial }

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

// Opener implements backend.Opener.
type Opener struct {
	options Options
	dial    client.Dial
}

var _ backend.Remote = (*Opener)(nil)

// Keyspace implements backend.Opener.
func (o *Opener) Keyspace() string { return o.options.Keyspace }

// Options implements backend.Opener.
func (o *Opener) Options() any { return o.options }

// Dialect implements backend.Opener.
func (o *Opener) Dialect() dialect.Dialect { return variant.New() }

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
	h, remake, err := o.prepare(env, o.options.Keyspace)
	if err != nil {
		return nil, o.options.Explain(product, err)
	}
	g, err := remake(ctx)
	if err != nil {
		if errors.Is(err, gocql.ErrNoConnectionsStarted) {
			err = o.missingKeyspace(ctx, env, err)
		}
		h.Close()
		return nil, o.options.Explain(product, err)
	}
	server, warning, err := o.identify(ctx, g)
	if err != nil {
		g.Close()
		h.Close()
		return nil, o.options.Explain(product, err)
	}
	if warning != "" {
		client.Logger(env).Warn(warning, "server", server.String())
	}
	s := newSession(&o.options, client.NewLink(product, o.options.Hosts, g, remake, h.Close, env))
	return &backend.Connection{Session: s, Dialect: variant.New(), Server: server.String()}, nil
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
	// A schema change is answered when all hosts have it.
	admins.options.Timeout = max(o.options.Timeout, client.AdminTimeout)
	h, remake, err := admins.prepare(env, "")
	if err != nil {
		return nil, err
	}
	g, err := remake(ctx)
	if err != nil {
		h.Close()
		return nil, err
	}
	if _, _, err := o.identify(ctx, g); err != nil {
		g.Close()
		h.Close()
		return nil, err
	}
	return &admin{g: g, release: h.Close}, nil
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

// prepare reads what the options point to and returns the way to make sessions.
func (o *Opener) prepare(env backend.Env, keyspace string) (*client.Dialer, func(context.Context) (*gocql.Session, error), error) {
	h, err := client.NewDialer(&o.options.Options, o.dial, client.CertificateRefresh)
	if err != nil {
		return nil, nil, err
	}
	remake := func(ctx context.Context) (*gocql.Session, error) {
		c, err := clusterConfig(&o.options, h, env.Resolve, client.Logger(env))
		if err != nil {
			return nil, err
		}
		c.Keyspace = keyspace
		return createSession(ctx, c)
	}
	return h, remake, nil
}

// identify asks the server what it is. It refuses what cannot be used, and warns
// of what nobody verified.
func (o *Opener) identify(ctx context.Context, g *gocql.Session) (s client.Server, warning string, err error) {
	ask := &admin{g: g}
	s, err = client.Identify(ctx, o.options.Hosts, func(ctx context.Context, text string) ([]cql.Row, error) { return ask.Query(ctx, text) })
	switch {
	case err != nil:
	case s.Product == client.ScyllaDB:
		warning = "ScyllaDB is not verified with this program: run its tests against your cluster first"
	case s.Product != client.Cassandra:
		err = s.Refuse("yugabyte")
	case !strings.HasPrefix(s.Release, "4.1.") && !strings.HasPrefix(s.Release, "5.0."):
		warning = "this version of Cassandra is not verified with this program: 4.1 and 5.0 are"
	}
	return s, warning, err
}
