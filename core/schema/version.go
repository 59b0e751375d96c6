package schema

import (
	"context"
	"errors"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

const versionTable = "schema_version"

// noVersion is where a keyspace begins.
const noVersion = "0.0"

// Version is what a keyspace says of itself.
type Version struct {
	// Current is its schema version.
	Current string
	// MinCompatible is the oldest version that a program may need and still
	// use the keyspace; empty where nobody wrote it.
	MinCompatible string
}

// The ways in which a keyspace can have no version.
var (
	ErrNoKeyspace = errors.New("keyspace does not exist")
	ErrNoSchema   = errors.New("keyspace holds no Temporal schema")
)

// ReadVersion reads a keyspace's version. It fails with ErrNoKeyspace or
// ErrNoSchema where there is none.
func ReadVersion(ctx context.Context, admin cql.Admin, keyspace string) (Version, error) {
	found, err := exists(ctx, admin, keyspace)
	if err != nil {
		return Version{}, err
	}
	if !found {
		return Version{}, fmt.Errorf("%q: %w", keyspace, ErrNoKeyspace)
	}
	tables, err := tableNames(ctx, admin, keyspace)
	if err != nil {
		return Version{}, err
	}
	if !tables[versionTable] {
		return Version{}, fmt.Errorf("%q: %w", keyspace, ErrNoSchema)
	}
	rows, err := admin.Query(ctx, `SELECT curr_version, min_compatible_version FROM `+quote(keyspace)+`.schema_version WHERE keyspace_name = ?`, keyspace)
	if err != nil {
		return Version{}, fmt.Errorf("read schema version of keyspace %q: %w", keyspace, err)
	}
	if len(rows) == 0 {
		return Version{}, fmt.Errorf("%q: %w", keyspace, ErrNoSchema)
	}
	return Version{textOf(rows[0], "curr_version"), textOf(rows[0], "min_compatible_version")}, nil
}

// Check says whether a server of this binary can run on a keyspace, and if not,
// which command helps. It changes nothing and needs no right to. A keyspace
// that is newer is good if its version says that it can be used by a program
// that needs ours: so a release can be rolled back.
func Check(ctx context.Context, admin cql.Admin, set Set, keyspace string) error {
	v, err := ReadVersion(ctx, admin, keyspace)
	switch {
	case errors.Is(err, ErrNoKeyspace):
		return fmt.Errorf("keyspace %q does not exist: run \"temporal-server schema create\" and then \"temporal-server schema update\"", keyspace)
	case errors.Is(err, ErrNoSchema):
		return fmt.Errorf("keyspace %q holds no Temporal schema: run \"temporal-server schema create\" and then \"temporal-server schema update\"", keyspace)
	case err != nil:
		return err
	}
	if v.Current != set.Version {
		if err := set.refuseForeign(ctx, admin, keyspace); err != nil {
			return err
		}
	}
	switch {
	case older(v.Current, set.Version):
		return fmt.Errorf("schema of keyspace %q is version %s, this server needs %s: run \"temporal-server schema update\"", keyspace, v.Current, set.Version)
	case older(set.Version, v.MinCompatible):
		return fmt.Errorf("schema of keyspace %q is version %s, which needs a server for version %s at least, this one is for %s: run a newer server",
			keyspace, v.Current, v.MinCompatible, set.Version)
	}
	should, err := set.Implied()
	if err != nil {
		return err
	}
	tables, err := tableNames(ctx, admin, keyspace)
	if err != nil {
		return err
	}
	for _, name := range sorted(should.Tables) {
		if !tables[name] {
			if err := set.refuseForeign(ctx, admin, keyspace); err != nil {
				return err
			}
			return fmt.Errorf("keyspace %q is at version %s but has no table %s: it was made for another database or an update was broken off; run \"temporal-server schema verify\" for the whole difference",
				keyspace, v.Current, name)
		}
	}
	return nil
}
