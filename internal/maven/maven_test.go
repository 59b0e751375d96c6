package maven

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAFailureOfAMomentIsTriedAgain has an mvn that succeeds the third time, and one
// that never does.
func TestAFailureOfAMomentIsTriedAgain(t *testing.T) {
	for last, want := range map[string]string{
		`[ "$(wc -l < runs)" = 3 ]`:    "",
		`echo 'no such thing'; exit 1`: "fetch a thing with Maven: exit status 1: no such thing",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "mvn")
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho \"$*\" >> runs\n"+last+"\n"), 0o700))
		err := (&Maven{path: path, what: "a thing", Dir: dir}).Run(t.Context(), "get")
		if want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, want)
		}
		runs, err := os.ReadFile(filepath.Join(dir, "runs"))
		require.NoError(t, err)
		require.Equal(t, []string{
			"--quiet --batch-mode get", "--quiet --batch-mode get --update-snapshots", "--quiet --batch-mode get --update-snapshots", "",
		}, strings.Split(string(runs), "\n"))
	}
}
