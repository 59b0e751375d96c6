// Package owners holds owners of shards to their promise on databases that they
// reach over their protocol: numbered writes (package sequence) whose owners are
// stopped before and after each of their requests while others take their shards,
// with everything else that goes wrong in a cluster drawn by chance; and, on every
// dialect, real processes that are frozen, killed and held up on their way.
package owners
