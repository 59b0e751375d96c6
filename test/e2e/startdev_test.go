package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// dev is this repository's development server with flags.
func dev(t *testing.T, flags ...string) harness.Launcher {
	t.Helper()
	if os.Getenv(harness.SubjectEnv) == "stock" {
		t.Skip("start-dev is of this repository's server")
	}
	l, err := harness.StartDev(t.Context(), flags...)
	require.NoError(t, err)
	return l
}

// ready is the first line of the block that start-dev prints when it is.
const ready = " is ready\n"

// awaitBlock waits for the block and returns it.
func (s *server) awaitBlock(t *testing.T) string {
	t.Helper()
	block := ""
	await(t, "the block of addresses", func(context.Context) error {
		_, rest, ok := strings.Cut(s.Log(0), ready)
		if !ok || !strings.Contains(rest, "Stop:") {
			return fmt.Errorf("the log ends with %q", s.LogTail(0, 3))
		}
		block = rest
		return nil
	})
	return block
}

// TestStartDevFlags runs one server with nearly all flags, and each has its effect;
// then another on what the first has left.
func TestStartDevFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const limit = 20_000
	flags := []string{
		"--data-dir", dir, "--namespace", "orders", "--namespace", "bills",
		"--search-attribute", "Colour=keyword", "--search-attribute", "Amount=Int",
		"--dynamic-config-value", fmt.Sprintf("limit.blobSize.error=%d", limit),
	}
	uiHost := "127.0.0.1"
	if runtime.GOOS == "linux" { // where all of 127/8 is loopback
		uiHost = "127.0.0.2"
		flags = append(flags, "--ui-ip", uiHost)
	}
	s := launch(t, dev(t, flags...), harness.Spec{})
	_, uiPort, err := net.SplitHostPort(s.UI())
	require.NoError(t, err)
	ui := "http://" + net.JoinHostPort(uiHost, uiPort)
	block := s.awaitBlock(t)
	for _, part := range []string{
		"localhost:" + port(t, s.Address()) + "\n", strings.Replace(ui, "127.0.0.1", "localhost", 1) + "\n",
		"http://localhost:" + port(t, s.Metrics()) + "/metrics\n", "http://localhost:" + port(t, s.HTTP()) + "\n", dir + "\n",
	} {
		require.Contains(t, block, part)
	}

	// Namespaces can be used at once, with their search attributes.
	const queue = "flags"
	colour, amount := temporal.NewSearchAttributeKeyKeyword("Colour"), temporal.NewSearchAttributeKeyInt64("Amount")
	for _, namespace := range []string{"default", "orders", "bills"} {
		c := s.dial(t, namespace)
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: "kept", TaskQueue: queue, TypedSearchAttributes: temporal.NewSearchAttributes(colour.ValueSet("red"), amount.ValueSet(7)),
		}, wfForever)
		require.NoError(t, err)
		awaitListed(t, c, "Colour = 'red' AND Amount > 6", run.GetID())
	}

	// The dynamic configuration, which the server shows.
	described, err := s.Client.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "bills"})
	require.NoError(t, err)
	require.Equal(t, int64(limit), described.GetNamespaceInfo().GetLimits().GetBlobSizeLimitError())

	require.Contains(t, fetch(t, "http://"+s.HTTP()+"/api/v1/namespaces/orders", http.StatusOK), `"orders"`)
	require.Contains(t, fetch(t, "http://"+s.Metrics()+"/metrics", http.StatusOK), "persistence_requests")
	require.Contains(t, fetch(t, ui, http.StatusOK), "<html")
	require.Contains(t, fetch(t, ui+"/api/v1/namespaces/bills", http.StatusOK), `"bills"`)
	require.Contains(t, s.Log(0), `{"level":"info"`)
	require.NotContains(t, s.Log(0), `{"level":"debug"`)
	require.NoError(t, s.Stop())
	require.Regexp(t, `(?m)^Stopped\.$`, s.Log(0))

	// What was made is still there, and more can be added to it.
	s = launch(t, dev(t, "--data-dir", dir, "--search-attribute", "Size=Double", "--search-attribute", "Colour=Keyword", "--headless", "-n", "more"),
		harness.Spec{After: s.Server})
	require.NotContains(t, s.awaitBlock(t), "UI:")
	_, err = net.Dial("tcp", s.UI())
	require.Error(t, err, "there is no UI")
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, status(t, s.dial(t, "orders"), "kept", ""))
	fetch(t, "http://"+s.HTTP()+"/api/v1/namespaces/more", http.StatusOK)
	list, err := s.Client.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: "default"})
	require.NoError(t, err)
	require.Equal(t, map[string]enumspb.IndexedValueType{
		"Colour": enumspb.INDEXED_VALUE_TYPE_KEYWORD, "Amount": enumspb.INDEXED_VALUE_TYPE_INT, "Size": enumspb.INDEXED_VALUE_TYPE_DOUBLE,
	}, list.GetCustomAttributes())
}

