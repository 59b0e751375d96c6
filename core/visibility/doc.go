// Package visibility keeps the lists of workflows in one SQLite file, for a
// server that is one process on one machine: the SQL plugin "sqlite-grouped".
//
// It is upstream's plugin "sqlite" in everything but two things.
//
// Writes. Upstream prepares and commits each of them by itself. Here one
// goroutine per file, shared by all roles of the process, collects the writes of
// a short time (the linger), runs them on statements that stay prepared, and
// commits them together. A write is acknowledged once its commit is durable.
// Callers wait a little longer, which costs nobody anything: visibility is
// written by background tasks.
//
// The schema. The table, its columns and the full-text tables are upstream's, so
// its queries, counts and search attributes work unchanged, and upstream's plugin
// can open the file too. But the index of a column that may be empty, as those of
// search attributes are, holds only the rows that have something in it, and rows
// without text skip the full-text tables. The file
// has a version of its own, see [schemaVersion].
//
// Invariants: at most one writer per file in a process; what was acknowledged
// survives the end of the process and, unless the store is ephemeral, of the
// machine; a failed group of writes is reported to each of its callers as an
// error that Temporal retries without limit.
package visibility
