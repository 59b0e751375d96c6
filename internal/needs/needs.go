// Package needs decides what a test does when the machine lacks something that
// it needs: a person's machine skips the test and says why, a machine that must
// run everything (CI) fails it.
package needs

import (
	"os"
	"testing"
)

// RequireAllEnv is the environment variable that turns every skip for a missing
// program into a failure. Any value but "" and "0" counts as set.
const RequireAllEnv = "TEMPORAL_YCQL_REQUIRE_ALL"

// RequireAll reports whether every test must run.
func RequireAll() bool {
	v := os.Getenv(RequireAllEnv)
	return v != "" && v != "0"
}

// Missing ends the test because what is not there; remedy says how to get it.
// It skips, or fails when [RequireAll]. It never returns.
func Missing(t testing.TB, what, remedy string) {
	t.Helper()
	if RequireAll() {
		t.Fatalf("%s is missing and %s is set; %s", what, RequireAllEnv, remedy)
	}
	t.Skipf("skipped: %s is missing; %s", what, remedy)
}
