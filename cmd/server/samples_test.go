package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/core/config"
)

// loadAs loads configuration as a command with these arguments does, and holds
// that it asks for a database without a warning.
func loadAs(t *testing.T, database string, args ...string) *config.Loaded {
	t.Helper()
	var loaded *config.Loaded
	app := newApp()
	app.Commands = nil
	app.Action = func(c *cli.Context) error {
		cfg, err := configure(c)
		loaded = cfg.loaded
		return err
	}
	if err := app.Run(append([]string{"x"}, args...)); err != nil {
		t.Fatal(err)
	}
	if loaded.Chosen == nil || loaded.Chosen.Name != database || len(loaded.Warnings) > 0 {
		t.Fatalf("chosen %+v, warnings %q", loaded.Chosen, loaded.Warnings)
	}
	return loaded
}

// The configuration that the repository ships gives no warning, and each file
// asks for the database that it is named after.
func TestSampleConfigurations(t *testing.T) {
	files, err := filepath.Glob("../../config/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("found %q, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			loadAs(t, strings.TrimSuffix(filepath.Base(file), ".yaml"), "--config-file", file)
		})
	}
}

func readSample[T any](t *testing.T, name string) T {
	t.Helper()
	var out T
	content, err := os.ReadFile(filepath.Join("../../docs/samples", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// options are those of the chosen database, as they would be printed.
func options(t *testing.T, l *config.Loaded) map[string]any {
	t.Helper()
	p := l.Config.Persistence
	return p.DataStores[p.DefaultStore].CustomDataStoreConfig.Options
}

func TestSampleForCompose(t *testing.T) {
	sample := readSample[struct {
		Services map[string]struct {
			Environment map[string]string
			Command     []string
		}
	}](t, "compose.yaml")
	commands := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(sample.Services)) {
		s := sample.Services[name]
		if s.Environment["DB"] == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			commands[strings.Join(s.Command, " ")] = true
			for k, v := range s.Environment {
				t.Setenv(k, v)
			}
			l := loadAs(t, "yugabyte")
			if o := options(t, l); o["hosts"] != "yugabyte" || o["port"] != "9042" || o["keyspace"] != "temporal" {
				t.Errorf("options %v", o)
			}
			if sample.Services["yugabyte"].Command == nil {
				t.Error("no service has the name that YUGABYTE_SEEDS asks for")
			}
			if got := l.Config.Services["frontend"].RPC.BindOnIP; got != "0.0.0.0" {
				t.Errorf("the frontend listens on %s: nobody outside of the container reaches it", got)
			}
			if got := l.Config.Persistence.NumHistoryShards; got != 16 {
				t.Errorf("%d history shards", got)
			}
			path := strings.Replace(l.Config.DynamicConfigClient.Filepath, "/etc/temporal/", "../../", 1) // where the Dockerfile copies it
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		})
	}
	if want := map[string]bool{"schema create": true, "schema update": true, "--allow-no-auth start": true}; !maps.Equal(commands, want) {
		t.Errorf("commands %v", commands)
	}
}

func TestSampleForHelm(t *testing.T) {
	sample := readSample[struct {
		Server struct {
			Config                 struct{ Persistence map[string]any }
			AdditionalVolumeMounts []struct{ MountPath string } `yaml:"additionalVolumeMounts"`
		}
	}](t, "helm-values.yaml")
	persistence := sample.Server.Config.Persistence
	// The chart takes these for itself and puts a password in their place.
	visibility := persistence["datastores"].(map[string]any)["visibility"].(map[string]any)["sql"].(map[string]any)
	delete(visibility, "existingSecret")
	delete(visibility, "secretKey")
	visibility["password"] = "secret"
	content, err := yaml.Marshal(map[string]any{"persistence": persistence, "clusterMetadata": map[string]any{"currentClusterName": "active"}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rendered.yaml")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	l := loadAs(t, "yugabyte", "--config-file", file)
	mounted := sample.Server.AdditionalVolumeMounts[0].MountPath + "/"
	o := options(t, l)
	for _, path := range []any{o["passwordFile"], o["tls"].(map[string]any)["caFile"]} {
		if text, _ := path.(string); !strings.HasPrefix(text, mounted) {
			t.Errorf("%v is not in the volume that is mounted at %s", path, mounted)
		}
	}
}

func TestSampleForASchemaJob(t *testing.T) {
	type container struct {
		Args []string
		Env  []struct{ Name, Value string }
	}
	sample := readSample[struct {
		Spec struct {
			Template struct {
				Spec struct {
					InitContainers []container `yaml:"initContainers"`
					Containers     []container
				}
			}
		}
	}](t, "kubernetes-schema-job.yaml")
	all := append(sample.Spec.Template.Spec.InitContainers, sample.Spec.Template.Spec.Containers...)
	var commands []string
	for _, c := range all {
		commands = append(commands, strings.Join(c.Args, " "))
		t.Run(commands[len(commands)-1], func(t *testing.T) {
			for _, v := range c.Env {
				t.Setenv(v.Name, v.Value)
			}
			o := options(t, loadAs(t, "yugabyte"))
			if o["user"] != "temporal_admin" || o["passwordFile"] == "" || o["keyspace"] != "temporal" {
				t.Errorf("options %v", o)
			}
		})
	}
	if !slices.Equal(commands, []string{"schema create", "schema update"}) {
		t.Errorf("commands %q", commands)
	}
}

// The documents' block of a data store is one that existing deployments have.
func TestBlockOfTheDocuments(t *testing.T) {
	content, err := os.ReadFile("../../docs/yugabyte.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(content), "```yaml\n")
	block, _, ended := strings.Cut(block, "```")
	if !found || !ended {
		t.Fatal("docs/yugabyte.md shows no configuration")
	}
	file := filepath.Join(t.TempDir(), "c.yaml")
	block += "    visibility: {sql: {pluginName: sqlite, databaseName: v, connectAddr: localhost, connectProtocol: tcp}}\n" +
		"  visibilityStore: visibility\n  numHistoryShards: 4\nclusterMetadata: {currentClusterName: active}\n"
	if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("YUGABYTE_PASSWORD", "secret") // where such deployments keep it
	if o := options(t, loadAs(t, "yugabyte", "--config-file", file)); o["hosts"] != "yb-tservers" {
		t.Errorf("options %v", o)
	}
}
