package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/temporal-ycql/temporal-ycql/core/doctor"
)

// doctorCommand is "doctor": it examines the configured database. Exit status: 0
// good (warnings included), 1 problems, 2 the database cannot be reached or the
// command line or configuration is wrong.
func doctorCommand() *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "Examine the configured database: nodes, clocks, schema, abilities, times; exit status 0 good, 1 problems, 2 unreachable", ArgsUsage: " ",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print the report as JSON"},
			&cli.IntFlag{Name: "rounds", Value: 100, Usage: "how often each kind of write is timed; 0 writes nothing at all"},
		},
		Action: func(c *cli.Context) error {
			report, err := examine(c)
			if err != nil {
				return cli.Exit(err, 2)
			}
			if c.Bool("json") {
				encoder := json.NewEncoder(c.App.Writer)
				encoder.SetIndent("", "  ")
				err = encoder.Encode(report)
			} else {
				err = report.Write(c.App.Writer)
			}
			switch {
			case err != nil:
				return cli.Exit(fmt.Errorf("print the report: %w", err), 2)
			case !report.Reached && report.Worst() == doctor.Problem:
				return cli.Exit("", 2)
			case report.Worst() == doctor.Problem:
				return cli.Exit("", 1)
			}
			return nil
		},
	}
}

func examine(c *cli.Context) (*doctor.Report, error) {
	if c.Args().Len() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", c.Args().First())
	}
	if c.Int("rounds") < 0 {
		return nil, fmt.Errorf("--rounds %d: must not be negative", c.Int("rounds"))
	}
	cfg, err := configure(c)
	if err != nil {
		return nil, fmt.Errorf("Unable to load configuration: %w", err) //nolint:staticcheck // upstream's text
	}
	if cfg.loaded.Chosen == nil {
		return nil, noneChosen(cfg)
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return doctor.Run(ctx, doctor.Params{
		Backend: cfg.loaded.Chosen.Name, Opener: cfg.loaded.Chosen.Opener,
		Shards: cfg.loaded.Config.Persistence.NumHistoryShards, Rounds: c.Int("rounds"),
		Logger: slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: slog.LevelError})),
	})
}
