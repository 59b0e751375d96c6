package records

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// living knows runs that exist, so that not every history tree costs a read of its
// own. It is asked first, and the database where it knows nothing: what it lacks
// costs time only. Who it holds for alive though it has been deleted since leaves a
// tree in the stream that has just become garbage.
type living struct {
	after  int64        // reads of single runs all are listed
	most   int64        // about how many are remembered
	asked  atomic.Int64 // how many there were
	known  atomic.Pointer[[]uint64]
	mu     sync.Mutex
	listed bool
}

const (
	// manyTrees is after how many reads of single runs all of them are listed.
	manyTrees = 2000
	// mostRuns bounds what is remembered: 8 bytes for each run.
	mostRuns = 16 << 20
)

// mark stands for a run: its id is random, so that no two runs that are alive are
// likely to share one.
func mark(run [16]byte) uint64 {
	return binary.BigEndian.Uint64(run[:8]) ^ binary.BigEndian.Uint64(run[8:])
}

// exists tells whether an execution does.
func (s *Source) exists(ctx context.Context, key []any) (bool, error) {
	run, _ := key[3].([16]byte)
	if known := s.living.known.Load(); known != nil {
		if _, ok := slices.BinarySearch(*known, mark(run)); ok {
			return true, nil
		}
	} else if s.living.asked.Add(1) > s.living.after {
		if err := s.listLiving(ctx); err != nil {
			return false, err
		}
	}
	_, found, err := exec.One(ctx, s.ex, readExists, key...)
	return found, err
}

// Reads of the runs that exist: of a shard where it is one partition, else of the
// executions between two hashes.
var (
	readRuns = &plan.Read{
		Name: "Records/runs", Table: plan.ShardRows, Eq: 2, Columns: []*plan.Column{plan.RowRun, plan.RowExecution},
	}
	spanRuns = &plan.Read{
		Name: "Records/runs/span", Table: plan.Executions, Span: true, Columns: []*plan.Column{plan.ExecutionRunID},
	}
)

// listLiving lists the runs that exist, once.
func (s *Source) listLiving(ctx context.Context) error {
	l := s.living
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listed {
		return nil
	}
	read, pieces := spanRuns, [][]any(nil)
	if t := s.ex.Traits(); t.ShardPartition {
		read = readRuns
		for shard := int64(1); shard <= int64(s.o.Shards); shard++ {
			pieces = append(pieces, []any{shard, rowExecution})
		}
	} else {
		for _, p := range ranges(ExecutionStage, t.HashMin, t.HashMax, 4*s.o.Concurrency) {
			pieces = append(pieces, []any{p.First, p.Last})
		}
	}
	found := make([][]uint64, len(pieces))
	var all atomic.Int64
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(s.o.Concurrency)
	for i := range pieces {
		g.Go(func() (err error) {
			found[i], err = s.runs(running, read, pieces[i], &all)
			return err
		})
	}
	err := g.Wait()
	if err != nil {
		return fmt.Errorf("list the executions that exist: %w", err)
	}
	known := slices.Concat(found...)
	slices.Sort(known)
	l.known.Store(&known)
	l.listed = true
	return nil
}

// runs are the marks of the runs of a piece, until there are enough in all.
func (s *Source) runs(ctx context.Context, read *plan.Read, args []any, all *atomic.Int64) (found []uint64, err error) {
	for token := []byte(nil); all.Load() < s.living.most; {
		rows, err := s.ex.Read(ctx, read, plan.Page{Size: 10 * s.o.PageRows, Token: token}, args...)
		if err != nil {
			return nil, err
		}
		before := len(found)
		for rows.Next() {
			if read == readRuns && rows.Null(1) {
				continue // the row of a current run
			}
			found = append(found, mark(rows.UUID(0)))
		}
		token = rows.Token()
		if err := rows.Close(); err != nil {
			return nil, err
		}
		all.Add(int64(len(found) - before))
		if token == nil {
			break
		}
	}
	return found, nil
}
