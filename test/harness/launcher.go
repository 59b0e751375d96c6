package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// Launcher says which program a [Server] runs and how its main store is configured.
type Launcher struct {
	// Name tells launchers apart in the names of tests and in results.
	Name string
	// Binary is the path of a program with upstream's command line.
	Binary string
	// Store returns the data store block for a keyspace on node.
	Store func(node *cassandratest.Node, keyspace string) map[string]any
	// Prepare makes the keyspace that s is configured for, with its schema.
	Prepare func(ctx context.Context, s *Server) error
	// InProcess says that the database is inside of the server: there is no node,
	// and nothing to prepare or to drop.
	InProcess bool
	// Database is the engine whose keyspaces the server uses, where it is a process
	// of its own: there is no node, and nothing to drop.
	Database *CQL
	// Args is the command line of a program that describes its configuration by
	// itself. Nil means to start with the file that [Server] writes.
	Args func(s *Server) []string
}

// StartDev is this repository's development server, put where the [Server] wants
// it; flags come after that. Data that is kept outlives the [Server].
func StartDev(ctx context.Context, flags ...string) (Launcher, error) {
	binary, err := OwnServer(ctx)
	if err != nil {
		return Launcher{}, err
	}
	return Launcher{
		Name:   "temporal-ycql, start-dev",
		Binary: binary,
		Args: func(s *Server) []string {
			port := func(name string) string { return strconv.Itoa(s.ports[name]) }
			return append([]string{
				"start-dev", "--ip", s.frontendHost(), "--port", port(Frontend), "--http-port", port("http"),
				"--ui-port", port("ui"), "--metrics-port", port("metrics"),
				"--log-level", "info", "--log-format", "json",
				"--set", "persistence.numHistoryShards=" + strconv.Itoa(s.spec.Shards),
				"--set", "dynamicConfigClient.filepath=" + s.dynamicFile(), "--set", "dynamicConfigClient.pollInterval=5s",
			}, flags...)
		},
		InProcess: true,
	}, nil
}

// Embedded is this repository's server with its database inside. options are the
// backend's; data that is kept outlives the [Server].
func Embedded(ctx context.Context, options map[string]any) (Launcher, error) {
	binary, err := OwnServer(ctx)
	if err != nil {
		return Launcher{}, err
	}
	return Launcher{
		Name:   "temporal-ycql, embedded",
		Binary: binary,
		Store: func(*cassandratest.Node, string) map[string]any {
			return map[string]any{"customDatastore": map[string]any{"name": "embedded", "options": options}}
		},
		InProcess: true,
	}, nil
}

// Stock is upstream's server with upstream's Cassandra store, its keyspace made by
// upstream's tool.
func Stock(ctx context.Context) (Launcher, error) {
	binary, err := StockServer(ctx)
	if err != nil {
		return Launcher{}, err
	}
	return Launcher{
		Name:   "stock",
		Binary: binary,
		Store: func(node *cassandratest.Node, keyspace string) map[string]any {
			return map[string]any{"cassandra": map[string]any{
				"hosts": node.Host, "port": node.Port, "keyspace": keyspace,
			}}
		},
		Prepare: prepareStock,
	}, nil
}

// Own is this repository's server with its Cassandra backend, its keyspace made by
// its own schema commands.
func Own(ctx context.Context) (Launcher, error) {
	binary, err := OwnServer(ctx)
	if err != nil {
		return Launcher{}, err
	}
	return OwnAt(binary), nil
}

// OwnAt is [Own] with another build of this repository's server.
func OwnAt(binary string) Launcher {
	return Launcher{
		Name:   "temporal-ycql",
		Binary: binary,
		Store: func(node *cassandratest.Node, keyspace string) map[string]any {
			return map[string]any{"customDatastore": map[string]any{
				"name": "cassandra",
				"options": map[string]any{
					"hosts": node.Host, "port": node.Port, "keyspace": keyspace,
				},
			}}
		},
		Prepare: prepareOwn,
	}
}

// SubjectEnv chooses the program under test: "own", which is the default, or
// "stock", which shows that a test holds of what it takes as a reference.
const SubjectEnv = "TEMPORAL_YCQL_E2E_SUBJECT"

// Subject returns the launcher that [SubjectEnv] chooses.
func Subject(ctx context.Context) (Launcher, error) {
	switch name := os.Getenv(SubjectEnv); name {
	case "", "own":
		return Own(ctx)
	case "stock":
		return Stock(ctx)
	default:
		return Launcher{}, fmt.Errorf("%s=%q: want own or stock", SubjectEnv, name)
	}
}

func prepareStock(ctx context.Context, s *Server) error {
	tool, err := StockCassandraTool(ctx)
	if err != nil {
		return err
	}
	endpoint := []string{"--ep", s.Node.Host, "--port", strconv.Itoa(s.Node.Port), "--timeout", "120"}
	for _, args := range [][]string{
		{"create-keyspace", "--keyspace", s.Keyspace, "--rf", "1"},
		{"--keyspace", s.Keyspace, "setup-schema", "--version", "0.0"},
		{"--keyspace", s.Keyspace, "update-schema", "--schema-name", "cassandra/temporal"},
	} {
		if err := run(ctx, tool, append(endpoint[:len(endpoint):len(endpoint)], args...)...); err != nil {
			return err
		}
	}
	return nil
}

func prepareOwn(ctx context.Context, s *Server) error {
	config, err := s.configFile(0)
	if err != nil {
		return err
	}
	return errors.Join(
		run(ctx, s.launcher.Binary, "--config-file", config, "schema", "create"),
		run(ctx, s.launcher.Binary, "--config-file", config, "schema", "update"),
	)
}

// run runs a command to its end; its output is in the error.
func run(ctx context.Context, binary string, args ...string) error {
	out, err := exec.CommandContext(ctx, binary, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %s %s: %w: %s", binary, strings.Join(args, " "), err, tail(string(out), 20))
	}
	return nil
}

// tail returns the last lines of text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
