// Command temporal-server is Temporal's server with pluggable databases. It
// has the commands, flags, environment variables, texts and exit codes of
// stock Temporal's server, and more commands beside them.
package main

import (
	"os"
	_ "time/tzdata" // zones for schedules, where the system has none

	"github.com/urfave/cli/v2"
	"go.temporal.io/server/common/headers"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/mysql"      // stock data stores
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql" // the same
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"     // the same

	"github.com/temporal-ycql/temporal-ycql/core/visibility"
)

func main() {
	visibility.Register()
	if err := newApp().Run(os.Args); err != nil {
		// Errors of cli.Exit have ended the process already; the rest, such as
		// an unknown flag, has been printed with the usage.
		os.Exit(1)
	}
}

func newApp() *cli.App {
	visibility.Register()
	app := cli.NewApp()
	app.Name = "temporal"
	app.Usage = "Temporal server"
	app.Version = headers.ServerVersion
	app.ArgsUsage = " "
	app.Flags = globalFlags()
	app.Commands = []*cli.Command{
		startCommand(),
		startDevCommand(),
		schemaCommand(),
		doctorCommand(),
		migrateCommand(),
		cqlCommand(),
		compareCommand(),
		renderConfigCommand(),
		validateDynamicConfigCommand(),
		versionCommand(),
	}
	return app
}
