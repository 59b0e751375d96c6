package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	tconfig "go.temporal.io/server/common/config"
	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/core/config"
)

// Every sample of the server module loads to exactly what upstream's loader
// makes of it.
func TestStockSamplesLoadAsUpstreamLoadsThem(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(stockConfigDir(t), "*.yaml"))
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d samples, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if filepath.Base(file) == "docker.yaml" {
				t.Setenv("DB", "postgres12")
				t.Setenv("POSTGRES_SEEDS", "db")
			}
			want, wantErr := tconfig.Load(tconfig.WithConfigFile(file))
			if wantErr == nil {
				wantErr = want.Validate()
			}
			got, err := config.Load(config.Source{File: file, Environ: []string{}}, registry(t))
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("Load() = %v, upstream says %v", err, wantErr)
			}
			if err != nil {
				return
			}
			same(t, got.Config, want)
			if got.Chosen != nil {
				t.Fatal("a stock sample asks for a database of ours")
			}
			for _, w := range got.Warnings {
				custom := filepath.Base(file) == "development-cass-es-custom.yaml" && strings.Contains(w, "no custom data store of that name")
				if !custom && !strings.Contains(w, ".rpcName: unknown key, ignored") || !strings.HasPrefix(w, file+":") {
					t.Errorf("unexpected warning %q", w)
				}
			}
		})
	}
}

// same compares what configurations say: written out as YAML, and the
// exporters, which do not write themselves out, in memory.
func same(t *testing.T, got, want *tconfig.Config) {
	t.Helper()
	if !reflect.DeepEqual(got.ExporterConfig, want.ExporterConfig) {
		t.Fatalf("otel = %+v, upstream has %+v", got.ExporterConfig, want.ExporterConfig)
	}
	texts := make([][]string, 2)
	for i, cfg := range []*tconfig.Config{got, want} {
		b, err := yaml.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = strings.Split(string(b), "\n")
	}
	for i := range max(len(texts[0]), len(texts[1])) {
		if i >= len(texts[0]) || i >= len(texts[1]) || texts[0][i] != texts[1][i] {
			t.Fatalf("the configuration differs from line %d on:\n%s\nupstream:\n%s", i+1,
				strings.Join(texts[0][i:min(i+8, len(texts[0]))], "\n"), strings.Join(texts[1][i:min(i+8, len(texts[1]))], "\n"))
		}
	}
}

// The environment template gives exactly what upstream's gives, whatever stock
// variables are set.
func TestStockEnvironmentLoadsAsUpstreamLoadsIt(t *testing.T) {
	tests := []struct {
		name string
		give map[string]string
	}{
		{"nothing set", nil},
		{"cassandra without visibility", map[string]string{"CASSANDRA_SEEDS": "a,b"}},
		{"cassandra with elasticsearch", map[string]string{
			"CASSANDRA_SEEDS": "a", "ENABLE_ES": "true", "ES_SEEDS": "es", "ES_VERSION": "v7", "ES_PWD": "p", "ES_SEC_VIS_INDEX": "second",
			"CASSANDRA_USER": "u", "CASSANDRA_PASSWORD": "0123", "CASSANDRA_TLS_ENABLED": "true", "CASSANDRA_ADDRESS_TRANSLATOR": "fixed-address-translator",
			"CASSANDRA_ADDRESS_TRANSLATOR_OPTIONS": "h", "CASSANDRA_ALLOWED_AUTHENTICATORS": "x", "KEYSPACE": "k",
		}},
		{"mysql", map[string]string{"DB": "mysql8", "MYSQL_SEEDS": "m", "MYSQL_USER": "root", "MYSQL_PWD": "0x10", "MYSQL_TX_ISOLATION_COMPAT": "true", "SQL_MAX_CONN_TIME": "90m"}},
		{"postgres", map[string]string{"DB": "postgres12_pgx", "POSTGRES_SEEDS": "p", "VISIBILITY_POSTGRES_SEEDS": "v", "NUM_HISTORY_SHARDS": "512", "SQL_TLS_ENABLED": "true"}},
		{"sqlite", map[string]string{"DB": "sqlite", "SQLITE_MODE": "memory", "LOG_LEVEL": "debug"}},
		{"services, authorization, metrics", map[string]string{
			"DB": "sqlite", "USE_INTERNAL_FRONTEND": "1", "TEMPORAL_AUTH_AUTHORIZER": "default", "TEMPORAL_JWT_KEY_SOURCE1": "http://x", "PROMETHEUS_ENDPOINT": "127.0.0.1:1",
			"BIND_ON_IP": "0.0.0.0", "TEMPORAL_BROADCAST_ADDRESS": "10.0.0.1", "FRONTEND_GRPC_PORT": "17233", "TEMPORAL_TLS_SERVER_CERT": "c", "TEMPORAL_TLS_CLIENT1_CA_CERT": "1",
		}},
		{"statsd and a public client", map[string]string{"DB": "sqlite", "STATSD_ENDPOINT": "s:1", "TEMPORAL_AUTH_AUTHORIZER": "default", "TEMPORAL_AUTH_CLAIM_MAPPER": "default", "PUBLIC_FRONTEND_ADDRESS": "p:1"}},
		{"a wrong duration", map[string]string{"DB": "sqlite", "TEMPORAL_TLS_REFRESH_INTERVAL": "soon"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.give {
				t.Setenv(name, value)
			}
			want, wantErr := tconfig.Load(tconfig.WithEmbedded())
			if wantErr == nil {
				wantErr = want.Validate()
			}
			got, err := config.Load(config.Source{Environ: []string{}}, registry(t))
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("Load() = %v, upstream says %v", err, wantErr)
			}
			if err == nil {
				same(t, got.Config, want)
			}
			if got := os.Getenv("DB"); got != tt.give["DB"] {
				t.Fatalf("DB is %q afterwards, was %q", got, tt.give["DB"])
			}
		})
	}
}

