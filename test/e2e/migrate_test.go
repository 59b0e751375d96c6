package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// travellers are how many workflows are under way when a deployment moves, and
// backlog how many wait for a worker. TEMPORAL_YCQL_TRAVELLERS and
// TEMPORAL_YCQL_BACKLOG give the numbers of the long form.
func fleetSize(t *testing.T) (travellers, backlog int) {
	t.Helper()
	travellers, backlog = 24, 40
	for name, into := range map[string]*int{"TEMPORAL_YCQL_TRAVELLERS": &travellers, "TEMPORAL_YCQL_BACKLOG": &backlog} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			require.NoError(t, err, name)
			*into = n
		}
	}
	return travellers, backlog
}

// arrivals are by workflow id the attempts at its activity that succeeded in wfTravel.
var (
	arrivalsMu sync.Mutex
	arrivals   = map[string][]int32{}
)

func actTravel(ctx context.Context) (string, error) {
	if !allowed.Load() {
		return "", errors.New("not yet")
	}
	arrivalsMu.Lock()
	defer arrivalsMu.Unlock()
	info := activity.GetInfo(ctx)
	arrivals[info.WorkflowExecution.ID] = append(arrivals[info.WorkflowExecution.ID], info.Attempt)
	return "arrived", nil
}

// wfTravel has everything under way at once: a timer, an activity that is retried,
// a child, an update that waits, and signals of which one comes before and one
// after the move.
func wfTravel(ctx workflow.Context, timer, retry time.Duration) ([]string, error) {
	actx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: retry, BackoffCoefficient: 1},
	})
	act := workflow.ExecuteActivity(actx, actTravel)
	fired := workflow.NewTimer(ctx, timer)
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-child",
	}), wfChild, "child")
	var got []string
	updated := false
	err := workflow.SetUpdateHandler(ctx, "ask", func(ctx workflow.Context, what string) (string, error) {
		if err := workflow.Await(ctx, func() bool { return len(got) == 2 }); err != nil {
			return "", err
		}
		updated = true
		return what + " answered", nil
	})
	if err != nil {
		return nil, err
	}
	for range 2 {
		var v string
		workflow.GetSignalChannel(ctx, "add").Receive(ctx, &v)
		got = append(got, v)
	}
	if err := workflow.Await(ctx, func() bool { return updated }); err != nil {
		return nil, err
	}
	for _, f := range []workflow.Future{act, child} {
		var v string
		if err := f.Get(ctx, &v); err != nil {
			return nil, err
		}
		got = append(got, v)
	}
	return append(got, "timer"), fired.Get(ctx, nil)
}

func registerTravel(w worker.Worker) {
	w.RegisterWorkflow(wfTravel)
	w.RegisterActivity(actTravel)
}

// fleet is what is under way when a deployment moves.
type fleet struct {
	queue, backlogQueue string
	namespace           string // its id
	runs, backlog       []client.WorkflowRun
	updates             []client.WorkflowUpdateHandle
}

// many does something for 0 to n-1, some side by side.
func many(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	slots := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(i)
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

// insist does again what changes nothing when it has been done before: on a machine
// that is busy answers are late.
func insist(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return harness.Insist(ctx, func() error { return do(ctx) })
}

// depart starts a fleet and stops its worker when all of it is under way.
func (s *server) depart(t *testing.T, tag string) *fleet {
	t.Helper()
	allowed.Store(false)
	travellers, backlog := fleetSize(t)
	f := &fleet{
		queue: unique(tag), backlogQueue: unique(tag + "-backlog"), namespace: s.namespaceID(t, s.Namespace),
		runs: make([]client.WorkflowRun, travellers), backlog: make([]client.WorkflowRun, backlog), updates: make([]client.WorkflowUpdateHandle, travellers),
	}
	// The attempts of all together are no more than 25 a second.
	retry := time.Duration(max(1, travellers/25)) * time.Second
	stop := work(t, s.Client, f.queue, worker.Options{}, registerTravel)
	many(t, travellers, func(i int) error {
		err := insist(t.Context(), func(ctx context.Context) (err error) {
			f.runs[i], err = s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: fmt.Sprintf("%s-%d", f.queue, i), TaskQueue: f.queue,
				WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			}, wfTravel, time.Duration(5+i%40)*time.Second, retry)
			return err
		})
		if err != nil {
			return err
		}
		run := f.runs[i]
		if err := s.Client.SignalWorkflow(t.Context(), run.GetID(), "", "add", "before"); err != nil {
			return err
		}
		return insist(t.Context(), func(ctx context.Context) (err error) {
			f.updates[i], err = s.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
				WorkflowID: run.GetID(), UpdateID: "ask-" + strconv.Itoa(i), UpdateName: "ask", Args: []any{"question"}, WaitForStage: client.WorkflowUpdateStageAccepted,
			})
			return err
		})
	})
	many(t, backlog, func(i int) error {
		return insist(t.Context(), func(ctx context.Context) (err error) {
			f.backlog[i], err = s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: fmt.Sprintf("%s-%d", f.backlogQueue, i), TaskQueue: f.backlogQueue,
				WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			}, wfEcho, "waited")
			return err
		})
	})
	await(t, "the fleet to be under way", func(ctx context.Context) error {
		for _, run := range []client.WorkflowRun{f.runs[0], f.runs[len(f.runs)-1]} {
			resp, err := s.Client.DescribeWorkflowExecution(ctx, run.GetID(), "")
			if err != nil {
				return err
			}
			if acts, children := resp.GetPendingActivities(), resp.GetPendingChildren(); len(acts) != 1 || acts[0].GetAttempt() < 2 || len(children) != 1 {
				return fmt.Errorf("activities %v, children %v", acts, children)
			}
		}
		return nil
	})
	stop()
	return f
}

