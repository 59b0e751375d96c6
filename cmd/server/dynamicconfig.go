package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"
	"go.temporal.io/server/common/dynamicconfig"
)

// validateDynamicConfigCommand is "validate-dynamic-config": it prints errors
// and warnings for each file. Exit status: 0 no errors, 1 some. Texts are
// upstream's.
func validateDynamicConfigCommand() *cli.Command {
	return &cli.Command{
		Name: "validate-dynamic-config", ArgsUsage: "<file> ...",
		Usage: "Validate a dynamic config file[s] with known keys and types",
		Action: func(c *cli.Context) error {
			total := 0
			for _, name := range c.Args().Slice() {
				content, err := os.ReadFile(name)
				if err != nil {
					return cli.Exit(err, 1)
				}
				result := dynamicconfig.LoadYamlFile(content)
				total += len(result.Errors)
				printf(c.App.Writer, "%v\n", name)
				for _, e := range result.Errors {
					printf(c.App.Writer, "  error: %v\n", e)
				}
				for _, w := range result.Warnings {
					printf(c.App.Writer, "  warning: %v\n", w)
				}
			}
			if total > 0 {
				return cli.Exit(fmt.Sprintf("%d total errors", total), 1)
			}
			return nil
		},
	}
}
