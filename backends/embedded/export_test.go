package embedded

import (
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// NodeOptions are what o starts an engine with.
func NodeOptions(o Options) standalone.Options { return nodeOptions("dir", o, backend.Env{}) }
