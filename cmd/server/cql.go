package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
)

// closeTime is how long requests may take to finish when the server stops.
const closeTime = 10 * time.Second

var cqlDialects = map[string]parse.Dialect{"cassandra": parse.Cassandra, "ycql": parse.YCQL}

var cqlDataDirFlag = &cli.StringFlag{Name: "data-dir", Usage: "directory that keeps the data", TakesFile: true}

// cqlCommand is "cql": the embedded CQL engine as a server of its own, for cqlsh and
// other tools, until SIGINT or SIGTERM; and its backups. Exit status: 0 stopped in
// order, 1 could not start or had to cut requests off.
func cqlCommand() *cli.Command {
	return &cli.Command{
		Name:  "cql",
		Usage: "serve CQL from the embedded engine: one machine, one process, no cluster",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dialect", Usage: "whose CQL to speak: cassandra or ycql"},
			cqlDataDirFlag,
			&cli.BoolFlag{Name: "ephemeral", Usage: "keep the data in memory, until the server stops"},
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:9042", Usage: "address to listen on; one that other machines reach needs TLS and a password"},
			&cli.StringFlag{Name: "advertise", Usage: "IP address that clients are told to connect to (default: the one listened on)"},
			&cli.StringFlag{Name: "tls-cert", Usage: "PEM file of the server's certificate", TakesFile: true},
			&cli.StringFlag{Name: "tls-key", Usage: "PEM file of its key", TakesFile: true},
			&cli.StringFlag{Name: "user", Usage: "user that clients log in as"},
			&cli.StringFlag{Name: "password-file", Usage: "file whose first line is that user's password", TakesFile: true},
			&cli.DurationFlag{Name: "simulate-round", Usage: "latency of a serial round, as on a cluster"},
			&cli.DurationFlag{Name: "simulate-commit", Usage: "latency of a transaction's commit, as on a cluster"},
			&cli.StringSliceFlag{Name: "simulate-fault", Usage: "`KIND:RATE[:TABLE]`, e.g. cut-after:0.01; may be repeated"},
			&cli.Uint64Flag{Name: "simulate-seed", Usage: "seed of the faults' chance"},
		},
		Action:      serveCQL,
		Subcommands: []*cli.Command{cqlBackupCommand(), cqlRestoreCommand(), cqlStatusCommand()},
	}
}

