// Package pythonenv gives tests a Python with packages from its index, for clients
// that were not written with this repository in mind.
package pythonenv

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/internal/needs"
)

// installLimit bounds the download and installation of all packages, which take half
// a minute on a free machine.
const installLimit = 20 * time.Minute

// Make returns the directory of the programs of a virtual environment that holds
// the packages, each given as name==version. It is made once and kept in the user's
// cache directory. What is missing for it is a matter of package needs.
func Make(t *testing.T, packages ...string) (bin string) {
	t.Helper()
	const remedy = "install python3 with venv, and let it reach a package index"
	python3, err := exec.LookPath("python3")
	if err != nil {
		needs.Missing(t, "python3", remedy)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	dir := filepath.Join(cache, "temporal-ycql", "python-"+strings.NewReplacer("=", "", ".", "").Replace(strings.Join(packages, "-")))
	bin = filepath.Join(dir, "bin")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return bin
	}
	ctx, cancel := context.WithTimeout(t.Context(), installLimit)
	defer cancel()
	for _, args := range [][]string{
		{python3, "-m", "venv", "--clear", dir},
		append([]string{filepath.Join(bin, "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "10"}, packages...),
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			needs.Missing(t, "a Python environment with "+strings.Join(packages, " and ")+": "+err.Error()+": "+string(out), remedy)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "complete"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return bin
}
