package visibility_test

import (
	"context"
	gosql "database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"

	"github.com/temporal-ycql/temporal-ycql/core/visibility"
)

// stockConfig is upstream's plugin on a file, as its users write it.
func stockConfig(path string) *config.SQL {
	return &config.SQL{
		PluginName: sqlite.PluginName, DatabaseName: path, ConnectAddr: "localhost", ConnectProtocol: "tcp",
		ConnectAttributes: map[string]string{"mode": "rwc", "setup": "true", "journal_mode": "wal", "synchronous": "0", "busy_timeout": "10000"},
	}
}

// change is a write that can be repeated on another store.
type change struct {
	kind int // 0, 1: insert; 2 to 5: upsert; 6: delete
	row  sqlplugin.VisibilityRow
}

// randomChanges are writes to few rows, so that they meet.
func randomChanges(random *rand.Rand, n int) []change {
	words := []string{"alpha", "béta", "gamma", "delta epsilon", "x♡y", ""}
	word := func() string { return words[random.IntN(len(words))] }
	out := make([]change, n)
	for i := range out {
		attributes := sqlplugin.VisibilitySearchAttributes{}
		for name, value := range map[string]any{
			"Keyword01": word(), "Keyword02": word(), "Text01": word() + " " + word(), "Text02": word(),
			"KeywordList01": []string{word(), word()}, "BuildIds": []string{word()}, "TemporalChangeVersion": []string{word()},
			"Int01": random.IntN(5), "Double01": float64(random.IntN(5)) / 4, "Bool01": random.IntN(2) == 1,
			"Datetime01": time.Unix(random.Int64N(2e9), random.Int64N(1e9)).UTC(), "TemporalNamespaceDivision": word(), "TemporalScheduledById": word(),
		} {
			if random.IntN(3) == 0 {
				attributes[name] = value
			}
		}
		start := time.Unix(1e9+int64(random.IntN(100)), int64(random.IntN(1e9))).UTC()
		row := sqlplugin.VisibilityRow{
			NamespaceID: "ns", RunID: strconv.Itoa(random.IntN(20)), WorkflowID: word(), WorkflowTypeName: word(),
			StartTime: start, ExecutionTime: start, Status: int32(random.IntN(3)), Encoding: "json", Memo: []byte(word()),
			TaskQueue: word(), Version: int64(random.IntN(1 + i)),
		}
		if random.IntN(4) > 0 {
			row.SearchAttributes = &attributes
		}
		if random.IntN(2) == 0 {
			closed, length := start.Add(time.Duration(random.IntN(1e9))), int64(random.IntN(9))
			row.CloseTime, row.HistoryLength = &closed, &length
		}
		out[i] = change{random.IntN(7), row}
	}
	return out
}

func (c change) apply(ctx context.Context, db sqlplugin.DB) (affected int64, err error) {
	var res gosql.Result
	row := c.row // upstream changes what it is given
	if row.CloseTime != nil {
		closed := *row.CloseTime
		row.CloseTime = &closed
	}
	switch c.kind {
	case 0, 1:
		res, err = db.InsertIntoVisibility(ctx, &row)
	case 6:
		res, err = db.DeleteFromVisibility(ctx, sqlplugin.VisibilityDeleteFilter{NamespaceID: row.NamespaceID, RunID: row.RunID})
	default:
		res, err = db.ReplaceIntoVisibility(ctx, &row)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// raw opens a file beside the plugins.
func raw(t *testing.T, path string) *gosql.DB {
	t.Helper()
	db, err := gosql.Open("sqlite", "file:"+path+"?mode=rw&_pragma=busy_timeout=10000")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// rows renders the result of a query, a line for each row.
func rows(t *testing.T, db *gosql.DB, query string, args ...any) []string {
	t.Helper()
	r, err := db.QueryContext(t.Context(), query, args...)
	require.NoError(t, err, query)
	defer r.Close()
	columns, err := r.Columns()
	require.NoError(t, err)
	var out []string
	for r.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, r.Scan(into...))
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				values[i] = string(b)
			}
		}
		out = append(out, fmt.Sprintf("%v", values))
	}
	require.NoError(t, r.Err())
	return out
}

