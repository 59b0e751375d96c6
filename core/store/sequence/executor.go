package sequence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Executor is an exec.Executor that gives the writes of shards numbers. The
// shard and execution stores of a process share one: a range belongs to the
// Executor that made it, and two Executors are two owners.
type Executor struct {
	inner   exec.Executor
	observe Observer
	wall    func() time.Time

	mu     sync.Mutex
	shards map[int64]*shard
	reads  sync.Map // *plan.Read -> *plan.Read, numbered

	ctx  context.Context // of what goes on in the background
	stop context.CancelFunc
	wake chan struct{}
	done chan struct{}
}

var _ exec.Executor = (*Executor)(nil)

// New returns an Executor on ex, which it does not own, and tells o, which may
// be nil. It cleans in the background until it is closed.
func New(ex exec.Executor, o Observer) (*Executor, error) { return NewAt(ex, o, time.Now) }

// NewAt is New with another wall clock than the machine's.
func NewAt(ex exec.Executor, o Observer, wall func() time.Time) (*Executor, error) {
	x, err := newExecutor(ex, o)
	if err != nil {
		return nil, err
	}
	x.wall = wall
	x.ctx, x.stop = context.WithCancel(context.Background())
	go x.clean()
	return x, nil
}

// newExecutor returns an Executor that does not clean.
func newExecutor(ex exec.Executor, o Observer) (*Executor, error) {
	if t := ex.Traits(); !t.Sequenced || !t.RerunsBlocks {
		return nil, errors.New("writes are numbered only for databases whose traits ask for it, and whose refusals are looked into")
	}
	if o == nil {
		o = silent{}
	}
	if err := ex.Compile(readLease, scanTasks); err != nil {
		return nil, err
	}
	return &Executor{
		inner: ex, observe: o, wall: time.Now, shards: make(map[int64]*shard),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}, nil
}

// Close ends what goes on in the background and waits for it. Calls that are
// under way go on. Closing twice is harmless.
func (x *Executor) Close() {
	x.stop()
	<-x.done
}

// Traits implements exec.Executor.
func (x *Executor) Traits() cql.Traits { return x.inner.Traits() }

// Compile implements exec.Executor.
func (x *Executor) Compile(reads ...*plan.Read) error {
	numbered := make([]*plan.Read, len(reads))
	for i, r := range reads {
		var err error
		if numbered[i], err = x.numbered(r); err != nil {
			return err
		}
	}
	return x.inner.Compile(numbered...)
}

// numbered returns the same read each time, for it is compiled once.
func (x *Executor) numbered(r *plan.Read) (*plan.Read, error) {
	if n, ok := x.reads.Load(r); ok {
		return n.(*plan.Read), nil
	}
	n, err := r.Numbered()
	if err != nil {
		return nil, &errs.Error{Op: r.Name, Key: r.Table.Name, Kind: errs.Internal, Outcome: errs.NotApplied, Err: err}
	}
	actual, _ := x.reads.LoadOrStore(r, n)
	return actual.(*plan.Read), nil
}

// Write implements exec.Executor. The writes of one shard are sent one after the
// other. A write of unknown outcome is settled before Write returns, if that is
// possible in a time that does not depend on ctx.
func (x *Executor) Write(ctx context.Context, w *plan.Write) error {
	switch at := w.Lease(); {
	case w.Owner != nil && at < 0:
		return &errs.Error{
			Op: w.Name, Kind: errs.Internal, Outcome: errs.NotApplied,
			Err: errors.New("the write has an owner and does not test the lease"),
		}
	case w.Owner != nil:
		s := x.shard(w.Owner.Shard)
		if err := s.take(ctx, w); err != nil {
			return err
		}
		defer s.release()
		if to, ok := newRange(w, at); ok {
			return x.takeOver(ctx, s, w, to)
		}
		return x.write(ctx, s, w)
	case at >= 0:
		return x.create(ctx, w)
	default:
		return x.plain(ctx, w)
	}
}

// newRange tells whether a write moves the shard to another range, and to which.
func newRange(w *plan.Write, at int) (to int64, moves bool) {
	for _, e := range w.Mutations[at].Effects {
		if e.Column == plan.ShardRangeID {
			to, _ = e.Value.(int64)
			return to, to != w.Owner.RangeID
		}
	}
	return 0, false
}

