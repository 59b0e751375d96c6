package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// TestReadmeCommands runs the commands that the README shows, as they stand there,
// with the sample configuration that they name. Only ports and keyspace are moved out
// of the way of others, through the environment.
func TestReadmeCommands(t *testing.T) {
	ownCommands(t)
	node := cassandratest.Start(t)
	keyspace := cassandratest.UniqueName()
	t.Cleanup(func() {
		session := node.Session(t, "")
		defer session.Close()
		if err := session.Query("DROP KEYSPACE IF EXISTS " + keyspace).Exec(); err != nil {
			t.Error(err)
		}
	})
	runDocumented(t, "README.md", "cassandra", []string{"schema create", "schema update", "start"}, map[string]any{
		"HOSTS": node.Host, "PORT": node.Port, "KEYSPACE": keyspace,
	})
}

// TestCommandsOnYugabyteDB runs the first steps of docs/yugabyte.md against an engine
// that answers as YugabyteDB does, in a process of its own and over TCP.
func TestCommandsOnYugabyteDB(t *testing.T) {
	ownCommands(t)
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	port, err := harness.FreePort()
	require.NoError(t, err)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	startEngine(t, binary, "ycql", address)
	runDocumented(t, filepath.Join("docs", "yugabyte.md"), "yugabyte",
		[]string{"schema create", "schema update", "schema verify", "doctor", "start"}, map[string]any{"HOSTS": address})
}

// ownCommands skips a test of this repository's documents where another server is
// the subject.
func ownCommands(t *testing.T) {
	t.Helper()
	if os.Getenv(harness.SubjectEnv) == "stock" {
		t.Skip("the documents are about this repository's server")
	}
}

// runDocumented runs the commands that a document shows for the sample of a
// database, which must be those, and a workflow on the server that the last one
// starts. options are the database's, in upper case.
func runDocumented(t *testing.T, document, database string, want []string, options map[string]any) {
	t.Helper()
	commands := documentedCommands(t, document, database)
	var ends []string
	for _, command := range commands {
		ends = append(ends, strings.TrimPrefix(command, documentedPrefix(database)))
	}
	require.Equal(t, want, ends, "the commands of %s", document)
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.Symlink(binary, filepath.Join(dir, "bin", "temporal-server")))
	require.NoError(t, os.Symlink(filepath.Join(harness.Root(), "config"), filepath.Join(dir, "config")))

	env, frontend := movedEnvironment(t)
	for name, value := range options {
		env = append(env, fmt.Sprintf("TEMPORAL__BACKENDS__%s__%s=%v", strings.ToUpper(database), name, value))
	}
	metricsPort, err := harness.FreePort()
	require.NoError(t, err)
	scrape := net.JoinHostPort("127.0.0.1", strconv.Itoa(metricsPort))
	env = append(env, "TEMPORAL__GLOBAL__METRICS__PROMETHEUS__LISTENADDRESS="+scrape)
	run := func(ctx context.Context, command string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+command)
		cmd.Dir, cmd.Env = dir, env
		return cmd
	}
	last := len(commands) - 1
	for _, command := range commands[:last] {
		for range 2 { // all may be run again
			out, err := run(t.Context(), command).CombinedOutput()
			require.NoError(t, err, "%s\n%s", command, out)
		}
	}
	log, err := os.Create(filepath.Join(dir, "server.log"))
	require.NoError(t, err)
	defer log.Close()
	cmd := run(context.Background(), commands[last])
	cmd.Stdout, cmd.Stderr = log, log
	p, err := childproc.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			text, err := os.ReadFile(log.Name())
			t.Logf("the server's complaints (%v):\n%s", err, complaints(string(text)))
		}
	})

	c, err := client.NewLazyClient(client.Options{HostPort: frontend, Namespace: "default", Logger: silent{}})
	require.NoError(t, err)
	defer c.Close()
	await(t, "the server to register a namespace", func(ctx context.Context) error {
		_, err := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: "default", WorkflowExecutionRetentionPeriod: durationpb.New(day),
		})
		return err
	})
	const queue = "readme"
	await(t, "the namespace to be known", func(ctx context.Context) error {
		_, err := c.DescribeTaskQueue(ctx, queue, 1)
		return err
	})
	stop := work(t, c, queue, worker.Options{})
	require.Equal(t, "hello", result[string](t, start(t, c, queue, wfEcho, "hello")))
	stop()
	awaitMetrics(t, "http://"+scrape+"/metrics")
	text, err := os.ReadFile(log.Name())
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), "A new cluster is made with 4 history shards."), "that so few limit it for ever is said once")
	require.NoError(t, p.Stop(commandLimit))
	require.NoError(t, p.Wait(), "a server that is told to stop exits with 0")
}

// unlikely are the documented metrics that show only after something went wrong.
var unlikely = []string{
	"persistence_plan_refusals", "persistence_plan_unknown_outcomes", "persistence_plan_retries", "persistence_plan_errors",
	"session_renewed", "session_renewal_failed",
}

// awaitMetrics waits until a server shows the metrics that docs/operating.md lists.
func awaitMetrics(t *testing.T, url string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(), "docs", "operating.md"))
	require.NoError(t, err)
	var names []string
	for _, found := range regexp.MustCompile("`((?:persistence_plan|session)_[a-z_]+)`").FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(unlikely, found[1]) {
			names = append(names, found[1])
		}
	}
	require.GreaterOrEqual(t, len(names), 5)
	await(t, "the documented metrics", func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		shown, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		for _, name := range names {
			if !strings.Contains(string(shown), "\n"+name) {
				return fmt.Errorf("no metric %s", name)
			}
		}
		return nil
	})
}

// silent drops the log of a client that waits for its server.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

// documentedPrefix begins the commands of the server on a database's sample.
func documentedPrefix(database string) string {
	return "bin/temporal-server --config-file config/" + database + ".yaml "
}

// documentedCommands returns the commands that a document shows for a database, in
// their order.
func documentedCommands(t *testing.T, document, database string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(), document))
	require.NoError(t, err)
	var commands []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
		if strings.HasPrefix(line, documentedPrefix(database)) && !slices.Contains(commands, line) {
			commands = append(commands, line)
		}
	}
	return commands
}

// cleanEnvironment is that of this process without what configures a server.
func cleanEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "TEMPORAL_") })
}

// movedEnvironment returns an environment that moves the sample configuration to free
// ports, and the frontend's address.
func movedEnvironment(t *testing.T) (env []string, frontend string) {
	t.Helper()
	env = cleanEnvironment()
	set := func(name string, value any) { env = append(env, fmt.Sprintf("TEMPORAL__%s=%v", name, value)) }
	port := func() int {
		p, err := harness.FreePort()
		require.NoError(t, err)
		return p
	}
	for _, role := range []string{"FRONTEND", "HISTORY", "MATCHING", "WORKER"} {
		grpc := port()
		set("SERVICES__"+role+"__RPC__GRPCPORT", grpc)
		set("SERVICES__"+role+"__RPC__MEMBERSHIPPORT", port())
		if role == "FRONTEND" {
			http := port()
			set("SERVICES__FRONTEND__RPC__HTTPPORT", http)
			frontend = net.JoinHostPort("127.0.0.1", strconv.Itoa(grpc))
			set("CLUSTERMETADATA__CLUSTERINFORMATION__ACTIVE__RPCADDRESS", frontend)
			set("CLUSTERMETADATA__CLUSTERINFORMATION__ACTIVE__HTTPADDRESS", net.JoinHostPort("127.0.0.1", strconv.Itoa(http)))
		}
	}
	return env, frontend
}
