package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/server/common/log"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite" // the store of these tests
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/server"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

func TestMain(m *testing.M) {
	stdlog.SetOutput(io.Discard) // the lines that upstream's loader prints
	os.Exit(m.Run())
}

// patience is how long a test waits for a server, which on a free machine starts in two
// seconds.
const patience = 5 * time.Minute

// database is a made-up database of ours, known as "cassandra".
type database struct {
	open error     // what connecting gives
	rows []cql.Row // of schema_version; nil: no such table
	none bool      // no such keyspace
}

type options struct {
	Keyspace string         `koanf:"keyspace"`
	Password backend.Secret `koanf:"password"`
}

func (d *database) Name() string    { return "cassandra" }
func (d *database) NewOptions() any { return &options{Keyspace: "temporal"} }

func (d *database) ParseOptions(raw map[string]any) (backend.Opener, error) {
	o := &options{Keyspace: "temporal"}
	return &opener{d, o}, backend.Decode(raw, o)
}

type opener struct {
	*database
	o *options
}

func (o *opener) Keyspace() string         { return o.o.Keyspace }
func (o *opener) Options() any             { return o.o }
func (o *opener) Dialect() dialect.Dialect { return cassandra.New() }

func (o *opener) Open(context.Context, backend.Env) (*backend.Connection, error) {
	return nil, errors.New("connect for the stores: refused")
}

func (o *opener) OpenAdmin(ctx context.Context, _ backend.Env) (cql.Admin, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, errors.New("connecting has no deadline")
	}
	return admin{o.database}, o.open
}

type admin struct{ *database }

func (a admin) Query(_ context.Context, text string, _ ...any) ([]cql.Row, error) {
	switch {
	case strings.Contains(text, "system_schema.keyspaces") && !a.none:
		return []cql.Row{{}}, nil
	case strings.Contains(text, "system_schema.tables") && a.rows != nil:
		implied, err := schema.Cassandra().Implied()
		var out []cql.Row
		for name := range implied.Tables {
			out = append(out, cql.Row{"table_name": name})
		}
		return out, err
	case strings.Contains(text, "schema_version"):
		return a.rows, nil
	default:
		return nil, nil
	}
}

var errWrites = errors.New("a start must not write")

func (a admin) Exec(context.Context, string, ...any) error        { return errWrites }
func (a admin) CAS(context.Context, string, ...any) (bool, error) { return false, errWrites }
func (a admin) Close() error                                      { return nil }

// freePorts finds ports that nobody listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		var err error
		if ports[i], err = childproc.FreePort("127.0.0.1"); err != nil {
			t.Fatal(err)
		}
	}
	return ports
}

// load makes a configuration: all roles on free ports, SQLite in memory. The time to
// join is short, for so long a role may ask for members that have gone, before it looks
// at the table of members again; twice of it is what all roles have to start
// (temporal/server_impl.go:129 of 1.32.2).
func load(t *testing.T, d backend.Backend, set ...string) (server.Params, int) {
	t.Helper()
	return loadAt(t, freePorts(t, 8), d, set...)
}

// loadAt is load with the ports of a server that has ended.
func loadAt(t *testing.T, ports []int, d backend.Backend, set ...string) (server.Params, int) {
	t.Helper()
	content := fmt.Sprintf(`
log: {level: error, stdout: true}
persistence:
  defaultStore: default
  visibilityStore: visibility
  numHistoryShards: 4
  datastores:
    default: &sqlite {sql: {pluginName: sqlite, databaseName: %s, connectAddr: localhost, connectProtocol: tcp, connectAttributes: {mode: memory, cache: private}, maxConns: 1}}
    visibility: *sqlite
global: {membership: {maxJoinDuration: 10s, broadcastAddress: 127.0.0.1}}
services:
  frontend: {rpc: {grpcPort: %d, membershipPort: %d, bindOnLocalHost: true}}
  history: {rpc: {grpcPort: %d, membershipPort: %d, bindOnLocalHost: true}}
  matching: {rpc: {grpcPort: %d, membershipPort: %d, bindOnLocalHost: true}}
  worker: {rpc: {grpcPort: %d, membershipPort: %d, bindOnLocalHost: true}}
clusterMetadata: {currentClusterName: active, masterClusterName: active, failoverVersionIncrement: 10, clusterInformation: {active: {enabled: true, initialFailoverVersion: 1, rpcAddress: "127.0.0.1:%d"}}}
dcRedirectionPolicy: {policy: noop}
archival: {history: {state: disabled}, visibility: {state: disabled}}
namespaceDefaults: {archival: {history: {state: disabled}, visibility: {state: disabled}}}
`, strings.ReplaceAll(t.Name(), "/", "_"), ports[0], ports[1], ports[2], ports[3], ports[4], ports[5], ports[6], ports[7], ports[0])
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	registry, err := backend.NewRegistry([]backend.Backend{d})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(config.Source{File: path, Set: set, Environ: []string{}}, registry)
	if err != nil {
		t.Fatal(err)
	}
	return server.Params{
		Loaded: loaded, Registry: registry, Stores: server.MakeStores, AllowNoAuth: true,
		Services: []string{"frontend", "history", "matching", "worker"}, Logger: log.NewTestLogger(),
	}, ports[0]
}

