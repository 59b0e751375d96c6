package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/build"
	tconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/debug"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/temporal"
	"go.uber.org/fx"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/config"
)

// Params is what a server is made of.
type Params struct {
	// Loaded is the configuration.
	Loaded *config.Loaded
	// Registry holds the databases of this binary.
	Registry *backend.Registry
	// Stores makes Temporal's stores on one of them.
	Stores NewStores
	// Services are the roles of this process.
	Services []string
	// AllowNoAuth keeps quiet about a missing authorizer.
	AllowNoAuth bool
	// Logger replaces the one that the configuration describes.
	Logger log.Logger
	// Options are handed to temporal.NewServer after ours.
	Options []temporal.ServerOption
	// Beside is more of the outer application; nil for none. Its hooks start when
	// the server serves and stop before it does. It may ask for a log.Logger.
	Beside fx.Option

	broken func(error) // hears of a database of this process that does not go on
}

// stopTimeout is above what Temporal allows itself for draining a role (five
// minutes, temporal/server.go) times four roles.
const stopTimeout = 21 * time.Minute

// Module is the outer application of one server.
func Module(p Params) fx.Option {
	beside := p.Beside
	if beside == nil {
		beside = fx.Options()
	}
	return fx.Options(
		fx.NopLogger,
		fx.Supply(p),
		fx.Provide(newLogger, newAuthorization),
		fx.Invoke(register),
		beside, // after register: hooks run in the order in which they are appended
		fx.StartTimeout(startTimeout(p.Loaded.Config)),
		fx.StopTimeout(stopTimeout),
	)
}

// startTimeout leaves room for what Temporal may take: 30 s for the system
// namespace, twice the time to join the ring for the roles, two connections
// to the data store, and a schema.
func startTimeout(cfg *tconfig.Config) time.Duration {
	return 2*max(cfg.Global.Membership.MaxJoinDuration, 15*time.Second) + 30*time.Second + 4*openTimeout + schemaTimeout
}

func newLogger(p Params) log.Logger {
	logger := p.Logger
	if logger == nil {
		logger = log.NewZapLogger(log.BuildZapLogger(p.Loaded.Config.Log))
	}
	logger.Info("Build info.",
		tag.Time("git-time", build.InfoData.GitTime),
		tag.String("git-revision", build.InfoData.GitRevision),
		tag.Bool("git-modified", build.InfoData.GitModified),
		tag.String("go-arch", build.InfoData.GoArch),
		tag.String("go-os", build.InfoData.GoOs),
		tag.String("go-version", build.InfoData.GoVersion),
		tag.Bool("cgo-enabled", build.InfoData.CgoEnabled),
		tag.String("server-version", headers.ServerVersion),
		tag.Bool("debug-mode", debug.Enabled),
	)
	for _, warning := range p.Loaded.Warnings {
		logger.Warn("Configuration: " + warning)
	}
	return logger
}

// authorization holds what the configuration says about who may do what. Its
// errors have upstream's texts.
type authorizationParts struct {
	authorizer authorization.Authorizer
	claims     authorization.ClaimMapper
	audience   authorization.JWTAudienceMapper
}

func newAuthorization(p Params, logger log.Logger) (authorizationParts, error) {
	var a authorizationParts
	var err error
	cfg := &p.Loaded.Config.Global.Authorization
	if a.authorizer, err = authorization.GetAuthorizerFromConfig(cfg); err != nil {
		return a, fmt.Errorf("Unable to instantiate authorizer. Error: %w", err) //nolint:staticcheck // upstream's text
	}
	if authorization.IsNoopAuthorizer(a.authorizer) && !p.AllowNoAuth {
		logger.Warn("Not using any authorizer and flag `--allow-no-auth` not detected. " +
			"Future versions will require using the flag `--allow-no-auth` if you do not want to set an authorizer.")
	}
	if a.claims, err = authorization.GetClaimMapperFromConfig(cfg, logger); err != nil {
		return a, fmt.Errorf("Unable to instantiate claim mapper: %w.", err) //nolint:staticcheck // upstream's text
	}
	if a.audience, err = authorization.GetAudienceMapperFromConfig(cfg); err != nil {
		return a, fmt.Errorf("Unable to instantiate audience mapper: %w.", err) //nolint:staticcheck // upstream's text
	}
	return a, nil
}

