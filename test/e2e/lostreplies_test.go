package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/store/sequence"
	"github.com/temporal-ycql/temporal-ycql/internal/scrape"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

var lostRuns = flag.Int("lost-replies-workflows", 300, "workflows of TestLostRepliesReloadNoShard")

// maxTexts is how many distinct statements a server may have prepared under load.
const maxTexts = 64

// ycqlServer is the engine as a YugabyteDB that can be told what goes wrong, with
// a keyspace, and the flags of start-dev that lead to it.
func ycqlServer(t *testing.T) (*standalone.Node, []string) {
	t.Helper()
	n, err := standalone.Start(standalone.Options{
		Dialect: parse.YCQL, Ephemeral: true, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler), Simulation: &sim.Options{Seed: 1},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, n.Close(ctx))
	})
	raw := map[string]any{"hosts": n.Addr().IP.String(), "port": n.Addr().Port, "keyspace": "temporal"}
	o, err := yugabyte.New().ParseOptions(raw)
	require.NoError(t, err)
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}
	admin, err := o.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	tool := &schema.Tool{
		Admin: admin, Set: schema.YCQL(), Keyspace: "temporal", Out: io.Discard, Alone: true, Prepare: schema.Preparing(o, env, io.Discard),
	}
	require.NoError(t, tool.Create(t.Context(), schema.Replication{}))
	require.NoError(t, tool.Update(t.Context()))
	require.NoError(t, admin.Close())
	flags := []string{"--backend", yugabyte.Name}
	for k, v := range raw {
		flags = append(flags, "--set", fmt.Sprintf("backends.%s.%s=%v", yugabyte.Name, k, v))
	}
	return n, flags
}

// metric is the sum of a metric over its series with all the labels, and the greatest
// of their values.
func (s *server) metric(t *testing.T, name string, labels ...scrape.Label) (sum, greatest float64) {
	t.Helper()
	return s.metricOf(t, s.Metrics(), name, labels...)
}

// metricOf is metric of one process, by the address of its metrics.
func (*server) metricOf(t *testing.T, address, name string, labels ...scrape.Label) (sum, greatest float64) {
	t.Helper()
	families, err := scrape.Families(t.Context(), "http://"+address+"/metrics", name)
	require.NoError(t, err)
	for _, family := range []string{name, name + "_total"} {
		for _, v := range scrape.Values(families[family], labels...) {
			sum, greatest = sum+v, max(greatest, v)
		}
	}
	return sum, greatest
}

// barrierTime is for how long a barrier waits for the database (barrierFor in
// core/store/sequence/executor.go).
const barrierTime = time.Second

// answers asks a server for nothing but an answer, again and again, until the returned
// function is called, which tells the longest time from one answer to the next: the
// server's process, or this one with the database in it, stood still for about as long.
func (s *server) answers(t *testing.T) (longest func() time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan time.Duration, 1)
	go func() {
		var most time.Duration
		for last := time.Now(); ctx.Err() == nil; {
			_, _ = s.Client.CheckHealth(ctx, &client.CheckHealthRequest{})
			now := time.Now()
			most, last = max(most, now.Sub(last)), now
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
		told <- most
	}()
	return func() time.Duration {
		cancel()
		return <-told
	}
}

