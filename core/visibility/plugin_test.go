package visibility_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
	"go.uber.org/goleak"

	"github.com/temporal-ycql/temporal-ycql/core/visibility"
)

func tryOpen(kind sqlplugin.DbKind, cfg *config.SQL) (sqlplugin.DB, error) {
	return sql.NewSQLDB(kind, cfg, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
}

// shows reports whether a store has the row of a run.
func shows(t *testing.T, db sqlplugin.DB, run string) bool {
	t.Helper()
	n, err := db.CountFromVisibility(t.Context(), sqlplugin.VisibilitySelectFilter{
		Query: "SELECT count(*) FROM executions_visibility WHERE run_id = ?", QueryArgs: []any{run},
	})
	require.NoError(t, err)
	return n == 1
}

func add(ctx context.Context, db sqlplugin.DB, run string) error {
	_, err := db.InsertIntoVisibility(ctx, &sqlplugin.VisibilityRow{NamespaceID: "ns", RunID: run})
	return err
}

func TestStoresShareAFile(t *testing.T) {
	visibility.Register()
	visibility.Register() // harmless
	cfg := fileConfig(t.TempDir())
	a, b := open(t, cfg), open(t, cfg)
	require.NoError(t, add(t.Context(), a, "a"))
	require.NoError(t, add(t.Context(), b, "b"))
	require.True(t, shows(t, a, "b"))
	require.Equal(t, cfg.DatabaseName, a.DbName())
	require.Equal(t, "sqlite", a.PluginName(), "Temporal chooses its query converter by this name")

	require.NoError(t, a.Close())
	require.NoError(t, a.Close(), "closing twice counts once")
	require.NoError(t, add(t.Context(), b, "c"))
	require.NoError(t, b.Close())
	require.ErrorContains(t, add(t.Context(), b, "d"), "the file is closed")

	info, err := os.Stat(cfg.DatabaseName + "-wal")
	require.NoError(t, err)
	require.Zero(t, info.Size(), "the log has been moved into the file")

	again := open(t, cfg)
	defer func() { require.NoError(t, again.Close()) }()
	require.True(t, shows(t, again, "c"))
	require.False(t, shows(t, again, "d"))
	require.NoError(t, add(t.Context(), again, "d"))
}

func TestEphemeralLeavesNothing(t *testing.T) {
	visibility.Register()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	cfg := ephemeralConfig(t)
	a, b := open(t, cfg), open(t, cfg)
	require.NoError(t, add(t.Context(), a, "a"))
	require.True(t, shows(t, b, "a"), "one name is one database")
	other := *cfg
	other.DatabaseName += "-other"
	c := open(t, &other)
	require.False(t, shows(t, c, "a"), "another name is another")
	files, err := filepath.Glob(filepath.Join(tmp, "*.db"))
	require.NoError(t, err)
	require.Len(t, files, 2)

	for _, db := range []sqlplugin.DB{a, b, c} {
		require.NoError(t, db.Close())
	}
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoFileExists(t, cfg.DatabaseName)

	again := open(t, cfg)
	defer func() { require.NoError(t, again.Close()) }()
	require.False(t, shows(t, again, "a"))
}

// Upstream's pool keeps reading a file that was removed while it was closed.
func TestFileMadeAnew(t *testing.T) {
	visibility.Register()
	cfg := fileConfig(t.TempDir())
	for i := range 3 {
		run := strconv.Itoa(i)
		db := open(t, cfg)
		require.NoError(t, add(t.Context(), db, run))
		require.True(t, shows(t, db, run))
		require.False(t, shows(t, db, strconv.Itoa(i-1)))
		require.NoError(t, db.Close())
		for _, suffix := range []string{"", "-wal", "-shm"} {
			require.NoError(t, os.RemoveAll(cfg.DatabaseName+suffix))
		}
	}
}

func TestNamesThatLookLikeURIs(t *testing.T) {
	visibility.Register()
	dir := filepath.Join(t.TempDir(), "50% of a #1 dir?mode=memory")
	require.NoError(t, os.Mkdir(dir, 0o755))
	db := open(t, fileConfig(dir))
	require.NoError(t, add(t.Context(), db, "a"))
	require.True(t, shows(t, db, "a"))
	require.NoError(t, db.Close())
	require.FileExists(t, filepath.Join(dir, "visibility.db"))
}

func TestRefusals(t *testing.T) {
	visibility.Register()
	dir := t.TempDir()
	cfg := fileConfig(dir)
	db := open(t, cfg)
	defer func() { require.NoError(t, db.Close()) }()

	_, err := tryOpen(sqlplugin.DbKindMain, cfg)
	require.ErrorContains(t, err, "keeps visibility only: use another data store for persistence.defaultStore")

	other := fileConfig(dir)
	other.ConnectAttributes = map[string]string{"linger": "50ms"}
	_, err = tryOpen(sqlplugin.DbKindVisibility, other)
	require.ErrorContains(t, err, "open with other connectAttributes")

	wrong := fileConfig(dir)
	wrong.DatabaseName = filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(wrong.DatabaseName, []byte("this is no database, and it is long enough to show"), 0o600))
	_, err = tryOpen(sqlplugin.DbKindVisibility, wrong)
	require.ErrorContains(t, err, "open visibility file "+wrong.DatabaseName)
	require.ErrorContains(t, err, "not a SQLite database, let databaseName name another one")
	require.NotContains(t, err.Error(), "\n")

	wrong.DatabaseName = dir
	_, err = tryOpen(sqlplugin.DbKindVisibility, wrong)
	require.ErrorContains(t, err, "open visibility file "+dir)
	require.NotContains(t, err.Error(), "\n")
}

// Upstream's pool keeps one goroutine for each text of a connection; beside those
// nothing stays.
func TestNoGoroutineStays(t *testing.T) {
	visibility.Register()
	cfg := fileConfig(t.TempDir())
	require.NoError(t, open(t, cfg).Close())
	before := goleak.IgnoreCurrent()
	for range 3 {
		a, b := open(t, cfg), open(t, cfg)
		require.NoError(t, add(t.Context(), a, "a"))
		require.True(t, shows(t, b, "a"))
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	}
	bad := fileConfig(t.TempDir())
	require.NoError(t, os.WriteFile(bad.DatabaseName, []byte("this is no database, and it is long enough to show"), 0o600))
	_, err := tryOpen(sqlplugin.DbKindVisibility, bad)
	require.Error(t, err)
	// It polls for less than a second, in which a busy machine need not end them.
	for begin := time.Now(); ; {
		if err = goleak.Find(before); err == nil {
			break
		}
		require.Less(t, time.Since(begin), time.Minute, "%v", err)
	}
}

// Roles come and go while others write.
func TestOpenWriteCloseTogether(t *testing.T) {
	visibility.Register()
	cfg := fileConfig(t.TempDir())
	cfg.ConnectAttributes = map[string]string{"linger": "1ms"}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 10 {
				db, err := tryOpen(sqlplugin.DbKindVisibility, cfg)
				if err != nil {
					t.Error(err)
					return
				}
				if err := add(t.Context(), db, strconv.Itoa(100*i+j)); err != nil {
					t.Error(err)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	db := open(t, cfg)
	defer func() { require.NoError(t, db.Close()) }()
	n, err := db.CountFromVisibility(t.Context(), sqlplugin.VisibilitySelectFilter{Query: "SELECT count(*) FROM executions_visibility"})
	require.NoError(t, err)
	require.Equal(t, int64(80), n)
}
