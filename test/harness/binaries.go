package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// ServerEnv names a finished temporal-server binary of this repository. Without it
// the harness builds one, so that a test never runs a stale program.
const ServerEnv = "TEMPORAL_YCQL_SERVER"

// stockVersion is the release that go.mod pins and that the stock programs are.
const stockVersion = "v1.32.2"

// buildTags must be the ones that the Makefile uses: another set compiles all of
// the server again.
const buildTags = "disable_grpc_modules"

var buildMu sync.Mutex

// OwnServer returns the path of this repository's server.
func OwnServer(ctx context.Context) (string, error) {
	if path := os.Getenv(ServerEnv); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("find the server that %s names: %w", ServerEnv, err)
		}
		return path, nil
	}
	out := filepath.Join(moduleRoot(), "bin", "temporal-server")
	return out, goBuild(ctx, "./cmd/server", out, "-ldflags", stamp+revision(ctx))
}

// stamp is the linker's flag of the Makefile: a program that is built here in place of
// its own says the same of itself.
const stamp = "-X github.com/temporal-ycql/temporal-ycql/core/build.stamped="

// revision is what the Makefile calls it; "" outside of a work tree.
func revision(ctx context.Context) string {
	cmd := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
	cmd.Dir = moduleRoot()
	text, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// StockServer returns the path of upstream's server, built once from the module
// that this repository depends on and kept in the user's cache.
func StockServer(ctx context.Context) (string, error) {
	return stock(ctx, "temporal-server", "go.temporal.io/server/cmd/server")
}

// StockCassandraTool returns the path of upstream's temporal-cassandra-tool.
func StockCassandraTool(ctx context.Context) (string, error) {
	return stock(ctx, "temporal-cassandra-tool", "go.temporal.io/server/cmd/tools/cassandra")
}

// StockSQLTool returns the path of upstream's temporal-sql-tool.
func StockSQLTool(ctx context.Context) (string, error) {
	return stock(ctx, "temporal-sql-tool", "go.temporal.io/server/cmd/tools/sql")
}

func stock(ctx context.Context, name, pkg string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache for %s: %w", name, err)
	}
	path := filepath.Join(cache, "temporal-ycql", "stock-"+stockVersion, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look for %s: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("make the cache for %s: %w", name, err)
	}
	// Built beside its place and renamed: the file is complete or absent.
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := goBuild(ctx, pkg, tmp); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", fmt.Errorf("keep %s: %w", name, err)
	}
	return path, nil
}

func goBuild(ctx context.Context, pkg, out string, flags ...string) error {
	buildMu.Lock()
	defer buildMu.Unlock()
	args := append([]string{"build", "-tags", buildTags, "-o", out}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = moduleRoot()
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", pkg, err, strings.TrimSpace(string(text)))
	}
	return nil
}

// moduleRoot is the directory of go.mod, found from this source file.
func moduleRoot() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		panic("harness: the programs that use it are built without -trimpath, which hides where go.mod is")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}
