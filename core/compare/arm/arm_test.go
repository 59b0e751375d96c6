package arm_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite" // the stock arm

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
	"github.com/temporal-ycql/temporal-ycql/internal/cqlproxy"
)

const arms = "../../../test/bench/compare/"

func registry() (*backend.Registry, error) {
	return backend.NewRegistry([]backend.Backend{embedded.New(), cassandra.New(), yugabyte.New()})
}

func load(t *testing.T, file string, set ...string) *arm.Arm {
	t.Helper()
	a, err := arm.Load(arm.Options{
		Name: "a", Source: config.Source{File: file, Set: set}, Registry: registry, Scratch: t.TempDir(),
	})
	require.NoError(t, err)
	return a
}

// TestSettingsLeadToTheDatabaseOfAName in every kind of arm, whichever way options
// are given.
func TestSettingsLeadToTheDatabaseOfAName(t *testing.T) {
	tests := []struct {
		name, file string
		set        []string
		title      string
		want       []string // parts of settings
	}{
		{"ours, in a data store's block", arms + "ours-cassandra.yaml", nil, "cassandra", []string{"persistence.datastores.default.customDatastore.options.keyspace=NAME"}},
		{"ours, in the short form", "../../../config/cassandra.yaml", nil, "cassandra", []string{"backends.cassandra.keyspace=NAME"}},
		{"YugabyteDB", "../../../config/yugabyte.yaml", nil, "yugabyte ycql", []string{"backends.yugabyte.keyspace=NAME"}},
		{"the engine on disk", "../../../config/embedded.yaml", nil, "embedded ycql, durable", []string{"backends.embedded.dataDir=/", "/NAME"}},
		{"the engine in memory", arms + "embedded-ycql-memory.yaml", nil, "embedded ycql, in memory", nil},
		{"stock Cassandra", arms + "stock-cassandra.yaml", nil, "stock Cassandra", []string{"persistence.datastores.default.cassandra.keyspace=NAME"}},
		{"stock SQLite in a file", arms + "stock-sqlite-file.yaml", nil, "stock sqlite, file", []string{"persistence.datastores.default.sql.databaseName=/", "NAME.db"}},
		{"stock SQLite in memory", arms + "stock-sqlite-memory.yaml", nil, "stock sqlite, in memory", []string{"persistence.datastores.default.sql.databaseName=NAME"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := load(t, tt.file, tt.set...)
			require.Equal(t, tt.title, a.Describe().Title)
			settings := strings.Join(a.Settings("NAME"), " ")
			for _, part := range tt.want {
				require.Contains(t, settings, part)
			}
			require.Contains(t, settings, "persistence.datastores.visibility.sql.databaseName=", "lists of workflows are the run's own too")
			// A server that is led there loads.
			r, err := registry()
			require.NoError(t, err)
			_, err = config.Load(config.Source{File: tt.file, Set: append(tt.set, a.Settings("name")...)}, r)
			require.NoError(t, err)
		})
	}
}

// TestWhatARunDidNotMakeIsLeftAlone has files at the place of a database.
func TestWhatARunDidNotMakeIsLeftAlone(t *testing.T) {
	scratch := t.TempDir()
	for _, file := range []string{"stock-sqlite-file.yaml", "embedded-ycql-durable.yaml"} {
		a, err := arm.Load(arm.Options{Name: "b", Source: config.Source{File: arms + file}, Registry: registry, Scratch: scratch})
		require.NoError(t, err)
		d, err := a.Create(t.Context(), "mine")
		require.NoError(t, err)
		s, err := d.Open(t.Context())
		require.NoError(t, err)
		require.NoError(t, s.Close())
		_, err = a.Create(t.Context(), "mine")
		require.ErrorContains(t, err, "make the database mine of arm b: ")
		require.ErrorContains(t, err, "it exists already and this run did not make it: it is left alone")
		_, onDisk := d.Files()
		require.True(t, onDisk)
		require.NoError(t, d.Drop(t.Context()))
		require.NoError(t, d.Drop(t.Context()), "dropping what is not there is no fault")
		left, err := os.ReadDir(scratch)
		require.NoError(t, err)
		require.Empty(t, left, file)
	}
}

// TestKeyspacesOfARealCassandra makes one, refuses it the second time, and drops it:
// for stock stores and ours.
func TestKeyspacesOfARealCassandra(t *testing.T) {
	n := cassandratest.Start(t)
	host, port, err := net.SplitHostPort(n.Addr())
	require.NoError(t, err)
	for i, set := range [][]string{
		{
			"persistence.datastores.default.cassandra.hosts=" + host, "persistence.datastores.default.cassandra.port=" + port,
			"persistence.datastores.default.cassandra.connectTimeout=1m", // and of all else
		},
		{
			"persistence.datastores.default.customDatastore.options.hosts=" + host, "persistence.datastores.default.customDatastore.options.port=" + port,
			"persistence.datastores.default.customDatastore.options.connectTimeout=1m", "persistence.datastores.default.customDatastore.options.timeout=1m",
		},
	} {
		file := []string{"stock-cassandra.yaml", "ours-cassandra.yaml"}[i]
		a := load(t, arms+file, set...)
		name := fmt.Sprintf("compare_arm_test_%d_%d", os.Getpid(), i)
		d, err := a.Create(t.Context(), name)
		require.NoError(t, err)
		_, err = a.Create(t.Context(), name)
		require.ErrorContains(t, err, "keyspace "+name+": it exists already and this run did not make it: it is left alone")
		s, err := d.Open(t.Context())
		require.NoError(t, err)
		require.True(t, s.Counted)
		require.NoError(t, s.Close())
		require.NoError(t, d.Drop(t.Context()))
		found, err := a.Look(t.Context(), name)
		require.NoError(t, err, "it is gone, and so can be made again")
		require.Contains(t, found.Server, "Cassandra")
		require.NotEmpty(t, found.SchemaVersion)
		require.Equal(t, "1", found.Replication)
	}
}

