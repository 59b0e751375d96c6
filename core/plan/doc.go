// Package plan describes persistence work without naming a database.
//
// A store builds a [Write] or holds a [Read], a dialect compiles it, package
// exec runs it. Values here are plain data: comparable in tests, printable in
// logs. A Write holds at most one [Mutation] per logical row; their order is
// the order in which conflicts are reported.
//
// Tables are logical: what a row means, not how a server stores it. A dialect's
// layout maps them to physical tables, so several logical tables may share one
// (Apache Cassandra keeps a shard, its executions and its tasks in one
// partition), and one may be spread over several.
package plan
