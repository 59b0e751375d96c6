package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// blocks returns the YAML that a document shows.
func blocks(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, found := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
		all = append(all, found[1])
	}
	return all
}

// TestVisibilitySamplesLoad puts each visibility store that docs/operating.md shows
// into the sample configuration.
func TestVisibilitySamplesLoad(t *testing.T) {
	content, err := os.ReadFile(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	wants := []string{"pluginName: sqlite-grouped", "pluginName: sqlite #", "pluginName: postgres12", "pluginName: mysql8", "elasticsearch:"}
	samples := blocks(t, "docs/operating.md")
	if len(samples) != len(wants) {
		t.Fatalf("docs/operating.md shows %d samples, want %d", len(samples), len(wants))
	}
	for i, want := range wants {
		t.Run(want, func(t *testing.T) {
			text := samples[i]
			if !strings.HasPrefix(text, "persistence:") { // it goes on from the one before
				text = "persistence:\n  datastores:\n" + text
			}
			var shown struct {
				Persistence struct {
					Datastores map[string]any `yaml:"datastores"`
				} `yaml:"persistence"`
			}
			if err := yaml.Unmarshal([]byte(text), &shown); err != nil {
				t.Fatal(err)
			}
			all := map[string]any{}
			if err := yaml.Unmarshal(content, &all); err != nil {
				t.Fatal(err)
			}
			persistence, ok := all["persistence"].(map[string]any)
			if !ok || len(shown.Persistence.Datastores) != 1 || shown.Persistence.Datastores["visibility"] == nil {
				t.Fatalf("%v shows no data store of the name visibility", shown)
			}
			persistence["datastores"] = shown.Persistence.Datastores
			out, err := yaml.Marshal(all)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(path, out, 0o600); err != nil {
				t.Fatal(err)
			}
			stdout, stderr, status := run(t, "", "--config-file", path, "render-config")
			if status != 0 || !strings.Contains(stdout, want) || stderr != "" {
				t.Fatalf("status %d: %s\n%s", status, stderr, stdout)
			}
		})
	}
}

// TestOptionSamplesLoad: both ways of docs/options.md to choose a database mean the
// same.
func TestOptionSamplesLoad(t *testing.T) {
	samples := blocks(t, "docs/options.md")
	if len(samples) != 2 {
		t.Fatalf("docs/options.md shows %d samples, want 2", len(samples))
	}
	content, err := os.ReadFile(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range samples {
		all, shown := map[string]any{}, map[string]any{}
		if err := yaml.Unmarshal(content, &all); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal([]byte(text), &shown); err != nil {
			t.Fatal(err)
		}
		delete(all, "backend")
		delete(all, "backends")
		merge(all, shown)
		out, err := yaml.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, out, 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, status := run(t, "", "--config-file", path, "render-config")
		for _, want := range []string{"customDatastore:", "name: cassandra", "- db1\n", "- db2\n", "keyspace: temporal"} {
			if status != 0 || !strings.Contains(stdout, want) || stderr != "" {
				t.Fatalf("sample %d: status %d, no %q: %s\n%s", i, status, want, stderr, stdout)
			}
		}
	}
}

// merge lays b over a.
func merge(a, b map[string]any) {
	for key, value := range b {
		below, ok := a[key].(map[string]any)
		above, both := value.(map[string]any)
		if ok && both {
			merge(below, above)
			continue
		}
		a[key] = value
	}
}
