package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	tconfig "go.temporal.io/server/common/config"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

const (
	// namespace is where the workflows run.
	namespace = "compare"
	retention = 24 * time.Hour

	// What a busy machine needs is far more than the seconds that these take on a free one.
	startLimit = 5 * time.Minute
	setUpLimit = 30 * time.Second // of one attempt
	stopLimit  = 3 * time.Minute
	// logLines are how many lines of a dead server's log its error repeats.
	logLines = 8

	loopback = "127.0.0.1"
)

// Roles of a Temporal server.
var roles = []string{"frontend", "history", "matching", "worker"}

// ServerOptions say which server to run.
type ServerOptions struct {
	// Arm is what errors call it.
	Arm string
	// Binary is the program, with this repository's command line; empty means this
	// very program.
	Binary string
	// Source is the arm's configuration, led to a database of the run's own. Whatever
	// names addresses in it is replaced.
	Source   config.Source
	Registry func() (*backend.Registry, error)
	// Dir is a directory for log and files of this server alone, absolute.
	Dir string
	// Files is the size in bytes of the files of a database that is inside of the
	// server; false where it has none. Nil: unknown, or it is not inside.
	Files func() (int64, bool)
	// Databases are the processes of other programs that keep the data, all of them;
	// none: unknown, or there are none.
	Databases []int
	// Compactions counts those that a database of its own has ended; nil: unknown.
	Compactions func(context.Context) (int64, error)
	// Metrics has the server show its metrics.
	Metrics bool
	// Dynamic is a dynamic configuration that replaces the one that Source names, so
	// that both arms have the same; nil: none does.
	Dynamic map[string]any
}

// Server is a whole Temporal server in a child process. Its methods are safe for
// concurrent use, except Stop.
type Server struct {
	arm         string
	dir         string
	files       func() (int64, bool)
	frontend    string
	pprof       string
	child       *childproc.Process
	stopping    atomic.Bool
	databases   []int
	compactions func(context.Context) (int64, error)
	metrics     string // address of the page; empty: none is read
}

// DeadError says that a server ended by itself.
type DeadError struct {
	Arm string
	Err error  // how it ended; nil: with status 0
	Log string // its last lines
}

func (e *DeadError) Error() string {
	how := "status 0"
	if e.Err != nil {
		how = e.Err.Error()
	}
	return fmt.Sprintf("the server of arm %s ended by itself (%s); its log ends with: %s", e.Arm, how, e.Log)
}

func (e *DeadError) Unwrap() error { return e.Err }

// attempts is how often a server is started whose ports somebody else took between
// the look for free ones and its own turn.
const attempts = 3

// Start starts a server and returns when it takes requests for the namespace.
// [Server.Stop] ends it.
func Start(ctx context.Context, o ServerOptions) (*Server, error) {
	for attempt := 1; ; attempt++ {
		s, err := start(ctx, o)
		var dead *DeadError
		if err == nil || attempt == attempts || !errors.As(err, &dead) || !strings.Contains(dead.Log, syscall.EADDRINUSE.Error()) {
			return s, err
		}
	}
}

func start(ctx context.Context, o ServerOptions) (*Server, error) {
	s := &Server{arm: o.Arm, dir: o.Dir, files: o.Files, databases: o.Databases, compactions: o.Compactions}
	args, err := s.configure(o)
	if err != nil {
		return nil, fmt.Errorf("arm %s: %w", o.Arm, err)
	}
	if o.Binary == "" {
		if o.Binary, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("arm %s: find this program: %w", o.Arm, err)
		}
	}
	log, err := os.Create(s.logFile())
	if err != nil {
		return nil, fmt.Errorf("arm %s: open the server's log: %w", o.Arm, err)
	}
	defer log.Close()
	cmd := exec.Command(o.Binary, args...) //nolint:noctx // Stop ends it, in order
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, environment(o.Source)
	if s.child, err = childproc.Start(cmd); err != nil {
		return nil, fmt.Errorf("arm %s: %w", o.Arm, err)
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.child.Kill())
	}
	return s, nil
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "server.log") }

