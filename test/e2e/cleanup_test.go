package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// startScan starts one pass of a scavenger, whose worker the server has.
func (s *server) startScan(t *testing.T, queue, workflow string, args ...any) client.WorkflowRun {
	t.Helper()
	run, err := s.dial(t, "temporal-system").ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: unique("scan"), TaskQueue: queue,
	}, workflow, args...)
	require.NoError(t, err)
	return run
}

// scan runs one pass of a scavenger and waits for its end.
func (s *server) scan(t *testing.T, queue, workflow string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.startScan(t, queue, workflow, args...).Get(ctx, nil))
}

// awaitGone waits until neither the server nor its database knows a run.
func (s *server) awaitGone(t *testing.T, c client.Client, namespaceID string, run client.WorkflowRun) {
	t.Helper()
	await(t, "the workflow to go", func(ctx context.Context) error {
		if _, err := c.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID()); !is[*serviceerror.NotFound](err) {
			return fmt.Errorf("it still answers: %w", err)
		}
		return nil
	})
	s.awaitNoRows(t, s.cql(t), namespaceID, run)
}

// awaitNoRows waits until a run has left no row: its own, the one that names it the
// current run, and its history, whose tree has the run's id.
func (s *server) awaitNoRows(t *testing.T, session *gocql.Session, namespaceID string, run client.WorkflowRun) {
	t.Helper()
	s.awaitRows(t, session, none, "executions", "namespace_id = ? AND workflow_id = ?", namespaceID, run.GetID())
	s.awaitRows(t, session, none, "history_tree", "tree_id = ?", run.GetRunID())
	s.awaitRows(t, session, none, "history_node", "tree_id = ?", run.GetRunID())
}

// requireRows makes sure that awaitNoRows would see the rows of a run.
func (s *server) requireRows(t *testing.T, session *gocql.Session, namespaceID string, run client.WorkflowRun) {
	t.Helper()
	s.awaitRows(t, session, atLeast(2), "executions", "namespace_id = ? AND workflow_id = ?", namespaceID, run.GetID())
	s.awaitRows(t, session, atLeast(1), "history_tree", "tree_id = ?", run.GetRunID())
	s.awaitRows(t, session, atLeast(1), "history_node", "tree_id = ?", run.GetRunID())
}

func testDeleteWorkflow(t *testing.T, s *server, queue string) {
	run := start(t, s.Client, queue, wfEcho, "short")
	result[string](t, run)
	id := s.namespaceID(t, s.Namespace)
	s.requireRows(t, s.cql(t), id, run)
	_, err := s.Client.WorkflowService().DeleteWorkflowExecution(t.Context(), &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: s.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
	})
	require.NoError(t, err)
	s.awaitGone(t, s.Client, id, run)
}

func testRetention(t *testing.T, s *server, queue string) {
	name, c := s.newNamespace(t, 3*time.Second)
	work(t, c, queue, worker.Options{})
	id := s.namespaceID(t, name)
	open := start(t, c, queue, wfForever)
	closed := start(t, c, queue, wfEcho, "short")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got string
	// Three seconds after its end it may be gone before its result is asked for.
	if err := closed.Get(ctx, &got); !is[*serviceerror.NotFound](err) {
		require.NoError(t, err)
		require.Equal(t, "short", got)
	}
	s.awaitGone(t, c, id, closed)
	s.requireRows(t, s.cql(t), id, open)
	require.NoError(t, c.TerminateWorkflow(t.Context(), open.GetID(), "", "end of test"))
	s.awaitGone(t, c, id, open)
}

func testDeleteNamespace(t *testing.T, s *server, queue string) {
	name, c := s.newNamespace(t, day)
	stop := work(t, c, queue, worker.Options{})
	closed, open := start(t, c, queue, wfEcho, "short"), start(t, c, queue, wfForever)
	result[string](t, closed)
	firstTaskDone(t, c, open)
	stop()
	id, session := s.namespaceID(t, name), s.cql(t)
	s.requireRows(t, session, id, closed)
	_, err := c.OperatorService().DeleteNamespace(t.Context(), &operatorservice.DeleteNamespaceRequest{Namespace: name})
	require.NoError(t, err)
	for _, run := range []client.WorkflowRun{closed, open} {
		s.awaitNoRows(t, session, id, run)
	}
	s.awaitRows(t, session, none, "namespaces_by_id", "id = ?", id)
	await(t, "the namespace to go", func(ctx context.Context) error {
		_, err := s.Client.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Id: id})
		if !is[*serviceerror.NamespaceNotFound](err) {
			return fmt.Errorf("it still answers: %w", err)
		}
		return nil
	})
	_, err = s.Client.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(day),
	})
	require.NoError(t, err, "the name is free again")
}

