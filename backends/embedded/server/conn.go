package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// readBuffer is what an idle connection holds for reading, in bytes. Larger bodies
// go past it.
const readBuffer = 4 << 10

// lingerTime is how long a connection is kept half open after its last answer, for
// the client to read it: closing at once with the client's data unread would throw
// the answer away.
const lingerTime = time.Second

type stage uint8

const (
	stageNew   stage = iota // STARTUP or OPTIONS may come
	stageLogin              // AUTH_RESPONSE must come
	stageReady
)

// conn is one connection. Fields without a comment belong to its reading goroutine.
type conn struct {
	server   *Server
	nc       net.Conn
	id       int64
	counters *Counters // safe for concurrent use
	out      output    // safe for concurrent use
	in       input

	ctx    context.Context // ends with the connection; read by all
	cancel context.CancelFunc

	stage        stage
	compressor   wire.Compressor // set before the first request runs
	v            atomic.Uint32   // protocol version of the first frame
	keyspace     atomic.Pointer[string]
	schemaEvents atomic.Bool
	draining     atomic.Bool

	mu     sync.Mutex // the following
	user   string
	driver string
	err    error // why the connection ended
}

func newConn(s *Server, nc net.Conn, id int64, group *Counters) *conn {
	c := &conn{server: s, nc: nc, id: id, counters: &Counters{parent: group}}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.out.c = c
	c.out.changed.L = &c.out.mu
	c.in = input{nc: nc, stall: s.opts.StallTimeout}
	c.keyspace.Store(new(string))
	return c
}

func (c *conn) version() wire.Version {
	if v := c.v.Load(); v != 0 {
		return wire.Version(v)
	}
	return wire.V4
}

func (c *conn) info() ConnInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ConnInfo{
		ID: c.id, Remote: c.nc.RemoteAddr().String(), User: c.user, Driver: c.driver,
		Version: c.version(), Keyspace: *c.keyspace.Load(), Counts: c.counters.Counts(),
	}
}

// fail ends the connection because of err; only the first err counts.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.cut()
}

// cut ends the connection at once. It never blocks: closing a TLS connection
// would wait for a last message to be sent, so the one below is closed.
func (c *conn) cut() {
	c.cancel()
	c.out.close()
	raw := c.nc
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	raw.Close()
}

// drain makes the reader stop after the request it is at.
func (c *conn) drain() {
	c.draining.Store(true)
	c.in.stop()
	c.out.mu.Lock()
	c.out.changed.Broadcast()
	c.out.mu.Unlock()
}

// run serves the connection until it ends.
func (c *conn) run() {
	defer c.cut()
	if t, ok := c.nc.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(c.ctx, c.server.opts.HandshakeTimeout)
		err := t.HandshakeContext(ctx)
		cancel()
		if err != nil {
			c.server.opts.Logger.Info("TLS handshake failed", "remote", c.nc.RemoteAddr(), "error", err)
			return
		}
	}
	if c.server.opts.Authenticator != nil {
		late := time.AfterFunc(c.server.opts.HandshakeTimeout, func() { c.fail(errors.New("no login in time")) })
		defer late.Stop()
		c.in.loginTimer = late
	}
	err := c.serve()
	switch {
	case c.draining.Load():
		if c.out.settle() {
			c.linger() // the last answers are still under way
		}
	case errors.Is(err, errRefused):
		c.out.settle()
		c.linger()
	}
	c.mu.Lock()
	if c.err != nil {
		err = c.err
	}
	c.mu.Unlock()
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || c.draining.Load():
	case errors.Is(err, wire.ErrVersion): // how drivers find the version out
		c.server.opts.Logger.Debug("connection ended", "remote", c.nc.RemoteAddr(), "error", err)
	default:
		c.server.opts.Logger.Info("connection ended", "remote", c.nc.RemoteAddr(), "error", err)
	}
}

// errRefused ends a connection whose client was told why.
var errRefused = errors.New("connection refused with an error")

// serve reads requests until there are no more.
func (c *conn) serve() error {
	br := bufio.NewReaderSize(&c.in, readBuffer)
	frames := wire.Reader{R: br, MaxFrame: c.server.opts.MaxFrame}
	for {
		if _, err := br.Peek(1); err != nil {
			return err
		}
		if c.draining.Load() {
			return nil
		}
		c.in.inFrame = true
		err := c.next(&frames, br)
		c.in.inFrame = false
		if err != nil {
			return err
		}
	}
}

