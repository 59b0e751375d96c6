package visibility_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	persistencetests "go.temporal.io/server/common/persistence/persistence-tests"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	sqltests "go.temporal.io/server/common/persistence/sql/sqlplugin/tests"
	upstreamtests "go.temporal.io/server/common/persistence/tests"
	"go.temporal.io/server/common/resolver"

	"github.com/temporal-ycql/temporal-ycql/core/visibility"
)

// stores are the same tests' subjects: ours on a file and ephemeral, and stock's,
// so that a test which asks for something that stock does not do shows itself.
func stores(t *testing.T, run func(t *testing.T, cfg *config.SQL)) {
	visibility.Register()
	t.Run("file", func(t *testing.T) { run(t, fileConfig(t.TempDir())) })
	t.Run("ephemeral", func(t *testing.T) {
		cfg := ephemeralConfig(t)
		cfg.ConnectAttributes["linger"] = "0s"
		run(t, cfg)
	})
	t.Run("stock", func(t *testing.T) {
		cfg := ephemeralConfig(t)
		cfg.PluginName = sqlite.PluginName
		run(t, cfg)
	})
}

func fileConfig(dir string) *config.SQL {
	return &config.SQL{
		PluginName: visibility.PluginName, DatabaseName: filepath.Join(dir, "visibility.db"),
		ConnectAddr: "localhost", ConnectProtocol: "tcp",
		ConnectAttributes: map[string]string{"linger": "1ms"}, // the suites write one after the other
	}
}

func ephemeralConfig(t *testing.T) *config.SQL {
	cfg := fileConfig("")
	cfg.DatabaseName = t.Name()
	cfg.ConnectAttributes = map[string]string{"mode": "memory", "cache": "private"}
	return cfg
}

func open(t testing.TB, cfg *config.SQL) sqlplugin.DB {
	t.Helper()
	db, err := sql.NewSQLDB(sqlplugin.DbKindVisibility, cfg, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	require.NoError(t, err)
	return db
}

func TestUpstreamPersistenceSuite(t *testing.T) {
	stores(t, func(t *testing.T, cfg *config.SQL) {
		s := new(upstreamtests.VisibilityPersistenceSuite)
		s.TestBase = persistencetests.NewTestBaseForCluster(cluster{cfg}, log.NewNoopLogger())
		suite.Run(t, s)
	})
}

// cluster is a database of upstream's suites that needs no preparation.
type cluster struct{ cfg *config.SQL }

func (cluster) SetupTestDatabase()    {}
func (cluster) TearDownTestDatabase() {}
func (c cluster) Config() config.Persistence {
	return config.Persistence{
		VisibilityStore: "visibility", DefaultStore: "main",
		DataStores: map[string]config.DataStore{"visibility": {SQL: c.cfg}},
	}
}

func TestUpstreamStoreSuite(t *testing.T) {
	stores(t, func(t *testing.T, cfg *config.SQL) {
		db := open(t, cfg)
		defer func() { require.NoError(t, db.Close()) }()
		suite.Run(t, sqltests.NewVisibilitySuite(t, db))
	})
}

func TestVersionCheck(t *testing.T) {
	stores(t, func(t *testing.T, cfg *config.SQL) {
		require.NoError(t, sql.VerifyCompatibleVersion(cluster{cfg}.Config(), resolver.NewNoopResolver(), log.NewNoopLogger()))
	})
}
