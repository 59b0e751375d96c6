package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/dialect/samples"
)

// explainCommand is "schema explain PLAN": it prints the CQL that the stores'
// calls become in the dialect of the configured database. It does not connect.
func explainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", ArgsUsage: "PLAN",
		Usage: "print the CQL of a plan: its name (execution-update-current), or part of the store calls that make it (UpdateWorkflowExecution); without a plan: list them",
		Action: func(c *cli.Context) error {
			all := samples.Samples()
			wanted := c.Args().First()
			if c.Args().Len() > 1 {
				return cli.Exit("explain takes one plan", 1)
			}
			if wanted == "" {
				for _, s := range all {
					printf(c.App.Writer, "%-34s %s\n", s.Name, s.Calls)
				}
				return nil
			}
			opener, err := chosen(c)
			if err != nil {
				return cli.Exit(err, 1)
			}
			d := opener.Dialect()
			all = samples.Of(d)
			shown := 0
			names := make([]string, 0, len(all))
			for _, s := range all {
				names = append(names, s.Name)
				if s.Name != wanted && !strings.Contains(strings.ToLower(s.Calls), strings.ToLower(wanted)) {
					continue
				}
				text, err := samples.CQL(d, s)
				if err != nil {
					return cli.Exit(fmt.Errorf("plan %s: %w", s.Name, err), 1)
				}
				printf(c.App.Writer, "-- %s: %s\n%s\n", s.Name, s.Calls, strings.TrimRight(text, "\n"))
				shown++
			}
			if shown > 0 {
				return nil
			}
			hint := "\"schema explain\" lists them"
			if near := backend.Nearest(wanted, names); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			return cli.Exit(fmt.Sprintf("no plan is named %q: %s", wanted, hint), 1)
		},
	}
}
