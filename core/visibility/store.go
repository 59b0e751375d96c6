package visibility

import (
	"context"
	"database/sql"
	"errors"

	"go.temporal.io/server/common/persistence/sql/sqlplugin"
)

// store is upstream's store with the writes of visibility exchanged. It is safe
// for concurrent use.
type store struct {
	sqlplugin.DB
	sqlplugin.AdminCRUD
	admin   sqlplugin.AdminDB
	name    string
	writer  *writer
	release func() error
}

var (
	_ sqlplugin.DB      = (*store)(nil)
	_ sqlplugin.AdminDB = (*store)(nil)
)

// InsertIntoVisibility stores a row unless one with its key is there.
func (s *store) InsertIntoVisibility(ctx context.Context, row *sqlplugin.VisibilityRow) (sql.Result, error) {
	args, err := rowArgs(row)
	if err != nil {
		return nil, err
	}
	return s.writer.do(ctx, insert, args)
}

// ReplaceIntoVisibility stores a row unless one with its key and the same or a
// higher version is there.
func (s *store) ReplaceIntoVisibility(ctx context.Context, row *sqlplugin.VisibilityRow) (sql.Result, error) {
	args, err := rowArgs(row)
	if err != nil {
		return nil, err
	}
	return s.writer.do(ctx, upsert, args)
}

// DeleteFromVisibility removes a row if it is there.
func (s *store) DeleteFromVisibility(ctx context.Context, filter sqlplugin.VisibilityDeleteFilter) (sql.Result, error) {
	return s.writer.do(ctx, remove, []any{filter.NamespaceID, filter.RunID})
}

// DbName is the configured name: Temporal keeps search attributes under it.
func (s *store) DbName() string { return s.name }

// ExpectedVersion is the version of upstream's schema.
func (s *store) ExpectedVersion() string { return s.admin.ExpectedVersion() }

// VerifyVersion has nothing left to do: a file of another version was updated or
// refused when it was opened.
func (s *store) VerifyVersion() error { return s.admin.VerifyVersion() }

// Close gives up this store. The last one of a file stores what is on its way and
// closes the file. Closing twice is harmless.
func (s *store) Close() error {
	return errors.Join(s.DB.Close(), s.release())
}