// scannedAge is how old history is before the scavenger looks at it. History is written
// before the row of its run: what is younger than any machine stops for may be of a run
// that is about to be, of whichever test.
const scannedAge = time.Hour

// backdate makes the history of a run old enough for the scavenger.
func (s *server) backdate(t *testing.T, session *gocql.Session, run client.WorkflowRun) {
	t.Helper()
	var branch string
	var blob []byte
	require.NoError(t, session.Query(fmt.Sprintf(`SELECT branch_id, branch FROM %s.history_tree WHERE tree_id = ?`, s.Keyspace),
		run.GetRunID()).Scan(&branch, &blob))
	var info persistencespb.HistoryTreeInfo
	require.NoError(t, proto.Unmarshal(blob, &info))
	info.ForkTime = timestamppb.New(info.GetForkTime().AsTime().Add(-2 * scannedAge))
	blob, err := proto.Marshal(&info)
	require.NoError(t, err)
	require.NoError(t, session.Query(fmt.Sprintf(`UPDATE %s.history_tree SET branch = ? WHERE tree_id = ? AND branch_id = ?`, s.Keyspace),
		blob, run.GetRunID(), branch).Exec())
}

func testHistoryScavenger(t *testing.T, s *server, queue string) {
	orphan, kept := start(t, s.Client, queue, wfEcho, "orphan"), start(t, s.Client, queue, wfEcho, "kept")
	result[string](t, orphan)
	result[string](t, kept)
	id, session := s.namespaceID(t, s.Namespace), s.cql(t)
	s.requireRows(t, session, id, orphan)

	// What a crash between the deletion of a run and of its history leaves behind.
	var shard int
	require.NoError(t, session.Query(fmt.Sprintf(
		`SELECT shard_id FROM %s.executions WHERE namespace_id = ? AND workflow_id = ? LIMIT 1 ALLOW FILTERING`, s.Keyspace),
		id, orphan.GetID()).Scan(&shard))
	require.NoError(t, session.Query(fmt.Sprintf(
		`DELETE FROM %s.executions WHERE shard_id = ? AND type = 1 AND namespace_id = ? AND workflow_id = ?`, s.Keyspace),
		shard, id, orphan.GetID()).Exec())
	s.backdate(t, session, orphan)
	s.backdate(t, session, kept)

	await(t, "a pass that finds the orphan", func(ctx context.Context) error {
		s.scan(t, "temporal-sys-history-scanner-taskqueue-0", "temporal-sys-history-scanner-workflow")
		n, err := s.count(ctx, session, "history_tree", "tree_id = ?", orphan.GetRunID())
		if err == nil && n > 0 {
			err = errors.New("the orphan's tree is still there")
		}
		return err
	})
	s.awaitNoRows(t, session, id, orphan)
	s.requireRows(t, session, id, kept)
	events := s.Client.GetWorkflowHistory(t.Context(), kept.GetID(), kept.GetRunID(), false, 0)
	_, err := events.Next()
	require.NoError(t, err, "the history of a workflow that exists is readable")
}

func testExecutionsScavenger(t *testing.T, s *server, queue string) {
	name, c := s.newNamespace(t, day)
	work(t, c, queue, worker.Options{})
	old, open := start(t, c, queue, wfEcho, "old"), start(t, c, queue, wfForever)
	result[string](t, old)
	// Its deletion is due in a day; only a scan sees that the rule has changed.
	_, err := c.WorkflowService().UpdateNamespace(t.Context(), &workflowservice.UpdateNamespaceRequest{
		Namespace: name,
		Config:    &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(time.Second)},
	})
	require.NoError(t, err)
	id := s.namespaceID(t, name)
	// A pass takes effect at once and ends a minute later, which nobody waits for. The
	// first ones may come before the workflow is old enough. Its rows tell what came of
	// it: history answers from its cache for longer.
	session := s.cql(t)
	var next time.Time
	await(t, "a pass that finds the workflow old enough", func(ctx context.Context) error {
		if time.Now().After(next) {
			s.startScan(t, "temporal-sys-executions-scanner-taskqueue-0", "temporal-sys-executions-scanner-workflow")
			next = time.Now().Add(5 * time.Second)
		}
		n, err := s.count(ctx, session, "executions", "namespace_id = ? AND workflow_id = ?", id, old.GetID())
		if err == nil && n > 0 {
			err = fmt.Errorf("it has %d rows", n)
		}
		return err
	})
	s.awaitNoRows(t, session, id, old)
	s.requireRows(t, session, id, open)
}
