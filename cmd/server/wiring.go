package main

import (
	"github.com/urfave/cli/v2"
	"go.uber.org/dig"
	"go.uber.org/fx"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/config"
)

// backends are the databases of this binary.
var backends = fx.Options(
	backend.Module,
	cassandra.Module,
	embedded.Module,
	yugabyte.Module,
)

// configuration is what every command starts from.
type configuration struct {
	loaded   *config.Loaded
	registry *backend.Registry
}

// configure collects the backends and loads the configuration.
func configure(c *cli.Context) (configuration, error) {
	var out configuration
	src, err := source(c)
	if err != nil {
		return out, err
	}
	app := fx.New(fx.NopLogger, backends, fx.Supply(src), fx.Provide(config.Load),
		fx.Populate(&out.registry, &out.loaded))
	return out, dig.RootCause(app.Err())
}

// collect collects the backends alone.
func collect() (*backend.Registry, error) {
	var registry *backend.Registry
	app := fx.New(fx.NopLogger, backends, fx.Populate(&registry))
	return registry, dig.RootCause(app.Err())
}