// content is all that queries can see: base and computed columns, and what the
// full-text tables and the indexes find.
func content(t *testing.T, db *gosql.DB) map[string][]string {
	t.Helper()
	c := map[string][]string{"rows": rows(t, db, "SELECT * FROM executions_visibility ORDER BY run_id")}
	ask := func(where string) {
		c[where] = rows(t, db, "SELECT run_id FROM executions_visibility WHERE namespace_id = 'ns' AND "+where+" ORDER BY run_id")
	}
	for _, w := range []string{"alpha", "beta", "gamma", "epsilon", "x"} {
		ask(fmt.Sprintf("rowid IN (SELECT rowid FROM executions_visibility_fts_text WHERE executions_visibility_fts_text = 'Text01:%s')", w))
		ask(fmt.Sprintf("rowid NOT IN (SELECT rowid FROM executions_visibility_fts_text WHERE executions_visibility_fts_text = 'Text02:%s')", w))
	}
	for _, w := range []string{"alpha", "béta", "delta epsilon", "x", "y"} {
		for _, column := range []string{"KeywordList01", "BuildIds", "TemporalChangeVersion"} {
			ask(fmt.Sprintf(`rowid IN (SELECT rowid FROM executions_visibility_fts_keyword_list WHERE executions_visibility_fts_keyword_list = '%s:"%s"')`, column, w))
		}
		ask(fmt.Sprintf("Keyword01 = '%s'", w))
		ask(fmt.Sprintf("Keyword02 > '%s'", w))
		ask(fmt.Sprintf("TemporalNamespaceDivision = '%s'", w))
	}
	for _, w := range []string{
		"Keyword01 IS NULL", "Keyword01 IS NOT NULL", "Keyword01 != 'alpha'", "Keyword01 IN ('alpha', 'gamma')", "Int01 = 3", "Int01 BETWEEN 1 AND 3", "Bool01 = true",
		"Double01 >= 0.5", "Datetime01 > '2001-01-01 00:00:00+00:00'", "TemporalNamespaceDivision IS NULL", "Keyword01 = 'alpha' OR Int01 = 2",
		"close_time IS NULL", "history_length = 3", "parent_workflow_id IS NULL",
	} {
		ask(w)
	}
	return c
}

// sound checks the file itself, the full-text tables against the rows included. It
// has a connection of its own: the check of FTS5 believes what it has in memory.
func sound(t *testing.T, path string) {
	t.Helper()
	db := raw(t, path)
	require.Equal(t, []string{"[ok]"}, rows(t, db, "PRAGMA integrity_check"))
	for _, name := range []string{"executions_visibility_fts_text", "executions_visibility_fts_keyword_list"} {
		_, err := db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO %s (%[1]s, rank) VALUES ('integrity-check', 1)", name))
		require.NoError(t, err, name)
	}
}

// definitions is the schema of visibility in a file.
func definitions(t *testing.T, db *gosql.DB) []string {
	t.Helper()
	return rows(t, db, "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND tbl_name LIKE 'executions\\_visibility%' ESCAPE '\\' ORDER BY type, name")
}

func newSchema(t *testing.T) []string {
	t.Helper()
	cfg := fileConfig(t.TempDir())
	require.NoError(t, open(t, cfg).Close())
	return definitions(t, raw(t, cfg.DatabaseName))
}

