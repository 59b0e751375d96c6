package yugabyte_test

import (
	"encoding/json"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/engine"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect/samples"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
	"github.com/temporal-ycql/temporal-ycql/schema/yugabyte"
)

// statements are those of a version, without comments.
func statements(t *testing.T, version string) []string {
	t.Helper()
	dir := path.Join("versioned", version)
	raw, err := fs.ReadFile(yugabyte.Files, path.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		CurrVersion          string
		MinCompatibleVersion string
		Description          string
		SchemaUpdateCqlFiles []string
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	if "v"+manifest.CurrVersion != version || manifest.MinCompatibleVersion == "" || manifest.Description == "" {
		t.Fatalf("manifest of %s: %+v", version, manifest)
	}
	var all []string
	for _, file := range manifest.SchemaUpdateCqlFiles {
		text, err := fs.ReadFile(yugabyte.Files, path.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "--") {
				b.WriteString(line)
			}
		}
		for _, s := range strings.Split(b.String(), ";") {
			if s = strings.TrimSpace(s); s != "" {
				all = append(all, s)
			}
		}
	}
	return all
}

// keyspace is an engine of the ycql personality with the schema in keyspace ks.
func keyspace(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.Open(engine.Options{Dialect: parse.YCQL, Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, text := range append([]string{"CREATE KEYSPACE ks"}, statements(t, "v"+yugabyte.Version)...) {
		if _, err := e.Query(t.Context(), "ks", text, &server.Params{}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return e
}

func TestEveryTableSaysWhetherItHasTransactions(t *testing.T) {
	for _, text := range statements(t, "v"+yugabyte.Version) {
		if n := strings.Count(text, "transactions = {'enabled': "); n != 1 || !strings.HasPrefix(text, "CREATE TABLE ") {
			t.Errorf("transactions are said %d times in\n%s", n, text)
		}
	}
}

// Every statement of every sample is one that the server prepares on this
// schema, and its batches are such as it takes, whatever it can do.
func TestServerPreparesWhatTheDialectSays(t *testing.T) {
	e := keyspace(t)
	for name, abilities := range map[string]ycql.Abilities{
		"all abilities": ycql.All, "none": {}, "no null elements": {GuardLast: true}, "no guard in a batch": {NullElements: true},
	} {
		t.Run(name, func(t *testing.T) {
			d := ycql.New(abilities)
			for _, s := range samples.Of(d) {
				if _, err := samples.CQL(d, s); err != nil {
					t.Fatal(err)
				}
			}
			texts := d.Texts()
			if len(texts) < len(plan.AllTables) {
				t.Fatalf("only %d texts", len(texts))
			}
			for _, text := range texts {
				if _, err := e.Prepare(t.Context(), "ks", text); err != nil {
					t.Errorf("%s: %v", text, err)
				}
			}
		})
	}
}
