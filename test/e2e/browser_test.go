package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/internal/needs"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// browse loads a page in a browser without a screen, lets its scripts run and
// returns what is then on it.
func browse(ctx context.Context, t *testing.T, url string) (string, error) {
	t.Helper()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		needs.Missing(t, "a browser", "install Debian's package chromium")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "temporal-ycql-browser-")
	if err != nil {
		return "", fmt.Errorf("make the browser's directory: %w", err)
	}
	cmd := exec.CommandContext(ctx, browser, "--headless", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-sandbox", // which root cannot have; the page is ours
		"--user-data-dir="+dir, "--virtual-time-budget=20000", "--dump-dom", url)
	// Its children outlive it by a moment, or for good where it was killed: they keep
	// the pipe open and write to its directory, which cannot be removed before.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = end, 20*time.Second
	page, err := cmd.Output()
	if cmd.Process != nil {
		_ = end() // there may be none left
	}
	await(t, "the browser's directory to go", func(context.Context) error { return os.RemoveAll(dir) })
	if err != nil {
		return "", fmt.Errorf("run %s: %w", browser, err)
	}
	return string(page), nil
}

// TestStartDevShowsWorkflows loads the pages of the web UI in a real browser: the
// list of workflows, and one of them with its result.
func TestStartDevShowsWorkflows(t *testing.T) {
	t.Parallel()
	s := launch(t, dev(t, "--ephemeral"), harness.Spec{})
	s.awaitBlock(t)
	c := s.dial(t, "default")
	const queue = "browser"
	work(t, c, queue, worker.Options{})
	id, word := unique("shown"), unique("word")
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, wfEcho, word)
	require.NoError(t, err)
	require.Equal(t, word, result[string](t, run))
	awaitListed(t, c, "ExecutionStatus = 'Completed'", id)
	for _, page := range []struct{ path, want string }{
		{"/", id}, // leads to the list of the namespace default
		{"/namespaces/default/workflows", id},
		{"/namespaces/default/workflows/" + id + "/" + run.GetRunID() + "/history", word},
	} {
		await(t, "the page "+page.path, func(ctx context.Context) error {
			text, err := browse(ctx, t, "http://"+s.UI()+page.path)
			if err == nil && !strings.Contains(text, page.want) {
				err = fmt.Errorf("no %q in %d bytes of page", page.want, len(text))
			}
			return err
		})
	}
}
