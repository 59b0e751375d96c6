// Package stocksuite holds the test that upstream Temporal's own Cassandra
// persistence tests, with their stock driver and store, pass on the embedded engine
// over TCP as they do on an Apache Cassandra.
package stocksuite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
)

const (
	suite = "go.temporal.io/server/common/persistence/tests"
	// buildTags are the Makefile's: another set compiles all of the server again.
	buildTags = "disable_grpc_modules"
	// passes is what the suite of Temporal 1.32.2 counts on a real Cassandra 5.0.6:
	// top-level tests and all tests within.
	passes = 241
	// skipped is the one test that it skips on every Cassandra, being of SQL.
	skipped = "[TestCassandraMetadataPersistenceV2/TestRenameNamespaceSQL]"
	// suiteTime bounds the building of the suite, which takes minutes where nothing of
	// Temporal is built yet, and its run, which takes 10 s on two idle cores.
	suiteTime = 40 * time.Minute
)

func TestUpstreamCassandraSuitePassesOnTheEngine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), suiteTime)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "persistence.test")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-tags", buildTags, "-o", binary, suite).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", suite, err, out)
	}
	// The suite reads the schema by a path relative to its source.
	dir, err := exec.CommandContext(ctx, "go", "list", "-tags", buildTags, "-f", "{{.Dir}}", suite).Output()
	if err != nil {
		t.Fatalf("find the source of %s: %v", suite, err)
	}
	node, err := standalone.Start(standalone.Options{Dialect: parse.Cassandra, Ephemeral: true, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := node.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	addr := node.Addr()

	cmd := exec.CommandContext(ctx, binary, "-test.run", "Cassandra", "-test.v", "-test.timeout", suiteTime.String())
	cmd.Dir = strings.TrimSpace(string(dir))
	cmd.Env = append(os.Environ(), "CASSANDRA_SEEDS="+addr.IP.String(), "CASSANDRA_PORT="+strconv.Itoa(addr.Port))
	log := filepath.Join(t.TempDir(), "suite.log")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	runErr := cmd.Run()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	got, err := count(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("passed %d, failed %d, skipped %d", got.passed, len(got.failed), len(got.skipped))
	if runErr != nil || len(got.failed) > 0 || fmt.Sprint(got.skipped) != skipped || got.passed < passes {
		t.Errorf("the suite ended with %v: passed %d, want at least %d; failed %v; skipped %v\n%s",
			runErr, got.passed, passes, got.failed, got.skipped, tail(log))
	}
}

// tally is what a test binary printed with -test.v.
type tally struct {
	passed          int
	failed, skipped []string
}

// count reads the output of a test binary: every line "--- PASS", "--- FAIL" or
// "--- SKIP" is a test, those of suites and of tests within them alike.
func count(r io.Reader) (tally, error) {
	var c tally
	in := bufio.NewScanner(r)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		what, name, ok := strings.Cut(strings.TrimLeft(in.Text(), " "), ": ")
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(name, " ")
		switch what {
		case "--- PASS":
			c.passed++
		case "--- FAIL":
			c.failed = append(c.failed, name)
		case "--- SKIP":
			c.skipped = append(c.skipped, name)
		}
	}
	if err := in.Err(); err != nil {
		return c, fmt.Errorf("read the suite's output: %w", err)
	}
	return c, nil
}

// tail is the end of a file, for an error message.
func tail(path string) string {
	const most = 20 << 10
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}

func TestCountTellsFailuresFromPasses(t *testing.T) {
	got, err := count(strings.NewReader(`=== RUN   TestA
=== RUN   TestA/One
    --- PASS: TestA/One (0.01s)
    --- FAIL: TestA/Two (0.00s)
        --- SKIP: TestA/Two/Deep (0.00s)
--- FAIL: TestA (0.01s)
logger.go:146: something --- PASS: not a test
FAIL
`))
	if err != nil {
		t.Fatal(err)
	}
	if got.passed != 1 || fmt.Sprint(got.failed) != "[TestA/Two TestA]" || fmt.Sprint(got.skipped) != "[TestA/Two/Deep]" {
		t.Fatalf("counted %+v", got)
	}
}
