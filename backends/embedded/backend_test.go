package embedded_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

var env = backend.Env{Logger: slog.New(slog.DiscardHandler)}

type raw = map[string]any

func opener(t *testing.T, b *embedded.Backend, options raw) *embedded.Opener {
	t.Helper()
	o, err := b.ParseOptions(options)
	require.NoError(t, err)
	return o.(*embedded.Opener) //nolint:forcetypeassert // what ParseOptions makes
}

// keyspace makes the keyspace and a table, and puts a row into it.
func keyspace(t *testing.T, o *embedded.Opener) {
	t.Helper()
	a, err := o.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	for _, text := range []string{
		"CREATE KEYSPACE " + o.Keyspace() + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TABLE " + o.Keyspace() + ".t (k int PRIMARY KEY, v text)",
		"INSERT INTO " + o.Keyspace() + ".t (k, v) VALUES (1, 'kept')",
	} {
		require.NoError(t, a.Exec(t.Context(), text))
	}
	require.NoError(t, a.Close())
}

// row reads the row that keyspace wrote, "" if there is none.
func row(t *testing.T, o *embedded.Opener) string {
	t.Helper()
	a, err := o.OpenAdmin(t.Context(), env)
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	rows, err := a.Query(t.Context(), "SELECT v FROM "+o.Keyspace()+".t WHERE k = 1")
	require.NoError(t, err)
	if len(rows) == 0 {
		return ""
	}
	v, _ := rows[0]["v"].(string)
	return v
}

