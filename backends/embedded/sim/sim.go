package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// Options say what to simulate.
type Options struct {
	// Round and Commit are the latencies of a serial round and of a commit.
	Round, Commit time.Duration
	// Faults are the rules at the start; see [Engine.SetFaults].
	Faults []Fault
	// Seed of the chance in rates and in what half of a batch is lost.
	Seed uint64
	// LateAfter is when a write that met [Late] is applied; default 1 s. Negative:
	// when [Engine.ApplyLate] is called.
	LateAfter time.Duration
	// MaxStaleness bounds the age of what [StaleRead] shows; default 10 s, which is
	// YugabyteDB's max_stale_read_bound_time_ms.
	MaxStaleness time.Duration
}

// Engine is a [server.Engine] with simulation. It is safe for concurrent use.
type Engine struct {
	inner   server.Engine
	dialect parse.Dialect
	opts    Options

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	late   sync.WaitGroup

	mu       sync.Mutex
	rand     *rand.Rand
	rules    []*rule
	injected [kinds]int
	waiting  map[*lateWrite]struct{}
	pin      *pinned
	closed   bool
}

type rule struct {
	Fault
	seen, hit int
}

// New wraps inner, an engine of personality d. Close must be called before inner
// is closed.
func New(inner server.Engine, d parse.Dialect, opts Options) (*Engine, error) {
	if opts.Round < 0 || opts.Commit < 0 || opts.MaxStaleness < 0 {
		return nil, errors.New("simulation: latencies and staleness must not be negative")
	}
	if opts.LateAfter == 0 {
		opts.LateAfter = time.Second
	}
	if opts.MaxStaleness == 0 {
		opts.MaxStaleness = 10 * time.Second
	}
	e := &Engine{
		inner: inner, dialect: d, opts: opts,
		rand:    rand.New(rand.NewPCG(opts.Seed, 0)), //nolint:gosec // a simulation is drawn again from its seed
		waiting: map[*lateWrite]struct{}{},
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if err := e.SetFaults(opts.Faults...); err != nil {
		return nil, err
	}
	return e, nil
}

// SetFaults replaces the rules. Rules start anew: nothing is skipped or used up yet.
func (e *Engine) SetFaults(faults ...Fault) error {
	var rules []*rule
	for _, f := range faults {
		if err := f.check(e.dialect); err != nil {
			return err
		}
		if _, ok := e.inner.(server.Pinner); f.Kind == StaleRead && !ok {
			return errors.New("fault stale-read: the engine cannot read earlier states")
		}
		rules = append(rules, &rule{Fault: f})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules = rules
	for _, r := range rules {
		if r.Kind == StaleRead {
			e.refreshPin(time.Now())
		}
	}
	return nil
}

// Injected tells how often each kind has happened.
func (e *Engine) Injected() map[Kind]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := map[Kind]int{}
	for k, n := range e.injected {
		if n > 0 {
			m[Kind(k)] = n
		}
	}
	return m
}

// Close applies nothing any more: late writes that still wait are dropped, those
// that run are waited for.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	if e.pin != nil {
		e.pin.drop()
		e.pin = nil
	}
	e.mu.Unlock()
	e.cancel()
	e.late.Wait()
}

// draw finds the fault that a request meets.
func (e *Engine) draw(s *shape) Kind {
	if !s.reads && !s.writes {
		return none
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.rules {
		if !r.Kind.fits(s) || r.Table != "" && !s.touches(r.Table) {
			continue
		}
		if r.seen++; r.seen <= r.Skip || r.Limit > 0 && r.hit >= r.Limit {
			continue
		}
		if r.Rate < 1 && e.rand.Float64() >= r.Rate {
			continue
		}
		r.hit++
		e.injected[r.Kind]++
		return r.Kind
	}
	return none
}

func (e *Engine) uuid() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	a, b := e.rand.Uint64(), e.rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

func (e *Engine) id() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return fmt.Sprintf("%016x%016x", e.rand.Uint64(), e.rand.Uint64())
}

// plan is what this package keeps in a prepared statement beside the engine's own.
type plan struct {
	inner *server.Prepared
	class class
}

// Prepare implements [server.Engine].
func (e *Engine) Prepare(ctx context.Context, keyspace, text string) (*server.Prepared, error) {
	inner, err := e.inner.Prepare(ctx, keyspace, text)
	if err != nil {
		return nil, err
	}
	outer := *inner
	inner.Keyspace, inner.Text, inner.ID = keyspace, text, server.StatementID(keyspace, text)
	outer.Plan = &plan{inner, classify(e.dialect, keyspace, text)}
	return &outer, nil
}

