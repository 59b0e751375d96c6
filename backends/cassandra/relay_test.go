package cassandra

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Opcodes of the native protocol, version 4.
const (
	opQuery   = 0x07
	opExecute = 0x0a
	opBatch   = 0x0d
)

// relay stands between a session and a node. It counts what is asked, and can keep
// requests from arriving. A session that has several of them for contact points, and
// is not to look for hosts, takes each for a host of its own.
type relay struct {
	listener net.Listener
	node     string

	mu       sync.Mutex
	open     int          // connections of clients
	requests map[byte]int // by opcode
	texts    []string     // of QUERY
	last     map[byte][]byte
	deaf     bool // EXECUTE and BATCH do not arrive
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

// newRelay relays from a port of host to the node at address.
func newRelay(t *testing.T, host, node string) *relay {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, node: node, requests: map[byte]int{}, last: map[byte][]byte{}, conns: map[net.Conn]bool{}}
	r.wg.Go(r.serve)
	t.Cleanup(r.close)
	return r
}

func (r *relay) addr() string { return r.listener.Addr().String() }

// close cuts all connections and takes no more. Closing twice is harmless.
func (r *relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	for c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *relay) serve() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		node, err := net.Dial("tcp", r.node)
		if err != nil {
			_ = client.Close()
			continue
		}
		r.mu.Lock()
		r.open++
		r.conns[client], r.conns[node] = true, true
		r.mu.Unlock()
		r.wg.Go(func() {
			_, _ = io.Copy(client, node)
			_ = client.Close()
		})
		r.wg.Go(func() {
			r.forward(node, client)
			_ = node.Close()
			r.mu.Lock()
			r.open--
			r.mu.Unlock()
		})
	}
}

// forward passes requests on, frame by frame.
func (r *relay) forward(node io.Writer, client io.Reader) {
	header := make([]byte, 9)
	for {
		if _, err := io.ReadFull(client, header); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(header[5:]))
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		if r.note(header[4], body) {
			continue
		}
		if _, err := node.Write(append(header[:9:9], body...)); err != nil {
			return
		}
	}
}

// note tells whether a request is swallowed.
func (r *relay) note(op byte, body []byte) (swallowed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests[op]++
	r.last[op] = body
	if op == opQuery {
		r.texts = append(r.texts, string(body[4:4+binary.BigEndian.Uint32(body)]))
	}
	return r.deaf && (op == opExecute || op == opBatch)
}

func (r *relay) setDeaf(deaf bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deaf = deaf
}

func (r *relay) count(op byte) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests[op]
}

func (r *relay) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

// asked tells whether a QUERY began with text.
func (r *relay) asked(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.texts {
		if strings.HasPrefix(t, text) {
			return true
		}
	}
	return false
}

// levels returns the consistency levels of the last EXECUTE: [short bytes] id,
// [short] consistency, ..., [short] serial consistency, [long] timestamp.
func (r *relay) levels(t *testing.T) (consistency, serial uint16) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	body := r.last[opExecute]
	if body == nil {
		t.Fatal("nothing was executed")
	}
	at := 2 + int(binary.BigEndian.Uint16(body))
	return binary.BigEndian.Uint16(body[at:]), binary.BigEndian.Uint16(body[len(body)-10:])
}