// nothingLeft checks that all goroutines of t end when it has.
func nothingLeft(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		// Find gives those that are told to end less than half a second.
		err := goleak.Find(before)
		for deadline := time.Now().Add(time.Minute); err != nil && time.Now().Before(deadline); {
			err = goleak.Find(before)
		}
		if err != nil {
			t.Error(err)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	tests := []struct {
		name string
		give raw
		want string // the fault; empty for none
	}{
		{"a directory is enough", raw{"dataDir": "d"}, ""},
		{"memory is enough", raw{"ephemeral": "true"}, ""},
		{"all options", raw{"dataDir": "d", "ephemeral": false, "dialect": "cassandra", "keyspace": "k", "cacheBytes": 1 << 20}, ""},
		{"the other dialect", raw{"dataDir": "d", "dialect": "ycql"}, ""},
		{"neither directory nor memory", raw{}, "dataDir: name the directory that keeps the data, or set ephemeral to keep it in memory"},
		{"both", raw{"dataDir": "d", "ephemeral": true}, "ephemeral: data is kept either in memory or in dataDir: give one of them"},
		{"a dialect that nobody knows", raw{"dataDir": "d", "dialect": "sql"}, `dialect: "sql" is not a dialect of the embedded engine: use ycql or cassandra`},
		{"a keyspace that CQL does not take", raw{"dataDir": "d", "keyspace": "a-b"}, `keyspace: "a-b" is not a name that CQL takes: a letter, then letters, digits and underscores, at most 48`},
		{"a cache that holds nothing", raw{"dataDir": "d", "cacheBytes": 0}, "cacheBytes: 0 is too small: give at least 1048576"},
		{"a latency that runs backwards", raw{"dataDir": "d", "roundLatency": "-1ms"}, "roundLatency: -1ms is negative: give 0 or more"},
		{"a flag's name", raw{"data-dir": "d"}, `data-dir: unknown key, did you mean "dataDir"?`},
		{"several faults", raw{"keyspace": "", "dialect": "sql"}, "dialect: \"sql\" is not a dialect of the embedded engine: use ycql or cassandra; dataDir: name the directory that keeps the data, or set ephemeral to keep it in memory; keyspace: \"\" is not a name that CQL takes: a letter, then letters, digits and underscores, at most 48"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := embedded.New().ParseOptions(maps.Clone(tt.give))
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestDefaults(t *testing.T) {
	require.Equal(t, embedded.Options{Dialect: "ycql", Keyspace: "temporal", CacheBytes: 64 << 20}, embedded.DefaultOptions())
	require.Equal(t, "k", opener(t, embedded.New(), raw{"ephemeral": true, "keyspace": "k"}).Keyspace())
}

// TestConnectionsShareAnEngine opens as a server process does: two connections
// come and go before the others, which close in another order than they opened.
func TestConnectionsShareAnEngine(t *testing.T) {
	tests := []struct {
		name    string
		options func(t *testing.T) raw
	}{
		{"on disk", func(t *testing.T) raw {
			return raw{"dataDir": filepath.Join(t.TempDir(), "not", "yet", "there"), "dialect": "ycql"}
		}},
		{"in memory", func(*testing.T) raw { return raw{"ephemeral": true, "dialect": "ycql"} }},
		{"on disk, as Cassandra", func(t *testing.T) raw { return raw{"dataDir": t.TempDir(), "dialect": "cassandra"} }},
		{"in memory, as Cassandra", func(*testing.T) raw { return raw{"ephemeral": true, "dialect": "cassandra"} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nothingLeft(t)
			b, options := embedded.New(), tt.options(t)
			release, err := opener(t, b, options).Hold(env)
			require.NoError(t, err)
			keyspace(t, opener(t, b, options))
			open := func() *backend.Connection {
				c, err := opener(t, b, options).Open(t.Context(), env)
				require.NoError(t, err)
				require.Equal(t, "embedded CQL engine, dialect "+options["dialect"].(string), c.Server)
				require.Equal(t, options["dialect"], c.Dialect.Name())
				require.Equal(t, options["dialect"], opener(t, b, options).Dialect().Name())
				return c
			}
			for range 2 {
				require.NoError(t, open().Session.Close())
			}
			var conns []*backend.Connection
			for range 4 {
				conns = append(conns, open())
			}
			require.Equal(t, "kept", row(t, opener(t, b, options)))
			for _, i := range []int{2, 0} {
				require.NoError(t, conns[i].Session.Close())
				require.NoError(t, conns[i].Session.Close(), "closing twice gives back one use")
			}
			require.NoError(t, release())
			require.NoError(t, release(), "releasing twice gives back one use")
			require.Equal(t, "kept", row(t, opener(t, b, options)), "the last connections keep the engine open")
			for _, i := range []int{3, 1} {
				require.NoError(t, conns[i].Session.Close())
			}
			if options["ephemeral"] == true {
				_, err = opener(t, b, options).OpenAdmin(t.Context(), env)
				require.ErrorContains(t, err, "open the embedded database in memory: data in memory exists only inside of a server that runs")
				return
			}
			require.Equal(t, "kept", row(t, opener(t, embedded.New(), options)), "another process finds the data")
		})
	}
}

func TestMemoryIsNotSharedBetweenProcesses(t *testing.T) {
	nothingLeft(t)
	a := opener(t, embedded.New(), raw{"ephemeral": true})
	b := opener(t, embedded.New(), raw{"ephemeral": true})
	for _, o := range []*embedded.Opener{a, b} {
		release, err := o.Hold(env)
		require.NoError(t, err)
		keyspace(t, o) // fails where it exists
		defer func() { require.NoError(t, release()) }()
	}
}

func TestOtherNamesOfADirectoryMeanTheSameEngine(t *testing.T) {
	nothingLeft(t)
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	b := embedded.New()
	release, err := opener(t, b, raw{"dataDir": dir}).Hold(env)
	require.NoError(t, err)
	defer func() { require.NoError(t, release()) }()
	keyspace(t, opener(t, b, raw{"dataDir": link}))
	t.Chdir(filepath.Dir(dir))
	require.Equal(t, "kept", row(t, opener(t, b, raw{"dataDir": filepath.Base(dir)})))

	_, err = opener(t, b, raw{"dataDir": dir, "cacheBytes": 1 << 20}).Hold(env)
	require.ErrorContains(t, err, "it is open in this process with dialect ycql and cacheBytes 67108864: give the same")
}

// TestRoundsAreCountedAndCanBeMadeToTakeTime: the engine may take longer than it is
// told to, never less.
func TestRoundsAreCountedAndCanBeMadeToTakeTime(t *testing.T) {
	nothingLeft(t)
	const latency = 20 * time.Millisecond
	b, options := embedded.New(), raw{"ephemeral": true, "roundLatency": latency.String()}
	o := opener(t, b, options)
	_, _, open := o.Counts()
	require.False(t, open)
	release, err := o.Hold(env)
	require.NoError(t, err)
	_, err = opener(t, b, raw{"ephemeral": true}).Hold(env)
	require.ErrorContains(t, err, "it is open in this process with roundLatency 20ms: give the same")
	before, _, open := o.Counts()
	require.True(t, open)
	began := time.Now()
	keyspace(t, o)
	took := time.Since(began)
	after, _, _ := o.Counts()
	require.Greater(t, after, before)
	require.GreaterOrEqual(t, took, time.Duration(after-before)*latency)
	require.NoError(t, release())
	_, _, open = o.Counts()
	require.False(t, open)
}

func TestTheEngineHasTheSizeThatIsAskedFor(t *testing.T) {
	o, err := embedded.ParseOptions(raw{"dataDir": "d", "cacheBytes": 3 << 20})
	require.NoError(t, err)
	require.EqualValues(t, 3<<20, embedded.NodeOptions(o).Storage.CacheBytes)
	require.Equal(t, parse.YCQL, embedded.NodeOptions(o).Dialect)
}

func TestFaultsOfOpeningAreOneLine(t *testing.T) {
	inUse := func(t *testing.T) string {
		dir := t.TempDir()
		n, err := standalone.Start(standalone.Options{Dialect: parse.Cassandra, DataDir: dir, Log: env.Logger})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, n.Close(context.Background())) })
		return dir
	}
	made := func(t *testing.T, dialect parse.Dialect) string {
		dir := t.TempDir()
		n, err := standalone.Start(standalone.Options{Dialect: dialect, DataDir: dir, Log: env.Logger})
		require.NoError(t, err)
		require.NoError(t, n.Close(t.Context()))
		return dir
	}
	tests := []struct {
		name string
		dir  func(t *testing.T) string
		want string
	}{
		{"somebody else has it open", inUse, "it is in use by process "},
		{"a file in its place", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			return path
		}, "not a directory: give a dataDir that can be made and written"},
		{"a directory of something else", func(t *testing.T) string {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600))
			return dir
		}, "the directory is no database and not empty (it holds thesis.tex): name a new one"},
		{"a damaged store", func(t *testing.T) string {
			dir := made(t, parse.YCQL)
			found, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(found[0], []byte(strings.Repeat("rubbish ", 100)), 0o600))
			return dir
		}, "restore it from a backup"},
		{
			"a store of the other dialect", func(t *testing.T) string { return made(t, parse.Cassandra) },
			"the data was made with dialect cassandra, not ycql: set dialect to cassandra, or name another directory",
		},
		{"a directory that cannot be made", func(*testing.T) string { return "/proc/nowhere/data" }, "give a dataDir that can be made and written"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tt.dir(t)
			nothingLeft(t)
			o := opener(t, embedded.New(), raw{"dataDir": dir})
			_, holdErr := o.Hold(env)
			_, openErr := o.Open(t.Context(), env)
			_, adminErr := o.OpenAdmin(t.Context(), env)
			for _, err := range []error{holdErr, openErr, adminErr} {
				require.ErrorContains(t, err, "open the embedded database in "+dir+": ")
				require.ErrorContains(t, err, tt.want)
				require.NotContains(t, err.Error(), "\n")
			}
		})
	}
}

