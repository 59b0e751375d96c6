package store

import (
	"fmt"
	"strings"

	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// ExecutionStore implements persistence.ExecutionStore: mutable states, the
// tasks of shards, the replication DLQ and the event histories. It is safe for
// concurrent use and keeps no state of its own.
type ExecutionStore struct {
	ex         exec.Executor
	name       string
	serializer serialization.Serializer
	branches   p.HistoryBranchUtil
}

var _ p.ExecutionStore = (*ExecutionStore)(nil)

// NewExecutionStore returns a store over ex, which it does not own. ex must come
// from [Serialise] or be a *sequence.Executor, and be shared with the shard store
// of the same factory.
//
// The server hands CHASM nodes over as one blob if name contains "cassandra",
// else as two (common/persistence/execution_manager.go,
// makeInternalChasmNodeMap), so a name that does not fit the dialect's trait is
// an error here.
func NewExecutionStore(ex exec.Executor, name string, serializer serialization.Serializer) (*ExecutionStore, error) {
	if whole := strings.Contains(name, "cassandra"); whole != ex.Traits().WholeNodes {
		return nil, fmt.Errorf(
			"execution store %q: the server tells by this name whether CHASM nodes are one blob (%t), the dialect stores them so: %t; rename the store",
			name, whole, ex.Traits().WholeNodes)
	}
	err := ex.Compile(
		readExecution, readCurrent, readCurrentRun, listExecutions,
		readImmediateTasks, readScheduledTasks, readDLQ, peekDLQ,
		readBranch.up, readBranch.down, readBranchMetadata.up, readBranchMetadata.down,
		readTree, scanTrees,
	)
	if err != nil {
		return nil, err
	}
	return &ExecutionStore{
		ex: ex, name: name, serializer: serializer, branches: p.NewHistoryBranchUtil(serializer),
	}, nil
}

// Close does nothing: the session belongs to the factory.
func (s *ExecutionStore) Close() {}

// GetName implements persistence.ExecutionStore.
func (s *ExecutionStore) GetName() string { return s.name }

// GetHistoryBranchUtil implements persistence.ExecutionStore.
func (s *ExecutionStore) GetHistoryBranchUtil() p.HistoryBranchUtil { return s.branches }

// runKey names one run. Parsed and boxed once, it serves every mutation of the run.
type runKey struct {
	shard     any // int64
	namespace any // [16]byte
	workflow  any // string
	run       any // [16]byte
}

func parseRunKey(op string, shard int32, namespaceID, workflowID, runID string) (runKey, error) {
	namespace, err := parseUUID("namespace ID", namespaceID)
	if err != nil {
		return runKey{}, invalid(op, err)
	}
	run, err := parseUUID("run ID", runID)
	if err != nil {
		return runKey{}, invalid(op, err)
	}
	return runKey{shard: int64(shard), namespace: namespace, workflow: workflowID, run: run}, nil
}

// execution returns the key of the run's mutable state.
func (k runKey) execution() []any { return []any{k.shard, k.namespace, k.workflow, k.run} }

// current returns the key of the row that names the current run of k's workflow
// ID. Each archetype has workflow IDs of its own.
func (k runKey) current(archetype uint32) []any {
	return []any{k.shard, k.namespace, k.workflow, int64(archetype)}
}

// refusedByState is the refusal of a write by one of the rows that make up the
// state of executions. What a missing row refuses stays a
// *persistence.ConditionFailedError, as in the server's own Cassandra store;
// only a shard without a row has no owner.
func (s *ExecutionStore) refusedByState(c *plan.Conflict) error {
	switch c.Write.Mutations[c.Mutation].Table {
	case plan.Shards:
		return leaseLost(c)
	case plan.CurrentExecutions:
		if c.Row().Sight == plan.Found {
			return s.currentConflict(c)
		}
	case plan.Executions:
		if c.Row().Sight == plan.Found {
			return executionConflict(c)
		}
	}
	return nil
}

// executionConflict says in which state the run really is.
func executionConflict(c *plan.Conflict) error {
	row := c.Row().Values
	next, _ := row[plan.NextEventID].(int64)
	version, _ := row[plan.RecordVersion].(int64)
	return &p.WorkflowConditionFailedError{Msg: c.Error(), NextEventID: next, DBRecordVersion: version}
}
