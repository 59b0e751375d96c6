package storelevel_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/mysql"      // a stock arm
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql" // the same
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"     // the same

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/compare/storelevel"
	"github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/internal/mariadbtest"
	"github.com/temporal-ycql/temporal-ycql/internal/postgrestest"
)

const head = `
persistence:
  defaultStore: default
  visibilityStore: visibility
  numHistoryShards: 4
  datastores:
    visibility:
      sql: {pluginName: sqlite, databaseName: visibility, connectAddr: localhost, connectProtocol: tcp, connectAttributes: {mode: memory, cache: private}}
    default:
`

const tail = `
global: {membership: {maxJoinDuration: 30s, broadcastAddress: 127.0.0.1}}
services:
  frontend: {rpc: {grpcPort: 7233, membershipPort: 6933, bindOnLocalHost: true}}
clusterMetadata:
  enableGlobalNamespace: false
  failoverVersionIncrement: 10
  masterClusterName: active
  currentClusterName: active
  clusterInformation: {active: {enabled: true, initialFailoverVersion: 1, rpcName: frontend, rpcAddress: 127.0.0.1:7233}}
`

func registry() (*backend.Registry, error) {
	return backend.NewRegistry([]backend.Backend{embedded.New(), cassandra.New()})
}

func load(t *testing.T, name, store string) *arm.Arm {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name+".yaml")
	require.NoError(t, os.WriteFile(path, []byte(head+"      "+store+tail), 0o600))
	a, err := arm.Load(arm.Options{
		Name: name, Source: config.Source{File: path}, Registry: registry, Scratch: dir, Replication: schema.Replication{},
	})
	require.NoError(t, err)
	return a
}

const (
	sqliteMemory = `sql: {pluginName: sqlite, databaseName: temporal, connectAddr: localhost, connectProtocol: tcp, connectAttributes: {mode: memory, cache: private}}`
	sqliteFile   = `sql: {pluginName: sqlite, databaseName: temporal.db, connectAddr: localhost, connectProtocol: tcp, connectAttributes: {mode: rwc, journal_mode: wal, synchronous: "2"}}`
	ycqlMemory   = `customDatastore: {name: embedded, options: {dialect: ycql, ephemeral: true}}`
	ycqlDurable  = `customDatastore: {name: embedded, options: {dialect: ycql, dataDir: data}}`
	cqlMemory    = `customDatastore: {name: embedded, options: {dialect: cassandra, ephemeral: true}}`
)

func short() storelevel.Options {
	o := storelevel.DefaultOptions()
	o.Rates, o.Duration, o.WarmupLeast, o.WarmupMost, o.Open, o.Arrivals = []float64{100}, 2*time.Second, 0, time.Second, 10, "constant"
	o.Timeout, o.DeadAfter = time.Minute, 2*time.Minute // a busy machine is no dead database
	return o
}

// TestArmsEndInTheSameState plays the same calls on two databases and has their
// states compared: as records where both have them, else through the stores.
func TestArmsEndInTheSameState(t *testing.T) {
	tests := []struct {
		name, a, b, how string
		kinds           []string
	}{
		{"dialects of the engine", ycqlMemory, cqlMemory, result.ByRecords, []string{"Execution", "Current", "Branch", "Node", "HistoryTask/1", "Task"}},
		{"the engine on disk and stock SQLite in memory", ycqlDurable, sqliteMemory, result.ByStores, []string{"workflow", "current workflow", "history", "transfer task", "timer task"}},
		{"stock SQLite in a file and the engine in memory", sqliteFile, ycqlMemory, result.ByStores, []string{"workflow", "queued task"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { played(t, tt.a, tt.b, tt.how, tt.kinds...) })
	}
}

// TestStockSQLServersEndInTheSameState makes databases on servers, with upstream's
// schemas, and drops them. A MariaDB stands for MySQL.
func TestStockSQLServersEndInTheSameState(t *testing.T) {
	tests := []struct {
		plugin string
		start  func(t *testing.T) (address, user string)
	}{
		{"postgres12", func(t *testing.T) (string, string) {
			db := postgrestest.Start(t)
			return fmt.Sprintf("%s:%d", db.Host, db.Port), db.User
		}},
		{"mysql8", func(t *testing.T) (string, string) {
			db := mariadbtest.Start(t)
			return db.Addr(), db.User
		}},
	}
	for _, tt := range tests {
		t.Run(tt.plugin, func(t *testing.T) {
			address, user := tt.start(t)
			store := fmt.Sprintf(`sql: {pluginName: %s, databaseName: temporal, user: %s, connectAddr: "%s", connectProtocol: tcp, maxConns: 10}`, tt.plugin, user, address)
			a := load(t, "a", store)
			d, err := a.Create(t.Context(), "mine")
			require.NoError(t, err)
			_, err = a.Create(t.Context(), "mine")
			require.ErrorContains(t, err, "make the database mine of arm a: ")
			require.NoError(t, d.Drop(t.Context()))
			require.NoError(t, d.Drop(t.Context()), "dropping what is not there is no fault")
			run := played(t, store, ycqlMemory, result.ByStores, "workflow", "current workflow", "history", "transfer task", "timer task")
			require.Equal(t, "stock "+tt.plugin, run.Header.Arms[0].Title)
			require.NotEmpty(t, run.Header.Arms[0].SchemaVersion)
			require.Contains(t, run.Blocks[0].Quantities, result.DatabaseCPU, "its process is known")
		})
	}
}

// played runs one pair of blocks and checks that they did the same.
func played(t *testing.T, a, b, how string, kinds ...string) *result.Run {
	t.Helper()
	level, err := storelevel.New(short())
	require.NoError(t, err)
	dir := t.TempDir()
	run, err := compare.Run(t.Context(), compare.Options{
		Level: level, A: load(t, "a", a), B: load(t, "b", b), Pairs: 1, Seed: 7, Dir: dir, Margin: 1.05,
		Contamination: compare.Contamination{Others: 1}, Progress: func(line string) { t.Log(line) },
	})
	require.NoError(t, err)
	require.True(t, run.Complete)
	require.Len(t, run.Blocks, 2)
	for _, b := range run.Blocks {
		require.Greater(t, len(b.Calls), 14, "every kind of call")
		for name, c := range b.Calls {
			require.Empty(t, c.Errors, name)
			require.Equal(t, c.Response.Count(), c.Service.Count(), name)
			require.Equal(t, c.Completed, c.Response.Count(), name)
		}
	}
	require.Len(t, run.Agreements, 1)
	require.Equal(t, how, run.Agreements[0].How)
	require.Empty(t, run.Agreements[0].Differences)
	require.True(t, run.Agreements[0].Equal)
	for _, kind := range kinds {
		n := run.Agreements[0].Counts[kind]
		require.Greater(t, n[0], int64(5), "%s of %v", kind, run.Agreements[0].Counts)
		require.Equal(t, n[0], n[1], kind)
	}
	again, err := result.Read(compare.Path(dir))
	require.NoError(t, err)
	require.Len(t, again.Blocks, len(run.Blocks))
	left, err := filepath.Glob(filepath.Join(dir, "compare_*"))
	require.NoError(t, err)
	require.Empty(t, left)
	return run
}
