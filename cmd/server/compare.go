package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/temporal-ycql/temporal-ycql/core/compare/command"
)

// compareCommand is "compare": it measures two databases side by side. Exit status:
// 0 it ran, 1 it ran and found regressions or different states, 2 it could not run.
func compareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "Compare two databases, ours or stock Temporal's, by store calls or whole servers; exit status 0 ran, 1 regressions or different states, 2 could not run",
		ArgsUsage: " ",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "a", Usage: "server configuration `FILE` of arm A"},
			&cli.StringFlag{Name: "b", Usage: "server configuration `FILE` of arm B"},
			&cli.StringFlag{Name: "plan", Usage: "plan `FILE`: what is measured, how long and how often (docs/compare-plan.md)"},
			&cli.StringFlag{Name: "out", Usage: "`DIR` for run and page; a run that was interrupted in it goes on"},
			&cli.BoolFlag{Name: "quick", Usage: "a short plan; without --a and --b the embedded engine against stock SQLite"},
			&cli.BoolFlag{Name: "aa", Usage: "compare A with itself: what is found is the instrument's noise"},
			&cli.BoolFlag{Name: "keep", Usage: "leave the databases that were made"},
			&cli.StringFlag{Name: "check", Usage: "baseline `FILE`, an earlier run.json: fail if a figure got worse"},
			&cli.StringFlag{Name: "max-regression", Value: "10%", Usage: "by how much a figure may be worse than the baseline's"},
		},
		Action: func(c *cli.Context) error {
			err := runCompare(c)
			switch {
			case errors.Is(err, command.ErrWorse):
				return cli.Exit(err, 1)
			case err != nil:
				return cli.Exit(err, 2)
			}
			return nil
		},
	}
}

func runCompare(c *cli.Context) error {
	if c.Args().Len() > 0 {
		return fmt.Errorf("unexpected argument %q", c.Args().First())
	}
	src, err := source(c)
	if err != nil {
		return err
	}
	if src.File+src.Dir != "" || len(src.Set) > 0 {
		return errors.New("compare takes the configurations of both arms from --a and --b: leave out --config-file, --config, --env, --zone and --set")
	}
	allowed, err := command.Share(c.String("max-regression"))
	if err != nil {
		return fmt.Errorf("--max-regression: %w", err)
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return command.Run(ctx, command.Request{
		A: c.String("a"), B: c.String("b"), Plan: c.String("plan"), Out: c.String("out"),
		Quick: c.Bool("quick"), Keep: c.Bool("keep"), Same: c.Bool("aa"),
		Check: c.String("check"), MaxRegression: allowed,
		Registry: collect, Stdout: c.App.Writer, Stderr: c.App.ErrWriter,
	})
}
