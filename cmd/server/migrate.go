package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/core/migrate"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// migrateCommand is "migrate": it moves a deployment from the database of one
// configuration to that of another while the servers are stopped. Exit status: 0
// done, 1 not (of verify and explain: the sides differ), 2 it could not be begun.
func migrateCommand() *cli.Command {
	dryRun := &cli.BoolFlag{Name: "dry-run", Usage: "say what would be done and write nothing"}
	asJSON := &cli.BoolFlag{Name: "json", Usage: "print JSON"}
	fence := &cli.BoolFlag{Name: "fence", Usage: "lock all servers out of the source, whatever release they are, and prove that none is alive"}
	level := &cli.StringFlag{Name: "level", Value: "meaning", Usage: "how far to compare: counts, versions, content, meaning, stores"}
	accept := &cli.BoolFlag{Name: "accept-problems", Usage: "let problems that the source has in the same way not count"}
	hosts := &cli.DurationFlag{Name: "host-timeout", Value: 30 * time.Second, Usage: "how old a host's last heartbeat must be for it to count as stopped"}
	settle := &cli.DurationFlag{Name: "settle", Value: 5 * time.Second, Usage: "how long no shard may change before the servers count as stopped"}
	verb := func(name, usage string, do func(*cli.Context, *migrate.Migration) error, flags ...cli.Flag) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, ArgsUsage: " ", Flags: append(migrateFlags(), flags...), Action: withMigration(do)}
	}
	explain := verb("explain", "compare one unit record by record and field by field: shard/N, queue/NAMESPACE-ID/TYPE/NAME, userdata/NAMESPACE-ID, namespaces, cluster, messages, nexus",
		migrateExplain, &cli.BoolFlag{Name: "decoded", Usage: "show what blobs hold as JSON"},
		&cli.StringFlag{Name: "containing", Usage: "only the records that hold this `TEXT` (a workflow's id, say), also those that are the same on both sides"})
	explain.ArgsUsage = "UNIT"
	inner := *explain
	explain.SkipFlagParsing = true
	explain.Action = func(c *cli.Context) error { // the unit may come before the flags
		args := c.Args().Slice()
		if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			args = append(args[1:], args[0])
		}
		return inner.Run(c, append([]string{inner.Name}, args...)...)
	}
	explain.Flags = nil
	return &cli.Command{
		Name: "migrate", Usage: "Move a deployment from one database to another while its servers are stopped, with verification and a way back", ArgsUsage: " ",
		Subcommands: []*cli.Command{
			verb("assess", "read the source and say what a migration would take; changes nothing", migrateAssess, asJSON, hosts),
			verb("init", "make the target and the run table, and fence the source",
				func(c *cli.Context, m *migrate.Migration) error { return m.Init(c.Context) },
				append(replicationFlags(), fence, hosts, settle, dryRun)...),
			verb("copy", "copy the source, or what differs since the last copy; goes on where it was broken off",
				func(c *cli.Context, m *migrate.Migration) error { return m.Copy(c.Context) }, dryRun),
			verb("verify", "compare both sides; exit status 0 clean, 1 not, 2 unknown", migrateVerify, level, accept, asJSON, dryRun,
				&cli.BoolFlag{Name: "negative-control", Usage: "corrupt a scratch copy in each kind and field, and tell whether each is found"}),
			verb("switch", "hand ownership to the target, after a clean verify",
				func(c *cli.Context, m *migrate.Migration) error { return m.Switch(c.Context) }, dryRun),
			verb("rollback", "give the deployment back to the source, with what has changed since the switch",
				func(c *cli.Context, m *migrate.Migration) error { return m.Rollback(c.Context) }, hosts, settle, level, dryRun),
			verb("status", "show what the run table says", migrateStatus, asJSON),
			explain,
		},
	}
}

