package sim

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// lateWrite is a write that waits for its time.
type lateWrite struct{ now chan struct{} }

// later runs apply when [Options.LateAfter] has passed or ApplyLate says so, and
// returns the error that leaves the client without an answer.
func (e *Engine) later(apply func(ctx context.Context)) error {
	w := &lateWrite{now: make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return server.ErrNoAnswer
	}
	e.waiting[w] = struct{}{}
	e.late.Add(1)
	go func() {
		defer e.late.Done()
		var when <-chan time.Time
		if e.opts.LateAfter > 0 {
			t := time.NewTimer(e.opts.LateAfter)
			defer t.Stop()
			when = t.C
		}
		select {
		case <-when:
		case <-w.now:
		case <-e.ctx.Done():
			return
		}
		apply(e.ctx)
		e.mu.Lock()
		delete(e.waiting, w)
		e.mu.Unlock()
	}()
	return server.ErrNoAnswer
}

// LateWrites is the number of writes that met [Late] and are not applied yet.
func (e *Engine) LateWrites() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.waiting)
}

// ApplyLate applies all writes that met [Late] now, side by side. It returns at once:
// they are done when [Engine.LateWrites] is 0.
func (e *Engine) ApplyLate() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w := range e.waiting {
		select {
		case <-w.now:
		default:
			close(w.now)
		}
	}
}

// cloneParams copies what would be used again after the request.
func cloneParams(p *server.Params) *server.Params {
	c := *p
	c.Values = cloneValues(p.Values)
	c.PagingState = slices.Clone(p.PagingState)
	return &c
}

func cloneValues(list []wire.Value) []wire.Value {
	out := make([]wire.Value, len(list))
	for i, v := range list {
		out[i] = wire.Value{Data: slices.Clone(v.Data), Unset: v.Unset}
	}
	return out
}

// cloneBatch copies a batch whose member slice is its own already.
func cloneBatch(b *server.Batch) *server.Batch {
	c := *b
	for i := range c.Members {
		c.Members[i].Values = cloneValues(c.Members[i].Values)
	}
	return &c
}

// pinned is an earlier state, shared by the reads that show it.
type pinned struct {
	state   any
	at      time.Time
	release func()

	mu   sync.Mutex
	uses int
}

func (p *pinned) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.uses--; p.uses == 0 {
		p.release()
	}
}

// refreshPin takes a new state if there is none or it is too old. The caller holds e.mu.
func (e *Engine) refreshPin(now time.Time) {
	if e.closed || e.pin != nil && now.Sub(e.pin.at) < e.opts.MaxStaleness {
		return
	}
	if e.pin != nil {
		e.pin.drop()
	}
	state, release := e.inner.(server.Pinner).Pin()
	e.pin = &pinned{state: state, at: now, release: release, uses: 1}
}

// usePin returns the state for a stale read, to be dropped after it; nil after Close.
func (e *Engine) usePin() *pinned {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refreshPin(time.Now())
	if e.pin == nil {
		return nil
	}
	e.pin.mu.Lock()
	e.pin.uses++
	e.pin.mu.Unlock()
	return e.pin
}
