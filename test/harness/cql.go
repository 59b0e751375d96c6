package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

// CQL is this repository's embedded engine as a process of its own
// ("temporal-server cql"), which a server reaches over TCP as it does a cluster, and
// which can be killed without it. Its methods are not safe for concurrent use.
type CQL struct {
	// Dialect is "ycql" or "cassandra".
	Dialect string
	Host    string
	Port    int

	// User and Password are what clients log in with, if the engine asks for it.
	User, Password string

	binary  string
	dir     string
	flags   []string
	process *childproc.Process
}

// StartCQL starts the engine on the data in dir, which it makes if there is none, with
// more flags of "temporal-server cql".
func StartCQL(ctx context.Context, dialect, dir string, flags ...string) (*CQL, error) {
	binary, err := OwnServer(ctx)
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	d := &CQL{Dialect: dialect, Host: "127.0.0.1", Port: port, binary: binary, dir: dir, flags: flags}
	return d, d.Start(ctx)
}

// Addr is the engine's host:port.
func (d *CQL) Addr() string { return net.JoinHostPort(d.Host, strconv.Itoa(d.Port)) }

// Start starts the engine, unless it runs, and returns when it takes connections.
func (d *CQL) Start(ctx context.Context) error {
	if d.process != nil && d.process.Running() {
		return nil
	}
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the engine's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(d.binary, "cql", "--dialect", d.Dialect, "--data-dir", d.data(), "--listen", d.Addr())
	cmd.Args = append(cmd.Args, d.flags...)
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, plainEnv()
	if d.process, err = childproc.Start(cmd); err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	dialer := net.Dialer{Timeout: time.Second}
	for {
		conn, err := dialer.DialContext(ctx, "tcp", d.Addr())
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the engine: %w", err)
		case <-d.process.Done():
			text, err := os.ReadFile(d.logFile())
			return errors.Join(fmt.Errorf("the engine ended at start: %s", tail(string(text), 10)), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Kill ends the engine at once (kill -9). Its data stays.
func (d *CQL) Kill() error {
	if d.process == nil {
		return nil
	}
	return d.process.Kill()
}

// Stop ends the engine in order. Its data stays.
func (d *CQL) Stop() error {
	if d.process == nil {
		return nil
	}
	if err := d.process.Stop(stopLimit); err != nil {
		return err
	}
	return d.process.Wait()
}

// Memory returns the resident memory of the engine in bytes. It is known on Linux
// only.
func (d *CQL) Memory() (int64, error) { return rssOf(d.process.Pid()) }

// Files returns how many files the engine has open. It is known on Linux only.
func (d *CQL) Files() (int64, error) { return filesOf(d.process.Pid()) }

// Disk returns how many bytes the engine's data takes.
func (d *CQL) Disk() (int64, error) {
	var total int64
	err := filepath.WalkDir(d.data(), func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) { // files come and go
			return nil
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measure the engine's data: %w", err)
	}
	return total, nil
}

// Session opens a session for a look at the rows. The caller closes it.
func (d *CQL) Session() (*gocql.Session, error) {
	c := gocql.NewCluster(d.Host)
	c.Port, c.Timeout, c.ProtoVersion = d.Port, 30*time.Second, 4
	c.DisableInitialHostLookup, c.Logger = true, noLog{}
	session, err := c.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("open a session at %s: %w", d.Addr(), err)
	}
	return session, nil
}

func (d *CQL) data() string { return filepath.Join(d.dir, "data") }

// Log returns all that the engine has written.
func (d *CQL) Log() string {
	text, err := os.ReadFile(d.logFile())
	if err != nil {
		return fmt.Sprintf("(no log of the engine: %v)", err)
	}
	return string(text)
}

func (d *CQL) logFile() string { return filepath.Join(d.dir, "engine.log") }

// noLog drops the driver's log: what matters comes back as an error.
type noLog struct{}

func (noLog) Print(...any)          {}
func (noLog) Printf(string, ...any) {}
func (noLog) Println(...any)        {}

// Over is this repository's server on an engine that is a process of its own.
func Over(ctx context.Context, d *CQL) (Launcher, error) {
	binary, err := OwnServer(ctx)
	if err != nil {
		return Launcher{}, err
	}
	backend := "cassandra"
	if d.Dialect == "ycql" {
		backend = "yugabyte"
	}
	return Launcher{
		Name: "temporal-ycql over " + d.Dialect, Binary: binary, Database: d,
		Store: func(_ *cassandratest.Node, keyspace string) map[string]any {
			options := map[string]any{"hosts": d.Host, "port": d.Port, "keyspace": keyspace}
			if d.User != "" {
				options["user"], options["password"] = d.User, d.Password
			}
			return map[string]any{"customDatastore": map[string]any{"name": backend, "options": options}}
		},
		Prepare: prepareOwn,
	}, nil
}
