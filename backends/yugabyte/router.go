package yugabyte

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

const (
	// partitionPause is the least time between two looks for tablets, however
	// many reasons for one come up.
	partitionPause = 2 * time.Second
	// partitionLimit is how long one may take.
	partitionLimit = 10 * time.Second
)

// router knows where the rows of a session's statements are. It outlives the
// driver's sessions and is safe for concurrent use.
type router struct {
	keyspace string
	targets  targets
	tablets  atomic.Pointer[partitions]
	wake     chan struct{}
}

func newRouter(keyspace string) *router {
	r := &router{keyspace: keyspace, wake: make(chan struct{}, 1)}
	r.tablets.Store(&partitions{})
	return r
}

// replicas returns who holds the rows of a call, the best first; nil if that is
// not known.
func (r *router) replicas(c cql.Call) []string {
	table, hash, ok := r.targets.of(c)
	if !ok {
		return nil
	}
	replicas := r.tablets.Load().replicas(table, hash)
	if replicas == nil {
		r.stale()
	}
	return replicas
}

// stale asks for a look at the tablets. It does not wait for one.
func (r *router) stale() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run looks where the tablets are, from time to time and when that is stale,
// until ctx is done.
func (r *router) run(ctx context.Context, every, pause time.Duration, load func(context.Context) (partitions, error), log *slog.Logger) {
	for failed := false; ; {
		timer := time.NewTimer(every)
		select {
		case <-timer.C:
		case <-r.wake:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
		if err := r.look(ctx, load); err != nil && ctx.Err() == nil {
			if !failed {
				log.Warn("where tablets are is not known, statements go to all servers in turn or where tablets were", "error", err)
			}
			failed = true
		} else {
			failed = false
		}
		rest := time.NewTimer(pause)
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
		rest.Stop()
	}
}

func (r *router) look(ctx context.Context, load func(context.Context) (partitions, error)) error {
	ctx, cancel := context.WithTimeout(ctx, partitionLimit)
	defer cancel()
	p, err := load(ctx)
	if err == nil {
		r.tablets.Store(&p)
	}
	return err
}
