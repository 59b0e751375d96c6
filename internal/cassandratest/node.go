package cassandratest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

// startLimit is the time a node may take to answer. It takes 5 s on a free machine.
const startLimit = 10 * time.Minute

// Node is one running Cassandra. Its methods are not safe for concurrent use,
// except [Node.Addr], [Node.ClusterConfig] and [Node.LogTail].
type Node struct {
	// Host and Port are where the node speaks CQL.
	Host string
	Port int
	// User and Password are the superuser's, or empty without [WithPassword].
	User, Password string
	// TLS is nil without [WithTLS].
	TLS *TLS

	settings settings
	dist     distribution
	process  *childproc.Process // nil for a node that another process runs
	external bool
}

// Launch starts a node and returns when it answers. [Node.Stop] ends it. The error
// wraps [ErrNotInstalled] when the machine cannot run one.
func Launch(ctx context.Context, opts ...Option) (*Node, error) {
	s := settings{Host: "127.0.0.1", HeapMB: 512, Version: Version}
	for _, o := range opts {
		o(&s)
	}
	dist, err := findDistribution(ctx, s.Version)
	if err != nil {
		return nil, err
	}
	if s.Dir == "" {
		if s.Dir, err = os.MkdirTemp("", "temporal-ycql-cassandra-"); err != nil {
			return nil, fmt.Errorf("make Cassandra's directory: %w", err)
		}
	} else if s.Dir, err = filepath.Abs(s.Dir); err != nil {
		return nil, fmt.Errorf("find Cassandra's directory: %w", err)
	}
	n := &Node{settings: s, dist: dist}
	if err := n.launch(ctx); err != nil {
		err = fmt.Errorf("%w\n%s", err, n.LogTail(25))
		return nil, errors.Join(err, n.Stop())
	}
	return n, nil
}

// launch starts the JVM with the node's settings and waits for an answer.
func (n *Node) launch(ctx context.Context) error {
	s := &n.settings
	for _, dir := range []string{"tmp", "data"} {
		if err := os.MkdirAll(filepath.Join(s.Dir, dir), 0o755); err != nil {
			return fmt.Errorf("make Cassandra's directory: %w", err)
		}
	}
	if s.wantTLS != tlsOff && s.TLS == nil {
		var err error
		if s.TLS, err = newTLS(filepath.Join(s.Dir, "tls"), s.Host, s.wantTLS == tlsMutual); err != nil {
			return err
		}
	}
	if err := s.choosePorts(); err != nil {
		return err
	}
	if err := s.writeFiles(); err != nil {
		return err
	}
	n.Host, n.Port, n.TLS = s.Host, s.Port, s.TLS
	if s.Password {
		n.User, n.Password = SuperUser, SuperPassword
	}
	args, err := s.javaArgs(n.dist.jars)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(n.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open Cassandra's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(n.dist.java, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, log, log
	if n.process, err = childproc.Start(cmd); err != nil {
		return fmt.Errorf("start Cassandra: %w", err)
	}
	dir := ""
	if !s.keepDir {
		dir = s.Dir
	}
	if err := n.process.RemoveAfter(dir); err != nil {
		return err
	}
	return n.awaitAnswer(ctx)
}

// awaitAnswer returns when the node answers a query.
func (n *Node) awaitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := n.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for Cassandra at %s: %w (last answer: %w)", n.Addr(), ctx.Err(), err)
		case <-n.process.Done():
			return fmt.Errorf("start Cassandra: it ended (%w); its log is in %s", n.process.Wait(), n.logFile())
		case <-tick.C:
		}
	}
}

func (n *Node) ping(ctx context.Context) error {
	// A port that nobody listens on yet is told apart cheaply and without gocql's log.
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp", n.Addr())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	_ = conn.Close()
	session, err := n.ClusterConfig().CreateSession()
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	defer session.Close()
	var version string
	if err := session.Query(`SELECT release_version FROM system.local`).WithContext(ctx).Scan(&version); err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	return nil
}

