// Package storage keeps the rows of the embedded CQL engine: durable, in key
// order, with cells that carry write times and expiry.
//
// # Model
//
// A [Table] has partition key, clustering columns and other columns. A row has
// a liveness mark (INSERT makes one, UPDATE does not), one cell for each plain
// column and one for each element of a list, set, map or unfrozen UDT. A row
// exists while its mark or one of its cells lives. A partition also has a
// static row.
//
// Readers use a [View] and take no latches. Writers use a [Txn]: it holds the
// latches of all partitions that it writes, sees its own writes, and is applied
// as a whole or not at all.
//
// # Durability
//
// [Txn.Commit] applies the writes and releases the latches before they are on
// disk, and returns a [Ticket]; whoever tells the outside about the commit must
// wait for the ticket first. The same holds for what was read: [View.Ticket]
// covers everything that the view can have seen. One sync of the log serves all
// tickets that were taken before it. Recovery keeps a prefix of the log, so a
// commit that saw another is never there without it.
//
// # Order of writes
//
// The store gives out write times itself, strictly rising, so a later commit
// wins and a deleted cell needs no tombstone. A table that is written with
// explicit timestamps is switched over once ([Store.EnableTimestamps]): from
// then on each write is reconciled with what is there by Cassandra's rules, and
// deletions leave tombstones until the table's grace period is over. Either
// way, readers never have to reconcile anything.
//
// # Layout
//
//	d | table u32 | token i64 | partition key | kind | clustering key | 0                    plain cells of a row
//	d | table u32 | token i64 | partition key | kind | clustering key | 1 | column u32 | key  one element
//	i | index u32 | value | token i64 | partition key | clustering key                        index entry
//	x | second u64 | key                                                                      something in key expires
//	c | name                                                                                  catalog
//	m | name                                                                                  about the store itself
//
// A row can have elements without a plain key. A table of which that was never true
// is known ("strays"), and its INSERTs look for elements to replace only where there
// is a plain key (ADR 0053).
//
// Numbers in keys are big endian, signed ones with the sign bit flipped;
// clustering keys use package cqltype's key encoding. kind is range tombstone,
// static row or clustering row, in this order.
package storage
