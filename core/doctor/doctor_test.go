package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/doctor"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

var env = backend.Env{Logger: slog.New(slog.DiscardHandler)}

// database is one that doctors look at.
type database struct {
	name   string
	opener backend.Opener
	set    schema.Set
}

const keyspace = "patient"

// engine starts a node of the embedded engine, which listens as a server does.
func engine(t *testing.T, dialect parse.Dialect) *standalone.Node {
	t.Helper()
	n, err := standalone.Start(standalone.Options{Dialect: dialect, Ephemeral: true, Listen: "127.0.0.1:0", Log: env.Logger})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, n.Close(ctx))
	})
	return n
}

func onYCQL(t *testing.T) database {
	t.Helper()
	n := engine(t, parse.YCQL)
	o, err := yugabyte.New().ParseOptions(map[string]any{"hosts": n.Addr().IP.String(), "port": n.Addr().Port, "keyspace": keyspace, "timeout": "1m"})
	require.NoError(t, err)
	return database{"yugabyte", o, schema.YCQL()}
}

func onCassandra(t *testing.T, host string, port int, space string) database {
	t.Helper()
	o, err := cassandra.New().ParseOptions(map[string]any{"hosts": host, "port": port, "keyspace": space, "timeout": "1m"})
	require.NoError(t, err)
	return database{"cassandra", o, schema.Cassandra()}
}

// prepare makes the keyspace as an operator would.
func (d database) prepare(t *testing.T) {
	t.Helper()
	a, err := d.opener.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	tool := &schema.Tool{Admin: a, Set: d.set, Keyspace: d.opener.Keyspace(), Out: io.Discard}
	require.NoError(t, tool.Create(t.Context(), schema.Replication{}))
	require.NoError(t, tool.Update(t.Context()))
	if p, ok := d.opener.(backend.Preparer); ok {
		_, err := p.Prepare(t.Context(), env)
		require.NoError(t, err)
	}
}

func (d database) examine(t *testing.T, rounds int) *doctor.Report {
	t.Helper()
	r, err := doctor.Run(t.Context(), doctor.Params{
		Backend: d.name, Opener: d.opener, Shards: 512, Rounds: rounds, Logger: env.Logger,
	})
	require.NoError(t, err)
	return r
}

// check returns the check of that name.
func check(t *testing.T, r *doctor.Report, name string) doctor.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check %q in %+v", name, r.Checks)
	return doctor.Check{}
}

func TestAHealthyDatabase(t *testing.T) {
	shared := func(t *testing.T) database {
		n := cassandratest.Start(t)
		return onCassandra(t, n.Host, n.Port, n.Keyspace(t))
	}
	tests := []struct {
		name     string
		open     func(t *testing.T) database
		kinds    int
		findings bool
		touched  string
	}{
		{"the engine, YCQL", onYCQL, 5, true, "rows of its own in server_probe and server_probe_plain, which were removed"},
		{"the engine, Cassandra", func(t *testing.T) database {
			a := engine(t, parse.Cassandra).Addr()
			return onCassandra(t, a.IP.String(), a.Port, keyspace)
		}, 4, false, "table temporal_doctor, which it made and dropped"},
		{"Cassandra", shared, 4, false, "table temporal_doctor, which it made and dropped"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.open(t)
			d.prepare(t)
			r := d.examine(t, 10)
			require.NotEqual(t, doctor.Problem, r.Worst(), "%+v", r.Checks)
			require.True(t, r.Reached)
			for _, name := range []string{"contact points", "session", "schema version", "schema", "times", "history shards", "TLS", "login"} {
				require.Equal(t, doctor.Good, check(t, r, name).Status, "%+v", check(t, r, name))
			}
			if d.name == "yugabyte" {
				require.Equal(t, doctor.Good, check(t, r, "tablets").Status)
				require.Contains(t, check(t, r, "tablets").Found, "executions 1, ")
			}
			copies := check(t, r, "replication")
			require.Equal(t, doctor.Warning, copies.Status)
			require.Contains(t, copies.Found, "1 copy")
			require.Len(t, r.Rounds, tt.kinds)
			for _, round := range r.Rounds {
				require.EqualValues(t, 10, round.Count)
				require.LessOrEqual(t, round.P50, round.Max)
			}
			require.Equal(t, tt.findings, len(r.Findings) > 0)
			require.Equal(t, tt.touched, r.Touched)

			// Nothing is left: the schema is what it was.
			require.Equal(t, doctor.Good, check(t, d.examine(t, 0), "schema").Status)
		})
	}
}

// A Cassandra as it comes acknowledges what it may forget; the engine and YugabyteDB
// do not.
func TestCommitLogOfASingleCopy(t *testing.T) {
	n := cassandratest.Start(t)
	d := onCassandra(t, n.Host, n.Port, n.Keyspace(t))
	d.prepare(t)
	log := check(t, d.examine(t, 0), "commit log")
	require.Contains(t, []doctor.Status{doctor.Good, doctor.Warning}, log.Status, "%+v", log) // a shared node is configured by others
	require.Equal(t, log.Status == doctor.Warning, strings.HasPrefix(log.Found, "periodic, and 1 copy"), "%+v", log)

	d = onYCQL(t)
	d.prepare(t)
	for _, c := range d.examine(t, 0).Checks {
		require.NotEqual(t, "commit log", c.Name)
	}
}

func TestEachNodeIsAskedForItsReleaseAndTime(t *testing.T) {
	d := onYCQL(t)
	d.prepare(t)
	r := d.examine(t, 0)
	address := d.opener.(backend.Remote).Security().Contacts[0] //nolint:forcetypeassert // it is one
	require.Contains(t, check(t, r, "node "+address).Found, "release 3.9-SNAPSHOT")
	require.Equal(t, doctor.Good, check(t, r, "clock of "+address).Status, "%+v", check(t, r, "clock of "+address))
}