func random(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// Stock's answers to random writes are ours.
func TestWritesAgreeWithStock(t *testing.T) {
	visibility.Register()
	stock, own := stockConfig(filepath.Join(t.TempDir(), "stock.db")), fileConfig(t.TempDir())
	own.ConnectAttributes = map[string]string{"linger": "0s"}
	a, b := open(t, stock), open(t, own)
	defer func() { require.NoError(t, b.Close()) }()
	for i, c := range randomChanges(random(t), 600) {
		want, err := c.apply(t.Context(), a)
		require.NoError(t, err)
		got, err := c.apply(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, want, got, "rows affected by change %d: %+v", i, c)
	}
	x, y := raw(t, stock.DatabaseName), raw(t, own.DatabaseName)
	require.NotEmpty(t, content(t, x)["rows"])
	require.Equal(t, content(t, x), content(t, y))
	sound(t, own.DatabaseName)
}

func TestStockFileIsRebuilt(t *testing.T) {
	visibility.Register()
	path := filepath.Join(t.TempDir(), "visibility.db")
	random := random(t)
	write := func(db sqlplugin.DB) {
		for _, c := range randomChanges(random, 100) {
			_, err := c.apply(t.Context(), db)
			require.NoError(t, err)
		}
	}
	write(open(t, stockConfig(path)))
	db := raw(t, path)
	before := content(t, db)
	require.NotEmpty(t, before["rows"])

	cfg := fileConfig("")
	cfg.DatabaseName = path
	own := open(t, cfg)
	require.Equal(t, before, content(t, db))
	sound(t, path)
	require.Equal(t, strings.Join(newSchema(t), "\n"), strings.Join(definitions(t, db), "\n"))
	write(own)
	require.NoError(t, own.Close())
	sound(t, path)

	// And back. Stock makes what else it wants and leaves the table alone.
	write(open(t, stockConfig(path)))
	sound(t, path)
	after := content(t, db)
	own = open(t, cfg)
	require.Equal(t, after, content(t, db))
	require.NoError(t, own.Close())
}

func TestOlderFileIsRebuilt(t *testing.T) {
	visibility.Register()
	cfg := fileConfig(t.TempDir())
	db := open(t, cfg)
	require.NoError(t, add(t.Context(), db, "a"))
	require.NoError(t, db.Close())
	file := raw(t, cfg.DatabaseName)
	for _, s := range []string{
		"DROP INDEX by_root_workflow_id", "ALTER TABLE executions_visibility DROP COLUMN root_workflow_id",
		"DROP TRIGGER executions_visibility_fts_text_ai", "DROP TABLE executions_visibility_fts_text", "PRAGMA user_version = 0",
	} {
		_, err := file.ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	db = open(t, cfg)
	defer func() { require.NoError(t, db.Close()) }()
	require.True(t, shows(t, db, "a"))
	require.NoError(t, add(t.Context(), db, "b"))
	require.Equal(t, strings.Join(newSchema(t), "\n"), strings.Join(definitions(t, file), "\n"))
	require.Equal(t, []string{"[1]"}, rows(t, file, "PRAGMA user_version"))
	sound(t, cfg.DatabaseName)
}

func TestOtherFilesAreRefused(t *testing.T) {
	visibility.Register()
	tests := []struct{ name, make, want string }{
		{"newer", "PRAGMA user_version = 2", "it has schema version 2 and this program knows 1: run the newer program, or let databaseName name another file"},
		{"of another program", "PRAGMA application_id = 7", "it belongs to another program (application id 0x7)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := fileConfig(t.TempDir())
			db := open(t, cfg)
			require.NoError(t, add(t.Context(), db, "a"))
			require.NoError(t, db.Close())
			file := raw(t, cfg.DatabaseName)
			_, err := file.ExecContext(t.Context(), tt.make)
			require.NoError(t, err)
			_, err = tryOpen(sqlplugin.DbKindVisibility, cfg)
			require.ErrorContains(t, err, "open visibility file "+cfg.DatabaseName)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "\n")
			require.Len(t, rows(t, file, "SELECT 1 FROM executions_visibility"), 1, "it was left alone")
		})
	}
}

