package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// TestMigrationCommands runs the commands of docs/migration.md as they stand, in
// their order, with the samples that they name. The source is an engine that answers
// as Cassandra does, in a process of its own and over TCP.
func TestMigrationCommands(t *testing.T) {
	ownCommands(t)
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.Symlink(binary, filepath.Join(dir, "bin", "temporal-server")))
	require.NoError(t, os.Symlink(filepath.Join(harness.Root(), "config"), filepath.Join(dir, "config")))
	port, err := harness.FreePort()
	require.NoError(t, err)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	startEngine(t, binary, "cassandra", address)

	env, frontend := movedEnvironment(t)
	env = append(env, "TEMPORAL__BACKENDS__CASSANDRA__HOSTS=127.0.0.1", "TEMPORAL__BACKENDS__CASSANDRA__PORT="+strconv.Itoa(port))
	command := func(ctx context.Context, line string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+line)
		cmd.Dir, cmd.Env = dir, env
		return cmd
	}
	run := func(line string) {
		t.Helper()
		began := time.Now()
		out, err := command(t.Context(), line).CombinedOutput()
		t.Logf("$ %s\n%s(%s)", line, out, time.Since(began).Round(time.Millisecond))
		require.NoError(t, err, line)
	}
	// serve starts a server, lets something be done with it, and stops it.
	serve := func(line string, do func(c client.Client)) {
		t.Helper()
		log, err := os.CreateTemp(t.TempDir(), "")
		require.NoError(t, err)
		defer log.Close()
		cmd := command(context.Background(), line)
		cmd.Stdout, cmd.Stderr = log, log
		p, err := childproc.Start(cmd)
		require.NoError(t, err)
		defer func() {
			if t.Failed() {
				text, _ := os.ReadFile(log.Name())
				t.Logf("the server's complaints:\n%s", complaints(string(text)))
			}
		}()
		t.Cleanup(func() { _ = p.Kill() })
		c, err := client.NewLazyClient(client.Options{
			HostPort: frontend, Namespace: "default", Logger: silent{},
			ConnectionOptions: client.ConnectionOptions{
				GetSystemInfoTimeout: patience, DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(unhurried)},
			},
		})
		require.NoError(t, err)
		defer c.Close()
		await(t, "the server to know the namespace", func(ctx context.Context) error {
			_, err := c.DescribeTaskQueue(ctx, "docs", 1)
			if err == nil {
				return nil
			}
			_, registering := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
				Namespace: "default", WorkflowExecutionRetentionPeriod: durationpb.New(day),
			})
			if registering == nil {
				return err
			}
			return registering
		})
		do(c)
		require.NoError(t, p.Stop(patience))
	}

	const source = "bin/temporal-server --config-file config/cassandra.yaml "
	run(source + "schema create")
	run(source + "schema update")
	var waiting client.WorkflowRun
	serve(source+"start", func(c client.Client) { waiting = start(t, c, "docs", wfEcho, "moved") })

	var served []string
	verbs := map[string]bool{}
	for _, line := range consoleLines(t, filepath.Join("docs", "migration.md")) {
		if !strings.HasSuffix(line, " start") {
			run(line)
			verbs[strings.Fields(line)[2]] = true
			continue
		}
		served = append(served, line)
		serve(line, func(c client.Client) {
			stop := work(t, c, "docs", worker.Options{})
			require.Equal(t, "moved", result[string](t, c.GetWorkflow(t.Context(), waiting.GetID(), waiting.GetRunID())))
			require.Equal(t, "here", result[string](t, start(t, c, "docs", wfEcho, "here")))
			stop()
		})
	}
	require.Len(t, served, 2, "servers that the page starts")
	for _, verb := range []string{"assess", "init", "copy", "status", "verify", "explain", "switch", "rollback"} {
		require.True(t, verbs[verb], "the page does not show %s", verb)
	}
}

// consoleLines are the commands that a document shows, in their order.
func consoleLines(t *testing.T, document string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(), document))
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ "); ok {
			lines = append(lines, command)
		}
	}
	return lines
}

// startEngine starts an engine of its own process and waits until it listens.
func startEngine(t *testing.T, binary, dialect, address string) {
	t.Helper()
	cmd := exec.Command(binary, "cql", "--dialect", dialect, "--ephemeral", "--listen", address)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.Env = &said, &said, cleanEnvironment()
	database, err := childproc.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := database.Stop(patience); err != nil {
			t.Errorf("stop the engine: %v\n%s", err, said.String())
		}
	})
	await(t, "the engine to listen", func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
}