// migrateFlags are those of every verb.
func migrateFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "from", Required: true, TakesFile: true, Usage: "`FILE`: the server configuration of the source"},
		&cli.StringFlag{Name: "to", Required: true, TakesFile: true, Usage: "`FILE`: the server configuration of the target"},
		&cli.StringFlag{Name: "state", Value: "temporal-migration", Usage: "`DIR` for what the tool keeps on this machine"},
		&cli.StringFlag{Name: "control", TakesFile: true, Usage: "`FILE` with limits (YAML: source and target with rowsPerSecond, megabytesPerSecond, concurrency, p99Milliseconds) that is read again whenever it changes"},
		&cli.StringFlag{Name: "metrics-listen", Usage: "host:port on which Prometheus finds /metrics while the command runs"},
		&cli.BoolFlag{Name: "quiet", Usage: "print no progress"},
	}
	for _, side := range []string{"source", "target"} {
		flags = append(flags,
			&cli.Float64Flag{Name: side + "-rows-per-second", Usage: "limit of the " + side + "; 0: none"},
			&cli.Float64Flag{Name: side + "-megabytes-per-second", Usage: "limit of the " + side + "; 0: none"},
			&cli.IntFlag{Name: side + "-concurrency", Value: 8, Usage: "most requests for pages, or batches of records, that the " + side + " is sent at a time"},
			&cli.Float64Flag{Name: side + "-p99-milliseconds", Value: 250, Usage: "time of a request above which the " + side + " is sent fewer at a time"},
		)
	}
	return flags
}

func limits(c *cli.Context, side string) migrate.Limits {
	return migrate.Limits{
		RowsPerSecond: c.Float64(side + "-rows-per-second"), MegabytesPerSecond: c.Float64(side + "-megabytes-per-second"),
		Concurrency: c.Int(side + "-concurrency"), P99Milliseconds: c.Float64(side + "-p99-milliseconds"),
	}
}

// withMigration makes an action of what is done with two open sides.
func withMigration(do func(*cli.Context, *migrate.Migration) error) cli.ActionFunc {
	return func(c *cli.Context) (err error) {
		if c.Command.Name != "explain" && c.Args().Present() {
			return cli.Exit(fmt.Errorf("unexpected argument %q", c.Args().First()), 2)
		}
		if os.Getenv("GOMEMLIMIT") == "" {
			debug.SetMemoryLimit(migrateMemory)
		}
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(migrateGarbage)
		}
		o, err := migrateOptions(c)
		if err != nil {
			return cli.Exit(err, 2)
		}
		ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
		defer stop()
		c.Context = ctx
		if address := c.String("metrics-listen"); address != "" {
			end, err := serveMetrics(ctx, address, o)
			if err != nil {
				return cli.Exit(err, 2)
			}
			defer end()
		}
		m, err := migrate.Open(ctx, *o)
		if err != nil {
			return cli.Exit(oneLine(err), 2)
		}
		defer func() {
			if closing := m.Close(); closing != nil && err == nil {
				err = cli.Exit(closing, 1)
			}
		}()
		if err := do(c, m); err != nil {
			var exit cli.ExitCoder
			if errors.As(err, &exit) {
				return exit
			}
			return cli.Exit(oneLine(err), 1)
		}
		return nil
	}
}

// migrateMemory is what the commands' heap is held to. What they need does not grow
// with the data; what the collector leaves lying about would. Beside it there are
// about 116 MiB of program and up to 140 of an engine inside of the process, which
// the collector does not see: together less than 512.
const migrateMemory = 192 << 20

// migrateGarbage is how much garbage may lie about, in percent of what is needed,
// below that: the commands keep little and pass much on.
const migrateGarbage = 400

