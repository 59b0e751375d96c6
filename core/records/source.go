package records

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Options say how a source reads.
type Options struct {
	// Shards is the number of history shards of the deployment, which nothing can
	// change.
	Shards int32
	// PageRows is the most rows that one request asks for; default 2000.
	PageRows int
	// PageBytes is the size at which a page ends, and by which the number of
	// rows of the next one is chosen; default 4 MiB. A page holds at most
	// PageRows rows for each of Concurrency partitions.
	PageBytes int
	// Concurrency is how many partitions of queues and the like, or pieces of the
	// histories, are read side by side by one call of Page; default 8.
	Concurrency int
	// FromAckLevel leaves out history tasks below what all readers of their
	// queue have done. They are rows that the server has not deleted yet.
	FromAckLevel bool
	// SkipGarbage leaves out history trees none of whose branches belongs to an
	// execution that exists. [Page.Garbage] counts them. It costs a read for each
	// of them, and of other trees until all runs that exist have been listed.
	SkipGarbage bool
	// Now is the clock by which lives become instants; time.Now by default.
	Now func() time.Time
}

// firstRows is how many rows the first page of a part asks for: nobody knows yet
// how large they are.
const firstRows = 64

// Source reads the records of one keyspace. It is safe for concurrent use: pages
// of several parts may be read side by side. What it remembers makes reading
// quicker and changes nothing of what is read.
type Source struct {
	ex exec.Executor
	o  Options

	rowsPerHash *atomic.Uint64 // of histories, a float64; 0: nobody knows yet
	living      *living
}

// NewSource returns a source over ex, which must show what a server of this
// keyspace would be shown. It fails if the executor's dialect cannot carry one
// of the reads.
func NewSource(ex exec.Executor, o Options) (*Source, error) {
	if o.Shards < 1 {
		return nil, fmt.Errorf("records: %d shards", o.Shards)
	}
	if o.PageRows <= 0 {
		o.PageRows = 2000
	}
	if o.PageBytes <= 0 {
		o.PageBytes = 4 << 20
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 8
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Source{ex: ex, o: o, rowsPerHash: new(atomic.Uint64), living: &living{after: manyTrees, most: mostRuns}}
	var reads []*plan.Read
	for _, part := range s.Parts(1) {
		for _, st := range s.steps(part, nil) {
			reads = append(reads, st.reads()...)
		}
		if part.Stage == ShardStage && part.Shard == 1 {
			reads = append(reads, readExists, readBranchNodes)
			for _, r := range points {
				reads = append(reads, r)
			}
		}
	}
	if ex.Traits().ShardPartition {
		reads = append(reads, nextFamily, readRows, readRuns, countRows)
	} else {
		reads = append(reads, spanRuns, countTasks)
	}
	if err := ex.Compile(reads...); err != nil {
		return nil, err
	}
	return s, nil
}

// Sized returns a source of the same records with pages of other sizes. The two
// remember together what they find out.
func (s *Source) Sized(rows, concurrency int) *Source {
	other := *s
	other.o.PageRows, other.o.Concurrency = rows, concurrency
	return &other
}

// Shards is the number of history shards.
func (s *Source) Shards() int32 { return s.o.Shards }

// Parts cuts all there is to read into parts: one for each shard, n for each
// table that is read by ranges of the partition hash (fewer if the space of
// hashes is smaller), one for each of the small tables.
func (s *Source) Parts(n int) []Part {
	var parts []Part
	for shard := int64(1); shard <= int64(s.o.Shards); shard++ {
		parts = append(parts, Part{Stage: ShardStage, Shard: shard})
	}
	traits := s.ex.Traits()
	stages := []Stage{HistoryStage, QueueStage, FairQueueStage, UserDataStage}
	if !traits.ShardPartition {
		stages = append([]Stage{ExecutionStage, DLQStage}, stages...)
	}
	for _, stage := range stages {
		parts = append(parts, ranges(stage, traits.HashMin, traits.HashMax, n)...)
	}
	for _, stage := range []Stage{NamespaceStage, ClusterStage, MessageStage, MessageV2Stage, NexusStage} {
		parts = append(parts, Part{Stage: stage})
	}
	return parts
}

// Page is some records of a part.
type Page struct {
	Records []Record
	// Next is the cursor behind them; nil if the part has ended.
	Next Cursor
	// Garbage counts history trees that were left out ([Options.SkipGarbage]).
	Garbage int
}

// Page returns the records of a part that follow a cursor, nil for the start.
// A page may be empty and not the last. On an error nothing is lost: the same
// cursor may be asked again, with a source of smaller pages if need be. Errors
// of the database are *errs.Error.
func (s *Source) Page(ctx context.Context, part Part, at Cursor) (Page, error) {
	pos, err := parseCursor(part, at)
	if err != nil {
		return Page{}, err
	}
	if err := s.check(part); err != nil {
		return Page{}, err
	}
	var acked map[int64]ack
	if part.Stage == ShardStage && s.o.FromAckLevel {
		if acked, err = s.ackLevels(ctx, part.Shard); err != nil {
			return Page{}, err
		}
	}
	r := &reading{s: s, pos: pos, rows: min(firstRows, s.o.PageRows)}
	if pos.Rows > 0 {
		r.rows = min(pos.Rows, s.o.PageRows)
	}
	steps := s.steps(part, acked)
	for pos.Step < len(steps) && !r.full() {
		st := &steps[pos.Step]
		switch {
		case st.histories:
			err = r.histories(ctx, part)
		case st.list == nil:
			err = r.flat(ctx, st)
		default:
			err = r.nested(ctx, st)
		}
		if err != nil {
			return Page{}, err
		}
	}
	page := Page{Records: r.out, Garbage: r.garbage}
	if pos.Step < len(steps) {
		pos.Rows = r.hint()
		if page.Next, err = pos.cursor(); err != nil {
			return Page{}, err
		}
	}
	return page, nil
}

// All calls each for every record of a part, and stops at its first error.
func (s *Source) All(ctx context.Context, part Part, each func(*Record) error) error {
	var at Cursor
	for {
		page, err := s.Page(ctx, part, at)
		if err != nil {
			return err
		}
		for i := range page.Records {
			if err := each(&page.Records[i]); err != nil {
				return err
			}
		}
		if at = page.Next; at == nil {
			return nil
		}
	}
}

func (s *Source) check(p Part) error {
	t := s.ex.Traits()
	switch {
	case !p.Stage.known():
		return fmt.Errorf("records: part %s is unknown", p)
	case t.ShardPartition && (p.Stage == ExecutionStage || p.Stage == DLQStage):
		return fmt.Errorf("records: this database has executions and DLQs in the partitions of shards: there is no part %s", p)
	case p.Stage == UnitStage && p.Unit.key() == nil:
		return fmt.Errorf("records: %s is not read by itself", p.Unit)
	case p.Stage == ShardStage && (p.Shard < 1 || p.Shard > int64(s.o.Shards)):
		return fmt.Errorf("records: part %s of %d shards", p, s.o.Shards)
	case p.Stage.spans() && (p.First < t.HashMin || p.Last > t.HashMax || p.First > p.Last):
		return fmt.Errorf("records: part %s is not within hashes %d to %d", p, t.HashMin, t.HashMax)
	}
	return nil
}
