// Package compare_test runs comparisons of whole servers.
package compare_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/cluster"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/visibility"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

func TestMain(m *testing.M) {
	visibility.Register()
	os.Exit(m.Run())
}

func registry() (*backend.Registry, error) {
	var r *backend.Registry
	app := fx.New(fx.NopLogger, backend.Module, cassandra.Module, embedded.Module, yugabyte.Module, fx.Populate(&r))
	return r, app.Err()
}

// inMemory is config/embedded.yaml, forgetting everything.
func inMemory(t *testing.T, set ...string) *arm.Arm {
	t.Helper()
	a, err := arm.Load(arm.Options{
		Name: result.A,
		Source: config.Source{
			File: filepath.Join(harness.Root(), "config", "embedded.yaml"),
			Set: append([]string{
				"backends.embedded.dataDir=", "backends.embedded.ephemeral=true",
				"persistence.datastores.visibility.sql.connectAttributes.mode=memory",
				"dynamicConfigClient.filepath=" + filepath.Join(harness.Root(), "config", "dynamicconfig", "development.yaml"),
			}, set...),
		},
		Registry: registry, Scratch: t.TempDir(), Replication: schema.Replication{Factor: 1},
	})
	require.NoError(t, err)
	return a
}

func newLevel(t *testing.T, scenario cluster.PlanScenario) *cluster.Level {
	t.Helper()
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	l, err := cluster.New(cluster.Options{
		Plan: cluster.Plan{
			Scenarios: []cluster.PlanScenario{scenario},
			Block:     2 * time.Second, Limit: 5 * time.Minute, Metrics: true, // a busy machine loses no workflow
			Dynamic: map[string]any{"history.transferProcessorMaxPollRPS": 2000},
		},
		Binary: binary, Registry: registry, Scratch: t.TempDir(),
	})
	require.NoError(t, err)
	return l
}

// TestEveryScenarioRunsOnAWholeServer has each of them answer as it must, and finds
// out what a workflow costs.
func TestEveryScenarioRunsOnAWholeServer(t *testing.T) {
	t.Parallel()
	mix := map[string]float64{}
	for _, s := range cluster.Scenarios() {
		mix[string(s)] = 1
	}
	// In an open loop each gets its turn, whatever the others take.
	l := newLevel(t, cluster.PlanScenario{Name: "all", Mix: mix, Rate: 20})
	spec := compare.Spec{Arm: inMemory(t), Scenario: "all", Seed: 1, Database: "compare_all", Progress: func(string) {}}
	_, err := l.Prepare(t.Context(), spec.Arm, "compare_look")
	require.NoError(t, err)
	b, err := l.Block(t.Context(), spec)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Drop(t.Context(), spec, false)) }()
	for _, s := range cluster.Scenarios() {
		require.NotNil(t, b.Calls[string(s)], "no workflow of %s ended", s)
		require.Empty(t, b.Calls[string(s)].Errors)
		require.Positive(t, b.Calls[string(s)].Response.Count(), s)
	}
	for _, name := range []string{result.ServerCPU, result.Allocations, result.Allocated, cluster.WorkflowWait, cluster.ActivityWait, cluster.Resident} {
		require.Positive(t, b.Quantities[name].Value, name)
	}
	require.NotContains(t, b.Quantities, result.DatabaseCPU, "the database is the server itself")
	require.NotContains(t, b.Quantities, result.DiskGrowth, "everything is in memory")
	// What is read over time at all; under load, readings may be few. Matching tells a
	// backlog only of queues that had one.
	series := map[string]int{}
	for _, s := range b.Series {
		series[s.Name] = len(s.Points)
	}
	for _, name := range []string{
		result.SeriesRate, result.SeriesP99, result.SeriesTransferLag, result.SeriesTimerLag, result.SeriesVisibilityLag,
		result.SeriesCompactions,
	} {
		require.Positive(t, series[name], "%s of %v", name, series)
	}
}

// TestAServerThatCannotStartEndsTheBlock has one whose visibility store does not exist.
func TestAServerThatCannotStartEndsTheBlock(t *testing.T) {
	t.Parallel()
	l := newLevel(t, cluster.PlanScenario{Name: "one", Mix: map[string]float64{"activity": 1}, InFlight: 1})
	spec := compare.Spec{
		Arm: inMemory(t, "persistence.datastores.visibility.sql.pluginName=absent"), Scenario: "one",
		Database: "compare_dead", Progress: func(string) {},
	}
	_, err := l.Block(t.Context(), spec)
	var dead *cluster.DeadError
	require.ErrorAs(t, err, &dead)
	require.Contains(t, err.Error(), "the server of arm a ended by itself (exit status 1); its log ends with: ")
	require.Contains(t, dead.Log, "absent")
	require.NoError(t, l.Drop(t.Context(), spec, false))
}

// TestAServerThatDiesUnderLoadEndsTheBlock kills it while workflows run: what is told
// is that it died and how, and not what its clients saw then.
func TestAServerThatDiesUnderLoadEndsTheBlock(t *testing.T) {
	t.Parallel()
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	s, err := cluster.Start(t.Context(), cluster.ServerOptions{
		Arm: "b", Binary: binary, Source: inMemory(t).Source(), Registry: registry, Dir: t.TempDir(),
	})
	require.NoError(t, err)
	time.AfterFunc(500*time.Millisecond, func() { _ = syscall.Kill(s.Pid(), syscall.SIGKILL) })
	_, err = cluster.Drive(t.Context(), s, cluster.Load{
		Mix: map[cluster.Scenario]float64{cluster.Activity: 1}, InFlight: 4, Duration: time.Hour, Limit: time.Minute,
	})
	var dead *cluster.DeadError
	require.ErrorAs(t, err, &dead)
	require.Contains(t, err.Error(), "the server of arm b ended by itself (signal: killed); its log ends with: ")
	require.ErrorAs(t, s.Stop(), &dead)
}