// Addr is the node's host:port.
func (n *Node) Addr() string { return net.JoinHostPort(n.Host, strconv.Itoa(n.Port)) }

// ClusterConfig returns a new configuration of gocql's that reaches this node as
// its superuser: without a keyspace, without coalescing of writes, quiet.
func (n *Node) ClusterConfig() *gocql.ClusterConfig {
	c := gocql.NewCluster(n.Host)
	c.Port = n.Port
	c.ProtoVersion = 4
	c.Timeout, c.ConnectTimeout = time.Minute, time.Minute
	c.WriteCoalesceWaitTime = 0
	c.Consistency, c.SerialConsistency = gocql.LocalQuorum, gocql.LocalSerial
	c.DisableInitialHostLookup = true
	c.Logger = quiet{}
	if n.User != "" {
		c.Authenticator = gocql.PasswordAuthenticator{Username: n.User, Password: n.Password}
	}
	if n.TLS != nil {
		pool := x509.NewCertPool()
		pool.AddCert(n.TLS.ca)
		config := &tls.Config{RootCAs: pool, ServerName: ServerName}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(n.TLS.CertFile, n.TLS.KeyFile)
			return &pair, err
		}
		c.SslOpts = &gocql.SslOptions{Config: config, EnableHostVerification: true}
	}
	return c
}

// quiet drops gocql's log: a node that is starting makes it write a lot.
type quiet struct{}

func (quiet) Print(...any)          {}
func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

var errExternal = errors.New("this Cassandra was started by another process: use StartOwn")

// Kill ends the node at once, as a power cut would (kill -9). Nothing it holds in
// memory is saved; its directory stays for [Node.Restart].
func (n *Node) Kill() error {
	if n.external {
		return errExternal
	}
	if n.process == nil {
		return nil
	}
	if err := n.process.Kill(); err != nil {
		return fmt.Errorf("kill Cassandra: %w", err)
	}
	return nil
}

// Halt ends the node in order, which drains its log. Its directory stays for
// [Node.Restart].
func (n *Node) Halt() error {
	if n.external {
		return errExternal
	}
	if n.process == nil {
		return nil
	}
	if err := n.process.Stop(time.Minute); err != nil {
		return fmt.Errorf("stop Cassandra: %w", err)
	}
	return nil
}

// Restart ends the node if it runs and starts it again on the same data, at the
// same address unless opts say otherwise ([WithHost], [WithPort]).
func (n *Node) Restart(ctx context.Context, opts ...Option) error {
	if n.external {
		return errExternal
	}
	if err := n.Halt(); err != nil {
		return err
	}
	for _, o := range opts {
		o(&n.settings)
	}
	if err := n.launch(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, n.LogTail(25))
	}
	return nil
}

// Stop ends the node and removes its directory, unless the caller named that.
// Stopping twice is harmless.
func (n *Node) Stop() error {
	if n.external {
		return nil
	}
	// Without a directory to keep there is nothing to drain for.
	end := n.Kill
	if n.settings.keepDir {
		end = n.Halt
	}
	if err := end(); err != nil {
		return err
	}
	if n.settings.keepDir {
		return nil
	}
	if err := os.RemoveAll(n.settings.Dir); err != nil {
		return fmt.Errorf("remove Cassandra's directory: %w", err)
	}
	return nil
}

// Done is closed when the JVM ends, by itself or not. Nil for a shared node.
func (n *Node) Done() <-chan struct{} {
	if n.process == nil {
		return nil
	}
	return n.process.Done()
}

func (n *Node) logFile() string { return filepath.Join(n.settings.Dir, "cassandra.log") }

// LogTail returns the last lines of the node's log, or says why it cannot.
func (n *Node) LogTail(lines int) string {
	if n.external {
		return "(the log of Cassandra belongs to another process)"
	}
	text, err := os.ReadFile(n.logFile())
	if err != nil {
		return fmt.Sprintf("(no log of Cassandra: %v)", err)
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
