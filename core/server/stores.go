package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	tconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	persistenceclient "go.temporal.io/server/common/persistence/client"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/resolver"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// openTimeout bounds how long a data store may take to connect. A database
// that does not answer must show within 15 s of the start.
const openTimeout = 12 * time.Second

// NewStores makes Temporal's stores on an open connection, which it owns from
// then on: closing the factory closes the connection, also where NewStores
// itself fails. It is the seam between this package and package store.
type NewStores func(conn *backend.Connection, p StoreParams) (persistence.DataStoreFactory, error)

// StoreParams is what Temporal gives to the factory of a custom data store.
type StoreParams struct {
	// BackendName is the name in the configuration, e.g. "cassandra".
	BackendName string
	// Keyspace is where the stores live.
	Keyspace    string
	ClusterName string
	Logger      log.Logger
	Metrics     metrics.Handler
	Serializer  serialization.Serializer
}

// ErrNoStores is the error of every custom data store while this binary is
// built without stores for them.
var ErrNoStores = errors.New("this binary contains no stores for custom data stores: use a stock data store (cassandra, sql)")

// stores implements Temporal's hook for custom data stores: it opens the one
// backend that the configuration names. Temporal calls it six times in a
// process with all roles, twice of them at boot.
type stores struct {
	registry *backend.Registry
	make     NewStores
}

var _ persistenceclient.AbstractDataStoreFactory = (*stores)(nil)

// NewFactory opens a connection and makes the stores on it. The interface has
// no error; one is returned by each constructor of the factory instead, and
// surfaces from temporal.NewServer.
func (s *stores) NewFactory(
	cfg tconfig.CustomDatastoreConfig,
	r resolver.ServiceResolver,
	clusterName string,
	logger log.Logger,
	handler metrics.Handler,
	serializer serialization.Serializer,
) persistence.DataStoreFactory {
	f, err := s.open(cfg, r, clusterName, logger, handler, serializer)
	if err != nil {
		return brokenFactory{fmt.Errorf("open data store %s: %w", cfg.Name, err)}
	}
	return f
}

func (s *stores) open(
	cfg tconfig.CustomDatastoreConfig,
	r resolver.ServiceResolver,
	clusterName string,
	logger log.Logger,
	handler metrics.Handler,
	serializer serialization.Serializer,
) (persistence.DataStoreFactory, error) {
	if s.make == nil {
		return nil, ErrNoStores
	}
	b, err := s.registry.Lookup(cfg.Name)
	if err != nil {
		return nil, err
	}
	// Options are parsed again because Temporal's own tests copy the
	// configuration through JSON and change it on the way.
	opener, err := b.ParseOptions(cfg.Options)
	if err != nil {
		return nil, fmt.Errorf("options: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	env := backend.Env{
		Logger:      log.NewSlogLogger(logger),
		Metrics:     meter{handler},
		Application: "temporal-server",
	}
	if r != nil {
		env.Resolve = r.Resolve
	}
	conn, err := opener.Open(ctx, env)
	if err != nil {
		return nil, err
	}
	return s.make(conn, StoreParams{
		BackendName: cfg.Name, Keyspace: opener.Keyspace(), ClusterName: clusterName,
		Logger: logger, Metrics: handler, Serializer: serializer,
	})
}

// meter lets a backend measure through the server's own metrics handler.
type meter struct{ handler metrics.Handler }

func (m meter) Count(name string, n int64, labels ...string) {
	m.handler.Counter(name).Record(n, tags(labels)...)
}

func (m meter) Time(name string, d time.Duration, labels ...string) {
	m.handler.Timer(name).Record(d, tags(labels)...)
}

func (m meter) Gauge(name string, v float64, labels ...string) {
	m.handler.Gauge(name).Record(v, tags(labels)...)
}

func tags(labels []string) []metrics.Tag {
	out := make([]metrics.Tag, 0, len(labels)/2)
	for i := 0; i+1 < len(labels); i += 2 {
		out = append(out, metrics.StringTag(labels[i], labels[i+1]))
	}
	return out
}

// brokenFactory answers every constructor with the error that opening gave.
type brokenFactory struct{ err error }

var _ persistence.DataStoreFactory = brokenFactory{}

func (f brokenFactory) Close() {}

func (f brokenFactory) NewTaskStore() (persistence.TaskStore, error)         { return nil, f.err }
func (f brokenFactory) NewFairTaskStore() (persistence.TaskStore, error)     { return nil, f.err }
func (f brokenFactory) NewShardStore() (persistence.ShardStore, error)       { return nil, f.err }
func (f brokenFactory) NewMetadataStore() (persistence.MetadataStore, error) { return nil, f.err }
func (f brokenFactory) NewExecutionStore() (persistence.ExecutionStore, error) {
	return nil, f.err
}

func (f brokenFactory) NewQueue(persistence.QueueType) (persistence.Queue, error) {
	return nil, f.err
}
func (f brokenFactory) NewQueueV2() (persistence.QueueV2, error) { return nil, f.err }
func (f brokenFactory) NewClusterMetadataStore() (persistence.ClusterMetadataStore, error) {
	return nil, f.err
}

func (f brokenFactory) NewNexusEndpointStore() (persistence.NexusEndpointStore, error) {
	return nil, f.err
}
