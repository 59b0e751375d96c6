package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence"
)

// FactoryOptions are what a DataStoreFactory needs beside its Executor.
type FactoryOptions struct {
	// Name is what the stores call themselves. The server's execution manager
	// writes the nodes of a tree whole for stores whose name contains
	// "cassandra", in parts for others (common/persistence/execution_manager.go,
	// makeInternalChasmNodeMap), so the name must contain it exactly if
	// Traits.WholeNodes is set.
	Name string
	// Cluster is the name of the Temporal cluster.
	Cluster    string
	Serializer serialization.Serializer
	// Sequence is told what it takes to give the writes of shards numbers, where
	// the database needs that; it may be nil.
	Sequence sequence.Observer
	// WallClock is where its machine's clock stands; nil means time.Now.
	WallClock func() time.Time
	// Release is called once, when the factory is closed for the first time; it
	// may be nil. A process makes several factories, two of which it closes
	// before it uses the others, so a session that they share needs a count.
	Release func()
}

// DataStoreFactory implements persistence.DataStoreFactory: every store of
// Temporal over one Executor. Its stores are one owner of shards, those of two
// factories are two. It is safe for concurrent use. Closing a store
// does nothing; closing the factory releases what is below, once, and may come
// before or after its stores are closed.
type DataStoreFactory struct {
	ex      exec.Executor
	options FactoryOptions
	release func()
}

var _ p.DataStoreFactory = (*DataStoreFactory)(nil)

// NewDataStoreFactory returns a factory over ex. It refuses databases that
// cannot carry the stores, and on an error it has not called Release.
func NewDataStoreFactory(ex exec.Executor, o FactoryOptions) (*DataStoreFactory, error) {
	if o.Serializer == nil {
		return nil, errors.New("data store factory: a serializer is missing")
	}
	if err := suits(ex.Traits(), o.Name); err != nil {
		return nil, fmt.Errorf("data store %q: %w", o.Name, err)
	}
	f := &DataStoreFactory{ex: Serialise(ex), options: o}
	stop := func() {}
	if ex.Traits().Sequenced {
		wall := o.WallClock
		if wall == nil {
			wall = time.Now
		}
		numbered, err := sequence.NewAt(ex, o.Sequence, wall)
		if err != nil {
			return nil, fmt.Errorf("data store %q: %w", o.Name, err)
		}
		f.ex, stop = numbered, numbered.Close
	}
	f.release = sync.OnceFunc(func() {
		stop()
		if o.Release != nil {
			o.Release()
		}
	})
	return f, nil
}

// suits checks the traits without which stores would lose or leak data.
func suits(t cql.Traits, name string) error {
	var faults []error
	if t.Atomic < cql.AtomicPartition {
		faults = append(faults, errors.New("its atomic writes do not reach several rows, so nothing would fence a shard's owner"))
	}
	if !t.TTL {
		faults = append(faults, errors.New("its rows cannot expire, so tasks, sticky queues and dead hosts would stay for ever"))
	}
	switch whole := strings.Contains(name, "cassandra"); {
	case whole && !t.WholeNodes:
		faults = append(faults, errors.New(`its name contains "cassandra", so the server would write tree nodes whole, but it stores them in parts`))
	case !whole && t.WholeNodes:
		faults = append(faults, errors.New(`it stores tree nodes whole, so its name must contain "cassandra" for the server to write them so`))
	}
	return errors.Join(faults...)
}

// Close implements persistence.DataStoreFactory.
func (f *DataStoreFactory) Close() { f.release() }

// NewTaskStore implements persistence.DataStoreFactory.
func (f *DataStoreFactory) NewTaskStore() (p.TaskStore, error) {
	return made[p.TaskStore](NewTaskStore(f.ex, f.options.Name))
}

// NewFairTaskStore implements persistence.DataStoreFactory.
func (f *DataStoreFactory) NewFairTaskStore() (p.TaskStore, error) {
	return made[p.TaskStore](NewFairTaskStore(f.ex, f.options.Name))
}

// NewShardStore implements persistence.DataStoreFactory.
func (f *DataStoreFactory) NewShardStore() (p.ShardStore, error) {
	return made[p.ShardStore](NewShardStore(f.ex, f.options.Name, f.options.Cluster))
}

// NewMetadataStore implements persistence.DataStoreFactory.
func (f *DataStoreFactory) NewMetadataStore() (p.MetadataStore, error) {
	return made[p.MetadataStore](NewMetadataStore(f.ex, f.options.Name))
}

// NewExecutionStore implements persistence.DataStoreFactory.
func (f *DataStoreFactory) NewExecutionStore() (p.ExecutionStore, error) {
	return made[p.ExecutionStore](NewExecutionStore(f.ex, f.options.Name, f.options.Serializer))
}

// NewQueue implements persistence.DataStoreFactory.
func (f *DataStoreFactory) NewQueue(queueType p.QueueType) (p.Queue, error) {
	return made[p.Queue](NewQueue(f.ex, queueType, f.options.Serializer))
}

// NewQueueV2 implements persistence.DataStoreFactory.
func (f *DataStoreFactory) NewQueueV2() (p.QueueV2, error) {
	return made[p.QueueV2](NewQueueV2(f.ex))
}

// NewClusterMetadataStore implements persistence.DataStoreFactory.
func (f *DataStoreFactory) NewClusterMetadataStore() (p.ClusterMetadataStore, error) {
	return made[p.ClusterMetadataStore](NewClusterMetadataStore(f.ex, f.options.Name))
}

// NewNexusEndpointStore implements persistence.DataStoreFactory.
func (f *DataStoreFactory) NewNexusEndpointStore() (p.NexusEndpointStore, error) {
	return made[p.NexusEndpointStore](NewNexusEndpointStore(f.ex, f.options.Name))
}

// made keeps a nil pointer from becoming an interface that is not nil.
func made[I any, T any](store *T, err error) (I, error) {
	if err != nil {
		var none I
		return none, err
	}
	return any(store).(I), nil
}
