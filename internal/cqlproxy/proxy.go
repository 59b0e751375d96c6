// Package cqlproxy stands between a driver and its database, frame by frame, so
// that a test can hold one request, or the reply to it, for as long as it wants:
// also when whoever sent it is dead.
package cqlproxy

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// Proxy forwards connections, uncompressed ones of protocol version 4. It is safe
// for concurrent use.
type Proxy struct {
	listener net.Listener
	to       string

	mu   sync.Mutex
	at   int // request to hold, from 1 on; 0: none
	next *Held
}

// Held is a request, or the reply to one, on its way.
type Held struct {
	after      bool
	here, done chan struct{}
	end        func(dropped bool)
	ended      chan struct{}
	dropped    bool // set before ended is closed
}

// Here is closed when the proxy holds it.
func (h *Held) Here() <-chan struct{} { return h.here }

// Release lets it go on. Only the first of this and [Held.Drop] counts.
func (h *Held) Release() { h.end(false) }

// Drop loses it, and the driver's connection with it.
func (h *Held) Drop() { h.end(true) }

// Done is closed when the database has answered it, or can not any more.
func (h *Held) Done() <-chan struct{} { return h.done }

// opcodes of requests that do something, and the length of a frame's header
// (native_protocol_v4.spec, sections 2 and 4.1).
const (
	opQuery, opExecute, opBatch = 0x07, 0x0A, 0x0D
	headerSize                  = 9
)

// Start starts a proxy to a database's host:port.
func Start(ctx context.Context, to string) (*Proxy, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a driver: %w", err)
	}
	x := &Proxy{listener: l, to: to}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go x.serve(c)
		}
	}()
	return x, nil
}

// Port is where drivers connect to, on 127.0.0.1.
func (x *Proxy) Port() int {
	a, _ := x.listener.Addr().(*net.TCPAddr)
	return a.Port
}

// Close takes no more connections. Those that are open go on.
func (x *Proxy) Close() { x.listener.Close() }

// Hold has the at-th request from now on held before the database sees it, or, with
// after, when the database has answered it.
func (x *Proxy) Hold(at int, after bool) *Held {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.at = at
	h := &Held{after: after, here: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{})}
	var once sync.Once
	h.end = func(dropped bool) {
		once.Do(func() {
			h.dropped = dropped
			close(h.ended)
		})
	}
	x.next = h
	return h
}

// Pass lets everything pass that is not held yet.
func (x *Proxy) Pass() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.at = 0
}

// hit counts a request and tells whether it is the one.
func (x *Proxy) hit() *Held {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.at == 0 {
		return nil
	}
	if x.at--; x.at > 0 {
		return nil
	}
	return x.next
}

// waiting are the held requests of a connection that the database has not
// answered yet, by stream.
type waiting struct {
	mu sync.Mutex
	by map[uint16]*Held
}

func (w *waiting) put(stream uint16, h *Held) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.by[stream] = h
}

func (w *waiting) take(stream uint16) *Held {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.by[stream]
	delete(w.by, stream)
	return h
}

func (w *waiting) all() (list []*Held) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.by {
		list = append(list, h)
	}
	clear(w.by)
	return list
}

// serve forwards the frames of one connection. The database's side stays open
// until it has answered what was held, whatever becomes of the driver's.
func (x *Proxy) serve(driver net.Conn) {
	defer driver.Close()
	var d net.Dialer
	database, err := d.DialContext(context.Background(), "tcp", x.to)
	if err != nil {
		return
	}
	defer database.Close()
	w := &waiting{by: map[uint16]*Held{}}
	gone := make(chan struct{}) // no answer comes any more
	go func() {
		defer close(gone)
		defer driver.Close()
		x.answers(driver, database, w)
	}()
forward:
	for {
		frame, err := readFrame(driver)
		if err != nil {
			break
		}
		if op := frame[4]; op == opQuery || op == opExecute || op == opBatch {
			if h := x.hit(); h != nil {
				w.put(binary.BigEndian.Uint16(frame[2:]), h)
				if !h.after {
					close(h.here)
					if <-h.ended; h.dropped {
						driver.Close()
						database.Close()
						break forward
					}
				}
			}
		}
		if _, err := database.Write(frame); err != nil {
			break
		}
	}
	w.mu.Lock()
	open := len(w.by)
	w.mu.Unlock()
	if open == 0 {
		database.Close()
	}
	<-gone
}

// answers forwards what the database says until it says no more.
func (x *Proxy) answers(driver, database net.Conn, w *waiting) {
	for {
		frame, err := readFrame(database)
		if err != nil {
			for _, h := range w.all() {
				close(h.done)
			}
			return
		}
		h := w.take(binary.BigEndian.Uint16(frame[2:]))
		if h != nil && h.after {
			close(h.here)
			<-h.ended
		}
		if h != nil {
			close(h.done)
			if h.dropped {
				return
			}
		}
		if _, err := driver.Write(frame); err != nil && h != nil {
			return // it is dead, and what was waited for has come
		}
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	frame := make([]byte, headerSize, 4096)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(frame[5:]))
	frame = append(frame, make([]byte, n)...)
	_, err := io.ReadFull(r, frame[headerSize:])
	return frame, err
}
