package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gocql/gocql"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/grpc"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

// Spec says what to run. Only Node is needed, and only by a launcher of servers on
// Cassandra.
type Spec struct {
	// Node is where the keyspace is.
	Node *cassandratest.Node
	// Keyspace is one that was prepared before, by whatever program. Empty makes a
	// new one, which [Server.Close] drops, unless After names one.
	Keyspace string
	// After is a server that has ended, whose keyspace and addresses this one takes
	// over. At other addresses it would look for the old ones for most of a minute: the
	// membership table still holds them.
	After *Server
	// Shards is the number of history shards; 0 means 4.
	Shards int
	// Visibility is a data store block. Nil means a SQLite file of this server's.
	Visibility map[string]any
	// Dynamic is laid over settings that keep tests from waiting, unless Unhurried.
	Dynamic Dynamic
	// Unhurried leaves out those settings: they cost writes, which a benchmark sees.
	Unhurried bool
	// Processes are the parts of the server. Nil means one process with all roles.
	Processes []Process
	// Metrics has every process show its metrics, see [Server.MetricsOf].
	Metrics bool
	// Dir keeps configuration and logs. Empty means a temporary directory.
	Dir string
}

// Process is one process of a server.
type Process struct {
	Host   string   // loopback address that is this process's alone
	Roles  []string // empty means all
	Binary string   // another build of the launcher's program; empty means that of the launcher
}

// Server is a Temporal server of one or several processes. Its methods are not
// safe for concurrent use, except [Server.Dial], [Server.Address] and [Server.Session].
type Server struct {
	Node     *cassandratest.Node
	Keyspace string

	launcher  Launcher
	spec      Spec
	ports     ports
	dir       string
	ownsDir   bool
	ownsSpace bool
	booted    bool                 // what the processes share exists
	running   []*childproc.Process // by process; nil when it does not run
}

// Limits of what ends in seconds on a free machine. They say nothing about speed: a
// server that hangs is found by them, and one that is slow is not.
const (
	startLimit = 5 * time.Minute
	stopLimit  = 3 * time.Minute
	limit      = 2 * time.Minute // of anything else
)

// Launch prepares a keyspace if none is named, starts all processes and returns
// when the server takes requests. [Server.Close] ends it.
func Launch(ctx context.Context, l Launcher, spec Spec) (*Server, error) {
	if spec.Shards == 0 {
		spec.Shards = 4
	}
	if len(spec.Processes) == 0 {
		spec.Processes = []Process{{Host: "127.0.0.1"}}
	}
	spec.Processes = slices.Clone(spec.Processes)
	s := &Server{
		Node: spec.Node, Keyspace: spec.Keyspace, launcher: l, spec: spec, dir: spec.Dir,
		running: make([]*childproc.Process, len(spec.Processes)),
	}
	var hosts []string
	for _, p := range spec.Processes {
		hosts = append(hosts, p.Host)
	}
	var err error
	if spec.After != nil {
		s.Keyspace, s.ports, s.booted = spec.After.Keyspace, spec.After.ports, true
	} else if s.ports, err = newPorts(hosts); err != nil {
		return nil, err
	}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "temporal-ycql-server-"); err != nil {
			return nil, fmt.Errorf("make a server's directory: %w", err)
		}
		s.ownsDir = true
	}
	if s.Keyspace == "" && !l.InProcess {
		s.Keyspace, s.ownsSpace = cassandratest.UniqueName(), l.Database == nil
		if err := l.Prepare(ctx, s); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Start starts the processes that do not run and waits until the server takes
// requests.
func (s *Server) Start(ctx context.Context) error {
	for i := range s.running {
		if err := s.StartProcess(i); err != nil {
			return err
		}
		if !s.booted && len(s.running) > 1 {
			// The first process ever makes what all share: cluster metadata, the system
			// namespace, a SQLite schema. Two that do it at once get in each other's way,
			// in stock Temporal as well.
			if err := s.awaitPort(ctx, i); err != nil {
				return err
			}
			s.booted = true
		}
	}
	return s.awaitReady(ctx)
}

// awaitPort returns when process i listens for its first role.
func (s *Server) awaitPort(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	p := s.spec.Processes[i]
	role := Frontend
	if len(p.Roles) > 0 {
		role = p.Roles[0]
	}
	dialer := net.Dialer{Timeout: time.Second}
	for {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(p.Host, strconv.Itoa(s.ports[role])))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the %s of %s: %w; its log ends with\n%s", role, s.launcher.Name, err, s.LogTail(i, 15))
		case <-s.running[i].Done():
			return fmt.Errorf("%s ended at start; its log ends with\n%s", s.launcher.Name, s.LogTail(i, 15))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// StartProcess starts process i unless it runs, and does not wait for it.
func (s *Server) StartProcess(i int) error {
	if s.running[i] != nil && s.running[i].Running() {
		return nil
	}
	args, err := s.args(i)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.logFile(i), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open a server's log: %w", err)
	}
	defer log.Close()
	binary := s.launcher.Binary
	if other := s.spec.Processes[i].Binary; other != "" {
		binary = other
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.Env = plainEnv()
	if s.running[i], err = childproc.Start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", s.launcher.Name, err)
	}
	return nil
}

// args writes what process i reads and returns its command line.
func (s *Server) args(i int) ([]string, error) {
	if s.launcher.Args != nil {
		return s.launcher.Args(s), s.writeDynamic()
	}
	config, err := s.configFile(i)
	args := []string{"--config-file", config, "start"}
	for _, role := range s.spec.Processes[i].Roles {
		args = append(args, "--service", role)
	}
	return args, err
}

// plainEnv is the environment without what configures a server.
func plainEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "TEMPORAL_") && !strings.HasPrefix(v, "TEMPORAL_YCQL_")
	})
}

