package standalone_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"
	ybgocql "github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/pipe"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
)

// patience is how long a test waits for what should happen at once: so long that
// only what never happens is missed, however slow the machine.
const patience = 2 * time.Minute

var quiet = slog.New(slog.DiscardHandler)

func start(t testing.TB, o standalone.Options) *standalone.Node {
	t.Helper()
	if o.DataDir == "" {
		o.Ephemeral = true
	}
	o.Log = quiet
	n, err := standalone.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, n) })
	return n
}

func stop(t testing.TB, n *standalone.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.Close(ctx); err != nil {
		t.Errorf("Close() = %v", err)
	}
}

type hosts struct{ l *pipe.Listener }

func (d hosts) DialHost(ctx context.Context, _ *gocql.HostInfo) (*gocql.DialedHost, error) {
	c, err := d.l.Dial(ctx)
	return &gocql.DialedHost{Conn: c, DisableCoalesce: true}, err
}

type ybHosts struct{ l *pipe.Listener }

func (d ybHosts) DialHost(ctx context.Context, _ *ybgocql.HostInfo) (*ybgocql.DialedHost, error) {
	c, err := d.l.Dial(ctx)
	return &ybgocql.DialedHost{Conn: c, DisableCoalesce: true}, err
}

func session(t testing.TB, n *standalone.Node, edit func(*gocql.ClusterConfig)) *gocql.Session {
	t.Helper()
	c := gocql.NewCluster(n.Addr().IP.String())
	c.Timeout, c.ConnectTimeout, c.Consistency, c.ReconnectInterval = patience, patience, gocql.Quorum, 0
	if edit != nil {
		edit(c)
	}
	if n.TCPAddr() == nil {
		c.HostDialer = hosts{n.Pipe(nil)}
	} else {
		c.Port = n.TCPAddr().(*net.TCPAddr).Port
	}
	s, err := c.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func ybSession(t testing.TB, n *standalone.Node, counters *server.Counters) *ybgocql.Session {
	t.Helper()
	return ybSessionWith(t, n, counters, func(*ybgocql.ClusterConfig) {})
}

func ybSessionWith(t testing.TB, n *standalone.Node, counters *server.Counters, edit func(*ybgocql.ClusterConfig)) *ybgocql.Session {
	t.Helper()
	c := ybgocql.NewCluster(n.Addr().IP.String())
	c.Timeout, c.ConnectTimeout, c.Consistency, c.ReconnectInterval = patience, patience, ybgocql.Quorum, 0
	if n.TCPAddr() == nil {
		c.HostDialer = ybHosts{n.Pipe(counters)}
	} else {
		c.Port = n.TCPAddr().(*net.TCPAddr).Port
	}
	edit(c)
	s, err := c.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func must(t testing.TB, s *gocql.Session, text string, args ...any) {
	t.Helper()
	if err := s.Query(text, args...).Exec(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func ybMust(t testing.TB, s *ybgocql.Session, text string, args ...any) {
	t.Helper()
	if err := s.Query(text, args...).Exec(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

const cassandraKeyspace = "CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"

func TestGocqlUsesACassandraNode(t *testing.T) {
	for _, listen := range []string{"", "127.0.0.1:0"} {
		t.Run("listen "+listen, func(t *testing.T) {
			n := start(t, standalone.Options{Dialect: parse.Cassandra, Listen: listen})
			s := session(t, n, func(c *gocql.ClusterConfig) {
				c.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
			})
			must(t, s, cassandraKeyspace)
			must(t, s, "CREATE TABLE app.t (k text, c int, v blob, m map<text, int>, PRIMARY KEY (k, c))")
			for i := range 25 {
				must(t, s, "INSERT INTO app.t (k, c, v, m) VALUES (?, ?, ?, ?)", "k", i, []byte{byte(i)}, map[string]int{"a": i})
			}
			iter := s.Query("SELECT c, v, m FROM app.t WHERE k = ?", "k").PageSize(10).Iter()
			var c, rows int
			var v []byte
			var m map[string]int
			for iter.Scan(&c, &v, &m) {
				if c != rows || v[0] != byte(c) || m["a"] != c {
					t.Fatalf("row %d is %d %v %v", rows, c, v, m)
				}
				rows++
			}
			if err := iter.Close(); err != nil || rows != 25 {
				t.Fatalf("%d rows, %v", rows, err)
			}
			applied, err := s.Query("INSERT INTO app.t (k, c) VALUES (?, ?) IF NOT EXISTS", "k", 3).MapScanCAS(map[string]any{})
			if err != nil || applied {
				t.Fatalf("refused insert: applied %v, %v", applied, err)
			}
			meta, err := s.KeyspaceMetadata("app")
			if err != nil || len(meta.Tables["t"].Columns) != 4 || meta.Tables["t"].PartitionKey[0].Name != "k" {
				t.Fatalf("metadata %+v, %v", meta, err)
			}
		})
	}
}

func TestYugabyteGocqlUsesAYCQLNode(t *testing.T) {
	for _, listen := range []string{"", "127.0.0.1:0"} {
		t.Run("listen "+listen, func(t *testing.T) {
			n := start(t, standalone.Options{Dialect: parse.YCQL, Listen: listen})
			s := ybSession(t, n, nil)
			ybMust(t, s, "CREATE KEYSPACE app")
			ybMust(t, s, "CREATE TABLE app.t (k text PRIMARY KEY, v int) WITH transactions = {'enabled': true} AND tablets = 4")
			block := "BEGIN TRANSACTION INSERT INTO app.t (k, v) VALUES (?, ?) IF NOT EXISTS ELSE ERROR; UPDATE app.t SET v = ? WHERE k = ?; END TRANSACTION;"
			ybMust(t, s, block, "a", 1, 2, "b")
			var v int
			if err := s.Query("SELECT v FROM app.t WHERE k = ?", "b").Scan(&v); err != nil || v != 2 {
				t.Fatalf("b = %d, %v", v, err)
			}
			err := s.Query(block, "a", 1, 3, "b").Exec()
			var re ybgocql.RequestError
			if !errors.As(err, &re) || re.Code() != 0x2200 || !strings.Contains(re.Message(), "Condition on table t was not satisfied") {
				t.Fatalf("refused block: %v", err)
			}
			if err := s.Query("SELECT v FROM app.t WHERE k = ?", "b").Scan(&v); err != nil || v != 2 {
				t.Fatalf("after the refusal b = %d, %v", v, err)
			}
		})
	}
}

func TestDataSurvivesBackupAndRestore(t *testing.T) {
	dir, backup, restored := t.TempDir(), filepath.Join(t.TempDir(), "b"), filepath.Join(t.TempDir(), "r")
	n := start(t, standalone.Options{Dialect: parse.Cassandra, DataDir: dir})
	s := session(t, n, nil)
	must(t, s, cassandraKeyspace)
	must(t, s, "CREATE TABLE app.t (k int PRIMARY KEY)")
	must(t, s, "INSERT INTO app.t (k) VALUES (1)")
	if _, err := standalone.Start(standalone.Options{Dialect: parse.Cassandra, DataDir: dir, Log: quiet}); err == nil ||
		!strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Fatalf("a second node on the directory: %v, want an error that names the process", err)
	}
	if err := standalone.Backup(dir, backup); err != nil { // through the control socket
		t.Fatal(err)
	}
	if err := standalone.Backup(dir, backup); err == nil {
		t.Fatal("a backup overwrote another")
	}
	must(t, s, "INSERT INTO app.t (k) VALUES (2)")
	if st, err := standalone.Status(dir); err != nil || st.Requests == 0 {
		t.Fatalf("Status() = %+v, %v", st, err)
	}
	s.Close()
	stop(t, n)
	if _, err := standalone.Status(dir); err == nil {
		t.Fatal("a node that is gone has a status")
	}
	later := filepath.Join(t.TempDir(), "later")
	if err := standalone.Backup(dir, later); err != nil { // nobody serves it
		t.Fatal(err)
	}
	if err := standalone.Backup(t.TempDir(), filepath.Join(t.TempDir(), "x")); err == nil {
		t.Fatal("an empty directory was backed up")
	}
	for from, rows := range map[string]int{backup: 1, later: 2} {
		to := restored + filepath.Base(from)
		if err := standalone.Restore(from, to); err != nil {
			t.Fatal(err)
		}
		again := start(t, standalone.Options{Dialect: parse.Cassandra, DataDir: to})
		if got := session(t, again, nil).Query("SELECT k FROM app.t").Iter().NumRows(); got != rows {
			t.Fatalf("%d rows restored, want %d", got, rows)
		}
	}
	if _, err := standalone.Start(standalone.Options{Dialect: parse.YCQL, DataDir: dir, Log: quiet}); err == nil {
		t.Fatal("the data of one personality was opened as the other")
	}
}

func TestWhatIsRefusedAtTheStart(t *testing.T) {
	cert, key := keyPair(t)
	pw := passwordFile(t, "secret\n")
	for _, tt := range []struct {
		name string
		give standalone.Options
		want string
	}{
		{"neither directory nor memory", standalone.Options{Listen: "127.0.0.1:0"}, "either a data directory or an ephemeral server"},
		{"both", standalone.Options{DataDir: "x", Ephemeral: true}, "either a data directory or an ephemeral server"},
		{"all addresses", standalone.Options{Ephemeral: true, Listen: ":0"}, "only over TLS and with a password"},
		{"all addresses, spelled", standalone.Options{Ephemeral: true, Listen: "0.0.0.0:0"}, "only over TLS and with a password"},
		{"all addresses, version 6", standalone.Options{Ephemeral: true, Listen: "[::]:0"}, "only over TLS and with a password"},
		{"another address with TLS alone", standalone.Options{Ephemeral: true, Listen: "0.0.0.0:0", TLSCert: cert, TLSKey: key}, "only over TLS and with a password"},
		{"another address with a password alone", standalone.Options{Ephemeral: true, Listen: "0.0.0.0:0", User: "u", PasswordFile: pw}, "only over TLS and with a password"},
		{"no port", standalone.Options{Ephemeral: true, Listen: "127.0.0.1"}, "give host:port"},
		{"half a key pair", standalone.Options{Ephemeral: true, TLSCert: cert}, "both a certificate and its key"},
		{"a user without password", standalone.Options{Ephemeral: true, User: "u"}, "both a user and a password file"},
		{"an empty password", standalone.Options{Ephemeral: true, User: "u", PasswordFile: passwordFile(t, "\n")}, "is empty"},
		{"a certificate that is none", standalone.Options{Ephemeral: true, Listen: "127.0.0.1:0", TLSCert: pw, TLSKey: pw}, "load the TLS certificate"},
		{"a bad fault", standalone.Options{Ephemeral: true, Simulation: &sim.Options{Round: -1}}, "must not be negative"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.give.Log = quiet
			n, err := standalone.Start(tt.give)
			if err == nil {
				stop(t, n)
				t.Fatal("was started")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("err = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestOtherMachinesAreLetInOverTLSWithAPassword(t *testing.T) {
	cert, key := keyPair(t)
	n := start(t, standalone.Options{
		Dialect: parse.Cassandra, Listen: "0.0.0.0:0", Advertise: net.IPv4(127, 0, 0, 1),
		TLSCert: cert, TLSKey: key, User: "ann", PasswordFile: passwordFile(t, "s3cret\r\nsecond line\n"),
		Server: server.Options{HandshakeTimeout: patience},
	})
	good := func(c *gocql.ClusterConfig) {
		c.SslOpts = &gocql.SslOptions{CaPath: cert, EnableHostVerification: true}
		c.Authenticator = gocql.PasswordAuthenticator{Username: "ann", Password: "s3cret"}
	}
	must(t, session(t, n, good), cassandraKeyspace)
	for name, edit := range map[string]func(*gocql.ClusterConfig){
		"plain text": func(c *gocql.ClusterConfig) { c.SslOpts = nil },
		"no login":   func(c *gocql.ClusterConfig) { c.Authenticator = nil },
		"wrong password": func(c *gocql.ClusterConfig) {
			c.Authenticator = gocql.PasswordAuthenticator{Username: "ann", Password: "x"}
		},
		"wrong user": func(c *gocql.ClusterConfig) {
			c.Authenticator = gocql.PasswordAuthenticator{Username: "bob", Password: "s3cret"}
		},
	} {
		c := gocql.NewCluster("127.0.0.1")
		good(c)
		edit(c)
		c.Port, c.ConnectTimeout, c.Timeout, c.ReconnectInterval = n.TCPAddr().(*net.TCPAddr).Port, patience, patience, 0
		c.Logger = silent{}
		if s, err := c.CreateSession(); err == nil {
			s.Close()
			t.Errorf("%s: was let in", name)
		}
	}
}

type silent struct{}

func (silent) Print(...any)          {}
func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

func TestACertificateIsReadAgainWhenItHasChanged(t *testing.T) {
	cert, key := keyPair(t)
	n := start(t, standalone.Options{Dialect: parse.Cassandra, Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: key})
	before := serial(t, n)
	if serial(t, n) != before {
		t.Fatal("the certificate changed by itself")
	}
	newCert, newKey := keyPair(t)
	replace(t, newCert, cert)
	if serial(t, n) != before {
		t.Fatal("half a key pair was taken")
	}
	replace(t, newKey, key)
	if serial(t, n) == before {
		t.Fatal("the new certificate is not used")
	}
}

func replace(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute) // whatever the file system's resolution
	if err := os.Chtimes(to, later, later); err != nil {
		t.Fatal(err)
	}
}

func passwordFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Budgets of YCQL statements on the real engine, counted by hand from ycql.md 1.5,
// 5.1 to 5.3: what other packages' budgets are asserted with.
func TestCountersOfYCQLStatementsCountedByHand(t *testing.T) {
	n := start(t, standalone.Options{Dialect: parse.YCQL})
	var c server.Counters
	s := ybSession(t, n, &c)
	ybMust(t, s, "CREATE KEYSPACE app")
	ybMust(t, s, "CREATE TABLE app.t (k int, c int, v int, PRIMARY KEY ((k), c)) WITH transactions = {'enabled': true}")
	ybMust(t, s, "CREATE TABLE app.u (k int PRIMARY KEY, v int) WITH transactions = {'enabled': true}")
	ybMust(t, s, "CREATE INDEX u_v ON app.u (v)")
	// The driver asks for system.partitions before it first uses a table.
	ybMust(t, s, "SELECT * FROM app.t WHERE k = ?", 0)
	ybMust(t, s, "SELECT * FROM app.u WHERE k = ?", 0)
	batch := func(b *ybgocql.Batch) func() error { return func() error { return s.ExecuteBatch(b) } }
	unlogged := func(texts ...string) *ybgocql.Batch {
		b := s.NewBatch(ybgocql.UnloggedBatch)
		for _, x := range texts {
			b.Query(x)
		}
		return b
	}
	query := func(text string, args ...any) func() error {
		return func() error { return s.Query(text, args...).Exec() }
	}
	refused := func(text string) func() error {
		return func() error {
			if err := s.Query(text).Exec(); err == nil || !strings.Contains(err.Error(), "was not satisfied") {
				return fmt.Errorf("%w, want a refusal", err)
			}
			return nil
		}
	}
	for _, tt := range []struct {
		name                        string
		run                         func() error
		rounds, commits, statements int64
		rows                        int64
	}{
		{"an insert", query("INSERT INTO app.t (k, c, v) VALUES (?, ?, ?)", 1, 1, 1), 1, 0, 1, 0},
		{"a conditional update that applies", query("UPDATE app.t SET v = 2 WHERE k = 1 AND c = 1 IF v = 1"), 1, 0, 1, 1},
		{"a conditional update that is refused", query("UPDATE app.t SET v = 2 WHERE k = 1 AND c = 1 IF v = 7"), 1, 0, 1, 1},
		{"a read by key", query("SELECT v FROM app.t WHERE k = ? AND c = ?", 1, 1), 1, 0, 1, 1},
		{"a batch of three rows in two partitions", batch(unlogged(
			"INSERT INTO app.t (k, c, v) VALUES (2, 1, 1)", "INSERT INTO app.t (k, c, v) VALUES (2, 2, 1)", "INSERT INTO app.t (k, c, v) VALUES (3, 1, 1)",
		)), 1, 0, 3, 0},
		{"a block of three statements", query("BEGIN TRANSACTION UPDATE app.t SET v = 3 WHERE k = 1 AND c = 1 IF v = 2 ELSE ERROR; " +
			"INSERT INTO app.t (k, c, v) VALUES (4, 1, 1); DELETE FROM app.t WHERE k = 3 AND c = 1; END TRANSACTION;"), 3, 1, 3, 1},
		{"a conditional update that is refused with an error", refused("UPDATE app.t SET v = 2 WHERE k = 1 AND c = 1 IF v = 7 ELSE ERROR"), 1, 0, 1, 0},
		{"a block that ends with its second statement", refused("BEGIN TRANSACTION INSERT INTO app.t (k, c, v) VALUES (5, 1, 1); " +
			"UPDATE app.t SET v = 3 WHERE k = 1 AND c = 1 IF v = 2 ELSE ERROR; INSERT INTO app.t (k, c, v) VALUES (5, 2, 1); END TRANSACTION;"), 2, 0, 2, 0},
		{"an insert into a table with an index", query("INSERT INTO app.u (k, v) VALUES (1, 1)"), 2, 1, 1, 0},
		{"a read of two pages' worth in one", query("SELECT * FROM app.t WHERE k = 2"), 1, 0, 1, 2},
		{"a read of a system table", query("SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'app'"), 0, 0, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := c.Counts()
			if err := tt.run(); err != nil {
				t.Fatal(err)
			}
			got := c.Counts().Sub(before)
			if got.Rounds != tt.rounds || got.Commits != tt.commits || got.Statements != tt.statements || got.Rows != tt.rows {
				t.Errorf("rounds %d, commits %d, statements %d, rows %d; want %d, %d, %d, %d",
					got.Rounds, got.Commits, got.Statements, got.Rows, tt.rounds, tt.commits, tt.statements, tt.rows)
			}
			if got.Requests != 1 {
				t.Errorf("%d requests, want 1", got.Requests)
			}
		})
	}
}

func TestASimulatedFaultReachesADriver(t *testing.T) {
	n := start(t, standalone.Options{Dialect: parse.YCQL, Simulation: &sim.Options{MaxStaleness: time.Hour}})
	s := ybSession(t, n, nil)
	ybMust(t, s, "CREATE KEYSPACE app")
	ybMust(t, s, "CREATE TABLE app.t (k int PRIMARY KEY, v int) WITH transactions = {'enabled': true}")
	ybMust(t, s, "INSERT INTO app.t (k, v) VALUES (1, 1)")
	if err := n.Simulation().SetFaults(sim.Fault{Kind: sim.Rerun, Rate: 1}); err != nil {
		t.Fatal(err)
	}
	err := s.Query("BEGIN TRANSACTION UPDATE app.t SET v = 2 WHERE k = 1 IF v = 1 ELSE ERROR; END TRANSACTION;").Exec()
	if err == nil || !strings.Contains(err.Error(), "was not satisfied") {
		t.Fatalf("re-run block: %v", err)
	}
	var v int
	if err := s.Query("SELECT v FROM app.t WHERE k = 1").Scan(&v); err != nil || v != 2 {
		t.Fatalf("v = %d, %v: want 2, the block's own first effect", v, err)
	}
	if err := n.Simulation().SetFaults(sim.Fault{Kind: sim.StaleRead, Rate: 1}); err != nil {
		t.Fatal(err)
	}
	ybMust(t, s, "UPDATE app.t SET v = 3 WHERE k = 1")
	for range 3 {
		if err := s.Query("SELECT v FROM app.t WHERE k = 1").Consistency(ybgocql.One).Scan(&v); err != nil || v != 2 {
			t.Fatalf("stale read: v = %d, %v; want 2", v, err)
		}
	}
	if err := s.Query("SELECT v FROM app.t WHERE k = 1").Scan(&v); err != nil || v != 3 {
		t.Fatalf("read at QUORUM: v = %d, %v; want 3", v, err)
	}
}

func TestLogsTellWhatMatters(t *testing.T) {
	var b bytes.Buffer
	o := standalone.Options{
		Dialect: parse.Cassandra, Ephemeral: true, Listen: "127.0.0.1:0", User: "ann", PasswordFile: passwordFile(t, "x"),
		Server: server.Options{HandshakeTimeout: patience},
		Log:    slog.New(slog.NewTextHandler(&b, nil)),
	}
	n, err := standalone.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	c := gocql.NewCluster("127.0.0.1")
	c.Authenticator = gocql.PasswordAuthenticator{Username: "ann", Password: "hunter2"}
	c.Port, c.ReconnectInterval, c.Logger = n.TCPAddr().(*net.TCPAddr).Port, 0, silent{}
	c.Timeout, c.ConnectTimeout = patience, patience
	if s, err := c.CreateSession(); err == nil {
		s.Close()
		t.Fatal("was let in")
	}
	stop(t, n)
	if got := b.String(); !strings.Contains(got, "login failed") || strings.Contains(got, "hunter2") {
		t.Fatalf("log: %s", got)
	}
}