func serveCQL(c *cli.Context) error {
	o, err := cqlOptions(c)
	if err != nil {
		return cli.Exit(err, 1)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	n, err := standalone.Start(o)
	if err != nil {
		return cli.Exit(err, 1)
	}
	where := "in memory"
	if !o.Ephemeral {
		where = "in " + o.DataDir
	}
	fmt.Fprintf(c.App.Writer, "serving %s on %s, data %s\n", c.String("dialect"), n.TCPAddr(), where) //nolint:errcheck // for people
	<-signals
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	go func() { // asked twice: at once
		<-signals
		cancel()
	}()
	if err := n.Close(ctx); err != nil {
		return cli.Exit(err, 1)
	}
	return nil
}

func cqlOptions(c *cli.Context) (standalone.Options, error) {
	o := standalone.Options{
		DataDir: c.String("data-dir"), Ephemeral: c.Bool("ephemeral"), Listen: c.String("listen"),
		TLSCert: c.String("tls-cert"), TLSKey: c.String("tls-key"),
		User: c.String("user"), PasswordFile: c.String("password-file"),
		Log: slog.New(slog.NewTextHandler(c.App.ErrWriter, nil)),
	}
	var errs []error
	if c.Args().Present() {
		errs = append(errs, fmt.Errorf("cql takes no argument %q: its commands are backup, restore and status", c.Args().First()))
	}
	var ok bool
	if o.Dialect, ok = cqlDialects[c.String("dialect")]; !ok {
		errs = append(errs, fmt.Errorf("--dialect is %q: give cassandra or ycql", c.String("dialect")))
	}
	if o.Listen == "" {
		errs = append(errs, errors.New("--listen is empty: give host:port"))
	}
	if s := c.String("advertise"); s != "" {
		if o.Advertise = net.ParseIP(s); o.Advertise == nil {
			errs = append(errs, fmt.Errorf("--advertise is %q: give an IP address", s))
		}
	}
	var err error
	if o.Simulation, err = cqlSimulation(c); err != nil {
		errs = append(errs, err)
	}
	return o, errors.Join(errs...)
}

// cqlSimulation gives nil if none of its flags is set.
func cqlSimulation(c *cli.Context) (*sim.Options, error) {
	asked := false
	for _, name := range []string{"simulate-round", "simulate-commit", "simulate-fault", "simulate-seed"} {
		asked = asked || c.IsSet(name)
	}
	if !asked {
		return nil, nil //nolint:nilnil // no simulation is no error
	}
	o := &sim.Options{Round: c.Duration("simulate-round"), Commit: c.Duration("simulate-commit"), Seed: c.Uint64("simulate-seed")}
	for _, s := range c.StringSlice("simulate-fault") {
		f, err := parseFault(s)
		if err != nil {
			return nil, fmt.Errorf("--simulate-fault %s: %w", s, err)
		}
		o.Faults = append(o.Faults, f)
	}
	return o, nil
}

func parseFault(s string) (sim.Fault, error) {
	parts := strings.SplitN(s, ":", 3)
	if len(parts) < 2 {
		return sim.Fault{}, errors.New("give KIND:RATE or KIND:RATE:TABLE")
	}
	kind, err := sim.ParseKind(parts[0])
	if err != nil {
		return sim.Fault{}, err
	}
	rate, err := strconv.ParseFloat(parts[1], 64)
	if err != nil {
		return sim.Fault{}, fmt.Errorf("the rate is %q: give a number above 0 and at most 1", parts[1])
	}
	f := sim.Fault{Kind: kind, Rate: rate}
	if len(parts) == 3 {
		f.Table = parts[2]
	}
	return f, nil
}

// cqlBackupCommand is "cql backup DIR": a consistent copy, while the server runs or not.
func cqlBackupCommand() *cli.Command {
	return &cli.Command{
		Name: "backup", Usage: "copy a data directory, also while a server works on it", ArgsUsage: "DIR",
		Flags: []cli.Flag{cqlDataDirFlag},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 || c.String("data-dir") == "" {
				return cli.Exit("give the data directory with --data-dir and one new directory for the backup", 1)
			}
			if err := standalone.Backup(c.String("data-dir"), c.Args().First()); err != nil {
				return cli.Exit(err, 1)
			}
			return nil
		},
	}
}

// cqlRestoreCommand is "cql restore DIR": it makes a data directory from a backup.
func cqlRestoreCommand() *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "make a new data directory from a backup", ArgsUsage: "BACKUP",
		Flags: []cli.Flag{cqlDataDirFlag},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 || c.String("data-dir") == "" {
				return cli.Exit("give the backup, and with --data-dir a new data directory", 1)
			}
			if err := standalone.Restore(c.Args().First(), c.String("data-dir")); err != nil {
				return cli.Exit(err, 1)
			}
			return nil
		},
	}
}

// cqlStatusCommand is "cql status": the metrics of a running server as JSON.
func cqlStatusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show the metrics of the server that works on a data directory", ArgsUsage: " ",
		Flags: []cli.Flag{cqlDataDirFlag},
		Action: func(c *cli.Context) error {
			if c.NArg() != 0 || c.String("data-dir") == "" {
				return cli.Exit("give the data directory with --data-dir", 1)
			}
			st, err := standalone.Status(c.String("data-dir"))
			if err != nil {
				return cli.Exit(err, 1)
			}
			enc := json.NewEncoder(c.App.Writer)
			enc.SetIndent("", "  ")
			return enc.Encode(st)
		},
	}
}