// register makes the server when the application starts. Texts of errors begin
// as upstream's do.
func register(lc fx.Lifecycle, p Params, logger log.Logger, auth authorizationParts) {
	var server temporal.Server
	var release func() error
	lc.Append(fx.Hook{
		OnStart: func(ctx context.Context) (err error) {
			if release, err = holdDatabase(p, logger); err != nil {
				return fmt.Errorf("Unable to create server. Error: %w.", err) //nolint:staticcheck // upstream's text
			}
			defer func() {
				if err != nil {
					_ = release() // why the start ended says more
				}
			}()
			if err := checkDatabase(ctx, p, logger); err != nil {
				return fmt.Errorf("Unable to create server. Error: %w.", err) //nolint:staticcheck // upstream's text
			}
			s, err := newServer(serverOptions(p, logger, auth)...)
			if err != nil {
				return fmt.Errorf("Unable to create server. Error: %w.", rootCause(err)) //nolint:staticcheck // upstream's text
			}
			server = s
			if err := s.Start(); err != nil {
				return fmt.Errorf("Unable to start server. Error: %w", rootCause(err)) //nolint:staticcheck // upstream's text
			}
			return nil
		},
		OnStop: func(context.Context) error { return errors.Join(server.Stop(), release()) },
	})
}

// newServer is temporal.NewServer without the events of its fx graph. When that
// graph cannot be built, its own logger cannot be built either, and fx would
// print a hundred lines of them to standard error. The error says it all. The
// graphs of the roles log as ever.
func newServer(options ...temporal.ServerOption) (temporal.Server, error) {
	return temporal.NewServerFx(fx.Options(temporal.TopLevelModule, fx.NopLogger), options...)
}

func serverOptions(p Params, logger log.Logger, auth authorizationParts) []temporal.ServerOption {
	options := []temporal.ServerOption{
		temporal.ForServices(p.Services),
		temporal.WithConfig(p.Loaded.Config), // first: the mappers below read it
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(auth.authorizer),
		temporal.WithClaimMapper(func(*tconfig.Config) authorization.ClaimMapper { return auth.claims }),
		temporal.WithAudienceGetter(func(*tconfig.Config) authorization.JWTAudienceMapper { return auth.audience }),
		temporal.WithCustomDataStoreFactory(&stores{registry: p.Registry, make: p.Stores}),
	}
	return append(options, p.Options...)
}

// Run starts a server, waits for a signal and stops it. A database inside of the
// process that stops working for good ends it too, with an error. During the start a
// signal is kept until the start is done, for Temporal's start cannot be
// broken off; a second signal, at any time, calls abort at once.
func Run(p Params, signals <-chan os.Signal, abort func(os.Signal)) error {
	var logger log.Logger
	broken := make(chan error, 1)
	p.broken = func(err error) {
		select {
		case broken <- err:
		default: // one is enough
		}
	}
	app := fx.New(Module(p), fx.Populate(&logger))
	if err := app.Err(); err != nil {
		return rootCause(err)
	}
	first := make(chan os.Signal, 1)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case s := <-signals:
			first <- s
		case <-done:
			return
		}
		select {
		case s := <-signals:
			abort(s)
		case <-done:
		}
	}()

	ctx, cancel := context.WithTimeout(context.Background(), app.StartTimeout())
	defer cancel()
	if err := app.Start(ctx); err != nil {
		return rootCause(err)
	}
	var cause error
	select {
	case s := <-first:
		logger.Info("Received interrupt signal, stopping the server.", tag.Value(s))
	case cause = <-broken:
		cause = fmt.Errorf("The database has failed. Error: %w.", cause) //nolint:staticcheck // in the manner of upstream's texts
		logger.Error("The database has failed, stopping the server.", tag.Error(cause))
	}
	ctx, cancel = context.WithTimeout(context.Background(), app.StopTimeout())
	defer cancel()
	err := rootCause(app.Stop(ctx))
	if cause != nil {
		return cause // of which the other is a consequence
	}
	return err
}
