package main

import (
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// The commands of the README, on a real Cassandra; see package cassandratest
// for when it skips.
func TestSchemaCommands(t *testing.T) {
	node := cassandratest.Start(t)
	keyspace := cassandratest.UniqueName()
	configured := []string{"--config-file", sample(t), "--set", "backends.cassandra.hosts=" + node.Addr(), "--set", "backends.cassandra.keyspace=" + keyspace}
	t.Cleanup(func() { run(t, "", append(configured, "schema", "drop", "--yes")...) })
	steps := []struct {
		name   string
		args   []string
		stdin  string
		want   string // a part of what is printed
		status int
	}{
		{"nothing to verify yet", []string{"verify"}, "", "- keyspace " + keyspace + " is missing (schema version 1.", 1},
		{"no version yet", []string{"version"}, "", "keyspace does not exist", 1},
		{"update before create", []string{"update"}, "", `run "schema create" first`, 1},
		{"a dry run", []string{"create", "--dry-run", "--rf", "3"}, "", `CREATE KEYSPACE IF NOT EXISTS "` + keyspace + `" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3};`, 0},
		{"it made nothing", []string{"verify"}, "", "is missing", 1},
		{"create", []string{"create", "--datacenter", "datacenter1:1"}, "", "is ready for", 0},
		{"an empty keyspace differs", []string{"verify"}, "", "~ schema version is 0.0, should be 1.", 1},
		{"a dry run of the update", []string{"update", "--dry-run"}, "", `CREATE TABLE "` + keyspace + `".executions (`, 0},
		{"update", []string{"update"}, "", "-- keyspace " + keyspace + " is at version 1.", 0},
		{"update again", []string{"update"}, "", "nothing to do", 0},
		{"verify", []string{"verify"}, "", "", 0},
		{"version", []string{"version"}, "", "(this binary needs 1.", 0},
		{"drop without an answer", []string{"drop"}, "", "was not dropped", 1},
		{"drop with a wrong answer", []string{"drop"}, "yes\n", "was not dropped", 1},
		{"it is still there", []string{"verify"}, "", "", 0},
		{"drop", []string{"drop"}, keyspace + "\n", `DROP KEYSPACE IF EXISTS "` + keyspace + `"`, 0},
		{"it is gone", []string{"verify"}, "", "is missing", 1},
		{"drop again", []string{"drop", "--yes"}, "", "does not exist", 0},
	}
	for _, step := range steps {
		args := append(append(configured[:len(configured):len(configured)], "schema"), step.args...)
		stdout, stderr, status := run(t, step.stdin, args...)
		if status != step.status || !strings.Contains(stdout+stderr, step.want) {
			t.Fatalf("%s: status %d\n%s%s", step.name, status, stdout, stderr)
		}
	}
}
