package compare_test

import (
	"bufio"
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// TestAnInterruptedComparisonGoesOn sends SIGINT to the program, as Ctrl-C does, in
// its second pair of blocks. It says how to go on, leaves no database behind, and the
// same command measures the second pair alone.
func TestAnInterruptedComparisonGoesOn(t *testing.T) {
	t.Parallel()
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	t.Run("with keyspaces on a server", func(t *testing.T) {
		t.Parallel()
		d, err := harness.StartCQL(t.Context(), "cassandra", t.TempDir())
		require.NoError(t, err)
		t.Cleanup(func() { _ = d.Kill() })
		dir := t.TempDir()
		at := func(name string) string {
			text, err := os.ReadFile(armFile(name))
			require.NoError(t, err)
			const port = "port: 19042"
			require.Contains(t, string(text), port)
			path := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), port, "port: "+strconv.Itoa(d.Port), 1)), 0o600))
			return path
		}
		interrupted(t, dir, binary, at("ours-cassandra.yaml"), at("stock-cassandra.yaml"), "measuring",
			"pairs: 2\ncontamination: {others: 1, lag: 0s, repeats: 0}\nstore: {rates: [50], duration: 2s, warmupLeast: 0s, warmupMost: 0s, open: 10, timeout: 1m, deadAfter: 2m}\n",
			func() {
				s, err := d.Session()
				require.NoError(t, err)
				defer s.Close()
				keyspaces := s.Query(`SELECT keyspace_name FROM system_schema.keyspaces`).Iter()
				for name := ""; keyspaces.Scan(&name); {
					require.NotContains(t, name, "compare")
				}
				require.NoError(t, keyspaces.Close())
			})
	})
	t.Run("with whole servers on files", func(t *testing.T) {
		t.Parallel()
		interrupted(t, t.TempDir(), binary, armFile("embedded-ycql-durable.yaml"), armFile("stock-sqlite-file-whole.yaml"), "runs workflows",
			"level: cluster\npairs: 2\ncontamination: {others: 1, lag: 0s, repeats: 0}\n"+
				"cluster: {block: 1s, warmup: 0s, warmupMost: 1s, scenarios: [{mix: {activity: 1}, inFlight: 2}]}\n",
			func() {})
	})
}

func armFile(name string) string {
	return filepath.Join(harness.Root(), "test", "bench", "compare", name)
}

// interrupted runs a comparison of two pairs twice, and interrupts it the first time
// when it says in the second pair that it is doing something. clean looks whether
// databases were left, beside those in files.
func interrupted(t *testing.T, dir, binary, a, b, doing, plan string, clean func()) {
	t.Helper()
	planFile, out := filepath.Join(dir, "plan.yaml"), filepath.Join(dir, "out")
	require.NoError(t, os.WriteFile(planFile, []byte(plan), 0o600))
	args := []string{"compare", "--a", a, "--b", b, "--plan", planFile, "--out", out}
	left := func() {
		t.Helper()
		files, err := os.ReadDir(filepath.Join(out, "scratch"))
		require.NoError(t, err)
		require.Empty(t, files)
		clean()
	}

	// While this test stands still the comparison may reach its end: then it is begun anew.
	var before *result.Run
	for end := time.Now().Add(5 * time.Minute); ; {
		require.True(t, time.Now().Before(end), "a comparison that is interrupted goes on to its end")
		said, err := interrupt(t, exec.CommandContext(t.Context(), binary, args...), doing)
		if err == nil {
			require.NoError(t, os.RemoveAll(out))
			continue
		}
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, said)
		require.Equal(t, 2, exit.ExitCode(), said)
		require.Contains(t, said, "interrupted; the same command with --out "+out+" goes on where it was\n")
		left()
		before, err = result.Read(filepath.Join(out, "run.json"))
		require.NoError(t, err)
		if len(before.Blocks) < 4 {
			break
		}
		require.NoError(t, os.RemoveAll(out))
	}
	require.False(t, before.Complete)
	require.GreaterOrEqual(t, len(before.Blocks), 2, "the first pair")
	require.Contains(t, page(t, out), "This run is not complete:")

	again := exec.CommandContext(t.Context(), binary, args...)
	var stdout, stderr bytes.Buffer
	again.Stdout, again.Stderr = &stdout, &stderr
	require.NoError(t, again.Run(), "%s%s", &stdout, &stderr)
	require.Contains(t, stderr.String(), "going on behind 1 pairs of "+filepath.Join(out, "run.json"))
	require.NotContains(t, stderr.String(), "pair 1 of 2")
	left()
	after, err := result.Read(filepath.Join(out, "run.json"))
	require.NoError(t, err)
	require.True(t, after.Complete)
	require.Empty(t, after.Error)
	require.Len(t, after.Blocks, 4)
	for i, block := range after.Blocks {
		require.Equal(t, i/2, block.Pair)
		if i < 2 {
			require.Equal(t, before.Blocks[i], block, "measured before the interruption")
		}
	}
	require.Contains(t, stdout.String(), "States after a pair: 2 times equal, 0 times different.")
	require.NotContains(t, page(t, out), "This run is not complete:")
	// Builds without the toolchain's stamp have the Makefile's.
	head := exec.CommandContext(t.Context(), "git", "rev-parse", "HEAD")
	head.Dir = harness.Root()
	built := after.Header.Program.Revision
	if revision, err := head.Output(); err == nil { // else the tree is no repository, and nobody knows
		require.Equal(t, strings.TrimSpace(string(revision)), built, "is %s built by make?", binary)
	}
	version, err := exec.CommandContext(t.Context(), binary, "version").Output()
	require.NoError(t, err)
	require.Contains(t, string(version), "revision "+cmp.Or(built, "unknown"))
}

// interrupt runs a command to its end, and sends it SIGINT when it says in the second
// pair that it is doing something. It returns what the command said.
func interrupt(t *testing.T, cmd *exec.Cmd, doing string) (said string, err error) {
	t.Helper()
	progress, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var all strings.Builder
	signalled := false
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		line := lines.Text()
		all.WriteString(line + "\n")
		if !signalled && strings.HasPrefix(line, "pair 2 of 2, ") && strings.Contains(line, ": "+doing+" (") {
			signalled = true
			require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		}
	}
	err = cmd.Wait()
	require.True(t, signalled, all.String())
	return all.String(), err
}

func page(t *testing.T, out string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(out, "report.html"))
	require.NoError(t, err)
	return string(text)
}
