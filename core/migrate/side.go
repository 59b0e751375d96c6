package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// Deployment is what a configuration says of one side.
type Deployment struct {
	// File is the configuration's path, for messages.
	File    string
	Backend string // its name in the configuration
	Opener  backend.Opener
	Shards  int32 // persistence.numHistoryShards
	// Ephemeral allows data in memory, which somebody else in this process holds.
	Ephemeral bool
	Cluster   string
}

// connectTimeout bounds each connection.
const connectTimeout = 12 * time.Second

// Side is an open keyspace, read as its server would be shown it and written as
// it stands. It is safe for concurrent use.
type Side struct {
	Deployment
	// Name is "source" or "target".
	Name   string
	Server string

	// patience is how long work may fail in ways that pass before it is given up.
	patience time.Duration

	env     backend.Env
	admin   cql.Admin
	conn    *backend.Connection // nil until the keyspace exists
	dialect dialect.Dialect
	raw     exec.Executor // plans as they stand
	read    exec.Executor // rows of writes that did not take effect hidden
	flow    *flow
	closers []func() error
}

// openSide connects to a deployment. Its keyspace need not exist: stores are
// opened by [Side.connect].
func openSide(ctx context.Context, name string, d Deployment, o *Options, l Limits) (*Side, error) {
	s := &Side{Deployment: d, Name: name, dialect: d.Opener.Dialect(), flow: newFlow(l), patience: o.Patience}
	s.env = backend.Env{Logger: o.Logger, Application: "temporal-server/migrate"}
	if o, ok := d.Opener.(backend.InProcess); ok {
		release, err := o.Hold(s.env)
		if err != nil {
			return nil, fmt.Errorf("open the %s (%s): %w", name, d.File, err)
		}
		s.closers = append(s.closers, release)
	}
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	admin, err := d.Opener.OpenAdmin(connecting, s.env)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the %s (%s): %w", name, d.File, err), s.Close())
	}
	s.admin = admin
	s.closers = append(s.closers, admin.Close)
	return s, nil
}

// connect opens the keyspace, which must have the schema that this binary needs.
// Doing it again does nothing.
func (s *Side) connect(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	set, err := s.schema()
	if err == nil {
		err = schema.Check(ctx, s.admin, set, s.Opener.Keyspace())
	}
	if err != nil {
		return fmt.Errorf("open the %s (%s): %w", s.Name, s.File, err)
	}
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := s.Opener.Open(connecting, s.env)
	if err != nil {
		return fmt.Errorf("open the %s (%s): %w", s.Name, s.File, err)
	}
	s.closers = append(s.closers, conn.Session.Close)
	s.conn, s.dialect, s.Server = conn, conn.Dialect, conn.Server
	s.raw = exec.New(conn.Session, conn.Dialect, s.flow)
	if s.read, err = sequence.NewReader(s.raw); err != nil {
		return fmt.Errorf("open the %s (%s): %w", s.Name, s.File, err)
	}
	return nil
}

func (s *Side) schema() (schema.Set, error) { return schema.For(s.dialect.Name()) }

// Close ends all that the side holds, last opened first.
func (s *Side) Close() error {
	var all []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		all = append(all, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(all...)
}

// source reads the records of the side. Its reads are repeated while they fail in
// ways that pass.
func (s *Side) source(o records.Options) (*records.Source, error) {
	return s.sourceOver(steady{s.read, s.patience}, o)
}

func (s *Side) sourceOver(ex exec.Executor, o records.Options) (*records.Source, error) {
	o.Shards = s.Shards
	src, err := records.NewSource(ex, o)
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", s.Name, err)
	}
	return src, nil
}

// writer writes records to the side, whose shards are held under fence. Its queues
// are written as held, too, but for those that expire.
func (s *Side) writer(fence int64) (*records.Writer, error) {
	w, err := records.NewWriter(s.raw, records.WriterOptions{Fence: fence, Concurrency: 64, HoldQueues: true})
	if err != nil {
		return nil, fmt.Errorf("write the %s: %w", s.Name, err)
	}
	return w, nil
}

// stores opens Temporal's own stores on the side. Closing the factory closes no
// session.
func (s *Side) stores() (*store.DataStoreFactory, error) {
	name := "migrate-" + s.dialect.Name()
	if s.raw.Traits().WholeNodes {
		name = "migrate-cassandra" // by which the server writes nodes as one blob
	}
	f, err := store.NewDataStoreFactory(steady{s.raw, s.patience}, store.FactoryOptions{
		Name: name, Cluster: s.Cluster, Serializer: serialization.NewSerializer(),
	})
	if err != nil {
		return nil, fmt.Errorf("open the stores of the %s: %w", s.Name, err)
	}
	return f, nil
}

// columns are those that the dialect knows, by table.
func (s *Side) columns() (map[string][]string, error) {
	d, ok := s.dialect.(interface{ Columns() map[string][]string })
	if !ok {
		return nil, fmt.Errorf("dialect %s does not say which columns it knows", s.dialect.Name())
	}
	return d.Columns(), nil
}

// Place says for people and for the run table where a side is.
type Place struct {
	Backend  string `json:"backend"`
	Dialect  string `json:"dialect"`
	Keyspace string `json:"keyspace"`
	// At are contact points, or a data directory.
	At string `json:"at"`
}

func (p Place) String() string {
	return fmt.Sprintf("keyspace %s of %s (dialect %s, %s)", p.Keyspace, p.Backend, p.Dialect, p.At)
}

// place describes a deployment.
func (d Deployment) place() Place {
	p := Place{Backend: d.Backend, Dialect: d.Opener.Dialect().Name(), Keyspace: d.Opener.Keyspace()}
	switch o := d.Opener.(type) {
	case backend.Remote:
		p.At = fmt.Sprint(o.Security().Contacts)
	case interface{ Directory() string }:
		p.At = o.Directory()
	}
	return p
}
