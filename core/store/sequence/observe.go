package sequence

// Counter is something that an [Observer] counts. Its text is the name of the
// metric.
type Counter string

// What is counted.
const (
	// Barriers are statements that settle a write or store burned numbers.
	Barriers Counter = "persistence_shard_write_barriers"
	// SettledApplied and SettledNotApplied are writes whose answer was lost and
	// that turned out to have taken effect, and not to.
	SettledApplied    Counter = "persistence_shard_writes_settled_applied"
	SettledNotApplied Counter = "persistence_shard_writes_settled_not_applied"
	// Unsettled are writes that were reported as of unknown outcome.
	Unsettled Counter = "persistence_shard_writes_unsettled"
	// Reloads are those that the server would have made of a shard, had the
	// outcome of its write stayed unknown.
	Reloads Counter = "persistence_shard_reloads_avoided"
	// Takeovers are ranges that were made, renewals included.
	Takeovers Counter = "persistence_shard_takeovers"
	// NotOwner are writes that were refused without asking the database.
	NotOwner Counter = "persistence_shard_writes_not_by_owner"
	// HiddenRows are rows that reads passed over, CleanedRows those that were
	// deleted for it.
	HiddenRows  Counter = "persistence_shard_task_rows_hidden"
	CleanedRows Counter = "persistence_shard_task_rows_cleaned"
)

// Observer is told what happens beside the calls of stores. It must not block.
type Observer interface {
	Count(c Counter, n int)
}

type silent struct{}

func (silent) Count(Counter, int) {}
