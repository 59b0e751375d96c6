package embedded

import (
	"context"
	"net"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	cassandracql "github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// variant is a dialect of the engine and the backend that speaks it.
type variant struct {
	engine  parse.Dialect
	dialect func() dialect.Dialect
	backend func(dial func(ctx context.Context, address string) (net.Conn, error)) backend.Backend
	options map[string]any // of the backend, beside its address and keyspace
}

// variants are those that options may ask for.
var variants = map[string]variant{
	dialectYCQL: {
		engine:  parse.YCQL,
		dialect: func() dialect.Dialect { return ycql.New(ycql.All) },
		backend: func(dial func(context.Context, string) (net.Conn, error)) backend.Backend {
			return yugabyte.NewWithDial(dial)
		},
		// There is one server: no tablet is nearer than another.
		options: map[string]any{"hostSelection": "round-robin"},
	},
	dialectCassandra: {
		engine:  parse.Cassandra,
		dialect: func() dialect.Dialect { return cassandracql.New() },
		backend: func(dial func(context.Context, string) (net.Conn, error)) backend.Backend {
			return cassandra.NewWithDial(dial)
		},
	},
}
