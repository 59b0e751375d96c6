// Package records shows what a Temporal keyspace holds as a stream of records
// that does not depend on the database: what comparison and migration stand on.
//
// A [Record] is one logical row (package core/plan) with its kind, key, fields,
// the unit that it belongs to and, if it expires, the instant. A record is the
// contract, not the table: the same deployment gives the same records from every
// dialect. Three things are taken off before two records are compared
// ([Record.Canonical]): a shard's lease, owner and update time; the form in which
// a CHASM node is stored; the exact instant of expiry.
//
// A [Unit] is what is copied, verified and switched as one: a shard with its
// histories, a matching queue of both kinds, the user data of a namespace, the
// namespaces, cluster metadata, the message queues, Nexus endpoints; and histories
// of which nothing tells the shard, for want of a row in history_tree ([Treeless]) or
// because that cannot be understood ([Unowned]). Every node of every tree is a record.
//
// A [Part] is a piece of reading. It is not a unit, because servers differ: on
// Apache Cassandra a shard's executions are one partition, on YCQL all shards'
// executions are scattered and are read by ranges of the partition hash. Every
// record says its unit, whatever part it came from. All parts together give every
// record exactly once; parts may be read side by side, in any order.
//
// Reading depends on no state. [Source.Page] returns some records and the cursor
// behind them; a cursor is plain bytes and may be stored, and a part that was cut
// off is resumed from the last one:
//
//	reader, err := sequence.NewReader(executor) // core/store/sequence: hides what never took effect
//	src, err := records.NewSource(reader, records.Options{Shards: 512})
//	for _, part := range src.Parts(16) {
//		var at records.Cursor
//		for {
//			page, err := src.Page(ctx, part, at)
//			if err != nil { ... } // nothing is lost: ask again, or part.Split()
//			for i := range page.Records {
//				digest.Add(&page.Records[i])
//			}
//			if at = page.Next; at == nil {
//				break
//			}
//		}
//	}
//
// A [Digest] of each side is compared with [Digest.Diff]; the buckets in which
// they differ are read again, record by record ([Keys], [Keys.Diff]), and a
// difference names the record and the field.
//
// A [Writer] writes records, under fences that no server passes ([Writer.Hold],
// [Writer.HoldQueue]), and says beforehand what will not fit ([Writer.Fits]).
package records