// awaitListed waits until a query finds one workflow.
func awaitListed(t *testing.T, c client.Client, query, workflowID string) {
	t.Helper()
	await(t, "the answer to "+query, func(ctx context.Context) error {
		list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		if err != nil {
			return err
		}
		if all := list.GetExecutions(); len(all) != 1 || all[0].GetExecution().GetWorkflowId() != workflowID {
			return fmt.Errorf("%v", all)
		}
		return nil
	})
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return p
}

// fetch returns the body of a page.
func fetch(t *testing.T, url string, want int) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, want, resp.StatusCode, "%s: %s", url, body)
	return string(body)
}

// TestStartDevInMemoryForgets: what --ephemeral says.
func TestStartDevInMemoryForgets(t *testing.T) {
	t.Parallel()
	s := launch(t, dev(t, "--ephemeral"), harness.Spec{})
	require.Contains(t, s.awaitBlock(t), "in memory")
	c := s.dial(t, "default")
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "lost", TaskQueue: "memory"}, wfForever)
	require.NoError(t, err)
	require.NoError(t, s.Stop())
	require.NoError(t, s.Start(t.Context()))
	await(t, "the namespace", func(ctx context.Context) error {
		_, err := c.DescribeWorkflowExecution(ctx, "lost", "")
		if err == nil {
			require.Fail(t, "the workflow is still there")
		}
		if !is[*serviceerror.NotFound](err) {
			return err
		}
		return nil
	})
}

// TestStartDevOnAnotherDatabase: the same command on a Cassandra.
func TestStartDevOnAnotherDatabase(t *testing.T) {
	t.Parallel()
	l := dev(t, "--data-dir", t.TempDir(), "--backend", "cassandra")
	own := harness.OwnAt(l.Binary)
	l.InProcess, l.Prepare, l.Store = false, own.Prepare, own.Store
	args := l.Args
	l.Args = func(s *harness.Server) []string {
		return append(args(s),
			"--set", "backends.cassandra.hosts="+s.Node.Host, "--set", fmt.Sprintf("backends.cassandra.port=%d", s.Node.Port),
			"--set", "backends.cassandra.keyspace="+s.Keyspace)
	}
	s := launch(t, l, harness.Spec{})
	require.Contains(t, s.awaitBlock(t), "cassandra, keyspace "+s.Keyspace+"\n")
	c := s.dial(t, "default")
	work(t, c, "elsewhere", worker.Options{})
	run := start(t, c, "elsewhere", wfEcho, "there")
	require.Equal(t, "there", result[string](t, run))
	awaitListed(t, c, "ExecutionStatus = 'Completed'", run.GetID())
	require.NoError(t, s.Stop())
}

// TestStartDevKilledLosesNothing kills server, database and visibility at once,
// twice: what was acknowledged goes on, and is listed.
func TestStartDevKilledLosesNothing(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			s := killTwice(t, dev(t, "--dialect", dialect, "--data-dir", t.TempDir()))
			await(t, "all workflows to be listed as completed", func(ctx context.Context) error {
				n, err := s.Client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: "ExecutionStatus = 'Completed'"})
				if err == nil && n.GetCount() != killedRuns {
					err = fmt.Errorf("%d of %d", n.GetCount(), killedRuns)
				}
				return err
			})
		})
	}
}
