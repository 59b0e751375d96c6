package compare_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

var command = regexp.MustCompile(`(?m)^\$ (bin/temporal-server compare .*)$`)

// TestTheCommandsOfTheDocument runs what docs/compare.md shows, in its order, with
// one pair of blocks of a second in place of the plans' many.
func TestTheCommandsOfTheDocument(t *testing.T) {
	t.Parallel()
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(harness.Root(), "docs", "compare.md"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(harness.Root(), "test"), filepath.Join(dir, "test")))
	shown := command.FindAllStringSubmatch(string(text), -1)
	require.Len(t, shown, 4)
	for _, match := range shown {
		args := strings.Fields(match[1])[1:]
		out := args[slices.Index(args, "--out")+1]
		short := filepath.Join(dir, out+".yaml")
		if at := slices.Index(args, "--plan"); at >= 0 {
			shorten(t, filepath.Join(dir, args[at+1]), short)
			args[at+1] = short
		} else {
			shorten(t, "", short)
			args = append(args, "--plan", short)
		}
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Dir = dir
		said, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", match[1], said)
		run, err := result.Read(filepath.Join(dir, out, "run.json"))
		require.NoError(t, err)
		require.True(t, run.Complete, match[1])
		for _, scenario := range run.Scenarios() {
			require.Len(t, run.Pairs(scenario), 1, match[1])
		}
		for _, a := range run.Agreements {
			require.True(t, a.Equal, "%+v", a)
		}
		page, err := os.ReadFile(filepath.Join(dir, out, "report.html"))
		require.NoError(t, err)
		require.Contains(t, string(page), run.Header.Arms[1].Title)
		if slices.Contains(args, "--check") {
			require.Contains(t, string(said), "No regression against first/run.json.")
		}
	}
}

// shorten reads a plan, or the default one, and writes one that takes seconds.
func shorten(t *testing.T, from, to string) {
	t.Helper()
	plan := map[string]any{}
	if from != "" {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(text, &plan))
	}
	plan["pairs"] = 1
	plan["contamination"] = map[string]any{"others": 1, "lag": "0s", "repeats": 0}
	plan["store"] = map[string]any{"rates": []any{100}, "duration": "1s", "warmupLeast": "0s", "warmupMost": "0s", "open": 10, "timeout": "1m", "deadAfter": "2m"}
	if cluster, ok := plan["cluster"].(map[string]any); ok {
		cluster["block"], cluster["warmup"], cluster["warmupMost"] = "1s", "0s", "1s"
		scenarios, ok := cluster["scenarios"].([]any)
		require.True(t, ok)
		cluster["scenarios"] = scenarios[1:2]
	}
	text, err := yaml.Marshal(plan)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o600))
}

// TestArmsAndPlansThatTheRepositoryShips can be read by this program.
func TestArmsAndPlansThatTheRepositoryShips(t *testing.T) {
	t.Parallel()
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	arms, err := filepath.Glob(filepath.Join(harness.Root(), "test", "bench", "compare", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, arms)
	for _, path := range arms {
		if !strings.HasPrefix(filepath.Base(path), "plan-") {
			said, err := exec.CommandContext(t.Context(), binary, "--config-file", path, "render-config").CombinedOutput()
			require.NoError(t, err, "%s\n%s", path, said)
		} else {
			// A plan is read before arms are looked for.
			said, err := exec.CommandContext(t.Context(), binary, "compare", "--plan", path, "--out", t.TempDir()).CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(said), "give both configurations", path)
		}
	}
}