func mustNotAbort(os.Signal) { panic("nobody asked for an abort") }

func TestRunServesUntilASignal(t *testing.T) {
	p, port := load(t, &database{})
	signals := make(chan os.Signal, 2)
	ended := make(chan error, 1)
	go func() { ended <- server.Run(p, signals, mustNotAbort) }()

	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := untilItAnswers(ctx, conn); err != nil {
		t.Fatal(err)
	}
	info, err := workflowservice.NewWorkflowServiceClient(conn).GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil || info.GetServerVersion() == "" {
		t.Fatalf("GetSystemInfo() = %v, %v", info, err)
	}
	select {
	case err := <-ended:
		t.Fatalf("Run() ended by itself: %v", err)
	default:
	}
	signals <- syscall.SIGTERM
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("Run() = %v", err)
		}
	case <-ctx.Done():
		t.Fatal("Run() does not end after a signal")
	}
}

func TestSecondSignalAborts(t *testing.T) {
	p, _ := load(t, &database{})
	signals := make(chan os.Signal, 2)
	aborted := make(chan os.Signal, 1)
	ended := make(chan error, 1)
	signals <- syscall.SIGTERM // both come while the server starts
	signals <- syscall.SIGINT
	go func() { ended <- server.Run(p, signals, func(s os.Signal) { aborted <- s }) }()
	select {
	case s := <-aborted:
		if s != syscall.SIGINT {
			t.Fatalf("aborted by %v", s)
		}
	case <-time.After(patience):
		t.Fatal("the second signal does nothing")
	}
	// Here the process would be gone; this one stops as the first signal asked.
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestFaultsAreOneLine(t *testing.T) {
	good := []cql.Row{{"curr_version": schema.Cassandra().Version, "min_compatible_version": "1.0"}}
	tests := []struct {
		name string
		give *database
		set  []string
		want string
	}{
		{
			"a database that does not answer", &database{open: errors.New("connect to X at y: refused: check hosts")}, nil,
			"Unable to create server. Error: connect to X at y: refused: check hosts.",
		},
		{
			"no keyspace", &database{none: true}, nil,
			`Unable to create server. Error: keyspace "temporal" does not exist: run "temporal-server schema create" and then "temporal-server schema update".`,
		},
		{
			"an empty keyspace", &database{}, nil,
			`Unable to create server. Error: keyspace "temporal" holds no Temporal schema: run "temporal-server schema create" and then "temporal-server schema update".`,
		},
		{
			"an old schema", &database{rows: []cql.Row{{"curr_version": "1.2"}}},
			[]string{"backends.cassandra.keyspace=k"},
			`Unable to create server. Error: schema of keyspace "k" is version 1.2, this server needs ` + schema.Cassandra().Version + `: run "temporal-server schema update".`,
		},
		{"stores that cannot be opened", &database{rows: good}, nil, "Unable to create server. Error: connect for the stores: refused."},
		{
			"a stock store with an unknown plugin", &database{},
			[]string{"backend=", "persistence.datastores.default.sql.pluginName=oracle"},
			"Unable to create server. Error: sql schema version compatibility check failed: plugin not supported: unknown plugin \"oracle\"",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := load(t, tt.give, append([]string{"backend=cassandra", "backends.cassandra.password=hunter2"}, tt.set...)...)
			err := server.Run(p, nil, mustNotAbort)
			if err == nil {
				t.Fatal("the server started and stopped")
			}
			if got := err.Error(); !strings.HasPrefix(got, tt.want) || strings.ContainsAny(got, "\n\t") || strings.Contains(got, "hunter2") {
				t.Fatalf("Run() = %s\nwant    %s", got, tt.want)
			}
		})
	}
}

func TestAnAuthorizerThatDoesNotExist(t *testing.T) {
	p, _ := load(t, &database{}, "global.authorization.authorizer=sesame")
	err := server.Run(p, nil, mustNotAbort)
	if err == nil || err.Error() != "Unable to instantiate authorizer. Error: unknown authorizer: sesame" {
		t.Fatalf("Run() = %v", err)
	}
}
