package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
	tconfig "go.temporal.io/server/common/config"
)

func TestMain(m *testing.M) {
	stdlog.SetOutput(io.Discard) // the lines that upstream's loader prints
	os.Exit(m.Run())
}

// run runs the command line and returns what it prints and its exit status.
func run(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errOut bytes.Buffer
	app := newApp()
	app.Reader, app.Writer, app.ErrWriter = strings.NewReader(stdin), &out, &errOut
	oldExiter, oldErrWriter := cli.OsExiter, cli.ErrWriter
	cli.ErrWriter = &errOut
	defer func() { cli.OsExiter, cli.ErrWriter = oldExiter, oldErrWriter }()
	exited := errors.New("exited")
	cli.OsExiter = func(code int) {
		status = code
		panic(exited)
	}
	func() {
		defer func() {
			if r := recover(); r != nil && r != exited { //nolint:errorlint // the very value
				panic(r)
			}
		}()
		if err := app.Run(append([]string{"temporal-server"}, args...)); err != nil {
			status = 1
		}
	}()
	return out.String(), errOut.String(), status
}

// sample is the path of the configuration that the repository ships.
func sample(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../config/cassandra.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLine(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("frontend.namespaceRPS: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := []string{"--config-file", sample(t), "--set", "backends.cassandra.hosts=127.0.0.1:1", "--set", "backends.cassandra.connectTimeout=2s"}
	with := func(args ...string) []string { return append(nowhere[:len(nowhere):len(nowhere)], args...) }
	tests := []struct {
		name   string
		args   []string
		stdin  string
		stdout string // a part of it
		stderr string // a part of it
		status int
	}{
		{"version of the server inside", []string{"version"}, "", "Temporal server 1.", "", 0},
		{"arguments of start", []string{"start", "frontend"}, "", "", "ERROR: start command doesn't support arguments. Use --service flag instead.", 1},
		{"two ways to configure", []string{"--config-file", "x", "--env", "y", "start"}, "", "", "ERROR: can not use --config, --env, --zone, or --root with --config-file", 1},
		{"a configuration that is not there", []string{"--config-file", "/none.yaml", "start"}, "", "", "Unable to load configuration: read configuration file: open /none.yaml: no such file or directory.", 1},
		{"a directory without files", []string{"--config", "/none", "start"}, "", "", "Unable to load configuration: failed to get config files: no config files found in directory: none", 1},
		{"doctor finds nobody", with("doctor", "--rounds", "0"), "", "problem  contact points: ", "", 2},
		{"doctor of a database inside", []string{"--config-file", "../../config/embedded.yaml", "doctor"}, "", "skipped  database: it is inside of the server's own process", "", 0},
		{"doctor for programs", with("doctor", "--json"), "", `"reached": false`, "", 2},
		{"doctor without a configuration", []string{"--config-file", "../../config/nowhere.yaml", "doctor"}, "", "", "Unable to load configuration", 2},
		{"doctor counts from zero", with("doctor", "--rounds", "-1"), "", "", "--rounds -1: must not be negative", 2},
		{"doctor takes no arguments", with("doctor", "me"), "", "", `unexpected argument "me"`, 2},
		{"a misspelt option", with("--set", "backends.cassandra.hots=x", "start"), "", "", `Unable to load configuration: --set backends.cassandra.hots: unknown key "backends.cassandra.hots", did you mean "hosts"?`, 1},
		{"a setting without a value", []string{"--set", "backend", "start"}, "", "", "write it as a.b=value", 1},
		{"a database that does not answer", with("--set", "log.level=fatal", "start"), "", "", "Unable to create server. Error: connect to Cassandra at 127.0.0.1:1: ", 1},
		{"dynamic configuration without faults", []string{"validate-dynamic-config", "../../config/dynamicconfig/development.yaml"}, "", "config/dynamicconfig/development.yaml\n", "", 0},
		{"dynamic configuration with faults", []string{"validate-dynamic-config", bad}, "", "  error: ", "1 total errors", 1},
		{"dynamic configuration that is not there", []string{"validate-dynamic-config", "/none.yaml"}, "", "", "open /none.yaml: no such file", 1},
		{"rendered with places", with("render-config"), "", "- 127.0.0.1:1\n", "", 0},
		{"schema of a database that does not answer", with("schema", "create"), "", "", "connect to Cassandra at 127.0.0.1:1: ", 1},
		{"verify of a database that does not answer", with("schema", "verify"), "", "", "connect to Cassandra at 127.0.0.1:1: ", 2},
		{"verify of a configuration that is wrong", with("--set", "backend=nothing", "schema", "verify"), "", "", `unknown backend "nothing"`, 2},
		{"an argument too many", with("schema", "update", "now"), "", "", `unexpected argument "now"`, 1},
		{"plans in a list", []string{"schema", "explain"}, "", "execution-update-current ", "", 0},
		{"a plan by name", with("schema", "explain", "execution-update-current"), "", "UPDATE executions SET range_id = ?", "", 0},
		{"plans by store call", with("schema", "explain", "getorcreateshard"), "", "-- shard-", "", 0},
		{"a plan that is misspelt", with("schema", "explain", "execution-updat-current"), "", "", `no plan is named "execution-updat-current": did you mean "execution-update-current"?`, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, status := run(t, tt.stdin, tt.args...)
			if status != tt.status || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr+stdout, tt.stderr) {
				t.Fatalf("status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
			}
		})
	}
}

func TestSchemaNeedsADatabaseOfOurs(t *testing.T) {
	t.Setenv("DB", "sqlite")
	_, stderr, status := run(t, "", "schema", "version")
	if status != 1 || !strings.Contains(stderr, "the default store of the configuration is a stock one") || !strings.Contains(stderr, "--set backend=cassandra") {
		t.Fatalf("status %d: %s", status, stderr)
	}
}

func TestSourceIsChosenAsUpstreamChooses(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		args []string
		want string
	}{
		{"nothing", nil, nil, "|||"},
		{"root alone", nil, []string{"--root", "/r"}, "|||"},
		{"an environment", nil, []string{"--env", "prod"}, "|config|prod|"},
		{"root, directory, zone", nil, []string{"-r", "/r", "-c", "c", "--zone", "eu"}, "|/r/c|development|eu"},
		{"a file", nil, []string{"--config-file", "f"}, "f|||"},
		{"variables", map[string]string{"TEMPORAL_ROOT": "/r", "TEMPORAL_CONFIG_DIR": "c", "TEMPORAL_ENVIRONMENT": "e", tconfig.EnvKeyAvailabilityZoneTypo: "z"}, nil, "|/r/c|e|z"},
		{"a file by variable", map[string]string{"TEMPORAL_SERVER_CONFIG_FILE_PATH": "f"}, nil, "f|||"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			app := newApp()
			got := ""
			app.Action = func(c *cli.Context) error {
				src, err := source(c)
				got = strings.Join([]string{src.File, src.Dir, src.Env, src.Zone}, "|")
				return err
			}
			app.Commands = nil
			if err := app.Run(append([]string{"x"}, tt.args...)); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Fatalf("source is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReplicationFlags(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"a data center with and one without copies", []string{"--rf", "2", "--datacenter", "a:3,b"}, "map[a:3 b:2]"},
		{"copies that are none", []string{"--dc", "a:x"}, `--datacenter "a:x": write it as NAME:COPIES, with at least one copy`},
		{"no name", []string{"--dc", ":3"}, `--datacenter ":3": the name is missing`},
		{"twice", []string{"--dc", "a:3", "--dc", "a:2"}, `--datacenter "a" is given twice`},
		{"no factor", []string{"--rf", "0"}, "--replication-factor 0: must be at least 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			app := &cli.App{Flags: schemaCommand().Subcommands[0].Flags, Action: func(c *cli.Context) error {
				r, err := replication(c)
				if got = fmt.Sprint(r.Datacenters); err != nil {
					got = err.Error()
				}
				return nil
			}}
			if err := app.Run(append([]string{"x"}, tt.args...)); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Fatalf("replication() = %s, want %s", got, tt.want)
			}
		})
	}
}

// The dynamic configuration that the repository ships gives no warning.
func TestDynamicConfigurationIsClean(t *testing.T) {
	stdout, stderr, status := run(t, "", "validate-dynamic-config", "../../config/dynamicconfig/development.yaml")
	if status != 0 || strings.Contains(stdout, "warning") || strings.Contains(stdout, "error") {
		t.Errorf("dynamic configuration: status %d\n%s%s", status, stdout, stderr)
	}
}
