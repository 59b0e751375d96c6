package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
	"github.com/temporal-ycql/temporal-ycql/schema/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// spoilt runs the built server with the sample configuration, in which one thing is
// wrong.
type spoilt struct {
	binary, dir string
	node        *cassandratest.Node
	session     *gocql.Session
}

// TestBadInput: whatever is wrong with the database or the way to it, a start says
// so in one line that tells what to do, ends with status 1 by itself, and has written
// nothing, neither to the database nor to its directory. (How long it waits for a
// database is the drivers' matter, see openLimit in backends/internal/client.)
func TestBadInput(t *testing.T) {
	if os.Getenv(harness.SubjectEnv) == "stock" {
		t.Skip("stock Temporal has its own texts")
	}
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	node := cassandratest.Start(t)
	session := node.Session(t, "")
	t.Cleanup(session.Close)
	s := &spoilt{binary: binary, dir: t.TempDir(), node: node, session: session}

	absent := filepath.Join(s.dir, "absent")
	junk := filepath.Join(t.TempDir(), "junk.pem")
	require.NoError(t, os.WriteFile(junk, []byte("junk"), 0o600))
	missing := cassandratest.UniqueName()
	bare := node.Keyspace(t)
	empty, old, newer, foreign, grown := s.keyspace(t), s.keyspace(t), s.keyspace(t), s.keyspace(t), s.keyspace(t)
	s.command(t, old, "schema", "update")
	s.say(t, old, "1.2", "1.0")
	s.say(t, newer, "9.0", "8.0")
	s.yugabyteTables(t, foreign)
	s.command(t, grown, "schema", "update")
	s.saveShards(t, grown, 512)

	tests := []struct {
		name     string
		keyspace string // looked at before and after
		set      []string
		want     string // KEYSPACE is its name
	}{
		{"nobody listens at the address", "", []string{"hosts=127.0.0.1:1"}, "connect to Cassandra at 127.0.0.1:1: gocql: unable to create session: unable to connect to initial hosts: dial tcp 127.0.0.1:1: connect: connection refused: check hosts, port and tls, and that the database runs."},
		{"what listens never answers", "", []string{"hosts=" + silentListener(t)}, "check hosts, port and tls, and that the database runs."},
		{"what listens is something else", "", []string{"hosts=" + webServer(t)}, "check hosts, port and tls, and that the database runs."},
		{"a name without address", "", []string{"hosts=no-such-host.invalid"}, "connect to Cassandra at no-such-host.invalid: "},
		{"TLS where the database speaks none", "", []string{"tls.enabled=true"}, "check the tls options."},
		{"a CA file that is not there", "", []string{"tls.enabled=true", "tls.caFile=" + absent}, "tls.caFile: open " + absent + ": no such file or directory: check the tls options."},
		{"a CA file without certificate", "", []string{"tls.enabled=true", "tls.caFile=" + junk}, "tls.caFile: " + junk + " holds no certificate in PEM form: check the tls options."},
		{"a client certificate that is none", "", []string{"tls.enabled=true", "tls.certFile=" + junk, "tls.keyFile=" + junk}, "tls.certFile, tls.keyFile: tls: failed to find any PEM data in certificate input: check the tls options."},
		{"a password file that is not there", "", []string{"user=u", "passwordFile=" + absent}, "read passwordFile: open " + absent + ": no such file or directory"},
		{"a wrong password", "", append([]string{"user=app", "password=hunter2"}, "hosts="+s.lockedDatabase(t)), "check user and password."},
		{"a missing keyspace", missing, nil, `keyspace "KEYSPACE" does not exist: run "temporal-server schema create" and then "temporal-server schema update".`},
		{"a keyspace without tables", bare, nil, `keyspace "KEYSPACE" holds no Temporal schema: run "temporal-server schema create" and then "temporal-server schema update".`},
		{"a keyspace that was only created", empty, nil, `schema of keyspace "KEYSPACE" is version 0.0, this server needs 1.13: run "temporal-server schema update".`},
		{"an old schema", old, nil, `schema of keyspace "KEYSPACE" is version 1.2, this server needs 1.13: run "temporal-server schema update".`},
		{"a newer schema", newer, nil, `schema of keyspace "KEYSPACE" is version 9.0, which needs a server for version 8.0 at least, this one is for 1.13: run a newer server.`},
		{"a keyspace of another database", foreign, nil, `keyspace "KEYSPACE" was made for YugabyteDB (dialect ycql), not for Apache Cassandra (dialect cassandra): name another keyspace, or the backend or dialect that it was made for.`},
		{"another number of shards", grown, nil, `cluster "active" in keyspace "KEYSPACE" was made with 512 history shards, persistence.numHistoryShards is 4: set it to 512, it can never be changed.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keyspace := tt.keyspace
			if keyspace == "" {
				keyspace = missing
			}
			before := s.contents(t, keyspace)
			began := time.Now()
			want := strings.ReplaceAll(tt.want, "KEYSPACE", keyspace)
			var stderr string
			var status int
			// A database of a machine that is busy may let the start wait for too long,
			// which it says, truly, in place of what is asked here.
			for busy := true; busy && time.Since(began) < patience; {
				stderr, status = s.run(t, keyspace, tt.set, "start")
				t.Logf("after %s: %s", time.Since(began).Round(time.Millisecond), stderr)
				busy = !strings.Contains(stderr, want) && waited.MatchString(stderr)
			}
			require.Equal(t, 1, status)
			require.True(t, strings.HasPrefix(stderr, "Unable to create server. Error: ") && strings.Contains(stderr, want), "got  %s\nwant %s", stderr, want)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			require.NotContains(t, stderr, "hunter2")
			require.Equal(t, before, s.contents(t, keyspace))
		})
	}
	t.Cleanup(func() {
		left, err := os.ReadDir(s.dir)
		require.NoError(t, err)
		require.Empty(t, left, "files that were left behind")
	})
}

// waited is what a start says that got no answer in time.
var waited = regexp.MustCompile(`no answer within|no response|timeout|deadline exceeded`)

// run runs a command on a keyspace and returns what it writes to standard error,
// where its log does not go, and its exit status.
func (s *spoilt) run(t *testing.T, keyspace string, set []string, command ...string) (stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	args := []string{
		"--config-file", filepath.Join(harness.Root(), "config", "cassandra.yaml"),
		"--set", "dynamicConfigClient.filepath=" + filepath.Join(harness.Root(), "config", "dynamicconfig", "development.yaml"),
		"--set", "backends.cassandra.hosts=" + s.node.Addr(), "--set", "backends.cassandra.keyspace=" + keyspace,
	}
	for _, option := range set {
		args = append(args, "--set", "backends.cassandra."+option)
	}
	cmd := exec.CommandContext(ctx, s.binary, append(args, command...)...)
	var text strings.Builder
	cmd.Dir, cmd.Stderr = s.dir, &text
	cmd.Env = cleanEnvironment()
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "it does not end: %s", text.String())
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return text.String(), cmd.ProcessState.ExitCode()
}

// command runs a command that must succeed.
func (s *spoilt) command(t *testing.T, keyspace string, command ...string) {
	t.Helper()
	stderr, status := s.run(t, keyspace, nil, command...)
	require.Zero(t, status, stderr)
}

// keyspace makes one that is ready for a schema.
func (s *spoilt) keyspace(t *testing.T) string {
	t.Helper()
	name := cassandratest.UniqueName()
	s.command(t, name, "schema", "create")
	t.Cleanup(func() { s.exec(t, "DROP KEYSPACE "+name) })
	return name
}

func (s *spoilt) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	require.NoError(t, s.session.Query(statement, args...).Exec(), statement)
}

// say makes a keyspace say that it has a version.
func (s *spoilt) say(t *testing.T, keyspace, version, compatible string) {
	t.Helper()
	s.exec(t, "UPDATE "+keyspace+".schema_version SET curr_version = ?, min_compatible_version = ? WHERE keyspace_name = ?", version, compatible, keyspace)
}

// yugabyteTables makes the tables of our schema for YugabyteDB, as far as Cassandra
// can have them, in a keyspace that says it has their version.
func (s *spoilt) yugabyteTables(t *testing.T, keyspace string) {
	t.Helper()
	text, err := yugabyte.Files.ReadFile("versioned/v1.0/schema.cql")
	require.NoError(t, err)
	statements, err := persistence.LoadAndSplitQueryFromReaders([]io.Reader{bytes.NewReader(text)})
	require.NoError(t, err)
	for _, statement := range statements {
		statement, _, _ = strings.Cut(statement, ") WITH ")
		s.exec(t, strings.Replace(strings.TrimSuffix(statement, ")")+")", "CREATE TABLE ", "CREATE TABLE "+keyspace+".", 1))
	}
	s.say(t, keyspace, "1.0", "1.0")
}

// saveShards makes a keyspace that of a cluster with a number of shards, as stock
// Temporal stores it.
func (s *spoilt) saveShards(t *testing.T, keyspace string, shards int32) {
	t.Helper()
	data, err := (&persistencespb.ClusterMetadata{ClusterName: "active", ClusterId: "an-id", HistoryShardCount: shards}).Marshal()
	require.NoError(t, err)
	s.exec(t, "INSERT INTO "+keyspace+".cluster_metadata_info (metadata_partition, cluster_name, data, data_encoding, version) VALUES (0, 'active', ?, 'Proto3', 1)", data)
}

// contents is every row of every table of a keyspace.
func (s *spoilt) contents(t *testing.T, keyspace string) string {
	t.Helper()
	var out strings.Builder
	tables := s.session.Query("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", keyspace).Iter()
	for table := ""; tables.Scan(&table); {
		out.WriteString(table + "\n")
		rows := s.session.Query("SELECT JSON * FROM " + keyspace + "." + table).Iter()
		for row := ""; rows.Scan(&row); {
			out.WriteString(row + "\n")
		}
		require.NoError(t, rows.Close())
	}
	require.NoError(t, tables.Close())
	return out.String()
}

// silentListener takes connections and never answers.
func silentListener(t *testing.T) string {
	t.Helper()
	return listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
}

// webServer answers as what people point the server at by mistake does.
func webServer(t *testing.T) string {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
	})
}

func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// lockedDatabase is the embedded engine as a server that asks for a password.
func (s *spoilt) lockedDatabase(t *testing.T) string {
	t.Helper()
	password := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(password, []byte("another\n"), 0o600))
	port, err := harness.FreePort()
	require.NoError(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	cmd := exec.Command(s.binary, "cql", "--dialect", "cassandra", "--ephemeral", "--listen", address, "--user", "app", "--password-file", password)
	cmd.Env = cleanEnvironment()
	p, err := childproc.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Kill()) })
	await(t, "the engine to listen", func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return address
}
