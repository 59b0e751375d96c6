package cassandratest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

//go:embed files
var files embed.FS

// ErrNotInstalled means that this machine has no Java 17 or no Maven.
var ErrNotInstalled = errors.New("running Apache Cassandra needs Java 17 and Maven")

// distribution is a Cassandra on disk and the Java to run it with.
type distribution struct {
	java string // path of the java command
	jars string // directory of all jar files
}

// installMu keeps two goroutines of this process from installing side by side;
// processes that do it at once are harmless to each other (see install).
var installMu = make(chan struct{}, 1)

// findDistribution returns the cached Cassandra of a version, and installs it first
// if need be.
func findDistribution(ctx context.Context, version string) (distribution, error) {
	java, err := findJava(ctx)
	if err != nil {
		return distribution{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return distribution{}, fmt.Errorf("find the cache for Cassandra's files: %w", err)
	}
	installMu <- struct{}{}
	defer func() { <-installMu }()
	home := filepath.Join(cache, "temporal-ycql", "cassandra-"+version)
	if _, err := os.Stat(home); errors.Is(err, fs.ErrNotExist) {
		if err := install(ctx, version, home); err != nil {
			return distribution{}, err
		}
	} else if err != nil {
		return distribution{}, fmt.Errorf("look for Cassandra's files: %w", err)
	}
	return distribution{java: java, jars: home}, nil
}

// install lets Maven fetch all jar files into home. It fills a directory beside it
// and renames that: home is complete or absent, also when two processes install.
func install(ctx context.Context, version, home string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("%w: no mvn on the path", ErrNotInstalled)
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return fmt.Errorf("make the cache for Cassandra's files: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(home), "installing-")
	if err != nil {
		return fmt.Errorf("make the cache for Cassandra's files: %w", err)
	}
	defer os.RemoveAll(tmp)
	pom, err := filled("files/pom.xml.tmpl", version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tmp, "pom.xml"), []byte(pom), 0o644); err != nil {
		return fmt.Errorf("write pom.xml for Maven: %w", err)
	}
	jars := filepath.Join(tmp, "jars")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, mvn, "--quiet", "--batch-mode", "--file", filepath.Join(tmp, "pom.xml"),
		"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+jars)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch Cassandra %s with Maven: %w: %s", version, err, strings.TrimSpace(string(out)))
	}
	if err := os.Rename(jars, home); err != nil {
		if _, statErr := os.Stat(home); statErr == nil {
			return nil // another process was faster
		}
		return fmt.Errorf("keep Cassandra's files: %w", err)
	}
	return nil
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// findJava returns a java command of version 17, the newest that Cassandra 5.0 runs on.
func findJava(ctx context.Context) (string, error) {
	var candidates []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		candidates = append(candidates, filepath.Join(home, "bin", "java"))
	}
	if path, err := exec.LookPath("java"); err == nil {
		candidates = append(candidates, path)
	}
	// Where Debian and its kin put a version that is not the default one.
	installed, err := filepath.Glob("/usr/lib/jvm/*17*/bin/java")
	if err != nil {
		return "", fmt.Errorf("look for Java: %w", err)
	}
	seen := "no java on the path"
	for _, java := range append(candidates, installed...) {
		out, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
		if err != nil {
			continue
		}
		m := javaVersion.FindSubmatch(out)
		if m != nil && string(m[1]) == "17" {
			return java, nil
		}
		first, _, _ := strings.Cut(string(out), "\n")
		seen = "found only " + strings.TrimSpace(first)
	}
	return "", fmt.Errorf("%w: %s", ErrNotInstalled, seen)
}