// environment is this process's without what would choose another configuration.
func environment(src config.Source) []string {
	chooses := []string{
		tconfig.EnvKeyRoot, tconfig.EnvKeyConfigDir, tconfig.EnvKeyEnvironment, tconfig.EnvKeyAvailabilityZone,
		tconfig.EnvKeyAvailabilityZoneTypo, tconfig.EnvKeyConfigFile, tconfig.EnvKeyAllowNoAuth, "TEMPORAL_SERVICES",
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(chooses, name) || src.Environ != nil && strings.HasPrefix(name, config.EnvPrefix)
	})
	for _, v := range src.Environ {
		if strings.HasPrefix(v, config.EnvPrefix) {
			env = append(env, v)
		}
	}
	return env
}

// configure returns the command line of the server, and notes where it will be.
func (s *Server) configure(o ServerOptions) ([]string, error) {
	src := o.Source
	registry, err := o.Registry()
	if err != nil {
		return nil, err
	}
	first, err := config.Load(src, registry)
	if err != nil {
		return nil, err
	}
	if err := check(first.Config); err != nil {
		return nil, err
	}
	moved, err := s.moved(first.Config, o)
	if err != nil {
		return nil, err
	}
	src.Set = append(slices.Clone(src.Set), moved...)
	if _, err := config.Load(src, registry); err != nil {
		return nil, fmt.Errorf("move the server to addresses of its own: %w", err)
	}
	args, err := s.choose(src)
	if err != nil {
		return nil, err
	}
	for _, set := range src.Set {
		args = append(args, "--set", set)
	}
	return append(args, "--allow-no-auth", "start"), nil
}

// choose are the flags that choose the first layer.
func (s *Server) choose(src config.Source) ([]string, error) {
	switch {
	case src.Given != nil:
		text, err := json.MarshalIndent(src.Given, "", "  ") // which is YAML
		if err != nil {
			return nil, fmt.Errorf("render the configuration: %w", err)
		}
		path := filepath.Join(s.dir, "config.yaml")
		return []string{"--config-file", path}, os.WriteFile(path, text, 0o600)
	case src.File != "":
		return []string{"--config-file", src.File}, nil
	case src.Dir != "":
		return []string{"--root", "/", "--config", src.Dir, "--env", src.Env, "--zone", src.Zone}, nil
	default:
		return nil, nil
	}
}

// check refuses what workers in this process could not talk to.
func check(cfg *tconfig.Config) error {
	if cfg.Global.TLS.Frontend.IsServerEnabled() || cfg.Global.TLS.Internode.IsServerEnabled() {
		return errors.New("global.tls: the cluster level talks to the server in plain text on loopback: leave TLS out of the configuration that is compared")
	}
	if cfg.Global.Authorization.Authorizer != "" {
		return errors.New("global.authorization: the cluster level has no token: leave the authorizer out of the configuration that is compared")
	}
	return nil
}

// moved are the settings that put the server where nobody else is.
func (s *Server) moved(cfg *tconfig.Config, o ServerOptions) ([]string, error) {
	set := []string{
		"global.membership.broadcastAddress=" + loopback,
		"global.pprof.host=" + loopback,
		"log.stdout=true",
		"log.outputFile=",
	}
	port := func() (int, error) { return childproc.FreePort(loopback) }
	put := func(path string) (int, error) {
		n, err := port()
		set = append(set, path+"="+strconv.Itoa(n))
		return n, err
	}
	var faults []error
	number := func(path string) int {
		n, err := put(path)
		faults = append(faults, err)
		return n
	}
	for _, role := range roles {
		at := "services." + role + ".rpc."
		n := number(at + "grpcPort")
		number(at + "membershipPort")
		set = append(set, at+"bindOnIP=", at+"bindOnLocalHost=true")
		if role == "frontend" {
			s.frontend = net.JoinHostPort(loopback, strconv.Itoa(n))
			number(at + "httpPort")
		}
	}
	s.pprof = net.JoinHostPort(loopback, strconv.Itoa(number("global.pprof.port")))
	m := cfg.Global.Metrics
	if o.Metrics && (m == nil || m.Statsd == nil) || m != nil && m.Prometheus != nil {
		n, err := port()
		faults = append(faults, err)
		address := net.JoinHostPort(loopback, strconv.Itoa(n))
		set = append(set, "global.metrics.prometheus.listenAddress="+address)
		if o.Metrics {
			path := "/metrics"
			if m != nil && m.Prometheus != nil && m.Prometheus.HandlerPath != "" {
				path = m.Prometheus.HandlerPath
			}
			s.metrics = "http://" + address + path
		}
	}
	set = append(set, "publicClient.hostPort="+s.frontend)
	if name := cfg.ClusterMetadata.CurrentClusterName; name != "" {
		set = append(set, "clusterMetadata.clusterInformation."+strings.ReplaceAll(name, ".", `\.`)+".rpcAddress="+s.frontend)
	}
	if o.Dynamic != nil {
		path := filepath.Join(s.dir, "dynamic.yaml")
		faults = append(faults, writeDynamic(path, o.Dynamic))
		set = append(set, "dynamicConfigClient.filepath="+path, "dynamicConfigClient.pollInterval=1m")
	}
	return set, errors.Join(faults...)
}

