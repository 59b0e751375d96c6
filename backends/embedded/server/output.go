package server

import (
	"errors"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// chunk is how much is given to one write, so that a client that reads slowly but
// steadily is told from one that stands still. In bytes.
const chunk = 256 << 10

// keepBuffer bounds the buffers that are kept for reuse, in bytes.
const keepBuffer = 64 << 10

var errSlow = errors.New("client does not read its answers")

// output is the writing half of a connection. The first goroutine that has an
// answer writes it, and then whatever others left while it wrote.
type output struct {
	c *conn

	mu      sync.Mutex
	changed sync.Cond // unread, inFlight, writing or closed
	writing bool
	pending []byte // frames that wait for the goroutine that writes
	spare   []byte // an empty buffer to swap pending with
	unread  int    // bytes pending or being written
	running int    // requests of this connection that run
	closed  bool

	deadline time.Time // of writes, as last set
}

// acquire waits until another request may run and its answer has somewhere to go;
// it reports false if the connection was closed meanwhile.
func (o *output) acquire(maxRunning, highWater int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.closed && (o.running >= maxRunning || o.unread >= highWater) {
		o.changed.Wait()
	}
	if o.closed {
		return false
	}
	o.running++
	return true
}

// release ends what acquire began.
func (o *output) release() {
	o.mu.Lock()
	o.running--
	o.changed.Broadcast()
	o.mu.Unlock()
}

// settle waits until no request runs and everything is written, or the connection
// is closed. It tells whether it had to wait.
func (o *output) settle() (waited bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.closed && (o.running > 0 || o.writing) {
		waited = true
		o.changed.Wait()
	}
	return waited
}

// send queues frames, which it copies if it does not write them itself, and
// writes unless somebody else is at it. It blocks on a slow client only if it
// writes.
func (o *output) send(frames []byte) {
	if o.enqueue(frames, false) {
		o.flush(frames)
	}
}

// post is send for somebody who must not wait for this client.
func (o *output) post(frames []byte) {
	if o.enqueue(frames, true) {
		go o.flush(nil)
	}
}

// enqueue reports whether the caller is the one to flush; then frames are not
// queued unless copied is asked for.
func (o *output) enqueue(frames []byte, copied bool) (flush bool) {
	s := o.c.server
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return false
	}
	n := len(frames)
	if o.unread > 0 && (o.unread+n > s.opts.MaxUnread || s.unread.Load()+int64(n) > int64(s.opts.MaxUnreadSum)) {
		o.mu.Unlock()
		s.stats.slowClients.Add(1)
		o.c.fail(errSlow)
		return false
	}
	o.unread += n
	s.unread.Add(int64(n))
	flush = !o.writing
	o.writing = true
	if !flush || copied {
		o.pending = append(o.pending, frames...)
	}
	o.mu.Unlock()
	return flush
}

// flush writes first and then all that is pending. The caller owns o.writing.
func (o *output) flush(first []byte) {
	err := o.write(first)
	for {
		o.mu.Lock()
		buf := o.pending
		if err != nil || o.closed || len(buf) == 0 {
			o.writing = false
			o.changed.Broadcast()
			o.mu.Unlock()
			if err != nil {
				o.c.fail(err)
			}
			return
		}
		o.pending, o.spare = o.spare[:0], nil
		o.mu.Unlock()
		err = o.write(buf)
		if cap(buf) <= keepBuffer {
			o.mu.Lock()
			o.spare = buf[:0]
			o.mu.Unlock()
		}
	}
}

func (o *output) write(b []byte) error {
	s := o.c.server
	for len(b) > 0 {
		now := time.Now()
		// Setting a deadline costs about as much as a small write: not each time.
		if stall := s.opts.StallTimeout; o.deadline.Sub(now) < stall*3/4 {
			o.deadline = now.Add(stall)
			if err := o.c.nc.SetWriteDeadline(o.deadline); err != nil {
				return err
			}
		}
		n, err := o.c.nc.Write(b[:min(len(b), chunk)])
		o.c.counters.addOut(n)
		o.mu.Lock()
		if !o.closed {
			o.unread -= n
			s.unread.Add(int64(-n))
		}
		o.changed.Broadcast()
		o.mu.Unlock()
		if err != nil {
			if isTimeout(err) {
				s.stats.slowClients.Add(1)
				err = errSlow
			}
			return err
		}
		b = b[n:]
	}
	return nil
}

// close gives up what was not written. Nobody waits in here afterwards.
func (o *output) close() {
	o.mu.Lock()
	if !o.closed {
		o.closed = true
		o.c.server.unread.Add(int64(-o.unread))
		o.unread, o.pending, o.spare = 0, nil, nil
	}
	o.changed.Broadcast()
	o.mu.Unlock()
}

var frameBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// respond sends one frame whose body fill appends.
func (c *conn) respond(v wire.Version, stream int16, op wire.Opcode, warnings []string, fill func(b []byte) []byte) {
	p := frameBuffers.Get().(*[]byte)
	b, start := wire.BeginFrameWarned((*p)[:0], v, stream, op, warnings)
	if fill != nil {
		b = fill(b)
	}
	b = wire.EndFrame(b, start, c.compressor)
	c.out.send(b)
	putFrame(p, b)
}

func putFrame(p *[]byte, b []byte) {
	if cap(b) <= keepBuffer {
		*p = b[:0]
		frameBuffers.Put(p)
	}
}

// push sends an event; it does not wait for the client.
func (c *conn) push(fill func(b []byte) []byte) {
	v := c.version()
	b, start := wire.BeginFrame(nil, v, -1, wire.OpEvent)
	c.out.post(wire.EndFrame(fill(b), start, nil))
}
