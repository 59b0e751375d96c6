package e2e

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// inside is this repository's server with its database in the process.
func inside(t *testing.T, options map[string]any) harness.Launcher {
	t.Helper()
	if os.Getenv(harness.SubjectEnv) == "stock" {
		t.Skip("stock Temporal has no embedded CQL engine")
	}
	l, err := harness.Embedded(t.Context(), options)
	require.NoError(t, err)
	return l
}

// dialects are those of the engine: the same features have to be there on both.
var dialects = []string{"ycql", "cassandra"}

// TestStartDevFeatures is TestFeatures without a database beside the server, and
// so without the features whose tests look at rows from outside.
func TestStartDevFeatures(t *testing.T) {
	visible := slices.DeleteFunc(slices.Clone(features), func(f feature) bool { return f.rows })
	require.NotEmpty(t, visible)
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			runFeatures(t, dev(t, "--dialect", dialect, "--data-dir", t.TempDir()), visible)
		})
	}
}

// TestStartDevFeaturesInMemory runs those that keep most on a server that forgets.
func TestStartDevFeaturesInMemory(t *testing.T) {
	most := slices.DeleteFunc(slices.Clone(features), func(f feature) bool {
		return !slices.Contains([]string{
			"signals arrive in order and queries see them", "children succeed, fail and end with their parent",
			"continue-as-new carries state along a chain of runs", "reset starts over from an earlier task",
		}, f.name)
	})
	require.Len(t, most, 4, "the names above are those of features")
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			runFeatures(t, dev(t, "--dialect", dialect, "--ephemeral"), most)
		})
	}
}

// TestKilledEmbeddedServerLosesNothing kills server and database at once, twice,
// of a server that has its configuration in a file.
func TestKilledEmbeddedServerLosesNothing(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			killTwice(t, inside(t, map[string]any{"dialect": dialect, "dataDir": t.TempDir()}))
		})
	}
}
