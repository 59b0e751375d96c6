// Command dialectdoc writes docs/dialects.md: the plan of every store call and
// its CQL in every dialect.
//
//	go run ./cmd/dialectdoc          writes the file
//	go run ./cmd/dialectdoc -check   fails if the file is stale
//
// It is run from the root of the repository.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/temporal-ycql/temporal-ycql/dialect"
	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
	"github.com/temporal-ycql/temporal-ycql/dialect/samples"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

const target = "docs/dialects.md"

func main() {
	check := flag.Bool("check", false, "fail if "+target+" is stale, write nothing")
	flag.Parse()
	if err := run(".", *check); err != nil {
		fmt.Fprintln(os.Stderr, "dialectdoc:", err)
		os.Exit(1)
	}
}

// dialects are those that the document shows side by side.
func dialects() []dialect.Dialect {
	return []dialect.Dialect{cassandra.New(), ycql.New(ycql.All)}
}

func run(root string, check bool) error {
	var text bytes.Buffer
	if err := samples.Document(&text, dialects()...); err != nil {
		return err
	}
	path := filepath.Join(root, target)
	if !check {
		return os.WriteFile(path, text.Bytes(), 0o644)
	}
	have, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, text.Bytes()) {
		return fmt.Errorf("%s is stale: run \"go run ./cmd/dialectdoc\"", target)
	}
	return nil
}
