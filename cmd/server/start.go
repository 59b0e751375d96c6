package main

import (
	"fmt"
	stdlog "log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
	"go.temporal.io/server/temporal"

	"github.com/temporal-ycql/temporal-ycql/core/server"
)

// startCommand is "start": it runs the roles of --service in this process until
// SIGINT or SIGTERM. Exit status: 0 stopped, 1 could not start.
func startCommand() *cli.Command {
	return &cli.Command{
		Name: "start", Usage: "Start Temporal server", ArgsUsage: " ",
		Flags: []cli.Flag{
			&cli.StringFlag{
				Name: "services", Aliases: []string{"s"}, Hidden: true,
				Usage: "comma separated list of services to start. Deprecated",
			},
			&cli.StringSliceFlag{
				Name: "service", Aliases: []string{"svc"}, Value: cli.NewStringSlice(temporal.DefaultServices...),
				Usage: "service(s) to start", EnvVars: []string{"TEMPORAL_SERVICES"},
			},
		},
		Before: func(c *cli.Context) error {
			if c.Args().Len() > 0 {
				return cli.Exit("ERROR: start command doesn't support arguments. Use --service flag instead.", 1)
			}
			if _, err := source(c); err != nil {
				return cli.Exit(err, 1)
			}
			return nil
		},
		Action: start,
	}
}

func start(c *cli.Context) error {
	services := c.StringSlice("service")
	if c.IsSet("services") {
		stdlog.Println("WARNING: --services flag is deprecated. Specify multiply --service flags instead.")
		services = strings.Split(c.String("services"), ",")
	}
	cfg, err := configure(c)
	if err != nil {
		return cli.Exit(fmt.Sprintf("Unable to load configuration: %v.", err), 1)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	err = server.Run(server.Params{
		Loaded: cfg.loaded, Registry: cfg.registry, Stores: server.MakeStores,
		Services: services, AllowNoAuth: c.Bool("allow-no-auth"),
	}, signals, abortBy(c))
	if err != nil {
		return cli.Exit(err, 1)
	}
	return cli.Exit("All services are stopped.", 0)
}

// abortBy ends the process on a second signal.
func abortBy(c *cli.Context) func(os.Signal) {
	return func(s os.Signal) {
		printf(c.App.ErrWriter, "Stopped at once by a second signal.\n")
		os.Exit(128 + int(s.(syscall.Signal))) //nolint:forcetypeassert // those that are asked for
	}
}
