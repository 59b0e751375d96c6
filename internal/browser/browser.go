// Package browser shows pages to tests in a real browser without a screen.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/internal/needs"
)

// limit of showing one page, which takes a second or two on a free machine.
const limit = 5 * time.Minute

// Dump loads a page, lets its scripts run for 20 s of the browser's own time, and
// returns what is on it then, as HTML. Flags are more of Chromium's. Where there is no
// browser that is a matter of package needs.
func Dump(ctx context.Context, t testing.TB, url string, flags ...string) (page string, err error) {
	t.Helper()
	program := find(t)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	home, err := os.MkdirTemp("", "temporal-ycql-browser-")
	if err != nil {
		return "", fmt.Errorf("make the browser's directory: %w", err)
	}
	defer remove(t, home)
	out, err := os.Create(filepath.Join(home, "page"))
	if err != nil {
		return "", fmt.Errorf("make the browser's output: %w", err)
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, program, append(append([]string{
		"--headless", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-sandbox", // which root cannot have; the page is the test's
		"--user-data-dir=" + filepath.Join(home, "data"), "--virtual-time-budget=20000", "--dump-dom",
	}, flags...), url)...)
	cmd.Env = append(os.Environ(), "HOME="+home) // there may be none, or one that cannot be written
	// Its children outlive it by a moment, or for good where it is killed. They would
	// keep a pipe open, hence the file, and they write below home.
	cmd.Stdout = out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start %s: %w", program, err)
	}
	err = cmd.Wait()
	_ = cmd.Cancel() // there may be nobody left
	if err != nil {
		return "", fmt.Errorf("run %s: %w", program, err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		return "", fmt.Errorf("read the browser's output: %w", err)
	}
	return string(text), nil
}

func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	needs.Missing(t, "a browser", "install Debian's package chromium")
	return ""
}

// remove removes a directory into which processes that were killed may still write.
func remove(t testing.TB, dir string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := os.RemoveAll(dir)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Logf("the browser's directory stays: %v", err) // the page is none the worse for it
			return
		}
	}
}
