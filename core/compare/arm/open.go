package arm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gocql/gocql"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	p "go.temporal.io/server/common/persistence"
	stockcassandra "go.temporal.io/server/common/persistence/cassandra"
	stockgocql "go.temporal.io/server/common/persistence/nosql/nosqlplugin/cassandra/gocql"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/resolver"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	ourschema "github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence"
)

// transactionLimit is the server's default for the size of a write.
const transactionLimit = 4 << 20

// Stores are Temporal's own managers over the stores of one database: what history
// and matching services call. They are safe for concurrent use.
type Stores struct {
	Shards     p.ShardManager
	Executions p.ExecutionManager
	Tasks      p.TaskManager
	// Counted tells that the stores fill the Usage of [Metered].
	Counted bool
	// Server is the database's product and version; empty: it does not say.
	Server string
	// Rounds are the serial rounds and commits of the embedded engine so far; nil
	// for other databases.
	Rounds func() (rounds, commits int64)

	close func() error
}

// Close closes them. A database in memory lives on until [Database.Drop].
func (s *Stores) Close() error { return s.close() }

// Open opens the database's stores, as a server with this configuration does. The
// caller closes them.
func (d *Database) Open(ctx context.Context) (*Stores, error) {
	serializer := serialization.NewSerializer()
	stores := &Stores{}
	var factory p.DataStoreFactory
	var err error
	switch d.arm.kind {
	case remote, inProcess:
		factory, err = d.openOurs(ctx, serializer, stores)
	case cassandra:
		factory, err = d.openCassandra(serializer, stores)
	case sqlite, sqlServer:
		stores.Server = d.sql().PluginName
		factory = sql.NewFactory(*d.sql(), resolver.NewNoopResolver(), d.cluster(), log.NewNoopLogger(), metrics.NoopMetricsHandler, serializer)
	}
	if err != nil {
		return nil, fmt.Errorf("open the stores of arm %s: %w", d.arm.Name(), err)
	}
	stores.close = func() error { factory.Close(); return nil }
	shards, shardErr := factory.NewShardStore()
	executions, executionErr := factory.NewExecutionStore()
	tasks, taskErr := factory.NewTaskStore()
	if err := errors.Join(shardErr, executionErr, taskErr); err != nil {
		factory.Close()
		return nil, fmt.Errorf("open the stores of arm %s: %w", d.arm.Name(), err)
	}
	stores.Shards = p.NewShardManager(shards, serializer)
	stores.Executions = p.NewExecutionManager(executions, serializer, nil, log.NewNoopLogger(),
		dynamicconfig.GetIntPropertyFn(transactionLimit), dynamicconfig.GetBoolPropertyFn(false))
	stores.Tasks = p.NewTaskManager(tasks, serializer)
	return stores, nil
}

func (d *Database) cluster() string { return d.loaded.Config.ClusterMetadata.CurrentClusterName }

// hold opens a database of this process, makes its schema, and keeps it until Drop.
func (d *Database) hold(ctx context.Context) error {
	opener, ok := d.loaded.Chosen.Opener.(backend.InProcess)
	if !ok || d.release != nil {
		return nil
	}
	release, err := opener.Hold(env())
	if err != nil {
		return err
	}
	d.release = sync.OnceValue(release)
	set, err := ourschema.For(opener.Dialect().Name())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	admin, err := opener.OpenAdmin(ctx, env())
	if err != nil {
		return err
	}
	return errors.Join(makeSchema(ctx, admin, set, opener, opener.Keyspace(), ourschema.Replication{}), admin.Close())
}

// connect opens a session for our stores, or for reading records.
func (d *Database) connect(ctx context.Context) (*backend.Connection, error) {
	if d.loaded.Chosen != nil {
		if err := d.hold(ctx); err != nil {
			return nil, err
		}
	}
	opener, err := d.opener()
	if err != nil {
		return nil, err
	}
	return opener.Open(ctx, env())
}

func (d *Database) openOurs(ctx context.Context, serializer serialization.Serializer, stores *Stores) (p.DataStoreFactory, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	name := d.loaded.Chosen.Name
	if dialect := conn.Dialect.Name(); dialect != name {
		name += "-" + dialect // as core/server names them: Temporal looks for "cassandra" in it
	}
	f, err := store.NewDataStoreFactory(exec.New(tap{conn.Session}, conn.Dialect, observer{}), store.FactoryOptions{
		Name: name, Cluster: d.cluster(), Serializer: serializer,
		Release: func() { _ = conn.Session.Close() }, // every statement has been answered
	})
	if err != nil {
		return nil, errors.Join(err, conn.Session.Close())
	}
	stores.Counted, stores.Server = true, conn.Server
	if e, ok := d.loaded.Chosen.Opener.(interface {
		Counts() (rounds, commits int64, open bool)
	}); ok {
		stores.Rounds = func() (int64, int64) { rounds, commits, _ := e.Counts(); return rounds, commits }
	}
	return f, nil
}

func (d *Database) openCassandra(serializer serialization.Serializer, stores *Stores) (p.DataStoreFactory, error) {
	cfg := *d.store().Cassandra
	session, err := stockgocql.NewSession(func() (*gocql.ClusterConfig, error) {
		cluster, err := stockgocql.NewCassandraCluster(cfg, resolver.NewNoopResolver())
		if err == nil {
			cluster.QueryObserver, cluster.BatchObserver = stockObserver{}, stockObserver{}
		}
		return cluster, err
	}, log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return nil, err
	}
	stores.Counted = true
	return stockcassandra.NewFactoryFromSession(cfg, d.cluster(), log.NewNoopLogger(), session, serializer), nil
}

// recordsTimeout bounds the opening of a record stream.
const recordsTimeout = 30 * time.Second

// Records opens the database's record stream. It fails for databases that have
// none: see [Arm.Digests]. The caller calls close.
func (d *Database) Records(ctx context.Context, shards int32) (src *records.Source, done func(), err error) {
	if !d.arm.Digests() {
		return nil, nil, fmt.Errorf("arm %s: a SQL database has no record stream", d.arm.Name())
	}
	ctx, cancel := context.WithTimeout(ctx, recordsTimeout)
	defer cancel()
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read the records of arm %s: %w", d.arm.Name(), err)
	}
	done = func() { _ = conn.Session.Close() } // it was used for reading alone
	var ex exec.Executor = exec.New(conn.Session, conn.Dialect, nil)
	if ex.Traits().Sequenced {
		// Of numbered writes it shows those that took effect.
		numbered, err := sequence.New(ex, nil)
		if err != nil {
			done()
			return nil, nil, fmt.Errorf("read the records of arm %s: %w", d.arm.Name(), err)
		}
		session := done
		done = func() { numbered.Close(); session() }
		ex = numbered
	}
	src, err = records.NewSource(ex, records.Options{Shards: shards})
	if err != nil {
		done()
		return nil, nil, err
	}
	return src, done, nil
}
