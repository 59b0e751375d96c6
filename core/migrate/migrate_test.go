package migrate_test

import (
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/migrate"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

func seed(t testing.TB) uint64 {
	s := uint64(time.Now().UnixNano())
	t.Logf("seed %d", s)
	return s
}

// small is a corpus whose histories all belong to a workflow.
func small(t testing.TB) corpus.Options {
	o := corpus.Small(seed(t))
	o.Garbage = false
	return o
}

// A deployment that goes to another database and back is what it was.
func testThereAndBack(t *testing.T, a, b migrate.Deployment) {
	fill(t, a, small(t))
	before := contents(t, a)
	state := t.TempDir()
	must(t, a, b, state, "init", "copy", "verify")
	equal(t, before, contents(t, b))
	must(t, a, b, state, "copy", "verify") // again: nothing changes
	equal(t, before, contents(t, b))
	must(t, a, b, state, "switch")
	equal(t, before, contents(t, b))
	must(t, a, b, state, "rollback")
	equal(t, before, contents(t, a))
}

func TestThereAndBack(t *testing.T) {
	t.Run("cassandra to ycql", func(t *testing.T) {
		testThereAndBack(t, directory(t, "cassandra", t.TempDir()), directory(t, "ycql", t.TempDir()))
	})
	t.Run("ycql to cassandra", func(t *testing.T) {
		testThereAndBack(t, directory(t, "ycql", t.TempDir()), directory(t, "cassandra", t.TempDir()))
	})
	t.Run("a real Cassandra to ycql", func(t *testing.T) {
		testThereAndBack(t, node(t), directory(t, "ycql", t.TempDir()))
	})
}
