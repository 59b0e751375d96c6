// Package seqmodel is the protocol of package sequence as a small machine, and
// explores every state that it can reach: one shard, two owners, messages that
// are late, lost, or arrive when their sender has given up or died, blocks that
// the server runs again after its own commit, crashes anywhere, both forms of a
// takeover and its resumption by nonce, deletions, cleaning, and readers.
//
// In every state it holds that
//
//	(a) a write that was reported as applied is in effect, and one that was
//	    reported as not applied is not, ever;
//	(b) nobody is shown a task of a write that is not in effect;
//	(c) who holds the lease is shown the tasks of every write in effect, but for
//	    the one that it has under way, and so is everybody else;
//	(d) no write in effect lacks its tasks.
//
// Each of [Rules] can be left out; then a state breaks one of these.
//
// A message is executed at some moment, or never. Its sender waits for it, gives
// up, or dies; what it sent stays under way. An answer and what its receiver
// thinks of it are one step with the execution: until its next message the
// receiver changes nothing but what it shows. A row is read in a step of its own.
// Writes have one task. Timeouts, crashes, second runs, refusals by another row
// and long pauses are counted as faults, of which there is a limit.
package seqmodel
