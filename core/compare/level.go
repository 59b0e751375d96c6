package compare

import (
	"context"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// Level does the work of blocks. Its methods are called one at a time.
type Level interface {
	// Name is "store" or "cluster".
	Name() string
	// Scenarios are what is measured, in order; names are unique.
	Scenarios() []string
	// Prepare looks at an arm before its first block: it finds out what can be known
	// of it (server, schema version, replication, ...) and fails, in one line, where
	// no block can succeed. database is a name for what it makes, and drops, meanwhile.
	Prepare(ctx context.Context, a *arm.Arm, database string) (result.Arm, error)
	// Block makes the database of spec, warms up ([Steady]), measures, and leaves the
	// database for Agree. It fills From, To, Warmup, Steady, Offered, Achieved, Lag,
	// Calls, Quantities, Series and Steps; the rest is the orchestrator's.
	//
	// Errors of single calls are part of the result. An error means that the arm is
	// dead or the block could not be made: it ends the run, and says in one line what
	// was done, what is wrong and what to do. A block that is returned beside an
	// error is kept. If ctx ends, Block ends soon with its error.
	Block(ctx context.Context, spec Spec) (*result.Block, error)
	// Agree compares the states that the two blocks of a pair left. It returns nil if
	// this level does not compare.
	Agree(ctx context.Context, a, b Spec) (*result.Agreement, error)
	// Drop removes what the block of spec made. It is called once for each block,
	// whatever became of it, also after ctx's end (with another one), and does not
	// fail for what is not there. With keep, the databases stay and only what runs
	// is ended.
	Drop(ctx context.Context, spec Spec, keep bool) error
	// Processes are those that belong to an arm beside this process and its children,
	// e.g. a database's on this machine: their time is not counted as somebody
	// else's.
	Processes() []int
}

// Spec says what block to run.
type Spec struct {
	Arm      *arm.Arm
	Scenario string
	Pair     int
	Attempt  int // from 0
	// Seed is the same for both arms of a pair, and another one for each pair.
	Seed uint64
	// Database is a name that no other block has: lower case letters, digits and
	// underscores, at most 40 characters.
	Database string
	// Progress is told what is being done, in a few words; it is never nil.
	Progress func(text string)
}

// Steady runs windows of warm-up until the last three agree to within a tenth, and
// at least for least, at most for most. window runs one, of a second or so, and
// returns its median latency. The time that it took is returned beside whether the
// arm was steady at its end.
func Steady(
	ctx context.Context, least, most time.Duration, window func(ctx context.Context) (time.Duration, error),
) (took time.Duration, steady bool, err error) {
	const last, tolerance = 3, 0.10
	began := time.Now()
	var medians []time.Duration
	for {
		median, err := window(ctx)
		took = time.Since(began)
		if err != nil {
			return took, false, err
		}
		if medians = append(medians, median); len(medians) > last {
			medians = medians[1:]
		}
		low, high := medians[0], medians[0]
		for _, m := range medians {
			low, high = min(low, m), max(high, m)
		}
		steady = len(medians) == last && float64(high-low) <= tolerance*float64(high)
		if steady && took >= least || took >= most {
			return took, steady, nil
		}
	}
}
