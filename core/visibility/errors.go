package visibility

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// errClosed is the error of writes after Close.
var errClosed = errors.New("write to visibility: the file is closed")

// code is SQLite's primary result code, 0 if err is not SQLite's.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// ownFault reports whether err is about one statement and its values. SQLite has
// undone that statement, its transaction goes on. All other errors are about the
// file and end the transaction.
func ownFault(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_ERROR:
		return true
	case 0: // database/sql could not convert a value, unless the connection has gone
		return !errors.Is(err, driver.ErrBadConn) && !errors.Is(err, sql.ErrConnDone)
	}
	return false
}

// remedy says what a user can do about an error of the file.
func remedy(err error) string {
	switch code(err) {
	case sqlite3.SQLITE_FULL:
		return "the disk is full, free some space"
	case sqlite3.SQLITE_READONLY:
		return "make the file and its directory writable for this user"
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return "check that the directory exists and that this user may read and write it and the file"
	case sqlite3.SQLITE_IOERR:
		return "the disk reports an error or is full"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another process writes to the file, stop it"
	case sqlite3.SQLITE_CORRUPT:
		return "the file is damaged, restore it or let databaseName name another one"
	case sqlite3.SQLITE_NOTADB:
		return "the file is not a SQLite database, let databaseName name another one"
	}
	return ""
}

// describe makes one line of an error of the file at path.
func describe(doing, path string, err error) error {
	if r := remedy(err); r != "" {
		return fmt.Errorf("%s %s: %w: %s", doing, path, err, r)
	}
	return fmt.Errorf("%s %s: %w", doing, path, err)
}

// fileError is what the callers of a failed group get. Temporal retries a
// "resource exhausted" without limit and without a line in the log for each; of
// other errors it has enough after 70 attempts (about an hour) and moves the task
// to its DLQ, so that a disk that stays full over night would lose updates.
func fileError(path string, err error) error {
	line := describe("write to visibility file", path, err).Error()
	switch code(err) {
	case sqlite3.SQLITE_FULL:
		return serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_PERSISTENCE_STORAGE_LIMIT, line)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_SYSTEM_OVERLOADED, line)
	}
	return serviceerror.NewUnavailable(line)
}
