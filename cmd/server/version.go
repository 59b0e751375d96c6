package main

import (
	"cmp"
	"runtime/debug"

	"github.com/urfave/cli/v2"
	"go.temporal.io/server/common/headers"

	"github.com/temporal-ycql/temporal-ycql/core/build"
)

// versionCommand is "version": the release of Temporal inside, and what this
// binary was built from.
func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "Show versions", ArgsUsage: " ",
		Action: func(c *cli.Context) error {
			printf(c.App.Writer, "Temporal server %s\n", headers.ServerVersion)
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return nil
			}
			revision, changed := build.Revision()
			modified := ""
			if changed {
				modified = " (modified)"
			}
			printf(c.App.Writer, "%s %s, revision %s%s, %s\n", info.Main.Path, info.Main.Version, cmp.Or(revision, "unknown"), modified, info.GoVersion)
			return nil
		},
	}
}
