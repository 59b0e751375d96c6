package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEmbeddedIsChosen renders configurations that ask for the embedded database.
func TestEmbeddedIsChosen(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		args []string
		want []string // parts of what is rendered
	}{
		{"by the sample", nil, []string{"--config-file", "../../config/embedded.yaml"}, []string{"name: embedded", "dataDir: temporal-data/engine", "databaseName: temporal-data/visibility.db"}},
		{"by DB, on disk", map[string]string{"DB": "embedded", "EMBEDDED_DATA_DIR": "/d", "KEYSPACE": "k"}, nil, []string{"name: embedded", "dataDir: /d", "keyspace: k", "pluginName: sqlite", "mode: rwc"}},
		{"by DB, in memory", map[string]string{"DB": "embedded", "EMBEDDED_EPHEMERAL": "true", "EMBEDDED_DIALECT": "cassandra"}, nil, []string{"name: embedded", `ephemeral: "true"`, "dialect: cassandra", "keyspace: temporal", "mode: memory"}},
		{"by a variable of one value", map[string]string{"TEMPORAL__BACKEND": "embedded", "TEMPORAL__BACKENDS__EMBEDDED__DATADIR": "/d"}, nil, []string{"name: embedded", "dataDir: /d"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			stdout, stderr, status := run(t, "", append(tt.args, "render-config")...)
			for _, part := range tt.want {
				if status != 0 || !strings.Contains(stdout, part) {
					t.Fatalf("status %d, no %q in\n%s\n%s", status, part, stdout, stderr)
				}
			}
		})
	}
}

func TestFaultsOfTheEmbeddedDatabaseAreOneLine(t *testing.T) {
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	absent := filepath.Join(t.TempDir(), "data")
	sample := []string{"--config-file", "../../config/embedded.yaml", "--set", "log.level=fatal"}
	tests := []struct {
		name string
		set  []string
		args []string
		want string
	}{
		{"a directory of something else", []string{"dataDir=" + foreign}, []string{"start"}, "Unable to create server. Error: open the embedded database in " + foreign + ": the directory is no database and not empty (it holds thesis.tex): name a new one."},
		{"the same for the schema tool", []string{"dataDir=" + foreign}, []string{"schema", "create"}, "open the embedded database in " + foreign + ": the directory is no database and not empty (it holds thesis.tex): name a new one"},
		{"the schema of a database in memory", []string{"dataDir=", "ephemeral=true"}, []string{"schema", "create"}, "open the embedded database in memory: data in memory exists only inside of a server that runs, which makes keyspace and tables by itself: give dataDir for data that commands can reach"},
		{"verifying what does not exist", []string{"dataDir=" + absent}, []string{"schema", "version"}, "open the embedded database in " + absent + `: there is none yet: a server makes it when it starts, and so does "schema create"`},
		{"dropping what does not exist", []string{"dataDir=" + absent}, []string{"schema", "drop", "--yes"}, "open the embedded database in " + absent + ": there is none yet"},
		{"trying on what does not exist", []string{"dataDir=" + absent}, []string{"schema", "create", "--dry-run"}, "open the embedded database in " + absent + ": there is none yet"},
		{"both ways to keep data", []string{"ephemeral=true"}, []string{"start"}, "Unable to load configuration: --set backends.embedded.ephemeral: backends.embedded.ephemeral: data is kept either in memory or in dataDir: give one of them."},
		{"a dialect that nobody knows", []string{"dialect=sql"}, []string{"start"}, `Unable to load configuration: --set backends.embedded.dialect: backends.embedded.dialect: "sql" is not a dialect of the embedded engine: use ycql or cassandra.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := sample[:len(sample):len(sample)]
			for _, s := range tt.set {
				args = append(args, "--set", "backends.embedded."+s)
			}
			stdout, stderr, status := run(t, "", append(args, tt.args...)...)
			if status != 1 || !strings.HasPrefix(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
				t.Fatalf("status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
			}
			if _, err := os.Stat(absent); !os.IsNotExist(err) {
				t.Fatalf("it was made, or cannot be seen: %v", err)
			}
		})
	}
}
