package migrate_test

import (
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/core/migrate"
)

// Keyspaces of one name are two if their databases are: one machine may run both.
// One keyspace is one, however its database is written down.
func TestSidesAreToldApart(t *testing.T) {
	r, from := startRemote(t)
	_, other := startRemote(t)
	open(t, from).close()

	m, _ := tool(t, from, other, t.TempDir(), nil)
	if err := m.Close(); err != nil {
		t.Error(err)
	}

	o, err := cassandra.New().ParseOptions(map[string]any{"hosts": r.options.Listen, "keyspace": "temporal"})
	if err != nil {
		t.Fatal(err)
	}
	again := from
	again.File, again.Opener = "again.yaml", o
	_, err = migrate.Open(t.Context(), migrate.Options{From: from, To: again, State: t.TempDir(), Logger: quiet})
	refused(t, err, "open both sides: remote.yaml and again.yaml name one and the same keyspace temporal of cassandra")
}
