package owners_test

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands between an owner and its database. It can hold a request, or the
// reply to one, for as long as it is told to: also when whoever sent it is dead.
type proxy struct {
	listener net.Listener
	to       string

	mu   sync.Mutex
	at   int // request to hold, from 1 on; 0: none
	next *held
}

// held is a request, or the reply to one, on its way.
type held struct {
	after   bool
	held    chan struct{} // closed when it is held
	release chan struct{} // closed to let it go on
	done    chan struct{} // closed when the database has answered it
}

// opcodes of requests that do something, and the length of a frame's header
// (native_protocol_v4.spec, sections 2 and 4.1).
const (
	opQuery, opExecute, opBatch = 0x07, 0x0A, 0x0D
	headerSize                  = 9
)

func newProxy(t testing.TB, at place) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	x := &proxy{listener: l, to: net.JoinHostPort(at.Host, strconv.Itoa(at.Port))}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go x.serve(c)
		}
	}()
	t.Cleanup(func() { l.Close() })
	return x
}

func (x *proxy) port() int { return x.listener.Addr().(*net.TCPAddr).Port }

// hold has the at-th request from now on held before the database sees it, or, with
// after, when the database has answered it.
func (x *proxy) hold(at int, after bool) *held {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.at = at
	x.next = &held{after, make(chan struct{}), make(chan struct{}), make(chan struct{})}
	return x.next
}

// pass lets everything pass that is not held yet.
func (x *proxy) pass() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.at = 0
}

// hit counts a request and tells whether it is the one.
func (x *proxy) hit() *held {
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

// serve forwards the frames of one connection. The database's side stays open
// until nothing is held, whatever becomes of the owner's.
func (x *proxy) serve(owner net.Conn) {
	defer owner.Close()
	database, err := net.Dial("tcp", x.to)
	if err != nil {
		return
	}
	defer database.Close()
	var (
		mu      sync.Mutex
		waiting = map[uint16]*held{} // by stream
		replies sync.WaitGroup
	)
	replies.Go(func() {
		for {
			frame, err := readFrame(database)
			if err != nil {
				owner.Close()
				return
			}
			stream := binary.BigEndian.Uint16(frame[2:])
			mu.Lock()
			h := waiting[stream]
			delete(waiting, stream)
			mu.Unlock()
			if h != nil {
				if h.after {
					close(h.held)
					<-h.release
				}
				close(h.done)
			}
			_, _ = owner.Write(frame) // it may be dead
		}
	})
	for {
		frame, err := readFrame(owner)
		if err != nil {
			break
		}
		if op := frame[4]; op == opQuery || op == opExecute || op == opBatch {
			if h := x.hit(); h != nil {
				mu.Lock()
				waiting[binary.BigEndian.Uint16(frame[2:])] = h
				mu.Unlock()
				if !h.after {
					close(h.held)
					<-h.release
				}
			}
		}
		if _, err := database.Write(frame); err != nil {
			return
		}
	}
	mu.Lock()
	var open []*held
	for _, h := range waiting {
		open = append(open, h)
	}
	mu.Unlock()
	for _, h := range open {
		<-h.done
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
