package main

import (
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// TestMisspeltOptionsAreRefused misspells every option of every database in every
// way that takes or adds one letter.
func TestMisspeltOptionsAreRefused(t *testing.T) {
	registry, err := collect()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range registry.Names() {
		t.Run(name, func(t *testing.T) {
			b, err := registry.Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			known := map[string]bool{}
			for _, o := range backend.DescribeOptions(b.NewOptions()) {
				known[o.Path] = true
			}
			if len(known) < 5 {
				t.Fatalf("only %d options", len(known))
			}
			for path := range known {
				for _, wrong := range misspellings(path) {
					if known[wrong] {
						continue
					}
					_, err := b.ParseOptions(nest(wrong))
					if err == nil || !strings.Contains(err.Error(), wrong+": unknown key") {
						t.Errorf("%s was given for %s: %v", wrong, path, err)
					}
				}
			}
		})
	}
}

// misspellings are those of the last key of a path.
func misspellings(path string) []string {
	at := strings.LastIndex(path, ".") + 1
	above, key := path[:at], path[at:]
	all := []string{path + "s", path + "X", above + strings.ToUpper(key[:1]) + key[1:]}
	for i := range key {
		if len(key) > 1 {
			all = append(all, above+key[:i]+key[i+1:])
		}
	}
	return all
}

// nest makes the options that hold one key.
func nest(path string) map[string]any {
	key, rest, deep := strings.Cut(path, ".")
	if !deep {
		return map[string]any{key: "1"}
	}
	return map[string]any{key: nest(rest)}
}