func TestRebuildIsAllOrNothing(t *testing.T) {
	visibility.Register()
	path := filepath.Join(t.TempDir(), "visibility.db")
	stock := open(t, stockConfig(path))
	require.NoError(t, add(t.Context(), stock, "a"))
	file := raw(t, path)
	_, err := file.ExecContext(t.Context(), "CREATE VIEW executions_visibility_fts_text_data2 AS SELECT 1; CREATE TABLE rebuilt_executions_visibility (x)")
	require.NoError(t, err)
	before, schema := content(t, file), definitions(t, file)

	cfg := fileConfig("")
	cfg.DatabaseName = path
	_, err = tryOpen(sqlplugin.DbKindVisibility, cfg)
	require.ErrorContains(t, err, "update visibility file "+path)
	require.NotContains(t, err.Error(), "\n")
	require.Equal(t, before, content(t, file))
	require.Equal(t, schema, definitions(t, file))
	require.NoError(t, add(t.Context(), stock, "b"))

	_, err = file.ExecContext(t.Context(), "DROP TABLE rebuilt_executions_visibility")
	require.NoError(t, err)
	own := open(t, cfg)
	defer func() { require.NoError(t, own.Close()) }()
	require.True(t, shows(t, own, "b"))
}

// Indexes that hold only some rows serve the same queries as stock's; only who
// asks for rows without an attribute gets them from another index.
func TestQueryPlans(t *testing.T) {
	visibility.Register()
	stock, own := stockConfig(filepath.Join(t.TempDir(), "stock.db")), fileConfig(t.TempDir())
	open(t, stock)
	require.NoError(t, open(t, own).Close())
	a, b := raw(t, stock.DatabaseName), raw(t, own.DatabaseName)
	tests := []struct {
		where string
		want  string // index; empty: what stock's file gives
	}{
		{"Keyword01 = 'a'", "by_keyword_01"},
		{"Keyword01 IN ('a', 'b')", ""},
		{"(Keyword01 = 'a' OR Keyword02 = 'b')", ""},
		{"Keyword01 != 'a'", ""},
		{"Int01 BETWEEN 1 AND 2", ""},
		{"Datetime01 > '2020-01-01 00:00:00+00:00'", ""},
		{"TemporalScheduledById = 'a'", "by_temporal_scheduled_by_id"},
		{"TemporalNamespaceDivision = 'a'", "by_temporal_namespace_division"},
		{"workflow_id = 'a'", "by_workflow_id"},
		{"status = 1", ""},
		{"parent_workflow_id IS NULL", ""},
		{"Keyword01 IS NULL", "by_temporal_namespace_division"},
	}
	for _, tt := range tests {
		t.Run(tt.where, func(t *testing.T) {
			where := tt.where + " AND namespace_id = 'ns'"
			if !strings.Contains(where, "TemporalNamespaceDivision") {
				where += " AND TemporalNamespaceDivision IS NULL" // upstream adds it
			}
			explain := "EXPLAIN QUERY PLAN SELECT run_id FROM executions_visibility WHERE " + where +
				" ORDER BY COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id LIMIT 10"
			want := steps(rows(t, a, explain))
			if tt.want != "" {
				want = "SEARCH executions_visibility USING INDEX " + tt.want
			}
			require.Contains(t, steps(rows(t, b, explain)), want)
		})
	}
}

// steps are a query plan without SQLite's numbers.
func steps(plan []string) string {
	var out []string
	for _, line := range plan {
		out = append(out, strings.Join(strings.Fields(strings.Trim(line, "[]"))[3:], " "))
	}
	return strings.Join(out, "; ")
}

// Several processes may start on one file of stock's.
func TestRebuildsWaitForEachOther(t *testing.T) {
	visibility.Register()
	path := filepath.Join(t.TempDir(), "visibility.db")
	require.NoError(t, add(t.Context(), open(t, stockConfig(path)), "a"))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := visibility.OpenAlone(path); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	file := raw(t, path)
	require.Len(t, rows(t, file, "SELECT 1 FROM executions_visibility"), 1)
	sound(t, path)
}
