// Package e2e drives a whole Temporal server, started as a child process on a real
// Cassandra, through Temporal's Go SDK. Nothing here knows how the server stores
// anything, but for the few tests that look whether rows came or went.
//
// TEMPORAL_YCQL_E2E_SUBJECT=stock runs the same tests on upstream's own server:
// what does not hold there is a fault of the test.
package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests of one server mostly wait for it: more of them at once than
	// processors keep the whole run short.
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for anything. It says nothing about speed: a
// server that works answers long before.
const patience = 3 * time.Minute

// day is a retention that no test outlives.
const day = 24 * time.Hour

// server is a running Temporal server with a namespace and a client.
type server struct {
	*harness.Server
	Client    client.Client
	Namespace string
}

// launch starts a server for t, whose namespace is registered and known.
func launch(t *testing.T, l harness.Launcher, spec harness.Spec) *server {
	t.Helper()
	if spec.Node == nil && !l.InProcess && l.Database == nil {
		spec.Node = cassandratest.Start(t)
	}
	began := time.Now()
	hs, err := harness.Launch(t.Context(), l, spec)
	require.NoError(t, err)
	t.Logf("%s started in %s", l.Name, time.Since(began).Round(time.Millisecond))
	s := &server{Server: hs, Namespace: "e2e"}
	t.Cleanup(func() {
		for i := range max(len(spec.Processes), 1) {
			if log := hs.Log(i); strings.Contains(log, "panic:") || strings.Contains(log, `"level":"dpanic"`) {
				t.Errorf("process %d panicked", i)
			}
			if t.Failed() {
				t.Logf("the last errors of process %d:\n%s", i, complaints(hs.Log(i)))
			}
		}
		if err := hs.Close(); err != nil {
			t.Error(err)
		}
	})
	if spec.Keyspace == "" && spec.After == nil {
		require.NoError(t, hs.Namespace(t.Context(), s.Namespace, day))
	}
	s.Client = s.dial(t, s.Namespace)
	return s
}

// stopping is in the first line that a server logs when it is told to stop.
const stopping = "Received interrupt signal"

// complaints returns the last lines of a server's log above the level info from
// before it was told to stop, each without its stack.
func complaints(log string) string {
	if i := strings.Index(log, stopping); i >= 0 {
		log = log[:i]
	}
	var lines []string
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"level":"info"`) && !strings.Contains(line, `"level":"debug"`) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), `,"logging-call-at"`)
			lines = append(lines, line[:min(len(line), 400)])
		}
	}
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

func subject(t *testing.T) harness.Launcher {
	t.Helper()
	l, err := harness.Subject(t.Context())
	require.NoError(t, err)
	return l
}

func (s *server) dial(t *testing.T, namespace string) client.Client {
	t.Helper()
	c, err := s.Dial(namespace, grpc.WithChainUnaryInterceptor(unhurried))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// newNamespace registers a namespace of a test's own and returns a client of it.
func (s *server) newNamespace(t *testing.T, retention time.Duration) (string, client.Client) {
	t.Helper()
	name := unique("ns")
	require.NoError(t, s.Server.Namespace(t.Context(), name, retention))
	return name, s.dial(t, name)
}

// namespaceID returns the id under which rows of a namespace are stored.
func (s *server) namespaceID(t *testing.T, name string) string {
	t.Helper()
	resp, err := s.Client.WorkflowService().DescribeNamespace(t.Context(),
		&workflowservice.DescribeNamespaceRequest{Namespace: name})
	require.NoError(t, err)
	return resp.GetNamespaceInfo().GetId()
}

// work runs a worker with all workflows and activities until the test ends, or
// until the returned function is called.
func work(t *testing.T, c client.Client, queue string, opts worker.Options, register ...func(worker.Worker)) (stop func()) {
	t.Helper()
	w := worker.New(c, queue, opts)
	registerAll(w)
	for _, r := range register {
		r(w)
	}
	require.NoError(t, w.Start())
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			w.Stop()
		}
	}
	t.Cleanup(stop)
	return stop
}

// unique returns a name that no other test of this run uses.
func unique(prefix string) string { return fmt.Sprintf("%s-%08x", prefix, rand.Uint32()) }

// await polls until check returns nil.
func await(t *testing.T, what string, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			require.FailNow(t, "waited too long", "for %s: %v", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// result waits for a workflow and decodes its result.
func result[T any](t *testing.T, run client.WorkflowRun) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var v T
	require.NoError(t, run.Get(ctx, &v), "workflow %s", run.GetID())
	return v
}

// failure waits for a workflow that must not complete.
func failure(t *testing.T, run client.WorkflowRun) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := run.Get(ctx, nil)
	require.Error(t, err, "workflow %s", run.GetID())
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	return err
}

// start starts a workflow on queue under a new id.
func start(t *testing.T, c client.Client, queue string, workflow any, args ...any) client.WorkflowRun {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: unique("wf"), TaskQueue: queue}, workflow, args...)
	require.NoError(t, err)
	return run
}

// status returns the status of a run; an empty run id means the latest.
func status(t *testing.T, c client.Client, workflowID, runID string) enumspb.WorkflowExecutionStatus {
	t.Helper()
	resp, err := c.DescribeWorkflowExecution(t.Context(), workflowID, runID)
	require.NoError(t, err)
	return resp.GetWorkflowExecutionInfo().GetStatus()
}

// count counts the rows of a table in the server's keyspace.
func (s *server) count(ctx context.Context, session *gocql.Session, table, where string, args ...any) (int, error) {
	var n int
	err := session.Query(fmt.Sprintf("SELECT count(*) FROM %s.%s WHERE %s ALLOW FILTERING", s.Keyspace, table, where), args...).
		WithContext(ctx).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the rows of %s: %w", table, err)
	}
	return n, nil
}

// awaitRows waits until a table holds as many rows as want says.
func (s *server) awaitRows(t *testing.T, session *gocql.Session, want func(n int) bool, table, where string, args ...any) {
	t.Helper()
	await(t, "the rows of "+table, func(ctx context.Context) error {
		n, err := s.count(ctx, session, table, where, args...)
		if err == nil && !want(n) {
			err = fmt.Errorf("%d rows where %s %v", n, where, args)
		}
		return err
	})
}

func none(n int) bool                { return n == 0 }
func atLeast(m int) func(n int) bool { return func(n int) bool { return n >= m } }

func (s *server) cql(t *testing.T) *gocql.Session {
	t.Helper()
	session, err := s.Session()
	require.NoError(t, err)
	t.Cleanup(session.Close)
	return session
}

// is reports whether err holds an E.
func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}
