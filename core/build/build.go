// Package build says what this program was built from.
package build

import (
	"runtime/debug"
	"strings"
)

// stamped is what "git describe --always --dirty" said where the linker was told so
// (-X, as "make build" does). The toolchain stamps nothing into builds with
// -buildvcs=false, and nothing into those of "go run".
var stamped string

// Revision is that of the source, and whether the source had changes beside it; empty
// if nobody said.
func Revision() (revision string, modified bool) {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.modified":
				modified = s.Value == "true"
			}
		}
	}
	if revision == "" {
		revision, modified = strings.CutSuffix(stamped, "-dirty")
	}
	return revision, modified
}
