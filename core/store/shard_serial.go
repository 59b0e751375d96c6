package store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Serialise returns an Executor that sends the writes of one shard one after
// the other: all those with an Owner, whichever store they come from. The stores
// of one factory share one. Reads, and writes without an Owner, pass.
//
// All of them write the shard's lease row, so side by side they would only
// refuse or delay each other in the database: Apache Cassandra runs one Paxos
// round per partition at a time, and a loser starts again. Stock Temporal relies
// on history.shardIOConcurrency for that, which it forces to 1 for its own
// Cassandra store only (service/history/configs/config.go).
//
// Where the writes of a shard have numbers, package sequence takes this place.
func Serialise(ex exec.Executor) exec.Executor {
	return &serialised{Executor: ex, turns: make(map[int64]chan struct{})}
}

type serialised struct {
	exec.Executor

	mu sync.Mutex
	// turns has a place for the one writer of each shard. A process owns a
	// bounded number of shards over its life, so nothing is ever removed.
	turns map[int64]chan struct{}
}

// Write implements exec.Executor. Whoever cannot get its turn before ctx is done
// has certainly written nothing.
func (s *serialised) Write(ctx context.Context, w *plan.Write) error {
	if w.Owner == nil {
		return s.Executor.Write(ctx, w)
	}
	turn := s.turn(w.Owner.Shard)
	select {
	case turn <- struct{}{}:
	default:
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return gaveUp(ctx, w)
		}
	}
	defer func() { <-turn }()
	return s.Executor.Write(ctx, w)
}

func (s *serialised) turn(shard int64) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	turn, ok := s.turns[shard]
	if !ok {
		turn = make(chan struct{}, 1)
		s.turns[shard] = turn
	}
	return turn
}

func gaveUp(ctx context.Context, w *plan.Write) error {
	kind := errs.Timeout
	if errors.Is(ctx.Err(), context.Canceled) {
		kind = errs.Canceled
	}
	return &errs.Error{
		Op: w.Name, Key: fmt.Sprintf("shard %d", w.Owner.Shard), Kind: kind, Outcome: errs.NotApplied,
		Err: fmt.Errorf("waiting for an earlier write of the shard: %w", ctx.Err()),
	}
}
