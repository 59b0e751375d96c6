package main

import (
	"os"
	"strings"
	"testing"
)

func TestOptionsAreDocumented(t *testing.T) {
	if err := run(true); err != nil {
		t.Fatal(err)
	}
}

func TestStaleDocumentIsFound(t *testing.T) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := generate(root, backends())
	if err != nil {
		t.Fatal(err)
	}
	// Into a module of its own, with one line changed.
	dir := t.TempDir()
	t.Chdir(dir)
	for name, content := range map[string]string{
		"go.mod":  "module m",
		target:    strings.Replace(string(text), "`hosts`", "`host`", 1),
		"ignored": "",
	} {
		if err := os.MkdirAll("docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, sources := range []string{"backends", "core"} {
		if err := os.Symlink(root+"/"+sources, sources); err != nil {
			t.Fatal(err)
		}
	}
	// One has changed, the other is missing.
	const want = `out of date: docs/options.md, docs/compare-plan.md: run "go run ./cmd/optdoc"`
	if err := run(true); err == nil || err.Error() != want {
		t.Fatalf("stale documents give %v", err)
	}
	if err := run(false); err != nil {
		t.Fatal(err)
	}
	if err := run(true); err != nil {
		t.Fatalf("a document just written gives %v", err)
	}
}

func TestOneLine(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"the field's name goes", "Hosts are the contact points,\nhost or host:port.\n", "The contact points, host or host:port."},
		{"another name becomes the key", "User and a password.\n", "`key` and a password."},
		{"no comment", "", ""},
		{"bars are kept out of the table", "Port is a|b.\n", `A\|b.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			field, _, _ := strings.Cut(tt.give, " ")
			if got := oneLine(field, "key", tt.give); got != tt.want {
				t.Fatalf("oneLine() = %q, want %q", got, tt.want)
			}
		})
	}
}