// Replace names the build that process i runs when it is started again.
func (s *Server) Replace(i int, binary string) { s.spec.Processes[i].Binary = binary }

// Freeze stops process i in the middle of whatever it does (SIGSTOP), until [Server.Thaw].
func (s *Server) Freeze(i int) error { return s.running[i].Signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on (SIGCONT).
func (s *Server) Thaw(i int) error { return s.running[i].Signal(syscall.SIGCONT) }

// Kill ends the named processes at once (kill -9), all if none is named.
func (s *Server) Kill(processes ...int) error {
	return s.each(processes, (*childproc.Process).Kill)
}

// Stop ends the named processes in order (SIGTERM), all if none is named.
func (s *Server) Stop(processes ...int) error {
	return s.each(processes, func(p *childproc.Process) error {
		if err := p.Stop(stopLimit); err != nil {
			return err
		}
		if err := p.Wait(); err != nil {
			return fmt.Errorf("%s ended its work with %w", s.launcher.Name, err)
		}
		return nil
	})
}

func (s *Server) each(processes []int, end func(*childproc.Process) error) error {
	if len(processes) == 0 {
		for i := range s.running {
			processes = append(processes, i)
		}
	}
	var errs []error
	for _, i := range processes {
		if s.running[i] != nil {
			errs = append(errs, end(s.running[i]))
			s.running[i] = nil
		}
	}
	return errors.Join(errs...)
}

// Close kills what runs and removes what this server made: its directory and its
// keyspace, unless they were named in the [Spec]. Closing twice is harmless.
func (s *Server) Close() error {
	err := s.Kill()
	if s.ownsSpace {
		s.ownsSpace = false
		err = errors.Join(err, s.dropKeyspace())
	}
	if s.ownsDir {
		s.ownsDir = false
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

// dropKeyspace asks until the keyspace is dropped: a node that many suites share may
// take longer for it than a client waits for an answer.
func (s *Server) dropKeyspace() error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return Insist(ctx, func() error {
		session, err := s.Session()
		if err != nil {
			return err
		}
		defer session.Close()
		if err := session.Query("DROP KEYSPACE IF EXISTS " + s.Keyspace).Exec(); err != nil {
			return fmt.Errorf("drop keyspace %s: %w", s.Keyspace, err)
		}
		return nil
	})
}

// Session opens a session on the node, without a keyspace. The caller closes it.
func (s *Server) Session() (*gocql.Session, error) {
	session, err := s.Node.ClusterConfig().CreateSession()
	if err != nil {
		return nil, fmt.Errorf("open a session at %s: %w", s.Node.Addr(), err)
	}
	return session, nil
}

// Address is the frontend's host:port.
func (s *Server) Address() string {
	return net.JoinHostPort(s.frontendHost(), strconv.Itoa(s.ports[Frontend]))
}

// UI is the host:port of the web UI of [StartDev].
func (s *Server) UI() string { return s.at("ui") }

// Metrics is the host:port where [StartDev] serves /metrics.
func (s *Server) Metrics() string { return s.at("metrics") }

// MetricsOf is the host:port where process i serves /metrics, if the [Spec] asked
// for that.
func (s *Server) MetricsOf(i int) string {
	return net.JoinHostPort(s.spec.Processes[i].Host, strconv.Itoa(s.ports["metrics"]))
}

// HTTP is the host:port of the frontend's HTTP API.
func (s *Server) HTTP() string { return s.at("http") }

func (s *Server) at(name string) string {
	return net.JoinHostPort(s.frontendHost(), strconv.Itoa(s.ports[name]))
}

func (s *Server) frontendHost() string {
	for _, p := range s.spec.Processes {
		if len(p.Roles) == 0 || slices.Contains(p.Roles, Frontend) {
			return p.Host
		}
	}
	panic("harness: no process has the role frontend")
}

// Dial returns a client for namespace, which need not exist yet, whose connection
// has more options of gRPC. The caller closes it.
func (s *Server) Dial(namespace string, more ...grpc.DialOption) (client.Client, error) {
	c, err := client.NewLazyClient(client.Options{
		HostPort: s.Address(), Namespace: namespace, Logger: quiet{},
		// The client's own limit, five seconds for its first request, is one that a
		// machine exceeds that does much else.
		ConnectionOptions: client.ConnectionOptions{GetSystemInfoTimeout: limit, DialOptions: more},
	})
	if err != nil {
		return nil, fmt.Errorf("make a client of %s: %w", s.Address(), err)
	}
	return c, nil
}

// CPU returns the processor time that all running processes have used so far. It is
// known on Linux only.
func (s *Server) CPU() (time.Duration, error) { return sum(s, cpuOf) }

// Memory returns the resident memory of all running processes, in bytes. It is known
// on Linux only.
func (s *Server) Memory() (int64, error) { return sum(s, rssOf) }

// Files returns how many files all running processes have open. It is known on
// Linux only.
func (s *Server) Files() (int64, error) { return sum(s, filesOf) }

// sum adds what of says about each running process.
func sum[N ~int64](s *Server, of func(pid int) (N, error)) (N, error) {
	var total N
	for _, p := range s.running {
		if p == nil {
			continue
		}
		n, err := of(p.Pid())
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// ConfigFile is the path of the configuration of process i.
func (s *Server) ConfigFile(i int) string {
	return filepath.Join(s.dir, fmt.Sprintf("config-%d.yaml", i))
}

func (s *Server) logFile(i int) string {
	return filepath.Join(s.dir, fmt.Sprintf("server-%d.log", i))
}

// Log returns all that process i has written.
func (s *Server) Log(i int) string {
	text, err := os.ReadFile(s.logFile(i))
	if err != nil {
		return fmt.Sprintf("(no log of process %d: %v)", i, err)
	}
	return string(text)
}

// LogTail returns the last lines that process i has written.
func (s *Server) LogTail(i, lines int) string { return tail(s.Log(i), lines) }

// Quiet is a logger for clients whose errors the caller sees anyway.
func Quiet() sdklog.Logger { return quiet{} }

// quiet drops the log of a client, whose errors the caller sees anyway.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

var _ sdklog.Logger = quiet{}
