// Package schema makes, updates and verifies the keyspace of a database of ours.
//
// A [Set] is the versioned schema of one dialect: directories vX.Y with a
// manifest and CQL, in the layout of upstream's tools/common/schema, which does
// the updating. Cassandra's is the one that the server module embeds, so its
// keyspaces are those of stock Temporal.
//
// An [Admin session] is bound to no keyspace; statements are qualified with
// the keyspace's name before they are sent.
//
// Two updates never run side by side: concurrent schema changes can leave a
// Cassandra cluster with two versions of one table. The lock is a row of
// schema_version with a time to live, taken and renewed by conditional writes,
// so that it needs no table of its own (making one is itself a schema change)
// and goes away by itself when its holder dies.
//
// [Admin session]: github.com/temporal-ycql/temporal-ycql/core/cql.Admin
package schema