// next reads one frame and answers it or sees to it that it is answered.
func (c *conn) next(frames *wire.Reader, br *bufio.Reader) error {
	if !c.out.acquire(c.server.opts.MaxStreams, c.server.opts.HighWater) {
		return net.ErrClosed
	}
	r := getRequest(c)
	h, body, err := frames.Next(r.frame)
	r.h = h
	if err != nil {
		err = c.badFrame(r, err, br)
		r.free()
		return err
	}
	r.frame = body
	c.counters.addIn(wire.HeaderSize + len(body))
	if c.v.CompareAndSwap(0, uint32(h.Version)); wire.Version(c.v.Load()) != h.Version {
		err := r.refuse(wire.Errorf(wire.CodeProtocolError,
			"Invalid message version. Got %d but previous messages on this connection had version %d", h.Version, c.v.Load()))
		r.free()
		return err
	}
	if err := r.open(); err != nil {
		err = r.refuse(err)
		r.free()
		return err // what follows would be read out of step, or is hostile
	}
	switch h.Op {
	case wire.OpQuery, wire.OpPrepare, wire.OpExecute, wire.OpBatch:
		if c.stage != stageReady {
			break
		}
		if !r.charge() {
			r.overloaded()
			r.free()
			return nil
		}
		c.server.stats.inFlight.Add(1)
		c.server.dispatch(r)
		return nil
	default: // no statement
	}
	err = c.control(r)
	r.free()
	return err
}

// badFrame tells the client what is wrong with a frame that was not read, if that
// is possible, and whether the connection can go on.
func (c *conn) badFrame(r *request, err error, br *bufio.Reader) error {
	switch {
	case errors.Is(err, wire.ErrVersion):
		asked := r.h.Version
		r.h.Version = wire.V4
		return errors.Join(r.refuse(wire.Errorf(wire.CodeProtocolError,
			"Invalid or unsupported protocol version (%d); the lowest supported version is 3 and the greatest is 4", asked)), wire.ErrVersion)
	case errors.Is(err, wire.ErrDirection):
		return r.refuse(wire.Errorf(wire.CodeProtocolError, "Invalid value for message direction, expected request but got response"))
	case errors.Is(err, wire.ErrTooLarge):
		// As Cassandra does it: the request is refused, the connection goes on.
		c.counters.addIn(wire.HeaderSize + int(r.h.Length))
		r.fail(wire.Errorf(wire.CodeInvalid, "Request is too big: length %d exceeds maximum allowed length %d.",
			r.h.Length, c.server.opts.MaxFrame))
		_, err := io.CopyN(io.Discard, br, int64(r.h.Length))
		return err
	case isTimeout(err) && !c.draining.Load():
		return errors.New("client stopped in the middle of a request")
	}
	return err
}

// linger closes the writing half and waits for the client to close, for a while.
func (c *conn) linger() {
	type closeWriter interface{ CloseWrite() error }
	if cw, ok := c.nc.(closeWriter); !ok || cw.CloseWrite() != nil {
		return
	}
	c.in.linger(lingerTime)
	io.Copy(io.Discard, c.nc) //nolint:errcheck // until it ends, however it ends
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// input is the reading half of a connection. While a frame is being read, each
// read has to bring something within stall; between frames there is no limit.
type input struct {
	nc         net.Conn
	stall      time.Duration
	inFrame    bool        // set by the reading goroutine
	loginTimer *time.Timer // to be stopped when login is complete

	mu      sync.Mutex
	limited bool // a deadline is set
	stopped bool
}

func (in *input) Read(b []byte) (int, error) {
	if err := in.setDeadline(); err != nil {
		return 0, err
	}
	return in.nc.Read(b)
}

func (in *input) setDeadline() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.stopped:
		return os.ErrDeadlineExceeded
	case in.inFrame:
		in.limited = true
		return in.nc.SetReadDeadline(time.Now().Add(in.stall))
	case in.limited:
		in.limited = false
		return in.nc.SetReadDeadline(time.Time{})
	}
	return nil
}

// stop makes a read that waits, and all that follow, fail.
func (in *input) stop() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stopped = true
	in.nc.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // the connection is gone then anyway
}

func (in *input) linger(d time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.nc.SetReadDeadline(time.Now().Add(d)) //nolint:errcheck // as above
}
