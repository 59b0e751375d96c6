package visibility

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
)

const (
	// schemaVersion is the version of a file's schema, kept in SQLite's
	// user_version. It changes with tables.sql and indexes.sql, which change with
	// upstream's schema; a test holds them together. A file of an older version is
	// rebuilt when it is opened, one of a newer version is refused.
	schemaVersion = 1
	// applicationID marks our files in SQLite's application_id ("TyCV").
	applicationID = 0x54794356
)

var (
	// tablesText makes the table, the full-text tables and their triggers.
	//go:embed tables.sql
	tablesText string
	// indexesText makes the indexes.
	//go:embed indexes.sql
	indexesText string
)

// schemaState is what a file holds.
type schemaState struct {
	application int64
	version     int64
	table       bool // it has the table of visibility
}

// ensureSchema makes the schema of a new file, and rebuilds a file of an older
// version and one that upstream's plugin made. Either happens as a whole or not
// at all; processes that try at the same time wait for each other.
func ensureSchema(ctx context.Context, db *sql.DB, path string, logger log.Logger) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return describe("open visibility file", path, err)
	}
	defer func() { _ = conn.Close() }() // it goes back to the pool

	state, err := readState(ctx, conn)
	if err != nil {
		return describe("open visibility file", path, err)
	}
	if current, err := state.check(path); current || err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return describe("update visibility file", path, err)
	}
	if err := update(ctx, conn, path, logger); err != nil {
		_, _ = conn.ExecContext(ctx, "ROLLBACK") // the error before it says more
		return err
	}
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		_, _ = conn.ExecContext(ctx, "ROLLBACK") // the same
		return describe("update visibility file", path, err)
	}
	return nil
}

// update runs inside of a transaction, and so looks again.
func update(ctx context.Context, conn *sql.Conn, path string, logger log.Logger) error {
	state, err := readState(ctx, conn)
	if err != nil {
		return describe("update visibility file", path, err)
	}
	if current, err := state.check(path); current || err != nil {
		return err
	}
	if state.table {
		err = rebuild(ctx, conn, path, state, logger)
	} else {
		_, err = conn.ExecContext(ctx, tablesText+indexesText)
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, schemaVersion))
	}
	if err != nil {
		return describe("update visibility file", path, err)
	}
	return nil
}

func readState(ctx context.Context, conn *sql.Conn) (schemaState, error) {
	var s schemaState
	err := conn.QueryRowContext(ctx, `SELECT application_id, user_version,
		EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?)
		FROM pragma_application_id, pragma_user_version`, table).Scan(&s.application, &s.version, &s.table)
	return s, err
}

// check reports whether the schema is this program's, or why it never can be.
func (s schemaState) check(path string) (current bool, err error) {
	switch {
	case s.application == 0:
		return false, nil // new, or of upstream's plugin
	case s.application != applicationID:
		return false, fmt.Errorf("open visibility file %s: it belongs to another program (application id %#x), let databaseName name another file", path, s.application)
	case s.version > schemaVersion:
		return false, fmt.Errorf("open visibility file %s: it has schema version %d and this program knows %d: run the newer program, or let databaseName name another file, in which lists of workflows begin empty",
			path, s.version, schemaVersion)
	}
	return s.version == schemaVersion && s.table, nil
}

// rebuild makes the schema anew and fills it from the base columns of the old
// table: those that upstream's plugin writes, from which SQLite computes all
// others. Columns that the old table lacks get their defaults.
func rebuild(ctx context.Context, conn *sql.Conn, path string, state schemaState, logger log.Logger) error {
	columns, err := strs(ctx, conn, "SELECT name FROM pragma_table_info(?)", table) // without computed ones
	if err != nil {
		return err
	}
	base := slices.DeleteFunc(slices.Clone(sqlplugin.DbFields), func(f string) bool { return !slices.Contains(columns, f) })
	var rows int64
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&rows); err != nil {
		return err
	}
	from := fmt.Sprintf("version %d", state.version)
	if state.application == 0 {
		from = "upstream's sqlite plugin"
	}
	logger.Info("Rebuilding the visibility file.", tag.NewStringTag("file", path),
		tag.NewStringTag("from", from), tag.NewInt("to-version", schemaVersion), tag.NewInt64("rows", rows))
	began := time.Now()

	drops, err := strs(ctx, conn, `SELECT 'DROP ' || type || ' "' || name || '"' FROM sqlite_master
		WHERE tbl_name = ? AND (type = 'trigger' OR type = 'index' AND sql IS NOT NULL)
		UNION ALL SELECT 'DROP TABLE "' || name || '"' FROM sqlite_master
		WHERE name LIKE 'executions\_visibility\_fts\_%' ESCAPE '\' AND sql LIKE 'CREATE VIRTUAL TABLE%'`, table)
	if err != nil {
		return err
	}
	list := strings.Join(base, ", ")
	statements := slices.Concat(drops, []string{
		"ALTER TABLE " + table + " RENAME TO rebuilt_" + table,
		tablesText,
		fmt.Sprintf("INSERT INTO %s (%s) SELECT %[2]s FROM rebuilt_%[1]s", table, list),
		"DROP TABLE rebuilt_" + table,
		indexesText, // last: one sort is cheaper than as many look-ups
	})
	for _, s := range statements {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	logger.Info("Rebuilt the visibility file.", tag.NewStringTag("file", path), tag.NewDurationTag("took", time.Since(began)))
	return nil
}

// strs returns the one column of a query.
func strs(ctx context.Context, conn *sql.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err has said it
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
