package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	tconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	"go.uber.org/fx"
	"go.uber.org/zap"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/core/server"
	"github.com/temporal-ycql/temporal-ycql/core/visibility"
)

// Command is the name under which messages speak of this package.
const Command = "start-dev"

// Run runs a development server until a signal comes, see [server.Run]. When it is
// ready it prints where everything is to out. Errors are one line.
func Run(o Options, registry *backend.Registry, out io.Writer, signals <-chan os.Signal, abort func(os.Signal)) error {
	return oneLine(run(o, registry, out, signals, abort))
}

func run(o Options, registry *backend.Registry, out io.Writer, signals <-chan os.Signal, abort func(os.Signal)) error {
	if err := o.complete(); err != nil {
		return err
	}
	attributes, err := o.attributes()
	if err != nil {
		return err
	}
	flags, err := dynamicFlags(o.DynamicConfig)
	if err != nil {
		return err
	}
	loaded, err := o.load(registry)
	if err != nil {
		return err
	}
	d := &devServer{options: o, loaded: loaded, attributes: attributes, out: out}
	if err := d.check(); err != nil {
		return err
	}
	if !o.Ephemeral {
		if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
			return fmt.Errorf("make the data directory %s: %w: give a --data-dir that can be made and written, or --ephemeral", o.DataDir, bare(err))
		}
	}
	logger := d.logger()
	settings := &dynamic{flags: flags, defaults: defaults()}
	if c := loaded.Config.DynamicConfigClient; c != nil && c.Filepath != "" {
		done := make(chan any)
		defer close(done)
		if settings.file, err = dynamicconfig.NewFileBasedClient(c, logger, done); err != nil {
			return err
		}
	}
	visibility.Register()
	return server.Run(server.Params{
		Loaded: loaded, Registry: registry, Stores: server.MakeStores,
		Services: temporal.DefaultServices, AllowNoAuth: true, Logger: logger,
		Options: []temporal.ServerOption{
			temporal.WithStaticHosts(d.hosts()),
			temporal.WithDynamicConfigClient(settings),
		},
		Beside: fx.Invoke(d.beside),
	}, signals, abort)
}

// logger is what the configuration describes, without stacks: the interceptors that
// a request went through fill a screen and tell a user nothing.
func (d *devServer) logger() log.Logger {
	cfg := d.loaded.Config.Log
	level := zap.NewAtomicLevelAt(log.ParseZapLevel(cfg.Level))
	if d.options.quietStop {
		// Roles complain of each other's going. What goes wrong itself is returned.
		d.stopping = func() { level.SetLevel(max(level.Level(), zap.DPanicLevel)) }
	}
	return log.NewZapLogger(log.BuildZapLogger(cfg).WithOptions(zap.IncreaseLevel(level), zap.AddStacktrace(zap.DPanicLevel)))
}

// load makes the configuration of the options.
func (o *Options) load(registry *backend.Registry) (*config.Loaded, error) {
	layer, err := o.layer(freePort)
	if err != nil {
		return nil, err
	}
	return config.Load(config.Source{Given: layer, GivenBy: Command, Set: o.Set}, registry)
}

// devServer is what is known once the configuration is loaded.
type devServer struct {
	options    Options
	loaded     *config.Loaded
	attributes []attribute
	out        io.Writer
	stopping   func() // called before anything stops; may be nil
}

func (d *devServer) rpc(role primitives.ServiceName) tconfig.RPC {
	return d.loaded.Config.Services[string(role)].RPC
}

// frontend is where the frontend answers.
func (d *devServer) frontend() string {
	rpc := d.rpc(primitives.FrontendService)
	return hostPort(reachable(rpc.BindOnIP), rpc.GRPCPort)
}

// hosts are all members of the cluster: without a ring to join, a start costs no
// waiting and nobody else can join.
func (d *devServer) hosts() map[primitives.ServiceName]static.Hosts {
	hosts := map[primitives.ServiceName]static.Hosts{}
	for _, name := range temporal.DefaultServices {
		role := primitives.ServiceName(name)
		rpc := d.rpc(role)
		hosts[role] = static.SingleLocalHost(hostPort(reachable(rpc.BindOnIP), rpc.GRPCPort))
	}
	return hosts
}

