package cql

// Atomicity is how far an atomic conditional write can reach.
type Atomicity uint8

// The reaches of an atomic write.
const (
	AtomicRow       Atomicity = iota + 1 // one row
	AtomicPartition                      // rows of one partition
	AtomicTables                         // any rows of any tables
)

// Traits states what a CQL variant can do. Zero fields mean "cannot".
type Traits struct {
	// Atomic is the reach of an atomic conditional write.
	Atomic Atomicity
	// TTL: rows may be given a life when they are written, in every table that
	// plans give one.
	TTL bool
	// Unset: markers may be left unset.
	Unset bool
	// AheadInAtomic: rows ahead travel inside the atomic part, so nobody ever
	// sees one without the other.
	AheadInAtomic bool
	// CheapDelete: deleting single finished tasks costs readers little, so
	// best-effort deletes are worth making. (On Cassandra each leaves a
	// tombstone.)
	CheapDelete bool
	// WholeNodes: tree nodes are stored as one blob.
	WholeNodes bool
	// RerunsBlocks: the server may run an atomic write again after its own
	// commit, so a refusal may be the write's own doing.
	RerunsBlocks bool
	// Sequenced: rows ahead cannot be hidden otherwise, so the writes of a shard
	// have numbers and the dialect knows the numbered tables (plan.Table) only.
	Sequenced bool
	// ShardPartition: a shard, its executions and its tasks are one partition,
	// so the executions of one shard can be listed without reading all others.
	ShardPartition bool
	// HashMin and HashMax are the ends of the space in which the server hashes
	// partitions: the bounds of reads with plan.Read.Span.
	HashMin, HashMax int64
}
