package arm

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/server/common/log"
	sqltool "go.temporal.io/server/tools/sql"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	ourschema "github.com/temporal-ycql/temporal-ycql/core/schema"
)

// Look makes a database of a name, finds out what can be known of the arm, and drops
// it again. It fails where no block can succeed.
func (a *Arm) Look(ctx context.Context, name string) (found result.Arm, err error) {
	found = a.Describe()
	d, err := a.Create(ctx, name)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, d.Drop(context.WithoutCancel(ctx))) }()
	stores, err := d.Open(ctx)
	if err != nil {
		return found, err
	}
	found.Server = stores.Server
	err = d.versions(ctx, &found)
	return found, errors.Join(err, stores.Close())
}

// versions reads what database and schema say of themselves.
func (d *Database) versions(ctx context.Context, found *result.Arm) error {
	switch d.arm.kind {
	case sqlite:
		found.SchemaVersion = "upstream's v3 for SQLite"
	case sqlServer:
		conn, err := sqltool.NewConnection(d.sql(), log.NewNoopLogger())
		if err != nil {
			return err
		}
		defer conn.Close()
		if found.SchemaVersion, err = conn.ReadSchemaVersion(); err != nil {
			return fmt.Errorf("read the version of the schema: %w", err)
		}
	case remote, cassandra, inProcess:
		opener, err := d.opener()
		if err != nil {
			return err
		}
		return d.admin(ctx, func(admin cql.Admin) error {
			v, err := ourschema.ReadVersion(ctx, admin, opener.Keyspace())
			if err != nil {
				return err
			}
			found.SchemaVersion = v.Current
			rows, err := admin.Query(ctx, `SELECT release_version FROM system.local`)
			if err != nil {
				return fmt.Errorf("read the version of the database: %w", err)
			}
			if release, ok := first(rows)["release_version"].(string); ok && found.Server == "" {
				found.Server = "Cassandra " + release
			}
			return nil
		})
	}
	return nil
}

func first(rows []cql.Row) cql.Row {
	if len(rows) == 0 {
		return nil
	}
	return rows[0]
}
