package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// ErrClosed is returned by [Server.Serve] after Close.
var ErrClosed = errors.New("server is closed")

// Server serves any number of listeners. It is safe for concurrent use.
type Server struct {
	opts   Options
	engine Engine
	cache  *cache
	stats  stats

	// ctx ends when Close stops waiting for requests that run.
	ctx    context.Context
	cancel context.CancelFunc

	work   chan *request  // to idle workers
	idle   atomic.Int32   // workers that wait
	inWork sync.WaitGroup // requests that run
	staff  sync.WaitGroup // workers

	requestBytes atomic.Int64 // of requests that run or are being read
	unread       atomic.Int64 // bytes of answers that clients have not taken yet

	mu        sync.Mutex
	closed    bool
	closing   chan struct{}
	conns     map[*conn]struct{}
	listeners map[net.Listener]struct{}
	nextID    int64
	running   sync.WaitGroup // connections
}

// New makes a server. It serves nothing until Serve is called.
func New(engine Engine, opts Options) (*Server, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts: opts, engine: engine, cache: newCache(opts.PreparedCache),
		work: make(chan *request), closing: make(chan struct{}),
		conns: map[*conn]struct{}{}, listeners: map[net.Listener]struct{}{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Serve accepts connections until l or the server is closed, and then returns
// ErrClosed or the listener's error. It closes l. For TLS, l is a [tls.Listener].
// If counters is not nil, what the connections of this listener cost is added to
// it; otherwise only [Server.Stats] has it. Several listeners of one server may
// share counters, servers may not.
func (s *Server) Serve(l net.Listener, counters *Counters) error {
	defer l.Close()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.listeners[l] = struct{}{}
	group := &s.stats.Counters
	if counters != nil {
		if counters.parent == nil {
			counters.parent = group
		}
		group = counters
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.isClosed() {
				return ErrClosed
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of descriptors, most likely: connections that end will help.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.opts.Logger.Warn("accept failed, trying again", "error", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-s.closing:
			}
			continue
		}
		pause = 0
		s.start(nc, group)
	}
}

func (s *Server) isClosed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

func (s *Server) start(nc net.Conn, group *Counters) {
	s.mu.Lock()
	if s.closed || len(s.conns) >= s.opts.MaxConnections {
		full := !s.closed
		s.mu.Unlock()
		if full {
			s.stats.refused.Add(1)
			s.opts.Logger.Warn("connection refused: too many are open", "limit", s.opts.MaxConnections, "remote", nc.RemoteAddr())
		}
		nc.Close()
		return
	}
	s.nextID++
	c := newConn(s, nc, s.nextID, group)
	s.conns[c] = struct{}{}
	s.running.Add(1)
	s.mu.Unlock()
	s.stats.accepted.Add(1)
	go func() {
		defer s.running.Done()
		c.run()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
}

// Close stops accepting, lets requests that run finish and their answers be read,
// and closes all connections. When ctx is done first, the rest is cut off and its
// error returned; the requests' contexts end then. Close waits for all goroutines
// of the server in both cases. Calling it again is harmless.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.drain()
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		s.running.Wait()
		s.inWork.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("requests were cut off: %w", ctx.Err())
		s.cancel()
		s.mu.Lock()
		for c := range s.conns {
			c.cut()
		}
		s.mu.Unlock()
		<-done
	}
	s.cancel()
	s.staff.Wait()
	return err
}

// maxIdleWorkers bounds the goroutines that wait for work. Waiting ones are kept
// because their stacks have grown to what a statement needs.
var maxIdleWorkers = int32(16 * runtime.GOMAXPROCS(0))

// dispatch runs r on an idle worker, or on a new one.
func (s *Server) dispatch(r *request) {
	s.inWork.Add(1)
	select {
	case s.work <- r:
	default:
		s.staff.Add(1)
		go s.worker(r)
	}
}

func (s *Server) worker(r *request) {
	defer s.staff.Done()
	for {
		r.conn.handle(r)
		s.inWork.Done()
		if s.idle.Add(1) > maxIdleWorkers {
			s.idle.Add(-1)
			return
		}
		select {
		case r = <-s.work:
			s.idle.Add(-1)
		case <-s.ctx.Done():
			s.idle.Add(-1)
			return
		}
	}
}

// NotifySchema tells the registered clients of a schema change that no client
// made. Changes that a statement made are announced by the server itself.
func (s *Server) NotifySchema(change *wire.SchemaChange) { s.announce(change, nil) }

// announce pushes an event. Cassandra tells everybody who registered, YugabyteDB
// only the connection that made the change (ycql.md 3.3).
func (s *Server) announce(change *wire.SchemaChange, by *conn) {
	s.mu.Lock()
	var to []*conn
	if s.opts.Personality == YCQL && by != nil {
		to = []*conn{by}
	} else {
		for c := range s.conns {
			to = append(to, c)
		}
	}
	s.mu.Unlock()
	for _, c := range to {
		if c.schemaEvents.Load() && (c.version() >= wire.V4 || !isRoutine(change.Target)) {
			c.push(func(b []byte) []byte { return wire.AppendSchemaEvent(b, change) })
		}
	}
}

// isRoutine reports whether t exists for clients of version 4 only.
func isRoutine(t wire.ChangeTarget) bool {
	return t == wire.TargetFunction || t == wire.TargetAggregate
}