// TestLostRepliesReloadNoShard: of a whole server's writes one in a hundred is
// reported as of unknown outcome, half of these applied, and connections break
// after a request was done. All workflows complete, once each, and no shard is
// acquired again: a barrier settles every write.
func TestLostRepliesReloadNoShard(t *testing.T) {
	t.Parallel()
	n, flags := ycqlServer(t)
	driver := n.Server().Stats().PreparedStatements // those of the schema command, too
	s := launch(t, dev(t, append(flags, "--data-dir", t.TempDir())...), harness.Spec{})
	c := s.Client
	const queue = "lost"
	work(t, c, queue, worker.Options{})
	require.Equal(t, "warm", result[string](t, start(t, c, queue, wfEcho, "warm")))

	before := map[sequence.Counter]float64{}
	counters := []sequence.Counter{
		sequence.Barriers, sequence.SettledApplied, sequence.SettledNotApplied, sequence.Unsettled, sequence.Reloads, sequence.Takeovers, sequence.NotOwner,
	}
	await(t, "the shards to be counted", func(context.Context) error {
		for _, name := range counters {
			before[name], _ = s.metric(t, string(name))
		}
		if before[sequence.Takeovers] < 4 {
			return fmt.Errorf("%v", before)
		}
		return nil
	})
	const renewal = "Range updated for shardID"
	renewals := strings.Count(s.Log(0), renewal)
	require.Positive(t, renewals, "the server calls it something else")
	longest := s.answers(t)
	require.NoError(t, n.Simulation().SetFaults(
		sim.Fault{Kind: sim.TimeoutAfter, Rate: 0.004}, sim.Fault{Kind: sim.TimeoutBefore, Rate: 0.004},
		sim.Fault{Kind: sim.CutAfter, Rate: 0.001}, sim.Fault{Kind: sim.Rerun, Rate: 0.001},
	))
	var runs []client.WorkflowRun
	for i := range *lostRuns {
		var run client.WorkflowRun
		await(t, "a workflow to be started", func(ctx context.Context) (err error) {
			run, err = c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: fmt.Sprintf("lost-%d", i), TaskQueue: queue, WorkflowTaskTimeout: 3 * time.Second,
				// Whose start got lost is started again, and must not run again.
				WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			}, wfEcho, fmt.Sprint(i))
			return err
		})
		if runs = append(runs, run); len(runs) >= 20 { // so many are under way
			require.Equal(t, fmt.Sprint(i-19), result[string](t, runs[0]))
			runs = runs[1:]
		}
	}
	for i, run := range runs {
		require.Equal(t, fmt.Sprint(*lostRuns-len(runs)+i), result[string](t, run))
	}
	require.NoError(t, n.Simulation().SetFaults())
	stopped := longest()

	// Once, each of them: nothing else was started, and nothing ended otherwise.
	await(t, "visibility to show all", func(ctx context.Context) error {
		all, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: "WorkflowId STARTS_WITH 'lost-'"})
		if err != nil {
			return err
		}
		completed, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Query: "WorkflowId STARTS_WITH 'lost-' AND ExecutionStatus = 'Completed'",
		})
		if err == nil && (all.GetCount() != int64(*lostRuns) || completed.GetCount() != int64(*lostRuns)) {
			err = fmt.Errorf("%d executions, %d completed, of %d", all.GetCount(), completed.GetCount(), *lostRuns)
		}
		return err
	})
	// Metrics are shown once a second, all of them together: when the count above is
	// shown, all from before it is.
	await(t, "the metrics of all the load", func(context.Context) error {
		if n, _ := s.metric(t, "service_requests", scrape.Label{Name: "operation", Value: "CountWorkflowExecutions"}); n == 0 {
			return errors.New("none of the count that came after it")
		}
		return nil
	})
	during := map[sequence.Counter]float64{}
	for _, name := range counters {
		after, _ := s.metric(t, string(name))
		during[name] = after - before[name]
	}
	var texts float64
	await(t, "the number of texts to be measured after the load", func(context.Context) error {
		if _, texts = s.metric(t, "persistence_plan_texts"); texts < 20 {
			return fmt.Errorf("%v texts", texts)
		}
		return nil
	})
	stats := n.Server().Stats()
	t.Logf("%d workflows, %d requests, faults met %v", *lostRuns, stats.Requests, n.Simulation().Injected())
	t.Logf("%v; texts of a server %v, statements prepared by the database %d, of these %d before", during, texts, stats.PreparedStatements, driver)
	settled := during[sequence.SettledApplied] + during[sequence.SettledNotApplied]
	require.Positive(t, settled, "no reply was lost that mattered")
	renewed := float64(strings.Count(s.Log(0), renewal) - renewals)
	if stopped > barrierTime {
		// A machine that stops for so long outlasts a barrier, or all that a write has
		// time for, and then its shard is acquired again as it should be. Without
		// barriers that would become of every reply that was lost.
		t.Logf("the machine stopped for %s: %v writes stayed unknown, %v ranges were renewed", stopped, during[sequence.Unsettled], renewed)
		require.Less(t, max(during[sequence.Unsettled], during[sequence.Takeovers], renewed), settled)
	} else {
		// One reply in a hundred is lost: there is always a barrier that is not.
		require.Zero(t, during[sequence.Unsettled], "writes whose outcome stayed unknown")
		require.Zero(t, during[sequence.Takeovers], "shards were acquired again that a barrier could have kept")
		require.Zero(t, renewed, "the same, by the server's log")
	}
	require.LessOrEqual(t, texts, float64(maxTexts))
	require.LessOrEqual(t, stats.PreparedStatements-driver, maxTexts, "with what the driver asks")
}