func TestWithoutRoundsNothingIsWritten(t *testing.T) {
	d := onYCQL(t)
	d.prepare(t)
	r := d.examine(t, 0)
	require.Equal(t, "nothing", r.Touched)
	require.Empty(t, r.Rounds)
	require.Empty(t, r.Findings)
	require.Equal(t, doctor.Skipped, check(t, r, "times").Status)
	require.Equal(t, doctor.Skipped, check(t, r, "abilities").Status)
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	nobody, err := yugabyte.New().ParseOptions(map[string]any{"hosts": "127.0.0.1", "port": 1, "keyspace": keyspace})
	require.NoError(t, err)
	old := onYCQL(t)
	a, err := old.opener.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	require.NoError(t, (&schema.Tool{Admin: a, Set: old.set, Keyspace: keyspace, Out: io.Discard}).Create(t.Context(), schema.Replication{}))
	require.NoError(t, a.Close())
	n := engine(t, parse.Cassandra).Addr()
	other, err := yugabyte.New().ParseOptions(map[string]any{"hosts": n.IP.String(), "port": n.Port, "keyspace": keyspace})
	require.NoError(t, err)
	tests := []struct {
		name    string
		give    database
		reached bool
		check   string
		want    string
	}{
		{"nobody listens", database{opener: nobody}, false, "contact points", "connect"},
		{"no keyspace", onYCQL(t), true, "schema version", `run "temporal-server schema create"`},
		{"an old schema", old, true, "schema version", `run "temporal-server schema update"`},
		{"another database", database{opener: other}, false, "contact points", "use the cassandra backend"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.give.examine(t, 3)
			require.Equal(t, doctor.Problem, r.Worst())
			require.Equal(t, tt.reached, r.Reached)
			c := check(t, r, tt.check)
			require.Equal(t, doctor.Problem, c.Status)
			require.Contains(t, c.Found, tt.want)
			require.NotContains(t, c.Found, "\n")
			require.Equal(t, "nothing", r.Touched)
		})
	}
}

// A database inside of the server would be made by whoever opens it.
func TestADatabaseInsideOfTheServerIsNotTouched(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	o, err := embedded.New().ParseOptions(map[string]any{"dataDir": dir})
	require.NoError(t, err)
	r := database{name: "embedded", opener: o}.examine(t, 3)
	require.Equal(t, doctor.Skipped, r.Worst())
	require.Contains(t, check(t, r, "database").Found, "inside of the server's own process")
	require.Equal(t, "nothing", r.Touched)
	require.NoDirExists(t, dir)
}

func TestADifferentSchemaIsAWarning(t *testing.T) {
	d := onYCQL(t)
	d.prepare(t)
	a, err := d.opener.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	require.NoError(t, a.Exec(t.Context(), "CREATE TABLE "+keyspace+".foreign (k int PRIMARY KEY)"))
	require.NoError(t, a.Close())
	c := check(t, d.examine(t, 0), "schema")
	require.Equal(t, doctor.Warning, c.Status)
	require.Contains(t, c.Found, "foreign")
}

func TestFewShardsAreAWarningWithTheArithmetic(t *testing.T) {
	d := onYCQL(t)
	d.prepare(t)
	r, err := doctor.Run(t.Context(), doctor.Params{Backend: d.name, Opener: d.opener, Shards: 4, Rounds: 3, Logger: env.Logger})
	require.NoError(t, err)
	c := check(t, r, "history shards")
	require.Equal(t, doctor.Warning, c.Status)
	require.Regexp(t, `a write takes [\d.]+ ms .*, so a shard does \d+ a second; 4 shards, a third used, 7 writes .*: about \d+ workflows a second`, c.Found)
}

func TestReportsForPeopleAndPrograms(t *testing.T) {
	d := onYCQL(t)
	d.prepare(t)
	r := d.examine(t, 3)
	var text bytes.Buffer
	require.NoError(t, r.Write(&text))
	for _, want := range []string{
		"Backend yugabyte, dialect ycql, keyspace patient", "good     schema version: ", "What the servers can do",
		"    expected: ", "block of three (executions)", "Nothing else was changed.\nResult: warning\n",
	} {
		require.Contains(t, text.String(), want)
	}
	data, err := json.Marshal(r)
	require.NoError(t, err)
	var again doctor.Report
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, *r, again)
}

func TestUnprotectedConnectionsToElsewhereAreWarnings(t *testing.T) {
	// A label of 64 letters is in no name (RFC 1035, section 2.3.4): it is not asked for
	// at servers of names, which may be slow to answer or answer anything.
	nowhere := strings.Repeat("d", 64) + ".invalid"
	for _, tt := range []struct {
		name string
		give map[string]any
		want doctor.Status
	}{
		{"on this machine", map[string]any{"hosts": "127.0.0.1"}, doctor.Good},
		{"elsewhere", map[string]any{"hosts": "127.0.0.1," + nowhere}, doctor.Warning},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := engine(t, parse.YCQL).Addr()
			raw := tt.give
			raw["port"], raw["keyspace"] = a.Port, keyspace
			require.Equal(t, "127.0.0.1", a.IP.String())
			o, err := yugabyte.New().ParseOptions(raw)
			require.NoError(t, err)
			r, err := doctor.Run(t.Context(), doctor.Params{Opener: o, Logger: env.Logger})
			require.NoError(t, err)
			require.Equal(t, tt.want, check(t, r, "TLS").Status)
			require.Equal(t, tt.want, check(t, r, "login").Status)
		})
	}
}