// Execute implements [server.Engine].
func (e *Engine) Execute(ctx context.Context, p *server.Prepared, params *server.Params) (*server.Result, error) {
	pl := p.Plan.(*plan)
	return e.single(ctx, pl.class, params, func(ctx context.Context, params *server.Params) (*server.Result, error) {
		return e.inner.Execute(ctx, pl.inner, params)
	})
}

// Query implements [server.Engine].
func (e *Engine) Query(ctx context.Context, keyspace, text string, params *server.Params) (*server.Result, error) {
	return e.single(ctx, classify(e.dialect, keyspace, text), params, func(ctx context.Context, params *server.Params) (*server.Result, error) {
		return e.inner.Query(ctx, keyspace, text, params)
	})
}

type runFunc func(ctx context.Context, params *server.Params) (*server.Result, error)

func (e *Engine) single(ctx context.Context, c class, params *server.Params, run runFunc) (*server.Result, error) {
	s := &shape{class: c, consistency: params.Consistency}
	s.stale = c.reads && params.Consistency == wire.One
	k := e.draw(s)
	switch k {
	case StaleRead:
		if p := e.usePin(); p != nil {
			defer p.drop()
			old := *params
			old.Pinned = p.state
			params = &old
		}
		k = none
	case Late:
		kept := cloneParams(params)
		return nil, e.later(func(ctx context.Context) { run(ctx, kept) }) //nolint:errcheck // nobody is there to be told
	default: // met below
	}
	return e.meet(ctx, k, s, func(ctx context.Context) (*server.Result, error) { return run(ctx, params) })
}

// Batch implements [server.Engine].
func (e *Engine) Batch(ctx context.Context, b *server.Batch) (*server.Result, error) {
	s := &shape{batch: true, consistency: b.Params.Consistency}
	inner := *b
	inner.Members = slices.Clone(b.Members)
	for i := range inner.Members {
		m := &inner.Members[i]
		var c class
		if m.Prepared != nil {
			pl := m.Prepared.Plan.(*plan)
			c, m.Prepared = pl.class, pl.inner
		} else {
			c = classify(e.dialect, b.Keyspace, m.Text)
		}
		s.writes, s.conditional = s.writes || c.writes, s.conditional || c.conditional
		s.tables = append(s.tables, c.tables...)
	}
	var parts []string
	if e.asksFor(HalfBatch) {
		parts = make([]string, len(inner.Members))
		for i := range inner.Members {
			parts[i] = e.partitionOf(ctx, b.Keyspace, &inner.Members[i])
		}
		s.partitions = len(slices.Compact(slices.Sorted(slices.Values(parts))))
	}
	k := e.draw(s)
	switch k {
	case HalfBatch:
		inner.Members = e.half(inner.Members, parts)
	case Late:
		kept := cloneBatch(&inner)
		return nil, e.later(func(ctx context.Context) { e.inner.Batch(ctx, kept) }) //nolint:errcheck // nobody is there to be told
	default: // met below
	}
	return e.meet(ctx, k, s, func(ctx context.Context) (*server.Result, error) { return e.inner.Batch(ctx, &inner) })
}

func (e *Engine) asksFor(k Kind) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.rules, func(r *rule) bool { return r.Kind == k })
}

// half keeps the members of some partitions, of at least one and not of all.
func (e *Engine) half(members []server.BatchMember, parts []string) []server.BatchMember {
	names := slices.Compact(slices.Sorted(slices.Values(parts)))
	e.mu.Lock()
	e.rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:1+e.rand.IntN(len(names)-1)]
	e.mu.Unlock()
	var kept []server.BatchMember
	for i, m := range members {
		if slices.Contains(names, parts[i]) {
			kept = append(kept, m)
		}
	}
	return kept
}

// meet runs a request that meets fault k.
func (e *Engine) meet(ctx context.Context, k Kind, s *shape, run func(ctx context.Context) (*server.Result, error)) (*server.Result, error) {
	switch k {
	case ConflictAborted, TimeoutBefore, LeaseBefore, Overloaded:
		return nil, e.answer(k, s)
	case CutBefore:
		return nil, server.ErrCut
	default: // met after the request ran
	}
	res, err := run(ctx)
	e.delay(ctx, res)
	switch {
	case err != nil || k == none:
		return res, err // what the request fails with of its own accord comes first
	case k == Rerun:
		res, err = run(ctx)
		e.delay(ctx, res)
		return res, err
	case k == CutAfter:
		return nil, server.ErrCut
	}
	return nil, e.answer(k, s)
}

// delay waits for what the statement would have cost.
func (e *Engine) delay(ctx context.Context, res *server.Result) {
	if res == nil {
		return
	}
	wait := time.Duration(res.Cost.Rounds)*e.opts.Round + time.Duration(res.Cost.Commits)*e.opts.Commit
	if wait <= 0 {
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-e.ctx.Done():
	}
}
