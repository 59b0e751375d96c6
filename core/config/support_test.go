package config_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

func TestMain(m *testing.M) {
	stdlog.SetOutput(io.Discard) // the lines that upstream's loader prints
	// A test's environment is what the test sets.
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "TEMPORAL") {
			_ = os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// fakeOptions are those of a made-up backend, named like the real ones.
type fakeOptions struct {
	Hosts    []string       `koanf:"hosts"`
	Port     int            `koanf:"port"`
	Keyspace string         `koanf:"keyspace"`
	User     string         `koanf:"user"`
	Password backend.Secret `koanf:"password"`
	MaxConns int            `koanf:"maxConns"`
	TLS      struct {
		Enabled                bool           `koanf:"enabled"`
		CaFile                 string         `koanf:"caFile"`
		KeyData                backend.Secret `koanf:"keyData"`
		EnableHostVerification bool           `koanf:"enableHostVerification"`
	} `koanf:"tls"`
}

// fakeBackend parses options and never connects.
type fakeBackend struct{ name string }

func (b fakeBackend) Name() string    { return b.name }
func (b fakeBackend) NewOptions() any { return &fakeOptions{Port: 9042, Keyspace: "temporal"} }

func (b fakeBackend) ParseOptions(raw map[string]any) (backend.Opener, error) {
	o := &fakeOptions{Port: 9042, Keyspace: "temporal"}
	if err := backend.Decode(raw, o); err != nil {
		return nil, err
	}
	var faults backend.Faults
	if o.Port < 1 || o.Port > 65535 {
		faults.Add("port", "must be from 1 to 65535")
	}
	if o.TLS.CaFile != "" && !o.TLS.Enabled {
		faults.Add("tls.enabled", "must be true where tls.caFile is given")
	}
	if err := faults.Err(); err != nil || o.User == "" || o.Keyspace != "" {
		return fakeOpener{o}, err
	}
	// Some backends join plain errors.
	return nil, fmt.Errorf("%s options: %w", b.name, errors.Join(
		errors.New("keyspace: must be named"), errors.New("user: must have a keyspace: any"), errors.New("nothing: fits")))
}

type fakeOpener struct{ o *fakeOptions }

func (f fakeOpener) Keyspace() string         { return f.o.Keyspace }
func (f fakeOpener) Options() any             { return f.o }
func (f fakeOpener) Dialect() dialect.Dialect { return nil }

var errNoConnection = errors.New("configuration must not connect")

func (f fakeOpener) Open(context.Context, backend.Env) (*backend.Connection, error) {
	return nil, errNoConnection
}

func (f fakeOpener) OpenAdmin(context.Context, backend.Env) (cql.Admin, error) {
	return nil, errNoConnection
}

func registry(tb testing.TB) *backend.Registry {
	tb.Helper()
	r, err := backend.NewRegistry([]backend.Backend{fakeBackend{"cassandra"}, fakeBackend{"yugabyte"}, fakeBackend{"embedded"}})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// minimal is a valid configuration with stock's SQLite for both stores.
const minimal = `
persistence:
  defaultStore: default
  visibilityStore: visibility
  numHistoryShards: 4
  datastores:
    default: &store
      sql: {pluginName: sqlite, databaseName: default, connectAddr: localhost, connectProtocol: tcp, password: hunter2, connectAttributes: {mode: memory}}
    visibility: *store
clusterMetadata: {currentClusterName: active}
`

// write makes a file and returns its path.
func write(tb testing.TB, name, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// loadText loads one file and settings.
func loadText(tb testing.TB, content string, set ...string) (*config.Loaded, error) {
	tb.Helper()
	return config.Load(config.Source{File: write(tb, "c.yaml", content), Set: set, Environ: []string{}}, registry(tb))
}

// stockConfigDir is the folder of sample configurations in the server module.
func stockConfigDir(tb testing.TB) string {
	tb.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.temporal.io/server").Output()
	if err != nil {
		tb.Fatal(fmt.Errorf("find the server module: %w", err))
	}
	return filepath.Join(strings.TrimSpace(string(out)), "config")
}
