package compare

import (
	"cmp"
	"runtime"

	"go.temporal.io/server/common/headers"

	"github.com/temporal-ycql/temporal-ycql/core/build"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// Program describes the running program. Where nothing was stamped into it, its revision
// is the given one.
func Program(revision string) result.Program {
	p := result.Program{Name: "temporal-ycql", Server: headers.ServerVersion, Go: runtime.Version()}
	p.Revision, p.Modified = build.Revision()
	p.Revision = cmp.Or(p.Revision, revision)
	return p
}
