package main

import (
	"runtime/debug"

	"github.com/urfave/cli/v2"
	"go.temporal.io/server/common/headers"
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
			revision, modified := "unknown", ""
			for _, s := range info.Settings {
				switch {
				case s.Key == "vcs.revision":
					revision = s.Value
				case s.Key == "vcs.modified" && s.Value == "true":
					modified = " (modified)"
				}
			}
			printf(c.App.Writer, "%s %s, revision %s%s, %s\n", info.Main.Path, info.Main.Version, revision, modified, info.GoVersion)
			return nil
		},
	}
}
