package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for test, want := range map[string]testCase{
		"TestCassandra/faults/UpdateWorkflowExecution/bypass/write-timeout-cas_after_request_2":        {"Apache Cassandra", "UpdateWorkflowExecution/bypass", timeout},
		"TestCassandra/faults/UpdateShard/overloaded_before_request_1":                                 {"Apache Cassandra", "UpdateShard", overload},
		"TestCassandraSuiteOnYCQLDurable/faults/UpdateShard/connection-lost_after_request_1#01":        {"engine, ycql", "UpdateShard", lostReply},
		"TestCassandraEmbeddedDurable/faults-of-other-stores/task/GetTasks_before/closed_request_1":    {"engine, cassandra", "task/GetTasks", errorBefore},
		"TestCassandraEmbeddedDurable/faults-of-other-stores/Nexus/Get,_all_after/deadline_request_12": {"engine, cassandra", "Nexus/Get, all", timeout},
		"TestKills/engine_ycql/database/UpdateShard/during_request_2":                                  {"engine, ycql", "UpdateShard", killDatabase},
		"TestKills/Apache_Cassandra/server/fair_task/after/CreateTasks,_ten_request_1":                 {"Apache Cassandra", "fair task/CreateTasks, ten", killServer},
	} {
		got, ok := parse(test)
		require.True(t, ok, test)
		require.Equal(t, want, got, test)
	}
	for _, test := range []string{
		"", "TestKills", "TestKills/engine_ycql/database/UpdateShard", "TestCassandra/faults/UpdateShard", "TestCassandra/ownership/one_of_many", "TestOther/faults/UpdateShard/closed_before_request_1",
	} {
		_, ok := parse(test)
		require.False(t, ok, test)
	}
}

func TestMatrixAndItsDocument(t *testing.T) {
	said := `{"Time":"2026-11-27T12:00:00Z","Action":"start"}
{"Action":"pass","Test":"TestCassandra/faults/UpdateShard/closed_before_request_1"}
{"Action":"fail","Test":"TestCassandra/faults/UpdateShard/closed_before_request_2"}
{"Action":"attr","Test":"TestKills/engine_ycql/server/UpdateShard/after_request_1","Key":"recovered_seconds","Value":"0.25"}
{"Action":"pass","Test":"TestKills/engine_ycql/server/UpdateShard/after_request_1"}
`
	m := newMatrix()
	require.NoError(t, m.read(strings.NewReader(said)))
	m.summarise()
	err := m.verdict()
	require.ErrorContains(t, err, "1 of 2 cases of error before failed")
	require.ErrorContains(t, err, "there was no case of overload")
	require.NotContains(t, err.Error(), "server")

	path := filepath.Join(t.TempDir(), "doc.md")
	require.NoError(t, os.WriteFile(path, []byte("# Title\n"+opening+"\nold\n"+closing+"\nrest\n"), 0o600))
	require.NoError(t, m.document(path))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, line := range []string{
		"| UpdateShard | **1 of 2 failed** |  |  |  | 1 |  |\n",
		"| engine, ycql |  |  |  |  | 1; calls succeed again after 0.2 s (median), 0.2 s (slowest of 1) |  |\n", "\nrest\n",
	} {
		require.Contains(t, string(text), line)
	}
	require.NotContains(t, string(text), "old")
	require.Error(t, m.document(os.DevNull))
}
