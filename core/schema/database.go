package schema

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	stock "go.temporal.io/server/tools/common/schema"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// database is one keyspace as upstream's schema tasks see it. They know no
// context; it lives as long as one task.
type database struct {
	ctx      context.Context //nolint:containedctx // the interface has none
	admin    cql.Admin
	keyspace string
	set      Set
	// dry, if not nil, is where statements are printed that would be executed.
	dry io.Writer
	// start is the version to begin with in a dry run of a keyspace that has none.
	start string
	// report is called before each statement.
	report func(statement string)
}

var _ stock.DB = (*database)(nil)

// Exec implements stock.DB for the statements of schema files.
func (d *database) Exec(statement string, args ...any) error {
	qualified, err := qualify(statement, d.keyspace)
	if err != nil {
		return err
	}
	return d.run(qualified, args...)
}

func (d *database) run(statement string, args ...any) error {
	if err := context.Cause(d.ctx); err != nil {
		return err
	}
	if d.dry != nil {
		_, err := fmt.Fprintln(d.dry, oneLine(inline(statement, args))+";")
		return err
	}
	d.report(oneLine(statement))
	err := d.again(func() error { return d.admin.Exec(d.ctx, statement, args...) })
	if cause := context.Cause(d.ctx); err != nil && cause != nil {
		return cause // the lock was lost: the statement's own error is a consequence
	}
	return d.set.server.tolerable(err)
}

// again does it until it gives no error that passes.
func (d *database) again(do func() error) error {
	for begin := time.Now(); ; {
		err := do()
		var e *cql.Error
		if !errors.As(err, &e) || !says(e, d.set.server.passing) || time.Since(begin) > passingTime {
			return err
		}
		select {
		case <-d.ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// tolerable words errors as upstream's update task expects those of a statement
// whose effect is there already, from an update that was broken off: it looks
// for "already exist" and "not found".
func (s server) tolerable(err error) error {
	var e *cql.Error
	switch {
	case !errors.As(err, &e):
		return err
	case e.Code == cql.CodeAlreadyExists, e.Code == cql.CodeInvalid && says(e, s.exists):
		return fmt.Errorf("already exists: %w", err)
	case e.Code == cql.CodeInvalid && says(e, s.missing):
		return fmt.Errorf("not found: %w", err)
	default:
		return err
	}
}

// empty drops the tables, with their indexes, and then the types.
func (d *database) empty() error {
	is, err := d.set.server.live(d.ctx, d.admin, d.keyspace)
	if err != nil {
		return err
	}
	for _, name := range sorted(is.Tables) {
		if err := d.run(`DROP TABLE IF EXISTS ` + quote(d.keyspace) + `.` + quote(name)); err != nil {
			return err
		}
	}
	for _, name := range sorted(is.Types) {
		if err := d.run(`DROP TYPE IF EXISTS ` + quote(d.keyspace) + `.` + quote(name)); err != nil {
			return err
		}
	}
	return nil
}

// inline writes arguments into a statement, for dry runs.
func inline(statement string, args []any) string {
	for _, arg := range args {
		text := fmt.Sprint(arg)
		if s, ok := arg.(string); ok {
			text = "'" + strings.ReplaceAll(s, "'", "''") + "'"
		}
		statement = strings.Replace(statement, "?", text, 1)
	}
	return statement
}

// DropAllTables implements stock.DB. No task that is run here asks for it.
func (d *database) DropAllTables() error {
	return errors.New("dropping single tables is not offered: use \"schema drop\"")
}

// CreateSchemaVersionTables implements stock.DB.
func (d *database) CreateSchemaVersionTables() error {
	for _, statement := range d.set.server.versionTables {
		if err := d.Exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// ReadSchemaVersion implements stock.DB.
func (d *database) ReadSchemaVersion() (string, error) {
	v, err := ReadVersion(d.ctx, d.admin, d.keyspace)
	if err != nil && d.start != "" {
		return d.start, nil // a dry run of what is not there yet
	}
	return v.Current, err
}

// UpdateSchemaVersion implements stock.DB.
func (d *database) UpdateSchemaVersion(version, minCompatible string) error {
	return d.run(`INSERT INTO `+quote(d.keyspace)+`.schema_version (keyspace_name, creation_time, curr_version, min_compatible_version) VALUES (?, ?, ?, ?)`,
		d.keyspace, time.Now().UnixMilli(), version, minCompatible)
}

// WriteSchemaUpdateLog implements stock.DB.
func (d *database) WriteSchemaUpdateLog(oldVersion, newVersion, manifestMD5, description string) error {
	now := time.Now().UTC()
	return d.run(`INSERT INTO `+quote(d.keyspace)+`.schema_update_history (year, month, update_time, old_version, new_version, manifest_md5, description) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		int64(now.Year()), int64(now.Month()), now.UnixMilli(), oldVersion, newVersion, manifestMD5, description)
}

// Close implements stock.DB. The session belongs to the tool.
func (d *database) Close() {}

// Type implements stock.DB.
func (d *database) Type() string { return d.set.Dialect }