// Files of a directory are merged as upstream merges them.
func TestStockDirectoryLoadsAsUpstreamLoadsIt(t *testing.T) {
	base := minimal + `
log: {level: info, stdout: true}
global:
  membership: {maxJoinDuration: 30s, broadcastAddress: 127.0.0.1}
  metrics: {prometheus: {listenAddress: "127.0.0.1:1"}, tags: {a: b}}
services:
  frontend: {rpc: {grpcPort: 7233, bindOnIP: 127.0.0.1}}
  history: {rpc: {grpcPort: 7234}}
publicClient: {hostPort: "a:1"}
otel:
  exporters:
    - kind: {signal: traces, model: otlp, protocol: grpc}
      spec: {connection: {endpoint: "localhost:4317"}}
`
	tests := []struct {
		name            string
		env, zone       string
		development, az string
	}{
		{"base alone", "", "", "", ""},
		{"an entry of a map is replaced as a whole", "", "", "services: {frontend: {rpc: {grpcPort: 1}}}", ""},
		{"a data store changes its kind", "", "", "persistence: {datastores: {default: {cassandra: {hosts: h, keyspace: k}}}}", ""},
		{"known keys are merged", "", "", "log: {level: debug}\nglobal: {membership: {maxJoinDuration: 5s}, metrics: {prefix: p}}", ""},
		{"maps of text are merged by key", "", "", "global: {metrics: {tags: {c: d}}}", ""},
		{"null empties a pointer and keeps a scalar", "", "", "clusterMetadata:\nlog: {level: }\npersistence: {numHistoryShards: null}", ""},
		{"a zone lies over its environment", "production", "eu", "persistence: {numHistoryShards: 8}", "persistence: {numHistoryShards: 16}"},
		{"a zone without files", "production", "us", "persistence: {numHistoryShards: 8}", "persistence: {numHistoryShards: 16}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			env := tt.env
			if env == "" {
				env = "development"
			}
			for name, content := range map[string]string{"base.yaml": base, env + ".yaml": tt.development, env + "_eu.yaml": tt.az} {
				if content == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, wantErr := tconfig.Load(tconfig.WithConfigDir(dir), tconfig.WithEnv(tt.env), tconfig.WithZone(tt.zone))
			if wantErr == nil {
				wantErr = want.Validate()
			}
			got, err := config.Load(config.Source{Dir: dir, Env: tt.env, Zone: tt.zone, Environ: []string{}}, registry(t))
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("Load() = %v, upstream says %v", err, wantErr)
			}
			if err == nil {
				same(t, got.Config, want)
			}
		})
	}
}

// What YAML's types would change stays as it was written.
func TestTextStaysAsWritten(t *testing.T) {
	content := strings.ReplaceAll(minimal, "password: hunter2", "password: 0123, user: 7.10, databaseName: 2020-01-01")
	content = strings.ReplaceAll(content, "databaseName: default, ", "")
	file := write(t, "c.yaml", content)
	want, err := tconfig.Load(tconfig.WithConfigFile(file))
	if err != nil {
		t.Fatal(err)
	}
	if err := want.Validate(); err != nil { // it fills in a default
		t.Fatal(err)
	}
	got, err := config.Load(config.Source{File: file, Environ: []string{}}, registry(t))
	if err != nil {
		t.Fatal(err)
	}
	same(t, got.Config, want)
	if p := got.Config.Persistence.DataStores["default"].SQL.Password; p != "0123" {
		t.Fatalf("password is %q", p)
	}
}
