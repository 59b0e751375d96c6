package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	tconfig "go.temporal.io/server/common/config"

	"github.com/temporal-ycql/temporal-ycql/core/config"
)

// globalFlags are upstream's, and --set.
func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "root", Aliases: []string{"r"}, Value: ".", EnvVars: []string{tconfig.EnvKeyRoot},
			Usage: "root directory of execution environment (deprecated)",
		},
		&cli.StringFlag{
			Name: "config", Aliases: []string{"c"}, Value: "config", EnvVars: []string{tconfig.EnvKeyConfigDir},
			Usage: "config dir path relative to root (deprecated)",
		},
		&cli.StringFlag{
			Name: "env", Aliases: []string{"e"}, Value: "development", EnvVars: []string{tconfig.EnvKeyEnvironment},
			Usage: "runtime environment (deprecated)",
		},
		&cli.StringFlag{
			Name: "zone", Aliases: []string{"az"}, EnvVars: []string{tconfig.EnvKeyAvailabilityZone, tconfig.EnvKeyAvailabilityZoneTypo},
			Usage: "availability zone (deprecated)",
		},
		&cli.StringFlag{
			Name: "config-file", EnvVars: []string{tconfig.EnvKeyConfigFile},
			Usage: "path to config file (absolute or relative to current working directory)",
		},
		&cli.BoolFlag{
			Name: "allow-no-auth", EnvVars: []string{tconfig.EnvKeyAllowNoAuth},
			Usage: "allow no authorizer",
		},
		&cli.GenericFlag{
			Name: "set", Value: &settings{},
			Usage: "set a configuration value, `PATH=VALUE`, e.g. backend=cassandra; repeatable, wins over files and environment",
		},
	}
}

// settings collects --set. It is no string slice because those are split at
// commas, which values may hold.
type settings struct{ list []string }

func (s *settings) Set(value string) error {
	if !strings.Contains(value, "=") {
		return errors.New("write it as a.b=value")
	}
	s.list = append(s.list, value)
	return nil
}

func (s *settings) String() string { return "" }

var errConfigFileAlone = errors.New("ERROR: can not use --config, --env, --zone, or --root with --config-file")

// source chooses the configuration as upstream's start does: a file; else a
// directory, if one of its flags or variables is set (root alone does not
// count); else the environment.
func source(c *cli.Context) (config.Source, error) {
	set, ok := c.Generic("set").(*settings)
	if !ok {
		return config.Source{}, fmt.Errorf("flag --set is a %T", c.Generic("set"))
	}
	src := config.Source{Set: set.list}
	directory := c.IsSet("config") || c.IsSet("env") || c.IsSet("zone")
	switch {
	case c.IsSet("config-file") && (directory || c.IsSet("root")):
		return src, errConfigFileAlone
	case c.IsSet("config-file"):
		src.File = c.String("config-file")
	case directory:
		src.Dir = filepath.Join(c.String("root"), c.String("config"))
		src.Env, src.Zone = c.String("env"), c.String("zone")
	}
	return src, nil
}
