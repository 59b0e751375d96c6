// Package sequence gives the writes of a shard numbers, for databases that can
// neither hide rows that are stored ahead of a write nor tell what became of a
// write whose answer was lost (cql.Traits.Sequenced). ADR 0021 has the protocol
// and why it holds; package seqmodel checks it.
//
// A write takes a fresh number, stores its tasks under it ahead, and its atomic
// part tests the number of the write before (plan.Write.Numbered): so the one
// row of the shard says which writes took effect. What it says is kept in memory
// by the one who made the shard's range; nobody else writes in it.
//
// Invariants:
//
//   - Numbers grow over the ranges of a shard, and none is used twice in a range.
//   - One write of a shard is in flight. The next one is sent when it is known
//     what became of it, and when all numbers before that never took effect and
//     have rows are stored as burned.
//   - A row of range q and number n is shown if n is not burned and not above
//     the end of q, which is the first recorded end of a range at or after q; the
//     end of the present range is the last number that took effect.
//   - A write is reported as applied, or as not applied, only if it can never be
//     otherwise.
package sequence
