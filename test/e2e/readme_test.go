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
	"time"

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
	if os.Getenv(harness.SubjectEnv) == "stock" {
		t.Skip("the README is about this repository's server")
	}
	commands := readmeCommands(t)
	require.Len(t, commands, 3, "the README shows schema create, schema update and start")
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.Symlink(binary, filepath.Join(dir, "bin", "temporal-server")))
	require.NoError(t, os.Symlink(filepath.Join(harness.Root(), "config"), filepath.Join(dir, "config")))

	node := cassandratest.Start(t)
	env, frontend := movedEnvironment(t, node)
	metricsPort, err := harness.FreePort()
	require.NoError(t, err)
	scrape := net.JoinHostPort("127.0.0.1", strconv.Itoa(metricsPort))
	env = append(env, "TEMPORAL__GLOBAL__METRICS__PROMETHEUS__LISTENADDRESS="+scrape)
	run := func(ctx context.Context, command string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+command)
		cmd.Dir, cmd.Env = dir, env
		return cmd
	}
	for _, command := range commands[:2] {
		for range 2 { // both may be run again
			out, err := run(t.Context(), command).CombinedOutput()
			require.NoError(t, err, "%s\n%s", command, out)
		}
	}
	log, err := os.Create(filepath.Join(dir, "server.log"))
	require.NoError(t, err)
	defer log.Close()
	cmd := run(context.Background(), commands[2])
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
	require.NoError(t, p.Stop(time.Minute))
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

// readmeCommands returns the commands of the server that the README shows on
// Cassandra, in their order.
func readmeCommands(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(), "README.md"))
	require.NoError(t, err)
	var commands []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
		if strings.HasPrefix(line, "bin/temporal-server --config-file config/cassandra.yaml ") && !slices.Contains(commands, line) {
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
// ports and to a keyspace of its own, and the frontend's address.
func movedEnvironment(t *testing.T, node *cassandratest.Node) (env []string, frontend string) {
	t.Helper()
	keyspace := cassandratest.UniqueName()
	t.Cleanup(func() {
		session := node.Session(t, "")
		defer session.Close()
		if err := session.Query("DROP KEYSPACE IF EXISTS " + keyspace).Exec(); err != nil {
			t.Error(err)
		}
	})
	env = cleanEnvironment()
	set := func(name string, value any) { env = append(env, fmt.Sprintf("TEMPORAL__%s=%v", name, value)) }
	set("BACKENDS__CASSANDRA__HOSTS", node.Host)
	set("BACKENDS__CASSANDRA__PORT", node.Port)
	set("BACKENDS__CASSANDRA__KEYSPACE", keyspace)
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