// shard is what is known of a shard. A process meets a bounded number of shards
// over its life, so nothing is ever removed.
type shard struct {
	id int64
	// turn has a place for the one that writes.
	turn chan struct{}

	// What follows is changed by who has the turn, and read by everybody.
	mu sync.Mutex
	// own: the lease was made by this Executor and is not known to be lost.
	own bool
	// lease is what is known of an own lease; only then does it mean something.
	lease lease
	next  int64 // next number
	// confirmed is when the lease was certainly held: just before a statement was
	// sent that took effect.
	confirmed moment
	// pending are burned numbers that are not stored yet, all above lease.last.
	pending []span
	// flying is the attempt that is under way, unsettled the one of which it is
	// not known whether it took effect. Nothing is sent while there is one.
	flying, unsettled *attempt
	// barriers are numbers of barriers whose answer was lost since lease.last.
	barriers []int64
	// seen is what the row showed when it was read last, for a takeover.
	seen *lease

	deletes map[*deletion]struct{} // under way
	litter  []litter
	scans   []scan
}

func (x *Executor) shard(id int64) *shard {
	x.mu.Lock()
	defer x.mu.Unlock()
	s, ok := x.shards[id]
	if !ok {
		s = &shard{id: id, turn: make(chan struct{}, 1), deletes: make(map[*deletion]struct{})}
		x.shards[id] = s
	}
	return s
}

// take waits for the turn. Whoever does not get it before ctx is done has
// certainly written nothing.
func (s *shard) take(ctx context.Context, w *plan.Write) error {
	if ctx.Err() == nil {
		select {
		case s.turn <- struct{}{}:
			return nil
		case <-ctx.Done():
		}
	}
	kind := errs.Timeout
	if errors.Is(ctx.Err(), context.Canceled) {
		kind = errs.Canceled
	}
	return &errs.Error{
		Op: w.Name, Key: fmt.Sprintf("shard %d", s.id), Kind: kind, Outcome: errs.NotApplied,
		Err: fmt.Errorf("waiting for an earlier write of the shard: %w", ctx.Err()),
	}
}

func (s *shard) release() { <-s.turn }

func (s *shard) key() []any { return []any{s.id} }

// lost forgets the lease.
func (s *shard) lost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own, s.pending, s.unsettled, s.barriers, s.litter, s.scans = false, nil, nil, nil, nil, nil
}

// owned begins an own range whose first number is above last.
func (s *shard) owned(l lease, since moment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own, s.lease, s.next, s.confirmed = true, l, l.last+1, since
	s.pending, s.unsettled, s.barriers, s.seen = nil, nil, nil, nil
}

// create inserts the row of a new shard. Who inserts it makes its first range.
func (x *Executor) create(ctx context.Context, w *plan.Write) error {
	at := w.Lease()
	id, _ := w.Mutations[at].Key[0].(int64)
	s := x.shard(id)
	if err := s.take(ctx, w); err != nil {
		return err
	}
	defer s.release()
	since := x.now()
	if err := x.plain(ctx, w); err != nil {
		return err
	}
	for _, e := range w.Mutations[at].Effects {
		if rangeID, ok := e.Value.(int64); ok && e.Column == plan.ShardRangeID {
			s.owned(lease{rangeID: rangeID}, since)
		}
	}
	return nil
}

// plain sends a write that has no number.
func (x *Executor) plain(ctx context.Context, w *plan.Write) error {
	n, err := w.Numbered(0, 0)
	if err != nil {
		return &errs.Error{Op: w.Name, Kind: errs.Internal, Outcome: errs.NotApplied, Err: err}
	}
	if err := x.delete(ctx, w, n); err != nil {
		return named(err, w)
	}
	return nil
}

// named lets an error speak of the write that the caller knows.
func named(err error, w *plan.Write) error {
	var e *errs.Error
	var c *plan.Conflict
	if !errors.As(err, &e) || !errors.As(e.Err, &c) {
		return err
	}
	copied, cause := *e, *c
	cause.Write = w
	copied.Err = &cause
	return &copied
}

// timings of what is not bounded by the caller.
const (
	// settleFor is how long a write may be settled, whatever the caller's context.
	settleFor = 3 * time.Second
	// barrierFor is how long one barrier may take.
	barrierFor = time.Second
	// freshFor is how long an owner may store rows ahead without having seen that
	// it still holds the lease. It must be shorter than rangeRests by all that
	// such rows can be late: see there.
	freshFor = 5 * time.Minute
	// takeFor is how long a takeover may go on for a caller without a deadline.
	takeFor = 10 * time.Second
	// breath is the pause before something that failed at once is tried again.
	breath = 50 * time.Millisecond
)

// pause waits a little and tells whether ctx is still good.
func pause(ctx context.Context) bool {
	t := time.NewTimer(breath)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
