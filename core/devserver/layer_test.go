package devserver

import (
	"strings"
	"testing"
)

// TestFlagsReachTheConfiguration holds flags to the configuration that the server
// is run with, and lets a setting win over the flag that says the same.
func TestFlagsReachTheConfiguration(t *testing.T) {
	tests := []struct {
		name string
		give Options
		want []string // parts of the rendered configuration
	}{
		{"none", given(), []string{
			"name: embedded # start-dev", "dataDir: /data/engine", "dialect: " + DefaultDialect, "databaseName: /data/visibility.db", "numHistoryShards: 4",
			"grpcPort: 7233", "bindOnIP: 127.0.0.1", "rpcAddress: 127.0.0.1:7233", "level: warn", "format: console", "pluginName: sqlite-grouped",
		}},
		{"addresses", given(func(o *Options) { o.IP, o.Port, o.HTTPPort, o.MetricsPort = "::", 1, 2, 3 }), []string{
			"bindOnIP: '::'", "grpcPort: 1 ", "httpPort: 2 ", "listenAddress: '[::]:3'", "rpcAddress: '[::1]:1'", "httpAddress: '[::1]:2'", "hostPort: '[::1]:1'",
		}},
		{"a name for an address", given(func(o *Options) { o.IP = "localhost" }), []string{"bindOnIP: 127.0.0.1"}},
		{"in memory", given(func(o *Options) { o.Ephemeral, o.DataDir = true, "" }), []string{`ephemeral: "true" # start-dev`, "mode: memory"}},
		{"logging", given(func(o *Options) { o.LogLevel, o.LogFormat = "never", "json" }), []string{"level: fatal", "format: json"}},
		{"a database of its own", given(func(o *Options) {
			o.Backend, o.Set = "cassandra", []string{"backends.cassandra.hosts=db1", "persistence.numHistoryShards=512"}
		}), []string{"name: cassandra # start-dev", "- db1", "numHistoryShards: 512 # --set", "databaseName: /data/visibility.db"}},
		{"a setting over a flag", given(func(o *Options) { o.Set = []string{"services.frontend.rpc.grpcPort=9"} }), []string{"grpcPort: 9 # --set"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.give.complete(); err != nil {
				t.Fatal(err)
			}
			loaded, err := tt.give.load(registry(t))
			if err != nil {
				t.Fatal(err)
			}
			if len(loaded.Warnings) > 0 {
				t.Errorf("warnings: %q", loaded.Warnings)
			}
			for _, part := range tt.want {
				if text := loaded.String(); !strings.Contains(text, part) {
					t.Fatalf("no %q in\n%s", part, text)
				}
			}
		})
	}
}

// TestPlacesFollowTheMergedConfiguration: what is printed and dialled is what the
// server was told, wherever it was told.
func TestPlacesFollowTheMergedConfiguration(t *testing.T) {
	tests := []struct {
		name     string
		give     Options
		frontend string
		printed  []string
		missing  string
	}{
		{"flags", given(func(o *Options) { o.MetricsPort, o.HTTPPort = 9, 8 }), "127.0.0.1:7233", []string{
			"Server:    localhost:7233\n", "UI:        http://localhost:8233\n", "Metrics:   http://localhost:9/metrics\n", "HTTP:      http://localhost:8\n", "Data:      /data\n", "Database:  embedded, dialect ",
		}, "in memory"},
		{"a UI of its own", given(func(o *Options) { o.UIIP, o.UIPort = "::1", 5 }), "127.0.0.1:7233", []string{"UI:        http://localhost:5\n"}, "HTTP:"},
		{"no UI", given(func(o *Options) { o.Headless = true }), "127.0.0.1:7233", []string{"Server:"}, "UI:"},
		{"all addresses", given(func(o *Options) { o.IP = "0.0.0.0" }), "127.0.0.1:7233", []string{"Server:    0.0.0.0:7233\n", "UI:        http://0.0.0.0:8233\n"}, "localhost"},
		{"the last port", given(func(o *Options) { o.Port = 65535 }), "127.0.0.1:65535", []string{"UI:        http://localhost:65535\n"}, "66535"},
		{"a setting", given(func(o *Options) { o.Set = []string{"services.frontend.rpc.grpcPort=9"} }), "127.0.0.1:9", []string{"Server:    localhost:9\n"}, "7233"},
		{"memory", given(func(o *Options) { o.Ephemeral, o.DataDir = true, "" }), "127.0.0.1:7233", []string{"Data:      in memory"}, "/data"},
		{"another database", given(func(o *Options) { o.Backend, o.Set = "cassandra", []string{"backends.cassandra.hosts=db1"} }), "127.0.0.1:7233", []string{"Database:  cassandra, keyspace temporal\n", "Data:      /data (visibility)"}, "embedded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.give.complete(); err != nil {
				t.Fatal(err)
			}
			loaded, err := tt.give.load(registry(t))
			if err != nil {
				t.Fatal(err)
			}
			d := &devServer{options: tt.give, loaded: loaded}
			if got := d.frontend(); got != tt.frontend {
				t.Errorf("frontend() = %s, want %s", got, tt.frontend)
			}
			var b strings.Builder
			if err := banner(&b, d.places()); err != nil {
				t.Fatal(err)
			}
			for _, part := range tt.printed {
				if !strings.Contains(b.String(), part) {
					t.Errorf("no %q in\n%s", part, b.String())
				}
			}
			if strings.Contains(b.String(), tt.missing) {
				t.Errorf("%q in\n%s", tt.missing, b.String())
			}
		})
	}
}
