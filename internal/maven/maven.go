// Package maven fetches, from Maven Central, the servers that tests run against, into
// the user's cache.
package maven

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrNotInstalled means that there is no Maven on this machine.
var ErrNotInstalled = errors.New("no mvn on the path")

// limit of one installation, and how often Maven is run for it: the repository, or the
// way there, may fail for a moment.
const (
	limit    = 30 * time.Minute
	attempts = 3
)

// Maven runs mvn in a directory that is removed afterwards.
type Maven struct {
	path, what string
	// Dir is that directory, by its absolute path.
	Dir string
}

// Run runs mvn with arguments; no pom but one in Dir is read.
func (m *Maven) Run(ctx context.Context, args ...string) error {
	args = append([]string{"--quiet", "--batch-mode"}, args...)
	for attempt := 1; ; attempt++ {
		cmd := exec.CommandContext(ctx, m.path, args...)
		cmd.Dir = m.Dir
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		if attempt == attempts || ctx.Err() != nil {
			return fmt.Errorf("fetch %s with Maven: %w: %s", m.what, err, strings.TrimSpace(string(out)))
		}
		if attempt == 1 {
			args = append(args, "--update-snapshots") // else it repeats the failure that it remembers
		}
	}
}

// installMu keeps two goroutines of this process from installing side by side;
// processes that do it at once are harmless to each other (see install).
var installMu = make(chan struct{}, 1)

// Cached returns the directory of the cache called name. If it is not there, fetch
// makes a directory inside of Maven's that becomes it. What is fetched is called what
// in errors.
func Cached(ctx context.Context, what, name string, fetch func(ctx context.Context, m *Maven) (made string, err error)) (home string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache for %s: %w", what, err)
	}
	installMu <- struct{}{}
	defer func() { <-installMu }()
	home = filepath.Join(cache, "temporal-ycql", name)
	if _, err := os.Stat(home); errors.Is(err, fs.ErrNotExist) {
		return home, install(ctx, what, home, fetch)
	} else if err != nil {
		return "", fmt.Errorf("look for %s: %w", what, err)
	}
	return home, nil
}

// install fills a directory beside home and renames that: home is complete or absent,
// also when two processes install.
func install(ctx context.Context, what, home string, fetch func(ctx context.Context, m *Maven) (string, error)) error {
	path, err := exec.LookPath("mvn")
	if err != nil {
		return ErrNotInstalled
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return fmt.Errorf("make the cache for %s: %w", what, err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(home), "installing-")
	if err != nil {
		return fmt.Errorf("make the cache for %s: %w", what, err)
	}
	defer os.RemoveAll(tmp)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	made, err := fetch(ctx, &Maven{path: path, what: what, Dir: tmp})
	if err != nil {
		return err
	}
	if err := os.Rename(made, home); err != nil {
		if _, statErr := os.Stat(home); statErr == nil {
			return nil // another process was faster
		}
		return fmt.Errorf("keep %s: %w", what, err)
	}
	return nil
}
