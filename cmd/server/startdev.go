package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/temporal-ycql/temporal-ycql/core/devserver"
)

// errNoDatabaseFile answers who knows upstream's flag.
var errNoDatabaseFile = errors.New("--db-filename: data is kept in a directory here, on disk without being asked for: give --data-dir DIR, or --ephemeral to keep it in memory")

// startDevCommand is "start-dev": a whole development server in this process, until
// SIGINT or SIGTERM. Exit status: 0 stopped, 1 could not start or is misused.
func startDevCommand() *cli.Command {
	set := &settings{}
	return &cli.Command{
		Name: "start-dev", ArgsUsage: " ",
		Usage: "Start a development server: database and web UI inside, nothing to prepare",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "ip", Value: "127.0.0.1", Usage: "address to listen on"},
			&cli.IntFlag{Name: "port", Aliases: []string{"p"}, Value: devserver.DefaultPort, Usage: "port of the server"},
			&cli.IntFlag{Name: "http-port", Usage: "port of the HTTP API (default: a free one)"},
			&cli.IntFlag{Name: "metrics-port", Usage: "port of /metrics (default: a free one)"},
			&cli.StringFlag{Name: "ui-ip", Usage: "address of the UI (default: that of --ip)"},
			&cli.IntFlag{Name: "ui-port", Usage: "port of the UI (default: that of --port plus 1000)"},
			&cli.BoolFlag{Name: "headless", Usage: "no UI"},
			&cli.StringSliceFlag{Name: "namespace", Aliases: []string{"n"}, Usage: "make this namespace beside \"default\"; repeatable"},
			&cli.GenericFlag{Name: "search-attribute", Value: &list{}, Usage: "make this search attribute in all of these namespaces, `NAME=TYPE`; repeatable"},
			&cli.GenericFlag{Name: "dynamic-config-value", Value: &list{}, Usage: "a value of the dynamic configuration, `KEY=JSON`; repeatable"},
			&cli.StringFlag{Name: "log-level", Usage: "debug, info, warn, error or never (default: warn, and nothing while it stops)"},
			&cli.StringFlag{Name: "log-format", Value: "text", Usage: "text or json"},
			&cli.StringFlag{Name: "dialect", Usage: "whose CQL the embedded database speaks: ycql (YugabyteDB) or cassandra (default: " + devserver.DefaultDialect + ")"},
			&cli.StringFlag{Name: "data-dir", Usage: "`DIRECTORY` that keeps the data (default: the user's data directory)"},
			&cli.BoolFlag{Name: "ephemeral", Usage: "keep data in memory, until the server stops"},
			&cli.StringFlag{Name: "backend", Usage: "run on this database in place of the embedded one; its options are set by --set"},
			&cli.GenericFlag{Name: "set", Value: set, Usage: "set a value of the server's configuration, `PATH=VALUE`, e.g. backends.cassandra.hosts=db1; repeatable"},
			&cli.StringFlag{Name: "db-filename", Aliases: []string{"f"}, Hidden: true},
		},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return devFailed(fmt.Errorf(`%w (see "temporal-server start-dev --help")`, err))
		},
		Action: func(c *cli.Context) error {
			o, err := devOptions(c, set)
			if err != nil {
				return devFailed(err)
			}
			registry, err := collect()
			if err != nil {
				return devFailed(err)
			}
			signals := make(chan os.Signal, 2)
			signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
			defer signal.Stop(signals)
			if err := devserver.Run(o, registry, c.App.Writer, signals, abortBy(c)); err != nil {
				return devFailed(err)
			}
			return cli.Exit("Stopped.", 0)
		},
	}
}

// devFailed names the command once: faults of the configuration that its flags make
// up say already where they come from.
func devFailed(err error) error {
	const prefix = devserver.Command + ": "
	return cli.Exit(prefix+strings.TrimPrefix(err.Error(), prefix), 1)
}

func devOptions(c *cli.Context, set *settings) (devserver.Options, error) {
	var o devserver.Options
	if c.Args().Present() {
		return o, errors.New("unexpected argument " + c.Args().First() + ": all is said by flags")
	}
	for _, name := range []string{"config-file", "config", "env", "zone"} {
		if c.IsSet(name) {
			return o, errors.New("a configuration is chosen by --" + name + " or its variable, and start-dev has its own: use start, or set single values by --set")
		}
	}
	if c.IsSet("db-filename") {
		return o, errNoDatabaseFile
	}
	global, ok := c.Lineage()[1].Generic("set").(*settings)
	if !ok {
		return o, errors.New("the flags before the command are not those of this program")
	}
	return devserver.Options{
		IP: c.String("ip"), Port: c.Int("port"), HTTPPort: c.Int("http-port"), MetricsPort: c.Int("metrics-port"),
		Headless: c.Bool("headless"), UIIP: c.String("ui-ip"), UIPort: c.Int("ui-port"),
		Namespaces: c.StringSlice("namespace"), SearchAttributes: listOf(c, "search-attribute"),
		DynamicConfig: listOf(c, "dynamic-config-value"),
		LogLevel:      c.String("log-level"), LogFormat: c.String("log-format"),
		Backend: c.String("backend"), Dialect: c.String("dialect"),
		DataDir: c.String("data-dir"), Ephemeral: c.Bool("ephemeral"),
		Set: append(append([]string(nil), global.list...), set.list...),
	}, nil
}

// list collects a repeatable flag. It is no string slice because those are split
// at commas, which JSON holds.
type list struct{ values []string }

// Set implements cli.Generic.
func (l *list) Set(value string) error {
	l.values = append(l.values, value)
	return nil
}

// String implements cli.Generic.
func (l *list) String() string { return "" }

func listOf(c *cli.Context, name string) []string {
	l, ok := c.Generic(name).(*list)
	if !ok {
		return nil // the flag is not given
	}
	return l.values
}