// migration runs the commands of a move.
type migration struct {
	binary, from, to, state string
}

// configured writes a sample configuration with another database.
func configured(t *testing.T, sample, database string, options map[string]any) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(), "config", sample))
	require.NoError(t, err)
	all := map[string]any{}
	require.NoError(t, yaml.Unmarshal(text, &all))
	all["backends"] = map[string]any{database: options}
	text, err = yaml.Marshal(all)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), sample)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

// run runs a verb and returns what it printed.
func (m *migration) run(t *testing.T, verb string, flags ...string) string {
	t.Helper()
	out, err := m.try(t, verb, flags...)
	require.NoError(t, err, "migrate %s\n%s", verb, out)
	return out
}

func (m *migration) try(t *testing.T, verb string, flags ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), m.binary, append([]string{"migrate", verb, "--from", m.from, "--to", m.to, "--state", m.state}, flags...)...)
	cmd.Env = cleanEnvironment()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	t.Logf("migrate %s %s, %s:\n%s", verb, strings.Join(flags, " "), time.Since(began).Round(time.Millisecond), out.String())
	return out.String(), err
}

// TestMigration moves what stock Temporal has under way on Apache Cassandra to this
// server with its database inside, and then what that has under way back to stock.
func TestMigration(t *testing.T) {
	ownCommands(t)
	stock, err := harness.Stock(t.Context())
	require.NoError(t, err)
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	node := cassandratest.Start(t)
	data := map[string]any{"dataDir": filepath.Join(t.TempDir(), "engine"), "dialect": "ycql"}
	own, err := harness.Embedded(t.Context(), data)
	require.NoError(t, err)

	spec := harness.Spec{Node: node, Visibility: harness.SQLite(t.TempDir()), Dynamic: featureDynamic}
	first := launch(t, stock, spec)
	m := &migration{
		binary: binary, state: filepath.Join(t.TempDir(), "state"), to: configured(t, "embedded.yaml", "embedded", data),
		from: configured(t, "cassandra.yaml", "cassandra", map[string]any{"hosts": net.JoinHostPort(node.Host, strconv.Itoa(node.Port)), "keyspace": first.Keyspace}),
	}
	fleetOfStock := first.depart(t, "stock")
	left := first.leave(t, "stock")
	out, err := m.try(t, "init", "--fence", "--settle", "1s")
	require.Error(t, err, "a host that is alive")
	require.Contains(t, out, "has just said that it is alive")
	require.NoError(t, first.Stop())
	first.awaited(t, fleetOfStock)

	m.run(t, "assess")
	m.run(t, "init", "--fence", "--host-timeout", "20s", "--settle", "1s")
	m.run(t, "copy")
	m.run(t, "verify", "--level", "stores")
	m.run(t, "verify", "--negative-control", "--quiet")
	m.run(t, "switch")

	spec.After = first.Server
	second := launch(t, own, spec)
	second.take(t, "stock", left)
	second.arrive(t, fleetOfStock, m, true)
	fleetOfOurs := second.depart(t, "ours")
	require.NoError(t, second.Stop())

	m.run(t, "rollback", "--settle", "1s")
	first.awaited(t, fleetOfOurs)
	third := launch(t, stock, spec)
	third.arrive(t, fleetOfOurs, m, false)
	fresh := start(t, third.Client, fleetOfOurs.queue, wfEcho, "still here")
	require.Equal(t, "still here", result[string](t, fresh))
}
