// Package corpus holds scripts of CQL with what a server answers, one file per
// subject, and runs them over the native protocol against the embedded engine, a
// real Apache Cassandra or a real YugabyteDB.
//
// A script is a list of cases, divided by blank lines:
//
//	# Comments begin with a hash and belong to the case that follows.
//	@page 2
//	SELECT a, b FROM t WHERE a = ? <- 1
//	----
//	ROWS a int | b text
//	1 | 'x'
//
// Above the rule is the statement, which may take several lines; " <- " and values
// prepare it and bind them (null and unset are values too). Directives:
//
//	@page N       read in pages of N rows; each page ends in "-- page"
//	@meta         prepare only, and show bind markers, key indices and result columns
//	@batch KIND   a native batch, logged or unlogged: one member a line
//	@no-keyspace  on a connection that has chosen no keyspace
//	@sorted       the order of rows is not defined: compare them sorted
//	@skip-real    the case is not for a real server; the reason follows
//	@rule NAME    what this case and those behind it rest on, up to the next: a rule
//	              of testdata/ycql/RULES, where there is no server to ask
//
// Below it is the answer: VOID, KEYSPACE k, SCHEMA kind target keyspace name,
// ROWS with a line a row, PREPARED, or ERROR code text. A text that begins with ~
// must only occur in the server's; lines of a longer text begin with "| ". Where the
// engine answers otherwise than the real server on purpose, "!engine REASON" begins
// its own answer. $ks is the script's keyspace.
//
// The files of testdata/common run in both dialects, those of cassandra and ycql in
// one. -update=engine or -update=real rewrites the answers of failing cases; reading
// the diff is then the test.
package corpus
