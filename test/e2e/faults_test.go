package e2e

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/internal/needs"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

const pipelineSteps = 4

// pipelines starts n workflows that a fault may meet anywhere in.
func pipelines(t *testing.T, c client.Client, queue string, n int) []client.WorkflowRun {
	t.Helper()
	runs := make([]client.WorkflowRun, n)
	for i := range runs {
		var err error
		runs[i], err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: unique("pipeline"), TaskQueue: queue,
			// A task that died with the server is handed out again after this time.
			WorkflowTaskTimeout: 3 * time.Second,
		}, wfPipeline, pipelineSteps)
		require.NoError(t, err)
	}
	return runs
}

// awaitProgress waits until the histories of all runs together hold many events,
// so that a fault meets them at work.
func awaitProgress(t *testing.T, c client.Client, runs []client.WorkflowRun, perRun int) {
	t.Helper()
	await(t, "the workflows to be under way", func(ctx context.Context) error {
		total := int64(0)
		for _, run := range runs {
			resp, err := c.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
			if err != nil {
				return err
			}
			total += resp.GetWorkflowExecutionInfo().GetHistoryLength()
		}
		if total < int64(perRun*len(runs)) {
			return fmt.Errorf("%d events in %d workflows", total, len(runs))
		}
		return nil
	})
}

// finish signals all runs, also while parts of the server are away, and checks what
// came of each.
func finish(t *testing.T, c client.Client, runs []client.WorkflowRun) {
	t.Helper()
	want := ""
	for i := range pipelineSteps {
		want += fmt.Sprint(i)
	}
	for _, run := range runs {
		tried := false
		await(t, "the last signal to be taken", func(ctx context.Context) error {
			err := c.SignalWorkflow(ctx, run.GetID(), "", "end", "!")
			if is[*serviceerror.NotFound](err) && tried {
				return nil // the answer to the try before was lost, and the workflow has ended
			}
			tried = true
			return err
		})
	}
	for _, run := range runs {
		require.Equal(t, want+"!", result[string](t, run))
	}
}

// TestKilledServerLosesNothing kills the server (kill -9) twice while workflows run.
// Everything that was acknowledged goes on after the restart.
func TestKilledServerLosesNothing(t *testing.T) {
	killTwice(t, subject(t))
}

// killedRuns is how many workflows killTwice completes.
const killedRuns = 30

func killTwice(t *testing.T, l harness.Launcher) *server {
	t.Helper()
	s := launch(t, l, harness.Spec{})
	const queue = "killed"
	work(t, s.Client, queue, worker.Options{})
	runs := pipelines(t, s.Client, queue, 20)
	for round := range 2 {
		awaitProgress(t, s.Client, runs, 8*(round+1))
		require.NoError(t, s.Kill())
		require.NoError(t, s.Start(t.Context()))
		runs = append(runs, pipelines(t, s.Client, queue, 5)...)
	}
	require.Len(t, runs, killedRuns)
	finish(t, s.Client, runs)
	return s
}

// TestRolesFindEachOther runs each role in a process of its own, two of them history,
// at addresses of their own, joined by the membership table. One history process is
// killed: its shards move and workflows go on.
func TestRolesFindEachOther(t *testing.T) {
	if runtime.GOOS != "linux" {
		needs.Missing(t, "a whole loopback network", "run this test on Linux, where 127.0.0.0/8 is one")
	}
	const victim = 4
	// Consistent hashing places shards. Of 64 the chance that one of two hosts gets
	// none is 2^-63; of 4 it is one in eight.
	s := launch(t, subject(t), harness.Spec{Shards: 64, Processes: []harness.Process{
		{Host: "127.0.0.11", Roles: []string{harness.Frontend}},
		{Host: "127.0.0.12", Roles: []string{harness.Matching}},
		{Host: "127.0.0.13", Roles: []string{harness.Worker}},
		{Host: "127.0.0.14", Roles: []string{harness.History}},
		{Host: "127.0.0.15", Roles: []string{harness.History}},
	}})
	// Both history processes own shards: else killing one shows nothing.
	await(t, "both history processes to own shards", func(context.Context) error {
		for _, i := range []int{3, victim} {
			if !strings.Contains(s.Log(i), "Acquired shard") {
				return fmt.Errorf("process %d owns none", i)
			}
		}
		return nil
	})
	const queue = "roles"
	work(t, s.Client, queue, worker.Options{})
	runs := pipelines(t, s.Client, queue, 12)
	awaitProgress(t, s.Client, runs, 8)
	require.NoError(t, s.Kill(victim))
	finish(t, s.Client, runs)

	// The others serve all shards without it.
	await(t, "new workflows everywhere", func(ctx context.Context) error {
		for i := range 8 {
			run, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: fmt.Sprintf("after-%d", i), TaskQueue: queue}, wfEcho, "after")
			if err != nil {
				return err
			}
			var out string
			if err := run.Get(ctx, &out); err != nil || out != "after" {
				return errors.Join(err, fmt.Errorf("got %q", out))
			}
		}
		return nil
	})
	require.NoError(t, s.Stop(), "what is left stops in order")
}