// check refuses what the server would stumble over later.
func (d *devServer) check() error {
	cfg := d.loaded.Config
	if cfg.Global.TLS.Frontend.IsServerEnabled() {
		return errors.New("global.tls.frontend: the UI and the set-up of namespaces speak plain text: use start for a server with TLS")
	}
	rpc := d.rpc(primitives.FrontendService)
	all := []listener{{"the server", hostPort(rpc.BindOnIP, rpc.GRPCPort), "--port"}}
	if rpc.HTTPPort != 0 {
		all = append(all, listener{"the HTTP API", hostPort(rpc.BindOnIP, rpc.HTTPPort), "--http-port"})
	}
	if !d.options.Headless {
		all = append(all, listener{"the UI", hostPort(d.options.UIIP, d.options.UIPort), "--ui-port"})
	}
	if address := d.metrics(); address != "" {
		all = append(all, listener{"the metrics", address, "--metrics-port"})
	}
	return checkListeners(all)
}

// metrics is where metrics can be read; empty if nowhere.
func (d *devServer) metrics() string {
	if m := d.loaded.Config.Global.Metrics; m != nil && m.Prometheus != nil {
		return m.Prometheus.ListenAddress
	}
	return ""
}

// beside appends what runs beside the server.
func (d *devServer) beside(lc fx.Lifecycle) {
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		if err := setUp(ctx, d.frontend(), d.options.allNamespaces(), d.attributes); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
		return nil
	}))
	if !d.options.Headless {
		serveUI(lc, d.options.UIIP, d.options.UIPort, d.frontend())
	}
	lc.Append(fx.Hook{
		OnStart: func(context.Context) error { return banner(d.out, d.places()) },
		OnStop: func(context.Context) error { // the first to be called
			if d.stopping != nil {
				d.stopping()
			}
			return nil
		},
	})
}

// places says where everything is.
func (d *devServer) places() []place {
	rpc := d.rpc(primitives.FrontendService)
	out := []place{{"Server", friendly(hostPort(rpc.BindOnIP, rpc.GRPCPort))}}
	if !d.options.Headless {
		out = append(out, place{"UI", "http://" + friendly(hostPort(d.options.UIIP, d.options.UIPort))})
	}
	if d.options.HTTPPort != 0 { // else nobody asked for it
		out = append(out, place{"HTTP", "http://" + friendly(hostPort(rpc.BindOnIP, rpc.HTTPPort))})
	}
	if address := d.metrics(); address != "" {
		out = append(out, place{"Metrics", "http://" + friendly(address) + "/metrics"})
	}
	out = append(out, place{"Database", d.database()}, place{"Data", d.data()})
	return append(out, place{"Stop", "Ctrl-C, or SIGTERM"})
}

func (d *devServer) database() string {
	chosen := d.loaded.Chosen
	if chosen == nil {
		return "a store of stock Temporal"
	}
	if chosen.Name == Embedded {
		return "embedded, dialect " + chosen.Opener.Dialect().Name()
	}
	return chosen.Name + ", keyspace " + chosen.Opener.Keyspace()
}

func (d *devServer) data() string {
	switch {
	case d.options.Ephemeral:
		return "in memory, gone when the server stops"
	case d.options.Backend == Embedded:
		return d.options.DataDir
	default:
		return d.options.DataDir + " (visibility), all else in the database"
	}
}

// bare is an error of a file operation without its path, which the message has.
func bare(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// lineError keeps its cause for errors.As.
type lineError struct {
	text  string
	cause error
}

func (e *lineError) Error() string { return e.text }
func (e *lineError) Unwrap() error { return e.cause }

// oneLine writes an error of several lines, which several faults make, as one.
func oneLine(err error) error {
	if err == nil || !strings.Contains(err.Error(), "\n") {
		return err
	}
	return &lineError{strings.ReplaceAll(err.Error(), "\n", "; "), err}
}