func TestAMissingKeyspaceIsNamedAndLeavesNothingOpen(t *testing.T) {
	nothingLeft(t)
	o := opener(t, embedded.New(), raw{"dataDir": t.TempDir(), "keyspace": "nowhere"})
	_, err := o.Open(t.Context(), env)
	require.ErrorContains(t, err, `keyspace "nowhere" does not exist`)
	// The directory is free again.
	n, err := standalone.Start(standalone.Options{Dialect: parse.YCQL, DataDir: o.Options().(embedded.Options).DataDir, Log: env.Logger})
	require.NoError(t, err)
	require.NoError(t, n.Close(t.Context()))
}

const holderEnv = "TEMPORAL_YCQL_EMBEDDED_HOLDER"

// TestMain is also the other process of the test below: it holds a directory
// until its input ends.
func TestMain(m *testing.M) {
	if dir := os.Getenv(holderEnv); dir != "" {
		os.Exit(hold(dir))
	}
	os.Exit(m.Run())
}

func hold(dir string) int {
	o, err := embedded.New().ParseOptions(raw{"dataDir": dir})
	if err != nil {
		return 2
	}
	release, err := o.(backend.InProcess).Hold(env) //nolint:forcetypeassert // it is one
	if err != nil {
		return 3
	}
	_, _ = os.Stdout.WriteString("held\n")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return errorCode(release())
}

func errorCode(err error) int {
	if err != nil {
		return 4
	}
	return 0
}

func TestAnotherProcessIsToldWhoHoldsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holderEnv+"="+dir)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line := make([]byte, 5)
	_, err = out.Read(line)
	require.NoError(t, err)
	require.Equal(t, "held\n", string(line))

	o := opener(t, embedded.New(), raw{"dataDir": dir})
	_, err = o.Hold(env)
	require.ErrorContains(t, err, "it is in use by process ")
	require.ErrorContains(t, err, filepath.Base(os.Args[0]))
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	release, err := o.Hold(env)
	require.NoError(t, err, "it is free when the holder has gone")
	require.NoError(t, release())
}

func TestOpeningEndsWithItsContext(t *testing.T) {
	nothingLeft(t)
	o := opener(t, embedded.New(), raw{"dataDir": t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begin := time.Now()
	_, err := o.OpenAdmin(ctx, env)
	if err == nil || !errors.Is(err, context.Canceled) {
		t.Fatalf("OpenAdmin() = %v after %s", err, time.Since(begin))
	}
}
