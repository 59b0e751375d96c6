package cassandratest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/internal/maven"
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

// findDistribution returns the cached Cassandra of a version, and installs it first
// if need be: Maven fetches all jar files.
func findDistribution(ctx context.Context, version string) (distribution, error) {
	java, err := findJava(ctx)
	if err != nil {
		return distribution{}, err
	}
	home, err := maven.Cached(ctx, "Cassandra "+version, "cassandra-"+version, func(ctx context.Context, m *maven.Maven) (string, error) {
		pom, err := filled("files/pom.xml.tmpl", version)
		if err != nil {
			return "", err
		}
		path, jars := filepath.Join(m.Dir, "pom.xml"), filepath.Join(m.Dir, "jars")
		if err := os.WriteFile(path, []byte(pom), 0o644); err != nil {
			return "", fmt.Errorf("write pom.xml for Maven: %w", err)
		}
		return jars, m.Run(ctx, "--file", path, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+jars)
	})
	if errors.Is(err, maven.ErrNotInstalled) {
		err = fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	if err != nil {
		return distribution{}, err
	}
	return distribution{java: java, jars: home}, nil
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
