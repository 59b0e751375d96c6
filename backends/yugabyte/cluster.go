package yugabyte

import (
	"context"
	"log/slog"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// preparedStatements is how many prepared statements a session keeps, over all
// of its hosts. A dialect has some 200 texts, each prepared on each host.
const preparedStatements = 1 << 16

// connection is a gocql session and the policy that says where its statements go.
type connection struct {
	*gocql.Session
	policy *policy
}

// connect makes a gocql session. changed is called when its hosts change.
func connect(ctx context.Context, o *Options, d *client.Dialer, env backend.Env, keyspace string, changed func()) (*connection, error) {
	c, err := clusterConfig(o, d, env.Resolve, client.Logger(env))
	if err != nil {
		return nil, err
	}
	c.Keyspace = keyspace
	p := newPolicy(c.PoolConfig.HostSelectionPolicy, o.MaxInFlight, changed)
	c.PoolConfig.HostSelectionPolicy = p
	g, err := client.Create(ctx, c.CreateSession)
	if err != nil {
		return nil, err
	}
	return &connection{g, p}, nil
}

// clusterConfig turns options into gocql's.
func clusterConfig(o *Options, d *client.Dialer, resolve func(string) []string, log *slog.Logger) (*gocql.ClusterConfig, error) {
	hosts, err := o.Contacts(resolve)
	if err != nil {
		return nil, err
	}
	c := gocql.NewCluster(hosts...)
	c.ProtoVersion = 4 // the last that YugabyteDB speaks, and the first that names partition keys
	c.Port = o.Port
	c.NumConns = o.MaxConns
	c.ConnectTimeout = o.ConnectTimeout
	c.Timeout = o.Timeout
	c.WriteTimeout = o.WriteTimeout
	if c.WriteTimeout == 0 {
		c.WriteTimeout = o.Timeout
	}
	c.PageSize = o.PageSize
	c.WriteCoalesceWaitTime = o.WriteCoalesceWaitTime
	c.DisableInitialHostLookup = o.DisableInitialHostLookup
	c.ReconnectInterval = client.ReconnectEvery
	// One try: gocql waits inside of CreateSession for more of them, and hosts
	// that are down are tried again every ReconnectInterval anyway.
	c.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 1}
	c.MaxPreparedStmts = preparedStatements
	c.DefaultTimestamp = false // the server ignores it
	c.HostDialer = hostDialer{d}
	c.Logger = client.DriverLog{Log: log}
	if c.Consistency, err = o.consistency(); err != nil {
		return nil, err
	}
	if c.SerialConsistency, err = o.serialConsistency(); err != nil {
		return nil, err
	}
	if o.User != "" {
		if _, err := o.currentPassword(); err != nil {
			return nil, err
		}
		c.Authenticator = authenticator{o}
	}
	c.PoolConfig.HostSelectionPolicy = gocql.RoundRobinHostPolicy()
	if o.HostSelection == dcAware {
		c.PoolConfig.HostSelectionPolicy = gocql.DCAwareRoundRobinPolicy(o.Datacenter)
	}
	if o.Datacenter != "" && o.HostSelection != dcAware {
		c.HostFilter = gocql.DataCentreHostFilter(o.Datacenter)
	}
	if translate := o.Translate(log); translate != nil {
		c.AddressTranslator = gocql.AddressTranslatorFunc(translate)
	}
	return c, nil
}

// hostDialer implements gocql.HostDialer.
type hostDialer struct{ *client.Dialer }

// DialHost implements gocql.HostDialer.
func (d hostDialer) DialHost(ctx context.Context, host *gocql.HostInfo) (*gocql.DialedHost, error) {
	conn, err := d.Dial(ctx, host.HostnameAndPort())
	if err != nil {
		return nil, err
	}
	// writev does not work through TLS, so gathering requests gains nothing.
	return &gocql.DialedHost{Conn: conn, DisableCoalesce: d.Secure()}, nil
}

// authenticator answers the server's challenge with the password as it is now.
type authenticator struct{ options *Options }

// Challenge implements gocql.Authenticator.
func (a authenticator) Challenge(req []byte) ([]byte, gocql.Authenticator, error) {
	password, err := a.options.currentPassword()
	if err != nil {
		return nil, nil, err
	}
	return gocql.PasswordAuthenticator{
		Username: a.options.User, Password: password, AllowedAuthenticators: a.options.AllowedAuthenticators,
	}.Challenge(req)
}

// Success implements gocql.Authenticator.
func (a authenticator) Success([]byte) error { return nil }