// TestHalfADatabaseStaysForNobody interrupts the making of a keyspace sooner and
// later, until it is not interrupted any more.
func TestHalfADatabaseStaysForNobody(t *testing.T) {
	node, err := standalone.Start(standalone.Options{Dialect: parse.Cassandra, Ephemeral: true, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, node.Close(context.Background())) })
	a := load(t, arms+"stock-cassandra.yaml",
		"persistence.datastores.default.cassandra.hosts="+node.Addr().IP.String(), fmt.Sprintf("persistence.datastores.default.cassandra.port=%d", node.Addr().Port))
	o, err := cassandra.New().ParseOptions(map[string]any{"hosts": node.Addr().IP.String(), "port": node.Addr().Port, "keyspace": "none"})
	require.NoError(t, err)
	admin, err := o.OpenAdmin(t.Context(), backend.Env{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	there := func() bool {
		rows, err := admin.Query(t.Context(), `SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = 'half'`)
		require.NoError(t, err)
		return len(rows) > 0
	}
	interrupted := 0
	for limit := time.Millisecond; ; limit += limit / 4 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		d, err := a.Create(ctx, "half")
		cancel()
		if err == nil {
			require.True(t, there())
			require.NoError(t, d.Drop(t.Context()))
			require.False(t, there())
			break
		}
		interrupted++
		require.False(t, there(), "after %s: %v", limit, err)
	}
	require.Positive(t, interrupted)
}

// TestAKeyspaceThatIsMadeLateStaysForNobody has a request held up on its way, one after
// the other, and the making of the keyspace interrupted meanwhile.
func TestAKeyspaceThatIsMadeLateStaysForNobody(t *testing.T) {
	node, err := standalone.Start(standalone.Options{Dialect: parse.Cassandra, Ephemeral: true, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, node.Close(context.Background())) })
	proxy, err := cqlproxy.Start(t.Context(), node.Addr().String())
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	a := load(t, arms+"stock-cassandra.yaml",
		"persistence.datastores.default.cassandra.hosts=127.0.0.1", fmt.Sprintf("persistence.datastores.default.cassandra.port=%d", proxy.Port()))
	for at := 1; at <= 12; at++ { // connecting, looking, making the keyspace, and its first tables
		ctx, interrupt := context.WithCancel(t.Context())
		held := proxy.Hold(at, false)
		made := make(chan error, 1)
		go func() {
			_, err := a.Create(ctx, "late")
			made <- err
		}()
		<-held.Here()
		interrupt()
		var ended error
		select {
		case ended = <-made:
			held.Release()
		case <-time.After(50 * time.Millisecond): // it waits for the answer
			held.Release()
			ended = <-made
		}
		<-held.Done()
		proxy.Pass()
		require.Error(t, ended)
		d, err := a.Create(t.Context(), "late")
		require.NoError(t, err, "request %d was late", at)
		require.NoError(t, d.Drop(t.Context()))
	}
}

// TestADatabaseThatIsNotThereIsALine tells what is wrong with an arm before any block.
func TestADatabaseThatIsNotThereIsALine(t *testing.T) {
	port, err := childproc.FreePort("127.0.0.1") // nobody else is given it
	require.NoError(t, err)
	a := load(t, arms+"stock-cassandra.yaml", fmt.Sprintf("persistence.datastores.default.cassandra.port=%d", port))
	_, err = a.Look(t.Context(), "nothing")
	require.ErrorContains(t, err, "make the database nothing of arm a: ")
	require.NotContains(t, err.Error(), "\n")
}

func TestSecretsAreInNoDifference(t *testing.T) {
	const secret = "hunter-22"
	a := load(t, arms+"ours-cassandra.yaml", "persistence.datastores.default.customDatastore.options.user=u", "persistence.datastores.default.customDatastore.options.password="+secret)
	b := load(t, arms+"stock-cassandra.yaml", "persistence.datastores.default.cassandra.password="+secret)
	require.NotContains(t, a.Describe().Configuration, secret)
	require.NotContains(t, b.Describe().Configuration, secret)
	differences := compare.Differences(a.Loaded(), b.Loaded())
	require.NotEmpty(t, differences)
	for _, d := range differences {
		require.NotContains(t, d.A+d.B, secret, d.Path)
	}
}

func TestArmsThatCannotBeCompared(t *testing.T) {
	_, err := arm.Load(arm.Options{Name: "a", Source: config.Source{File: filepath.Join(t.TempDir(), "none.yaml")}, Registry: registry, Scratch: t.TempDir()})
	require.ErrorContains(t, err, "configuration of arm a: ")
}
