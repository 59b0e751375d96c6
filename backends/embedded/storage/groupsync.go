package storage

import (
	"sync"
	"sync/atomic"
)

// groupSync makes commits durable in groups. A ticket is the number of a sync
// round; a round that begins after a commit was applied covers it.
type groupSync struct {
	sync func() error      // makes durable what is in the log
	fail func(error) error // told about the first error; returns what waiters get
	off  bool              // memory only: nothing to wait for

	started atomic.Uint64 // number of the newest round that has begun
	done    atomic.Uint64 // number of the newest round that has ended

	mu     sync.Mutex
	wanted uint64 // newest round somebody asked for
	wake   *sync.Cond
	ended  *sync.Cond
	err    error // once set, rounds no longer end
	closed bool
	exited chan struct{}
}

func newGroupSync(sync_ func() error, fail func(error) error, off bool) *groupSync {
	g := &groupSync{sync: sync_, fail: fail, off: off, exited: make(chan struct{})}
	g.wake, g.ended = sync.NewCond(&g.mu), sync.NewCond(&g.mu)
	if off {
		close(g.exited)
		return g
	}
	go g.run()
	return g
}

// join returns the number of a round that begins after this call.
func (g *groupSync) join() uint64 {
	if g.off {
		return 0
	}
	g.mu.Lock()
	n := g.started.Load() + 1
	if n > g.wanted {
		g.wanted = n
		g.wake.Signal()
	}
	g.mu.Unlock()
	return n
}

// wait returns when round n has ended.
func (g *groupSync) wait(n uint64) error {
	if n <= g.done.Load() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for n > g.done.Load() {
		if g.err != nil {
			return g.err
		}
		g.ended.Wait()
	}
	return nil
}

func (g *groupSync) run() {
	defer close(g.exited)
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		for g.wanted <= g.started.Load() && !g.closed {
			g.wake.Wait()
		}
		if g.wanted <= g.started.Load() {
			return // closed, and nothing is left to do
		}
		n := g.started.Add(1)
		g.mu.Unlock()
		err := g.sync()
		g.mu.Lock()
		if err != nil {
			g.err = g.fail(err)
			g.ended.Broadcast()
			return
		}
		g.done.Store(n)
		g.ended.Broadcast()
	}
}

// close ends the rounds that were asked for, then the goroutine. Nobody may
// join afterwards.
func (g *groupSync) close() error {
	g.mu.Lock()
	g.closed = true
	g.wake.Signal()
	g.mu.Unlock()
	<-g.exited
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// Ticket stands for commits that may not be on disk yet. The zero Ticket is
// for nothing and never waits.
type Ticket struct {
	g *groupSync
	n uint64
}

// Wait returns when everything the ticket stands for is on disk. An error means
// that the store can no longer write: the outcome of the commit is unknown.
func (t Ticket) Wait() error {
	if t.g == nil {
		return nil
	}
	return t.g.wait(t.n)
}
