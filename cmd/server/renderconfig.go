package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// renderConfigCommand is "render-config": it prints the configuration that
// start would use, secrets masked, with the layer that each value came from.
func renderConfigCommand() *cli.Command {
	return &cli.Command{
		Name: "render-config", Usage: "Render server config template", ArgsUsage: " ",
		Action: func(c *cli.Context) error {
			cfg, err := configure(c)
			if err != nil {
				return cli.Exit(fmt.Errorf("Unable to load configuration: %w", err), 1) //nolint:staticcheck // upstream's text
			}
			printf(c.App.Writer, "%v\n", cfg.loaded.String())
			return nil
		},
	}
}
