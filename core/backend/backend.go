// Package backend lets databases be offered to the server and one of them be
// chosen by configuration.
//
// A [Backend] is known by its name and turns raw options into an [Opener]
// without any I/O; an Opener holds valid options and connects. Backends reach
// the server as the fx value group [Group]; the [Registry] collects them, and
// only the one that the configuration names is ever opened.
//
// The package also holds what all backends share: strict decoding of options
// ([Decode]), text that never shows itself ([Secret]), and the description of
// options from which docs/options.md is generated ([DescribeOptions]).
//
// Nothing here knows Temporal.
package backend

import (
	"context"
	"log/slog"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// Backend is a dialect, a driver and their options, not yet configured. It
// holds no state and is safe for concurrent use.
type Backend interface {
	// Name is what a configuration asks for, e.g. "cassandra". It is a lower
	// case word and never changes: configuration files hold it.
	Name() string

	// NewOptions returns a pointer to a fresh options struct that holds the
	// defaults. It is the source of docs/options.md and of what ParseOptions
	// decodes over.
	NewOptions() any

	// ParseOptions decodes and checks raw, the "options" of a data store. It
	// does no I/O: a certificate file is read by Open. All faults come back at
	// once, as [*OptionsError] where they concern keys and types; unknown keys
	// are faults. raw is not kept and not changed.
	ParseOptions(raw map[string]any) (Opener, error)
}

// Opener holds valid options. It is immutable, safe for concurrent use, and
// may be opened any number of times: a server process opens a data store six
// times (twice at boot, once per role).
type Opener interface {
	// Keyspace is the keyspace that the stores live in.
	Keyspace() string

	// Options is the decoded options struct, for printing. It is not to be
	// changed; secrets in it are of type [Secret] and mask themselves.
	Options() any

	// Dialect is the dialect as far as options alone tell: good for printing
	// CQL (schema explain), not for running it. See [Connection.Dialect].
	Dialect() dialect.Dialect

	// Open connects for the stores: the session is bound to the keyspace, which
	// must exist. It returns when the session can be used, or ctx is done, or
	// with an error of one line that says what was tried, what is wrong and
	// what to do, and never shows a secret. An error leaves nothing open.
	Open(ctx context.Context, env Env) (*Connection, error)

	// OpenAdmin connects for the schema tool and the doctor: the session is
	// bound to no keyspace, which need not exist; its statements name theirs.
	// It needs few connections, and its requests may take as long as their
	// context allows, for changing a schema takes seconds. Errors are as those
	// of Open.
	OpenAdmin(ctx context.Context, env Env) (cql.Admin, error)
}

// InProcess is an [Opener] whose database is part of the process that opens it.
// Nobody can reach it before a server runs, and nobody else while one does: so
// the server makes and updates its keyspace by itself.
type InProcess interface {
	Opener

	// Hold opens the database and keeps it open until release is called, which
	// may be called again and waits for nothing that is still open. A server
	// holds it from before its first connection until after its last one: it
	// closes all of them several times while it starts, and data in memory lives
	// no longer than its database is open. If it stops working for good meanwhile,
	// env.Broken hears of it. Errors are as those of Open.
	Hold(env Env) (release func() error, err error)
}

// Env is what the process gives to a session.
type Env struct {
	// Logger must not be nil.
	Logger *slog.Logger
	// Metrics may be nil: nothing is measured then.
	Metrics Metrics
	// Application names this client to the database where its protocol can
	// carry that, e.g. "temporal-server/history".
	Application string
	// Broken is called once, from any goroutine, when a database of this process has
	// stopped working for good (its disk, for one): whoever holds it should end.
	// May be nil.
	Broken func(error)
	// Existing: a database of this process that does not exist is an error, and is
	// not made.
	Existing bool
	// Resolve turns a configured host name into addresses, as Temporal's
	// ServiceResolver does; nil leaves names to the driver.
	Resolve func(host string) []string
}

// Connection is an open session and the dialect that its server speaks.
type Connection struct {
	// Session is closed by whoever called Open.
	Session cql.Session
	// Dialect carries the traits that the server was found to have, which may
	// be fewer than Opener.Dialect promises.
	Dialect dialect.Dialect
	// Server names the server's product and version for logs, "Apache
	// Cassandra 5.0.6"; empty when it is unknown.
	Server string
}

// Metrics receives measurements. Names are lower case words joined by
// underscores; labels alternate key and value. Implementations are safe for
// concurrent use and do not block.
type Metrics interface {
	// Count adds n to a counter.
	Count(name string, n int64, labels ...string)
	// Time records a duration.
	Time(name string, d time.Duration, labels ...string)
	// Gauge sets a value.
	Gauge(name string, v float64, labels ...string)
}
