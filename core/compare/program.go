package compare

import (
	"runtime"
	"runtime/debug"

	"go.temporal.io/server/common/headers"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// Program describes the running program. Where the toolchain has stamped no revision
// into it, that is the given one.
func Program(revision string) result.Program {
	p := result.Program{Name: "temporal-ycql", Server: headers.ServerVersion, Go: runtime.Version(), Revision: revision}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				p.Revision = s.Value
			case "vcs.modified":
				p.Modified = s.Value == "true"
			}
		}
	}
	return p
}
