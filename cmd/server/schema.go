package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
)

// connectTimeout bounds how long a command waits for the database.
const connectTimeout = 12 * time.Second

// schemaCommand is "schema": it makes and changes the keyspace of the database
// that the configuration names, with the server's own options.
func schemaCommand() *cli.Command {
	dryRun := &cli.BoolFlag{Name: "dry-run", Usage: "print the CQL and change nothing"}
	return &cli.Command{
		Name: "schema", Usage: "Create, update and verify the keyspace of the configured database", ArgsUsage: " ",
		Subcommands: []*cli.Command{
			{
				Name: "create", Usage: "create the keyspace, if it does not exist", ArgsUsage: " ", Flags: append(replicationFlags(), dryRun),
				Action: withTool(func(c *cli.Context, t *schema.Tool) error {
					r, err := replication(c)
					if err != nil {
						return err
					}
					return t.Create(c.Context, r)
				}),
			},
			{
				Name: "update", Usage: "bring the keyspace to the version that this binary needs", ArgsUsage: " ", Flags: []cli.Flag{
					dryRun,
					&cli.DurationFlag{Name: "wait", Value: 10 * time.Minute, Usage: "how long the update may take, waiting for another one included"},
				},
				Action: withTool(func(c *cli.Context, t *schema.Tool) error {
					ctx, cancel := context.WithTimeout(c.Context, c.Duration("wait"))
					defer cancel()
					return t.Update(ctx)
				}),
			},
			verifyCommand(),
			{
				Name: "version", Usage: "show the version of the keyspace and the one that this binary needs", ArgsUsage: " ",
				Action: withTool(func(c *cli.Context, t *schema.Tool) error {
					v, err := schema.ReadVersion(c.Context, t.Admin, t.Keyspace)
					if err != nil {
						return err
					}
					printf(c.App.Writer, "%s (this binary needs %s)\n", v.Current, t.Set.Version)
					return nil
				}),
			},
			{
				Name: "drop", Usage: "drop the keyspace with all that is in it", ArgsUsage: " ", Flags: []cli.Flag{
					&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"},
					dryRun,
				},
				Action: withTool(func(c *cli.Context, t *schema.Tool) error {
					if !c.Bool("yes") && !t.DryRun && !confirmed(c, t.Keyspace) {
						return fmt.Errorf("keyspace %q was not dropped", t.Keyspace)
					}
					return t.Drop(c.Context)
				}),
			},
			explainCommand(),
		},
	}
}

// verifyCommand is "schema verify": it compares the keyspace with the schema
// this binary needs and changes nothing. Exit status: 0 same, 1 different, 2
// unknown.
func verifyCommand() *cli.Command {
	return &cli.Command{
		Name: "verify", Usage: "compare the keyspace with the schema that this binary needs; exit status 0 same, 1 different, 2 unknown", ArgsUsage: " ",
		Action: func(c *cli.Context) error {
			different := false
			err := runTool(c, func(c *cli.Context, t *schema.Tool) error {
				differences, err := t.Verify(c.Context)
				for _, d := range differences {
					printf(c.App.Writer, "%v\n", d)
				}
				different = len(differences) > 0
				return err
			})
			switch {
			case err != nil:
				return cli.Exit(err, 2)
			case different:
				return cli.Exit("", 1)
			default:
				return nil
			}
		},
	}
}

// makes are the commands that may make a database of this process.
var makes = map[string]bool{"create": true, "update": true}

// withTool makes an action of what is done with a keyspace. Exit status: 0
// done, 1 not.
func withTool(do func(*cli.Context, *schema.Tool) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := runTool(c, do); err != nil {
			return cli.Exit(err, 1)
		}
		return nil
	}
}

// runTool opens the configured database, without a keyspace, and does it. A
// signal ends the command's context, so that locks are given back.
func runTool(c *cli.Context, do func(*cli.Context, *schema.Tool) error) error {
	if c.Args().Len() > 0 {
		return fmt.Errorf("unexpected argument %q", c.Args().First())
	}
	opener, err := chosen(c)
	if err != nil {
		return err
	}
	set, err := schema.For(opener.Dialect().Name())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	c.Context = ctx
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	logger := slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: slog.LevelWarn}))
	env := backend.Env{Logger: logger, Application: "temporal-server/schema"}
	env.Existing = c.Bool("dry-run") || !makes[c.Command.Name]
	admin, err := opener.OpenAdmin(connecting, env)
	if err != nil {
		return err
	}
	defer func() { _ = admin.Close() }() // every statement has been answered
	return do(c, &schema.Tool{
		Admin: admin, Set: set, Keyspace: opener.Keyspace(), Out: c.App.Writer, DryRun: c.Bool("dry-run"),
		Prepare: schema.Preparing(opener, env, c.App.Writer),
	})
}

// chosen is the database of ours that the configuration names.
func chosen(c *cli.Context) (backend.Opener, error) {
	cfg, err := configure(c)
	if err != nil {
		return nil, fmt.Errorf("Unable to load configuration: %w", err) //nolint:staticcheck // upstream's text
	}
	if cfg.loaded.Chosen == nil {
		return nil, noneChosen(cfg)
	}
	return cfg.loaded.Chosen.Opener, nil
}

// noneChosen is the error of commands for a database of ours.
func noneChosen(cfg configuration) error {
	return fmt.Errorf("the default store of the configuration is a stock one, for which upstream's tools are made: choose one of %s, e.g. with --set backend=%s",
		strings.Join(cfg.registry.Names(), ", "), cfg.registry.Names()[0])
}

// replicationFlags say how the rows of a new keyspace are copied.
func replicationFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "replication-strategy", Usage: "`CLASS`: SimpleStrategy, or NetworkTopologyStrategy (the default where data centers are given)"},
		&cli.IntFlag{Name: "replication-factor", Aliases: []string{"rf"}, Value: 1, Usage: "copies of each row; 3 for production"},
		&cli.StringSliceFlag{Name: "datacenter", Aliases: []string{"dc"}, Usage: "`NAME[:COPIES]` of a data center, repeatable; without copies: --replication-factor"},
	}
}

// replication reads replicationFlags.
func replication(c *cli.Context) (schema.Replication, error) {
	r := schema.Replication{Strategy: c.String("replication-strategy")}
	factor := c.Int("replication-factor")
	if factor < 1 {
		return r, fmt.Errorf("--replication-factor %d: must be at least 1", factor)
	}
	if c.IsSet("replication-factor") {
		r.Factor = factor // nothing said is not 1: there are databases that must not be told
	}
	for _, given := range c.StringSlice("datacenter") {
		name, copies, found := strings.Cut(given, ":")
		n := factor
		if found {
			var err error
			if n, err = strconv.Atoi(copies); err != nil || n < 1 {
				return r, fmt.Errorf("--datacenter %q: write it as NAME:COPIES, with at least one copy", given)
			}
		}
		if name == "" {
			return r, fmt.Errorf("--datacenter %q: the name is missing", given)
		}
		if r.Datacenters == nil {
			r.Datacenters = map[string]int{}
		}
		if _, twice := r.Datacenters[name]; twice {
			return r, fmt.Errorf("--datacenter %q is given twice", name)
		}
		r.Datacenters[name] = n
	}
	return r, nil
}

// confirmed asks for the keyspace's name; anything else, also no input, is no.
func confirmed(c *cli.Context, keyspace string) bool {
	printf(c.App.Writer, "Everything in keyspace %s will be lost. Type its name to drop it: ", keyspace)
	answer, err := bufio.NewReader(c.App.Reader).ReadString('\n')
	return err == nil && strings.TrimSpace(answer) == keyspace
}
