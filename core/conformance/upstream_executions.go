package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
	"go.temporal.io/server/common/log"
	persistencetests "go.temporal.io/server/common/persistence/persistence-tests"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/persistence/tests"
)

// upstreamExecutions are Temporal's own suites of shards, executions and
// histories. They choose shard IDs by themselves, so each has its database.
func upstreamExecutions() []area {
	upstream := func(name string, run func(t *testing.T, db *database)) area {
		return area{"upstream-" + name, []test{{"suite", run}}}
	}
	return []area{
		upstream("shards", func(t *testing.T, db *database) {
			shards, err := db.factory(t, nil).NewShardStore()
			require.NoError(t, err)
			suite.Run(t, tests.NewShardSuite(t, shards, serialization.NewSerializer(), log.NewNoopLogger()))
		}),
		upstream("executions", func(t *testing.T, db *database) {
			st := db.stores(t, nil)
			suite.Run(t, tests.NewExecutionMutableStateSuite(
				t, st.Shards, st.Executions, serialization.NewSerializer(), log.NewNoopLogger()))
		}),
		upstream("execution-tasks", func(t *testing.T, db *database) {
			st := db.stores(t, nil)
			suite.Run(t, tests.NewExecutionMutableStateTaskSuite(
				t, st.Shards, st.Executions, serialization.NewSerializer(), log.NewNoopLogger()))
		}),
		upstream("history", func(t *testing.T, db *database) {
			st := db.stores(t, nil)
			suite.Run(t, tests.NewHistoryEventsSuite(t, st.Executions, log.NewNoopLogger()))
		}),
		upstream("history-trees", func(t *testing.T, db *database) {
			s := new(persistencetests.HistoryV2PersistenceSuite)
			s.TestBase = newFixture(t, db).base()
			suite.Run(t, s)
		}),
	}
}
