// Package pipe connects a driver with the embedded server inside one process: a
// [Listener] whose [Listener.Dial] gives buffered connections.
//
// Unlike [net.Pipe], a write does not wait for its reader, only for room, so that a
// request costs two wake-ups in place of four. What was written before a Close can
// still be read by the other side, as with TCP. A connection has no goroutine of
// its own.
package pipe

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Window is how many bytes a direction of a connection holds before a write waits.
const Window = 256 << 10

// buffer is one direction.
type buffer struct {
	mu       sync.Mutex
	readable sync.Cond // something to read, or never again, or the reader's deadline
	writable sync.Cond // room, or never again, or the writer's deadline

	data []byte // bytes from at are not read yet
	at   int

	ended   bool // the writer closed: EOF after data
	dropped bool // the reader closed: writes fail

	readBy, writeBy deadline
}

func newBuffer() *buffer {
	b := &buffer{}
	b.readable.L, b.writable.L = &b.mu, &b.mu
	return b
}

// deadline wakes a cond when its time has come. Guarded by the buffer's mutex.
type deadline struct {
	timer   *time.Timer
	expired bool
	epoch   int // tells an old timer's call from the present one's
}

func (d *deadline) set(mu *sync.Mutex, wake *sync.Cond, t time.Time) {
	mu.Lock()
	defer mu.Unlock()
	d.epoch++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.expired = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.expired = true
		wake.Broadcast()
		return
	}
	epoch := d.epoch
	d.timer = time.AfterFunc(wait, func() {
		mu.Lock()
		defer mu.Unlock()
		if d.epoch == epoch {
			d.expired = true
			wake.Broadcast()
		}
	})
}

// stop lets go of the timer. The caller holds the mutex.
func (d *deadline) stop() {
	d.epoch++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (b *buffer) read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		switch {
		case b.dropped:
			return 0, net.ErrClosed
		case b.readBy.expired:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case b.at < len(b.data):
			n := copy(p, b.data[b.at:])
			b.at += n
			if b.at == len(b.data) {
				b.at, b.data = 0, b.data[:0]
				if cap(b.data) > Window/4 { // an idle connection holds little
					b.data = nil
				}
			}
			b.writable.Signal()
			return n, nil
		case b.ended:
			return 0, io.EOF
		}
		b.readable.Wait()
	}
}

func (b *buffer) write(p []byte) (written int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		switch {
		case b.ended:
			return written, net.ErrClosed
		case b.dropped:
			return written, errBroken
		case b.writeBy.expired:
			return written, os.ErrDeadlineExceeded
		case len(p) == 0:
			return written, nil
		}
		if room := Window - (len(b.data) - b.at); room > 0 {
			n := min(room, len(p))
			b.append(p[:n])
			written += n
			p = p[n:]
			b.readable.Signal()
			continue
		}
		b.writable.Wait()
	}
}

func (b *buffer) append(p []byte) {
	if b.at > 0 && len(b.data)+len(p) > cap(b.data) {
		n := copy(b.data, b.data[b.at:])
		b.data, b.at = b.data[:n], 0
	}
	b.data = append(b.data, p...)
}

// end is the writer's close.
func (b *buffer) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.writeBy.stop()
	b.readable.Broadcast()
	b.writable.Broadcast()
}

// drop is the reader's close.
func (b *buffer) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped = true
	b.data, b.at = nil, 0
	b.readBy.stop()
	b.readable.Broadcast()
	b.writable.Broadcast()
}

// errBroken is what a write to a closed peer gives.
var errBroken = errors.New("pipe: the other side has closed")

// conn is one end of a connection.
type conn struct {
	in, out       *buffer
	local, remote net.Addr
}

// New returns the two ends of a connection. Their addresses are of type
// [*net.TCPAddr], since gocql's control connection takes that for granted.
func New(local, remote *net.TCPAddr) (client, server net.Conn) {
	up, down := newBuffer(), newBuffer()
	return &conn{in: down, out: up, local: local, remote: remote},
		&conn{in: up, out: down, local: remote, remote: local}
}

func (c *conn) Read(p []byte) (int, error) { n, err := c.in.read(p); return n, c.wrap("read", err) }

func (c *conn) Write(p []byte) (int, error) { n, err := c.out.write(p); return n, c.wrap("write", err) }

func (c *conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // io.Reader's contract is about the very value
		return err
	}
	return &net.OpError{Op: op, Net: "pipe", Source: c.local, Addr: c.remote, Err: err}
}

// Close closes both directions; the other side can still read what was written.
func (c *conn) Close() error {
	c.out.end()
	c.in.drop()
	return nil
}

// CloseWrite closes one direction: the other side reads EOF.
func (c *conn) CloseWrite() error {
	c.out.end()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.readBy.set(&c.in.mu, &c.in.readable, t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.writeBy.set(&c.out.mu, &c.out.writable, t)
	return nil
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
