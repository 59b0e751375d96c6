// Package dialecttest holds dialects to goldens of the samples.
package dialecttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/dialect"
	"github.com/temporal-ycql/temporal-ycql/dialect/samples"
)

// Golden holds the CQL of every sample to testdata/<sample>.cql, or rewrites the
// files. A golden without a sample is an error.
func Golden(t *testing.T, d dialect.Dialect, update bool) {
	known := map[string]bool{}
	for _, s := range samples.Of(d) {
		file := s.Name + ".cql"
		if known[file] {
			t.Fatalf("two samples are named %s", s.Name)
		}
		known[file] = true
		t.Run(s.Name, func(t *testing.T) {
			text, err := samples.CQL(d, s)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join("testdata", file), "-- "+s.Calls+"\n"+text, update)
		})
	}
	files, err := filepath.Glob(filepath.Join("testdata", "*.cql"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !known[filepath.Base(f)] {
			t.Errorf("%s belongs to no sample: delete it", f)
		}
	}
}

func compare(t *testing.T, file, got string, update bool) {
	t.Helper()
	if update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run with -update to make it)", err)
	}
	if got != string(want) {
		t.Errorf("%s is stale (run with -update):\n%s", file, difference(string(want), got))
	}
}

// difference shows the lines that changed.
func difference(want, got string) string {
	var b strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		switch {
		case i >= len(w):
			b.WriteString("+" + g[i] + "\n")
		case i >= len(g):
			b.WriteString("-" + w[i] + "\n")
		case w[i] != g[i]:
			b.WriteString("-" + w[i] + "\n+" + g[i] + "\n")
		}
	}
	return b.String()
}
