// Package smalldisk gives a test a disk that it may fill.
package smalldisk

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/internal/needs"
)

// Mount mounts a file system in memory with so much room ("2m", "200m") at a
// directory of its own, until the test ends. It needs root on Linux: elsewhere the
// test is skipped, or fails where all must run.
func Mount(t testing.TB, size string) string {
	t.Helper()
	const remedy = "run this test as root on Linux"
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		needs.Missing(t, "the right to mount a disk", remedy)
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		needs.Missing(t, "the right to mount a disk ("+strings.TrimSpace(string(out))+")", remedy)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}
