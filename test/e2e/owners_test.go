package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/core/store/sequence"
	"github.com/temporal-ycql/temporal-ycql/internal/needs"
	"github.com/temporal-ycql/temporal-ycql/internal/scrape"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

var freezes = flag.Int("freezes", 1, "how often TestFrozenHistoryHost stops a host")

// otherServerEnv names a server of another release for TestTwoReleases.
const otherServerEnv = "TEMPORAL_YCQL_OTHER_SERVER"

// hosts of the tests below: everything but history in one process, and two of history.
const (
	rest, historyA, historyB = 0, 1, 2

	ownedShards = 32
)

// twoOwners is a server with two history hosts, on the engine as a process of its
// own.
func twoOwners(t *testing.T, dialect string, binaries [3]string) *server {
	t.Helper()
	if runtime.GOOS != "linux" {
		needs.Missing(t, "a whole loopback network", "run this test on Linux, where 127.0.0.0/8 is one")
	}
	if os.Getenv(harness.SubjectEnv) == "stock" {
		t.Skip("stock Temporal has no embedded CQL engine")
	}
	d, err := harness.StartCQL(t.Context(), dialect, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Kill() })
	l, err := harness.Over(t.Context(), d)
	require.NoError(t, err)
	s := launch(t, l, harness.Spec{Shards: ownedShards, Metrics: true, Processes: []harness.Process{
		rest:     {Host: "127.0.0.21", Roles: []string{harness.Frontend, harness.Matching, harness.Worker}, Binary: binaries[rest]},
		historyA: {Host: "127.0.0.22", Roles: []string{harness.History}, Binary: binaries[historyA]},
		historyB: {Host: "127.0.0.23", Roles: []string{harness.History}, Binary: binaries[historyB]},
	}})
	s.awaitOwners(t, historyA, historyB)
	return s
}

const acquired = "Acquired shard"

// awaitOwners waits until each of the processes has acquired a shard.
func (s *server) awaitOwners(t *testing.T, processes ...int) {
	t.Helper()
	await(t, "history hosts to own shards", func(context.Context) error {
		for _, i := range processes {
			if !strings.Contains(s.Log(i), acquired) {
				return fmt.Errorf("process %d owns none", i)
			}
		}
		return nil
	})
}

// everywhere completes new workflows on enough shards to need all hosts.
func (s *server) everywhere(t *testing.T, queue, tag string) {
	t.Helper()
	for i := range 16 {
		await(t, "a new workflow to complete", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, patience/4)
			defer cancel()
			run, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: fmt.Sprintf("%s-%d", tag, i), TaskQueue: queue,
			}, wfEcho, tag)
			if err != nil {
				return err
			}
			var out string
			if err := run.Get(ctx, &out); err != nil || out != tag {
				return errors.Join(err, fmt.Errorf("got %q", out))
			}
			return nil
		})
	}
}

// onceEach checks that visibility knows exactly so many pipelines, all completed.
func (s *server) onceEach(t *testing.T, n int) {
	t.Helper()
	await(t, "visibility to show every workflow once", func(ctx context.Context) error {
		for query, want := range map[string]int{
			"WorkflowId STARTS_WITH 'pipeline'":                                   n,
			"WorkflowId STARTS_WITH 'pipeline' AND ExecutionStatus = 'Completed'": n,
		} {
			got, err := s.Client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
			if err != nil {
				return err
			}
			if got.GetCount() != int64(want) {
				return fmt.Errorf("%d where %s, want %d", got.GetCount(), query, want)
			}
		}
		return nil
	})
}

// TestFrozenHistoryHost stops one of two history hosts (SIGSTOP) in the middle of its
// work until the other has its shards, and lets it go on: it believes that it owns
// them still. Every workflow completes once.
func TestFrozenHistoryHost(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			s := twoOwners(t, dialect, [3]string{})
			const queue = "frozen"
			work(t, s.Client, queue, worker.Options{})
			var runs []client.WorkflowRun
			for round := range *freezes {
				fresh := pipelines(t, s.Client, queue, 10)
				runs = append(runs, fresh...)
				awaitProgress(t, s.Client, fresh, 6)
				victim, heir := historyA, historyB
				if round%2 == 1 {
					victim, heir = heir, victim
				}
				owned := strings.Count(s.Log(heir), acquired)
				require.NoError(t, s.Freeze(victim))
				await(t, "the other host to take shards", func(context.Context) error {
					if n := strings.Count(s.Log(heir), acquired) - owned; n < ownedShards/8 {
						return fmt.Errorf("%d taken", n)
					}
					return nil
				})
				s.everywhere(t, queue, fmt.Sprintf("without-%d", round))
				require.NoError(t, s.Thaw(victim))
				s.everywhere(t, queue, fmt.Sprintf("with-%d", round))
			}
			finish(t, s.Client, runs)
			s.onceEach(t, len(runs))
			t.Logf("shards were acquired %d and %d times", strings.Count(s.Log(historyA), acquired), strings.Count(s.Log(historyB), acquired))
		})
	}
}

// otherRelease is a server that was built from something else: the one that
// otherServerEnv names, or this source without its revision.
func otherRelease(t *testing.T) string {
	t.Helper()
	if path := os.Getenv(otherServerEnv); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "temporal-server")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "disable_grpc_modules", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "./cmd/server")
	cmd.Dir = harness.Root()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// TestTwoReleases runs servers of two builds on one keyspace, side by side and one
// after the other, while workflows run. Every workflow completes once, and no write
// stays of unknown outcome.
func TestTwoReleases(t *testing.T) {
	t.Parallel()
	other := otherRelease(t)
	t.Logf("the other release: %s", version(t, other))
	on := dialects
	if os.Getenv(otherServerEnv) == "" {
		on = dialects[:1] // the short form
	}
	for _, dialect := range on {
		t.Run(dialect, func(t *testing.T) {
			s := twoOwners(t, dialect, [3]string{historyB: other})
			const queue = "releases"
			work(t, s.Client, queue, worker.Options{})
			runs := pipelines(t, s.Client, queue, 15)
			awaitProgress(t, s.Client, runs, 6)
			s.everywhere(t, queue, "side-by-side")
			// One process after the other changes its release: in order, and the last one
			// without warning.
			for i, change := range []struct {
				process int
				binary  string
				end     func(processes ...int) error
			}{{historyA, other, s.Stop}, {historyB, "", s.Stop}, {rest, other, s.Stop}, {historyA, "", s.Kill}} {
				s.settled(t)
				require.NoError(t, change.end(change.process))
				s.Replace(change.process, change.binary)
				require.NoError(t, s.Start(t.Context()))
				fresh := pipelines(t, s.Client, queue, 5)
				runs = append(runs, fresh...)
				awaitProgress(t, s.Client, fresh, 5)
				s.everywhere(t, queue, fmt.Sprintf("change-%d", i))
			}
			finish(t, s.Client, runs)
			s.onceEach(t, len(runs))
			s.settled(t)
		})
	}
}

// settled checks that no write of a shard stayed of unknown outcome, as far as the
// processes that run now have counted.
func (s *server) settled(t *testing.T) {
	t.Helper()
	for i := range 3 {
		// While one host starts the other may do all of its work.
		await(t, "the metrics of a process", func(ctx context.Context) error {
			_, err := scrape.Families(ctx, "http://"+s.MetricsOf(i)+"/metrics")
			return err
		})
		if n, _ := s.metricOf(t, s.MetricsOf(i), string(sequence.Unsettled)); n > 0 {
			t.Errorf("%v writes of process %d were not settled", n, i)
		}
	}
}

func version(t *testing.T, binary string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "version").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}
