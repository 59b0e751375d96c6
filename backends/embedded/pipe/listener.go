package pipe

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// Listener hands the server's ends of connections to Accept. It is safe for
// concurrent use.
type Listener struct {
	addr  *net.TCPAddr
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
	ports atomic.Uint32
}

// Listen makes a listener. addr is what [Listener.Addr] and the connections show;
// nothing is bound to it. It should be the address that the server's system.local
// has, so that a driver finds its connection's host there.
func Listen(addr *net.TCPAddr) *Listener {
	return &Listener{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// Accept returns the next connection, or [net.ErrClosed] after Close.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.done: // not even one that is being dialed
		return nil, l.closed("accept")
	default:
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, l.closed("accept")
	}
}

// Close makes Accept and Dial fail; connections that exist stay.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is the address given to Listen.
func (l *Listener) Addr() net.Addr { return l.addr }

// Dial connects. It waits until the server accepts, ctx is done, or l is closed.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	// Ports that tell the connections of one listener apart in logs.
	from := &net.TCPAddr{IP: l.addr.IP, Port: 49152 + int(l.ports.Add(1)%16384)}
	client, server := New(from, l.addr)
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, l.closed("dial")
	case <-ctx.Done():
		return nil, fmt.Errorf("dial embedded server: %w", ctx.Err())
	}
}

// DialContext is Dial with the signature that drivers ask for (gocql.Dialer); it
// connects to l whatever the address.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	return l.Dial(ctx)
}

func (l *Listener) closed(op string) error {
	return &net.OpError{Op: op, Net: "pipe", Addr: l.addr, Err: net.ErrClosed}
}