// oneLine puts several errors behind one another.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func migrateOptions(c *cli.Context) (*migrate.Options, error) {
	o := &migrate.Options{
		State: c.String("state"), Control: c.String("control"), DryRun: c.Bool("dry-run"), Out: c.App.Writer, Progress: c.App.ErrWriter,
		Limits: migrate.Control{Source: limits(c, "source"), Target: limits(c, "target")},
		Logger: slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: slog.LevelError})),
		Fence:  c.Bool("fence"), HostTimeout: c.Duration("host-timeout"), Settle: c.Duration("settle"), AcceptProblems: c.Bool("accept-problems"),
	}
	if c.Bool("quiet") {
		o.Progress = nil
	}
	var err error
	if c.IsSet("level") || c.Command.Name == "verify" {
		if o.Level, err = migrate.ParseLevel(c.String("level")); err != nil {
			return nil, fmt.Errorf("--level: %w", err)
		}
	}
	if c.Command.Name == "init" {
		if o.Replication, err = replication(c); err != nil {
			return nil, err
		}
	}
	registry, err := collect()
	if err != nil {
		return nil, err
	}
	for _, x := range []struct {
		flag string
		into *migrate.Deployment
	}{{"from", &o.From}, {"to", &o.To}} {
		file := c.String(x.flag)
		loaded, err := config.Load(config.Source{File: file}, registry)
		if err != nil {
			return nil, fmt.Errorf("load --%s %s: %w", x.flag, file, err)
		}
		if loaded.Chosen == nil {
			return nil, fmt.Errorf("load --%s %s: %w", x.flag, file, noneChosen(configuration{loaded, registry}))
		}
		*x.into = migrate.Deployment{
			File: file, Backend: loaded.Chosen.Name, Opener: loaded.Chosen.Opener,
			Shards: loaded.Config.Persistence.NumHistoryShards, Cluster: loaded.Config.ClusterMetadata.CurrentClusterName,
		}
	}
	return o, nil
}

// serveMetrics serves /metrics until end is called.
func serveMetrics(ctx context.Context, address string, o *migrate.Options) (end func(), err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	o.Metrics = migrate.NewMetrics()
	mux := http.NewServeMux()
	mux.Handle("/metrics", o.Metrics.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // until it is closed
	return func() { _ = server.Close() }, nil
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func migrateAssess(c *cli.Context, m *migrate.Migration) error {
	a, err := m.Assess(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, a)
	} else {
		printf(c.App.Writer, "%s", a.Text())
	}
	if err == nil && !a.Admissible() {
		return cli.Exit("", 1)
	}
	return err
}

func migrateVerify(c *cli.Context, m *migrate.Migration) error {
	if c.Bool("negative-control") {
		return negativeControl(c, m)
	}
	r, err := m.Verify(c.Context)
	switch {
	case err != nil:
		return cli.Exit(oneLine(err), 2)
	case r == nil: // a dry run
		return nil
	case c.Bool("json"):
		if err := printJSON(c.App.Writer, r); err != nil {
			return cli.Exit(err, 2)
		}
	default:
		printf(c.App.Writer, "%s", r.Text())
	}
	if !r.Clean {
		return cli.Exit("", 1)
	}
	if !c.Bool("json") {
		printf(c.App.Writer, "Next: temporal-server migrate switch --from %s --to %s\n", m.From.File, m.To.File)
	}
	return nil
}

func negativeControl(c *cli.Context, m *migrate.Migration) error {
	r, err := m.NegativeControl(c.Context)
	if err != nil {
		return cli.Exit(err, 2)
	}
	for _, missed := range r.Missed {
		printf(c.App.Writer, "not found: %s\n", missed)
	}
	printf(c.App.Writer, "%d corruptions of %d records of %d families: %d were found, %d were not.\n",
		r.Corruptions, r.Records, r.Families, r.Corruptions-len(r.Missed), len(r.Missed))
	if len(r.Missed) > 0 {
		return cli.Exit("", 1)
	}
	return nil
}

func migrateStatus(c *cli.Context, m *migrate.Migration) error {
	s, err := m.Status(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, s)
	}
	printf(c.App.Writer, "%s", s.Text())
	return nil
}

func migrateExplain(c *cli.Context, m *migrate.Migration) error {
	if c.Args().Len() != 1 {
		return cli.Exit("explain takes one unit, e.g. shard/1, before or after the flags", 2)
	}
	unit, err := records.ParseUnit(c.Args().First())
	if err != nil {
		return cli.Exit(err, 2)
	}
	same, err := m.Explain(c.Context, unit, c.Bool("decoded"), c.String("containing"))
	if err != nil {
		return cli.Exit(err, 2)
	}
	if !same {
		return cli.Exit("", 1)
	}
	return nil
}