func writeDynamic(path string, values map[string]any) error {
	file := map[string]any{}
	for key, value := range values {
		file[key] = []any{map[string]any{"value": value}}
	}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("render the dynamic configuration: %w", err)
	}
	return os.WriteFile(path, text, 0o600)
}

// awaitReady makes the namespace and returns when all of the server knows it.
func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var last error
	for {
		if last = s.setUp(ctx); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server of arm %s is not ready within %s: %w; its log ends with: %s", s.arm, startLimit, last, tail(s.logFile(), logLines))
		case <-s.child.Done():
			return s.dead()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) dead() error {
	return &DeadError{s.arm, s.child.Wait(), tail(s.logFile(), logLines)}
}

// setUp makes the namespace, and asks history and visibility about it.
func (s *Server) setUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, setUpLimit)
	defer cancel()
	c, err := client.DialContext(ctx, client.Options{HostPort: s.frontend, Namespace: namespace, Logger: quiet{}})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	})
	var exists *serviceerror.NamespaceAlreadyExists
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	_, err = c.WorkflowService().DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: namespace},
	})
	var absent *serviceerror.NotFound
	if err != nil && !errors.As(err, &absent) {
		return err
	}
	_, err = c.WorkflowService().ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, PageSize: 1})
	return err
}

// guard returns a context that ends, with a [DeadError], when the server does.
func (s *Server) guard(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-s.child.Done():
			if !s.stopping.Load() {
				cancel(s.dead())
			}
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// Stop ends the server in order. One that has ended by itself is an error.
func (s *Server) Stop() error {
	if !s.child.Running() && !s.stopping.Load() {
		return s.dead()
	}
	s.stopping.Store(true)
	if err := s.child.Stop(stopLimit); err != nil {
		return fmt.Errorf("stop the server of arm %s: %w", s.arm, err)
	}
	if err := s.child.Wait(); err != nil {
		return fmt.Errorf("the server of arm %s did not stop in order: %w; its log ends with: %s", s.arm, err, tail(s.logFile(), logLines))
	}
	return nil
}

// Kill ends the server at once.
func (s *Server) Kill() error {
	s.stopping.Store(true)
	return s.child.Kill()
}

// Pid is the server's process id.
func (s *Server) Pid() int { return s.child.Pid() }

// usage is what server and database have used since they started. What cannot be
// read is nil.
type usage struct {
	serverCPU   time.Duration
	resident    int64 // bytes, now
	allocated   allocated
	databaseCPU *time.Duration
	disk        *int64 // bytes of the files that the server keeps itself
}

// usages reads what has been used until now, and this process's processor time.
func (s *Server) usages(ctx context.Context) (u usage, mine time.Duration, err error) {
	if u.serverCPU, err = cpuOf(s.child.Pid()); err != nil {
		return u, 0, err
	}
	if mine, err = cpuOf(os.Getpid()); err != nil {
		return u, 0, err
	}
	if u.resident, err = residentOf(s.child.Pid()); err != nil {
		return u, 0, err
	}
	if u.allocated, err = allocationsOf(ctx, s.pprof); err != nil {
		return u, 0, err
	}
	if len(s.databases) > 0 {
		var sum time.Duration
		for _, pid := range s.databases {
			cpu, err := cpuOfTree(pid)
			if err != nil {
				return u, 0, fmt.Errorf("the database of arm %s: %w", s.arm, err)
			}
			sum += cpu
		}
		u.databaseCPU = &sum
	}
	if s.files != nil {
		if size, ok := s.files(); ok {
			u.disk = &size
		}
	}
	return u, mine, nil
}

// quiet drops the SDK's log: what goes wrong is returned.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

var _ sdklog.Logger = quiet{}
