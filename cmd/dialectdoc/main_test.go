package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDocumentIsFresh(t *testing.T) {
	if err := run(filepath.Join("..", ".."), true); err != nil {
		t.Fatal(err)
	}
}

func TestStaleDocumentIsFound(t *testing.T) {
	root := t.TempDir()
	if err := run(root, true); err == nil {
		t.Fatal("a missing document is fresh")
	}
	if err := os.Mkdir(filepath.Join(root, "docs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, target), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err == nil {
		t.Fatal("a stale document is fresh")
	}
	if err := run(root, false); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err != nil {
		t.Fatal(err)
	}
}
