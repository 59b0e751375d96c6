// Package standalone puts the embedded engine together: store, engine, simulation if
// it is asked for, server and listeners. It is what "temporal-server cql" runs, and
// what a process uses that wants an engine inside.
package standalone

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/engine"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/pipe"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/systables"
)

// Options say what to run.
type Options struct {
	Dialect parse.Dialect
	// DataDir keeps the data; it is made if missing. Ephemeral keeps it in memory.
	// Exactly one of them is set.
	DataDir   string
	Ephemeral bool

	// Listen is a host and port to serve TCP on; empty for none. A host that is not a
	// loopback address needs TLS and a password.
	Listen string
	// Advertise is the address that the server gives as its own; clients route to it.
	// The default is that of Listen, or for all addresses the machine's first that is
	// not loopback.
	Advertise net.IP
	// TLSCert and TLSKey are PEM files; they are read again when they have changed.
	TLSCert, TLSKey string
	// User and PasswordFile, whose first line counts, make clients log in.
	User, PasswordFile string

	// Simulation wraps the engine in package sim if it is not nil.
	Simulation *sim.Options

	Storage storage.Options // further options of the store
	Server  server.Options  // limits; Personality, Authenticator and Logger are overwritten
	Log     *slog.Logger    // default slog.Default()
}

// DefaultAddress is where a node without a TCP listener says it is.
var DefaultAddress = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9042}

// Node is a running engine. It is safe for concurrent use.
type Node struct {
	engine *engine.Engine
	sim    *sim.Engine // nil without simulation
	server *server.Server
	addr   *net.TCPAddr // advertised
	tcp    net.Addr     // nil without TCP
	ctl    *control     // nil if ephemeral

	serving sync.WaitGroup
	once    sync.Once
	closed  error
}

// Start opens the data and serves it. When it returns, clients can connect.
func Start(o Options) (*Node, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	n := &Node{}
	err := n.start(o)
	if err != nil {
		return nil, errors.Join(err, n.Close(context.Background()))
	}
	return n, nil
}

func (n *Node) start(o Options) error {
	// Listen before the data is opened: a port that is taken should not cost a recovery.
	var l net.Listener
	n.addr = DefaultAddress
	if o.Listen != "" {
		var err error
		if l, err = o.listen(); err != nil {
			return err
		}
		defer func() {
			if l != nil {
				l.Close()
			}
		}()
		n.tcp = l.Addr()
		if n.addr, err = o.advertised(l.Addr()); err != nil {
			return err
		}
	}
	var err error
	n.engine, err = engine.Open(engine.Options{
		Dialect: o.Dialect, Dir: o.DataDir, Ephemeral: o.Ephemeral, Storage: o.Storage, Log: o.Log,
		Node: systables.Node{Address: n.addr.IP, Port: n.addr.Port},
	})
	if err != nil {
		return err
	}
	var run server.Engine = n.engine
	if o.Simulation != nil {
		if n.sim, err = sim.New(n.engine, o.Dialect, *o.Simulation); err != nil {
			return err
		}
		run = n.sim
	}
	so := o.Server
	so.Logger, so.Personality, so.Authenticator = o.Log, server.Cassandra, nil
	if o.Dialect == parse.YCQL {
		so.Personality = server.YCQL
	}
	if o.User != "" {
		if so.Authenticator, err = newPassword(o.User, o.PasswordFile); err != nil {
			return err
		}
	}
	if n.server, err = server.New(run, so); err != nil {
		return err
	}
	if !o.Ephemeral {
		if n.ctl, err = newControl(o.DataDir, n, o.Log); err != nil {
			return err
		}
	}
	if l != nil {
		n.serve(l, nil)
		l = nil
	}
	return nil
}

func (n *Node) serve(l net.Listener, counters *server.Counters) {
	n.serving.Go(func() { n.server.Serve(l, counters) }) //nolint:errcheck // it ends with Close, or with the listener
}

// Pipe gives a way in for drivers of this process: a listener whose DialContext
// connects to the node. What its connections cost is added to counters, if not nil.
func (n *Node) Pipe(counters *server.Counters) *pipe.Listener {
	l := pipe.Listen(n.addr)
	n.serve(l, counters)
	return l
}

// Addr is the address that the node gives as its own.
func (n *Node) Addr() *net.TCPAddr { return n.addr }

// TCPAddr is the address of the TCP listener, nil without one.
func (n *Node) TCPAddr() net.Addr { return n.tcp }

// Engine executes the statements.
func (n *Node) Engine() *engine.Engine { return n.engine }

// Server is the protocol's side.
func (n *Node) Server() *server.Server { return n.server }

// Simulation is nil if none was asked for.
func (n *Node) Simulation() *sim.Engine { return n.sim }

// Backup writes a consistent copy of the data to dir, which must not exist.
func (n *Node) Backup(dir string) error { return n.engine.Store().Checkpoint(dir) }

// Close lets requests that run finish until ctx is done, and closes everything.
// Calling it again gives the same answer.
func (n *Node) Close(ctx context.Context) error {
	n.once.Do(func() {
		var errs []error
		if n.ctl != nil {
			n.ctl.close()
		}
		if n.server != nil {
			errs = append(errs, n.server.Close(ctx))
		}
		n.serving.Wait()
		if n.sim != nil {
			n.sim.Close()
		}
		if n.engine != nil {
			errs = append(errs, n.engine.Close())
		}
		n.closed = errors.Join(errs...)
	})
	return n.closed
}

func (o Options) listen() (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for clients: %w", err)
	}
	if o.TLSCert == "" {
		return l, nil
	}
	cert, err := newCertificate(o.TLSCert, o.TLSKey)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return tls.NewListener(l, &tls.Config{GetCertificate: cert.get, MinVersion: tls.VersionTLS12}), nil
}

func (o Options) advertised(listening net.Addr) (*net.TCPAddr, error) {
	tcp, ok := listening.(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("listen for clients: %s is not a TCP address", listening)
	}
	addr := &net.TCPAddr{IP: tcp.IP, Port: tcp.Port}
	if o.Advertise != nil {
		addr.IP = o.Advertise
		return addr, nil
	}
	if !addr.IP.IsUnspecified() {
		return addr, nil
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("find an address to advertise: %w", err)
	}
	for _, a := range own {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			addr.IP = ip.IP
			return addr, nil
		}
	}
	return nil, errors.New("listening on all addresses, but the machine has none to give to clients: say which with --advertise")
}
