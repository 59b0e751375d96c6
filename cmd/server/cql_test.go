package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
)

// cqlRun runs the command line with an action of the test's in place of serving.
func cqlRun(t *testing.T, action func(*cli.Context) error, args ...string) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	command := cqlCommand()
	if action != nil {
		command.Action = action
	}
	app := &cli.App{Commands: []*cli.Command{command}, Writer: &b, ErrWriter: &b, ExitErrHandler: func(*cli.Context, error) {}}
	err = app.Run(append([]string{"temporal-server", "cql"}, args...))
	return b.String(), err
}

func TestCQLFlagsBecomeOptions(t *testing.T) {
	var got standalone.Options
	_, err := cqlRun(
		t, func(c *cli.Context) (err error) {
			got, err = cqlOptions(c)
			return err
		}, "--dialect", "ycql", "--data-dir", "d", "--listen", "0.0.0.0:1", "--advertise", "10.0.0.1", "--tls-cert", "c", "--tls-key", "k",
		"--user", "u", "--password-file", "p", "--simulate-round", "2ms", "--simulate-commit", "5ms", "--simulate-seed", "7",
		"--simulate-fault", "cut-after:0.5:shards", "--simulate-fault", "late:1",
	)
	if err != nil {
		t.Fatal(err)
	}
	if got.Dialect != parse.YCQL || got.DataDir != "d" || got.Ephemeral || got.Listen != "0.0.0.0:1" || got.Advertise.String() != "10.0.0.1" ||
		got.TLSCert != "c" || got.TLSKey != "k" || got.User != "u" || got.PasswordFile != "p" {
		t.Fatalf("options %+v", got)
	}
	s := got.Simulation
	if s == nil || s.Round.String() != "2ms" || s.Commit.String() != "5ms" || s.Seed != 7 || len(s.Faults) != 2 ||
		s.Faults[0] != (sim.Fault{Kind: sim.CutAfter, Rate: 0.5, Table: "shards"}) || s.Faults[1] != (sim.Fault{Kind: sim.Late, Rate: 1}) {
		t.Fatalf("simulation %+v", s)
	}
	_, err = cqlRun(t, func(c *cli.Context) (err error) {
		got, err = cqlOptions(c)
		return err
	}, "--dialect", "cassandra", "--ephemeral")
	if err != nil || got.Simulation != nil || got.Listen != "127.0.0.1:9042" || !got.Ephemeral {
		t.Fatalf("defaults %+v, %v", got, err)
	}
}

func TestCQLRefusesWhatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no dialect", []string{"--ephemeral"}, "give cassandra or ycql"},
		{"an unknown dialect", []string{"--dialect", "oracle", "--ephemeral"}, "give cassandra or ycql"},
		{"neither directory nor memory", []string{"--dialect", "ycql"}, "either a data directory or an ephemeral server"},
		{"an argument", []string{"--dialect", "ycql", "--ephemeral", "start"}, "takes no argument"},
		{"another address without TLS", []string{"--dialect", "ycql", "--ephemeral", "--listen", "0.0.0.0:0"}, "only over TLS and with a password"},
		{"an unknown fault", []string{"--dialect", "ycql", "--ephemeral", "--simulate-fault", "fire:1"}, `no fault is named "fire"`},
		{"a fault without rate", []string{"--dialect", "ycql", "--ephemeral", "--simulate-fault", "late"}, "give KIND:RATE"},
		{"a rate above 1", []string{"--dialect", "ycql", "--ephemeral", "--listen", "127.0.0.1:0", "--simulate-fault", "late:2"}, "at most 1"},
		{"an address that is none", []string{"--dialect", "ycql", "--ephemeral", "--advertise", "here"}, "give an IP address"},
		{"a backup of nothing", []string{"backup"}, "give the data directory"},
		{"a restore of nothing", []string{"restore"}, "give the backup"},
		{"a status of nothing", []string{"status"}, "give the data directory"},
		{"the status of a server that does not run", []string{"status", "--data-dir", t.TempDir()}, "no process serves this data directory"},
		{"a backup of what is no data directory", []string{"backup", "--data-dir", t.TempDir(), filepath.Join(t.TempDir(), "b")}, "is not a data directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := cqlRun(t, nil, tt.args...)
			var exit cli.ExitCoder
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("err = %v, want exit status 1 and %q", err, tt.want)
			}
		})
	}
}
