package server

import (
	"sync"
	"time"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence"
)

// slowOperation is how long a store's operation may take before it is logged.
const slowOperation = time.Second

// textsInterval is how often the number of distinct statement texts is measured.
const textsInterval = 5 * time.Second

// MakeStores implements [NewStores]: Temporal's stores as package store has
// them, on the dialect that the server was found to speak.
func MakeStores(conn *backend.Connection, p StoreParams) (persistence.DataStoreFactory, error) {
	stop := make(chan struct{})
	release := func() {
		close(stop)
		if err := conn.Session.Close(); err != nil {
			p.Logger.Warn("Closing the session of the data store.", tag.Name(p.BackendName), tag.Error(err))
		}
	}
	f, err := store.NewDataStoreFactory(
		exec.New(conn.Session, conn.Dialect, newPlanObserver(p.Metrics, p.Logger)),
		store.FactoryOptions{
			Name: storeName(p.BackendName, conn), Cluster: p.ClusterName, Serializer: p.Serializer, Release: release,
			Sequence: sequenceObserver{p.Metrics},
		},
	)
	if err != nil {
		release()
		return nil, err
	}
	go func() {
		ticker := time.NewTicker(textsInterval)
		defer ticker.Stop()
		for {
			p.Metrics.Gauge("persistence_plan_texts").Record(float64(len(conn.Dialect.Texts())))
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
		}
	}()
	return f, nil
}

// storeName is what the stores call themselves. Temporal decides by it in which
// form it hands over tree nodes (common/persistence/execution_manager.go,
// makeInternalChasmNodeMap), so the dialect's name is in it.
func storeName(backendName string, conn *backend.Connection) string {
	if name := conn.Dialect.Name(); name != backendName {
		return backendName + "-" + name
	}
	return backendName
}

// planObserver measures plans through the server's metrics handler, and logs
// those that are slow, refused or of unknown outcome: by name and key, never
// with a payload.
type planObserver struct {
	handler metrics.Handler
	logger  log.Logger
	byPlan  sync.Map // string -> *planMeters
}

type planMeters struct {
	requests, roundTrips, refusals, unknown, retries metrics.CounterIface
	latency                                          metrics.TimerIface
	errors                                           func(errs.Kind) metrics.CounterIface
}

func newPlanObserver(h metrics.Handler, l log.Logger) *planObserver {
	return &planObserver{handler: h, logger: l}
}

func (o *planObserver) meters(name string) *planMeters {
	if m, ok := o.byPlan.Load(name); ok {
		return m.(*planMeters) //nolint:forcetypeassert // only these are stored
	}
	h := o.handler.WithTags(metrics.StringTag("plan", name))
	m := &planMeters{
		requests:   h.Counter("persistence_plan_requests"),
		roundTrips: h.Counter("persistence_plan_round_trips"),
		refusals:   h.Counter("persistence_plan_refusals"),
		unknown:    h.Counter("persistence_plan_unknown_outcomes"),
		retries:    h.Counter("persistence_plan_retries"),
		latency:    h.Timer("persistence_plan_latency"),
		errors: func(k errs.Kind) metrics.CounterIface {
			return h.WithTags(metrics.StringTag("kind", k.String())).Counter("persistence_plan_errors")
		},
	}
	actual, _ := o.byPlan.LoadOrStore(name, m)
	return actual.(*planMeters) //nolint:forcetypeassert // only these are stored
}

// Done implements exec.Observer.
func (o *planObserver) Done(e *exec.Event) {
	m := o.meters(e.Plan)
	m.requests.Record(1)
	m.roundTrips.Record(int64(e.RoundTrips))
	m.latency.Record(e.Duration)
	if e.Attempts > 1 {
		m.retries.Record(int64(e.Attempts - 1))
	}
	if e.Duration >= slowOperation {
		o.logger.Warn("Slow database operation.", tag.String("plan", e.Plan), tag.String("key", eventKey(e)), tag.Duration("duration", e.Duration), tag.Int("round-trips", e.RoundTrips))
	}
	if e.Err == nil {
		return
	}
	m.errors(e.Err.Kind).Record(1)
	switch {
	case e.Write != nil && e.Err.Outcome == errs.Unknown:
		m.unknown.Record(1)
		o.logger.Warn("Database write of unknown outcome.", tag.String("plan", e.Plan), tag.String("key", eventKey(e)), tag.Error(e.Err))
	case e.Err.Kind == errs.Conflict:
		m.refusals.Record(1)
		o.logger.Debug("Database write refused.", tag.String("plan", e.Plan), tag.String("key", e.Err.Key), tag.Error(e.Err))
	}
}

// sequenceObserver counts what owners of shards do beside the calls of stores.
type sequenceObserver struct{ handler metrics.Handler }

// Count implements sequence.Observer.
func (o sequenceObserver) Count(c sequence.Counter, n int) {
	o.handler.Counter(string(c)).Record(int64(n))
}

// eventKey names the row that an operation was about.
func eventKey(e *exec.Event) string {
	if e.Write != nil && len(e.Write.Mutations) > 0 {
		// A shard's lease comes first in what its owner writes; the row after
		// it says more.
		i := 0
		if e.Write.Owner != nil && len(e.Write.Mutations) > 1 {
			i = 1
		}
		return e.Write.Mutations[i].KeyString()
	}
	if e.Read == nil {
		return ""
	}
	key := e.Read.Table.Name + "("
	for i := 0; i < e.Read.Eq && i < len(e.Args); i++ {
		if i > 0 {
			key += " "
		}
		key += e.Read.Table.Key[i].Name + "=" + plan.FormatValue(e.Args[i])
	}
	return key + ")"
}
